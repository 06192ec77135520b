//! A BitScope Micro on a computer: links behind URLs, calibrations, requests and generators as text.
//!
//! In a browser (`wasm32-unknown-unknown`) there are neither files nor sockets: links are the simulated BitScope and what the
//! page's scripts open.
//!
//! The driver itself is [`scopething_core`]; this crate opens what it speaks over. With the feature `sim` the URL `sim:` is a
//! simulated BitScope, and any other link can be given faults; with `bridge` there are RP2040 bridges.
//!
//! ```
//! # #[cfg(feature = "sim")]
//! # {
//! use scopething::link::{LinkUrl, open};
//! use scopething_core::plan::{AnalogChannel, CaptureRequest, Channel};
//! use scopething_core::trace::TraceBuffer;
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
//! # runtime.block_on(async {
//! // A serial port is `/dev/ttyUSB0` or `COM3`, and the first BitScope that is plugged in an empty text.
//! let url: LinkUrl = "sim:?A=sine,1kHz,0..3V&clock=fast".parse()?;
//! let mut scope = open(&url).await?.connect().await?;
//! let plan = scope.plan(&CaptureRequest::new(Channel::A))?;
//! let mut buffer = TraceBuffer::new();
//! let trace = scope.capture(&plan, &mut buffer).await?;
//! assert_eq!(trace.analog(AnalogChannel::A).map(|a| a.len()), Some(1000));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! # }
//! ```
//!
//! - [`link`]: serial ports, TCP, UDP, bridges and the simulator, by their URLs.
//! - [`calibration_file`]: the calibrations of probes, in the file that other BitScope programs use.
//! - [`failure`]: errors as bindings report them to other languages.
//! - [`bindings`]: what bindings to other languages need beside a device.
//! - `blocking`, with the feature `sim`: a device for callers that block.
//! - [`request`], [`generate`]: captures and generators as users and programs write them.
//! - [`watched`]: a capture whose wait for a trigger is shown; [`trigger_hint`]: why the trigger does not come.
//! - [`timer`]: time as programs here take it, on a computer and in a browser.
//! - [`atomic`]: files that appear complete or not at all.

#[cfg(not(target_family = "wasm"))]
pub mod atomic;
#[cfg(not(target_family = "wasm"))]
pub mod bindings;
#[cfg(all(feature = "sim", not(target_family = "wasm")))]
pub mod blocking;
#[cfg(feature = "bridge")]
pub mod bridge;
#[cfg(not(target_family = "wasm"))]
pub mod calibration_file;
#[cfg(not(target_family = "wasm"))]
pub mod failure;
#[cfg(test)]
#[path = "../tests/fixed_seed/mod.rs"]
mod fixed_seed;
pub mod generate;
pub mod link;
pub mod plan_report;
pub mod probe_numbers;
pub mod regular;
pub mod request;
pub mod settings;
pub mod timer;
pub mod trigger_hint;
pub mod watched;

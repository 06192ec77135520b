//! Everything a BitScope Micro does, from one core that runs on a desktop and on a microcontroller.
//!
//! A capture is a request in seconds and volts, planned into register values, run over any byte stream, and read as volts:
//!
//! ```
//! use scopething_core::device::BS05;
//! use scopething_core::plan::{BusyOutputs, CaptureRequest, Channel, plan_capture};
//!
//! // No device is needed to plan: both channels over 2 ms, triggered on A.
//! let request = CaptureRequest { period_s: 2e-3, ..CaptureRequest::new([Channel::A, Channel::B]) };
//! let plan = plan_capture(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING)?;
//! assert_eq!((plan.mode.name, plan.sample_rate_hz()), ("MacroChop", 500e3));
//! # Ok::<(), scopething_core::plan::PlanError>(())
//! ```
//!
//! ```no_run
//! # #[cfg(feature = "std")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::net::TcpStream;
//! use std::time::Duration;
//!
//! use scopething_core::blocking::{StdClock, StdStream, block_on};
//! use scopething_core::plan::{AnalogChannel, CaptureRequest, Channel};
//! use scopething_core::scope::{LinkProfile, Scope};
//! use scopething_core::trace::TraceBuffer;
//!
//! let stream = TcpStream::connect("127.0.0.1:5025")?;
//! stream.set_read_timeout(Some(Duration::from_millis(5)))?;
//! let mut scope = block_on(Scope::connect(StdStream(stream), StdClock::new(), LinkProfile::NETWORK))?;
//! let plan = scope.plan(&CaptureRequest::new(Channel::A))?;
//! let mut buffer = TraceBuffer::new();
//! let trace = block_on(scope.capture(&plan, &mut buffer))?;
//! let volts: Vec<f32> = trace.analog(AnalogChannel::A).into_iter().flat_map(|a| a.values()).collect();
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "std"))]
//! # fn main() {}
//! ```
//!
//! # Where to look
//!
//! | module | what it is |
//! | --- | --- |
//! | [`scope`] | the driver: connect, capture, stream, generate, calibrate, read the EEPROM |
//! | [`blocking`] | the same driver over streams that block |
//! | [`plan`] | requests, and what the device can do of them; no device needed |
//! | [`trace`] | the samples of a capture, and views of them in volts and logic levels |
//! | [`analysis`] | levels, edges, periods and shapes of samples |
//! | [`calibration`] | the parameters of a probe, from measurements of the device's own clock |
//! | [`vm`] | the device's virtual machine byte by byte; its front page is the book on the device |
//! | [`link`] | datagrams and frames that host and firmware share |
//! | [`device`], [`time`] | what a BS05 is; moments, and the clock that the caller gives |
//!
//! # Features
//!
//! None is on by default.
//!
//! - `std`: streams and the clock of the standard library.
//! - `embassy-time`: a clock for firmware with embassy.
//! - `serde`: requests, probes and times can be serialised.
//! - `bridge`: the messages of the RP2040 bridge.
//! - `defmt`: `defmt::Format` for the public types.
//!
//! # What never happens
//!
//! Nothing is allocated: a [`TraceBuffer`](trace::TraceBuffer) of 12 KiB, which the caller owns, holds any capture. Nothing
//! panics, whatever the device sends. There is no unsafe code. No clock is read but the one that was given, and no wait is
//! without a bound but that for a trigger, which the caller can cancel.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod analysis;
pub mod blocking;
pub mod calibration;
pub mod device;
pub mod link;
mod list;
pub mod plan;
pub mod scope;
pub mod time;
pub mod trace;
pub mod vm;

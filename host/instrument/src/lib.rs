//! The instrument: a BitScope with what its clients share, settings, captures, generators and the calibration of the probes.
//!
//! It has the device and serves one request at a time. Clients that wait at the same moment get the same capture, and what
//! one sets holds for all; the device itself can be lent as a stream of bytes in between. [`page`] is what a page with the
//! face of an oscilloscope needs on top.
//!
//! How clients get here is not known: over a network (`scopething-serve`), or from scripts of the page in which the
//! instrument runs itself (`host/web`). It runs in both, and takes its time from [`scopething::timer`].
//!
//! ```
//! use scopething::link::open;
//! use scopething_core::device::BS05;
//! use scopething_instrument::Instrument;
//! use scopething_instrument::handle::TriggerTimeout;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let link = open(&"sim:?A=sine,1kHz,-2..2V&clock=fast".parse()?).await?;
//! let opened = Instrument::open(link, BS05.analog).await?;
//! let captured = async {
//!     let mut pending = opened.handle.capture(TriggerTimeout::OfMode).await?;
//!     pending.ready().await
//! };
//! tokio::select! {
//!     failed = opened.instrument.run() => panic!("{failed:?}"),
//!     capture = captured => assert_eq!(capture?.count, 6000),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod calibration;
pub mod capture;
pub mod event;
#[cfg(test)]
#[path = "../../scope/tests/fixed_seed/mod.rs"]
mod fixed_seed;
mod generator;
pub mod handle;
mod instrument;
pub mod loan;
pub mod page;
mod queue;
mod reconnect;
pub mod settings;
pub mod steps;
mod stream;

pub use instrument::{DeviceError, Instrument, Opened};
pub use reconnect::Reopen;
use scopething::timer::{self, Instant};

/// Completes at a deadline; never without one.
pub async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => timer::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

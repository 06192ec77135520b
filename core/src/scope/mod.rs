//! The driver of a BitScope over a byte stream: it connects, captures, generates, calibrates and recovers. State of
//! the device is kept here.
//!
//! The stream is any `embedded-io-async` stream, the clock any [`Clock`](crate::time::Clock). Reads of the stream must be cancel safe:
//! dropping a read that is pending must lose no byte. While a script of up to 183 bytes is written the stream must
//! take in as many bytes of echo.
//!
//! Whatever fails, or is dropped in the middle, leaves the driver usable: its next operation cancels and resets the
//! device first.
//!
//! ```no_run
//! # use scopething_core::time::Clock;
//! # use scopething_core::trace::{TraceBuffer, Trace};
//! use embedded_io_async::{Read, Write};
//! use scopething_core::plan::{AnalogChannel, CaptureRequest, Channel};
//! use scopething_core::scope::{LinkProfile, Scope};
//!
//! async fn peak<S: Read + Write, C: Clock>(stream: S, clock: C) -> Option<f32> {
//!     let mut scope = Scope::connect(stream, clock, LinkProfile::SERIAL).await.ok()?;
//!     let plan = scope.plan(&CaptureRequest::new(Channel::A)).ok()?;
//!     let mut buffer = TraceBuffer::new();
//!     let trace = scope.capture(&plan, &mut buffer).await.ok()?;
//!     trace.analog(AnalogChannel::A)?.values().reduce(f32::max)
//! }
//! ```

mod calibrate;
mod capture;
mod capture_options;
mod dump;
mod error;
mod generate;
mod pace;
mod profile;
mod session;
mod stream;
mod transport;
mod verify;

use transport::Transport;

pub use calibrate::{CalibrateError, CalibrationProgress};
pub use capture_options::CaptureOptions;
pub use error::{Contradiction, Recovery, ScopeError, ScopeErrorKind, Stage};
pub use generate::{GenerateError, Generators};
pub use profile::LinkProfile;
pub use session::{NoSerialNumber, SerialNumber, UnknownRevision};
pub use stream::{Stream, StreamChunk, StreamFrame, StreamGap, StreamTotals};
pub use transport::Pacing;

use crate::device::{AnalogParameters, Model};
use crate::trace::DeviceTime;
use crate::vm::{Revision, Shadow};

/// How often a trace, a dump of a channel, a stream or a generator is tried before the failure is the caller's.
const ATTEMPTS: u8 = 2;

/// A connected BitScope.
#[derive(Debug)]
pub struct Scope<S, C> {
    transport: Transport<S, C>,
    model: &'static Model,
    /// What the device calls itself.
    revision: Revision,
    /// The serial number, once it was read.
    serial: Option<Result<SerialNumber, NoSerialNumber>>,
    shadow: Shadow,
    device_time: DeviceTime,
    /// What captures and streams are planned with.
    probe: AnalogParameters,
    generators: Generators,
    /// Logic lines that a clock output may drive, whether it runs or not, a bit each.
    mapped: u8,
    /// An operation has begun and has not ended well: what the device does is not known.
    in_flight: bool,
    /// The most samples that one dump asks for, where the link was seen to lose more.
    max_dump: u16,
    /// The last number sent to find the beginning of the device's answers.
    nonce: u16,
}

//! From seconds, volts and hertz to register values: pure functions, without input, output or clock.
//!
//! [`plan_capture`] turns a [`CaptureRequest`] into a [`CapturePlan`]: the registers to write, what the trace will
//! look like, and in [`Notice`]s what had to be done otherwise than asked.
//!
//! ```
//! use scopething_core::device::BS05;
//! use scopething_core::plan::{CaptureRequest, Channel, BusyOutputs, plan_capture};
//!
//! let request = CaptureRequest::new(Channel::A);
//! let plan = plan_capture(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING)?;
//! assert_eq!(plan.mode.name, "Macro");
//! assert_eq!(plan.timebase.samples, 1000);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod capture;
mod capture_plan;
mod channel;
mod generator;
mod notice;
mod range;
mod request;
mod resolution;
mod si;
mod stream;
mod timebase;
mod trigger_mode;
#[cfg(feature = "serde")]
mod wire;

pub use capture::{mode_fits, plan_capture, plan_capture_at};
pub use capture_plan::{BusyOutputs, CapturePlan, TraceEnd, WAVEFORM_OUTPUT};
pub use channel::{AnalogChannel, Channel, ChannelSet, LogicLine, UnknownChannel};
pub(crate) use generator::map_register;
pub use generator::{
    ClockError, ClockOutput, ClockOutputs, ClockPlan, ClockRegisters, ClockRequest, PlayMode,
    UnknownWaveShape, WaveShape, WaveTiming, WaveformError, WaveformPlan, WaveformRequest, plan_clocks,
    plan_levels, plan_waveform,
};
pub use notice::{Notice, Notices, PlanError};
pub use range::SampleRange;
pub use request::{
    CaptureRequest, LogicPattern, TriggerSource, TriggerSourceError, TriggerType, UnknownTriggerType,
};
pub use resolution::{Resolution, UnknownResolution};
pub use stream::{MAX_TICKS, MIN_TICKS, StreamPlan, StreamRequest, plan_stream};
pub use timebase::{ModeFit, Timebase};
pub use trigger_mode::{TriggerMode, UnknownTriggerMode};

//! Plans of the waveform generator and the clock outputs: from hertz, volts and degrees of a period to
//! register values ([section 9 of the reference](crate::vm#9-generators)).
//!
//! [`plan_waveform`] turns a [`WaveformRequest`] into a [`WaveformPlan`], [`plan_clocks`] a [`ClockRequest`]
//! into a [`ClockPlan`]. Both return the actual output values, and otherwise report the nearest that can be met.
//! Starting and stopping is the driver's work: [`crate::scope::Scope::start_waveform`].
//!
//! ```
//! use scopething_core::device::BS05;
//! use scopething_core::plan::{WaveShape, WaveformRequest, plan_waveform};
//!
//! let plan = plan_waveform(&BS05, &WaveformRequest::new(1000.0, WaveShape::Triangle))?;
//! // 40 MHz x 1 / (1000 x 40)
//! assert_eq!((plan.timing.size, plan.timing.waves, plan.timing.ticks), (1000, 1, 40));
//! assert_eq!(plan.frequency_hz, 1000.0);
//! # Ok::<(), scopething_core::plan::WaveformError>(())
//! ```

mod clock;
mod timing;
mod waveform;

pub(crate) use clock::map_register;
pub use clock::{
    ClockError, ClockOutput, ClockOutputs, ClockPlan, ClockRegisters, ClockRequest, plan_clocks, plan_levels,
};
pub use timing::WaveTiming;
pub use waveform::{
    PlayMode, UnknownWaveShape, WaveShape, WaveformError, WaveformPlan, WaveformRequest, plan_waveform,
};

/// An error as it is offered to be allowed: after it is printed with two digits it is not less.
fn to_allow(error: f64) -> f64 {
    1.05 * libm::fabs(error)
}

/// Bit of registers `Control`, `Control2` and `Control3`: the clock output is on
/// ([section 3 of the reference](crate::vm#3-registers)).
const CLOCK_OUTPUT_ON: u32 = 0x80;

/// The register values of a step, each with its register.
type Values<const N: usize> = [(crate::vm::Register, u32); N];

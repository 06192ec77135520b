//! The generators.

use scopething_core::blocking::block_on;
use scopething_core::plan::{
    ClockOutput, ClockRequest, LogicLine, LogicPattern, PlayMode, WaveShape, WaveformRequest, plan_clocks,
    plan_waveform,
};
use scopething_core::scope::Generators;

use crate::link::Driver;
use crate::memory::Out;
use crate::request::lines;
use crate::scope::{ScopethingCoreScope, with};
use crate::status::{Failure, ScopethingCoreStatus};

/// A sine.
pub const SCOPETHING_CORE_WAVE_SINE: u32 = 0;
/// A ramp up and down; a sawtooth at the ends of the symmetry.
pub const SCOPETHING_CORE_WAVE_TRIANGLE: u32 = 1;
/// An exponential rise and fall.
pub const SCOPETHING_CORE_WAVE_EXPONENTIAL: u32 = 2;
/// High, then low.
pub const SCOPETHING_CORE_WAVE_SQUARE: u32 = 3;

/// Plays a waveform between two voltages of 0 to 3.3 V, on the waveform output and L4; `symmetry` is the part of the period spent rising,
/// or high, 0 to 1, and `once` plays one period. `real_frequency_hz` receives what comes out, and may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_wave(
    scope: *mut ScopethingCoreScope,
    shape: u32,
    frequency_hz: f64,
    low_v: f64,
    high_v: f64,
    symmetry: f64,
    once: bool,
    real_frequency_hz: *mut f64,
) -> ScopethingCoreStatus {
    let start = |driver: &mut Driver| {
        // SAFETY: the contract of the interface.
        let real = unsafe { Out::optional(real_frequency_hz, c"real_frequency_hz") }?;
        let shape = match shape {
            SCOPETHING_CORE_WAVE_SINE => WaveShape::Sine,
            SCOPETHING_CORE_WAVE_TRIANGLE => WaveShape::Triangle,
            SCOPETHING_CORE_WAVE_EXPONENTIAL => WaveShape::Exponential,
            SCOPETHING_CORE_WAVE_SQUARE => WaveShape::Square,
            _ => return Err(Failure::Argument(c"shape: give a SCOPETHING_CORE_WAVE_")),
        };
        let request = WaveformRequest {
            low: low_v,
            high: high_v,
            symmetry,
            ..WaveformRequest::new(frequency_hz, shape)
        };
        let plan = plan_waveform(driver.model(), &request).map_err(Failure::Wave)?;
        block_on(driver.start_waveform(&plan, if once { PlayMode::Once } else { PlayMode::Repeat }))?;
        if let Some(mut real) = real {
            real.set(plan.frequency_hz);
        }
        Ok(())
    };
    // SAFETY: the contract of the interface.
    unsafe { with(scope, start) }
}

/// Runs a clock on L5, high for the part `duty` of its period, 0 to 1. `real_frequency_hz` receives what comes out, and may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_clock(
    scope: *mut ScopethingCoreScope,
    frequency_hz: f64,
    duty: f64,
    real_frequency_hz: *mut f64,
) -> ScopethingCoreStatus {
    let start = |driver: &mut Driver| {
        // SAFETY: the contract of the interface.
        let real = unsafe { Out::optional(real_frequency_hz, c"real_frequency_hz") }?;
        let output = ClockOutput { duty, ..ClockOutput::new(LogicLine::CLOCK) };
        let request = ClockRequest::new(frequency_hz, &[output]).map_err(Failure::Clock)?;
        let plan = plan_clocks(driver.model(), &request).map_err(Failure::Clock)?;
        block_on(driver.start_clocks(&plan))?;
        if let Some(mut real) = real {
            real.set(plan.frequency_hz);
        }
        Ok(())
    };
    // SAFETY: the contract of the interface.
    unsafe { with(scope, start) }
}

/// Holds up to three logic lines high or low, SCOPETHING_CORE_CHANNEL_ bits; lines held before that are not among them are let go.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_hold(
    scope: *mut ScopethingCoreScope,
    held: u32,
    high: u32,
) -> ScopethingCoreStatus {
    let hold = |driver: &mut Driver| {
        let (care, high) = (lines(held)?, lines(high)?);
        block_on(driver.set_logic_outputs(LogicPattern { care, high: high & care }))?;
        Ok(())
    };
    // SAFETY: the contract of the interface.
    unsafe { with(scope, hold) }
}

/// Stops whatever is generated; no harm if nothing is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_stop_generators(
    scope: *mut ScopethingCoreScope,
) -> ScopethingCoreStatus {
    let stop = |driver: &mut Driver| {
        match driver.generators() {
            Generators::Off => {}
            Generators::Waveform { .. } => block_on(driver.stop_waveform())?,
            Generators::Clocks { .. } => block_on(driver.stop_clocks())?,
            Generators::Levels { .. } => block_on(driver.release_logic_outputs())?,
        }
        Ok(())
    };
    // SAFETY: the contract of the interface.
    unsafe { with(scope, stop) }
}

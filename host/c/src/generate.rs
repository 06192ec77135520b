//! The generators, by texts as on the command line.

use std::ffi::c_char;

use host::failure::{Failure, Kind};
use host::generate::{
    ClockSpec, GeneratorPlan, GeneratorRequest, SpecError, WaveSpec, WaveTable, parse_levels, stop,
};
use scopething_core::device::BS05;
use scopething_core::plan::{PlayMode, WaveShape, WaveformRequest, plan_waveform};

use crate::call::call;
use crate::memory::{Out, text, values};
use crate::scope::{Scope, scopething_scope};
use crate::status::{ScopethingError, ScopethingStatus, Stop};
use crate::table;

fn play_mode(once: bool) -> PlayMode {
    if once { PlayMode::Once } else { PlayMode::Repeat }
}

fn not_understood(error: &SpecError) -> Stop {
    Failure::of(Kind::Usage, error).into()
}

/// Starts what a plan generates, and returns the frequency that it really has.
fn start(scope: scopething_scope, plan: &GeneratorPlan<'_>) -> Result<f64, Stop> {
    let mut lease = table::get::<Scope>(scope)?.lease("starting a generator")?;
    lease.run(async |scope| plan.start(scope).await.map_err(Stop::from))?;
    Ok(match plan {
        GeneratorPlan::Wave(plan, _) => plan.frequency_hz,
        GeneratorPlan::Clocks(plan) => plan.frequency_hz,
        GeneratorPlan::Levels(..) => 0.0,
    })
}

/// Plays a waveform, such as "sine 1kHz 0..3.3V", "square 2kHz 30%" or "triangle 50Hz"; `file:PATH` plays the samples in a file.
/// `frequency_hz` receives the real frequency, and may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_wave(
    scope: scopething_scope,
    wave: *const c_char,
    once: bool,
    frequency_hz: *mut f64,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let (wave, frequency) = unsafe { (text(wave, "wave")?, optional(frequency_hz)?) };
        let spec: WaveSpec = wave.parse().map_err(|error| not_understood(&error))?;
        let request = GeneratorRequest::wave(spec, play_mode(once));
        let request = request.map_err(|error| Failure::of(Kind::FileError, &error))?;
        report(frequency, start(scope, &request.plan()?)?);
        Ok(())
    })
}

/// Plays a period of your own samples: 2 to 1024 of them from 0 to 1, between two voltages.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_wave_samples(
    scope: scopething_scope,
    frequency_hz: f64,
    low_v: f64,
    high_v: f64,
    samples: *const f32,
    count: usize,
    once: bool,
    real_frequency_hz: *mut f64,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let (samples, real) = unsafe { (values(samples, count, "samples")?, optional(real_frequency_hz)?) };
        let refused = || Stop::argument(format!("{count} samples are no waveform: give 2 to 1024"));
        let table = WaveTable::stairs(samples).ok_or_else(refused)?;
        let shape = WaveShape::Own(table.samples());
        let request =
            WaveformRequest { low: low_v, high: high_v, ..WaveformRequest::new(frequency_hz, shape) };
        let plan = plan_waveform(&BS05, &request).map_err(|error| Failure::of(Kind::PlanError, &error))?;
        report(real, start(scope, &GeneratorPlan::Wave(plan, play_mode(once)))?);
        Ok(())
    })
}

/// Runs clocks, such as "1MHz 50%" or "1MHz L4, L5 phase 90deg". `frequency_hz` receives the real frequency, and may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_clock(
    scope: scopething_scope,
    clocks: *const c_char,
    frequency_hz: *mut f64,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let (clocks, frequency) = unsafe { (text(clocks, "clocks")?, optional(frequency_hz)?) };
        let spec: ClockSpec = clocks.parse().map_err(|error| not_understood(&error))?;
        let request = GeneratorRequest::Clocks(spec.request().map_err(|error| not_understood(&error))?);
        report(frequency, start(scope, &request.plan()?)?);
        Ok(())
    })
}

/// Holds logic lines at levels, such as "L3=1,L5=0".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_hold(
    scope: scopething_scope,
    levels: *const c_char,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let levels = unsafe { text(levels, "levels") }?;
        let request = GeneratorRequest::Levels(parse_levels(levels).map_err(Failure::usage)?);
        start(scope, &request.plan()?).map(drop)
    })
}

/// Stops whatever is generated. No harm if nothing is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_stop_generators(
    scope: scopething_scope,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        let mut lease = table::get::<Scope>(scope)?.lease("stopping the generators")?;
        lease.run(async |scope| stop(scope).await.map_err(Stop::from))
    })
}

/// # Safety
/// `pointer` is null, or points to room for a number.
unsafe fn optional<'a>(pointer: *mut f64) -> Result<Option<Out<'a, f64>>, Stop> {
    // SAFETY: the same contract.
    (!pointer.is_null()).then(|| unsafe { Out::new(pointer, "frequency_hz") }).transpose()
}

fn report(to: Option<Out<'_, f64>>, frequency_hz: f64) {
    if let Some(mut to) = to {
        to.set(frequency_hz);
    }
}

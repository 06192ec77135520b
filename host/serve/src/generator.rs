//! Starts and stops the waveform generator for clients.

use scopething_core::device::BS05;
use scopething_core::plan::{PlayMode, WaveformError, WaveformPlan, WaveformRequest, plan_waveform};
use scopething_core::scope::{GenerateError, ScopeError};

use super::handle::GeneratorWaveform;
use scopething::link::{HostScope, LinkError};

/// The fewest samples a period, where the frequency cannot be met with more.
const MIN_SAMPLES: u16 = 10;
/// How far off the frequency may then be, as a part of it.
const MAX_ERROR: f64 = 0.01;

fn plan(waveform: GeneratorWaveform) -> Result<WaveformPlan<'static>, WaveformError> {
    let GeneratorWaveform { frequency_hz, shape, symmetry, low_v, high_v } = waveform;
    let request =
        WaveformRequest { symmetry, low: low_v, high: high_v, ..WaveformRequest::new(frequency_hz, shape) };
    let coarse = WaveformRequest { min_samples: MIN_SAMPLES, max_error: MAX_ERROR, ..request };
    plan_waveform(&BS05, &request).or_else(|_| plan_waveform(&BS05, &coarse))
}

/// Plays a waveform; returns how it deviates from the request. One that cannot be played leaves all as it is.
pub(super) async fn start(
    scope: &mut HostScope,
    waveform: GeneratorWaveform,
) -> Result<Option<String>, ScopeError<LinkError>> {
    let plan = match plan(waveform) {
        Ok(plan) => plan,
        Err(error) => return Ok(Some(error.to_string())),
    };
    match scope.start_waveform(&plan, PlayMode::Repeat).await {
        Ok(()) if plan.error == 0.0 => Ok(None),
        Ok(()) => Ok(Some(format!("the generator plays {} Hz", plan.frequency_hz))),
        Err(GenerateError::Scope(error)) => Err(error),
        Err(error) => Ok(Some(error.to_string())),
    }
}

/// Stops what plays, if anything does.
pub(super) async fn stop(scope: &mut HostScope) -> Result<Option<String>, ScopeError<LinkError>> {
    match scope.stop_waveform().await {
        Ok(()) | Err(GenerateError::NotRunning(_)) => Ok(None),
        Err(GenerateError::Scope(error)) => Err(error),
        Err(error) => Ok(Some(error.to_string())),
    }
}

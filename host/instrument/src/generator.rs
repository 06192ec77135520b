//! Starts and stops the generators for clients: a waveform, clocks, or lines that are held.

use scopething_core::device::BS05;
use scopething_core::plan::{PlayMode, WaveformError, WaveformPlan, WaveformRequest, plan_waveform};
use scopething_core::scope::{GenerateError, Generators, ScopeError};

use crate::handle::{GeneratorChange, GeneratorWaveform};
use scopething::generate::GeneratorPlan;
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

/// What has become of a change.
#[derive(Debug)]
pub(crate) struct Changed {
    /// Whether it was made; otherwise all is as it was.
    pub(crate) is_done: bool,
    /// What the generator does now, in one line.
    pub(crate) text: Option<String>,
    /// Why it was not made, or how it deviates from the request.
    pub(crate) notice: Option<String>,
}

impl Changed {
    fn refused(reason: String) -> Self {
        Self { is_done: false, text: None, notice: Some(reason) }
    }
}

/// Makes a change. One that cannot be planned leaves all as it is.
pub(crate) async fn change(
    scope: &mut HostScope,
    change: &GeneratorChange,
) -> Result<Changed, ScopeError<LinkError>> {
    let planned = match change {
        GeneratorChange::Stop => {
            return Ok(match stop(scope).await? {
                None => Changed { is_done: true, text: None, notice: None },
                Some(reason) => Changed::refused(reason),
            });
        }
        GeneratorChange::Play(waveform) => plan(*waveform)
            .map(|plan| GeneratorPlan::Wave(plan, PlayMode::Repeat))
            .map_err(|error| error.to_string()),
        GeneratorChange::Start(request) => request.plan().map_err(|error| error.to_string()),
    };
    let plan = match planned {
        Ok(plan) => plan,
        Err(reason) => return Ok(Changed::refused(reason)),
    };
    if is_another(scope.generators(), &plan)
        && let Some(reason) = stop(scope).await?
    {
        return Ok(Changed::refused(reason));
    }
    let notice = match &plan {
        GeneratorPlan::Wave(plan, _) if plan.error != 0.0 => {
            Some(format!("the generator plays {} Hz", plan.frequency_hz))
        }
        _ => None,
    };
    match plan.start(scope).await {
        Ok(()) => Ok(Changed { is_done: true, text: Some(plan.to_string()), notice }),
        Err(GenerateError::Scope(error)) => Err(error),
        Err(error) => Ok(Changed::refused(error.to_string())),
    }
}

/// Whether what runs is of another kind, and has to stop first: the kinds share their hardware.
fn is_another(running: Generators, plan: &GeneratorPlan<'_>) -> bool {
    match running {
        Generators::Off => false,
        Generators::Waveform { .. } => !matches!(plan, GeneratorPlan::Wave(..)),
        Generators::Clocks { .. } => !matches!(plan, GeneratorPlan::Clocks(_)),
        Generators::Levels { .. } => !matches!(plan, GeneratorPlan::Levels(..)),
    }
}

/// Stops what runs, if anything does; returns why it could not.
async fn stop(scope: &mut HostScope) -> Result<Option<String>, ScopeError<LinkError>> {
    let stopped = match scope.generators() {
        Generators::Off => Ok(()),
        Generators::Waveform { .. } => scope.stop_waveform().await,
        Generators::Clocks { .. } => scope.stop_clocks().await,
        Generators::Levels { .. } => scope.release_logic_outputs().await,
    };
    match stopped {
        Ok(()) | Err(GenerateError::NotRunning(_)) => Ok(None),
        Err(GenerateError::Scope(error)) => Err(error),
        Err(error) => Ok(Some(error.to_string())),
    }
}

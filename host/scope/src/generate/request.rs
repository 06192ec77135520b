//! What the generators are to do: asked for, planned, and started.

use std::fmt;

use embedded_io_async::{Read, Write};
use scopething_core::device::BS05;
use scopething_core::plan::{
    BusyOutputs, ChannelSet, ClockError, ClockPlan, ClockRequest, LogicPattern, PlayMode, TriggerSource,
    WaveformError, WaveformPlan, plan_clocks, plan_levels, plan_waveform,
};
use scopething_core::scope::{GenerateError, Generators, Scope};
use scopething_core::time::Clock;
use thiserror::Error;

use super::{SpecError, WaveSpec, WaveTable, WaveTableError};
use scopething_waveform::quantity_text::quantity;

/// A request to the generators, with all that has to be read for it.
///
/// ```
/// use scopething::generate::GeneratorRequest;
/// use scopething_core::plan::PlayMode;
///
/// let request = GeneratorRequest::wave("square 2kHz 0..3.3V 30%".parse()?, PlayMode::Repeat)?;
/// let plan = request.plan()?;
/// assert!(plan.to_string().contains("2.00000000 kHz"));
/// assert!(plan.driven().waveform);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum GeneratorRequest {
    /// A waveform.
    Wave {
        /// What was asked for.
        spec: WaveSpec,
        /// The samples of a period, if they are in a file.
        table: Option<WaveTable>,
        /// How often it is played.
        mode: PlayMode,
    },
    /// Clocks.
    Clocks(ClockRequest),
    /// Logic lines that are held.
    Levels(LogicPattern),
}

/// What the generators will do.
#[derive(Debug, Clone, PartialEq)]
pub enum GeneratorPlan<'w> {
    /// Play a waveform.
    Wave(WaveformPlan<'w>, PlayMode),
    /// Run clocks.
    Clocks(ClockPlan),
    /// Hold logic lines, by the clocks that hold them.
    Levels(LogicPattern, ClockPlan),
}

/// Why the device cannot generate what is requested.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum GeneratorRequestError {
    /// The specification is not understood.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// There is no such waveform.
    #[error(transparent)]
    Waveform(#[from] WaveformError),
    /// There are no such clocks, or the lines cannot be held.
    #[error(transparent)]
    Clocks(#[from] ClockError),
}

impl GeneratorRequest {
    /// A waveform, whose samples are read if they are in a file.
    ///
    /// # Errors
    /// If the file is no such.
    pub fn wave(spec: WaveSpec, mode: PlayMode) -> Result<Self, WaveTableError> {
        let table = spec.file().map(|path| WaveTable::read(path)).transpose()?;
        Ok(Self::Wave { spec, table, mode })
    }

    /// What the device will generate.
    ///
    /// # Errors
    /// If it cannot.
    pub fn plan(&self) -> Result<GeneratorPlan<'_>, GeneratorRequestError> {
        Ok(match self {
            Self::Wave { spec, table, mode } => {
                let samples = table.as_ref().map_or(&[][..], WaveTable::samples);
                GeneratorPlan::Wave(plan_waveform(&BS05, &spec.request(samples)?)?, *mode)
            }
            Self::Clocks(request) => GeneratorPlan::Clocks(plan_clocks(&BS05, request)?),
            Self::Levels(levels) => GeneratorPlan::Levels(*levels, plan_levels(&BS05, *levels)?),
        })
    }
}

impl GeneratorPlan<'_> {
    /// Starts it.
    ///
    /// # Errors
    /// If another generator runs, or the link or the device fails.
    pub async fn start<S: Read + Write, C: Clock>(
        &self,
        scope: &mut Scope<S, C>,
    ) -> Result<(), GenerateError<S::Error>> {
        match self {
            Self::Wave(plan, mode) => scope.start_waveform(plan, *mode).await,
            Self::Clocks(plan) => scope.start_clocks(plan).await,
            Self::Levels(levels, _) => scope.set_logic_outputs(*levels).await,
        }
    }

    /// What captures have to be planned around.
    #[must_use]
    pub fn driven(&self) -> BusyOutputs {
        match self {
            Self::Wave(..) => Generators::Waveform { paused: false }.driven(),
            Self::Clocks(plan) | Self::Levels(_, plan) => Generators::Clocks { lines: plan.lines() }.driven(),
        }
    }
}

/// One human-readable line.
impl fmt::Display for GeneratorPlan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wave(plan, _) => write!(
                f,
                "the waveform generator plays {} of {}, {:.5} samples a period, {} amplitude steps",
                plan.shape,
                frequency(plan.frequency_hz, plan.error),
                plan.samples_per_period,
                plan.amplitude_steps
            ),
            Self::Clocks(plan) => {
                let frequency = frequency(plan.frequency_hz, plan.error);
                write!(f, "clocks of {frequency} run on {}", ChannelSet::of_lines(plan.lines()))
            }
            Self::Levels(levels, _) => write!(f, "held: {}", TriggerSource::Logic(*levels)),
        }
    }
}

/// Stops what the generators do, if they do anything.
///
/// # Errors
/// If the link or the device fails.
pub async fn stop<S: Read + Write, C: Clock>(scope: &mut Scope<S, C>) -> Result<(), GenerateError<S::Error>> {
    match scope.generators() {
        Generators::Off => Ok(()),
        Generators::Waveform { .. } => scope.stop_waveform().await,
        Generators::Clocks { .. } => scope.stop_clocks().await,
        Generators::Levels { .. } => scope.release_logic_outputs().await,
    }
}

/// A frequency, and how far it is off.
pub(super) fn frequency(real_hz: f64, error: f64) -> String {
    let real = quantity(real_hz, "Hz", 9);
    if error == 0.0 { format!("{real}, exact") } else { format!("{real}, off by {:+.3} ppm", error * 1e6) }
}

/// Levels of logic lines such as `L3=1,L5=0`.
///
/// # Errors
/// What to write instead.
pub fn parse_levels(text: &str) -> Result<LogicPattern, String> {
    match text.parse() {
        Ok(TriggerSource::Logic(levels)) => Ok(levels),
        _ => Err("not levels of logic lines: give each line once, such as L3=1,L5=0".to_owned()),
    }
}

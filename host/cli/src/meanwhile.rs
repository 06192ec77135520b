//! The generator that `capture` and `plan` run meanwhile.

use clap::Args;
use scopething_core::plan::{LogicPattern, PlayMode};

use super::failure::Failure;
use scopething::generate::{ClockSpec, GeneratorRequest, WaveSpec, parse_levels};

/// One of the generators, or none.
#[derive(Debug, Args)]
pub(super) struct MeanwhileArguments {
    /// Play a waveform meanwhile, such as 'sine 1kHz 0..3.3V': see `wave --help`
    #[arg(long, value_name = "WAVE")]
    wave: Option<WaveSpec>,
    /// Run clocks meanwhile, such as '1MHz 50%' or '1MHz L4, L5 phase 90deg': see `clock --help`
    #[arg(long, value_name = "CLOCKS")]
    clock: Option<ClockSpec>,
    /// Hold up to three of L0 to L5 meanwhile, such as L3=1,L5=0 (experimental)
    #[arg(long, value_name = "LEVELS", value_parser = parse_levels)]
    hold: Option<LogicPattern>,
}

impl MeanwhileArguments {
    /// The request; a file of samples is read.
    pub(super) fn request(&self) -> Result<Option<GeneratorRequest>, Failure> {
        match (&self.wave, &self.clock, self.hold) {
            (None, None, None) => Ok(None),
            (Some(spec), None, None) => {
                GeneratorRequest::wave(spec.clone(), PlayMode::Repeat).map(Some).map_err(Failure::failed)
            }
            (None, Some(spec), None) => {
                Ok(Some(GeneratorRequest::Clocks(spec.request().map_err(Failure::usage)?)))
            }
            (None, None, Some(levels)) => Ok(Some(GeneratorRequest::Levels(levels))),
            _ => Err(Failure::Usage(anyhow::anyhow!(
                "waveform, clocks and held lines share one generator: give one of --wave, --clock and --hold"
            ))),
        }
    }
}

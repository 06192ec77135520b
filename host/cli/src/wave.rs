//! `scopething wave`: plays a waveform.

use std::path::PathBuf;

use clap::Args;
use scopething_core::plan::PlayMode;

use super::capture_arguments::{UrlArgument, fraction, hertz, volts};
use super::failure::Failure;
use super::generate_arguments::{GenerateArguments, answer_batch};
use super::session::Session;
use scopething::generate::{GeneratorKind, GeneratorRequest, ShapeSpec, SpecError, WaveSpec, min_samples};

const EXAMPLES: &str = "\
Examples:
  scopething wave sine 1kHz
      A sine of 0 V to 3.3 V on the waveform output and L4, until Ctrl-C
  scopething wave square 2kHz 0.5..2.5V 30% --for 10s
      High for 30 % of the period, for ten seconds
  scopething wave --samples stairs.csv --frequency 100Hz
      Own samples from a text file of up to 1024 numbers, 0 for the low to 1 for the high end, or from a WAV file of
      one channel, where -1 is the low and 1 the high end
  scopething wave --solve --json triangle 22.05kHz max-error=1%
      What would be generated, without a device
  scopething wave --batch < requests.jsonl
      The same for each line, such as {\"args\": {\"frequency\": 1000, \"waveform\": \"sine\"}}

The words, in any order: a shape (sine, triangle, exponential, square, file:PATH), a frequency, \
LOW..HIGH in volts, a symmetry such as 30% (the part of the period spent rising, or high), \
min-samples=N, max-error=E. The options mean the same and go before the words. A file with fewer numbers than \
1024 gives stairs.

A device that is connected to is reset, which stops its generators: this command stays connected while \
it generates. In `scopething shell` the waveform goes on while other commands run.";

/// Play a waveform
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    url: UrlArgument,
    /// The waveform in words, such as sine 1kHz 0..3.3V 50%
    #[arg(value_name = "WAVE")]
    words: Vec<String>,
    /// Shape: sine, triangle, exponential or square [default: sine]
    #[arg(long, alias = "waveform", value_name = "SHAPE")]
    shape: Option<ShapeSpec>,
    /// Own samples of one period: a text file of 2 to 1024 numbers from 0 to 1
    #[arg(long, value_name = "FILE", conflicts_with = "shape")]
    samples: Option<PathBuf>,
    /// Frequency
    #[arg(long, value_name = "F", value_parser = hertz, allow_hyphen_values = true)]
    frequency: Option<f64>,
    /// Symmetry: the part of the period spent rising, or high, 0 to 1 [default: 0.5]
    #[arg(long, value_name = "R", value_parser = fraction, allow_hyphen_values = true)]
    ratio: Option<f64>,
    /// Lowest output [default: 0V]
    #[arg(long, value_name = "V", value_parser = volts, allow_hyphen_values = true)]
    low: Option<f64>,
    /// Highest output [default: 3.3V]
    #[arg(long, value_name = "V", value_parser = volts, allow_hyphen_values = true)]
    high: Option<f64>,
    /// The fewest samples in a period, 2 to 1024 [default: 50]
    #[arg(long, value_name = "N", value_parser = min_samples, allow_hyphen_values = true)]
    min_samples: Option<u16>,
    /// How far the frequency may be off, such as 0.01% [default: 1e-4]
    #[arg(long, value_name = "E", value_parser = fraction, allow_hyphen_values = true)]
    max_error: Option<f64>,
    /// Play the waveform once instead of over and over: the periods of its play buffer
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    generate: GenerateArguments,
}

impl Arguments {
    pub(super) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        if self.generate.batch {
            return answer_batch(session, GeneratorKind::Waveform);
        }
        let mode = if self.once { PlayMode::Once } else { PlayMode::Repeat };
        let request =
            GeneratorRequest::wave(self.spec().map_err(Failure::usage)?, mode).map_err(Failure::failed)?;
        self.generate.run(session, &self.url, &request).await
    }

    /// The specification; options take precedence over words.
    fn spec(&self) -> Result<WaveSpec, SpecError> {
        let options = WaveSpec {
            shape: self.samples.clone().map(ShapeSpec::File).or_else(|| self.shape.clone()),
            frequency_hz: self.frequency,
            symmetry: self.ratio,
            low: self.low,
            high: self.high,
            min_samples: self.min_samples,
            max_error: self.max_error,
        };
        Ok(options.or(self.words.join(" ").parse()?))
    }
}

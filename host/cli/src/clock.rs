//! `scopething clock`: runs clocks on logic lines.

use clap::Args;
use scopething_core::plan::{Channel, LogicLine};

use super::capture_arguments::{UrlArgument, fraction, hertz};
use super::failure::Failure;
use super::generate_arguments::{GenerateArguments, answer_batch};
use super::session::Session;
use scopething::generate::{ClockSpec, GeneratorKind, GeneratorRequest, OutputSpec, phase};

const EXAMPLES: &str = "\
Examples:
  scopething clock 1MHz 30%
      On L5, high for 30 % of the period, until Ctrl-C
  scopething clock '10kHz L4, L5 phase 90deg' --for 10s
      Quadrature on L4 and L5, for ten seconds
  scopething clock --solve --json 32.768kHz max-error=0.1%
      What would be generated, without a device
  scopething clock --batch < requests.jsonl
      The same for each line, such as {\"args\": {\"frequency\": 1000000, \"ratio\": 0.3}}

Up to three clocks share one frequency, with commas between. Of each the words are, in any order: its \
line (L5 if it is the only one), its duty such as 30%, and phase 90deg, phase 25% or phase 0.25: how \
much later than the period it rises. Of all of them: a frequency, and max-error=E. The options mean the \
same of one clock and go before the words.

A device that is connected to is reset, which stops its generators: this command stays connected while \
it generates. In `scopething shell` the clocks go on while other commands run.";

/// Run clocks on up to three logic lines
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    url: UrlArgument,
    /// The clocks in words, such as 1MHz 50% or '1MHz L4, L5 phase 90deg'
    #[arg(value_name = "CLOCKS")]
    words: Vec<String>,
    /// Frequency
    #[arg(long, value_name = "F", value_parser = hertz, allow_hyphen_values = true)]
    frequency: Option<f64>,
    /// Duty: the part of the period in which the line is high, 0 to 1 [default: 0.5]
    #[arg(long, alias = "duty", value_name = "R", value_parser = fraction, allow_hyphen_values = true)]
    ratio: Option<f64>,
    /// The logic line to drive [default: L5]
    #[arg(long, value_name = "LINE", value_parser = line)]
    line: Option<LogicLine>,
    /// How much later than the period it rises: 90deg, 25% or 0.25 [default: 0]
    #[arg(long, value_name = "P", value_parser = phase, allow_hyphen_values = true)]
    phase: Option<f64>,
    /// How far the frequency may be off, such as 0.01% [default: 1e-4]
    #[arg(long, value_name = "E", value_parser = fraction, allow_hyphen_values = true)]
    max_error: Option<f64>,
    #[command(flatten)]
    generate: GenerateArguments,
}

impl Arguments {
    pub(super) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        if self.generate.batch {
            return answer_batch(session, GeneratorKind::Clock);
        }
        let request = GeneratorRequest::Clocks(self.spec()?.request().map_err(Failure::usage)?);
        self.generate.run(session, &self.url, &request).await
    }

    /// The specification; options take precedence over words.
    fn spec(&self) -> Result<ClockSpec, Failure> {
        let mut spec: ClockSpec = self.words.join(" ").parse().map_err(Failure::usage)?;
        spec.frequency_hz = self.frequency.or(spec.frequency_hz);
        spec.max_error = self.max_error.or(spec.max_error);
        let options = OutputSpec { line: self.line, duty: self.ratio, phase: self.phase };
        if options == OutputSpec::default() {
            return Ok(spec);
        }
        let [only] = spec.outputs.as_mut_slice() else {
            return Err(Failure::Usage(anyhow::anyhow!(
                "--line, --ratio and --phase apply to a single clock: give them in words after each output"
            )));
        };
        *only = OutputSpec {
            line: options.line.or(only.line),
            duty: options.duty.or(only.duty),
            phase: options.phase.or(only.phase),
        };
        Ok(spec)
    }
}

fn line(text: &str) -> Result<LogicLine, String> {
    match text.parse() {
        Ok(Channel::Logic(line)) => Ok(line),
        _ => Err("not a logic line: give L0 to L7".to_owned()),
    }
}

//! `scopething hold`: holds logic lines high or low.

use std::time::Duration;

use clap::Args;
use scopething_core::plan::LogicPattern;

use super::capture_arguments::UrlArgument;
use super::failure::Failure;
use super::generate_arguments::lasting;
use super::generator::{Lasting, generate};
use super::session::Session;
use scopething::generate::{GeneratorRequest, parse_levels};

const EXAMPLES: &str = "\
Examples:
  scopething hold L3=1,L5=0
      L3 high and L5 low, until Ctrl-C
  scopething hold L3=1 --for 100ms

Up to three of L0 to L5 are held by the clock generator, so that neither clocks nor a waveform run meanwhile.

This is experimental: it has not been tried on a device. Before anything is connected to a line, look at it with
a voltmeter and a resistor of 1 kohm in series.";

/// Hold logic lines high or low (experimental)
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    url: UrlArgument,
    /// The lines with their levels, such as L3=1,L5=0
    #[arg(value_name = "LEVELS", value_parser = parse_levels)]
    levels: LogicPattern,
    /// Hold them for this long [default: until Ctrl-C]
    #[arg(long = "for", value_name = "T", value_parser = lasting, allow_hyphen_values = true)]
    lasts: Option<Duration>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let lasting = Lasting { json: self.json, lasts: self.lasts };
        generate(session, &self.url, &GeneratorRequest::Levels(self.levels), lasting).await
    }
}

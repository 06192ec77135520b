//! `scopething plot`: draws traces of a file.

use clap::Args;

use super::failure::Failure;
use super::file_arguments::FileSource;
use super::message::print_note;
use super::output_arguments::OutputArguments;
use super::picture_size::PictureArguments;
use super::results::{Results, Show};

const EXAMPLES: &str = "\
Examples:
  scopething plot trace.sr
      Draw it in the terminal
  scopething plot trace.csv -o trace.png
      Save the picture to a file instead
  scopething plot trace-000000001-20261125T060000Z.json --trace 17
      A trace that `record` counted as the 17th
  scopething plot session.sr --channels SCL,SDA --from 1ms --for 2ms
      Two channels of a part of a long file
  scopething plot trace.csv --all -o trace.svg
      Every trace of the file, in trace-1.svg and so on";

/// Draw a trace of a file
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    source: FileSource,
    /// Every trace of the file [default: the first]
    #[arg(long, conflicts_with = "trace")]
    all: bool,
    #[command(flatten)]
    output: OutputArguments,
    #[command(flatten)]
    picture: PictureArguments,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let mut traces = self.source.open()?;
        if self.all {
            return traces.take_all(|several| self.results(several));
        }
        if let Some(number) = self.source.reading.trace {
            return traces.take_numbered(number, |several| self.results(several));
        }
        let first = traces.first()?;
        let mut results = self.results(false)?;
        let taken = results.take(first.waveform);
        results.commit_after(taken)?;
        let (more, ended) = traces.rest();
        if more.count > 0 {
            let first = first.number;
            print_note!(
                "trace {first} is drawn, and {} more exist, {more}: --trace N draws one, --all draws all",
                more.count
            );
        }
        ended
    }

    fn results(&self, several: bool) -> Result<Results, Failure> {
        let show = Show { plot: self.output.is_empty(), picture: self.picture, ..Show::default() };
        Results::create(&self.output, show, several)
    }
}

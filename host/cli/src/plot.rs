//! `scopething plot`: draws traces of a file.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::file_traces::{FileTraces, TraceArgument};
use super::message::print_note;
use super::output_arguments::OutputArguments;
use super::picture_size::PictureArguments;
use super::results::{Results, Show};
use scopething_files::Format;

const EXAMPLES: &str = "\
Examples:
  scopething plot trace.sr
      Draw it in the terminal
  scopething plot trace.csv -o trace.png
      Save the picture to a file instead
  scopething plot trace-000000001-20261125T060000Z.json --trace 17
      A trace that `record` counted as the 17th
  scopething plot trace.csv --all -o trace.svg
      Every trace of the file, in trace-1.svg and so on";

/// Draw a trace of a file
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The file: csv, json or sr
    file: PathBuf,
    /// The format of the file, whatever its ending
    #[arg(long, value_name = "NAME")]
    input_format: Option<Format>,
    #[command(flatten)]
    choice: TraceArgument,
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
        let mut traces = FileTraces::open(&self.file, self.input_format)?;
        if self.all {
            return self.draw_all(&mut traces);
        }
        if let Some(number) = self.choice.trace {
            let mut results = self.results(false)?;
            results.take(traces.numbered(number)?.waveform)?;
            return results.commit();
        }
        let first = traces.first()?;
        let mut results = self.results(false)?;
        results.take(first.waveform)?;
        results.commit()?;
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

    fn draw_all(&self, traces: &mut FileTraces) -> Result<(), Failure> {
        let first = traces.first()?;
        // What is wrong with the second is no reason not to draw the first.
        let mut following = traces.next();
        let mut results = self.results(!matches!(following, Ok(None)))?;
        results.take(first.waveform)?;
        let failed = loop {
            match following {
                Ok(Some(trace)) => results.take(trace.waveform)?,
                Ok(None) => break None,
                Err(failure) => break Some(failure),
            }
            following = traces.next();
        };
        let kept = results.commit();
        failed.map_or(kept, Err)
    }

    fn results(&self, several: bool) -> Result<Results, Failure> {
        let show = Show { plot: self.output.is_empty(), picture: self.picture, ..Show::default() };
        Results::create(&self.output, show, several)
    }
}

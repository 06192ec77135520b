//! `scopething convert`: writes the traces of a file in other formats.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::file_arguments::FileArguments;
use super::file_traces::{FileTraces, TraceArgument};
use super::output_arguments::OutputArguments;
use super::results::{Results, Show};

const EXAMPLES: &str = "\
Examples:
  scopething convert session.sr -o session.parquet
      All channels, for pandas and polars
  scopething convert scope.csv -o scope.sr --columns time=1,A=3 --from 1ms --for 2ms
      A part of one column, for PulseView
  scopething convert traces.json -o traces.csv
      Every trace in one table, numbered in the column `trace`
  scopething convert trace.sr -o trace.csv --format 'csv;'
      For a spreadsheet that writes 1,5";

/// Write the traces of a file in another format
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The file: csv, json, npz, parquet, sr, vcd or wav
    file: PathBuf,
    #[command(flatten)]
    reading: FileArguments,
    #[command(flatten)]
    choice: TraceArgument,
    #[command(flatten)]
    output: OutputArguments,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<(), Failure> {
        if self.output.is_empty() {
            return Err(Failure::Usage(anyhow::anyhow!("name a file to write: -o FILE")));
        }
        let options = self.reading.options(std::iter::empty());
        let mut traces = FileTraces::open(&self.file, self.reading.input_format, options)?;
        if let Some(number) = self.choice.trace {
            let mut results = Results::create(&self.output, Show::default(), false)?;
            results.take(traces.numbered(number)?.waveform)?;
            return results.commit();
        }
        traces.take_all(|several| Results::create(&self.output, Show::default(), several))
    }
}

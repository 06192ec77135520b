//! `scopething convert`: writes the traces of a file in other formats.

use clap::Args;

use super::failure::Failure;
use super::file_arguments::FileSource;
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
    #[command(flatten)]
    source: FileSource,
    #[command(flatten)]
    output: OutputArguments,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<(), Failure> {
        if self.output.is_empty() {
            return Err(Failure::Usage(anyhow::anyhow!("name a file to write: -o FILE")));
        }
        let results = |several| Results::create(&self.output, Show::default(), several);
        let traces = self.source.open()?;
        match self.source.reading.trace {
            Some(number) => traces.take_numbered(number, results),
            None => traces.take_all(results),
        }
    }
}

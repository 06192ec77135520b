//! `scopething convert`: writes the traces of a file in other formats.

use clap::Args;

use std::path::Path;

use super::failure::Failure;
use super::file_arguments::FileSource;
use super::message::{print_note, print_warning};
use super::output_arguments::{OutputArguments, Target};
use super::results::{Results, Show, is_of_closed_pipe, warn_of_left_out};
use scopething_files::pieces::Pieces;
use scopething_files::{Format, SaveError, TraceFile};

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
        if let Some(pieces) = self.pieces()? {
            return self.convert_pieces(&self.source.file, pieces);
        }
        let results = |several| Results::create(&self.output, Show::default(), several);
        let traces = self.source.open()?;
        match self.source.reading.trace {
            Some(number) => traces.take_numbered(number, results),
            None => traces.take_all(results),
        }
    }

    /// The file as pieces of its only trace, if all outputs are written piece by piece.
    fn pieces(&self) -> Result<Option<Box<dyn Pieces>>, Failure> {
        let outputs = self.output.files()?;
        if outputs.iter().any(|output| output.format.writer().by_pieces().is_none()) {
            return Ok(None);
        }
        self.source.reading.pieces(&self.source.file, std::iter::empty())
    }

    fn convert_pieces(&self, path: &Path, mut pieces: Box<dyn Pieces>) -> Result<(), Failure> {
        let mut files = Vec::new();
        for output in self.output.files()? {
            files.push(match output.target {
                Target::StandardOutput => TraceFile::standard_output(output.format, false),
                Target::File(target) => {
                    output.refuse_existing(target)?;
                    TraceFile::create(target, output.format)
                }
            });
        }
        let mut files = files.into_iter().collect::<Result<Vec<_>, _>>().map_err(Failure::failed)?;
        for warning in pieces.warnings() {
            print_warning!("{}: {warning}", path.display());
        }
        let formats: Vec<Format> = self.output.files()?.iter().map(|output| output.format).collect();
        let channels: Vec<_> = pieces.outline().channels.iter().map(|series| series.channel).collect();
        warn_of_left_out(&formats, &channels);
        files.iter_mut().try_for_each(|file| file.begin(pieces.outline())).map_err(not_written)?;
        let unread = |error: anyhow::Error| {
            Failure::Failed(error.context(format!("{} cannot be read", path.display())))
        };
        while let Some(piece) = pieces.next().map_err(|error| unread(error.into()))? {
            files.iter_mut().try_for_each(|file| file.write_piece(&piece)).map_err(not_written)?;
        }
        files.iter_mut().try_for_each(TraceFile::end).map_err(not_written)?;
        for file in files {
            file.commit_or_keep().map_err(|(error, beside)| {
                if let Some(beside) = beside {
                    print_note!("what it should hold was left in {}", beside.display());
                }
                Failure::failed(error)
            })?;
        }
        Ok(())
    }
}

fn not_written(error: SaveError) -> Failure {
    let error = anyhow::Error::from(error);
    if is_of_closed_pipe(&error) { Failure::OutputClosed } else { Failure::Failed(error) }
}

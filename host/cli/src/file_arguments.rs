//! Arguments of every command that reads files of traces.

use std::path::{Path, PathBuf};

use clap::Args;

use super::capture_arguments::{hertz, seconds};
use super::failure::Failure;
use super::file_traces::{FileTrace, FileTraces};
use super::named::Named;
use super::output_arguments::completed_formats;
use scopething_files::pieces::Pieces;
use scopething_files::{ColumnChoice, Format, ReadOptions, open_pieces};

/// Set on each option: a heading of the whole group would hold what follows it as well.
const HEADING: &str = "Options of a file";

/// A file, and what to read of it.
#[derive(Debug, Args)]
pub(super) struct FileSource {
    /// The file: csv, json, npz, parquet, sr, vcd or wav
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) reading: FileArguments,
}

/// What to read of a file, and what the file does not state itself.
#[derive(Debug, Args)]
pub(super) struct FileArguments {
    /// Only the trace of this number: the one that a job gave it, otherwise its place in the file, from 1
    #[arg(long, help_heading = HEADING, value_name = "N")]
    pub(super) trace: Option<u64>,
    /// The format of the file, whatever its ending
    #[arg(long, help_heading = HEADING, value_name = "NAME", value_parser = input_format(), hide_possible_values = true)]
    input_format: Option<Format>,
    /// Only these channels, by the names in the file or those of a trace: SCL,SDA
    #[arg(id = "file_channels", long = "channels", help_heading = HEADING, value_name = "NAME,..", value_delimiter = ',')]
    channels: Vec<String>,
    /// Which columns of a table are the time and the channels, by number from 1 or by name: time=2,A=CH1
    #[arg(long, help_heading = HEADING, value_name = "NAME=COLUMN,..")]
    columns: Option<ColumnChoice>,
    /// The sample rate, where the file does not state it, or states a wrong one
    #[arg(long, help_heading = HEADING, value_name = "F", value_parser = hertz)]
    rate: Option<f64>,
    /// Pass over so many lines of a table first
    #[arg(long, help_heading = HEADING, value_name = "LINES", default_value_t = 0)]
    skip: u64,
    /// Only the part from this time on, on the time axis of the file
    #[arg(long, help_heading = HEADING, value_name = "T", value_parser = seconds, allow_hyphen_values = true)]
    from: Option<f64>,
    /// Only a part as long as this
    #[arg(id = "part", long = "for", help_heading = HEADING, value_name = "T", value_parser = seconds)]
    duration: Option<f64>,
}

fn input_format() -> Named<Format> {
    Named::of(completed_formats().filter(|format| format.is_readable()).map(Format::name))
}

impl FileSource {
    pub(super) fn open(&self) -> Result<FileTraces, Failure> {
        self.reading.open(&self.file, std::iter::empty())
    }

    /// The trace that is chosen, or the first.
    pub(super) fn read(&self) -> Result<FileTrace, Failure> {
        self.reading.read(&self.file, std::iter::empty())
    }
}

impl FileArguments {
    /// Opens a file to read it so, with further names of channels.
    pub(super) fn open(
        &self,
        path: &Path,
        named: impl Iterator<Item = String>,
    ) -> Result<FileTraces, Failure> {
        let (format, options) = self.of(path, named)?;
        FileTraces::open(path, format, options)
    }

    /// The format of a file, and what to read of it, with further names of channels.
    pub(super) fn of(
        &self,
        path: &Path,
        named: impl Iterator<Item = String>,
    ) -> Result<(Format, ReadOptions), Failure> {
        let format = self.input_format.map_or_else(|| Format::of_path(path), Ok).map_err(Failure::usage)?;
        let options = ReadOptions {
            channels: self.channels.iter().cloned().chain(named).collect(),
            columns: self.columns.clone(),
            rate_hz: self.rate,
            skip_lines: self.skip,
            from_s: self.from,
            for_s: self.duration,
        };
        Ok((format, options))
    }

    /// A file as pieces of its only trace, if it can be read so and that is the one that is chosen: whatever its length,
    /// that takes no more memory.
    pub(super) fn pieces(
        &self,
        path: &Path,
        named: impl Iterator<Item = String>,
    ) -> Result<Option<Box<dyn Pieces>>, Failure> {
        let (format, options) = self.of(path, named)?;
        let is_chosen = |pieces: &dyn Pieces| {
            let number = pieces.outline().details.stamp.map_or(1, |stamp| stamp.number);
            self.trace.is_none_or(|chosen| chosen == number)
        };
        Ok(open_pieces(path, format, &options).filter(|pieces| is_chosen(pieces.as_ref())))
    }

    /// The trace of a file that is chosen, or its first.
    pub(super) fn read(
        &self,
        path: &Path,
        named: impl Iterator<Item = String>,
    ) -> Result<FileTrace, Failure> {
        let mut traces = self.open(path, named)?;
        match self.trace {
            Some(number) => traces.numbered(number),
            None => traces.first(),
        }
    }
}

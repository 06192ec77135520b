//! `scopething plot`: draws the traces of a file.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::output_arguments::OutputArguments;
use super::results::{Results, Show};
use crate::files::{self, Format};

const EXAMPLES: &str = "\
Examples:
  scopething plot trace.sr
      Draw it in the terminal
  scopething plot trace.csv -o trace.png
      Save the picture to a file instead";

/// Draw the traces of a file
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The file: csv or sr
    file: PathBuf,
    /// The format of the file, whatever its ending
    #[arg(long, value_name = "NAME")]
    input_format: Option<Format>,
    #[command(flatten)]
    output: OutputArguments,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let format = self.input_format.map_or_else(|| Format::of_path(&self.file), Ok);
        let format = format.map_err(Failure::usage)?;
        let mut reader = files::open(&self.file, format).map_err(Failure::failed)?;
        let first = reader.read().map_err(Failure::failed)?;
        let mut next = reader.read().map_err(Failure::failed)?;
        let show = Show { plot: self.output.is_empty(), ..Show::default() };
        let mut results = Results::create(&self.output, show, next.is_some())?;
        let mut recording = first;
        while let Some(trace) = recording {
            results.take(trace)?;
            recording = next.take();
            next = reader.read().map_err(Failure::failed)?;
        }
        results.commit()
    }
}

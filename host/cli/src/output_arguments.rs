//! Output arguments of every command that shows or saves captures.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::results::{Results, Show};
use scopething_files::Format;

/// Files to save captures in.
#[derive(Debug, Args)]
pub(super) struct OutputArguments {
    /// Save to a file, by its ending: csv, json, npz, parquet, sr, vcd, wav, svg, png (may be given several times)
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// The format of the files, whatever their endings
    #[arg(long, value_name = "NAME", requires = "output")]
    format: Option<Format>,
}

impl OutputArguments {
    pub(super) fn is_empty(&self) -> bool {
        self.output.is_empty()
    }

    /// Each file with its format.
    pub(super) fn files(&self) -> Result<Vec<(&PathBuf, Format)>, Failure> {
        let chosen = self.output.iter().map(|path| {
            let format = self.format.map_or_else(|| Format::of_path(path), Ok);
            Ok((path, format.map_err(Failure::usage)?))
        });
        chosen.collect()
    }
}

/// Files to save captures in, and what is printed of each.
#[derive(Debug, Args)]
pub(super) struct ResultArguments {
    #[command(flatten)]
    output: OutputArguments,
    /// Print each capture as a JSON object on a line
    #[arg(long)]
    json: bool,
    /// Draw each capture in the terminal
    #[arg(long)]
    plot: bool,
    /// Measure each capture, as `analyse` does
    #[arg(long)]
    analyse: bool,
}

impl ResultArguments {
    /// What takes the captures: `several` go into files of their own where the format holds a single one.
    pub(super) fn results(&self, several: bool) -> Result<Results, Failure> {
        let show = Show { json: self.json, plot: self.plot, analyse: self.analyse };
        Results::create(&self.output, show, several)
    }
}

//! The files that a command writes to.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
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

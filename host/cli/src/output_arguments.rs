//! The files that a command writes to.

use std::io::{self, IsTerminal as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::failure::Failure;
use super::named::Named;
use scopething_files::Format;

/// Files to save captures in.
#[derive(Debug, Args)]
pub(super) struct OutputArguments {
    /// Save to a file, by its ending: csv, json, npz, parquet, sr, vcd, wav, svg, png (may be given several times); - is
    /// standard output, as csv unless --format is given
    #[arg(short, long, value_name = "FILE")]
    output: Vec<PathBuf>,
    /// The format of the files, whatever their endings
    #[arg(long, value_name = "NAME", requires = "output", value_parser = Named::<Format>::of(completed_formats().map(Format::name)), hide_possible_values = true)]
    format: Option<Format>,
    /// Replace files that exist, which otherwise are kept, and nothing is done
    #[arg(long, requires = "output")]
    force: bool,
}

/// The formats that shells complete: `csv;` would end a command.
pub(super) fn completed_formats() -> impl Iterator<Item = Format> {
    Format::ALL.into_iter().filter(|format| *format != Format::CsvSemicolons)
}

/// One `-o`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Output<'a> {
    pub(super) target: Target<'a>,
    pub(super) format: Format,
    /// Whether a file that exists is replaced.
    pub(super) force: bool,
}

/// Where an output goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target<'a> {
    StandardOutput,
    File(&'a Path),
}

impl OutputArguments {
    pub(super) fn is_empty(&self) -> bool {
        self.output.is_empty()
    }

    /// Whether one of them is standard output, which nothing else may be printed on.
    pub(super) fn takes_standard_output(&self) -> bool {
        self.output.iter().any(|path| is_standard_output(path))
    }

    /// Each output with its format.
    pub(super) fn files(&self) -> Result<Vec<Output<'_>>, Failure> {
        if self.output.iter().filter(|path| is_standard_output(path)).count() > 1 {
            return Err(Failure::Usage(anyhow::anyhow!(
                "-o - is given twice: standard output takes one of them"
            )));
        }
        self.output.iter().map(|path| self.output(path)).collect()
    }

    fn output<'a>(&'a self, path: &'a Path) -> Result<Output<'a>, Failure> {
        let force = self.force;
        if !is_standard_output(path) {
            let format = self.format.map_or_else(|| Format::of_path(path), Ok).map_err(Failure::usage)?;
            return Ok(Output { target: Target::File(path), format, force });
        }
        let format = self.format.unwrap_or(Format::Csv);
        let is_text = matches!(format, Format::Csv | Format::Json | Format::Vcd | Format::Svg);
        if !is_text && io::stdout().is_terminal() {
            return Err(Failure::Usage(anyhow::anyhow!(
                "a terminal cannot show {format}: redirect standard output, or give --format csv"
            )));
        }
        Ok(Output { target: Target::StandardOutput, format, force })
    }
}

impl Output<'_> {
    /// Refuses to replace a file that exists, unless that is wanted. What is no file, such as a pipe, is written to.
    pub(super) fn refuse_existing(&self, path: &Path) -> Result<(), Failure> {
        refuse_existing(path, self.force).map_err(Failure::Usage)
    }
}

/// As [`Output::refuse_existing`].
pub(super) fn refuse_existing(path: &Path, force: bool) -> anyhow::Result<()> {
    if !force && path.metadata().is_ok_and(|existing| existing.is_file()) {
        anyhow::bail!("{} exists, and is kept: give another name, or --force to replace it", path.display());
    }
    Ok(())
}

fn is_standard_output(path: &Path) -> bool {
    path.as_os_str() == "-"
}

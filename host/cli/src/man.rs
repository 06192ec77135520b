//! `scopething man`: manual pages, as `man` reads them.

use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};

use super::failure::Failure;

const EXAMPLES: &str = "\
Examples:
  scopething man | man -l -
      The page of the program, in the pager
  scopething man --directory ~/.local/share/man/man1
      A page for the program and for each of its commands: man scopething-capture";

/// Print the manual page, or write those of all commands
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Write a page for the program and for each command into this directory
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<(), Failure> {
        // Pages are the same whatever the terminal's width.
        let command = super::Arguments::command();
        if let Some(directory) = &self.directory {
            let written = std::fs::create_dir_all(directory)
                .and_then(|()| clap_mangen::generate_to(command, directory))
                .with_context(|| format!("the pages cannot be written to {}", directory.display()));
            return written.map_err(Failure::Failed);
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        let mut out = io::stdout();
        out.write_all(&page)?;
        Ok(out.flush()?)
    }
}

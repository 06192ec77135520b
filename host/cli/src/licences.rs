//! `scopething licences`: what the program is made of.

use std::io::{self, Write};

use clap::Args;

use super::failure::Failure;

/// Print the licences of the crates and fonts that this program contains.
#[derive(Debug, Args)]
pub(super) struct Arguments {}

impl Arguments {
    pub(super) fn run() -> Result<(), Failure> {
        Ok(io::stdout().write_all(include_bytes!("../third-party.txt"))?)
    }
}

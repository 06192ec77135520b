//! `scopething live`: the oscilloscope in a browser of this computer.

use clap::Args;
use scopething_serve::{Listen, WebLinks};

use super::failure::Failure;
use super::message::print_note;
use super::serve::{ServedDevice, serve};

const EXAMPLES: &str = "\
Examples:
  scopething live --browser
      The BitScope at the first serial port
  scopething live --browser --url 'sim:?A=sine,1kHz,-2..2V'
      The simulated BitScope

Other computers, and other programs at the same time: scopething serve --web.";

/// Watch the signals live, and turn the knobs
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    device: ServedDevice,
    /// Open the page of the oscilloscope in the browser
    #[arg(long, required = true)]
    browser: bool,
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let places = Listen { web: Some("127.0.0.1:0".to_owned()), ..Listen::default() };
        serve(&self.device, &places, show).await
    }
}

/// Opens the page; where there is no browser, its link can still be opened by hand.
fn show(links: &WebLinks) {
    if let Err(error) = ::open::that_detached(&links.control) {
        print_note!("no browser could be opened ({error}): open {}", links.control);
    }
}

//! `scopething live`: the oscilloscope in the terminal, or in a browser of this computer.
//!
//! The terminal is a client of the interface that the page uses, so that both show one instrument.

mod analysis;
mod arithmetic;
mod command;
mod decoding;
mod draw;
mod edges;
mod history;
mod keys;
mod knobs;
mod layout;
mod mask;
mod model;
mod painter;
mod persistence;
mod picture;
mod pointer;
mod readings;
mod screen;
mod spectrum;
mod status;
#[cfg(test)]
mod tests;
mod traces;
mod tty;

use clap::Args;
use scopething_serve::client::Link;
use scopething_serve::{Listen, WebLinks};
use tokio::sync::Notify;

use self::model::Model;
use self::readings::{Readings, Wanted};
use self::screen::Options;
use super::failure::Failure;
use super::interrupt::Interrupts;
use super::message::print_note;
use super::picture_size;
use super::serve::{ServedDevice, open_server, refused, serve};

const EXAMPLES: &str = "\
Examples:
  scopething live
      The BitScope at the first serial port, in this terminal: press ? for the keys
  scopething live --browser
      The same in the browser
  scopething live --url 'sim:?A=sine,1kHz,-2..2V'
      The simulated BitScope
  scopething live --connect http://127.0.0.1:8080/
      What `scopething serve --web` shows to browsers, in this terminal

Other computers, and other programs at the same time: scopething serve --web.";

/// Watch the signals live, and turn the knobs
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    device: ServedDevice,
    /// Open the page of the oscilloscope in the browser, and leave the terminal alone
    #[arg(long)]
    browser: bool,
    /// Show what a running `scopething serve --web` shows: the link that it printed
    #[arg(long, value_name = "LINK", conflicts_with = "browser")]
    connect: Option<String>,
    /// Measurements to show, such as A.frequency, B.rms, L0.duty
    #[arg(long, value_name = "NAME", value_delimiter = ',', conflicts_with = "browser",
        default_values = ["A.frequency", "A.peak_to_peak", "A.mean", "A.rms"])]
    measure: Vec<Wanted>,
    /// The waveform that the key G plays
    #[arg(long, value_name = "WAVE", default_value = "sine 1kHz 0..3.3V", conflicts_with = "browser")]
    generator: String,
    /// Leave the mouse to the terminal, which selects text with it
    #[arg(long, conflicts_with = "browser")]
    no_mouse: bool,
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        if self.browser {
            return serve(&self.device, &page_here(), show).await;
        }
        tty::require()?;
        let interrupts = Interrupts::watch();
        if let Some(link) = &self.connect {
            let link: Link = link.parse().map_err(Failure::usage)?;
            let page = link.to_string();
            return Box::pin(screen::run(&link, self.model(page), self.options(true), &interrupts)).await;
        }
        let places = page_here();
        let server = tokio::select! {
            server = Box::pin(open_server(&self.device, &places)) => server?,
            () = interrupts.reached(1) => return Err(Failure::Cancelled),
        };
        let Some(links) = server.web_links() else { return Ok(()) };
        let link: Link = links.control.parse().map_err(Failure::failed)?;
        let quit = Notify::new();
        let shown = Box::pin(async {
            let shown = Box::pin(screen::run(
                &link,
                self.model(links.control.clone()),
                self.options(false),
                &interrupts,
            ))
            .await;
            quit.notify_one();
            shown
        });
        // The screen shows what there is to report.
        let served = Box::pin(server.run_until(quit.notified(), |_| {}));
        let both = async { tokio::join!(served, shown) };
        let (served, shown) = tokio::select! {
            both = both => both,
            // A second one gives up waiting for the device to come to rest.
            () = interrupts.reached(2) => return Err(Failure::Cancelled),
        };
        // Where the server failed, that is why the screen ended.
        served.map_err(refused)?;
        shown
    }

    fn model(&self, page: String) -> Model {
        Model::new(Readings::new(self.measure.iter().cloned()), self.generator.clone(), page)
    }

    fn options(&self, reconnects: bool) -> Options {
        Options { look: picture_size::style(true), mouse: !self.no_mouse, reconnects }
    }
}

/// The page at a free port of this computer.
fn page_here() -> Listen {
    Listen { web: Some("127.0.0.1:0".to_owned()), ..Listen::default() }
}

/// Opens the page; where there is no browser, its link can still be opened by hand.
fn show(links: &WebLinks) {
    if let Err(error) = ::open::that_detached(&links.control) {
        print_note!("no browser could be opened ({error}): open {}", links.control);
    }
}

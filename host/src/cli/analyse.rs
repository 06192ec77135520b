//! `scopething analyse`: measures the traces of a file, or of a capture.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use scopething_core::plan::ChannelSet;

use super::failure::Failure;
use super::live::LiveArguments;
use super::measurements;
use super::session::Session;
use crate::files::{self, Format};
use crate::measure::{RecordingAnalysis, Window};
use crate::recording::Recording;

const EXAMPLES: &str = "\
Examples:
  scopething analyse trace.sr
      Every channel of a file, and the delays between them
  scopething analyse --url 'sim:?A=sine,1kHz,0..3V' --period 10ms
      A capture of channel A
  scopething analyse A B --period 20ms --samples 6000 --spectrum --window blackman-harris
      Both channels, with peaks, distortion and noise
  scopething analyse trace.csv --json

What the samples do not support is unknown, or null in JSON. A file whose name is that of a channel is given as ./A.";

/// Measure the traces of a file, or of a capture
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// A file (csv or sr); or the first channel of a capture, which is then made as `capture` does [default: A]
    #[arg(value_name = "FILE|CHANNEL")]
    source: Option<PathBuf>,
    #[command(flatten)]
    live: LiveArguments,
    /// Tell the frequencies in each analog channel, its distortion and noise
    #[arg(long)]
    spectrum: bool,
    /// What the spectrum is taken through: rectangular, hann, blackman-harris or flat-top
    #[arg(long, value_name = "WINDOW", default_value_t, requires = "spectrum")]
    window: Window,
    /// Print each trace's measurements as a JSON object on a line
    #[arg(long)]
    json: bool,
}

/// What is to be measured.
enum Source<'a> {
    File(&'a Path),
    Capture(Option<ChannelSet>),
}

impl Arguments {
    pub(super) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        match self.source() {
            Source::File(path) => self.analyse_file(path),
            Source::Capture(channels) => {
                let recording = self.captured(session, channels).await?;
                self.print(&recording)
            }
        }
    }

    fn source(&self) -> Source<'_> {
        match &self.source {
            None => Source::Capture(None),
            Some(path) => match path.to_str().and_then(|text| text.parse().ok()) {
                Some(channels) => Source::Capture(Some(channels)),
                None => Source::File(path),
            },
        }
    }

    fn analyse_file(&self, path: &Path) -> Result<(), Failure> {
        if self.live.capture.named_channels().is_some() {
            let error = anyhow::anyhow!("{} has its own channels: give no others", path.display());
            return Err(Failure::Usage(error));
        }
        let format = Format::of_path(path).map_err(Failure::usage)?;
        let mut reader = files::open(path, format).map_err(Failure::failed)?;
        let mut traces = 0;
        let unread = |error| {
            let error = anyhow::Error::new(error).context(format!("{} cannot be read", path.display()));
            Failure::Failed(error)
        };
        while let Some(recording) = reader.read().map_err(unread)? {
            self.print(&recording)?;
            traces += 1;
        }
        if traces == 0 {
            let error = anyhow::anyhow!("{} holds no trace: give a file with samples", path.display());
            return Err(Failure::Failed(error));
        }
        Ok(())
    }

    async fn captured(
        &self,
        session: &mut Session,
        channels: Option<ChannelSet>,
    ) -> Result<Recording, Failure> {
        let mut request = self.live.capture.request();
        let named = [channels, self.live.capture.named_channels()].into_iter().flatten();
        if let Some(channels) = named.reduce(ChannelSet::union) {
            request.channels = channels;
        }
        let mut live = self.live.prepare(session, &request).await?;
        live.next().await?.ok_or(Failure::Cancelled)
    }

    fn print(&self, recording: &Recording) -> Result<(), Failure> {
        let mut analysis = RecordingAnalysis::of(recording);
        if self.spectrum {
            analysis = analysis.with_spectra(recording, self.window);
        }
        let text = if self.json {
            serde_json::to_string(&analysis).map_err(io::Error::from)? + "\n"
        } else {
            measurements::tables(&analysis)
        };
        Ok(io::stdout().write_all(text.as_bytes())?)
    }
}

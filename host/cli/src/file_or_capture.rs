//! What `analyse` and `decode` look at: a file, or a capture that they make.

use std::path::{Path, PathBuf};

use clap::Args;
use scopething_core::plan::ChannelSet;

use super::capture_arguments::any_channel_name;
use super::failure::Failure;
use super::file_arguments::FileArguments;
use super::file_traces::{FileTrace, FileTraces};
use super::given_options::GivenOptions;
use super::like_arguments::LikeArguments;
use super::live::LiveArguments;
use super::session::Session;
use scopething_files::pieces::Pieces;
use scopething_waveform::waveform::Waveform;

/// A file or a capture, with the options of both.
#[derive(Debug, Args)]
#[command(mut_arg("channels", |channels| channels
    .index(2)
    .help("Channels of the file, by their names in it; or of a capture: A, B, L (all eight logic lines), L0 to L7 [default: A]")
    .value_parser(any_channel_name())))]
pub(super) struct FileOrCapture {
    /// A file (csv, json, npz, parquet, sr, vcd, wav); or the first channel of a capture, which is then made as `capture` does
    // Commands that change it move it behind the channels, but for its index.
    #[arg(value_name = "FILE|CHANNEL", index = 1)]
    source: Option<PathBuf>,
    #[command(flatten)]
    given_of_file: GivenOptions<FileArguments>,
    #[command(flatten)]
    pub(super) reading: FileArguments,
    #[command(flatten)]
    given_of_capture: GivenOptions<CaptureOptions>,
    #[command(flatten)]
    like: LikeArguments,
    #[command(flatten)]
    live: LiveArguments,
}

/// All options of a capture.
#[derive(Debug, Args)]
struct CaptureOptions {
    #[command(flatten)]
    _like: LikeArguments,
    #[command(flatten)]
    _live: LiveArguments,
}

/// Which of the two it is.
pub(super) enum Source<'a> {
    File(&'a Path),
    /// With the channels that are named ahead of all others.
    Capture(Option<ChannelSet>),
}

impl FileOrCapture {
    /// Whether a file is named, or channels to capture.
    ///
    /// # Errors
    /// Wrong usage, for an option of the other.
    pub(super) fn source(&self) -> Result<Source<'_>, Failure> {
        let source = match self.source.as_deref() {
            None => Source::Capture(None),
            Some(path) => match path.to_str().and_then(|text| text.parse().ok()) {
                Some(channels) => Source::Capture(Some(channels)),
                None => Source::File(path),
            },
        };
        let refused = match &source {
            Source::File(path) => self.given_of_capture.first().map(|option| {
                let path = path.display();
                anyhow::anyhow!("{option} is of a capture, and {path} holds one already: leave it out")
            }),
            Source::Capture(_) => self
                .given_of_file
                .first()
                .map(|option| anyhow::anyhow!("{option} is of a file: name the file as well")),
        };
        refused.map_or(Ok(source), |refused| Err(Failure::Usage(refused)))
    }

    /// Opens the file.
    pub(super) fn open(&self, path: &Path) -> Result<FileTraces, Failure> {
        self.reading.open(path, self.named())
    }

    /// The file as [pieces](FileArguments::pieces) of its only trace.
    pub(super) fn pieces(&self, path: &Path) -> Result<Option<Box<dyn Pieces>>, Failure> {
        self.reading.pieces(path, self.named())
    }

    /// The trace of the file that is chosen, or its first.
    pub(super) fn read(&self, path: &Path) -> Result<FileTrace, Failure> {
        self.reading.read(path, self.named())
    }

    /// Makes the capture.
    pub(super) async fn capture(
        &self,
        session: &mut Session,
        channels: Option<ChannelSet>,
    ) -> Result<Waveform, Failure> {
        let (request, attenuation) = self.like.request(&self.live.capture, channels)?;
        let mut live = self.live.prepare(session, &request, attenuation).await?;
        live.next().await?.ok_or(Failure::Cancelled)
    }

    /// The channels that are named behind the file.
    fn named(&self) -> impl Iterator<Item = String> {
        self.live.capture.channels.iter().map(|name| name.text.clone())
    }
}

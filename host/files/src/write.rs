//! What all writers share.

use std::io::Write;
use std::path::Path;

use thiserror::Error;

use super::Format;
use super::pieces::{Held, PIECE_SAMPLES};
#[cfg(all(feature = "pictures", not(target_family = "wasm")))]
use super::plot::png::PngError;
use scopething_waveform::quantity_text::quantity;
use scopething_waveform::waveform::{Channel, Outline, Samples, Waveform};

/// Writes captures in one format.
///
/// [`Format::writer`] makes one. It keeps what it must remember from one capture to the next; the bytes go to
/// whatever the caller gives. After each capture what was written is a complete file.
pub trait TraceWriter: Send {
    /// Writes one more capture to `out`, which must be the same each time.
    ///
    /// # Errors
    /// If `out` fails, or the format cannot hold the capture. What was written then is not a complete file.
    fn write(&mut self, recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError>;

    /// The writer of a capture that comes [piece by piece](super::pieces); `None` if the format needs it as a whole, or holds no
    /// more.
    fn by_pieces(&mut self) -> Option<&mut dyn PieceWriter> {
        None
    }
}

/// Writes a capture piece by piece: [`begin`](Self::begin), [`samples`](Self::samples) any number of times,
/// [`end`](Self::end). What it wrote is a complete file after the end.
pub trait PieceWriter: Send {
    /// Begins a capture. What must be kept until its end, and is more than a piece, goes into files without a name in
    /// the directory `spool`.
    ///
    /// # Errors
    /// If `out` fails, or the format cannot hold the capture.
    fn begin(&mut self, outline: &Outline, spool: &Path, out: &mut dyn Write) -> Result<(), WriteError>;

    /// Writes what can be written of the samples that came, and drops it.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    fn samples(&mut self, held: &mut Held, out: &mut dyn Write) -> Result<(), WriteError>;

    /// Ends the capture, all samples of which came.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    fn end(&mut self, out: &mut dyn Write) -> Result<(), WriteError>;
}

/// Writes a capture that is in memory.
pub(crate) fn write_whole(
    writer: &mut dyn PieceWriter,
    waveform: &Waveform,
    out: &mut dyn Write,
) -> Result<(), WriteError> {
    let outline = Outline::from(waveform);
    let mut held = Held::of(&outline);
    #[cfg(not(target_family = "wasm"))]
    let spool = crate::spool::directory();
    // A browser has no such directory, and writes no format that spools.
    #[cfg(target_family = "wasm")]
    let spool = std::path::PathBuf::new();
    writer.begin(&outline, &spool, out)?;
    for first in (0..waveform.sample_count()).step_by(PIECE_SAMPLES) {
        let channels = waveform.channels().iter();
        let piece: Vec<Samples> =
            channels.map(|series| series.samples.part(first as u64, PIECE_SAMPLES as u64)).collect();
        held.push(&piece);
        writer.samples(&mut held, out)?;
    }
    writer.end(out)
}

impl Format {
    /// Whether a trace of such channels can be written, to be known before it is captured.
    ///
    /// # Errors
    /// [`WriteError::NothingToHold`].
    pub fn check_channels(self, channels: impl IntoIterator<Item = Channel>) -> Result<(), WriteError> {
        if self == Self::Wav && !channels.into_iter().any(Channel::is_analog) {
            return Err(WriteError::NothingToHold { format: self, holds: "analog", instead: Self::Csv });
        }
        Ok(())
    }

    /// Those of the channels that a file of this format does not hold.
    #[must_use]
    pub fn left_out(self, channels: impl IntoIterator<Item = Channel>) -> Vec<Channel> {
        channels.into_iter().filter(|channel| self == Self::Wav && !channel.is_analog()).collect()
    }
}

/// Why a capture was not written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The file, pipe or socket failed.
    #[error("writing failed: {0}; make room, or name another place")]
    Io(#[from] std::io::Error),
    /// The format holds a single capture.
    #[error("a {0} file holds one capture; write several as json or csv, or each to a file of its own")]
    OneCapture(Format),
    /// The format holds only channels of another kind.
    #[error(
        "a {format} file holds {holds} channels, and none was captured; choose another format, as {instead}"
    )]
    NothingToHold {
        /// The format.
        format: Format,
        /// The channels it holds.
        holds: &'static str,
        /// A format that holds the others.
        instead: Format,
    },
    /// The format cannot hold this sample rate, in hertz.
    #[error("a {format} file cannot hold a sample rate of {}; choose another format, such as csv", quantity(*rate_hz, "Hz", 5))]
    Rate {
        /// The format.
        format: Format,
        /// The sample rate.
        rate_hz: f64,
    },
    /// The format cannot hold so much.
    #[error("this is too long a capture for a {0} file; choose another format, such as csv")]
    TooLong(Format),
    /// The picture could not be made.
    #[cfg(all(feature = "pictures", not(target_family = "wasm")))]
    #[error(transparent)]
    Picture(#[from] PngError),
    /// A format that needs temporary files, or much code.
    #[cfg(target_family = "wasm")]
    #[error("a page cannot write {0}: choose csv, json, sr, vcd or svg")]
    InBrowser(Format),
    /// The feature `pictures` is off.
    #[cfg(not(any(feature = "pictures", target_family = "wasm")))]
    #[error("this program was built without {0}: choose svg")]
    WithoutPictures(Format),
}

impl From<zip::result::ZipError> for WriteError {
    fn from(error: zip::result::ZipError) -> Self {
        Self::Io(error.into())
    }
}

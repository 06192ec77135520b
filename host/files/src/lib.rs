//! Files of traces: writers and readers, one format a file of code, chosen by the file's ending or by name.
//!
//! | format | ending | holds | captures |
//! | --- | --- | --- | --- |
//! | [`Csv`](Format::Csv) | `.csv` | everything | any number |
//! | [`Json`](Format::Json) | `.json` `.jsonl` `.ndjson` | everything | any number, one a line |
//! | [`Npz`](Format::Npz) | `.npz` | everything, for numpy | one |
//! | [`Parquet`](Format::Parquet) | `.parquet` | everything, for pandas and polars | one |
//! | [`Sr`](Format::Sr) | `.sr` | everything, channels at one rate, for sigrok and `PulseView` | one |
//! | [`Vcd`](Format::Vcd) | `.vcd` | changes of levels and volts, for `GTKWave` | one |
//! | [`Wav`](Format::Wav) | `.wav` | analog channels at one rate | one |
//! | [`Svg`](Format::Svg) | `.svg` | a [picture](crate::plot) | one |
//! | [`Png`](Format::Png) | `.png` | a [picture](crate::plot) | one |
//!
//! [Streams](stream) are written as they come, in some of these formats.
//!
//! All but pictures can be read too, one capture after the other, what other programs write among them;
//! [`ReadOptions`] chooses a part and channels. What is written replaces its target
//! [at once](scopething::atomic) or not at all. Nothing here captures, measures, or prints.
//!
//! ```
//! use scopething_files::{Format, TraceFile, open};
//! use scopething_waveform::waveform::{Channel, Details, Waveform, Samples, Series};
//!
//! let series = Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(vec![0.0, 1.5, 3.3]));
//! let waveform = Waveform::new(1e6, vec![series], Details::default())?;
//!
//! let directory = tempfile::tempdir()?;
//! let path = directory.path().join("trace.csv");
//! let mut file = TraceFile::create(&path, Format::of_path(&path)?)?;
//! file.write(&waveform)?;
//! file.commit()?;
//! assert!(std::fs::read_to_string(&path)?.ends_with("\ntime,A\n0,0\n0.000001,1.5\n0.000002,3.3\n"));
//! assert_eq!(open(&path, Format::Csv)?.read()?, Some(waveform));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod archive;
mod assign;
mod csv_read;
mod csv_write;
mod facts;
mod format;
pub mod grid;
mod handover;
mod json_read;
mod json_write;
mod npz;
mod npz_read;
mod number;
mod options;
mod parquet;
mod parquet_read;
mod picture;
pub mod pieces;
#[cfg(feature = "playback")]
pub mod playback;
pub mod plot;
mod read;
mod resample;
mod rows;
mod spacing;
mod sr_read;
mod sr_write;
pub mod stream;
mod table_pieces;
mod trace_file;
mod vcd;
mod vcd_read;
mod wav;
mod wav_read;

use std::io::Write;

use thiserror::Error;

pub use csv_read::CsvReader;
pub use csv_read::{JOB_COLUMNS, SETTINGS_NOTE};
pub use csv_write::push_field;
pub use format::{Format, FormatError};
pub use json_read::JsonReader;
pub use json_write::StampObject;
pub use npz_read::NpzReader;
pub use number::push_number;
pub use options::{ColumnChoice, InvalidColumns, ReadOptions};
pub use parquet_read::ParquetReader;
pub use read::{MAX_SAMPLES, OpenError, ReadError, Skipped, TraceReader, open, open_with};
pub use rows::Rows;
pub use sr_read::SrReader;
pub use trace_file::{SaveError, TraceFile};
pub use vcd_read::VcdReader;
pub use wav_read::WavReader;

use crate::pieces::PieceWriter;
use crate::plot::png::PngError;
use scopething_waveform::waveform::Waveform;

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

    /// The writer of a capture that comes [piece by piece](pieces); `None` if the format needs it as a whole, or holds no
    /// more.
    fn by_pieces(&mut self) -> Option<&mut dyn PieceWriter> {
        None
    }
}

/// Writes JSON as [`Format::Json`] does, with the measurements of each capture under `analysis`.
#[must_use]
pub fn analysed_json_writer() -> Box<dyn TraceWriter> {
    Box::new(json_write::JsonWriter { analysed: true })
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
    #[error("a {format} file cannot hold {rate_hz} samples a second; choose another format, such as csv")]
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
    #[error(transparent)]
    Picture(#[from] PngError),
}

impl From<zip::result::ZipError> for WriteError {
    fn from(error: zip::result::ZipError) -> Self {
        Self::Io(error.into())
    }
}

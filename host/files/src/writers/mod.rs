//! The writer of each format, and what takes its place at once.

pub(crate) mod csv;
pub(crate) mod json;
#[cfg(not(target_family = "wasm"))]
pub(crate) mod npz;
#[cfg(not(target_family = "wasm"))]
pub(crate) mod parquet;
pub(crate) mod picture;
pub(crate) mod sr;
#[cfg(not(target_family = "wasm"))]
pub(crate) mod trace_file;
pub(crate) mod vcd;
#[cfg(not(target_family = "wasm"))]
pub(crate) mod wav;

use std::io::Write;

use crate::write::write_whole;
use crate::{Format, PieceWriter, TraceWriter, WriteError};
use csv::{CsvWriter, Style};
use json::JsonWriter;
#[cfg(not(target_family = "wasm"))]
use npz::NpzWriter;
#[cfg(not(target_family = "wasm"))]
use parquet::ParquetWriter;
use scopething_waveform::waveform::Waveform;
use sr::SrWriter;
use vcd::VcdWriter;
#[cfg(not(target_family = "wasm"))]
use wav::WavWriter;

pub use csv::push_field;
pub use json::StampObject;
#[cfg(not(target_family = "wasm"))]
pub use trace_file::{SaveError, TraceFile};

impl Format {
    /// A writer of this format.
    #[must_use]
    pub fn writer(self) -> Box<dyn TraceWriter> {
        self.writer_of(false)
    }

    /// A writer of this format, for `several` captures or for one: a table of several has a column that numbers them.
    #[must_use]
    pub fn writer_of(self, several: bool) -> Box<dyn TraceWriter> {
        let one = match self {
            Self::Csv => return Box::new(CsvWriter::new(Style { semicolons: false, numbered: several })),
            Self::CsvSemicolons => {
                return Box::new(CsvWriter::new(Style { semicolons: true, numbered: several }));
            }
            Self::Json => return Box::new(JsonWriter::default()),
            #[cfg(not(target_family = "wasm"))]
            Self::Npz => One::Pieces(Box::<NpzWriter>::default()),
            #[cfg(not(target_family = "wasm"))]
            Self::Parquet => One::Pieces(Box::<ParquetWriter>::default()),
            Self::Sr => One::Pieces(Box::<SrWriter>::default()),
            Self::Vcd => One::Pieces(Box::<VcdWriter>::default()),
            #[cfg(not(target_family = "wasm"))]
            Self::Wav => One::Pieces(Box::<WavWriter>::default()),
            Self::Svg => One::Whole(picture::write_svg),
            #[cfg(all(feature = "pictures", not(target_family = "wasm")))]
            Self::Png => One::Whole(picture::write_png),
            #[cfg(not(any(feature = "pictures", target_family = "wasm")))]
            Self::Png => One::Nothing,
            #[cfg(target_family = "wasm")]
            Self::Npz | Self::Parquet | Self::Wav | Self::Png => One::Nothing,
        };
        Box::new(OneCapture { format: self, one, written: false })
    }
}

/// Writes JSON as [`Format::Json`] does, with the measurements of each capture under `analysis`.
#[must_use]
pub fn analysed_json_writer() -> Box<dyn TraceWriter> {
    Box::new(JsonWriter { analysed: true })
}

/// How a format that holds a single capture is written.
enum One {
    Pieces(Box<dyn PieceWriter>),
    Whole(fn(&Waveform, &mut dyn Write) -> Result<(), WriteError>),
    /// It cannot be, in a browser or without pictures.
    #[cfg(any(not(feature = "pictures"), target_family = "wasm"))]
    Nothing,
}

/// A writer of a format that holds a single capture.
struct OneCapture {
    format: Format,
    one: One,
    written: bool,
}

impl TraceWriter for OneCapture {
    fn write(&mut self, recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError> {
        if std::mem::replace(&mut self.written, true) {
            return Err(WriteError::OneCapture(self.format));
        }
        match &mut self.one {
            One::Pieces(writer) => write_whole(writer.as_mut(), recording, out),
            One::Whole(encode) => encode(recording, out),
            #[cfg(target_family = "wasm")]
            One::Nothing => Err(WriteError::InBrowser(self.format)),
            #[cfg(not(any(feature = "pictures", target_family = "wasm")))]
            One::Nothing => Err(WriteError::WithoutPictures(self.format)),
        }
    }

    fn by_pieces(&mut self) -> Option<&mut dyn PieceWriter> {
        match &mut self.one {
            One::Pieces(writer) if !self.written => Some(writer.as_mut()),
            _ => None,
        }
    }
}

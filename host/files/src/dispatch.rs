//! The reader and the writer of each format.

use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::csv_write::{CsvWriter, Style};
use super::json_write::JsonWriter;
use super::npz::NpzWriter;
use super::parquet::ParquetWriter;
use super::pieces::Pieces;
use super::read::BUFFER_BYTES;
use super::sr_write::SrWriter;
use super::vcd::VcdWriter;
use super::wav::WavWriter;
use super::write::write_whole;
use super::{
    CsvReader, Format, JsonReader, NpzReader, ParquetReader, PieceWriter, ReadError, ReadOptions, SrReader,
    TraceReader, TraceWriter, VcdReader, WavReader, WriteError, csv_read, npz_read, parquet_read, picture,
    sr_read, vcd_read, wav_read,
};
use scopething_waveform::waveform::Waveform;

/// Why a file cannot be read.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The file cannot be opened.
    #[error("{} cannot be opened: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The path names something that is no file, and might never end.
    #[error("{} is not a regular file; save what it gives to one first", path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// The format can only be written.
    #[error("{} cannot be read, because a {format} file can only be written; read csv, json, npz, parquet, sr, vcd or wav", path.display())]
    WriteOnly {
        /// The file.
        path: PathBuf,
        /// Its format.
        format: Format,
    },
    /// What is in the file is not of its format.
    #[error("{} cannot be read: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ReadError,
    },
}

/// Opens a file to read captures from, as it states them.
///
/// # Errors
/// If there is no such file, it is no regular one, or its format cannot be read.
pub fn open(path: &Path, format: Format) -> Result<Box<dyn TraceReader>, OpenError> {
    open_with(path, format, &ReadOptions::default())
}

/// Opens a file to read captures, or parts of them, from.
///
/// # Errors
/// As [`open`].
pub fn open_with(
    path: &Path,
    format: Format,
    options: &ReadOptions,
) -> Result<Box<dyn TraceReader>, OpenError> {
    let path = path.to_owned();
    match fs::metadata(&path) {
        Ok(metadata) if !metadata.is_file() => return Err(OpenError::NotAFile { path }),
        Ok(_) if !format.is_readable() => return Err(OpenError::WriteOnly { path, format }),
        Ok(_) => {}
        Err(source) => return Err(OpenError::Io { path, source }),
    }
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(source) => return Err(OpenError::Io { path, source }),
    };
    let input = BufReader::with_capacity(BUFFER_BYTES, file);
    let options = options.clone();
    let reader: Result<Box<dyn TraceReader>, ReadError> = match format {
        Format::Csv | Format::CsvSemicolons => Ok(Box::new(CsvReader::with_options(input, options))),
        Format::Json => Ok(Box::new(JsonReader::with_options(input, options))),
        Format::Npz => NpzReader::new(input, options).map(|reader| Box::new(reader) as _),
        Format::Parquet => {
            ParquetReader::new(input.into_inner(), options).map(|reader| Box::new(reader) as _)
        }
        Format::Vcd => Ok(Box::new(VcdReader::new(input, options))),
        Format::Wav => WavReader::new(input, options).map(|reader| Box::new(reader) as _),
        _ => SrReader::with_options(input, options).map(|reader| Box::new(reader) as _),
    };
    reader.map_err(|source| OpenError::Read { path, source })
}

/// Opens a file that holds one capture, to read it piece by piece. `None` if it must be read as a whole, or cannot be:
/// [`open_with`](super::open_with) does that, or states why not.
///
/// The file is gone through once before, for what stands in no head: how many samples are good, whether times are evenly
/// spaced.
#[must_use]
pub fn open_pieces(path: &Path, format: Format, options: &ReadOptions) -> Option<Box<dyn Pieces>> {
    // Anything else might never end.
    if !path.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return None;
    }
    let fed = match format {
        Format::Csv | Format::CsvSemicolons => csv_read::pieces::open(path, options),
        Format::Npz => npz_read::pieces::open(path, options),
        Format::Parquet => parquet_read::open_pieces(path, options),
        Format::Sr => sr_read::pieces::open(path, options),
        Format::Vcd => vcd_read::pieces::open(path, options),
        Format::Wav => wav_read::open_pieces(path, options),
        _ => None,
    }?;
    Some(Box::new(fed))
}

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
            Self::Npz => One::Pieces(Box::<NpzWriter>::default()),
            Self::Parquet => One::Pieces(Box::<ParquetWriter>::default()),
            Self::Sr => One::Pieces(Box::<SrWriter>::default()),
            Self::Vcd => One::Pieces(Box::<VcdWriter>::default()),
            Self::Wav => One::Pieces(Box::<WavWriter>::default()),
            Self::Svg => One::Whole(picture::write_svg),
            Self::Png => One::Whole(picture::write_png),
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
        }
    }

    fn by_pieces(&mut self) -> Option<&mut dyn PieceWriter> {
        match &mut self.one {
            One::Pieces(writer) if !self.written => Some(writer.as_mut()),
            _ => None,
        }
    }
}

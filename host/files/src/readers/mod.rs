//! The reader of each format, and what readers share.

pub(crate) mod assign;
pub(crate) mod csv;
pub(crate) mod json;
mod kept;
pub(crate) mod npz;
pub(crate) mod options;
pub(crate) mod parquet;
pub(crate) mod resample;
pub(crate) mod spacing;
pub(crate) mod sr;
pub(crate) mod table_pieces;
pub(crate) mod vcd;
pub(crate) mod wav;

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::pieces::Pieces;
use crate::read::BUFFER_BYTES;
use crate::text::Text;
use crate::{Format, ReadError, TraceReader};

pub use csv::{CsvReader, JOB_COLUMNS, SETTINGS_NOTE};
pub use json::JsonReader;
pub use npz::NpzReader;
pub use options::{ColumnChoice, InvalidColumns, ReadOptions};
pub use parquet::ParquetReader;
pub use sr::SrReader;
pub use vcd::VcdReader;
pub use wav::WavReader;

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
        Format::Csv | Format::CsvSemicolons => {
            text(input).map(|input| Box::new(CsvReader::with_options(input, options)) as _)
        }
        Format::Json => text(input).map(|input| Box::new(JsonReader::with_options(input, options)) as _),
        Format::Npz => NpzReader::new(input, options).map(|reader| Box::new(reader) as _),
        Format::Parquet => {
            ParquetReader::new(input.into_inner(), options).map(|reader| Box::new(reader) as _)
        }
        Format::Vcd => text(input).map(|input| Box::new(VcdReader::new(input, options)) as _),
        Format::Wav => WavReader::new(input, options).map(|reader| Box::new(reader) as _),
        _ => SrReader::with_options(input, options).map(|reader| Box::new(reader) as _),
    };
    reader.map_err(|source| OpenError::Read { path, source })
}

/// A file that is text.
pub(crate) type TextFile = Text<BufReader<File>>;

fn text(input: BufReader<File>) -> Result<TextFile, ReadError> {
    Ok(Text::of(input)?)
}

/// Opens a text to read it from its beginning.
pub(crate) fn open_text(path: &Path) -> Result<TextFile, ReadError> {
    text(BufReader::with_capacity(BUFFER_BYTES, File::open(path)?))
}

/// Opens a file that holds one capture, to read it piece by piece. `None` if it must be read as a whole, or cannot be:
/// [`open_with`](crate::open_with) does that, or states why not.
///
/// The file is gone through before, for what stands in no head: how many samples are good, whether times are evenly
/// spaced. Of a table, samples are kept from that, most of a long one's in a [temporary file](crate::spooled).
#[must_use]
pub fn open_pieces(path: &Path, format: Format, options: &ReadOptions) -> Option<Box<dyn Pieces>> {
    // Anything else might never end.
    if !path.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return None;
    }
    let fed = match format {
        Format::Csv | Format::CsvSemicolons => csv::pieces::open(path, options),
        Format::Npz => npz::pieces::open(path, options),
        Format::Parquet => parquet::open_pieces(path, options),
        Format::Sr => sr::pieces::open(path, options),
        Format::Vcd => vcd::pieces::open(path, options),
        Format::Wav => wav::open_pieces(path, options),
        _ => None,
    }?;
    Some(Box::new(fed))
}

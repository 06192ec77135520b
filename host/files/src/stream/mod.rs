//! Files of streams: rows as they come, in memory that does not grow with them.
//!
//! | format | while it runs | at its end |
//! | --- | --- | --- |
//! | `csv` | rows | nothing |
//! | `parquet` | row groups | the index of the groups |
//! | `sr` | chunks in the archive | the archive's directory |
//! | `wav` | samples | the length in the header |
//! | `npz` | a temporary file for each column | the archive, put together from them |
//!
//! Rows lie on a grid of evenly spaced times. Where frames were lost, rows are missing, and times jump: no row is made
//! up. `lost` has with each row how many frames of the device are missing since the row before it, so that a row that
//! was made of fewer frames shows as well. Where that is not known the cell is empty in `csv`, null in `parquet` and
//! 18446744073709551615 in `npz`, and the times from there on are an estimate. Formats that know evenly spaced samples only, `sr` and `wav`, have samples
//! that are no numbers (NaN) in the place of missing ones, and the last level of a logic line; they have no place for
//! `lost`.

mod csv;
mod npz;
mod pages;
mod parquet;
mod row;
mod sr;
mod wav;

use std::path::{Path, PathBuf};

use self::row::RowWriter;
use super::{Format, WriteError};
use scopething::atomic::{AtomicError, AtomicFile};

pub use self::row::{Column, MAX_COLUMNS, Part, Row, StreamHeader};
pub use super::rows::MAX_BUFFERED_ROWS;

/// A file of a stream, [complete or not there](scopething::atomic).
///
/// ```
/// use scopething_files::Format;
/// use scopething_files::stream::{Column, MAX_COLUMNS, Part, Row, StreamFile, StreamHeader};
/// use scopething_waveform::moment::UnixMicros;
/// use scopething_waveform::waveform::Channel;
///
/// let header = StreamHeader {
///     columns: vec![Column { channel: Channel::A, part: Part::Sample }],
///     row_ticks: 40_000,
///     clock_hz: 40e6,
///     thinning: 4,
///     start: UnixMicros(0),
///     range: None,
///     raw: false,
///     warnings: Vec::new(),
/// };
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("stream.csv");
/// let mut file = StreamFile::create(&path, Format::Csv, &header)?;
/// let row = |index, lost, volts| {
///     let mut values = [0.0; MAX_COLUMNS];
///     values[0] = volts;
///     Row { index, lost, values }
/// };
/// for row in [row(0, Some(0), 1.5), row(1, Some(0), 2.0), row(5, Some(12), 2.5), row(200, None, 3.0)] {
///     file.write(&row)?;
/// }
/// file.commit()?;
/// assert_eq!(std::fs::read_to_string(&path)?, "time,A,lost\n0,1.5,0\n0.001,2,0\n0.005,2.5,12\n0.2,3,\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct StreamFile {
    path: PathBuf,
    writer: Box<dyn RowWriter>,
}

/// The formats that a stream can be written in.
pub const STREAM_FORMATS: [Format; 5] = [Format::Csv, Format::Npz, Format::Parquet, Format::Sr, Format::Wav];

/// Why a stream was not written to a file.
#[derive(Debug, thiserror::Error)]
pub enum StreamFileError {
    /// The format holds whole traces only.
    #[error("a stream cannot be written as {0}; choose csv, npz, parquet, sr or wav")]
    Format(Format),
    /// The file could not be made or put in its place.
    #[error(transparent)]
    File(#[from] AtomicError),
    /// A row could not be written.
    #[error("the stream could not be written to {}: {source}", path.display())]
    Write {
        /// The target.
        path: PathBuf,
        /// Why not.
        source: WriteError,
    },
}

impl StreamFile {
    /// Starts a file that shall take the place of `path` when it is [committed](Self::commit).
    ///
    /// # Errors
    /// If no file can be made there, or the format cannot hold such rows.
    pub fn create(path: &Path, format: Format, header: &StreamHeader) -> Result<Self, StreamFileError> {
        Self::on(AtomicFile::create(path)?, path, format, header)
    }

    /// Writes to standard output.
    ///
    /// # Errors
    /// If the process has none, or the format cannot hold such rows.
    pub fn standard_output(format: Format, header: &StreamHeader) -> Result<Self, StreamFileError> {
        Self::on(AtomicFile::standard_output()?, Path::new("standard output"), format, header)
    }

    fn on(
        file: AtomicFile,
        path: &Path,
        format: Format,
        header: &StreamHeader,
    ) -> Result<Self, StreamFileError> {
        if !STREAM_FORMATS.contains(&format) {
            return Err(StreamFileError::Format(format));
        }
        let refused = |source| StreamFileError::Write { path: path.to_owned(), source };
        let writer = match format {
            Format::Npz => npz::writer(file, header),
            Format::Parquet => parquet::writer(file, header),
            Format::Sr => sr::writer(file, header),
            Format::Wav => wav::writer(file, header),
            _ => csv::writer(file, header),
        };
        Ok(Self { path: path.to_owned(), writer: writer.map_err(refused)? })
    }

    /// The target.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Hands over what was written to whoever reads it meanwhile, as far as the format is read before its end.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn flush(&mut self) -> Result<(), StreamFileError> {
        let flushed = self.writer.flush();
        flushed.map_err(|source| StreamFileError::Write { path: self.path.clone(), source })
    }

    /// Writes one more row; its index is greater than that of the one before.
    ///
    /// # Errors
    /// If the disk fails, or the format can hold no more. Then write no more: [commit](Self::commit) what there is, or
    /// drop the file, and the target stays as it was.
    pub fn write(&mut self, row: &Row) -> Result<(), StreamFileError> {
        self.writer.write(row).map_err(|source| StreamFileError::Write { path: self.path.clone(), source })
    }

    /// Completes the file and puts it in its place.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn commit(self) -> Result<(), StreamFileError> {
        self.commit_or_keep().map_err(|(error, _)| error)
    }

    /// As [`commit`](Self::commit), but a file that cannot take its place stays beside it.
    ///
    /// # Errors
    /// As [`commit`](Self::commit), and where what was written is now, if it is not lost.
    pub fn commit_or_keep(self) -> Result<(), (StreamFileError, Option<PathBuf>)> {
        let Self { path, writer } = self;
        let file = writer.finish().map_err(|source| (StreamFileError::Write { path, source }, None))?;
        file.commit_or_keep().map_err(|(error, beside)| (error.into(), beside))
    }
}

#[cfg(test)]
mod tests;

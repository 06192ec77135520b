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
mod parquet;
mod sr;
mod wav;

use std::path::{Path, PathBuf};

use super::{Format, WriteError};
use scopething::atomic::{AtomicError, AtomicFile};
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::waveform::{Channel, Range};

/// The most rows that are kept in memory, which `parquet` writes as a group and `sr` as a chunk: a minute at a few kilohertz,
/// some megabytes, and an index of few groups.
pub const MAX_BUFFERED_ROWS: usize = 1 << 18;

/// The last column: frames of the device that are missing since the row before.
pub(super) const LOST: &str = "lost";
/// The most columns: two bounds of ten channels.
pub const MAX_COLUMNS: usize = 20;

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Samples, or the mean of several; the level that a logic line had most of the time.
    Sample,
    /// The least of several samples.
    Least,
    /// The greatest of several samples.
    Greatest,
}

/// A column of a stream's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The channel.
    pub channel: Channel,
    /// What of it.
    pub part: Part,
}

impl Column {
    /// Its name: `A`, or `A_min` and `A_max`.
    #[must_use]
    pub fn name(&self) -> String {
        let ending = match self.part {
            Part::Sample => "",
            Part::Least => "_min",
            Part::Greatest => "_max",
        };
        format!("{}{ending}", self.channel)
    }

    fn is_analog(self) -> bool {
        self.channel.is_analog()
    }
}

/// What a file of a stream is made for.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamHeader {
    /// The columns, in the order of the rows' values; at most [`MAX_COLUMNS`].
    pub columns: Vec<Column>,
    /// Ticks of the device's clock from one row to the next.
    pub row_ticks: u64,
    /// Ticks a second, in hertz.
    pub clock_hz: f64,
    /// Frames of the device that become a row.
    pub thinning: u32,
    /// When the stream began, by the computer's clock.
    pub start: UnixMicros,
    /// What the analog channels were set to show; none if values are fractions of the range, or there is none.
    pub range: Option<Range>,
    /// Whether analog values are fractions of the range.
    pub raw: bool,
    /// What the user should know of how the stream was made, one sentence each.
    pub warnings: Vec<String>,
}

impl StreamHeader {
    /// Rows a second, in hertz.
    #[must_use]
    pub fn rate_hz(&self) -> f64 {
        self.clock_hz / self.row_ticks as f64
    }

    /// When a row was sampled, in seconds from the start of the stream: of several frames, the first.
    #[must_use]
    pub fn time_s(&self, index: u64) -> f64 {
        // The product is whole and below 2^53 for years: the quotient is rounded once.
        (index * self.row_ticks) as f64 / self.clock_hz
    }

    fn unit(&self) -> Option<&'static str> {
        let analog = self.columns.iter().any(|column| column.is_analog());
        analog.then_some(if self.raw { "range" } else { "V" })
    }

    /// What the tables hold beside their columns, all texts.
    fn facts(&self) -> Vec<(&'static str, String)> {
        let mut facts = vec![
            ("sample_rate", self.rate_hz().to_string()),
            ("start", self.start.to_string()),
            ("thinning", self.thinning.to_string()),
            ("warnings", serde_json::Value::from(self.warnings.clone()).to_string()),
        ];
        facts.extend(self.unit().map(|unit| ("unit", unit.to_owned())));
        if let Some(Range { low, high }) = self.range {
            facts.extend([("range_low", low.to_string()), ("range_high", high.to_string())]);
        }
        facts
    }
}

/// The values of one time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Counts rows from the start of the stream, missing ones too.
    pub index: u64,
    /// Frames of the device that are missing since the row before. None if some are, but how many is not known: the index is
    /// an estimate then.
    pub lost: Option<u64>,
    /// The values, as many as there are columns: volts or fractions, or level 0 or 1.
    pub values: [f32; MAX_COLUMNS],
}

/// Writes the rows of a stream. Dropped before its end it leaves a file that is not complete.
trait RowWriter: Send {
    /// Writes one more row; its index is greater than that of the one before.
    fn write(&mut self, row: &Row) -> Result<(), WriteError>;

    /// Hands over what was written to whoever reads it meanwhile, as far as the format is read before its end.
    fn flush(&mut self) -> Result<(), WriteError> {
        Ok(())
    }

    /// Completes the file.
    fn finish(self: Box<Self>) -> Result<AtomicFile, WriteError>;
}

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
/// for row in [row(0, 0, 1.5), row(1, 0, 2.0), row(5, 12, 2.5)] {
///     file.write(&row)?;
/// }
/// file.commit()?;
/// assert_eq!(std::fs::read_to_string(&path)?, "time,A,lost\n0,1.5,0\n0.001,2,0\n0.005,2.5,12\n");
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

type Writer = Result<Box<dyn RowWriter>, WriteError>;

/// Fills the rows that are missing in a format that knows evenly spaced samples only.
struct Filler {
    next: u64,
    columns: usize,
    last: Option<Row>,
}

impl Filler {
    fn new(columns: usize) -> Self {
        Self { next: 0, columns, last: None }
    }

    /// The rows to write for one that came: those missing before it, and itself. Before the first row nothing is filled
    /// in.
    fn rows(&mut self, row: &Row, analog: &[bool]) -> impl Iterator<Item = Row> + use<> {
        let missing = self.last.map_or(0, |_| row.index - self.next);
        let mut filling = self.last.unwrap_or(*row);
        for (value, _) in
            filling.values.iter_mut().zip(analog).take(self.columns).filter(|(_, analog)| **analog)
        {
            *value = f32::NAN;
        }
        self.next = row.index + 1;
        self.last = Some(*row);
        std::iter::repeat_n(filling, missing as usize).chain(std::iter::once(*row))
    }
}

#[cfg(test)]
mod tests;

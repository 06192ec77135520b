//! The rows of a stream, and who writes them.

use scopething::atomic::AtomicFile;
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::waveform::{Channel, Range};

use crate::WriteError;

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

    pub(super) fn is_analog(self) -> bool {
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

    pub(super) fn unit(&self) -> Option<&'static str> {
        let analog = self.columns.iter().any(|column| column.is_analog());
        analog.then_some(if self.raw { "range" } else { "V" })
    }

    /// What the tables hold beside their columns, all texts.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
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
pub(super) trait RowWriter: Send {
    /// Writes one more row; its index is greater than that of the one before.
    fn write(&mut self, row: &Row) -> Result<(), WriteError>;

    /// Hands over what was written to whoever reads it meanwhile, as far as the format is read before its end.
    fn flush(&mut self) -> Result<(), WriteError> {
        Ok(())
    }

    /// Completes the file.
    fn finish(self: Box<Self>) -> Result<AtomicFile, WriteError>;
}

pub(super) type Writer = Result<Box<dyn RowWriter>, WriteError>;

/// Fills the rows that are missing in a format that knows evenly spaced samples only.
pub(super) struct Filler {
    next: u64,
    columns: usize,
    last: Option<Row>,
}

impl Filler {
    pub(super) fn new(columns: usize) -> Self {
        Self { next: 0, columns, last: None }
    }

    /// The rows to write for one that came: those missing before it, and itself. Before the first row nothing is filled
    /// in.
    pub(super) fn rows(&mut self, row: &Row, analog: &[bool]) -> impl Iterator<Item = Row> + use<> {
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

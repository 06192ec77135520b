//! Reads what the CSV writer writes, and what is written like it.
//!
//! The header names the columns: `time` first, then channels `A`, `B`, `L0` to `L7`. Times are seconds and
//! must be evenly spaced on each channel. What the file does not tell, the sample rate, is taken from them.

use std::io::BufRead;
use std::io::Read as _;

use super::csv_write::TIME;
use super::{MAX_SAMPLES, ReadError, TraceReader};
use crate::recording::{Channel, Details, Recording, Samples, Series};

/// Longer than any row of all channels.
const MAX_LINE_BYTES: u64 = 4096;
/// How far a sample may lie from where it should, as a part of the sample period.
const JITTER: f64 = 0.02;

/// Reads captures from comma-separated values.
///
/// ```
/// use scopething::files::{CsvReader, TraceReader};
/// use scopething::recording::Channel;
///
/// let mut reader = CsvReader::new("time,A,L0\n0,1.5,0\n0.001,1.75,1\n".as_bytes());
/// let recording = reader.read()?.ok_or("a capture is there")?;
/// assert_eq!(recording.sample_rate_hz(), 1000.0);
/// assert!(recording.channel(Channel::L[0]).is_some());
/// assert!(reader.read()?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct CsvReader<R> {
    input: R,
    line: u64,
    /// A header that ended the capture before it.
    header: Option<String>,
}

impl<R: BufRead> CsvReader<R> {
    /// Reads from text; lines end in a line feed, with or without a carriage return.
    pub fn new(input: R) -> Self {
        Self { input, line: 0, header: None }
    }

    /// The next line without its end, or `None` at the end of the text.
    fn next_line(&mut self) -> Result<Option<String>, ReadError> {
        let mut bytes = Vec::new();
        self.line += 1;
        if (&mut self.input).take(MAX_LINE_BYTES).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        if bytes.len() as u64 == MAX_LINE_BYTES {
            return Err(
                self.fault(format!("longer than {MAX_LINE_BYTES} bytes; this is no CSV file of a trace"))
            );
        }
        let text =
            String::from_utf8(bytes).map_err(|_| self.fault("not UTF-8 text; save it as CSV".to_owned()))?;
        Ok(Some(text.trim_start_matches('\u{feff}').trim().to_owned()))
    }

    fn fault(&self, reason: String) -> ReadError {
        ReadError::Line { line: self.line, reason }
    }

    /// The next header, past empty lines.
    fn find_header(&mut self) -> Result<Option<String>, ReadError> {
        if let Some(header) = self.header.take() {
            return Ok(Some(header));
        }
        while let Some(line) = self.next_line()? {
            if !line.is_empty() {
                return Ok(Some(line));
            }
        }
        Ok(None)
    }

    fn columns(&self, header: &str) -> Result<Vec<Column>, ReadError> {
        let mut names = header.split(',').map(|name| name.trim().trim_matches('"'));
        if names.next() != Some(TIME) {
            let found = header.chars().take(40).collect::<String>();
            return Err(self.fault(format!("the header must be as in time,A,B,L0; found {found:?}")));
        }
        names
            .map(|name| {
                name.parse().map(Column::new).map_err(|error| self.fault(format!("{name:?} is {error}")))
            })
            .collect()
    }

    /// Reads rows up to the end of the capture: an empty line, the next header, or the end of the text.
    fn read_rows(&mut self, columns: &mut [Column]) -> Result<(), ReadError> {
        let mut samples = 0;
        let mut latest_s = f64::NEG_INFINITY;
        while let Some(row) = self.next_line()?.filter(|row| !row.is_empty()) {
            if row.starts_with(TIME) || row.starts_with("\"time") {
                self.header = Some(row);
                break;
            }
            let mut fields = row.split(',').map(str::trim);
            let time_s = self.time(fields.next().unwrap_or_default(), latest_s)?;
            latest_s = time_s;
            for column in &mut *columns {
                let field = fields
                    .next()
                    .ok_or_else(|| self.fault("there are fewer fields than in the header".to_owned()))?;
                if !field.is_empty() {
                    column.push(field, time_s, self.line).map_err(|reason| self.fault(reason))?;
                    samples += 1;
                }
            }
            if fields.next().is_some() {
                return Err(self.fault("there are more fields than in the header".to_owned()));
            }
            if samples > MAX_SAMPLES {
                return Err(ReadError::TooLong);
            }
        }
        Ok(())
    }

    fn time(&self, field: &str, latest_s: f64) -> Result<f64, ReadError> {
        match field.parse::<f64>() {
            Ok(time_s) if time_s.is_finite() && time_s > latest_s => Ok(time_s),
            Ok(time_s) if time_s.is_finite() => {
                Err(self.fault(format!("time {field} is not after the one before; sort the rows by time")))
            }
            _ => Err(self.fault(format!("{field:?} is not a time in seconds"))),
        }
    }
}

impl<R: BufRead + Send> TraceReader for CsvReader<R> {
    fn read(&mut self) -> Result<Option<Recording>, ReadError> {
        let Some(header) = self.find_header()? else { return Ok(None) };
        let mut columns = self.columns(&header)?;
        self.read_rows(&mut columns)?;
        columns.retain(|column| !column.times_s.is_empty());
        let longest = columns.iter().max_by_key(|column| column.times_s.len());
        let period_s = longest.and_then(Column::period_s).ok_or_else(|| {
            self.fault("the capture ends before a second sample, so that there is no sample rate".to_owned())
        })?;
        let channels =
            columns.into_iter().map(|column| column.series(period_s)).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Recording::new(sample_rate_hz(&channels), channels, Details::default())?))
    }
}

/// What was read of one channel.
struct Column {
    channel: Channel,
    times_s: Vec<f64>,
    lines: Vec<u64>,
    samples: Samples,
}

impl Column {
    fn new(channel: Channel) -> Self {
        let samples =
            if channel.is_analog() { Samples::Volts(Vec::new()) } else { Samples::Levels(Vec::new()) };
        Self { channel, times_s: Vec::new(), lines: Vec::new(), samples }
    }

    fn push(&mut self, field: &str, time_s: f64, line: u64) -> Result<(), String> {
        match (&mut self.samples, field) {
            (Samples::Levels(levels), "0") => levels.push(0),
            (Samples::Levels(levels), "1") => levels.push(1),
            (Samples::Levels(_), _) => {
                return Err(format!("{field:?} is not a level of {}; use 0 or 1", self.channel));
            }
            (Samples::Volts(samples) | Samples::Fractions(samples), _) => {
                samples.push(field.parse().map_err(|_| format!("{field:?} is not a number of volts"))?);
            }
        }
        self.times_s.push(time_s);
        self.lines.push(line);
        Ok(())
    }

    /// Seconds between samples; `None` for less than two.
    fn period_s(&self) -> Option<f64> {
        let (first, last) = (self.times_s.first()?, self.times_s.last()?);
        let steps = self.times_s.len().checked_sub(1).filter(|&steps| steps > 0)?;
        Some((last - first) / steps as f64)
    }

    /// A channel of a single sample takes the period of another.
    fn series(self, other_period_s: f64) -> Result<Series, ReadError> {
        let start_s = self.times_s.first().copied().unwrap_or(0.0);
        let period_s = whole_picoseconds(self.period_s().unwrap_or(other_period_s));
        for (index, (time_s, line)) in self.times_s.iter().zip(&self.lines).enumerate() {
            let expected_s = start_s + index as f64 * period_s;
            if (time_s - expected_s).abs() > JITTER * period_s {
                let reason = format!(
                    "the samples of {} are not evenly spaced: at {time_s} s, where {expected_s} s should be",
                    self.channel
                );
                return Err(ReadError::Line { line: *line, reason });
            }
        }
        Ok(Series::new(self.channel, start_s, period_s, self.samples))
    }
}

/// Takes away the rounding of a difference divided by a count.
fn whole_picoseconds(period_s: f64) -> f64 {
    let whole = (period_s * 1e12).round() / 1e12;
    if (whole - period_s).abs() <= period_s * 1e-12 { whole } else { period_s }
}

/// The channels of a chopped pair take turns on a sample clock twice as fast as either.
fn sample_rate_hz(channels: &[Series]) -> f64 {
    let period_s = channels.iter().map(|series| series.period_s).fold(f64::INFINITY, f64::min);
    let starts_s = channels.iter().map(|series| series.start_s);
    let (first_s, last_s) = starts_s.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), start_s| {
        (low.min(start_s), high.max(start_s))
    });
    let chopped = (last_s - first_s - period_s / 2.0).abs() < JITTER * period_s;
    let rate_hz = if chopped { 2.0 / period_s } else { 1.0 / period_s };
    let whole = rate_hz.round();
    if (rate_hz - whole).abs() <= rate_hz * 1e-12 { whole } else { rate_hz }
}

#[cfg(test)]
mod tests;

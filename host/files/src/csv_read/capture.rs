//! The rows of a capture, column by column.

use super::lines::Line;
use crate::spacing::{self, JITTER};
use crate::{MAX_SAMPLES, ReadError};
use scopething_waveform::waveform::{Channel, Details, Samples, Series, Waveform};

/// What was read of a capture.
pub(super) struct Capture {
    columns: Vec<Column>,
    /// Samples of all channels.
    samples: usize,
    latest_s: f64,
}

impl Capture {
    /// One without rows; its columns, after that of the times, are these channels.
    pub(super) fn new(channels: &[Channel]) -> Self {
        let columns = channels.iter().copied().map(Column::new).collect();
        Self { columns, samples: 0, latest_s: f64::NEG_INFINITY }
    }

    /// Takes a row: its time and the fields of the channels.
    pub(super) fn push<'f>(
        &mut self,
        line: Line<'_>,
        mut fields: impl Iterator<Item = &'f str>,
    ) -> Result<(), ReadError> {
        let time_s = self.time(line, fields.next().unwrap_or_default())?;
        self.latest_s = time_s;
        for column in &mut self.columns {
            let field =
                fields.next().ok_or_else(|| line.fault("there are fewer fields than in the header"))?;
            if !field.is_empty() {
                column.push(field, time_s, line.number).map_err(|reason| line.fault(reason))?;
                self.samples += 1;
            }
        }
        if fields.next().is_some() {
            return Err(line.fault("there are more fields than in the header"));
        }
        if self.samples > MAX_SAMPLES { Err(ReadError::TooLong) } else { Ok(()) }
    }

    fn time(&self, line: Line<'_>, field: &str) -> Result<f64, ReadError> {
        match field.parse::<f64>() {
            Ok(time_s) if time_s.is_finite() && time_s > self.latest_s => Ok(time_s),
            Ok(time_s) if time_s.is_finite() => {
                Err(line.fault(format!("time {field} is not after the one before; sort the rows by time")))
            }
            _ => Err(line.fault(format!("{field:?} is not a time in seconds"))),
        }
    }

    /// The waveform of all rows; `end` is the number of the line where they end.
    pub(super) fn recording(mut self, details: Details, end: u64) -> Result<Waveform, ReadError> {
        self.columns.retain(|column| !column.times_s.is_empty());
        let longest = self.columns.iter().max_by_key(|column| column.times_s.len());
        let period_s = longest.and_then(|column| spacing::period_s(&column.times_s));
        let period_s = period_s.ok_or_else(|| ReadError::Line {
            line: end,
            reason: "the capture ends before a second sample, so that there is no sample rate".to_owned(),
        })?;
        let channels = self.columns.into_iter().map(|column| column.series(period_s));
        let channels = channels.collect::<Result<Vec<_>, _>>()?;
        Ok(Waveform::new(sample_rate_hz(&channels), channels, details)?)
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

    /// A channel of a single sample takes the period of another.
    fn series(self, other_period_s: f64) -> Result<Series, ReadError> {
        let lines = self.lines;
        spacing::series(self.channel, &self.times_s, self.samples, other_period_s).map_err(|uneven| {
            let line = lines.get(uneven.index).copied().unwrap_or_default();
            ReadError::Line { line, reason: uneven.to_string() }
        })
    }
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

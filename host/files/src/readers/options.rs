//! What to read of a file, and what the file does not state itself.

use std::str::FromStr;

use thiserror::Error;

use scopething_waveform::waveform::{Series, Waveform};

use crate::ReadError;
use crate::readers::assign::{Candidate, assign};
use crate::readers::spacing::whole_picoseconds;

/// What to read of a file. The default reads all that a trace has room for, as the file states it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReadOptions {
    /// The channels to read, by the names they have in the file or by those of the device; all if empty.
    pub channels: Vec<String>,
    /// What the columns of a table are; by their names if absent.
    pub columns: Option<ColumnChoice>,
    /// Samples a second of the fastest channel, in hertz, in place of what the file states: times are stretched from
    /// the first sample on.
    pub rate_hz: Option<f64>,
    /// Lines of a text that are passed over before it is looked at.
    pub skip_lines: u64,
    /// The time of the first sample to read, in seconds on the time axis of the file.
    pub from_s: Option<f64>,
    /// How long a part to read, in seconds.
    pub for_s: Option<f64>,
}

impl ReadOptions {
    /// A waveform that was read with the times of the file, at the rate that is to take the place of the file's.
    pub(crate) fn at_rate(&self, waveform: Waveform) -> Result<Waveform, ReadError> {
        let Some(rate_hz) = self.rate_hz else { return Ok(waveform) };
        let shortest_s =
            waveform.channels().iter().map(|series| series.period_s).fold(f64::INFINITY, f64::min);
        let scale = (rate_hz * shortest_s).recip();
        if (scale - 1.0).abs() < 1e-12 {
            return Ok(waveform);
        }
        let begin_s = waveform.start_s();
        let stretched = |time_s: f64| begin_s + (time_s - begin_s) * scale;
        let mut details = waveform.details().clone();
        if let Some(trigger) = &mut details.trigger {
            trigger.time_s = stretched(trigger.time_s);
        }
        let channels = waveform.channels().iter().map(|series| Series {
            start_s: stretched(series.start_s),
            period_s: whole_picoseconds(series.period_s * scale),
            ..series.clone()
        });
        Ok(Waveform::new(waveform.sample_rate_hz() / scale, channels.collect(), details)?)
    }

    /// Whether a trace is read from its first sample to its last.
    pub(crate) fn read_all(&self) -> bool {
        self.from_s.is_none() && self.for_s.is_none()
    }

    /// The part to read: its first time, and the time it ends before.
    pub(crate) fn window(&self) -> Window {
        Window { from_s: self.from_s, for_s: self.for_s }
    }
}

/// A part of a trace, in seconds on its time axis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Window {
    from_s: Option<f64>,
    for_s: Option<f64>,
}

impl Window {
    /// The part of a trace that begins at this time, in seconds: a part without a begin begins there.
    pub(crate) fn beginning_at(self, start_s: f64) -> Self {
        let from_s = self.from_s.or_else(|| self.for_s.map(|_| start_s));
        Self { from_s, ..self }
    }

    /// Whether a time in seconds lies in it.
    pub(crate) fn contains(self, time_s: f64) -> bool {
        let from_s = self.from_s.unwrap_or(f64::NEG_INFINITY);
        let end_s = match (self.from_s, self.for_s) {
            (Some(from_s), Some(for_s)) => from_s + for_s,
            _ => f64::INFINITY,
        };
        time_s >= from_s - rounding_s(from_s) && time_s < end_s - rounding_s(end_s)
    }

    /// Which samples of a series lie in it: from the first one on, and how many at most.
    pub(crate) fn of(self, start_s: f64, period_s: f64) -> (u64, u64) {
        // What was computed in two ways may differ by a rounding.
        const ROUNDING: f64 = 1e-6;
        let begin_s = self.from_s.unwrap_or(start_s);
        let first = ((begin_s - start_s) / period_s - ROUNDING).ceil().max(0.0);
        let end = self.for_s.map_or(f64::INFINITY, |for_s| {
            ((begin_s + for_s - start_s) / period_s - ROUNDING).ceil().max(0.0)
        });
        (first as u64, (end - first).max(0.0) as u64)
    }
}

/// What was asked for of a trace that was read as a whole.
pub(crate) fn part_of(whole: Waveform, options: &ReadOptions) -> Result<Waveform, ReadError> {
    if *options == (ReadOptions { skip_lines: options.skip_lines, ..ReadOptions::default() }) {
        return Ok(whole);
    }
    let candidate = |series: &Series| {
        let name = series.label.clone().unwrap_or_else(|| series.channel.to_string());
        Candidate { prefers: Some(series.channel), ..Candidate::new(name, series.channel.is_analog()) }
    };
    let candidates: Vec<Candidate> = whole.channels().iter().map(candidate).collect();
    let chosen = assign(&candidates, &options.channels, &mut Vec::new())?;
    let mut channels = Vec::new();
    for one in chosen {
        let Some(series) = whole.channels().get(one.index) else { continue };
        let (start_s, period_s) = (series.start_s, series.period_s);
        let (first, count) = options.window().of(start_s, period_s);
        let samples = series.samples.part(first, count);
        channels.push(Series { start_s: start_s + first as f64 * period_s, samples, ..series.clone() });
    }
    channels.retain(|series| !series.samples.is_empty());
    if channels.is_empty() {
        let (start_s, end_s) = (whole.start_s(), whole.end_s());
        return Err(ReadError::NothingThere { from_s: options.from_s.unwrap_or(start_s), start_s, end_s });
    }
    options.at_rate(Waveform::new(whole.sample_rate_hz(), channels, whole.details().clone())?)
}

/// What a time that was computed in two ways may differ by.
fn rounding_s(time_s: f64) -> f64 {
    if time_s.is_finite() { 1e-9 * time_s.abs() + 1e-15 } else { 0.0 }
}

/// Which columns of a table are the time and the channels, such as `time=2,A=CH1,SCL=5`.
///
/// ```
/// use scopething_files::ColumnChoice;
///
/// let choice: ColumnChoice = "time=2,A=CH1".parse()?;
/// assert_eq!(choice.to_string(), "time=2,A=CH1");
/// assert!("A".parse::<ColumnChoice>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnChoice {
    /// Name to be given, and number from 1 or name in the file.
    pub(crate) columns: Vec<(String, String)>,
}

/// What is no choice of columns.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0:?} names no column: write NAME=COLUMN with the column's number or name, as in time=2,A=CH1")]
pub struct InvalidColumns(String);

impl FromStr for ColumnChoice {
    type Err = InvalidColumns;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let column = |part: &str| match part.split_once('=') {
            Some((name, column)) if !name.trim().is_empty() && !column.trim().is_empty() => {
                Ok((name.trim().to_owned(), column.trim().to_owned()))
            }
            _ => Err(InvalidColumns(part.trim().to_owned())),
        };
        Ok(Self { columns: text.split(',').map(column).collect::<Result<_, _>>()? })
    }
}

impl std::fmt::Display for ColumnChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, (name, column)) in self.columns.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{name}={column}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_count_samples() {
        let window = |from_s, for_s| Window { from_s, for_s }.of(-1e-3, 1e-3);
        assert_eq!(window(None, None), (0, u64::MAX));
        assert_eq!(window(None, Some(2e-3)), (0, 2));
        assert_eq!(window(Some(0.0), Some(2e-3)), (1, 2));
        assert_eq!(window(Some(0.5e-3), Some(1e-3)), (2, 1));
        assert_eq!(window(Some(-5.0), Some(1.0)), (0, 0));
    }
}

//! Channels as logic levels over one time base, for sigrok.

use std::io::{self, BufWriter, Write as _};

use tempfile::NamedTempFile;

use super::sigrok;
use scopething_waveform::waveform::{Samples, Series, Waveform};

/// The channels of a waveform, as logic levels at the rate of the fastest.
pub(super) struct LogicLevels<'a> {
    waveform: &'a Waveform,
    threshold: Option<f64>,
    start_s: f64,
    period_s: f64,
    count: usize,
}

/// A channel with the level from which on it is high.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thresholded<'a> {
    series: &'a Series,
    threshold: f32,
}

impl PartialEq for Thresholded<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.series.channel == other.series.channel
    }
}

/// Levels in a file, which is removed with this.
pub(super) struct Written {
    file: NamedTempFile,
    lines: usize,
    rate_hz: u64,
}

impl<'a> LogicLevels<'a> {
    /// Analog channels change at the threshold, in volts or as a fraction of the range of a raw capture.
    pub(super) fn new(waveform: &'a Waveform, threshold: Option<f64>) -> Self {
        let periods = waveform.channels().iter().map(|series| series.period_s);
        let period_s = periods.fold(f64::INFINITY, f64::min);
        let start_s = waveform.start_s();
        let ends = waveform.channels().iter().map(|series| series.timestamp(series.samples.len()));
        let end_s = ends.fold(start_s, f64::max);
        let count = ((end_s - start_s) / period_s).round().max(0.0) as usize;
        Self { waveform, threshold, start_s, period_s, count }
    }

    /// Samples a second, in hertz.
    pub(super) fn rate_hz(&self) -> f64 {
        self.period_s.recip()
    }

    /// When a sample was taken, in seconds.
    pub(super) fn time_s(&self, sample: u64) -> f64 {
        self.start_s + sample as f64 * self.period_s
    }

    /// The channel of this name, or with this label.
    pub(super) fn line(&self, name: &str) -> Option<Thresholded<'a>> {
        let is_named = |series: &&Series| {
            series.channel.to_string().eq_ignore_ascii_case(name) || series.label.as_deref() == Some(name)
        };
        let series = self.waveform.channels().iter().find(is_named)?;
        let (low, high) = series.samples.extent().unwrap_or_default();
        let threshold = match series.samples {
            Samples::Levels(_) => 0.5,
            _ => self.threshold.map_or(f32::midpoint(low, high), |threshold| threshold as f32),
        };
        Some(Thresholded { series, threshold })
    }

    /// The names of all channels.
    pub(super) fn names(&self) -> String {
        let names: Vec<String> =
            self.waveform.channels().iter().map(|series| series.channel.to_string()).collect();
        names.join(" ")
    }

    /// Writes these lines to a file, a bit each, the first the lowest.
    pub(super) fn write(&self, lines: &[Thresholded<'_>]) -> io::Result<Written> {
        let file = tempfile::Builder::new()
            .prefix("scopething-")
            .suffix(".bin")
            .tempfile_in(crate::spool::directory())?;
        let mut out = BufWriter::new(&file);
        let mut sample = vec![0; lines.len().div_ceil(8).max(1)];
        for index in 0..self.count {
            sample.fill(0);
            for (number, line) in lines.iter().enumerate() {
                if line.is_high(self.time_s(index as u64))
                    && let Some(byte) = sample.get_mut(number / 8)
                {
                    *byte |= 1 << (number % 8);
                }
            }
            out.write_all(&sample)?;
        }
        out.flush()?;
        drop(out);
        Ok(Written { file, lines: lines.len(), rate_hz: (self.rate_hz().round() as u64).max(1) })
    }
}

impl Thresholded<'_> {
    /// The level at a time: that of the sample before it, or of the first or last one beyond them.
    fn is_high(&self, time_s: f64) -> bool {
        let Series { start_s, period_s, samples, .. } = self.series;
        // What was rounded in between must not take the sample before.
        let index = ((time_s - start_s) / period_s + 1e-6).floor().max(0.0) as usize;
        let last = samples.len().saturating_sub(1);
        samples.get(index.min(last)).is_some_and(|value| value > self.threshold)
    }
}

impl Written {
    pub(super) fn described(&self) -> sigrok::Samples<'_> {
        sigrok::Samples { file: self.file.path(), lines: self.lines, rate_hz: self.rate_hz }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_waveform::waveform::{Channel, Details};

    #[test]
    fn channels_of_different_rates_share_one_time_base() {
        let mut named = Series::new(Channel::L[1], 0.0, 1e-6, Samples::Levels(vec![0, 1, 1, 0, 0, 1]));
        named.label = Some("SCL".to_owned());
        // Every other sample, half a sample later.
        let analog = Series::new(Channel::A, 0.5e-6, 2e-6, Samples::Volts(vec![3.0, 0.0, 3.0]));
        let waveform = Waveform::new(1e6, vec![analog, named], Details::default()).unwrap();
        let levels = LogicLevels::new(&waveform, None);
        let lines = [levels.line("SCL").unwrap(), levels.line("a").unwrap()];
        let written = levels.write(&lines).unwrap();
        assert_eq!((written.lines, written.rate_hz), (2, 1_000_000));
        let bytes = std::fs::read(written.described().file).unwrap();
        // Of the last analog sample up to its end.
        assert_eq!(bytes, [0b10, 0b11, 0b11, 0b00, 0b00, 0b11, 0b11]);
        assert!(levels.line("L2").is_none() && levels.line("SDA").is_none());
        assert_eq!(levels.names(), "A L1");
        let higher = LogicLevels::new(&waveform, Some(3.5));
        assert!(higher.write(&[higher.line("A").unwrap()]).is_ok_and(|written| {
            std::fs::read(written.described().file).is_ok_and(|bytes| bytes.iter().all(|&byte| byte == 0))
        }));
    }
}

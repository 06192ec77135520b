//! A waveform as rows of one sample time each, for formats that are tables.
//!
//! A channel that has no sample at a time has none in its row: the two channels of a chopped pair take turns.

use scopething_waveform::waveform::{Series, Waveform};

/// The most channels that a waveform has: A, B, L0 to L7, each once.
const MAX_CHANNELS: usize = 10;

/// One sample time.
pub struct Row {
    time_s: f64,
    indices: [Option<usize>; MAX_CHANNELS],
}

impl Row {
    /// Seconds from the start of the capture.
    pub fn time_s(&self) -> f64 {
        self.time_s
    }

    /// Which sample each channel has here, in the order of the waveform's channels.
    pub fn indices(&self) -> impl Iterator<Item = Option<usize>> + '_ {
        self.indices.iter().copied()
    }
}

/// The rows of a waveform, the earliest first.
pub struct Rows<'r> {
    channels: &'r [Series],
    /// Of each channel, which sample comes next and when; never, after the last one.
    next: [(usize, f64); MAX_CHANNELS],
}

impl<'r> Rows<'r> {
    /// All rows of a waveform.
    #[must_use]
    pub fn of(recording: &'r Waveform) -> Self {
        let channels = recording.channels();
        let mut next = [(0, f64::INFINITY); MAX_CHANNELS];
        for (series, next) in channels.iter().zip(&mut next) {
            next.1 = time_s(series, 0);
        }
        Self { channels, next }
    }
}

/// When a sample was taken; never, after the last one.
fn time_s(series: &Series, index: usize) -> f64 {
    if index < series.samples.len() { series.timestamp(index) } else { f64::INFINITY }
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let next = self.next.iter().take(self.channels.len());
        let row_s = next.fold(f64::INFINITY, |least_s, &(_, next_s)| next_s.min(least_s));
        if row_s == f64::INFINITY {
            return None;
        }
        let mut indices = [None; MAX_CHANNELS];
        for ((series, next), index) in self.channels.iter().zip(&mut self.next).zip(&mut indices) {
            // Times that differ by less than this are one time, computed in two ways.
            if next.1 <= row_s + series.period_s * 1e-6 {
                *index = Some(next.0);
                *next = (next.0 + 1, time_s(series, next.0 + 1));
            }
        }
        Some(Row { time_s: row_s, indices })
    }
}

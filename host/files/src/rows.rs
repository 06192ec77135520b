//! A waveform as rows of one sample time each, for formats that are tables.
//!
//! A channel that has no sample at a time has none in its row: the two channels of a chopped pair take turns.

use scopething_waveform::waveform::{Outline, SeriesOutline, Waveform};

use crate::pieces::Held;

/// The most channels that a waveform has: A, B, L0 to L7, each once.
pub(crate) const MAX_CHANNELS: usize = 10;

/// The most rows that are kept in memory, which `parquet` writes as a group and a stream into `sr` as a chunk: a minute at a
/// few kilohertz, some megabytes, and an index of few groups.
pub const MAX_BUFFERED_ROWS: usize = 1 << 18;

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
pub struct Rows {
    channels: Vec<SeriesOutline>,
    /// Whether all channels have their samples at the same times.
    in_step: bool,
    /// Of each channel, which sample comes next and when; never, after the last one.
    next: [(usize, f64); MAX_CHANNELS],
}

impl Rows {
    /// All rows of a waveform.
    #[must_use]
    pub fn of(recording: &Waveform) -> Self {
        Self::of_outline(&Outline::from(recording))
    }

    /// All rows of a waveform whose samples need not be there yet.
    pub(crate) fn of_outline(outline: &Outline) -> Self {
        let channels = outline.channels.clone();
        let times = |series: &SeriesOutline| (series.start_s, series.period_s, series.count);
        let in_step = channels.windows(2).all(|pair| pair.first().map(times) == pair.last().map(times));
        let mut next = [(0, f64::INFINITY); MAX_CHANNELS];
        for (series, next) in channels.iter().zip(&mut next) {
            next.1 = time_s(series, 0);
        }
        Self { channels, in_step, next }
    }

    /// The next row, if all of its samples came.
    pub(crate) fn next_of(&mut self, held: &Held) -> Option<Row> {
        let mut waiting = self.next.iter().zip(&self.channels).enumerate();
        let is_there = waiting.all(|(at, (next, series))| next.0 == series.count || held.came(at) > next.0);
        if is_there { self.next() } else { None }
    }

    /// Drops the samples that no row needs any more.
    pub(crate) fn drop_passed(&self, held: &mut Held) {
        for (at, (next, _)) in self.next.iter().enumerate().take(self.channels.len()) {
            held.drop_before(at, *next);
        }
    }
}

/// When a sample was taken; never, after the last one.
fn time_s(series: &SeriesOutline, index: usize) -> f64 {
    if index < series.count { series.timestamp(index) } else { f64::INFINITY }
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let mut indices = [None; MAX_CHANNELS];
        if self.in_step {
            let (index, row_s) = *self.next.first()?;
            let following = (index + 1, time_s(self.channels.first()?, index + 1));
            for (next, place) in self.next.iter_mut().zip(&mut indices).take(self.channels.len()) {
                *next = following;
                *place = Some(index);
            }
            return (row_s < f64::INFINITY).then_some(Row { time_s: row_s, indices });
        }
        let next = self.next.iter().take(self.channels.len());
        let row_s = next.fold(f64::INFINITY, |least_s, &(_, next_s)| next_s.min(least_s));
        if row_s == f64::INFINITY {
            return None;
        }
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

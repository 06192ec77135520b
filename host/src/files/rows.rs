//! A recording as rows of one sample time each, for formats that are tables.
//!
//! A channel that has no sample at a time has none in its row: the two channels of a chopped pair take turns.

use crate::recording::{Recording, Series};

/// The most channels that a recording has: A, B, L0 to L7, each once.
const MAX_CHANNELS: usize = 10;

/// One sample time.
pub(crate) struct Row {
    time_s: f64,
    indices: [Option<usize>; MAX_CHANNELS],
}

impl Row {
    /// Seconds from the start of the capture.
    pub(crate) fn time_s(&self) -> f64 {
        self.time_s
    }

    /// Which sample each channel has here, in the order of the recording's channels.
    pub(crate) fn indices(&self) -> impl Iterator<Item = Option<usize>> + '_ {
        self.indices.iter().copied()
    }
}

/// The rows of a recording, the earliest first.
pub(crate) struct Rows<'r> {
    channels: &'r [Series],
    next: [usize; MAX_CHANNELS],
}

impl<'r> Rows<'r> {
    pub(crate) fn of(recording: &'r Recording) -> Self {
        Self { channels: recording.channels(), next: [0; MAX_CHANNELS] }
    }

    /// The channels that still have samples, with the number of the next one and where it is counted.
    fn pending(&mut self) -> impl Iterator<Item = (&'r Series, &mut usize)> {
        let channels = self.channels.iter().zip(&mut self.next);
        channels.filter(|(series, next)| **next < series.samples.len())
    }
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let times_s = self.pending().map(|(series, next)| series.timestamp(*next));
        let time_s = times_s.min_by(f64::total_cmp)?;
        let mut indices = [None; MAX_CHANNELS];
        for ((series, next), index) in self.channels.iter().zip(&mut self.next).zip(&mut indices) {
            // Times that differ by less than this are one time, computed in two ways.
            let same_s = time_s + series.period_s * 1e-6;
            if *next < series.samples.len() && series.timestamp(*next) <= same_s {
                *index = Some(*next);
                *next += 1;
            }
        }
        Some(Row { time_s, indices })
    }
}

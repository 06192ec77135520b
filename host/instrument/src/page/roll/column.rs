//! The frames that become one column of the screen.

use scopething_core::plan::{AnalogChannel, Channel, LogicLine, StreamPlan};
use scopething_core::scope::StreamFrame;

/// The frames of a column. Of none: what leaves the extremes of others as they are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Column {
    pub(super) low: [u8; 2],
    pub(super) high: [u8; 2],
    pub(super) sum: [u32; 2],
    /// The lines that were high all the time, and those that were at any time.
    pub(super) all: u8,
    pub(super) any: u8,
    /// In how many frames each line was high.
    highs: [u32; 8],
    pub(super) frames: u32,
}

impl Column {
    pub(super) const EMPTY: Self =
        Self { low: [u8::MAX; 2], high: [0; 2], sum: [0; 2], all: u8::MAX, any: 0, highs: [0; 8], frames: 0 };

    pub(super) fn add(&mut self, frame: StreamFrame, places: &Places) {
        for (index, place) in places.analog.iter().enumerate() {
            let Some(&sample) = place.and_then(|place| frame.samples.get(place)) else { continue };
            if let (Some(low), Some(high), Some(sum)) =
                (self.low.get_mut(index), self.high.get_mut(index), self.sum.get_mut(index))
            {
                *low = sample.min(*low);
                *high = sample.max(*high);
                *sum += u32::from(sample);
            }
        }
        let levels = places.logic.and_then(|place| frame.samples.get(place)).copied().unwrap_or(0);
        self.all &= levels;
        self.any |= levels;
        for (line, highs) in self.highs.iter_mut().enumerate() {
            *highs += u32::from((levels >> line) & 1);
        }
        self.frames += 1;
    }

    /// The level that each line had most of the time, high where it had both as long.
    pub(super) fn levels(&self) -> u8 {
        let is_high = |highs: u32| u8::from(highs > 0 && 2 * highs >= self.frames);
        self.highs.iter().rev().fold(0, |levels, highs| levels << 1 | is_high(*highs))
    }
}

/// Where the samples of a frame are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Places {
    analog: [Option<usize>; 2],
    logic: Option<usize>,
    pub(super) lines: u8,
}

impl Places {
    pub(super) fn of(plan: &StreamPlan) -> Self {
        let lines = plan.channels.logic();
        let line = LogicLine::all().find(|line| lines & line.bit() != 0);
        Self {
            analog: AnalogChannel::ALL.map(|channel| plan.place(channel.into())),
            logic: line.and_then(|line| plan.place(Channel::Logic(line))),
            lines,
        }
    }
}

//! What is known of a capture besides its samples.

use std::collections::BTreeMap;

use scopething_core::plan::{Channel, TriggerSource, TriggerType};
use scopething_core::trace::{EndReason, TriggerPoint};

use super::Settings;
use crate::moment::UnixMicros;

/// Where and on what a capture triggered.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// When, in seconds from the start of the capture, on the axis of the samples' timestamps.
    pub time_s: f64,
    /// The level of an analog trigger, in the unit of the analog samples; `None` for a logic pattern.
    pub level: Option<f64>,
    /// What the signal had to do there.
    pub kind: TriggerType,
    /// What was watched, as the user wrote it: `A`, or a pattern such as `L3=1,L5=0`.
    pub source: String,
}

/// The lowest and highest level that the analog channels were set to show, in the unit of the analog samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The bottom of the range.
    pub low: f64,
    /// The top of the range.
    pub high: f64,
}

/// Why traces may be missing between a trace and the one recorded before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The recording started here.
    Start,
    /// The link to the device was lost.
    Link,
    /// The device or the link gave traces that made no sense.
    BadTraces,
    /// The computer's clock was set, so that times before and after do not compare.
    ClockSet,
    /// Traces were given up, since neither disk nor memory had room for them.
    NoRoom,
    /// The link could not carry all frames of a stream.
    LostFrames,
}

impl Gap {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Start, Self::Link, Self::BadTraces, Self::ClockSet, Self::NoRoom, Self::LostFrames];

    /// The one of this [`name`](Self::name).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|gap| gap.name() == name)
    }

    /// Its name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Link => "link",
            Self::BadTraces => "bad traces",
            Self::ClockSet => "clock set",
            Self::NoRoom => "no room",
            Self::LostFrames => "lost frames",
        }
    }
}

/// The place of a trace among those that a job records.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stamp {
    /// Counts the traces of the job from 1 on.
    pub number: u64,
    /// When the capture started, by the computer's clock.
    pub clock: UnixMicros,
    /// Whether traces may be missing before this one, and why.
    pub gap: Option<Gap>,
}

/// What is known of a capture besides its samples. Files of other programs know little of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// When the capture started, in seconds of device time.
    pub capture_start_s: Option<f64>,
    /// Why it ended.
    pub cause: Option<EndReason>,
    /// Where it triggered; `None` also when it ended for another reason.
    pub trigger: Option<Trigger>,
    /// What the analog channels were set to show: the range that spans those of all of them.
    pub range: Option<Range>,
    /// What each of them was set to show, where that differs, as with two probes that divide by different factors.
    pub ranges: Vec<(Channel, Range)>,
    /// The name of the trace mode, such as `Macro`.
    pub mode: Option<String>,
    /// What the user should know of how the capture was made, one sentence each.
    pub warnings: Vec<String>,
    /// Its place among the traces of a job, if it was recorded by one.
    pub stamp: Option<Stamp>,
    /// What it was made with, enough to repeat it.
    pub settings: Option<Box<Settings>>,
}

impl Details {
    /// What an analog channel was set to show; `None` where that is not known.
    #[must_use]
    pub fn range_of(&self, channel: Channel) -> Option<Range> {
        let own = self.ranges.iter().find(|(one, _)| *one == channel).map(|(_, range)| *range);
        own.or(self.range)
    }

    /// The [`ranges`](Self::ranges) as files have them: bottom and top by the name of the channel. `None` if all are the
    /// same.
    #[must_use]
    pub fn named_ranges(&self) -> Option<BTreeMap<String, [f64; 2]>> {
        let named = self.ranges.iter().map(|(channel, range)| (channel.to_string(), [range.low, range.high]));
        (!self.ranges.is_empty()).then(|| named.collect())
    }

    /// The ranges that a file has; those of no channel are left out.
    #[must_use]
    pub fn ranges_named(named: &BTreeMap<String, [f64; 2]>) -> Vec<(Channel, Range)> {
        let range = |(name, [low, high]): (&String, &[f64; 2])| {
            Some((name.parse().ok()?, Range { low: *low, high: *high }))
        };
        named.iter().filter_map(range).collect()
    }
}

impl From<TriggerPoint> for Trigger {
    fn from(point: TriggerPoint) -> Self {
        let analog = matches!(point.source, TriggerSource::Analog(_));
        Self {
            time_s: point.time_s,
            level: analog.then_some(point.level),
            kind: point.trigger_type,
            source: point.source.to_string(),
        }
    }
}

//! A trace as it is drawn: volts over seconds from the trigger, whatever was made of the samples.

use scopething_serve::client::{About, Frame, FrameChannel, Kind, Layout};
use scopething_waveform::measure::AmplitudeSpectrum;

use super::knobs::Side;

/// Where a line comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Channel(Side),
    /// Both channels combined.
    Math,
}

impl Source {
    pub(super) const A: Self = Self::Channel(Side::A);
    pub(super) const B: Self = Self::Channel(Side::B);

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Channel(side) => side.name(),
            Self::Math => "M",
        }
    }
}

/// A line of volts (or their squares), with an element at even distances in time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) source: Source,
    /// When the first element begins, in seconds from the trigger.
    pub(super) start_s: f64,
    /// Seconds from an element to the next.
    pub(super) pitch_s: f64,
    /// The lowest and the highest of each element; the same one twice where an element is a sample.
    pub(super) values: Vec<(f64, f64)>,
    /// Whether each element is a sample.
    pub(super) is_samples: bool,
}

impl Line {
    pub(super) fn time_s(&self, element: usize) -> f64 {
        self.start_s + element as f64 * self.pitch_s
    }

    /// One value for each element: of extremes, the middle.
    pub(super) fn middles(&self) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().map(|(low, high)| f64::midpoint(*low, *high))
    }

    /// The value at a place between elements; before the first and behind the last, that one.
    pub(super) fn at(&self, place: f64) -> Option<f64> {
        let last = self.values.len().checked_sub(1)?;
        let place = place.clamp(0.0, last as f64);
        let index = (place as usize).min(last);
        let middle = |index: usize| self.values.get(index).map(|(low, high)| f64::midpoint(*low, *high));
        let (one, part) = (middle(index)?, place - index as f64);
        Some(middle(index + 1).map_or(one, |other| one * (1.0 - part) + other * part))
    }
}

/// A trace as it is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Picture {
    pub(super) about: About,
    pub(super) lines: Vec<Line>,
    pub(super) logic: Option<FrameChannel>,
    /// How many traces its lines are the mean of.
    pub(super) averaged: u32,
    /// The spectrum that was asked for, or why there is none.
    pub(super) spectrum: Option<Result<AmplitudeSpectrum, String>>,
}

impl Picture {
    pub(super) fn of(frame: &Frame) -> Self {
        let analog = |channel: &FrameChannel| {
            let side = Side::BOTH.into_iter().find(|side| side.name() == channel.block.name)?;
            (channel.block.kind == Kind::Volts).then(|| Line {
                source: Source::Channel(side),
                start_s: channel.time_s(0) - frame.about.trigger,
                pitch_s: channel.time_s(1) - channel.time_s(0),
                values: channel.volts().collect(),
                is_samples: channel.block.layout == Layout::Samples,
            })
        };
        Self {
            about: frame.about.clone(),
            lines: frame.channels.iter().filter_map(analog).collect(),
            logic: frame.channels.iter().find(|channel| channel.block.kind == Kind::Logic).cloned(),
            averaged: 1,
            spectrum: None,
        }
    }

    pub(super) fn line(&self, source: Source) -> Option<&Line> {
        self.lines.iter().find(|line| line.source == source)
    }
}

#[cfg(test)]
impl Picture {
    /// A trace of a number with lines of samples, a microsecond apart, that were triggered in their middle.
    pub(super) fn of_samples(seq: u64, lines: &[(Source, &dyn Fn(f64) -> f64)]) -> Self {
        const SAMPLES: usize = 4000;
        let about = serde_json::json!({
            "seq": seq, "ended": "trigger", "unix_ms": 0, "changes": 1, "rate": 1e6, "duration": 4e-3, "trigger": 2e-3,
            "dead": null, "seen": null, "mode": null, "warnings": [], "settings": "",
        });
        let line = |(source, volts): &(Source, &dyn Fn(f64) -> f64)| {
            let values = (0..SAMPLES).map(|sample| volts(sample as f64 * 1e-6 - 2e-3));
            Line {
                source: *source,
                start_s: -2e-3,
                pitch_s: 1e-6,
                values: values.map(|volts| (volts, volts)).collect(),
                is_samples: true,
            }
        };
        Self {
            about: serde_json::from_value(about).unwrap(),
            lines: lines.iter().map(line).collect(),
            logic: None,
            averaged: 1,
            spectrum: None,
        }
    }
}

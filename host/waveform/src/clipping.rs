//! Samples at the ends of a range: the signal went beyond, nobody knows how far.

use std::fmt;

use serde::Serialize;

use crate::waveform::{Range, Samples, Series, Waveform};

/// The fewest steps that a converter has over the range.
const MIN_STEPS: f32 = 256.0;

/// How many samples of a channel lie at the ends of what the channel was set to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Clipping {
    /// Samples at the bottom of the range.
    pub low: usize,
    /// Samples at the top of the range.
    pub high: usize,
}

impl Clipping {
    /// Counts the samples of a channel that lie at the ends of a range, which a signal that just reaches them does too.
    ///
    /// The highest value of a converter lies a step below the top of its range, and an offset between two channels
    /// moves both a little: the step is that from the extreme sample to the next value, at most a 256th of the range.
    /// What lies within one and a half steps of the top, or half a step of the bottom, is at the end.
    #[must_use]
    pub fn of(samples: &[f32], range: Range) -> Self {
        let (min, max) = extremes(samples);
        let count = |extreme: f32| samples.iter().filter(|&&sample| sample == extreme).count();
        let above_min = || {
            let next = |next, sample| if sample > min && sample < next { sample } else { next };
            fold(samples, f32::INFINITY, next)
        };
        let below_max = || {
            let next = |next, sample| if sample < max && sample > next { sample } else { next };
            fold(samples, f32::NEG_INFINITY, next)
        };
        let range = Bounds::of(range);
        Self {
            low: if range.holds_bottom(min, above_min) { count(min) } else { 0 },
            high: if range.holds_top(max, below_max) { count(max) } else { 0 },
        }
    }

    /// Whether any sample is at an end.
    #[must_use]
    pub fn is_any(self) -> bool {
        self != Self::default()
    }
}

/// A range, its bottom below its top, and the widest step of a converter over it.
struct Bounds {
    low: f32,
    high: f32,
    widest: f32,
}

impl Bounds {
    fn of(range: Range) -> Self {
        let (low, high) = (range.low.min(range.high) as f32, range.low.max(range.high) as f32);
        Self { low, high, widest: (high - low) / MIN_STEPS }
    }

    /// Whether the lowest sample is at the bottom. The next value above it is looked for only where even the widest step
    /// reaches the end.
    fn holds_bottom(&self, min: f32, above_min: impl FnOnce() -> f32) -> bool {
        let step = || above_min().min(min + self.widest) - min;
        min - 0.5 * self.widest <= self.low && min - 0.5 * step() <= self.low
    }

    /// Whether the highest sample is at the top.
    fn holds_top(&self, max: f32, below_max: impl FnOnce() -> f32) -> bool {
        let step = || max - below_max().max(max - self.widest);
        max + 1.5 * self.widest >= self.high && max + 1.5 * step() >= self.high
    }
}

/// The lowest and the highest of samples that come one by one, what is next to them, and how often they came.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    min: f32,
    above_min: f32,
    at_min: usize,
    max: f32,
    below_max: f32,
    at_max: usize,
}

impl Default for Ends {
    fn default() -> Self {
        let (min, max) = (f32::INFINITY, f32::NEG_INFINITY);
        Self { min, above_min: min, at_min: 0, max, below_max: max, at_max: 0 }
    }
}

impl Ends {
    /// Takes a finite sample.
    pub fn take(&mut self, sample: f32) {
        if sample < self.min {
            (self.above_min, self.min, self.at_min) = (self.min, sample, 1);
        } else if sample > self.min {
            self.above_min = self.above_min.min(sample);
        } else {
            self.at_min += 1;
        }
        if sample > self.max {
            (self.below_max, self.max, self.at_max) = (self.max, sample, 1);
        } else if sample < self.max {
            self.below_max = self.below_max.max(sample);
        } else {
            self.at_max += 1;
        }
    }

    /// As [`Clipping::of`] all samples that came.
    #[must_use]
    pub fn clipping(&self, range: Range) -> Clipping {
        let range = Bounds::of(range);
        let is_low = range.holds_bottom(self.min, || self.above_min);
        let is_high = range.holds_top(self.max, || self.below_max);
        Clipping { low: if is_low { self.at_min } else { 0 }, high: if is_high { self.at_max } else { 0 } }
    }
}

/// The lowest and the highest of the samples that are finite.
fn extremes(samples: &[f32]) -> (f32, f32) {
    let lowest = |low, sample| if sample < low && sample > f32::NEG_INFINITY { sample } else { low };
    let highest = |high, sample| if sample > high && sample < f32::INFINITY { sample } else { high };
    (fold(samples, f32::INFINITY, lowest), fold(samples, f32::NEG_INFINITY, highest))
}

/// The last of the results of a step that keeps one of two values, whatever their order. Every captured sample comes through
/// here: several are taken at a time, of which the compiler makes vectors.
fn fold(samples: &[f32], start: f32, step: impl Fn(f32, f32) -> f32) -> f32 {
    const LANES: usize = 8;
    let mut lanes = [start; LANES];
    let (chunks, rest) = samples.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &sample) in lanes.iter_mut().zip(chunk) {
            *lane = step(*lane, sample);
        }
    }
    lanes.into_iter().chain(rest.iter().copied()).fold(start, step)
}

impl fmt::Display for Clipping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self { low: 0, high: 0 } => f.write_str("no sample"),
            Self { low: 0, high } => write!(f, "{high} at the top"),
            Self { low, high: 0 } => write!(f, "{low} at the bottom"),
            Self { low, high } => write!(f, "{high} at the top, {low} at the bottom"),
        }
    }
}

impl Waveform {
    /// How many samples of a channel lie at the ends of the range; `None` for logic lines, and where the range is not
    /// known.
    #[must_use]
    pub fn clipping(&self, series: &Series) -> Option<Clipping> {
        match &series.samples {
            Samples::Volts(samples) => Some(Clipping::of(samples, self.details().range_of(series.channel)?)),
            Samples::Fractions(samples) => Some(Clipping::of(samples, Range { low: 0.0, high: 1.0 })),
            Samples::Levels(_) => None,
        }
    }

    /// A sentence for each channel with samples at the ends of the range.
    pub fn clipping_warnings(&self) -> impl Iterator<Item = String> {
        self.analog().filter_map(|series| {
            let clipping = self.clipping(series).filter(|clipping| clipping.is_any())?;
            let (channel, count) = (series.channel, series.samples.len());
            Some(format!(
                "{channel} is clipped: of {count} samples {clipping} of the range; a wider one shows how far it goes"
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waveform::{Channel, Details};

    const RANGE: Range = Range { low: -1.0, high: 1.0 };

    fn converted(bits: i32, amplitude: f32) -> Vec<f32> {
        let steps = 2_f32.powi(bits);
        let sample = |index: u16| amplitude * (f32::from(index) * 0.05).sin();
        let code = |volts: f32| ((volts + 1.0) * 0.5 * steps).floor().clamp(0.0, steps - 1.0);
        (0..1000).map(|index| -1.0 + 2.0 / steps * code(sample(index))).collect()
    }

    #[test]
    fn samples_at_both_ends_are_counted() {
        for bits in [8, 12] {
            let samples = converted(bits, 1.3);
            let ends = |end: f32| samples.iter().filter(|&&sample| sample == end).count();
            let expected = Clipping { low: ends(-1.0), high: ends(1.0 - 2.0_f32.powi(1 - bits)) };
            let mut one_by_one = Ends::default();
            for &sample in &samples {
                one_by_one.take(sample);
            }
            assert_eq!(one_by_one.clipping(RANGE), expected, "{bits} bits");
            assert!(expected.low > 100 && expected.high > 100);
            assert_eq!(Clipping::of(&samples, RANGE), expected, "{bits} bits");
        }
    }

    #[test]
    fn what_stays_inside_is_not_clipped() {
        for (bits, amplitude) in [(8, 0.98), (12, 0.998)] {
            let samples = converted(bits, amplitude);
            assert!(!Clipping::of(&samples, RANGE).is_any(), "{bits} bits");
            let mut one_by_one = Ends::default();
            for &sample in &samples {
                one_by_one.take(sample);
            }
            assert!(!one_by_one.clipping(RANGE).is_any(), "{bits} bits");
        }
        assert!(!Clipping::of(&[], RANGE).is_any());
        assert!(!Clipping::of(&[f32::NAN, 0.0], RANGE).is_any());
        let infinite = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 0.0];
        assert!(!Clipping::of(&infinite.repeat(9), RANGE).is_any());
    }

    /// Of two probes that divide by 10 and by 1, each has its own range.
    #[test]
    fn channels_are_clipped_at_their_own_ranges() {
        let wide = Range { low: -10.0, high: 10.0 };
        let series = |channel| Series::new(channel, 0.0, 1e-6, Samples::Volts(converted(8, 1.3)));
        let clipped = |ranges| {
            let channels = vec![series(Channel::A), series(Channel::B)];
            let details = Details { range: Some(wide), ranges, ..Details::default() };
            let waveform = Waveform::new(1e6, channels, details).unwrap();
            waveform.clipping_warnings().map(|warning| warning[..1].to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(clipped(vec![(Channel::A, wide), (Channel::B, RANGE)]), ["B"]);
        assert_eq!(clipped(Vec::new()), [""; 0]);
    }

    #[test]
    fn offset_between_the_channels_hides_nothing() {
        for offset in [-0.002, 0.002] {
            let samples: Vec<f32> = converted(8, 1.3).iter().map(|sample| sample + offset).collect();
            let clipping = Clipping::of(&samples, RANGE);
            assert!(clipping.low > 100 && clipping.high > 100, "{clipping:?}");
        }
        assert_eq!(Clipping::of(&[1.0; 50], RANGE), Clipping { low: 0, high: 50 });
    }
}

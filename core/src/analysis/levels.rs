//! Mean, RMS, extremes, top and base of a series.

use libm::sqrt;

/// Intervals of the histogram that top and base are read from, over the peak to peak.
const INTERVALS: usize = 64;

/// How many neighbouring intervals count as one level: a plateau with noise of 3 % RMS lies within them whole.
const PLATEAU_INTERVALS: usize = 7;

/// The levels of a series, in the unit of its samples: volts, or fractions of the range in a raw capture.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Levels {
    /// The sum of the samples over their number.
    pub mean: f64,
    /// The square root of the mean of the squared samples.
    pub rms: f64,
    /// The square root of the mean of the squared distances from the mean: the RMS without the DC part.
    pub ac_rms: f64,
    /// The lowest sample.
    pub min: f64,
    /// The highest sample.
    pub max: f64,
    /// `max` less `min`.
    pub peak_to_peak: f64,
    /// The upper level, by the histogram method: see [`Levels::of`].
    pub top: f64,
    /// The lower level, by the histogram method: see [`Levels::of`].
    pub base: f64,
    /// How far `max` exceeds `top`, as a fraction of `top - base`. `None` unless the series dwells at both levels.
    pub overshoot: Option<f64>,
    /// How far `min` falls below `base`, as a fraction of `top - base`. `None` unless the series dwells at both levels.
    pub undershoot: Option<f64>,
}

impl Levels {
    /// The levels of a series; `None` if it is empty or holds a sample that is not a finite number.
    ///
    /// Top and base are read from a histogram of 64 intervals between `min` and `max`. On each side of the middle the
    /// seven neighbouring intervals that hold most samples are looked for. If they hold more than half of that side's
    /// samples, the series dwells there, and the level is the median of the samples in them (to a 600th of the peak to
    /// peak), which a short overshoot hardly moves. Otherwise (a sine, a ramp) the level is the extreme itself.
    #[must_use]
    pub fn of(samples: &[f32]) -> Option<Self> {
        let (min, max) = extremes(samples)?;
        let count = samples.len() as f64;
        let mean = samples.iter().map(|&sample| f64::from(sample)).sum::<f64>() / count;
        let squares: f64 = samples.iter().map(|&sample| f64::from(sample) - mean).map(|off| off * off).sum();
        let variance = squares / count;
        let histogram = Histogram::new(samples, min, max);
        let (base, base_dwells) =
            histogram.level(samples, Side::Lower).map_or((min, false), |base| (base, true));
        let (top, top_dwells) = histogram.level(samples, Side::Upper).map_or((max, false), |top| (top, true));
        let share = |excess: f64| (base_dwells && top_dwells && top > base).then(|| excess / (top - base));
        Some(Self {
            mean,
            rms: sqrt(variance + mean * mean),
            ac_rms: sqrt(variance),
            min,
            max,
            peak_to_peak: max - min,
            top,
            base,
            overshoot: share(max - top),
            undershoot: share(base - min),
        })
    }

    /// The level at a fraction of the way from base to top.
    pub(super) fn at(&self, fraction: f64) -> f64 {
        self.base + fraction * (self.top - self.base)
    }
}

/// The lowest and the highest sample; `None` if there is none, or one that is not a finite number.
pub(super) fn extremes(samples: &[f32]) -> Option<(f64, f64)> {
    let mut bounds: Option<(f32, f32)> = None;
    for &sample in samples {
        if !sample.is_finite() {
            return None;
        }
        bounds = Some(bounds.map_or((sample, sample), |(min, max)| (min.min(sample), max.max(sample))));
    }
    bounds.map(|(min, max)| (f64::from(min), f64::from(max)))
}

#[derive(Clone, Copy)]
enum Side {
    Lower,
    Upper,
}

/// How many samples lie in each of equal intervals between two levels.
struct Histogram {
    low: f64,
    intervals_per_unit: f64,
    counts: [u32; INTERVALS],
}

impl Histogram {
    fn new(samples: &[f32], low: f64, high: f64) -> Self {
        let intervals_per_unit = if high > low { INTERVALS as f64 / (high - low) } else { 0.0 };
        let mut histogram = Self { low, intervals_per_unit, counts: [0; INTERVALS] };
        for &sample in samples.iter().filter(|&&sample| (low..=high).contains(&f64::from(sample))) {
            let interval = histogram.interval(sample);
            if let Some(count) = histogram.counts.get_mut(interval) {
                *count += 1;
            }
        }
        histogram
    }

    fn interval(&self, sample: f32) -> usize {
        (((f64::from(sample) - self.low) * self.intervals_per_unit) as usize).min(INTERVALS - 1)
    }

    /// Where an interval begins.
    fn begin(&self, interval: usize) -> f64 {
        let width = if self.intervals_per_unit > 0.0 { 1.0 / self.intervals_per_unit } else { 0.0 };
        self.low + interval as f64 * width
    }

    /// The level at which the series dwells on one side of the middle, if it does.
    fn level(&self, samples: &[f32], side: Side) -> Option<f64> {
        let (lower, upper) = self.counts.split_at(INTERVALS / 2);
        let (counts, start) = match side {
            Side::Lower => (lower, 0),
            Side::Upper => (upper, INTERVALS / 2),
        };
        let held = counts.windows(PLATEAU_INTERVALS).map(|window| window.iter().sum::<u32>());
        let (index, held) = held.enumerate().max_by_key(|&(_, held)| held)?;
        if held <= counts.iter().sum::<u32>() / 2 {
            return None;
        }
        let plateau = start + index;
        Self::new(samples, self.begin(plateau), self.begin(plateau + PLATEAU_INTERVALS)).median(samples)
    }

    /// The mean of the samples in the interval in which the middle one lies.
    fn median(&self, samples: &[f32]) -> Option<f64> {
        let half = self.counts.iter().sum::<u32>().div_ceil(2);
        let below = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        let middle = below.take_while(|&below| below < half).count();
        let range = self.begin(0)..=self.begin(INTERVALS);
        let inside = samples
            .iter()
            .filter(|&&sample| range.contains(&f64::from(sample)) && self.interval(sample) == middle);
        let (sum, count) =
            inside.fold((0.0, 0_u32), |(sum, count), &sample| (sum + f64::from(sample), count + 1));
        (count > 0).then(|| sum / f64::from(count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn assert_near(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() <= tolerance, "{value} is not {expected} within {tolerance}");
    }

    #[test]
    fn a_few_samples_by_hand() {
        let levels = Levels::of(&[1.0, 2.0, 3.0, 6.0]).unwrap();
        assert_eq!((levels.min, levels.max, levels.peak_to_peak), (1.0, 6.0, 5.0));
        assert_eq!(levels.mean, 3.0);
        assert_near(levels.rms, 12.5_f64.sqrt(), 1e-15);
        assert_near(levels.ac_rms, 3.5_f64.sqrt(), 1e-15);
    }

    #[test]
    fn sine_has_its_rms_and_no_plateaus() {
        let sine: Vec<f32> =
            (0..1000).map(|i| (0.5 + (f64::from(i) * 0.02 * core::f64::consts::PI).sin()) as f32).collect();
        let levels = Levels::of(&sine).unwrap();
        assert_near(levels.mean, 0.5, 1e-7);
        assert_near(levels.ac_rms, 0.5_f64.sqrt(), 1e-7);
        assert_near(levels.rms, 0.75_f64.sqrt(), 1e-7);
        assert_eq!((levels.top, levels.base), (levels.max, levels.min));
        assert_eq!((levels.overshoot, levels.undershoot), (None, None));
    }

    #[test]
    fn top_and_base_are_where_the_series_dwells() {
        // 100 samples of 0 V and 100 of 2 V, with overshoots of 0.5 V and 0.25 V over 5 samples each.
        let mut samples = [0.0_f32; 200];
        samples[100..].fill(2.0);
        samples[100..105].fill(2.5);
        samples[..5].fill(-0.25);
        let levels = Levels::of(&samples).unwrap();
        assert_eq!((levels.top, levels.base), (2.0, 0.0));
        assert_eq!((levels.overshoot, levels.undershoot), (Some(0.25), Some(0.125)));
    }

    #[test]
    fn mean_does_not_drift() {
        // 0.1 is not exact in binary: 12288 of them, added up in f32, are off by parts in 10^5.
        let levels = Levels::of(&std::vec![0.1; 12_288]).unwrap();
        assert_near(levels.mean, f64::from(0.1_f32), 1e-15);
        assert_near(levels.ac_rms, 0.0, 1e-15);
        assert_eq!((levels.top, levels.base), (f64::from(0.1_f32), f64::from(0.1_f32)));
        assert_eq!(levels.overshoot, None);
    }

    #[test]
    fn unsupported_series_have_none() {
        assert_eq!(Levels::of(&[]), None);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(Levels::of(&[1.0, bad, 2.0]), None);
        }
        let widest = Levels::of(&[f32::MIN, f32::MAX]).unwrap();
        assert!(widest.rms.is_finite() && widest.peak_to_peak.is_finite());
    }
}

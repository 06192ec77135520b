//! The periodic wave in a series: period, single wave, shape.

use super::fold::{Fold, MAX_BINS, PhaseClock};
use super::period::{period_samples, sawtooth_period_samples};
use super::pyramid::Pyramid;
use super::shape::{self, Shape};
use crate::trace::SampleTimes;

/// The periodic wave in a series. Levels are in the unit of the samples, times in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Wave {
    /// The period: the shift at which the series first matches itself as well as at any, fitted to all samples.
    pub period_s: f64,
    /// One over the period.
    pub frequency_hz: f64,
    /// Half the peak to peak of the shape that fits the averaged wave best; of the averaged wave itself if its shape
    /// is unknown.
    pub amplitude: f64,
    /// The middle between the extremes of that shape. It is not the mean: that of a square depends on its duty.
    pub offset: f64,
    /// When the averaged wave first rises through the offset, on the time axis of the samples, less than a period
    /// after the first of them.
    pub start_s: f64,
    /// Whole periods from `start_s` to the end of the series.
    pub count: usize,
    /// The shape; unknown if no known one is within 2.5 % of the peak to peak beyond what noise explains, or fewer
    /// than eight different phases were sampled.
    pub shape: Shape,
    /// The RMS of the distances between the averaged wave and the nearest shape, as a fraction of the averaged wave's
    /// peak to peak; also where that is too far and the shape unknown. `None` if no shape spans half of the wave, or
    /// there were too few phases to compare.
    pub shape_error: Option<f64>,
}

impl Wave {
    /// Looks for a period. `None` if there is none that repeats at least twice.
    pub(super) fn of(samples: &[f32], times: SampleTimes, scratch: &mut [i16]) -> Option<Self> {
        let pyramid = Pyramid::new(samples, scratch)?;
        let steps = pyramid.level(0);
        let folded =
            |period: f64| shape::matched(&Fold::new(steps, PhaseClock::new(period), parts(steps.len())));
        let mut period = period_samples(&pyramid)?;
        let mut matched = folded(period)?;
        if let Shape::Sawtooth { rising } = matched.shape {
            let jump = if rising { matched.rise + 0.5 } else { matched.rise };
            period = sawtooth_period_samples(steps, period, jump);
            matched = folded(period)?;
        }
        let period_s = period * times.period_s;
        let start = matched.rise * period;
        let wave = Self {
            period_s,
            frequency_hz: 1.0 / period_s,
            amplitude: pyramid.difference(matched.amplitude),
            offset: pyramid.value(matched.offset),
            start_s: times.time_s(0) + start * times.period_s,
            // The last sample stands for a whole sample period.
            count: ((steps.len() as f64 - start) / period) as usize,
            shape: matched.shape,
            shape_error: matched.error,
        };
        (period_s > 0.0 && wave.frequency_hz.is_finite() && wave.start_s.is_finite()).then_some(wave)
    }

    /// Fills `wave` with the averaged wave from `start_s` on: point k is the mean of all samples whose phase lies
    /// between k and k + 1 lengths of `wave`, on a straight line between its neighbours if there is none. `samples`
    /// and `times` are those that were analysed. The cost is that of one pass over the samples plus one step a point
    /// and period. Gives whether any sample was averaged.
    pub fn average(&self, samples: &[f32], times: SampleTimes, wave: &mut [f32]) -> bool {
        let period = self.period_s / times.period_s;
        let start = (self.start_s - times.time_s(0)) / times.period_s;
        let part = period / wave.len() as f64;
        if !(period >= 1.0 && start.is_finite()) {
            return false;
        }
        let periods = (samples.len() as f64 / period) as usize + 1;
        for (index, point) in wave.iter_mut().enumerate() {
            let first = start - period + index as f64 * part;
            let (mut sum, mut count) = (0.0, 0_u32);
            for turn in 0..=periods {
                let from = first + turn as f64 * period;
                let range = libm::ceil(from.max(0.0)) as usize..libm::ceil((from + part).max(0.0)) as usize;
                let end = range.end.min(samples.len());
                for &sample in samples.get(range.start..end).unwrap_or_default() {
                    sum += f64::from(sample);
                    count += 1;
                }
            }
            *point = if count > 0 { (sum / f64::from(count)) as f32 } else { f32::NAN };
        }
        bridge_gaps(wave)
    }
}

/// Parts of the period for a series of so many samples: some eight samples a part.
fn parts(samples: usize) -> usize {
    (samples / 8).clamp(16, MAX_BINS)
}

/// Replaces each run of NaN by the line between its neighbours around the period; false if all is NaN.
fn bridge_gaps(wave: &mut [f32]) -> bool {
    let length = wave.len();
    let Some(known) = wave.iter().position(|point| !point.is_nan()) else { return false };
    let mut before = (known, wave.get(known).copied().unwrap_or_default());
    for place in known + 1..=known + length {
        let here = wave.get(place % length).copied().unwrap_or_default();
        if here.is_nan() {
            continue;
        }
        let gap = (place - before.0) as f32;
        for inside in before.0 + 1..place {
            if let Some(point) = wave.get_mut(inside % length) {
                *point = before.1 + (here - before.1) * (inside - before.0) as f32 / gap;
            }
        }
        before = (place, here);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::scratch_length;
    use std::vec;
    use std::vec::Vec;

    const TIMES: SampleTimes = SampleTimes { start_s: 1e-6, period_s: 2e-6 };

    fn wave(samples: &[f32]) -> Option<Wave> {
        Wave::of(samples, TIMES, &mut vec![0; scratch_length(samples.len())])
    }

    #[test]
    fn square_on_the_channels_time_axis() {
        // Rises between samples 29 and 30, 129 and 130..: 9.705 periods of 100 samples follow.
        let samples: Vec<f32> = (0..1000).map(|i| if (i + 70) % 100 < 40 { 3.0 } else { 1.0 }).collect();
        let wave = wave(&samples).unwrap();
        assert!((wave.period_s - 200e-6).abs() < 1e-8);
        assert!((wave.start_s - (1e-6 + 29.5 * 2e-6)).abs() < 1e-6, "{wave:?}");
        assert_eq!(wave.count, 9);
        assert!((wave.amplitude - 1.0).abs() < 1e-3 && (wave.offset - 2.0).abs() < 1e-3);
        let Shape::Square { duty } = wave.shape else { panic!("{wave:?}") };
        assert!((duty - 0.4).abs() < 0.01);
    }

    #[test]
    fn averaged_wave_is_one_period() {
        let sine = |turn: f64| (core::f64::consts::TAU * turn).sin();
        let samples: Vec<f32> = (0..1000).map(|i| sine(f64::from(i) / 81.3 + 0.4) as f32).collect();
        let mut average = [0.0; 50];
        assert!(wave(&samples).unwrap().average(&samples, TIMES, &mut average));
        for (index, point) in average.iter().enumerate() {
            // The mean over a 50th of a period is that of its middle.
            assert!((f64::from(*point) - sine((index as f64 + 0.5) / 50.0)).abs() < 0.02, "{index}: {point}");
        }
    }

    #[test]
    fn empty_points_are_interpolated() {
        // Four samples a period, all at the same phases: five of eight points are not sampled.
        let samples: Vec<f32> = (0..80).map(|i| [0.0, 1.0, 2.0, 1.0][i % 4]).collect();
        let wave = Wave {
            period_s: 4.0,
            frequency_hz: 0.25,
            amplitude: 1.0,
            offset: 1.0,
            start_s: 0.0,
            count: 20,
            shape: Shape::Triangle,
            shape_error: None,
        };
        let mut average = [0.0; 8];
        assert!(wave.average(&samples, SampleTimes { start_s: 0.0, period_s: 1.0 }, &mut average));
        assert_eq!(average, [0.0, 0.5, 1.0, 1.5, 2.0, 1.5, 1.0, 0.5]);
        assert!(!wave.average(&[], TIMES, &mut average));
        assert!(!wave.average(&samples, TIMES, &mut []));
    }

    #[test]
    fn unsupported_series_have_no_wave() {
        let sine = |period: f64, samples: u32| -> Vec<f32> {
            (0..samples).map(|i| (core::f64::consts::TAU * f64::from(i) / period).sin() as f32).collect()
        };
        assert!(wave(&sine(100.0, 300)).is_some());
        // Fewer than two periods, a constant, too few samples, a sample that is no number.
        assert_eq!(wave(&sine(100.0, 180)), None);
        assert_eq!(wave(&[2.5; 500]), None);
        assert_eq!(wave(&[0.0, 1.0, 0.0]), None);
        let mut broken = sine(100.0, 300);
        broken[150] = f32::NAN;
        assert_eq!(wave(&broken), None);
    }

    #[test]
    fn few_phases_have_an_unknown_shape() {
        let samples: Vec<f32> = (0..400).map(|i| [0.0, 1.0, 0.0, -1.0][i % 4]).collect();
        let wave = wave(&samples).unwrap();
        assert!((wave.period_s / TIMES.period_s - 4.0).abs() < 1e-6);
        assert_eq!((wave.shape, wave.shape_error), (Shape::Unknown, None));
    }
}

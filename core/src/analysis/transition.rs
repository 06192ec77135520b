//! Rise and fall times.

use super::Levels;

/// The fewest sample periods that a transition must take to be distinguished from a step between two samples.
const MIN_SAMPLES: f64 = 2.0;

/// How long a channel takes from one level to the other.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TransitionTimes {
    /// From 10 % to 90 % of the way from base to top, in seconds. See [`TransitionTimes::of`].
    pub rise_s: Option<f64>,
    /// From 90 % to 10 % of the way from base to top, in seconds. See [`TransitionTimes::of`].
    pub fall_s: Option<f64>,
}

impl TransitionTimes {
    /// The mean over all complete transitions of a series whose samples are `sample_period_s` seconds apart.
    ///
    /// A rise starts where the series last leaves the lowest 10 % and ends where it then first enters the highest
    /// 10 %, both interpolated between two samples. `None` without a complete transition, and where the mean is
    /// shorter than two sample periods: it is then the sample rate that is seen, not the channel.
    #[must_use]
    pub fn of(samples: &[f32], levels: &Levels, sample_period_s: f64) -> Self {
        let (low, high) = (levels.at(0.1), levels.at(0.9));
        let rise = mean_rise(samples.iter().map(|&sample| f64::from(sample)), low, high);
        let fall = mean_rise(samples.iter().map(|&sample| -f64::from(sample)), -high, -low);
        let seconds = |samples: f64| Some(samples * sample_period_s).filter(|time_s| time_s.is_finite());
        Self { rise_s: rise.and_then(seconds), fall_s: fall.and_then(seconds) }
    }
}

/// The mean time from `low` to `high`, in samples.
fn mean_rise(samples: impl Iterator<Item = f64>, low: f64, high: f64) -> Option<f64> {
    let (mut total, mut count) = (0.0, 0_u32);
    let mut left_low: Option<f64> = None;
    let mut previous: Option<f64> = None;
    for (index, sample) in samples.enumerate() {
        let crossing = |from: f64, level: f64| index as f64 - (sample - level) / (sample - from);
        let from = previous.replace(sample).unwrap_or(sample);
        if from <= low && sample > low {
            left_low = Some(crossing(from, low));
        }
        if from < high && sample >= high {
            if let Some(start) = left_low.take() {
                total += crossing(from, high) - start;
                count += 1;
            }
        }
    }
    let mean = total / f64::from(count);
    (count > 0 && mean >= MIN_SAMPLES).then_some(mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn times(samples: &[f32]) -> TransitionTimes {
        TransitionTimes::of(samples, &Levels::of(samples).unwrap(), 1e-6)
    }

    /// Periods of 200 samples: up within `rise` samples, a plateau, down within `fall`, a plateau.
    fn trapezoid(rise: f64, fall: f64, samples: usize) -> Vec<f32> {
        let level =
            |at: f64| if at < 100.0 { (at / rise).min(1.0) } else { 1.0 - ((at - 100.0) / fall).min(1.0) };
        (0..samples).map(|i| level((i as f64 + 150.3) % 200.0) as f32).collect()
    }

    #[test]
    fn linear_slope_rise_time() {
        let times = times(&trapezoid(10.0, 25.0, 1000));
        assert!((times.rise_s.unwrap() - 8e-6).abs() < 1e-12, "{times:?}");
        assert!((times.fall_s.unwrap() - 20e-6).abs() < 1e-12, "{times:?}");
    }

    #[test]
    fn sine_rise_time() {
        let sine: Vec<f32> =
            (0..5000).map(|i| (f64::from(i) * 0.002 * core::f64::consts::PI).sin() as f32).collect();
        // 10 % and 90 % of the peak to peak are -0.8 and 0.8 of the amplitude.
        let expected_s = 2.0 * 0.8_f64.asin() / core::f64::consts::TAU * 1000.0 * 1e-6;
        assert!((times(&sine).rise_s.unwrap() - expected_s).abs() < 1e-8);
        assert!((times(&sine).fall_s.unwrap() - expected_s).abs() < 1e-8);
    }

    #[test]
    fn jumps_and_incomplete_transitions_have_none() {
        let none = TransitionTimes::default();
        assert_eq!(times(&trapezoid(1e-3, 1e-3, 1000)), none);
        assert_eq!(times(&[0.5; 50]), none);
        let rise_only: Vec<f32> = trapezoid(10.0, 10.0, 1000)[49..100].to_vec();
        assert!((times(&rise_only).rise_s.unwrap() - 8e-6).abs() < 1e-12);
        assert_eq!(times(&rise_only).fall_s, None);
    }
}

//! Rise and fall times.

use super::{Levels, Series, series_edges};

/// The fewest sample periods that a transition must take to be distinguished from a step between two samples.
const MIN_SAMPLES: f64 = 2.0;

/// Noise below this part of `top - base` does not move a crossing by itself.
const LITTLE_NOISE: f64 = 0.001;

/// The samples about a crossing to which a line is fitted: this part of the transition on each side.
const FITTED_PART: f64 = 0.1;

/// The fewest samples of a fit.
const MIN_FITTED: f64 = 4.0;

/// Rounds in which the place of a crossing settles.
const ROUNDS: usize = 5;

/// It has settled when it moves by less than this, in samples. Each round is a pass over the series.
const SETTLED: f64 = 1e-6;

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
    /// 10 %, both interpolated between two samples. Noise would bring the two together: where there is more than 0.1 %,
    /// all rises are laid over one another by their edges, and straight lines are fitted to what lies about 10 % and
    /// about 90 %. `None` without a complete transition, and where the mean is shorter than two sample periods: it is
    /// then the sample rate that is seen, not the channel.
    #[must_use]
    pub fn of<S: Series + ?Sized>(samples: &S, levels: &Levels, sample_period_s: f64) -> Self {
        if !levels.are_two() {
            return Self::default();
        }
        let (low, high) = (levels.at(0.1), levels.at(0.9));
        let is_noisy = levels.relative_noise() > LITTLE_NOISE;
        let refined = |rising: bool, crude: f64| {
            let fitted = is_noisy.then(|| Stack { samples, levels, rising }.transition(crude)).flatten();
            fitted.unwrap_or(crude)
        };
        let sound = || samples.all().enumerate().filter(|&(_, sample)| !levels.is_wild(sample));
        let rise = mean_rise(sound().map(|(index, sample)| (index as f64, f64::from(sample))), low, high);
        let fall = mean_rise(sound().map(|(index, sample)| (index as f64, -f64::from(sample))), -high, -low);
        let (rise, fall) = (rise.map(|crude| refined(true, crude)), fall.map(|crude| refined(false, crude)));
        let seconds = |samples: f64| Some(samples * sample_period_s).filter(|time_s| time_s.is_finite());
        Self { rise_s: rise.and_then(seconds), fall_s: fall.and_then(seconds) }
    }
}

/// The mean time from `low` to `high`, in samples; of samples with their places.
fn mean_rise(samples: impl Iterator<Item = (f64, f64)>, low: f64, high: f64) -> Option<f64> {
    let (mut total, mut count) = (0.0, 0_u64);
    let mut left_low: Option<f64> = None;
    let mut previous: Option<(f64, f64)> = None;
    for (index, sample) in samples {
        let (before, from) = previous.replace((index, sample)).unwrap_or((index, sample));
        let crossing = |from: f64, level: f64| index - (index - before) * (sample - level) / (sample - from);
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
    let mean = total / count as f64;
    (count > 0 && mean >= MIN_SAMPLES).then_some(mean)
}

/// The transitions of one direction, laid over one another.
struct Stack<'a, S: ?Sized> {
    samples: &'a S,
    levels: &'a Levels,
    rising: bool,
}

impl<S: Series + ?Sized> Stack<'_, S> {
    /// The time from 10 % to 90 % of the way, in samples, from a first estimate of it; `None` if too few samples lie
    /// about these levels.
    fn transition(&self, crude: f64) -> Option<f64> {
        let half_width = (FITTED_PART * crude).max(0.6);
        let settled = |part: f64, mut place: f64| {
            for _ in 0..ROUNDS {
                let before = place;
                place = self.crossing(part, place, half_width)?;
                if (place - before).abs() < SETTLED {
                    break;
                }
            }
            Some(place)
        };
        let time = settled(0.9, 0.5 * crude)? - settled(0.1, -0.5 * crude)?;
        (time > 0.5 * crude && time < 2.0 * crude).then_some(time)
    }

    /// Where the transitions cross a part of their way, in samples from their edge: by the line through the samples
    /// about a first estimate.
    fn crossing(&self, part: f64, about: f64, half_width: f64) -> Option<f64> {
        let level = self.levels.at(if self.rising { part } else { 1.0 - part });
        let [mut n, mut t, mut x, mut tt, mut tx] = [0.0; 5];
        for edge in series_edges(self.samples, self.levels).filter(|edge| edge.rising == self.rising) {
            let middle = edge.position + about;
            let (from, to) = (libm::ceil(middle - half_width).max(0.0), libm::floor(middle + half_width));
            if to < from {
                continue;
            }
            let inside = self.samples.values(from as usize..to as usize + 1);
            for (place, sample) in inside.enumerate() {
                if self.levels.is_wild(sample) {
                    continue;
                }
                let (time, above) = (from + place as f64 - middle, f64::from(sample) - level);
                n += 1.0;
                t += time;
                x += above;
                tt += time * time;
                tx += time * above;
            }
        }
        if n < MIN_FITTED {
            return None;
        }
        let (mean_time, mean_above) = (t / n, x / n);
        let slope = (tx - t * mean_above) / (tt - t * mean_time);
        let off = mean_time - mean_above / slope;
        let is_upward = if self.rising { slope > 0.0 } else { slope < 0.0 };
        // `clamp` could panic if `half_width` was negative, for all that the compiler knows.
        is_upward.then(|| about + off.max(-half_width).min(half_width))
    }
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

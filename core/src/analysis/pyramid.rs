//! A series in whole steps, at its own sample rate and at halves, quarters, eighths.. of it.
//!
//! The period is sought in whole numbers: sums of them are exact however long the series is, and a microcontroller
//! without floating point adds and multiplies them in a cycle each.

use libm::floor;

use super::Levels;

/// Steps from the middle of a series to its extremes. The difference of two samples squares to less than 2^28.
const HALF_RANGE: f64 = 8191.0;

/// How many 16-bit integers the levels of a series take.
pub(super) const fn length(samples: usize) -> usize {
    samples.saturating_mul(2)
}

/// A series in whole steps and its averages over 2, 4, 8.. samples, in the caller's memory.
#[derive(Debug)]
pub(super) struct Pyramid<'a> {
    steps: &'a [i16],
    samples: usize,
    /// The value of step 0.
    middle: f64,
    /// The value of a step.
    step: f64,
}

impl<'a> Pyramid<'a> {
    /// Wild samples are brought to the extremes of the others. `None` if the series is constant, or `scratch` is shorter
    /// than [`length`].
    pub(super) fn new(samples: &[f32], levels: &Levels, scratch: &'a mut [i16]) -> Option<Self> {
        let (min, max) = (levels.low, levels.high);
        let (middle, step) = (f64::midpoint(min, max), (max - min) / (2.0 * HALF_RANGE));
        let scratch = scratch.get_mut(..length(samples.len()))?;
        if step <= 0.0 || !min.is_finite() || !max.is_finite() {
            return None;
        }
        let steps_per_unit = 1.0 / step;
        // `clamp` could panic if `min` was above `max`, for all that the compiler knows.
        for (place, &sample) in scratch.iter_mut().zip(samples) {
            *place = floor((f64::from(sample).max(min).min(max) - middle) * steps_per_unit + 0.5) as i16;
        }
        let (mut fine, mut rest) = scratch.split_at_mut(samples.len());
        while fine.len() > 1 {
            let (coarse, left) = rest.split_at_mut_checked(fine.len() / 2)?;
            for (place, pair) in coarse.iter_mut().zip(fine.chunks_exact(2)) {
                let sum: i32 = pair.iter().map(|&steps| i32::from(steps)).sum();
                *place = (sum >> 1) as i16;
            }
            (fine, rest) = (coarse, left);
        }
        Some(Self { steps: scratch, samples: samples.len(), middle, step })
    }

    /// The averages over 2^`level` samples; level 0 is the series itself. Empty where there is none.
    pub(super) fn level(&self, level: u32) -> &'a [i16] {
        let mut start = 0;
        for finer in 0..level {
            start += self.samples.checked_shr(finer).unwrap_or(0);
        }
        let length = self.samples.checked_shr(level).unwrap_or(0);
        self.steps.get(start..start + length).unwrap_or_default()
    }

    /// How many averages have 2^k samples each such that a period has no fewer than 16 of them.
    pub(super) fn level_of_period(period_samples: f64) -> u32 {
        (0..16).take_while(|&level| period_samples >= 32.0 * Self::samples_per_average(level)).count() as u32
    }

    /// How many samples an average of a level stands for: 2^`level`.
    pub(super) fn samples_per_average(level: u32) -> f64 {
        1_u64.checked_shl(level).map_or(f64::INFINITY, |samples| samples as f64)
    }

    /// The value of a number of steps, in the unit of the samples.
    pub(super) fn value(&self, steps: f64) -> f64 {
        self.middle + steps * self.step
    }

    /// The value of a difference in steps.
    pub(super) fn difference(&self, steps: f64) -> f64 {
        steps * self.step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pyramid<'a>(samples: &[f32], scratch: &'a mut [i16]) -> Option<Pyramid<'a>> {
        Pyramid::new(samples, &Levels::of(samples)?, scratch)
    }

    #[test]
    fn levels_are_averages_of_pairs() {
        let mut scratch = [0; length(6)];
        let pyramid = pyramid(&[-1.0, 1.0, 0.0, 1.0, -1.0, -1.0], &mut scratch).unwrap();
        assert_eq!(pyramid.level(0), [-8191, 8191, 0, 8191, -8191, -8191]);
        assert_eq!(pyramid.level(1), [0, 4095, -8191]);
        assert_eq!(pyramid.level(2), [2047]);
        assert!(pyramid.level(3).is_empty());
        assert!(pyramid.level(64).is_empty());
        assert_eq!((pyramid.value(8191.0), pyramid.difference(8191.0)), (1.0, 1.0));
    }

    #[test]
    fn what_cannot_be_counted_in_steps_is_refused() {
        let mut scratch = [0; 8];
        assert!(pyramid(&[], &mut scratch).is_none());
        assert!(pyramid(&[2.0, 2.0], &mut scratch).is_none());
        assert!(pyramid(&[1.0, f32::NAN], &mut scratch).is_none());
        assert!(pyramid(&[0.0, 1.0, 2.0, 3.0, 4.0], &mut scratch).is_none());
        assert!(pyramid(&[0.0, 1.0, 2.0, 3.0], &mut scratch).is_some());
        let extreme = pyramid(&[f32::MIN, f32::MAX], &mut scratch).unwrap();
        assert_eq!(extreme.level(0), [-8191, 8191]);
    }
}

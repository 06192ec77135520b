//! The frequency of a wave with so few samples a period that it does not match itself between one period and the next: that
//! of the sine which has most of its power.

use super::SineFit;
use super::period::{MIN_EXPLAINED, explained};
use super::sine_fit::Rotation;

/// A wave with more samples a period is found by its match with itself.
const MAX_SAMPLES: f64 = 24.0;

/// How many samples the first fit is over.
const FIRST: usize = 32;

/// The lines about a full turn.
const LINES: usize = 2 * FIRST;

/// Over how many times as many samples the next fit is: over the first ones, what is folded at half of the sample rate
/// moves the frequency by up to a tenth of a line.
const LONGER: usize = 2;

/// The share of the power of the samples that the sine must have: of a sawtooth's its fundamental has 0.61, of which higher
/// harmonics, folded at half of the sample rate, may take some.
const MIN_SHARE: f64 = 0.25;

/// Two frequencies so close are the same.
const SAME: f64 = 0.02;

/// What two periods explain is equal if it differs by no more than this share of the variance.
const AS_WELL: f64 = 0.05;

/// The sine gives way to a period that leaves less than this part of what it leaves.
const CLEARLY: f64 = 0.8;

/// The share of the power from which the sine is the wave, and not a harmonic of another that was found: of a triangle its
/// fundamental has 0.986.
const NEARLY_ALL: f64 = 0.9;

/// So much less power than the fundamental has the sine of a period that is a multiple of its own, or at a harmonic of a
/// sawtooth that is folded at half of the sample rate, but for the second.
const LITTLE: f64 = 0.12;

/// The wave whose fundamental is the strongest sine in a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fast {
    /// Its period in samples.
    pub(super) period: f64,
    /// Whether the sine is nearly all of it, so that no edges refute it.
    pub(super) is_sure: bool,
}

/// The wave of the strongest sine in a series, if that has at most [`MAX_SAMPLES`] a period and explains the series as well as
/// another period, in samples, that was `found`, which is a multiple of it, or it is nearly all of the series: samples of few
/// phases repeat after several periods as well as after one.
pub(super) fn find(steps: &[i16], found: Option<f64>) -> Option<Fast> {
    let (period, power, share) = strongest_sine(steps)?;
    let by_period = explained(steps, period)?;
    if by_period < MIN_EXPLAINED {
        return None;
    }
    let is_sure = share > NEARLY_ALL;
    let fast = Fast { period, is_sure };
    let Some(found) = found else { return Some(fast) };
    let by_found = explained(steps, found)?;
    if (found / period - 1.0).abs() < SAME {
        let is_better = 1.0 - by_found < CLEARLY * (1.0 - by_period);
        return Some(if is_better { Fast { period: found, ..fast } } else { fast });
    }
    let of_found = fitted(steps, 1.0 / found).map_or(0.0, |fit| 0.5 * fit.amplitude * fit.amplitude);
    let is_fundamental = is_sure || of_found < LITTLE * power;
    (is_fundamental && by_period + AS_WELL >= by_found).then_some(fast)
}

/// The period in samples of the strongest sine, its power and its share of that of all.
fn strongest_sine(steps: &[i16]) -> Option<(f64, f64, f64)> {
    let mut frequency = strongest_line(steps)?;
    let mut length = FIRST.min(steps.len());
    loop {
        let fit = fitted(steps.get(..length)?, frequency)?;
        let power = 0.5 * fit.amplitude * fit.amplitude;
        let share = power / (power + fit.residual_power);
        if share < MIN_SHARE {
            return None;
        }
        frequency = fit.frequency;
        if length == steps.len() {
            return (frequency * MAX_SAMPLES >= 1.0).then(|| (1.0 / frequency, power, share));
        }
        length = length.saturating_mul(LONGER).min(steps.len());
    }
}

fn fitted(steps: &[i16], frequency: f64) -> Option<SineFit> {
    SineFit::of(steps.iter().map(|&step| f64::from(step)), frequency)
}

/// The frequency in periods a sample of the strongest of the lines of which the first samples are made.
///
/// They are taken at twice as many frequencies as there are independent ones, so that the fit begins near enough to the sine
/// wherever it lies.
fn strongest_line(steps: &[i16]) -> Option<f64> {
    let first = steps.get(..FIRST)?;
    let mean = first.iter().map(|&step| f64::from(step)).sum::<f64>() / FIRST as f64;
    let power = |line: &usize| {
        let (mut cosines, mut sines) = (0.0, 0.0);
        for (&step, (cosine, sine)) in first.iter().zip(Rotation::new(*line as f64 / LINES as f64)) {
            cosines += (f64::from(step) - mean) * cosine;
            sines += (f64::from(step) - mean) * sine;
        }
        cosines * cosines + sines * sines
    };
    let lines = (1..LINES / 2).map(|line| (line, power(&line)));
    let (line, power) = lines.reduce(|one, other| if other.1 > one.1 { other } else { one })?;
    let frequency = line as f64 / LINES as f64;
    (power > 0.0 && frequency * MAX_SAMPLES > 1.0).then_some(frequency)
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::f64::consts::TAU;
    use std::vec::Vec;

    fn period_samples_of(steps: &[i16], found: Option<f64>) -> Option<f64> {
        find(steps, found).map(|fast| fast.period)
    }

    fn steps(shape: impl Fn(f64) -> f64, period: f64, samples: u32) -> Vec<i16> {
        (0..samples).map(|index| (8000.0 * shape(f64::from(index) / period)) as i16).collect()
    }

    #[test]
    fn sines_near_half_of_the_sample_rate_are_found() {
        for period in [2.05, 2.2, 2.5, 2.743, 3.0, 3.9] {
            for samples in [100, 1000, 10_000] {
                let found =
                    period_samples_of(&steps(|turn| (TAU * (turn + 0.1)).sin(), period, samples), None);
                assert!(
                    found.is_some_and(|found| (found / period - 1.0).abs() < 1e-4),
                    "{period}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_slow_or_no_sine_is_not() {
        assert_eq!(period_samples_of(&steps(|turn| (TAU * turn).sin(), 30.0, 1000), None), None);
        assert_eq!(period_samples_of(&steps(|turn| f64::from(turn < 0.5), 20.0, 1000), None), None);
        assert_eq!(period_samples_of(&[0; 100], None), None);
        assert_eq!(period_samples_of(&[1, 2], None), None);
        // A sequence without order.
        let mut state = 1_u32;
        let noise = (0..1000).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 18) as i16
        });
        assert_eq!(period_samples_of(&noise.collect::<Vec<i16>>(), None), None);
    }
}

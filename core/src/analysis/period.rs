//! The period of a series: found by its best match with itself, fitted to every sample.

use super::drift::{Drift, fit_parts};
use super::fold::{Fold, MAX_BINS, PhaseClock};
use super::pyramid::Pyramid;
use super::self_match::{first_match, fitted_over_multiples};

/// The series must be so much longer than the period: of two periods, what noise may take away.
const MIN_PERIODS: f64 = 1.9;

/// A shorter period cannot be distinguished from its alias above half the sample rate.
const MIN_SAMPLES: f64 = 2.0;

/// The most rounds of the fit. Over 2.5 periods a round leaves a sixth of the error, over more it leaves less.
const MAX_ROUNDS: usize = 6;

/// A correction so small, in periods over the whole series, ends the fit.
const FINE_ENOUGH: f64 = 1e-5;

/// The share of the variance that folding must explain.
pub(super) const MIN_EXPLAINED: f64 = 0.7;

/// The period in samples. `None` if the series does not repeat.
pub(super) fn period_samples(pyramid: &Pyramid<'_>) -> Option<f64> {
    let shift = first_match(pyramid)?;
    checked(pyramid, shortest(pyramid.level(0), fitted_over_multiples(pyramid, shift)))
}

/// A first estimate of the period fitted to all samples, if these then repeat.
pub(super) fn checked(pyramid: &Pyramid<'_>, coarse: f64) -> Option<f64> {
    let steps = pyramid.level(0);
    let period = fitted(steps, coarse, None);
    let fits = period >= MIN_SAMPLES && period * MIN_PERIODS <= steps.len() as f64;
    (fits && explained(steps, period)? >= MIN_EXPLAINED).then_some(period)
}

/// The period of a sawtooth that jumps at a phase, in periods: the mean of the estimates from its jump and its ramp,
/// weighted by how certain each is.
///
/// Each jump is known to a sample only; where the period is close to a whole number of samples, it even falls between
/// the same two again and again. The ramp is certain in so far as there is no noise.
pub(super) fn sawtooth_period_samples(steps: &[i16], by_jump: f64, jump: f64) -> f64 {
    let by_ramp = fitted(steps, by_jump, Some(jump));
    let Some(drift) = Drift::of(steps, by_ramp, Some(jump)) else { return by_jump };
    let ramp_variance = drift.variance * by_ramp * by_ramp;
    // A line through N times that are evenly distributed over a sample (variance 1/12) has a slope of this variance.
    let jumps = steps.len() as f64 / by_jump;
    let jump_variance = 1.0 / (jumps * (jumps * jumps - 1.0)) / (by_jump * by_jump);
    let ramp_share = jump_variance / (jump_variance + ramp_variance);
    by_jump + ramp_share * (by_ramp - by_jump)
}

/// Variance of the samples about the wave that folding gives.
fn folded_variance(steps: &[i16], period: f64, parts: usize) -> Option<f64> {
    Fold::new(steps, PhaseClock::new(period), parts).variance()
}

/// The variance of the whole series.
fn variance(steps: &[i16]) -> Option<f64> {
    folded_variance(steps, 2.0, 1)
}

/// The share of the variance that is explained by folding.
pub(super) fn explained(steps: &[i16], period: f64) -> Option<f64> {
    Some(1.0 - folded_variance(steps, period, fit_parts(steps))? / variance(steps)?)
}

/// The part of a match's shift that explains the series as well: where a period is not a whole number of samples, a
/// multiple of it can match better than the period itself.
///
/// Where the period is close to a whole number of samples, parts of it explain the few phases that were sampled as
/// well, but in a jumbled order: such a wave is rougher.
fn shortest(steps: &[i16], mut period: f64) -> f64 {
    let Some(variance) = variance(steps) else { return period };
    let mut whole = Fold::new(steps, PhaseClock::new(period), MAX_BINS);
    for divisor in [7_u8, 5, 3, 3, 2, 2, 2, 2] {
        let shorter = period / f64::from(divisor);
        if shorter < MIN_SAMPLES {
            continue;
        }
        let part = Fold::new(steps, PhaseClock::new(shorter), MAX_BINS);
        let (Some(before), Some(after)) = (whole.variance(), part.variance()) else { continue };
        if after <= 1.3 * before + 0.02 * variance && part.roughness() <= whole.roughness() {
            period = shorter;
            whole = part;
        }
    }
    period
}

/// The period that lays all samples best over one another (least squares), those near a jump left out.
fn fitted(steps: &[i16], coarse: f64, jump: Option<f64>) -> f64 {
    let mut period = coarse;
    for _ in 0..MAX_ROUNDS {
        let Some(drift) = Drift::of(steps, period, jump).map(|drift| drift.per_sample) else { break };
        let next = 1.0 / (1.0 / period + drift);
        // A wave that is hardly seen can send the fit anywhere: the match is then the better witness.
        if !(0.98 * coarse..1.02 * coarse).contains(&next) {
            return coarse;
        }
        period = next;
        if (drift * steps.len() as f64).abs() < FINE_ENOUGH {
            break;
        }
    }
    period
}

#[cfg(test)]
mod tests {
    use super::super::{Levels, pyramid};
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn found(samples: &[f32]) -> Option<f64> {
        let mut scratch = vec![0; pyramid::length(samples.len())];
        period_samples(&Pyramid::new(samples, &Levels::of(samples)?, &mut scratch)?)
    }

    fn wave(shape: impl Fn(f64) -> f64, period: f64, samples: usize) -> Vec<f32> {
        (0..samples).map(|i| shape((i as f64 / period).fract()) as f32).collect()
    }

    #[test]
    fn sines_are_timed_to_a_ten_thousandth() {
        let sine = |phase: f64| (core::f64::consts::TAU * phase).sin();
        for (period, samples) in [(5.37, 1000), (61.44, 12_288), (97.3, 1000), (4915.3, 12_288)] {
            let found = found(&wave(sine, period, samples)).unwrap();
            assert!((found / period - 1.0).abs() < 1e-4, "{period}: {found}");
        }
    }

    #[test]
    fn narrow_pulse_keeps_its_period() {
        // At 5.5 samples a period every second pulse falls on a sample: two periods match, one does not.
        let pulse = |phase: f64| if phase < 0.1 { 1.0 } else { 0.0 };
        let found = found(&wave(pulse, 5.47, 1000)).unwrap();
        assert!((found / 5.47 - 1.0).abs() < 1e-3, "{found}");
    }

    #[test]
    fn integral_period_is_not_subdivided() {
        let ramp = |phase: f64| phase;
        for period in [8.5, 13.0, 17.0, 33.0] {
            let found = found(&wave(ramp, period, 1000)).unwrap();
            assert!((found / period - 1.0).abs() < 1e-3, "{period}: {found}");
        }
    }

    #[test]
    fn alternating_pulse_heights_double_the_period() {
        let pulses = |phase: f64| [1.0, 0.0, 0.5, 0.0][(4.0 * phase) as usize % 4];
        let found = found(&wave(pulses, 80.3, 1000)).unwrap();
        assert!((found / 80.3 - 1.0).abs() < 1e-3, "{found}");
    }
}

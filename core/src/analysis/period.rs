//! The period of a series: found by its best match with itself, fitted to every sample.

use super::fold::{Fold, MOST_BINS, PhaseClock, split};
use super::pyramid::Pyramid;
use super::self_match::{first_match, fitted_over_multiples};

/// The series must be so much longer than the period.
const LEAST_PERIODS: f64 = 2.0;

/// A shorter period cannot be told from its mirror image beyond half the sample rate.
const LEAST_SAMPLES: f64 = 2.0;

/// The most parts of the period when it is fitted.
const MOST_FIT_PARTS: usize = 64;

/// Blocks of the series whose delays are fitted.
const BLOCKS: usize = 32;

/// The most rounds of the fit. Over 2.5 periods a round leaves a sixth of the error, over more it leaves less.
const MOST_ROUNDS: usize = 6;

/// A correction so small, in periods over the whole series, ends the fit.
const FINE_ENOUGH: f64 = 1e-5;

/// The share of the variance that folding must explain.
const LEAST_EXPLAINED: f64 = 0.7;

/// The period in samples. `None` if the series does not repeat at least twice.
pub(super) fn period_samples(pyramid: &Pyramid<'_>) -> Option<f64> {
    let steps = pyramid.level(0);
    let shift = first_match(pyramid)?;
    let period = shortest(steps, fitted_over_multiples(pyramid, shift));
    let period = fitted(steps, period);
    let fits = period >= LEAST_SAMPLES && period * LEAST_PERIODS <= steps.len() as f64 * 1.001;
    (fits && explained(steps, period)? >= LEAST_EXPLAINED).then_some(period)
}

/// Parts of the period when it is fitted: some eight samples a part.
fn fit_parts(steps: &[i16]) -> usize {
    (steps.len() / 8).clamp(4, MOST_FIT_PARTS)
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
fn explained(steps: &[i16], period: f64) -> Option<f64> {
    Some(1.0 - folded_variance(steps, period, fit_parts(steps))? / variance(steps)?)
}

/// The part of a match's shift that explains the series as well: where a period is not a whole number of samples, a
/// multiple of it can match better than the period itself.
///
/// Where the period is close to a whole number of samples, parts of it explain the few phases that were sampled as
/// well, but in a jumbled order: such a wave is rougher.
fn shortest(steps: &[i16], mut period: f64) -> f64 {
    let Some(variance) = variance(steps) else { return period };
    let mut whole = Fold::new(steps, PhaseClock::new(period), MOST_BINS);
    for divisor in [7_u8, 5, 3, 3, 2, 2, 2, 2] {
        let shorter = period / f64::from(divisor);
        if shorter < LEAST_SAMPLES {
            continue;
        }
        let part = Fold::new(steps, PhaseClock::new(shorter), MOST_BINS);
        let (Some(before), Some(after)) = (whole.variance(), part.variance()) else { continue };
        if after <= 1.3 * before + 0.02 * variance && part.roughness() <= whole.roughness() {
            period = shorter;
            whole = part;
        }
    }
    period
}

/// The period that lays all samples best over one another (least squares).
///
/// Each block of the series is compared with the averaged wave: from its slope follows how late the block is. A line
/// through these delays tells by how much the period is off.
fn fitted(steps: &[i16], coarse: f64) -> f64 {
    let mut period = coarse;
    for _ in 0..MOST_ROUNDS {
        let Some(drift) = drift_per_sample(steps, period) else { break };
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

/// By how many periods a sample the series runs ahead of a period.
fn drift_per_sample(steps: &[i16], period: f64) -> Option<f64> {
    let mut clock = PhaseClock::new(period);
    let template = Template::new(&Fold::new(steps, clock, fit_parts(steps)));
    let block_length = steps.len().div_ceil(BLOCKS).max(1);
    // Weighted sums for the line through the blocks' delays: 1, t, t^2, delay, t delay.
    let [mut w, mut wt, mut wtt, mut wd, mut wtd] = [0.0; 5];
    for (index, block) in steps.chunks(block_length).enumerate() {
        let (mut product, mut weight) = (0_i64, 0_u64);
        for &step in block {
            let (level, slope) = template.at(clock.tick());
            product += i64::from(i32::from(step) - level) * i64::from(slope);
            weight += u64::from(slope.unsigned_abs()) * u64::from(slope.unsigned_abs());
        }
        let (time, product, weight) = (index as f64, product as f64, weight as f64);
        w += weight;
        wt += weight * time;
        wtt += weight * time * time;
        wd += product;
        wtd += product * time;
    }
    let determinant = w * wtt - wt * wt;
    if determinant <= 0.0 {
        return None;
    }
    Some((w * wtd - wt * wd) / determinant / template.parts as f64 / block_length as f64)
}

/// The averaged wave, with straight lines between the middles of its parts.
struct Template {
    levels: [i32; MOST_FIT_PARTS],
    parts: usize,
}

impl Template {
    fn new(fold: &Fold) -> Self {
        let mut levels = [0; MOST_FIT_PARTS];
        let mut level = 0;
        // Twice around, so that a part without samples takes the level before it, at the beginning too.
        for _ in 0..2 {
            for (place, bin) in levels.iter_mut().zip(fold.bins()) {
                level = if bin.samples > 0 { libm::rint(bin.mean()) as i32 } else { level };
                *place = level;
            }
        }
        Self { levels, parts: fold.bins().len() }
    }

    /// The level at a phase, and its slope in steps a part.
    fn at(&self, phase: u64) -> (i32, i32) {
        // From the middle of a part to the middle of the next.
        let (next, excess) = split(phase, 2 * self.parts);
        let index = (next + 2 * self.parts - 1) / 2;
        let in_first_half = i32::from(next % 2 == 0);
        let from_middle = (in_first_half << 13) + i32::from((excess >> 19) as u16);
        let level = |index: usize| self.levels.get(index % self.parts.max(1)).copied().unwrap_or(0);
        let (from, to) = (level(index), level(index + 1));
        (from + (((to - from) * from_middle) >> 14), to - from)
    }
}

#[cfg(test)]
mod tests {
    use super::super::pyramid;
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn found(samples: &[f32]) -> Option<f64> {
        let mut scratch = vec![0; pyramid::length(samples.len())];
        period_samples(&Pyramid::new(samples, &mut scratch)?)
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
    fn a_pulse_shorter_than_the_time_between_samples_keeps_its_period() {
        // At 5.5 samples a period every second pulse falls on a sample: two periods match, one does not.
        let pulse = |phase: f64| if phase < 0.1 { 1.0 } else { 0.0 };
        let found = found(&wave(pulse, 5.47, 1000)).unwrap();
        assert!((found / 5.47 - 1.0).abs() < 1e-3, "{found}");
    }

    #[test]
    fn a_whole_number_of_samples_a_period_is_not_taken_for_a_part_of_it() {
        let ramp = |phase: f64| phase;
        for period in [8.5, 13.0, 17.0, 33.0] {
            let found = found(&wave(ramp, period, 1000)).unwrap();
            assert!((found / period - 1.0).abs() < 1e-3, "{period}: {found}");
        }
    }

    #[test]
    fn alternate_pulses_of_another_height_are_two_to_a_period() {
        let pulses = |phase: f64| [1.0, 0.0, 0.5, 0.0][(4.0 * phase) as usize % 4];
        let found = found(&wave(pulses, 80.3, 1000)).unwrap();
        assert!((found / 80.3 - 1.0).abs() < 1e-3, "{found}");
    }
}

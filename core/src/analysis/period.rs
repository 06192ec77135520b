//! The period of a series: found by its best match with itself, fitted to every sample.

use super::fold::{Fold, PhaseClock, split};
use super::pyramid::Pyramid;
use super::self_match::{first_match, fitted_over_multiples};

/// The series must be so much longer than the period.
const LEAST_PERIODS: f64 = 2.0;

/// A shorter period cannot be told from its mirror image beyond half the sample rate.
const LEAST_SAMPLES: f64 = 2.0;

/// Parts of the period when it is fitted, and when shorter periods are tried: 2^5.
const FIT_LOG2: u32 = 5;

/// Blocks of the series whose delays are fitted.
const BLOCKS: usize = 32;

/// The most rounds of the fit. Over 2.5 periods a round leaves a sixth of the error, over more it leaves less.
const MOST_ROUNDS: usize = 6;

/// A correction so small, in periods over the whole series, ends the fit.
const FINE_ENOUGH: f64 = 1e-5;

/// The share of the variance that folding must explain.
const LEAST_EXPLAINED: f64 = 0.5;

/// The period in samples. `None` if the series does not repeat at least twice.
pub(super) fn period_samples(pyramid: &Pyramid<'_>) -> Option<f64> {
    let steps = pyramid.level(0);
    let shift = first_match(pyramid)?;
    let period = shortest(steps, fitted_over_multiples(pyramid, shift));
    let period = fitted(steps, period);
    let fits = period >= LEAST_SAMPLES && period * LEAST_PERIODS <= steps.len() as f64 * 1.001;
    (fits && explained(steps, period)? >= LEAST_EXPLAINED).then_some(period)
}

/// Variance of the samples about the wave that folding gives.
fn folded_variance(steps: &[i16], period: f64, log2: u32) -> Option<f64> {
    Fold::new(steps, PhaseClock::new(period), log2).variance()
}

/// The variance of the whole series.
fn variance(steps: &[i16]) -> Option<f64> {
    folded_variance(steps, 2.0, 0)
}

/// The share of the variance that is explained by folding.
fn explained(steps: &[i16], period: f64) -> Option<f64> {
    Some(1.0 - folded_variance(steps, period, FIT_LOG2)? / variance(steps)?)
}

/// The part of a match's shift that explains the series as well: where a period is not a whole number of samples, a
/// multiple of it can match better than the period itself.
fn shortest(steps: &[i16], mut period: f64) -> f64 {
    let Some(variance) = variance(steps) else { return period };
    for divisor in [7.0, 5.0, 3.0, 3.0, 2.0, 2.0, 2.0, 2.0] {
        let shorter = period / divisor;
        if shorter < LEAST_SAMPLES {
            continue;
        }
        // Parts as long as before: what the slope within a part adds stays the same.
        let log2 = FIT_LOG2 + 2 - libm::rint(libm::log2(divisor)) as u32;
        let (Some(whole), Some(part)) =
            (folded_variance(steps, period, FIT_LOG2 + 2), folded_variance(steps, shorter, log2))
        else {
            continue;
        };
        if part <= 1.3 * whole + 0.02 * variance {
            period = shorter;
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
        if !((next / coarse - 1.0).abs() < 0.02) {
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
    let clock = PhaseClock::new(period);
    let template = Template::new(&Fold::new(steps, clock, FIT_LOG2));
    let block_length = steps.len().div_ceil(BLOCKS).max(1);
    let mut phases = clock.phases();
    // Weighted sums for the line through the blocks' delays: 1, t, t^2, delay, t delay.
    let [mut w, mut wt, mut wtt, mut wd, mut wtd] = [0.0; 5];
    for (index, block) in steps.chunks(block_length).enumerate() {
        let (mut product, mut weight) = (0_i64, 0_u64);
        for (&step, phase) in block.iter().zip(&mut phases) {
            let (level, slope) = template.at(phase);
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
    let slope_unit = f64::from(1_u32 << FIT_LOG2);
    Some((w * wtd - wt * wd) / determinant / slope_unit / block_length as f64)
}

const TEMPLATE: usize = 1 << FIT_LOG2;

/// The averaged wave, with straight lines between the middles of its parts.
struct Template {
    levels: [i32; TEMPLATE],
}

impl Template {
    fn new(fold: &Fold) -> Self {
        let mut levels = [0; TEMPLATE];
        let mut level = 0;
        // Twice around, so that a part without samples takes the level before it, at the beginning too.
        for _ in 0..2 {
            for (place, bin) in levels.iter_mut().zip(fold.bins()) {
                level = if bin.samples > 0 { libm::rint(bin.mean()) as i32 } else { level };
                *place = level;
            }
        }
        Self { levels }
    }

    /// The level at a phase, and its slope in steps a part.
    fn at(&self, phase: u64) -> (i32, i32) {
        const HALF_PART: u64 = 1 << (63 - FIT_LOG2);
        let (index, excess) = split(phase.wrapping_sub(HALF_PART), FIT_LOG2);
        let level = |index: usize| self.levels.get(index % TEMPLATE).copied().unwrap_or(0);
        let (from, to) = (level(index), level(index + 1));
        (from + (((to - from) * i32::from(excess >> 2)) >> 14), to - from)
    }
}

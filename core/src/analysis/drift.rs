//! By how much a period is off, from how late each part of the series is against the averaged wave.

use super::fold::{Fold, PhaseClock, split};

/// The most parts of the period.
const MAX_FIT_PARTS: usize = 64;

/// Blocks of the series whose delays are fitted.
const BLOCKS: usize = 32;

/// Parts of the period when it is fitted: some eight samples a part.
pub(super) fn fit_parts(steps: &[i16]) -> usize {
    (steps.len() / 8).clamp(4, MAX_FIT_PARTS)
}

/// By how many periods a sample the series runs ahead of a period.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drift {
    pub(super) per_sample: f64,
    /// Its variance, by how much the samples scatter about the averaged wave.
    pub(super) variance: f64,
}

impl Drift {
    /// Each block of the series is compared with the averaged wave: from its slope follows how late the block is. The
    /// drift is that of a line through these delays, each weighted with the squared slopes it was seen by. Near a jump
    /// (a phase, in periods) nothing is compared. `None` where nothing has a slope.
    pub(super) fn of(steps: &[i16], period: f64, jump: Option<f64>) -> Option<Self> {
        let mut clock = PhaseClock::new(period);
        let fold = Fold::new(steps, clock, fit_parts(steps));
        let template = Template::new(&fold, jump);
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
        // From delays in parts of the period and times in blocks.
        let unit = 1.0 / (template.parts as f64 * block_length as f64);
        let scatter = fold.variance_of(|part| is_compared(part, template.parts, jump))?;
        (determinant > 0.0).then(|| Self {
            per_sample: (w * wtd - wt * wd) / determinant * unit,
            variance: scatter * w / determinant * unit * unit,
        })
    }
}

/// The averaged wave, with straight lines between the middles of its parts.
struct Template {
    levels: [i32; MAX_FIT_PARTS],
    /// From each part to the next; 0 near a jump.
    slopes: [i32; MAX_FIT_PARTS],
    parts: usize,
}

impl Template {
    fn new(fold: &Fold, jump: Option<f64>) -> Self {
        let parts = fold.bins().len();
        let mut levels = [0; MAX_FIT_PARTS];
        let mut level = 0;
        // Twice around, so that a part without samples takes the level before it, at the beginning too.
        for _ in 0..2 {
            for (place, bin) in levels.iter_mut().zip(fold.bins()) {
                level = if bin.samples > 0 { libm::rint(bin.mean()) as i32 } else { level };
                *place = level;
            }
        }
        let level = |part: usize| levels.get(part).copied().unwrap_or(0);
        let slopes = core::array::from_fn(|part| {
            let next = if part + 1 < parts { part + 1 } else { 0 };
            let compared = is_compared(part, parts, jump) && is_compared(next, parts, jump);
            if compared { level(next) - level(part) } else { 0 }
        });
        Self { levels, slopes, parts }
    }

    /// The level at a phase, and its slope in steps a part; no slope near a jump.
    fn at(&self, phase: u64) -> (i32, i32) {
        // From the middle of a part to the middle of the next.
        let (half, excess) = split(phase, 2 * self.parts);
        let part = (half + 2 * self.parts - 1) / 2 % self.parts.max(1);
        let in_first_half = i32::from(half % 2 == 0);
        let from_middle = (in_first_half << 13) + i32::from((excess >> 19) as u16);
        let level = self.levels.get(part).copied().unwrap_or(0);
        let slope = self.slopes.get(part).copied().unwrap_or(0);
        (level + ((slope * from_middle) >> 14), slope)
    }
}

/// Whether a part of the period lies so far from a jump that it is not smeared by it.
fn is_compared(part: usize, parts: usize, jump: Option<f64>) -> bool {
    jump.is_none_or(|jump| {
        let apart = (part as f64 + 0.5) / parts as f64 - jump;
        (apart - libm::rint(apart)).abs() * parts as f64 >= 1.5
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn ramp(period: f64) -> Vec<i16> {
        (0..1000).map(|i| (8000.0 * (f64::from(i) / period + 0.3).fract()) as i16).collect()
    }

    #[test]
    fn drift_of_a_wrong_period() {
        // In each sample 1/99.8 of a period passes, not 1/100.
        let expected = 1.0 / 99.8 - 1.0 / 100.0;
        for jump in [None, Some(0.7)] {
            let drift = Drift::of(&ramp(99.8), 100.0, jump).unwrap();
            assert!((0.5..1.2).contains(&(drift.per_sample / expected)), "{drift:?} instead of {expected}");
        }
        let none = Drift::of(&ramp(99.8), 99.8, Some(0.7)).unwrap();
        assert!(none.per_sample.abs() < 0.02 * expected, "{none:?}");
    }

    #[test]
    fn parts_next_to_a_jump_are_not_compared() {
        let left_out = |jump| (0..10).filter(|&part| !is_compared(part, 10, Some(jump))).collect::<Vec<_>>();
        assert_eq!(left_out(0.55), [4, 5, 6]);
        assert_eq!(left_out(0.96), [0, 8, 9]);
        assert_eq!(left_out(1.02), [0, 1, 9]);
        assert!(is_compared(5, 10, None));
    }

    #[test]
    fn constant_has_no_drift() {
        assert!(Drift::of(&[7; 1000], 100.0, None).is_none());
        assert!(Drift::of(&[], 100.0, None).is_none());
    }
}

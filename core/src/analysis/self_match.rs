//! How well a series matches itself shifted, and the shift at which it first matches best.
//!
//! The measure is the normalised square difference: over the samples that overlap after a shift, 1 less the sum of
//! squared differences over the sum of squared distances from the common mean of both parts. It is 1 for a shift by
//! a whole period, about 0 for noise and -1 for a shift that turns the series over; an offset does not change it.
//!
//! To try every shift at the full sample rate would take time with the square of the length. Shifts below 64 samples
//! are tried at the full rate, those up to twice as long on averages over two samples, and so on: no shift is known
//! more coarsely than to a 32nd of itself, and the cost is that of some 100 passes over the series, whatever its
//! length.

use super::pyramid::Pyramid;

/// The shifts tried at each level of averaging, in samples of that level.
const MIN_SHIFT: usize = 32;
const MAX_SHIFT: usize = 63;

/// A match below this parts one period from the next.
const DIP: f64 = 0.4;

/// The weakest match that counts as a period.
const WEAKEST: f64 = 0.5;

/// The first shift that matches nearly as well as the best is the period: so much of the best is enough. Longer
/// shifts match as well as the period where they are whole multiples of it, and better where they happen to be a
/// whole number of samples.
const NEARLY: f64 = 0.9;

/// How many ever better matches are remembered. All lie between `NEARLY` times the best and the best.
const REMEMBERED: usize = 16;

/// A shift between samples, at one level of averaging.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Shift {
    pub(super) level: u32,
    /// In samples of that level.
    pub(super) samples: f64,
}

/// A series whose shifted matches are asked for.
#[derive(Clone, Copy)]
struct Series<'a> {
    steps: &'a [i16],
    sum: i64,
    squares: u64,
}

fn sums(steps: &[i16]) -> (i64, u64) {
    let (mut sum, mut squares) = (0, 0);
    for &step in steps {
        let size = u32::from(step.unsigned_abs());
        sum += i64::from(step);
        squares += u64::from(size * size);
    }
    (sum, squares)
}

impl<'a> Series<'a> {
    fn new(steps: &'a [i16]) -> Self {
        let (sum, squares) = sums(steps);
        Self { steps, sum, squares }
    }

    /// How well the series matches itself shifted by whole samples; `None` if nothing overlaps or all of that is
    /// constant.
    fn at(&self, shift: usize) -> Option<f64> {
        let overlap = self.steps.len().checked_sub(shift)?;
        let (early, last) = self.steps.split_at_checked(overlap)?;
        let (first, late) = self.steps.split_at_checked(shift)?;
        let mut difference = 0_u64;
        for (&early, &late) in early.iter().zip(late) {
            let apart = u32::from(early.abs_diff(late));
            difference += u64::from(apart * apart);
        }
        let (first, last) = (sums(first), sums(last));
        let sum = (2 * self.sum - first.0 - last.0) as f64;
        let squares = (2 * self.squares - first.1 - last.1) as f64;
        let spread = squares - sum * sum / (2.0 * overlap as f64);
        (spread > 0.0).then(|| 1.0 - difference as f64 / spread)
    }

    /// The best match within two samples of a shift, between samples.
    fn best_near(&self, shift: f64) -> Option<f64> {
        let middle = libm::rint(shift) as usize;
        let mut matches = [0.0; 5];
        for (place, shift) in matches.iter_mut().zip(middle.checked_sub(2)?..) {
            *place = self.at(shift)?;
        }
        let peaks = matches.windows(3).enumerate().filter_map(|(index, around)| match *around {
            [before, here, after] => Some((index as f64 - 1.0 + peak_offset(before, here, after)?, here)),
            _ => None,
        });
        let best = peaks.reduce(|one, other| if other.1 > one.1 { other } else { one });
        best.map(|(offset, _)| middle as f64 + offset)
    }
}

/// Where the parabola through three neighbouring values peaks, from the middle one; `None` if that is no peak.
fn peak_offset(before: f64, here: f64, after: f64) -> Option<f64> {
    let bend = before + after - 2.0 * here;
    (here >= before && here >= after && bend < 0.0).then(|| 0.5 * (before - after) / bend)
}

/// The search's memory as it goes from short shifts to long ones.
#[derive(Default)]
struct Search {
    dipped: bool,
    /// The best match since the last dip.
    hill: Option<(Shift, f64)>,
    /// Each better than the one before, the last is the best.
    best: heapless::Vec<(Shift, f64), REMEMBERED>,
}

impl Search {
    /// Takes the matches of three neighbouring shifts.
    fn take(&mut self, level: u32, shift: usize, [before, here, after]: [f64; 3]) {
        if here < DIP {
            self.close_hill();
            self.dipped = true;
        } else if self.dipped && self.hill.is_none_or(|(_, best)| here > best) {
            if let Some(offset) = peak_offset(before, here, after) {
                self.hill = Some((Shift { level, samples: shift as f64 + offset }, here));
            }
        }
    }

    /// Whether no longer shift can change the answer: no match exceeds 1.
    fn is_settled(&self) -> bool {
        self.best.first().is_some_and(|(_, first)| *first >= NEARLY)
    }

    fn close_hill(&mut self) {
        let Some((shift, value)) = self.hill.take() else { return };
        if value < WEAKEST || self.best.last().is_some_and(|(_, best)| value <= *best) {
            return;
        }
        self.best.retain(|(_, earlier)| *earlier >= NEARLY * value);
        if let Err(newest) = self.best.push((shift, value)) {
            // The first of them stays the answer; the newest takes the place of the last.
            self.best.pop();
            let _ = self.best.push(newest);
        }
    }
}

/// The shortest shift at which the series matches itself nearly as well as at any, up to half its length.
pub(super) fn first_match(pyramid: &Pyramid<'_>) -> Option<Shift> {
    let mut search = Search::default();
    for level in 0.. {
        let series = Series::new(pyramid.level(level));
        let shortest = if level == 0 { 1 } else { MIN_SHIFT };
        let longest = MAX_SHIFT.min(series.steps.len() / 2);
        if longest < shortest {
            break;
        }
        let mut around = [None, series.at(shortest - 1), series.at(shortest)];
        for shift in shortest..=longest {
            if search.is_settled() {
                break;
            }
            around = [around[1], around[2], series.at(shift + 1)];
            if let [Some(before), Some(here), Some(after)] = around {
                search.take(level, shift, [before, here, after]);
            }
        }
    }
    search.close_hill();
    search.best.first().map(|(shift, _)| *shift)
}

/// The period that a shift stands for, in samples of the series, from the matches at its multiples: over k periods
/// an error of the shift counts only a k-th. Shifts up to two thirds of the series are used, as what overlaps then
/// carries most of the information.
pub(super) fn fitted_over_multiples(pyramid: &Pyramid<'_>, shift: Shift) -> f64 {
    let series = Series::new(pyramid.level(shift.level));
    let length = series.steps.len() as f64;
    let mut period = shift.samples;
    let mut multiple = 1.0;
    loop {
        let most = libm::floor((length * (2.0 / 3.0)).min(length - period) / period);
        let next = most.min(2.0 * multiple);
        if next <= multiple {
            break;
        }
        let Some(best) = series.best_near(next * period) else { break };
        (period, multiple) = (best / next, next);
    }
    period * Pyramid::samples_per_average(shift.level)
}

#[cfg(test)]
mod tests {
    use super::super::{Levels, pyramid};
    use super::*;
    use std::vec;
    use std::vec::Vec;

    fn found(samples: &[f32]) -> Option<f64> {
        let mut scratch = vec![0; pyramid::length(samples.len())];
        let pyramid = Pyramid::new(samples, &Levels::of(samples)?, &mut scratch)?;
        first_match(&pyramid).map(|shift| fitted_over_multiples(&pyramid, shift))
    }

    fn sine(period: f64, samples: usize) -> Vec<f32> {
        (0..samples).map(|i| (core::f64::consts::TAU * i as f64 / period).sin() as f32).collect()
    }

    #[test]
    fn match_is_one_minus_normalised_difference() {
        // Shifted by one, 0 2 1 against 2 1 3: squares 4 + 1 + 4, mean 9/6, spread 19 - 81/6.
        let series = Series::new(&[0, 2, 1, 3]);
        assert!((series.at(1).unwrap() - (1.0 - 9.0 / 5.5)).abs() < 1e-12);
        assert_eq!(series.at(0), Some(1.0));
        assert_eq!((series.at(4), series.at(5)), (None, None));
        assert_eq!(Series::new(&[7, 7, 7]).at(1), None);
        let turned = Series::new(&[1, -1, 1, -1]);
        assert_eq!((turned.at(1), turned.at(2)), (Some(-1.0), Some(1.0)));
    }

    #[test]
    fn parabola_peak_between_samples() {
        let parabola = |x: f64| 5.0 - (x - 0.3) * (x - 0.3);
        assert!((peak_offset(parabola(-1.0), parabola(0.0), parabola(1.0)).unwrap() - 0.3).abs() < 1e-12);
        assert_eq!(peak_offset(1.0, 2.0, 3.0), None);
        assert_eq!(peak_offset(1.0, 1.0, 1.0), None);
    }

    #[test]
    fn periods_of_every_length_are_found() {
        for (period, samples) in [(5.3, 1000), (20.0, 1000), (100.7, 1000), (399.0, 1000), (4915.2, 12_288)] {
            let found = found(&sine(period, samples)).unwrap();
            assert!((found / period - 1.0).abs() < 3e-3, "{period}: {found}");
        }
    }

    #[test]
    fn what_does_not_repeat_has_no_period() {
        let ramp: Vec<f32> = (0..1000).map(|i| i as f32).collect();
        assert_eq!(found(&ramp), None);
        let mut pulse = vec![0.0; 1000];
        pulse[300..320].fill(1.0);
        assert_eq!(found(&pulse), None);
        assert_eq!(found(&sine(900.0, 1000)), None);
        assert_eq!(found(&[0.0, 1.0]), None);
    }
}

//! Times that a file lists one by one, as the evenly spaced ones that a series has.
//!
//! A printed time is as good as its last digit: spacing is judged against that. Where times are printed coarser than
//! samples are apart, the sample rate is what all of them together support.

mod precision;
mod rounded;

use std::ops::Range;

use thiserror::Error;

pub(super) use self::precision::Precision;
use self::rounded::{Allowed, Rounded};
use scopething_waveform::waveform::{Channel, Samples, Series};

/// How far a sample may lie from where it should, as a part of the sample period.
pub(super) const JITTER: f64 = 0.02;

/// The same for times that are as even as arithmetic of some seven digits makes them: to be tried first, as less of the
/// period is then unknown.
const LITTLE_JITTER: f64 = 1e-3;

/// From this part of the period on, steps that times are printed in are coarse: where they are, a few times may look
/// evenly spaced by chance.
const COARSE: f64 = 0.4;
const MIN_COARSE: usize = 16;

/// How far from the truth the period may be, as a part of itself.
const MAX_UNSURE: f64 = 0.1;

/// Fewer times that are not a printed step after the one before are no rounding.
const MIN_ODD: f64 = 3.0;

/// A sample is not where it should be.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("the samples of {channel} are not evenly spaced: at {time_s} s, where {expected_s} s should be")]
pub(super) struct Uneven {
    channel: Channel,
    /// Which sample, from 0.
    pub(super) index: usize,
    time_s: f64,
    expected_s: f64,
}

/// Evenly spaced times.
#[expect(clippy::struct_field_names, reason = "all are times, in seconds")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Even {
    pub(super) start_s: f64,
    pub(super) period_s: f64,
    /// Seconds from one printable time to the next, where that is too coarse to see the period in two of them.
    pub(super) coarse_s: Option<f64>,
}

/// Why times are not evenly spaced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Irregular {
    /// Most are, and here samples are missing: which one follows the gap, and the usual step.
    Gap { index: usize, usual_s: f64 },
    /// They come as they come, in steps from the least to the greatest. Times that are equal may have become so where they
    /// were printed, if others are as close as printed ones can be.
    Uneven { least_s: f64, greatest_s: f64, is_as_printed: bool },
    /// There are less than two.
    TooFew,
}

/// Judges times in seconds, which do not fall; `scale` is what the printed numbers were multiplied with.
pub(super) fn judge(
    count: usize,
    time_s: impl Fn(usize) -> f64,
    precision: Precision,
    scale: f64,
) -> Result<Even, Irregular> {
    if count < 2 {
        return Err(Irregular::TooFew);
    }
    let start_s = time_s(0);
    let period_s = (time_s(count - 1) - start_s) / (count - 1) as f64;
    let is_there =
        |index: usize| (time_s(index) - start_s - index as f64 * period_s).abs() <= JITTER * period_s;
    if period_s > 0.0 && (0..count).all(is_there) {
        return Ok(Even { start_s, period_s: whole_picoseconds(period_s), coarse_s: None });
    }
    let rounded = Rounded::of(count, &time_s, precision, scale);
    match even_before_rounding(&rounded, count, period_s) {
        Some(even) => Ok(even),
        None => Err(irregular(&rounded, count, &time_s, period_s)),
    }
}

/// Judges times in seconds one after the other, without keeping them: whether each of them by itself shows the period
/// that all have, as [`judge`] finds it first.
#[derive(Clone, Copy, Debug)]
pub(super) struct EvenCheck {
    start_s: f64,
    end_s: f64,
    count: usize,
    /// The periods that all times so far allow.
    least_s: f64,
    greatest_s: f64,
}

impl EvenCheck {
    pub(super) fn new() -> Self {
        Self { start_s: f64::NAN, end_s: f64::NAN, count: 0, least_s: 0.0, greatest_s: f64::INFINITY }
    }

    pub(super) fn push(&mut self, time_s: f64) {
        if self.count == 0 {
            self.start_s = time_s;
        } else {
            let (index, elapsed_s) = (self.count as f64, time_s - self.start_s);
            self.least_s = self.least_s.max(elapsed_s / (index + JITTER));
            self.greatest_s = self.greatest_s.min(elapsed_s / (index - JITTER));
        }
        if time_s.is_nan() {
            self.least_s = f64::INFINITY;
        }
        self.end_s = time_s;
        self.count += 1;
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Start and period in seconds; `None` where the times do not show them.
    pub(super) fn even(&self) -> Option<(f64, f64)> {
        let steps = self.count.checked_sub(1).filter(|&steps| steps > 0)?;
        let period_s = (self.end_s - self.start_s) / steps as f64;
        let is_even = period_s > 0.0 && (self.least_s..=self.greatest_s).contains(&period_s);
        is_even.then(|| (self.start_s, whole_picoseconds(period_s)))
    }
}

/// The evenly spaced times that were rounded where they were printed; about `mean_s` apart.
fn even_before_rounding<F: Fn(usize) -> f64>(
    rounded: &Rounded<F>,
    count: usize,
    mean_s: f64,
) -> Option<Even> {
    let coarse_s = rounded.coarsest_s();
    if mean_s <= 0.0 || coarse_s <= JITTER * mean_s || (count < MIN_COARSE && coarse_s >= COARSE * mean_s) {
        return None;
    }
    let (allowed, (least_s, greatest_s)) = [LITTLE_JITTER, JITTER]
        .into_iter()
        .find_map(|jitter| possible_periods_s(rounded, &(0..count), jitter * mean_s))?;
    let middle_s = 0.5 * (least_s + greatest_s);
    if greatest_s - least_s > 2.0 * MAX_UNSURE * middle_s || has_odd_whole_steps(rounded, middle_s) {
        return None;
    }
    let period_s = roundest(least_s, greatest_s);
    Some(Even {
        start_s: rounded.start_s(period_s, allowed),
        period_s: whole_picoseconds(period_s),
        coarse_s: (coarse_s > 0.5 * period_s).then_some(coarse_s),
    })
}

/// The least and the greatest period that the times of some rows may have, and what they are then: rounded, or cut.
fn possible_periods_s<F: Fn(usize) -> f64>(
    rounded: &Rounded<F>,
    rows: &Range<usize>,
    slack_s: f64,
) -> Option<(Allowed, (f64, f64))> {
    [false, true].into_iter().find_map(|may_be_cut| {
        let allowed = Allowed { may_be_cut, slack_s };
        Some((allowed, rounded.periods_s(rows, allowed)?))
    })
}

/// Whether most times lie one printed step apart, and a few more two than none, or the reverse: samples are missing
/// there or stand twice. Rounding makes more of them odd.
fn has_odd_whole_steps<F: Fn(usize) -> f64>(rounded: &Rounded<F>, period_s: f64) -> bool {
    let (mut all, mut whole, mut more, mut latest_s) = (0_usize, 0_usize, 0.0, 0.0);
    for (_, apart_s, step_s) in rounded.steps() {
        all += 1;
        let is_as_before = std::mem::replace(&mut latest_s, step_s) == step_s;
        if is_as_before && (0.9 * period_s..1.1 * period_s).contains(&step_s) {
            whole += 1;
            more += (apart_s / step_s).round() - 1.0;
        }
    }
    let odd = f64::abs(more);
    2 * whole > all && odd > 0.0 && (odd < MIN_ODD || odd * 50.0 < whole as f64)
}

/// Why times are not evenly spaced.
fn irregular<F: Fn(usize) -> f64>(
    rounded: &Rounded<F>,
    count: usize,
    time_s: impl Fn(usize) -> f64,
    mean_s: f64,
) -> Irregular {
    let coarse_s = rounded.coarsest_s();
    let (least_s, median_s, greatest_s) = steps_over(count, &time_s, 1);
    // Times that are printed coarser show how far they are apart over many of them only.
    let over = ((8.0 * coarse_s / mean_s).ceil() as usize).clamp(1, (count / 4).max(1));
    let usual_s = if median_s < 0.9 * coarse_s { steps_over(count, &time_s, over).1 } else { median_s };
    let is_odd = |apart_s: f64, step_s: f64| {
        let unsure_s = if step_s > 1.1 * usual_s { step_s } else { step_s.min(0.5 * usual_s) };
        (apart_s - usual_s).abs() > JITTER * usual_s + unsure_s
    };
    let odd = || rounded.steps().filter(|&(_, apart_s, step_s)| is_odd(apart_s, step_s)).map(|(row, ..)| row);
    // Rounding makes a third of the steps odd of times that are printed in steps somewhat shorter than the samples.
    let part = match count {
        _ if coarse_s < COARSE * usual_s => 2,
        ..MIN_COARSE => 3,
        _ => 8,
    };
    // Where rounding hides a gap from its neighbours, it ends the rows that lie on a line.
    let gap = if coarse_s < 1.1 * usual_s && part * odd().count() < count {
        odd().next().map(|index| Irregular::Gap { index, usual_s })
    } else {
        end_of_first_piece(rounded, count, JITTER * usual_s)
    };
    if let Some(gap) = gap.filter(|_| usual_s > 0.0) {
        return gap;
    }
    let is_as_printed = rounded.steps().any(|(_, apart_s, step_s)| apart_s > 0.0 && apart_s < 1.5 * step_s);
    Irregular::Uneven { least_s, greatest_s, is_as_printed }
}

/// The gap behind the first of several long pieces of evenly spaced times; `None` if they are not all long.
fn end_of_first_piece<F: Fn(usize) -> f64>(
    rounded: &Rounded<F>,
    count: usize,
    slack_s: f64,
) -> Option<Irregular> {
    let periods_s = |rows: Range<usize>| rounded.periods_s(&rows, Allowed { may_be_cut: false, slack_s });
    let is_even = |rows: Range<usize>| periods_s(rows).is_some();
    let (mut begin, mut first) = (0, None);
    while begin < count {
        // Twice as many rows each time, and then between what is even and what is not.
        let mut even = MIN_COARSE;
        while begin + 2 * even <= count && is_even(begin..begin + 2 * even) {
            even *= 2;
        }
        let mut uneven = (2 * even).min(count - begin + 1);
        if begin + even > count || !is_even(begin..begin + even) {
            return None;
        }
        while even + 1 < uneven {
            let middle = even.midpoint(uneven);
            if is_even(begin..begin + middle) {
                even = middle;
            } else {
                uneven = middle;
            }
        }
        begin += even;
        first = first.or(Some(begin));
    }
    let index = first.filter(|&end| end < count)?;
    let (least_s, greatest_s) = periods_s(0..index)?;
    Some(Irregular::Gap { index, usual_s: 0.5 * (least_s + greatest_s) })
}

/// How far times are apart that lie so many rows apart, for each row: the least that is not 0, the median and the
/// greatest.
fn steps_over(count: usize, time_s: impl Fn(usize) -> f64, rows: usize) -> (f64, f64, f64) {
    let apart = |row: usize| (time_s(row) - time_s(row - rows)) / rows as f64;
    let mut sorted: Vec<f64> = (rows..count).map(apart).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let least_s = sorted.iter().copied().find(|step_s| *step_s > 0.0).unwrap_or(0.0);
    let median_s = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
    (least_s, median_s, sorted.last().copied().unwrap_or(0.0))
}

/// The period between these that needs the fewest digits, or whose rate does.
fn roundest(least_s: f64, greatest_s: f64) -> f64 {
    let middle_s = 0.5 * (least_s + greatest_s);
    let to_digits = |number: f64, digits: i32| {
        let unit = 10_f64.powi(number.log10().floor() as i32 - digits);
        (number / unit).round() * unit
    };
    (0..9)
        .flat_map(|digits| [to_digits(middle_s.recip(), digits).recip(), to_digits(middle_s, digits)])
        .find(|period_s| (least_s..=greatest_s).contains(period_s))
        .unwrap_or(middle_s)
}

/// Seconds between times, from the first to the last of them; `None` for less than two.
pub(super) fn period_s(times_s: &[f64]) -> Option<f64> {
    let (first_s, last_s) = (times_s.first()?, times_s.last()?);
    let steps = times_s.len().checked_sub(1).filter(|&steps| steps > 0)?;
    Some((last_s - first_s) / steps as f64)
}

/// The series of samples taken at these times. A channel of a single sample takes another period.
pub(super) fn series(
    channel: Channel,
    times_s: &[f64],
    samples: Samples,
    other_period_s: f64,
) -> Result<Series, Uneven> {
    let start_s = times_s.first().copied().unwrap_or(0.0);
    let period_s = whole_picoseconds(period_s(times_s).unwrap_or(other_period_s));
    for (index, &time_s) in times_s.iter().enumerate() {
        let expected_s = start_s + index as f64 * period_s;
        if (time_s - expected_s).abs() > JITTER * period_s {
            return Err(Uneven { channel, index, time_s, expected_s });
        }
    }
    Ok(Series::new(channel, start_s, period_s, samples))
}

/// The rate of the clock by which channels were sampled, in hertz: those of a chopped pair take turns on a clock twice
/// as fast as either.
pub(super) fn clock_hz(channels: &[Series]) -> f64 {
    let period_s = channels.iter().map(|series| series.period_s).fold(f64::INFINITY, f64::min);
    let starts_s = channels.iter().map(|series| series.start_s);
    let (first_s, last_s) = starts_s.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), start_s| {
        (low.min(start_s), high.max(start_s))
    });
    let chopped = (last_s - first_s - period_s / 2.0).abs() < JITTER * period_s;
    whole_hertz(if chopped { 2.0 / period_s } else { 1.0 / period_s })
}

/// Takes away the rounding of a reciprocal.
pub(super) fn whole_hertz(rate_hz: f64) -> f64 {
    let whole = rate_hz.round();
    if (rate_hz - whole).abs() <= rate_hz * 1e-12 { whole } else { rate_hz }
}

/// Takes away the rounding of a difference divided by a count.
pub(super) fn whole_picoseconds(period_s: f64) -> f64 {
    let whole = (period_s * 1e12).round() / 1e12;
    if (whole - period_s).abs() <= period_s * 1e-12 { whole } else { period_s }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Judges times as they are printed.
    fn judged(printed: &[String]) -> Result<Even, Irregular> {
        let mut precision = Precision::default();
        for time in printed {
            precision.note(time, time.parse().unwrap());
        }
        let times: Vec<f64> = printed.iter().map(|time| time.parse().unwrap()).collect();
        judge(times.len(), |index| times[index], precision, 1.0)
    }

    #[test]
    fn rounded_times_have_their_common_rate() {
        let fixed = (0..480).map(|index| format!("{:.7}", f64::from(index) / 12e6)).collect::<Vec<_>>();
        let even = judged(&fixed).unwrap();
        assert!((even.period_s * 12e6 - 1.0).abs() < 1e-9 && even.coarse_s.is_some(), "{even:?}");
        // Five digits before the exponent, at an offset a thousand times the step.
        let floating =
            (0..500).map(|index| format!("{:.4e}", 0.4 + f64::from(index) * 1e-5)).collect::<Vec<_>>();
        let even = judged(&floating).unwrap();
        assert!((even.period_s / 1e-5 - 1.0).abs() < 1e-6, "{even:?}");
    }

    /// Even times as `print` has them, each of many shapes: a period of 0.1 to 5 printed steps, from below 0 to the next
    /// power of ten. The period is known to a step, or a sample, over the whole.
    #[test]
    fn any_printed_times_have_their_period() {
        fastrand::seed(14);
        let print: [fn(f64, usize) -> String; 3] = [
            |time_s, digits| format!("{time_s:.*e}", digits - 1),
            // As C's %g has it, without zeros at the end.
            |time_s, digits| format!("{time_s:.*e}", digits - 1).parse::<f64>().unwrap().to_string(),
            // Three more decimals than a number of this size has digits: as many for all.
            |time_s, digits| format!("{time_s:.*}", digits + 3),
        ];
        let mut worst: f64 = 0.0;
        for case in 0..600 {
            let (count, digits) = (fastrand::usize(50..800), fastrand::usize(3..7));
            let size = if case % 3 == 2 { -4 } else { fastrand::i32(-9..1) };
            let step_s = 10_f64.powi(size + 1 - i32::try_from(digits).unwrap());
            let period_s = step_s * 50_f64.powf(fastrand::f64()) * 0.1;
            // Some end above the power of ten, where steps are ten times as long.
            let end_s = 10_f64.powi(size) * (2.0 + 10.0 * fastrand::f64());
            let printed: Vec<String> = (0..count)
                .map(|index| print[case % 3](end_s - (count - index) as f64 * period_s, digits))
                .collect();
            match judged(&printed) {
                Ok(even) => {
                    let unsure_s =
                        step_s.max(period_s) * if end_s > 10_f64.powi(size + 1) { 10.0 } else { 1.0 };
                    worst = worst.max((even.period_s - period_s).abs() * count as f64 / unsure_s);
                }
                // One step a sample and little more looks like whole steps with a few samples missing; a few steps in all
                // have no period.
                Err(irregular) => {
                    let (first, last) = (&printed[0], &printed[count - 1]);
                    let steps = (last.parse::<f64>().unwrap() - first.parse::<f64>().unwrap()) / step_s;
                    let is_whole = |step_s: f64| (period_s / step_s - 1.0).abs() < 0.05;
                    assert!(
                        steps < 60.0 || is_whole(step_s) || is_whole(10.0 * step_s),
                        "{first} to {last}, {count} times {period_s} apart: {irregular:?}"
                    );
                }
            }
        }
        assert!(worst < 1.5, "{worst}");
    }

    #[test]
    fn sample_that_is_missing_is_no_rounding() {
        // Three samples in four printed steps, and 2.3 steps a sample: one of 400 is missing.
        for (period_s, near) in [(1.333e-3, 16), (2.3e-3, 1)] {
            let printed: Vec<String> = (0..401)
                .filter(|index| *index != 200)
                .map(|index| format!("{:.3}", f64::from(index) * period_s))
                .collect();
            let Err(Irregular::Gap { index, usual_s }) = judged(&printed) else { panic!("{period_s}") };
            assert!(
                index.abs_diff(200) <= near && (usual_s / period_s - 1.0).abs() < 0.2,
                "{index} {usual_s}"
            );
        }
        // Whole milliseconds without one of them.
        let printed: Vec<String> =
            (0..40).filter(|index| *index != 20).map(|index| index.to_string()).collect();
        assert_eq!(judged(&printed), Err(Irregular::Gap { index: 20, usual_s: 1.0 }));
    }

    /// Times of 4 ns steps as a table of a Rigol oscilloscope has them: cut from 2^-17 s to 10 us, rounded elsewhere.
    #[test]
    fn times_that_are_cut_are_even() {
        let print = |time_s: f64| {
            let is_cut = (2_f64.powi(-17)..1e-5).contains(&time_s.abs());
            if is_cut { format!("{:.2e}", (time_s / 1e-8).trunc() * 1e-8) } else { format!("{time_s:.2e}") }
        };
        let printed: Vec<String> = (-2034..3085).map(|index| print(f64::from(index) * 4e-9)).collect();
        let even = judged(&printed).unwrap();
        assert!((even.period_s - 4e-9).abs() < 1e-21, "{even:?}");
        assert!((even.start_s + 2034.0 * 4e-9).abs() < 5e-9, "{even:?}");
    }

    #[test]
    fn times_are_judged_alike_singly_and_together() {
        let checked = |times: &[f64]| {
            let mut check = EvenCheck::new();
            for &time_s in times {
                check.push(time_s);
            }
            check.even()
        };
        let even: Vec<f64> = (0..1000).map(|index| -0.25 + f64::from(index) * 1e-6).collect();
        for (moved, by_s) in
            [(0, 0.0), (500, 0.019e-6), (500, 0.021e-6), (500, 1e-6), (999, 0.5e-6), (1, -0.5e-6)]
        {
            let mut times = even.clone();
            times[moved] += by_s;
            let judged = judge(times.len(), |index| times[index], Precision::BINARY, 1.0);
            assert_eq!(
                checked(&times),
                judged.ok().map(|even| (even.start_s, even.period_s)),
                "{moved} by {by_s}"
            );
        }
        assert_eq!(checked(&[1.0]), None);
        assert_eq!(checked(&[0.0, f64::NAN, 2.0]), None);
    }

    #[test]
    fn gaps_are_distinguished_from_uneven_times() {
        let printed = |times: &[f64]| times.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            judged(&printed(&[0.0, 0.001, 0.002, 0.010, 0.011])),
            Err(Irregular::Gap { index: 3, usual_s: 0.001 })
        );
        let uneven = judged(&printed(&[0.0, 1e-9, 3e-9, 7e-9, 2e-8, 1e-7]));
        assert!(matches!(uneven, Err(Irregular::Uneven { .. })), "{uneven:?}");
        assert_eq!(judged(&printed(&[1.0])), Err(Irregular::TooFew));
    }
}

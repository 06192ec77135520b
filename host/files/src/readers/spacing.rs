//! Times that a file lists one by one, as the evenly spaced ones that a series has.
//!
//! A printed time is as good as its last digit: spacing is judged against that. Where times are printed coarser than
//! samples are apart, the sample rate is what all of them together support.

use thiserror::Error;

use scopething_waveform::waveform::{Channel, Samples, Series};

/// How far a sample may lie from where it should, as a part of the sample period.
pub(super) const JITTER: f64 = 0.02;

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

/// To how many digits times are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Precision {
    /// Most digits behind the point, of times without an exponent.
    decimals: i32,
    /// Most digits of the number itself, of times with an exponent.
    digits: i32,
}

impl Precision {
    /// That of binary numbers.
    pub(super) const BINARY: Self = Self { decimals: 200, digits: 0 };

    /// Takes note of a printed number.
    pub(super) fn note(&mut self, cell: &str) {
        let (mantissa, has_exponent) = match cell.bytes().position(|byte| byte | 0x20 == b'e') {
            Some(at) => (cell.get(..at).unwrap_or_default(), true),
            None => (cell, false),
        };
        if has_exponent {
            let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
            self.digits = self.digits.max(i32::try_from(digits).unwrap_or(i32::MAX));
        } else if let Some(point) = mantissa.bytes().position(|byte| byte == b'.' || byte == b',') {
            self.decimals = self.decimals.max(i32::try_from(mantissa.len() - point - 1).unwrap_or(i32::MAX));
        }
    }

    /// The step from a number of this size to the next that can be printed.
    fn step(self, number: f64) -> f64 {
        let fixed = 10_f64.powi(-self.decimals);
        if self.digits == 0 {
            return fixed;
        }
        if number == 0.0 {
            return 0.0;
        }
        let leading = number.abs().log10().floor();
        let floating = 10_f64.powf(leading - f64::from(self.digits - 1));
        if self.decimals == 0 { floating } else { floating.min(fixed) }
    }
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
    /// They come as they come, in steps from the least to the greatest.
    Uneven { least_s: f64, greatest_s: f64 },
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
    let (start_s, end_s) = (time_s(0), time_s(count - 1));
    let steps = (count - 1) as f64;
    let period_s = (end_s - start_s) / steps;
    let is_at = |index: usize, start_s: f64, period_s: f64, tolerance_s: f64| {
        (time_s(index) - start_s - index as f64 * period_s).abs() <= JITTER * period_s + tolerance_s
    };
    if period_s > 0.0 && (0..count).all(|index| is_at(index, start_s, period_s, 0.0)) {
        return Ok(Even { start_s, period_s: whole_picoseconds(period_s), coarse_s: None });
    }
    let step_s = |time_s: f64| scale * precision.step(time_s / scale);
    let coarse_s = step_s(start_s.abs().max(end_s.abs()));
    if period_s > 0.0 && coarse_s > JITTER * period_s && is_rounded(count, &time_s, period_s, coarse_s) {
        let (fitted_start_s, fitted_s) = fit(count, &time_s);
        let rounding_s = |index: usize| 0.51 * step_s(time_s(index)) + 0.51 * step_s(start_s);
        if (0..count).all(|index| is_at(index, fitted_start_s, fitted_s, rounding_s(index))) {
            let period_s = whole_picoseconds(round_rate(fitted_s, 2.0 * coarse_s / steps));
            let is_too_coarse = coarse_s > 0.5 * period_s;
            return Ok(Even { start_s, period_s, coarse_s: is_too_coarse.then_some(coarse_s) });
        }
    }
    let mut sorted: Vec<f64> = (1..count).map(|index| time_s(index) - time_s(index - 1)).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let usual_s = sorted.get(sorted.len() / 2).copied().unwrap_or(period_s);
    let is_usual = |step: f64, time_s: f64| {
        (step - usual_s).abs() <= JITTER * usual_s + step_s(time_s).min(0.5 * usual_s)
    };
    let odd = |index: &usize| !is_usual(time_s(*index) - time_s(index - 1), time_s(*index));
    let odd_ones = (1..count).filter(odd).count();
    match (1..count).find(odd) {
        Some(index) if 2 * odd_ones < count && usual_s > 0.0 => Err(Irregular::Gap { index, usual_s }),
        _ => Err(Irregular::Uneven {
            least_s: sorted.iter().copied().find(|step| *step > 0.0).unwrap_or(0.0),
            greatest_s: sorted.last().copied().unwrap_or(0.0),
        }),
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

/// Whether uneven steps may come from rounding. Where times are printed as coarsely as samples are apart, one that is
/// missing looks like a rounding: rounding makes many steps odd.
fn is_rounded(count: usize, time_s: impl Fn(usize) -> f64, period_s: f64, coarse_s: f64) -> bool {
    if coarse_s < 0.4 * period_s {
        return true;
    }
    let usual_s = (period_s / coarse_s).round() * coarse_s;
    let is_odd = |index: &usize| (time_s(*index) - time_s(index - 1) - usual_s).abs() > 0.5 * coarse_s;
    let odd_ones = (1..count).filter(is_odd).count();
    count >= 16 && odd_ones * 50 >= count
}

/// Start and period of the straight line through all times, by least squares.
fn fit(count: usize, time_s: impl Fn(usize) -> f64) -> (f64, f64) {
    let mean_index = (count - 1) as f64 / 2.0;
    let mean_s = (0..count).map(|index| time_s(index) / count as f64).sum::<f64>();
    let (mut above, mut below) = (0.0, 0.0);
    for index in 0..count {
        let from_mean = index as f64 - mean_index;
        above += from_mean * (time_s(index) - mean_s);
        below += from_mean * from_mean;
    }
    let period_s = above / below;
    (mean_s - mean_index * period_s, period_s)
}

/// The period of the roundest sample rate that lies no farther from this period.
fn round_rate(period_s: f64, tolerance_s: f64) -> f64 {
    let rate_hz = period_s.recip();
    let magnitude = rate_hz.log10().floor() as i32;
    (0..6)
        .map(|digits| {
            let unit = 10_f64.powi(magnitude - digits);
            ((rate_hz / unit).round() * unit).recip()
        })
        .find(|round_s| (round_s - period_s).abs() <= tolerance_s)
        .unwrap_or(period_s)
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
            precision.note(time);
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

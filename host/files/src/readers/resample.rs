//! Samples at uneven times, as evenly spaced ones.
//!
//! Simulators choose their steps, and logic analysers may write changes only. Logic levels are held until the next
//! time; volts are taken from the straight line between two times.

use crate::MAX_SAMPLES;
use crate::readers::spacing::{Irregular, whole_picoseconds};
use scopething_waveform::quantity_text::quantity;
use scopething_waveform::waveform::Samples;

/// More samples than this for each that is there are a sign of a wrong rate.
const MAX_GROWTH: usize = 4096;

pub(super) fn seconds(seconds: f64) -> String {
    quantity(seconds, "s", 4)
}

pub(super) fn rate(period_s: f64) -> String {
    quantity(period_s.recip(), "S/s", 5)
}

/// The samples with this period, or with one that suits them; and the period. `None` if there were too many.
pub(super) fn spread(times_s: &[f64], samples: &Samples, period_s: Option<f64>) -> Option<(f64, Samples)> {
    let (first_s, last_s) = (*times_s.first()?, *times_s.last()?);
    let period_s = period_s.or_else(|| suitable_s(times_s, matches!(samples, Samples::Levels(_))))?;
    let count = ((last_s - first_s) / period_s + 1e-6).floor() + 1.0;
    let most = (times_s.len().saturating_mul(MAX_GROWTH)).min(MAX_SAMPLES) as f64;
    if !(2.0..=most).contains(&count) {
        return None;
    }
    let moments = (0..count as usize).map(|index| first_s + index as f64 * period_s);
    let mut at = 0;
    let places = moments.map(|moment_s| {
        // A moment that differs by a rounding is the same.
        while times_s.get(at + 1).is_some_and(|next_s| *next_s <= moment_s + period_s * 1e-6) {
            at += 1;
        }
        (at, moment_s)
    });
    let between = |samples: &[f32], at: usize, moment_s: f64| -> Option<f32> {
        let (here, here_s) = (*samples.get(at)?, *times_s.get(at)?);
        let Some((next, next_s)) = samples.get(at + 1).zip(times_s.get(at + 1)) else { return Some(here) };
        let part = if next_s > &here_s { (moment_s - here_s) / (next_s - here_s) } else { 0.0 };
        Some((f64::from(here) + part.clamp(0.0, 1.0) * f64::from(next - here)) as f32)
    };
    let samples = match samples {
        Samples::Volts(all) => {
            Samples::Volts(places.filter_map(|(at, moment_s)| between(all, at, moment_s)).collect())
        }
        Samples::Fractions(all) => {
            Samples::Fractions(places.filter_map(|(at, moment_s)| between(all, at, moment_s)).collect())
        }
        Samples::Levels(all) => Samples::Levels(places.filter_map(|(at, _)| all.get(at).copied()).collect()),
    };
    Some((period_s, samples))
}

/// Which of so many samples have times of their own. Of those whose times are printed alike, it is the last level, which
/// holds until the next time; of volts the middle one, which is nearest to the printed time.
pub(super) fn distinct(count: usize, time_s: impl Fn(usize) -> f64, is_logic: bool) -> Vec<usize> {
    let mut begin = 0;
    let is_last = |index: &usize| index + 1 == count || time_s(index + 1) > time_s(*index);
    (0..count)
        .filter(is_last)
        .map(|last| {
            let first = std::mem::replace(&mut begin, last + 1);
            if is_logic { last } else { first.midpoint(last) }
        })
        .collect()
}

/// A period by which little is lost: of changes, one that all steps are multiples of; of a simulation, a short one of
/// its steps.
fn suitable_s(times_s: &[f64], is_logic: bool) -> Option<f64> {
    let mut steps: Vec<f64> = times_s
        .windows(2)
        .filter_map(|pair| Some(pair.get(1)? - pair.first()?))
        .filter(|step| *step > 0.0)
        .collect();
    steps.sort_unstable_by(f64::total_cmp);
    let (least_s, last) = (*steps.first()?, steps.len() - 1);
    let period_s = if is_logic {
        let fits = |period_s: f64| {
            steps.iter().all(|step_s| {
                let periods = step_s / period_s;
                (periods - periods.round()).abs() <= 0.02
            })
        };
        let divided = (1..=100_u32).map(|part| least_s / f64::from(part));
        divided.into_iter().find(|&period_s| fits(period_s)).unwrap_or(least_s / 10.0)
    } else {
        let short_s = *steps.get(last / 10)?;
        let span_s = times_s.last()? - times_s.first()?;
        short_s.max(span_s / (16.0 * times_s.len() as f64))
    };
    Some(whole_picoseconds(period_s)).filter(|period_s| *period_s > 0.0)
}

/// What the user should know of it; so many samples are left out, as their times are printed alike.
pub(super) fn warning(irregular: Irregular, samples: &Samples, period_s: f64, left_out: usize) -> String {
    let steps = match irregular {
        Irregular::Uneven { least_s, greatest_s, .. } => {
            format!(" (steps of {} to {})", seconds(least_s), seconds(greatest_s))
        }
        _ => String::new(),
    };
    let is_logic = matches!(samples, Samples::Levels(_));
    let how = if is_logic { "held" } else { "interpolated" };
    let alike = if left_out > 0 {
        let which = if is_logic { "last" } else { "middle" };
        let (are, them) =
            if left_out == 1 { ("sample is", "its time is") } else { ("samples are", "their times are") };
        format!(
            "; {left_out} {are} left out, as {them} printed like those of others: the {which} of each such is read"
        )
    } else {
        String::new()
    };
    format!(
        "times are not evenly spaced{steps}: samples are {how} at {}; --rate gives another{alike}",
        rate(period_s)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_held_at_their_greatest_common_step() {
        let times_s = [0.0, 3e-6, 5e-6, 12e-6];
        let (period_s, samples) = spread(&times_s, &Samples::Levels(vec![0, 1, 0, 1]), None).unwrap();
        assert_eq!(period_s, 1e-6);
        assert_eq!(samples, Samples::Levels(vec![0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1]));
        assert_eq!(spread(&times_s, &Samples::Levels(vec![0, 1, 0, 1]), Some(1e-12)), None);
    }

    #[test]
    fn last_level_and_middle_volts_of_a_time_are_kept() {
        let times_s = [0.0, 0.0, 0.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0];
        let kept = |is_logic| distinct(times_s.len(), |index| times_s[index], is_logic);
        assert_eq!(kept(true), [2, 3, 5, 8]);
        assert_eq!(kept(false), [1, 3, 4, 7]);
    }

    #[test]
    fn volts_lie_on_straight_lines() {
        let times_s = [0.0, 1.0, 1.5, 4.0];
        let ramp = Samples::Volts(times_s.iter().map(|time_s| 2.0 * *time_s as f32).collect());
        let (_, samples) = spread(&times_s, &ramp, Some(0.25)).unwrap();
        let Samples::Volts(volts) = samples else { panic!("volts") };
        assert!(
            volts.len() == 17
                && (0_u8..).zip(&volts).all(|(index, volt)| (volt - f32::from(index) * 0.5).abs() < 1e-6)
        );
    }
}

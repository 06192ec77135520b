//! An axis: the span of values it shows, and ticks at round values.

use scopething_waveform::quantity_text::Prefix;

/// A round value on an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where it lies, in the axis' base unit.
    pub value: f64,
    /// The number to print there, in [`Axis::unit`].
    pub label: String,
}

/// The span of values that a picture shows in one direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// The value at the left or the bottom, in the base unit.
    pub low: f64,
    /// The value at the right or the top, in the base unit; more than [`low`](Self::low).
    pub high: f64,
    /// The unit the labels are in, with its SI prefix, such as `ms`.
    pub unit: String,
    /// Round values within the span, the lowest first.
    pub ticks: Vec<Tick>,
}

impl Axis {
    /// An axis from `low` to `high`, with at most `most_ticks` ticks on it. A span of nothing is widened.
    pub(crate) fn new(low: f64, high: f64, unit: &str, most_ticks: usize) -> Self {
        let (low, high) = widened(low, high);
        let step = round_step(high - low, most_ticks);
        let prefix = if unit.is_empty() { Prefix::NONE } else { Prefix::of(low.abs().max(high.abs())) };
        let decimals = (-(step / prefix.factor).log10().floor()).max(0.0) as usize;
        // A millionth of a step is far less than a dot, and far more than the rounding of these sums.
        let first = (low / step - 1e-6).ceil();
        let count = ((high / step + 1e-6).floor() - first + 1.0) as usize;
        let ticks = (0..count)
            .map(|index| {
                let value = (first + index as f64) * step;
                Tick { value, label: label(value / prefix.factor, decimals) }
            })
            .collect();
        Self { low, high, unit: format!("{}{unit}", prefix.symbol), ticks }
    }

    /// An axis on which `low` and `high` lie a little inside its ends, with at most `most_ticks` ticks on it.
    pub(crate) fn around(low: f64, high: f64, unit: &str, most_ticks: usize) -> Self {
        let (low, high) = widened(low, high);
        let headroom = (high - low) * 0.06;
        Self::new(low - headroom, high + headroom, unit, most_ticks)
    }

    /// Where `value` lies: 0 at the low end, 1 at the high end, beyond that outside.
    #[must_use]
    pub fn fraction(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

fn label(value: f64, decimals: usize) -> String {
    if value.abs() >= 1e6 || decimals > 9 {
        return format!("{value:.3e}");
    }
    let text = format!("{value:.decimals$}");
    // Minus nothing is nothing.
    if text.trim_start_matches('-').bytes().all(|byte| matches!(byte, b'0' | b'.')) {
        text.trim_start_matches('-').to_owned()
    } else {
        text
    }
}

/// The smallest of 1, 2, 5 times a power of ten that divides `span` into at most `most_ticks` steps.
fn round_step(span: f64, most_ticks: usize) -> f64 {
    let least = span / most_ticks.max(1) as f64;
    let decade = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0]
        .into_iter()
        .map(|factor| factor * decade)
        .find(|&step| step >= least)
        .unwrap_or(10.0 * decade)
}

/// A span wide enough to show: a constant signal lies in the middle of a tenth of itself.
fn widened(low: f64, high: f64) -> (f64, f64) {
    let middle = f64::midpoint(low, high);
    // 32-bit samples differ by no less than this; what is less is rounding.
    if high - low > middle.abs() * 1e-7 && high - low > 1e-15 {
        return (low, high);
    }
    let half = (middle.abs() * 0.05).max(if middle == 0.0 { 0.5 } else { 1e-15 });
    (middle - half, middle + half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round_and_share_a_prefix() {
        let axis = Axis::new(0.0, 0.000_999, "s", 10);
        assert_eq!(labels(&axis), ["0", "100", "200", "300", "400", "500", "600", "700", "800", "900"]);
        assert_eq!(axis.unit, "µs");
        let axis = Axis::new(-0.3, 3.31, "V", 8);
        assert_eq!(labels(&axis), ["0.0", "0.5", "1.0", "1.5", "2.0", "2.5", "3.0"]);
        let axis = Axis::new(-0.015, 0.004, "V", 5);
        assert_eq!(labels(&axis), ["-15", "-10", "-5", "0"]);
        assert_eq!(axis.unit, "mV");
    }

    #[test]
    fn what_is_shown_keeps_off_the_ends() {
        let axis = Axis::around(0.0, 3.3, "V", 8);
        assert!(axis.low < -0.1 && axis.low > -0.4 && axis.high > 3.4 && axis.high < 3.7, "{axis:?}");
    }

    #[test]
    fn constant_has_an_axis_around_it() {
        for constant in [0.0, 3.3, -7.0, 1e-12, 1e30] {
            let axis = Axis::around(constant, constant, "V", 8);
            assert!(axis.low < constant && constant < axis.high, "{axis:?}");
            assert!(axis.ticks.len() >= 2, "{axis:?}");
        }
    }

    #[test]
    fn tick_beyond_the_end_is_left_out() {
        assert!(Axis::new(0.1, 0.9, "", 1).ticks.is_empty());
        assert_eq!(labels(&Axis::new(0.1e20, 0.9e20, "V", 2)), ["5.000e7"]);
    }

    #[test]
    fn axis_without_a_unit_has_no_prefix() {
        assert_eq!(Axis::new(0.000_2, 0.000_4, "", 5).unit, "");
    }

    proptest! {
        #[test]
        fn every_span_has_few_inner_ticks(
            low in -1e38_f64..1e38, span in 0.0_f64..1e38, exponent in -50_i32..0, most in 2_usize..20
        ) {
            let scale = 10_f64.powi(exponent);
            let (low, high) = (low * scale, (low + span) * scale);
            for axis in [Axis::new(low, high, "V", most), Axis::around(low, high, "V", most)] {
                prop_assert!(axis.low < axis.high);
                prop_assert!(axis.low <= low && high <= axis.high);
                prop_assert!(axis.ticks.len() <= most + 1, "{:?}", axis);
                for tick in &axis.ticks {
                    prop_assert!((-1e-4..=1.0001).contains(&axis.fraction(tick.value)), "{:?}", axis);
                }
            }
        }
    }
}

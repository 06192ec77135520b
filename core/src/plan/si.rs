//! Numbers with a unit and an SI prefix, rounded for people to read.

use core::fmt::{self, Write as _};

/// A number with its unit: five significant digits and an SI prefix, as in `24.242 kS/s`.
pub(super) struct Si(pub(super) f64, pub(super) &'static str);

/// As [`Si`], with so many significant digits.
pub(super) struct Exact(f64, &'static str, usize);

impl Si {
    /// The number with seven digits, for those that differ by some parts in a million.
    pub(super) const fn exact(value: f64, unit: &'static str) -> Exact {
        Exact(value, unit, 7)
    }

    /// The number with nine digits, for a limit that is typed in as it is printed.
    pub(super) const fn limit(value: f64, unit: &'static str) -> Exact {
        Exact(value, unit, 9)
    }
}

/// What a prefix stands for, and the prefix.
const PREFIXES: [(f64, &str); 7] =
    [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n")];

impl fmt::Display for Si {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0, self.1, 5)
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0, self.1, self.2)
    }
}

fn write(f: &mut fmt::Formatter<'_>, value: f64, unit: &str, digits: usize) -> fmt::Result {
    let magnitude = value.abs();
    // What is beyond the prefixes is nobody's measurement, and shown as it is.
    if value != 0.0 && !(1e-12..1e12).contains(&magnitude) {
        return write!(f, "{value:e} {unit}");
    }
    // What would be printed as 1000 of a prefix is 1 of the next.
    let fits = |&&(factor, _): &&(f64, &str)| magnitude * 1.000_005 >= factor;
    let (factor, prefix) =
        if value == 0.0 { (1.0, "") } else { PREFIXES.iter().find(fits).copied().unwrap_or((1e-9, "n")) };
    let scaled = value / factor;
    let before_point = match scaled.abs() {
        100.0.. => 3,
        10.0.. => 2,
        _ => 1,
    };
    let decimals = digits.saturating_sub(before_point).min(8);
    // A sign, at most four digits ahead of the point, and at most eight behind it.
    let mut text = heapless::String::<16>::new();
    write!(text, "{scaled:.decimals$}")?;
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    write!(f, "{text} {prefix}{unit}")
}

#[cfg(test)]
mod tests {
    use std::string::ToString as _;

    use super::*;

    #[test]
    fn numbers_are_rounded_for_people() {
        for (value, unit, text) in [
            (24_242.424_242, "Hz", "24.242 kHz"),
            (5e6, "S/s", "5 MS/s"),
            (0.0, "s", "0 s"),
            (1e-3, "s", "1 ms"),
            (999.999_9e-6, "s", "1 ms"),
            (-5.5, "V", "-5.5 V"),
            (f64::from(8.25_f32), "V", "8.25 V"),
            (2e-9, "s", "2 ns"),
            (26_214.4e-3, "s", "26.214 s"),
            (1e300, "s", "1e300 s"),
        ] {
            assert_eq!(Si(value, unit).to_string(), text);
        }
        assert_eq!(Si::exact(1_000_001.3, "S/s").to_string(), "1.000001 MS/s");
        assert_eq!(Si(f64::NAN, "V").to_string(), "NaN V");
    }
}

//! Numbers with a unit and an SI prefix, as an instrument shows them.

/// An SI prefix that instruments use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prefix {
    /// What stands before the unit.
    pub symbol: &'static str,
    /// How many of the unit it stands for.
    pub factor: f64,
}

const PREFIXES: [Prefix; 9] = [
    Prefix { symbol: "T", factor: 1e12 },
    Prefix { symbol: "G", factor: 1e9 },
    Prefix { symbol: "M", factor: 1e6 },
    Prefix { symbol: "k", factor: 1e3 },
    Prefix { symbol: "", factor: 1.0 },
    Prefix { symbol: "m", factor: 1e-3 },
    Prefix { symbol: "µ", factor: 1e-6 },
    Prefix { symbol: "n", factor: 1e-9 },
    Prefix { symbol: "p", factor: 1e-12 },
];

impl Prefix {
    /// No prefix: the unit itself.
    pub const NONE: Self = Self { symbol: "", factor: 1.0 };

    /// The prefix with which `magnitude` is 1 to 999 of the unit, as far as there is one; none for zero.
    #[must_use]
    pub fn of(magnitude: f64) -> Self {
        let magnitude = magnitude.abs();
        if magnitude == 0.0 || !magnitude.is_finite() {
            return Self::NONE;
        }
        // A magnitude that would be printed as 1000 of a prefix is 1 of the next.
        let fits = |prefix: &&Self| magnitude * 1.000_5 >= prefix.factor;
        PREFIXES.iter().find(fits).or(PREFIXES.last()).copied().unwrap_or(Self::NONE)
    }
}

/// `value` in `unit` with an SI prefix and so many significant digits: `quantity(1e6, "S/s", 4)` is
/// `1.000 MS/s`.
#[must_use]
pub fn quantity(value: f64, unit: &str, digits: usize) -> String {
    let prefix = Prefix::of(value);
    let decimals = decimals(value / prefix.factor, digits);
    format!("{:.decimals$} {}{unit}", value / prefix.factor, prefix.symbol)
}

/// A time span in everyday units: `1 h 30 min`, `7 d`, `2.5 ms`; above a minute to the second, below to four digits.
#[must_use]
pub fn time_span(seconds: f64) -> String {
    if !(60.0..1e12).contains(&seconds) {
        let text = quantity(seconds, "s", 4);
        let (number, unit) = text.split_once(' ').unwrap_or((&text, "s"));
        let number =
            if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
        return format!("{number} {unit}");
    }
    let whole = seconds.round() as u64;
    let parts = [(whole / 86400, "d"), (whole / 3600 % 24, "h"), (whole / 60 % 60, "min"), (whole % 60, "s")];
    let parts: Vec<String> = parts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}"))
        .collect();
    parts.join(" ")
}

/// Two values with one prefix, and as many digits as the greater one has: `0.00 … 3.30 V`.
#[must_use]
pub fn span(low: f64, high: f64, unit: &str, digits: usize) -> String {
    let magnitude = low.abs().max(high.abs());
    let prefix = Prefix::of(magnitude);
    let decimals = decimals(magnitude / prefix.factor, digits);
    let number = |value: f64| format!("{:.decimals$}", value / prefix.factor);
    format!("{} … {} {}{unit}", number(low), number(high), prefix.symbol)
}

/// How many decimals leave so many significant digits.
fn decimals(scaled: f64, digits: usize) -> usize {
    let before_point = if scaled.abs() >= 1.0 { scaled.abs().log10() as usize + 1 } else { 1 };
    digits.saturating_sub(before_point)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_spans_read_in_everyday_units() {
        for (seconds, text) in [
            (5400.0, "1 h 30 min"),
            (604_800.0, "7 d"),
            (86_461.0, "1 d 1 min 1 s"),
            (59.9, "59.9 s"),
            (59.7, "59.7 s"),
            (60.4, "1 min"),
            (2.5e-3, "2.5 ms"),
            (1.0, "1 s"),
            (0.0, "0 s"),
            (100e-3, "100 ms"),
        ] {
            assert_eq!(time_span(seconds), text);
        }
    }

    #[test]
    fn quantities_read_as_on_an_instrument() {
        for (value, unit, expected) in [
            (1e6, "S/s", "1.000 MS/s"),
            (2_441.406_25, "S/s", "2.441 kS/s"),
            (40e6, "S/s", "40.00 MS/s"),
            (0.0, "V", "0.000 V"),
            (-0.25, "V", "-250.0 mV"),
            (25e-9, "s", "25.00 ns"),
            (999.99e-6, "s", "1.000 ms"),
            (1.0, "V", "1.000 V"),
            (0.999_9, "V", "1.000 V"),
            (5e-15, "s", "0.005 ps"),
        ] {
            assert_eq!(quantity(value, unit, 4), expected);
        }
    }
}

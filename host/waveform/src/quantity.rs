//! Numbers with SI suffixes as people write them: `1ms`, `2.5us`, `20kHz`, `3.3V`, `100k`, `50%`.
//!
//! One parser and one printer for the command line, URLs and signal texts. It knows no ranges: what a period
//! or a voltage may be is the business of whoever uses the number.
//!
//! ```
//! use scopething_waveform::quantity::{Unit, format, parse};
//!
//! assert_eq!(parse("2.5us", Unit::Seconds), Ok(2.5e-6));
//! assert_eq!(parse("20kHz", Unit::Hertz), Ok(20e3));
//! assert_eq!(parse("50%", Unit::Fraction), Ok(0.5));
//! assert_eq!(format(2.5e-6, Unit::Seconds), "2.5us");
//! ```

use std::fmt;

/// What a number counts. The unit itself may always be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A plain number: `100k`.
    Count,
    /// Seconds: `1ms`, also `15min`, `12h` and `7d`.
    Seconds,
    /// Hertz: `20kHz`.
    Hertz,
    /// Volts: `3.3V`.
    Volts,
    /// Bits a second: `1Mbps`.
    BitsPerSecond,
    /// A part of a whole: `50%` or `0.5`.
    Fraction,
}

impl Unit {
    /// The symbol written after the SI prefix.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Count | Self::Fraction => "",
            Self::Seconds => "s",
            Self::Hertz => "Hz",
            Self::Volts => "V",
            Self::BitsPerSecond => "bps",
        }
    }

    /// Two numbers with this unit, for messages.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            Self::Count => "1000 or 100k",
            Self::Seconds => "1ms, 2.5us, 90s, 15min, 12h or 7d",
            Self::Hertz => "50Hz or 20kHz",
            Self::Volts => "3.3V or 500mV",
            Self::BitsPerSecond => "9600bps or 1Mbps",
            Self::Fraction => "50% or 0.5",
        }
    }
}

/// Why a text is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuantityError {
    /// The text does not begin with a number.
    NoNumber {
        /// What was given.
        text: String,
        /// The expected unit.
        unit: Unit,
    },
    /// What follows the number is neither an SI prefix nor the unit.
    Suffix {
        /// What was given.
        text: String,
        /// The part that is not understood.
        suffix: String,
        /// The expected unit.
        unit: Unit,
    },
    /// A time span in `m` or `M`, which people read in two ways.
    Ambiguous {
        /// What was given.
        text: String,
        /// The number ahead of the letter.
        number: String,
        /// The letter.
        letter: char,
    },
    /// The number is too large to be represented.
    TooLarge {
        /// What was given.
        text: String,
    },
}

impl fmt::Display for QuantityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNumber { text, unit } => {
                write!(f, "\"{text}\" is not a number: write it like {}", unit.example())
            }
            Self::Suffix { text, suffix, unit } => {
                write!(f, "\"{suffix}\" in \"{text}\" is not understood: write it like {}", unit.example())
            }
            Self::Ambiguous { text, number, letter } => {
                let other = if *letter == 'm' { "milliseconds" } else { "megaseconds" };
                write!(
                    f,
                    "\"{text}\" can be read as {number}min (minutes) or {number}{letter}s ({other}): write one of them"
                )
            }
            Self::TooLarge { text } => write!(f, "\"{text}\" is too large"),
        }
    }
}

impl std::error::Error for QuantityError {}

/// SI prefixes with their power of ten; the first spelling of each is the one that is printed.
const PREFIXES: [(&str, i32); 11] = [
    ("p", -12),
    ("n", -9),
    ("u", -6),
    ("\u{b5}", -6),
    ("\u{3bc}", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("K", 3),
    ("M", 6),
    ("G", 9),
];

/// Time spans that no SI prefix makes of a second, with their seconds.
const LONG_SPANS: [(&str, f64); 3] = [("min", 60.0), ("h", 3600.0), ("d", 86400.0)];

/// Reads a number with an optional SI prefix and an optional unit, rounded once.
///
/// Spaces around and between are ignored. `%` is a hundredth and is only understood for [`Unit::Fraction`]. Time spans may
/// be in minutes, hours and days, and `m` alone is refused, which may be meant for minutes.
///
/// # Errors
///
/// [`QuantityError`] names the part that is not understood.
///
/// ```
/// use scopething_waveform::quantity::{Unit, parse};
///
/// assert_eq!(parse("1.5h", Unit::Seconds), Ok(5400.0));
/// let refused = parse("5m", Unit::Seconds).unwrap_err().to_string();
/// assert!(refused.contains("5min (minutes) or 5ms (milliseconds)"));
/// ```
pub fn parse(text: &str, unit: Unit) -> Result<f64, QuantityError> {
    let trimmed = text.trim();
    let (mantissa, exponent, suffix) =
        split_number(trimmed).ok_or_else(|| QuantityError::NoNumber { text: trimmed.to_owned(), unit })?;
    let suffix = suffix.trim();
    if unit == Unit::Seconds {
        if let Some(&(_, factor)) = LONG_SPANS.iter().find(|(name, _)| *name == suffix) {
            let seconds = parse(&format!("{mantissa}e{exponent}"), Unit::Count)? * factor;
            return if seconds.is_finite() {
                Ok(seconds)
            } else {
                Err(QuantityError::TooLarge { text: trimmed.to_owned() })
            };
        }
        if let Some(letter @ ('m' | 'M')) = suffix.chars().next().filter(|_| suffix.len() == 1) {
            let number = trimmed.strip_suffix(letter).unwrap_or(trimmed).trim_end().to_owned();
            return Err(QuantityError::Ambiguous { text: trimmed.to_owned(), number, letter });
        }
    }
    let power = suffix_power(suffix, unit).ok_or_else(|| QuantityError::Suffix {
        text: trimmed.to_owned(),
        suffix: suffix.to_owned(),
        unit,
    })?;
    // The prefix goes into the decimal exponent, so that the text is rounded to binary once.
    let value: f64 = format!("{mantissa}e{}", exponent.saturating_add(power))
        .parse()
        .map_err(|_| QuantityError::NoNumber { text: trimmed.to_owned(), unit })?;
    if value.is_finite() { Ok(value) } else { Err(QuantityError::TooLarge { text: trimmed.to_owned() }) }
}

/// Prints a finite number so that [`parse`] gives it back exactly, with an SI prefix where that makes it
/// shorter.
#[must_use]
pub fn format(value: f64, unit: Unit) -> String {
    let symbol = unit.symbol();
    let plain = format!("{value}{symbol}");
    if unit == Unit::Fraction {
        return plain;
    }
    PREFIXES
        .iter()
        .filter(|(prefix, _)| prefix.is_ascii() && *prefix != "K")
        .map(|(prefix, power)| format!("{}{prefix}{symbol}", scaled(value, *power)))
        .fold(plain, |shortest, text| if text.len() < shortest.len() { text } else { shortest })
}

/// Prints a fraction as a percentage that [`parse`] gives back exactly.
#[must_use]
pub fn percent(fraction: f64) -> String {
    format!("{}%", scaled(fraction, -2))
}

/// The decimal digits of `value` / 10^`power`: the point is moved in the text, so that nothing is rounded.
fn scaled(value: f64, power: i32) -> String {
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits = mantissa.replace('.', "");
    let point = exponent.parse::<i32>().unwrap_or(0) - power + 1;
    let Ok(whole) = usize::try_from(point) else {
        return format!("{sign}0.{}{digits}", "0".repeat(point.unsigned_abs() as usize));
    };
    match digits.split_at_checked(whole) {
        Some((whole, "")) => format!("{sign}{whole}"),
        Some(("", fraction)) => format!("{sign}0.{fraction}"),
        Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
        None => format!("{sign}{digits}{}", "0".repeat(whole - digits.len())),
    }
}

fn suffix_power(suffix: &str, unit: Unit) -> Option<i32> {
    if unit == Unit::Fraction {
        return match suffix {
            "" => Some(0),
            "%" => Some(-2),
            _ => None,
        };
    }
    let exact = |text: &str| PREFIXES.iter().find(|(prefix, _)| *prefix == text).map(|(_, power)| *power);
    suffix.strip_suffix(unit.symbol()).and_then(exact).or_else(|| exact(suffix))
}

/// Splits `-1.5e3kHz` into `-1.5`, 3 and `kHz`; none if no number leads.
fn split_number(text: &str) -> Option<(&str, i32, &str)> {
    let digits = |from: usize| {
        text.as_bytes()
            .get(from..)
            .unwrap_or_default()
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let sign = usize::from(text.starts_with(['+', '-']));
    let whole = digits(sign);
    let mut end = sign + whole;
    let mut fraction = 0;
    if text.as_bytes().get(end) == Some(&b'.') {
        fraction = digits(end + 1);
        // A point that no digit follows belongs to what comes after, as in the range `0..3V`.
        if fraction > 0 {
            end += 1 + fraction;
        }
    }
    if whole + fraction == 0 {
        return None;
    }
    let mantissa = text.get(..end)?;
    let mut exponent = 0;
    if matches!(text.as_bytes().get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.as_bytes().get(end + 1), Some(b'+' | b'-')));
        let count = digits(end + 1 + sign);
        if count > 0 {
            exponent = text.get(end + 1..end + 1 + sign + count)?.parse().ok()?;
            end += 1 + sign + count;
        }
    }
    Some((mantissa, exponent, text.get(end..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    #[test]
    fn texts_of_the_command_line_are_read() {
        assert_eq!(parse("1ms", Unit::Seconds), Ok(1e-3));
        assert_eq!(parse("2.5us", Unit::Seconds), Ok(2.5e-6));
        assert_eq!(parse("2.5 \u{b5}s", Unit::Seconds), Ok(2.5e-6));
        assert_eq!(parse("20kHz", Unit::Hertz), Ok(20_000.0));
        assert_eq!(parse("-3.3V", Unit::Volts), Ok(-3.3));
        assert_eq!(parse("5m", Unit::Volts), Ok(0.005));
        assert_eq!(parse("100k", Unit::Count), Ok(100_000.0));
        assert_eq!(parse("1e3kHz", Unit::Hertz), Ok(1e6));
        assert_eq!(parse("50%", Unit::Fraction), Ok(0.5));
        assert_eq!(parse(".25", Unit::Fraction), Ok(0.25));
        assert_eq!(parse("1Mbps", Unit::BitsPerSecond), Ok(1e6));
    }

    #[test]
    fn time_spans_are_read_in_everyday_units() {
        for (text, seconds) in [
            ("90s", 90.0),
            ("15min", 900.0),
            ("1.5 h", 5400.0),
            ("7d", 604_800.0),
            ("1e3h", 3.6e6),
            ("2ms", 2e-3),
            ("3u", 3e-6),
            ("-1d", -86400.0),
        ] {
            assert_eq!(parse(text, Unit::Seconds), Ok(seconds), "{text}");
        }
        for (text, readings) in [
            ("1m", ["1min (minutes)", "1ms (milliseconds)"]),
            ("2.5 m", ["2.5min (minutes)", "2.5ms (milliseconds)"]),
            ("5M", ["5min (minutes)", "5Ms (megaseconds)"]),
        ] {
            let refused = parse(text, Unit::Seconds).unwrap_err().to_string();
            assert!(readings.iter().all(|reading| refused.contains(reading)), "{refused}");
        }
        // Of volts and hertz it is one thing only.
        assert_eq!((parse("5m", Unit::Volts), parse("5M", Unit::Hertz)), (Ok(5e-3), Ok(5e6)));
        assert!(matches!(parse("1e308d", Unit::Seconds), Err(QuantityError::TooLarge { .. })));
        assert!(parse("1h", Unit::Hertz).is_err() && parse("1min", Unit::Count).is_err());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let suffix = |text: &str, suffix: &str, unit| {
            Err(QuantityError::Suffix { text: text.to_owned(), suffix: suffix.to_owned(), unit })
        };
        assert_eq!(parse("1ms", Unit::Volts), suffix("1ms", "ms", Unit::Volts));
        assert_eq!(parse("1%", Unit::Volts), suffix("1%", "%", Unit::Volts));
        assert_eq!(parse("5..", Unit::Volts), suffix("5..", "..", Unit::Volts));
        for text in ["", "V", "-", ".", "e3", "NaN", "inf"] {
            let error = Err(QuantityError::NoNumber { text: text.to_owned(), unit: Unit::Volts });
            assert_eq!(parse(text, Unit::Volts), error);
        }
        assert_eq!(parse("1e400", Unit::Hertz), Err(QuantityError::TooLarge { text: "1e400".to_owned() }));
        let message = parse("1ks", Unit::Hertz).unwrap_err().to_string();
        assert_eq!(message, "\"ks\" in \"1ks\" is not understood: write it like 50Hz or 20kHz");
    }

    #[test]
    fn shortest_form_is_printed() {
        assert_eq!(format(0.0025, Unit::Seconds), "2.5ms");
        assert_eq!(format(1e6, Unit::BitsPerSecond), "1Mbps");
        assert_eq!(format(0.0, Unit::Volts), "0V");
        assert_eq!(format(-1e-5, Unit::Seconds), "-10us");
        assert_eq!(format(0.01e-3 / 1e3 * 1e3, Unit::Seconds), "10us");
        assert_eq!(format(1650.0, Unit::Hertz), "1650Hz");
        assert_eq!(format(0.25, Unit::Fraction), "0.25");
        assert_eq!(percent(0.001), "0.1%");
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

        #[test]
        fn what_is_printed_is_read_back(value in proptest::num::f64::NORMAL | proptest::num::f64::ZERO) {
            for unit in [Unit::Count, Unit::Seconds, Unit::Volts, Unit::Fraction] {
                prop_assert_eq!(parse(&format(value, unit), unit), Ok(value));
            }
            prop_assert_eq!(parse(&percent(value), Unit::Fraction), Ok(value));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,12}") {
            for unit in [Unit::Count, Unit::Hertz, Unit::Fraction] {
                if let Ok(value) = parse(&text, unit) {
                    prop_assert!(value.is_finite());
                }
            }
        }
    }
}

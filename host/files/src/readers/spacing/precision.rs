//! To how many digits times are printed.

/// A number that is so much smaller than the one before it is a zero, with the rounding of whoever computed it.
const NOISE: f64 = 1e-9;

/// To how many digits times are printed: to a fixed number of decimals, to a number of significant digits, or to the
/// first of both that ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Precision {
    /// The lowest power of ten that a digit stands for.
    lowest: i32,
    /// Most digits of a number, from its first that is not 0 on.
    digits: i32,
    /// The number before.
    latest: f64,
}

impl Default for Precision {
    fn default() -> Self {
        Self { lowest: Self::HIGHEST, digits: 0, latest: 0.0 }
    }
}

impl Precision {
    /// That of binary numbers.
    pub(crate) const BINARY: Self = Self { lowest: -Self::HIGHEST, digits: Self::HIGHEST, latest: 0.0 };

    /// No power of ten that a 64-bit float has is higher.
    const HIGHEST: i32 = 400;

    /// Takes note of a printed number, and what it is.
    pub(crate) fn note(&mut self, cell: &str, number: f64) {
        let latest = std::mem::replace(&mut self.latest, number);
        if number != 0.0 && number.abs() < NOISE * latest.abs() {
            return;
        }
        let exponent_at = cell.bytes().position(|byte| byte | 0x20 == b'e');
        let (mantissa, exponent) = exponent_at.and_then(|at| cell.split_at_checked(at)).unwrap_or((cell, ""));
        let exponent = exponent.get(1..).and_then(|text| text.parse::<i32>().ok()).unwrap_or(0);
        let point = mantissa.bytes().position(|byte| byte == b'.' || byte == b',');
        let decimals = point.map_or(0, |point| mantissa.len() - point - 1);
        let digits = mantissa.bytes().filter(u8::is_ascii_digit).skip_while(|&byte| byte == b'0').count();
        let exponent = exponent.clamp(-Self::HIGHEST, Self::HIGHEST);
        self.take(exponent - bounded(decimals), bounded(digits));
    }

    /// Takes note of a number that is printed to so many decimals, whatever its size.
    pub(crate) fn note_decimals(&mut self, decimals: usize) {
        self.take(-bounded(decimals), Self::HIGHEST);
    }

    fn take(&mut self, lowest: i32, digits: i32) {
        self.lowest = self.lowest.min(lowest);
        self.digits = self.digits.max(digits);
    }

    /// The step from a number of this size to the next that can be printed.
    pub(super) fn step(self, number: f64) -> f64 {
        let lowest = 10_f64.powi(self.lowest);
        if number == 0.0 {
            return lowest;
        }
        // A number that was divided by a unit may lie just below its power of ten.
        let first = (number.abs().log10() + 1e-9).floor() as i32;
        lowest.max(10_f64.powi(first - (self.digits - 1)))
    }
}

fn bounded(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(Precision::HIGHEST).min(Precision::HIGHEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_those_of_the_last_digit() {
        for (printed, number, step) in [
            // Fixed decimals.
            (&["0.00000", "0.00250", "12.34567"][..], 12.0, 1e-5),
            (&["0.00000", "0.00250", "12.34567"], 0.0025, 1e-5),
            // Significant digits, with and without exponents, also where zeros at the end are left out.
            (&["9.98", "9.99", "10", "10.1"], 9.98, 0.01),
            (&["9.98", "9.99", "10", "10.1"], 10.0, 0.1),
            (&["9.99E-06", "1.00E-05"], 9.99e-6, 1e-8),
            (&["9.99E-06", "1.00E-05"], 1e-5, 1e-7),
            (&["0.000123457", "9.87654e-05"], 9.87654e-5, 1e-10),
            (&["0.000123457", "9.87654e-05"], 0.000_123_457, 1e-9),
            // Whole numbers, whose zeros count.
            (&["0", "25", "1000"], 1000.0, 1.0),
            (&["0", "25", "1000"], 25.0, 1.0),
            // Rounded to six decimals, and printed in the shortest form.
            (&["1e-06", "0.00025", "1.234567"], 1e-6, 1e-6),
            (&["1e-06", "0.00025", "1.234567"], 1.2, 1e-6),
            // A zero that was computed.
            (&["-0.004", "4E-15", "0.004", "4.996"], 0.004, 0.001),
            (&["-0,004", "4,44089E-15", "0,004", "4,996"], 0.004, 0.001),
        ] {
            let mut precision = Precision::default();
            for cell in printed {
                precision.note(cell, cell.replace(',', ".").parse().unwrap());
            }
            let found = precision.step(number);
            assert!((found / step - 1.0).abs() < 1e-9, "{printed:?}: {found} at {number}, not {step}");
        }
        assert!(Precision::BINARY.step(1.0) < 1e-100);
    }
}

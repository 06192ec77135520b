//! Numbers as most programs print them, a few digits with a point: read as `str::parse` reads them, but faster.

/// The powers of ten that are exact in 64 bits and that so many digits may stand behind a point of.
const POWERS: [f64; MAX_DIGITS + 1] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19,
];
/// Digits that fit into 64 bits, whatever they are.
const MAX_DIGITS: usize = 19;
/// What a number is multiplied with where up to eight digits are appended to it.
const TENS: [u64; 9] = [1, 10, 100, 1000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
/// The bits of a 64-bit float that a 32-bit one has no room for, and what stands there halfway between two of those.
const DROPPED: u64 = (1 << 29) - 1;
const HALFWAY: u64 = 1 << 28;

/// A decimal without an exponent, whose digits are exact in 53 bits.
#[derive(Clone, Copy)]
pub(crate) struct Plain {
    number: f64,
}

impl Plain {
    /// That at the beginning of a text, and how many bytes it has; `None` if there is another number, or none.
    #[inline]
    pub(crate) fn at(text: &[u8]) -> Option<(Self, usize)> {
        // Most cells of a table of logic levels are a single digit.
        if let [digit @ b'0'..=b'9', rest @ ..] = text
            && rest.first().is_none_or(|byte| !matches!(byte, b'0'..=b'9' | b'.'))
        {
            return Some((Self { number: f64::from(digit - b'0') }, 1));
        }
        let is_negative = text.first() == Some(&b'-');
        let begin = usize::from(is_negative);
        let mut digits = 0;
        let whole = take_digits(text.get(begin..)?, &mut digits);
        let mut length = begin + whole;
        let mut decimals = 0;
        if text.get(length) == Some(&b'.') {
            length += 1;
            decimals = take_digits(text.get(length..)?, &mut digits);
            length += decimals;
        }
        let count = whole + decimals;
        if count == 0 || count > MAX_DIGITS || digits > 1 << 53 {
            return None;
        }
        // Both are exact, so that the quotient is rounded once.
        let number = digits as f64 / POWERS.get(decimals)?;
        Some((Self { number: if is_negative { -number } else { number } }, length))
    }

    /// The number that is a cell.
    pub(crate) fn of(cell: &str) -> Option<Self> {
        Self::at(cell.as_bytes()).filter(|(_, length)| *length == cell.len()).map(|(plain, _)| plain)
    }

    /// As 64-bit float.
    pub(crate) fn double(self) -> f64 {
        self.number
    }

    /// As 32-bit float, rounded once; `None` where the digits would have to be looked at again for that.
    pub(crate) fn single(self) -> Option<f32> {
        let is_certain = self.number.to_bits() & DROPPED != HALFWAY;
        is_certain.then_some(self.number as f32)
    }
}

/// Appends the digits that a text begins with to a number; how many these are. More than 19 do not fit.
///
/// Eight at once: how many digits a number has is a branch that a processor cannot foresee.
#[inline]
fn take_digits(text: &[u8], number: &mut u64) -> usize {
    let mut count = 0;
    while let Some(bytes) = text.get(count..).and_then(<[u8]>::first_chunk::<8>) {
        let digits = u64::from_le_bytes(*bytes) ^ 0x3030_3030_3030_3030;
        // The top bit of each byte that is more than 9. A carry reaches only bytes behind the first of these.
        let others = (digits.wrapping_add(0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080;
        let length = (others.trailing_zeros() / 8) as usize;
        let Some(&power) = TENS.get(length) else { return count };
        // Zeros before the digits.
        let digits = digits.checked_shl(64 - 8 * length as u32).unwrap_or(0);
        *number = number.wrapping_mul(power).wrapping_add(eight_digits(digits));
        count += length;
        if length < 8 {
            return count;
        }
    }
    for byte in text.get(count..).unwrap_or_default() {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        *number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        count += 1;
    }
    count
}

/// The number of eight digits, a byte each, of which the first is the lowest byte.
fn eight_digits(digits: u64) -> u64 {
    const EVERY_FOURTH: u64 = 0x0000_00ff_0000_00ff;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let first = (pairs & EVERY_FOURTH).wrapping_mul(100 + (1_000_000 << 32));
    let second = ((pairs >> 16) & EVERY_FOURTH).wrapping_mul(1 + (10_000 << 32));
    first.wrapping_add(second) >> 32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn assert_as_std(text: &str) {
        let Some(plain) = Plain::of(text) else { return };
        assert_eq!(plain.double().to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
        if let Some(single) = plain.single() {
            assert_eq!(single.to_bits(), text.parse::<f32>().unwrap().to_bits(), "{text}");
        }
    }

    #[test]
    fn what_is_not_plain_is_left_to_others() {
        for text in ["", "-", ".", "-.", "+1", "1e3", "1.2.3", " 1", "1 ", "1,5", "nan", "--1", "0x1"] {
            assert!(Plain::of(text).is_none(), "{text}");
        }
        for text in ["12345678901234567890", "9007199254740993", "0.00000000000000000001"] {
            assert!(Plain::of(text).is_none(), "{text}");
        }
        for text in ["0", "-0", "1.", ".5", "-.5", "007", "9007199254740992", "0.000001", "-3.3903048"] {
            assert!(Plain::of(text).is_some(), "{text}");
            assert_as_std(text);
        }
        assert_eq!(Plain::at(b"1.25,3").map(|(plain, length)| (plain.double(), length)), Some((1.25, 4)));
    }

    #[test]
    fn no_number_is_rounded_twice() {
        // Halfway between two 32-bit floats, and a digit beside it that 64 bits have no room for.
        let halfway = 1.0 + 2_f64.powi(-24);
        assert!(Plain::of("1.000000059604644775").is_none_or(|plain| plain.single().is_none()));
        assert_eq!(Plain { number: halfway }.single(), None);
        for text in ["1.00000005960464", "1.00000005960465", "16777217", "16777219", "33554434", "33554438"] {
            assert_as_std(text);
        }
        assert!(Plain::of("16777217").unwrap().single().is_none());
    }

    proptest! {
        #[test]
        fn numbers_are_those_of_std(
            text in "-?[0-9]{0,12}\\.?[0-9]{0,10}",
            volts: f32,
            nearby in 0_u32..16,
            seconds in 0.0..1e4_f64,
            decimals in 0_usize..14,
        ) {
            assert_as_std(&text);
            // Also those of exactly as many digits as they need, and next to where rounding turns.
            assert_as_std(&volts.to_string());
            let halfway = f64::from(volts % 100.0) * (1.0 + 2_f64.powi(-24));
            assert_as_std(&f64::from_bits(halfway.to_bits() + u64::from(nearby)).to_string());
            assert_as_std(&format!("{seconds:.decimals$}"));
        }
    }
}

//! Numbers as text: the shortest decimal that reads back as the same number, never with an exponent.
//!
//! `{}` prints such too, but recordings print thousands of numbers for each trace and must keep up with the device.

use std::fmt::Display;
use std::io::Write as _;
use std::ops::Range;

/// Sizes of numbers that have no exponent in any case.
const PLAIN: Range<f64> = 1e-5..1e7;

/// Appends a number. `{}` prints as many digits; of two decimals as near as each other it may take the other one.
pub fn push_number(number: impl zmij::Float + Display + Into<f64> + Copy, out: &mut Vec<u8>) {
    let size = number.into().abs();
    if size == 0.0 || PLAIN.contains(&size) {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(number).as_bytes();
        out.extend_from_slice(text.strip_suffix(b".0").unwrap_or(text));
    } else {
        // Memory takes whatever is written to it.
        let _ = write!(out, "{number}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pushed(number: impl zmij::Float + Display + Into<f64> + Copy) -> String {
        let mut out = Vec::new();
        push_number(number, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn special_values_print_as_in_std() {
        for number in
            [0.0, -0.0, 1.0, -1.0, 1e-6, 123e20, f64::MIN_POSITIVE, f64::MAX, f64::INFINITY, -f64::NAN]
        {
            assert_eq!(pushed(number), number.to_string());
            let number = number as f32;
            assert_eq!(pushed(number), number.to_string());
        }
    }

    proptest! {
        #[test]
        fn numbers_round_trip_with_few_digits(
            bits: u64,
            volts in -20.0..20.0_f32,
            time_s in 0.0..1e3_f64,
            edge in prop::sample::select(vec![PLAIN.start, PLAIN.end]),
        ) {
            let bare = [edge, edge.next_down(), -edge];
            for number in [f64::from_bits(bits), time_s].into_iter().chain(bare) {
                let text = pushed(number);
                prop_assert!(text.parse::<f64>().unwrap() == number || number.is_nan());
                prop_assert_eq!(text.len(), number.to_string().len(), "{} for {}", text, number);
            }
            for number in [f32::from_bits(bits as u32), volts] {
                let text = pushed(number);
                prop_assert!(text.parse::<f32>().unwrap() == number || number.is_nan());
                prop_assert_eq!(text.len(), number.to_string().len(), "{} for {}", text, number);
            }
        }
    }
}

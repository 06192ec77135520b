//! The parameters of a probe as numbers, for whoever keeps them.

use scopething_core::device::{AnalogParameters, Attenuation};

/// The names of a probe's numbers, in the order of the file.
pub const NUMBERS: [&str; 11] =
    ["la", "lb", "lc", "ha", "hb", "hc", "scale", "offset", "safe_low", "safe_high", "ab_offset"];

/// The numbers of a probe's parameters, named by [`NUMBERS`]. The attenuation is not among them: the file keeps it apart, for
/// all x1 probes of a connection.
#[must_use]
pub fn to_numbers(parameters: &AnalogParameters) -> [f64; NUMBERS.len()] {
    let AnalogParameters { la, lb, lc, ha, hb, hc, scale, offset, safe_low, safe_high, ab_offset, .. } =
        *parameters;
    [la, lb, lc, ha, hb, hc, scale, offset, safe_low, safe_high, ab_offset]
}

/// The parameters of a probe with these numbers, without attenuation.
#[must_use]
pub fn of_numbers(numbers: [f64; NUMBERS.len()]) -> AnalogParameters {
    let [la, lb, lc, ha, hb, hc, scale, offset, safe_low, safe_high, ab_offset] = numbers;
    let attenuation = Attenuation::NONE;
    AnalogParameters { la, lb, lc, ha, hb, hc, scale, offset, safe_low, safe_high, ab_offset, attenuation }
}

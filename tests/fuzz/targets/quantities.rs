//! Texts as quantities: what is understood is a finite number that is printed and read back exactly.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething_waveform::quantity::{Unit, format, parse, percent};

const UNITS: [Unit; 6] =
    [Unit::Count, Unit::Seconds, Unit::Hertz, Unit::Volts, Unit::BitsPerSecond, Unit::Fraction];

fuzz_target!(|text: &str| {
    for unit in UNITS {
        let Ok(value) = parse(text, unit) else { continue };
        assert!(value.is_finite(), "{text:?} as {unit:?} is {value}");
        assert_eq!(parse(&format(value, unit), unit), Ok(value), "{text:?} as {unit:?}");
        if unit == Unit::Fraction {
            assert_eq!(parse(&percent(value), unit), Ok(value), "{text:?} as a percentage");
        }
    }
});

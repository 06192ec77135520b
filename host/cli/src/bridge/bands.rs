//! Bands as words: `A rms 1V..2V`.

use scopething_core::analysis::{Band, Measure};
use scopething_record::job::measure::unit;
use scopething_waveform::quantity::{self, Unit};
use serde_json::{Value, json};

/// A band of these words: a channel, what is measured of it, and the least and the greatest value expected, of which one
/// may be left out.
pub(super) fn parse(text: &str) -> Result<Band, String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let [channel, measure, range] = words[..] else {
        return Err(format!(
            "{text:?} is no band: write it like \"A rms 1V..2V\", or \"L3 frequency 990Hz..\""
        ));
    };
    let channel = channel.parse().map_err(|error| format!("{channel:?} is {error}"))?;
    let measure = Measure::named(measure).ok_or_else(|| {
        let names = Measure::ALL.map(Measure::name).join(", ");
        format!("{measure:?} cannot be measured: name one of {names}")
    })?;
    let (low, high) = range
        .split_once("..")
        .filter(|bounds| *bounds != ("", ""))
        .ok_or_else(|| format!("{range:?} is no range: write it like 1V..2V, 1V.. or ..2V"))?;
    let bound = |text: &str, none: f64| match text {
        "" => Ok(none),
        text => quantity::parse(text, unit(measure)).map_err(|error| error.to_string()),
    };
    let band =
        Band { channel, measure, low: bound(low, f64::NEG_INFINITY)?, high: bound(high, f64::INFINITY)? };
    if band.is_empty() {
        return Err(format!("the range {range} is empty: give the lower bound first"));
    }
    Ok(band)
}

/// The words of a band, which [`parse`] reads.
pub(super) fn text(band: &Band) -> String {
    let bound = |value: f64| {
        let text = match unit(band.measure) {
            Unit::Fraction => quantity::percent(value),
            unit => quantity::format(value, unit),
        };
        if value.is_finite() { text } else { String::new() }
    };
    format!("{} {} {}..{}", band.channel, band.measure, bound(band.low), bound(band.high))
}

/// The JSON form of a band, as `record` has it; a bound that is left out is null.
pub(super) fn json(band: &Band) -> Value {
    json!({
        "channel": band.channel.to_string(), "measure": band.measure.name(), "low": band.low, "high": band.high,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_core::plan::Channel;

    fn band(channel: Channel, measure: Measure, low: f64, high: f64) -> Band {
        Band { channel, measure, low, high }
    }

    #[test]
    fn bands_are_read_and_printed() {
        for (words, expected, printed) in [
            ("A rms 1V..2.5V", band(Channel::A, Measure::Rms, 1.0, 2.5), "A rms 1V..2.5V"),
            ("b min -300mV..", band(Channel::B, Measure::Min, -0.3, f64::INFINITY), "B min -0.3V.."),
            (
                "L3 frequency ..10kHz",
                band(Channel::L[3], Measure::Frequency, f64::NEG_INFINITY, 1e4),
                "L3 frequency ..10kHz",
            ),
            ("A duty 40%..60%", band(Channel::A, Measure::Duty, 0.4, 0.6), "A duty 40%..60%"),
            (
                "A peak-to-peak 0..0.1",
                band(Channel::A, Measure::PeakToPeak, 0.0, 0.1),
                "A peak-to-peak 0V..0.1V",
            ),
        ] {
            assert_eq!(parse(words), Ok(expected), "{words}");
            assert_eq!(text(&expected), printed);
            assert_eq!(parse(printed), Ok(expected), "{printed}");
        }
    }

    #[test]
    fn what_is_no_band_is_refused_with_what_to_write() {
        for (words, part) in [
            ("", "write it like"),
            ("A rms", "write it like"),
            ("A rms 1V..2V 3V", "write it like"),
            ("C rms 1V..2V", "\"C\""),
            ("A period 1ms..2ms", "min, max, mean, rms, peak-to-peak, frequency, duty"),
            ("A rms 1V", "1V.. or ..2V"),
            ("A rms ..", "1V.. or ..2V"),
            ("A rms 2V..1V", "lower bound first"),
            ("A rms 1Hz..2Hz", "Hz"),
            ("A rms nan..1V", "nan"),
        ] {
            let refused = parse(words).unwrap_err();
            assert!(refused.contains(part), "{words}: {refused}");
        }
    }

    #[test]
    fn open_bounds_are_null_in_json() {
        let value = json(&band(Channel::A, Measure::Max, f64::NEG_INFINITY, 3.0));
        assert_eq!(value, json!({ "channel": "A", "measure": "max", "low": null, "high": 3.0 }));
    }
}

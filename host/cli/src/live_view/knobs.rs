//! Knobs: which there are of either channel, how they step, and what they make of volts.

use scopething_serve::client::{ChannelKnobs, Knobs};
use scopething_waveform::quantity_text::quantity;

/// An analog channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    A,
    B,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::A, Self::B];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
        }
    }

    pub(super) fn of(self, knobs: &Knobs) -> &ChannelKnobs {
        match self {
            Self::A => &knobs.channels.a,
            Self::B => &knobs.channels.b,
        }
    }

    pub(super) fn of_mut(self, knobs: &mut Knobs) -> &mut ChannelKnobs {
        match self {
            Self::A => &mut knobs.channels.a,
            Self::B => &mut knobs.channels.b,
        }
    }

    /// The channel that the trigger watches, if it is one.
    pub(super) fn of_trigger(knobs: &Knobs) -> Option<Self> {
        Self::BOTH.into_iter().find(|side| side.name() == knobs.trigger.source)
    }
}

/// The volts of a channel at a part of the screen's height.
pub(super) fn volts_at(knobs: &Knobs, side: Side, y: f64, divisions: f64) -> f64 {
    let channel = side.of(knobs);
    channel.middle + (y - 0.5) * channel.volts_per_div * divisions
}

/// Where volts of a channel are, as a part of the screen's height.
pub(super) fn height_of(knobs: &Knobs, side: Side, volts: f64, divisions: f64) -> f64 {
    let channel = side.of(knobs);
    0.5 + (volts - channel.middle) / (channel.volts_per_div * divisions)
}

/// The next value of 1, 2, 5, 10.. above or below a value, within limits.
pub(super) fn step_125(value: f64, up: bool, (least, most): (f64, f64)) -> f64 {
    let decade = (value.log10() + 1e-9).floor() as i32;
    let mut steps = (decade - 1..=decade + 1).flat_map(|power| {
        // As it is written: 2e-3 and not a product that is nearly that.
        [1, 2, 5].map(|digit| format!("{digit}e{power}").parse().unwrap_or(value))
    });
    let next = if up {
        steps.find(|step: &f64| *step > value * (1.0 + 1e-6))
    } else {
        steps.rfind(|step: &f64| *step < value / (1.0 + 1e-6))
    };
    next.unwrap_or(value).clamp(least, most)
}

/// To six digits, so that steps of tenths stay tenths.
pub(super) fn neat(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// A part in hundredths, within 0 and 1.
pub(super) fn hundredths(part: f64) -> f64 {
    (part * 100.0).round().clamp(0.0, 100.0) / 100.0
}

pub(super) fn next_of<'a>(all: &[&'a str], now: &str) -> &'a str {
    let place = all.iter().position(|one| *one == now).map_or(0, |place| (place + 1) % all.len());
    all.get(place).copied().unwrap_or_default()
}

pub(super) fn next_name(all: &[String], now: &str) -> String {
    let names: Vec<&str> = all.iter().map(String::as_str).collect();
    if names.is_empty() { now.to_owned() } else { next_of(&names, now).to_owned() }
}

/// A value with its unit and no zeros at the end: knobs have round values.
pub(super) fn short(value: f64, unit: &str) -> String {
    let text = quantity(value, unit, 4);
    let Some((number, rest)) = text.split_once(' ') else { return text };
    let number =
        if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number} {rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knobs_step_by_1_2_and_5() {
        let range = (1e-9, 100.0);
        for (value, up, next) in [
            (1.0, true, 2.0),
            (2.0, true, 5.0),
            (5.0, true, 10.0),
            (10.0, false, 5.0),
            (1e-3, false, 5e-4),
            (3e-6, true, 5e-6),
            (3e-6, false, 2e-6),
            (100.0, true, 100.0),
            (1e-9, false, 1e-9),
        ] {
            assert_eq!(step_125(value, up, range), next, "{value} {up}");
        }
    }

    #[test]
    fn values_are_short() {
        assert_eq!(short(5e-4, "s"), "500 µs");
        assert_eq!(short(1.25, "V"), "1.25 V");
        assert_eq!(short(0.0, "V"), "0 V");
        assert_eq!(short(-1.0, "V"), "-1 V");
    }
}

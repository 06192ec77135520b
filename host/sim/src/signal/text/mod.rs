//! Signals as text, both ways.

mod bus;

use std::fmt;
use std::str::FromStr;

use super::playback::{PlaybackError, ReadPlayback, no_files};
use super::{LOGIC_HIGH_V, Periodic, Shape, Signal};
use scopething_waveform::quantity::{self, QuantityError, Unit};

/// Pulses of a train at the most: each is looked at when a crossing is searched.
const MAX_PULSES: f64 = 256.0;

/// Each kind of signal with all that it takes, as a user would write it.
const EXAMPLES: [(&str, &str); 12] = [
    ("dc", "dc 1.5V"),
    ("sine", "sine 1kHz 0..3V phase=25%"),
    ("triangle", "triangle 1kHz 0..3V 30% phase=25%"),
    ("square", "square 1kHz 0..3V 30% phase=25%"),
    ("ramp", "ramp 1kHz 0..3V phase=25%"),
    ("sawtooth", "sawtooth 1kHz 0..3V phase=25%"),
    ("exponential", "exponential 1kHz 0..3V 30% phase=25%"),
    ("pulse", "pulse 1kHz 10us 0..3V count=3 spacing=20us phase=25%"),
    ("noise", "noise 0..3V"),
    ("uart", "uart 9600 text=hello gap=1ms"),
    ("i2c", "i2c sda 100kHz address=0x50 data=00ff gap=1ms"),
    ("spi", "spi mosi 1MHz data=00ff gap=1ms"),
];

fn example(kind: &str) -> &'static str {
    EXAMPLES.iter().find(|(name, _)| *name == kind).map_or("", |(_, example)| example)
}

/// Why a text is not a signal.
#[derive(Debug, Clone, PartialEq)]
pub enum SignalError {
    /// There is no such kind of signal.
    Kind {
        /// The word found in its place.
        kind: String,
    },
    /// Something that this kind of signal cannot do without is missing.
    Missing {
        /// The kind.
        kind: String,
        /// What is missing.
        what: &'static str,
    },
    /// A part that this kind of signal has no use for.
    Unexpected {
        /// The kind.
        kind: String,
        /// The part.
        part: String,
    },
    /// A number that is not understood.
    Quantity(QuantityError),
    /// A number that is understood but cannot be.
    Impossible {
        /// Which number.
        what: &'static str,
        /// What it must be.
        must_be: &'static str,
    },
    /// A file that cannot be played.
    Playback(PlaybackError),
}

impl fmt::Display for SignalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind { kind } => write!(
                f,
                "there is no signal \"{kind}\": use dc, sine, triangle, square, ramp, exponential, pulse, \
                 noise, uart, i2c, spi or \
                 file:PATH#CHANNEL"
            ),
            Self::Missing { kind, what } => {
                write!(f, "{kind} needs {what}: write it like {}", example(kind))
            }
            Self::Unexpected { kind, part } => {
                write!(f, "{kind} has no use for \"{part}\": write it like {}", example(kind))
            }
            Self::Quantity(error) => error.fmt(f),
            Self::Impossible { what, must_be } => write!(f, "the {what} must be {must_be}"),
            Self::Playback(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SignalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Quantity(error) => Some(error),
            Self::Playback(error) => Some(error),
            _ => None,
        }
    }
}

impl From<QuantityError> for SignalError {
    fn from(error: QuantityError) -> Self {
        Self::Quantity(error)
    }
}

/// The parts of a signal's text, taken one by one.
struct Parts<'a> {
    kind: &'a str,
    rest: Vec<&'a str>,
}

impl<'a> Parts<'a> {
    fn new(text: &'a str) -> Self {
        let mut parts = text.split([',', ' ', '\t']).filter(|part| !part.is_empty());
        Self { kind: parts.next().unwrap_or(""), rest: parts.collect() }
    }

    fn take(&mut self, wanted: impl Fn(&str) -> bool) -> Option<&'a str> {
        let at = self.rest.iter().position(|part| wanted(part))?;
        Some(self.rest.remove(at))
    }

    fn named(&mut self, name: &str) -> Option<&'a str> {
        let part = self.take(|part| part.split_once('=').is_some_and(|(key, _)| key == name))?;
        part.split_once('=').map(|(_, value)| value)
    }

    fn positional(&mut self, what: &'static str, unit: Unit) -> Result<f64, SignalError> {
        let plain = |part: &str| !part.contains("..") && !part.contains('=') && !part.ends_with('%');
        let part = self.take(plain).ok_or(SignalError::Missing { kind: self.kind.to_owned(), what })?;
        Ok(quantity::parse(part, unit)?)
    }

    fn range(&mut self) -> Result<(f64, f64), SignalError> {
        let Some(part) = self.take(|part| part.contains("..")) else { return Ok((0.0, LOGIC_HIGH_V)) };
        let (low, high) = part.split_once("..").unwrap_or((part, part));
        Ok((quantity::parse(low, Unit::Volts)?, quantity::parse(high, Unit::Volts)?))
    }

    fn part_of_period(&mut self, what: &'static str) -> Result<f64, SignalError> {
        let Some(part) = self.take(|part| part.ends_with('%') && !part.contains('=')) else { return Ok(0.5) };
        fraction(part, what)
    }

    fn periodic(&mut self, shape: Shape, frequency_hz: f64) -> Result<Signal, SignalError> {
        let (low, high) = self.range()?;
        let phase = self.named("phase").map_or(Ok(0.0), |part| fraction(part, "phase"))?;
        Ok(Signal::Periodic(Periodic { shape, frequency_hz, low, high, phase }))
    }

    fn frequency(&mut self) -> Result<f64, SignalError> {
        let frequency_hz = self.positional("a frequency", Unit::Hertz)?;
        positive(frequency_hz, "frequency")
    }

    fn finish(self, signal: Signal) -> Result<Signal, SignalError> {
        match self.rest.first() {
            None => Ok(signal),
            Some(part) => {
                Err(SignalError::Unexpected { kind: self.kind.to_owned(), part: (*part).to_owned() })
            }
        }
    }
}

fn positive(value: f64, what: &'static str) -> Result<f64, SignalError> {
    if value > 0.0 { Ok(value) } else { Err(SignalError::Impossible { what, must_be: "above 0" }) }
}

fn fraction(text: &str, what: &'static str) -> Result<f64, SignalError> {
    let value = quantity::parse(text, Unit::Fraction)?;
    if (0.0..=1.0).contains(&value) {
        Ok(value)
    } else {
        Err(SignalError::Impossible { what, must_be: "from 0% to 100%" })
    }
}

fn pulses(parts: &mut Parts<'_>) -> Result<Signal, SignalError> {
    let frequency_hz = parts.frequency()?;
    let width_s = positive(parts.positional("the width of a pulse", Unit::Seconds)?, "width")?;
    let count = parts.named("count").map_or(Ok(1.0), |part| quantity::parse(part, Unit::Count))?;
    let spacing_s =
        parts.named("spacing").map_or(Ok(2.0 * width_s), |part| quantity::parse(part, Unit::Seconds))?;
    if !(1.0..=MAX_PULSES).contains(&count) || count.fract() != 0.0 {
        return Err(SignalError::Impossible { what: "count", must_be: "a whole number from 1 to 256" });
    }
    if spacing_s <= width_s {
        return Err(SignalError::Impossible { what: "spacing", must_be: "longer than a pulse" });
    }
    if ((count - 1.0) * spacing_s + width_s) * frequency_hz >= 1.0 {
        return Err(SignalError::Impossible { what: "train of pulses", must_be: "shorter than the period" });
    }
    let shape = Shape::Pulses {
        width: width_s * frequency_hz,
        spacing: spacing_s * frequency_hz,
        count: count as u16,
    };
    parts.periodic(shape, frequency_hz)
}

/// As [`Signal::parse`], without files.
impl FromStr for Signal {
    type Err = SignalError;

    fn from_str(text: &str) -> Result<Self, SignalError> {
        Self::parse(text, no_files)
    }
}

impl Signal {
    /// The signal that a text describes; `read` is asked for what stands behind `file:`.
    ///
    /// # Errors
    ///
    /// [`SignalError`] reports what is not understood, or why the file cannot be played.
    pub fn parse(text: &str, read: ReadPlayback) -> Result<Self, SignalError> {
        let text = text.trim();
        if let Some(spec) = text.strip_prefix("file:") {
            return read(spec).map(Self::Playback).map_err(SignalError::Playback);
        }
        let mut parts = Parts::new(text);
        let signal = match parts.kind {
            "dc" => Self::Dc { volts: parts.positional("a voltage", Unit::Volts)? },
            "noise" => {
                let (low, high) = parts.range()?;
                Self::Noise { low, high, seed: 0 }
            }
            "sine" => {
                let frequency_hz = parts.frequency()?;
                parts.periodic(Shape::Sine, frequency_hz)?
            }
            "ramp" | "sawtooth" => {
                let frequency_hz = parts.frequency()?;
                parts.periodic(Shape::Triangle { symmetry: 1.0 }, frequency_hz)?
            }
            "triangle" => {
                let frequency_hz = parts.frequency()?;
                let symmetry = parts.part_of_period("symmetry")?;
                parts.periodic(Shape::Triangle { symmetry }, frequency_hz)?
            }
            "square" => {
                let frequency_hz = parts.frequency()?;
                let duty = parts.part_of_period("duty")?;
                parts.periodic(Shape::Square { duty }, frequency_hz)?
            }
            "exponential" => {
                let frequency_hz = parts.frequency()?;
                let symmetry = parts.part_of_period("symmetry")?;
                parts.periodic(Shape::Exponential { symmetry }, frequency_hz)?
            }
            "pulse" => pulses(&mut parts)?,
            "uart" | "i2c" | "spi" => bus::traffic(&mut parts)?,
            kind => return Err(SignalError::Kind { kind: kind.to_owned() }),
        };
        parts.finish(signal)
    }
}

fn range_text(low: f64, high: f64) -> String {
    let bottom = if low == 0.0 { "0".to_owned() } else { quantity::format(low, Unit::Volts) };
    format!("{bottom}..{}", quantity::format(high, Unit::Volts))
}

impl fmt::Display for Periodic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frequency = quantity::format(self.frequency_hz, Unit::Hertz);
        let range = range_text(self.low, self.high);
        let seconds = |part: f64| quantity::format(part / self.frequency_hz, Unit::Seconds);
        match self.shape {
            Shape::Sine => write!(f, "sine {frequency} {range}")?,
            Shape::Triangle { symmetry: 1.0 } => write!(f, "ramp {frequency} {range}")?,
            Shape::Triangle { symmetry } => {
                write!(f, "triangle {frequency} {range} {}", quantity::percent(symmetry))?;
            }
            Shape::Square { duty } => write!(f, "square {frequency} {range} {}", quantity::percent(duty))?,
            Shape::Exponential { symmetry } => {
                write!(f, "exponential {frequency} {range} {}", quantity::percent(symmetry))?;
            }
            Shape::Pulses { width, spacing, count } => {
                write!(f, "pulse {frequency} {} {range} ", seconds(width))?;
                write!(f, "count={count} spacing={}", seconds(spacing))?;
            }
        }
        if self.phase == 0.0 { Ok(()) } else { write!(f, " phase={}", quantity::percent(self.phase)) }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dc { volts } => write!(f, "dc {}", quantity::format(*volts, Unit::Volts)),
            Self::Periodic(periodic) => periodic.fmt(f),
            Self::Noise { low, high, .. } => write!(f, "noise {}", range_text(*low, *high)),
            Self::Playback(playback) => write!(f, "file:{}", playback.spec()),
            Self::Traffic(traffic) => traffic.fmt(f),
            Self::Function(function) => function.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;

//! What a user asks of a capture, in volts, seconds and hertz.

use core::{fmt, str::FromStr};

use super::{AnalogChannel, Channel, ChannelSet, LogicLine, Resolution, TriggerMode};

/// A pattern of logic levels over some of the eight lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LogicPattern {
    /// The lines that matter, a bit each.
    pub care: u8,
    /// The lines that must be high, a bit each; bits of lines that do not matter are 0.
    pub high: u8,
}

impl LogicPattern {
    /// The pattern of one line at one level.
    #[must_use]
    pub const fn line(line: LogicLine, high: bool) -> Self {
        Self { care: line.bit(), high: if high { line.bit() } else { 0 } }
    }
}

/// What a trigger watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum TriggerSource {
    /// The comparator of an analog channel.
    Analog(AnalogChannel),
    /// The logic lines.
    Logic(LogicPattern),
}

impl TriggerSource {
    /// The trigger of a capture that names none: the level of an analog channel, or a logic line going high.
    #[must_use]
    pub const fn of_channel(channel: Channel) -> Self {
        match channel {
            Channel::Analog(analog) => Self::Analog(analog),
            Channel::Logic(line) => Self::Logic(LogicPattern::line(line, true)),
        }
    }
}

/// A text that describes no trigger source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum TriggerSourceError {
    /// It names neither A, B nor levels of logic lines.
    Form,
    /// A logic line is named twice.
    Twice(LogicLine),
}

impl fmt::Display for TriggerSourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("not a trigger: give A, B or levels of logic lines such as L3=1,L5=0"),
            Self::Twice(line) => write!(f, "{line} is named twice: give each line of the pattern once"),
        }
    }
}

impl core::error::Error for TriggerSourceError {}

impl FromStr for TriggerSource {
    type Err = TriggerSourceError;

    /// Reads `A`, `B`, or levels of logic lines: `L3=1,L5=0`. A line without a level is meant to be high.
    fn from_str(text: &str) -> Result<Self, TriggerSourceError> {
        let mut pattern = LogicPattern { care: 0, high: 0 };
        for term in text.split(',') {
            let (name, level) = term.split_once('=').unwrap_or((term, "1"));
            let line = match name.trim().parse() {
                Ok(Channel::Analog(channel)) if term == text && !text.contains('=') => {
                    return Ok(Self::Analog(channel));
                }
                Ok(Channel::Logic(line)) => line,
                _ => return Err(TriggerSourceError::Form),
            };
            if pattern.care & line.bit() != 0 {
                return Err(TriggerSourceError::Twice(line));
            }
            pattern.care |= line.bit();
            match level.trim() {
                "1" => pattern.high |= line.bit(),
                "0" => {}
                _ => return Err(TriggerSourceError::Form),
            }
        }
        Ok(Self::Logic(pattern))
    }
}

impl fmt::Display for TriggerSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pattern = match self {
            Self::Analog(channel) => return channel.fmt(f),
            Self::Logic(pattern) => pattern,
        };
        let lines = LogicLine::all().filter(|line| pattern.care & line.bit() != 0);
        for (index, line) in lines.enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{line}={}", u8::from(pattern.high & line.bit() != 0))?;
        }
        Ok(())
    }
}

/// How the trigger source must behave for the trigger to fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum TriggerType {
    /// Below the level, then above it; of a pattern: absent, then there.
    #[default]
    Rising,
    /// Above the level, then below it; of a pattern: there, then absent.
    Falling,
    /// Above the level; of a pattern: there.
    Above,
    /// Below the level; of a pattern: absent.
    Below,
}

impl TriggerType {
    /// All four, with their names.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Rising, "rising"),
        (Self::Falling, "falling"),
        (Self::Above, "above"),
        (Self::Below, "below"),
    ];

    /// Whether the signal must first be on the other side of the level.
    #[must_use]
    pub const fn is_edge(self) -> bool {
        matches!(self, Self::Rising | Self::Falling)
    }

    /// Whether the trigger fires below the level.
    #[must_use]
    pub const fn is_inverted(self) -> bool {
        matches!(self, Self::Falling | Self::Below)
    }
}

impl fmt::Display for TriggerType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rising => "rising",
            Self::Falling => "falling",
            Self::Above => "above",
            Self::Below => "below",
        })
    }
}

/// A text that names no trigger type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnknownTriggerType;

impl fmt::Display for UnknownTriggerType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a trigger type: give rising, falling, above or below")
    }
}

impl core::error::Error for UnknownTriggerType {}

impl FromStr for TriggerType {
    type Err = UnknownTriggerType;

    fn from_str(text: &str) -> Result<Self, UnknownTriggerType> {
        let found = Self::ALL.into_iter().find(|&(_, name)| name == text);
        found.map(|(trigger_type, _)| trigger_type).ok_or(UnknownTriggerType)
    }
}

/// What a user asks of a capture. Everything but the channels has a default (see [`CaptureRequest::new`]).
///
/// ```
/// use scopething_core::plan::{CaptureRequest, Channel};
///
/// let mut request = CaptureRequest::new([Channel::A, Channel::B]);
/// request.period_s = 2e-3;
/// request.level = Some(1.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CaptureRequest {
    /// What to capture.
    pub channels: ChannelSet,
    /// The time span, in seconds.
    pub period_s: f64,
    /// Roughly how many samples over the time span, of all analog channels together.
    pub samples: u32,
    /// The bottom of the range: volts, or a DAC fraction when `raw`. None: the safe range of the probe, or 0 V for
    /// logic alone.
    pub low: Option<f64>,
    /// The top of the range, likewise; 3.3 V for logic alone.
    pub high: Option<f64>,
    /// What the trigger watches. None: the channel asked for first, or the first captured one if that line is driven.
    pub trigger: Option<TriggerSource>,
    /// The trigger level in volts, or a fraction of the input span when `raw`. None: the middle of the range.
    pub level: Option<f64>,
    /// How the trigger source must behave.
    pub trigger_type: TriggerType,
    /// A trigger filter of 4 samples instead of 8.
    pub hair_trigger: bool,
    /// The part of the time span that lies before the trigger, 0 to 1.
    pub position: f64,
    /// The time from the trigger to the first sample, in seconds, 0 to 4294; the device takes whole microseconds. With one
    /// there are no samples before the trigger, whatever `position` is.
    pub delay_s: f64,
    /// How long to wait for a trigger, in seconds. None waits as long as `trigger_mode` specifies, 0 captures at once.
    pub timeout_s: Option<f64>,
    /// The range is given in DAC fractions, and samples are wanted as fractions of the range.
    pub raw: bool,
    /// What becomes of a capture whose trigger does not come, if no timeout is set.
    pub trigger_mode: TriggerMode,
    /// How finely analog samples are resolved.
    pub resolution: Resolution,
}

impl CaptureRequest {
    /// A capture of these channels with every default: 1 ms, 1000 samples, the safe range, a rising edge of the first
    /// channel through the middle of the range, a quarter of the span before the trigger, no delay, no timeout, trigger mode
    /// normal, the best resolution.
    #[must_use]
    pub fn new(channels: impl Into<ChannelSet>) -> Self {
        Self {
            channels: channels.into(),
            period_s: 1e-3,
            samples: 1000,
            low: None,
            high: None,
            trigger: None,
            level: None,
            trigger_type: TriggerType::Rising,
            hair_trigger: false,
            position: 0.25,
            delay_s: 0.0,
            timeout_s: None,
            raw: false,
            trigger_mode: TriggerMode::Normal,
            resolution: Resolution::Best,
        }
    }

    /// How long the capture waits for its trigger, in seconds: the timeout, or that of the trigger mode. None waits
    /// for ever.
    #[must_use]
    pub fn trigger_wait_s(&self) -> Option<f64> {
        self.timeout_s.or_else(|| self.trigger_mode.wait_s(self.period_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn trigger_sources_read_back() {
        for text in ["A", "B", "L0=1", "L3=1,L5=0", "L0=0,L1=0,L2=0,L3=0,L4=1,L5=1,L6=1,L7=1"] {
            assert_eq!(text.parse::<TriggerSource>().unwrap().to_string(), text);
        }
        assert_eq!("L3".parse::<TriggerSource>().unwrap().to_string(), "L3=1");
    }

    #[test]
    fn other_trigger_sources_are_refused() {
        for text in ["", "C", "A=1", "A,L1=1", "L1=2", "L8=1", "L1=", ",", "A,B"] {
            assert_eq!(text.parse::<TriggerSource>(), Err(TriggerSourceError::Form), "{text}");
        }
        let line = LogicLine::new(1).unwrap();
        assert_eq!("L1=1,L1=0".parse::<TriggerSource>(), Err(TriggerSourceError::Twice(line)));
    }

    #[test]
    fn trigger_types_read_back() {
        for (trigger_type, name) in TriggerType::ALL {
            assert_eq!(trigger_type.to_string(), name);
            assert_eq!(name.parse(), Ok(trigger_type));
        }
        assert_eq!("Rising".parse::<TriggerType>(), Err(UnknownTriggerType));
    }
}

//! Capture requests as text: in the JSON of `plan --batch`, in job files, and wherever else serde reads them.
//!
//! Numbers may be texts with SI suffixes, [as everywhere](scopething_waveform::quantity).
//!
//! ```
//! use scopething::request::JsonRequest;
//!
//! let line = r#"{"args": {"channels": ["A"], "period": 0.002, "trigger": {"L3": 1}}}"#;
//! let (request, driven) = JsonRequest::parse(line)?.resolve()?;
//! assert_eq!(request.period_s, 0.002);
//! assert!(!driven.waveform);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use scopething_core::plan::{
    BusyOutputs, CaptureRequest, ChannelSet, LogicPattern, Resolution, TriggerMode, TriggerSource,
    TriggerSourceError, TriggerType, UnknownChannel, UnknownResolution, UnknownTriggerMode,
    UnknownTriggerType,
};
use scopething_waveform::quantity::{self, QuantityError, Unit};
use serde::Deserialize;
use serde_json::{Map, Value};
use thiserror::Error;

/// A capture request with what runs meanwhile, as written in JSON.
#[derive(Debug, Clone, Deserialize)]
pub struct JsonRequest {
    args: CaptureSpec,
    /// The waveform generator plays.
    #[serde(default)]
    awg: bool,
    /// The clock runs.
    #[serde(default)]
    clock: bool,
}

/// The parameters of a capture: times in seconds, levels in volts; what is absent has its default. Each has the
/// name that JSON requests give it, or that of the command line.
///
/// ```
/// use scopething::request::CaptureSpec;
///
/// let spec: CaptureSpec =
///     serde_json::from_str(r#"{"channels": ["A", "L3"], "period": "2ms", "position": "50%"}"#)?;
/// assert_eq!(spec.request()?.period_s, 0.002);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureSpec {
    channels: Option<Vec<String>>,
    #[serde(default, deserialize_with = "number::seconds")]
    period: Option<f64>,
    #[serde(default, alias = "samples", deserialize_with = "number::samples")]
    nsamples: Option<u32>,
    #[serde(default, deserialize_with = "number::volts")]
    low: Option<f64>,
    #[serde(default, deserialize_with = "number::volts")]
    high: Option<f64>,
    trigger: Option<Value>,
    #[serde(default, alias = "level", deserialize_with = "number::volts")]
    trigger_level: Option<f64>,
    #[serde(alias = "type")]
    trigger_type: Option<String>,
    #[serde(alias = "hair-trigger")]
    hair_trigger: Option<bool>,
    #[serde(default, alias = "position", deserialize_with = "number::fraction")]
    trigger_position: Option<f64>,
    #[serde(default, deserialize_with = "number::seconds")]
    delay: Option<f64>,
    #[serde(default, deserialize_with = "number::timeout")]
    timeout: Option<f64>,
    raw: Option<bool>,
    #[serde(alias = "trigger-mode")]
    trigger_mode: Option<String>,
    bits: Option<Bits>,
}

/// A number of bits, or a text.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Bits {
    Number(u64),
    Text(String),
}

/// A text that is not a number of samples.
#[derive(Debug, Clone, PartialEq)]
pub enum SampleCountError {
    /// It is no number.
    Quantity(QuantityError),
    /// It is no whole number, or more than there can be.
    Count {
        /// The text.
        text: String,
        /// The greatest number.
        max: u32,
    },
}

impl fmt::Display for SampleCountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantity(error) => error.fmt(f),
            Self::Count { text, max } => {
                write!(f, "{text:?} is not a number of samples: give a whole number up to {max}")
            }
        }
    }
}

impl std::error::Error for SampleCountError {}

/// A number of samples such as `12288` or `12k`, up to `max`. The planners refuse one that makes no sense, 0 among them.
///
/// # Errors
/// [`SampleCountError`] for what is no such number.
pub fn sample_count<N: TryFrom<u32> + Into<u32>>(text: &str, max: N) -> Result<N, SampleCountError> {
    let max = max.into();
    let count = quantity::parse(text, Unit::Count).map_err(SampleCountError::Quantity)?;
    let whole = whole_count(count, max).and_then(|count| N::try_from(count).ok());
    whole.ok_or_else(|| SampleCountError::Count { text: text.to_owned(), max })
}

fn whole_count(count: f64, max: u32) -> Option<u32> {
    (count.fract() == 0.0 && (0.0..=f64::from(max)).contains(&count)).then_some(count as u32)
}

/// Numbers, or texts of them; null is none.
pub mod number {
    use std::fmt;

    use serde::de::{Deserializer, Error, Unexpected, Visitor};

    use scopething_waveform::quantity::{self, Unit};

    struct Quantity {
        unit: Unit,
        /// A text that stands for none.
        none: Option<&'static str>,
    }

    impl Visitor<'_> for Quantity {
        type Value = Option<f64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a number, or a text like {}", self.unit.example())
        }

        fn visit_f64<E: Error>(self, number: f64) -> Result<Option<f64>, E> {
            Ok(Some(number))
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<Option<f64>, E> {
            Ok(Some(number as f64))
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<Option<f64>, E> {
            Ok(Some(number as f64))
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Option<f64>, E> {
            if self.none == Some(text) {
                return Ok(None);
            }
            quantity::parse(text, self.unit).map(Some).map_err(E::custom)
        }

        fn visit_unit<E: Error>(self) -> Result<Option<f64>, E> {
            Ok(None)
        }
    }

    /// A quantity of any unit, as a number or as text; absent if null.
    ///
    /// # Errors
    ///
    /// What is not understood.
    pub fn quantity<'de, D: Deserializer<'de>>(from: D, unit: Unit) -> Result<Option<f64>, D::Error> {
        from.deserialize_any(Quantity { unit, none: None })
    }

    /// A duration in seconds, as a number or as text; absent if null.
    ///
    /// # Errors
    ///
    /// What is not understood.
    pub fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
        quantity(from, Unit::Seconds)
    }

    /// A voltage in volts, as a number or as text; absent if null.
    ///
    /// # Errors
    ///
    /// What is not understood.
    pub fn volts<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
        quantity(from, Unit::Volts)
    }

    /// A part of 1, as a number or as text; absent if null.
    ///
    /// # Errors
    ///
    /// What is not understood.
    pub fn fraction<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
        quantity(from, Unit::Fraction)
    }

    /// Seconds, or `none`.
    ///
    /// # Errors
    ///
    /// What is not understood.
    pub fn timeout<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
        from.deserialize_any(Quantity { unit: Unit::Seconds, none: Some("none") })
    }

    /// A number of samples, as a number or as text; absent if null.
    ///
    /// # Errors
    ///
    /// What is not understood.
    pub fn samples<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u32>, D::Error> {
        let Some(count) = quantity(from, Unit::Count)? else { return Ok(None) };
        let refused = || D::Error::invalid_value(Unexpected::Float(count), &"a whole number of samples");
        super::whole_count(count, u32::MAX).map(Some).ok_or_else(refused)
    }
}

/// Why a text is no capture request.
#[derive(Debug, Error)]
pub enum JsonRequestError {
    /// It is not JSON, lacks `args`, or has a key or a value that no request has.
    #[error("not a capture request: {0}")]
    Form(#[from] serde_json::Error),
    /// Nothing from before the trigger is kept in a delayed trace.
    #[error(
        "a delay and a trigger position exclude each other: nothing is kept from before the trigger in a delayed trace; give one"
    )]
    DelayAndPosition,
    /// A channel that does not exist.
    #[error("{name:?} is {source}")]
    Channel {
        /// What was written.
        name: String,
        /// Why it is none.
        source: UnknownChannel,
    },
    /// A trigger that does not exist.
    #[error("{text} is {source}")]
    Trigger {
        /// What was written.
        text: String,
        /// Why it is none.
        source: TriggerSourceError,
    },
    /// A trigger type that does not exist.
    #[error("{name:?} is {source}")]
    TriggerType {
        /// What was written.
        name: String,
        /// Why it is none.
        source: UnknownTriggerType,
    },
    /// A trigger mode that does not exist.
    #[error("{name:?} is {source}")]
    TriggerMode {
        /// What was written.
        name: String,
        /// Why it is none.
        source: UnknownTriggerMode,
    },
    /// A resolution that does not exist.
    #[error("{text:?} is {source}")]
    Bits {
        /// What was written.
        text: String,
        /// Why it is none.
        source: UnknownResolution,
    },
}

impl JsonRequest {
    /// Reads one JSON object: `args`, and optionally `awg` and `clock`; other keys beside them are ignored.
    ///
    /// # Errors
    /// [`JsonRequestError::Form`] reports where the text is wrong.
    pub fn parse(text: &str) -> Result<Self, JsonRequestError> {
        Ok(serde_json::from_str(text)?)
    }

    /// The request, and what the generators drive meanwhile.
    ///
    /// # Errors
    /// The other variants of [`JsonRequestError`] name what does not exist.
    pub fn resolve(&self) -> Result<(CaptureRequest, BusyOutputs), JsonRequestError> {
        let driven = match (self.awg, self.clock) {
            (true, _) => BusyOutputs::WAVEFORM,
            (false, true) => BusyOutputs::CLOCK,
            (false, false) => BusyOutputs::NOTHING,
        };
        Ok((self.args.request()?, driven))
    }
}

impl CaptureSpec {
    /// The request.
    ///
    /// # Errors
    /// All but [`JsonRequestError::Form`]: they name what does not exist.
    pub fn request(&self) -> Result<CaptureRequest, JsonRequestError> {
        let defaults = CaptureRequest::new(self.channel_set()?);
        // Settings of a trace name the default position beside a delay.
        let position = self.trigger_position.filter(|&position| position != defaults.position);
        if position.is_some() && self.delay.is_some_and(|delay| delay != 0.0) {
            return Err(JsonRequestError::DelayAndPosition);
        }
        Ok(CaptureRequest {
            period_s: self.period.unwrap_or(defaults.period_s),
            samples: self.nsamples.unwrap_or(defaults.samples),
            low: self.low,
            high: self.high,
            trigger: self.trigger.as_ref().map(trigger_source).transpose()?,
            level: self.trigger_level,
            trigger_type: match &self.trigger_type {
                None => defaults.trigger_type,
                Some(name) => trigger_type(name)?,
            },
            hair_trigger: self.hair_trigger.unwrap_or(defaults.hair_trigger),
            position: self.trigger_position.unwrap_or(defaults.position),
            delay_s: self.delay.unwrap_or(defaults.delay_s),
            timeout_s: self.timeout,
            raw: self.raw.unwrap_or(defaults.raw),
            trigger_mode: match &self.trigger_mode {
                None => defaults.trigger_mode,
                Some(name) => trigger_mode(name)?,
            },
            resolution: match &self.bits {
                None => defaults.resolution,
                Some(Bits::Number(bits)) => resolution(bits.to_string())?,
                Some(Bits::Text(text)) => resolution(text.clone())?,
            },
            ..defaults
        })
    }

    fn channel_set(&self) -> Result<ChannelSet, JsonRequestError> {
        let Some(names) = &self.channels else {
            return Ok(ChannelSet::EMPTY.with(scopething_core::plan::Channel::A));
        };
        names.iter().try_fold(ChannelSet::EMPTY, |channels, name| {
            let named = name.parse();
            let named = named.map_err(|source| JsonRequestError::Channel { name: name.clone(), source })?;
            Ok(channels.union(named))
        })
    }
}

fn trigger_type(name: &str) -> Result<TriggerType, JsonRequestError> {
    name.parse().map_err(|source| JsonRequestError::TriggerType { name: name.to_owned(), source })
}

fn trigger_mode(name: &str) -> Result<TriggerMode, JsonRequestError> {
    name.parse().map_err(|source| JsonRequestError::TriggerMode { name: name.to_owned(), source })
}

fn resolution(text: String) -> Result<Resolution, JsonRequestError> {
    text.parse().map_err(|source| JsonRequestError::Bits { text, source })
}

/// A trigger is written as on the command line, or as an object of lines with their levels.
fn trigger_source(value: &Value) -> Result<TriggerSource, JsonRequestError> {
    let failed = |source| JsonRequestError::Trigger { text: value.to_string(), source };
    match value {
        Value::String(text) => text.parse().map_err(failed),
        Value::Object(lines) => pattern(lines).map_err(failed),
        _ => Err(failed(TriggerSourceError::Form)),
    }
}

fn pattern(lines: &Map<String, Value>) -> Result<TriggerSource, TriggerSourceError> {
    let mut pattern = LogicPattern { care: 0, high: 0 };
    for (name, level) in lines {
        let level = level.as_u64().ok_or(TriggerSourceError::Form)?;
        match format!("{name}={level}").parse()? {
            TriggerSource::Logic(line) => {
                pattern.care |= line.care;
                pattern.high |= line.high;
            }
            TriggerSource::Analog(_) => return Err(TriggerSourceError::Form),
        }
    }
    Ok(TriggerSource::Logic(pattern))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> Result<(CaptureRequest, BusyOutputs), JsonRequestError> {
        JsonRequest::parse(text)?.resolve()
    }

    #[test]
    fn what_is_absent_has_its_default() {
        let (request, driven) = resolved(r#"{"args": {}, "expect": 1}"#).unwrap();
        assert_eq!(request, CaptureRequest::new("A".parse::<ChannelSet>().unwrap()));
        assert_eq!(driven, BusyOutputs::NOTHING);
    }

    #[test]
    fn patterns_are_objects_or_texts() {
        let wanted = Some(TriggerSource::Logic(LogicPattern { care: 0x28, high: 0x08 }));
        for trigger in [r#"{"L3": 1, "L5": 0}"#, r#""L3=1,L5=0""#] {
            let text = format!(r#"{{"args": {{"trigger": {trigger}}}, "clock": true}}"#);
            let (request, driven) = resolved(&text).unwrap();
            assert_eq!((request.trigger, driven), (wanted, BusyOutputs::CLOCK));
        }
    }

    #[test]
    fn trigger_mode_and_bits_are_read() {
        for (args, mode, bits) in [
            (r#""trigger_mode": "auto", "bits": 8"#, TriggerMode::Auto, Resolution::Bits8),
            (r#""trigger-mode": "normal", "bits": "8""#, TriggerMode::Normal, Resolution::Bits8),
            (r#""bits": "best""#, TriggerMode::Normal, Resolution::Best),
        ] {
            let (request, _) = resolved(&format!(r#"{{"args": {{{args}}}}}"#)).unwrap();
            assert_eq!((request.trigger_mode, request.resolution), (mode, bits), "{args}");
        }
    }

    #[test]
    fn delay_is_read_in_seconds_or_as_text() {
        for delay in ["0.001", r#""1ms""#] {
            let (request, _) = resolved(&format!(r#"{{"args": {{"delay": {delay}}}}}"#)).unwrap();
            assert_eq!(request.delay_s, 1e-3, "{delay}");
        }
    }

    #[test]
    fn what_does_not_exist_is_named() {
        for (text, part) in [
            ("", "EOF"),
            (r#"{"args": {"perod": 1}}"#, "perod"),
            (r#"{"args": {"channels": ["A", "C"]}}"#, "\"C\""),
            (r#"{"args": {"trigger": {"A": 1}}}"#, "L3=1,L5=0"),
            (r#"{"args": {"trigger": {"L1": 2}}}"#, "L3=1,L5=0"),
            (r#"{"args": {"trigger_type": "up"}}"#, "\"up\""),
            (r#"{"args": {"nsamples": -1}}"#, "-1"),
            (r#"{"args": {"trigger_mode": "single"}}"#, "\"single\""),
            (r#"{"args": {"bits": 12}}"#, "\"12\""),
        ] {
            let refused = resolved(text).unwrap_err().to_string();
            assert!(refused.contains(part), "{refused}");
        }
    }
}

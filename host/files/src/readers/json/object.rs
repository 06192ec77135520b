//! The object of a capture, and the waveform in it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::readers::spacing;
use crate::{MAX_SAMPLES, ReadError};
use scopething_waveform::waveform::{
    Channel, Details, EndReason, Gap, InvalidWaveform, Range, Samples, Series, Settings, Stamp, Trigger,
    Waveform,
};

/// As it stands in the text. Keys that are not here are passed over.
#[derive(Deserialize)]
#[serde(expecting = "an object of a trace")]
pub(super) struct RecordingObject<'t> {
    trace: Option<u64>,
    clock: Option<String>,
    gap: Option<String>,
    cause: Option<String>,
    sample_rate: f64,
    capture_start: Option<f64>,
    trigger_time: Option<f64>,
    trigger: Option<TriggerObject>,
    range: Option<[f64; 2]>,
    #[serde(default)]
    ranges: std::collections::BTreeMap<String, [f64; 2]>,
    mode: Option<String>,
    #[serde(borrow)]
    channels: Channels<'t>,
    #[serde(default)]
    warnings: Bounded<String>,
    settings: Option<Settings>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object of a trigger")]
struct TriggerObject {
    source: String,
    #[serde(rename = "type")]
    kind: String,
    level: Option<f64>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object of a channel")]
struct ChannelObject<'t> {
    unit: Option<String>,
    name: Option<String>,
    /// With the rate, all that the times state: they need not be read then.
    start: Option<f64>,
    sample_rate: Option<f64>,
    period: Option<f64>,
    samples: Option<Bounded<Sample>>,
    #[serde(borrow)]
    timestamps: Option<Times<'t>>,
}

/// Times, as they stand in the text: read only where nothing else states them.
#[derive(Deserialize)]
#[serde(transparent)]
struct Times<'t>(#[serde(borrow)] &'t RawValue);

impl Times<'_> {
    fn read(&self) -> Result<Vec<f64>, serde_json::Error> {
        serde_json::from_str::<Bounded<f64>>(self.0.get()).map(|times| times.0)
    }

    /// How many there are, in an array of numbers.
    fn count(&self) -> usize {
        let text = self.0.get();
        let is_empty = text.trim_matches(['[', ']', ' ', '\n', '\r', '\t']).is_empty();
        if is_empty { 0 } else { memchr::memchr_iter(b',', text.as_bytes()).count() + 1 }
    }
}

impl RecordingObject<'_> {
    /// The waveform in it; `line` is where it begins.
    pub(super) fn recording(mut self, line: u64) -> Result<Waveform, ReadError> {
        let fault = |reason: String| ReadError::Line { line, reason };
        let details = self.details().map_err(fault)?;
        let is_of_job = self.trace.is_some();
        let mut channels = Vec::new();
        for (channel, object) in self.channels.0 {
            let ChannelObject { unit, name, start, sample_rate, period, samples, timestamps } = object;
            let (samples, times) = match (samples, timestamps) {
                (Some(samples), Some(times)) => (samples.0, Some(times)),
                (Some(samples), None) if start.is_some() => (samples.0, None),
                (None, Some(_)) if is_of_job => return Err(ReadError::NoSamples { held: "envelopes" }),
                (None, None) if is_of_job => return Err(ReadError::NoSamples { held: "summaries" }),
                _ => return Err(fault(format!("channel {channel} needs samples and timestamps"))),
            };
            if let Some(count) = times.as_ref().map(Times::count).filter(|count| *count != samples.len()) {
                let counts = format!("{} samples at {count} times", samples.len());
                return Err(fault(format!("channel {channel} has {counts}; give each its own")));
            }
            let samples = samples_of(channel, unit.as_deref(), samples).map_err(fault)?;
            let stated_s = period.or(sample_rate.map(f64::recip));
            let series = match (start.zip(stated_s), times) {
                (Some((start_s, period_s)), _) => Series::new(channel, start_s, period_s, samples),
                (None, Some(times)) => {
                    let times_s =
                        times.read().map_err(|error| fault(format!("the times of {channel}: {error}")))?;
                    let series = spacing::series(channel, &times_s, samples, self.sample_rate.recip());
                    series.map_err(|uneven| fault(uneven.to_string()))?
                }
                (None, None) => return Err(fault(format!("channel {channel} needs samples and timestamps"))),
            };
            channels.push(Series { label: name, ..series });
        }
        Ok(Waveform::new(self.sample_rate, channels, details)?)
    }

    fn details(&mut self) -> Result<Details, String> {
        let trigger = self.trigger.take().zip(self.trigger_time).map(|(trigger, time_s)| trigger.at(time_s));
        Ok(Details {
            capture_start_s: self.capture_start,
            cause: self
                .cause
                .as_deref()
                .map(|name| known(name, EndReason::named(name), "a cause"))
                .transpose()?,
            trigger: trigger.transpose()?,
            range: self.range.map(|[low, high]| Range { low, high }),
            ranges: Details::ranges_named(&self.ranges),
            mode: self.mode.take(),
            warnings: std::mem::take(&mut self.warnings.0),
            stamp: self.stamp()?,
            settings: self.settings.take().map(Box::new),
        })
    }

    fn stamp(&self) -> Result<Option<Stamp>, String> {
        let Some((number, clock)) = self.trace.zip(self.clock.as_deref()) else { return Ok(None) };
        let gap = self.gap.as_deref().map(|name| known(name, Gap::named(name), "a reason for a gap"));
        let clock = clock.parse().map_err(|error| format!("{clock:?}: {error}"))?;
        Ok(Some(Stamp { number, clock, gap: gap.transpose()? }))
    }
}

impl TriggerObject {
    fn at(self, time_s: f64) -> Result<Trigger, String> {
        let Self { source, kind, level } = self;
        let kind = kind.parse().map_err(|error| format!("{kind:?}: {error}"))?;
        Ok(Trigger { time_s, level, kind, source })
    }
}

fn known<T>(name: &str, found: Option<T>, wanted: &str) -> Result<T, String> {
    found.ok_or_else(|| format!("{name:?} is not {wanted}"))
}

fn samples_of(channel: Channel, unit: Option<&str>, samples: Vec<Sample>) -> Result<Samples, String> {
    match unit.unwrap_or(if channel.is_analog() { "V" } else { "level" }) {
        "V" => Ok(Samples::Volts(samples.into_iter().map(|sample| sample.0).collect())),
        "range" => Ok(Samples::Fractions(samples.into_iter().map(|sample| sample.0).collect())),
        "level" => {
            let level = |Sample(sample)| match sample {
                0.0 => Ok(0),
                1.0 => Ok(1),
                other => Err(format!("{other} is not a level of {channel}; use 0 or 1")),
            };
            Ok(Samples::Levels(samples.into_iter().map(level).collect::<Result<_, _>>()?))
        }
        other => Err(format!("{other:?} is not the unit of a channel; use V, range or level")),
    }
}

/// A sample, which is null where it is no number.
struct Sample(f32);

impl<'t> Deserialize<'t> for Sample {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::deserialize(deserializer)?.unwrap_or(f32::NAN)))
    }
}

/// Not more than [`MAX_SAMPLES`].
struct Bounded<T>(Vec<T>);

impl<T> Default for Bounded<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'t, T: Deserialize<'t>> Deserialize<'t> for Bounded<T> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T>(PhantomData<T>);
        impl<'t, T: Deserialize<'t>> Visitor<'t> for Elements<T> {
            type Value = Vec<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'t>>(self, mut array: A) -> Result<Vec<T>, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = array.next_element()? {
                    if elements.len() == MAX_SAMPLES {
                        return Err(A::Error::custom(ReadError::TooLong));
                    }
                    elements.push(element);
                }
                Ok(elements)
            }
        }
        deserializer.deserialize_seq(Elements(PhantomData)).map(Self)
    }
}

/// Channels by their names, with not more than [`MAX_SAMPLES`] together.
struct Channels<'t>(Vec<(Channel, ChannelObject<'t>)>);

impl<'de: 't, 't> Deserialize<'de> for Channels<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'t> Visitor<'t> for Entries {
            type Value = Vec<(Channel, ChannelObject<'t>)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("channels by their names")
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut channels = Vec::new();
                let mut count = 0;
                while let Some(name) = map.next_key::<String>()? {
                    let channel = name.parse();
                    let channel =
                        channel.map_err(|error| A::Error::custom(format!("{name:?} is {error}")))?;
                    // An empty array of a channel that is named again and again is memory as well.
                    if channels.iter().any(|(earlier, _)| *earlier == channel) {
                        return Err(A::Error::custom(InvalidWaveform::Repeated(channel)));
                    }
                    let object: ChannelObject<'t> = map.next_value()?;
                    count += object.samples.as_ref().map_or(0, |samples| samples.0.len());
                    if count > MAX_SAMPLES {
                        return Err(A::Error::custom(ReadError::TooLong));
                    }
                    channels.push((channel, object));
                }
                Ok(channels)
            }
        }
        deserializer.deserialize_map(Entries).map(Self)
    }
}

//! What a file, a picture or an analysis needs to know of one captured trace.
//!
//! A [`Waveform`] is the same whether its samples came from a device, from the simulator or from a file made
//! by another program: what such a file does not state is simply absent. It owns its samples and is checked
//! once, when it is made, so that whoever takes one need not check again. It is not a view of the trace
//! buffer and knows nothing of trace modes or registers.
//!
//! ```
//! use scopething_waveform::waveform::{Channel, Details, Waveform, Samples, Series};
//!
//! let series = Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(vec![0.0, 1.5, 3.0]));
//! let waveform = Waveform::new(1e6, vec![series], Details::default())?;
//! let a = waveform.channel(Channel::A).ok_or("A was captured")?;
//! assert_eq!(a.timestamps().collect::<Vec<_>>(), [0.0, 0.000_001, 0.000_002]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use scopething_core::plan::{AnalogChannel, LogicLine, SampleRange, TriggerSource};
use std::collections::BTreeMap;

use scopething_core::trace::{Trace, TriggerPoint};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::moment::UnixMicros;
use crate::quantity_text::quantity;

pub use scopething_core::plan::{Channel, TriggerType};
pub use scopething_core::trace::EndReason;

/// The samples of one channel.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// An analog channel in volts.
    Volts(Vec<f32>),
    /// An analog channel of a raw capture: fractions of the range, 0 to 1.
    Fractions(Vec<f32>),
    /// A logic line: 0 or 1.
    Levels(Vec<u8>),
}

impl Samples {
    /// How many samples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Volts(samples) | Self::Fractions(samples) => samples.len(),
            Self::Levels(levels) => levels.len(),
        }
    }

    /// Whether there is no sample at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The sample at `index` in volts, as a fraction, or as level 0 or 1; `None` past the end.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<f32> {
        match self {
            Self::Volts(samples) | Self::Fractions(samples) => samples.get(index).copied(),
            Self::Levels(levels) => levels.get(index).map(|&level| f32::from(level)),
        }
    }

    /// All samples, each as [`get`](Self::get) gives it.
    pub fn iter(&self) -> impl Iterator<Item = f32> + '_ {
        (0..self.len()).filter_map(|index| self.get(index))
    }

    /// Those from `first` on, `count` at most.
    #[must_use]
    pub fn part(&self, first: u64, count: u64) -> Self {
        fn part<T: Copy>(all: &[T], first: u64, count: u64) -> Vec<T> {
            let place = |number: u64| usize::try_from(number).unwrap_or(usize::MAX).min(all.len());
            let (begin, end) = (place(first), place(first.saturating_add(count)));
            all.get(begin..end).unwrap_or_default().to_vec()
        }
        match self {
            Self::Volts(samples) => Self::Volts(part(samples, first, count)),
            Self::Fractions(samples) => Self::Fractions(part(samples, first, count)),
            Self::Levels(levels) => Self::Levels(part(levels, first, count)),
        }
    }

    /// The least and the greatest finite sample, in that order; `None` if no sample is finite.
    #[must_use]
    pub fn extent(&self) -> Option<(f32, f32)> {
        self.iter().filter(|sample| sample.is_finite()).fold(None, |extent, sample| match extent {
            None => Some((sample, sample)),
            Some((low, high)) => Some((sample.min(low), sample.max(high))),
        })
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Volts(_) => "volts",
            Self::Fractions(_) => "fractions of the range",
            Self::Levels(_) => "logic levels",
        }
    }
}

/// What was sampled on one channel, evenly spaced in time.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The channel of the device, or the one an imported channel stands for.
    pub channel: Channel,
    /// What the channel was called in the file it came from, where that differs from
    /// [`channel`](Self::channel).
    pub label: Option<String>,
    /// When the first sample was taken, in seconds from the start of the capture. The B channel of a chopped
    /// pair starts half a [`period_s`](Self::period_s) after A.
    pub start_s: f64,
    /// Seconds from one sample of this channel to its next.
    pub period_s: f64,
    /// The samples, the earliest first.
    pub samples: Samples,
}

impl Series {
    /// A series without a label; times in seconds. It is checked when a [`Waveform`] takes it.
    #[must_use]
    pub fn new(channel: Channel, start_s: f64, period_s: f64, samples: Samples) -> Self {
        Self { channel, label: None, start_s, period_s, samples }
    }

    /// When the sample at `index` was taken, in seconds from the start of the capture: start + index x
    /// period.
    ///
    /// The result is the nearest whole picosecond where the arithmetic cannot distinguish the two, so that a
    /// time has one value however it was reached: 9 us stays 0.000009 and equals the same moment of another
    /// channel.
    #[must_use]
    pub fn timestamp(&self, index: usize) -> f64 {
        const PICOSECONDS: f64 = 1e12;
        let time = self.start_s + index as f64 * self.period_s;
        let whole = (time * PICOSECONDS).round() / PICOSECONDS;
        // A product of rounded factors and a sum are off by no more than this.
        let rounding = 4.0 * f64::EPSILON * time.abs().max(self.start_s.abs());
        if (whole - time).abs() <= rounding { whole } else { time }
    }

    /// The time of each sample, in seconds from the start of the capture.
    pub fn timestamps(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.samples.len()).map(|index| self.timestamp(index))
    }

    /// When the last sample was taken, in seconds from the start of the capture.
    #[must_use]
    pub fn end_s(&self) -> f64 {
        self.timestamp(self.samples.len().saturating_sub(1))
    }

    /// Samples of this channel a second, in hertz. Each channel of an interleaved pair has half of the rate of
    /// [the two together](Waveform::sample_rate_hz): a spectrum is taken by this one.
    ///
    /// The result is the nearest whole hertz where the arithmetic cannot distinguish the two.
    #[must_use]
    pub fn sample_rate_hz(&self) -> f64 {
        let rate_hz = self.period_s.recip();
        let whole = rate_hz.round();
        // The period and its reciprocal are each rounded once.
        if (whole - rate_hz).abs() <= 2.0 * f64::EPSILON * rate_hz { whole } else { rate_hz }
    }

    /// The channel's name, with the name it had in the file it came from: `A` or `A (ana0)`.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.label {
            Some(label) => format!("{} ({label})", self.channel),
            None => self.channel.to_string(),
        }
    }
}

/// Where and on what a capture triggered.
#[derive(Clone, Debug, PartialEq)]
pub struct Trigger {
    /// When, in seconds from the start of the capture, on the axis of the samples' timestamps.
    pub time_s: f64,
    /// The level of an analog trigger, in the unit of the analog samples; `None` for a logic pattern.
    pub level: Option<f64>,
    /// What the signal had to do there.
    pub kind: TriggerType,
    /// What was watched, as the user wrote it: `A`, or a pattern such as `L3=1,L5=0`.
    pub source: String,
}

/// The lowest and highest level that the analog channels were set to show, in the unit of the analog samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// The bottom of the range.
    pub low: f64,
    /// The top of the range.
    pub high: f64,
}

/// Why traces may be missing between a trace and the one recorded before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The recording started here.
    Start,
    /// The link to the device was lost.
    Link,
    /// The device or the link gave traces that made no sense.
    BadTraces,
    /// The computer's clock was set, so that times before and after do not compare.
    ClockSet,
    /// Traces were given up, since neither disk nor memory had room for them.
    NoRoom,
    /// The link could not carry all frames of a stream.
    LostFrames,
}

impl Gap {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Start, Self::Link, Self::BadTraces, Self::ClockSet, Self::NoRoom, Self::LostFrames];

    /// The one of this [`name`](Self::name).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|gap| gap.name() == name)
    }

    /// Its name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Link => "link",
            Self::BadTraces => "bad traces",
            Self::ClockSet => "clock set",
            Self::NoRoom => "no room",
            Self::LostFrames => "lost frames",
        }
    }
}

/// The place of a trace among those that a job records.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stamp {
    /// Counts the traces of the job from 1 on.
    pub number: u64,
    /// When the capture started, by the computer's clock.
    pub clock: UnixMicros,
    /// Whether traces may be missing before this one, and why.
    pub gap: Option<Gap>,
}

/// What is known of a capture besides its samples. Files of other programs know little of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Details {
    /// When the capture started, in seconds of device time.
    pub capture_start_s: Option<f64>,
    /// Why it ended.
    pub cause: Option<EndReason>,
    /// Where it triggered; `None` also when it ended for another reason.
    pub trigger: Option<Trigger>,
    /// What the analog channels were set to show.
    pub range: Option<Range>,
    /// The name of the trace mode, such as `Macro`.
    pub mode: Option<String>,
    /// What the user should know of how the capture was made, one sentence each.
    pub warnings: Vec<String>,
    /// Its place among the traces of a job, if it was recorded by one.
    pub stamp: Option<Stamp>,
    /// What it was made with, enough to repeat it.
    pub settings: Option<Box<Settings>>,
}

/// What a capture was made with. As JSON it goes into every file that can hold it; what is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The request, as JSON in the words of a job file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<BTreeMap<String, SettingValue>>,
    /// What became of the request: mode, ticks of the device's clock a sample, samples, deviations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<BTreeMap<String, SettingValue>>,
    /// The device, such as `BS000501`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The serial number of the device or of its adapter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// The program and its version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// When the capture was read, in UTC by the computer's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_time: Option<String>,
    /// Whether that clock was synchronised: `synchronised`, `not synchronised` or `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_clock: Option<String>,
}

/// A value among settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SettingValue {
    /// Yes or no.
    Flag(bool),
    /// A number in the unit that its key has.
    Number(f64),
    /// A word.
    Text(String),
    /// Several words.
    Texts(Vec<String>),
}

impl From<TriggerPoint> for Trigger {
    fn from(point: TriggerPoint) -> Self {
        let analog = matches!(point.source, TriggerSource::Analog(_));
        Self {
            time_s: point.time_s,
            level: analog.then_some(point.level),
            kind: point.trigger_type,
            source: point.source.to_string(),
        }
    }
}

/// Why no [`Waveform`] could be made.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum InvalidWaveform {
    /// No channel was given.
    #[error("there is no channel in it; give at least one")]
    NoChannels,
    /// The sample rate, in hertz, is not a positive number.
    #[error("a sample rate of {0} Hz is not possible; give a positive one")]
    SampleRate(f64),
    /// A channel was given twice.
    #[error("channel {0} is there twice; give each channel once")]
    Repeated(Channel),
    /// A channel has no samples.
    #[error("channel {0} has no samples; leave it out")]
    Empty(Channel),
    /// The sample period, in seconds, is not a positive number.
    #[error("a sample period of {period_s} s on channel {channel} is not possible; give a positive one")]
    Period {
        /// The channel.
        channel: Channel,
        /// What was given.
        period_s: f64,
    },
    /// The samples are not of the kind that this channel has.
    #[error("channel {channel} cannot hold {kind}")]
    Kind {
        /// The channel.
        channel: Channel,
        /// What the samples are.
        kind: &'static str,
    },
    /// One analog channel is in volts and the other is raw.
    #[error("one analog channel is in volts and the other in fractions; give both in the same unit")]
    MixedUnits,
    /// A logic sample is neither 0 nor 1.
    #[error("sample {index} of channel {channel} is {level}, and a logic level is 0 or 1")]
    Level {
        /// The channel.
        channel: Channel,
        /// Which sample, from 0.
        index: usize,
        /// What it is.
        level: u8,
    },
    /// A time or level that is not a finite number.
    #[error("the {what} is {value}, and must be a finite number")]
    NotFinite {
        /// Which one.
        what: &'static str,
        /// What was given.
        value: f64,
    },
}

/// One captured trace: evenly sampled channels, and what is known of how they were captured.
#[derive(Clone, Debug, PartialEq)]
pub struct Waveform {
    sample_rate_hz: f64,
    channels: Vec<Series>,
    details: Details,
}

impl Waveform {
    /// Takes the channels of a capture, in any order, and keeps them in the order A, B, L0 to L7.
    ///
    /// `sample_rate_hz` is the rate of the sample clock in hertz. A channel whose
    /// [`period_s`](Series::period_s) is longer, as in a chopped pair, was sampled less often than that.
    ///
    /// # Errors
    /// If there is no channel, one is empty or there twice, its samples are not of its kind, or a time, rate
    /// or level is not a possible one.
    pub fn new(
        sample_rate_hz: f64,
        mut channels: Vec<Series>,
        details: Details,
    ) -> Result<Self, InvalidWaveform> {
        if !(sample_rate_hz.is_finite() && sample_rate_hz > 0.0) {
            return Err(InvalidWaveform::SampleRate(sample_rate_hz));
        }
        if channels.is_empty() {
            return Err(InvalidWaveform::NoChannels);
        }
        channels.sort_by_key(|series| series.channel);
        for pair in channels.windows(2) {
            if let [one, next] = pair {
                check_pair(one, next)?;
            }
        }
        channels.iter().try_for_each(check_series)?;
        check_details(&details)?;
        Ok(Self { sample_rate_hz, channels, details })
    }

    /// Takes the channels of a trace out of its buffer, in volts, or in fractions if the capture was raw.
    ///
    /// # Errors
    /// [`InvalidWaveform::Empty`] if the trace was cancelled before anything was captured.
    pub fn of_trace(trace: &Trace) -> Result<Self, InvalidWaveform> {
        let plan = trace.plan();
        let analog = AnalogChannel::ALL.into_iter().filter_map(|channel| {
            let view = trace.analog(channel)?;
            let values = view.values().collect();
            let samples = match plan.range {
                SampleRange::Volts { .. } => Samples::Volts(values),
                SampleRange::Fractions => Samples::Fractions(values),
            };
            Some(Series::new(channel.into(), view.times.start_s, view.times.period_s, samples))
        });
        let lines = LogicLine::all().filter(|&line| plan.channels.contains(line.into()));
        let logic = lines.filter_map(|line| {
            let view = trace.logic()?;
            let levels = view.levels(line).map(u8::from).collect();
            Some(Series::new(line.into(), view.times.start_s, view.times.period_s, Samples::Levels(levels)))
        });
        let details = Details {
            capture_start_s: Some(trace.capture_start_s()),
            cause: Some(trace.end_reason()),
            trigger: trace.trigger().map(Trigger::from),
            range: plan.range.of_channels(plan.channels).map(|(low, high)| Range { low, high }),
            mode: Some(plan.mode.name.to_owned()),
            warnings: plan.notices.iter().map(ToString::to_string).collect(),
            stamp: None,
            settings: None,
        };
        let mut waveform = Self::new(plan.sample_rate_hz(), analog.chain(logic).collect(), details)?;
        let clipped: Vec<String> = waveform.clipping_warnings().collect();
        waveform.details.warnings.extend(clipped);
        Ok(waveform)
    }

    /// Samples a second of the sample clock, in hertz: those of interleaved channels together. What one channel has is
    /// its own [`sample_rate_hz`](Series::sample_rate_hz). Files call this one `interleaved_sample_rate`.
    #[must_use]
    pub fn sample_rate_hz(&self) -> f64 {
        self.sample_rate_hz
    }

    /// The sample rates of the channels for people: `1.000 MS/s` if all have the same, otherwise each with its
    /// channels, as in `A B 500.0 kS/s, L0 1.000 MS/s`.
    #[must_use]
    pub fn sample_rates_text(&self) -> String {
        let mut rates: Vec<(f64, Vec<String>)> = Vec::new();
        for series in &self.channels {
            let (rate_hz, name) = (series.sample_rate_hz(), series.channel.to_string());
            match rates.iter_mut().find(|(known_hz, _)| *known_hz == rate_hz) {
                Some((_, names)) => names.push(name),
                None => rates.push((rate_hz, vec![name])),
            }
        }
        if let [(rate_hz, _)] = rates[..] {
            return quantity(rate_hz, "S/s", 4);
        }
        let rates = rates
            .iter()
            .map(|(rate_hz, names)| format!("{} {}", names.join(" "), quantity(*rate_hz, "S/s", 4)));
        rates.collect::<Vec<_>>().join(", ")
    }

    /// Seconds from one tick of the sample clock to the next.
    #[must_use]
    pub fn sample_period_s(&self) -> f64 {
        self.sample_rate_hz.recip()
    }

    /// The channels, in the order A, B, L0 to L7: at least one, and none of them empty.
    #[must_use]
    pub fn channels(&self) -> &[Series] {
        &self.channels
    }

    /// One channel, if it was captured.
    #[must_use]
    pub fn channel(&self, channel: Channel) -> Option<&Series> {
        self.channels.iter().find(|series| series.channel == channel)
    }

    /// The captured analog channels.
    pub fn analog(&self) -> impl Iterator<Item = &Series> {
        self.channels.iter().filter(|series| series.channel.is_analog())
    }

    /// The captured logic lines.
    pub fn logic(&self) -> impl Iterator<Item = &Series> {
        self.channels.iter().filter(|series| !series.channel.is_analog())
    }

    /// What is known of the capture besides its samples.
    #[must_use]
    pub fn details(&self) -> &Details {
        &self.details
    }

    /// The same waveform, with its place among the traces of a job.
    #[must_use]
    pub fn stamped(mut self, stamp: Stamp) -> Self {
        self.details.stamp = Some(stamp);
        self
    }

    /// The same waveform, with what it was made with.
    #[must_use]
    pub fn with_settings(mut self, settings: Settings) -> Self {
        self.details.settings = Some(Box::new(settings));
        self
    }

    /// Whether the analog samples are fractions of the range instead of volts.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.analog().any(|series| matches!(series.samples, Samples::Fractions(_)))
    }

    /// When the first sample of any channel was taken, in seconds from the start of the capture.
    #[must_use]
    pub fn start_s(&self) -> f64 {
        self.channels.iter().map(|series| series.start_s).fold(f64::INFINITY, f64::min)
    }

    /// When the last sample of any channel was taken, in seconds from the start of the capture.
    #[must_use]
    pub fn end_s(&self) -> f64 {
        self.channels.iter().map(Series::end_s).fold(f64::NEG_INFINITY, f64::max)
    }

    /// How many samples the longest channel has.
    #[must_use]
    pub fn sample_count(&self) -> usize {
        self.channels.iter().map(|series| series.samples.len()).max().unwrap_or(0)
    }
}

fn check_pair(one: &Series, next: &Series) -> Result<(), InvalidWaveform> {
    if one.channel == next.channel {
        return Err(InvalidWaveform::Repeated(one.channel));
    }
    match (&one.samples, &next.samples) {
        (Samples::Volts(_), Samples::Fractions(_)) | (Samples::Fractions(_), Samples::Volts(_)) => {
            Err(InvalidWaveform::MixedUnits)
        }
        _ => Ok(()),
    }
}

fn check_series(series: &Series) -> Result<(), InvalidWaveform> {
    let channel = series.channel;
    if series.samples.is_empty() {
        return Err(InvalidWaveform::Empty(channel));
    }
    if !(series.period_s.is_finite() && series.period_s > 0.0) {
        return Err(InvalidWaveform::Period { channel, period_s: series.period_s });
    }
    check_finite("start of a channel", series.start_s)?;
    check_finite("end of a channel", series.end_s())?;
    if channel.is_analog() == matches!(series.samples, Samples::Levels(_)) {
        return Err(InvalidWaveform::Kind { channel, kind: series.samples.kind() });
    }
    if let Samples::Levels(levels) = &series.samples
        && let Some((index, &level)) = levels.iter().enumerate().find(|&(_, &level)| level > 1)
    {
        return Err(InvalidWaveform::Level { channel, index, level });
    }
    Ok(())
}

fn check_details(details: &Details) -> Result<(), InvalidWaveform> {
    if let Some(start_s) = details.capture_start_s {
        check_finite("start of the capture", start_s)?;
    }
    if let Some(trigger) = &details.trigger {
        check_finite("trigger time", trigger.time_s)?;
        check_finite("trigger level", trigger.level.unwrap_or(0.0))?;
    }
    if let Some(range) = details.range {
        check_finite("bottom of the range", range.low)?;
        check_finite("top of the range", range.high)?;
    }
    Ok(())
}

fn check_finite(what: &'static str, value: f64) -> Result<(), InvalidWaveform> {
    if value.is_finite() { Ok(()) } else { Err(InvalidWaveform::NotFinite { what, value }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volts(channel: Channel, samples: &[f32]) -> Series {
        Series::new(channel, 0.0, 1e-6, Samples::Volts(samples.to_vec()))
    }

    fn made(channels: Vec<Series>) -> Result<Waveform, InvalidWaveform> {
        Waveform::new(1e6, channels, Details::default())
    }

    #[test]
    fn times_are_whole_picoseconds_where_they_can_be() {
        let series = Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(vec![0.0; 12288]));
        for (index, time) in series.timestamps().enumerate() {
            assert_eq!(time, format!("{index}e-6").parse::<f64>().unwrap(), "sample {index}");
        }
        let thirds = Series::new(Channel::A, 0.0, 1.0 / 3.0, Samples::Volts(vec![0.0; 4]));
        assert_eq!(thirds.timestamp(1), 1.0 / 3.0);
        assert_eq!(thirds.timestamp(3), 1.0);
    }

    #[test]
    fn second_channel_of_a_pair_is_offset() {
        // 17 ticks of 25 ns a sample, 34 a pair.
        let b = Series::new(Channel::B, 425e-9, 850e-9, Samples::Volts(vec![0.0; 6144]));
        let logic = Series::new(Channel::L[0], 0.0, 425e-9, Samples::Levels(vec![0; 12288]));
        for index in 0..6144 {
            assert_eq!(b.timestamp(index), logic.timestamp(2 * index + 1), "sample {index}");
        }
    }

    #[test]
    fn each_channel_of_a_pair_has_half_of_the_rate() {
        // A pair of 10 us, beside a logic line at the full rate: 1 / 10e-6 is not 100 kHz in binary.
        let pair = |channel, start_s| Series::new(channel, start_s, 10e-6, Samples::Volts(vec![0.0; 100]));
        let line = Series::new(Channel::L[0], 0.0, 5e-6, Samples::Levels(vec![0; 200]));
        let both = vec![pair(Channel::A, 0.0), pair(Channel::B, 5e-6)];
        let alone = Waveform::new(200e3, both.clone(), Details::default()).unwrap();
        assert_eq!(alone.channels().iter().map(Series::sample_rate_hz).collect::<Vec<_>>(), [100e3, 100e3]);
        assert_eq!((alone.sample_rate_hz(), alone.sample_rates_text().as_str()), (200e3, "100.0 kS/s"));
        let mixed = Waveform::new(200e3, [both, vec![line]].concat(), Details::default()).unwrap();
        assert_eq!(mixed.sample_rates_text(), "A B 100.0 kS/s, L0 200.0 kS/s");
        let thirds = Series::new(Channel::A, 0.0, 0.3, Samples::Volts(vec![0.0]));
        assert_eq!(thirds.sample_rate_hz(), 1.0 / 0.3);
    }

    #[test]
    fn channels_are_kept_in_order() {
        let levels = Series::new(Channel::L[3], 0.0, 1e-6, Samples::Levels(vec![1]));
        let recording = made(vec![levels, volts(Channel::B, &[1.0]), volts(Channel::A, &[1.0])]).unwrap();
        let order: Vec<_> = recording.channels().iter().map(|series| series.channel).collect();
        assert_eq!(order, [Channel::A, Channel::B, Channel::L[3]]);
        assert_eq!(recording.analog().count(), 2);
        assert_eq!(recording.logic().count(), 1);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(made(vec![]), Err(InvalidWaveform::NoChannels));
        assert_eq!(made(vec![volts(Channel::A, &[])]), Err(InvalidWaveform::Empty(Channel::A)));
        assert_eq!(
            made(vec![volts(Channel::A, &[0.0]), volts(Channel::A, &[0.0])]),
            Err(InvalidWaveform::Repeated(Channel::A))
        );
        assert!(matches!(made(vec![volts(Channel::L[1], &[0.0])]), Err(InvalidWaveform::Kind { .. })));
        let fractions = Series::new(Channel::B, 0.0, 1e-6, Samples::Fractions(vec![0.5]));
        assert_eq!(made(vec![volts(Channel::A, &[0.0]), fractions]), Err(InvalidWaveform::MixedUnits));
        let level = Series::new(Channel::L[1], 0.0, 1e-6, Samples::Levels(vec![0, 1, 2]));
        assert_eq!(
            made(vec![level]),
            Err(InvalidWaveform::Level { channel: Channel::L[1], index: 2, level: 2 })
        );
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let refused = Waveform::new(rate, vec![volts(Channel::A, &[0.0])], Details::default());
            assert!(matches!(refused, Err(InvalidWaveform::SampleRate(_))), "{rate}");
        }
        for period_s in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let series = Series { period_s, ..volts(Channel::A, &[0.0]) };
            assert!(matches!(made(vec![series]), Err(InvalidWaveform::Period { .. })), "{period_s}");
        }
        let unending = Series { period_s: f64::MAX, ..volts(Channel::A, &[0.0; 3]) };
        assert!(matches!(made(vec![unending]), Err(InvalidWaveform::NotFinite { .. })));
        let details = Details { capture_start_s: Some(f64::NAN), ..Details::default() };
        let refused = Waveform::new(1e6, vec![volts(Channel::A, &[0.0])], details);
        assert!(matches!(refused, Err(InvalidWaveform::NotFinite { .. })));
    }

    #[test]
    fn the_extent_passes_over_what_is_no_number() {
        let samples = Samples::Volts(vec![f32::NAN, 1.0, f32::INFINITY, -2.0]);
        assert_eq!(samples.extent(), Some((-2.0, 1.0)));
        assert_eq!(Samples::Volts(vec![f32::NAN]).extent(), None);
    }
}

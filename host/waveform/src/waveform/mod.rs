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

mod details;
mod outline;
mod series;
mod settings;

use scopething_core::plan::{AnalogChannel, CapturePlan, LogicLine, SampleRange};
use scopething_core::trace::Trace;
use thiserror::Error;

use crate::quantity_text::quantity;

pub use self::details::{Details, Gap, Range, Stamp, Trigger};
pub use self::outline::{Outline, SampleKind, SeriesOutline};
#[cfg(feature = "measure")]
pub(crate) use self::series::title;
pub use self::series::{Samples, Series};
pub use self::settings::{SettingValue, Settings};
pub use scopething_core::plan::{Channel, TriggerType};
pub use scopething_core::trace::EndReason;

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
            let mut values = vec![0.0; view.len()];
            view.read_values(&mut values);
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
            ranges: ranges(plan),
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

    /// The same waveform, with more sentences among its [`warnings`](Details::warnings), after those that it has.
    #[must_use]
    pub fn with_warnings(mut self, warnings: Vec<String>) -> Self {
        self.details.warnings.extend(warnings);
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
        self.channels.iter().map(|series| series.timestamp(0)).fold(f64::INFINITY, f64::min)
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

/// What each analog channel of a plan shows, where that differs.
fn ranges(plan: &CapturePlan) -> Vec<(Channel, Range)> {
    let analog = AnalogChannel::ALL.into_iter().filter(|&channel| plan.channels.contains(channel.into()));
    let ranges = analog.filter_map(|channel| {
        let (low, high) = plan.range.of_channel(channel)?;
        Some((channel.into(), Range { low, high }))
    });
    let ranges: Vec<(Channel, Range)> = ranges.collect();
    let differ = ranges.windows(2).any(|pair| pair.first().map(|one| one.1) != pair.last().map(|one| one.1));
    if differ { ranges } else { Vec::new() }
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
    // The first loop is one that the compiler makes vectors of.
    if let Samples::Levels(levels) = &series.samples
        && levels.iter().fold(0, |all, level| all | level) > 1
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
    for (_, range) in &details.ranges {
        check_finite("bottom of the range of a channel", range.low)?;
        check_finite("top of the range of a channel", range.high)?;
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
    fn one_sample_begins_and_ends_at_once() {
        // Not the nearest number to 0.3, which both times are.
        for start in [0.1 + 0.2, 1e76] {
            let only = Series::new(Channel::A, start, 1e-6, Samples::Volts(vec![1.0]));
            let waveform = made(vec![only]).unwrap();
            assert_eq!(waveform.start_s(), waveform.end_s());
            assert_eq!(Outline::from(&waveform).start_s(), waveform.end_s());
        }
    }

    #[test]
    fn paired_channels_have_half_the_rate() {
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
        let waveform = made(vec![levels, volts(Channel::B, &[1.0]), volts(Channel::A, &[1.0])]).unwrap();
        let order: Vec<_> = waveform.channels().iter().map(|series| series.channel).collect();
        assert_eq!(order, [Channel::A, Channel::B, Channel::L[3]]);
        assert_eq!(waveform.analog().count(), 2);
        assert_eq!(waveform.logic().count(), 1);
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
}

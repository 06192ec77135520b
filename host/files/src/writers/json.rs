//! JSON, as the command line's `--json` prints it: an object a capture, each on a line of its own.
//!
//! `cause`, `interleaved_sample_rate`, `capture_start`, `trigger_time`, `mode`, `channels` and `warnings` are what
//! scripts rely on, and each channel's own `sample_rate`. The `sample_rate` beside `channels` is an older name of
//! `interleaved_sample_rate`, that of the channels of a pair together. `trigger`, `range` and a channel's `unit` have the
//! rest; `analysis` has the measurements where they were asked for, `settings` what the capture was made with. A channel
//! that was sampled at the times of an earlier one has `timestamps_of`, the name of that channel, in the place of
//! `timestamps`; each has `start` and `period` in seconds, and `name`, what it was called in the file it came from. What
//! is not known is null, and so is a sample that is no number. A trace of a job has `trace` (its number), `clock` and
//! `gap` before these.

use std::collections::BTreeMap;
use std::io::Write;

use serde::{Serialize, Serializer};

use crate::{TraceWriter, WriteError};
use scopething_waveform::clipping::Clipping;
use scopething_waveform::measure::WaveformAnalysis;
use scopething_waveform::waveform::{Gap, Samples, Series, Settings, Stamp, Waveform};

/// Writes one object a line.
#[derive(Default)]
pub(crate) struct JsonWriter {
    /// With the measurements.
    pub(super) analysed: bool,
}

impl TraceWriter for JsonWriter {
    fn write(&mut self, recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError> {
        let analysis = self.analysed.then(|| WaveformAnalysis::of(recording));
        let object = RecordingObject { analysis, ..RecordingObject::of(recording) };
        serde_json::to_writer(&mut *out, &object).map_err(std::io::Error::from)?;
        Ok(out.write_all(b"\n")?)
    }
}

#[derive(Serialize)]
struct RecordingObject<'r> {
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    stamp: Option<StampObject>,
    cause: Option<String>,
    sample_rate: f64,
    interleaved_sample_rate: f64,
    capture_start: Option<f64>,
    trigger_time: Option<f64>,
    trigger: Option<TriggerObject<'r>>,
    range: Option<[f64; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ranges: Option<BTreeMap<String, [f64; 2]>>,
    mode: Option<&'r str>,
    // In the order of the channels.
    channels: BTreeMap<String, ChannelObject<'r>>,
    warnings: &'r [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<&'r Settings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    analysis: Option<WaveformAnalysis>,
}

/// The place of a trace in a job, whose keys come first.
#[derive(Serialize)]
pub struct StampObject {
    trace: u64,
    clock: String,
    gap: Option<&'static str>,
}

impl From<Stamp> for StampObject {
    fn from(stamp: Stamp) -> Self {
        Self { trace: stamp.number, clock: stamp.clock.to_string(), gap: stamp.gap.map(Gap::name) }
    }
}

#[derive(Serialize)]
struct TriggerObject<'r> {
    source: &'r str,
    #[serde(rename = "type")]
    kind: String,
    level: Option<f64>,
}

#[derive(Serialize)]
struct ChannelObject<'r> {
    unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'r str>,
    sample_rate: f64,
    start: f64,
    period: f64,
    /// How many samples lie at the ends of the range, where it is known.
    clipped: Option<Clipping>,
    #[serde(serialize_with = "samples")]
    samples: &'r Samples,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamps: Option<Timestamps<'r>>,
    /// The channel that was sampled at the same times, and has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamps_of: Option<String>,
}

impl<'r> RecordingObject<'r> {
    fn of(recording: &'r Waveform) -> Self {
        let details = recording.details();
        let trigger = details.trigger.as_ref();
        Self {
            stamp: details.stamp.map(StampObject::from),
            cause: details.cause.map(|cause| cause.to_string()),
            sample_rate: recording.sample_rate_hz(),
            interleaved_sample_rate: recording.sample_rate_hz(),
            capture_start: details.capture_start_s,
            trigger_time: trigger.map(|trigger| trigger.time_s),
            trigger: trigger.map(|trigger| TriggerObject {
                source: &trigger.source,
                kind: trigger.kind.to_string(),
                level: trigger.level,
            }),
            range: details.range.map(|range| [range.low, range.high]),
            ranges: details.named_ranges(),
            mode: details.mode.as_deref(),
            channels: recording
                .channels()
                .iter()
                .map(|series| (series.channel.to_string(), ChannelObject::of(series, recording)))
                .collect(),
            warnings: &details.warnings,
            settings: details.settings.as_deref(),
            analysis: None,
        }
    }
}

impl<'r> ChannelObject<'r> {
    fn of(series: &'r Series, recording: &Waveform) -> Self {
        let same_times = |other: &&Series| {
            (other.start_s, other.period_s, other.samples.len())
                == (series.start_s, series.period_s, series.samples.len())
        };
        let first =
            recording.channels().iter().find(same_times).map_or(series.channel, |first| first.channel);
        let is_first = first == series.channel;
        let unit = match series.samples {
            Samples::Volts(_) => "V",
            Samples::Fractions(_) => "range",
            Samples::Levels(_) => "level",
        };
        Self {
            unit,
            name: series.label.as_deref(),
            sample_rate: series.sample_rate_hz(),
            start: series.start_s,
            period: series.period_s,
            clipped: recording.clipping(series),
            samples: &series.samples,
            timestamps: is_first.then_some(Timestamps(series)),
            timestamps_of: (!is_first).then(|| first.to_string()),
        }
    }
}

fn samples<S: Serializer>(samples: &Samples, serializer: S) -> Result<S::Ok, S::Error> {
    match samples {
        Samples::Volts(samples) | Samples::Fractions(samples) => samples.serialize(serializer),
        Samples::Levels(levels) => levels.serialize(serializer),
    }
}

/// The times of a channel's samples.
struct Timestamps<'r>(&'r Series);

impl Serialize for Timestamps<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.timestamps())
    }
}

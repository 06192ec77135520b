//! Measurements as JSON: what is unknown is null.

use std::collections::BTreeMap;

use scopething_core::analysis::{Levels, Shape};
use serde::{Serialize, Serializer};

use crate::clipping::Clipping;

use super::{
    AnalogMeasurements, ChannelAnalysis, LogicMeasurements, MeasuredPart, Measurements, PairDelay, Spectrum,
    WaveformAnalysis,
};

/// `channels` by name, `delays`. Levels are in the channel's `unit`, times in seconds, frequencies in hertz, parts
/// (`duty`, `overshoot`, `shape_error`, `thd`) are fractions.
impl Serialize for WaveformAnalysis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let channels =
            self.channels.iter().map(|channel| (channel.channel.to_string(), ChannelObject::of(channel)));
        let delays = self.delays.iter().map(DelayObject::of).collect();
        AnalysisObject { channels: channels.collect(), delays }.serialize(serializer)
    }
}

#[derive(Serialize)]
struct AnalysisObject<'a> {
    // In the order of the channels.
    channels: BTreeMap<String, ChannelObject<'a>>,
    delays: Vec<DelayObject>,
}

#[derive(Serialize)]
struct DelayObject {
    from: String,
    to: String,
    delay: Option<f64>,
    phase_degrees: Option<f64>,
    /// Why both are null.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown: Option<String>,
}

impl DelayObject {
    fn of(pair: &PairDelay) -> Self {
        Self {
            from: pair.from.to_string(),
            to: pair.to.to_string(),
            delay: pair.delay.ok().map(|delay| delay.delay_s),
            phase_degrees: pair.delay.ok().map(|delay| delay.phase_degrees),
            unknown: pair.delay.err().map(|why| why.to_string()),
        }
    }
}

#[derive(Serialize)]
struct ChannelObject<'a> {
    /// What it was called in the file it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    samples: usize,
    sample_rate: f64,
    /// Samples that are no numbers.
    not_numbers: usize,
    /// Samples at the ends of the range.
    clipped: Option<Clipping>,
    /// Of how many samples `part_of` is, where that is not all.
    #[serde(skip_serializing_if = "Option::is_none")]
    part_samples: Option<usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    part_of: Vec<&'static str>,
    #[serde(flatten)]
    measured: MeasuredObject<'a>,
    /// Why keys are null.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    unknown: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spectrum: Option<SpectrumObject>,
}

impl<'a> ChannelObject<'a> {
    fn of(channel: &'a ChannelAnalysis) -> Self {
        let measured = match &channel.measurements {
            Measurements::Analog(analog) => {
                MeasuredObject::Analog(Box::new(AnalogObject::of(analog, channel.unit)))
            }
            Measurements::Logic(logic) => MeasuredObject::Logic(LogicObject::of(logic)),
        };
        let spectrum = channel.spectrum.as_ref().map(|spectrum| match spectrum {
            Ok(spectrum) => SpectrumObject::Known(KnownSpectrum::of(spectrum)),
            Err(error) => SpectrumObject::Refused { error: error.to_string() },
        });
        Self {
            name: channel.label.as_deref(),
            samples: channel.samples,
            sample_rate: channel.sample_rate_hz,
            not_numbers: channel.not_numbers,
            clipped: channel.clipping,
            part_samples: channel.part.map(|part| part.samples),
            part_of: channel.part.map(part_of).unwrap_or_default(),
            measured,
            unknown: channel.unknown().into_iter().map(|(key, why)| (key, why.to_string())).collect(),
            spectrum,
        }
    }
}

/// The keys of what is measured of a part of the samples.
fn part_of(part: MeasuredPart) -> Vec<&'static str> {
    let keys = [("wave", part.has_wave), ("spectrum", part.has_spectrum)];
    keys.into_iter().filter_map(|(key, is_of_part)| is_of_part.then_some(key)).collect()
}

#[derive(Serialize)]
#[serde(untagged)]
enum MeasuredObject<'a> {
    Analog(Box<AnalogObject<'a>>),
    Logic(LogicObject),
}

#[derive(Serialize)]
struct LogicObject {
    high: f64,
    rising_edges: usize,
    falling_edges: usize,
    edge_frequency: Option<f64>,
    /// The greatest error of `edge_frequency` if the level changes within a sample period.
    edge_frequency_uncertainty: Option<f64>,
    duty: Option<f64>,
}

impl LogicObject {
    fn of(logic: &LogicMeasurements) -> Self {
        Self {
            high: logic.high,
            rising_edges: logic.edges.rising,
            falling_edges: logic.edges.falling,
            edge_frequency: logic.edges.frequency_hz,
            edge_frequency_uncertainty: logic.edges.frequency_uncertainty_hz,
            duty: logic.edges.duty,
        }
    }
}

#[derive(Serialize)]
struct AnalogObject<'a> {
    unit: &'static str,
    mean: Option<f64>,
    rms: Option<f64>,
    ac_rms: Option<f64>,
    min: Option<f64>,
    max: Option<f64>,
    peak_to_peak: Option<f64>,
    top: Option<f64>,
    base: Option<f64>,
    overshoot: Option<f64>,
    undershoot: Option<f64>,
    /// Samples that top, base and what rests on them leave out.
    wild_samples: Option<usize>,
    noise: Option<f64>,
    rise_time: Option<f64>,
    fall_time: Option<f64>,
    rising_edges: Option<usize>,
    falling_edges: Option<usize>,
    edge_frequency: Option<f64>,
    /// The greatest error of `edge_frequency` if the level changes within a sample period.
    edge_frequency_uncertainty: Option<f64>,
    duty: Option<f64>,
    wave: Option<WaveObject<'a>>,
}

#[derive(Serialize)]
struct WaveObject<'a> {
    period: f64,
    frequency: f64,
    amplitude: Option<f64>,
    offset: Option<f64>,
    start: f64,
    count: usize,
    shape: String,
    /// Of a square.
    duty: Option<f64>,
    /// Of a sawtooth.
    rising: Option<bool>,
    shape_error: Option<f64>,
    averaged: &'a [f32],
}

impl<'a> AnalogObject<'a> {
    fn of(analog: &'a AnalogMeasurements, unit: &'static str) -> Self {
        let analysis = &analog.analysis;
        let levels = analysis.levels.as_ref();
        let edges = &analysis.edges;
        let counted = analysis.counted_edges();
        Self {
            unit: if unit.is_empty() { "range" } else { unit },
            mean: levels.map(|levels| levels.mean),
            rms: levels.map(|levels| levels.rms),
            ac_rms: levels.map(|levels| levels.ac_rms),
            min: levels.map(|levels| levels.min),
            max: levels.map(|levels| levels.max),
            peak_to_peak: levels.map(|levels| levels.peak_to_peak),
            top: levels.and_then(Levels::top),
            base: levels.and_then(Levels::base),
            overshoot: levels.and_then(|levels| levels.overshoot),
            undershoot: levels.and_then(|levels| levels.undershoot),
            wild_samples: levels.map(|levels| levels.outliers),
            noise: levels.and_then(Levels::noise),
            rise_time: analysis.transitions.rise_s,
            fall_time: analysis.transitions.fall_s,
            rising_edges: counted.map(|(rising, _)| rising),
            falling_edges: counted.map(|(_, falling)| falling),
            edge_frequency: edges.frequency_hz,
            edge_frequency_uncertainty: edges.frequency_uncertainty_hz,
            duty: edges.duty,
            wave: analysis.wave.as_ref().map(|wave| WaveObject {
                period: wave.period_s,
                frequency: wave.frequency_hz,
                amplitude: wave.amplitude(),
                offset: wave.offset(),
                start: wave.start_s,
                count: wave.count,
                shape: wave.shape.to_string(),
                duty: if let Shape::Square { duty } = wave.shape { Some(duty) } else { None },
                rising: if let Shape::Sawtooth { rising } = wave.shape { Some(rising) } else { None },
                shape_error: wave.shape_error,
                averaged: &analog.averaged_wave,
            }),
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum SpectrumObject {
    Known(KnownSpectrum),
    Refused { error: String },
}

#[derive(Serialize)]
struct KnownSpectrum {
    window: String,
    resolution: f64,
    /// How many count in `thd`.
    harmonics: usize,
    thd: Option<f64>,
    snr_db: Option<f64>,
    sinad_db: Option<f64>,
    /// Why one of these is null.
    unknown: Option<String>,
    peaks: Vec<PeakObject>,
}

#[derive(Serialize)]
struct PeakObject {
    frequency: f64,
    amplitude: f64,
    harmonic: Option<u32>,
}

impl KnownSpectrum {
    fn of(spectrum: &Spectrum) -> Self {
        let peaks = spectrum.peaks.iter().map(|peak| PeakObject {
            frequency: peak.frequency_hz,
            amplitude: peak.amplitude,
            harmonic: peak.harmonic,
        });
        Self {
            window: spectrum.window.to_string(),
            resolution: spectrum.resolution_hz,
            harmonics: spectrum.harmonics,
            thd: spectrum.thd,
            snr_db: spectrum.snr_db,
            sinad_db: spectrum.sinad_db,
            unknown: spectrum.unknown.map(|unknown| unknown.to_string()),
            peaks: peaks.collect(),
        }
    }
}

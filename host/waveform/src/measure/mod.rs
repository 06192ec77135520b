//! What a waveform shows: levels, edges, periodic waves and shapes of its channels, delays between them, spectra.
//!
//! [`WaveformAnalysis`] measures every channel with [`scopething_core::analysis`], which defines each value;
//! [`Spectrum`] reports the frequencies in an analog channel, its distortion and noise. What a channel does not support
//! is `None`. Nothing here prints: that is the command line's, and [`WaveformAnalysis`] can be serialised.
//!
//! ```
//! use scopething_waveform::measure::WaveformAnalysis;
//! use scopething_waveform::recording::{Channel, Details, Waveform, Samples, Series};
//!
//! // Ten periods of 1 kHz, and the same a quarter of a period later.
//! let line = |late: u32| Samples::Levels((0..1000).map(|i| u8::from((i + 100 - late) % 100 < 50)).collect());
//! let [first, second] = [(0, 0), (1, 25)].map(|(number, late)| {
//!     Series::new(Channel::L[number], 0.0, 10e-6, line(late))
//! });
//! let analysis = WaveformAnalysis::of(&Waveform::new(100e3, vec![first, second], Details::default())?);
//! let delay = analysis.delays[0].delay.ok_or("both have the same frequency")?;
//! assert!((delay.phase_degrees - 90.0).abs() < 1e-6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod json;
mod spectrum;
mod window;

use std::borrow::Cow;

use scopething_core::analysis::{
    Analysis, ChannelDelay, Edge, EdgeMeasurements, Levels, TimedEdges, analog_edges, analyse, logic_edges,
    scratch_length,
};
use scopething_core::trace::SampleTimes;

pub use spectrum::{MAX_HARMONICS, Peak, Spectrum, SpectrumError};
pub use window::{UnknownWindow, Window};

use crate::recording::{Channel, Samples, Series, Waveform};

/// Points of the averaged wave: one for each hundredth of the period.
const WAVE_POINTS: usize = 100;

/// What is measured of an analog channel.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalogMeasurements {
    /// Levels in the unit of the samples, edges, transition times and the periodic wave.
    pub analysis: Analysis,
    /// The averaged single wave, from its rise through the offset on, in the unit of the samples: 100 points that
    /// divide the period evenly. Empty if there is no periodic wave.
    pub averaged_wave: Vec<f32>,
}

/// What is measured of a logic line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogicMeasurements {
    /// The part of the samples that are high, 0 to 1.
    pub high: f64,
    /// The number of edges; frequency and duty by whole periods.
    pub edges: EdgeMeasurements,
}

/// What is measured of a channel.
#[derive(Debug, Clone, PartialEq)]
pub enum Measurements {
    /// Channel A or B.
    Analog(Box<AnalogMeasurements>),
    /// One of the lines L0 to L7.
    Logic(LogicMeasurements),
}

impl ChannelAnalysis {
    /// The channel's name, with the name it had in the file it came from: `A` or `A (ana0)`.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.label {
            Some(label) => format!("{} ({label})", self.channel),
            None => self.channel.to_string(),
        }
    }
}

impl Measurements {
    /// Counts of edges, frequency and duty by them: known of either kind of channel.
    #[must_use]
    pub fn edges(&self) -> &EdgeMeasurements {
        match self {
            Self::Analog(analog) => &analog.analysis.edges,
            Self::Logic(logic) => &logic.edges,
        }
    }
}

/// A channel and what is measured of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelAnalysis {
    /// The channel.
    pub channel: Channel,
    /// What the channel was called in the file it came from, where that differs.
    pub label: Option<String>,
    /// How many of the samples are not numbers. Measurements are made without them: the straight line between the samples
    /// beside takes their place.
    pub missing: usize,
    /// `V`, or empty for fractions of the range and logic levels.
    pub unit: &'static str,
    /// How many samples it has.
    pub samples: usize,
    /// What is measured of it.
    pub measurements: Measurements,
    /// The spectrum, where it was [asked for](WaveformAnalysis::with_spectra).
    pub spectrum: Option<Result<Spectrum, SpectrumError>>,
}

/// How much later one channel is than another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairDelay {
    /// The channel from which is counted.
    pub from: Channel,
    /// The channel that is later if the delay is positive.
    pub to: Channel,
    /// The delay; `None` if the two have no common frequency.
    pub delay: Option<ChannelDelay>,
}

/// What a waveform shows.
#[derive(Debug, Clone, PartialEq)]
pub struct WaveformAnalysis {
    /// The channels, in the order of the waveform.
    pub channels: Vec<ChannelAnalysis>,
    /// Every other channel against the first one that has a frequency, or against the first of all if none has one.
    pub delays: Vec<PairDelay>,
}

impl WaveformAnalysis {
    /// Measures every channel, without spectra.
    #[must_use]
    pub fn of(recording: &Waveform) -> Self {
        let series = recording.channels();
        let channels: Vec<ChannelAnalysis> = series.iter().map(ChannelAnalysis::of).collect();
        let has_frequency = |channel: &ChannelAnalysis| channel.measurements.edges().frequency_hz.is_some();
        let reference = channels.iter().position(has_frequency).unwrap_or(0);
        let timed = channels.iter().zip(series).map(|(channel, series)| (series, timed(channel, series)));
        let timed: Vec<_> = timed.collect();
        let mut delays = Vec::new();
        if let Some((first, first_edges)) = timed.get(reference) {
            for (other, edges) in timed.iter().filter(|(other, _)| other.channel != first.channel) {
                let delay = ChannelDelay::between(first_edges, edges);
                delays.push(PairDelay { from: first.channel, to: other.channel, delay });
            }
        }
        Self { channels, delays }
    }

    /// Adds the spectra of the analog channels of the waveform that was measured.
    #[must_use]
    pub fn with_spectra(mut self, recording: &Waveform, window: Window) -> Self {
        for (channel, series) in self.channels.iter_mut().zip(recording.channels()) {
            if let Samples::Volts(samples) | Samples::Fractions(samples) = &series.samples {
                channel.spectrum = Some(Spectrum::of(&filled(samples), series.period_s, window));
            }
        }
        self
    }
}

impl ChannelAnalysis {
    fn of(series: &Series) -> Self {
        let (unit, measurements) = match &series.samples {
            Samples::Volts(samples) => ("V", Measurements::Analog(analog(&filled(samples), times(series)))),
            Samples::Fractions(samples) => {
                ("", Measurements::Analog(analog(&filled(samples), times(series))))
            }
            Samples::Levels(levels) => ("", Measurements::Logic(logic(levels, series.period_s))),
        };
        let samples = series.samples.len();
        let missing = series.samples.iter().filter(|sample| !sample.is_finite()).count();
        let label = series.label.clone();
        Self { channel: series.channel, label, missing, unit, samples, measurements, spectrum: None }
    }
}

/// The samples, with the straight line between the numbers beside in the place of what is no number. All of them are as
/// they were if none is a number.
fn filled(samples: &[f32]) -> Cow<'_, [f32]> {
    if samples.iter().all(|sample| sample.is_finite()) || !samples.iter().any(|sample| sample.is_finite()) {
        return Cow::Borrowed(samples);
    }
    let mut filled = samples.to_vec();
    let mut last: Option<(usize, f32)> = None;
    for (index, &sample) in samples.iter().enumerate().filter(|(_, sample)| sample.is_finite()) {
        let begin = last.map_or(0, |(before, _)| before + 1);
        let (from, from_sample) = last.unwrap_or((index, sample));
        for (offset, missing) in filled.iter_mut().take(index).skip(begin).enumerate() {
            let span = index.saturating_sub(from).max(1) as f32;
            let part = (begin + offset).saturating_sub(from) as f32 / span;
            *missing = from_sample + part * (sample - from_sample);
        }
        last = Some((index, sample));
    }
    if let Some((index, sample)) = last {
        filled.iter_mut().skip(index + 1).for_each(|missing| *missing = sample);
    }
    Cow::Owned(filled)
}

fn times(series: &Series) -> SampleTimes {
    SampleTimes { start_s: series.start_s, period_s: series.period_s }
}

fn analog(samples: &[f32], times: SampleTimes) -> Box<AnalogMeasurements> {
    let mut scratch = vec![0; scratch_length(samples.len())];
    // The memory is as long as it must be.
    let analysis = analyse(samples, times, &mut scratch).unwrap_or_default();
    let mut averaged_wave = vec![0.0; WAVE_POINTS];
    if !analysis.wave.is_some_and(|wave| wave.average(samples, times, &mut averaged_wave)) {
        averaged_wave.clear();
    }
    Box::new(AnalogMeasurements { analysis, averaged_wave })
}

fn logic(levels: &[u8], period_s: f64) -> LogicMeasurements {
    let high = levels.iter().filter(|&&level| level != 0).count();
    let edges = EdgeMeasurements::of(logic_edges(levels.iter().map(|&level| level != 0)), period_s);
    LogicMeasurements { high: high as f64 / levels.len().max(1) as f64, edges }
}

/// The edges of a channel with their times. None of an analog channel without levels.
fn timed(channel: &ChannelAnalysis, series: &Series) -> TimedEdges<std::vec::IntoIter<Edge>> {
    let edges: Vec<Edge> = match (&series.samples, &channel.measurements) {
        (Samples::Levels(levels), _) => logic_edges(levels.iter().map(|&level| level != 0)).collect(),
        (Samples::Volts(samples) | Samples::Fractions(samples), Measurements::Analog(analog)) => {
            let samples = filled(samples);
            let edges = |levels: &Levels| analog_edges(&samples, levels).collect();
            analog.analysis.levels.as_ref().map(edges).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    TimedEdges { edges: edges.into_iter(), times: times(series) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::Details;
    use scopething_core::analysis::Shape;

    fn recording(series: Vec<Series>) -> Waveform {
        Waveform::new(1e6, series, Details::default()).unwrap()
    }

    fn sine(turn: f64) -> Vec<f32> {
        (0..1000).map(|i| (std::f64::consts::TAU * (f64::from(i) / 100.0 - turn)).sin() as f32).collect()
    }

    #[test]
    fn delay_includes_the_channel_offset() {
        // B shows the same samples, taken half a sample period later.
        let a = Series::new(Channel::A, 0.0, 2e-6, Samples::Volts(sine(0.1)));
        let b = Series::new(Channel::B, 1e-6, 2e-6, Samples::Volts(sine(0.1)));
        let analysis = WaveformAnalysis::of(&recording(vec![a, b]));
        let [PairDelay { from: Channel::A, to: Channel::B, delay: Some(delay) }] = analysis.delays[..] else {
            panic!("{:?}", analysis.delays)
        };
        assert!(
            (delay.delay_s - 1e-6).abs() < 1e-12 && (delay.phase_degrees - 1.8).abs() < 1e-4,
            "{delay:?}"
        );
    }

    #[test]
    fn the_averaged_wave_begins_where_the_wave_rises() {
        let a = Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(sine(0.3)));
        let analysis = WaveformAnalysis::of(&recording(vec![a]));
        let Measurements::Analog(analog) = &analysis.channels[0].measurements else { panic!("analog") };
        assert_eq!(analog.analysis.wave.unwrap().shape, Shape::Sine);
        assert_eq!(analog.averaged_wave.len(), 100);
        assert!(analog.averaged_wave[0].abs() < 0.1 && analog.averaged_wave[25] > 0.99);
        assert!(analysis.delays.is_empty());
    }

    #[test]
    fn first_periodic_channel_is_the_reference() {
        let a = Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(vec![1.0; 1000]));
        let line = |number: usize, late: usize| {
            let levels = (0..1000).map(|i| u8::from((i + 200 - late) % 200 < 50)).collect();
            Series::new(Channel::L[number], 0.0, 1e-6, Samples::Levels(levels))
        };
        let analysis = WaveformAnalysis::of(&recording(vec![a, line(2, 10), line(5, 60)]));
        let pairs: Vec<_> = analysis.delays.iter().map(|pair| (pair.from, pair.to)).collect();
        assert_eq!(pairs, [(Channel::L[2], Channel::A), (Channel::L[2], Channel::L[5])]);
        assert_eq!(analysis.delays[0].delay, None);
        assert!((analysis.delays[1].delay.unwrap().delay_s - 50e-6).abs() < 1e-12);
        let Measurements::Logic(logic) = analysis.channels[1].measurements else { panic!("logic") };
        assert_eq!((logic.high, logic.edges.rising, logic.edges.duty), (0.25, 5, Some(0.25)));
    }

    #[test]
    fn samples_that_are_no_numbers_are_left_out() {
        let mut samples = sine(0.0);
        let whole = recording(vec![Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(samples.clone()))]);
        [0, 10, 500, 501, 999].into_iter().for_each(|index| samples[index] = f32::NAN);
        samples[600] = f32::INFINITY;
        let series = Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(samples));
        let recording = recording(vec![series]);
        let analysis = WaveformAnalysis::of(&recording).with_spectra(&recording, Window::Hann);
        assert_eq!(analysis.channels[0].missing, 6);
        let levels = |analysis: &WaveformAnalysis| {
            let Measurements::Analog(analog) = &analysis.channels[0].measurements else { panic!("analog") };
            (analog.analysis.levels.unwrap(), analog.analysis.wave.unwrap())
        };
        let (seen, expected) = (levels(&analysis), levels(&WaveformAnalysis::of(&whole)));
        assert!((seen.0.rms - expected.0.rms).abs() < 1e-3 && (seen.0.mean - expected.0.mean).abs() < 1e-3);
        assert!((seen.1.frequency_hz / expected.1.frequency_hz - 1.0).abs() < 1e-4);
        assert!(matches!(analysis.channels[0].spectrum, Some(Ok(_))));
    }

    #[test]
    fn no_number_at_all_leaves_all_unknown() {
        let series = Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(vec![f32::NAN; 100]));
        let recording = recording(vec![series]);
        let analysis = WaveformAnalysis::of(&recording).with_spectra(&recording, Window::Hann);
        let Measurements::Analog(analog) = &analysis.channels[0].measurements else { panic!("analog") };
        assert_eq!((analog.analysis, analog.averaged_wave.len()), (Analysis::default(), 0));
        assert_eq!(analysis.channels[0].spectrum, Some(Err(SpectrumError::NotFinite)));
    }
}

//! What a waveform shows: levels, edges, periodic waves and shapes of its channels, delays between them, spectra.
//!
//! [`WaveformAnalysis`] measures every channel with [`scopething_core::analysis`], which defines each value;
//! [`Spectrum`] reports the frequencies in an analog channel, its distortion and noise. What a channel does not support
//! is `None`. Nothing here prints: that is the command line's, and [`WaveformAnalysis`] can be serialised.
//!
//! ```
//! use scopething_waveform::measure::WaveformAnalysis;
//! use scopething_waveform::waveform::{Channel, Details, Waveform, Samples, Series};
//!
//! // Ten periods of 1 kHz, and the same a quarter of a period later.
//! let line = |late: u32| Samples::Levels((0..1000).map(|i| u8::from((i + 100 - late) % 100 < 50)).collect());
//! let [first, second] = [(0, 0), (1, 25)].map(|(number, late)| {
//!     Series::new(Channel::L[number], 0.0, 10e-6, line(late))
//! });
//! let analysis = WaveformAnalysis::of(&Waveform::new(100e3, vec![first, second], Details::default())?);
//! let delay = analysis.delays[0].delay?;
//! assert!((delay.phase_degrees - 90.0).abs() < 1e-6);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod delay;
mod harmonics;
mod json;
mod lines;
mod long;
mod spectrum;
mod unknown;
mod window;

use std::borrow::Cow;

use scopething_core::analysis::{
    Analysis, ChannelDelay, Edge, EdgeMeasurements, Levels, TimedEdges, Wave, analog_edges, analyse,
    logic_edges, scratch_length,
};
use scopething_core::trace::SampleTimes;

pub use delay::DelayUnknown;
pub use lines::{LineDelays, LineMeter};
pub use long::{Census, LongSeries, PART_SAMPLES, for_each_value};
pub use spectrum::{AmplitudeSpectrum, DistortionUnknown, Peak, Spectrum, SpectrumError};
pub use unknown::WhyUnknown;
pub use window::{UnknownWindow, Window};

use crate::clipping::Clipping;
use crate::waveform::{Channel, Samples, Series, Waveform, title};

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

impl Measurements {
    /// The periodic wave of an analog channel, if there is one.
    #[must_use]
    pub fn wave(&self) -> Option<&Wave> {
        match self {
            Self::Analog(analog) => analog.analysis.wave.as_ref(),
            Self::Logic(_) => None,
        }
    }

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
    /// `V`, or empty for fractions of the range and logic levels.
    pub unit: &'static str,
    /// How many samples it has.
    pub samples: usize,
    /// Its samples a second, in hertz.
    pub sample_rate_hz: f64,
    /// How many of them are no numbers: they are left out of levels, and bridged by straight lines elsewhere.
    pub not_numbers: usize,
    /// How many of them lie at the ends of the range; `None` for logic lines, and where the range is not known.
    pub clipping: Option<Clipping>,
    /// What is measured of it.
    pub measurements: Measurements,
    /// What rests on a part of the samples, where anything does: see [`WaveformAnalysis::of_long`].
    pub part: Option<MeasuredPart>,
    /// The spectrum, where it was [asked for](WaveformAnalysis::with_spectra).
    pub spectrum: Option<Result<Spectrum, SpectrumError>>,
}

/// What is not measured of all samples of a channel, but of its first ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeasuredPart {
    /// How many these are.
    pub samples: usize,
    /// Whether the shape and the averaged wave are theirs.
    pub has_wave: bool,
    /// Whether the spectrum is.
    pub has_spectrum: bool,
}

/// How much later one channel is than another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairDelay {
    /// The channel from which is counted.
    pub from: Channel,
    /// The channel that is later if the delay is positive.
    pub to: Channel,
    /// The delay, or why it is not known. Of two analog channels of one shape it is the one that lays all their samples
    /// best over each other, otherwise the mean one between rising edges.
    pub delay: Result<ChannelDelay, DelayUnknown>,
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
        let channels: Vec<ChannelAnalysis> =
            series.iter().map(|series| ChannelAnalysis::of(recording, series)).collect();
        let compared = |index: usize| channels.get(index).zip(series.get(index));
        let between = |from: usize, to: usize| {
            let (first, other) = (compared(from)?, compared(to)?);
            let by_samples =
                wave_of(first).zip(wave_of(other)).and_then(|(one, two)| delay::between(&one, &two));
            by_samples.or_else(|| ChannelDelay::between(&timed(first.0, first.1), &timed(other.0, other.1)))
        };
        let delays = delays(&channels, between);
        Self { channels, delays }
    }

    /// Adds the spectra of the analog channels of the waveform that was measured.
    #[must_use]
    pub fn with_spectra(mut self, recording: &Waveform, window: Window) -> Self {
        for (channel, series) in self.channels.iter_mut().zip(recording.channels()) {
            if let Samples::Volts(samples) | Samples::Fractions(samples) = &series.samples {
                let about_hz = channel.measurements.wave().map(|wave| wave.frequency_hz);
                channel.spectrum = Some(Spectrum::of(&bridged(samples), series.period_s, window, about_hz));
            }
        }
        self
    }
}

impl ChannelAnalysis {
    /// The channel's name, with the name it had in the file it came from: `A` or `A (ana0)`.
    #[must_use]
    pub fn title(&self) -> String {
        title(self.channel, self.label.as_deref())
    }

    fn of(waveform: &Waveform, series: &Series) -> Self {
        let (unit, measurements) = match &series.samples {
            Samples::Volts(samples) => ("V", Measurements::Analog(analog(samples, times(series)))),
            Samples::Fractions(samples) => ("", Measurements::Analog(analog(samples, times(series)))),
            Samples::Levels(levels) => ("", Measurements::Logic(logic(levels, series.period_s))),
        };
        let samples = series.samples.len();
        let not_numbers = series.samples.iter().filter(|sample| !sample.is_finite()).count();
        Self {
            channel: series.channel,
            label: series.label.clone(),
            unit,
            samples,
            sample_rate_hz: series.sample_rate_hz(),
            not_numbers,
            clipping: waveform.clipping(series),
            measurements,
            part: None,
            spectrum: None,
        }
    }
}

/// Every other channel against the first one that has a frequency, by the numbers of the two among all.
fn delays(
    channels: &[ChannelAnalysis],
    between: impl Fn(usize, usize) -> Option<ChannelDelay>,
) -> Vec<PairDelay> {
    let has_frequency = |channel: &ChannelAnalysis| channel.measurements.edges().frequency_hz.is_some();
    let reference = channels.iter().position(has_frequency).unwrap_or(0);
    let Some(from) = channels.get(reference) else { return Vec::new() };
    let others = channels.iter().enumerate().filter(|(index, _)| *index != reference);
    let pair = |(index, to): (usize, &ChannelAnalysis)| {
        let unknown = || DelayUnknown::of(frequency_of(from), frequency_of(to));
        PairDelay { from: from.channel, to: to.channel, delay: between(reference, index).ok_or_else(unknown) }
    };
    others.map(pair).collect()
}

fn times(series: &Series) -> SampleTimes {
    SampleTimes { start_s: series.start_s, period_s: series.period_s }
}

/// A channel with its frequency by its edges, in hertz.
fn frequency_of(channel: &ChannelAnalysis) -> (Channel, Option<f64>) {
    (channel.channel, channel.measurements.edges().frequency_hz)
}

/// The samples of an analog channel with its wave.
fn wave_of<'a>((channel, series): (&'a ChannelAnalysis, &'a Series)) -> Option<delay::WaveOf<'a>> {
    let (Samples::Volts(samples) | Samples::Fractions(samples)) = &series.samples else { return None };
    let wave = channel.measurements.wave()?;
    let Measurements::Analog(analog) = &channel.measurements else { return None };
    let samples = sound(samples, &analog.analysis);
    Some(delay::WaveOf { samples, start_s: series.start_s, period_s: series.period_s, wave })
}

fn analog(samples: &[f32], times: SampleTimes) -> Box<AnalogMeasurements> {
    let bridged = bridged(samples);
    let mut scratch = vec![0; scratch_length(samples.len())];
    // The memory is as long as it must be.
    let mut analysis = analyse(&bridged, times, &mut scratch).unwrap_or_default();
    if let (Cow::Owned(_), Some(levels)) = (&bridged, &mut analysis.levels) {
        let numbers: Vec<f32> = samples.iter().copied().filter(|sample| sample.is_finite()).collect();
        if let Some(of_numbers) = Levels::of(&numbers) {
            (levels.mean, levels.rms, levels.ac_rms) = (of_numbers.mean, of_numbers.rms, of_numbers.ac_rms);
        }
    }
    let averaged_wave = averaged(&analysis, &sound(samples, &analysis), times);
    Box::new(AnalogMeasurements { analysis, averaged_wave })
}

/// The averaged single wave of samples without wild ones; empty if there is none.
fn averaged(analysis: &Analysis, samples: &[f32], times: SampleTimes) -> Vec<f32> {
    let mut averaged_wave = vec![0.0; WAVE_POINTS];
    let is_averaged = |wave: Wave| wave.average(samples, times, &mut averaged_wave);
    if !analysis.wave.is_some_and(is_averaged) {
        averaged_wave.clear();
    }
    averaged_wave
}

/// A series whose samples that are wild or no numbers lie on straight lines between their neighbours.
fn sound<'a>(samples: &'a [f32], analysis: &Analysis) -> Cow<'a, [f32]> {
    match analysis.levels {
        Some(levels) if levels.outliers > 0 => {
            let sound = |&sample: &f32| if levels.is_wild(sample) { f32::NAN } else { sample };
            let sound: Vec<f32> = samples.iter().map(sound).collect();
            Cow::Owned(bridged(&sound).into_owned())
        }
        _ => bridged(samples),
    }
}

/// A series whose samples that are no numbers lie on straight lines between their neighbours; as it is if more than
/// half of them are no numbers.
fn bridged(samples: &[f32]) -> Cow<'_, [f32]> {
    let numbers = samples.iter().filter(|sample| sample.is_finite()).count();
    if numbers == samples.len() || 2 * numbers < samples.len() {
        return Cow::Borrowed(samples);
    }
    let mut bridged = samples.to_vec();
    let mut before: Option<(usize, f32)> = None;
    for (index, &sample) in samples.iter().enumerate().filter(|(_, sample)| sample.is_finite()) {
        let (from, first) = before.map_or((0, sample), |(from, first)| (from + 1, first));
        let steps = (index + 1 - from) as f32;
        for (place, step) in bridged.iter_mut().take(index).skip(from).zip(1_usize..) {
            *place = first + (sample - first) * step as f32 / steps;
        }
        before = Some((index, sample));
    }
    if let Some((last, sample)) = before {
        bridged.iter_mut().skip(last + 1).for_each(|place| *place = sample);
    }
    Cow::Owned(bridged)
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
            let samples = bridged(samples);
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
    use crate::waveform::Details;
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
        let [PairDelay { from: Channel::A, to: Channel::B, delay: Ok(delay) }] = analysis.delays[..] else {
            panic!("{:?}", analysis.delays)
        };
        assert!(
            (delay.delay_s - 1e-6).abs() < 1e-12 && (delay.phase_degrees - 1.8).abs() < 1e-4,
            "{delay:?}"
        );
    }

    #[test]
    fn averaged_wave_begins_where_the_wave_rises() {
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
        assert_eq!(analysis.delays[0].delay, Err(DelayUnknown::NoFrequency(Channel::A)));
        assert!((analysis.delays[1].delay.unwrap().delay_s - 50e-6).abs() < 1e-12);
        let Measurements::Logic(logic) = analysis.channels[1].measurements else { panic!("logic") };
        assert_eq!((logic.high, logic.edges.rising, logic.edges.duty), (0.25, 5, Some(0.25)));
    }

    #[test]
    fn samples_that_are_no_numbers_are_left_out() {
        let whole = sine(0.0);
        let mut samples = whole.clone();
        (samples[0], samples[10], samples[11], samples[999]) = (f32::NAN, f32::NAN, f32::INFINITY, f32::NAN);
        let numbers: Vec<f64> =
            samples.iter().filter(|sample| sample.is_finite()).map(|&sample| f64::from(sample)).collect();
        let with_gaps = samples.clone();
        let series = Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(samples));
        let analysis = WaveformAnalysis::of(&recording(vec![series]));
        let channel = &analysis.channels[0];
        let Measurements::Analog(analog) = &channel.measurements else { panic!("analog") };
        assert_eq!(channel.not_numbers, 4);
        let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
        assert!((analog.analysis.levels.unwrap().mean - mean).abs() < 1e-12);
        let wave = analog.analysis.wave.unwrap();
        assert!(wave.shape == Shape::Sine && (wave.frequency_hz / 10e3 - 1.0).abs() < 1e-4, "{wave:?}");
        // The same a quarter of a period later: the delay is that of all samples, as of a series without gaps.
        let late = |samples| {
            vec![
                Series::new(Channel::A, 0.0, 1e-6, Samples::Volts(samples)),
                Series::new(Channel::B, 0.0, 1e-6, Samples::Volts(sine(0.25))),
            ]
        };
        let analysis = WaveformAnalysis::of(&recording(late(with_gaps)));
        let delay = analysis.delays[0].delay.unwrap();
        assert!((delay.delay_s / 25e-6 - 1.0).abs() < 1e-4, "{delay:?}");
        let few = [f32::NAN, f32::NAN, 1.0];
        assert!(matches!(bridged(&few), Cow::Borrowed(_)));
        assert_eq!(*bridged(&[1.0, f32::NAN, f32::NAN, 4.0]), [1.0, 2.0, 3.0, 4.0]);
    }

    #[test]
    fn delays_count_all_samples() {
        // Noise of 5 %: the Cramer-Rao bound of the difference of two phases over 1000 samples is
        // 2 sigma / (A sqrt(N)) radians, of 100 samples a period 0.1 samples.
        let mut state = 7_u32;
        let mut noise = || {
            // The sum of twelve uniform numbers has a variance of 1.
            let uniform = |_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f64::from(state >> 8) / f64::from(1 << 24)
            };
            ((0..12).map(uniform).sum::<f64>() - 6.0) as f32 * 0.1
        };
        let mut squares = 0.0;
        for _ in 0..20 {
            let mut noisy =
                |turn: f64| sine(turn).iter().map(|sample| sample + noise()).collect::<Vec<f32>>();
            let series = [(Channel::A, 0.1), (Channel::B, 0.35)];
            let series =
                series.map(|(channel, turn)| Series::new(channel, 0.0, 1e-6, Samples::Volts(noisy(turn))));
            let analysis = WaveformAnalysis::of(&recording(series.to_vec()));
            let delay = analysis.delays[0].delay.unwrap();
            squares += ((delay.delay_s - 25e-6) / 1e-6).powi(2);
        }
        let scatter = (squares / 20.0).sqrt();
        let bound = 2.0 * 0.1 / 1000_f64.sqrt() * 100.0 / std::f64::consts::TAU;
        assert!(scatter < 1.5 * bound, "{scatter} samples, bound {bound}");
    }
}

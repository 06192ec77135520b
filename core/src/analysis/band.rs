//! Values of a channel that can be named, and bands that they are expected to lie in.

use core::cmp::Ordering;
use core::fmt;

use super::edges::{EdgeMeasurements, edges_of_values, logic_edges, may_be_missed};
use super::levels::{Levels, Moments};
use crate::plan::Channel;
use crate::trace::Trace;

/// What can be measured of a channel. Levels are volts, of raw captures fractions of the range, of logic lines 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Measure {
    /// The lowest sample.
    Min,
    /// The highest sample.
    Max,
    /// The mean of the samples.
    Mean,
    /// The root of the mean of the squared samples.
    Rms,
    /// The highest sample less the lowest.
    PeakToPeak,
    /// Hertz, by the edges; unknown unless they come regularly, and where the samples of a period are so few that edges may be
    /// missed between them: below some six, unless the level dwells at top and base.
    Frequency,
    /// The part of the time that the level is high, 0 to 1; unknown where the frequency is.
    Duty,
}

impl Measure {
    /// All of them, in the order of a summary.
    pub const ALL: [Self; 7] =
        [Self::Min, Self::Max, Self::Mean, Self::Rms, Self::PeakToPeak, Self::Frequency, Self::Duty];

    /// Its name, which is also how it is displayed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Min => "min",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::Rms => "rms",
            Self::PeakToPeak => "peak-to-peak",
            Self::Frequency => "frequency",
            Self::Duty => "duty",
        }
    }

    /// The one of this [`name`](Self::name).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|measure| measure.name() == name)
    }

    /// Whether it is of the edges, and not of the levels alone.
    const fn is_of_edges(self) -> bool {
        matches!(self, Self::Frequency | Self::Duty)
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The values of one channel. Those that the samples do not support are unknown.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Measured {
    moments: Option<Moments>,
    edges: EdgeMeasurements,
}

impl Measured {
    /// Measures the samples of an analog channel, `sample_period_s` seconds apart. They are read several times, and
    /// need not be in memory.
    #[must_use]
    pub fn of_analog(samples: &(impl Iterator<Item = f32> + Clone), sample_period_s: f64) -> Self {
        let Some(moments) = Moments::of(samples) else { return Self::default() };
        let levels = Levels::beyond(&moments, samples);
        let edges = if may_be_missed(&levels) {
            EdgeMeasurements::default()
        } else {
            EdgeMeasurements::of(edges_of_values(samples.clone(), &levels), sample_period_s)
        };
        Self { moments: Some(moments), edges }
    }

    /// Measures the levels of a logic line, whose samples are `sample_period_s` seconds apart.
    #[must_use]
    pub fn of_logic(levels: &(impl Iterator<Item = bool> + Clone), sample_period_s: f64) -> Self {
        let edges = EdgeMeasurements::of(logic_edges(levels.clone()), sample_period_s);
        Self { moments: Moments::of(&levels.clone().map(|level| f32::from(u8::from(level)))), edges }
    }

    /// Measures a channel of a trace: all that is asked for with `with_edges`, which takes several times as long, and all but
    /// frequency and duty without. `None` if the channel was not captured. Samples are not converted one by one: values
    /// differ from those of the [samples in volts](crate::trace::AnalogView::values) by the rounding of these.
    #[must_use]
    pub fn of_channel(trace: &Trace<'_>, channel: Channel, with_edges: bool) -> Option<Self> {
        match channel {
            Channel::Analog(channel) => {
                let view = trace.analog(channel)?;
                // Without a unit at first: a processor without floating-point numbers takes several times as long to compute
                // the volts of each sample.
                let steps = view.steps().map(f32::from);
                let measured = if with_edges {
                    Self::of_analog(&steps, view.times.period_s)
                } else {
                    Self { moments: Moments::of(&steps), edges: EdgeMeasurements::default() }
                };
                let moments = measured.moments.map(|moments| {
                    let (volts, step) = (|steps| view.value(steps), view.resolution());
                    let Moments { count, min, max, mean, variance } = moments;
                    let (min, max) = (f64::from(volts(min) as f32), f64::from(volts(max) as f32));
                    Moments { count, min, max, mean: volts(mean), variance: variance * step * step }
                });
                Some(Self { moments, ..measured })
            }
            Channel::Logic(line) => {
                let view = trace.logic().filter(|view| view.lines() & line.bit() != 0)?;
                Some(Self::of_logic(&view.levels(line), view.times.period_s))
            }
        }
    }

    /// One of the values; `None` if the samples do not support it.
    #[must_use]
    pub fn get(&self, measure: Measure) -> Option<f64> {
        let moments = self.moments.as_ref();
        match measure {
            Measure::Min => moments.map(|moments| moments.min),
            Measure::Max => moments.map(|moments| moments.max),
            Measure::Mean => moments.map(|moments| moments.mean),
            Measure::Rms => moments.map(Moments::rms),
            Measure::PeakToPeak => moments.map(|moments| moments.max - moments.min),
            Measure::Frequency => self.edges.frequency_hz,
            Measure::Duty => self.edges.duty,
        }
    }
}

/// The values that a measurement is expected to have.
///
/// ```
/// use scopething_core::analysis::{Band, Measure, Measured};
/// use scopething_core::plan::Channel;
///
/// let band = Band { channel: Channel::A, measure: Measure::Mean, low: 1.0, high: 2.0 };
/// let samples = [1.4, 1.6].into_iter();
/// assert!(band.holds(&Measured::of_analog(&samples, 1e-3)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Band {
    /// The channel that is measured.
    pub channel: Channel,
    /// What is measured.
    pub measure: Measure,
    /// The least value expected; minus infinity if there is none.
    pub low: f64,
    /// The greatest value expected; infinity if there is none.
    pub high: f64,
}

impl Band {
    /// Whether the value lies within; one that is unknown does not.
    #[must_use]
    pub fn holds(&self, measured: &Measured) -> bool {
        measured.get(self.measure).is_some_and(|value| (self.low..=self.high).contains(&value))
    }

    /// Whether no value lies within, by any measurement.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // Not a number is no bound.
        self.low.partial_cmp(&self.high).is_none_or(Ordering::is_gt)
    }
}

/// Whether a value of this channel of a trace lies outside one of its bands; a channel that was not captured does. Bands of
/// other channels do not count.
#[must_use]
pub fn leaves_band(trace: &Trace<'_>, channel: Channel, bands: &[Band]) -> bool {
    let mut own = bands.iter().filter(|band| band.channel == channel).peekable();
    if own.peek().is_none() {
        return false;
    }
    let with_edges = own.clone().any(|band| band.measure.is_of_edges());
    match Measured::of_channel(trace, channel, with_edges) {
        Some(measured) => own.any(|band| !band.holds(&measured)),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use super::*;
    use crate::device::BS05;
    use crate::plan::{AnalogChannel, BusyOutputs, CaptureRequest, ChannelSet, Resolution, plan_capture};
    use crate::trace::{DumpChannel, EndReason, TraceBuffer};

    /// High for 3 of 10 samples.
    fn high(index: usize) -> bool {
        index % 10 < 3
    }

    fn assert_measured(measured: &Measured, expected: [f64; 7]) {
        for (measure, expected) in Measure::ALL.into_iter().zip(expected) {
            let value = measured.get(measure).unwrap();
            assert!((value - expected).abs() < 1e-6 * expected.abs().max(1.0), "{measure}: {value}");
        }
    }

    #[test]
    fn square_on_analog_and_logic() {
        // 1 kHz, between -1 V and 3 V.
        let volts = (0..100).map(|index| if high(index) { 3.0 } else { -1.0 });
        let analog = Measured::of_analog(&volts, 1e-4);
        assert_measured(&analog, [-1.0, 3.0, 0.2, 3.4_f64.sqrt(), 4.0, 1000.0, 0.3]);
        let logic = Measured::of_logic(&(0..100).map(high), 1e-4);
        assert_measured(&logic, [0.0, 1.0, 0.3, 0.3_f64.sqrt(), 1.0, 1000.0, 0.3]);
    }

    #[test]
    fn what_is_not_supported_is_unknown() {
        let measured = Measured::of_analog(&[f32::NAN, 1.0].into_iter(), 1e-4);
        assert!(Measure::ALL.iter().all(|&measure| measured.get(measure).is_none()));
        let flat = Measured::of_analog(&[1.0; 10].into_iter(), 1e-4);
        assert_eq!((flat.get(Measure::Mean), flat.get(Measure::Frequency)), (Some(1.0), None));
    }

    #[test]
    fn edges_between_samples_are_not_missed_without_a_word() {
        let triangle = |turn: f64| (turn - libm::floor(turn) - 0.5).abs();
        let sine = |turn: f64| libm::sin(core::f64::consts::TAU * turn);
        let shapes: [fn(f64) -> f64; 2] = [triangle, sine];
        for (shape, period) in
            shapes.into_iter().flat_map(|shape| (41..200).map(move |twentieth| (shape, twentieth)))
        {
            let period = f64::from(period) / 20.0;
            for turn in [0.0, 0.1, 0.3] {
                let samples = (0..1000).map(|index| shape(f64::from(index) / period + turn) as f32);
                let found = Measured::of_analog(&samples, 1.0).get(Measure::Frequency);
                let is_right = |hertz: f64| (hertz * period - 1.0).abs() < 2e-3;
                assert!(
                    found.is_some_and(is_right) || (period < 6.5 && found.is_none()),
                    "{period}, {turn}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn values_of_a_trace_are_those_of_its_samples() {
        for resolution in [Resolution::Best, Resolution::Bits8] {
            let channels = "A,L3".parse::<ChannelSet>().unwrap();
            let channels = if resolution == Resolution::Best { Channel::A.into() } else { channels };
            let request = CaptureRequest { samples: 1000, resolution, ..CaptureRequest::new(channels) };
            let plan = plan_capture(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING).unwrap();
            let mut buffer = TraceBuffer::new();
            let samples = plan.timebase.samples;
            let layout = crate::trace::BufferLayout::new(&plan, samples);
            for channel in [DumpChannel::Analog(AnalogChannel::A), DumpChannel::Logic] {
                let wide = usize::from(layout.sample_bytes(channel));
                let region = buffer.region_mut(layout.region(channel));
                for (index, sample) in region.chunks_mut(wide).enumerate() {
                    sample.fill(if high(index) { 0x28 } else { 0x08 });
                }
            }
            let trace = Trace::new(&plan, &buffer, samples, EndReason::Trigger, 0);
            let view = trace.analog(AnalogChannel::A).unwrap();
            let values: Vec<f32> = view.values().collect();
            let expected = Measured::of_analog(&values.iter().copied(), view.times.period_s);
            assert!(expected.get(Measure::Frequency).is_some(), "{resolution:?}");
            let whole = Measured::of_channel(&trace, Channel::A, true).unwrap();
            assert_eq!(whole.get(Measure::Max), expected.get(Measure::Max));
            assert_measured(&whole, Measure::ALL.map(|measure| expected.get(measure).unwrap()));
            let levels = Measured::of_channel(&trace, Channel::A, false).unwrap();
            for measure in Measure::ALL.into_iter().filter(|measure| !measure.is_of_edges()) {
                assert_eq!(levels.get(measure), whole.get(measure), "{measure}");
            }
            let is_captured = channels.contains(Channel::L[3]);
            assert_eq!(Measured::of_channel(&trace, Channel::L[3], true).is_some(), is_captured);
            assert_eq!(Measured::of_channel(&trace, Channel::L[2], true), None);
        }
    }

    #[test]
    fn bands_of_the_channel_decide_and_their_ends_are_inside() {
        let request = CaptureRequest { samples: 100, ..CaptureRequest::new(Channel::A) };
        let plan = plan_capture(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING).unwrap();
        let buffer = TraceBuffer::new();
        let trace = Trace::new(&plan, &buffer, plan.timebase.samples, EndReason::Trigger, 0);
        // All samples are of one level, since all bytes are 0.
        let level = Measured::of_channel(&trace, Channel::A, false).unwrap().get(Measure::Min).unwrap();
        let band = |channel, measure, low, high| Band { channel, measure, low, high };
        for (band, leaves) in [
            (band(Channel::A, Measure::Min, level, level + 1.0), false),
            (band(Channel::A, Measure::Max, level - 1.0, level), false),
            (band(Channel::A, Measure::Max, level + 0.1, f64::INFINITY), true),
            (band(Channel::A, Measure::Min, f64::NEG_INFINITY, level - 0.1), true),
            (band(Channel::A, Measure::PeakToPeak, 0.0, 0.0), false),
            // There is no frequency to be inside.
            (band(Channel::A, Measure::Frequency, 0.0, f64::INFINITY), true),
            (band(Channel::B, Measure::Max, level + 0.1, f64::INFINITY), false),
        ] {
            assert_eq!(leaves_band(&trace, Channel::A, &[band]), leaves, "{band:?}");
        }
        let of_b = band(Channel::B, Measure::Mean, -100.0, 100.0);
        assert!(leaves_band(&trace, Channel::B, &[of_b]), "B was not captured");
    }

    #[test]
    fn bands_without_values_are_empty() {
        let band = |low, high| Band { channel: Channel::A, measure: Measure::Mean, low, high };
        assert!(
            band(1.0, 0.0).is_empty() && band(f64::NAN, 1.0).is_empty() && band(0.0, f64::NAN).is_empty()
        );
        assert!(!band(1.0, 1.0).is_empty() && !band(f64::NEG_INFINITY, f64::INFINITY).is_empty());
    }
}

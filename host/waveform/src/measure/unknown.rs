//! Why something is not known of a channel.

use std::fmt;

use scopething_core::analysis::{Analysis, EdgeMeasurements, Shape};

use super::{ChannelAnalysis, Measurements};

/// Why something that is measured is not known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WhyUnknown {
    /// Too many samples are no numbers.
    NotNumbers,
    /// The level never goes through the middle between base and top.
    NoEdge,
    /// A period lies between two edges of a direction, and there are not as many.
    FewEdges,
    /// Edges do not come regularly.
    Irregular,
    /// What is seen does not repeat.
    NoPeriod,
    /// The wave resembles none of the shapes.
    NoShape,
    /// Too few different phases were sampled to compare the wave with shapes, or none of them spans half of it.
    NoComparison,
    /// No transition is complete, or they are shorter than two samples.
    NoTransition,
    /// The level does not rest at base and top, or wild samples were set aside.
    NoRest,
    /// The samples of a wave fall on few phases of its period, between which its level may be any.
    FewPhases {
        /// How many samples a period has.
        samples_a_period: f64,
    },
    /// The signal itself changes from sample to sample.
    FewSamples {
        /// How many samples a period has; `None` if it does not seem to repeat.
        samples_a_period: Option<f64>,
    },
    /// It dwells at a third level between base and top.
    ThreeLevels,
    /// Nobody states what the channel was set to show.
    NoRange,
}

impl fmt::Display for WhyUnknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::FewPhases { samples_a_period } => {
                return write!(
                    f,
                    "{samples_a_period:.2} samples a period fall on too few different phases: capture at another rate"
                );
            }
            Self::FewSamples { samples_a_period: Some(samples) } => {
                return write!(
                    f,
                    "with {samples:.2} samples a period the signal itself changes from sample to sample: capture at a \
                     higher rate"
                );
            }
            Self::FewSamples { samples_a_period: None } => {
                "the signal itself changes from sample to sample: capture at a higher rate"
            }
            Self::ThreeLevels => "it rests at a third level between base and top",
            Self::NotNumbers => "more than half of its samples are no numbers",
            Self::NoEdge => "it has no edge above the noise",
            Self::FewEdges => "there are fewer than two edges of a direction: capture longer",
            Self::Irregular => "its edges do not come regularly",
            Self::NoPeriod => "it does not repeat at least twice: capture longer",
            Self::NoShape => "it resembles none of the shapes that are known",
            Self::NoComparison => {
                "fewer than eight different phases were sampled, or no known shape spans half of it: capture at a \
                 higher rate"
            }
            Self::NoTransition => {
                "no transition is complete and longer than two samples: capture longer, or at a higher rate"
            }
            Self::NoRest => "it does not rest at two levels, or wild samples were left out",
            Self::NoRange => "nothing states what the channel was set to show",
        };
        f.write_str(text)
    }
}

impl ChannelAnalysis {
    /// What is not known of the channel, by its key in JSON, and why.
    #[must_use]
    pub fn unknown(&self) -> Vec<(&'static str, WhyUnknown)> {
        let mut unknown = match &self.measurements {
            Measurements::Logic(logic) => of_edges(&logic.edges),
            Measurements::Analog(analog) => of_analog(&analog.analysis, self.sample_rate_hz),
        };
        if self.clipping.is_none() && self.channel.is_analog() {
            unknown.push(("clipped", WhyUnknown::NoRange));
        }
        unknown
    }
}

fn of_analog(analysis: &Analysis, sample_rate_hz: f64) -> Vec<(&'static str, WhyUnknown)> {
    let Some(levels) = &analysis.levels else { return vec![("all", WhyUnknown::NotNumbers)] };
    let samples_a_period = analysis.wave.map(|wave| wave.period_s * sample_rate_hz);
    let few_samples = WhyUnknown::FewSamples { samples_a_period };
    let of_levels = match samples_a_period {
        Some(samples_a_period) => WhyUnknown::FewPhases { samples_a_period },
        None => few_samples,
    };
    let mut unknown = of_wave(analysis, of_levels, few_samples);
    if levels.top().is_none() {
        unknown.extend(["top", "base"].map(|key| (key, of_levels)));
    }
    let no_rest = if levels.top().is_some() { WhyUnknown::NoRest } else { of_levels };
    let at_rest = [("overshoot", levels.overshoot), ("undershoot", levels.undershoot)];
    unknown.extend(at_rest.iter().filter(|one| one.1.is_none()).map(|one| (one.0, no_rest)));
    if levels.noise().is_none() {
        unknown.push(("noise", few_samples));
    }
    let times = [
        ("rise_time", analysis.transitions.rise_s, analysis.edges.rising),
        ("fall_time", analysis.transitions.fall_s, analysis.edges.falling),
    ];
    for (name, time_s, count) in times {
        if time_s.is_none() {
            let why = match count {
                _ if analysis.edges_are_missed => few_samples,
                0 => WhyUnknown::NoEdge,
                _ if levels.has_three() => WhyUnknown::ThreeLevels,
                _ => WhyUnknown::NoTransition,
            };
            unknown.push((name, why));
        }
    }
    if analysis.edges_are_missed {
        let keys = ["rising_edges", "falling_edges", "edge_frequency", "edge_frequency_uncertainty", "duty"];
        unknown.extend(keys.map(|key| (key, few_samples)));
        return unknown;
    }
    unknown.extend(of_edges(&analysis.edges));
    if let (Some(_), Some(duty)) =
        (analysis.edges.frequency_hz, unknown.iter_mut().find(|(key, _)| *key == "duty"))
    {
        duty.1 = match levels.top() {
            _ if levels.has_three() => WhyUnknown::ThreeLevels,
            None => of_levels,
            Some(_) => few_samples,
        };
    }
    unknown
}

fn of_wave(
    analysis: &Analysis,
    of_levels: WhyUnknown,
    few_samples: WhyUnknown,
) -> Vec<(&'static str, WhyUnknown)> {
    let Some(wave) = &analysis.wave else {
        let why = match analysis.counted_edges() {
            Some((0, 0)) => WhyUnknown::NoEdge,
            Some(_) => WhyUnknown::NoPeriod,
            None => few_samples,
        };
        return vec![("wave", why)];
    };
    let why = match wave.shape_error {
        None if wave.amplitude().is_none() => of_levels,
        None => WhyUnknown::NoComparison,
        Some(_) => WhyUnknown::NoShape,
    };
    let values = [
        ("shape", wave.shape == Shape::Unknown, why),
        ("shape_error", wave.shape_error.is_none(), why),
        ("amplitude", wave.amplitude().is_none(), of_levels),
        ("offset", wave.offset().is_none(), of_levels),
    ];
    values.into_iter().filter(|one| one.1).map(|(key, _, why)| (key, why)).collect()
}

fn of_edges(edges: &EdgeMeasurements) -> Vec<(&'static str, WhyUnknown)> {
    let why = match (edges.rising, edges.falling) {
        (0, 0) => WhyUnknown::NoEdge,
        (0 | 1, 0 | 1) => WhyUnknown::FewEdges,
        _ => WhyUnknown::Irregular,
    };
    let by_edges = [
        ("edge_frequency", edges.frequency_hz),
        ("edge_frequency_uncertainty", edges.frequency_uncertainty_hz),
        ("duty", edges.duty),
    ];
    by_edges.iter().filter(|one| one.1.is_none()).map(|one| (one.0, why)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::WaveformAnalysis;
    use crate::waveform::{Channel, Details, Samples, Series, Waveform};

    fn unknown(channel: Channel, samples: Samples) -> Vec<(&'static str, WhyUnknown)> {
        let series = Series::new(channel, 0.0, 1e-6, samples);
        let waveform = Waveform::new(1e6, vec![series], Details::default()).unwrap();
        WaveformAnalysis::of(&waveform).channels[0].unknown()
    }

    fn volts(sample: impl Fn(f64) -> f64) -> Vec<(&'static str, WhyUnknown)> {
        let samples = (0..1000).map(|index| sample(f64::from(index)) as f32).collect();
        let mut unknown = unknown(Channel::A, Samples::Volts(samples));
        assert_eq!(unknown.pop(), Some(("clipped", WhyUnknown::NoRange)));
        unknown
    }

    #[test]
    fn each_unknown_value_has_its_reason() {
        use WhyUnknown::{
            FewEdges, FewPhases, FewSamples, Irregular, NoEdge, NoPeriod, NoTransition, ThreeLevels,
        };
        let of = |name: &str, unknown: &[(&'static str, WhyUnknown)]| {
            unknown.iter().find(|one| one.0 == name).map(|one| one.1)
        };
        let flat = volts(|_| 1.0);
        for name in ["wave", "rise_time", "fall_time", "edge_frequency", "duty"] {
            assert_eq!(of(name, &flat), Some(NoEdge), "{name}");
        }
        let step = volts(|index| if index < 500.0 { 0.0 } else { 1.0 });
        assert_eq!((of("wave", &step), of("edge_frequency", &step)), (Some(NoPeriod), Some(FewEdges)));
        assert_eq!((of("rise_time", &step), of("fall_time", &step)), (Some(NoTransition), Some(NoEdge)));
        let sine = volts(|index| (index * std::f64::consts::TAU / 100.0).sin());
        assert_eq!(of("wave", &sine).or(of("edge_frequency", &sine)).or(of("rise_time", &sine)), None);
        // Four samples a period show no level between them, three levels no single transition, and a pulse in three samples
        // no noise beside the signal.
        let few = volts(|index| (index * std::f64::consts::TAU / 4.0 + 0.3).sin());
        for name in ["shape", "amplitude", "offset", "top", "base", "overshoot", "undershoot"] {
            let why = of(name, &few);
            let is_right = |samples: f64| (samples - 4.0).abs() < 1e-3;
            assert!(
                matches!(why, Some(FewPhases { samples_a_period }) if is_right(samples_a_period)),
                "{name}: {why:?}"
            );
        }
        let three = volts(|index| [-1.0, 0.0, 1.0, 0.0][(index as usize / 25) % 4]);
        for name in ["rise_time", "fall_time", "duty"] {
            assert_eq!(of(name, &three), Some(ThreeLevels), "{name}");
        }
        let fast = volts(|index| f64::from((index as u32).wrapping_mul(2_654_435_761)) / f64::from(u32::MAX));
        for name in ["noise", "rising_edges", "falling_edges", "edge_frequency"] {
            assert!(matches!(of(name, &fast), Some(FewSamples { .. })), "{name}: {:?}", of(name, &fast));
        }
        let odd: Vec<u8> = (0..1000_u32).map(|index| u8::from(index.isqrt() % 2 == 0)).collect();
        assert_eq!(unknown(Channel::L[0], Samples::Levels(odd))[0], ("edge_frequency", Irregular));
        assert_eq!(
            unknown(Channel::A, Samples::Volts(vec![f32::NAN; 9]))[0],
            ("all", WhyUnknown::NotNumbers)
        );
    }
}

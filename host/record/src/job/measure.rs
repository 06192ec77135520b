//! Values measured of one channel of a trace, by the definitions of the core's
//! [analysis](scopething_core::analysis).

use std::fmt;

use scopething_core::analysis::{EdgeMeasurements, Levels, analog_edges, logic_edges};
use serde::Deserialize;

use scopething_waveform::quantity::Unit;
use scopething_waveform::waveform::{Samples, Series};

/// What can be measured of a channel. Levels are volts, of raw traces fractions of the range, of logic lines 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
    /// Hertz, by the edges; unknown unless they come regularly.
    Frequency,
    /// The part of the time that the level is high, 0 to 1; unknown where the frequency is.
    Duty,
}

impl Measure {
    /// All of them, in the order of a summary.
    pub const ALL: [Self; 7] =
        [Self::Min, Self::Max, Self::Mean, Self::Rms, Self::PeakToPeak, Self::Frequency, Self::Duty];

    /// The name in jobs and files.
    #[must_use]
    pub fn name(self) -> &'static str {
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

    /// What it counts.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::Min | Self::Max | Self::Mean | Self::Rms | Self::PeakToPeak => Unit::Volts,
            Self::Frequency => Unit::Hertz,
            Self::Duty => Unit::Fraction,
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// All values of one channel. Unknown are those that the samples do not support.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Measured {
    levels: Option<Levels>,
    edges: EdgeMeasurements,
}

impl Measured {
    /// Measures the samples of a channel.
    #[must_use]
    pub fn of(series: &Series) -> Self {
        match &series.samples {
            Samples::Volts(samples) | Samples::Fractions(samples) => {
                let levels = Levels::of(samples);
                let edges = levels.as_ref().map(|levels| analog_edges(samples, levels));
                let edges = edges.map(|edges| EdgeMeasurements::of(edges, series.period_s));
                Self { levels, edges: edges.unwrap_or_default() }
            }
            Samples::Levels(samples) => {
                let levels: Vec<f32> = samples.iter().copied().map(f32::from).collect();
                let edges = logic_edges(samples.iter().map(|&level| level > 0));
                Self { levels: Levels::of(&levels), edges: EdgeMeasurements::of(edges, series.period_s) }
            }
        }
    }

    /// One of the values; `None` if the samples do not support it.
    #[must_use]
    pub fn get(&self, measure: Measure) -> Option<f64> {
        let levels = self.levels.as_ref();
        match measure {
            Measure::Min => levels.map(|levels| levels.min),
            Measure::Max => levels.map(|levels| levels.max),
            Measure::Mean => levels.map(|levels| levels.mean),
            Measure::Rms => levels.map(|levels| levels.rms),
            Measure::PeakToPeak => levels.map(|levels| levels.peak_to_peak),
            Measure::Frequency => self.edges.frequency_hz,
            Measure::Duty => self.edges.duty,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_waveform::waveform::Channel;

    #[test]
    fn square_on_analog_and_logic() {
        // 1 kHz, high for 3 of 10 samples.
        let high = |index: u32| index % 10 < 3;
        let volts = (0..100).map(|index| if high(index) { 3.0 } else { -1.0 }).collect();
        let levels = (0..100).map(|index| u8::from(high(index))).collect();
        let analog = Measured::of(&Series::new(Channel::A, 0.0, 1e-4, Samples::Volts(volts)));
        let logic = Measured::of(&Series::new(Channel::L[1], 0.0, 1e-4, Samples::Levels(levels)));
        for (measure, volts, level) in [
            (Measure::Min, -1.0, 0.0),
            (Measure::Max, 3.0, 1.0),
            (Measure::Mean, 0.2, 0.3),
            (Measure::Rms, 3.4_f64.sqrt(), 0.3_f64.sqrt()),
            (Measure::PeakToPeak, 4.0, 1.0),
            (Measure::Frequency, 1000.0, 1000.0),
            (Measure::Duty, 0.3, 0.3),
        ] {
            let near = |value: Option<f64>, wanted: f64| {
                (value.unwrap() - wanted).abs() < 1e-6 * wanted.abs().max(1.0)
            };
            assert!(near(analog.get(measure), volts), "{measure}: {:?}", analog.get(measure));
            assert!(near(logic.get(measure), level), "{measure}: {:?}", logic.get(measure));
        }
    }

    #[test]
    fn what_is_not_supported_is_unknown() {
        let series = Series::new(Channel::A, 0.0, 1e-4, Samples::Volts(vec![f32::NAN, 1.0]));
        assert!(Measure::ALL.iter().all(|&measure| Measured::of(&series).get(measure).is_none()));
        let flat = Series::new(Channel::A, 0.0, 1e-4, Samples::Volts(vec![1.0; 10]));
        assert_eq!(Measured::of(&flat).get(Measure::Mean), Some(1.0));
        assert_eq!(Measured::of(&flat).get(Measure::Frequency), None);
    }
}

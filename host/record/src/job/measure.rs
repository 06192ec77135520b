//! Values measured of one channel of a trace, by the definitions of the core's
//! [analysis](scopething_core::analysis).

pub use scopething_core::analysis::Measure;
use scopething_core::analysis::Measured;

use scopething_waveform::quantity::Unit;
use scopething_waveform::waveform::{Samples, Series};

/// What a measurement counts; levels of raw traces are counted as volts.
#[must_use]
pub fn unit(measure: Measure) -> Unit {
    match measure {
        Measure::Min | Measure::Max | Measure::Mean | Measure::Rms | Measure::PeakToPeak => Unit::Volts,
        Measure::Frequency => Unit::Hertz,
        Measure::Duty => Unit::Fraction,
    }
}

/// Measures the samples of a channel.
#[must_use]
pub fn measured(series: &Series) -> Measured {
    match &series.samples {
        Samples::Volts(samples) | Samples::Fractions(samples) => {
            Measured::of_analog(&samples.iter().copied(), series.period_s)
        }
        Samples::Levels(samples) => {
            Measured::of_logic(&samples.iter().map(|&level| level > 0), series.period_s)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_waveform::waveform::Channel;

    #[test]
    fn levels_of_logic_lines_are_0_and_1() {
        // High for 3 of 10 samples, a byte of any value each.
        let levels = (0..100).map(|index| if index % 10 < 3 { 8 } else { 0 }).collect();
        let logic = measured(&Series::new(Channel::L[3], 0.0, 1e-4, Samples::Levels(levels)));
        for (measure, expected) in [(Measure::Max, 1.0), (Measure::Mean, 0.3), (Measure::Frequency, 1000.0)] {
            let value = logic.get(measure).unwrap();
            assert!((value - expected).abs() < 1e-6 * expected, "{measure}: {value}");
        }
    }

    #[test]
    fn volts_are_measured_as_they_are() {
        let flat = measured(&Series::new(Channel::A, 0.0, 1e-4, Samples::Volts(vec![-1.5; 10])));
        assert_eq!((flat.get(Measure::Rms), flat.get(Measure::Duty)), (Some(1.5), None));
    }
}

//! Which traces are kept, and which part of them is written.

use super::measure::measured;
pub use scopething_core::analysis::Band;
use scopething_waveform::waveform::{Series, Waveform};

/// What is kept of the traces of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Keep {
    /// Every trace.
    All,
    /// Traces in which a measured value lies outside one of the bands. A value that cannot be measured does.
    Outside(Vec<Band>),
    /// Measured values of every trace.
    Summary,
    /// The minimum and maximum sample of each of this many parts of every trace.
    Envelope {
        /// How many parts, at least 1.
        parts: usize,
    },
}

/// Whether the value of a trace lies within the band; one that is unknown does not.
fn holds(band: &Band, waveform: &Waveform) -> bool {
    waveform.channel(band.channel).is_some_and(|series| band.holds(&measured(series)))
}

impl Keep {
    /// Whether anything of this trace is kept.
    #[must_use]
    pub fn wants(&self, waveform: &Waveform) -> bool {
        match self {
            Self::Outside(bands) => bands.iter().any(|band| !holds(band, waveform)),
            Self::All | Self::Summary | Self::Envelope { .. } => true,
        }
    }
}

/// The minimum and maximum sample of a part of a trace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// When the part begins, in seconds from the start of the capture.
    pub time_s: f64,
    /// The minimum sample.
    pub min: f32,
    /// The maximum sample.
    pub max: f32,
}

/// The extents of a channel in `parts` parts of equal length, within a sample. Parts without a sample that
/// is a number are left out.
pub fn envelope(series: &Series, parts: usize) -> impl Iterator<Item = Extent> + '_ {
    let count = series.samples.len();
    let parts = parts.clamp(1, count.max(1));
    (0..parts).filter_map(move |part| {
        let (from, to) = (part * count / parts, (part + 1) * count / parts);
        let samples = (from..to).filter_map(|index| series.samples.get(index));
        let (min, max) = samples
            .filter(|sample| sample.is_finite())
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(min, max), sample| {
                (min.min(sample), max.max(sample))
            });
        (min <= max).then(|| Extent { time_s: series.timestamp(from), min, max })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::measure::Measure;
    use scopething_waveform::waveform::{Channel, Details, Samples};

    fn waveform(samples: &[f32]) -> Waveform {
        let series = Series::new(Channel::A, 0.0, 1e-3, Samples::Volts(samples.to_vec()));
        Waveform::new(1e3, vec![series], Details::default()).unwrap()
    }

    #[test]
    fn band_edges_are_inside() {
        let band = |measure, low, high| Band { channel: Channel::A, measure, low, high };
        let flat = waveform(&[1.0; 20]);
        for (band, wanted) in [
            (band(Measure::Mean, 1.0, 2.0), false),
            (band(Measure::Mean, 0.0, 1.0), false),
            (band(Measure::Mean, 1.1, 2.0), true),
            (band(Measure::Mean, 0.0, 0.9), true),
            // There is no frequency to be inside.
            (band(Measure::Frequency, 0.0, 1e9), true),
            (Band { channel: Channel::B, ..band(Measure::Mean, 0.0, 2.0) }, true),
        ] {
            assert_eq!(Keep::Outside(vec![band]).wants(&flat), wanted, "{band:?}");
        }
        let inside = band(Measure::Mean, 0.0, 2.0);
        assert!(Keep::Outside(vec![inside, band(Measure::Max, 0.0, 0.5)]).wants(&flat));
    }

    #[test]
    fn parts_cover_each_sample_once() {
        let samples: Vec<f32> =
            (0..11_u8).map(|index| f32::from(index) * if index % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let waveform = waveform(&samples);
        let series = waveform.channel(Channel::A).unwrap();
        let extents: Vec<Extent> = envelope(series, 3).collect();
        let expected = [(0.0, -1.0, 2.0), (3e-3, -5.0, 6.0), (7e-3, -9.0, 10.0)];
        let expected = expected.map(|(time_s, min, max)| Extent { time_s, min, max });
        assert_eq!(extents, expected);
        assert_eq!(envelope(series, 100).count(), 11);
    }
}

//! A fundamental and its harmonics, fitted to all samples of a series.

use std::f64::consts::TAU;

/// The most passes over the harmonics: in each, every one is fitted to what the others leave, until less than a
/// thousandth more is explained. Over many periods they hardly overlap, and two passes do.
const MAX_PASSES: usize = 40;

/// So many samples times harmonics are fitted at most, or the first [`MIN_HARMONICS`] of a longer series; higher
/// harmonics are not counted.
const MAX_WORK: usize = 2_000_000;

/// However long a series is, so many harmonics of it are fitted, the fundamental counted.
const MIN_HARMONICS: usize = 10;

/// A sine of a harmonic, as the factors of cosine and sine from the first sample on.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Harmonic {
    pub(super) cosine: f64,
    pub(super) sine: f64,
}

impl Harmonic {
    /// Its mean square.
    pub(super) fn power(self) -> f64 {
        0.5 * (self.cosine * self.cosine + self.sine * self.sine)
    }

    /// The angle of the cosine that it is, at the first sample.
    pub(super) fn angle(self) -> f64 {
        (-self.sine).atan2(self.cosine)
    }
}

/// The harmonics of a series, the fundamental first.
#[derive(Debug, Clone)]
pub(super) struct Harmonics {
    pub(super) harmonics: Vec<Harmonic>,
    /// The sum of the squares of what they and the mean leave.
    pub(super) residual_squares: f64,
}

/// How many harmonics of a frequency, in periods a sample, lie below half of the sample rate, the fundamental counted;
/// of very many the first few hundred, of a series of millions of samples the first ten.
pub(super) fn count_below_nyquist(frequency: f64, samples: usize) -> usize {
    // Nearer than half a bin to half of the sample rate, only one of its two factors is seen.
    let below = ((0.5 - 0.5 / samples as f64) / frequency).max(0.0) as usize;
    below.min((MAX_WORK / samples.max(1)).max(MIN_HARMONICS))
}

impl Harmonics {
    /// Fits so many harmonics of a frequency, in periods a sample.
    pub(super) fn of(samples: &[f32], frequency: f64, count: usize) -> Self {
        let mut rest: Vec<f64> = samples.iter().map(|&sample| f64::from(sample)).collect();
        let mut harmonics = vec![Harmonic::default(); count];
        let mut residual_squares = f64::INFINITY;
        for _ in 0..MAX_PASSES {
            let mean = rest.iter().sum::<f64>() / rest.len() as f64;
            for rest in &mut *rest {
                *rest -= mean;
            }
            for (harmonic, number) in harmonics.iter_mut().zip(1_u32..) {
                let more = take(&mut rest, frequency * f64::from(number));
                harmonic.cosine += more.cosine;
                harmonic.sine += more.sine;
            }
            let before = residual_squares;
            residual_squares = rest.iter().map(|rest| rest * rest).sum();
            if residual_squares > 0.999 * before {
                break;
            }
        }
        Self { harmonics, residual_squares }
    }
}

/// Cosine and sine of a phase that advances by a frequency with each sample.
fn rotation(frequency: f64) -> impl Iterator<Item = (f64, f64)> {
    let (step_sine, step_cosine) = (TAU * frequency).sin_cos();
    std::iter::successors(Some((1.0, 0.0)), move |&(cosine, sine)| {
        Some((cosine * step_cosine - sine * step_sine, sine * step_cosine + cosine * step_sine))
    })
}

/// Fits a sine of a frequency to a series, and takes it away.
fn take(rest: &mut [f64], frequency: f64) -> Harmonic {
    let [mut cc, mut cs, mut ss, mut cx, mut sx] = [0.0; 5];
    for (&rest, (cosine, sine)) in rest.iter().zip(rotation(frequency)) {
        cc += cosine * cosine;
        cs += cosine * sine;
        ss += sine * sine;
        cx += cosine * rest;
        sx += sine * rest;
    }
    let determinant = cc * ss - cs * cs;
    // Next to half of the sample rate, one of the two is hardly seen.
    if determinant <= 1e-6 * cc * cc {
        return Harmonic::default();
    }
    let found =
        Harmonic { cosine: (cx * ss - sx * cs) / determinant, sine: (sx * cc - cx * cs) / determinant };
    for (rest, (cosine, sine)) in rest.iter_mut().zip(rotation(frequency)) {
        *rest -= found.cosine * cosine + found.sine * sine;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_series_have_harmonics_too() {
        assert_eq!(count_below_nyquist(0.24, 1000), 2);
        assert_eq!(count_below_nyquist(0.26, 1000), 1);
        assert_eq!(count_below_nyquist(1e-4, 12_288), 162);
        for samples in [1_000_001, 5_000_000, 1 << 28] {
            assert_eq!(count_below_nyquist(1e-3, samples), MIN_HARMONICS, "{samples}");
            assert_eq!(count_below_nyquist(0.2, samples), 2, "{samples}");
        }
    }
}

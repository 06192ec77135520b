//! A fundamental and its harmonics, fitted to all samples of a series.

use std::f64::consts::TAU;

/// The most steps of conjugate gradients, which converge in a few: of two periods or more the harmonics hardly overlap.
const MAX_STEPS: usize = 40;

/// A step that leaves less of the gradient has converged: what is left of the series is then right to 2e-10 of it, -190 dB.
const CONVERGED: f64 = 1e-20;

/// The most passes that improve a frequency.
const MAX_PASSES: usize = 8;

/// Passes over more harmonics, from the frequency of the first ones, which is nearly theirs: each squares the error.
const PASSES_OVER_MORE: usize = 2;

/// So many harmonics are more: what those beyond pull at the frequency is little.
const MORE_HARMONICS: usize = 64;

/// More harmonics are fitted if the first ones leave so much of a series: what pulls at the frequency is less than noise.
const ENOUGH_LEFT: f64 = 1e-3;

/// The frequency is first that of the first harmonics: in higher ones noise has as many frequencies that fit as well.
const HARMONICS_OF_FREQUENCY: usize = 10;

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

/// Whether a harmonic, of a frequency in periods a sample, lies so near to half of the sample rate that one of its two factors
/// alone is seen.
pub(super) fn is_at_nyquist(frequency: f64, samples: usize) -> bool {
    (frequency - 0.5).abs() <= 0.5 / samples as f64
}

impl Harmonics {
    /// The mean square of the last one over so many samples: half of its squared factors is not that if it lies at half of
    /// the sample rate.
    pub(super) fn power_of_last(&self, frequency: f64, samples: usize) -> f64 {
        let Some(&last) = self.harmonics.last() else { return 0.0 };
        let squares: f64 = rotation(frequency * self.harmonics.len() as f64)
            .take(samples)
            .map(|(cosine, sine)| last.cosine * cosine + last.sine * sine)
            .map(|value| value * value)
            .sum();
        squares / samples as f64
    }

    /// Fits so many harmonics of a frequency, in periods a sample, and a mean.
    pub(super) fn of(samples: &[f32], frequency: f64, count: usize) -> Self {
        let samples: Vec<f64> = samples.iter().map(|&sample| f64::from(sample)).collect();
        let (factors, rest) = fit(samples, frequency, count);
        Self { harmonics: factors.harmonics, residual_squares: rest.iter().map(|rest| rest * rest).sum() }
    }
}

/// A frequency, in periods a sample, that was fitted as if there was a sine alone, as so many harmonics have it: over few
/// periods they pull at it.
pub(super) fn improved_frequency(samples: &[f32], frequency: f64, count: usize) -> f64 {
    let samples: Vec<f64> = samples.iter().map(|&sample| f64::from(sample)).collect();
    let first = count.min(HARMONICS_OF_FREQUENCY);
    let (by_first, left) = newton(&samples, frequency, first, MAX_PASSES);
    let more = count.min(MORE_HARMONICS);
    if more > first && left > ENOUGH_LEFT {
        newton(&samples, by_first, more, PASSES_OVER_MORE).0
    } else {
        by_first
    }
}

/// The frequency near one at which so many harmonics leave least of a series (Gauss and Newton), and the share of its
/// variance that they leave.
fn newton(samples: &[f64], frequency: f64, count: usize, passes: usize) -> (f64, f64) {
    // Half a bin of the highest harmonic from where it began it is another one.
    let reach = 0.5 / samples.len() as f64 * (HARMONICS_OF_FREQUENCY as f64 / count as f64).min(1.0);
    let mean = samples.iter().sum::<f64>() / samples.len() as f64;
    let of_all: f64 = samples.iter().map(|sample| (sample - mean) * (sample - mean)).sum();
    let (mut best, mut left) = (frequency, 0.0);
    for _ in 0..passes {
        let (factors, rest) = fit(samples.to_vec(), best, count);
        // How the sum changes with the frequency, less what the harmonics can follow.
        let (_, across) = fit(factors.slope(best, samples.len()), best, count);
        let square = square_of(&across);
        let along: f64 = across.iter().zip(&rest).map(|(across, rest)| across * rest).sum();
        let step = if square > 0.0 { along / square } else { 0.0 };
        best += step;
        left = square_of(&rest) / of_all;
        if !best.is_finite() || (best - frequency).abs() > reach {
            return (frequency, left);
        }
        if step.abs() < 1e-9 * reach {
            break;
        }
    }
    (best, left)
}

fn square_of(series: &[f64]) -> f64 {
    series.iter().map(|value| value * value).sum()
}

/// The factors of a sum of harmonics and a mean.
struct Factors {
    mean: f64,
    harmonics: Vec<Harmonic>,
}

impl Factors {
    fn none(count: usize) -> Self {
        Self { mean: 0.0, harmonics: vec![Harmonic::default(); count] }
    }

    /// The factors by which each harmonic and the mean are in a series: the sum of its products with them.
    fn products(series: &[f64], frequency: f64, count: usize) -> Self {
        let harmonics = (1..=count).map(|number| {
            let mut sum = Harmonic::default();
            for (&value, (cosine, sine)) in series.iter().zip(rotation(frequency * number as f64)) {
                sum.cosine += value * cosine;
                sum.sine += value * sine;
            }
            sum
        });
        // The mean has twice the power of a cosine of the same factor: so scaled it weighs as much.
        Self { mean: series.iter().sum::<f64>() * MEAN, harmonics: harmonics.collect() }
    }

    /// The sum of all of them, so many samples.
    fn sum(&self, frequency: f64, samples: usize) -> Vec<f64> {
        let mut sum = vec![self.mean * MEAN; samples];
        for (harmonic, number) in self.harmonics.iter().zip(1_u32..) {
            for (sum, (cosine, sine)) in sum.iter_mut().zip(rotation(frequency * f64::from(number))) {
                *sum += harmonic.cosine * cosine + harmonic.sine * sine;
            }
        }
        sum
    }

    /// How the sum changes with the frequency.
    fn slope(&self, frequency: f64, samples: usize) -> Vec<f64> {
        let turned = self.harmonics.iter().zip(1_u32..).map(|(harmonic, number)| {
            let number = TAU * f64::from(number);
            Harmonic { cosine: number * harmonic.sine, sine: -number * harmonic.cosine }
        });
        let mut slope = Self { mean: 0.0, harmonics: turned.collect() }.sum(frequency, samples);
        slope.iter_mut().enumerate().for_each(|(index, slope)| *slope *= index as f64);
        slope
    }

    fn square(&self) -> f64 {
        let squares = self.harmonics.iter().map(|one| one.cosine * one.cosine + one.sine * one.sine);
        self.mean * self.mean + squares.sum::<f64>()
    }

    /// These, times a factor, and others.
    fn scaled_and(&self, factor: f64, others: &Self) -> Self {
        let pairs = self.harmonics.iter().zip(&others.harmonics);
        let harmonics = pairs.map(|(one, other)| Harmonic {
            cosine: factor * one.cosine + other.cosine,
            sine: factor * one.sine + other.sine,
        });
        Self { mean: factor * self.mean + others.mean, harmonics: harmonics.collect() }
    }
}

const MEAN: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// The harmonics and the mean that are nearest to a series (least squares, by conjugate gradients), and what they leave.
fn fit(series: Vec<f64>, frequency: f64, count: usize) -> (Factors, Vec<f64>) {
    let mut rest = series;
    let mut fitted = Factors::none(count);
    let mut gradient = Factors::products(&rest, frequency, count);
    let enough = CONVERGED * gradient.square();
    let mut direction = gradient.scaled_and(1.0, &fitted);
    for _ in 0..MAX_STEPS {
        let before = gradient.square();
        let sum = direction.sum(frequency, rest.len());
        let square: f64 = sum.iter().map(|sum| sum * sum).sum();
        if before <= enough || square <= 0.0 {
            break;
        }
        let step = before / square;
        fitted = direction.scaled_and(step, &fitted);
        rest.iter_mut().zip(&sum).for_each(|(rest, sum)| *rest -= step * sum);
        gradient = Factors::products(&rest, frequency, count);
        direction = direction.scaled_and(gradient.square() / before, &gradient);
    }
    (fitted, rest)
}

/// Cosine and sine of a phase that advances by a frequency with each sample.
fn rotation(frequency: f64) -> impl Iterator<Item = (f64, f64)> {
    let (step_sine, step_cosine) = (TAU * frequency).sin_cos();
    std::iter::successors(Some((1.0, 0.0)), move |&(cosine, sine)| {
        Some((cosine * step_cosine - sine * step_sine, sine * step_cosine + cosine * step_sine))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Harmonics of a frequency that divides nothing, with factors of their own, over few periods and many.
    #[test]
    fn factors_and_frequency_are_those_of_the_series() {
        for (periods, samples) in [(2.1, 400), (2.9, 1000), (30.3, 1000)] {
            let frequency = periods / f64::from(samples);
            let factors = [(1.0, 0.3), (0.1, -0.2), (0.0, 0.15), (-0.05, 0.0)];
            let value = |index: i32| {
                let sum = factors.iter().zip(1_u32..).map(|((cosine, sine), number)| {
                    let angle = TAU * f64::from(number) * frequency * f64::from(index);
                    cosine * angle.cos() + sine * angle.sin()
                });
                (sum.sum::<f64>() + 0.7) as f32
            };
            let series: Vec<f32> = (0..samples).map(value).collect();
            let fitted = Harmonics::of(&series, frequency, 4);
            for (fitted, (cosine, sine)) in fitted.harmonics.iter().zip(factors) {
                assert!((fitted.cosine - cosine).abs() < 1e-6, "{periods}: {fitted:?}, {cosine}");
                assert!((fitted.sine - sine).abs() < 1e-6, "{periods}: {fitted:?}, {sine}");
            }
            // What rounding to 32 bits leaves.
            assert!(fitted.residual_squares < 1e-13 * f64::from(samples), "{periods}: {fitted:?}");
            let off = 0.05 / f64::from(samples);
            let improved = improved_frequency(&series, frequency + off, 4);
            assert!((improved - frequency).abs() < 1e-5 * off, "{periods}: {improved}, {frequency}");
        }
    }

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

//! The sine that fits all samples of a series best, in frequency, amplitude, phase and offset (IEEE 1057, four
//! parameters).

use core::f64::consts::TAU;

/// Rounds of the fit. Each squares the error, as a rule.
const ROUNDS: usize = 6;

/// Four parameters, and one sample more.
const MIN_SAMPLES: f64 = 5.0;

/// A correction so small, in periods over the whole series, ends the fit.
const FINE_ENOUGH: f64 = 1e-9;

/// How far the fit may go from the frequency it started with, in periods over the whole series: farther is another
/// maximum of the likelihood.
const MAX_DRIFT: f64 = 0.5;

/// A sine fitted to a series.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SineFit {
    /// Periods a sample.
    pub frequency: f64,
    /// Half the peak to peak, in the unit of the samples.
    pub amplitude: f64,
    /// What it swings about.
    pub offset: f64,
    /// The phase of the first sample in periods, 0 to 1: 0 where the sine rises through its offset.
    pub phase: f64,
    /// The mean of the squared distances of the samples from it.
    pub residual_power: f64,
}

impl SineFit {
    /// The best fit near a frequency, in periods a sample, which must be right to half a period over the whole series.
    /// `None` with fewer than five samples, or if the fit runs away.
    #[must_use]
    pub fn of<I>(samples: I, about: f64) -> Option<Self>
    where
        I: Iterator<Item = f64> + Clone,
    {
        let length = samples.clone().count() as f64;
        let mut frequency = about;
        // Factors of cosine and sine, from the round before.
        let mut factors = (0.0, 0.0);
        if length < MIN_SAMPLES {
            return None;
        }
        let mut best: Option<Self> = None;
        for round in 0..ROUNDS {
            let fitted = Normal::of(samples.clone(), frequency, factors).solve(round > 0)?;
            let [cosine, sine, offset, drift] = fitted;
            factors = (cosine, sine);
            let turns = libm::atan2(cosine, sine) / TAU;
            best = Some(Self {
                frequency,
                amplitude: libm::sqrt(cosine * cosine + sine * sine),
                offset,
                phase: turns - libm::floor(turns),
                residual_power: 0.0,
            });
            frequency += drift;
            let is_near = (frequency - about).abs() * length <= MAX_DRIFT;
            if !(frequency > 0.0 && frequency < 0.5 && is_near) {
                return None;
            }
            if round > 0 && (drift * length).abs() < FINE_ENOUGH {
                break;
            }
        }
        let mut best = best?;
        let squares: f64 = samples
            .zip(Rotation::new(best.frequency))
            .map(|(sample, (cosine, sine))| {
                let distance = sample - best.offset - factors.0 * cosine - factors.1 * sine;
                distance * distance
            })
            .sum();
        best.residual_power = squares / length;
        best.amplitude.is_finite().then_some(best)
    }
}

/// Cosine and sine of a phase that advances with each sample, by rotation; exact to 1e-12 over 10,000 samples.
#[derive(Clone)]
struct Rotation {
    cosine: f64,
    sine: f64,
    step: (f64, f64),
}

impl Rotation {
    fn new(frequency: f64) -> Self {
        Self { cosine: 1.0, sine: 0.0, step: (libm::cos(TAU * frequency), libm::sin(TAU * frequency)) }
    }
}

impl Iterator for Rotation {
    type Item = (f64, f64);

    fn next(&mut self) -> Option<(f64, f64)> {
        let now = (self.cosine, self.sine);
        let (cosine, sine) = self.step;
        self.cosine = now.0 * cosine - now.1 * sine;
        self.sine = now.1 * cosine + now.0 * sine;
        Some(now)
    }
}

/// The normal equations of the linearised fit: the unknowns are the factors of cosine, sine and 1, and by how much the
/// frequency is off.
struct Normal {
    matrix: [[f64; 4]; 4],
    right: [f64; 4],
}

impl Normal {
    fn of(samples: impl Iterator<Item = f64>, frequency: f64, (a, b): (f64, f64)) -> Self {
        let mut normal = Self { matrix: [[0.0; 4]; 4], right: [0.0; 4] };
        for ((index, sample), (cosine, sine)) in samples.enumerate().zip(Rotation::new(frequency)) {
            let turn = TAU * index as f64;
            let row = [cosine, sine, 1.0, turn * (b * cosine - a * sine)];
            for (i, &left) in row.iter().enumerate() {
                let Some(line) = normal.matrix.get_mut(i) else { continue };
                for (place, &right) in line.iter_mut().zip(&row) {
                    *place += left * right;
                }
                if let Some(place) = normal.right.get_mut(i) {
                    *place += left * sample;
                }
            }
        }
        normal
    }

    /// Gaussian elimination with the greatest pivot; without the frequency in the first round, when its influence is
    /// not known yet.
    fn solve(mut self, with_frequency: bool) -> Option<[f64; 4]> {
        let unknowns = if with_frequency { 4 } else { 3 };
        for column in 0..unknowns {
            let pivot = (column..unknowns)
                .max_by(|&one, &other| self.at(one, column).abs().total_cmp(&self.at(other, column).abs()))?;
            self.matrix.swap(column, pivot);
            self.right.swap(column, pivot);
            let divisor = self.at(column, column);
            if !(divisor.abs() > 0.0 && divisor.is_finite()) {
                return None;
            }
            for row in column + 1..unknowns {
                let factor = self.at(row, column) / divisor;
                for k in column..unknowns {
                    let subtracted = factor * self.at(column, k);
                    *self.matrix.get_mut(row)?.get_mut(k)? -= subtracted;
                }
                let subtracted = factor * self.right.get(column).copied()?;
                *self.right.get_mut(row)? -= subtracted;
            }
        }
        let mut solved = [0.0; 4];
        for row in (0..unknowns).rev() {
            let known: f64 =
                (row + 1..unknowns).map(|k| self.at(row, k) * solved.get(k).copied().unwrap_or(0.0)).sum();
            *solved.get_mut(row)? = (self.right.get(row).copied()? - known) / self.at(row, row);
        }
        Some(solved)
    }

    fn at(&self, row: usize, column: usize) -> f64 {
        self.matrix.get(row).and_then(|line| line.get(column)).copied().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(frequency: f64, phase: f64) -> impl Fn(usize) -> f64 + Clone {
        move |index| 1.5 + 0.7 * (TAU * (frequency * index as f64 + phase)).sin()
    }

    #[test]
    fn a_clean_sine_is_found_exactly() {
        for (frequency, samples) in [(0.0021, 1000), (0.0373, 1000), (0.2, 100), (0.43, 200), (0.01, 5000)] {
            for off in [0.0, 0.3, -0.2] {
                let about = frequency + off / samples as f64;
                let fit = SineFit::of((0..samples).map(sine(frequency, 0.3)), about).unwrap();
                assert!((fit.frequency / frequency - 1.0).abs() < 1e-9, "{fit:?}, not {frequency}");
                assert!((fit.amplitude - 0.7).abs() < 1e-9 && (fit.offset - 1.5).abs() < 1e-9, "{fit:?}");
                assert!((fit.phase - 0.3).abs() < 1e-8 && fit.residual_power < 1e-15, "{fit:?}");
            }
        }
    }

    #[test]
    fn the_rest_is_what_the_sine_leaves() {
        let second = |index: usize| 0.1 * (TAU * 0.1 * index as f64).sin();
        let fit = SineFit::of((0..1000).map(|i| sine(0.05, 0.1)(i) + second(i)), 0.0501).unwrap();
        assert!((fit.residual_power - 0.005).abs() < 1e-6, "{fit:?}");
    }

    #[test]
    fn what_is_no_sine_has_no_fit() {
        assert_eq!(SineFit::of([1.0, 2.0].into_iter(), 0.1), None);
        assert_eq!(SineFit::of(core::iter::empty(), 0.1), None);
        assert_eq!(SineFit::of((0..100).map(sine(0.1, 0.0)), 0.2), None);
    }
}

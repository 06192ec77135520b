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
pub(super) struct Rotation {
    cosine: f64,
    sine: f64,
    step: (f64, f64),
}

impl Rotation {
    /// Of a frequency in periods a sample, from phase 0 on.
    pub(super) fn new(frequency: f64) -> Self {
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

/// The unknowns: the factors of cosine, sine and 1, and by how much the frequency is off.
const UNKNOWNS: usize = 4;

/// The normal equations of the linearised fit, each with its right side behind the factors of the unknowns.
struct Normal([[f64; UNKNOWNS + 1]; UNKNOWNS]);

impl Normal {
    fn of(samples: impl Iterator<Item = f64>, frequency: f64, (a, b): (f64, f64)) -> Self {
        let mut equations = [[0.0; UNKNOWNS + 1]; UNKNOWNS];
        for ((index, sample), (cosine, sine)) in samples.enumerate().zip(Rotation::new(frequency)) {
            let turn = TAU * index as f64;
            let row = [cosine, sine, 1.0, turn * (b * cosine - a * sine), sample];
            for (start, (equation, left)) in equations.iter_mut().zip(row).enumerate() {
                for (place, right) in equation.iter_mut().zip(row).skip(start) {
                    *place += left * right;
                }
            }
        }
        // What lies below the diagonal is the same as above it.
        for column in 0..UNKNOWNS {
            let Some((done, below)) = equations.split_at_mut_checked(column + 1) else { break };
            let Some(above) = done.last() else { break };
            for (equation, &factor) in below.iter_mut().zip(above.iter().skip(column + 1)) {
                if let Some(place) = equation.get_mut(column) {
                    *place = factor;
                }
            }
        }
        Self(equations)
    }

    /// Gaussian elimination; without the frequency in the first round, when its influence is not known yet. The equations
    /// are symmetric and positive definite, for which it is stable without a choice of pivots.
    fn solve(mut self, with_frequency: bool) -> Option<[f64; UNKNOWNS]> {
        let unknowns = if with_frequency { UNKNOWNS } else { UNKNOWNS - 1 };
        let equations = self.0.get_mut(..unknowns)?;
        for column in 0..unknowns {
            let (done, below) = equations.split_at_mut_checked(column + 1)?;
            let above = done.last()?;
            let pivot = *above.get(column)?;
            if !(pivot > 0.0 && pivot.is_finite()) {
                return None;
            }
            for equation in below {
                let factor = *equation.get(column)? / pivot;
                for (place, &subtracted) in equation.iter_mut().zip(above).skip(column) {
                    *place -= factor * subtracted;
                }
            }
        }
        let mut solved = [0.0; UNKNOWNS];
        for (row, equation) in equations.iter().enumerate().rev() {
            let known: f64 =
                equation.iter().zip(&solved).skip(row + 1).map(|(factor, unknown)| factor * unknown).sum();
            *solved.get_mut(row)? = (equation.last()? - known) / equation.get(row)?;
        }
        Some(solved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(frequency: f64, phase: f64) -> impl Fn(usize) -> f64 + Clone {
        move |index| 1.5 + 0.7 * (TAU * (frequency * index as f64 + phase)).sin()
    }

    #[test]
    fn clean_sine_is_found_exactly() {
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
    fn rest_is_what_the_sine_leaves() {
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

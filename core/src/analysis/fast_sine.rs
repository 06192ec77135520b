//! The frequency of a wave with so few samples a period that it does not match itself between one period and the next.

use core::f64::consts::TAU;

use super::SineFit;

/// A wave with more samples a period is found by its match with itself.
pub(super) const MAX_SAMPLES: f64 = 4.0;

/// How many samples the first fit is over.
const FIRST: usize = 32;

/// Over how many times as many samples the next fit is.
const LONGER: usize = 8;

/// The share of the power of the samples that a sine must explain: of a square's its fundamental has 0.81.
const MIN_EXPLAINED: f64 = 0.7;

/// The period in samples of the sine that a series mostly is, if it has at most [`MAX_SAMPLES`].
pub(super) fn period_samples(steps: &[i16]) -> Option<f64> {
    let mut frequency = predicted(steps)?;
    let mut length = FIRST.min(steps.len());
    loop {
        let part = steps.get(..length)?;
        let fit = SineFit::of(part.iter().map(|&step| f64::from(step)), frequency)?;
        let power = 0.5 * fit.amplitude * fit.amplitude;
        if power < MIN_EXPLAINED * (power + fit.residual_power) {
            return None;
        }
        frequency = fit.frequency;
        if length == steps.len() {
            break;
        }
        length = length.saturating_mul(LONGER).min(steps.len());
    }
    (frequency * MAX_SAMPLES >= 1.0).then(|| 1.0 / frequency)
}

/// The frequency of a sine in periods a sample, by how each sample follows from the two beside it: their sum is twice the
/// cosine of the turn between two samples times it.
fn predicted(steps: &[i16]) -> Option<f64> {
    let part = steps.get(..FIRST)?;
    let mean = part.iter().map(|&step| f64::from(step)).sum::<f64>() / part.len() as f64;
    let (mut products, mut squares) = (0.0, 0.0);
    for around in part.windows(3) {
        if let &[before, here, after] = around {
            let here = f64::from(here) - mean;
            products += here * (f64::from(before) + f64::from(after) - 2.0 * mean);
            squares += here * here;
        }
    }
    let cosine = 0.5 * products / squares;
    (squares > 0.0 && cosine > -1.0 && cosine < 1.0).then(|| libm::acos(cosine) / TAU)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn steps(shape: impl Fn(f64) -> f64, period: f64, samples: u32) -> Vec<i16> {
        (0..samples).map(|index| (8000.0 * shape(f64::from(index) / period)) as i16).collect()
    }

    #[test]
    fn sines_near_half_of_the_sample_rate_are_found() {
        for period in [2.05, 2.2, 2.5, 2.743, 3.0, 3.9] {
            for samples in [100, 1000, 10_000] {
                let found = period_samples(&steps(|turn| (TAU * (turn + 0.1)).sin(), period, samples));
                assert!(
                    found.is_some_and(|found| (found / period - 1.0).abs() < 1e-4),
                    "{period}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_slow_or_no_sine_is_not() {
        assert_eq!(period_samples(&steps(|turn| (TAU * turn).sin(), 5.0, 1000)), None);
        assert_eq!(period_samples(&steps(|turn| f64::from(turn < 0.5), 20.0, 1000)), None);
        assert_eq!(period_samples(&[0; 100]), None);
        assert_eq!(period_samples(&[1, 2]), None);
        // A sequence without order.
        let mut state = 1_u32;
        let noise = (0..1000).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 18) as i16
        });
        assert_eq!(period_samples(&noise.collect::<Vec<i16>>()), None);
    }
}

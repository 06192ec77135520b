//! The few measurements that the experiments judge by.

/// A straight line through points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LinearFit {
    pub(super) gain: f64,
    pub(super) offset: f64,
    /// The greatest distance of a point from the line.
    pub(super) residual: f64,
}

impl LinearFit {
    /// The line of least squares; none through fewer than two different abscissas.
    pub(super) fn through(points: &[(f64, f64)]) -> Option<Self> {
        let count = points.len() as f64;
        let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / count;
        let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / count;
        let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        if spread.is_nan() || spread <= 0.0 {
            return None;
        }
        let gain = points.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum::<f64>() / spread;
        let offset = mean_y - gain * mean_x;
        let residual = points.iter().map(|(x, y)| (y - gain * x - offset).abs()).fold(0.0, f64::max);
        Some(Self { gain, offset, residual })
    }
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The lowest and the highest value.
pub(super) fn extremes(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)))
}

/// The indices of the samples that are the first at or above a level.
pub(super) fn rises(values: &[f64], level: f64) -> Vec<usize> {
    let pairs = values.windows(2).enumerate();
    pairs
        .filter(|(_, pair)| matches!(pair, [before, after] if *before < level && *after >= level))
        .map(|(index, _)| index + 1)
        .collect()
}

/// The indices of the samples that lie further than `step` from the one before.
pub(super) fn jumps(values: &[f64], step: f64) -> Vec<usize> {
    let pairs = values.windows(2).enumerate();
    pairs
        .filter(|(_, pair)| matches!(pair, [before, after] if (after - before).abs() > step))
        .map(|(index, _)| index + 1)
        .collect()
}

/// The frequency of a signal that rises through a level, in hertz; none with fewer than three rises.
pub(super) fn frequency_hz(values: &[f64], level: f64, period_s: f64) -> Option<f64> {
    let rises = rises(values, level);
    let (first, last) = (*rises.first()?, *rises.last()?);
    let periods = rises.len().checked_sub(1).filter(|periods| *periods >= 2)?;
    Some(periods as f64 / ((last - first) as f64 * period_s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_is_found_with_its_residual() {
        let line = LinearFit::through(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]).unwrap();
        assert!((line.gain - 2.0).abs() < 1e-12 && (line.offset - 1.0).abs() < 1e-12);
        assert!(line.residual < 1e-12);
        // The mean of 0 and 1 misses both by a half.
        assert_eq!(LinearFit::through(&[(0.0, 0.0), (0.0, 1.0)]), None);
        assert_eq!(
            LinearFit::through(&[(0.0, 0.0), (1.0, 3.0), (2.0, 0.0)]).map(|line| line.residual),
            Some(2.0)
        );
    }

    #[test]
    fn edges_jumps_and_frequency() {
        let square: Vec<f64> = (0..40).map(|n| f64::from(u8::from(n % 10 >= 5))).collect();
        assert_eq!(rises(&square, 0.5), [5, 15, 25, 35]);
        assert_eq!(jumps(&square, 0.5), [5, 10, 15, 20, 25, 30, 35]);
        assert_eq!(frequency_hz(&square, 0.5, 1e-3), Some(100.0));
        assert_eq!(frequency_hz(&square[..20], 0.5, 1e-3), None);
    }
}

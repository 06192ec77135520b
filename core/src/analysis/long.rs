//! Series that are longer than the memory to analyse them.

use super::levels::Levels;
use super::period::MIN_EXPLAINED;
use super::{
    Analysis, EdgeMeasurements, ScratchTooShort, Series, Shape, SineFit, Wave, measured, scratch_length,
};
use crate::trace::SampleTimes;

/// Over how many times its length a sine is fitted next: the one before is right to a small part of a period over that.
const LONGER: usize = 8;

/// Two frequencies so close are the same, seen in two ways.
const SAME_FREQUENCY: f64 = 0.02;

/// A wave that is slower than what was looked at first reaches so much of the distance between base and top: less is
/// what averaging leaves of a fast one.
const MIN_HEIGHT: f64 = 0.5;

/// Measures a series of any length, as [`analyse`](super::analyse) does, in memory that does not grow with it: it is
/// gone through some twenty times.
///
/// Levels, edges and transition times are those of all samples. A wave is looked for in as many of the first samples as
/// `part` holds, then, where there is none, in averages over the whole series: shape and `shape_error` are those of what
/// it was found in, amplitude and offset as well, but for a sine, which is fitted to all samples. The frequency is that of
/// all edges or of the fitted sine, where there is one of them, and the count goes on to the end of the series; a wave that begins later than the part that was
/// looked at is not found, unless it is a square or as slow as that.
///
/// Afterwards `part` holds the samples that belong to the wave, or averages of several, for
/// [`Wave::average`]: their times are given, and how many there are. What `scratch` holds means nothing.
///
/// # Errors
///
/// [`ScratchTooShort`] if `scratch` is shorter than [`scratch_length`] of the length of `part`.
pub fn analyse_long<S: Series + ?Sized>(
    series: &S,
    times: SampleTimes,
    part: &mut [f32],
    scratch: &mut [i16],
) -> Result<(Analysis, Part), ScratchTooShort> {
    let needed = scratch_length(part.len());
    if scratch.len() < needed {
        return Err(ScratchTooShort { given: scratch.len(), needed });
    }
    let mut held = Part::fill(part, series, times, 1, None);
    let all = stride_of_all(series.len(), part.len());
    let analysis = measured(series, times, |levels, edges| {
        let first = Wave::of(held.of(part), held.times, levels, edges, scratch);
        if let Some(first) = first {
            return over_all(first, series, times, levels, edges, held.samples);
        }
        if !levels.are_two() {
            return None;
        }
        held = Part::fill(part, series, times, all, Some(levels));
        let slow = Wave::of(held.of(part), held.times, levels, edges, scratch)?;
        let is_slow = slow.period_s >= 0.5 * part.len() as f64 * times.period_s;
        let is_high = 2.0 * slow.amplitude >= MIN_HEIGHT * (levels.top - levels.base);
        (is_slow && is_high).then(|| Wave { count: count(&slow, series.len(), times), ..slow })
    });
    let is_slow = |wave: Wave| wave.period_s >= 0.5 * part.len() as f64 * times.period_s;
    let stride = if analysis.wave.is_some_and(is_slow) { all } else { 1 };
    if stride != held.stride {
        held = Part::fill(part, series, times, stride, analysis.levels.as_ref());
    }
    Ok((analysis, held))
}

/// What the memory of the caller holds of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// When they were taken.
    pub times: SampleTimes,
    /// How many samples or averages there are.
    pub samples: usize,
    /// Each is the mean of so many samples of the series.
    pub stride: usize,
}

impl Part {
    /// Takes the first samples, or averages over so many; wild ones are brought to the extremes of the others.
    fn fill<S: Series + ?Sized>(
        part: &mut [f32],
        series: &S,
        times: SampleTimes,
        stride: usize,
        levels: Option<&Levels>,
    ) -> Self {
        let mut values = series.all().map(|sample| match levels {
            Some(levels) if levels.is_wild(sample) => {
                f64::from(sample).max(levels.low).min(levels.high) as f32
            }
            _ => sample,
        });
        let mut samples = 0;
        for place in part.iter_mut().take(series.len() / stride.max(1)) {
            let (mut sum, mut count) = (0.0, 0_u32);
            for sample in values.by_ref().take(stride) {
                sum += f64::from(sample);
                count += 1;
            }
            *place = if stride == 1 { sum as f32 } else { (sum / f64::from(count.max(1))) as f32 };
            samples += 1;
        }
        let start_s = times.start_s + 0.5 * (stride as f64 - 1.0) * times.period_s;
        let times = SampleTimes { start_s, period_s: stride as f64 * times.period_s };
        Self { times, samples, stride }
    }

    /// The samples of it.
    #[must_use]
    pub fn of<'p>(&self, part: &'p [f32]) -> &'p [f32] {
        part.get(..self.samples).unwrap_or_default()
    }
}

/// How many samples are averaged for all of a series to fit into so many.
fn stride_of_all(samples: usize, part: usize) -> usize {
    samples.div_ceil(part.max(1)).max(1)
}

/// A wave of the first samples, with the frequency and number of periods of the whole series. `None` for a sine that does
/// not go on: as where all samples are in memory, what explains too little of them is no wave of theirs.
fn over_all<S: Series + ?Sized>(
    mut wave: Wave,
    series: &S,
    times: SampleTimes,
    levels: &Levels,
    edges: &EdgeMeasurements,
    first: usize,
) -> Option<Wave> {
    // It was found in all of it.
    if first >= series.len() {
        return Some(wave);
    }
    let fit = (wave.shape == Shape::Sine)
        .then(|| fitted_sine(series, levels, wave.frequency_hz * times.period_s, first));
    if let Some(fit) = fit.flatten() {
        let explained = 0.5 * fit.amplitude * fit.amplitude;
        if explained < MIN_EXPLAINED * (explained + fit.residual_power) {
            return None;
        }
        wave.frequency_hz = fit.frequency / times.period_s;
        (wave.amplitude, wave.offset) = (fit.amplitude, fit.offset);
    } else {
        let is_same = |by_edges_hz: &f64| (by_edges_hz / wave.frequency_hz - 1.0).abs() < SAME_FREQUENCY;
        wave.frequency_hz = edges.frequency_hz.filter(is_same).unwrap_or(wave.frequency_hz);
    }
    wave.period_s = 1.0 / wave.frequency_hz;
    wave.count = count(&wave, series.len(), times);
    Some(wave)
}

/// Whole periods from the wave's start to the end of so many samples: the last one stands for a whole sample period.
fn count(wave: &Wave, samples: usize, times: SampleTimes) -> usize {
    let end_s = times.start_s + samples as f64 * times.period_s;
    ((end_s - wave.start_s) / wave.period_s) as usize
}

/// The sine that fits all samples best, of a frequency in periods a sample that is known by the first so many. `None` if
/// it does not go on so.
fn fitted_sine<S: Series + ?Sized>(
    series: &S,
    levels: &Levels,
    frequency: f64,
    first: usize,
) -> Option<SineFit> {
    let (low, high) = (levels.low, levels.high);
    let mut fit: Option<SineFit> = None;
    let mut length = first.max(1);
    while length < series.len() {
        length = length.saturating_mul(LONGER).min(series.len());
        let values = series.values(0..length).map(|sample| f64::from(sample).max(low).min(high));
        fit = Some(SineFit::of(values, fit.map_or(frequency, |fit| fit.frequency))?);
    }
    fit
}

#[cfg(test)]
mod tests {
    use super::super::analyse;
    use super::super::tests::normal;
    use super::*;
    use std::vec;
    use std::vec::Vec;

    const TIMES: SampleTimes = SampleTimes { start_s: -1e-3, period_s: 1e-6 };

    /// What the whole shows in memory, and what it shows through a part.
    fn both(samples: &[f32], part: usize) -> (Analysis, Analysis, Part) {
        let whole = analyse(samples, TIMES, &mut vec![0; scratch_length(samples.len())]).unwrap();
        let mut memory = vec![0.0; part];
        let mut scratch = vec![0; scratch_length(part)];
        let (long, held) = analyse_long(samples, TIMES, &mut memory, &mut scratch).unwrap();
        (whole, long, held)
    }

    fn series(samples: usize, period: f64, shape: impl Fn(f64) -> f64) -> Vec<f32> {
        let mut noise = normal();
        let turn = |index: usize| (index as f64 / period + 0.3).fract();
        (0..samples).map(|index| (1.5 + shape(turn(index)) + 0.01 * noise()) as f32).collect()
    }

    fn sine(turn: f64) -> f64 {
        (core::f64::consts::TAU * turn).sin()
    }

    fn triangle(turn: f64) -> f64 {
        1.0 - 4.0 * (turn - 0.5).abs()
    }

    fn square(turn: f64) -> f64 {
        if turn < 0.4 { 1.0 } else { -1.0 }
    }

    fn trapezium(turn: f64) -> f64 {
        (4.0 * triangle(turn)).clamp(-1.0, 1.0)
    }

    /// Of fast and of slow waves of each kind a part shows what the whole does.
    #[test]
    fn a_part_of_the_memory_shows_the_same() {
        let shapes: [fn(f64) -> f64; 4] = [sine, triangle, square, trapezium];
        for (number, shape) in shapes.into_iter().enumerate() {
            for period in [61.3, 700.7, 15_300.0] {
                let mut samples = series(40_000, period, shape);
                samples[7] = 40.0;
                let (whole, long, held) = both(&samples, 4096);
                let context = std::format!("{number} of {period}: {whole:?}\n{long:?}");
                assert_eq!(long.edges, whole.edges, "{context}");
                let (expected, wave) = (whole.wave.unwrap(), long.wave.unwrap());
                assert_eq!((held.stride > 1, held.samples <= 4096), (period > 4000.0, true), "{context}");
                assert_eq!(
                    core::mem::discriminant(&wave.shape),
                    core::mem::discriminant(&expected.shape),
                    "{context}"
                );
                let off = wave.frequency_hz / expected.frequency_hz - 1.0;
                assert!(off.abs() < 2e-5 * (period / 61.3).sqrt().max(1.0), "{off}: {context}");
                assert_eq!(wave.count, expected.count, "{context}");
                assert!((wave.start_s - expected.start_s).abs() < 0.02 * expected.period_s, "{context}");
                assert!((wave.amplitude / expected.amplitude - 1.0).abs() < 0.01, "{context}");
                let (levels, of_whole) = (long.levels.unwrap(), whole.levels.unwrap());
                assert_eq!(
                    (levels.mean, levels.rms, levels.max),
                    (of_whole.mean, of_whole.rms, of_whole.max)
                );
                assert!((levels.top - of_whole.top).abs() < 0.02, "{context}");
                assert_eq!((levels.outliers, levels.noise), (1, of_whole.noise));
            }
        }
    }

    #[test]
    fn what_averaging_leaves_of_a_burst_is_no_wave() {
        // Nothing in the part that is looked at, then a fast sine that stops again: averaged, it is a ripple.
        let mut samples = series(40_000, 16.07, sine);
        samples[..8000].fill(1.5);
        samples[30_000..].fill(1.5);
        let (_, long, _) = both(&samples, 4096);
        assert_eq!(long.wave, None, "{long:?}");
        assert!(long.edges.rising > 1000);
    }

    #[test]
    fn sine_that_stops_is_a_wave_no_more_than_in_memory() {
        let mut samples = series(40_000, 50.3, sine);
        samples[20_000..].fill(1.5);
        let (whole, long, _) = both(&samples, 4096);
        assert_eq!((whole.wave, long.wave), (None, None), "{long:?}");
    }

    #[test]
    fn what_is_constant_or_no_number_has_no_wave() {
        let (whole, long, _) = both(&vec![1.0; 10_000], 1000);
        assert_eq!((long, long.wave), (whole, None));
        let mut samples = series(10_000, 61.3, sine);
        samples[9999] = f32::NAN;
        let (_, long, held) = both(&samples, 1000);
        assert_eq!((long, held.samples), (Analysis::default(), 1000));
        assert_eq!(both(&[], 1000).1, Analysis::default());
        let short = analyse_long(&samples[..], TIMES, &mut [0.0; 100], &mut [0; 100]);
        assert_eq!(short, Err(ScratchTooShort { given: 100, needed: 200 }));
    }
}

//! The periodic wave in a series: period, single wave, shape.

use super::fast_sine;
use super::fold::{Fold, MAX_BINS, PhaseClock};
use super::period::{checked, period_samples, sawtooth_period_samples};
use super::phases::FewPhases;
use super::pyramid::Pyramid;
use super::shape::{self, Shape, ShapeMatch};
use super::sine_fit::SineFit;
use super::{EdgeMeasurements, Levels, Series, series_edges};
use crate::trace::SampleTimes;

/// The periodic wave in a series. Levels are in the unit of the samples, times in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Wave {
    /// The period: the shift at which the series first matches itself as well as at any, fitted to all samples.
    pub period_s: f64,
    /// One over the period.
    pub frequency_hz: f64,
    /// When the averaged wave first rises through the offset, on the time axis of the samples, less than a period
    /// after the first of them.
    pub start_s: f64,
    /// Whole periods from `start_s` to the end of the series.
    pub count: usize,
    /// The shape; unknown if no known one is within 2.5 % of the peak to peak beyond what noise explains, or fewer
    /// than eight different phases were sampled. Five and seven phases show a sine (within 1.25 %), five and more a
    /// square; of six, as of four and fewer, a triangle or a square can be a sine exactly.
    pub shape: Shape,
    /// The RMS of the distances between the averaged wave and the nearest shape, as a fraction of the averaged wave's
    /// peak to peak; also where that is too far and the shape unknown. `None` if no shape spans half of the wave, or
    /// there were too few phases to compare.
    pub shape_error: Option<f64>,
    pub(super) amplitude: f64,
    pub(super) offset: f64,
    /// The noise by what the wave leaves of the samples, where that shows it.
    pub(super) noise: Option<f64>,
    pub(super) phases: Option<FewPhases>,
}

/// The series must be so many times as long as the period of a square that is known by its edges.
const MIN_PERIODS_OF_SQUARE: f64 = 1.5;

/// The fewest samples a period of a wave whose rise time is seen: a sine rises from 10 % to 90 % in 0.3 of its period.
pub(super) const MIN_SAMPLES_WITH_EDGES: f64 = 6.5;

/// A square has a sample on the slope of each of its edges, if a period has so many samples. Of fewer, a sine or a triangle
/// can be sampled at two levels and half way between them.
const MIN_SAMPLES_WITH_SLOPES: f64 = 8.0;

/// The part of the samples of a square that may lie off both levels, besides those on the slopes of its edges.
const MAX_OFF_LEVELS: f64 = 0.02;

/// How far from a level, as a fraction of their distance, a sample lies on it: so far, or as far as noise of four
/// standard deviations.
const ON_LEVEL: f64 = 0.06;

/// Noise as large as that hides whether there are two levels.
const MAX_ON_LEVEL: f64 = 0.3;

/// What rounding to whole steps adds to the variance, in squared steps.
const STEP_VARIANCE: f64 = 1.0 / 12.0;

/// Two frequencies so close are the same, seen in two ways.
const SAME_FREQUENCY: f64 = 0.02;

/// The fewest periods of edges that refute a wave of another frequency.
const MIN_WITNESSES: usize = 3;

impl Wave {
    /// Half the peak to peak of the shape that fits the averaged wave best; of the averaged wave itself if its shape
    /// is unknown, and then `None` if it was sampled at fewer than 16 phases.
    #[must_use]
    pub fn amplitude(&self) -> Option<f64> {
        (self.shape != Shape::Unknown || self.phases.is_none_or(FewPhases::show_levels))
            .then_some(self.amplitude)
    }

    /// The middle between the extremes of that shape. It is not the mean: that of a square depends on its duty. `None`
    /// where the amplitude is, and of a sawtooth that was sampled at fewer than 16 phases, which jumps anywhere between
    /// two of them.
    #[must_use]
    pub fn offset(&self) -> Option<f64> {
        let jumps = matches!(self.shape, Shape::Sawtooth { .. });
        let is_known = !jumps || self.phases.is_none_or(FewPhases::show_levels);
        self.amplitude().filter(|_| is_known).map(|_| self.offset)
    }

    /// Whether all samples fall on few phases of it.
    pub(super) fn has_few_phases(&self) -> bool {
        self.phases.is_some()
    }

    /// Whether two levels are its own, and not two at which a sine happens to be sampled.
    pub(super) fn has_squares(&self) -> bool {
        self.phases.is_none_or(FewPhases::show_squares)
    }

    /// Whether edges have its frequency.
    pub(super) fn is_of(&self, edges: &EdgeMeasurements) -> bool {
        let is_same = |by_edges_hz: f64| (by_edges_hz / self.frequency_hz - 1.0).abs() < SAME_FREQUENCY;
        edges.frequency_hz.is_some_and(is_same)
    }

    /// The base and top of a shape that passes through its extremes and does not stay there.
    pub(super) fn base_and_top(&self) -> Option<(f64, f64)> {
        let is_known = matches!(self.shape, Shape::Sine | Shape::Triangle | Shape::Sawtooth { .. });
        is_known.then_some((self.offset - self.amplitude, self.offset + self.amplitude))
    }

    /// The square of a period that is known by its edges, if nearly all samples lie on two levels.
    pub(super) fn by_edges<S: Series + ?Sized>(
        samples: &S,
        times: SampleTimes,
        levels: &Levels,
        edges: &EdgeMeasurements,
    ) -> Option<Self> {
        let period = 1.0 / (edges.frequency_hz? * times.period_s);
        Self::square(samples, times, levels, edges, period)
    }

    /// Looks for the period of what is no such square. `None` if there is none that repeats nearly twice.
    pub(super) fn of(
        samples: &[f32],
        times: SampleTimes,
        levels: &Levels,
        edges: &EdgeMeasurements,
        scratch: &mut [i16],
    ) -> Option<Self> {
        let by_edges = edges.frequency_hz.map(|frequency_hz| 1.0 / (frequency_hz * times.period_s));
        let pyramid = Pyramid::new(samples, levels, scratch)?;
        let found = if levels.are_two() { period_samples(&pyramid) } else { None };
        // Edges that come regularly have the period of the wave, unless it has several of them.
        let refuted = |period: f64| {
            edges.rising.max(edges.falling) > MIN_WITNESSES
                && by_edges.is_some_and(|by_edges| (by_edges / period - 1.0).abs() > SAME_FREQUENCY)
        };
        // Few phases of two levels, with all edges between them, may be those of a faster wave of which some are missed, but
        // need not.
        let has_few = |period: f64| FewPhases::of(samples.len(), period).is_some();
        let is_theirs = levels.are_all() && found.is_some_and(has_few);
        let fast = if is_theirs { None } else { fast_sine::find(pyramid.level(0), found) };
        let edges_are_sure = by_edges.is_some_and(|by_edges| by_edges >= MIN_SAMPLES_WITH_EDGES);
        if let Some(fast) = fast.filter(|fast| fast.is_sure || !(edges_are_sure && refuted(fast.period))) {
            return Self::folded(&pyramid, times, edges, fast.period);
        }
        let by_edges = || by_edges.and_then(|period| checked(&pyramid, period));
        let period = match found {
            Some(period) if !refuted(period) => period,
            Some(period) => by_edges().unwrap_or(period),
            None => by_edges()?,
        };
        Self::folded(&pyramid, times, edges, period)
    }

    /// The wave of a period: its shape, and the period anew by what that shape shows best.
    fn folded(
        pyramid: &Pyramid<'_>,
        times: SampleTimes,
        edges: &EdgeMeasurements,
        mut period: f64,
    ) -> Option<Self> {
        let steps = pyramid.level(0);
        let phases = FewPhases::of(steps.len(), period);
        let folded = |period: f64| shape_of(steps, period, phases);
        let mut matched = folded(period)?;
        let mut noise = phases.filter(|phases| phases.show_noise()).and_then(|_| scatter(steps, period));
        match matched.shape {
            Shape::Sawtooth { rising } => {
                let jump = if rising { matched.rise + 0.5 } else { matched.rise };
                period = sawtooth_period_samples(steps, period, jump);
                matched = folded(period)?;
            }
            Shape::Sine => {
                if let Some(fit) = fitted_sine(pyramid, period) {
                    if Pyramid::level_of_period(period) == 0 {
                        let left = fit.residual_power - STEP_VARIANCE;
                        noise = Some(left.max(0.0).min(noise.unwrap_or(f64::INFINITY)));
                    }
                    period = 1.0 / fit.frequency;
                    matched.rise = 1.0 - fit.phase;
                    matched.rise -= libm::floor(matched.rise);
                    (matched.amplitude, matched.offset) = (fit.amplitude, fit.offset);
                }
            }
            Shape::Square { .. } => {
                let by_edges = edges.frequency_hz.map(|frequency_hz| 1.0 / (frequency_hz * times.period_s));
                let same = by_edges.filter(|by_edges| (by_edges / period - 1.0).abs() < SAME_FREQUENCY);
                if let Some(by_edges) = same {
                    period = by_edges;
                    matched = folded(period)?;
                }
            }
            _ => {}
        }
        let period_s = period * times.period_s;
        let start = matched.rise * period;
        let wave = Self {
            period_s,
            frequency_hz: 1.0 / period_s,
            amplitude: pyramid.difference(matched.amplitude),
            offset: pyramid.value(matched.offset),
            start_s: times.time_s(0) + start * times.period_s,
            // The last sample stands for a whole sample period.
            count: ((steps.len() as f64 - start) / period) as usize,
            shape: matched.shape,
            shape_error: matched.error,
            noise: noise.map(|variance| pyramid.difference(libm::sqrt(variance))),
            phases,
        };
        (period_s > 0.0 && wave.frequency_hz.is_finite() && wave.start_s.is_finite()).then_some(wave)
    }

    fn square<S: Series + ?Sized>(
        samples: &S,
        times: SampleTimes,
        levels: &Levels,
        edges: &EdgeMeasurements,
        period: f64,
    ) -> Option<Self> {
        let duty = edges.duty?;
        let phases = FewPhases::of(samples.len(), period);
        if !phases.is_none_or(FewPhases::show_squares) {
            return None;
        }
        let reach = (4.0 * levels.relative_noise()).max(ON_LEVEL);
        if !levels.dwells || samples.len() as f64 <= MIN_PERIODS_OF_SQUARE * period {
            return None;
        }
        let height = levels.top - levels.base;
        let reach = height * if reach < MAX_ON_LEVEL { reach } else { ON_LEVEL };
        let (mut between, mut beyond) = (0_usize, 0_usize);
        let (mut squares, mut on) = (0.0, 0_usize);
        for sample in samples.all().map(f64::from) {
            let distance = (sample - levels.base).abs().min((sample - levels.top).abs());
            if distance <= reach {
                squares += distance * distance;
                on += 1;
            } else if (levels.base..levels.top).contains(&sample) {
                between += 1;
            } else {
                beyond += 1;
            }
        }
        let slopes = if period < MIN_SAMPLES_WITH_SLOPES { 0 } else { edges.rising + edges.falling };
        // Of a narrow pulse, few samples are nearly all.
        let above = samples.all().filter(|&sample| f64::from(sample) > levels.at(0.5)).count();
        let rarer = above.min(samples.len() - above);
        let few = levels.outliers + ((MAX_OFF_LEVELS * samples.len() as f64) as usize).min(rarer / 8);
        // Noise so great that its four standard deviations are the reach leaves a quarter of that; what leaves more bends.
        let is_bent = reach > ON_LEVEL * height && 9.0 * squares > on as f64 * reach * reach;
        if between > slopes + few || beyond > few || is_bent {
            return None;
        }
        let rise = series_edges(samples, levels).find(|edge| edge.rising)?.position;
        // The first rise may lie before the first edge that is seen whole.
        let start = rise - period * libm::floor(rise / period);
        let period_s = period * times.period_s;
        Some(Self {
            period_s,
            frequency_hz: 1.0 / period_s,
            amplitude: 0.5 * height,
            offset: f64::midpoint(levels.base, levels.top),
            start_s: times.time_s(0) + start * times.period_s,
            count: ((samples.len() as f64 - start) / period) as usize,
            shape: Shape::Square { duty },
            shape_error: (on > 0).then(|| libm::sqrt(squares / on as f64) / height),
            noise: (on > 0).then(|| libm::sqrt(squares / on as f64)),
            phases,
        })
    }

    /// Fills `wave` with the averaged wave from `start_s` on: point k is the mean of all samples whose phase lies
    /// between k and k + 1 lengths of `wave`, on a straight line between its neighbours if there is none. `samples`
    /// and `times` are those that were analysed. The cost is that of one pass over the samples plus one step a point
    /// and period. Gives whether any sample was averaged.
    pub fn average(&self, samples: &[f32], times: SampleTimes, wave: &mut [f32]) -> bool {
        let period = self.period_s / times.period_s;
        let start = (self.start_s - times.time_s(0)) / times.period_s;
        let part = period / wave.len() as f64;
        if !(period >= 1.0 && start.is_finite()) {
            return false;
        }
        let periods = (samples.len() as f64 / period) as usize + 1;
        for (index, point) in wave.iter_mut().enumerate() {
            let first = start - period + index as f64 * part;
            let (mut sum, mut count) = (0.0, 0_u32);
            for turn in 0..=periods {
                let from = first + turn as f64 * period;
                let range = libm::ceil(from.max(0.0)) as usize..libm::ceil((from + part).max(0.0)) as usize;
                let end = range.end.min(samples.len());
                for &sample in samples.get(range.start..end).unwrap_or_default() {
                    sum += f64::from(sample);
                    count += 1;
                }
            }
            *point = if count > 0 { (sum / f64::from(count)) as f32 } else { f32::NAN };
        }
        bridge_gaps(wave)
    }
}

/// The sine that fits a series best, of which a period is known nearly; amplitude and offset in steps.
fn fitted_sine(pyramid: &Pyramid<'_>, period: f64) -> Option<SineFit> {
    let level = Pyramid::level_of_period(period);
    let samples = Pyramid::samples_per_average(level);
    let averages = pyramid.level(level).iter().map(|&steps| f64::from(steps));
    let fit = SineFit::of(averages, samples / period)?;
    let frequency = fit.frequency / samples;
    // An average over part of a period is lower, and stands for the middle of its samples. Halving rounds down.
    let turn = core::f64::consts::PI * frequency;
    let lowered = libm::sin(turn * samples) / (samples * libm::sin(turn));
    let phase = fit.phase - 0.5 * (samples - 1.0) * frequency;
    Some(SineFit {
        frequency,
        amplitude: fit.amplitude / lowered,
        offset: fit.offset + 0.25 * f64::from(level),
        phase: phase - libm::floor(phase),
        ..fit
    })
}

/// The shape of a series of a period. It is no part of its caller, so that one fold is in memory at a time.
#[inline(never)]
fn shape_of(steps: &[i16], period: f64, phases: Option<FewPhases>) -> Option<ShapeMatch> {
    shape::matched(&Fold::new(steps, PhaseClock::new(period), parts(steps.len())), phases)
}

/// The variance of the samples of nearly the same phase. It is no part of its caller, for the same reason.
#[inline(never)]
fn scatter(steps: &[i16], period: f64) -> Option<f64> {
    Fold::new(steps, PhaseClock::new(period), MAX_BINS).variance()
}

/// Parts of the period for a series of so many samples: some eight samples a part.
fn parts(samples: usize) -> usize {
    (samples / 8).clamp(16, MAX_BINS)
}

/// Replaces each run of NaN by the line between its neighbours around the period; false if all is NaN.
fn bridge_gaps(wave: &mut [f32]) -> bool {
    let length = wave.len();
    let Some(known) = wave.iter().position(|point| !point.is_nan()) else { return false };
    let mut before = (known, wave.get(known).copied().unwrap_or_default());
    for place in known + 1..=known + length {
        let here = wave.get(place % length).copied().unwrap_or_default();
        if here.is_nan() {
            continue;
        }
        // The difference of two samples may exceed what a sample can be.
        let (gap, from, to) = ((place - before.0) as f64, f64::from(before.1), f64::from(here));
        for inside in before.0 + 1..place {
            if let Some(point) = wave.get_mut(inside % length) {
                *point = (from + (to - from) * (inside - before.0) as f64 / gap) as f32;
            }
        }
        before = (place, here);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::scratch_length;
    use std::vec;
    use std::vec::Vec;

    const TIMES: SampleTimes = SampleTimes { start_s: 1e-6, period_s: 2e-6 };

    fn wave(samples: &[f32]) -> Option<Wave> {
        let levels = Levels::of(samples)?;
        let edges = EdgeMeasurements::of(series_edges(samples, &levels), TIMES.period_s);
        let other = || Wave::of(samples, TIMES, &levels, &edges, &mut vec![0; scratch_length(samples.len())]);
        Wave::by_edges(samples, TIMES, &levels, &edges).or_else(other)
    }

    #[test]
    fn square_on_the_channels_time_axis() {
        // Rises between samples 29 and 30, 129 and 130..: 9.705 periods of 100 samples follow.
        let samples: Vec<f32> = (0..1000).map(|i| if (i + 70) % 100 < 40 { 3.0 } else { 1.0 }).collect();
        let wave = wave(&samples).unwrap();
        assert!((wave.period_s - 200e-6).abs() < 1e-8);
        assert!((wave.start_s - (1e-6 + 29.5 * 2e-6)).abs() < 1e-6, "{wave:?}");
        assert_eq!(wave.count, 9);
        assert!((wave.amplitude - 1.0).abs() < 1e-3 && (wave.offset - 2.0).abs() < 1e-3);
        let Shape::Square { duty } = wave.shape else { panic!("{wave:?}") };
        assert!((duty - 0.4).abs() < 0.01);
    }

    #[test]
    fn averaged_wave_is_one_period() {
        let sine = |turn: f64| (core::f64::consts::TAU * turn).sin();
        let samples: Vec<f32> = (0..1000).map(|i| sine(f64::from(i) / 81.3 + 0.4) as f32).collect();
        let mut average = [0.0; 50];
        assert!(wave(&samples).unwrap().average(&samples, TIMES, &mut average));
        for (index, point) in average.iter().enumerate() {
            // The mean over a 50th of a period is that of its middle.
            assert!((f64::from(*point) - sine((index as f64 + 0.5) / 50.0)).abs() < 0.02, "{index}: {point}");
        }
    }

    #[test]
    fn empty_points_are_interpolated() {
        // Four samples a period, all at the same phases: five of eight points are not sampled.
        let samples: Vec<f32> = (0..80).map(|i| [0.0, 1.0, 2.0, 1.0][i % 4]).collect();
        let wave = Wave {
            period_s: 4.0,
            frequency_hz: 0.25,
            amplitude: 1.0,
            offset: 1.0,
            start_s: 0.0,
            count: 20,
            shape: Shape::Triangle,
            noise: None,
            phases: None,
            shape_error: None,
        };
        let mut average = [0.0; 8];
        assert!(wave.average(&samples, SampleTimes { start_s: 0.0, period_s: 1.0 }, &mut average));
        assert_eq!(average, [0.0, 0.5, 1.0, 1.5, 2.0, 1.5, 1.0, 0.5]);
        let far = [f32::MIN, f32::MAX, f32::MIN, f32::MAX];
        assert!(wave.average(&far, SampleTimes { start_s: 0.0, period_s: 1.0 }, &mut average));
        assert_eq!(average[1], 0.0);
        assert!(average.iter().all(|point| point.is_finite()));
        assert!(!wave.average(&[], TIMES, &mut average));
        assert!(!wave.average(&samples, TIMES, &mut []));
    }

    #[test]
    fn unsupported_series_have_no_wave() {
        let sine = |period: f64, samples: u32| -> Vec<f32> {
            (0..samples).map(|i| (core::f64::consts::TAU * f64::from(i) / period).sin() as f32).collect()
        };
        assert!(wave(&sine(100.0, 300)).is_some());
        // Fewer than two periods, a constant, too few samples, a sample that is no number.
        assert_eq!(wave(&sine(100.0, 180)), None);
        assert_eq!(wave(&[2.5; 500]), None);
        assert_eq!(wave(&[0.0, 1.0, 0.0]), None);
        let mut broken = sine(100.0, 300);
        broken[150] = f32::NAN;
        assert_eq!(wave(&broken), None);
    }

    #[test]
    fn few_phases_have_an_unknown_shape() {
        let samples: Vec<f32> = (0..400).map(|i| [0.0, 1.0, 0.0, -1.0][i % 4]).collect();
        let wave = wave(&samples).unwrap();
        assert!((wave.period_s / TIMES.period_s - 4.0).abs() < 1e-6);
        assert_eq!((wave.shape, wave.shape_error), (Shape::Unknown, None));
    }
}

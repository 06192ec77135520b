//! What a captured series shows: levels, edges, transition times, and the periodic wave with its shape.
//!
//! [`analyse`] measures one series of samples, [`analyse_long`] one that is not held in memory; [`ChannelDelay`] compares
//! two channels; [`EdgeMeasurements`] counts the edges of a logic line; [`leaves_band`] compares values of a trace with what is
//! expected of them, without a copy of its samples. What a series does not support is `None` or unknown, never a guess: each value documents
//! when. Spectra are the host's; protocols are left to programs that read the captured files.
//!
//! Sums run in double precision or in whole numbers, so that long series do not drift. Nothing is allocated: the
//! search for the period works in memory of the caller, [`scratch_length`] long. The work grows with the number of
//! samples, not with its square.
//!
//! ```
//! use scopething_core::analysis::{Shape, analyse, scratch_length};
//! use scopething_core::trace::SampleTimes;
//!
//! // Ten periods of 1 kHz, 2.5 V high for a quarter of the time.
//! let samples: Vec<f32> = (0..1000).map(|i| if i % 100 < 25 { 2.5 } else { 0.0 }).collect();
//! let times = SampleTimes { start_s: 0.0, period_s: 10e-6 };
//! let analysis = analyse(&samples, times, &mut vec![0; scratch_length(samples.len())])?;
//! let levels = analysis.levels.ok_or("all samples are numbers")?;
//! assert_eq!((levels.base(), levels.top()), (Some(0.0), Some(2.5)));
//! let wave = analysis.wave.ok_or("it repeats")?;
//! assert!((wave.frequency_hz - 1000.0).abs() < 1.0);
//! let Shape::Square { duty } = wave.shape else { panic!("{wave:?}") };
//! assert!((duty - 0.25).abs() < 0.01);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod band;
mod drift;
mod edges;
mod fast_sine;
mod fold;
mod histogram;
mod levels;
mod long;
mod period;
mod phases;
mod pyramid;
mod self_match;
mod series;
mod shape;
mod sine_fit;
mod transition;
mod wave;

use core::fmt;

pub use band::{Band, Measure, Measured, leaves_band};
pub use edges::{
    ChannelDelay, DelayMeter, Edge, EdgeMeasurements, EdgeMeter, LogicEdges, TimedEdges, analog_edges,
    logic_edges, series_edges,
};
pub use levels::Levels;
pub use long::{Part, analyse_long};
pub use series::Series;
pub use shape::Shape;
pub use sine_fit::SineFit;
pub use transition::TransitionTimes;
pub use wave::Wave;

use edges::may_be_missed;
use wave::MIN_SAMPLES_WITH_EDGES;

use crate::trace::SampleTimes;

/// What one series of samples shows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Analysis {
    /// Mean, RMS, extremes, top and base. `None` if the series is empty or holds a sample that is not a finite number;
    /// all else is then unknown too.
    pub levels: Option<Levels>,
    /// Edges by crossing the middle between base and top, with the frequency and duty by them.
    pub edges: EdgeMeasurements,
    /// Whether the wave has so few samples a period that edges lie between them unseen: the counted ones are too few.
    pub edges_are_missed: bool,
    /// Rise and fall time.
    pub transitions: TransitionTimes,
    /// The periodic wave; `None` if the series does not repeat at least twice.
    pub wave: Option<Wave>,
}

impl Analysis {
    /// How many edges go up and how many down. `None` without levels, and where [edges are
    /// missed](Self::edges_are_missed).
    #[must_use]
    pub fn counted_edges(&self) -> Option<(usize, usize)> {
        let are_counted = self.levels.is_some() && !self.edges_are_missed;
        are_counted.then_some((self.edges.rising, self.edges.falling))
    }
}

/// A series that cannot be analysed for want of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ScratchTooShort {
    /// How many numbers were given.
    pub given: usize,
    /// How many the series needs: [`scratch_length`].
    pub needed: usize,
}

impl fmt::Display for ScratchTooShort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { given, needed } = self;
        write!(f, "{given} numbers of working memory are too few: give {needed}, or analyse fewer samples")
    }
}

impl core::error::Error for ScratchTooShort {}

/// How many 16-bit numbers of working memory [`analyse`] needs for so many samples.
#[must_use]
pub const fn scratch_length(samples: usize) -> usize {
    pyramid::length(samples)
}

/// Measures a series of samples, as from [`AnalogView::read_values`](crate::trace::AnalogView::read_values). The
/// content of `scratch` before and after means nothing.
///
/// # Errors
///
/// [`ScratchTooShort`] if `scratch` is shorter than [`scratch_length`].
pub fn analyse(
    samples: &[f32],
    times: SampleTimes,
    scratch: &mut [i16],
) -> Result<Analysis, ScratchTooShort> {
    let needed = scratch_length(samples.len());
    if scratch.len() < needed {
        return Err(ScratchTooShort { given: scratch.len(), needed });
    }
    let search = |levels: &Levels, edges: &EdgeMeasurements| Wave::of(samples, times, levels, edges, scratch);
    Ok(measured(samples, times, search))
}

/// Measures a series of which `search` looks for a wave that is no square with sharp edges.
fn measured<S: Series + ?Sized>(
    samples: &S,
    times: SampleTimes,
    search: impl FnOnce(&Levels, &EdgeMeasurements) -> Option<Wave>,
) -> Analysis {
    let Some(mut levels) = Levels::of_series(samples) else { return Analysis::default() };
    let mut edges = EdgeMeasurements::of(series_edges(samples, &levels), times.period_s);
    if edges.frequency_hz.is_none() && levels.flicker(samples, edges.rising) {
        levels = levels.as_one(levels.mean);
        edges = EdgeMeasurements::default();
    }
    let wave = Wave::by_edges(samples, times, &levels, &edges).or_else(|| search(&levels, &edges));
    let by_edges = samples.len() as f64 / edges.rising.max(edges.falling) as f64;
    let samples_a_period = wave.map_or(by_edges, |wave| wave.period_s / times.period_s);
    let mut analysis = Analysis { levels: Some(levels), edges, wave, ..Analysis::default() };
    analysis.refine(samples, times, samples_a_period);
    analysis
}

impl Analysis {
    /// Measures anew what the wave shows better, and drops what so few samples a period do not show.
    fn refine<S: Series + ?Sized>(&mut self, samples: &S, times: SampleTimes, samples_a_period: f64) {
        let Self { levels: Some(levels), edges, edges_are_missed, transitions, wave } = self else { return };
        let is_fast = samples_a_period < MIN_SAMPLES_WITH_EDGES;
        if let Some(wave) = wave {
            let before = *levels;
            levels.refine(wave, samples_a_period);
            if levels.differ(&before) || wave.has_few_phases() || is_fast {
                *edges = EdgeMeasurements::of(series_edges(samples, levels), times.period_s);
            }
            // With few samples a period, none of them need lie beyond the hysteresis.
            *edges_are_missed = is_fast && !wave.is_of(edges);
        } else {
            levels.doubt(samples_a_period);
            *edges_are_missed = levels.is_restless() || may_be_missed(levels);
        }
        if levels.are_all() {
            levels.scatter_about_both(samples);
        }
        if *edges_are_missed {
            (edges.frequency_hz, edges.frequency_uncertainty_hz, edges.duty) = (None, None, None);
        }
        // A straight line between two samples of a fast wave crosses the middle elsewhere than the wave does.
        let is_bent = is_fast && wave.is_none_or(|wave| !matches!(wave.shape, Shape::Square { .. }));
        if levels.has_three() || !levels.are_known() || is_bent {
            edges.duty = None;
        }
        if !levels.has_three() && !is_fast {
            *transitions = TransitionTimes::of(samples, levels, times.period_s);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;
    use std::vec::Vec;

    const TIMES: SampleTimes = SampleTimes { start_s: 0.0, period_s: 1e-5 };

    fn analysed(sample: impl Fn(f64) -> f32) -> Analysis {
        let samples: Vec<f32> = (0..1000).map(|index| sample(f64::from(index))).collect();
        analyse(&samples, TIMES, &mut vec![0; scratch_length(samples.len())]).unwrap()
    }

    fn sine(period: f64) -> Analysis {
        analysed(|index| libm::sin(core::f64::consts::TAU * index / period + 0.3) as f32)
    }

    #[test]
    fn clean_sines_of_few_samples_a_period_have_their_levels() {
        for period in [2.2, 2.5, 3.5, 5.0, 5.37, 7.0, 10.0, 14.0] {
            let found = sine(period);
            let (levels, wave) = (found.levels.unwrap(), found.wave.unwrap());
            assert_eq!(wave.shape, Shape::Sine, "{period}: {wave:?}");
            assert!((wave.period_s / TIMES.period_s / period - 1.0).abs() < 1e-5, "{period}: {wave:?}");
            let near = |value: Option<f64>, expected: f64| {
                value.is_some_and(|value| (value - expected).abs() < 1e-3)
            };
            assert!(near(levels.top(), 1.0) && near(levels.base(), -1.0), "{period}: {levels:?}");
            assert!(near(wave.amplitude(), 1.0) && near(wave.offset(), 0.0), "{period}: {wave:?}");
            assert!(near(levels.noise(), 0.0) && levels.overshoot.is_none(), "{period}: {levels:?}");
        }
    }

    #[test]
    fn levels_between_too_few_phases_are_unknown() {
        let square = |period: f64| analysed(move |index| f32::from(u8::from(index % period < 0.5 * period)));
        for found in [sine(3.0), sine(4.0), sine(6.0), square(4.0)] {
            let (levels, wave) = (found.levels.unwrap(), found.wave.unwrap());
            assert_eq!((wave.shape, wave.amplitude(), wave.offset()), (Shape::Unknown, None, None));
            assert_eq!((levels.top(), levels.base(), levels.overshoot), (None, None, None));
            assert!(levels.noise().is_some_and(|noise| noise < 1e-3), "{levels:?}");
        }
    }

    #[test]
    fn the_fundamental_is_found_between_two_and_three_samples_a_period() {
        let saw = |turn: f64| turn - libm::floor(turn);
        for period in [2.2577, 2.4164, 2.7081, 2.8169, 3.1749] {
            for shape in [|saw: f64| saw as f32, |saw: f64| f32::from(u8::from(saw < 0.4))] {
                let found = analysed(|index| shape(saw(index / period + 0.3)));
                let wave = found.wave.unwrap();
                assert!((wave.period_s / TIMES.period_s / period - 1.0).abs() < 1e-3, "{period}: {wave:?}");
                // Either all edges are counted, or none.
                let periods = 1000.0 / period;
                let is_near = |(rising, _): (usize, usize)| (rising as f64 - periods).abs() < 2.0;
                assert!(found.counted_edges().is_none_or(is_near), "{period}: {found:?}");
            }
        }
    }

    #[test]
    fn a_fast_signal_that_does_not_repeat_is_no_noise() {
        // One of three samples is high, in any order: bits of a generator.
        let mut state = 1_u32;
        let mut high = Vec::new();
        for _ in 0..334 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            high.extend((0..3).map(|place| place == (state >> 16) % 3));
        }
        let found = analysed(|index| if high[index as usize] { 1.0 } else { -1.0 });
        assert_eq!((found.wave, found.levels.unwrap().noise()), (None, None), "{found:?}");
    }

    #[test]
    fn a_strong_harmonic_is_not_the_wave() {
        let sine = |turn: f64| libm::sin(core::f64::consts::TAU * turn);
        // A whole number of samples a period, at which folding over a third of it explains the samples as well.
        for period in [11.0, 17.0, 23.0, 29.0, 37.0, 61.0] {
            for turn in [0.0, 0.13, 0.4] {
                let found = analysed(|index| {
                    let turn = index / period + turn;
                    (sine(turn) + 2.0 * sine(3.0 * turn)) as f32
                });
                let wave = found.wave.unwrap();
                let off = wave.period_s / TIMES.period_s / period - 1.0;
                assert!(off.abs() < 1e-3, "{period}, {turn}: {wave:?}");
            }
        }
    }

    #[test]
    fn ringing_is_no_third_level() {
        let ringing =
            |since: f64| 1.0 - libm::exp(-since / 100.0) * libm::cos(core::f64::consts::TAU * since / 10.0);
        let found = analysed(|index| if index < 200.0 { 0.0 } else { ringing(index - 200.0) as f32 });
        let levels = found.levels.unwrap();
        assert!(!levels.has_three() && (levels.top().unwrap() - 1.0).abs() < 0.01, "{levels:?}");
        assert!(
            (levels.overshoot.unwrap() - 0.95).abs() < 0.02 && found.transitions.rise_s.is_some(),
            "{found:?}"
        );
    }

    /// Standard normal numbers, by the sum of twelve.
    pub(super) fn normal() -> impl FnMut() -> f64 {
        let mut state = 7_u32;
        move || {
            let uniform = |_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f64::from(state >> 8) / f64::from(1 << 24)
            };
            (0..12).map(uniform).sum::<f64>() - 6.0
        }
    }

    #[test]
    fn noise_over_three_steps_of_a_converter_is_one_level() {
        for deviation in [0.25, 0.3, 0.35, 0.4, 0.5, 0.7] {
            for level in [0.0, 0.1, 0.3, 0.5] {
                let mut normal = normal();
                let codes: Vec<f64> = (0..1000).map(|_| libm::rint(level + deviation * normal())).collect();
                let found = analysed(|index| codes[index as usize] as f32);
                assert_eq!(found.counted_edges(), Some((0, 0)), "{deviation}, {level}: {found:?}");
                assert!(!found.levels.unwrap().are_two(), "{deviation}, {level}: {found:?}");
            }
        }
    }

    #[test]
    fn levels_of_data_scatter_and_those_of_noise_between_steps_do_not() {
        // Bits, each followed by its opposite, two and a half samples each.
        let mut normal = normal();
        let bits: Vec<bool> = (0..200).map(|_| normal() > 0.0).collect();
        let samples: Vec<f32> = (0..1000_u16)
            .map(|index| {
                let half = usize::from(index) * 2 / 5;
                let is_high = bits[half / 2] != (half % 2 == 1);
                (if is_high { 3.0 } else { 0.0 } + 0.01 * normal()) as f32
            })
            .collect();
        let found = analysed(|index| samples[index as usize]);
        let levels = found.levels.unwrap();
        let near =
            |value: Option<f64>, expected: f64| value.is_some_and(|value| (value - expected).abs() < 0.005);
        assert!(
            near(levels.top(), 3.0) && near(levels.base(), 0.0) && near(levels.noise(), 0.01),
            "{levels:?}"
        );
        let changes = samples.windows(2).filter(|pair| (pair[0] > 1.5) != (pair[1] > 1.5)).count();
        assert_eq!(found.counted_edges().map(|(rising, falling)| rising + falling), Some(changes));
    }

    #[test]
    fn steps_of_a_sine_at_eight_phases_are_no_square() {
        let found = analysed(|index| {
            let volts = 1.234 + 2.5 * libm::sin(core::f64::consts::TAU * (index / 8.0 + 1.0 / 16.0));
            (libm::rint(volts * 255.0 / 13.5) * 13.5 / 255.0) as f32
        });
        let wave = found.wave.unwrap();
        assert_eq!(wave.shape, Shape::Sine);
        // Within half a step.
        assert!((wave.amplitude().unwrap() - 2.5).abs() < 0.027, "{wave:?}");
    }

    #[test]
    fn a_third_level_is_seen_however_long_the_others_are_held() {
        for held in [5, 15, 25] {
            let found = analysed(|index| {
                let place = index as usize % (2 * held + 10);
                match place {
                    place if place < held => 1.0,
                    place if place < held + 5 || place >= 2 * held + 5 => 0.0,
                    _ => -1.0,
                }
            });
            let levels = found.levels.unwrap();
            assert_eq!((levels.base(), levels.top()), (Some(-1.0), Some(1.0)), "{held}");
            assert_eq!((levels.has_three(), found.edges.duty), (true, None), "{held}");
        }
    }

    #[test]
    fn a_bent_wave_of_ten_samples_a_period_is_no_square() {
        // A capacitor, charged and discharged for five time constants each.
        let charged = |part: f64| (1.0 - libm::exp(-5.0 * part)) / (1.0 - libm::exp(-5.0));
        let found = analysed(|index| {
            let turn = 2.0 * (index / 10.61 - libm::floor(index / 10.61));
            (if turn < 1.0 { charged(turn) } else { 1.0 - charged(turn - 1.0) }) as f32
        });
        assert_eq!(found.wave.unwrap().shape, Shape::Exponential);
    }

    #[test]
    fn the_middle_one_of_three_levels_is_neither_top_nor_base() {
        for offset in [-0.01, 0.0, 0.01] {
            let found = analysed(|index| match (index as usize / 25) % 4 {
                0 => -1.0,
                2 => 1.0,
                _ => offset,
            });
            let levels = found.levels.unwrap();
            assert_eq!((levels.base(), levels.top()), (Some(-1.0), Some(1.0)), "{offset}");
            assert!(levels.has_three() && found.edges.duty.is_none(), "{found:?}");
            assert_eq!(found.transitions, TransitionTimes::default());
        }
    }
}

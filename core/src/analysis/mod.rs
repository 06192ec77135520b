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
//! assert_eq!((levels.base, levels.top), (0.0, 2.5));
//! let wave = analysis.wave.ok_or("it repeats")?;
//! assert!((wave.frequency_hz - 1000.0).abs() < 1.0);
//! let Shape::Square { duty } = wave.shape else { panic!("{wave:?}") };
//! assert!((duty - 0.25).abs() < 0.01);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod band;
mod drift;
mod edges;
mod fold;
mod levels;
mod long;
mod period;
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
    /// Rise and fall time.
    pub transitions: TransitionTimes,
    /// The periodic wave; `None` if the series does not repeat at least twice.
    pub wave: Option<Wave>,
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
        levels = levels.as_one();
        edges = EdgeMeasurements::default();
    }
    let wave = if levels.are_two() {
        Wave::by_edges(samples, times, &levels, &edges).or_else(|| search(&levels, &edges))
    } else {
        None
    };
    if let Some(base_and_top) = wave.as_ref().and_then(Wave::base_and_top) {
        levels.refine(base_and_top);
    }
    let transitions = TransitionTimes::of(samples, &levels, times.period_s);
    Analysis { levels: Some(levels), edges, transitions, wave }
}

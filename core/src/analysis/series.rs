//! Evenly spaced samples that are gone through several times, wherever they lie.

use core::ops::Range;

/// A series of samples: in memory, or read anew from where it lies at each pass over it.
///
/// ```
/// use scopething_core::analysis::{Levels, Series};
///
/// /// A ramp that is computed as it is read.
/// struct Ramp;
///
/// impl Series for Ramp {
///     fn len(&self) -> usize {
///         1000
///     }
///
///     fn values(&self, range: core::ops::Range<usize>) -> impl Iterator<Item = f32> + Clone + '_ {
///         (range.start..range.end.min(1000)).map(|index| index as f32)
///     }
/// }
///
/// let levels = Levels::of_series(&Ramp).ok_or("all are numbers")?;
/// assert_eq!((levels.min, levels.max, levels.mean), (0.0, 999.0, 499.5));
/// # Ok::<(), &str>(())
/// ```
pub trait Series {
    /// How many samples there are.
    fn len(&self) -> usize;

    /// Whether there is no sample at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples with these numbers, from 0 on, as far as there are such: the same ones each time.
    fn values(&self, range: Range<usize>) -> impl Iterator<Item = f32> + Clone + '_;

    /// All samples.
    fn all(&self) -> impl Iterator<Item = f32> + Clone + '_ {
        self.values(0..self.len())
    }
}

impl Series for [f32] {
    fn len(&self) -> usize {
        self.len()
    }

    fn values(&self, range: Range<usize>) -> impl Iterator<Item = f32> + Clone + '_ {
        let end = range.end.min(self.len());
        self.get(range.start..end).unwrap_or_default().iter().copied()
    }
}

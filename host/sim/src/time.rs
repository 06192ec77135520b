//! Simulated time: nanoseconds since the device was made, and the 25 ns ticks of its clock.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Nanoseconds of one tick of the 40 MHz primary clock ([section 5 of the reference](scopething_core::vm#5-trace-modes)).
pub const TICK_NS: u64 = 25;

/// A moment or a span of simulated time, in nanoseconds; sums stop at the largest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SimTime(pub u64);

impl SimTime {
    /// The moment at which the device is made.
    pub const ZERO: Self = Self(0);

    /// A span of so many microseconds.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros.saturating_mul(1000))
    }

    /// A span in seconds, rounded to a nanosecond; negative and NaN become none at all.
    #[must_use]
    pub fn from_seconds(seconds: f64) -> Self {
        Self((seconds * 1e9).round() as u64)
    }

    /// A span of so many ticks of the primary clock.
    #[must_use]
    pub const fn from_ticks(ticks: u64) -> Self {
        Self(ticks.saturating_mul(TICK_NS))
    }

    /// The time in seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// Whole ticks of the primary clock.
    #[must_use]
    pub const fn ticks(self) -> u64 {
        self.0 / TICK_NS
    }
}

impl From<Duration> for SimTime {
    fn from(span: Duration) -> Self {
        Self(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl Add for SimTime {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for SimTime {
    type Output = Self;
    fn sub(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

//! Time as the driver sees it: core reads no clock of its own, the caller gives it one.
//!
//! [`Clock`] is implemented by the host over its operating system or over simulated time, and by firmware over its
//! timer.

use core::ops::{Add, Sub};
use core::time::Duration;

/// A span of time in whole microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Micros(pub u64);

impl Micros {
    /// A span of so many milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// A span of so many seconds, rounded up to a microsecond; negative and NaN become none at all.
    #[must_use]
    pub fn from_seconds(seconds: f64) -> Self {
        Self(libm::ceil(seconds * 1e6) as u64)
    }

    /// The span in whole milliseconds; more than 71 minutes are given as that.
    #[must_use]
    pub fn millis(self) -> u32 {
        // In 32 bits, which a microcontroller divides in a fraction of the stack that 64 take.
        u32::try_from(self.0).unwrap_or(u32::MAX) / 1000
    }

    /// The span in seconds.
    #[must_use]
    pub fn seconds(self) -> f64 {
        self.0 as f64 * 1e-6
    }
}

/// Less than a microsecond is rounded up; more than 584 542 years are given as that.
impl From<Duration> for Micros {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX))
    }
}

impl From<Micros> for Duration {
    fn from(micros: Micros) -> Self {
        Self::from_micros(micros.0)
    }
}

impl Add for Micros {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// A moment: microseconds since an arbitrary start, never running backwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Instant(pub u64);

impl Add<Micros> for Instant {
    type Output = Self;
    fn add(self, span: Micros) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Sub for Instant {
    type Output = Micros;
    fn sub(self, earlier: Self) -> Micros {
        Micros(self.0.saturating_sub(earlier.0))
    }
}

/// A clock that can be waited on.
pub trait Clock {
    /// The present moment.
    fn now(&self) -> Instant;

    /// Completes when `deadline` is reached; at once if it has passed.
    ///
    /// # Cancellation
    ///
    /// Dropping the future forgets the deadline and has no other effect.
    fn until(&self, deadline: Instant) -> impl Future<Output = ()>;
}

impl<C: Clock> Clock for &C {
    fn now(&self) -> Instant {
        (**self).now()
    }

    fn until(&self, deadline: Instant) -> impl Future<Output = ()> {
        (**self).until(deadline)
    }
}

/// The clock of `embassy-time`, in microseconds since power-up.
#[cfg(feature = "embassy-time")]
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct EmbassyClock;

#[cfg(feature = "embassy-time")]
impl Clock for EmbassyClock {
    fn now(&self) -> Instant {
        Instant(embassy_time::Instant::now().as_micros())
    }

    async fn until(&self, deadline: Instant) {
        embassy_time::Timer::at(embassy_time::Instant::from_micros(deadline.0)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_up_and_never_below_zero() {
        assert_eq!(Micros::from_seconds(0.000_000_1), Micros(1));
        assert_eq!(Micros::from_seconds(-1.0), Micros(0));
        assert_eq!(Micros::from_seconds(f64::NAN), Micros(0));
    }

    #[test]
    fn durations_round_up_and_saturate() {
        assert_eq!(Micros::from(Duration::from_nanos(1_001)), Micros(2));
        assert_eq!(Micros::from(Duration::MAX), Micros(u64::MAX));
        assert_eq!(Duration::from(Micros(1_500_000)), Duration::from_millis(1500));
    }

    #[test]
    fn moments_do_not_wrap() {
        assert_eq!(Instant(u64::MAX) + Micros(1), Instant(u64::MAX));
        assert_eq!(Instant(1) - Instant(2), Micros(0));
    }
}

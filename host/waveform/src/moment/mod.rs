//! Moments of the world's clock, as files and logs have them: `2026-11-23T03:21:00.000250Z`.
//!
//! This is not the clock that waits are timed by ([`Clock`](scopething_core::time::Clock)): it may be set back.
//!
//! With the feature `calendar` moments are printed and read as text:
//!
//! ```
//! # #[cfg(feature = "calendar")] {
//! use scopething_waveform::moment::UnixMicros;
//!
//! let moment = UnixMicros(1_500_000);
//! assert_eq!(moment.to_string(), "1970-01-01T00:00:01.500000Z");
//! assert_eq!(moment.to_string().parse(), Ok(moment));
//! assert_eq!(moment.compact(), "19700101T000001Z");
//! # }
//! ```

#[cfg(feature = "calendar")]
mod text;

use std::time::{SystemTime, UNIX_EPOCH};

#[cfg(feature = "calendar")]
pub use text::MomentError;

/// Microseconds since 1970 began in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMicros(pub i64);

impl UnixMicros {
    /// The time of the computer's clock.
    #[must_use]
    pub fn now() -> Self {
        let micros = |span: std::time::Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        Self(match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => micros(since),
            Err(before) => -micros(before.duration()),
        })
    }

    /// A moment so many seconds later, or earlier if negative.
    #[must_use]
    pub fn plus_seconds(self, seconds: f64) -> Self {
        Self(self.0.saturating_add((seconds * 1e6).round() as i64))
    }

    /// Seconds from an earlier moment to this one; negative if that is later.
    #[must_use]
    pub fn seconds_since(self, earlier: Self) -> f64 {
        self.0.saturating_sub(earlier.0) as f64 * 1e-6
    }
}

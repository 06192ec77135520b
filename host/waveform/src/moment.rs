//! Moments of the world's clock, which files and logs tell: `2026-11-23T03:21:00.000250Z`.
//!
//! This is not the clock that waits are timed by ([`Clock`](scopething_core::time::Clock)): it may be set back.
//!
//! ```
//! use scopething_waveform::moment::UnixMicros;
//!
//! let moment = UnixMicros(1_500_000);
//! assert_eq!(moment.to_string(), "1970-01-01T00:00:01.500000Z");
//! assert_eq!(moment.to_string().parse(), Ok(moment));
//! assert_eq!(moment.compact(), "19700101T000001Z");
//! ```

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use chrono::{DateTime, NaiveDateTime, Utc};
use thiserror::Error;

/// Microseconds since 1970 began in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixMicros(pub i64);

/// A text is not a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a moment is written like 2026-11-23T03:21:00Z")]
pub struct MomentError;

const COMPACT: &str = "%Y%m%dT%H%M%SZ";

impl UnixMicros {
    /// What the computer's clock says.
    #[must_use]
    pub fn now() -> Self {
        Self(DateTime::<Utc>::from(SystemTime::now()).timestamp_micros())
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

    /// Whole seconds in a form for file names, which sorts by time.
    #[must_use]
    pub fn compact(self) -> String {
        self.utc().format(COMPACT).to_string()
    }

    /// Reads what [`compact`](Self::compact) prints.
    ///
    /// # Errors
    /// If the text is of another form.
    pub fn from_compact(text: &str) -> Result<Self, MomentError> {
        let parsed = NaiveDateTime::parse_from_str(text, COMPACT).map_err(|_| MomentError)?;
        Ok(Self(parsed.and_utc().timestamp_micros()))
    }

    /// Moments that no calendar has become its first or last.
    fn utc(self) -> DateTime<Utc> {
        let outside = if self.0 < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
        DateTime::from_timestamp_micros(self.0).unwrap_or(outside)
    }
}

impl fmt::Display for UnixMicros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.utc().format("%Y-%m-%dT%H:%M:%S%.6fZ"))
    }
}

impl FromStr for UnixMicros {
    type Err = MomentError;

    fn from_str(text: &str) -> Result<Self, MomentError> {
        let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| MomentError)?;
        Ok(Self(parsed.timestamp_micros()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_as_they_are_printed() {
        for moment in [0, 1, 1_795_404_060_123_456, 951_782_400_000_000] {
            let moment = UnixMicros(moment);
            assert_eq!(moment.to_string().parse(), Ok(moment));
            let whole = UnixMicros(moment.0 / 1_000_000 * 1_000_000);
            assert_eq!(UnixMicros::from_compact(&moment.compact()), Ok(whole));
        }
        // 2000 was a leap year: RFC 3339, appendix C.
        assert_eq!(UnixMicros(951_782_400_000_000).to_string(), "2000-02-29T00:00:00.000000Z");
        assert_eq!("yesterday".parse::<UnixMicros>(), Err(MomentError));
        assert_eq!(UnixMicros::from_compact("20261301T000000Z"), Err(MomentError));
    }

    #[test]
    fn no_number_is_too_far_away() {
        for extreme in [i64::MIN, i64::MAX] {
            assert!(!UnixMicros(extreme).to_string().is_empty());
            assert!(!UnixMicros(extreme).plus_seconds(f64::MAX).compact().is_empty());
        }
    }
}

//! Moments as text, by the calendar of UTC.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, Utc};
use thiserror::Error;

use super::UnixMicros;

/// A text is not a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a moment is written like 2026-11-23T03:21:00Z")]
pub struct MomentError;

const COMPACT: &str = "%Y%m%dT%H%M%SZ";

impl UnixMicros {
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

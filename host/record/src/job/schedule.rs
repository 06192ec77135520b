//! When the next trace is due.

use scopething_core::time::{Instant, Micros};

use scopething_waveform::moment::UnixMicros;

const DAY_US: i64 = 86_400_000_000;

/// How traces are spaced.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Spacing {
    /// Continuously.
    #[default]
    Continuous,
    /// At this interval in seconds, counted from the start. Missed ones are skipped.
    Every(f64),
    /// One at each of these times of day, in seconds since midnight UTC, in order.
    TimesOfDay(Vec<u32>),
}

/// How long a job runs.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Extent {
    /// So many captures.
    pub count: Option<u64>,
    /// So many seconds.
    pub seconds: Option<f64>,
}

impl Spacing {
    /// When the next trace is due, seen from `now` and `wall`, which are the same moment; `started` is when the job
    /// started.
    #[must_use]
    pub fn next(&self, started: Instant, now: Instant, wall: UnixMicros) -> Instant {
        match self {
            Self::Continuous => now,
            Self::Every(seconds) => {
                let period = ((seconds * 1e6).round() as u64).max(1);
                let passed = (now - started).0 / period;
                started + Micros((passed + 1).saturating_mul(period))
            }
            Self::TimesOfDay(times) => {
                let since_midnight = wall.0.rem_euclid(DAY_US);
                let ahead = times.iter().map(|&time| {
                    let wait = (i64::from(time) * 1_000_000 - since_midnight).rem_euclid(DAY_US);
                    // The one that is due now was the last one.
                    if wait == 0 { DAY_US } else { wait }
                });
                now + Micros(ahead.min().unwrap_or(DAY_US).unsigned_abs())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDNIGHT: UnixMicros = UnixMicros(1_795_392_000_000_000);

    #[test]
    fn spaced_traces_do_not_drift() {
        let every = Spacing::Every(10.0);
        let next = |now_s: f64| {
            every.next(Instant(500), Instant(500) + Micros::from_seconds(now_s), MIDNIGHT) - Instant(500)
        };
        for (now_s, due_s) in [(0.0, 10), (0.1, 10), (9.999, 10), (10.0, 20), (10.02, 20), (47.0, 50)] {
            assert_eq!(next(now_s), Micros(due_s * 1_000_000), "{now_s}");
        }
        assert_eq!(Spacing::Continuous.next(Instant(0), Instant(7), MIDNIGHT), Instant(7));
    }

    #[test]
    fn times_of_day_come_each_day() {
        let times = Spacing::TimesOfDay(vec![6 * 3600, 18 * 3600 + 1800]);
        let hours = |wall_hours: f64| {
            let wall = MIDNIGHT.plus_seconds(wall_hours * 3600.0);
            (times.next(Instant(0), Instant(1), wall) - Instant(1)).seconds() / 3600.0
        };
        for (wall, wait) in [(0.0, 6.0), (5.75, 0.25), (6.0, 12.5), (18.5, 11.5), (23.0, 7.0), (-1.0, 7.0)] {
            assert!((hours(wall) - wait).abs() < 1e-9, "{wall} h: {}", hours(wall));
        }
    }
}

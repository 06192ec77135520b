//! Device time: 25 ns ticks in 32 bits, which roll over every 107.37 s
//! ([section 4 of the reference](crate::vm#4-a-trace)).

use crate::time::{Instant, Micros};

/// Follows the device's clock across its roll-over, by the caller's clock.
///
/// ```
/// use scopething_core::time::Instant;
/// use scopething_core::trace::DeviceTime;
///
/// let mut time = DeviceTime::new(40e6);
/// assert_eq!(time.extend(0xffff_0000, Instant(0)), 0xffff_0000);
/// // One second later the 32 bits have rolled over.
/// let raw = 0xffff_0000_u32.wrapping_add(40_000_000);
/// assert_eq!(time.extend(raw, Instant(1_000_000)), 0xffff_0000 + 40_000_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DeviceTime {
    ticks_per_us: u32,
    seen: bool,
    /// The last reported time, unwrapped to 64 bits, and when it was reported.
    ticks: u64,
    at: Instant,
}

const ROLL_OVER: u64 = 1 << 32;

impl DeviceTime {
    /// Device time that has not been seen yet, of a clock in hertz.
    #[must_use]
    pub fn new(clock_hz: f64) -> Self {
        Self { ticks_per_us: (clock_hz * 1e-6) as u32, seen: false, ticks: 0, at: Instant(0) }
    }

    /// Unwraps to 64 bits a 32-bit time that the device reported at about `now`: of all that end in those 32 bits the
    /// one nearest to the time passed on the caller's clock. The first one is taken as it is.
    pub fn extend(&mut self, raw: u32, now: Instant) -> u64 {
        let raw = u64::from(raw);
        let passed = self.ticks_of(now - self.at);
        self.ticks = if self.seen { nearest(raw, self.ticks.saturating_add(passed)) } else { raw };
        self.at = now;
        self.seen = true;
        self.ticks
    }

    /// Unwraps to 64 bits a 32-bit time of the device that cannot have been before `earliest` or after `latest`, in
    /// ticks: the last of all in between that end in those 32 bits. None if there is none; nothing is kept of it then.
    pub fn extend_within(&mut self, raw: u32, now: Instant, earliest: u64, latest: u64) -> Option<u64> {
        let raw = u64::from(raw);
        let ticks = match (latest & !(ROLL_OVER - 1)) | raw {
            ticks if ticks > latest => ticks.checked_sub(ROLL_OVER)?,
            ticks => ticks,
        };
        if ticks < earliest {
            return None;
        }
        (self.ticks, self.at, self.seen) = (ticks, now, true);
        Some(ticks)
    }

    /// The whole time that was given last, and when.
    #[must_use]
    pub fn last(&self) -> (u64, Instant) {
        (self.ticks, self.at)
    }

    /// A span of the caller's clock in ticks of the device's.
    #[must_use]
    pub fn ticks_of(&self, span: Micros) -> u64 {
        span.0.saturating_mul(self.ticks_per_us.into())
    }

    /// A span of so many ticks of the device's clock, at most 71 minutes, rounded down.
    #[must_use]
    pub fn span_of(&self, ticks: u64) -> Micros {
        Micros(ticks.checked_div(self.ticks_per_us.into()).unwrap_or(0).min(u32::MAX.into()))
    }
}

/// The number nearest to `expected` whose low 32 bits are `raw`.
fn nearest(raw: u64, expected: u64) -> u64 {
    let candidate = (expected & !(ROLL_OVER - 1)) | raw;
    if candidate.saturating_add(ROLL_OVER / 2) < expected {
        candidate.saturating_add(ROLL_OVER)
    } else if candidate > expected.saturating_add(ROLL_OVER / 2) {
        candidate.checked_sub(ROLL_OVER).unwrap_or(candidate)
    } else {
        candidate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn impossible_time_is_none() {
        let mut time = DeviceTime::new(40e6);
        let mut within = |raw, earliest, latest| time.extend_within(raw, Instant(0), earliest, latest);
        assert_eq!(within(1000, 900, 1100), Some(1000));
        assert_eq!(within(900, 900, 1100), Some(900));
        assert_eq!(within(1100, 900, 1100), Some(1100));
        assert_eq!(within(899, 900, 1100), None);
        assert_eq!(within(1101, 900, 1100), None);
        // Across a roll-over, and after so long that two times would do: the later one.
        assert_eq!(within(5, ROLL_OVER - 10, ROLL_OVER + 10), Some(ROLL_OVER + 5));
        assert_eq!(within(0xffff_fffe, ROLL_OVER - 10, ROLL_OVER + 10), Some(ROLL_OVER - 2));
        assert_eq!(within(7, 0, 3 * ROLL_OVER), Some(2 * ROLL_OVER + 7));
        assert_eq!(within(7, 0, 3 * ROLL_OVER + 7), Some(3 * ROLL_OVER + 7));
        assert_eq!(within(0xffff_ffff, 0, 10), None);
        assert_eq!(within(u32::MAX, 0, u64::MAX), Some(u64::MAX));
    }

    proptest! {
        #[test]
        fn time_goes_on_across_many_roll_overs(
            start in any::<u32>(), steps in prop::collection::vec((0u64..600_000_000, -1_000_000i64..1_000_000), 1..20),
        ) {
            let mut time = DeviceTime::new(40e6);
            let mut truth = u64::from(start);
            let mut now = 5_000_000;
            prop_assert_eq!(time.extend(start, Instant(now)), truth);
            for (us, jitter_us) in steps {
                truth += us * 40;
                now += us;
                let reported = now.saturating_add_signed(jitter_us);
                prop_assert_eq!(time.extend(truth as u32, Instant(reported)), truth);
            }
        }
    }
}

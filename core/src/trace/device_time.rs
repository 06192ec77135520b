//! Device time: 25 ns ticks in 32 bits, which roll over every 107.37 s (vm-reference section 4).

use crate::time::Instant;

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
    /// What was told last, rolled out, and when.
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

    /// The whole time for a 32-bit time that the device told about `now`: of all that end in those 32 bits the one
    /// nearest to what the caller's clock says has passed. The first one is taken as it is.
    pub fn extend(&mut self, raw: u32, now: Instant) -> u64 {
        let raw = u64::from(raw);
        let passed = (now - self.at).0.saturating_mul(self.ticks_per_us.into());
        self.ticks = if self.seen { nearest(raw, self.ticks.saturating_add(passed)) } else { raw };
        self.at = now;
        self.seen = true;
        self.ticks
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
                let told = now.saturating_add_signed(jitter_us);
                prop_assert_eq!(time.extend(truth as u32, Instant(told)), truth);
            }
        }
    }
}

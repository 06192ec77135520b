//! What the driver must know of a link to derive its time-outs.

use crate::time::Micros;

/// A waiting trace is checked after so many of the longest round trips: 10 s of a bitscope-server.
const CHECK_ROUND_TRIPS: u64 = 6;
/// A waiting trace is checked after so many times what it takes from its trigger to its end: one in so many triggers at
/// most is lost to a check.
const CHECK_TRACES: u64 = 20;

/// The worst that a link does when it works: time-outs are derived from it and from what is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LinkProfile {
    /// The longest time from the last byte written to the first byte of the answer, the device's own work left out.
    pub round_trip: Micros,
    /// The lowest rate at which bytes arrive, in bytes a second; below 1000 it counts as 1000.
    pub bytes_per_second: u32,
    /// Whether bytes are lost without either end noticing, as datagrams are. A trace that waits for its trigger is then
    /// checked now and then ([`Self::check_interval`]), since the report of its end may be what was lost.
    pub is_lossy: bool,
}

impl LinkProfile {
    /// A local serial line: an FTDI that waits its default 16 ms, a loaded host, 40 kB/s.
    pub const SERIAL: Self =
        Self { round_trip: Micros::from_millis(200), bytes_per_second: 40_000, is_lossy: false };
    /// A network that delivers all bytes, as TCP does: 1 s for the round trip, 10 kB/s.
    pub const NETWORK: Self =
        Self { round_trip: Micros::from_millis(1000), bytes_per_second: 10_000, is_lossy: false };

    /// After how long a trace that waits for its trigger is checked, that takes `trace` from its trigger to its end; none
    /// if the link is not lossy.
    ///
    /// A check costs two round trips in which no trigger is seen, and the trace itself if its trigger has come but its end
    /// has not. The interval keeps both below a few parts in a hundred on a link that is as fast as most are.
    #[must_use]
    pub fn check_interval(&self, trace: Micros) -> Option<Micros> {
        let interval = (self.round_trip.0 * CHECK_ROUND_TRIPS).max(trace.0.saturating_mul(CHECK_TRACES));
        self.is_lossy.then_some(Micros(interval))
    }

    /// How long an answer of so many bytes may take to arrive on this link. Answers of up to 4 MiB are reckoned with.
    #[must_use]
    pub fn answer_time(&self, bytes: usize) -> Micros {
        // In 32 bits, which a microcontroller divides in a fraction of the time and stack that 64 take.
        let bytes_per_ms = (self.bytes_per_second / 1000).max(1);
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.round_trip + Micros(bytes.saturating_mul(1000).div_ceil(bytes_per_ms).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lossy_links_are_checked() {
        assert_eq!(LinkProfile::NETWORK.check_interval(Micros(1)), None);
        let lossy = LinkProfile { is_lossy: true, ..LinkProfile::NETWORK };
        assert_eq!(lossy.check_interval(Micros(1)), Some(Micros::from_millis(6_000)));
        // A check that comes after the trigger costs the trace: long ones are checked less often.
        assert_eq!(lossy.check_interval(Micros::from_millis(2_000)), Some(Micros::from_millis(40_000)));
    }

    #[test]
    fn answer_time_is_round_trip_plus_bytes() {
        let profile = LinkProfile { round_trip: Micros(500), bytes_per_second: 1_000, is_lossy: false };
        assert_eq!(profile.answer_time(0), Micros(500));
        assert_eq!(profile.answer_time(3), Micros(3_500));
    }
}

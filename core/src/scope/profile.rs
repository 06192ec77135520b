//! What the driver must know of a link to derive its time-outs.

use crate::time::Micros;

/// The worst that a link does when it works: time-outs are derived from it and from what is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LinkProfile {
    /// The longest time from the last byte written to the first byte of the answer, the device's own work left out.
    pub round_trip: Micros,
    /// The lowest rate at which bytes arrive, in bytes a second; below 1000 it counts as 1000.
    pub bytes_per_second: u32,
}

impl LinkProfile {
    /// A local serial line: an FTDI that waits its default 16 ms, a loaded host, 40 kB/s.
    pub const SERIAL: Self = Self { round_trip: Micros::from_millis(200), bytes_per_second: 40_000 };
    /// A network: 1 s for the round trip, 10 kB/s.
    pub const NETWORK: Self = Self { round_trip: Micros::from_millis(1000), bytes_per_second: 10_000 };

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
    fn answer_time_is_round_trip_plus_bytes() {
        let profile = LinkProfile { round_trip: Micros(500), bytes_per_second: 1_000 };
        assert_eq!(profile.answer_time(0), Micros(500));
        assert_eq!(profile.answer_time(3), Micros(3_500));
    }
}

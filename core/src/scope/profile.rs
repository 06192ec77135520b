//! What the driver must know of a link to derive its time-outs.

use crate::time::Micros;

/// The worst that a link does when it works: time-outs are derived from it and from what is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct LinkProfile {
    /// The longest time from the last byte written to the first byte of the answer, the device's own work left out.
    pub round_trip: Micros,
    /// The lowest rate at which bytes arrive, in bytes a second.
    pub bytes_per_second: u32,
}

impl LinkProfile {
    /// A local serial line: an FTDI that waits its default 16 ms, a loaded host, 40 kB/s.
    pub const SERIAL: Self = Self { round_trip: Micros::from_millis(200), bytes_per_second: 40_000 };
    /// A network: 1 s for the round trip, 10 kB/s.
    pub const NETWORK: Self = Self { round_trip: Micros::from_millis(1000), bytes_per_second: 10_000 };

    /// How long an answer of so many bytes may take to arrive on this link.
    #[must_use]
    pub fn answer_time(&self, bytes: usize) -> Micros {
        let rate = u64::from(self.bytes_per_second.max(1));
        self.round_trip + Micros((bytes as u64).saturating_mul(1_000_000).div_ceil(rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_takes_the_round_trip_and_its_bytes() {
        let profile = LinkProfile { round_trip: Micros(500), bytes_per_second: 1_000 };
        assert_eq!(profile.answer_time(0), Micros(500));
        assert_eq!(profile.answer_time(3), Micros(3_500));
    }
}

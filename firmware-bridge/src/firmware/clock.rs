//! The clock of the board: microseconds since power-up, in 64 bits.

use embassy_time::Timer;
use scopething_core::time::{Clock, Instant};

/// The RP2040's timer.
#[derive(Debug, Clone, Copy)]
pub(super) struct BoardClock;

/// Milliseconds since power-up; they roll over after 49 days.
pub(super) fn now_ms() -> u32 {
    embassy_time::Instant::now().as_millis() as u32
}

impl Clock for BoardClock {
    fn now(&self) -> Instant {
        Instant(embassy_time::Instant::now().as_micros())
    }

    async fn until(&self, deadline: Instant) {
        Timer::at(embassy_time::Instant::from_micros(deadline.0)).await;
    }
}

//! Whether the tasks get on: the watchdog is fed only while they do.
//!
//! A task that has something to do beats each time it has got somewhere; one that waits for an external event rests. It
//! is no watchdog by itself: the program asks [`Pulse::is_late`] and then does not feed the hardware.
//!
//! ```
//! use scopething_bridge::vitals::Pulse;
//!
//! let pulse = Pulse::new(3_000);
//! pulse.beat(10_000);
//! assert!(!pulse.is_late(13_000));
//! assert!(pulse.is_late(13_001));
//! pulse.rest();
//! assert!(!pulse.is_late(90_000));
//! ```

use portable_atomic::{AtomicBool, AtomicU32, Ordering};

/// The signs of life of one task. Times are milliseconds of any clock, which may roll over.
#[derive(Debug)]
pub struct Pulse {
    limit_ms: u32,
    rests: AtomicBool,
    last_ms: AtomicU32,
}

impl Pulse {
    /// The pulse of a task that has not begun, and gets somewhere in so many milliseconds whenever it works.
    #[must_use]
    pub const fn new(limit_ms: u32) -> Self {
        Self { limit_ms, rests: AtomicBool::new(true), last_ms: AtomicU32::new(0) }
    }

    /// The task has got somewhere, and goes on.
    pub fn beat(&self, now_ms: u32) {
        self.last_ms.store(now_ms, Ordering::Relaxed);
        self.rests.store(false, Ordering::Relaxed);
    }

    /// The task waits for an external event, for as long as it takes.
    pub fn rest(&self) {
        self.rests.store(true, Ordering::Relaxed);
    }

    /// What the task waits for goes on: a beat, unless it rests.
    pub fn step(&self, now_ms: u32) {
        self.last_ms.store(now_ms, Ordering::Relaxed);
    }

    /// Whether the task works, and has got nowhere for longer than it may.
    #[must_use]
    pub fn is_late(&self, now_ms: u32) -> bool {
        !self.rests.load(Ordering::Relaxed)
            && now_ms.wrapping_sub(self.last_ms.load(Ordering::Relaxed)) > self.limit_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clock_that_rolls_over_alarms_nobody() {
        let pulse = Pulse::new(100);
        pulse.beat(u32::MAX - 10);
        assert!(!pulse.is_late(80));
        assert!(pulse.is_late(90));
    }

    #[test]
    fn foreign_steps_do_not_wake_a_resting_task() {
        let pulse = Pulse::new(100);
        pulse.step(5);
        assert!(!pulse.is_late(1_000));
        pulse.beat(1_000);
        pulse.step(1_090);
        assert!(!pulse.is_late(1_190));
    }
}

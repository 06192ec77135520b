//! The computer's clock, as the driver wants it.

use std::time::Duration;

use scopething_core::time::{Clock, Instant};

use crate::timer;

/// The time since the clock was made, by tokio's timer: it waits to within about a millisecond.
///
/// Waiting needs a tokio runtime with time enabled; in one whose time is paused, so is this clock.
///
/// ```
/// use scopething::link::HostClock;
/// use scopething_core::time::{Clock, Micros};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let clock = HostClock::new();
/// let deadline = clock.now() + Micros::from_millis(2);
/// clock.until(deadline).await;
/// assert!(clock.now() >= deadline);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct HostClock {
    start: timer::Instant,
}

impl HostClock {
    /// A clock that starts at 0 now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: timer::Instant::now() }
    }
}

impl Default for HostClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for HostClock {
    fn now(&self) -> Instant {
        Instant(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    async fn until(&self, deadline: Instant) {
        match self.start.checked_add(Duration::from_micros(deadline.0)) {
            Some(deadline) => timer::sleep_until(deadline).await,
            // Further away than the operating system can count.
            None => std::future::pending().await,
        }
    }
}

/// Tokio's timer, for a simulated device that lives in real time. It needs a tokio runtime with time enabled.
#[cfg(feature = "sim")]
#[derive(Debug)]
pub struct TokioTimer {
    start: timer::Instant,
}

#[cfg(feature = "sim")]
impl TokioTimer {
    /// A timer that starts now.
    #[must_use]
    pub fn start() -> std::sync::Arc<dyn scopething_sim::Timer> {
        std::sync::Arc::new(Self { start: timer::Instant::now() })
    }
}

#[cfg(feature = "sim")]
impl scopething_sim::Timer for TokioTimer {
    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, span: Duration) -> scopething_sim::Sleep {
        Box::pin(timer::sleep(span))
    }
}

#[cfg(test)]
mod tests {
    use scopething_core::time::Micros;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn deadline_is_reached_and_not_before() {
        let clock = HostClock::new();
        clock.until(Instant(2_500_000)).await;
        // Tokio's timer rounds up to a millisecond.
        let late = clock.now() - Instant(2_500_000);
        assert!(clock.now() >= Instant(2_500_000) && late <= Micros::from_millis(2), "{late:?}");
        clock.until(Instant(0)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn end_of_time_is_waited_for() {
        let clock = HostClock::new();
        let waited = tokio::time::timeout(Duration::from_hours(1), clock.until(Instant(u64::MAX))).await;
        assert!(waited.is_err());
    }
}

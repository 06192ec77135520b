//! Time as programs take it: tokio's on a computer, the browser's in a page.
//!
//! On a computer this needs a tokio runtime with time enabled; in one whose time is paused, so is this.

use std::time::Duration;

#[cfg(target_family = "wasm")]
pub use browser::{Elapsed, Instant, sleep, sleep_until, timeout, timeout_at};
#[cfg(not(target_family = "wasm"))]
pub use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

#[cfg(not(target_family = "wasm"))]
use std::time::{SystemTime, UNIX_EPOCH};
#[cfg(target_family = "wasm")]
use web_time::{SystemTime, UNIX_EPOCH};

/// The time since the start of 1970, by the clock of the computer; zero before.
#[must_use]
pub fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What tokio's functions of the same names do, with a browser's timers: they run late by some milliseconds, and by a second
/// while their page is hidden.
#[cfg(target_family = "wasm")]
mod browser {
    use std::future::pending;
    use std::time::Duration;

    use gloo_timers::future::TimeoutFuture;
    pub use web_time::Instant;

    /// The longest that a browser's timer can be set to, in milliseconds.
    const MAX_TIMEOUT_MS: u32 = i32::MAX as u32;

    /// The time of a time-out has passed.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Elapsed;

    /// Completes at a deadline, but not before the browser had a turn: who waits for what is due by now would otherwise keep
    /// all else from happening, which may be just that.
    pub async fn sleep_until(deadline: Instant) {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let ms = left.as_nanos().div_ceil(1_000_000);
            TimeoutFuture::new(u32::try_from(ms).unwrap_or(u32::MAX).min(MAX_TIMEOUT_MS)).await;
            if deadline <= Instant::now() {
                return;
            }
        }
    }

    /// Completes after so long.
    pub async fn sleep(span: Duration) {
        match Instant::now().checked_add(span) {
            Some(deadline) => sleep_until(deadline).await,
            // Further away than the clock can count.
            None => pending().await,
        }
    }

    /// What a future completes with, if it does so before a deadline.
    ///
    /// # Errors
    /// If it does not.
    pub async fn timeout_at<F: Future>(deadline: Instant, future: F) -> Result<F::Output, Elapsed> {
        tokio::select! {
            biased;
            output = future => Ok(output),
            () = sleep_until(deadline) => Err(Elapsed),
        }
    }

    /// What a future completes with, if it does so within a time.
    ///
    /// # Errors
    /// If it does not.
    pub async fn timeout<F: Future>(span: Duration, future: F) -> Result<F::Output, Elapsed> {
        tokio::select! {
            biased;
            output = future => Ok(output),
            () = sleep(span) => Err(Elapsed),
        }
    }
}

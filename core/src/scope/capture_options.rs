//! How a capture is run.

use core::future::{Future, Pending, pending};

/// How [`Scope::capture_with`](super::Scope::capture_with) runs a capture. What is not asked for costs no code.
///
/// ```
/// use scopething_core::scope::CaptureOptions;
///
/// # async fn stop_button() {}
/// let options = CaptureOptions::new().verified().cancelled_by(stop_button());
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct CaptureOptions<F = Pending<()>, const VERIFIED: bool = false> {
    pub(super) cancel: F,
}

impl CaptureOptions {
    /// As [`Scope::capture`](super::Scope::capture) runs it: what the device sends is believed, and nothing cancels it.
    pub fn new() -> Self {
        Self { cancel: pending() }
    }
}

impl Default for CaptureOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl<F, const VERIFIED: bool> CaptureOptions<F, VERIFIED> {
    /// For a link that may change bytes: each channel is read until two readings in a row agree, and the end of the trace is
    /// compared with the device's sample counter. It takes twice as long and three more round trips, and fails with
    /// [`ScopeErrorKind::Contradiction`](super::ScopeErrorKind::Contradiction) when the device's answers do not agree.
    pub fn verified(self) -> CaptureOptions<F, true> {
        CaptureOptions { cancel: self.cancel }
    }

    /// When `cancel` completes before the trace has ended, the trace around that moment is returned, its end reason
    /// [`EndReason::Cancel`](crate::trace::EndReason::Cancel). It is shorter than planned if less had been captured by then.
    pub fn cancelled_by<G: Future<Output = ()>>(self, cancel: G) -> CaptureOptions<G, VERIFIED> {
        CaptureOptions { cancel }
    }
}

//! One client's frame: a capture, and which of its channels the client has had.

use std::sync::Arc;
use std::time::Duration;

use super::capture::Capture;
use super::handle::{Handle, NoCapture, Pending, TriggerTimeout};
use super::settings::Settings;

/// What a block of data is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Channel A or B, by index.
    Analog(usize),
    Logic,
}

impl Source {
    /// Makes sure that it is captured.
    pub(super) fn show(self, settings: &mut Settings) {
        match self {
            Self::Analog(index) => {
                if let Some(vertical) = settings.analog.get_mut(index) {
                    vertical.shown = true;
                }
            }
            Self::Logic if settings.lines == 0 => settings.lines = 0xff,
            Self::Logic => {}
        }
    }

    fn is_in(self, capture: &Capture) -> bool {
        match self {
            Self::Analog(index) => capture.analog.get(index).is_some_and(Option::is_some),
            Self::Logic => capture.logic.is_some(),
        }
    }
}

/// How often a capture is retried while other clients hide the channel that it is for.
const MAX_ATTEMPTS: u8 = 10;

/// A capture that serves each channel once.
#[derive(Debug, Default)]
pub(super) struct Frame {
    capture: Option<Arc<Capture>>,
    pending: Option<Pending>,
    served: Vec<Source>,
}

impl Frame {
    /// The next data is of a new capture.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Requests a capture, if there is none and none is under way.
    pub(super) async fn begin(&mut self, handle: &Handle, timeout: TriggerTimeout) -> Result<(), NoCapture> {
        if self.capture.is_none() && self.pending.is_none() {
            self.pending = Some(handle.capture(timeout).await?);
        }
        Ok(())
    }

    /// The capture, waited for `limit` at most.
    pub(super) async fn wait(&mut self, limit: Duration) -> Result<Option<Arc<Capture>>, NoCapture> {
        if let Some(pending) = &mut self.pending
            && let Ok(ready) = tokio::time::timeout(limit, pending.ready()).await
        {
            self.pending = None;
            self.capture = Some(ready?);
        }
        Ok(self.capture.clone())
    }

    /// A new capture follows if the client has had this channel of the present one.
    pub(super) fn turn_to(&mut self, source: Source) {
        if self.served.contains(&source) {
            self.restart();
        }
    }

    /// The capture that gives the client a channel, waited for `limit` at most. `show` makes sure that
    /// the channel is captured; should another client hide it meanwhile, it is shown and captured again.
    pub(super) async fn capture_of(
        &mut self,
        source: Source,
        handle: &Handle,
        timeout: Duration,
        limit: Duration,
        show: impl Fn(),
    ) -> Option<Arc<Capture>> {
        self.turn_to(source);
        for _ in 0..MAX_ATTEMPTS {
            show();
            self.begin(handle, TriggerTimeout::AtMost(timeout)).await.ok()?;
            match self.wait(limit).await {
                Ok(Some(capture)) if source.is_in(&capture) => {
                    self.served.push(source);
                    return Some(capture);
                }
                Ok(None) => return None,
                Ok(Some(_)) | Err(NoCapture) => self.restart(),
            }
        }
        None
    }
}

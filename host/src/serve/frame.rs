//! One client's frame: a capture, and which of its channels the client has had.

use std::sync::Arc;
use std::time::Duration;

use super::capture::Capture;
use super::desk::{Desk, NoCapture, Pending};
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
}

/// A capture that serves each channel once.
#[derive(Debug, Default)]
pub(super) struct Frame {
    capture: Option<Arc<Capture>>,
    pending: Option<Pending>,
    served: Vec<Source>,
}

impl Frame {
    /// What comes next is of a new capture.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }

    /// Asks for a capture, if none is there or under way.
    pub(super) async fn begin(&mut self, desk: &Desk, patience: Option<Duration>) -> Result<(), NoCapture> {
        if self.capture.is_none() && self.pending.is_none() {
            self.pending = Some(desk.capture(patience).await?);
        }
        Ok(())
    }

    /// The capture, waited for that long at the most.
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

    /// The client gets this channel.
    pub(super) fn serve(&mut self, source: Source) {
        self.served.push(source);
    }
}

//! Ctrl-C: the first one cancels, the second one gives up.

use tokio::signal;
use tokio::sync::watch;

/// Counts the interrupts of the process from its making on.
#[derive(Debug, Clone)]
pub(super) struct Interrupts {
    count: watch::Receiver<u32>,
}

impl Interrupts {
    /// Takes over Ctrl-C. Must be called within the runtime.
    pub(super) fn watch() -> Self {
        let (sender, count) = watch::channel(0);
        tokio::spawn(async move {
            while signal::ctrl_c().await.is_ok() {
                sender.send_modify(|count| *count += 1);
            }
        });
        Self { count }
    }

    /// How many have come.
    pub(super) fn count(&self) -> u32 {
        *self.count.borrow()
    }

    /// Completes when `count` have come; never if interrupts cannot be had.
    pub(super) async fn reached(&self, count: u32) {
        let mut receiver = self.count.clone();
        if receiver.wait_for(|&seen| seen >= count).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

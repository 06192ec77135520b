//! Ctrl-C: the first one cancels, the second one gives up.

use std::io;

use tokio::signal;
use tokio::sync::watch;

/// Counts the interrupts of the process from a moment on.
#[derive(Debug, Clone)]
pub(super) struct Interrupts {
    count: watch::Receiver<u32>,
    /// Those that came before, and do not count.
    before: u32,
}

impl Interrupts {
    /// Takes over Ctrl-C. Must be called within the runtime.
    pub(super) fn watch() -> Self {
        let (sender, count) = watch::channel(0);
        // From here on, and not from the task's first turn.
        if let Ok(mut presses) = ctrl_c() {
            tokio::spawn(async move {
                while presses.recv().await.is_some() {
                    sender.send_modify(|count| *count += 1);
                }
            });
        }
        Self { count, before: 0 }
    }

    /// The same, counted from now on: what came before was meant for something else.
    pub(super) fn since_now(&self) -> Self {
        Self { count: self.count.clone(), before: *self.count.borrow() }
    }

    /// How many have come.
    pub(super) fn count(&self) -> u32 {
        self.count.borrow().saturating_sub(self.before)
    }

    /// Completes when `count` have come; never if interrupts cannot be had.
    pub(super) async fn reached(&self, count: u32) {
        let mut receiver = self.count.clone();
        if receiver.wait_for(|&seen| seen.saturating_sub(self.before) >= count).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Completes at the first Ctrl-C, or when the system wants the program to end. Takes over that signal at once.
#[cfg(unix)]
pub(super) fn stopped(interrupts: &Interrupts) -> impl Future<Output = ()> + use<'_> {
    let terminate = signal::unix::signal(signal::unix::SignalKind::terminate());
    async move {
        let terminated = async {
            match terminate {
                Ok(mut terminate) => terminate.recv().await,
                // The signal then ends the program as ever.
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = interrupts.reached(1) => {}
            _ = terminated => {}
        }
    }
}

#[cfg(not(unix))]
pub(super) async fn stopped(interrupts: &Interrupts) {
    interrupts.reached(1).await;
}

#[cfg(unix)]
fn ctrl_c() -> io::Result<signal::unix::Signal> {
    signal::unix::signal(signal::unix::SignalKind::interrupt())
}

#[cfg(windows)]
fn ctrl_c() -> io::Result<signal::windows::CtrlC> {
    signal::windows::ctrl_c()
}

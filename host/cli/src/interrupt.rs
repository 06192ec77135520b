//! Signals that end the program: the first one finishes what is under way, the second one gives up.
//!
//! Ctrl-C, SIGTERM (a service manager, `kill`) and SIGHUP (the terminal was closed) count alike, so that files are finished
//! whichever of them ends a command. On Windows these are Ctrl-C, Ctrl-Break, and closing the console or the session.

use tokio::sync::watch;

/// What has come so far.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// All of the signals.
    count: u32,
    /// Whether one of them asks the process as a whole to end, and not what it does.
    is_termination: bool,
}

/// Counts the signals that ask the process to end, from a moment on.
#[derive(Debug, Clone)]
pub(super) struct Interrupts {
    seen: watch::Receiver<Seen>,
    /// Those that came before, and do not count.
    before: u32,
}

impl Interrupts {
    /// Takes over the signals. Must be called within the runtime.
    pub(super) fn watch() -> Self {
        let (sender, seen) = watch::channel(Seen::default());
        system::watch(&sender);
        Self { seen, before: 0 }
    }

    /// The same, counted from now on: what came before was meant for something else.
    pub(super) fn since_now(&self) -> Self {
        Self { seen: self.seen.clone(), before: self.seen.borrow().count }
    }

    /// How many have come.
    pub(super) fn count(&self) -> u32 {
        self.seen.borrow().count.saturating_sub(self.before)
    }

    /// Completes when `count` have come; never if signals cannot be had.
    pub(super) async fn reached(&self, count: u32) {
        self.wait_for(|seen| seen.count.saturating_sub(self.before) >= count).await;
    }

    /// Completes when the process as a whole shall end, and has been asked to at any time: by SIGTERM or SIGHUP.
    pub(super) async fn terminated(&self) {
        self.wait_for(|seen| seen.is_termination).await;
    }

    /// Whether the process as a whole shall end.
    pub(super) fn is_terminated(&self) -> bool {
        self.seen.borrow().is_termination
    }

    async fn wait_for(&self, is_reached: impl Fn(&Seen) -> bool) {
        if self.seen.clone().wait_for(is_reached).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Takes note of a signal.
fn count(sender: &watch::Sender<Seen>, is_termination: bool) {
    sender.send_modify(|seen| {
        seen.count += 1;
        seen.is_termination |= is_termination;
    });
}

#[cfg(unix)]
mod system {
    use tokio::signal::unix::{SignalKind, signal};
    use tokio::sync::watch;

    use super::{Seen, count};

    /// Counts each signal. A signal that cannot be had ends the program as ever.
    pub(super) fn watch(sender: &watch::Sender<Seen>) {
        for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
            // `nohup` has the end of the terminal ignored, and so it stays.
            if kind == SignalKind::hangup() && is_ignored(kind) {
                continue;
            }
            // From here on, and not from the task's first turn.
            if let Ok(mut signals) = signal(kind) {
                let sender = sender.clone();
                tokio::spawn(async move {
                    while signals.recv().await.is_some() {
                        count(&sender, kind != SignalKind::interrupt());
                    }
                });
            }
        }
    }

    /// Whether the process was started with this signal ignored.
    #[expect(unsafe_code, reason = "no safe wrapper only asks for the disposition of a signal")]
    fn is_ignored(kind: SignalKind) -> bool {
        // SAFETY: `sigaction` is plain data, for which zeros are valid.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        // SAFETY: without a new action it only writes the present one, to a place that outlives the call.
        let result = unsafe { libc::sigaction(kind.as_raw_value(), std::ptr::null(), &raw mut action) };
        result == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}

#[cfg(windows)]
mod system {
    use tokio::signal::windows;
    use tokio::sync::watch;

    use super::{Seen, count};

    /// Counts each event of the console. One that cannot be had ends the program as ever.
    pub(super) fn watch(sender: &watch::Sender<Seen>) {
        macro_rules! count_all {
            ($($event:ident: $is_termination:literal),*) => {
                $(if let Ok(mut events) = windows::$event() {
                    let sender = sender.clone();
                    tokio::spawn(async move {
                        while events.recv().await.is_some() {
                            count(&sender, $is_termination);
                        }
                    });
                })*
            };
        }
        count_all!(ctrl_c: false, ctrl_break: true, ctrl_close: true, ctrl_logoff: true, ctrl_shutdown: true);
    }
}

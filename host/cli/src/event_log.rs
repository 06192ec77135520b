//! Prints events while serving, without ever blocking the server.

use std::sync::mpsc::{SyncSender, sync_channel};

use super::message::print_status;
use scopething_serve::Event;

/// Lines that wait to be printed; when standard error is not read, further lines are dropped.
const MAX_WAITING: usize = 1024;

/// A log on standard error, printed by a thread of its own.
pub(super) struct EventLog {
    lines: SyncSender<String>,
}

impl EventLog {
    pub(super) fn start() -> Self {
        let (lines, waiting) = sync_channel::<String>(MAX_WAITING);
        std::thread::spawn(move || {
            for line in waiting {
                print_status!("{line}");
            }
        });
        Self { lines }
    }

    pub(super) fn take(&self, event: &Event) {
        // Left out if there is no room.
        let _ = self.lines.try_send(event.to_string());
    }
}

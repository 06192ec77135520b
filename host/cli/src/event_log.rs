//! Prints events while serving, without ever blocking the server, and so many a second at most.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Instant;

use super::message::print_status;
use scopething_serve::{Event, EventLimit};

/// Lines that wait to be printed; when standard error is not read, further lines are dropped.
const MAX_WAITING: usize = 1024;

/// A log on standard error, printed by a thread of its own.
pub(super) struct EventLog {
    lines: SyncSender<String>,
    limit: EventLimit,
}

impl EventLog {
    pub(super) fn start() -> Self {
        let (lines, waiting) = sync_channel::<String>(MAX_WAITING);
        std::thread::spawn(move || {
            for line in waiting {
                print_status!("{line}");
            }
        });
        Self { lines, limit: EventLimit::default() }
    }

    pub(super) fn take(&mut self, event: &Event) {
        for line in self.limit.lines(event, Instant::now()) {
            // Left out if there is no room.
            let _ = self.lines.try_send(line);
        }
    }
}

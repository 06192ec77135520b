//! Which command an answer of a real device belongs to, determined from the echoes ([section 1 of the reference](scopething_core::vm#1-the-link)).
//!
//! Each byte sent is echoed, and what follows the echo of a command belongs to it, until the next command is
//! echoed. `K` is written while a trace runs, and what follows its echo still belongs to the `D` (or `T`)
//! that started it.

use std::collections::VecDeque;

use scopething_core::vm::Command;

use scopething_sim::Origin;

/// Echoes that are waited for; older ones are dropped.
const MAX_DUE: usize = 1 << 16;

/// Distinguishes what answers which byte.
#[derive(Debug, Default)]
pub(super) struct Attribution {
    sent: Origin,
    /// Bytes whose echo is due, with their numbers.
    due: VecDeque<(Origin, u8)>,
    /// The command whose answer is coming in.
    answered: Origin,
    /// Whether that is a trace.
    tracing: bool,
}

impl Attribution {
    /// These bytes have gone to the device.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.due.push_back((self.sent, byte));
            self.sent += 1;
        }
        let surplus = self.due.len().saturating_sub(MAX_DUE);
        self.due.drain(..surplus);
    }

    /// The number of the byte sent that a byte received belongs to.
    pub(super) fn received(&mut self, byte: u8) -> Origin {
        let Some((origin, _)) = self.due.front().copied().filter(|(_, echo)| *echo == byte) else {
            return self.answered;
        };
        self.due.pop_front();
        let command = Command::from_byte(byte);
        if command != Command::CancelTrace || !self.tracing {
            self.answered = origin;
            self.tracing = matches!(command, Command::Trace | Command::StreamTrace);
        }
        origin
    }

    /// A new client: pending echoes will not arrive any more.
    pub(super) fn restart(&mut self) {
        self.due.clear();
        self.answered = self.sent;
        self.tracing = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(attribution: &mut Attribution, bytes: &[u8]) -> Vec<Origin> {
        bytes.iter().map(|byte| attribution.received(*byte)).collect()
    }

    #[test]
    fn answers_follow_their_echo() {
        let mut attribution = Attribution::default();
        attribution.sent(b"[2e]@p");
        assert_eq!(origins(&mut attribution, b"[2e]@p\r00\r"), [0, 1, 2, 3, 4, 5, 5, 5, 5, 5]);
        attribution.sent(b"?");
        assert_eq!(origins(&mut attribution, b"?\rBS"), [6, 6, 6, 6]);
    }

    #[test]
    fn answer_after_cancel_belongs_to_trace() {
        let mut attribution = Attribution::default();
        attribution.sent(b">D");
        assert_eq!(origins(&mut attribution, b">D02\r"), [0, 1, 1, 1, 1]);
        attribution.sent(b"K");
        // The trace ends by itself just before the cancel arrives.
        assert_eq!(origins(&mut attribution, b"00\rK\r"), [1, 1, 1, 2, 1]);
        attribution.sent(b"A");
        assert_eq!(origins(&mut attribution, b"AA"), [3, 3]);
    }

    #[test]
    fn answers_never_reach_the_next_client() {
        let mut attribution = Attribution::default();
        attribution.sent(b"????");
        attribution.restart();
        attribution.sent(b"!");
        assert_eq!(origins(&mut attribution, b"!"), [4]);
    }
}

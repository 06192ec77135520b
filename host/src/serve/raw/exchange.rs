//! The datagrams of the bitscope-server protocol (vm-reference section 11), seen from the server. No sockets
//! here.
//!
//! ```
//! use scopething::serve::bitscope_server::{Exchange, Received};
//!
//! let mut exchange = Exchange::default();
//! // Command 5, the first of this client; four bytes have gone to the device before.
//! assert_eq!(exchange.take(b"\x05p", 4), Received::Commands(b"p".to_vec()));
//! // The echo answers byte 4.
//! assert_eq!(exchange.pack(&[(4, b'p')]), [b"\x00\x01\x05\x00p"]);
//! ```
//!
//! A datagram that repeats the last one, identifier and commands, is taken for that: it is not executed
//! again, and what has been answered so far is sent once more.

use std::collections::VecDeque;

/// The number of a byte among all that were sent to the device.
pub type Origin = u64;

/// Commands that fit in a datagram to the server.
const MOST_COMMANDS: usize = 64;
/// Answer bytes in a datagram: a server may fill a network packet.
const MOST_ANSWERS: usize = 1400;
/// Who answers.
const ADAPTOR_ID: [u8; 2] = [0x00, 0x01];
/// Commands whose answers may still come.
const MOST_OPEN: usize = 256;
/// Bytes of answers that are kept for a repetition; a longer answer is not repeated.
const MOST_KEPT: usize = 1 << 16;

/// A command datagram that was executed.
#[derive(Debug)]
struct Open {
    /// The number of its first byte among all that were sent to the device.
    first: Origin,
    id: u8,
    next_sequence: u8,
}

/// What to do with a datagram.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Execute these.
    Commands(Vec<u8>),
    /// Send these once more.
    Repeated(Vec<Vec<u8>>),
    /// Nothing.
    Malformed,
}

/// The exchange of datagrams with one client.
#[derive(Debug, Default)]
pub struct Exchange {
    open: VecDeque<Open>,
    last: Vec<u8>,
    kept: Vec<Vec<u8>>,
    kept_bytes: usize,
}

impl Exchange {
    /// Takes a datagram; `sent` bytes have gone to the device before.
    pub fn take(&mut self, datagram: &[u8], sent: Origin) -> Received {
        let Some((&id, commands)) = datagram.split_first() else { return Received::Malformed };
        if commands.is_empty() || commands.len() > MOST_COMMANDS {
            return Received::Malformed;
        }
        if self.last == datagram && self.kept_bytes <= MOST_KEPT {
            return Received::Repeated(self.kept.clone());
        }
        datagram.clone_into(&mut self.last);
        self.kept.clear();
        self.kept_bytes = 0;
        if self.open.len() == MOST_OPEN {
            self.open.pop_front();
        }
        self.open.push_back(Open { first: sent, id, next_sequence: 0 });
        Received::Commands(commands.to_vec())
    }

    /// The datagrams for answers, each to the command that it answers.
    pub fn pack(&mut self, answers: &[(Origin, u8)]) -> Vec<Vec<u8>> {
        let mut datagrams: Vec<Vec<u8>> = Vec::new();
        let mut current = None;
        for &(origin, byte) in answers {
            let Some(index) = self.open.iter().rposition(|open| open.first <= origin) else { continue };
            let fits = datagrams.last().is_some_and(|datagram| datagram.len() < 4 + MOST_ANSWERS);
            if current != Some(index) || !fits {
                datagrams.extend(self.open.get_mut(index).map(Open::header));
                current = Some(index);
            }
            if let Some(datagram) = datagrams.last_mut() {
                datagram.push(byte);
            }
        }
        self.keep(&datagrams);
        datagrams
    }

    /// Keeps what answers the last command, for a repetition.
    fn keep(&mut self, datagrams: &[Vec<u8>]) {
        let id = self.open.back().map(|open| open.id);
        for datagram in datagrams.iter().filter(|datagram| datagram.get(2).copied() == id) {
            self.kept_bytes = self.kept_bytes.saturating_add(datagram.len());
            if self.kept_bytes <= MOST_KEPT {
                self.kept.push(datagram.clone());
            }
        }
    }

    /// A datagram that tells a client why it is not served.
    #[must_use]
    pub fn refusal(datagram: &[u8], reason: &str) -> Vec<u8> {
        let id = datagram.first().copied().unwrap_or(0);
        [&ADAPTOR_ID[..], &[id, 0], reason.as_bytes()].concat()
    }
}

impl Open {
    fn header(&mut self) -> Vec<u8> {
        let [high, low] = ADAPTOR_ID;
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        vec![high, low, self.id, sequence]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_to_the_command_they_answer() {
        let mut exchange = Exchange::default();
        assert_eq!(exchange.take(b"\x05>UD", 100), Received::Commands(b">UD".to_vec()));
        let wait: Vec<(Origin, u8)> = [(100, b'>'), (101, b'U'), (102, b'D'), (102, b'0')].into();
        assert_eq!(exchange.pack(&wait), [b"\x00\x01\x05\x00>UD0".to_vec()]);
        assert_eq!(exchange.take(b"\x06K", 103), Received::Commands(b"K".to_vec()));
        // The end of the trace belongs to D, whatever came in between.
        let answers = exchange.pack(&[(103, b'K'), (102, b'3')]);
        assert_eq!(answers, [b"\x00\x01\x06\x00K".to_vec(), b"\x00\x01\x05\x013".to_vec()]);
    }

    #[test]
    fn long_answers_are_split_and_numbered() {
        let mut exchange = Exchange::default();
        exchange.take(b"\x00A", 0);
        let answers = exchange.pack(&vec![(0, 7); 3000]);
        assert_eq!(answers.iter().map(Vec::len).collect::<Vec<_>>(), [1404, 1404, 204]);
        assert!(answers.iter().enumerate().all(|(n, datagram)| usize::from(datagram[3]) == n));
    }

    #[test]
    fn a_repetition_is_answered_and_not_executed() {
        let mut exchange = Exchange::default();
        exchange.take(b"\x01p", 0);
        let answers = exchange.pack(&[(0, b'p'), (0, b'\r')]);
        assert_eq!(exchange.take(b"\x01p", 1), Received::Repeated(answers));
        assert_eq!(exchange.take(b"\x02p", 1), Received::Commands(b"p".to_vec()));
        assert_eq!(exchange.take(b"\x02r", 2), Received::Commands(b"r".to_vec()));
    }

    #[test]
    fn what_is_no_command_datagram_is_told_apart() {
        let mut exchange = Exchange::default();
        for datagram in [&b""[..], b"\x01", &[0; 66]] {
            assert_eq!(exchange.take(datagram, 0), Received::Malformed);
        }
        assert!(matches!(exchange.take(&[0; 65], 0), Received::Commands(_)));
    }
}

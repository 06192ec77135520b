//! The datagrams of the bitscope-server protocol ([section 11 of the reference](scopething_core::vm#11-the-bitscope-server-protocol)), seen from the server. No sockets
//! here.
//!
//! ```
//! use scopething_serve::bitscope_server::{Exchange, Received};
//!
//! // The 200th datagram of this server.
//! let mut exchange = Exchange::new(200);
//! // Command 5; four bytes have gone to the device before.
//! assert_eq!(exchange.take(b"\x05p", 4), Received::Commands(b"p".to_vec()));
//! // The echo answers byte 4.
//! assert_eq!(exchange.pack(&[(4, b'p')]), [b"\x00\x01\x05\xc8p"]);
//! ```
//!
//! A datagram that repeats the last one, identifier and commands, is taken for that: it is not executed
//! again, and what has been answered so far is sent once more. Who sends it need not be who gets the answer:
//! the address a datagram comes from can be forged. So an answer is repeated [three times](MAX_REPEATS) at most,
//! and only if its data would fit [one datagram](MAX_ANSWERS); a request of two bytes never repeats a dump.

pub(super) mod lossy_network;
pub(super) mod numbers;
pub(super) mod refusals;

use std::collections::VecDeque;

use scopething_core::link::bitscope_server::{AnswerRepr, CommandPacket};
pub use scopething_sim::Origin;

/// Answer bytes in a datagram: a server may fill a network packet.
pub const MAX_ANSWERS: usize = 1400;
/// How often an answer is sent again: as often as this program's own client would ask for it, and once more.
pub const MAX_REPEATS: u8 = 3;
/// The most datagrams of an answer that is sent again: a slow device's may come in many.
const MAX_KEPT: usize = 16;
/// Who answers.
const ADAPTOR_ID: [u8; 2] = [0x00, 0x01];
/// Commands whose answers may still arrive.
const MAX_OPEN: usize = 256;

/// A command datagram that was executed.
#[derive(Debug)]
struct Open {
    /// The number of its first byte among all that were sent to the device.
    first: Origin,
    id: u8,
}

/// What to do with a datagram.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// Execute these.
    Commands(Vec<u8>),
    /// Send these once more; none, if they are too long or were sent too often.
    Repeated(Vec<Vec<u8>>),
    /// Nothing.
    Malformed,
}

/// What has answered the last command so far.
#[derive(Debug, Default)]
struct Kept {
    datagrams: Vec<Vec<u8>>,
    /// Bytes of data in all of the answer, those that are not kept too.
    bytes: usize,
    repeats: u8,
}

/// The exchange of datagrams with one client.
#[derive(Debug)]
pub struct Exchange {
    open: VecDeque<Open>,
    next_seq: u8,
    last: Vec<u8>,
    kept: Kept,
}

impl Exchange {
    /// An exchange whose first answer has this `Data_Seq`.
    #[must_use]
    pub fn new(next_seq: u8) -> Self {
        Self { open: VecDeque::new(), next_seq, last: Vec::new(), kept: Kept::default() }
    }

    /// The `Data_Seq` of the next answer.
    #[must_use]
    pub fn next_seq(&self) -> u8 {
        self.next_seq
    }

    /// The identifier of the last command taken; 0 before the first.
    #[must_use]
    pub fn last_id(&self) -> u8 {
        self.last.first().copied().unwrap_or(0)
    }

    /// Takes a datagram; `sent` bytes have gone to the device before.
    pub fn take(&mut self, datagram: &[u8], sent: Origin) -> Received {
        let Ok(packet) = CommandPacket::new_checked(datagram) else { return Received::Malformed };
        if self.last == datagram {
            return Received::Repeated(self.kept.again());
        }
        datagram.clone_into(&mut self.last);
        self.kept = Kept::default();
        if self.open.len() == MAX_OPEN {
            self.open.pop_front();
        }
        self.open.push_back(Open { first: sent, id: packet.cmd_id() });
        Received::Commands(packet.commands().to_vec())
    }

    /// The datagrams for answers, each to the command that it answers.
    pub fn pack(&mut self, answers: &[(Origin, u8)]) -> Vec<Vec<u8>> {
        let mut datagrams = Vec::new();
        let answered = |origin: Origin| self.open.iter().rposition(|open| open.first <= origin);
        let answers: Vec<(usize, u8)> =
            answers.iter().filter_map(|(origin, byte)| Some((answered(*origin)?, *byte))).collect();
        for of_one in answers.chunk_by(|(one, _), (other, _)| one == other) {
            let Some(open) = of_one.first().and_then(|(index, _)| self.open.get(*index)) else { continue };
            let is_last = self.open.back().is_some_and(|last| last.first == open.first);
            for part in of_one.chunks(MAX_ANSWERS) {
                let data: Vec<u8> = part.iter().map(|(_, byte)| *byte).collect();
                let datagram = answer(open.id, self.next_seq, &data);
                self.next_seq = self.next_seq.wrapping_add(1);
                if is_last {
                    self.kept.keep(&datagram, data.len());
                }
                datagrams.push(datagram);
            }
        }
        datagrams
    }

    /// A datagram with the reason why a client is not served.
    #[must_use]
    pub fn refusal(datagram: &[u8], data_seq: u8, reason: &str) -> Vec<u8> {
        answer(datagram.first().copied().unwrap_or(0), data_seq, reason.as_bytes())
    }
}

impl Kept {
    /// Keeps a datagram for a repetition.
    fn keep(&mut self, datagram: &[u8], bytes: usize) {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes <= MAX_ANSWERS && self.datagrams.len() < MAX_KEPT {
            self.datagrams.push(datagram.to_vec());
        } else {
            self.bytes = usize::MAX;
            self.datagrams.clear();
        }
    }

    fn again(&mut self) -> Vec<Vec<u8>> {
        if self.repeats == MAX_REPEATS {
            return Vec::new();
        }
        self.repeats += 1;
        self.datagrams.clone()
    }
}

fn answer(cmd_id: u8, data_seq: u8, data: &[u8]) -> Vec<u8> {
    let answer = AnswerRepr { adaptor_id: ADAPTOR_ID, cmd_id, data_seq, data };
    let mut datagram = vec![0; answer.buffer_len()];
    // It fits: the buffer was made for it.
    let length = answer.emit(&mut datagram).unwrap_or_default();
    datagram.truncate(length);
    datagram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_go_to_the_command_they_answer() {
        let mut exchange = Exchange::new(0);
        assert_eq!(exchange.take(b"\x05>UD", 100), Received::Commands(b">UD".to_vec()));
        let wait: Vec<(Origin, u8)> = [(100, b'>'), (101, b'U'), (102, b'D'), (102, b'0')].into();
        assert_eq!(exchange.pack(&wait), [b"\x00\x01\x05\x00>UD0".to_vec()]);
        assert_eq!(exchange.take(b"\x06K", 103), Received::Commands(b"K".to_vec()));
        // The end of the trace belongs to D, whatever came in between.
        let answers = exchange.pack(&[(103, b'K'), (102, b'3')]);
        assert_eq!(answers, [b"\x00\x01\x06\x01K".to_vec(), b"\x00\x01\x05\x023".to_vec()]);
    }

    #[test]
    fn long_answers_are_split_and_numbers_run_on() {
        let mut exchange = Exchange::new(254);
        exchange.take(b"\x00A", 0);
        let answers = exchange.pack(&vec![(0, 7); 3000]);
        assert_eq!(answers.iter().map(Vec::len).collect::<Vec<_>>(), [1404, 1404, 204]);
        assert_eq!(answers.iter().map(|datagram| datagram[3]).collect::<Vec<_>>(), [254, 255, 0]);
        exchange.take(b"\x01U", 1);
        assert_eq!(exchange.pack(&[(1, b'U')]), [b"\x00\x01\x01\x01U"]);
    }

    #[test]
    fn repetition_is_answered_and_not_executed() {
        let mut exchange = Exchange::new(0);
        exchange.take(b"\x01p", 0);
        let answers = exchange.pack(&[(0, b'p'), (0, b'\r')]);
        assert_eq!(exchange.take(b"\x01p", 1), Received::Repeated(answers));
        assert_eq!(exchange.take(b"\x02p", 1), Received::Commands(b"p".to_vec()));
        assert_eq!(exchange.take(b"\x02r", 2), Received::Commands(b"r".to_vec()));
    }

    #[test]
    fn repetitions_do_not_amplify() {
        let mut exchange = Exchange::new(0);
        let repeated = |exchange: &mut Exchange, datagram: &[u8]| {
            let mut bytes = 0;
            for _ in 0..1000 {
                let Received::Repeated(answers) = exchange.take(datagram, 99) else {
                    panic!("executed again")
                };
                bytes += answers.concat().len();
            }
            bytes
        };
        exchange.take(b"\x01?", 0);
        let answer = exchange.pack(&[(0, b'?'), (0, b'\r')]).concat().len();
        assert_eq!(repeated(&mut exchange, b"\x01?"), usize::from(MAX_REPEATS) * answer);
        // A dump is not sent again at all, however it was cut.
        exchange.take(b"\x02A", 1);
        exchange.pack(&vec![(1, 7); 1400]);
        exchange.pack(&[(1, 7)]);
        assert_eq!(repeated(&mut exchange, b"\x02A"), 0);
        // Nor is what comes of it after that.
        exchange.pack(&[(1, 7)]);
        assert_eq!(repeated(&mut exchange, b"\x02A"), 0);
        // The next command is a new one.
        assert_eq!(exchange.take(b"\x03?", 2), Received::Commands(b"?".to_vec()));
    }

    #[test]
    fn non_command_datagrams_are_recognised() {
        let mut exchange = Exchange::new(0);
        for datagram in [&b""[..], b"\x01", &[0; 66]] {
            assert_eq!(exchange.take(datagram, 0), Received::Malformed);
        }
        assert!(matches!(exchange.take(&[0; 65], 0), Received::Commands(_)));
    }
}

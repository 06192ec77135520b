//! All bytes that an experiment exchanges with the device, without the digits of its serial number.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::rc::Rc;

use scopething_core::time::Instant;
use serde_json::{Value, json};

use scopething::link::{Chunk, Direction};

/// Bytes kept of one experiment. None of them exchanges half as many on a device that answers as it should; one that
/// never stops sending must not fill the memory.
const MAX_BYTES: usize = 4 << 20;

/// Bytes that went one way in one piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// When, in microseconds since the link was opened.
    pub at_us: u64,
    /// Which way.
    pub direction: Direction,
    /// The bytes; digits of the serial number are replaced by `x`.
    pub bytes: Vec<u8>,
}

impl Exchange {
    /// As an object of the report: the time, the receiver, the bytes in hex.
    #[must_use]
    pub fn json(&self) -> Value {
        let to = match self.direction {
            Direction::Written => "device",
            Direction::Read => "host",
        };
        let hex = self.bytes.iter().fold(String::new(), |mut hex, byte| {
            // Writing to a string does not fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        json!({ "at_us": self.at_us, "to": to, "hex": hex })
    }
}

/// What was exchanged in one experiment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Exchanges {
    /// In the order of time.
    pub chunks: Vec<Exchange>,
    /// Bytes beyond the limit, which were not kept.
    pub dropped: usize,
}

#[derive(Debug, Default)]
struct State {
    exchanges: Exchanges,
    kept: usize,
    concealing: bool,
}

/// Collects what the tracer of the link shows.
#[derive(Debug, Clone, Default)]
pub(super) struct ExchangeLog(Rc<RefCell<State>>);

impl ExchangeLog {
    pub(super) fn take_chunk(&self, chunk: Chunk<'_>) {
        let mut state = self.0.borrow_mut();
        let room = MAX_BYTES - state.kept;
        let kept = chunk.bytes.get(..room).unwrap_or(chunk.bytes);
        state.exchanges.dropped += chunk.bytes.len() - kept.len();
        state.kept += kept.len();
        if kept.is_empty() {
            return;
        }
        let conceal = state.concealing && chunk.direction == Direction::Read;
        let shown = |byte: &u8| if conceal && byte.is_ascii_hexdigit() { b'x' } else { *byte };
        let bytes: Vec<u8> = kept.iter().map(shown).collect();
        let Instant(at_us) = chunk.at;
        match state.exchanges.chunks.last_mut() {
            // The reader took them singly; they came together.
            Some(last) if (last.at_us, last.direction) == (at_us, chunk.direction) => {
                last.bytes.extend(bytes);
            }
            _ => state.exchanges.chunks.push(Exchange { at_us, direction: chunk.direction, bytes }),
        }
    }

    /// From now on, and until it is turned off, hex digits that the device sends are recorded as `x`.
    pub(super) fn conceal(&self, on: bool) {
        self.0.borrow_mut().concealing = on;
    }

    /// What was recorded since the last call.
    pub(super) fn finish(&self) -> Exchanges {
        let mut state = self.0.borrow_mut();
        state.kept = 0;
        std::mem::take(&mut state.exchanges)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(at: u64, direction: Direction, bytes: &[u8]) -> Chunk<'_> {
        Chunk { at: Instant(at), direction, bytes }
    }

    #[test]
    fn only_serial_digits_are_concealed() {
        let exchange_log = ExchangeLog::default();
        exchange_log.take_chunk(chunk(1, Direction::Read, b"\r44\r"));
        exchange_log.conceal(true);
        exchange_log.take_chunk(chunk(1, Direction::Written, b"[30]r"));
        exchange_log.take_chunk(chunk(2, Direction::Read, b"r\r4"));
        exchange_log.take_chunk(chunk(2, Direction::Read, b"4\r"));
        exchange_log.conceal(false);
        exchange_log.take_chunk(chunk(3, Direction::Read, b"\r44\r"));
        let bytes: Vec<Vec<u8>> = exchange_log.finish().chunks.into_iter().map(|chunk| chunk.bytes).collect();
        assert_eq!(bytes, [&b"\r44\r"[..], b"[30]r", b"r\rxx\r", b"\r44\r"]);
        assert_eq!(exchange_log.finish(), Exchanges::default());
    }

    #[test]
    fn endless_sender_fills_no_memory() {
        let exchange_log = ExchangeLog::default();
        let bytes = vec![0; MAX_BYTES - 1];
        for _ in 0..3 {
            exchange_log.take_chunk(chunk(1, Direction::Read, &bytes));
        }
        let recorded = exchange_log.finish();
        let kept: usize = recorded.chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        assert_eq!((kept, recorded.dropped), (MAX_BYTES, 2 * MAX_BYTES - 3));
    }
}

//! What the device sends to its host: bytes with the moments they are due, dumps made as they are
//! fetched.

use std::collections::VecDeque;

use super::buffer::{CaptureBuffer, Layout};
use super::time::SimTime;

/// Answers that wait to be fetched; what comes beyond is lost, as in a device nobody reads from.
const MAX_WAITING: usize = 1 << 16;
/// Dumps that wait to be fetched: each may keep a capture buffer of its own.
const MAX_DUMPS: usize = 16;

/// Which samples a dump sends, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DumpForm {
    RawAnalog { channel: u32 },
    NativeAnalog { channel: u32 },
    RawLogic,
    NativeLogic,
}

/// A dump that is being sent: `repeat` times `count` samples from `first` on.
#[derive(Debug, Clone)]
pub(super) struct Dump {
    pub(super) buffer: CaptureBuffer,
    pub(super) layout: Layout,
    pub(super) form: DumpForm,
    /// Counted per channel for analog samples, as addresses for logic.
    pub(super) first: u32,
    pub(super) count: u32,
    pub(super) total: u64,
    /// What the converter held before, if that is what the first sample shows.
    pub(super) stale: Option<u16>,
    pub(super) sent: u64,
    /// The low byte of the sample whose high byte has been sent.
    pub(super) low: Option<u8>,
}

impl Dump {
    /// The sample at a place of the dump, as a word over the range.
    fn word(&self, place: u64) -> u16 {
        if place == 0
            && let Some(stale) = self.stale
        {
            return stale;
        }
        let sample = self.first.wrapping_add((place % u64::from(self.count.max(1))) as u32);
        match self.form {
            DumpForm::RawAnalog { channel } | DumpForm::NativeAnalog { channel } => {
                let stored = self.buffer.analog(self.layout, channel, sample);
                if self.layout.wide() { stored } else { stored << 8 }
            }
            DumpForm::RawLogic | DumpForm::NativeLogic => {
                u16::from(self.buffer.logic(self.layout, sample)) << 8
            }
        }
    }

    /// The last sample of the dump: what the converter then holds.
    pub(super) fn last_word(&self) -> Option<u16> {
        Some(self.word(self.total.checked_sub(1)?))
    }

    fn next_byte(&mut self) -> Option<u8> {
        if let Some(low) = self.low.take() {
            return Some(low);
        }
        if self.sent >= self.total {
            return None;
        }
        let word = self.word(self.sent);
        self.sent += 1;
        let native = matches!(self.form, DumpForm::NativeAnalog { .. } | DumpForm::NativeLogic);
        // Native samples are signed: the middle of the range is 0.
        let [high, low] = if native { word ^ 0x8000 } else { word }.to_be_bytes();
        self.low = native.then_some(low);
        Some(high)
    }
}

#[derive(Debug, Clone)]
enum Piece {
    Byte(SimTime, Origin, u8),
    Dump(SimTime, Origin, Box<Dump>),
}

/// Which of the bytes received, counted from 0, an answer belongs to.
pub type Origin = u64;

/// The answers in the order in which they are sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Output {
    pieces: VecDeque<Piece>,
    dumps: usize,
}

impl Output {
    /// Adds bytes; returns whether there was room for them.
    pub(super) fn push(&mut self, due: SimTime, origin: Origin, bytes: &[u8]) -> bool {
        let room = MAX_WAITING.saturating_sub(self.pieces.len());
        self.pieces.extend(bytes.iter().take(room).map(|byte| Piece::Byte(due, origin, *byte)));
        room >= bytes.len()
    }

    pub(super) fn push_dump(&mut self, due: SimTime, origin: Origin, dump: Dump) -> bool {
        let fits = self.pieces.len() < MAX_WAITING && self.dumps < MAX_DUMPS;
        if fits {
            self.pieces.push_back(Piece::Dump(due, origin, Box::new(dump)));
            self.dumps += 1;
        }
        fits
    }

    /// When the next byte is due.
    pub(super) fn next_due(&self) -> Option<SimTime> {
        self.pieces.front().map(|piece| match piece {
            Piece::Byte(due, ..) | Piece::Dump(due, ..) => *due,
        })
    }

    pub(super) fn next_byte(&mut self) -> Option<(Origin, u8)> {
        loop {
            match self.pieces.front_mut()? {
                Piece::Byte(_, origin, byte) => {
                    let answer = (*origin, *byte);
                    self.pieces.pop_front();
                    return Some(answer);
                }
                Piece::Dump(_, origin, dump) => match dump.next_byte() {
                    Some(byte) => {
                        let answer = (*origin, byte);
                        if dump.sent >= dump.total && dump.low.is_none() {
                            self.end_dump();
                        }
                        return Some(answer);
                    }
                    None => self.end_dump(),
                },
            }
        }
    }

    fn end_dump(&mut self) {
        self.pieces.pop_front();
        self.dumps -= 1;
    }

    /// Stops the dumps that are being sent; what was sent besides stays.
    pub(super) fn stop_dumps(&mut self) {
        self.pieces.retain(|piece| matches!(piece, Piece::Byte(..)));
        self.dumps = 0;
    }
}

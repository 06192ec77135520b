//! A streaming trace: what `T` starts ([section 8 of the reference](scopething_core::vm#8-streaming)).
//!
//! A frame is sampled at the pace of `ClockTicks` and goes into a buffer of fixed size, from which the link
//! takes bytes as fast as it can. A frame that does not fit as a whole is lost: its sequence number is
//! missing from what follows. Frames are made when the link asks for them, so that neither a fast stream nor
//! a host that never reads takes memory.
//!
//! Choices where the reference is silent:
//!
//! - The first frame is sampled a period after `T`, with sequence number 0.
//! - The logic byte is in a frame unless `DigitalEnable` is 0.
//! - A raw stream is of A if A is on, otherwise of B if B is on, otherwise of the logic lines.
//! - `ClockTicks` has the limits of the slowest capture modes, and `ClockScale` divides nothing.
//! - The registers are read at `T`.
//! - What is in the buffer when the stream ends is still sent, so that the last frame is whole.

use std::collections::VecDeque;

use super::frontend::{FrontEnd, Range, quantise_byte};
use super::time::SimTime;
use super::wiring::Wiring;

/// Bytes that wait for the link: the transmit buffer of an FT232R.
const BUFFER_BYTES: usize = 256;
/// The limits of `ClockTicks`.
const MIN_TICKS: u16 = 40;
const MAX_TICKS: u16 = 16384;

/// What a frame is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Ident, sequence number, and all that is on.
    Framed { ident: u8, analog: [bool; 2], logic: bool },
    /// One analog channel, a byte a sample.
    RawAnalog { channel: usize },
    /// The logic lines, a byte a sample.
    RawLogic,
}

impl Form {
    /// Bytes of a frame.
    fn length(self) -> usize {
        match self {
            Self::Framed { analog, logic, .. } => {
                2 + analog.into_iter().filter(|on| *on).count() + usize::from(logic)
            }
            Self::RawAnalog { .. } | Self::RawLogic => 1,
        }
    }
}

/// What the registers ask of a stream.
#[derive(Debug, Clone, Copy)]
pub(super) struct StreamSettings {
    form: Form,
    ticks: u16,
    range: Range,
}

impl StreamSettings {
    /// The settings of a trace mode, none if the mode cannot be streamed; the second is whether the clock is
    /// as asked for and not cut to its limits.
    pub(super) fn new(
        (mode, clock_ticks): (u8, u16),
        (ident, analog_enable, digital_enable): (u8, u8, u8),
        range: Range,
    ) -> Option<(Self, bool)> {
        let analog = [analog_enable & 1 != 0, analog_enable & 2 != 0];
        let form = match (mode, analog) {
            (1, _) => Form::Framed { ident, analog, logic: digital_enable != 0 },
            (2, [true, _]) => Form::RawAnalog { channel: 0 },
            (2, [_, true]) => Form::RawAnalog { channel: 1 },
            (2, _) => Form::RawLogic,
            _ => return None,
        };
        let ticks = clock_ticks.clamp(MIN_TICKS, MAX_TICKS);
        Some((Self { form, ticks, range }, ticks == clock_ticks))
    }
}

/// A running stream.
#[derive(Debug, Clone)]
pub(super) struct Stream {
    settings: StreamSettings,
    start: SimTime,
    /// The next frame to be sampled, counted from 0 with those that were lost.
    next: u64,
    /// Bytes that wait for the link, with the moment of their frame.
    buffer: VecDeque<(SimTime, u8)>,
}

impl Stream {
    pub(super) fn new(settings: StreamSettings, start: SimTime) -> Self {
        Self { settings, start, next: 0, buffer: VecDeque::with_capacity(BUFFER_BYTES) }
    }

    fn period(&self) -> SimTime {
        SimTime::from_ticks(self.settings.ticks.into())
    }

    /// When a frame is sampled.
    fn time_of(&self, frame: u64) -> SimTime {
        self.start + SimTime(self.period().0.saturating_mul(frame.saturating_add(1)))
    }

    /// When the next byte is ready, or was.
    pub(super) fn next_due(&self) -> SimTime {
        self.buffer.front().map_or_else(|| self.time_of(self.next), |(due, _)| *due)
    }

    /// Samples the frames up to a moment at which the link takes a byte, or the stream is disturbed: as many
    /// as the buffer has room for. The others are lost.
    fn sample_until(&mut self, at: SimTime, wiring: &Wiring, front: &FrontEnd) {
        while self.time_of(self.next) <= at && self.buffer.len() + self.settings.form.length() <= BUFFER_BYTES
        {
            self.sample(wiring, front);
            self.next += 1;
        }
        let due = (at - self.start).0 / self.period().0;
        self.next = self.next.max(due);
    }

    fn sample(&mut self, wiring: &Wiring, front: &FrontEnd) {
        let at = self.time_of(self.next);
        let range = self.settings.range;
        let analog = |channel| {
            let [byte, _] =
                quantise_byte(front.fraction(range, channel, wiring.volts(channel, at))).to_be_bytes();
            (at, byte)
        };
        match self.settings.form {
            Form::Framed { ident, analog: on, logic } => {
                self.buffer.extend([(at, ident), (at, self.next as u8)]);
                self.buffer.extend((0..on.len()).filter(|channel| on[*channel]).map(analog));
                self.buffer.extend(logic.then(|| (at, wiring.lines(at))));
            }
            Form::RawAnalog { channel } => self.buffer.push_back(analog(channel)),
            Form::RawLogic => self.buffer.push_back((at, wiring.lines(at))),
        }
    }

    /// The byte that the link takes at a moment, if one is ready.
    pub(super) fn take(&mut self, at: SimTime, wiring: &Wiring, front: &FrontEnd) -> Option<u8> {
        self.sample_until(at, wiring, front);
        self.buffer.pop_front().map(|(_, byte)| byte)
    }

    /// All bytes that wait at a moment.
    pub(super) fn drain(&mut self, at: SimTime, wiring: &Wiring, front: &FrontEnd) -> Vec<u8> {
        self.sample_until(at, wiring, front);
        self.buffer.drain(..).map(|(_, byte)| byte).collect()
    }
}

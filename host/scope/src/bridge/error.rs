//! What goes wrong between the computer and a bridge.

use scopething_core::link::bridge::frame::FrameError;
use scopething_core::link::bridge::{Refusal, TraceId};
use thiserror::Error;

/// Why the bridge did not do what it was asked for. `E` is the error of the stream.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum BridgeError<E> {
    /// The stream failed.
    #[error("the link to the bridge failed: {0}")]
    Link(E),
    /// Nothing that can be understood came back.
    #[error(
        "no answer from a bridge (asked {attempts} times within {waited_ms} ms): check the port, the wires and \
         the baud rate"
    )]
    NoAnswer {
        /// How often it was asked.
        attempts: u8,
        /// How long it was waited, in milliseconds.
        waited_ms: u32,
    },
    /// It speaks another version.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// It will not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It answered something else than it was asked.
    #[error(
        "the bridge answered something else than it was asked: flash the firmware that belongs to this program"
    )]
    OtherAnswer,
    /// The stored bytes of a trace ended early.
    #[error(
        "trace {id} ended after {received} of {expected} bytes: list what the bridge has, then fetch it again"
    )]
    Short {
        /// Which trace.
        id: TraceId,
        /// Bytes that came.
        received: usize,
        /// Its size according to its record.
        expected: usize,
    },
    /// The list of traces goes round.
    #[error("the list of traces does not end: flash the firmware that belongs to this program")]
    EndlessList,
}

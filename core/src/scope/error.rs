//! What can go wrong between the driver and a device.

use core::fmt;

use embedded_io::{Error, ErrorKind};

use crate::device::{BS05, Model};
use crate::trace::DumpChannel;
use crate::vm::{Command, Expected, Malformed, Revision, ScriptTooLong};

/// What the driver was doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Stage {
    /// Resetting the device and finding the beginning of its answers.
    Reset,
    /// Asking for the revision.
    Identify,
    /// Reading the EEPROM.
    ReadEeprom,
    /// Asking whether the device is still there.
    CheckPresence,
    /// Writing registers and starting a trace.
    Program,
    /// Waiting for the end of a trace.
    Trace,
    /// Ending a trace early.
    Cancel,
    /// Reading the samples of a channel.
    Dump(DumpChannel),
    /// Starting or stopping a generator.
    Generate,
    /// Receiving a stream.
    Stream,
    /// Ending a stream.
    EndStream,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset => f.write_str("resetting the device"),
            Self::Identify => f.write_str("asking for its revision"),
            Self::ReadEeprom => f.write_str("reading its EEPROM"),
            Self::CheckPresence => f.write_str("asking whether it is still there"),
            Self::Program => f.write_str("programming a trace"),
            Self::Trace => f.write_str("waiting for a trace"),
            Self::Cancel => f.write_str("cancelling a trace"),
            Self::Dump(DumpChannel::Analog(channel)) => write!(f, "reading the samples of channel {channel}"),
            Self::Dump(DumpChannel::Logic) => f.write_str("reading the samples of the logic lines"),
            Self::Generate => f.write_str("starting or stopping a generator"),
            Self::Stream => f.write_str("receiving a stream"),
            Self::EndStream => f.write_str("ending a stream"),
        }
    }
}

/// What in the device's answers does not agree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Contradiction {
    /// The trace ended for a reason that nothing gave rise to: a timeout without one being set, or a cancel that nobody sent.
    End {
        /// The token of the status packet.
        token: u8,
    },
    /// The device has forgotten its registers, and with them the trace: it lost its power.
    Forgotten,
    /// The reported end of the trace is at an address that the buffer does not have.
    Address {
        /// The address in the status packet.
        address: u32,
        /// How many samples the buffer holds in the trace's mode.
        width: u16,
    },
    /// The reported end of the trace is earlier than possible.
    EndsEarly {
        /// How long it took by the device's clock, in microseconds, its roll-over of 107.37 s not counted.
        reported_us: u32,
        /// The shortest that it can have taken, in microseconds; at most 71 minutes are given.
        min_us: u32,
    },
    /// The reported end of the trace is later than the report itself.
    EndsLate {
        /// How long it took by the device's clock, in microseconds, its roll-over of 107.37 s not counted.
        reported_us: u32,
        /// The longest that it can have taken by the host's clock, in microseconds; at most 71 minutes are given.
        max_us: u32,
    },
    /// The reported end of the trace differs from the sample counter.
    TraceEnd {
        /// The address in the status packet.
        status: u32,
        /// The device's sample counter.
        counter: u32,
    },
    /// Bytes come, and no frames are among them.
    NoFrames {
        /// How many bytes were looked through.
        bytes: u32,
    },
    /// No two readings of a channel in a row were the same.
    Samples,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::End { token } => write!(
                f,
                "the trace ended with status {token:02x}, which nothing gave rise to: capture again, and check \
                 that nothing else uses the device"
            ),
            Self::Forgotten => f.write_str(
                "the device lost its power before its trace was read: check its cable and supply, then capture again",
            ),
            Self::Address { address, width } => write!(
                f,
                "the device reports the end of the trace at address {address} of a buffer of {width} samples: capture again, and \
                 check the cable if it happens often"
            ),
            Self::EndsEarly { reported_us, min_us } => write!(
                f,
                "the device reports that the trace took {reported_us} us, it cannot have taken less than {min_us} us: \
                 capture again, and check the cable if it happens often"
            ),
            Self::EndsLate { reported_us, max_us } => write!(
                f,
                "the device reports that the trace took {reported_us} us, it cannot have taken more than {max_us} us: \
                 capture again, and check the cable if it happens often"
            ),
            Self::TraceEnd { status, counter } => write!(
                f,
                "the device reports the end of the trace at sample {status}, but its counter is at {counter}: capture again"
            ),
            Self::NoFrames { bytes } => write!(
                f,
                "{bytes} bytes came of the stream and no frames were among them: check the cable, then try again"
            ),
            Self::Samples => f.write_str("no two readings agree: the link changes bytes, check the cable"),
        }
    }
}

impl core::error::Error for Contradiction {}

/// What the caller can do about a [`ScopeError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Recovery {
    /// Repeat the operation: the link still works, and the driver resets the device by itself first. Where it fails like
    /// that several times in a row, the cable or the network is at fault.
    Retry,
    /// Open the link anew, once the device is back: the stream is gone, or the device is silent. The driver has tried again
    /// before it reports silence.
    Reconnect,
    /// Give up: it is the wrong device, or the request cannot work.
    Fatal,
}

/// A failure of the link or of the device: what the driver was doing, and what happened. `E` is the error of the stream.
///
/// [`Self::recovery`] reports what can be done about it. After any of these the driver resets the device by itself before its
/// next operation.
///
/// ```
/// use embedded_io::ErrorKind;
/// use scopething_core::scope::{Recovery, ScopeError, ScopeErrorKind, Stage};
///
/// let error: ScopeError<ErrorKind> = ScopeErrorKind::Incomplete { received: 2, expected: 12 }.at(Stage::Trace);
/// assert_eq!(error.recovery(), Recovery::Retry);
/// assert!(matches!(error.kind, ScopeErrorKind::Incomplete { expected: 12, .. }));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct ScopeError<E> {
    /// What the driver was doing.
    pub stage: Stage,
    /// What happened.
    pub kind: ScopeErrorKind<E>,
}

/// What happened in a [`ScopeError`]. `E` is the error of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ScopeErrorKind<E> {
    /// The stream failed.
    Link(E),
    /// The stream was closed from the other end.
    Closed,
    /// Nothing came.
    NoAnswer {
        /// How long it waited, in milliseconds.
        waited_ms: u32,
    },
    /// An answer began and did not go on.
    Incomplete {
        /// The bytes that came.
        received: usize,
        /// The bytes that were due.
        expected: usize,
    },
    /// More came than was due.
    Surplus {
        /// The bytes that were due.
        expected: usize,
    },
    /// What came is not an answer of a BitScope: the first byte that did not fit.
    Garbled(Malformed),
    /// A trace ended for a reason that is not known.
    UnknownStatus {
        /// The token of the status packet.
        token: u8,
    },
    /// A trace has ended and the link has lost the report of it: where its samples are is not known.
    EndLost,
    /// A trace with a delay was stopped before it was complete: which of its samples were taken after the delay is not known.
    DelayCutShort,
    /// The device's answers do not agree with one another.
    Contradiction(Contradiction),
    /// Another model or revision answered.
    WrongRevision {
        /// What it calls itself.
        found: Revision,
    },
    /// An operation before this one failed or was dropped, and the device had to be reset.
    GeneratorsStopped,
    /// A command script outgrew the driver's buffer.
    Script(ScriptTooLong),
}

impl<E> ScopeErrorKind<E> {
    /// The error, with what the driver was doing.
    #[must_use]
    pub fn at(self, stage: Stage) -> ScopeError<E> {
        ScopeError { stage, kind: self }
    }
}

impl Contradiction {
    /// The error, with what the driver was doing.
    pub(super) const fn at<E>(self, stage: Stage) -> ScopeError<E> {
        ScopeError { stage, kind: ScopeErrorKind::Contradiction(self) }
    }
}

impl<E> ScopeError<E> {
    /// Whether trying again may help: the stream still works.
    pub(super) fn is_passing(&self) -> bool {
        matches!(
            self.kind,
            ScopeErrorKind::NoAnswer { .. }
                | ScopeErrorKind::Incomplete { .. }
                | ScopeErrorKind::Surplus { .. }
                | ScopeErrorKind::Garbled(_)
        )
    }
}

impl<E: Error> ScopeError<E> {
    /// Whether a dump may be asked for again: the stream still works, and no echo shows that the link has turned a byte
    /// into a command that starts another trace over the one in the device.
    pub(super) fn leaves_trace(&self) -> bool {
        match &self.kind {
            ScopeErrorKind::Garbled(Malformed { byte: executed, expected: Expected::Echo(_) }) => {
                !matches!(Command::from_byte(*executed), Command::Trace | Command::StreamTrace)
            }
            ScopeErrorKind::Link(_) => self.recovery() == Recovery::Retry,
            _ => self.is_passing(),
        }
    }

    /// What the caller can do about it.
    ///
    /// Of an error of the stream its [`kind`](Error::kind) decides: after `InvalidData`, `OutOfMemory`, `TimedOut` and
    /// `Interrupted` something was lost and the stream goes on, after any other it is gone.
    #[must_use]
    pub fn recovery(&self) -> Recovery {
        match &self.kind {
            ScopeErrorKind::Link(error) => match error.kind() {
                ErrorKind::InvalidData
                | ErrorKind::OutOfMemory
                | ErrorKind::TimedOut
                | ErrorKind::Interrupted => Recovery::Retry,
                _ => Recovery::Reconnect,
            },
            ScopeErrorKind::Closed | ScopeErrorKind::NoAnswer { .. } => Recovery::Reconnect,
            ScopeErrorKind::Incomplete { .. }
            | ScopeErrorKind::Surplus { .. }
            | ScopeErrorKind::Garbled(_)
            | ScopeErrorKind::UnknownStatus { .. }
            | ScopeErrorKind::EndLost
            | ScopeErrorKind::DelayCutShort
            | ScopeErrorKind::Contradiction(_)
            | ScopeErrorKind::GeneratorsStopped => Recovery::Retry,
            ScopeErrorKind::WrongRevision { .. } | ScopeErrorKind::Script(_) => Recovery::Fatal,
        }
    }
}

impl<E: fmt::Display> fmt::Display for ScopeError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = self.stage;
        match &self.kind {
            ScopeErrorKind::Link(error) => write!(f, "the link failed while {stage}: {error}"),
            ScopeErrorKind::Closed => {
                write!(f, "the link was closed while {stage}: check the cable or the server, then try again")
            }
            ScopeErrorKind::NoAnswer { waited_ms } => write!(
                f,
                "no answer within {waited_ms} ms while {stage}: check that the device is powered and that this is its port"
            ),
            ScopeErrorKind::Incomplete { received, expected } => write!(
                f,
                "the answer stopped after {received} of {expected} bytes while {stage}: check the cable, then try again"
            ),
            ScopeErrorKind::Surplus { expected } => write!(
                f,
                "more than {expected} bytes came while {stage}: check that nothing else uses the device"
            ),
            ScopeErrorKind::Garbled(malformed) => write!(
                f,
                "not the answer of a BitScope while {stage} ({malformed}): check that nothing else uses the port"
            ),
            ScopeErrorKind::UnknownStatus { token } => {
                write!(f, "the trace ended with the unknown status {token:02x}: capture again")
            }
            ScopeErrorKind::EndLost => f.write_str(
                "the trace has ended, but the link has lost the report of it: capture again, and check the network or the cable \
                 if it happens often",
            ),
            ScopeErrorKind::DelayCutShort => f.write_str(
                "no trigger came before the capture was ended, and with a delay only a triggered trace has times that are known: \
                 capture without the delay to see the signal",
            ),
            ScopeErrorKind::Contradiction(Contradiction::Samples) => {
                write!(f, "no two readings agree while {stage}: the link changes bytes, check the cable")
            }
            ScopeErrorKind::Contradiction(contradiction) => contradiction.fmt(f),
            ScopeErrorKind::WrongRevision { found } => {
                let Model { name, revision, .. } = BS05;
                write!(f, "the device calls itself {found}, this program is for the {name}, {revision}")
            }
            ScopeErrorKind::GeneratorsStopped => f.write_str(
                "the device had to be reset, which stopped its generators: start them again, then repeat this",
            ),
            ScopeErrorKind::Script(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for ScopeError<E> {}

impl<E> From<ScriptTooLong> for ScopeError<E> {
    fn from(error: ScriptTooLong) -> Self {
        // Scripts are made to program something.
        Self { stage: Stage::Program, kind: ScopeErrorKind::Script(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_pieces_and_streams_are_recoverable() {
        let of = |kind: ScopeErrorKind<ErrorKind>| kind.at(Stage::Trace).recovery();
        assert_eq!(of(ScopeErrorKind::Link(ErrorKind::InvalidData)), Recovery::Retry);
        assert_eq!(of(ScopeErrorKind::Link(ErrorKind::TimedOut)), Recovery::Retry);
        for gone in [ErrorKind::BrokenPipe, ErrorKind::NotConnected, ErrorKind::Other] {
            assert_eq!(of(ScopeErrorKind::Link(gone)), Recovery::Reconnect, "{gone:?}");
        }
        assert_eq!(of(ScopeErrorKind::Closed), Recovery::Reconnect);
        assert_eq!(of(ScopeErrorKind::NoAnswer { waited_ms: 20 }), Recovery::Reconnect);
        assert_eq!(of(ScopeErrorKind::Incomplete { received: 1, expected: 2 }), Recovery::Retry);
        assert_eq!(of(ScopeErrorKind::GeneratorsStopped), Recovery::Retry);
        assert_eq!(of(ScopeErrorKind::WrongRevision { found: Revision(*b"BS001003") }), Recovery::Fatal);
    }

    #[test]
    fn error_names_its_stage() {
        let dump = Stage::Dump(DumpChannel::Analog(crate::plan::AnalogChannel::B));
        for kind in [
            ScopeErrorKind::Contradiction(Contradiction::Samples),
            ScopeErrorKind::Closed,
            ScopeErrorKind::NoAnswer { waited_ms: 20 },
            ScopeErrorKind::Link(embedded_io::SliceWriteError::Full),
        ] {
            let text = std::format!("{}", kind.at(dump));
            assert!(text.contains("while reading the samples of channel B"), "{text}");
        }
    }
}

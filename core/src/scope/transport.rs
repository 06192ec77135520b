//! The stream under the driver: exact reads and writes with deadlines.

use core::future::{Future as _, poll_fn};
use core::pin::pin;
use core::task::Poll;

use embassy_futures::select::{Either, select};
use embassy_futures::yield_now;
use embedded_io_async::{Read, Write};

use super::{LinkProfile, ScopeError, ScopeErrorKind, Stage};
use crate::time::{Clock, Instant, Micros};
use crate::vm::{check_echo, pieces};

/// How scripts are handed to the device ([section 1 of the reference](crate::vm#1-the-link)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Pacing {
    /// Each script in one write: fewest round trips, and what is known to work on hardware.
    #[default]
    Whole,
    /// The echo of each command that is not simple is waited for: safe by the letter of the specification.
    Stepwise,
}

/// A stream with its clock and what is known of its speed.
#[derive(Debug)]
pub(super) struct Transport<S, C> {
    pub(super) stream: S,
    pub(super) clock: C,
    pub(super) profile: LinkProfile,
    pub(super) pacing: Pacing,
}

/// The most bytes that can still be on their way when the driver loses track: a dump of the whole buffer in 16-bit
/// samples of one repetition, and the scripts around it.
const IN_FLIGHT: usize = 2 * crate::device::BUFFER_BYTES;
/// After how many dropped bytes the driver yields.
const YIELD_AFTER: usize = 64;

impl<S: Read + Write, C: Clock> Transport<S, C> {
    /// A deadline for an answer of so many bytes, from now on.
    pub(super) fn answer_deadline(&self, bytes: usize) -> Instant {
        self.clock.now() + self.profile.answer_time(bytes)
    }

    /// Writes all bytes.
    pub(super) async fn send(&mut self, stage: Stage, bytes: &[u8]) -> Result<(), ScopeError<S::Error>> {
        let started = self.clock.now();
        let deadline = started + self.profile.answer_time(bytes.len());
        let Self { stream, clock, .. } = self;
        let write = async {
            let mut rest = bytes;
            while !rest.is_empty() {
                match stream.write(rest).await {
                    Ok(0) => return Err(ScopeErrorKind::Closed.at(stage)),
                    Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                    Err(error) => return Err(ScopeErrorKind::Link(error).at(stage)),
                }
            }
            stream.flush().await.map_err(|error| ScopeErrorKind::Link(error).at(stage))
        };
        match select(write, clock.until(deadline)).await {
            Either::First(written) => written,
            Either::Second(()) => {
                Err(ScopeErrorKind::NoAnswer { waited_ms: (clock.now() - started).millis() }.at(stage))
            }
        }
    }

    /// Reads at least one byte. None at the deadline.
    pub(super) async fn receive_some(
        &mut self,
        stage: Stage,
        buffer: &mut [u8],
        deadline: Instant,
    ) -> Result<Option<usize>, ScopeError<S::Error>> {
        self.read_until(buffer, deadline).await.map(|read| read_count(stage, read)).transpose()
    }

    /// What there is to read, or none at the deadline.
    pub(super) async fn read_until(
        &mut self,
        buffer: &mut [u8],
        deadline: Instant,
    ) -> Option<Result<usize, S::Error>> {
        let mut read = pin!(self.stream.read(buffer));
        let mut passed = pin!(self.clock.until(deadline));
        poll_fn(|context| {
            if let Poll::Ready(read) = read.as_mut().poll(context) {
                return Poll::Ready(Some(read));
            }
            if passed.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            // A program that was stopped after it had looked finds the deadline passed, and what has come meanwhile.
            match read.as_mut().poll(context) {
                Poll::Ready(read) => Poll::Ready(Some(read)),
                Poll::Pending => Poll::Ready(None),
            }
        })
        .await
    }

    /// What has come, if anything has.
    async fn read_at_once(&mut self, buffer: &mut [u8]) -> Option<Result<usize, S::Error>> {
        let mut read = pin!(self.stream.read(buffer));
        // In the task's own context: a stream may wait by timers that know no other.
        poll_fn(|context| match read.as_mut().poll(context) {
            Poll::Ready(read) => Poll::Ready(Some(read)),
            Poll::Pending => Poll::Ready(None),
        })
        .await
    }

    /// Fills the buffer.
    pub(super) async fn receive(
        &mut self,
        stage: Stage,
        buffer: &mut [u8],
        deadline: Instant,
    ) -> Result<(), ScopeError<S::Error>> {
        let started = self.clock.now();
        let expected = buffer.len();
        let mut received = 0;
        while let Some(rest) = buffer.get_mut(received..).filter(|rest| !rest.is_empty()) {
            match self.receive_some(stage, rest, deadline).await? {
                Some(count) => received += count,
                None if received == 0 => {
                    return Err(ScopeErrorKind::NoAnswer {
                        waited_ms: (self.clock.now() - started).millis(),
                    }
                    .at(stage));
                }
                None => return Err(ScopeErrorKind::Incomplete { received, expected }.at(stage)),
            }
        }
        Ok(())
    }

    /// Writes a script and reads its echo.
    pub(super) async fn run(&mut self, stage: Stage, script: &[u8]) -> Result<(), ScopeError<S::Error>> {
        match self.pacing {
            Pacing::Whole => self.run_piece(stage, script).await,
            Pacing::Stepwise => {
                for piece in pieces(script) {
                    self.run_piece(stage, piece).await?;
                }
                Ok(())
            }
        }
    }

    async fn run_piece(&mut self, stage: Stage, script: &[u8]) -> Result<(), ScopeError<S::Error>> {
        self.send(stage, script).await?;
        let deadline = self.answer_deadline(script.len());
        let mut chunk = [0; 32];
        for part in script.chunks(chunk.len()) {
            let Some(echo) = chunk.get_mut(..part.len()) else {
                debug_assert!(false, "a part is longer than the chunk it was cut to");
                continue;
            };
            self.receive(stage, echo, deadline).await?;
            check_echo(part, echo).map_err(|malformed| ScopeErrorKind::Garbled(malformed).at(stage))?;
        }
        Ok(())
    }

    /// Whether a byte has come that nobody is waiting for. Does not wait.
    pub(super) async fn has_stray_byte(&mut self, stage: Stage) -> Result<bool, ScopeError<S::Error>> {
        self.read_at_once(&mut [0]).await.map_or(Ok(false), |read| read_count(stage, read).map(|_| true))
    }

    /// Reads and drops whatever comes, until `wanted` is seen or nothing has come for a round trip. Gives whether it was
    /// seen, and the last byte read. Bounded by what can be in flight.
    pub(super) fn discard_until(
        &mut self,
        stage: Stage,
        wanted: &[u8],
    ) -> impl Future<Output = Result<Discarded, ScopeError<S::Error>>> {
        self.discard_until_within(stage, wanted, self.profile.round_trip)
    }

    /// As [`Self::discard_until`], but does not give up before `first` has passed.
    pub(super) async fn discard_until_within(
        &mut self,
        stage: Stage,
        wanted: &[u8],
        first: Micros,
    ) -> Result<Discarded, ScopeError<S::Error>> {
        let patient_until = self.clock.now() + first;
        let end = self.answer_deadline(IN_FLIGHT) + first;
        let mut matched = Matcher::new(wanted);
        let mut last = None;
        for count in 1_usize.. {
            // What never falls silent must not keep the other futures of the task from their turn.
            if count.is_multiple_of(YIELD_AFTER) {
                yield_now().await;
            }
            let quiet = patient_until.max(self.clock.now() + self.profile.round_trip);
            let mut byte = [0];
            // One byte at a time: what follows the wanted bytes belongs to somebody else.
            match self.receive_some(stage, &mut byte, quiet.min(end)).await? {
                None => return Ok(Discarded { seen: false, last }),
                Some(_) => last = byte.first().copied(),
            }
            if byte.into_iter().any(|byte| matched.push(byte)) {
                return Ok(Discarded { seen: true, last });
            }
            if self.clock.now() >= end {
                break;
            }
        }
        Ok(Discarded { seen: false, last })
    }

    /// How long the driver waits for an answer that does not come.
    pub(super) fn answer_timeout(&self) -> Micros {
        self.profile.round_trip
    }
}

pub(super) fn read_count<E>(stage: Stage, read: Result<usize, E>) -> Result<usize, ScopeError<E>> {
    match read {
        Ok(0) => Err(ScopeErrorKind::Closed.at(stage)),
        Ok(count) => Ok(count),
        Err(error) => Err(ScopeErrorKind::Link(error).at(stage)),
    }
}

/// What [`Transport::discard_until`] found.
pub(super) struct Discarded {
    /// Whether the wanted bytes came.
    pub(super) seen: bool,
    /// The last byte that came.
    pub(super) last: Option<u8>,
}

/// Finds a short byte sequence in a stream. The sequence must not begin again within itself.
struct Matcher<'w> {
    wanted: &'w [u8],
    matched: usize,
}

impl<'w> Matcher<'w> {
    fn new(wanted: &'w [u8]) -> Self {
        Self { wanted, matched: 0 }
    }

    /// Whether the sequence is complete with this byte.
    fn push(&mut self, byte: u8) -> bool {
        if self.wanted.get(self.matched) != Some(&byte) {
            self.matched = 0;
        }
        if self.wanted.get(self.matched) == Some(&byte) {
            self.matched += 1;
        }
        self.matched == self.wanted.len() && !self.wanted.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Matcher;

    fn found_at(wanted: &[u8], stream: &[u8]) -> Option<usize> {
        let mut matcher = Matcher::new(wanted);
        stream.iter().position(|&byte| matcher.push(byte))
    }

    #[test]
    fn sequence_is_found_after_a_false_start() {
        assert_eq!(found_at(b"[12]", b"x[1[12]"), Some(6));
        assert_eq!(found_at(b"!", b"ab!"), Some(2));
        assert_eq!(found_at(b"[12]", b"[1212]["), None);
        assert_eq!(found_at(b"", b"abc"), None);
    }
}

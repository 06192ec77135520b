//! The conversation with a bitscope-server, without its socket and clock: datagrams and the time go in,
//! datagrams to send and bytes to read come out.

use std::collections::VecDeque;
use std::io::Read as _;

use scopething_core::link::bitscope_server::{AnswerPacket, AnswerRepr, COMMAND_HEADER, CommandRepr};
use scopething_core::time::{Instant, Micros};
use scopething_core::vm::Command;

use super::super::error::DatagramError;
use super::answer::Answer;
use super::repeat::is_repeatable;

/// How long each sending of a repeatable datagram waits for its answer. The first is what the vendor's
/// library waits; the last allows for a network as slow as
/// [`LinkProfile::NETWORK`](scopething_core::scope::LinkProfile::NETWORK)'s.
const WAITS: [Micros; 3] = [Micros::from_millis(200), Micros::from_millis(400), Micros::from_millis(1000)];

/// How long the answer to a datagram may take at most, all repetitions included; and how long a dump may be
/// silent.
pub(super) const ANSWER_LIMIT: Micros = Micros(WAITS[0].0 + WAITS[1].0 + WAITS[2].0);

/// The most bytes kept for the reader: many times a capture, and more than a receive buffer of the network
/// holds.
const READY_LIMIT: usize = 256 * 1024;

/// One datagram of commands at a time, and what has come of their answers: the protocol of a client without a socket and
/// without a clock. Datagrams and the time go in; datagrams to send and bytes to read come out.
///
/// ```
/// use scopething::link::udp::Exchange;
/// use scopething_core::time::Instant;
///
/// let mut exchange = Exchange::default();
/// assert_eq!(exchange.datagram(b"[21@p"), b"\x00[21@p");
/// exchange.sent(b"[21@p", Instant(0));
/// // Nothing in the first 200 ms: the same commands, under the next number.
/// let again = exchange.due(Instant(200_000))?;
/// assert_eq!(again.as_deref(), Some(&b"\x01[21@p"[..]));
/// exchange.sent_again(Instant(200_000));
/// exchange.receive(b"\x12\x34\x01\x00[21@p\r00\r", Instant(201_000))?;
/// let mut answer = [0; 16];
/// let length = exchange.read(&mut answer);
/// assert_eq!(&answer[..length], b"[21@p\r00\r");
/// # Ok::<(), scopething::link::DatagramError>(())
/// ```
#[derive(Debug, Default)]
pub struct Exchange {
    next_id: u8,
    /// The adaptor that answered first; others are strangers.
    adaptor_id: Option<[u8; 2]>,
    /// The commands sent last.
    current: Option<Pending>,
    /// The trace that `K` was sent to end.
    cancelled: Option<CancelledTrace>,
    ready: VecDeque<u8>,
}

/// Commands that were sent.
#[derive(Debug)]
struct Pending {
    commands: Vec<u8>,
    last: Command,
    answer: Answer,
    /// What came in order, kept back until it is `least` bytes: so much of an answer is there whole or not at
    /// all, and commands that are repeated never answer twice.
    held: Vec<u8>,
    /// Bytes that the answer has at the least.
    least: usize,
    /// `least` bytes came and were given to the reader; more may follow.
    complete: bool,
    sent: u8,
    /// When to give up waiting for the rest of `least` bytes, or for more of a dump.
    deadline: Instant,
    bytes: usize,
}

/// A trace whose answer goes on while `K` is awaited.
#[derive(Debug)]
struct CancelledTrace {
    answer: Answer,
    /// What came of it since; the reader gets the echo of `K` first.
    held: Vec<u8>,
    /// Status packets, which have no `K` in them.
    is_text: bool,
}

impl Exchange {
    /// Whether a datagram that begins with `command` may be sent now. One at a time: the answer to the last
    /// one must be there, as far as is known how long it is. A reset waits for nothing.
    #[must_use]
    pub fn may_send(&self, command: Command) -> bool {
        command == Command::Reset || self.current.as_ref().is_none_or(|pending| pending.complete)
    }

    /// The datagram for `commands`, 1 to 64 by the rule of
    /// [`datagram_len`](scopething_core::link::bitscope_server::datagram_len). Changes nothing:
    /// [`sent`](Self::sent) does, once it is on its way.
    #[must_use]
    pub fn datagram(&self, commands: &[u8]) -> Vec<u8> {
        let mut datagram = vec![0; COMMAND_HEADER + commands.len()];
        let length = CommandRepr { cmd_id: self.next_id, commands }.emit(&mut datagram);
        datagram.truncate(length.unwrap_or(0));
        datagram
    }

    /// Notes that the [`datagram`](Self::datagram) for `commands` was sent.
    pub fn sent(&mut self, commands: &[u8], now: Instant) {
        let first = commands.first().map(|byte| Command::from_byte(*byte));
        if first == Some(Command::Reset) {
            self.abandon();
        }
        let previous = self.current.take();
        match previous {
            Some(trace) if first == Some(Command::CancelTrace) && trace.is_trace() => {
                let is_text = trace.last == Command::Trace;
                self.cancelled = Some(CancelledTrace { answer: trace.answer, held: Vec::new(), is_text });
            }
            _ if first == Some(Command::CancelTrace) => {}
            _ => self.cancelled = None,
        }
        self.current = Some(Pending::new(commands, self.take_id(), now));
    }

    /// Takes a datagram that came from the server's address. What is no answer to what was sent is ignored.
    ///
    /// # Errors
    ///
    /// [`DatagramError::Flooded`]: far more came than a capture has. Nothing is awaited then, and nothing can be read.
    pub fn receive(&mut self, datagram: &[u8], now: Instant) -> Result<(), DatagramError> {
        let Ok(packet) = AnswerPacket::new_checked(datagram) else { return Ok(()) };
        let packet = AnswerRepr::parse(&packet);
        if self.adaptor_id.is_some_and(|known| known != packet.adaptor_id) {
            return Ok(());
        }
        let waiting = self.waiting_bytes();
        let echo_came = self.current.as_ref().is_none_or(|pending| pending.complete);
        if let Some(pending) = self.current.as_mut().filter(|pending| pending.answer.cmd_id == packet.cmd_id)
        {
            pending.receive(&packet, now, &mut self.ready);
        } else if let Some(trace) =
            self.cancelled.as_mut().filter(|trace| trace.answer.cmd_id == packet.cmd_id)
        {
            trace.answer.accept(&packet, now, &mut trace.held);
        } else {
            return Ok(());
        }
        self.adaptor_id = Some(packet.adaptor_id);
        if !echo_came {
            self.look_for_echo_in_trace();
        }
        self.release_trace();
        if waiting + packet.data.len() > READY_LIMIT {
            self.abandon();
            return Err(DatagramError::Flooded { limit: READY_LIMIT });
        }
        Ok(())
    }

    /// When [`due`](Self::due) has something to say if nothing comes before.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let answer =
            self.current.as_ref().filter(|pending| pending.is_awaited()).map(|pending| pending.deadline);
        let gap = self.gap().map(|(deadline, _)| deadline);
        answer.into_iter().chain(gap).min()
    }

    /// What the passing of time asks for: a datagram to send again ([`sent_again`](Self::sent_again)
    /// follows), an error, or nothing.
    ///
    /// # Errors
    ///
    /// What is missing of an answer. Nothing is awaited then, and nothing can be read.
    pub fn due(&mut self, now: Instant) -> Result<Option<Vec<u8>>, DatagramError> {
        if let Some((_, data_seq)) = self.gap().filter(|(deadline, _)| *deadline <= now) {
            self.abandon();
            return Err(DatagramError::Lost { data_seq });
        }
        let overdue = |pending: &&Pending| pending.is_awaited() && pending.deadline <= now;
        let Some(pending) = self.current.as_ref().filter(overdue) else { return Ok(None) };
        if pending.wait_after_next().is_some() {
            return Ok(Some(self.datagram(&pending.commands)));
        }
        let error = if pending.complete {
            DatagramError::Ended { bytes: pending.bytes }
        } else {
            DatagramError::NoAnswer { command: pending.last.byte(), sent: pending.sent }
        };
        self.abandon();
        Err(error)
    }

    /// Notes that the datagram of [`due`](Self::due) was sent. It has a number of its own: an answer to an
    /// earlier sending, whole or in pieces cut elsewhere, is not mixed with its answer.
    pub fn sent_again(&mut self, now: Instant) {
        let cmd_id = self.take_id();
        if let Some(pending) = &mut self.current {
            pending.deadline = now + pending.wait_after_next().unwrap_or_default();
            pending.sent += 1;
            pending.answer = Answer::new(cmd_id);
            pending.held.clear();
        }
    }

    /// Moves what can be read to the start of `buf`; gives how many bytes.
    pub fn read(&mut self, buf: &mut [u8]) -> usize {
        self.ready.read(buf).unwrap_or_default()
    }

    fn take_id(&mut self) -> u8 {
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        id
    }

    /// A plain relay of the device's bytes cannot tell whose the echo of `K` is, and may send it as part of
    /// the trace.
    fn look_for_echo_in_trace(&mut self) {
        let (Some(pending), Some(trace)) = (&mut self.current, &self.cancelled) else { return };
        if trace.is_text && trace.held.contains(&Command::CancelTrace.byte()) {
            pending.complete = true;
        }
    }

    /// Gives the reader what came of the cancelled trace, unless the echo of `K` is still awaited.
    fn release_trace(&mut self) {
        let echo_came = self.current.as_ref().is_none_or(|pending| pending.complete);
        if let Some(trace) = self.cancelled.as_mut().filter(|_| echo_came) {
            self.ready.extend(trace.held.drain(..));
        }
    }

    fn abandon(&mut self) {
        self.current = None;
        self.cancelled = None;
        self.ready.clear();
    }

    /// The gap in an answer that ends the wait first. Commands that can be repeated are, which fills gaps
    /// too.
    fn gap(&self) -> Option<(Instant, u8)> {
        let repeated = |pending: &&Pending| !pending.complete && pending.repeatable();
        let current =
            self.current.as_ref().filter(|pending| !repeated(pending)).map(|pending| &pending.answer);
        let cancelled = self.cancelled.as_ref().map(|trace| &trace.answer);
        current.into_iter().chain(cancelled).filter_map(Answer::gap).min()
    }

    fn waiting_bytes(&self) -> usize {
        let current =
            self.current.as_ref().map_or(0, |pending| pending.held.len() + pending.answer.early_bytes());
        let cancelled =
            self.cancelled.as_ref().map_or(0, |trace| trace.held.len() + trace.answer.early_bytes());
        self.ready.len() + current + cancelled
    }
}

impl Pending {
    fn new(commands: &[u8], cmd_id: u8, now: Instant) -> Self {
        let last = commands.last().map_or(Command::EndNumber, |byte| Command::from_byte(*byte));
        // Each byte is echoed; vm-reference section 2 has what follows the echo.
        let after_echo = match last {
            Command::Identify => "\rBS000501\r".len(),
            Command::Print | Command::ReadEeprom => "\r00\r".len(),
            _ => 0,
        };
        let mut pending = Self {
            commands: commands.to_vec(),
            last,
            answer: Answer::new(cmd_id),
            held: Vec::new(),
            least: commands.len() + after_echo,
            complete: false,
            sent: 1,
            deadline: now + ANSWER_LIMIT,
            bytes: 0,
        };
        if pending.repeatable() {
            pending.deadline = now + WAITS[0];
        }
        pending
    }

    fn receive(&mut self, packet: &AnswerRepr<'_>, now: Instant, ready: &mut VecDeque<u8>) {
        self.answer.accept(packet, now, &mut self.held);
        if self.held.len() < self.least && !self.complete {
            return;
        }
        self.complete = true;
        self.bytes += self.held.len();
        self.deadline = now + ANSWER_LIMIT;
        ready.extend(self.held.drain(..));
    }

    fn repeatable(&self) -> bool {
        is_repeatable(&self.commands)
    }

    /// How long a further sending would wait; `None` if there must be none.
    fn wait_after_next(&self) -> Option<Micros> {
        let wait = WAITS.get(usize::from(self.sent)).copied();
        wait.filter(|_| !self.complete && self.repeatable())
    }

    fn is_trace(&self) -> bool {
        matches!(self.last, Command::Trace | Command::StreamTrace)
    }

    /// Whether silence is a fault: the least is not there, or a dump goes on. A trace may be silent for
    /// hours.
    fn is_awaited(&self) -> bool {
        !self.complete || matches!(self.last, Command::DumpBinary | Command::DumpText | Command::ReadWaveform)
    }
}

//! The conversation with a bitscope-server, without its socket and clock: datagrams and the time go in,
//! datagrams to send and bytes to read come out.

use std::collections::VecDeque;
use std::io::Read as _;

use scopething_core::link::bitscope_server::{AnswerPacket, AnswerRepr, COMMAND_HEADER, CommandRepr};
use scopething_core::time::Instant;
use scopething_core::vm::Command;

use super::order::Order;
use super::pending::{Beginning, Pending, Progress};
use crate::link::DatagramError;
use crate::link::refusal;

/// The most bytes kept for the reader: many times a capture, and more than a receive buffer of the network
/// holds.
const READY_LIMIT: usize = 256 * 1024;

/// One datagram of commands at a time, and what has come of their answers: the protocol of a client without a socket
/// and without a clock. Datagrams and the time go in; datagrams to send and bytes to read come out.
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
    /// The adaptor that answered first; others are ignored.
    adaptor_id: Option<[u8; 2]>,
    counting: Counting,
    /// Where the server stands in its numbers, once it is known; where it counts anew for each command, in
    /// those of the answer to the last one.
    order: Option<Order>,
    /// The number with which the last answer began.
    last_start: Option<u8>,
    /// The commands sent last.
    current: Option<Pending>,
    /// The trace that `K` was sent to end.
    cancelled: Option<CancelledTrace>,
    ready: VecDeque<u8>,
}

/// How a server counts its datagrams
/// ([section 11 of the reference](scopething_core::vm#11-the-bitscope-server-protocol)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Counting {
    /// Not known yet, or not any more: the server has started anew.
    #[default]
    Unknown,
    /// On and on.
    Running,
    /// Anew for each command, from this number on: 0 or 1.
    PerCommand(u8),
}

/// A trace whose answer goes on while `K` is awaited.
#[derive(Debug)]
struct CancelledTrace {
    progress: Progress,
    /// Its own numbers, where the server counts anew for each command.
    order: Option<Order>,
    /// What came of it since; the reader gets the echo of `K` first.
    held: Vec<u8>,
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
                let order =
                    if let Counting::PerCommand(_) = self.counting { self.order.take() } else { None };
                self.cancelled = Some(CancelledTrace { progress: trace.progress, order, held: Vec::new() });
            }
            _ if first == Some(Command::CancelTrace) => {}
            _ => self.cancelled = None,
        }
        self.count_anew();
        self.current = Some(Pending::new(commands, self.take_id(), now));
    }

    /// Takes a datagram that came from the server's address. What is no answer to what was sent is ignored.
    ///
    /// # Errors
    ///
    /// [`DatagramError::Refused`]: another client has the device; [`DatagramError::Dismissed`]: it was given to one.
    /// [`DatagramError::Flooded`]: far more came than a capture has. Nothing is awaited then, and nothing can be read.
    pub fn receive(&mut self, datagram: &[u8], now: Instant) -> Result<(), DatagramError> {
        let Ok(packet) = AnswerPacket::new_checked(datagram) else { return Ok(()) };
        let packet = AnswerRepr::parse(&packet);
        let strange = self.adaptor_id.is_some_and(|known| known != packet.adaptor_id);
        if strange || packet.data.is_empty() {
            return Ok(());
        }
        let waiting = self.waiting_bytes();
        if !self.take(&packet, now)? {
            return Ok(());
        }
        self.adaptor_id = Some(packet.adaptor_id);
        self.skip_unwanted(now);
        self.release_trace();
        if waiting + packet.data.len() > READY_LIMIT {
            self.abandon();
            return Err(DatagramError::Flooded { limit: READY_LIMIT });
        }
        Ok(())
    }

    /// Puts a datagram where it belongs; false if it belongs nowhere.
    fn take(&mut self, packet: &AnswerRepr<'_>, now: Instant) -> Result<bool, DatagramError> {
        let in_turn = self.in_turn();
        match &mut self.current {
            Some(pending) if pending.progress.cmd_id == packet.cmd_id && !pending.complete => {
                if let Some(owner) = refusal::owner(packet.data) {
                    let owner = owner.to_owned();
                    self.abandon();
                    return Err(DatagramError::Refused { owner });
                }
                if let Some(reason) = refusal::dismissal(packet.data) {
                    let reason = reason.to_owned();
                    self.abandon();
                    return Err(DatagramError::Dismissed { reason });
                }
                pending.keep(packet);
                pending.look_for_hole(in_turn, now);
                self.begin(now);
                return Ok(true);
            }
            _ => {}
        }
        if let Some(CancelledTrace { progress, order: Some(order), held }) = &mut self.cancelled
            && progress.cmd_id == packet.cmd_id
        {
            order.accept(packet, now, |_, data| {
                progress.add(data);
                held.extend_from_slice(data);
            });
        } else {
            let of_current = self.current.as_ref().is_some_and(|it| it.progress.cmd_id == packet.cmd_id);
            if let Counting::PerCommand(_) = self.counting
                && !of_current
            {
                return Ok(false);
            }
            let Some(mut order) = self.order.take() else { return Ok(false) };
            order.accept(packet, now, |cmd_id, data| self.deliver(cmd_id, data, now));
            self.order = Some(order);
        }
        self.look_for_echo_in_trace();
        Ok(true)
    }

    /// Gives the beginning of the awaited answer to the reader, if it is whole, and goes on in order from there.
    fn begin(&mut self, now: Instant) {
        let in_turn = self.in_turn();
        let Some(pending) = &mut self.current else { return };
        // A server that has started anew, or does so for each command.
        let ahead = |start| self.order.as_ref().is_some_and(|order| order.is_ahead(start));
        let Some(beginning) = pending.beginning(in_turn, |start| start <= 1 && !ahead(start)) else { return };
        let others = pending.begin(&beginning, now);
        let cmd_id = pending.progress.cmd_id;
        self.ready.extend(&beginning.bytes);
        self.learn(&beginning);
        let next = beginning.start.wrapping_add(beginning.datagrams);
        let mut order = match self.order.take() {
            Some(order) if order.due() == beginning.start || order.is_ahead(beginning.start) => order,
            _ => Order::new(next),
        };
        let begun = (0..beginning.datagrams).map(|ahead| (beginning.start.wrapping_add(ahead), Vec::new()));
        for (data_seq, data) in begun.chain(others) {
            let packet = AnswerRepr { adaptor_id: [0; 2], cmd_id, data_seq, data: &data };
            order.accept(&packet, now, |cmd_id, data| self.deliver(cmd_id, data, now));
        }
        self.order = Some(order);
    }

    /// Learns how the server counts from how an answer begins.
    fn learn(&mut self, beginning: &Beginning) {
        let start = beginning.start;
        let due = self.order.as_ref().map(Order::due);
        let ahead = self.order.as_ref().is_some_and(|order| order.is_ahead(start));
        let again = self.last_start.replace(start) == Some(start);
        self.counting = match self.counting {
            Counting::PerCommand(first) if first == start => Counting::PerCommand(first),
            Counting::Running if due == Some(start) || ahead => Counting::Running,
            Counting::Unknown if due == Some(start) => Counting::Running,
            _ if again && start <= 1 => Counting::PerCommand(start),
            _ => Counting::Unknown,
        };
    }

    /// The number with which the awaited answer should begin, if that is known.
    fn in_turn(&self) -> Option<u8> {
        match self.counting {
            Counting::PerCommand(first) => Some(first),
            Counting::Running | Counting::Unknown => self.order.as_ref().map(Order::due),
        }
    }

    /// A server that counts anew for each command does so now.
    fn count_anew(&mut self) {
        if let Counting::PerCommand(first) = self.counting {
            self.order = Some(Order::new(first));
        }
    }

    /// Takes what came in order of an answer that has begun.
    fn deliver(&mut self, cmd_id: u8, data: &[u8], now: Instant) {
        match (&mut self.current, &mut self.cancelled) {
            (Some(pending), _)
                if pending.progress.cmd_id == cmd_id && pending.complete && pending.progress.goes_on() =>
            {
                pending.heard(data, now);
                self.ready.extend(data);
            }
            (_, Some(trace)) if trace.progress.cmd_id == cmd_id => {
                trace.progress.add(data);
                trace.held.extend_from_slice(data);
            }
            _ => {}
        }
    }

    /// Does not wait for missing datagrams that cannot belong to an answer that is read.
    fn skip_unwanted(&mut self, now: Instant) {
        if self.current.as_ref().is_some_and(|pending| !pending.complete) {
            return;
        }
        let Some(mut order) = self.order.take() else { return };
        let whole = |progress: &Progress| progress.is_whole_with(order.early_of(progress.cmd_id));
        let current = self.current.as_ref().is_none_or(|pending| whole(&pending.progress));
        let cancelled = self.cancelled.as_ref();
        let cancelled = cancelled.is_none_or(|trace| trace.order.is_some() || whole(&trace.progress));
        if current && cancelled {
            order.skip_gaps(|cmd_id, data| self.deliver(cmd_id, data, now));
        }
        self.order = Some(order);
    }

    /// When [`due`](Self::due) has something to send if nothing comes before.
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
            DatagramError::Ended { bytes: pending.bytes() }
        } else if let Some(data_seq) = self.cancelled.as_ref().and_then(|_| pending.hole(self.in_turn())) {
            // The server answers each `K`: what is missing is older, and of the trace.
            DatagramError::Lost { data_seq }
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
        self.count_anew();
        if let Some(pending) = &mut self.current {
            pending.sent_again(cmd_id, now);
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

    /// A plain relay of the device's bytes cannot attribute the echo of `K`, and may send it as part of
    /// the trace.
    fn look_for_echo_in_trace(&mut self) {
        let (Some(pending), Some(trace)) = (&mut self.current, &self.cancelled) else { return };
        if trace.progress.is_text() && trace.held.contains(&Command::CancelTrace.byte()) {
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
        if let Some(order) = &mut self.order {
            order.clear();
        }
    }

    /// The gap in an answer that ends the wait first.
    fn gap(&self) -> Option<(Instant, u8)> {
        let trace = self.cancelled.as_ref().and_then(|trace| trace.order.as_ref()?.gap());
        let shared = match &self.current {
            Some(pending) if !pending.complete => pending.gap(self.in_turn()),
            Some(_) => self.order.as_ref().and_then(Order::gap),
            None => None,
        };
        trace.into_iter().chain(shared).min()
    }

    fn waiting_bytes(&self) -> usize {
        let order = |order: &Option<Order>| order.as_ref().map_or(0, Order::early_bytes);
        let current = self.current.as_ref().map_or(0, Pending::kept_bytes);
        let trace = self.cancelled.as_ref();
        let trace = trace.map_or(0, |trace| trace.held.len() + order(&trace.order));
        self.ready.len() + current + order(&self.order) + trace
    }
}

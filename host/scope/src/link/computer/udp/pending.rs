//! Commands that were sent, and the beginning of their answer.

use scopething_core::link::bitscope_server::AnswerRepr;
use scopething_core::time::{Instant, Micros};
use scopething_core::vm::Command;

use super::order::GAP_TIMEOUT;
use super::repeat::is_repeatable;

/// How long each sending of a repeatable datagram waits for its answer. The first is what the vendor's
/// library waits; the last allows for a network as slow as
/// [`LinkProfile::NETWORK`](scopething_core::scope::LinkProfile::NETWORK)'s.
const WAITS: [Micros; 3] = [Micros::from_millis(200), Micros::from_millis(400), Micros::from_millis(1000)];

/// How long the answer to a datagram may take at most, all repetitions included; and how long a dump may be
/// silent.
pub(super) const ANSWER_LIMIT: Micros = Micros(WAITS[0].0 + WAITS[1].0 + WAITS[2].0);

/// Bytes of the status packets of a trace, the first and the last
/// ([section 4 of the reference](scopething_core::vm#4-a-trace)).
const STATUS_BYTES: usize = "02\r00000000\r".len() + "00\r00000000\r00000000\r".len();

/// The most datagrams kept of an answer whose beginning is not whole: more than 64 echoes and a value are bytes.
const MAX_PIECES: usize = 96;

/// How much follows the echo of a datagram's last command
/// ([section 2 of the reference](scopething_core::vm#2-commands)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tail {
    /// So many bytes.
    Exactly(usize),
    /// The two status packets of a trace.
    Trace,
    /// Samples: as many as set in registers that are not known here.
    Samples,
    /// Nothing, as a rule: `!` lets out what was in flight, `K` may bring the end of a trace along.
    Loose,
}

impl Tail {
    fn of(command: Command) -> Self {
        match command {
            Command::Identify => Self::Exactly("\rBS000501\r".len()),
            Command::Print | Command::ReadEeprom => Self::Exactly("\r00\r".len()),
            Command::Trace => Self::Trace,
            Command::StreamTrace | Command::DumpBinary | Command::DumpText | Command::ReadWaveform => {
                Self::Samples
            }
            Command::Clear
            | Command::Digit(_)
            | Command::EndNumber
            | Command::SetAddress
            | Command::Store
            | Command::StoreNext
            | Command::Next
            | Command::ProgramSpock
            | Command::Update => Self::Exactly(0),
            _ => Self::Loose,
        }
    }
}

/// The answer to commands once its beginning is there, as far as it has been given to the reader.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    pub(super) cmd_id: u8,
    tail: Tail,
    /// Bytes so far; of a trace without the echo of `K`, which a relay may mix in.
    bytes: usize,
    /// Bytes of the echo.
    echo: usize,
}

impl Progress {
    pub(super) fn add(&mut self, data: &[u8]) {
        self.bytes += if self.is_text() { counted(data) } else { data.len() };
    }

    /// Whether more datagrams of this answer are worth reading.
    pub(super) fn goes_on(&self) -> bool {
        !matches!(self.tail, Tail::Exactly(_))
    }

    /// Whether the answer is whole with what came early of it, so that a datagram missing in between belongs
    /// to another one, whose answer was given up or had come before.
    pub(super) fn is_whole_with<'a>(&self, early: impl Iterator<Item = &'a [u8]>) -> bool {
        match self.tail {
            Tail::Exactly(_) | Tail::Loose => true,
            Tail::Trace => self.bytes + early.map(counted).sum::<usize>() >= self.echo + STATUS_BYTES,
            Tail::Samples => false,
        }
    }

    /// Status packets, which have no `K` in them.
    pub(super) fn is_text(&self) -> bool {
        self.tail == Tail::Trace
    }
}

fn counted(data: &[u8]) -> usize {
    data.iter().filter(|byte| **byte != Command::CancelTrace.byte()).count()
}

/// A datagram of an answer whose beginning is not whole yet.
#[derive(Debug)]
struct Piece {
    data_seq: u8,
    data: Vec<u8>,
}

/// The beginning of an answer, in order.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Beginning {
    /// `Data_Seq` of its first datagram.
    pub(super) start: u8,
    /// How many datagrams it is made of: 1 to 255.
    pub(super) datagrams: u8,
    pub(super) bytes: Vec<u8>,
}

/// Commands that were sent.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) commands: Vec<u8>,
    pub(super) last: Command,
    /// What was given to the reader.
    pub(super) progress: Progress,
    /// What came before the echo was whole, with the value after it: so much of an answer is given to the reader
    /// whole or not at all, and commands that are repeated never answer twice.
    pieces: Vec<Piece>,
    /// Since when a datagram is missing ahead of a piece.
    hole_since: Option<Instant>,
    /// Bytes that the answer has at the least.
    least: usize,
    /// `least` bytes came and were given to the reader; more may follow.
    pub(super) complete: bool,
    pub(super) sent: u8,
    /// When to give up waiting for the rest of `least` bytes, or for more of a dump.
    pub(super) deadline: Instant,
}

impl Pending {
    pub(super) fn new(commands: &[u8], cmd_id: u8, now: Instant) -> Self {
        let last = commands.last().map_or(Command::EndNumber, |byte| Command::from_byte(*byte));
        let tail = Tail::of(last);
        let least = commands.len() + if let Tail::Exactly(bytes) = tail { bytes } else { 0 };
        let wait = if is_repeatable(commands) { WAITS[0] } else { ANSWER_LIMIT };
        Self {
            commands: commands.to_vec(),
            last,
            progress: Progress { cmd_id, tail, bytes: 0, echo: commands.len() },
            pieces: Vec::new(),
            hole_since: None,
            least,
            complete: false,
            sent: 1,
            deadline: now + wait,
        }
    }

    /// Starts anew under another number.
    pub(super) fn sent_again(&mut self, cmd_id: u8, now: Instant) {
        self.deadline = now + self.wait_after_next().unwrap_or_default();
        self.sent += 1;
        self.progress.cmd_id = cmd_id;
        self.pieces.clear();
        self.hole_since = None;
    }

    /// Keeps a datagram until the beginning is whole.
    pub(super) fn keep(&mut self, packet: &AnswerRepr<'_>) {
        let data_seq = packet.data_seq;
        let is_new = self.pieces.iter().all(|piece| piece.data_seq != data_seq);
        if is_new && self.pieces.len() < MAX_PIECES {
            self.pieces.push(Piece { data_seq, data: packet.data.to_vec() });
        }
    }

    /// The beginning of the answer, once it is whole: datagrams that follow one another, with the least that the
    /// answer has. `in_turn` is the number that was due, if one was, and `may_start` is whether an answer
    /// may begin with another one; then at least the echo must be right.
    pub(super) fn beginning(&self, in_turn: Option<u8>, may_start: impl Fn(u8) -> bool) -> Option<Beginning> {
        let runs = || self.pieces.iter().filter_map(|piece| self.run(piece.data_seq));
        let anywhere = matches!(self.progress.tail, Tail::Exactly(_) | Tail::Loose);
        let echoes = |run: &Beginning| run.bytes.starts_with(&self.commands);
        // As long as no number is known, what has a length of its own is recognised by that.
        let due = |run: &Beginning| in_turn.map_or(anywhere, |due| due == run.start);
        runs()
            .find(|run| echoes(run) && (anywhere || due(run) || may_start(run.start)))
            .or_else(|| runs().find(due))
    }

    /// Datagrams in order from one of them on, until they are `least` bytes.
    fn run(&self, start: u8) -> Option<Beginning> {
        let mut run = Beginning { start, datagrams: 0, bytes: Vec::new() };
        while run.bytes.len() < self.least {
            let next = start.wrapping_add(run.datagrams);
            let piece = self.pieces.iter().find(|piece| piece.data_seq == next)?;
            run.bytes.extend_from_slice(&piece.data);
            run.datagrams = run.datagrams.checked_add(1)?;
        }
        Some(run)
    }

    /// Takes a [`beginning`](Self::beginning); gives the pieces that are no part of it, in any order.
    pub(super) fn begin(&mut self, beginning: &Beginning, now: Instant) -> Vec<(u8, Vec<u8>)> {
        self.complete = true;
        self.heard(&beginning.bytes, now);
        self.hole_since = None;
        let others = self.pieces.drain(..).map(|piece| (piece.data_seq, piece.data));
        others.filter(|(seq, _)| seq.wrapping_sub(beginning.start) >= beginning.datagrams).collect()
    }

    /// More was given to the reader.
    pub(super) fn heard(&mut self, data: &[u8], now: Instant) {
        self.progress.add(data);
        self.deadline = now + ANSWER_LIMIT;
    }

    /// Notes whether a datagram is missing ahead of one that is there.
    pub(super) fn look_for_hole(&mut self, in_turn: Option<u8>, now: Instant) {
        let hole = self.hole(in_turn).is_some();
        self.hole_since = hole.then(|| self.hole_since.unwrap_or(now));
    }

    /// The first number from the one that is due on that is missing ahead of a piece.
    pub(super) fn hole(&self, in_turn: Option<u8>) -> Option<u8> {
        let due = in_turn?;
        let furthest = self.pieces.iter().map(|piece| piece.data_seq.wrapping_sub(due)).max()?;
        let missing = |ahead: &u8| self.pieces.iter().all(|piece| piece.data_seq.wrapping_sub(due) != *ahead);
        (0..furthest).find(missing).map(|ahead| due.wrapping_add(ahead))
    }

    /// When the datagram that is missing must be taken for lost, and its number. Commands that can be repeated
    /// are, which fills gaps too.
    pub(super) fn gap(&self, in_turn: Option<u8>) -> Option<(Instant, u8)> {
        let since = self.hole_since.filter(|_| !self.is_repeatable())?;
        Some((since + GAP_TIMEOUT, self.hole(in_turn)?))
    }

    pub(super) fn kept_bytes(&self) -> usize {
        self.pieces.iter().map(|piece| piece.data.len()).sum()
    }

    /// Bytes given to the reader.
    pub(super) fn bytes(&self) -> usize {
        self.progress.bytes
    }

    fn is_repeatable(&self) -> bool {
        is_repeatable(&self.commands)
    }

    /// How long a further sending would wait; `None` if there must be none.
    pub(super) fn wait_after_next(&self) -> Option<Micros> {
        let wait = WAITS.get(usize::from(self.sent)).copied();
        wait.filter(|_| !self.complete && self.is_repeatable())
    }

    pub(super) fn is_trace(&self) -> bool {
        matches!(self.last, Command::Trace | Command::StreamTrace)
    }

    /// Whether silence is a fault: the least is not there, or a dump goes on. A trace may be silent for
    /// hours.
    pub(super) fn is_awaited(&self) -> bool {
        !self.complete || matches!(self.last, Command::DumpBinary | Command::DumpText | Command::ReadWaveform)
    }
}

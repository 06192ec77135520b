//! A scripted device at the other end of a line, for tests that read like a transcript of what goes over it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use embassy_futures::{block_on, yield_now};
use embedded_io::{ErrorKind, ErrorType};
use embedded_io_async::{Read, Write};
use scopething_core::blocking::{BlockingClock, BlockingStream, PolledClock};
use scopething_core::plan::{AnalogChannel, CapturePlan, CaptureRequest, ChannelSet};
use scopething_core::scope::{LinkProfile, Scope, ScopeError};
use scopething_core::time::{Clock, Instant, Micros};
use scopething_core::trace::Trace;
use scopething_core::vm::{Register, Takes};

/// What the device does at a command that ends a script.
#[derive(Clone)]
pub(crate) struct Turn {
    command: u8,
    echo: bool,
    pub(crate) answer: Vec<u8>,
    /// Values that registers must have by then.
    registers: Vec<(Register, u32)>,
    /// The device's power fails once it has answered.
    loses_power: bool,
}

/// The command is echoed, then the answer comes.
pub(crate) fn on(command: char, answer: impl AsRef<[u8]>) -> Turn {
    Turn {
        command: command as u8,
        echo: true,
        answer: answer.as_ref().to_vec(),
        registers: Vec::new(),
        loses_power: false,
    }
}

/// The command is not echoed; these bytes come in its place.
pub(crate) fn instead(command: char, answer: impl AsRef<[u8]>) -> Turn {
    Turn { echo: false, ..on(command, answer) }
}

impl Turn {
    pub(crate) fn and_loses_power(self) -> Self {
        Self { loses_power: true, ..self }
    }

    pub(crate) fn with(mut self, registers: &[(Register, u32)]) -> Self {
        self.registers.extend_from_slice(registers);
        self
    }
}

/// The register machine of reference.md#2-commands; the turns define what commands that end a script do.
pub(crate) struct Device {
    r0: u8,
    r1: u8,
    pub(crate) registers: [u8; 256],
    /// The registers as they were at the last update.
    applied: [u8; 256],
    pub(crate) turns: VecDeque<Turn>,
    output: VecDeque<u8>,
    pub(crate) written: String,
    /// What `W` wrote.
    pub(crate) table: Vec<u8>,
    pub(crate) closed_when_idle: bool,
    /// Takes bytes and sends nothing.
    pub(crate) dead: bool,
    /// What it sends is received from this moment on.
    pub(crate) deaf_until_us: u64,
    /// The program is stopped as soon as it waits: it goes on when the deadline has passed.
    pub(crate) stops_program: bool,
}

impl Device {
    /// What a register does at present: some take effect at an update only.
    pub(crate) fn register(&self, register: Register) -> u32 {
        let registers = match register.takes() {
            Takes::AtUpdate => &self.applied,
            Takes::OnCommand => &self.registers,
        };
        let bytes =
            (0..register.width()).rev().map(|index| registers[usize::from(register.address() + index)]);
        bytes.fold(0, |value, byte| value << 8 | u32::from(byte))
    }

    /// Sends something by itself.
    pub(crate) fn send(&mut self, bytes: &str) {
        self.output.extend(bytes.bytes());
    }

    fn hear(&mut self, byte: u8) {
        self.written.push(byte.into());
        if self.dead {
            return;
        }
        match byte {
            b'[' => self.r0 = 0,
            b'0'..=b'9' => self.r0 = (self.r0 << 4) + (byte - b'0'),
            b'a'..=b'f' => self.r0 = (self.r0 << 4) + (byte - b'a' + 10),
            b'@' => self.r1 = self.r0,
            b'z' => {
                self.registers[usize::from(self.r1)] = self.r0;
                self.r1 += 1;
            }
            b'n' => self.r1 += 1,
            b']' | b'>' => {}
            b'U' => self.applied = self.registers,
            b'W' => {
                assert_eq!(self.register(Register::Address) as usize, self.table.len());
                self.table.push(self.r0);
                let next = self.table.len().to_le_bytes();
                self.registers[usize::from(Register::Address.address())..][..2].copy_from_slice(&next[..2]);
            }
            command => return self.end_script(command),
        }
        self.output.push_back(byte);
    }

    fn end_script(&mut self, command: u8) {
        let scripted = self.turns.front().is_some_and(|turn| turn.command == command);
        let turn = if scripted { self.turns.pop_front() } else { None };
        let turn = turn.unwrap_or_else(|| match command {
            b'!' | b'K' => on(command.into(), ""),
            b'?' => on('?', "\rBS000501\r"),
            b'r' => {
                let address = self.register(Register::EepromAddress) as usize;
                on('r', format!("\r{:02x}\r", b"DB98TI79"[address - 0x30]))
            }
            b'p' => on('p', format!("\r{:02x}\r", self.registers[usize::from(self.r1)])),
            _ => panic!("the driver wrote {} unasked, after {}", command.escape_ascii(), self.written),
        });
        for &(register, value) in &turn.registers {
            assert_eq!(self.register(register), value, "{register:?} at {}", command.escape_ascii());
        }
        if turn.echo {
            self.output.push_back(command);
        }
        self.output.extend(turn.answer);
        if turn.loses_power {
            (self.registers, self.applied) = ([0; 256], [0; 256]);
        }
    }
}

/// Both ends of the line: bytes arrive at most `cut` at a time, and time passes only when the driver waits
/// for it.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) device: Arc<Mutex<Device>>,
    now_us: Arc<AtomicU64>,
    cut: usize,
}

impl Line {
    /// Lets time pass.
    pub(crate) fn pass(&self, span: Micros) {
        self.now_us.fetch_add(span.0, Ordering::Relaxed);
    }
}

/// Nothing has come while a blocking read waited. The asynchronous line never fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReadTimedOut;

impl std::fmt::Display for ReadTimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("nothing came")
    }
}

impl std::error::Error for ReadTimedOut {}

impl embedded_io::Error for ReadTimedOut {
    fn kind(&self) -> ErrorKind {
        ErrorKind::TimedOut
    }
}

/// How long a blocking read waits.
const READ_TIMEOUT: Micros = Micros::from_millis(1);

impl Line {
    /// What has come by now; None if nothing has.
    fn take(&self, buffer: &mut [u8]) -> Option<usize> {
        let mut device = self.device.lock().unwrap();
        let heard = if self.now().0 < device.deaf_until_us { 0 } else { device.output.len() };
        let count = buffer.len().min(self.cut).min(heard);
        for place in &mut buffer[..count] {
            *place = device.output.pop_front().unwrap();
        }
        (count > 0 || device.closed_when_idle).then_some(count)
    }

    fn put(&self, bytes: &[u8]) -> usize {
        let mut device = self.device.lock().unwrap();
        for &byte in bytes {
            device.hear(byte);
        }
        bytes.len()
    }

    /// Completes once the driver has written this command last, and has read all that the device sent.
    pub(crate) async fn after(&self, command: char) {
        poll_fn(|_| {
            let device = self.device.lock().unwrap();
            let done = device.written.ends_with(command) && device.output.is_empty();
            if done { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl ErrorType for Line {
    type Error = ReadTimedOut;
}

impl Read for Line {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadTimedOut> {
        poll_fn(|_| self.take(buffer).map_or(Poll::Pending, |count| Poll::Ready(Ok(count)))).await
    }
}

impl Write for Line {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ReadTimedOut> {
        Ok(self.put(bytes))
    }

    async fn flush(&mut self) -> Result<(), ReadTimedOut> {
        Ok(())
    }
}

/// The line as a blocking stream and a clock that is only read: time passes while a read waits in vain.
pub(crate) struct BlockingLine(Line);

impl ErrorType for BlockingLine {
    type Error = ReadTimedOut;
}

impl embedded_io::Read for BlockingLine {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ReadTimedOut> {
        self.0.take(buffer).ok_or_else(|| {
            self.0.pass(READ_TIMEOUT);
            ReadTimedOut
        })
    }
}

impl embedded_io::Write for BlockingLine {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ReadTimedOut> {
        Ok(self.0.put(bytes))
    }

    fn flush(&mut self) -> Result<(), ReadTimedOut> {
        Ok(())
    }
}

impl BlockingClock for BlockingLine {
    fn now(&self) -> Instant {
        self.0.now()
    }
}

/// By which way the driver reaches its line.
pub(crate) trait Way {
    type Stream: Read + Write + ErrorType<Error = ReadTimedOut>;
    type Clock: Clock;

    fn stream(line: &Line) -> Self::Stream;
    fn clock(line: &Line) -> Self::Clock;
}

/// Over an asynchronous stream, and a clock that can be waited for.
pub(crate) struct Asynchronous;

impl Way for Asynchronous {
    type Stream = Line;
    type Clock = Line;

    fn stream(line: &Line) -> Line {
        line.clone()
    }

    fn clock(line: &Line) -> Line {
        line.clone()
    }
}

/// Over the adapters of [`scopething_core::blocking`].
pub(crate) struct Blocking;

impl Way for Blocking {
    type Stream = BlockingStream<BlockingLine>;
    type Clock = PolledClock<BlockingLine>;

    fn stream(line: &Line) -> Self::Stream {
        BlockingStream(BlockingLine(line.clone()))
    }

    fn clock(line: &Line) -> Self::Clock {
        PolledClock(BlockingLine(line.clone()))
    }
}

/// Makes tests of transcripts: each runs by both ways. One that is left out here is never used, which the compiler reports.
macro_rules! both_ways {
    ($($transcript:ident)+) => {
        mod asynchronous {
            $(#[test]
            fn $transcript() {
                super::$transcript::<$crate::transcript::Asynchronous>();
            })+
        }

        mod blocking {
            $(#[test]
            fn $transcript() {
                super::$transcript::<$crate::transcript::Blocking>();
            })+
        }
    };
}
pub(crate) use both_ways;

impl Clock for Line {
    fn now(&self) -> Instant {
        Instant(self.now_us.load(Ordering::Relaxed))
    }

    /// Whoever waits for bytes that did not come gets to the deadline at once.
    async fn until(&self, deadline: Instant) {
        let (heard_at, stops) = {
            let device = self.device.lock().unwrap();
            (device.deaf_until_us, device.stops_program)
        };
        if !stops && (self.now().0..=deadline.0).contains(&heard_at) {
            self.now_us.fetch_max(heard_at, Ordering::Relaxed);
            yield_now().await;
        }
        self.now_us.fetch_max(deadline.0, Ordering::Relaxed);
    }
}

pub(crate) const PROFILE: LinkProfile =
    LinkProfile { round_trip: Micros(20_000), bytes_per_second: 100_000, is_lossy: false };

pub(crate) fn line(turns: impl IntoIterator<Item = Turn>, cut: usize) -> Line {
    let device = Device {
        r0: 0xa5,
        r1: 0x5a,
        registers: [0xa5; 256],
        applied: [0xa5; 256],
        turns: turns.into_iter().collect(),
        output: VecDeque::new(),
        written: String::new(),
        table: Vec::new(),
        closed_when_idle: false,
        dead: false,
        deaf_until_us: 0,
        stops_program: false,
    };
    Line { device: Arc::new(Mutex::new(device)), now_us: Arc::default(), cut }
}

pub(crate) type ScopeBy<W> = Scope<<W as Way>::Stream, <W as Way>::Clock>;

pub(crate) fn connect<W: Way>(line: &Line) -> Result<ScopeBy<W>, ScopeError<ReadTimedOut>> {
    block_on(Scope::connect(W::stream(line), W::clock(line), PROFILE))
}

pub(crate) fn connected<W: Way>(turns: impl IntoIterator<Item = Turn>, cut: usize) -> (ScopeBy<W>, Line) {
    connected_over::<W>(PROFILE, turns, cut)
}

pub(crate) fn connected_over<W: Way>(
    profile: LinkProfile,
    turns: impl IntoIterator<Item = Turn>,
    cut: usize,
) -> (ScopeBy<W>, Line) {
    let line = line(turns, cut);
    let scope = block_on(Scope::connect(W::stream(&line), W::clock(&line), profile)).unwrap();
    line.device.lock().unwrap().written.clear();
    (scope, line)
}

/// Four samples of channel A at 5 MS/s, in one byte each.
pub(crate) fn four_samples() -> CaptureRequest {
    CaptureRequest { period_s: 0.8e-6, samples: 4, ..CaptureRequest::new("A".parse::<ChannelSet>().unwrap()) }
}

/// What a device sends when a trace has started.
pub(crate) const WAIT: &str = "02\r00001000\r";

/// What a device sends for a trace from its start to its end.
pub(crate) fn ends(token: &str, ticks: u32, address: u32) -> String {
    format!("{WAIT}{token}\r{ticks:08x}\r{address:08x}\r")
}

pub(crate) fn plan<W: Way>(scope: &ScopeBy<W>, request: CaptureRequest) -> CapturePlan {
    scope.plan(&request).unwrap()
}

/// The steps of channel A.
pub(crate) fn steps(trace: &Trace) -> Vec<u16> {
    trace.analog(AnalogChannel::A).unwrap().steps().collect()
}

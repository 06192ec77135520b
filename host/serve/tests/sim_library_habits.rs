//! What a client with the habits of the vendor's library does, over the datagrams of a bitscope-server: it reads the
//! EEPROM a byte at a time when it opens the device, writes each register once and then what has changed, waits for
//! the echo of each command, and resets the device between the dumps of one capture.
//!
//! The samples expected are computed from the signals and the tick at which the device reports that it started.

#[path = "../../sim/tests/sim_host/mod.rs"]
mod sim_host;

use std::collections::BTreeMap;
use std::time::Duration;

use scopething_core::vm::Register;
use scopething_serve::simulator::{ServeOptions, Server};
use scopething_sim::SimConfig;
use sim_host::{byte_of, dac, fraction};
use tokio::net::UdpSocket;
use tokio::time::timeout;

const TIMEOUT: Duration = Duration::from_secs(20);
/// Commands in a datagram.
const MAX_COMMANDS: usize = 64;
const TICK_S: f64 = 25e-9;
/// How long an echo is waited for.
const ECHO_TIMEOUT: Duration = Duration::from_millis(200);
/// A frame of a stream of A, B and the logic lines: ident, sequence number, and the three.
const FRAME_BYTES: usize = 5;

/// Runs a client against a simulated device behind a bitscope-server, to the end of the client.
fn with_library<F: Future<Output = ()>>(query: &str, client: impl FnOnce(Library) -> F) {
    let options = ServeOptions { bitscope_server: Some("127.0.0.1:0".to_owned()), ..ServeOptions::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let server = Server::bind(&SimConfig::from_query(query).unwrap(), &options).await.unwrap();
        let address = server.addresses().bitscope_server.unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(address).await.unwrap();
        let library = Library { socket, id: 0, known: BTreeMap::new() };
        tokio::select! {
            ended = server.run(|_| ()) => panic!("{ended:?}"),
            done = timeout(TIMEOUT, client(library)) => done.expect("the client hangs"),
        }
    });
}

/// The client.
struct Library {
    socket: UdpSocket,
    /// The number of the last command datagram.
    id: u8,
    /// What each register byte holds.
    known: BTreeMap<u8, u8>,
}

/// How a trace is described.
struct Captured {
    start_tick: u32,
    end: u32,
    end_tick: u32,
}

impl Library {
    /// Sends commands in a datagram, and gives what is answered besides their echo: so many bytes.
    async fn exchange(&mut self, commands: &str, length: usize) -> Vec<u8> {
        assert!(commands.len() <= MAX_COMMANDS, "{commands}");
        self.id = self.id.wrapping_add(1);
        self.socket.send(&[&[self.id], commands.as_bytes()].concat()).await.unwrap();
        let mut answer = self.receive(commands.len() + length).await;
        assert_eq!(String::from_utf8_lossy(&answer[..commands.len()]), *commands);
        answer.split_off(commands.len())
    }

    /// So many bytes that answer the last datagram of commands, in as many datagrams as they come in.
    async fn receive(&mut self, length: usize) -> Vec<u8> {
        let mut answer = Vec::new();
        while answer.len() < length {
            let (id, data) = self.receive_some().await;
            assert_eq!(id, self.id, "{data:?} answers another command");
            answer.extend(data);
        }
        assert_eq!(answer.len(), length, "{}", String::from_utf8_lossy(&answer));
        answer
    }

    /// `r` or `w`: the byte that is answered.
    async fn eeprom_byte(&mut self, command: &str) -> u8 {
        let answer = String::from_utf8(self.exchange(command, 4).await).unwrap();
        let digits = answer.strip_prefix('\r').and_then(|rest| rest.strip_suffix('\r'));
        u8::from_str_radix(digits.expect("two digits between returns"), 16).unwrap()
    }

    /// Resets, identifies, and reads the EEPROM from 24 to 3f.
    async fn open(&mut self) -> Vec<u8> {
        self.exchange("!", 0).await;
        assert_eq!(self.exchange("?", 10).await, b"\rBS000501\r");
        let mut bytes = Vec::new();
        for address in 0x24..0x40 {
            self.write(&[(Register::EepromAddress, address)]).await;
            bytes.push(self.eeprom_byte("r").await);
        }
        bytes
    }

    /// Writes what has changed of the registers, in as few datagrams as it fits in.
    async fn write(&mut self, registers: &[(Register, u32)]) {
        let mut script = String::new();
        for &(register, value) in registers {
            for (address, byte) in
                (register.address()..).zip(value.to_le_bytes()).take(register.width().into())
            {
                if self.known.insert(address, byte) == Some(byte) {
                    continue;
                }
                let store = format!("[{address:02x}]@[{byte:02x}]s");
                if script.len() + store.len() > MAX_COMMANDS {
                    self.exchange(&script, 0).await;
                    script.clear();
                }
                script += &store;
            }
        }
        if !script.is_empty() {
            self.exchange(&script, 0).await;
        }
    }

    /// Writes all that a mode needs, from -5.5 V to 8 V, without a trigger.
    async fn set_up(&mut self, [mode, buffer, ticks, samples]: [u32; 4], analog: u32) {
        let (low, high) = (fraction(-5.5), fraction(8.0));
        self.write(&[
            (Register::TraceMode, mode),
            (Register::BufferMode, buffer),
            (Register::ClockTicks, ticks),
            (Register::ClockScale, 1),
            (Register::TraceIntro, 0),
            (Register::TraceOutro, samples),
            (Register::TraceDelay, 0),
            (Register::Timeout, 0),
            (Register::Prelude, 0),
            (Register::TriggerIntro, 0),
            (Register::TriggerOutro, 0),
            (Register::TriggerLogic, 0),
            (Register::TriggerMask, 0xff),
            (Register::SpockOption, 1),
            (Register::AnalogEnable, analog),
            (Register::DumpMode, 0),
            (Register::DumpRepeat, 1),
            (Register::DumpSend, 1),
            (Register::DumpSkip, 0),
            (Register::KitchenSinkA, 0),
            (Register::KitchenSinkB, 0),
            (Register::ConverterLo, dac(1.1 * low - 0.05 * high)),
            (Register::ConverterHi, dac(1.1 * high - 0.05 * low - 0.05)),
        ])
        .await;
        self.exchange("U", 0).await;
    }

    /// A trace from address 0 on, to its end. The answer to `D` comes at once and when the trace is over: in two
    /// datagrams, or in one if the trace is short.
    async fn trace(&mut self) -> Captured {
        self.write(&[(Register::SampleAddress, 0)]).await;
        self.exchange(">", 0).await;
        let status = String::from_utf8(self.exchange("D", 12 + 21).await).unwrap();
        let ["02", start, "00", end_tick, end, ""] = fields(&status) else { panic!("{status:?}") };
        let hex = |digits| u32::from_str_radix(digits, 16).unwrap();
        Captured { start_tick: hex(start), end: hex(end), end_tick: hex(end_tick) }
    }

    /// Starts a stream of A, B and the logic lines, and reads its first hundred frames.
    async fn start_stream(&mut self, commands: &str) {
        self.id = self.id.wrapping_add(1);
        self.socket.send(&[&[self.id], commands.as_bytes()].concat()).await.unwrap();
        let mut answer = Vec::new();
        while answer.len() < commands.len() + 100 * FRAME_BYTES {
            let (id, data) = self.receive_some().await;
            assert_eq!(id, self.id);
            answer.extend(data);
        }
        let frames = answer.strip_prefix(commands.as_bytes()).expect("the echo comes first");
        for (sequence, frame) in (0..100).zip(frames.chunks(FRAME_BYTES)) {
            assert_eq!(frame[..2], [0xa5, sequence]);
        }
    }

    /// Resets the device until that is answered, behind what still comes of a stream.
    async fn end_stream(&mut self) {
        loop {
            self.id = self.id.wrapping_add(1);
            self.socket.send(&[self.id, b'!']).await.unwrap();
            let echo = async { while self.receive_some().await.0 != self.id {} };
            if timeout(ECHO_TIMEOUT, echo).await.is_ok() {
                return;
            }
        }
    }

    /// A datagram's data, with the number of the command that it answers.
    async fn receive_some(&self) -> (u8, Vec<u8>) {
        let mut datagram = [0; 2000];
        let count = self.socket.recv(&mut datagram).await.unwrap();
        assert!(count > 4, "{:?} has no data", &datagram[..count]);
        (datagram[2], datagram[4..count].to_vec())
    }

    /// Resets the device and fetches samples.
    async fn dump(&mut self, channel: u32, address: u32, count: u32) -> Vec<u8> {
        self.exchange("!", 0).await;
        self.write(&[
            (Register::SampleAddress, address),
            (Register::DumpChan, channel),
            (Register::DumpCount, count),
        ])
        .await;
        self.exchange(">", 0).await;
        self.exchange("A", count as usize).await
    }
}

/// The fields of a status packet, each of which ends with a return.
fn fields<const N: usize>(packet: &str) -> [&str; N] {
    packet.split('\r').collect::<Vec<_>>().try_into().expect(packet)
}

/// A ramp that repeats, in volts.
fn ramp(frequency_hz: f64, low: f64, high: f64) -> impl Fn(f64) -> f64 {
    move |seconds| low + (high - low) * (seconds * frequency_hz).fract()
}

/// Whether a square wave, high for half of its period in ticks, is high in a tick.
fn square(period_ticks: u32, tick: u32) -> bool {
    tick % period_ticks < period_ticks / 2
}

/// That all samples are within a step of the signal, sample n at the tick `first + n x step` or in the course of it:
/// the device began somewhere within the tick that it named.
fn assert_signal(samples: &[u8], signal: impl Fn(f64) -> f64, (first, step): (u32, u32)) {
    for (n, sample) in (0..).zip(samples) {
        let seconds = f64::from(first + n * step) * TICK_S;
        let near = |moment: f64| (f64::from(*sample) - byte_of(signal(moment))).abs() <= 1.0;
        assert!([-1e-9, 0.0, TICK_S].iter().any(|nudge| near(seconds + nudge)), "sample {n}: {sample}");
    }
}

/// That all samples of the logic lines are as the square waves of these periods in ticks.
fn assert_lines(samples: &[u8], lines: &[(u32, u32)], (first, step): (u32, u32)) {
    for (n, sample) in (0..).zip(samples) {
        let tick = first + n * step;
        for (line, period) in lines {
            assert_eq!(sample >> line & 1 == 1, square(*period, tick), "L{line}, sample {n}, tick {tick}");
        }
    }
}

const SIGNALS: &str = "A=ramp,100Hz,-4..6V&B=ramp,70Hz,7..-5V&L0=square,4kHz&L3=square,1MHz&L6=square,200kHz";
/// The lines of [`SIGNALS`] with their periods in ticks.
const LINES: [(u32, u32); 3] = [(0, 10_000), (3, 40), (6, 200)];

#[test]
fn opening_reads_the_eeprom_and_writes_sixteen_bytes() {
    with_library("serial=XY12Z345", |mut library| async move {
        let bytes = library.open().await;
        assert_eq!(bytes.len(), 28);
        assert_eq!(bytes[0x30 - 0x24..0x38 - 0x24], *b"XY12Z345");
        for (address, value) in (0x24..0x30).chain(0x38..0x3c).zip(0xa0..) {
            library.write(&[(Register::EepromData, value), (Register::EepromAddress, address)]).await;
            assert_eq!(u32::from(library.eeprom_byte("w").await), value);
        }
        let mut expected: Vec<u8> = (0xa0..0xac).chain(*b"XY12Z345").chain(0xac..0xb0).collect();
        expected.extend(&bytes[0x3c - 0x24..]);
        assert_eq!(library.open().await, expected);
    });
}

#[test]
fn one_channel_at_each_rate() {
    with_library(SIGNALS, |mut library| async move {
        library.open().await;
        // Analog, AnalogFast, AnalogShot.
        for [mode, ticks, count] in [[0, 40, 4000], [4, 10, 6000], [11, 2, 12000]] {
            library.set_up([mode, 0, ticks, count], 1).await;
            let trace = library.trace().await;
            assert_eq!(trace.end, count);
            assert_eq!(trace.end_tick, trace.start_tick + count * ticks);
            let samples = library.dump(0, trace.end - count + 1, count).await;
            assert_signal(&samples, ramp(100.0, -4.0, 6.0), (trace.start_tick + ticks, ticks));
        }
    });
}

#[test]
fn two_channels_with_reset_between_dumps() {
    with_library(SIGNALS, |mut library| async move {
        library.open().await;
        for [mode, ticks] in [[2, 40], [6, 10]] {
            library.set_up([mode, 1, ticks, 8000], 3).await;
            let trace = library.trace().await;
            // One later and made even is where the samples begin.
            let first = (trace.end - 8000 + 1) & !1;
            let a = library.dump(0, first, 4000).await;
            let b = library.dump(1, first, 4000).await;
            assert_signal(&a, ramp(100.0, -4.0, 6.0), (trace.start_tick, 2 * ticks));
            assert_signal(&b, ramp(70.0, 7.0, -5.0), (trace.start_tick + ticks, 2 * ticks));
        }
    });
}

#[test]
fn mixed_capture_with_reset_between_dumps() {
    with_library(SIGNALS, |mut library| async move {
        library.open().await;
        for [mode, ticks] in [[1, 40], [5, 8], [12, 4]] {
            library.set_up([mode, 2, ticks, 5000], 1).await;
            let trace = library.trace().await;
            let analog = library.dump(0, trace.end - 5000 + 1, 5000).await;
            let logic = library.dump(128, trace.end - 5000 + 1, 5000).await;
            assert_signal(&analog, ramp(100.0, -4.0, 6.0), (trace.start_tick + ticks, ticks));
            assert_lines(&logic, &LINES, (trace.start_tick + ticks, ticks));
        }
    });
}

#[test]
fn logic_is_captured_at_all_rates() {
    with_library(SIGNALS, |mut library| async move {
        library.open().await;
        // 1 MHz, then 10, 13.3, 20 and 40 MHz by the mode that has no name.
        for [mode, ticks] in [[14, 40], [20, 4], [20, 3], [20, 2], [20, 1]] {
            library.set_up([mode, 0, ticks, 12000], 0).await;
            let trace = library.trace().await;
            assert_eq!((trace.end, trace.end_tick), (12000, trace.start_tick + 12000 * ticks));
            let logic = library.dump(128, trace.end - 12000 + 1, 12000).await;
            assert_lines(&logic, &LINES, (trace.start_tick + ticks, ticks));
        }
    });
}

#[test]
fn outrunning_stream_ends_at_reset() {
    // In simulated time a stream never lets its server rest.
    with_library(&format!("{SIGNALS}&clock=fast"), |mut library| async move {
        library.open().await;
        for _ in 0..3 {
            library.start_stream("21@01s2e@40sn01s36@a5s37@03s38@01sT").await;
            library.end_stream().await;
            assert_eq!(library.exchange("?", 10).await, b"\rBS000501\r");
        }
    });
}

#[test]
fn overlong_trace_is_cancelled() {
    with_library(SIGNALS, |mut library| async move {
        library.open().await;
        library.set_up([0, 0, 40, 4000], 1).await;
        // The lines are to be as they never are.
        library.write(&[(Register::TriggerMask, 0), (Register::TriggerOutro, 2)]).await;
        library.write(&[(Register::SampleAddress, 0)]).await;
        library.exchange(">", 0).await;
        let mut status = library.exchange("D", 12).await;
        let waiting = library.id;
        library.exchange("K", 0).await;
        // What ends the trace answers the D, in a datagram of its own.
        library.id = waiting;
        status.extend(library.receive(21).await);
        let status = String::from_utf8(status).unwrap();
        let ["02", start, "03", end_tick, end, ""] = fields(&status) else { panic!("{status:?}") };
        let hex = |digits| u32::from_str_radix(digits, 16).unwrap();
        let samples = (hex(end_tick) - hex(start)) / 40;
        assert_eq!(hex(end), samples % 12288);
        library.id = waiting.wrapping_add(1);
        // The last few of what was sampled, if it was any.
        let count = samples.min(100);
        let dumped = library.dump(0, (hex(end) + 12288 - count) % 12288, count).await;
        assert_signal(&dumped, ramp(100.0, -4.0, 6.0), (hex(end_tick) - 40 * count, 40));
    });
}

//! A host at the device's own level: registers by name, bytes as they are, time given. It shares no code with
//! the driver.

#![allow(dead_code, reason = "each test file uses its own part")]

use scopething_core::vm::Register;
use scopething_sim::{Device, Note, SimConfig, SimTime};

/// A device and the moment at which the host talks to it.
pub(crate) struct Host {
    pub(crate) device: Device,
    pub(crate) now: SimTime,
    /// How often the device asked for a turn.
    pub(crate) turns: u32,
}

/// The contents of a status packet.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
pub(crate) struct Status {
    pub(crate) token: u8,
    pub(crate) tick: u32,
    pub(crate) address: u32,
    /// When it came.
    pub(crate) at: SimTime,
}

impl Host {
    pub(crate) fn new(query: &str) -> Self {
        Self::with(&SimConfig::from_query(query).expect("a configuration"))
    }

    pub(crate) fn with(config: &SimConfig) -> Self {
        Self { device: Device::new(config), now: SimTime::ZERO, turns: 0 }
    }

    /// Writes bytes and gives all that comes back at the same moment.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Vec<u8> {
        for byte in bytes {
            self.device.receive(*byte, self.now);
        }
        std::iter::from_fn(|| self.device.transmit(self.now)).collect()
    }

    /// As [`send`](Self::send), for text.
    pub(crate) fn exchange(&mut self, text: &str) -> String {
        String::from_utf8(self.send(text.as_bytes())).expect("text")
    }

    /// Writes registers, each byte with its own address.
    pub(crate) fn set(&mut self, registers: &[(Register, u32)]) {
        for &(register, value) in registers {
            for (address, byte) in
                (register.address()..).zip(value.to_le_bytes()).take(register.width().into())
            {
                let script = format!("[{address:02x}]@[{byte:02x}]s");
                assert_eq!(self.exchange(&script), script);
            }
        }
    }

    pub(crate) fn get(&mut self, register: Register) -> u32 {
        let bytes = (0..register.width()).map(|index| {
            let script = format!("[{:02x}]@p", register.address() + index);
            let answer = self.exchange(&script);
            let digits = answer.strip_prefix(&format!("{script}\r")).and_then(|rest| rest.strip_suffix('\r'));
            u32::from_str_radix(digits.expect("two digits"), 16).expect("hex")
        });
        bytes.collect::<Vec<_>>().into_iter().rev().fold(0, |value, byte| value << 8 | byte)
    }

    /// Sends `>UD` and gives the tick at which the trace started.
    pub(crate) fn start(&mut self) -> u32 {
        self.start_with(">UD")
    }

    pub(crate) fn start_with(&mut self, script: &str) -> u32 {
        let answer = self.exchange(script);
        let rest = answer.strip_prefix(&format!("{script}02\r")).expect("a wait packet");
        u32::from_str_radix(rest.strip_suffix('\r').expect("a line"), 16).expect("hex")
    }

    /// Lets time pass until the device sends something or never will.
    pub(crate) fn wait(&mut self) -> Option<Status> {
        let bytes = self.wait_for_bytes()?;
        Some(self.status(&bytes))
    }

    pub(crate) fn status(&self, bytes: &[u8]) -> Status {
        let text = String::from_utf8(bytes.to_vec()).expect("text");
        let lines: Vec<&str> = text.split('\r').collect();
        let &[token, tick, address, ""] = lines.as_slice() else { panic!("no status packet: {text:?}") };
        assert_eq!((token.len(), tick.len(), address.len()), (2, 8, 8));
        let hex = |digits| u32::from_str_radix(digits, 16).expect("hex");
        Status { token: hex(token) as u8, tick: hex(tick), address: hex(address), at: self.now }
    }

    fn wait_for_bytes(&mut self) -> Option<Vec<u8>> {
        while let Some(next) = self.device.next_event() {
            self.now = self.now.max(next);
            self.turns += 1;
            self.device.advance(self.now);
            let bytes: Vec<u8> = std::iter::from_fn(|| self.device.transmit(self.now)).collect();
            if !bytes.is_empty() {
                return Some(bytes);
            }
        }
        None
    }

    /// A raw dump of one channel: `>A` after its registers.
    pub(crate) fn dump(&mut self, channel: u32, address: u32, count: u32) -> Vec<u8> {
        self.dump_in(0, channel, address, count)
    }

    pub(crate) fn dump_in(&mut self, mode: u32, channel: u32, address: u32, count: u32) -> Vec<u8> {
        self.set(&[
            (Register::DumpMode, mode),
            (Register::DumpChan, channel),
            (Register::DumpCount, count),
            (Register::DumpRepeat, 1),
            (Register::SampleAddress, address),
        ]);
        let answer = self.send(b">A");
        assert_eq!(&answer[..2], b">A");
        answer[2..].to_vec()
    }

    /// Native samples as fractions of the range.
    pub(crate) fn dump_native(&mut self, channel: u32, address: u32, count: u32) -> Vec<f64> {
        let bytes = self.dump_in(5, channel, address, count);
        bytes
            .chunks_exact(2)
            .map(|pair| (f64::from(i16::from_be_bytes([pair[0], pair[1]])) + 32768.0) / 65536.0)
            .collect()
    }

    /// A trace in which A, then B, is on, from -5.5 V to 8 V, and a rising edge of A at 0 V would trigger.
    pub(crate) fn prepare(&mut self, mode: u32, buffer: u32, clock_ticks: u32, intro: u32, outro: u32) {
        let (low, high) = (fraction(-5.5), fraction(8.0));
        self.set(&[
            (Register::TraceMode, mode),
            (Register::BufferMode, buffer),
            (Register::ClockTicks, clock_ticks),
            (Register::ClockScale, 1),
            (Register::TraceIntro, intro),
            (Register::TraceOutro, outro),
            (Register::TriggerIntro, 4),
            (Register::TriggerOutro, 4),
            (Register::TriggerLogic, 0x80),
            (Register::TriggerMask, 0x7f),
            (Register::SpockOption, 1),
            (Register::KitchenSinkA, 0x80),
            (Register::AnalogEnable, 3),
            (Register::DigitalEnable, 0xff),
            (Register::ConverterLo, dac(1.1 * low - 0.05 * high)),
            (Register::ConverterHi, dac(1.1 * high - 0.05 * low - 0.05)),
            (Register::TriggerLevel, dac(fraction(0.0))),
        ]);
    }

    pub(crate) fn notes(&mut self) -> Vec<Note> {
        self.device.take_notes().collect()
    }
}

/// A voltage as a fraction of the input span (reference.md#7-voltages).
pub(crate) fn fraction(volts: f64) -> f64 {
    (volts + 7.517) / 18.333
}

/// A fraction as a 16-bit register.
pub(crate) fn dac(fraction: f64) -> u32 {
    (fraction * 65536.0).round() as u32
}

/// The byte that a voltage is converted to between -5.5 V and 8 V.
pub(crate) fn byte_of(volts: f64) -> f64 {
    (volts + 5.5) / 13.5 * 256.0
}

/// Whether every byte is within one step of the voltages.
pub(crate) fn close(bytes: &[u8], volts: impl IntoIterator<Item = f64>) -> bool {
    let expected: Vec<f64> = volts.into_iter().take(bytes.len()).map(byte_of).collect();
    expected.len() == bytes.len() && bytes.iter().zip(expected).all(|(b, e)| (f64::from(*b) - e).abs() <= 1.0)
}

//! UART, I2C and SPI traffic as 3.3 V levels: one line each, sent over and over with a pause between.
//!
//! The lines of one bus are given the same text but for the name of the line, and so stay in step:
//!
//! ```text
//! uart 9600bps text=Hello [gap=1ms]                  8 data bits, lowest first, no parity, one stop bit
//! i2c scl 100kHz address=0x50 data=0102 [gap=1ms]    and sda: a write, every byte acknowledged
//! spi clk 1MHz data=0102 [gap=1ms]                   and mosi, miso, cs: mode 0, highest bit first
//! ```
//!
//! `text=` and `data=` (hex digits) may be used in each; MISO shows the bytes inverted.

use std::fmt;
use std::sync::Arc;

use super::super::time::SimTime;
use super::LOGIC_HIGH_V;

/// Bytes of a message at the most.
pub(super) const MAX_BYTES: usize = 4096;

/// Which line of which bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BusLine {
    /// A serial line.
    Uart,
    /// The clock of I2C.
    I2cClock {
        /// The address written to, 7 bits.
        address: u8,
    },
    /// The data of I2C.
    I2cData {
        /// The address written to, 7 bits.
        address: u8,
    },
    /// The clock of SPI.
    SpiClock,
    /// Master out, slave in.
    SpiMosi,
    /// Master in, slave out.
    SpiMiso,
    /// Chip select, active low.
    SpiSelect,
}

/// A message on one line of a bus.
#[derive(Debug, Clone, PartialEq)]
pub struct Traffic {
    line: BusLine,
    bits_per_second: f64,
    data: Vec<u8>,
    gap: SimTime,
    /// Levels with the moments from which they hold, the first at 0.
    levels: Arc<[(u64, bool)]>,
    period_ns: u64,
}

/// Levels in units of a part of a bit.
struct BitLevels {
    steps: Vec<(u64, bool)>,
    now: u64,
}

impl BitLevels {
    fn hold(&mut self, high: bool, units: u64) {
        if self.steps.last().is_none_or(|(_, last)| *last != high) {
            self.steps.push((self.now, high));
        }
        self.now += units;
    }
}

impl Traffic {
    /// A message of at most 4096 bytes, sent at a bit rate above 0, with a pause after it.
    pub(super) fn new(line: BusLine, bits_per_second: f64, data: Vec<u8>, gap: SimTime) -> Self {
        let mut levels = BitLevels { steps: Vec::new(), now: 0 };
        let units_a_bit = match line {
            BusLine::Uart => {
                uart(&mut levels, &data);
                1
            }
            BusLine::I2cClock { address } | BusLine::I2cData { address } => {
                i2c(&mut levels, matches!(line, BusLine::I2cClock { .. }), address, &data);
                4
            }
            BusLine::SpiClock | BusLine::SpiMosi | BusLine::SpiMiso | BusLine::SpiSelect => {
                spi(&mut levels, line, &data);
                2
            }
        };
        let unit_ns = 1e9 / bits_per_second / f64::from(units_a_bit);
        let at = |units: u64| (units as f64 * unit_ns).round() as u64;
        let idle = !matches!(line, BusLine::SpiClock | BusLine::SpiMosi | BusLine::SpiMiso);
        let end = levels.now;
        levels.hold(idle, 0);
        let levels = levels.steps.iter().map(|&(units, high)| (at(units), high)).collect();
        Self { line, bits_per_second, data, gap, levels, period_ns: at(end).saturating_add(gap.0).max(1) }
    }

    /// The place in the message, and the index of the level that holds there.
    fn place(&self, at: SimTime) -> (u64, usize) {
        let passed = at.0 % self.period_ns;
        (passed, self.levels.partition_point(|(from, _)| *from <= passed).saturating_sub(1))
    }

    fn high(&self, index: usize) -> bool {
        self.levels.get(index).is_some_and(|(_, high)| *high)
    }

    pub(in super::super) fn volts(&self, at: SimTime) -> f64 {
        f64::from(u8::from(self.high(self.place(at).1))) * LOGIC_HIGH_V
    }

    /// See [`Signal::next_crossing`](super::Signal::next_crossing).
    pub(in super::super) fn next_crossing(&self, level: f64, after: SimTime) -> Option<SimTime> {
        if level <= 0.0 || level > LOGIC_HIGH_V || self.levels.len() < 2 {
            return None;
        }
        let (passed, index) = self.place(after);
        // The start of the next message is looked at, whether the level changes there or not.
        let next = self.levels.get(index + 1).map_or(self.period_ns, |(from, _)| *from);
        Some(after + SimTime(next - passed))
    }
}

fn bits(byte: u8) -> impl Iterator<Item = bool> {
    (0..8).rev().map(move |bit| byte >> bit & 1 == 1)
}

fn uart(levels: &mut BitLevels, data: &[u8]) {
    levels.hold(true, 1);
    for byte in data {
        levels.hold(false, 1);
        for bit in 0..8 {
            levels.hold(byte >> bit & 1 == 1, 1);
        }
        levels.hold(true, 1);
    }
}

/// Four units a bit: the clock is high in the two in the middle, the data changes at the start.
fn i2c(levels: &mut BitLevels, clock: bool, address: u8, data: &[u8]) {
    let mut pair = |scl: bool, sda: bool, units: u64| levels.hold(if clock { scl } else { sda }, units);
    pair(true, true, 4);
    // Start: data falls while the clock is high.
    pair(true, false, 4);
    for byte in std::iter::once(&(address << 1)).chain(data) {
        // The ninth bit is the acknowledgement, low.
        for bit in bits(*byte).chain([false]) {
            pair(false, bit, 1);
            pair(true, bit, 2);
            pair(false, bit, 1);
        }
    }
    // Stop: data rises while the clock is high.
    pair(false, false, 2);
    pair(true, false, 2);
    pair(true, true, 4);
}

/// Two units a bit: the data changes at the start, the clock rises in the middle.
fn spi(levels: &mut BitLevels, line: BusLine, data: &[u8]) {
    let mut hold = |clock: bool, mosi: bool, miso: bool, select: bool, units: u64| {
        let high = match line {
            BusLine::SpiClock => clock,
            BusLine::SpiMosi => mosi,
            BusLine::SpiMiso => miso,
            _ => select,
        };
        levels.hold(high, units);
    };
    hold(false, false, false, true, 2);
    hold(false, false, false, false, 2);
    for byte in data {
        for bit in bits(*byte) {
            hold(false, bit, !bit, false, 1);
            hold(true, bit, !bit, false, 1);
        }
    }
    hold(false, false, false, false, 2);
    hold(false, false, false, true, 2);
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use scopething_waveform::quantity::{Unit, format};
        let (bus, address) = match self.line {
            BusLine::Uart => ("uart", None),
            BusLine::I2cClock { address } => ("i2c scl", Some(address)),
            BusLine::I2cData { address } => ("i2c sda", Some(address)),
            BusLine::SpiClock => ("spi clk", None),
            BusLine::SpiMosi => ("spi mosi", None),
            BusLine::SpiMiso => ("spi miso", None),
            BusLine::SpiSelect => ("spi cs", None),
        };
        let unit = if self.line == BusLine::Uart { Unit::BitsPerSecond } else { Unit::Hertz };
        write!(f, "{bus} {}", format(self.bits_per_second, unit))?;
        if let Some(address) = address {
            write!(f, " address=0x{address:02x}")?;
        }
        write!(f, " data=")?;
        for byte in &self.data {
            write!(f, "{byte:02x}")?;
        }
        write!(f, " gap={}", format(self.gap.seconds(), Unit::Seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Signal;
    use super::*;

    fn line(text: &str) -> impl Fn(f64) -> bool + use<> {
        let signal: Signal = text.parse().unwrap();
        move |seconds| signal.volts(SimTime::from_seconds(seconds)) > 1.65
    }

    /// Reads bytes as a receiver does: from the falling edge of the start bit, in the middle of each bit.
    #[test]
    fn receiver_reads_what_the_uart_sends() {
        let high = line("uart 10kbps text=Hi gap=1ms");
        let bit = 100e-6;
        let mut start = 0.0;
        let mut received = Vec::new();
        while received.len() < 2 {
            while high(start) {
                start += bit / 16.0;
            }
            let byte =
                (0..8).fold(0_u8, |byte, n| byte | u8::from(high(start + (f64::from(n) + 1.5) * bit)) << n);
            received.push(byte);
            assert!(high(start + 9.5 * bit), "stop bit");
            start += 9.5 * bit;
        }
        assert_eq!(received, b"Hi");
    }

    #[test]
    fn i2c_listener_reads_address_and_data() {
        let scl = line("i2c scl 100kHz address=0x50 data=c3 gap=1ms");
        let sda = line("i2c sda 100kHz address=0x50 data=c3 gap=1ms");
        let (mut starts, mut stops, mut bits) = (0, 0, Vec::new());
        let step = 0.5e-6;
        for n in 1..600 {
            let (before, now) = (f64::from(n - 1) * step, f64::from(n) * step);
            match (scl(before), scl(now), sda(before), sda(now)) {
                (true, true, true, false) => starts += 1,
                (true, true, false, true) => stops += 1,
                (false, true, ..) => bits.push(u8::from(sda(now))),
                _ => {}
            }
        }
        // Address and write bit, acknowledgement, data, acknowledgement; the last rise belongs to the stop.
        let expected = [1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 1, 0, 0];
        assert_eq!((starts, stops, bits.as_slice()), (1, 1, &expected[..]));
    }

    #[test]
    fn spi_samples_on_rising_edges_while_selected() {
        let text = |line: &str| format!("spi {line} 1MHz data=a5 gap=20us");
        let [clock, mosi, miso, select] = ["clk", "mosi", "miso", "cs"].map(|name| line(&text(name)));
        let (mut out, mut back) = (0_u8, 0_u8);
        for n in 1..300 {
            let (before, now) = (f64::from(n - 1) * 0.1e-6, f64::from(n) * 0.1e-6);
            if !clock(before) && clock(now) {
                assert!(!select(now));
                out = out << 1 | u8::from(mosi(now));
                back = back << 1 | u8::from(miso(now));
            }
        }
        assert_eq!((out, back), (0xa5, 0x5a));
        assert!(select(0.0) && select(25e-6));
    }

    #[test]
    fn crossings_are_the_edges() {
        let signal: Signal = "uart 10kbps data=ff gap=1ms".parse().unwrap();
        // Idle for a bit, the start bit, then high to the end of the pause.
        let mut at = SimTime::ZERO;
        let mut edges = Vec::new();
        while at < SimTime(4_000_000) {
            let side = signal.volts(at) > 1.65;
            at = signal.next_crossing(1.65, at).unwrap();
            if (signal.volts(at) > 1.65) != side {
                edges.push(at.0 / 1000);
            }
        }
        let period = 1100 + 1000;
        assert_eq!(edges, [100, 200, period + 100, period + 200]);
    }
}

//! The texts of lines of a bus.

use super::super::super::time::SimTime;
use super::super::traffic::MAX_BYTES;
use super::super::{BusLine, Signal, Traffic};
use super::{Parts, SignalError, positive};
use scopething_waveform::quantity::{self, Unit};

/// Pause after a message that does not specify one.
const GAP_S: f64 = 1e-3;

pub(super) fn traffic(parts: &mut Parts<'_>) -> Result<Signal, SignalError> {
    let missing = |what| SignalError::Missing { kind: parts.kind.to_owned(), what };
    let no_line = missing("a line: scl or sda; clk, mosi, miso or cs");
    let no_data = missing("data=HEX or text=TEXT");
    let address = match parts.named("address") {
        Some(text) => byte_from_hex(text.trim_start_matches("0x"))
            .filter(|address| *address < 0x80)
            .ok_or(SignalError::Impossible { what: "address", must_be: "two hex digits up to 0x7f" })?,
        None => 0,
    };
    let line = if parts.kind == "uart" {
        BusLine::Uart
    } else {
        let name = parts.take(|part| part.chars().all(|c| c.is_ascii_lowercase())).unwrap_or("");
        match (parts.kind, name) {
            ("i2c", "scl") => BusLine::I2cClock { address },
            ("i2c", "sda") => BusLine::I2cData { address },
            ("spi", "clk") => BusLine::SpiClock,
            ("spi", "mosi") => BusLine::SpiMosi,
            ("spi", "miso") => BusLine::SpiMiso,
            ("spi", "cs") => BusLine::SpiSelect,
            _ => return Err(no_line),
        }
    };
    let unit = if line == BusLine::Uart { Unit::BitsPerSecond } else { Unit::Hertz };
    let rate = positive(parts.positional("a bit rate", unit)?, "bit rate")?;
    let gap_s = parts.named("gap").map_or(Ok(GAP_S), |part| quantity::parse(part, Unit::Seconds))?;
    let data = match (parts.named("data"), parts.named("text")) {
        (Some(hex), None) => bytes_from_hex(hex)
            .ok_or(SignalError::Impossible { what: "data", must_be: "pairs of hex digits" })?,
        (None, Some(text)) => text.as_bytes().to_vec(),
        _ => return Err(no_data),
    };
    if data.len() > MAX_BYTES {
        return Err(SignalError::Impossible { what: "message", must_be: "at most 4096 bytes" });
    }
    Ok(Signal::Traffic(Traffic::new(line, rate, data, SimTime::from_seconds(gap_s))))
}

fn byte_from_hex(digits: &str) -> Option<u8> {
    u8::from_str_radix(digits, 16).ok()
}

fn bytes_from_hex(digits: &str) -> Option<Vec<u8>> {
    let pairs = digits.as_bytes().chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        byte_from_hex(pair)
    });
    pairs.collect()
}

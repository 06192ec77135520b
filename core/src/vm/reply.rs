//! Parsers of what the device answers. They take input a byte at a time, cut anywhere, and refuse what does not fit.
//!
//! Echoes are compared by whoever sent the script ([`check_echo`]); dumps are counted bytes without a form of their
//! own. What remains are printed values, the revision and the status packets.

use core::fmt;

/// What a parser expected when something else came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Expected {
    /// The echo of this byte.
    Echo(u8),
    /// A carriage return.
    CarriageReturn,
    /// A hex digit.
    HexDigit,
    /// A printable character.
    Printable,
    /// Nothing: the answer was complete.
    Nothing,
}

/// An answer that does not have the form it should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Malformed {
    /// What came.
    pub byte: u8,
    /// What should have come.
    pub expected: Expected,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "got byte {:02x} where ", self.byte)?;
        match self.expected {
            Expected::Echo(byte) => write!(f, "the echo {byte:02x} was due"),
            Expected::CarriageReturn => f.write_str("a carriage return was due"),
            Expected::HexDigit => f.write_str("a hex digit was due"),
            Expected::Printable => f.write_str("a printable character was due"),
            Expected::Nothing => f.write_str("nothing more was due"),
        }
    }
}

impl core::error::Error for Malformed {}

/// Compares received bytes with the script bytes they should echo. Only as many as both have are compared.
///
/// # Errors
/// [`Malformed`] with the first byte that differs.
pub fn check_echo(script: &[u8], received: &[u8]) -> Result<(), Malformed> {
    for (&sent, &byte) in script.iter().zip(received) {
        if sent != byte {
            return Err(Malformed { byte, expected: Expected::Echo(sent) });
        }
    }
    Ok(())
}

/// A run of hex digits ended by `\r`.
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct HexField {
    value: u32,
    digits: u8,
}

impl HexField {
    /// The value, once `\r` has come after exactly `width` digits.
    fn push(&mut self, byte: u8, width: u8) -> Result<Option<u32>, Malformed> {
        if self.digits == width {
            return if byte == b'\r' {
                Ok(Some(self.value))
            } else {
                Err(Malformed { byte, expected: Expected::CarriageReturn })
            };
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            b'A'..=b'F' => byte - b'A' + 10,
            _ => return Err(Malformed { byte, expected: Expected::HexDigit }),
        };
        self.value = self.value << 4 | u32::from(digit);
        self.digits += 1;
        Ok(None)
    }

    fn missing(self, width: u8) -> usize {
        usize::from(width.saturating_sub(self.digits)) + 1
    }
}

/// Parses a printed byte: `\r`, two hex digits, `\r`, as `p` and `r` answer.
///
/// ```
/// use scopething_core::vm::PrintedByte;
///
/// let mut printed = PrintedByte::new();
/// let answer = b"\r7f\r".iter().find_map(|&byte| printed.push(byte).transpose());
/// assert_eq!(answer, Some(Ok(0x7f)));
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct PrintedByte {
    opened: bool,
    field: HexField,
}

impl PrintedByte {
    /// How long the answer is, in bytes.
    pub const LENGTH: usize = 4;

    /// A parser at the start of an answer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next byte; gives the value with the last one.
    ///
    /// # Errors
    /// [`Malformed`] when the byte does not fit.
    pub fn push(&mut self, byte: u8) -> Result<Option<u8>, Malformed> {
        if !self.opened {
            self.opened = byte == b'\r';
            let expected = Expected::CarriageReturn;
            return if self.opened { Ok(None) } else { Err(Malformed { byte, expected }) };
        }
        Ok(self.field.push(byte, 2)?.map(|value| value as u8))
    }
}

/// The eight characters with which a device names its model and revision, such as `BS000501`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Revision(pub [u8; 8]);

impl Revision {
    /// How long the answer to `?` is, in bytes.
    pub const ANSWER_LENGTH: usize = 10;

    /// Reads the answer to `?`: `\r`, eight printable characters, `\r`.
    ///
    /// # Errors
    /// [`Malformed`] with the first byte that does not fit.
    pub fn parse(answer: &[u8; Self::ANSWER_LENGTH]) -> Result<Self, Malformed> {
        let [first, name @ .., last] = answer;
        for &byte in [first, last] {
            if byte != b'\r' {
                return Err(Malformed { byte, expected: Expected::CarriageReturn });
            }
        }
        match name.iter().find(|byte| !matches!(byte, 0x20..=0x7e)) {
            Some(&byte) => Err(Malformed { byte, expected: Expected::Printable }),
            None => Ok(Self(*name)),
        }
    }

    /// Whether it names the same model: all but the last two of its characters, such as `BS0005` of `BS000501`.
    #[must_use]
    pub fn is_of_model(&self, other: Self) -> bool {
        self.0.split_last_chunk::<2>().map(|(model, _)| model)
            == other.0.split_last_chunk::<2>().map(|(model, _)| model)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_characters(&self.0, f)
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Writes bytes as characters, what is not printable as `\x..`.
pub(crate) fn fmt_characters(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}", bytes.escape_ascii())
}

/// Why a status packet was sent ([section 4 of the reference](crate::vm#4-a-trace)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum StatusToken {
    /// Triggered, and complete.
    Done,
    /// The timeout ran out.
    Auto,
    /// The trace has started.
    Wait,
    /// Cancelled.
    Stop,
    /// Nothing known.
    Unknown(u8),
}

impl From<u8> for StatusToken {
    fn from(token: u8) -> Self {
        match token {
            0 => Self::Done,
            1 => Self::Auto,
            2 => Self::Wait,
            3 => Self::Stop,
            token => Self::Unknown(token),
        }
    }
}

impl From<StatusToken> for u8 {
    fn from(token: StatusToken) -> Self {
        match token {
            StatusToken::Done => 0,
            StatusToken::Auto => 1,
            StatusToken::Wait => 2,
            StatusToken::Stop => 3,
            StatusToken::Unknown(token) => token,
        }
    }
}

/// A status packet of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Status {
    /// Why it was sent.
    pub token: StatusToken,
    /// Device time in 25 ns ticks, rolling over at 32 bits.
    pub ticks: u32,
    /// The address of the next sample to be written, in samples of the buffer mode; a [`StatusToken::Wait`] has none.
    pub address: Option<u32>,
}

/// Parses a status packet: `TT\r`, time `\r` and, unless its token is Wait, address `\r`.
///
/// ```
/// use scopething_core::vm::{Status, StatusParser, StatusToken};
///
/// let mut parser = StatusParser::new();
/// let status = b"00\r00001388\r000003e8\r".iter().find_map(|&byte| parser.push(byte).transpose());
/// assert_eq!(status, Some(Ok(Status { token: StatusToken::Done, ticks: 5000, address: Some(1000) })));
/// ```
#[derive(Debug, Clone, Copy, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StatusParser {
    token: Option<StatusToken>,
    ticks: Option<u32>,
    field: HexField,
    complete: bool,
}

impl StatusParser {
    /// The longest packet, in bytes.
    pub const MAX_LENGTH: usize = 21;

    /// A parser at the start of a packet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many bytes are due at the least: reading so many does not take what follows the packet.
    #[must_use]
    pub fn due(&self) -> usize {
        match (self.token, self.ticks) {
            _ if self.complete => 0,
            (None, _) => self.field.missing(2) + 9,
            (Some(StatusToken::Wait), None) | (Some(_), Some(_)) => self.field.missing(8),
            (Some(_), None) => self.field.missing(8) + 9,
        }
    }

    /// Takes the next byte; gives the packet with the last one.
    ///
    /// # Errors
    /// [`Malformed`] when the byte does not fit.
    pub fn push(&mut self, byte: u8) -> Result<Option<Status>, Malformed> {
        if self.complete {
            return Err(Malformed { byte, expected: Expected::Nothing });
        }
        let width = if self.token.is_none() { 2 } else { 8 };
        let Some(value) = self.field.push(byte, width)? else { return Ok(None) };
        self.field = HexField::default();
        let (token, ticks, address) = match (self.token, self.ticks) {
            (None, _) => {
                self.token = Some(StatusToken::from(value as u8));
                return Ok(None);
            }
            (Some(StatusToken::Wait), _) => (StatusToken::Wait, value, None),
            (Some(_), None) => {
                self.ticks = Some(value);
                return Ok(None);
            }
            (Some(token), Some(ticks)) => (token, ticks, Some(value)),
        };
        self.complete = true;
        Ok(Some(Status { token, ticks, address }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;
    use std::string::ToString;
    use std::vec::Vec;

    fn parse_status(bytes: &[u8]) -> Result<Option<Status>, Malformed> {
        let mut parser = StatusParser::new();
        bytes.iter().find_map(|&byte| parser.push(byte).transpose()).transpose()
    }

    #[test]
    fn wait_has_no_address() {
        let status = parse_status(b"02\r0000beef\r").unwrap().unwrap();
        assert_eq!(status, Status { token: StatusToken::Wait, ticks: 0xbeef, address: None });
    }

    #[test]
    fn packet_that_is_cut_short_gives_nothing() {
        let packet = b"03\r00000001\r00000002\r";
        assert_eq!(packet.len(), StatusParser::MAX_LENGTH);
        for length in 0..packet.len() {
            assert_eq!(parse_status(&packet[..length]), Ok(None));
        }
    }

    #[test]
    fn packet_with_another_form_is_refused() {
        for (packet, byte, expected) in [
            (&b"\r00\r"[..], b'\r', Expected::HexDigit),
            (b"0x\r", b'x', Expected::HexDigit),
            (b"000\r", b'0', Expected::CarriageReturn),
            (b"00\r0000000\r", b'\r', Expected::HexDigit),
            (b"00\r000000000\r", b'0', Expected::CarriageReturn),
        ] {
            assert_eq!(parse_status(packet), Err(Malformed { byte, expected }), "{}", packet.escape_ascii());
        }
    }

    #[test]
    fn complete_packet_takes_nothing_more() {
        let mut parser = StatusParser::new();
        for &byte in b"02\r00000000\r" {
            parser.push(byte).unwrap();
        }
        assert_eq!(parser.due(), 0);
        assert_eq!(parser.push(b'K'), Err(Malformed { byte: b'K', expected: Expected::Nothing }));
    }

    #[test]
    fn revision_is_eight_printable_characters() {
        assert_eq!(Revision::parse(b"\rBS000501\r").unwrap().to_string(), "BS000501");
        let refused = Revision::parse(b"\rBS0\n0501\r");
        assert_eq!(refused, Err(Malformed { byte: b'\n', expected: Expected::Printable }));
        let refused = Revision::parse(b"?\rBS00050\r");
        assert_eq!(refused, Err(Malformed { byte: b'?', expected: Expected::CarriageReturn }));
    }

    #[test]
    fn partial_echo_is_compared() {
        assert_eq!(check_echo(b"08@", b"08"), Ok(()));
        let expected = Expected::Echo(b'8');
        assert_eq!(check_echo(b"08@", b"0x@"), Err(Malformed { byte: b'x', expected }));
    }

    proptest! {
        #[test]
        fn packets_round_trip(
            token in any::<u8>(), ticks in any::<u32>(), address in any::<u32>(), tail in any::<Vec<u8>>(),
        ) {
            let packet = if token == 2 {
                format!("{token:02x}\r{ticks:08x}\r")
            } else {
                format!("{token:02x}\r{ticks:08x}\r{address:08x}\r")
            };
            let mut parser = StatusParser::new();
            let mut input = packet.bytes().chain(tail.iter().copied());
            let mut result = None;
            let mut taken = 0;
            while parser.due() > 0 {
                for _ in 0..parser.due() {
                    let byte = input.next().unwrap();
                    result = parser.push(byte).unwrap();
                    taken += 1;
                }
            }
            prop_assert_eq!(taken, packet.len());
            let address = (token != 2).then_some(address);
            prop_assert_eq!(result, Some(Status { token: token.into(), ticks, address }));
        }

        #[test]
        fn no_input_makes_a_parser_panic(bytes in any::<Vec<u8>>()) {
            let mut printed = PrintedByte::new();
            let mut status = StatusParser::new();
            for &byte in &bytes {
                let _ = printed.push(byte);
                let _ = status.push(byte);
                prop_assert!(status.due() <= StatusParser::MAX_LENGTH);
            }
        }

        #[test]
        fn printed_byte_reads_back(value in any::<u8>()) {
            let mut printed = PrintedByte::new();
            let answer = format!("\r{value:02x}\r");
            let read = answer.bytes().find_map(|byte| printed.push(byte).transpose());
            prop_assert_eq!(read, Some(Ok(value)));
            prop_assert_eq!(answer.len(), PrintedByte::LENGTH);
        }
    }
}

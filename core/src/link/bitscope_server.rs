//! The packets of the bitscope-server protocol
//! ([section 11 of the reference](crate::vm#11-the-bitscope-server-protocol)): commands go to the server in one kind of
//! datagram, their answers come back in another.
//!
//! This module reads and writes single datagrams and determines where a script has to be cut. It keeps no state:
//! which answer belongs to which command, what was lost and what is sent again is for the ends of the link to
//! decide.
//!
//! A view ([`CommandPacket`], [`AnswerPacket`]) exists only for bytes that were found long enough, so its
//! accessors cannot fail. A representation ([`CommandRepr`], [`AnswerRepr`]) is the same as a value, with
//! `parse` and `emit`.
//!
//! ```
//! use scopething_core::link::bitscope_server::{AnswerPacket, AnswerRepr, CommandRepr, Datagrams};
//!
//! let mut buffer = [0; 65];
//! let mut cmd_id = 0;
//! for commands in Datagrams::new(b"[21@[12z>U") {
//!     let length = CommandRepr { cmd_id, commands }.emit(&mut buffer)?;
//!     assert_eq!(buffer[..length], *if cmd_id == 0 { &b"\x00[21@[12z>"[..] } else { &b"\x01U"[..] });
//!     cmd_id = cmd_id.wrapping_add(1);
//! }
//!
//! let answer = AnswerRepr::parse(&AnswerPacket::new_checked(b"\x12\x34\x01\x00U")?);
//! assert_eq!((answer.data_seq, answer.cmd_id, answer.data), (0, 1, &b"U"[..]));
//! # Ok::<(), scopething_core::link::bitscope_server::PacketError>(())
//! ```

use core::fmt;

use crate::vm::{Command, MAX_RUN, Pace};

/// The usual UDP port of a server ([section 11 of the reference](crate::vm#11-the-bitscope-server-protocol): 4001 hex).
pub const DEFAULT_PORT: u16 = 16385;

/// The most command bytes in one datagram ([section 11 of the reference](crate::vm#11-the-bitscope-server-protocol)).
pub const MAX_COMMANDS: usize = 64;

// The scripts of the driver can be cut so that each datagram begins where R0 and R1 are set.
const _: () = assert!(MAX_RUN <= MAX_COMMANDS);

/// Bytes ahead of the commands in a datagram to the server.
pub const COMMAND_HEADER: usize = command::COMMANDS.start;

/// Bytes ahead of the data in a datagram from the server.
pub const ANSWER_HEADER: usize = answer::DATA.start;

/// Where things are in a datagram to the server.
mod command {
    use core::ops::RangeFrom;

    pub(super) const CMD_ID: usize = 0;
    pub(super) const COMMANDS: RangeFrom<usize> = 1..;
}

/// Where things are in a datagram from the server. The vendor's library works with no other order: it takes the
/// byte at offset 3 for `Data_Seq`, and drops a datagram in which it has not changed.
mod answer {
    use core::ops::{Range, RangeFrom};

    pub(super) const ADAPTOR_ID: Range<usize> = 0..2;
    pub(super) const CMD_ID: usize = 2;
    pub(super) const DATA_SEQ: usize = 3;
    pub(super) const DATA: RangeFrom<usize> = 4..;
}

/// Why bytes are no packet, or a packet does not become bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PacketError {
    /// The datagram ends before its header does, or carries no command.
    Truncated {
        /// Bytes there are.
        length: usize,
        /// Bytes there must be at least.
        least: usize,
    },
    /// More commands than one datagram may carry.
    TooManyCommands {
        /// Command bytes there are.
        commands: usize,
    },
    /// A command that takes its time stands ahead of others.
    NotLast {
        /// Which command byte, counted from 0.
        index: usize,
    },
    /// The buffer cannot hold the packet.
    BufferTooSmall {
        /// Bytes the packet takes.
        needed: usize,
    },
}

impl fmt::Display for PacketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { length, least } => {
                write!(f, "a bitscope-server datagram of {length} bytes, at least {least} are needed")
            }
            Self::TooManyCommands { commands } => {
                write!(
                    f,
                    "{commands} commands in one datagram, at most {MAX_COMMANDS} are allowed: split them"
                )
            }
            Self::NotLast { index } => {
                write!(f, "command {index} of the datagram must be its last: split the datagram behind it")
            }
            Self::BufferTooSmall { needed } => write!(f, "the packet needs a buffer of {needed} bytes"),
        }
    }
}

impl core::error::Error for PacketError {}

/// A view of a datagram to the server: one byte of `Cmd_ID`, then 1 to 64 commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CommandPacket<'a> {
    datagram: &'a [u8],
}

impl<'a> CommandPacket<'a> {
    /// A view of the whole of one datagram.
    ///
    /// Commands are counted, not read: clients are known that put more than one delayed command in a datagram
    /// ([section 1 of the reference](crate::vm#1-the-link), `>UD`), and a server that feeds a device may let them.
    ///
    /// # Errors
    ///
    /// [`PacketError::Truncated`] without a command, [`PacketError::TooManyCommands`] with more than 64.
    pub const fn new_checked(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let length = datagram.len();
        let least = COMMAND_HEADER + 1;
        if length < least {
            return Err(PacketError::Truncated { length, least });
        }
        let commands = length - COMMAND_HEADER;
        if commands > MAX_COMMANDS {
            return Err(PacketError::TooManyCommands { commands });
        }
        Ok(Self { datagram })
    }

    /// The number that the answers to these commands will carry.
    #[must_use]
    pub fn cmd_id(&self) -> u8 {
        byte_at(self.datagram, command::CMD_ID)
    }

    /// The command bytes.
    #[must_use]
    pub fn commands(&self) -> &'a [u8] {
        self.datagram.get(command::COMMANDS).unwrap_or_default()
    }
}

/// A datagram to the server as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CommandRepr<'a> {
    /// The number that the answers will carry; counts up, 255 is followed by 0.
    pub cmd_id: u8,
    /// 1 to 64 command bytes.
    pub commands: &'a [u8],
}

impl<'a> CommandRepr<'a> {
    /// The contents of a checked datagram.
    #[must_use]
    pub fn parse(packet: &CommandPacket<'a>) -> Self {
        Self { cmd_id: packet.cmd_id(), commands: packet.commands() }
    }

    /// Bytes of the datagram.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        COMMAND_HEADER + self.commands.len()
    }

    /// Writes the datagram to the start of `buffer`; gives its length in bytes.
    ///
    /// # Errors
    ///
    /// Commands that do not fit one datagram by the rule of [`Datagrams`], or a buffer shorter than
    /// [`buffer_len`](Self::buffer_len). Nothing was written then.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, PacketError> {
        if self.commands.is_empty() {
            return Err(PacketError::Truncated { length: COMMAND_HEADER, least: COMMAND_HEADER + 1 });
        }
        if self.commands.len() > MAX_COMMANDS {
            return Err(PacketError::TooManyCommands { commands: self.commands.len() });
        }
        let together = datagram_len(self.commands);
        if together < self.commands.len() {
            return Err(PacketError::NotLast { index: together - 1 });
        }
        write_packet(buffer, &[self.cmd_id], self.commands)
    }
}

/// A view of a datagram from the server: two bytes of adaptor id, `Cmd_ID`, `Data_Seq`, then data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AnswerPacket<'a> {
    datagram: &'a [u8],
}

impl<'a> AnswerPacket<'a> {
    /// A view of the whole of one datagram. It may carry no data.
    ///
    /// # Errors
    ///
    /// [`PacketError::Truncated`] if the header is not whole.
    pub const fn new_checked(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let length = datagram.len();
        if length < ANSWER_HEADER {
            return Err(PacketError::Truncated { length, least: ANSWER_HEADER });
        }
        Ok(Self { datagram })
    }

    /// `LIA_ID`, in the order of the wire: which adaptor answers.
    #[must_use]
    pub fn adaptor_id(&self) -> [u8; 2] {
        let mut id = [0; 2];
        for (to, from) in id.iter_mut().zip(self.datagram.get(answer::ADAPTOR_ID).unwrap_or_default()) {
            *to = *from;
        }
        id
    }

    /// The number of the commands that are answered.
    #[must_use]
    pub fn cmd_id(&self) -> u8 {
        byte_at(self.datagram, answer::CMD_ID)
    }

    /// Which datagram of the server this is: the number runs on over all answers, and 255 is followed by 0.
    /// Where a server starts to count is its own affair.
    #[must_use]
    pub fn data_seq(&self) -> u8 {
        byte_at(self.datagram, answer::DATA_SEQ)
    }

    /// Bytes from the device.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        self.datagram.get(answer::DATA).unwrap_or_default()
    }
}

/// A datagram from the server as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AnswerRepr<'a> {
    /// `LIA_ID`, in the order of the wire: which adaptor answers.
    pub adaptor_id: [u8; 2],
    /// The number of the commands that are answered.
    pub cmd_id: u8,
    /// Which datagram of the server this is: the number runs on over all answers, and 255 is followed by 0.
    pub data_seq: u8,
    /// Bytes from the device. Hardware adaptors send up to 95 bytes, servers up to a network packet.
    pub data: &'a [u8],
}

impl<'a> AnswerRepr<'a> {
    /// The contents of a checked datagram.
    #[must_use]
    pub fn parse(packet: &AnswerPacket<'a>) -> Self {
        Self {
            adaptor_id: packet.adaptor_id(),
            cmd_id: packet.cmd_id(),
            data_seq: packet.data_seq(),
            data: packet.data(),
        }
    }

    /// Bytes of the datagram.
    #[must_use]
    pub const fn buffer_len(&self) -> usize {
        ANSWER_HEADER + self.data.len()
    }

    /// Writes the datagram to the start of `buffer`; gives its length in bytes.
    ///
    /// # Errors
    ///
    /// [`PacketError::BufferTooSmall`]: `buffer` is shorter than [`buffer_len`](Self::buffer_len); nothing
    /// was written.
    pub fn emit(&self, buffer: &mut [u8]) -> Result<usize, PacketError> {
        let [id_0, id_1] = self.adaptor_id;
        write_packet(buffer, &[id_0, id_1, self.cmd_id, self.data_seq], self.data)
    }
}

/// The byte at an offset that a check found to be there.
fn byte_at(bytes: &[u8], offset: usize) -> u8 {
    bytes.get(offset).copied().unwrap_or_default()
}

fn write_packet(buffer: &mut [u8], header: &[u8], payload: &[u8]) -> Result<usize, PacketError> {
    let needed = header.len() + payload.len();
    let Some(packet) = buffer.get_mut(..needed) else {
        return Err(PacketError::BufferTooSmall { needed });
    };
    for (to, from) in packet.iter_mut().zip(header.iter().chain(payload)) {
        *to = *from;
    }
    Ok(needed)
}

/// How many of `commands` go into the next datagram: at most [`MAX_COMMANDS`], all but the last of them
/// simple ([section 11 of the reference](crate::vm#11-the-bitscope-server-protocol)). 0 only for no commands.
///
/// What does not fit is cut, if it can be, where R1 is set anew and R0 before it. Networks repeat datagrams, and a server may
/// execute a repetition: one that goes on from where another has left R1 would write to registers that nobody meant.
#[must_use]
pub fn datagram_len(commands: &[u8]) -> usize {
    let most = commands.len().min(MAX_COMMANDS);
    let waits = |byte: &u8| Command::from_byte(*byte).pace() != Pace::Simple;
    if let Some(last) = commands.iter().take(most).position(waits) {
        return last + 1;
    }
    match commands.get(most) {
        // What waits uses neither R0 nor R1 of the commands before it, or is the only one that does.
        None => most,
        Some(next) if waits(next) => most,
        Some(_) => (1..=most).rev().find(|&at| sets_address(commands, at)).unwrap_or(most),
    }
}

/// Whether a number is entered from there on that leaves nothing of R0, and R1 set to it.
fn sets_address(commands: &[u8], at: usize) -> bool {
    let is_entry = |byte: &u8| matches!(Command::from_byte(*byte), Command::Clear | Command::Digit(_));
    let Some((before, from)) = commands.split_at_checked(at) else { return false };
    if before.last().is_some_and(is_entry) {
        return false;
    }
    let entries = from.iter().take_while(|byte| is_entry(byte)).count();
    let is_whole = entries >= 2 || from.first().map(|byte| Command::from_byte(*byte)) == Some(Command::Clear);
    is_whole && from.get(entries).map(|byte| Command::from_byte(*byte)) == Some(Command::SetAddress)
}

/// Cuts a script into the commands of successive datagrams, by the rule of [`datagram_len`].
#[derive(Debug, Clone)]
pub struct Datagrams<'a> {
    rest: &'a [u8],
}

impl<'a> Datagrams<'a> {
    /// Cuts `script`, any bytes of commands.
    #[must_use]
    pub const fn new(script: &'a [u8]) -> Self {
        Self { rest: script }
    }
}

impl<'a> Iterator for Datagrams<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (commands, rest) = self.rest.split_at_checked(datagram_len(self.rest))?;
        self.rest = rest;
        (!commands.is_empty()).then_some(commands)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::{vec, vec::Vec};

    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    #[test]
    fn script_is_cut_after_slow_commands() {
        let cut: Vec<&[u8]> = Datagrams::new(b"[21@[12z>UD").collect();
        assert_eq!(cut, [&b"[21@[12z>"[..], b"U", b"D"]);
        assert_eq!(Datagrams::new(b"").next(), None);
    }

    #[test]
    fn long_script_is_cut_at_64_commands() {
        let lengths: Vec<usize> = Datagrams::new(&[b'n'; 130]).map(<[u8]>::len).collect();
        assert_eq!(lengths, [64, 64, 2]);
    }

    #[test]
    fn long_script_is_cut_at_addresses() {
        let cut = |script: &[u8]| Datagrams::new(script).map(<[u8]>::len).collect::<Vec<_>>();
        let run = |length| vec![b'z'; length];
        // At the last place that fits; a digit alone leaves half of R0, and `7@` in the middle of a number is none.
        assert_eq!(cut(&[&b"21@"[..], &run(20), b"2e@", &run(20), b"30@", &run(30)].concat()), [46, 33]);
        assert_eq!(cut(&[&b"21@"[..], &run(20), b"[@", &run(30), b"7@", &run(30)].concat()), [23, 64]);
        assert_eq!(cut(&[&b"21@"[..], &run(20), b"[127@", &run(60)].concat()), [23, 64, 1]);
        // What waits stands alone where it does not fit.
        assert_eq!(cut(&[&b"21@"[..], &run(20), b"2e@", &run(38), b">UD"].concat()), [64, 1, 1, 1]);
    }

    #[test]
    fn packet_matches_the_reference() {
        let mut buffer = [0xaa; 6];
        assert_eq!(CommandRepr { cmd_id: 255, commands: b"[7f@" }.emit(&mut buffer), Ok(5));
        assert_eq!(buffer, *b"\xff[7f@\xaa");
    }

    #[test]
    fn answer_matches_the_reference() {
        let packet = AnswerPacket::new_checked(b"\x01\x02\x03\x04data").unwrap();
        let expected = AnswerRepr { adaptor_id: [1, 2], cmd_id: 3, data_seq: 4, data: b"data" };
        assert_eq!(AnswerRepr::parse(&packet), expected);
    }

    #[test]
    fn what_is_no_packet_is_refused() {
        let mut buffer = [0; 80];
        let refused = |commands| CommandRepr { cmd_id: 0, commands }.emit(&mut [0; 80]);
        assert_eq!(refused(b""), Err(PacketError::Truncated { length: 1, least: 2 }));
        assert_eq!(refused(&[b'n'; 65]), Err(PacketError::TooManyCommands { commands: 65 }));
        assert_eq!(refused(b"[>U"), Err(PacketError::NotLast { index: 1 }));
        assert_eq!(
            CommandRepr { cmd_id: 0, commands: b"[[" }.emit(&mut buffer[..2]),
            Err(PacketError::BufferTooSmall { needed: 3 })
        );
        assert_eq!(CommandPacket::new_checked(&[0; 66]), Err(PacketError::TooManyCommands { commands: 65 }));
        assert_eq!(CommandPacket::new_checked(&[0]), Err(PacketError::Truncated { length: 1, least: 2 }));
        assert_eq!(AnswerPacket::new_checked(&[0; 3]), Err(PacketError::Truncated { length: 3, least: 4 }));
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_a_packet_or_refused(bytes: Vec<u8>) {
            if let Ok(packet) = CommandPacket::new_checked(&bytes) {
                let repr = CommandRepr::parse(&packet);
                prop_assert_eq!(repr.cmd_id, bytes[0]);
                prop_assert_eq!(repr.commands, &bytes[1..]);
            }
            if let Ok(packet) = AnswerPacket::new_checked(&bytes) {
                let repr = AnswerRepr::parse(&packet);
                let mut again = vec![0; repr.buffer_len()];
                prop_assert_eq!(repr.emit(&mut again), Ok(bytes.len()));
                prop_assert_eq!(again, bytes);
            }
        }

        #[test]
        fn datagrams_reassemble_to_the_script(script: Vec<u8>) {
            let mut joined = Vec::new();
            for commands in Datagrams::new(&script) {
                let mut buffer = [0; COMMAND_HEADER + MAX_COMMANDS];
                let length = CommandRepr { cmd_id: 7, commands }.emit(&mut buffer).unwrap();
                let packet = CommandPacket::new_checked(&buffer[..length]).unwrap();
                prop_assert_eq!(packet.cmd_id(), 7);
                joined.extend_from_slice(packet.commands());
                let (_, ahead) = commands.split_last().unwrap();
                prop_assert!(ahead.iter().all(|byte| b"[]0123456789abcdef@sznW".contains(byte)));
            }
            prop_assert_eq!(joined, script);
        }
    }
}

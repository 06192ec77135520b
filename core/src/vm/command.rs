//! The command bytes of the virtual machine ([section 2 of the reference](crate::vm#2-commands)).
//!
//! Every byte sent to the device is one command; it is echoed when it has executed. [`Pace`] specifies what may follow
//! a command in one write.
//!
//! ```
//! use scopething_core::vm::{Command, Pace};
//!
//! assert_eq!(Command::from_byte(b'D'), Command::Trace);
//! assert_eq!(Command::Trace.pace(), Pace::Complex);
//! assert_eq!(Command::from_byte(b'7'), Command::Digit(7));
//! ```

/// What may follow a command ([section 1 of the reference](crate::vm#1-the-link)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Pace {
    /// Finishes within a byte time: may be strung together with others.
    Simple,
    /// May take longer: put last, wait for the echo.
    Delayed,
    /// Produces data after the echo: put last, read the data before the next write.
    Complex,
}

macro_rules! commands {
    ($($(#[doc = $doc:literal])+ $name:ident = $byte:literal, $pace:ident;)+) => {
        /// One command byte. Bytes without a known meaning are kept as [`Command::Unknown`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[cfg_attr(feature = "defmt", derive(defmt::Format))]
        pub enum Command {
            $($(#[doc = $doc])+ $name,)+
            /// `0`-`9`, `a`-`f`: R0 becomes R0 x 16 + digit, in 8 bits.
            Digit(u8),
            /// A byte that no command is known for.
            Unknown(u8),
        }

        impl Command {
            /// The command that a byte stands for.
            #[must_use]
            pub const fn from_byte(byte: u8) -> Self {
                match byte {
                    $($byte => Self::$name,)+
                    b'0'..=b'9' => Self::Digit(byte - b'0'),
                    b'a'..=b'f' => Self::Digit(byte - b'a' + 10),
                    _ => Self::Unknown(byte),
                }
            }

            /// The byte that is sent for the command. A digit above 15 is sent as its low four bits.
            #[must_use]
            pub const fn byte(self) -> u8 {
                match self {
                    $(Self::$name => $byte,)+
                    Self::Digit(digit) => match digit & 0x0f {
                        digit @ 0..=9 => b'0' + digit,
                        digit => b'a' + digit - 10,
                    },
                    Self::Unknown(byte) => byte,
                }
            }

            /// What may follow the command in one write. Commands that the reference puts in no class are waited for.
            #[must_use]
            pub const fn pace(self) -> Pace {
                match self {
                    $(Self::$name => Pace::$pace,)+
                    Self::Digit(_) => Pace::Simple,
                    Self::Unknown(_) => Pace::Delayed,
                }
            }
        }
    };
}

commands! {
    /// R0 becomes 0.
    Clear = b'[', Simple;
    /// Ends a number; does nothing.
    EndNumber = b']', Simple;
    /// R1 becomes R0.
    SetAddress = b'@', Simple;
    /// The register at R1 becomes R0.
    Store = b's', Simple;
    /// The register at R1 becomes R0, then R1 moves on by one.
    StoreNext = b'z', Simple;
    /// R1 moves on by one.
    Next = b'n', Simple;
    /// Prints the register at R1: `\r`, two hex digits, `\r`.
    Print = b'p', Complex;
    /// Prints the revision: `\r`, eight characters, `\r`.
    Identify = b'?', Complex;
    /// Stops all activity and resets; echoed when done.
    Reset = b'!', Complex;
    /// Ends a command sequence.
    EndSequence = b'.', Delayed;
    /// Copies the hardware sample address into `SampleCounter`.
    ReadSampleCounter = b'<', Delayed;
    /// Programs the capture hardware from its registers.
    ProgramSpock = b'>', Delayed;
    /// Applies the registers that take effect at an update.
    Update = b'U', Delayed;
    /// Starts a triggered trace; status packets follow.
    Trace = b'D', Complex;
    /// Cancels the running trace.
    CancelTrace = b'K', Delayed;
    /// Starts a streaming trace.
    StreamTrace = b'T', Complex;
    /// Dumps samples of the capture buffer as bytes.
    DumpBinary = b'A', Complex;
    /// Dumps samples of the capture buffer as text.
    DumpText = b'S', Complex;
    /// Writes R0 to the waveform memory at `Address`, which moves on.
    WriteWaveform = b'W', Simple;
    /// Reads waveform memory.
    ReadWaveform = b'R', Complex;
    /// Makes a waveform table.
    Synthesize = b'Y', Delayed;
    /// Plays the table into the play buffer.
    Translate = b'X', Delayed;
    /// Runs a generator command.
    Generate = b'Z', Delayed;
    /// Prints the EEPROM byte at `EepromAddress`: `\r`, two hex digits, `\r`.
    ReadEeprom = b'r', Complex;
    /// Writes `EepromData` to the EEPROM byte at `EepromAddress`.
    WriteEeprom = b'w', Delayed;
    /// Sets the baud rate; not used on a BS05.
    BaudRate = b'~', Delayed;
    /// Opens the POD pipe; not used on a BS05.
    PodPipe = b'|', Delayed;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_survives_the_round_trip() {
        for byte in 0..=u8::MAX {
            assert_eq!(Command::from_byte(byte).byte(), byte);
        }
    }

    #[test]
    fn paces_are_those_of_the_reference() {
        for byte in *b"[]0123456789abcdef@szn" {
            assert_eq!(Command::from_byte(byte).pace(), Pace::Simple, "{}", char::from(byte));
        }
        for byte in *b"XYZU>" {
            assert_eq!(Command::from_byte(byte).pace(), Pace::Delayed, "{}", char::from(byte));
        }
        for byte in *b"TDASp?rR!" {
            assert_eq!(Command::from_byte(byte).pace(), Pace::Complex, "{}", char::from(byte));
        }
    }
}

//! Notes of the device on what a client does: a log, no part of the byte stream.

use std::fmt;

/// Something that a client of a real device would want to know and that the device cannot report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// A byte that no command is known for: echoed, without effect.
    UnknownCommand {
        /// The byte.
        byte: u8,
    },
    /// A command that is known by name only: echoed, nothing follows.
    NotSimulated {
        /// The command byte.
        command: u8,
        /// What is not known of it.
        why: &'static str,
    },
    /// A dump mode that is known by name only: no samples follow.
    DumpModeUnknown {
        /// The value of `DumpMode`.
        mode: u8,
    },
    /// Samples of a 16-bit mode are dumped as bytes: only their high halves are sent.
    NarrowDump,
    /// A trace mode that does not exist: no trace is started.
    TraceModeUnknown {
        /// The value of `TraceMode`.
        mode: u8,
    },
    /// A sample clock outside of the mode's limits, which it was cut to.
    ClockCut {
        /// The value of `TraceMode`.
        mode: u8,
        /// The value of `ClockTicks`.
        clock_ticks: u16,
        /// The value of `ClockScale`.
        clock_scale: u16,
    },
    /// A byte was written during a trace, which keeps it from starting until `K`, `D` or `!`.
    TraceHeld {
        /// The byte.
        byte: u8,
    },
    /// A byte was written during a stream, which only `!` and `K` are for: its answer is among the frames.
    StreamDisturbed {
        /// The byte.
        byte: u8,
    },
    /// A trace mode that streams nothing, or in a form that is not known well enough: no frames follow.
    StreamModeUnknown {
        /// The value of `TraceMode`.
        mode: u8,
    },
    /// `LogicControl` makes the logic buffer drive the pins, against whatever drives them from outside.
    LogicBufferOutbound,
    /// A generator command that is not known.
    GeneratorUnknown {
        /// `X`, `Y` or `Z`.
        command: char,
        /// The value of `Cmd`.
        cmd: u8,
        /// The value of `Mode`.
        mode: u8,
    },
    /// Answers were lost because nobody read them.
    Overrun,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownCommand { byte } => write!(f, "no command is known for byte {byte:02x}"),
            Self::NotSimulated { command, why } => {
                write!(f, "command {} is not simulated: {why}", char::from(*command))
            }
            Self::DumpModeUnknown { mode } => {
                write!(f, "dump mode {mode} is not simulated: only raw (0) and native (5) are known")
            }
            Self::NarrowDump => write!(f, "a 16-bit buffer is dumped as bytes: use dump mode 5"),
            Self::TraceModeUnknown { mode } => write!(f, "there is no trace mode {mode}"),
            Self::ClockCut { mode, clock_ticks, clock_scale } => {
                write!(f, "{clock_ticks} ticks x {clock_scale} do not suit trace mode {mode}")
            }
            Self::TraceHeld { byte } => {
                write!(f, "byte {byte:02x} during a trace keeps it from starting: only K may be sent")
            }
            Self::StreamDisturbed { byte } => {
                write!(
                    f,
                    "byte {byte:02x} during a stream is answered among the frames: only ! and K may be sent"
                )
            }
            Self::StreamModeUnknown { mode } => {
                write!(
                    f,
                    "trace mode {mode} is not streamed here: only framed (1) and raw (2) bytes are known"
                )
            }
            Self::LogicBufferOutbound => {
                write!(f, "LogicControl bit 7 makes the logic pins drive against what is connected to them")
            }
            Self::GeneratorUnknown { command, cmd, mode } => {
                write!(f, "generator command {command} with Cmd {cmd}, Mode {mode} is not known")
            }
            Self::Overrun => write!(f, "answers were lost: read them before writing on"),
        }
    }
}

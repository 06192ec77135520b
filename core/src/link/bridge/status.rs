//! How the bridge stands: its job, its flash, its lines, and why it started.

use core::fmt;

use serde::{Deserialize, Serialize};

use super::job::{Fault, JobState};
use super::record::TraceId;
use super::usb::{LineErrors, UsbStatus};
use crate::scope::SerialNumber;
use crate::time::Micros;

/// How the bridge stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status<'a> {
    /// The version of the firmware.
    pub firmware: (u8, u8, u8),
    /// What it does.
    pub state: JobState,
    /// Whether the job is stored as armed.
    pub armed: bool,
    /// The serial number of the BitScope that was last spoken to.
    pub scope: Option<SerialNumber>,
    /// The time since power-up.
    pub uptime: Micros,
    /// Captures since power-up.
    pub captures: u32,
    /// How many of these were not kept, since their values lay within the bands of the job.
    pub within_bands: u32,
    /// The last thing that went wrong since power-up.
    pub fault: Option<Fault>,
    /// Why the firmware started.
    #[serde(borrow)]
    pub restart: Restart<'a>,
    /// What the flash holds.
    pub store: StoreStatus,
    /// The flash itself.
    pub flash: FlashChip,
    /// What is in the USB socket.
    pub usb: UsbStatus,
    /// What went wrong on the line to the computer.
    pub line: LineErrors,
    /// How often the bridge was started, this time included.
    pub boot: u32,
    /// The last start, this one included, that the firmware itself had caused: it is kept in flash.
    #[serde(borrow)]
    pub last_failure: Option<Failure<'a>>,
}

/// A start that the firmware itself had caused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Failure<'a> {
    /// Which of the bridge's starts it was, counted from 1 on.
    pub boot: u32,
    /// What had caused it, in words.
    pub cause: &'a str,
}

/// The flash chip of the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FlashChip {
    /// Its size in bytes.
    pub bytes: u32,
    /// How that is known.
    pub size: FlashSize,
    /// Bytes of it that program and store take, from the beginning: fewer than there are while traces are kept that were
    /// stored when less was used.
    pub used_bytes: u32,
    /// What it identifies itself by: the manufacturer, then the type in two bytes (JEDEC JEP106).
    pub id: [u8; 3],
}

/// How the size of a flash chip is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum FlashSize {
    /// It is not: the least that a Pico has is assumed.
    #[default]
    Assumed,
    /// The chip reports it.
    Reported,
    /// The chip reports more, but what lies beyond this size is the beginning again.
    Repeats,
}

/// What the flash holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StoreStatus {
    /// How many traces.
    pub traces: u32,
    /// The number of the oldest, in flash or in memory.
    pub oldest: Option<TraceId>,
    /// The number of the newest, in flash or in memory.
    pub newest: Option<TraceId>,
    /// Bytes of flash that their samples take.
    pub used_bytes: u32,
    /// Bytes of flash that there are for samples.
    pub capacity_bytes: u32,
    /// How often each sector of it was erased so far.
    pub erasures: u32,
    /// Bytes that were written there since power-up.
    pub written_bytes: u32,
    /// The most traces that it keeps, however small.
    pub max_traces: u16,
    /// Traces that firmware of another version stored, in a form that this one cannot read. They are not listed, and
    /// overwritten as others come.
    pub unreadable: u32,
    /// How many traces are in memory alone.
    pub memory_traces: u32,
    /// Bytes of memory that these take.
    pub memory_used_bytes: u32,
    /// Bytes of memory that there are for traces.
    pub memory_bytes: u32,
}

/// Why the firmware started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Restart<'a> {
    /// Power came, or the reset line was used.
    PowerUp,
    /// The watchdog found no progress.
    Watchdog,
    /// The firmware panicked.
    Panic {
        /// The place in its source: file and line.
        place: &'a str,
    },
}

impl fmt::Display for Restart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PowerUp => f.write_str("power-up"),
            Self::Watchdog => f.write_str("watchdog"),
            Self::Panic { place } => write!(f, "panic at {place}"),
        }
    }
}

//! A simulated BitScope Micro: any client written for the device can work on it.
//!
//! [`Device`] is the virtual machine as a state machine with explicit time; [`SimConfig`] defines what is
//! connected to it. It knows the device from its reference alone and shares nothing with the driver but names
//! of registers and commands, so that a fault in one is not hidden by the same fault in the other.
//!
//! What it is not: a model of the analog hardware's bandwidth, or of what the reference calls unknown.
//! The 12-bit forms of streaming traces, the decimated dump modes and text dumps are refused with a [`Note`], not
//! invented.
//!
//! ```
//! use scopething_sim::{Device, SimConfig, SimTime};
//!
//! let mut device = Device::new(&SimConfig::from_query("A=sine,1kHz,0..3V")?);
//! for byte in *b"[2e]@[2a]sp" {
//!     device.receive(byte, SimTime::ZERO);
//! }
//! let answer: Vec<u8> = std::iter::from_fn(|| device.transmit(SimTime::ZERO)).collect();
//! assert_eq!(answer, b"[2e]@[2a]sp\r2a\r");
//! # Ok::<(), scopething_sim::ConfigError>(())
//! ```
//!
//! # Where the reference is silent
//!
//! The most permissive plausible behaviour is taken:
//!
//! - Registers are 0 after power-up, except `ClockScale`, `DumpRepeat` and `DumpSend`, which are 1.
//! - `!` stops traces, streams, dumps and the generator. All that was entered stays: R0, R1, the registers with what
//!   `U` and `>` took over, the waveform memory, the capture buffer.
//! - `>` takes over the trigger logic, mask and option and loads the hardware's sample address; all else is
//!   read by the command that uses it. Without `>` a trace or a dump goes on from where the last one stopped.
//! - A byte written during a trace (but for `K`, `D` and `!`) is executed and echoed, and the trace does not
//!   start until it is cancelled. Written during a stream, it is answered after the frame being sent.
//! - `LogicControl` has no effect; with a note if it turns the logic buffer outbound.
//! - A channel that is not enabled reads 0. In traces of one channel, any `DumpChan` below 128 reads it.
//! - Sample clocks outside of a mode's limits are cut to them, with a note.
//! - Unknown bytes are echoed and do nothing.
//! - More on traces, streams, triggers and generators stands in the modules of these names.

mod buffer;
mod config;
mod device;
pub mod faults;
mod frontend;
mod generator;
mod link;
mod mode;
mod note;
mod output;
mod query;
mod quirk;
mod random;
mod registers;
mod signal;
mod stream;
mod time;
mod trace;
mod trigger;
mod wire;
mod wiring;

pub use config::{ClockKind, ConfigError, Identity, SimConfig};
pub use device::Device;
pub use frontend::FrontEnd;
pub use link::{SimClock, SimLink, Sleep, Timer};
pub use note::Note;
pub use output::Origin;
pub use quirk::{Quirk, Quirks, UnknownQuirk};
pub use signal::{
    BusLine, Function, Periodic, Playback, PlaybackError, ReadPlayback, Shape, Signal, SignalError, Traffic,
    no_files,
};
pub use time::{SimTime, TICK_NS};

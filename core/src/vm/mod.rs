#![doc = include_str!("reference.md")]
//!
//! # This module
//!
//! The language of the virtual machine, without any input or output.
//!
//! [`Register`] and [`Command`] name what the device knows. A [`Shadow`] remembers what it holds, a [`Script`] turns
//! what has changed into the shortest command string, and [`StatusParser`], [`PrintedByte`] and [`Revision`] read
//! what comes back. Nothing here knows volts or seconds: that is `plan`.
//!
//! ```
//! use scopething_core::vm::{Command, Register, Script, Shadow};
//!
//! let mut shadow = Shadow::new();
//! shadow.stage(Register::ClockTicks, 40);
//! shadow.stage(Register::ClockScale, 1);
//! let mut buffer = [0; 64];
//! let mut script = Script::new(&mut buffer);
//! script.stores(&mut shadow)?;
//! script.command(Command::ProgramSpock)?;
//! script.command(Command::Trace)?;
//! assert_eq!(script.finish(), b"14@01z[z2e@28z[z>D");
//! # Ok::<(), scopething_core::vm::ScriptTooLong>(())
//! ```

mod command;
mod register;
mod reply;
mod script;
mod shadow;
mod stream_frame;

pub use command::{Command, Pace};
pub use register::{Register, RegisterByte, RegisterKind, Takes};
pub(crate) use reply::fmt_characters;
pub use reply::{Expected, Malformed, PrintedByte, Revision, Status, StatusParser, StatusToken, check_echo};
pub use script::{MAX_RUN, Script, ScriptTooLong, pieces};
pub use shadow::Shadow;
pub use stream_frame::{FrameEvent, FrameParser, MAX_FRAME_SAMPLES, STREAM_IDENT};

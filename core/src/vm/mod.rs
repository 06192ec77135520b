//! The language of the virtual machine, without any input or output: registers and commands.

mod command;
mod register;

pub use command::{Command, Pace};
pub use register::{Register, RegisterByte, RegisterKind, Takes};

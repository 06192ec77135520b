//! Everything a BitScope Micro does, from one core that runs on a desktop and on a microcontroller.
#![no_std]
#![forbid(unsafe_code)]

pub mod link;
pub mod scope;
pub mod time;
pub mod vm;

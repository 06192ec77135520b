//! Everything a BitScope Micro does, from one core that runs on a desktop and on a microcontroller.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(any(test, feature = "std"))]
extern crate std;

pub mod analysis;
pub mod blocking;
pub mod calibration;
pub mod device;
pub mod link;
pub mod plan;
pub mod scope;
pub mod time;
pub mod trace;
pub mod vm;

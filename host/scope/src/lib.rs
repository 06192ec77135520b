//! A BitScope Micro on a computer.

pub mod atomic;
#[cfg(feature = "bridge")]
pub mod bridge;
pub mod calibration_file;
#[cfg(test)]
#[path = "../tests/fixed_seed/mod.rs"]
mod fixed_seed;
pub mod generate;
pub mod link;
pub mod request;
pub mod watched;

//! A BitScope Micro on a computer.

pub mod atomic;
#[cfg(feature = "bridge")]
pub mod bridge;
pub mod calibration_file;
pub mod generate;
pub mod link;
pub mod request;
pub mod settings;
pub mod watched;

//! What the bridge does that no board is needed for: it builds for the host too, where its tests run.
#![cfg_attr(not(any(test, feature = "fake")), no_std)]

pub mod button;
#[cfg(feature = "fake")]
pub mod fake;
pub mod ftdi;
pub mod led;
pub mod line;
pub mod log;
pub mod store;
pub mod usb;
pub mod vitals;

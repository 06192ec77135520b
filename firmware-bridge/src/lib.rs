//! What the bridge does that no board is needed for: it builds for the host too, where its tests run.
#![cfg_attr(not(test), no_std)]
#![expect(async_fn_in_trait, reason = "one task a trait's user, none of which moves between threads")]

pub mod ftdi;
pub mod line;
pub mod usb;

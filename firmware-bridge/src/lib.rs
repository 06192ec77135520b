//! What the bridge does that no board is needed for: it builds for the host too, where its tests run.
#![cfg_attr(not(any(test, feature = "fake")), no_std)]

pub mod control;
#[cfg(feature = "fake")]
pub mod fake;
pub mod job;
pub mod store;
pub mod uplink;

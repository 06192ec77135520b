//! Time as programs take it: tokio's on a computer, the browser's in a page.
//!
//! On a computer this needs a tokio runtime with time enabled; in one whose time is paused, so is this.

use std::time::Duration;

#[cfg(not(target_family = "wasm"))]
pub use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
#[cfg(target_family = "wasm")]
pub use wasmtimer::{
    std::Instant,
    tokio::{sleep, sleep_until, timeout, timeout_at},
};

#[cfg(not(target_family = "wasm"))]
use std::time::{SystemTime, UNIX_EPOCH};
#[cfg(target_family = "wasm")]
use wasmtimer::std::{SystemTime, UNIX_EPOCH};

/// The time since the start of 1970, by the clock of the computer; zero before.
#[must_use]
pub fn since_1970() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

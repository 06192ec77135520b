//! The firmware: the bridge's tasks on a Raspberry Pi Pico.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware;

/// There is nothing to run on a host; the library is what its tests are for.
#[cfg(not(target_os = "none"))]
fn main() {}

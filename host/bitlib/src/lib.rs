//! `libBitLib`: programs that were written for the vendor's library of that name run on the scopething driver.
//!
//! The interface is [`interface`], the one place with C's pointers. What a program sets up is [`settings`], with [`clock`] for its
//! sample rates; [`request`] makes a plan of it, [`device`] and [`stream`] take it, [`samples`] shows it. [`library`] holds these
//! together, [`links`] finds the device, and [`quirks`] lists where the vendor's library is odd. The page `host/pages/bitlib.md`
//! is for users.

#![deny(clippy::undocumented_unsafe_blocks)]
#![allow(non_snake_case, reason = "the library is found by the name of its file")]

mod clock;
mod device;
mod interface;
mod library;
mod links;
mod quirks;
#[cfg(test)]
mod recorded;
mod request;
mod samples;
mod settings;
mod stream;
mod texts;

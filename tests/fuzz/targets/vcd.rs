//! Value change dumps: a capture, or an error that states what is wrong.
//!
//! A dump of a few bytes may state that its last change is so late that a trace of it has as many samples as any may have:
//! so that this is not all that is seen, a short part of it is read.

#![no_main]

#[path = "../readers/mod.rs"]
mod readers;

use libfuzzer_sys::fuzz_target;
use scopething_files::{ReadOptions, VcdReader};

/// What is read from the start on, in seconds.
const PART_S: f64 = 1e-6;

fuzz_target!(|bytes: &[u8]| {
    let options = ReadOptions { for_s: Some(PART_S), ..ReadOptions::default() };
    readers::check(Ok(VcdReader::new(bytes, options)));
});

//! Audio files: a capture, or an error that states what is wrong.

#![no_main]

#[path = "../readers/mod.rs"]
mod readers;

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use scopething_files::{ReadOptions, WavReader};

fuzz_target!(|bytes: &[u8]| readers::check(WavReader::new(Cursor::new(bytes), ReadOptions::default())));

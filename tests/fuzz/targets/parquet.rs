//! Tables in Parquet: a capture, or an error that states what is wrong, also where the library that decodes them panics.

#![no_main]

#[path = "../readers/mod.rs"]
mod readers;

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use scopething_files::{ParquetReader, ReadOptions};

fuzz_target!(|bytes: &[u8]| {
    static FILE: OnceLock<File> = OnceLock::new();
    let mut file = FILE.get_or_init(|| {
        // libFuzzer's hook ends the process, also where the reader catches the panic. One that it lets pass ends it still.
        std::panic::set_hook(Box::new(|_| {}));
        tempfile::tempfile().expect("a file")
    });
    file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(bytes)).expect("room");
    let file = file.try_clone().expect("a descriptor");
    readers::check(ParquetReader::new(file, ReadOptions { rate_hz: Some(1e6), ..ReadOptions::default() }));
});

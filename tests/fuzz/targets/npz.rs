//! Archives of numpy arrays: any bytes as an archive, and archives whose arrays hold any bytes.
//!
//! Input that begins as a zip archive does is one. Any other is arrays, each from numpy's mark to the next.

#![no_main]

#[path = "../readers/mod.rs"]
mod readers;

use std::io::{Cursor, Write as _};

use libfuzzer_sys::fuzz_target;
use scopething_files::{NpzReader, ReadOptions};
use zip::write::{SimpleFileOptions, ZipWriter};

const MARK: &[u8] = b"\x93NUMPY";
const NAMES: [&str; 5] = ["A", "A_timestamps", "time", "sample_rate", "channels"];

fuzz_target!(|bytes: &[u8]| {
    if bytes.starts_with(b"PK") {
        readers::check(NpzReader::new(Cursor::new(bytes), ReadOptions::default()));
    } else {
        let archive = Cursor::new(archive(bytes));
        let options = ReadOptions { rate_hz: Some(1e6), ..ReadOptions::default() };
        readers::check(NpzReader::new(archive, options));
    }
});

fn archive(bytes: &[u8]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut rest = bytes.strip_prefix(MARK).unwrap_or(bytes);
    for name in NAMES {
        let next = rest.windows(MARK.len()).position(|window| window == MARK);
        let (array, behind) = rest.split_at(next.unwrap_or(rest.len()));
        writer.start_file(format!("{name}.npy"), stored).expect("a name");
        writer.write_all(&[MARK, array].concat()).expect("memory");
        rest = behind.strip_prefix(MARK).unwrap_or(behind);
        if rest.is_empty() {
            break;
        }
    }
    writer.finish().expect("memory").into_inner()
}

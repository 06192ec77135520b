//! Sessions of sigrok: any bytes as an archive, and archives whose entries hold any bytes.
//!
//! The first byte chooses. An archive is made of entries that are separated by a zero byte in the input: metadata, logic,
//! analog 1, analog 2.

#![no_main]

use std::io::{Cursor, Write as _};

use libfuzzer_sys::fuzz_target;
use scopething_files::{SrReader, TraceReader};
use zip::write::{SimpleFileOptions, ZipWriter};

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((b'Z', archive)) => read(archive),
        Some((_, parts)) => read(&archive(parts)),
        None => {}
    }
});

fn read(archive: &[u8]) {
    let mut reader = match SrReader::new(Cursor::new(archive)) {
        Ok(reader) => reader,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    match reader.read() {
        Ok(Some(recording)) => {
            assert!(recording.sample_rate_hz() > 0.0 && recording.sample_rate_hz().is_finite());
            assert!(!recording.channels().is_empty());
            assert!(matches!(reader.read(), Ok(None)), "an archive holds one capture");
        }
        Ok(None) => panic!("an archive holds one capture"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn archive(parts: &[u8]) -> Vec<u8> {
    let names = ["metadata", "logic-1-1", "analog-1-9-1", "analog-1-10-1"];
    let entries =
        [("version", &b"2"[..])].into_iter().chain(names.into_iter().zip(parts.splitn(4, |byte| *byte == 0)));
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in entries {
        writer.start_file(name, stored).expect("a name");
        writer.write_all(content).expect("memory");
    }
    writer.finish().expect("memory").into_inner()
}

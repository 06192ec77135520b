//! Files of own samples for the waveform generator, text or WAV: a whole table of numbers from 0 to 1, or an error.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use scopething::generate::WaveTable;

fuzz_target!(|bytes: &[u8]| {
    match WaveTable::parse(Path::new("samples"), bytes) {
        Ok(table) => {
            assert_eq!(table.samples().len(), 1024);
            assert!(table.samples().iter().all(|sample| (0.0..=1.0).contains(sample)));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});

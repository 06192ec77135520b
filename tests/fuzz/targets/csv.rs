//! CSV files of traces: captures whose channels fit together, or an error that names a line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething_files::{CsvReader, TraceReader};

/// The most samples that each one becomes where times are uneven: volts are interpolated at up to 16 times as many times, levels are
/// held over up to so many.
const MAX_GROWTH: usize = 4096;

fuzz_target!(|bytes: &[u8]| {
    let mut reader = CsvReader::new(bytes);
    // A capture takes at least a line.
    let lines = 1 + bytes.iter().filter(|byte| **byte == b'\n').count();
    for _ in 0..=lines {
        match reader.read() {
            Ok(Some(recording)) => {
                assert!(recording.sample_rate_hz() > 0.0 && recording.sample_rate_hz().is_finite());
                assert!(recording.end_s() >= recording.start_s());
                assert!(recording.channels().iter().all(|series| series.samples.len() <= MAX_GROWTH * lines));
            }
            Ok(None) => return,
            Err(error) => return assert!(!error.to_string().is_empty()),
        }
    }
    panic!("more captures than lines");
});

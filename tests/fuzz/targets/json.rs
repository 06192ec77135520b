//! JSON files of traces: captures that are written as they were read, or an error that names a line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething_files::{Format, JsonReader, TraceReader};
use scopething_waveform::waveform::{Series, Waveform};

fuzz_target!(|bytes: &[u8]| {
    let mut reader = JsonReader::new(bytes);
    // A capture takes at least a pair of braces.
    for _ in 0..=bytes.len() / 2 {
        match reader.read() {
            Ok(Some(recording)) => check(&recording),
            Ok(None) => return,
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return assert!(matches!(reader.read(), Ok(None)), "nothing is read after a fault");
            }
        }
    }
    panic!("more captures than objects");
});

fn check(recording: &Waveform) {
    assert!(recording.sample_rate_hz() > 0.0 && recording.sample_rate_hz().is_finite());
    assert!(recording.end_s() >= recording.start_s());
    let mut text = Vec::new();
    Format::Json.writer().write(recording, &mut text).expect("memory");
    let again = JsonReader::new(text.as_slice()).read();
    // Times that are far from 0 have too few digits to be evenly spaced once more.
    let is_exact = |series: &Series| series.start_s.abs() < 1e6 * series.period_s;
    if recording.channels().iter().all(is_exact) {
        let again = again.expect("what was written").expect("a capture");
        assert_eq!(again.sample_rate_hz(), recording.sample_rate_hz());
        assert_eq!(again.details(), recording.details());
        assert_eq!(again.sample_count(), recording.sample_count());
    }
}

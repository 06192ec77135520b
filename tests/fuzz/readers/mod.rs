//! What every reader of traces promises, whatever it reads.

use scopething_files::{ReadError, TraceReader};

/// Reads a file of at most one capture: a whole one, or an error that states why not, and nothing behind either.
pub fn check(reader: Result<impl TraceReader, ReadError>) {
    let mut reader = match reader {
        Ok(reader) => reader,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    match reader.read() {
        Ok(Some(waveform)) => {
            assert!(waveform.sample_rate_hz() > 0.0 && waveform.sample_rate_hz().is_finite());
            assert!(waveform.end_s() >= waveform.start_s());
            assert!(!waveform.channels().is_empty());
            assert!(waveform.channels().iter().all(|series| !series.samples.is_empty()));
        }
        Ok(None) => panic!("neither a capture nor why there is none"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    assert!(matches!(reader.read(), Ok(None)), "a file holds one capture");
    assert!(reader.warnings().iter().all(|warning| !warning.is_empty()));
}

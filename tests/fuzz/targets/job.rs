//! Job files: a job, or an error that names the line.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething_record::job::Job;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Err(error) = Job::parse(text)
    {
        assert!(!error.to_string().is_empty());
    }
});

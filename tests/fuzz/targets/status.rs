//! Status files: a status that can be shown in each way, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething_record::Status;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(status) = Status::parse(bytes) {
        assert!(status.rows().len() > 10);
        assert!(status.prometheus().lines().count() > 10);
        let again = serde_json::to_vec(&status).expect("a status");
        // Numbers that JSON cannot hold become none.
        assert!(Status::parse(&again).is_ok_and(|again| again.captures == status.captures));
    }
});

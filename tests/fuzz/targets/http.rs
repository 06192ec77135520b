//! Requests to the status page: only one that names this computer, and comes from no web page, gets it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething_record::Verdict;

fuzz_target!(|head: &[u8]| {
    if Verdict::of(head) == Verdict::Page {
        let text = String::from_utf8_lossy(head).to_ascii_lowercase();
        let fields: Vec<&str> = text.split('\n').skip(1).map(str::trim).take_while(|line| !line.is_empty()).collect();
        assert!(fields.iter().filter(|line| line.starts_with("host")).count() >= 1);
        assert!(!fields.iter().any(|line| line.starts_with("origin:")));
        assert!(text.contains("localhost") || text.contains("127.") || text.contains(":"));
    }
});

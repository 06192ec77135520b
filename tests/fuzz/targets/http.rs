//! Requests to the status page: only one that names this computer, and comes from no web page, gets it.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething_record::Verdict;

fuzz_target!(|head: &[u8]| {
    if Verdict::of(head) == Verdict::Page {
        let text = String::from_utf8_lossy(head).to_ascii_lowercase();
        let fields: Vec<&str> =
            text.split('\n').skip(1).map(str::trim).take_while(|line| !line.is_empty()).collect();
        assert!(!fields.iter().any(|line| line.starts_with("origin:")));
        let hosts: Vec<&str> = fields.iter().filter_map(|line| line.strip_prefix("host:")).collect();
        let [host] = hosts[..] else { panic!("{} hosts", hosts.len()) };
        assert!(is_loopback(host.trim()), "{host}");
    }
});

/// By the look of the text alone: the name, 127.x.x.x, or an IPv6 address of zeros and a one.
fn is_loopback(host: &str) -> bool {
    let address = host.split(']').next().unwrap_or_default();
    let digits = address.trim_start_matches(['[', '0', ':']);
    host == "localhost"
        || host.starts_with("localhost:")
        || host == "[localhost]"
        || host.starts_with("[localhost]:")
        || address.trim_start_matches('[').starts_with("127.")
        || (address.contains(':') && digits.parse() == Ok(1_u32))
}

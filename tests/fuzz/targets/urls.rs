//! Links as users type them, and the simulator's query: what is understood is printed and read back the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething::link::LinkUrl;
use scopething_sim::SimConfig;

fuzz_target!(|text: &str| {
    let url = match LinkUrl::parse(text) {
        Ok(url) => url,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    assert_eq!(LinkUrl::parse(&url.to_string()).as_ref(), Ok(&url), "{text:?}");
    // Files are not this target's input: their readers have targets of their own.
    let LinkUrl::Sim { query } = &url else { return };
    if query.contains("file") {
        return;
    }
    let config = match SimConfig::from_query(query) {
        Ok(config) => config,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let printed = config.to_string();
    let again =
        SimConfig::from_query(&printed).unwrap_or_else(|error| panic!("{query:?}, {printed:?}: {error}"));
    assert_eq!(again.to_string(), printed, "{query:?}");
});

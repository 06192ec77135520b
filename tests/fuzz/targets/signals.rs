//! Signal texts: a signal that is printed and read back, stays within its range, and whose search for crossings moves on.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething_sim::{Signal, SimTime};

/// A nanosecond, a sample, an hour, and the end of time.
const MOMENTS: [u64; 6] = [0, 1, 25_000, 3_600_000_000_000, u64::MAX - 1, u64::MAX];

fuzz_target!(|text: &str| {
    // Files are not this target's input: their readers have targets of their own.
    if text.contains("file") {
        return;
    }
    let signal = match text.parse::<Signal>() {
        Ok(signal) => signal,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let printed = signal.to_string();
    let again: Signal = printed.parse().unwrap_or_else(|error| panic!("{text:?}, {printed:?}: {error}"));
    assert_eq!(again.to_string(), printed, "{text:?}");
    for moment in MOMENTS {
        let mut at = SimTime(moment);
        for level in [0.0, 1.65, 3.3] {
            let volts = signal.volts(at);
            assert!(!volts.is_nan(), "{text:?} at {at:?}");
            // Beyond the last moment there is none.
            if let Some(next) = signal.next_crossing(level, at).filter(|_| at.0 < u64::MAX) {
                assert!(next > at, "{text:?}: the crossing after {at:?} is {next:?}");
                at = next;
            }
        }
    }
});

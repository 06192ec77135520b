//! Experiment 12: how long a full dump takes gives the rate of the link.

use scopething_core::time::Clock as _;

use crate::Finding;
use crate::bench::{ANALOG, Bench, Capture};
use crate::outcome::Notes;
use crate::raw::RAW;
use crate::stop::Stop;

/// Dumps whose difference in length is timed, which leaves out what each takes to begin.
const SHORT: u16 = 1024;
const LONG: u16 = 12288;
const DUMPS: usize = 5;
/// Bits of a byte on a serial line.
const BITS_A_BYTE: f64 = 10.0;
const ASSUMED_BPS: f64 = 1e6;
const MAX_RATE_ERROR: f64 = 0.15;
/// A full-speed USB link carries no more: what is faster is no serial line.
const MAX_SERIAL_BPS: f64 = 12e6;

pub(super) async fn run(bench: &mut Bench, notes: &mut Notes) -> Result<(), Stop> {
    let mut raw = bench.raw();
    Capture { mode: ANALOG, samples: LONG, before: LONG / 2, ..Capture::LOOK }.trace(&mut raw).await?;
    let mut fastest = [f64::INFINITY; 2];
    for _ in 0..DUMPS {
        for (samples, fastest) in [SHORT, LONG].into_iter().zip(&mut fastest) {
            let started = raw.clock.now();
            raw.dump((0, RAW), 0, samples).await?;
            *fastest = fastest.min((raw.clock.now() - started).seconds());
        }
    }
    let [short_s, long_s] = fastest;
    notes.measured_numbers(
        "dumps of 1024 and 12288 bytes take at least (ms)",
        &fastest.map(|time| time * 1e3),
    );
    let bits = f64::from(LONG - SHORT) * BITS_A_BYTE;
    let rate = bits / (long_s - short_s).max(1e-9);
    if rate > MAX_SERIAL_BPS {
        notes.measured("rate of the link", "faster than any serial line: there is none on the way");
        return Ok(());
    }
    notes.measured_number("rate of the link (Mbit/s)", rate / 1e6);
    if (rate / ASSUMED_BPS - 1.0).abs() > MAX_RATE_ERROR {
        notes.found(Finding::LinkRate { bits_per_second: rate });
    }
    Ok(())
}

//! Streams an hour of simulated time, thinned out to 1 kHz, to every format: on a link that carries all frames, and on one
//! that carries half.
//!
//! `cargo bench -p scopething-record --bench streaming`; a number behind `--` is another count of seconds. Fails if a sample is
//! lost or doubled, a gap is missed or made up, or memory grows with the stream.

#[path = "../../scope/benches/limits/report.rs"]
mod report;
#[path = "limits/streaming.rs"]
mod streaming;

use std::process::ExitCode;

use streaming::Streamed;

const SECONDS: u64 = 3600;
/// What memory may grow by once every format has filled its buffers and written them once: less than a row group takes, so that
/// whatever is kept of each group shows. Parquet's index keeps 3 KiB of each.
const MAX_GROWTH_KIB: u64 = 4 * 1024;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let seconds = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(SECONDS);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let rows = runtime.block_on(streaming::measure(seconds))?;
    let holds = |row: &Streamed| row.holds() && row.growth_kib().is_none_or(|kib| kib <= MAX_GROWTH_KIB);
    Ok(report::report(Streamed::heads(), &rows, holds))
}

//! Prints how many bytes and round trips connecting and captures take, and whether that is within their
//! limits.
//!
//! `cargo bench -p scopething --bench round_trips`. Fails if a limit is broken. Nothing here depends on the
//! machine.

#[path = "limits/round_trips.rs"]
mod limits;
#[path = "limits/metered.rs"]
mod metered;
#[path = "limits/report.rs"]
mod report;

use std::process::ExitCode;

use limits::Row;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let rows = runtime.block_on(limits::measure())?;
    Ok(report::report(&Row::heads(), &rows, Row::holds))
}

//! Prints how long captures take on a modelled link of 1 ms and 1 Mbit/s, and how much longer that is than
//! the least that bytes, round trips and the time span allow.
//!
//! `cargo bench -p scopething --bench link_efficiency`. Fails if a capture takes more than 1/0.95 of the
//! least. Time is simulated: nothing here depends on the machine.

#[path = "limits/link_efficiency.rs"]
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

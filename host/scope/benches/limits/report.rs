//! What the benches of limits print.

use std::fmt::Display;
use std::process::ExitCode;

/// Prints rows below their heads. Fails if one of them does not hold.
pub(crate) fn report<R: Display>(heads: &str, rows: &[R], holds: impl FnMut(&R) -> bool) -> ExitCode {
    println!("{heads}");
    for row in rows {
        println!("{row}");
    }
    if rows.iter().all(holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

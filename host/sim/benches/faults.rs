//! Prints how runs with faults end, by kind of fault and stage:
//! `cargo bench -p scopething-sim --bench faults -- 1000000`.
//!
//! The runs are those of `host/sim/tests/faults.rs`, seeds counted from 0; without a number there are as many as there.
//! With the word `around` the faults are those of a middleware around the link, and not the simulator's own.

#[path = "../tests/fault_runs/mod.rs"]
mod fault_runs;

use std::collections::BTreeMap;

use fault_runs::{Conversations, Stage};

fn main() {
    let runs = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(10_000_u64);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime starts");
    let around = std::env::args().any(|argument| argument == "around");
    let conversations = runtime.block_on(Conversations::record());
    let mut table: BTreeMap<(&str, Stage, bool), BTreeMap<String, u64>> = BTreeMap::new();
    for seed in 0..runs {
        let run = if around {
            runtime.block_on(fault_runs::run_around(&conversations, seed))
        } else {
            runtime.block_on(fault_runs::run(&conversations, seed))
        };
        let row = table.entry((run.kind, run.stage, run.verified)).or_default();
        *row.entry(run.outcome.to_string()).or_default() += 1;
        if run.is_failure() {
            eprintln!("{} at {:?}: {}  {}", run.kind, run.stage, run.outcome, run.url);
        }
    }
    println!("{runs} runs");
    println!("{:9} {:8} {:9} outcomes", "fault", "stage", "capture");
    for ((kind, stage, verified), outcomes) in table {
        let outcomes: Vec<String> =
            outcomes.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
        let capture = if verified { "verified" } else { "plain" };
        println!("{kind:9} {:8} {capture:9} {}", format!("{stage:?}"), outcomes.join(", "));
    }
}

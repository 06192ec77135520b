//! Every kind of fault at every stage, ten thousand times on simulated time: right samples or a typed error in bounded
//! time, and the next capture works.

use crate::fault_runs::{Conversations, KINDS, Outcome, STREAM_KINDS, Stage};

const RUNS: u64 = 10_000;
/// Runs with faults around a stream.
const AROUND: u64 = 3_000;
/// Runs that showed wrong samples once, and why.
const FOUND: [u64; 3] = [
    // A byte of a dump's script became `D`: what was read once more was another trace.
    15_305, 36_049, 95_327,
];

#[test]
fn faults_end_in_right_samples_or_typed_errors() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let mut bad = Vec::new();
    let conversations = runtime.block_on(Conversations::record());
    for seed in (0..RUNS).chain(FOUND) {
        let run = runtime.block_on(crate::fault_runs::run(&conversations, seed));
        seen.insert((run.kind, run.stage));
        if run.is_failure() {
            bad.push(format!(
                "{seed}: {} at {:?} verified {}: {}  {}",
                run.kind, run.stage, run.verified, run.outcome, run.url
            ));
        }
    }
    assert!(bad.is_empty(), "{} of {RUNS} runs:\n{}", bad.len(), bad.join("\n"));
    for kind in KINDS {
        let stages = [Stage::Connect, Stage::Program, Stage::Trace, Stage::Dump];
        let only_connecting = matches!(kind, "burst" | "revision");
        let missed = stages.iter().find(|&&stage| !seen.contains(&(kind, stage)));
        assert!(only_connecting || missed.is_none(), "{kind} never struck at {missed:?}");
    }
}

#[test]
fn stream_faults_match_the_simulators() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let conversations = runtime.block_on(Conversations::record());
    let (mut seen, mut bad, mut right) = (std::collections::BTreeSet::new(), Vec::new(), 0);
    for seed in 0..AROUND {
        let run = runtime.block_on(crate::fault_runs::run_around(&conversations, seed));
        seen.insert(run.kind);
        right += u64::from(run.outcome == Outcome::Right);
        if run.is_failure() {
            bad.push(format!("{seed}: {} at {:?}: {}  {}", run.kind, run.stage, run.outcome, run.url));
        }
    }
    assert!(bad.is_empty(), "{} of {AROUND} runs:\n{}", bad.len(), bad.join("\n"));
    assert_eq!(seen.len(), STREAM_KINDS.len());
    // The faults did strike, and the driver did mend some.
    assert!((1..AROUND).contains(&right), "{right} of {AROUND} right");
}

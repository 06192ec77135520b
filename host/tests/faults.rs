//! Every kind of fault at every stage, ten thousand times on simulated time: right samples or a typed error in bounded time,
//! and the next capture works.

mod fault_runs;

use fault_runs::{KINDS, Outcome, Run, Stage};

const RUNS: u64 = 10_000;

/// Without verification nothing in the protocol tells that a byte of a sample, or a digit of a status, was changed.
fn is_undetectable(run: &Run) -> bool {
    run.kind == "corrupt" && !run.verified && matches!(run.stage, Stage::Trace | Stage::Dump)
}

#[test]
fn every_fault_ends_in_right_samples_or_a_typed_error() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    let mut bad = Vec::new();
    for seed in 0..RUNS {
        let run = runtime.block_on(fault_runs::run(seed));
        seen.insert((run.kind, run.stage));
        let fine = matches!(run.outcome, Outcome::Right | Outcome::Refused(_));
        let undetectable = run.outcome == Outcome::Wrong && is_undetectable(&run);
        if !(fine || undetectable) {
            bad.push(format!(
                "{seed}: {} at {:?} verified {}: {}  {}",
                run.kind, run.stage, run.verified, run.outcome, run.url
            ));
        }
    }
    assert!(bad.is_empty(), "{} of {RUNS} runs:\n{}", bad.len(), bad.join("\n"));
    for kind in KINDS {
        let stages = if matches!(kind, "burst" | "revision") { 1 } else { Stage::ALL.len() };
        assert_eq!(seen.iter().filter(|(seen, _)| *seen == kind).count(), stages, "{kind}");
    }
}

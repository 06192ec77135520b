//! `scopething selftest`: the menu, the choice of experiments, exit codes and the files written.

use std::path::Path;
use std::process::Stdio;

use crate::support::{Finished, Running, assert_wrong_usage, program, scopething, scopething_in};
use scopething_sim::Quirk;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

const PLAIN: &str = "sim:?clock=fast";

/// Runs the self-test in a directory of its own, with these lines on standard input.
async fn walk(url: &str, arguments: &[&str], input: &str) -> (Finished, TempDir) {
    let directory = tempdir().unwrap();
    let arguments = [&["selftest", "--url", url], arguments].concat();
    let mut command = program(&arguments);
    let mut running = Running::start(command.current_dir(directory.path()).stdin(Stdio::piped()));
    for line in input.lines() {
        running.send_line(line).await;
    }
    running.close_stdin();
    (running.finish().await, directory)
}

/// The `mode_fits` of a report by the numbers of their experiments, in the order in which they were done.
fn mode_fits(directory: &Path, name: &str) -> Vec<(u64, String)> {
    let text = std::fs::read_to_string(directory.join(name)).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    let experiments = report["experiments"].as_array().unwrap().iter();
    experiments
        .map(|one| (one["number"].as_u64().unwrap(), one["verdict"].as_str().unwrap().to_owned()))
        .collect()
}

fn as_assumed(numbers: &[u64]) -> Vec<(u64, String)> {
    numbers.iter().map(|number| (*number, "as assumed".to_owned())).collect()
}

#[tokio::test]
async fn without_wires_those_that_need_none_are_done() {
    let directory = tempdir().unwrap();
    let finished = scopething_in(directory.path(), &["selftest", "--auto", "--url", PLAIN]).await.done();
    let mode_fits = mode_fits(directory.path(), "scopething-selftest.json");
    let (skipped, done): (Vec<_>, Vec<_>) =
        mode_fits.into_iter().partition(|(_, verdict)| verdict == "skipped");
    assert_eq!(done, as_assumed(&[1, 2, 8, 9, 11, 12]), "{}", finished.stdout);
    assert_eq!(skipped.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3, 4, 5, 6, 7, 10]);
    let text = std::fs::read_to_string(directory.path().join("scopething-selftest.txt")).unwrap();
    assert!(text.contains("exchanged") && text.contains("BS000501\\r"), "{text}");
}

#[tokio::test]
async fn menu_repeats_and_reorders_experiments() {
    // The simulated wires are there: each request for one is answered by Enter.
    let (finished, directory) =
        walk(PLAIN, &["--report", "mine.txt"], "list\n4\n\n1\nnonsense\n10\n\n3.3V\n0V\n4\n\nquit\n").await;
    let finished = finished.done();
    assert_eq!(mode_fits(directory.path(), "mine.json"), as_assumed(&[4, 1, 10, 4]), "{}", finished.stderr);
    assert!(finished.stderr.contains("\"nonsense\" is not an experiment"), "{}", finished.stderr);
    assert!(finished.stderr.contains("Join L4 to A"), "{}", finished.stderr);
    assert_eq!(finished.stdout.matches("as assumed").count(), 4, "{}", finished.stdout);
}

#[tokio::test]
async fn what_is_otherwise_is_named_and_fails() {
    let url = format!("{PLAIN}&quirk=half-trigger-level");
    let (finished, directory) = walk(&url, &["--only", "5"], "\n").await;
    let finished = finished.ended(1);
    assert!(finished.stdout.contains("half-trigger-level: the comparator switches at "), "{finished:?}");
    assert_eq!(mode_fits(directory.path(), "scopething-selftest.json"), [(5, "otherwise".to_owned())]);
}

#[tokio::test]
async fn skipping_and_end_of_input() {
    let (finished, directory) = walk(PLAIN, &[], "7\ns\n").await;
    finished.done();
    assert_eq!(mode_fits(directory.path(), "scopething-selftest.json"), [(7, "skipped".to_owned())]);
}

#[cfg(unix)]
#[tokio::test]
async fn interrupt_keeps_what_was_done() {
    let directory = tempdir().unwrap();
    let mut command = program(&["selftest", "--url", PLAIN]);
    let mut running = Running::start(command.current_dir(directory.path()).stdin(Stdio::piped()));
    running.send_line("1").await;
    let line = running.line().await;
    assert!(line.contains("as assumed"), "{line}");
    running.interrupt();
    running.finish().await.ended(130);
    assert_eq!(mode_fits(directory.path(), "scopething-selftest.json"), as_assumed(&[1]));
}

#[tokio::test]
async fn wrong_usage_fails_first() {
    assert_wrong_usage(&[
        (&["selftest", "--url", PLAIN, "--only", "13"], &["13", "from 1 to 12"]),
        (&["selftest", "--url", PLAIN, "--only", "x"], &["x", "from 1 to 12"]),
        (&["selftest", "--url", PLAIN, "--auto", "--report", "x.json"], &["x.json", "x.txt"]),
        (&["selftest", "--url", "sim:?quirk=quick"], &["quick", "half-trigger-level"]),
    ])
    .await;
}

#[tokio::test]
async fn help_of_the_simulator_lists_every_quirk() {
    let help = scopething(&["simulate", "--help"]).await.done().stdout;
    for (_, name, does) in Quirk::ALL {
        assert!(help.contains(name) && help.contains(does), "{name}: {help}");
    }
}

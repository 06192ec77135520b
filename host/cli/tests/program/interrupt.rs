//! Ctrl-C: the first ends the wait for the trigger and keeps what was captured, the second gives up.

use std::time::{Duration, Instant};

use crate::support::relay::{Limit, Relay};
use crate::support::{Listening, Running, number, program, scopething, series};
use rustix::process::Signal;
use serde_json::{Value, json};

/// A steady voltage never triggers.
const STEADY: &str = "sim:?A=dc,1V";
/// What is printed on standard error while the trigger does not come.
const WAITING: &str = "waiting for A rising";

#[tokio::test]
async fn interrupt_captures_around_that_moment() {
    let mut running = Running::start(&mut program(&["capture", "--url", STEADY, "--json"]));
    running.until_printed(WAITING).await;
    let interrupted = Instant::now();
    running.interrupt();
    let finished = running.finish().await.done();
    let took = interrupted.elapsed();
    let capture = finished.object();
    assert_eq!((&capture["cause"], &capture["trigger_time"]), (&json!("cancel"), &Value::Null));
    let samples = series(&capture, "A", "samples");
    assert_eq!(samples.len(), 1000);
    // A step of a sample, and of the converters (reference.md#7-voltages).
    let slack = 13.5 / 65536.0 + 18.333 / 65536.0;
    assert!(samples.iter().all(|sample| (sample - 1.0).abs() <= slack), "{samples:?}");
    // Device time starts with the program: what was captured is what came last.
    let end_s = number(&capture, "capture_start") + 1e-3;
    assert!(end_s >= 0.5 && end_s <= finished.took.as_secs_f64(), "{end_s} s of {:?}", finished.took);
    println!("from the interrupt to the end: {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test]
async fn early_interrupt_keeps_partial_capture() {
    let arguments = ["capture", "--url", STEADY, "--period", "100s", "--samples", "10k", "--json"];
    let mut running = Running::start(&mut program(&arguments));
    running.until_printed(WAITING).await;
    running.interrupt();
    let finished = running.finish().await.done();
    let capture = finished.object();
    assert_eq!(capture["cause"], "cancel");
    // 10 ms a sample, from after half a second on.
    let samples = series(&capture, "A", "samples");
    let most = finished.took.as_secs_f64() / 10e-3;
    assert!(samples.len() >= 40 && (samples.len() as f64) <= most, "{} of {most}", samples.len());
    assert!(samples.iter().all(|sample| (sample - 1.0).abs() < 0.06), "{samples:?}");
}

#[tokio::test]
async fn after_an_interrupt_the_device_captures_again() {
    let mut simulator =
        Listening::simulate(&["--tcp", "127.0.0.1:0", "--signal", "A=square 1Hz 0..3V 50%"]).await;
    let url = format!("socket://{}", simulator.address("tcp"));
    let arguments = ["capture", "--url", &url, "--json", "--level", "5V"];
    let mut running = Running::start(&mut program(&arguments));
    running.until_printed(WAITING).await;
    running.interrupt();
    assert_eq!(running.finish().await.done().object()["cause"], "cancel");
    simulator.running.until_printed("has disconnected").await;
    let capture = scopething(&["capture", "--url", &url, "--json", "--level", "1.5V"]).await.done().object();
    assert_eq!(capture["cause"], "trigger");
}

#[tokio::test]
async fn second_interrupt_gives_up() {
    let mut simulator = Listening::simulate(&["--tcp", "127.0.0.1:0", "--signal", "A=dc 1V"]).await;
    let mut relay = Relay::start(simulator.address("tcp"), Limit::NONE).await;
    let arguments = ["capture", "--url", &relay.url, "--json", "--samples", "6000", "--period", "6ms"];
    let mut running = Running::start(&mut program(&arguments));
    running.until_printed(WAITING).await;
    // The end of the trace gets through, and a part of its 12000 bytes of samples.
    relay.set_limit(Limit::silent_after(relay.forwarded().answered + 1000));
    running.interrupt();
    relay.until(|forwarded| forwarded.cancelled).await;
    running.interrupt();
    let finished = running.finish().await.ended(130);
    assert_eq!(finished.stdout, "");
    assert!(finished.stderr.ends_with("cancelled\n"), "{}", finished.stderr);
    relay.finish().await;
    simulator.running.until_printed("has disconnected").await;
    let url = format!("socket://{}", simulator.address("tcp"));
    let again = scopething(&["capture", "--url", &url, "--json", "--timeout", "10ms"]).await.done();
    assert_eq!(again.object()["cause"], "timeout");
}

#[tokio::test]
async fn interrupt_while_connecting_leaves_nothing_to_show() {
    for command in ["capture", "info"] {
        let mut running = Running::start(&mut program(&[command, "--url", "sim:?latency=20s"]));
        running.until_printed("connecting").await;
        running.interrupt();
        let finished = running.finish().await.ended(130);
        assert_eq!(finished.stdout, "");
        assert!(finished.stderr.ends_with("cancelled\n"), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn endless_captures_kept_on_interrupt() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["capture", "--url", "sim:?A=sine,50Hz,0..3V", "-n", "0", "--json", "-o", "t.json"];
    let mut running = Running::start(program(&arguments).current_dir(directory.path()));
    let mut printed = vec![running.line().await, running.line().await];
    running.interrupt();
    let finished = running.finish().await.done();
    printed.extend(finished.stdout.lines().map(str::to_owned));
    let kept = std::fs::read_to_string(directory.path().join("t.json")).unwrap();
    assert_eq!(kept.lines().collect::<Vec<_>>(), printed);
}

/// A service manager ends a command with SIGTERM, and a terminal that is closed with SIGHUP.
#[tokio::test]
async fn files_are_finished_when_the_process_shall_end() {
    for signal in [Signal::TERM, Signal::HUP] {
        let directory = tempfile::tempdir().unwrap();
        let arguments = ["capture", "--url", "sim:?A=sine,50Hz,0..3V", "-n", "0", "--json", "-o", "t.json"];
        let mut running = Running::start(program(&arguments).current_dir(directory.path()));
        let mut printed = vec![running.line().await];
        running.signal(signal);
        let finished = running.finish().await.done();
        printed.extend(finished.stdout.lines().map(str::to_owned));
        let kept = std::fs::read_to_string(directory.path().join("t.json")).unwrap();
        assert_eq!(kept.lines().collect::<Vec<_>>(), printed, "{signal:?}");
    }
}

#[tokio::test]
async fn generators_stop_when_the_process_shall_end() {
    for signal in [Signal::TERM, Signal::HUP] {
        let mut simulator = Listening::simulate(&["--tcp", "127.0.0.1:0"]).await;
        let url = format!("socket://{}", simulator.address("tcp"));
        let mut running = Running::start(&mut program(&["wave", "sine", "1kHz", "--url", &url]));
        running.until_printed("until Ctrl-C").await;
        running.signal(signal);
        running.finish().await.done();
        simulator.running.until_printed("has disconnected").await;
    }
}

#[tokio::test]
async fn command_under_nohup_outlives_its_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let arguments =
        [env!("CARGO_BIN_EXE_scopething"), "stream", "--url", "sim:?A=dc,1V", "-o", "s.csv", "--for", "1s"];
    let mut command = program(&[]);
    let mut nohup = tokio::process::Command::new("nohup");
    nohup.args(arguments).current_dir(directory.path()).kill_on_drop(true);
    for (name, value) in command.as_std_mut().get_envs() {
        if let Some(value) = value {
            nohup.env(name, value)
        } else {
            nohup.env_remove(name)
        };
    }
    nohup.stdin(std::process::Stdio::null());
    nohup.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut running = Running::start(&mut nohup);
    running.until_printed("streaming A").await;
    running.signal(Signal::HUP);
    let finished = running.finish().await.done();
    assert!(finished.stderr.contains("1000 samples over 1.00000 s"), "{}", finished.stderr);
}

/// The samples are read when the signal comes: there is no wait for a trigger that it could end.
#[tokio::test]
async fn interrupt_during_dump_ends_endless_captures() {
    let simulator = Listening::simulate(&["--tcp", "127.0.0.1:0", "--signal", "A=sine 1kHz 0..3V"]).await;
    let mut relay = Relay::start(simulator.address("tcp"), Limit::NONE).await;
    // Connecting takes less than 1000 bytes, and the first samples 12000.
    relay.set_limit(Limit::silent_after(8000));
    let arguments =
        ["capture", "--url", &relay.url, "-n", "0", "--json", "--samples", "6000", "--period", "6ms"];
    let running = Running::start(&mut program(&arguments));
    relay.until(|forwarded| forwarded.answered == 8000).await;
    running.interrupt();
    relay.set_limit(Limit::NONE);
    let finished = running.finish().await.done();
    assert!(!finished.objects().is_empty());
    assert_eq!(finished.objects()[0]["cause"], "trigger");
}

#[tokio::test]
async fn simulator_ends_by_an_interrupt() {
    let simulator = Listening::simulate(&["--tcp", "127.0.0.1:0"]).await;
    simulator.running.interrupt();
    let finished = simulator.running.finish().await.done();
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("", ""));
}

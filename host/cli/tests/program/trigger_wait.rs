//! What a capture does about a trigger that does not come.

use std::time::{Duration, Instant};

use crate::support::{Running, bounded, number, program, scopething, series};

const THIN: &str = "sim:?A=sine,1kHz,0..3V";
const LOW: &str = "sim:?A=sine,1kHz,0..1V&L3=dc,0V&L5=dc,0V";

/// What is printed about a trigger that does not come, and then Ctrl-C.
async fn hint(arguments: &[&str], expected: &str) {
    let mut running = Running::start(&mut program(&[&["capture", "--json"], arguments].concat()));
    bounded("a hint", running.until_printed(expected)).await;
    running.interrupt();
    let capture = running.finish().await.done().object();
    assert_eq!(capture["cause"], "cancel");
}

#[tokio::test]
async fn waiting_capture_explains_trigger() {
    let thin = ["A", "--url", THIN, "--period", "5ms", "--samples", "50"];
    let low = ["A", "--url", LOW, "--period", "5ms"];
    // The middle of -5.5 V to 8 V. The sine is above it for 0.55 of its 10 samples.
    tokio::join!(
        hint(&low, "waiting for A rising through 1.25 V"),
        hint(&low, "A stays between 0.00 and 1.00 V, the trigger is at 1.25 V: set another --level"),
        hint(&thin, "samples at a time, the trigger needs 8: use --hair-trigger or more --samples"),
    );
    // These are not captured: a look at them is taken in between.
    let pattern = [low.as_slice(), &["--trigger", "L3=1,L5=0"]].concat();
    let other = ["A", "--url", "sim:?B=dc,-2V", "--trigger", "B"];
    tokio::join!(
        hint(&pattern, "L3 stays low: set another --trigger"),
        hint(&other, "B stays at -2.00 V, the trigger is at 1.25 V"),
    );
}

#[tokio::test]
async fn long_trace_is_checked_after_ten_lengths() {
    let started = Instant::now();
    let arguments = ["A", "--url", LOW, "--period", "500ms"];
    hint(&arguments, "A stays between 0.00 and 1.00 V, the trigger is at 1.25 V").await;
    assert!(started.elapsed() >= Duration::from_secs(5), "{:?}", started.elapsed());
}

/// The wait is reported; a look would end a trace whose trigger may have come.
#[tokio::test]
async fn delayed_capture_is_not_looked_at() {
    // It comes after 4 s, past the moment of the look.
    let url = "sim:?A=pulse,0.2Hz,1s,0..3V,phase=20%";
    let arguments = ["capture", "A", "--url", url, "--json", "--period", "5ms", "--delay", "10ms"];
    let finished = scopething(&arguments).await.done();
    assert_eq!(finished.object()["cause"], "trigger", "{}", finished.stderr);
    assert!(finished.stderr.contains("waiting for A rising"), "{}", finished.stderr);
}

#[tokio::test]
async fn trigger_after_the_look_is_the_users() {
    // It comes after 4 s.
    let url = "sim:?A=pulse,0.2Hz,1s,0..3V,phase=20%";
    let finished = scopething(&["capture", "A", "--url", url, "--json", "--period", "5ms"]).await.done();
    let capture = finished.object();
    assert_eq!(capture["cause"], "trigger", "{}", finished.stderr);
    assert!(finished.stderr.contains("A stays at 0.00 V"), "{}", finished.stderr);
    let samples = series(&capture, "A", "samples");
    assert!(samples[240] < 0.1 && samples[260] > 2.9, "{} {}", samples[240], samples[260]);
}

#[tokio::test]
async fn zero_timeout_captures_at_once() {
    for period in ["500ms", "700ms", "10s", "100s"] {
        // It never reaches the level: one that does may trigger just before the time is up.
        let url = "sim:?A=sine,10Hz,0..1V&clock=fast";
        let arguments =
            ["capture", "--json", "--samples", "200", "--timeout", "0", "--period", period, "--url", url];
        let finished = scopething(&arguments).await.done();
        assert!(!finished.stderr.contains("note:"), "{period}: {}", finished.stderr);
        let capture = finished.object();
        assert_eq!(capture["cause"], "timeout");
        let times = series(&capture, "A", "timestamps");
        let sample_s = times[1] - times[0];
        // Connecting, and a sample at most.
        let start_s = number(&capture, "capture_start");
        assert!(start_s < 0.01 + sample_s, "{period}: {start_s}");
    }
}

#[tokio::test]
async fn progress_names_what_takes_time() {
    let progress = async |wait: &[&str]| {
        let arguments = ["capture", "A", "--json", "--period", "900ms", "--url", LOW];
        scopething(&[arguments.as_slice(), wait].concat()).await.done().stderr
    };
    let (at_once, timed, auto) = tokio::join!(
        progress(&["--timeout", "0"]),
        progress(&["--timeout", "200ms"]),
        progress(&["--trigger-mode", "auto"]),
    );
    assert_eq!(at_once.lines().next(), Some("capturing 0.9s (Ctrl-C ends it now)"), "{at_once}");
    assert!(!at_once.contains("waiting for"), "{at_once}");
    assert!(timed.contains("waiting for A rising through 1.25 V, at most 0.2s (Ctrl-C"), "{timed}");
    assert!(auto.contains("waiting for A rising through 1.25 V, at most 0.9s (Ctrl-C"), "{auto}");
}

#[tokio::test]
async fn trigger_mode_auto_shows_what_there_is() {
    let started = Instant::now();
    let arguments = ["capture", "--json", "--url", LOW, "--trigger-mode", "auto"];
    let capture = scopething(&arguments).await.done().object();
    assert_eq!(capture["cause"], "timeout");
    assert!(started.elapsed() >= Duration::from_millis(100));
    // A trigger that comes is taken.
    let capture = scopething(&[arguments.as_slice(), &["--level", "0.5V"]].concat()).await.done().object();
    assert_eq!(capture["cause"], "trigger");
}

#[tokio::test]
async fn eight_bits_are_half_the_bytes() {
    let plan = |bits| async move { scopething(&["plan", "--json", "--bits", bits]).await.done().object() };
    let (best, eight) = tokio::join!(plan("best"), plan("8"));
    assert_eq!((&best["mode"], number(&best, "dump_bytes")), (&"Macro".into(), 2000.0));
    assert_eq!((&eight["mode"], number(&eight, "dump_bytes")), (&"Analog".into(), 1000.0));
    let refused = eight["refused"].as_array().unwrap();
    assert!(
        refused
            .iter()
            .any(|refusal| refusal["mode"] == "Macro" && refusal["why"] == "takes 16 bits a sample")
    );
    let url = "sim:?A=dc,1.5V&clock=fast";
    let arguments = ["capture", "--json", "--url", url, "--bits", "8", "--timeout", "0"];
    let capture = scopething(&arguments).await.done().object();
    // A step of 13.5 V / 256, and the converters' own.
    let off_v = series(&capture, "A", "samples")
        .into_iter()
        .fold(0.0, |off: f64, volts| off.max((volts - 1.5).abs()));
    assert!(off_v <= 13.5 / 256.0 + 18.333 / 65536.0, "{off_v}");
}

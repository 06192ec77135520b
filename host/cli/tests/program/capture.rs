//! `scopething capture`: what it prints of known signals.

use std::f64::consts::TAU;

use serde_json::{Value, json};

use crate::support::{number, scopething, series};

/// The range when none is asked for: -5.5 V to 8 V.
const RANGE_V: f64 = 13.5;
/// How far a converter that is set in 65536ths of the input span of 18.333 V may be off
/// (reference.md#7-voltages).
const CONVERTER_V: f64 = 18.333 / 65536.0;
/// One step of a 16-bit sample, and the converters' own.
const FINE_V: f64 = RANGE_V / 65536.0 + CONVERTER_V;

/// Captures with `--json` from a simulated device with signals.
async fn captured(signals: &str, arguments: &[&str]) -> Vec<Value> {
    let url = format!("sim:?clock=fast&{signals}");
    scopething(&[&["capture", "--json", "--url", &url], arguments].concat()).await.done().objects()
}

async fn capture(signals: &str, arguments: &[&str]) -> Value {
    let mut captures = captured(signals, arguments).await;
    assert_eq!(captures.len(), 1);
    captures.remove(0)
}

/// Whether times are `start_s`, `start_s + step_s`, and so on.
#[track_caller]
fn assert_even(times: &[f64], count: usize, start_s: f64, step_s: f64) {
    assert_eq!(times.len(), count);
    for (index, time) in (0_u32..).zip(times) {
        assert!((time - (start_s + f64::from(index) * step_s)).abs() < 1e-12, "{time} at {index}");
    }
}

#[tokio::test]
async fn json_capture_keys() {
    let capture = capture("A=sine,1kHz,0..3V", &[]).await;
    assert_eq!(capture["cause"], "trigger");
    // 1000 samples in 1 ms, 40 ticks of 25 ns each: the fastest that Macro does, which has the best
    // resolution.
    assert_eq!((number(&capture, "sample_rate"), &capture["mode"]), (1e6, &json!("Macro")));
    assert_eq!(capture["warnings"], json!([]));
    assert!(number(&capture, "capture_start") >= 0.0);
    let channels: Vec<&String> = capture["channels"].as_object().unwrap().keys().collect();
    assert_eq!(channels, ["A"]);
    assert_even(&series(&capture, "A", "timestamps"), 1000, 0.0, 1e-6);
    // A quarter of the span lies before the trigger.
    assert!((number(&capture, "trigger_time") - 0.25e-3).abs() < 1e-12, "{}", capture["trigger_time"]);
}

#[tokio::test]
async fn steady_voltage_is_measured_within_a_step() {
    for volts in [-5.0, -1.5, 0.0, 0.333, 3.3, 7.9] {
        let signal = format!("A=dc,{volts}V");
        let fine = capture(&signal, &["--timeout", "0"]).await;
        let samples = series(&fine, "A", "samples");
        assert_eq!(samples.len(), 1000);
        assert!(samples.iter().all(|sample| (sample - volts).abs() <= FINE_V), "{volts} V: {samples:?}");
        let coarse =
            capture(&signal, &["--timeout", "0", "--samples", "4000", "--low=-6V", "--high=10V"]).await;
        assert_eq!(coarse["mode"], "AnalogFast");
        let step_v = 16.0 / 256.0;
        let samples = series(&coarse, "A", "samples");
        assert_eq!(samples.len(), 4000);
        assert!(samples.iter().all(|sample| (sample - volts).abs() <= step_v + CONVERTER_V), "{volts} V");
    }
}

#[tokio::test]
async fn sine_at_device_time() {
    let capture = capture("A=sine,1kHz,0..3V", &["--period", "3ms", "--samples", "3000"]).await;
    let start_s = number(&capture, "capture_start");
    let (times, samples) = (series(&capture, "A", "timestamps"), series(&capture, "A", "samples"));
    // The signal rises through its middle at device time 0. It changes by so much in one sample.
    let slope_v = 1.5 * TAU * 1e3 * 1e-6;
    for (time, sample) in times.iter().zip(&samples) {
        let volts = 1.5 + 1.5 * (TAU * 1e3 * (start_s + time)).sin();
        assert!((sample - volts).abs() <= slope_v + FINE_V, "{sample} V at {time} s, not {volts} V");
    }
    // The trigger level is the middle of the range, and is risen through within a sample of the trigger time.
    let at = (number(&capture, "trigger_time") / 1e-6).round() as usize;
    assert!(samples[at - 2] < 1.25 && samples[at + 2] > 1.25, "{:?}", &samples[at - 3..at + 4]);
}

/// The echo of each command that may take its time is waited for: more round trips over the link, and the same samples.
#[tokio::test]
async fn careful_pacing_captures_the_same() {
    let signals = "A=dc,0.333V&B=dc,2V&L3=dc,3.3V&latency=2ms";
    let arguments = ["A", "B", "L3", "--timeout", "0"];
    let captures = [
        capture(signals, &arguments).await,
        capture(&format!("{signals}&pacing=stepwise"), &arguments).await,
    ];
    for channel in ["A", "B", "L3"] {
        let [whole, stepwise] = [0, 1].map(|index| series(&captures[index], channel, "samples"));
        assert!(!whole.is_empty() && whole == stepwise, "{channel}: {whole:?} {stepwise:?}");
    }
    // Connecting takes as long in both: what is left are the trace's two waits, `>` and `U`, of 4 ms each.
    let [whole_s, stepwise_s] = [0, 1].map(|index| number(&captures[index], "capture_start"));
    assert!((stepwise_s - whole_s - 8e-3).abs() < 1e-3, "{whole_s} s and {stepwise_s} s");
}

#[tokio::test]
async fn square_edges_at_trigger() {
    let arguments =
        ["--period", "1ms", "--level", "2V", "--type", "falling", "--position", "50%", "--trigger", "A"];
    let capture = capture("A=square,5kHz,1..3V", &arguments).await;
    assert_eq!(capture["trigger"], json!({"source": "A", "type": "falling", "level": 2.0}));
    let samples = series(&capture, "A", "samples");
    let volts: Vec<f64> = samples.iter().map(|&sample| if sample > 2.0 { 3.0 } else { 1.0 }).collect();
    assert!(
        samples.iter().zip(&volts).all(|(sample, volts)| (sample - volts).abs() <= FINE_V),
        "{samples:?}"
    );
    let at = (number(&capture, "trigger_time") / 1e-6).round() as usize;
    assert_eq!(at, 500);
    // High for 100 samples up to the edge, low for 100 after it, a sample more or less.
    assert!(volts[at - 98..at - 1].iter().all(|&volts| volts == 3.0), "{volts:?}");
    assert!(volts[at + 1..at + 98].iter().all(|&volts| volts == 1.0), "{volts:?}");
    assert!((9..=10).contains(&volts.windows(2).filter(|pair| pair[0] != pair[1]).count()), "{volts:?}");
}

#[tokio::test]
async fn delayed_samples_come_so_long_after_the_trigger() {
    for (delay, delay_s) in [("1us", 1e-6), ("333us", 333e-6), ("1ms", 1e-3), ("2.25s", 2.25)] {
        let arguments = ["--level", "1.5V", "--period", "2ms", "--samples", "2000", "--delay", delay];
        let capture = capture("A=sine,1kHz,0..3V", &arguments).await;
        let times = series(&capture, "A", "timestamps");
        assert_even(&times, 2000, 0.0, 1e-6);
        // The 8 samples of the trigger's filter come before the delay.
        let trigger_s = number(&capture, "trigger_time");
        assert!((trigger_s + delay_s + 8e-6).abs() < 1e-9, "{delay}: {trigger_s}");
        // The sine rises through its middle at the trigger, within a sample of it.
        let slope_v = 1.5 * TAU * 1e3 * 1e-6;
        for (time, sample) in times.iter().zip(series(&capture, "A", "samples")) {
            let volts = 1.5 + 1.5 * (TAU * 1e3 * (time - trigger_s)).sin();
            assert!(
                (sample - volts).abs() <= slope_v + FINE_V,
                "{delay}: {sample} V at {time} s, not {volts} V"
            );
        }
    }
}

#[tokio::test]
async fn without_a_trigger_there_is_no_delay() {
    let capture = capture("A=dc,1V", &["--timeout", "10ms", "--level", "2V", "--delay", "1s"]).await;
    assert_eq!((&capture["cause"], &capture["trigger_time"]), (&json!("timeout"), &Value::Null));
    assert_even(&series(&capture, "A", "timestamps"), 1000, 0.0, 1e-6);
    let url = ["capture", "--url", "sim:?clock=fast&A=dc,1V", "--level", "2V"];
    let long = scopething(&[&url[..], &["--timeout", "1s", "--delay", "1ms"]].concat()).await.refused(1);
    assert!(long.contains("capture without the delay"), "{long}");
}

#[tokio::test]
async fn impossible_delays_are_wrong_usage() {
    let plan: &[&str] = &["plan", "A"];
    for (arguments, part) in [
        (&["--delay", "-1ms"][..], "delay"),
        (&["--delay", "100ns"], "whole microseconds"),
        (&["--delay", "5000s"], "4294 s"),
        (&["--delay", "1ms", "--position", "50%"], "--position"),
    ] {
        let message = scopething(&[plan, arguments].concat()).await.refused(2);
        assert!(message.contains(part), "{message}");
    }
}

#[tokio::test]
async fn two_channels_take_turns() {
    let capture = capture("A=dc,1V&B=dc,-2V", &["B", "A", "--timeout", "0"]).await;
    assert_eq!(capture["mode"], "MacroChop");
    assert_even(&series(&capture, "A", "timestamps"), 500, 0.0, 2e-6);
    assert_even(&series(&capture, "B", "timestamps"), 500, 1e-6, 2e-6);
    for (channel, volts) in [("A", 1.0), ("B", -2.0)] {
        let samples = series(&capture, channel, "samples");
        assert!(samples.iter().all(|sample| (sample - volts).abs() <= FINE_V), "{channel}: {samples:?}");
    }
}

#[tokio::test]
async fn logic_lines_with_and_without_analog() {
    let signals = "A=dc,1V&L0=dc,0V&L1=dc,3.3V&L2=square,10kHz&L6=dc,3.3V";
    for channels in [&["A", "L0", "L1", "L2"][..], &["L0,L1", "L2"]] {
        let arguments = [channels, &["--trigger", "L2=1", "--period", "1ms"]].concat();
        let capture = capture(signals, &arguments).await;
        assert_eq!((&capture["cause"], &capture["trigger"]["source"]), (&json!("trigger"), &json!("L2=1")));
        let names: Vec<&String> = capture["channels"].as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            if channels.len() == 4 { &["A", "L0", "L1", "L2"][..] } else { &["L0", "L1", "L2"] }
        );
        let [low, high, square] = ["L0", "L1", "L2"].map(|line| series(&capture, line, "samples"));
        assert!(low.iter().all(|&level| level == 0.0) && high.iter().all(|&level| level == 1.0));
        assert_eq!(square.len(), 1000);
        assert!((19..=20).contains(&square.windows(2).filter(|pair| pair[0] != pair[1]).count()));
        let at = (number(&capture, "trigger_time") / 1e-6).round() as usize;
        assert!(square[at - 2] == 0.0 && square[at + 2] == 1.0, "{:?}", &square[at - 3..at + 4]);
        assert_even(&series(&capture, "L2", "timestamps"), 1000, 0.0, 1e-6);
    }
}

#[tokio::test]
async fn shared_comparator_lines_are_left_out() {
    let finished = scopething(&["capture", "A", "L", "--url", "sim:?clock=fast", "--timeout", "0", "--json"])
        .await
        .done();
    let capture = finished.object();
    let names: Vec<&String> = capture["channels"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["A", "L0", "L1", "L2", "L3", "L4", "L5", "L6"]);
    let warning = capture["warnings"][0].as_str().unwrap();
    assert!(warning.contains("L7"), "{warning}");
    // It goes without saying where all lines were asked for, and not where this one was.
    assert_eq!(finished.stderr, "");
    let named =
        scopething(&["capture", "A", "L0", "L7", "--url", "sim:?clock=fast", "--timeout", "0"]).await.done();
    assert!(named.stderr.contains(&format!("warning: {warning}")), "{}", named.stderr);
}

#[tokio::test]
async fn raw_capture_gives_fractions_of_the_range() {
    // The DACs at 0.2 and 0.8 make a range from `low` to `high` as fractions of the input span
    // (reference.md#7-voltages):
    //   0.2 = 1.1 low - 0.05 high          0.8 = 1.1 high - 0.05 low - 0.05
    let (below, above) = (0.2, 0.8 + 0.05);
    let determinant = 1.1 * 1.1 - 0.05 * 0.05;
    let low = (1.1 * below + 0.05 * above) / determinant;
    let high = (1.1 * above + 0.05 * below) / determinant;
    let volts = 2.0;
    let expected = ((volts + 7.517) / 18.333 - low) / (high - low);
    let arguments = ["--raw", "--low", "0.2", "--high", "0.8", "--timeout", "0"];
    let capture = capture(&format!("A=dc,{volts}V"), &arguments).await;
    assert_eq!(capture["channels"]["A"]["unit"], "range");
    let samples = series(&capture, "A", "samples");
    // One step of a sample, and of the converters.
    let slack = 3.0 / 65536.0;
    assert!(samples.iter().all(|sample| (sample - expected).abs() <= slack), "{expected}: {samples:?}");
}

#[tokio::test]
async fn timeout_captures_what_is_there() {
    for (timeout, timeout_s) in [("0", 0.0), ("20ms", 0.02), ("2s", 2.0)] {
        let capture = capture("A=dc,1V", &["--level", "5V", "--timeout", timeout]).await;
        assert_eq!((&capture["cause"], &capture["trigger_time"]), (&json!("timeout"), &Value::Null));
        assert_eq!(series(&capture, "A", "samples").len(), 1000);
        // Device time starts with the program here; connecting and the capture itself take less than 100 ms
        // of it.
        let end_s = number(&capture, "capture_start") + 1e-3;
        assert!((timeout_s..timeout_s + 0.1).contains(&end_s), "{timeout}: ended at {end_s} s");
    }
}

#[tokio::test]
async fn long_timeout_is_timed_by_host() {
    // Register Timeout holds at most 65535 x 6.4 us = 419 ms (reference.md#3-registers).
    let arguments = ["capture", "--url", "sim:?A=dc,1V", "--level", "5V", "--timeout", "700ms", "--json"];
    let finished = scopething(&arguments).await.done();
    let capture = finished.object();
    assert_eq!((&capture["cause"], &capture["trigger_time"]), (&json!("timeout"), &Value::Null));
    assert_eq!(series(&capture, "A", "samples").len(), 1000);
    assert!(finished.took.as_secs_f64() >= 0.7, "{:?}", finished.took);
    let warning = capture["warnings"][0].as_str().unwrap();
    assert!(warning.contains("timed by the host"), "{warning}");
}

/// Whether the device times the trace or, as for more than 419 ms, the host: without a wait it begins as soon as the
/// device is connected. A host that is busy ends it later by as long as its timer is late.
#[tokio::test]
async fn a_trace_without_a_wait_begins_at_once() {
    for period in ["500ms", "700ms", "3s"] {
        let arguments = ["--period", period, "--samples", "200", "--timeout", "0"];
        let capture = capture("A=sine,1kHz,0..3V", &arguments).await;
        let start_s = number(&capture, "capture_start");
        assert!((0.0..2e-3).contains(&start_s), "{period}: {start_s} s");
        assert_eq!(capture["cause"], "timeout", "{period}");
    }
}

#[tokio::test]
async fn capture_count_is_respected() {
    let captures = captured("A=ramp,100Hz,0..3V", &["-n", "5", "--samples", "100"]).await;
    assert_eq!(captures.len(), 5);
    let starts: Vec<f64> = captures.iter().map(|capture| number(capture, "capture_start")).collect();
    // The ramp triggers once in 10 ms: each capture is of a later period.
    let periods: Vec<f64> = starts.windows(2).map(|pair| (pair[1] - pair[0]) / 10e-3).collect();
    assert!(
        periods.iter().all(|periods| *periods > 0.9 && (periods - periods.round()).abs() < 1e-3),
        "{periods:?}"
    );
}

#[tokio::test]
async fn device_time_wraps_during_wait() {
    // 32 bits of 25 ns ticks (reference.md#4-a-trace), 20 ms before their end when the device starts.
    let roll_over_s = 4_294_967_296.0 * 25e-9;
    let tick = 4_294_967_296_u64 - 800_000;
    let capture = capture(&format!("A=dc,1V&tick={tick}"), &["--level", "5V", "--timeout", "100ms"]).await;
    let end_s = number(&capture, "capture_start") + 1e-3;
    assert!((roll_over_s + 0.08..roll_over_s + 0.2).contains(&end_s), "{end_s}");
}

#[tokio::test]
async fn summary_of_channel_a_by_default() {
    let finished = scopething(&["capture", "--url", "sim:?A=square,1kHz,0..3V,25%&clock=fast"]).await.done();
    assert_eq!(finished.stderr, "");
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", finished.stdout);
    for part in ["Macro", "1.000 MS/s", "triggered on A rising", "250"] {
        assert!(lines[0].contains(part), "{part} in {}", lines[0]);
    }
    assert!(lines[1].starts_with("A: 1000 samples"), "{}", lines[1]);
    // A period of it, a quarter at 3 V.
    assert!(lines[1].contains("mean 750") || lines[1].contains("mean 749"), "{}", lines[1]);
}

#[tokio::test]
async fn plot_into_a_pipe_is_plain_text() {
    let url = "sim:?A=sine,1kHz,0..3V&B=dc,1V&clock=fast";
    let finished = scopething(&["capture", "A", "B", "L0", "--url", url, "--plot"]).await.done();
    assert_eq!(finished.stderr, "");
    assert!(!finished.stdout.contains('\u{1b}'), "{:?}", finished.stdout);
    assert!(finished.stdout.ends_with('\n') && finished.stdout.lines().count() > 16, "{}", finished.stdout);
    for part in ["V  ", "\u{b5}s", " A ", " B ", "L0"] {
        assert!(finished.stdout.contains(part), "{part} in {}", finished.stdout);
    }
}

#[tokio::test]
async fn plot_beside_json_goes_to_standard_error() {
    let url = "sim:?A=sine,1kHz,0..3V&clock=fast";
    let finished = scopething(&["capture", "--url", url, "--plot", "--json"]).await.done();
    assert_eq!(finished.object()["cause"], "trigger");
    assert!(
        finished.stderr.lines().count() > 16 && !finished.stderr.contains('\u{1b}'),
        "{}",
        finished.stderr
    );
}

//! `scopething stream`: files, summary, gaps, and how it ends.

use std::fs;
use std::path::Path;

use crate::support::{Listening, Running, bounded, program, scopething, scopething_in};
use serde_json::{Value, json};

const FAST: &str = "sim:?A=triangle,1Hz,0..3V&L3=square,50Hz,0..3V&clock=fast";

/// The columns of a table, header and all.
fn columns(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).unwrap();
    let width = text.lines().next().unwrap().split(',').count();
    let field = |line: &str, column: usize| line.split(',').nth(column).unwrap().to_owned();
    (0..width).map(|column| text.lines().map(|line| field(line, column)).collect()).collect()
}

#[tokio::test]
async fn stream_to_every_format() {
    let directory = tempfile::tempdir().unwrap();
    let outputs = ["s.csv", "s.npz", "s.parquet", "s.sr", "s.wav"];
    let mut arguments = vec!["stream", "A", "L3", "--url", FAST, "--for", "2s", "--json"];
    arguments.extend(outputs.iter().flat_map(|output| ["-o", output]));
    let finished = scopething_in(directory.path(), &arguments).await.done();
    let summary = finished.object();
    let part = |keys: &[&str]| keys.iter().map(|key| summary[key].clone()).collect::<Vec<_>>();
    assert_eq!(part(&["ended", "samples", "duration"]), [json!("done"), json!(2000), json!(2.0)]);
    assert_eq!(part(&["sample_rate", "frame_rate", "thinning"]), [json!(1000.0), json!(4000.0), json!(4)]);
    assert_eq!(part(&["lost_frames", "gaps", "columns"]), [json!(0), json!(0), json!(["A", "L3"])]);
    assert_eq!(summary["files"], json!(outputs));
    assert!(outputs.iter().all(|output| fs::metadata(directory.path().join(output)).unwrap().len() > 100));

    let table = columns(&directory.path().join("s.csv"));
    assert_eq!((table.len(), table[0].len()), (4, 2001));
    for (index, time) in table[0][1..].iter().enumerate() {
        assert_eq!(time.parse(), Ok(index as f64 / 1000.0));
    }
    // 3 V up or down in half a second: of a millisecond to the next, 6 mV, and a step of the converter is 53 mV.
    let volts: Vec<f64> = table[1][1..].iter().map(|field| field.parse().unwrap()).collect();
    assert!(volts.windows(2).all(|pair| (pair[1] - pair[0]).abs() < 0.06));
    let (low, high) = volts.iter().fold((9.0_f64, -9.0_f64), |(low, high), &v| (low.min(v), high.max(v)));
    assert!(low.abs() < 0.06 && (high - 3.0).abs() < 0.06, "{low} to {high}");
    // 50 Hz: of 20 rows, ten are high, give or take where the edges fall.
    let high = table[2][1..].iter().filter(|level| *level == "1").count();
    assert!((950..=1050).contains(&high), "{high}");
    assert!(table[3][1..].iter().all(|lost| lost == "0"));
}

/// The tools that files are written for must be there (`.ci/install`).
#[tokio::test]
async fn tools_see_every_sample_of_the_signals() {
    let directory = tempfile::tempdir().unwrap();
    let url = "sim:?A=triangle,1Hz,0..3V&L3=square,50Hz,0..3V&clock=fast";
    let mut arguments = vec!["stream", "A", "L3", "--url", url, "--low=-0.5", "--high", "3.5", "--for", "5s"];
    let outputs = ["stream.csv", "stream.npz", "stream.parquet", "stream.sr", "stream.wav"];
    arguments.extend(outputs.iter().flat_map(|output| ["-o", output]));
    scopething_in(directory.path(), &arguments).await.done();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join("target/python/bin/python");
    let mut open = tokio::process::Command::new(&python);
    open.arg(root.join("tests/clients/open_streams.py")).arg(directory.path());
    let run = bounded("reading streams", open.output()).await;
    let run = run.unwrap_or_else(|error| panic!("{}: {error}; run .ci/install", python.display()));
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let seen: serde_json::Map<String, Value> = serde_json::from_slice(&run.stdout).unwrap();
    let mut tools: Vec<&String> = seen.keys().collect();
    tools.sort();
    let expected = ["numpy npz", "numpy wav", "pandas csv", "pandas pyarrow parquet"];
    assert_eq!(tools, [&expected[..], &["sigrok-cli sr", "sox wav"]].concat());
    for (tool, seen) in &seen {
        assert_eq!(seen["samples"], 5000, "{tool}");
        // Half a step of the converter over 4 V, and what the signal moves in 0.25 ms.
        assert!(seen["off_v"].as_f64().unwrap() < 0.5 * 4.0 / 256.0 + 6.0 * 0.25e-3, "{tool}: {seen}");
        if tool.ends_with("wav") {
            continue;
        }
        assert_eq!((&seen["levels"], &seen["wrong_levels"]), (&json!(5000), &json!(0)), "{tool}");
        // Of ten rows one has an edge.
        assert!(seen["unclear_levels"].as_u64().unwrap() <= 500, "{tool}: {seen}");
        if !tool.starts_with("sigrok") {
            assert!(seen["off_s"].as_f64().unwrap() < 1e-12, "{tool}: {seen}");
        }
    }
}

#[tokio::test]
async fn envelope_keeps_extremes() {
    // A pulse of 1 ms each 100 ms, at ten samples a second.
    let url = "sim:?A=square,10Hz,0..3V,1%&clock=fast";
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["stream", "--url", url, "--rate", "10Hz", "--for", "2s", "--envelope", "-o", "e.csv"];
    scopething_in(directory.path(), &arguments).await.done();
    let table = columns(&directory.path().join("e.csv"));
    assert_eq!(
        table.iter().map(|column| column[0].as_str()).collect::<Vec<_>>(),
        ["time", "A_min", "A_max", "lost"]
    );
    assert_eq!(table[0].len(), 21);
    for (low, high) in table[1].iter().zip(&table[2]).skip(1) {
        let [low, high] = [low, high].map(|field| field.parse::<f64>().unwrap());
        assert!(low.abs() < 0.06 && (high - 3.0).abs() < 0.06, "{low} to {high}");
    }
}

#[tokio::test]
async fn gaps_are_reported_and_times_exact() {
    // 10 kHz x 4 bytes x 10 bits are 400 kbit/s: the link carries half.
    let url = "sim:?A=triangle,1Hz,0..3V&clock=fast&rate=200kbps";
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["stream", "--url", url, "--rate", "10kHz", "--for", "2s", "-o", "g.csv", "--json"];
    let finished = scopething_in(directory.path(), &arguments).await.done();
    let summary = finished.object();
    let number = |key: &str| summary[key].as_u64().unwrap();
    assert!((9_000..11_000).contains(&number("lost_frames")), "{summary}");
    assert!(number("gaps") > 1000 && summary["first_gaps"].as_array().unwrap().len() == 100);
    assert!(
        finished.stderr.contains("frames lost") && finished.stderr.contains("further gaps are counted only")
    );
    let table = columns(&directory.path().join("g.csv"));
    let lost: u64 = table[2][1..].iter().map(|lost| lost.parse::<u64>().unwrap()).sum();
    // What is lost behind the last row is in no row.
    assert!(number("lost_frames") - lost < 10, "{lost} in the rows, {summary}");
    let rows: Vec<(f64, f64)> = (1..table[0].len())
        .map(|row| (table[0][row].parse().unwrap(), table[1][row].parse().unwrap()))
        .collect();
    assert_eq!(rows.len() as u64, number("samples"));
    // The triangle has the value that belongs to the time, on whichever side of its peak: the phase is that of the start.
    let triangle = |time_s: f64| 3.0 * (1.0 - (2.0 * time_s.rem_euclid(1.0) - 1.0).abs());
    let offset = (0..1000).map(|step| f64::from(step) / 1000.0).min_by(|one, other| {
        let error =
            |offset: f64| rows.iter().step_by(97).map(|(t, v)| (triangle(t + offset) - v).abs()).sum::<f64>();
        error(*one).total_cmp(&error(*other))
    });
    let worst = rows.iter().map(|(t, v)| (triangle(t + offset.unwrap()) - v).abs()).fold(0.0, f64::max);
    assert!(worst < 0.07, "{worst} V");
}

#[tokio::test]
async fn envelope_columns_keep_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let files = ["e.npz", "e.parquet"];
    let arguments = ["stream", "--url", FAST, "--envelope", "--for", "1s", "-o", files[0], "-o", files[1]];
    scopething_in(directory.path(), &arguments).await.done();
    for file in files {
        let read = scopething_in(directory.path(), &["convert", file, "-o", "-", "--format", "json"])
            .await
            .done()
            .object();
        let name = |channel: &str| read["channels"][channel]["name"].clone();
        assert_eq!((name("A"), name("B")), ("A_min".into(), "A_max".into()), "{file}");
    }
}

/// Without frames nobody can know how many were lost.
#[tokio::test]
async fn losses_without_frames_are_unknown() {
    let arguments = ["stream", "--url", FAST, "--rate", "10kHz", "--unframed", "--for", "100ms"];
    let report = scopething(&[&arguments[..], &["--json"]].concat()).await.done().object();
    assert_eq!((&report["lost_frames"], &report["gaps"]), (&Value::Null, &Value::Null));
    let text = scopething(&arguments).await.done().stdout;
    assert!(text.contains("losses are not seen without frames") && !text.contains("0 lost"), "{text}");
}

#[tokio::test]
async fn plan_needs_no_device() {
    let plan = scopething(&["stream", "A", "B", "--rate", "20kHz", "--plan", "--json"]).await.done().object();
    assert_eq!((&plan["bytes_per_second"], &plan["frame_bytes"]), (&json!(100e3), &json!(5)));
    assert_eq!(
        (&plan["registers"]["ClockTicks"], &plan["registers"]["TraceMode"]),
        (&json!(2000), &json!(1))
    );
    let text = scopething(&["stream", "--rate", "1kHz", "--plan"]).await.done().stdout;
    assert!(text.contains("4 to a sample") && text.contains("16.00 kB/s"), "{text}");
}

#[tokio::test]
async fn wrong_usage_fails_before_connecting() {
    for (arguments, part) in [
        (&["-o", "x.json"][..], "choose csv, npz, parquet, sr or wav"),
        (&["--rate", "1MHz"], "a stream cannot have a rate of 1 MHz"),
        (&["A", "B", "--unframed"], "several channels need frames to be distinguished"),
        (&["--for", "0s"], "more than zero"),
        (&["--for", "soon"], "not a number"),
        (&["--url", "bridge:///dev/ttyUSB0"], "through a bridge"),
    ] {
        let mut all = vec!["stream"];
        all.extend(if arguments.contains(&"--url") { &[][..] } else { &["--url", FAST] });
        all.extend(arguments);
        let finished = scopething(&all).await.ended(2);
        assert!(finished.stderr.contains(part), "{arguments:?}: {}", finished.stderr);
    }
}

#[tokio::test]
async fn live_plot_without_terminal() {
    let finished = scopething(&["stream", "--url", FAST, "--for", "3s", "--plot"]).await.done();
    assert!(finished.stdout.contains('A') && finished.stdout.contains("3000 samples"), "{}", finished.stdout);
    assert!(!finished.stdout.contains('\x1b'), "{}", finished.stdout);
}

#[tokio::test]
async fn lost_link_keeps_streamed_rows() {
    let directory = tempfile::tempdir().unwrap();
    let url = "sim:?A=dc,1V&clock=fast&faults=close@100000";
    let arguments = ["stream", "--url", url, "-o", "u.csv", "--json"];
    let finished = scopething_in(directory.path(), &arguments).await.ended(1);
    assert!(finished.stderr.contains("receiving a stream"), "{}", finished.stderr);
    let summary: Value = serde_json::from_str(finished.stdout.trim()).unwrap();
    assert_eq!(summary["ended"], "failed");
    let table = columns(&directory.path().join("u.csv"));
    assert_eq!(table[0].len() as u64 - 1, summary["samples"].as_u64().unwrap());
    assert!(table[0].len() > 1000, "{}", table[0].len());
}

/// Completes when rows have been handed to the system.
#[cfg(unix)]
async fn grown(directory: &Path) {
    let has_rows = || {
        let files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
        let mut lengths = files
            .filter(|file| file.file_name().to_string_lossy().contains(".csv"))
            .map(|file| file.metadata().unwrap().len());
        lengths.any(|length| length > 1000)
    };
    while !has_rows() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn interrupts_close_files_and_free_device() {
    for signal in [rustix::process::Signal::INT, rustix::process::Signal::TERM] {
        let directory = tempfile::tempdir().unwrap();
        let mut simulator = Listening::simulate(&["--tcp", "127.0.0.1:0", "--signal", "A=dc 1V"]).await;
        let url = format!("socket://{}", simulator.address("tcp"));
        let arguments = ["stream", "--url", &url, "-o", "i.csv", "-o", "i.npz", "--json"];
        let mut running = Running::start(program(&arguments).current_dir(directory.path()));
        running.until_printed("streaming A").await;
        bounded("the first rows in a file", grown(directory.path())).await;
        running.signal(signal);
        let finished = running.finish().await.done();
        let summary = finished.object();
        assert_eq!(summary["ended"], "stopped");
        let table = columns(&directory.path().join("i.csv"));
        assert_eq!(table[0].len() as u64 - 1, summary["samples"].as_u64().unwrap());
        assert!(table[0].len() > 1, "{signal:?}");
        assert!(directory.path().join("i.npz").exists());
        simulator.running.until_printed("has disconnected").await;
        let again = scopething(&["capture", "--url", &url, "--json", "--timeout", "10ms"]).await.done();
        assert_eq!(again.object()["cause"], "timeout");
    }
}

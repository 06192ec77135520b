//! Every format, opened by the tool that its users open it with: numpy, pandas, polars, a VCD parser and sox.
//!
//! `.ci/install` installs them, the Python ones into `target/python`. `sigrok-cli` has `files_sr.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use scopething_files::{Format, TraceFile};
use scopething_waveform::waveform::{
    Channel, Details, EndReason, Range, Samples, Series, Trigger, TriggerType, Waveform,
};
use serde_json::{Value, json};

const TICK_S: f64 = 1e-6;
const PAIRS: u16 = 200;

/// Sample `pair` of A and of B, in 256ths of a volt within 1 V, which is as far as sox keeps a sample whole.
fn volts(channel: Channel, pair: u16) -> f32 {
    let step = if channel == Channel::A { f32::from(pair) } else { 77.0 - f32::from(pair) };
    step / 256.0
}

fn level(sample: u16) -> u8 {
    u8::from(sample % 5 < 2)
}

/// A chopped pair, A first, beside a logic line that is sampled with each of them.
fn recording() -> Waveform {
    let analog = |channel, start_s| {
        let samples = (0..PAIRS).map(|pair| volts(channel, pair)).collect();
        Series::new(channel, start_s, 2.0 * TICK_S, Samples::Volts(samples))
    };
    let levels = Samples::Levels((0..2 * PAIRS).map(level).collect());
    let channels = vec![
        analog(Channel::A, 0.0),
        analog(Channel::B, TICK_S),
        Series::new(Channel::L[3], 0.0, TICK_S, levels),
    ];
    let trigger =
        Trigger { time_s: 1e-4, level: Some(0.25), kind: TriggerType::Rising, source: "A".to_owned() };
    let details = Details {
        capture_start_s: Some(12.5),
        cause: Some(EndReason::Trigger),
        trigger: Some(trigger),
        range: Some(Range { low: -1.0, high: 1.5 }),
        ranges: Vec::new(),
        mode: Some("MixedChop".to_owned()),
        warnings: vec!["a \"quoted\" µ warning".to_owned()],
        stamp: None,
        settings: None,
    };
    Waveform::new(1.0 / TICK_S, channels, details).unwrap()
}

/// What the tools see of the waveform, each under its name.
fn seen() -> Value {
    let directory = tempfile::tempdir().unwrap();
    for format in [Format::Csv, Format::Json, Format::Npz, Format::Parquet, Format::Vcd, Format::Wav] {
        let path = directory.path().join(format!("capture.{format}"));
        let mut file = TraceFile::create(&path, format).unwrap();
        file.write(&recording()).unwrap();
        file.commit().unwrap();
    }
    let mut file = TraceFile::create_for(&directory.path().join("several.csv"), Format::Csv, true).unwrap();
    (0..3).for_each(|_| file.write(&recording()).unwrap());
    file.commit().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join("target/python/bin/python");
    let script: PathBuf = root.join("tests/clients/open_files.py");
    let run = Command::new(&python).arg(script).arg(directory.path()).output();
    let run = run.unwrap_or_else(|error| panic!("{}: {error}; run .ci/install", python.display()));
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_slice(&run.stdout).unwrap()
}

/// What a tool saw of a channel: times in seconds, and samples.
#[track_caller]
fn channel(seen: &Value, tool: &str, name: &str) -> Vec<(f64, f64)> {
    let numbers = |key: &str| {
        let list = seen[tool][name][key].as_array();
        let list = list.unwrap_or_else(|| panic!("{tool} saw no {key} of {name}"));
        list.iter().map(|number| number.as_f64().unwrap()).collect::<Vec<f64>>()
    };
    let (times_s, samples) = (numbers("times"), numbers("samples"));
    assert_eq!(times_s.len(), samples.len(), "{tool} {name}");
    times_s.into_iter().zip(samples).collect()
}

#[track_caller]
fn assert_same(tool: &str, name: &str, seen: &[(f64, f64)], expected: &[(f64, f64)]) {
    assert_eq!(seen.len(), expected.len(), "{tool} {name}");
    for (index, (seen, expected)) in seen.iter().zip(expected).enumerate() {
        // polars' and vcdvcd's times are off by a rounding.
        assert!((seen.0 - expected.0).abs() < 1e-12, "{tool} {name} {index}: {seen:?}, {expected:?}");
        assert_eq!(seen.1, expected.1, "{tool} {name} sample {index}");
    }
}

#[test]
fn every_tool_sees_the_samples_that_were_written() {
    let seen = seen();
    let analog = |channel, turn: f64| -> Vec<(f64, f64)> {
        let pairs = (0..PAIRS).map(|pair| (f64::from(pair), f64::from(volts(channel, pair))));
        pairs.map(|(pair, volts)| ((2.0 * pair + turn) * TICK_S, volts)).collect()
    };
    let (a, b) = (analog(Channel::A, 0.0), analog(Channel::B, 1.0));
    let samples = (0..2 * PAIRS).map(|sample| (f64::from(sample) * TICK_S, f64::from(level(sample))));
    let line: Vec<(f64, f64)> = samples.collect();
    // In a table, each row has the latest sample of every channel.
    let held = |samples: &[(f64, f64)]| -> Vec<(f64, f64)> {
        let latest = |&(time_s, _): &(f64, f64)| {
            let before = samples.iter().rev().find(|sample| sample.0 < time_s + 1e-12)?;
            Some((time_s, before.1))
        };
        line.iter().filter_map(latest).collect()
    };
    let (held_a, held_b) = (held(&a), held(&b));
    let tables = ["pandas csv", "pandas pyarrow parquet", "polars csv"];
    for tool in tables.into_iter().chain(["polars parquet"]) {
        for (name, expected) in [("A", &held_a), ("B", &held_b), ("L3", &line)] {
            assert_same(tool, name, &channel(&seen, tool, name), expected);
        }
    }
    for tool in ["numpy npz", "pandas json"] {
        for (name, expected) in [("A", &a), ("B", &b), ("L3", &line)] {
            assert_same(tool, name, &channel(&seen, tool, name), expected);
        }
    }
    // A dump holds changes. The ramps change with each sample, the logic line does not.
    let changes = line.iter().zip([(0.0, 2.0)].iter().chain(&line));
    let changes: Vec<_> =
        changes.filter(|(sample, before)| sample.1 != before.1).map(|(sample, _)| *sample).collect();
    for (name, expected) in [("A", &a), ("B", &b), ("L3", &changes)] {
        assert_same("vcdvcd vcd", name, &channel(&seen, "vcdvcd vcd", name), expected);
    }
    // Audio has both channels at the same times, and no logic.
    let b_with_a: Vec<_> = b.iter().map(|&(time_s, volts)| (time_s - TICK_S, volts)).collect();
    for (name, expected) in [("A", &a), ("B", &b_with_a)] {
        assert_same("sox wav", name, &channel(&seen, "sox wav", name), expected);
        assert_same("wave wav", name, &channel(&seen, "wave wav", name), expected);
    }
    let several = &seen["pandas traces"];
    assert_eq!(several["rows"], json!([2 * PAIRS, 2 * PAIRS, 2 * PAIRS]));
    let kinds = json!({"trace": "int64", "time": "float64", "A": "float64", "B": "float64", "L3": "int64"});
    assert_eq!(several["kinds"], kinds);
    about_the_capture_is_known(&seen);
}

fn about_the_capture_is_known(seen: &Value) {
    let warning = "a \"quoted\" µ warning";
    let arrays = &seen["numpy npz"]["about"];
    for (key, value) in [
        ("sample_rate", json!(1e6)),
        ("capture_start", json!(12.5)),
        ("trigger_time", json!(1e-4)),
        ("trigger_level", json!(0.25)),
        ("trigger_type", json!("rising")),
        ("trigger_source", json!("A")),
        ("range_low", json!(-1.0)),
        ("range_high", json!(1.5)),
        ("cause", json!("trigger")),
        ("mode", json!("MixedChop")),
    ] {
        assert_eq!(arrays[key], value, "{key} for numpy");
        // Parquet's metadata are texts.
        let text = &seen["pandas pyarrow parquet"]["about"][key];
        let text = text.as_str().unwrap_or_else(|| panic!("no {key} in Parquet's metadata"));
        match value.as_f64() {
            Some(number) => assert_eq!(text.parse(), Ok(number), "{key} of Parquet"),
            None => assert_eq!(value, text, "{key} of Parquet"),
        }
    }
    assert_eq!(arrays["warnings"], json!([warning]));
    let warnings = seen["pandas pyarrow parquet"]["about"]["warnings"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(warnings).unwrap(), json!([warning]));
    assert_eq!(
        seen["pandas json"]["about"],
        json!({"sample_rate": 1e6, "cause": "trigger", "mode": "MixedChop"})
    );
}

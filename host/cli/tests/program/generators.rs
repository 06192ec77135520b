//! `scopething wave`, `clock` and `hold`, and what captures see of them.

use std::f64::consts::TAU;

use crate::support::{
    Finished, Listening, Running, assert_wrong_usage, number, program, scopething, scopething_in,
    scopething_reading, series,
};
use serde_json::{Value, json};

const VECTORS: &str = include_str!("../../../../tests/data/generator.jsonl");
/// A and B see what the generators make (design of the simulator).
const FAST: &str = "sim:?clock=fast";
/// The primary clock (reference.md#5-trace-modes), in hertz.
const CLOCK_HZ: f64 = 40e6;

async fn solved(arguments: &[&str]) -> Value {
    let finished = scopething(&[arguments, &["--solve", "--json"]].concat()).await.done();
    assert_eq!(finished.stderr, "");
    finished.object()
}

#[tokio::test]
async fn solution_matches_registers() {
    for frequency in [1000.0, 2063.0, 22_050.0, 0.7] {
        let text = format!("{frequency}Hz");
        let wave = solved(&["wave", "triangle", &text, "0.5..2.5V", "max-error=1%"]).await;
        let [size, waves, ticks] = ["size", "waves", "ticks"].map(|key| number(&wave, key));
        let actual = CLOCK_HZ * waves / (size * ticks);
        assert!((number(&wave, "actual") / actual - 1.0).abs() < 1e-12, "{wave}");
        assert!((number(&wave, "frequency_error") - (actual / frequency - 1.0)).abs() < 1e-12, "{wave}");
        assert!((number(&wave, "samples_per_period") - size / waves).abs() < 1e-9, "{wave}");
        // 2 V of 3.3 V in steps of 8 bits.
        assert!((number(&wave, "amplitude_steps") - 2.0 / 3.3 * 256.0).abs() <= 1.0, "{wave}");
        let played = &wave["steps"][4];
        assert_eq!((number(played, "Modulo"), number(played, "Clock")), (size, ticks), "{wave}");
    }
}

#[tokio::test]
async fn words_equal_options() {
    let options = ["--shape=square", "--frequency", "2kHz", "--ratio", "30%", "--low=0.5", "--high", "2.5V"];
    let expected = solved(&["wave", "square", "2kHz", "500mV..2.5V", "0.3e2%"]).await;
    assert_eq!(solved(&[&["wave"][..], &options].concat()).await, expected);
    // Options go before words.
    assert_eq!(solved(&[&["wave", "sine 5Hz 0..3V 10%"][..], &options].concat()).await, expected);
    let limits = solved(&["wave", "100kHz", "--min-samples", "10", "--max-error", "1%"]).await;
    assert_eq!(limits, solved(&["wave", "100kHz min-samples=10 max-error=1%"]).await);
    let clock = solved(&["clock", "1MHz", "L4", "30%", "phase", "90deg"]).await;
    let options = ["--frequency=1MHz", "--line=L4", "--duty", "0.3", "--phase", "25%"];
    assert_eq!(solved(&[&["clock"][..], &options].concat()).await, clock);
    // 40 ticks a period: 12 of them high, from the tenth on.
    assert_eq!(clock["actual"], json!([1e6, 0.3]));
    assert_eq!(clock["outputs"], json!([{"line": "L4", "phase": 0.25, "duty": 0.3}]));
    let registers = ["Clock", "Rise", "Fall", "Map4"].map(|name| number(&clock["steps"][0], name));
    assert_eq!(registers, [40.0, 10.0, 22.0, 0x12.into()]);
}

#[tokio::test]
async fn solution_as_text() {
    let finished = scopething(&["wave", "--solve", "sine", "3kHz"]).await.done();
    for part in ["sine", "3.00000000 kHz, exact", "samples a period", "amplitude steps   255"] {
        assert!(finished.stdout.contains(part), "{part} in {}", finished.stdout);
    }
    let finished = scopething(&["clock", "--solve", "10kHz L4, L5 40% phase 90deg"]).await.done();
    for part in ["10.0000000 kHz", "L4, 50.0000 % high, phase 0", "L5, 40.0000 % high, phase 90"] {
        assert!(finished.stdout.contains(part), "{part} in {}", finished.stdout);
    }
}

#[tokio::test]
async fn batch_is_never_further_off_than_recorded() {
    let vectors: Vec<Value> = VECTORS.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let by_wave = scopething_reading(VECTORS.as_bytes(), &["wave", "--batch"]).await.done();
    let by_clock = scopething_reading(VECTORS.as_bytes(), &["clock", "--batch", "--solve"]).await.done();
    assert_eq!(by_wave.stdout, by_clock.stdout);
    let answers = by_wave.objects();
    assert_eq!(answers.len(), vectors.len());
    let (mut met, mut met_anyway, mut refused) = (0, 0, 0);
    for (vector, answer) in vectors.iter().zip(&answers) {
        let (wanted, expected) = (number(&vector["args"], "frequency"), &vector["expect"]);
        let frequency = |of: &Value| {
            let of_clock = of["actual"].as_array().map(|actual| &actual[0]);
            of_clock.unwrap_or(&of["actual"]).as_f64()
        };
        match (frequency(answer), frequency(expected)) {
            (Some(ours), Some(theirs)) => {
                // The recorded frequency has rounding errors of its own.
                let slack = theirs * 1e-12;
                assert!((ours - wanted).abs() <= (theirs - wanted).abs() + slack, "{answer} for {vector}");
                let commands = |of: &Value| -> Vec<Value> {
                    of["steps"].as_array().unwrap().iter().filter(|step| step.is_string()).cloned().collect()
                };
                let mut expected = commands(expected);
                if vector["kind"] == "clock" {
                    // The maps of logic lines take effect at an update, which the known driver leaves to its next capture.
                    expected.insert(0, json!("U"));
                }
                assert_eq!(commands(answer), expected, "{vector}");
                met += 1;
            }
            (Some(_), None) => met_anyway += 1,
            (None, None) => {
                assert_eq!(answer["error"], expected["error"], "{vector}");
                assert!(answer["message"].as_str().is_some_and(|why| why.contains("ask for")), "{answer}");
                refused += 1;
            }
            (None, Some(_)) => panic!("{answer} for {vector}"),
        }
    }
    println!("{met} met, {met_anyway} met that were refused, {refused} refused");
    assert_eq!((met, met_anyway + refused), (179, 61));
}

#[tokio::test]
async fn batch_answers_invalid_lines() {
    let good = r#"{"args": {"frequency": 1000}}"#;
    let bad = ["sine 1kHz", "{}", r#"{"args": {}}"#, r#"{"kind": "noise", "args": {"frequency": 1}}"#];
    let lines: Vec<&str> = bad.iter().flat_map(|line| [*line, good]).collect();
    let finished = scopething_reading(lines.join("\n").as_bytes(), &["wave", "--batch"]).await.done();
    let answers = finished.objects();
    assert_eq!(answers.len(), lines.len());
    for pair in answers.chunks(2) {
        assert_eq!((&pair[0]["error"], &pair[1]["actual"]), (&json!("request"), &json!(1000.0)));
    }
}

/// Volts of A with the waveform playing, at once and without a trigger, and seconds from one to the next.
async fn played(wave: &str, period: &str) -> (Vec<f64>, f64) {
    let arguments = ["capture", "--url", FAST, "--wave", wave, "--period", period, "--samples", "4000"];
    let arguments = [&arguments[..], &["--timeout", "0", "--json"]].concat();
    let finished = scopething(&arguments).await.done();
    assert!(finished.stderr.contains("the waveform generator plays"), "{}", finished.stderr);
    let capture = finished.object();
    (series(&capture, "A", "samples"), 1.0 / number(&capture, "sample_rate"))
}

/// Where the volts rise through a level, in samples.
fn rises(volts: &[f64], level: f64) -> Vec<f64> {
    let pairs = volts.windows(2).enumerate().filter(|(_, pair)| pair[0] < level && pair[1] >= level);
    pairs.map(|(index, pair)| index as f64 + (level - pair[0]) / (pair[1] - pair[0])).collect()
}

/// A shape between 0 and 1 at a part of the period, which begins in the middle of its rise.
type Ideal = fn(f64) -> f64;

/// What sine, triangle and square are; an exponential is only named (reference.md#9-generators).
const SHAPES: [(&str, Option<Ideal>); 4] = [
    ("sine", Some(|part| 0.5 + 0.5 * (TAU * part).sin())),
    // Rises by 2 a period in its first and last quarter, and falls as much in between.
    ("triangle", Some(|part| 1.0 - 2.0 * ((part + 0.25).rem_euclid(1.0) - 0.5).abs())),
    ("square", Some(|part| if part < 0.5 { 1.0 } else { 0.0 })),
    ("exponential", None),
];

#[tokio::test]
async fn each_shape_comes_out_at_five_frequencies() {
    for (shape, ideal) in SHAPES {
        for frequency_hz in [5.0, 123.4, 1e3, 7777.0, 20e3] {
            // A hundred periods of 40 samples.
            let period = format!("{}s", 100.0 / frequency_hz);
            let (volts, sample_s) = played(&format!("{shape} {frequency_hz}Hz 0.5..2.5V"), &period).await;
            let rises = rises(&volts, 1.5);
            let periods = (rises.len() - 1) as f64;
            let period_samples = (rises[rises.len() - 1] - rises[0]) / periods;
            let found_hz = 1.0 / (period_samples * sample_s);
            // An edge lies between two samples, one at either end of so many periods; and 1e-4 is allowed.
            let slack = 2.0 / (periods * period_samples) + 1e-4;
            assert!(
                (found_hz / frequency_hz - 1.0).abs() <= slack,
                "{shape} of {frequency_hz} is {found_hz} Hz"
            );
            let Some(ideal) = ideal else { continue };
            // A sample of the waveform and one of the capture beside its edges a square may be on either
            // side.
            let is_edge =
                |part: f64| (part * 2.0 - (part * 2.0).round()).abs() < 2.0 * (1.0 / 40.0 + 1.0 / 50.0);
            let off: Vec<f64> = volts
                .iter()
                .enumerate()
                .map(|(index, volts)| (((index as f64 - rises[0]) / period_samples).rem_euclid(1.0), volts))
                .filter(|(part, _)| shape != "square" || !is_edge(*part))
                .map(|(part, volts)| volts - (0.5 + 2.0 * ideal(part)))
                .collect();
            assert!(off.len() > 3000, "{}", off.len());
            let rms = (off.iter().map(|off| off * off).sum::<f64>() / off.len() as f64).sqrt();
            // Samples are held for up to a 50th of a period, and have 8 bits of 13.5 V.
            assert!(rms < 0.07, "{shape} of {frequency_hz} Hz: {rms} V");
        }
    }
}

#[tokio::test]
async fn own_samples_come_out_in_their_order() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("stairs.csv"), "# four steps\n0.125,0.375\n0.625,0.875\n").unwrap();
    let arguments = ["capture", "--url", FAST, "--wave", "file:stairs.csv 100Hz", "--period", "20ms"];
    let arguments = [&arguments[..], &["--samples", "2000", "--timeout", "0", "--json"]].concat();
    let capture = scopething_in(directory.path(), &arguments).await.done().object();
    let mut steps: Vec<i64> =
        series(&capture, "A", "samples").iter().map(|volts| (volts / 3.3 * 4.0).floor() as i64).collect();
    steps.dedup();
    assert!((8..=9).contains(&steps.len()), "{steps:?}");
    assert!(steps.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 4), "{steps:?}");
    let arguments = ["wave", "--samples", "stairs.csv", "--frequency", "100Hz", "--solve", "--json"];
    let solved = scopething_in(directory.path(), &arguments).await.done().object();
    // 256ths, each held for a quarter of the table.
    let table: Vec<f64> =
        solved["steps"][1]["W"].as_array().unwrap().iter().map(|b| b.as_f64().unwrap()).collect();
    let wanted: Vec<f64> = (0..1024).map(|index| [32.0, 96.0, 160.0, 224.0][index / 256]).collect();
    assert_eq!(table, wanted);
}

#[tokio::test]
async fn driven_lines_are_left_out_with_warning() {
    let cases = [
        ("--wave", "sine 1kHz", &["L4"][..]),
        ("--clock", "10kHz 30%", &["L5"]),
        ("--clock", "10kHz L0, L3 phase 90deg", &["L0", "L3"]),
        ("--hold", "L1=1,L2=0", &["L1", "L2"]),
    ];
    for (option, value, driven) in cases {
        let arguments = ["capture", "L", "--url", FAST, "--timeout", "0", "--json", option, value];
        let finished = scopething(&arguments).await.done();
        let reason = format!("not captured: {0}; a generator drives {0}", driven.join(","));
        assert!(finished.stderr.contains(&reason), "{reason} in {}", finished.stderr);
        let capture = finished.object();
        let captured: Vec<&String> = capture["channels"].as_object().unwrap().keys().collect();
        let all = (0..8).map(|line| format!("L{line}"));
        let wanted: Vec<String> = all.filter(|line| !driven.contains(&line.as_str())).collect();
        assert_eq!(captured, wanted.iter().collect::<Vec<_>>());
        let planned = scopething(&["plan", "L", "--json", option, value]).await.done().object();
        assert!(
            planned["warnings"][0].as_str().is_some_and(|reported| reported.contains(&reason)),
            "{planned}"
        );
        assert!(!planned["generator"]["actual"].is_null(), "{planned}");
    }
}

#[tokio::test]
async fn trigger_uses_a_free_line() {
    let arguments = ["capture", "L", "--url", FAST, "--json", "--hold", "L0=0"];
    let capture = scopething(&arguments).await.done().object();
    assert_eq!((&capture["cause"], &capture["trigger"]["source"]), (&json!("trigger"), &json!("L1=1")));
    let held = ["capture", "L0", "L3", "--url", FAST, "--hold", "L0=0,L3=1"];
    let refused = scopething(&held).await.refused(2);
    assert!(refused.contains("every line asked for is held or driven"), "{refused}");
}

#[tokio::test]
async fn audio_of_a_period_is_a_waveform() {
    let directory = tempfile::tempdir().unwrap();
    // By Python's own module: a sawtooth over the whole range of 16 bits, in 256 steps of four samples.
    let script = "import struct, wave\n\
        file = wave.open('saw.wav', 'wb')\n\
        file.setparams((1, 2, 48000, 0, 'NONE', ''))\n\
        file.writeframes(b''.join(struct.pack('<h', 256 * (index // 4) - 32768) for index in range(1024)))\n\
        file.close()";
    let mut python = tokio::process::Command::new("python3");
    let written = python.args(["-c", script]).current_dir(directory.path()).status().await.unwrap();
    assert!(written.success());
    let arguments = ["wave", "file:saw.wav", "100Hz", "--solve", "--json"];
    let solved = scopething_in(directory.path(), &arguments).await.done().object();
    let table: Vec<u64> =
        solved["steps"][1]["W"].as_array().unwrap().iter().map(|b| b.as_u64().unwrap()).collect();
    assert!(table.iter().copied().eq((0..1024).map(|index| index / 4)), "{table:?}");
}

/// A and B are clipped to the clock while it runs.
#[tokio::test]
async fn clock_has_its_frequency_and_duty() {
    let arguments = ["capture", "A", "--url", FAST, "--clock", "10kHz 30%", "--period", "2ms"];
    let arguments = [&arguments[..], &["--samples", "4000", "--timeout", "0", "--json"]].concat();
    let capture = scopething(&arguments).await.done().object();
    let volts = series(&capture, "A", "samples");
    let rises = rises(&volts, 1.65);
    let period_s =
        (rises[rises.len() - 1] - rises[0]) / (rises.len() - 1) as f64 / number(&capture, "sample_rate");
    assert!((period_s - 1e-4).abs() <= 2.0 * 0.5e-6 / (rises.len() - 1) as f64, "{period_s} s");
    let whole = &volts[rises[0].ceil() as usize..rises[rises.len() - 1].ceil() as usize];
    let high = whole.iter().filter(|&&volts| volts > 1.65).count() as f64 / whole.len() as f64;
    assert!((high - 0.3).abs() <= 1.0 / 200.0, "{high}");
}

#[tokio::test]
async fn generator_runs_for_the_time_given() {
    for (command, words) in [("wave", "sine 1kHz"), ("clock", "1MHz 50%"), ("hold", "L3=1")] {
        let arguments = [command, words, "--url", "sim:", "--for", "300ms", "--json"];
        let finished = scopething(&arguments).await.done();
        assert!(!finished.object()["actual"].is_null(), "{}", finished.stdout);
        assert!(finished.took.as_secs_f64() >= 0.3, "{:?}", finished.took);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn generator_runs_until_an_interrupt() {
    let cases: [&[&str]; 4] = [
        &["wave", "sine 1kHz"],
        &["clock", "1MHz 50%"],
        &["hold", "L3=1"],
        // More than a clock counts.
        &["wave", "sine 1kHz", "--for", "1e19s"],
    ];
    for arguments in cases {
        let mut running = Running::start(&mut program(&[arguments, &["--url", "sim:", "--json"]].concat()));
        let reported: Value = serde_json::from_str(&running.line().await).unwrap();
        assert!(!reported["actual"].is_null(), "{reported}");
        running.until_printed("until Ctrl-C").await;
        running.interrupt();
        let Finished { stdout, stderr, .. } = running.finish().await.done();
        assert_eq!((stdout.as_str(), stderr.as_str()), ("", "generating until Ctrl-C\n"));
    }
}

#[tokio::test]
async fn lost_device_while_generating_is_noticed() {
    let simulator = Listening::simulate(&["--tcp", "127.0.0.1:0"]).await;
    let url = format!("socket://{}", simulator.address("tcp"));
    let mut running = Running::start(&mut program(&["wave", "sine 1kHz", "--url", &url]));
    running.until_printed("until Ctrl-C").await;
    drop(simulator);
    let finished = running.finish().await.ended(1);
    assert!(finished.stderr.contains("error: "), "{}", finished.stderr);
}

/// Arguments that make no sense, and parts of the errors: what is wrong, and what would be
/// right.
const WRONG_USAGE: &[(&[&str], &[&str])] = &[
    (&["wave"], &["no frequency", "sine 1kHz"]),
    (&["wave", "sine"], &["no frequency", "sine 1kHz"]),
    (&["wave", "saw", "1kHz"], &["\"saw\"", "sine, triangle, exponential or square"]),
    (&["wave", "sine", "NaN"], &["\"NaN\""]),
    (&["wave", "--frequency", "NaN"], &["\"NaN\"", "50Hz or 20kHz"]),
    (&["wave", "--frequency", "-1kHz"], &["-1000 Hz", "more than 0"]),
    (&["wave", "sine", "0Hz"], &["0 Hz", "more than 0"]),
    (&["wave", "1e-9"], &["ask for", "nearest"]),
    (&["wave", "100kHz"], &["ask for", "24242.4"]),
    (&["wave", "1kHz", "--low", "NaN"], &["\"NaN\"", "3.3V or 500mV"]),
    (&["wave", "1kHz", "--low", "-1V"], &["-1 V", "0 V to 3.3 V"]),
    (&["wave", "1kHz", "2..1V"], &["2 V to 1 V", "low below the high"]),
    (&["wave", "1kHz", "0..5V"], &["5 V", "0 V to 3.3 V"]),
    (&["wave", "1kHz", "--ratio", "-0.5"], &["-0.5", "0 to 1"]),
    (&["wave", "1kHz", "150%"], &["1.5", "0 to 1"]),
    (&["wave", "1kHz", "--min-samples", "0"], &["0 samples", "2 to 1024"]),
    (&["wave", "1kHz", "--min-samples", "1025"], &["1025 samples", "2 to 1024"]),
    (&["wave", "1kHz", "--min-samples", "-3"], &["-3", "whole number"]),
    (&["wave", "1kHz", "--min-samples", "100k"], &["100k", "whole number"]),
    (&["wave", "1kHz", "--max-error", "-1%"], &["-0.01", "0 or more"]),
    (&["wave", "1kHz", "--for", "-1s"], &["-1s", "0 s or more"]),
    (&["wave", "1kHz", "--for", "soon"], &["soon", "1ms, 2.5us"]),
    (&["clock"], &["no frequency", "1MHz 50%"]),
    (&["clock", "NaN"], &["\"NaN\""]),
    (&["clock", "--frequency", "-1MHz"], &["-1000000 Hz", "more than 0"]),
    (&["clock", "30MHz"], &["ask for", "20000000 Hz"]),
    (&["clock", "1Hz"], &["ask for", "610.36"]),
    (&["clock", "1MHz", "200%"], &["2 on L5", "0 to 1"]),
    (&["clock", "1MHz", "phase", "2"], &["2 on L5", "0 to below 1"]),
    (&["clock", "1MHz L4, L4"], &["two clock outputs on L4"]),
    (&["clock", "1MHz L0, L1, L2, L3"], &["4 clock outputs", "3 at most"]),
    (&["clock", "1MHz L4, L5", "--duty", "0.5"], &["a single clock"]),
    (&["hold", "L0=1,L1=1,L2=1,L3=1"], &["4 clock outputs", "3 at most"]),
    (&["hold", "A"], &["L3=1,L5=0"]),
    (&["hold"], &["<LEVELS>"]),
    (&["capture", "--wave", "sine 1kHz", "--clock", "1MHz"], &["one of --wave, --clock and --hold"]),
    (&["plan", "--clock", "1MHz", "--hold", "L3=1"], &["one of --wave, --clock and --hold"]),
];

#[tokio::test]
async fn wrong_usage_is_rejected_with_advice() {
    assert_wrong_usage(WRONG_USAGE).await;
}

#[tokio::test]
async fn file_without_samples_fails() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("many.txt"), "0 ".repeat(1025)).unwrap();
    std::fs::write(directory.path().join("nan.txt"), "0\nNaN\n").unwrap();
    std::fs::write(directory.path().join("binary.txt"), [0xff, 0xfe]).unwrap();
    for (file, part) in [
        ("missing.txt", "missing.txt cannot be read"),
        ("many.txt", "1025 samples: give 2 to 1024"),
        ("nan.txt", "line 2 of nan.txt: \"NaN\""),
        ("binary.txt", "no text file"),
    ] {
        let by_option =
            scopething_in(directory.path(), &["wave", "1kHz", "--solve", "--samples", file]).await;
        let message = by_option.refused(1);
        assert!(message.contains(part), "{part} in {message}");
        let wave = format!("file:{file} 1kHz");
        let message =
            scopething_in(directory.path(), &["capture", "--url", FAST, "--wave", &wave]).await.refused(1);
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[tokio::test]
async fn help_has_examples_and_words() {
    for command in ["wave", "clock", "hold", "calibrate", "shell"] {
        let finished = scopething(&[command, "--help"]).await.done();
        assert!(
            finished.stdout.contains(&format!("Examples:\n  scopething {command}")),
            "{}",
            finished.stdout
        );
    }
}

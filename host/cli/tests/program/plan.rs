//! `scopething plan`: one request, and requests by the line.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::support::{Finished, bounded, number, program, scopething, scopething_reading};

const VECTORS: &str = include_str!("../../../../tests/data/plan.jsonl");

async fn answers(lines: &[&str]) -> Vec<Value> {
    let finished = scopething_reading(lines.join("\n").as_bytes(), &["plan", "--batch"]).await.done();
    assert_eq!(finished.stderr, "");
    finished.objects()
}

#[tokio::test]
async fn batch_answers_every_recorded_request() {
    let lines: Vec<&str> = VECTORS.lines().collect();
    let answers = answers(&lines).await;
    assert_eq!(answers.len(), 400);
    let (mut same, mut nearly, mut refused) = (0, 0, 0);
    for (line, answer) in lines.into_iter().zip(answers) {
        let vector: Value = serde_json::from_str(line).unwrap();
        let expected = &vector["expect"];
        if expected["registers"].is_object() {
            assert_eq!(answer, json!({"registers": expected["registers"]}), "{line}");
            same += 1;
        } else if answer["registers"].is_object() {
            assert!(answer["adjusted"].as_str().is_some_and(|text| !text.is_empty()), "{answer} to {line}");
            nearly += 1;
        } else {
            assert_eq!(answer["error"], expected["error"], "{line}");
            assert!(answer["message"].as_str().is_some_and(|text| !text.is_empty()), "{answer} to {line}");
            refused += 1;
        }
    }
    println!("{same} the same, {nearly} met nearly, {refused} refused");
    assert_eq!((same, nearly + refused), (347, 53));
}

/// Lines that are no request, and a part of the error for each.
const MALFORMED: [(&str, &str); 10] = [
    ("period 1ms", "expected value"),
    ("{", "EOF"),
    ("[]", "not a capture request"),
    ("{\"channels\": [\"A\"]}", "args"),
    ("{\"args\": {\"perod\": 1}}", "perod"),
    ("{\"args\": {\"channels\": [\"C\"]}}", "\"C\""),
    ("{\"args\": {\"trigger\": {\"L9\": 1}}}", "L9"),
    ("{\"args\": {\"trigger_type\": \"up\"}}", "\"up\""),
    ("{\"args\": {\"nsamples\": 1.5}}", "1.5"),
    ("{\"args\": {\"period\": 1e999}}", "number out of range"),
];

#[tokio::test]
async fn batch_answers_invalid_lines() {
    let good = "{\"args\": {}}";
    let lines: Vec<&str> = MALFORMED.iter().flat_map(|(line, _)| [*line, good]).collect();
    let answers = answers(&lines).await;
    assert_eq!(answers.len(), lines.len());
    for (pair, (line, part)) in answers.chunks(2).zip(MALFORMED) {
        assert_eq!(pair[0]["error"], "request", "{line}");
        assert!(pair[0]["message"].as_str().is_some_and(|text| text.contains(part)), "{}", pair[0]);
        assert!(pair[1]["registers"].is_object(), "{} after {line}", pair[1]);
    }
}

#[tokio::test]
async fn invalid_or_endless_line_is_malformed() {
    let good = b"{\"args\": {}}\n".as_slice();
    let endless = [vec![b' '; 3 << 20], b"{\"args\": {}}\n".to_vec()].concat();
    let input = [good, b"{\"args\": \xff}\n", good, b"\n\r\n", &endless, good].concat();
    let finished = scopething_reading(&input, &["plan", "--batch"]).await.done();
    let kinds: Vec<bool> = finished.objects().iter().map(|answer| answer["error"] == "request").collect();
    assert_eq!(kinds, [false, true, false, true, false], "{}", finished.stdout);
}

#[tokio::test]
async fn unmeetable_requests_are_rejected() {
    let refused = [
        json!({"period": 0}),
        json!({"period": -1}),
        json!({"period": 1e300}),
        json!({"period": 1e-300}),
        json!({"period": 1000}),
        json!({"nsamples": 0}),
        json!({"channels": []}),
        json!({"low": 1, "high": 1}),
        json!({"trigger_position": 1.5}),
        json!({"timeout": -1}),
        json!({"trigger": {}}),
    ];
    let lines: Vec<String> = refused.iter().map(|args| json!({"args": args}).to_string()).collect();
    let answers = answers(&lines.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(answers.len(), lines.len());
    for (line, answer) in lines.iter().zip(answers) {
        assert!(answer["error"].is_string() && answer["registers"].is_null(), "{answer} to {line}");
        assert!(answer["message"].as_str().is_some_and(|text| text.len() > 10), "{answer} to {line}");
    }
}

#[tokio::test]
async fn batch_answers_line_by_line() {
    let mut child = program(&["plan", "--batch"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
    for samples in [100, 200] {
        let line = format!("{{\"args\": {{\"nsamples\": {samples}}}}}\n");
        input.write_all(line.as_bytes()).await.unwrap();
        let answer = bounded("an answer", output.next_line()).await.unwrap().unwrap();
        assert!(answer.contains("registers"), "{answer}");
    }
    drop(input);
    assert_eq!(bounded("the end", output.next_line()).await.unwrap(), None);
    assert!(bounded("the end", child.wait()).await.unwrap().success());
}

/// 4000 samples in 1 ms: 10 ticks of 25 ns. The next mode in the table of reference.md#5-trace-modes is
/// `AnalogFast`, 8 to 14.
const FAST: [&str; 6] = ["plan", "A", "--period", "1ms", "--samples", "4000"];
/// The modes before it: Macro has 40 ticks at the least and Analog 15, so that they reach 1 MS/s and 2.667
/// MS/s.
const REFUSED: [(&str, &str); 4] = [
    ("Macro", "1.000 MS/s"),
    ("MacroChop", "other channels"),
    ("Analog", "2.667 MS/s"),
    ("AnalogChop", "other channels"),
];

#[tokio::test]
async fn one_plan_for_programs() {
    let plan = scopething(&[&FAST[..], &["--json"]].concat()).await.done().object();
    assert_eq!(plan["mode"], "AnalogFast");
    assert_eq!((number(&plan, "sample_rate"), number(&plan, "samples")), (4e6, 4000.0));
    assert!((number(&plan, "period") - 1e-3).abs() < 1e-12, "{plan}");
    assert_eq!(number(&plan, "pre_trigger_samples"), 1000.0);
    // reference.md#5-trace-modes: mode 4 into buffer mode 0, a byte a sample.
    let registers = &plan["registers"];
    let mode = ["TraceMode", "BufferMode", "ClockTicks", "ClockScale"].map(|name| number(registers, name));
    assert_eq!(mode, [4.0, 0.0, 10.0, 1.0]);
    assert_eq!(number(&plan, "dump_bytes"), 4000.0);
    assert_eq!((&plan["adjusted"], &plan["warnings"]), (&json!([]), &json!([])));
    let refused = plan["refused"].as_array().unwrap();
    let modes: Vec<&str> = refused.iter().filter_map(|mode| mode["mode"].as_str()).collect();
    assert_eq!(modes, REFUSED.map(|(mode, _)| mode));
    for (mode, (_, why)) in refused.iter().zip(REFUSED) {
        assert!(mode["why"].as_str().is_some_and(|text| text.contains(why)), "{mode}");
    }
}

#[tokio::test]
async fn one_plan_to_read() {
    let Finished { stdout, stderr, .. } = scopething(&FAST).await.done();
    assert_eq!(stderr, "");
    for part in ["AnalogFast", "4.000000 MS/s", "4000 over 1.000000 ms", "1000 samples before"] {
        assert!(stdout.contains(part), "{part} in {stdout}");
    }
    let refused: Vec<&str> = stdout.lines().skip_while(|line| !line.contains("refused")).skip(1).collect();
    assert_eq!(refused.len(), REFUSED.len(), "{stdout}");
    for (line, (mode, why)) in refused.iter().zip(REFUSED) {
        assert!(line.split_whitespace().next() == Some(mode) && line.contains(why), "{line}");
    }
}

#[tokio::test]
async fn approximate_plan_warns() {
    let arguments = ["plan", "A", "--period", "1ms", "--samples", "100k", "--timeout", "2s"];
    let text = scopething(&arguments).await.done();
    assert_eq!(text.stderr.lines().filter(|line| line.starts_with("note: ")).count(), 2, "{}", text.stderr);
    let plan = scopething(&[&arguments[..], &["--json"]].concat()).await.done().object();
    let adjusted = plan["adjusted"].as_array().unwrap();
    assert_eq!(adjusted.len(), 2, "{plan}");
    assert!(adjusted[0].as_str().is_some_and(|text| text.contains("100000")), "{plan}");
    assert!(adjusted[1].as_str().is_some_and(|text| text.contains("2 s")), "{plan}");
    // All that was asked for of the period is covered.
    let covered = number(&plan, "samples") / number(&plan, "sample_rate");
    assert!((covered - 1e-3).abs() <= 1e-5, "{plan}");
}

#[tokio::test]
async fn rejected_plan_suggests_alternative() {
    // Analog at its slowest takes 40 x 16383 ticks of 25 ns a sample, and holds 12288
    // (reference.md#5-trace-modes).
    let longest = 40.0 * 16383.0 * 25e-9 * 12288.0;
    for output in [&[][..], &["--json"]] {
        let message = scopething(&[&["plan", "A", "--period", "300s"], output].concat()).await.refused(2);
        assert!(message.contains(&format!("{longest:.3}")), "{longest} in {message}");
    }
}

#[tokio::test]
async fn calibrated_probe_by_url_and_name() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join(".config/scopething");
    std::fs::create_dir_all(&directory).unwrap();
    // Ten times the span of a x1 probe, so that ten times its safe range takes the same DAC values.
    let line = "x10 = 1.1 -0.05 0 1.1 -0.05 -0.05 183.33 -75.17 -55 80 0";
    std::fs::write(directory.join("analog.conf"), format!("[sim:]\n{line}\n")).unwrap();
    let plan = async |url: &str, probes: &str| {
        let mut command = program(&["plan", "--json", "--url", url, "--probes", probes]);
        bounded("a plan", command.env("HOME", home.path()).output()).await.unwrap()
    };
    let of = |output: &std::process::Output| serde_json::from_slice::<Value>(&output.stdout).unwrap();
    let nominal = of(&plan("sim:", "x1").await);
    let calibrated = of(&plan("sim:", "x10").await);
    for register in ["ConverterLo", "ConverterHi", "TriggerLevel"] {
        assert_eq!(calibrated["registers"][register], nominal["registers"][register], "{register}");
    }
    let elsewhere = plan("/dev/ttyUSB0", "x10").await;
    assert_eq!(elsewhere.status.code(), Some(2));
    let reported = String::from_utf8(elsewhere.stderr).unwrap();
    assert!(reported.contains("\"x10\"") && reported.contains("analog.conf"), "{reported}");
}

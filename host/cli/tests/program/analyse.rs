//! `scopething analyse` and `capture --analyse`: what is measured is what the simulated inputs are.

use std::fs;

use crate::support::{Finished, number, scopething, scopething_in};
use serde_json::{Value, json};

const SINE_AND_SQUARE: &str = "sim:?A=sine,1kHz,0..3V&B=square,1kHz,0..2V,25%,phase=25%&clock=fast";

async fn analyse(arguments: &[&str]) -> Finished {
    scopething(&[&["analyse"], arguments].concat()).await
}

#[track_caller]
fn assert_near(object: &Value, key: &str, expected: f64, tolerance: f64) {
    let value = number(object, key);
    assert!((value - expected).abs() <= tolerance, "{key} is {value}, not {expected}: {object}");
}

#[tokio::test]
async fn sine_and_square_on_wire() {
    let arguments = ["A", "B", "--url", SINE_AND_SQUARE, "--period", "10ms", "--samples", "4000", "--json"];
    let analysis = analyse(&arguments).await.done().object();
    let (a, b) = (&analysis["channels"]["A"], &analysis["channels"]["B"]);
    // 8 bits over the 13.5 V of the range are 53 mV a step; between them the converter of 16 bits has many.
    assert_eq!((&a["unit"], &a["wave"]["shape"]), (&json!("V"), &json!("sine")));
    assert_near(&a["wave"], "frequency", 1000.0, 1.0);
    assert_near(&a["wave"], "amplitude", 1.5, 0.03);
    assert_near(a, "mean", 1.5, 0.06);
    assert_near(a, "ac_rms", 1.5 / 2.0_f64.sqrt(), 0.03);
    assert_near(a, "rise_time", 2.0 * 0.8_f64.asin() / std::f64::consts::TAU * 1e-3, 15e-6);
    assert_eq!(a["overshoot"], Value::Null, "a sine does not dwell at its levels");
    assert_eq!(a["wave"]["averaged"].as_array().map(Vec::len), Some(100));
    assert_eq!((&b["wave"]["shape"], &b["rise_time"]), (&json!("square"), &Value::Null));
    assert_near(&b["wave"], "duty", 0.25, 0.005);
    assert_near(b, "duty", 0.25, 0.005);
    assert_near(b, "top", 2.0, 0.06);
    assert_near(b, "base", 0.0, 0.06);
    assert_eq!((&a["spectrum"], &a["wave"]["count"]), (&Value::Null, &json!(9)));
    // A begins at its middle as B, a quarter ahead, has just fallen: B rose a quarter of a period before.
    let [delay] = analysis["delays"].as_array().unwrap().as_slice() else { panic!("{analysis}") };
    assert_eq!((&delay["from"], &delay["to"]), (&json!("A"), &json!("B")));
    assert_near(delay, "delay", -250e-6, 5e-6);
    assert_near(delay, "phase_degrees", -90.0, 2.0);
}

#[tokio::test]
async fn logic_lines_have_duty_and_edges() {
    let arguments = ["L0", "L3", "--url", "sim:?clock=fast", "--period", "1ms", "--json"];
    let analysis = analyse(&arguments).await.done().object();
    let lines = &analysis["channels"];
    // The lines of the simulator count: each has half the frequency of the one before.
    let [first, fourth] = ["L0", "L3"].map(|line| number(&lines[line], "edge_frequency"));
    assert!((first / fourth - 8.0).abs() < 0.1, "{first} Hz and {fourth} Hz");
    assert_near(&lines["L0"], "duty", 0.5, 0.02);
    assert_near(&lines["L0"], "high", 0.5, 0.02);
    let edges = number(&lines["L0"], "rising_edges");
    assert!((edges - first * 1e-3).abs() <= 1.0, "{edges} edges of {first} Hz");
    assert_eq!(analysis["delays"][0]["delay"], Value::Null, "not the same frequency");
}

#[tokio::test]
async fn file_analysis_equals_capture_analysis() {
    let directory = tempfile::tempdir().unwrap();
    let capture = ["capture", "A", "B", "L2", "--url", SINE_AND_SQUARE, "--period", "5ms", "--analyse"];
    let outputs = ["--json", "-o", "t.csv", "-o", "t.sr"];
    let captured =
        scopething_in(directory.path(), &[&capture[..], &outputs[..]].concat()).await.done().object();
    let analysis = &captured["analysis"];
    assert_eq!(captured["channels"]["A"]["samples"].as_array().map(Vec::len), Some(500), "half of a pair");
    let csv = scopething_in(directory.path(), &["analyse", "t.csv", "--json"]).await.done().object();
    assert_eq!(csv["channels"]["B"]["wave"]["shape"], "square");
    for key in ["mean", "top", "edge_frequency", "duty"] {
        assert_near(&csv["channels"]["B"], key, number(&analysis["channels"]["B"], key), 1e-6);
    }
    for key in ["high", "rising_edges", "falling_edges", "edge_frequency"] {
        let expected = number(&analysis["channels"]["L2"], key);
        assert_near(&csv["channels"]["L2"], key, expected, 1e-9 * expected);
    }
    // sigrok's files have one rate for all channels, so that a pair is stored at twice its own.
    let sr = scopething_in(directory.path(), &["analyse", "t.sr", "--json"]).await.done().object();
    assert_eq!(sr["channels"]["A"]["wave"]["shape"], "sine");
    assert_near(&sr["channels"]["A"]["wave"], "frequency", 1000.0, 2.0);
    // What capture prints with --analyse is the table that analyse prints of the file.
    let table = scopething_in(directory.path(), &["analyse", "t.csv"]).await.done().stdout;
    assert!(table.lines().any(|line| line.starts_with("shape ") && line.contains("sine")), "{table}");
    assert!(table.lines().any(|line| line.starts_with("overshoot ") && line.contains("unknown")), "{table}");
    let printed = scopething(&capture).await.done().stdout;
    assert!(printed.contains("delay from A to B: -2"), "{printed}");
}

/// Lines of `.sr` are measured piece by piece in two passes, those of JSON as a whole.
#[tokio::test]
async fn lines_are_measured_alike_by_pieces_and_as_a_whole() {
    let directory = tempfile::tempdir().unwrap();
    let url =
        "sim:?L0=square,1kHz,0..3.3V&L1=square,1kHz,0..3.3V,phase=25%&L2=square,3kHz,0..3.3V&clock=fast";
    let capture = ["capture", "L0", "L1", "L2", "L3", "--url", url, "--period", "20ms", "--samples", "10000"];
    let outputs = ["-o", "lines.sr", "-o", "lines.json", "--timeout", "0"];
    scopething_in(directory.path(), &[&capture[..], &outputs].concat()).await.done();
    let of = async |file: &str, more: &[&str]| {
        let mut analysis = scopething_in(directory.path(), &[&["analyse", file, "--json"], more].concat())
            .await
            .done()
            .object();
        // In `.sr` lines have the names of sigrok's device.
        for (_, channel) in analysis["channels"].as_object_mut().unwrap() {
            channel.as_object_mut().unwrap().remove("name");
        }
        analysis
    };
    for more in [&[][..], &["--trace", "1"], &["--channels", "L0,L1"], &["--from", "2ms", "--for", "5ms"]] {
        let by_pieces = of("lines.sr", more).await;
        assert_eq!(by_pieces, of("lines.json", more).await, "{more:?}");
        assert!(by_pieces["delays"].as_array().is_some_and(|delays| !delays.is_empty()), "{by_pieces}");
    }
    let delays = of("lines.sr", &[]).await["delays"].clone();
    assert!((number(&delays[0], "phase_degrees").abs() - 90.0).abs() < 1.0, "{delays}");
    let refused = scopething_in(directory.path(), &["analyse", "lines.sr", "--trace", "2"]).await.refused(2);
    assert!(refused.contains("no trace 2"), "{refused}");
}

#[tokio::test]
async fn spectrum_has_the_harmonics_of_a_triangle() {
    let url = "sim:?A=triangle,1kHz,0..3V&clock=fast";
    let arguments = ["--url", url, "--period", "20ms", "--samples", "6000", "--spectrum", "--json"];
    for window in ["hann", "blackman-harris", "flat-top"] {
        let analysis = analyse(&[&arguments[..], &["--window", window]].concat()).await.done().object();
        let spectrum = &analysis["channels"]["A"]["spectrum"];
        assert_eq!(spectrum["window"], window);
        // From its Fourier series: odd harmonics h with 8 / (pi h)^2 of half the peak to peak.
        let share = |harmonic: f64| 8.0 / (std::f64::consts::PI * harmonic).powi(2);
        let thd =
            [3.0, 5.0, 7.0, 9.0].map(|harmonic| (share(harmonic) / share(1.0)).powi(2)).iter().sum::<f64>();
        assert_near(spectrum, "thd", thd.sqrt(), 2e-3);
        for (index, harmonic) in [1.0, 3.0, 5.0].into_iter().enumerate() {
            let peak = &spectrum["peaks"][index];
            assert_near(peak, "frequency", 1000.0 * harmonic, 5.0);
            assert_near(peak, "amplitude", 1.5 * share(harmonic), 0.01);
            assert_near(peak, "harmonic", harmonic, 0.0);
        }
    }
    let table = analyse(&arguments[..7]).await.done().stdout;
    assert!(
        table.contains("hann window") && table.contains("harmonic 3") && table.contains("THD 12."),
        "{table}"
    );
}

/// 100 samples of a square of 1.2 kHz at 50 kHz. Its edges lie 21 samples apart, which any period between 41.4 and 42.6
/// samples makes: 1190.5 Hz with an uncertainty that 1200 Hz lies within.
#[tokio::test]
async fn a_coarsely_sampled_square_has_its_uncertainty() {
    let directory = tempfile::tempdir().unwrap();
    let row = |index: u32| {
        let seconds = f64::from(index) * 20e-6;
        let is_high = (seconds * 1200.0 - 0.2).rem_euclid(1.0) < 0.5;
        format!("{seconds:.6},{}\n", if is_high { "2.530" } else { "0.000" })
    };
    let table: String = (0..100).map(row).collect();
    fs::write(directory.path().join("square.csv"), format!("time,A\n{table}")).unwrap();
    let found = scopething_in(directory.path(), &["analyse", "square.csv", "--json"]).await.done().object();
    let a = &found["channels"]["A"];
    assert_eq!(a["wave"]["shape"], "square", "{a}");
    assert_near(&a["wave"], "amplitude", 1.265, 1e-6);
    let (frequency_hz, uncertainty_hz) =
        (number(a, "edge_frequency"), number(a, "edge_frequency_uncertainty"));
    assert!((frequency_hz - 1200.0).abs() <= uncertainty_hz && uncertainty_hz < 0.02 * 1200.0, "{a}");
    assert_near(&a["wave"], "frequency", frequency_hz, 1e-6 * frequency_hz);
    let table = scopething_in(directory.path(), &["analyse", "square.csv"]).await.done().stdout;
    assert!(table.contains(" ± "), "{table}");
}

/// A recording of one channel of 16 bits, of which full scale is 1 V.
fn wav(rate_hz: u32, samples: impl Iterator<Item = i16>) -> Vec<u8> {
    let data: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let length = |more: usize| u32::try_from(data.len() + more).unwrap().to_le_bytes();
    let kind_and_channels = [1, 0, 1, 0];
    let (block, bits) = ([2, 0], [16, 0]);
    [
        b"RIFF",
        &length(36)[..],
        b"WAVEfmt ",
        &16_u32.to_le_bytes(),
        &kind_and_channels,
        &rate_hz.to_le_bytes(),
        &(2 * rate_hz).to_le_bytes(),
        &block,
        &bits,
        b"data",
        &length(0),
        &data,
    ]
    .concat()
}

/// A square of 1 kHz at 1 MHz, 0 and 0.25 V, which is high half of the time in its first 2110 periods, a quarter of it in
/// the 190 that follow: these lie behind the first 2 097 152 samples.
#[tokio::test]
async fn all_samples_of_a_long_channel_are_measured() {
    const PERIODS: [(u32, u32); 2] = [(2110, 500), (190, 250)];
    let directory = tempfile::tempdir().unwrap();
    let high = |index: u32, width: u32| (500..500 + width).contains(&index);
    let samples = PERIODS.into_iter().flat_map(|(periods, width)| {
        (0..periods * 1000).map(move |index| if high(index % 1000, width) { 8192 } else { 0 })
    });
    fs::write(directory.path().join("long.wav"), wav(1_000_000, samples)).unwrap();
    let found = scopething_in(directory.path(), &["analyse", "long.wav", "--json"]).await.done().object();
    let a = &found["channels"]["A"];
    assert_eq!(a["samples"], 2_300_000, "{a}");
    for (key, expected) in [("base", 0.0), ("top", 0.25), ("min", 0.0), ("max", 0.25)] {
        assert_near(a, key, expected, 1e-6);
    }
    // Each period rises once and falls once.
    assert_eq!((&a["rising_edges"], &a["falling_edges"]), (&2300.into(), &2300.into()), "{a}");
    assert_near(a, "edge_frequency", 1000.0, 1e-6);
    assert_near(&a["wave"], "frequency", 1000.0, 1e-6);
    let duty = f64::from(2110 * 500 + 190 * 250) / 2.3e6;
    assert_near(a, "mean", 0.25 * duty, 1e-9);
    // By whole periods, of which the last is one between rising edges.
    assert_near(a, "duty", duty, 2e-4);
    assert_eq!(a["wave"]["shape"], "square", "{a}");
    assert_eq!(a["wave"]["averaged"].as_array().map(Vec::len), Some(100), "{a}");
    assert_eq!((&a["part_samples"], &a["part_of"]), (&2_097_152.into(), &json!(["wave"])));
}

#[tokio::test]
async fn an_unknown_delay_has_its_reason() {
    let arguments =
        ["L0", "L1", "L2", "A", "--url", "sim:?A=dc,1V&clock=fast", "--period", "1ms", "--timeout", "0"];
    let found = analyse(&[&arguments[..], &["--json"]].concat()).await.done().object();
    let delays = found["delays"].as_array().unwrap();
    assert_eq!(delays.len(), 3, "{found}");
    for delay in delays {
        let why = if delay["to"] == "A" { "A has no frequency" } else { "one has " };
        assert_eq!((&delay["from"], &delay["delay"]), (&json!("L0"), &Value::Null));
        assert!(delay["unknown"].as_str().is_some_and(|reason| reason.starts_with(why)), "{delay}");
    }
    let table = analyse(&arguments).await.done().stdout;
    let line = "delay from L0 to A: unknown, as A has no frequency by its edges";
    assert!(table.lines().any(|printed| printed == line), "{table}");
}

#[tokio::test]
async fn what_cannot_be_known_is_unknown() {
    let constant = ["--url", "sim:?A=dc,1V&clock=fast", "--timeout", "0", "--spectrum", "--samples", "100"];
    let analysis = analyse(&[&constant[..], &["--json"]].concat()).await.done().object();
    let a = &analysis["channels"]["A"];
    for key in ["wave", "edge_frequency", "duty", "rise_time", "overshoot"] {
        assert_eq!(a[key], Value::Null, "{key}");
    }
    for key in ["wave", "edge_frequency", "duty", "rise_time"] {
        assert_eq!(a["unknown"][key], "it has no edge above the noise", "{key}");
    }
    assert_near(a, "mean", 1.0, 0.06);
    assert_eq!((&a["spectrum"]["thd"], &a["spectrum"]["peaks"]), (&Value::Null, &json!([])));
    let table = analyse(&constant).await.done().stdout;
    assert!(table.lines().any(|line| line == "frequency     unknown"), "{table}");
    let reason =
        "wave, rise time, fall time, edge frequency, duty of A: unknown, as it has no edge above the noise";
    assert!(table.lines().any(|line| line == reason), "{table}");
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("nan.csv"), "time,A\n0,1\n1e-6,NaN\n2e-6,2\n").unwrap();
    let no_number = scopething_in(directory.path(), &["analyse", "nan.csv", "--json"]).await.done().object();
    let a = &no_number["channels"]["A"];
    assert_eq!((&a["not_numbers"], &a["mean"], &a["max"]), (&1.into(), &1.5.into(), &2.0.into()));
    let few = analyse(&["--url", "sim:?clock=fast", "--timeout", "0", "--samples", "20", "--spectrum"]).await;
    assert!(few.done().stdout.contains("unknown, as 20 samples are too few"));
}

#[tokio::test]
async fn wrong_usage_and_bad_files_are_reported() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    fs::write(place.join("text.csv"), "this is no trace\n").unwrap();
    fs::write(place.join("empty.csv"), "").unwrap();
    fs::write(place.join("broken.sr"), [0; 100]).unwrap();
    for (arguments, code, reported) in [
        (&["missing.csv"][..], 1, "missing.csv"),
        (&["trace.txt"], 2, "trace.txt"),
        (&["text.csv"], 1, "text.csv"),
        (&["empty.csv"], 1, "empty.csv"),
        (&["broken.sr"], 1, "broken.sr"),
        (&["text.csv", "A"], 1, "no rows of numbers"),
        (&["L8"], 2, "L8"),
        (&["A", "--window", "hann"], 2, "--spectrum"),
        (&["A", "--spectrum", "--window", "hamming"], 2, "blackman-harris"),
        (&["A", "--period", "NaN"], 2, "NaN"),
        (&["A", "--period", "-1ms", "--url", "sim:"], 2, "period"),
        (&["A", "--samples", "0"], 2, "samples"),
    ] {
        let finished = scopething_in(place, &[&["analyse"], arguments].concat()).await;
        let message = finished.ended(code).stderr;
        assert!(message.contains("error: ") && message.contains(reported), "{arguments:?}: {message}");
    }
}

//! `scopething calibrate`: from a device that is off nominal to a file that makes captures right.

use std::path::{Path, PathBuf};

use crate::support::{Finished, Running, number, program, scopething, series};
use serde_json::Value;

/// A device whose parameters are off nominal by up to 10 %, with 5 mV of noise.
const OFF_NOMINAL: &str = "sim:?clock=fast&noise=5mV&seed=7&scale=19.8V&offset=-7.1V&la=1.19&hb=-0.047";
/// What else is in the file, which is not to be touched.
const OTHERS: [&str; 2] = [
    "# made by hand\r\n[file:///dev/ttyUSB0]\r\nx1 = 1.1 -0.05 0 1.1 -0.05 -0.05 18.333 -7.517 -5.5 8 0\r\n\
     \r\n",
    "; kept\r\nx10 = 1 2 3 4 5 6 7 8 9 10 11\r\n",
];

/// A home directory with a file of calibrations.
struct Home {
    directory: tempfile::TempDir,
}

impl Home {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn file(&self) -> PathBuf {
        self.path().join(".config/scopething/analog.conf")
    }

    fn write(&self, text: &str) {
        std::fs::create_dir_all(self.file().parent().unwrap()).unwrap();
        std::fs::write(self.file(), text).unwrap();
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    async fn run(&self, arguments: &[&str]) -> Finished {
        Running::start(program(arguments).env("HOME", self.path())).finish().await
    }

    /// How far a device with a known voltage on A is read off, as a part of the range.
    async fn misread(&self, link: &str, volts: f64) -> f64 {
        let url = format!("{link}&A=dc,{volts}V");
        // The device is the same one whatever hangs on its input.
        let known = self.text().replace(&format!("[{link}]"), &format!("[{url}]"));
        let elsewhere = Home::new();
        elsewhere.write(&known);
        let finished = elsewhere.run(&["capture", "--url", &url, "--timeout", "0", "--json"]).await.done();
        let samples = series(&finished.object(), "A", "samples");
        let mean = samples.iter().sum::<f64>() / samples.len() as f64;
        (mean - volts).abs() / 13.5
    }
}

#[tokio::test]
async fn calibration_corrects_readings() {
    let home = Home::new();
    let before = format!("{}[{OFF_NOMINAL}]\r\n{}", OTHERS[0], OTHERS[1]);
    home.write(&before);
    let worst_before = home.misread(OFF_NOMINAL, 3.0).await;
    assert!(worst_before > 0.005, "{worst_before} of the range without a calibration");
    let finished = home.run(&["calibrate", "--url", OFF_NOMINAL, "--json"]).await.done();
    println!("calibrating took {:?}", finished.took);
    for part in ["512 of 1024 points measured, 512 left", "note: kept as x1 of sim:?"] {
        assert!(finished.stderr.contains(part), "{part} in {}", finished.stderr);
    }
    let reported = finished.object();
    assert_eq!(number(&reported["before"], "scale"), 18.333);
    // Steps of 8 bits and 5 mV of noise, over ranges of a few volts.
    let residual = ["residual_volts", "residual_of_range"].map(|key| number(&reported, key));
    assert!(residual[0] < 0.02 && residual[1] < 0.005, "{reported}");
    // Two levels of each channel in each of 1024 traces at most, an eighth of them to start with.
    assert!((1000.0..=4096.0).contains(&number(&reported, "used")), "{reported}");

    let after = home.text();
    assert!(after.starts_with(OTHERS[0]) && after.contains(OTHERS[1]), "{after}");
    assert_eq!(after.lines().count(), before.lines().count() + 1, "{after}");
    for volts in [-5.0, -2.0, 0.5, 3.0, 7.0] {
        let off = home.misread(OFF_NOMINAL, volts).await;
        assert!(off <= 0.005, "{volts} V is read {off} of the range off");
    }

    // Once more: what was is what became.
    let again = home.run(&["calibrate", "-n", "8", "--url", OFF_NOMINAL, "--json"]).await.done().object();
    assert_eq!(again["before"], reported["after"]);
}

#[tokio::test]
async fn calibration_prints_before_after_residual() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("new/probes.conf");
    let arguments = ["calibrate", "A", "-n", "16", "--probes", "x10", "--url", "sim:?clock=fast"];
    let finished = scopething(&[&arguments[..], &["--file", file.to_str().unwrap()]].concat()).await.done();
    for part in ["before      after", "scale      18.333000", " V", "residual", "mV rms", "% of the range"] {
        assert!(finished.stdout.contains(part), "{part} in {}", finished.stdout);
    }
    let kept = std::fs::read_to_string(file).unwrap();
    assert!(kept.starts_with("[sim:?clock=fast]\nx10 = 1."), "{kept}");
}

/// A pass of the least grid alone has too few levels of one channel.
#[tokio::test]
async fn least_grid_calibrates_one_channel() {
    Home::new().run(&["calibrate", "A", "--url", "sim:?clock=fast", "-n", "8"]).await.done();
}

#[cfg(unix)]
#[tokio::test]
async fn interrupt_leaves_the_old_parameters() {
    let home = Home::new();
    home.write(OTHERS[0]);
    // In real time a calibration takes seconds.
    let mut running = Running::start(program(&["calibrate", "--url", "sim:"]).env("HOME", home.path()));
    running.until_printed("128 of 1024 points measured").await;
    running.interrupt();
    let finished = running.finish().await.ended(130);
    assert_eq!(finished.stdout, "");
    assert!(finished.stderr.contains("the parameters stay as they were"), "{}", finished.stderr);
    assert_eq!(home.text(), OTHERS[0]);
}

#[tokio::test]
async fn what_the_file_multiplies_is_not_calibrated_as_well() {
    let home = Home::new();
    let text = "[sim:?clock=fast]\nattenuation = A=10,B=1\n";
    home.write(text);
    let link = ["calibrate", "--url", "sim:?clock=fast", "-n", "8"];
    let refused = home.run(&link).await;
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("named x10 for one, or take that line out"), "{}", refused.stderr);
    assert_eq!(home.text(), text);
    // Probes of another name are not multiplied.
    assert_eq!(home.run(&[&link[..], &["--probes", "x10"]].concat()).await.code, Some(0));
}

#[tokio::test]
async fn failed_calibration_changes_nothing() {
    let home = Home::new();
    home.write(OTHERS[0]);
    let cases: [(&[&str], i32, &str); 8] = [
        (&["-n", "7"], 2, "8 to 64 a side"),
        (&["-n", "65"], 2, "8 to 64 a side"),
        (&["-n", "-8"], 2, "-8"),
        (&["-n", "many"], 2, "many"),
        (&["L"], 2, "L0 has nothing to calibrate"),
        (&["A", "--url", "sim:?A=dc,1V&clock=fast"], 1, "channel A does not see the clock"),
        (&["--url", "sim:?B=dc,1V&clock=fast"], 1, "connect its probe to L5"),
        (&["--url", "/dev/no-such-port"], 1, "/dev/no-such-port"),
    ];
    for (arguments, code, part) in cases {
        let message = home.run(&[&["calibrate"], arguments].concat()).await.refused(code);
        assert!(message.contains(part), "{part} in {message}");
        assert_eq!(home.text(), OTHERS[0]);
    }
}

#[tokio::test]
async fn unwritable_file_still_shows_result() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below = file.join("analog.conf");
    let arguments = ["calibrate", "-n", "8", "--url", "sim:?clock=fast", "--json", "--file"];
    let message = scopething(&[&arguments[..], &[below.to_str().unwrap()]].concat()).await.ended(1);
    assert!(
        message.stderr.contains("error: ") && message.stderr.contains("analog.conf"),
        "{}",
        message.stderr
    );
}

#[tokio::test]
async fn line_that_is_no_calibration_is_replaced() {
    let home = Home::new();
    home.write("[sim:?clock=fast]\nx1 = nothing\nx10 = 1 2\n");
    let finished = home.run(&["calibrate", "-n", "8", "--url", "sim:?clock=fast", "--json"]).await.done();
    assert!(finished.stderr.contains("warning: line 2"), "{}", finished.stderr);
    let reported: Value = finished.object();
    assert_eq!(number(&reported["before"], "scale"), 18.333);
    let text = home.text();
    assert!(text.starts_with("[sim:?clock=fast]\nx1 = 1.") && text.ends_with("\nx10 = 1 2\n"), "{text}");
}

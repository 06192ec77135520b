//! `scopething capture -o`: files of every kind, and what becomes of a capture whose file fails.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::support::{
    Finished, Running, number, program, scopething, scopething_in, scopething_unread, series,
};
use serde_json::Value;
use tempfile::TempDir;

const SINE: &str = "sim:?A=sine,1kHz,0..3V&B=ramp,1kHz,0..3V&clock=fast";

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Where a capture is rescued to, if the state of the user is in a directory.
fn rescue_directory(directory: &Path) -> PathBuf {
    directory.join("scopething/rescued")
}

/// Captures into a directory. What is rescued goes below it.
async fn capture_in(directory: &Path, arguments: &[&str]) -> Finished {
    let mut command = program(&[&["capture", "--url", SINE], arguments].concat());
    Running::start(command.current_dir(directory).env("XDG_STATE_HOME", directory)).finish().await
}

#[tokio::test]
async fn each_file_has_the_format_of_its_ending() {
    let directory = directory();
    let files = ["t.csv", "t.json", "t.npz", "t.parquet", "t.png", "t.sr", "t.svg", "t.vcd", "t.wav"];
    let outputs: Vec<&str> = files.iter().flat_map(|file| ["-o", file]).collect();
    let finished = capture_in(directory.path(), &[&["A", "L0"], &outputs[..]].concat()).await.done();
    let without_lines = "warning: a wav file has no place for logic lines: it is without L0\n";
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("", without_lines));
    assert_eq!(names(directory.path()), files);
    let begin = |name: &str, count: usize| {
        let mut begin = vec![0; count];
        File::open(directory.path().join(name)).unwrap().read_exact(&mut begin).unwrap();
        begin
    };
    assert_eq!(begin("t.csv", 2), b"# ");
    assert_eq!(begin("t.json", 1), b"{");
    assert_eq!(begin("t.npz", 4), b"PK\x03\x04");
    assert_eq!(begin("t.parquet", 4), b"PAR1");
    assert_eq!(begin("t.png", 8), b"\x89PNG\r\n\x1a\n");
    assert_eq!(begin("t.wav", 4), b"RIFF");
    let svg = fs::read_to_string(directory.path().join("t.svg")).unwrap();
    assert!(svg.contains("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
    let vcd = fs::read_to_string(directory.path().join("t.vcd")).unwrap();
    assert!(vcd.contains("$enddefinitions"), "{vcd}");
    let mut session = zip::ZipArchive::new(File::open(directory.path().join("t.sr")).unwrap()).unwrap();
    let mut metadata = String::new();
    session.by_name("metadata").unwrap().read_to_string(&mut metadata).unwrap();
    assert!(metadata.contains("samplerate=1000000 Hz") && metadata.contains("probe1="), "{metadata}");
}

/// A field of a row: none if it is empty.
fn fields(row: &str) -> Vec<Option<f64>> {
    row.split(',').map(|field| (!field.is_empty()).then(|| field.parse().unwrap())).collect()
}

#[tokio::test]
async fn csv_and_json_hold_same_samples() {
    let directory = directory();
    let outputs = ["-o", "t.csv", "-o", "t.json", "--json"];
    let finished = capture_in(directory.path(), &[&["A", "B", "L1"], &outputs[..]].concat()).await.done();
    assert_eq!(fs::read_to_string(directory.path().join("t.json")).unwrap(), finished.stdout);
    let capture = finished.object();
    let csv = fs::read_to_string(directory.path().join("t.csv")).unwrap();
    assert!(csv.ends_with('\n'));
    let mut rows = csv.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(rows.next(), Some("time,A,B,L1"));
    let rows: Vec<Vec<Option<f64>>> = rows.map(fields).collect();
    assert_eq!(rows.len(), 1000);
    assert!(rows.windows(2).all(|pair| pair[0][0] < pair[1][0]), "times go up");
    for (index, row) in rows.iter().enumerate() {
        assert_eq!(row.len(), 4);
        assert!(row[0].is_some_and(|time| (time - index as f64 * 1e-6).abs() < 1e-12), "{row:?}");
        // Each row has the latest sample of every channel: B has none before the second row.
        assert_eq!((row[1].is_some(), row[2].is_some(), row[3].is_some()), (true, index > 0, true));
    }
    // The channels take turns, the logic lines are read each time.
    for (column, channel, first, step) in [(1, "A", 0, 2), (2, "B", 1, 2), (3, "L1", 0, 1)] {
        let column = rows.iter().skip(first).step_by(step).map(|row| (row[0], row[column]));
        let (times, samples): (Vec<_>, Vec<_>) =
            column.map(|(time, sample)| (time.unwrap(), sample.unwrap())).unzip();
        assert_eq!(times, series(&capture, channel, "timestamps"));
        // Both print the shortest text of a 32-bit float, of which there may be two.
        let single =
            |samples: Vec<f64>| -> Vec<f32> { samples.into_iter().map(|sample| sample as f32).collect() };
        assert_eq!(single(samples), single(series(&capture, channel, "samples")));
    }
}

#[tokio::test]
async fn several_captures_per_file_or_numbered() {
    let directory = directory();
    let outputs = ["-n", "3", "-o", "t.csv", "-o", "t.json", "-o", "t.svg", "-o", "t.sr"];
    capture_in(directory.path(), &outputs).await.done();
    let files = ["t-1.sr", "t-1.svg", "t-2.sr", "t-2.svg", "t-3.sr", "t-3.svg", "t.csv", "t.json"];
    assert_eq!(names(directory.path()), files);
    let csv = fs::read_to_string(directory.path().join("t.csv")).unwrap();
    let rows: Vec<&str> = csv.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!((rows[0], rows.len()), ("trace,time,A", 3001));
    let numbers = |number: &str| rows.iter().filter(|row| row.starts_with(number)).count();
    assert_eq!((numbers("1,"), numbers("2,"), numbers("3,")), (1000, 1000, 1000));
    let json = fs::read_to_string(directory.path().join("t.json")).unwrap();
    let captures: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(captures.len(), 3);
}

#[tokio::test]
async fn format_can_be_named_instead() {
    let directory = directory();
    capture_in(directory.path(), &["-o", "data.txt", "-o", "other", "--format", "csv"]).await.done();
    let text = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap();
    assert!(text("data.txt").contains("\ntime,A\n"));
    assert_eq!(text("data.txt"), text("other"));
    let plot = ["plot", "other", "--input-format", "csv", "-o", "drawn", "--format", "svg"];
    scopething_in(directory.path(), &plot).await.done();
    assert!(text("drawn").contains("<svg"));
    let message = scopething(&["capture", "--url", SINE, "-o", "x", "--format", "xlsx"]).await.refused(2);
    assert!(message.contains("xlsx") && message.contains("parquet"), "{message}");
    let message = scopething(&["capture", "--url", SINE, "--format", "csv"]).await.refused(2);
    assert!(message.contains("--output"), "{message}");
}

#[tokio::test]
async fn missing_directory_fails_before_capture() {
    let directory = directory();
    // Nothing answers at this link: whoever asks it first fails otherwise.
    for name in ["missing/t.csv", "missing/t.png"] {
        let arguments = ["capture", "--url", "/dev/no-such-port", "-o", "t.json", "-o", name];
        let message = scopething_in(directory.path(), &arguments).await.refused(1);
        assert!(message.contains("missing") && !message.contains("no-such-port"), "{message}");
        assert_eq!(names(directory.path()), Vec::<String>::new());
    }
}

#[tokio::test]
async fn old_file_is_replaced_atomically() {
    let directory = directory();
    let path = directory.path().join("t.csv");
    fs::write(&path, "old").unwrap();
    let refused = ["capture", "--url", "/dev/no-such-port", "-o", "t.csv", "--force"];
    scopething_in(directory.path(), &refused).await.refused(1);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    let before = File::open(&path).unwrap();
    capture_in(directory.path(), &["-o", "t.csv", "--force"]).await.done();
    let rows = fs::read_to_string(&path).unwrap();
    assert_eq!(rows.lines().filter(|line| !line.starts_with('#')).count(), 1001);
    // Whoever had it open still reads the old one: it was replaced, and not written over.
    let mut old = String::new();
    (&before).read_to_string(&mut old).unwrap();
    assert_eq!(old, "old");
    assert_eq!(names(directory.path()), ["t.csv"]);
}

/// Whether a file is read as a whole or piece by piece.
#[tokio::test]
async fn unknown_levels_of_a_dump_are_a_warning() {
    let directory = directory();
    let dump =
        "$timescale 1us $end $var wire 1 ! D $end $enddefinitions $end\n#0 x! #10 1! #20 z! #30 0! #40\n";
    fs::write(directory.path().join("x.vcd"), dump).unwrap();
    for arguments in
        [&["convert", "x.vcd", "-o", "-"][..], &["convert", "x.vcd", "-o", "-", "--format", "json"]]
    {
        let finished = scopething_in(directory.path(), arguments).await.done();
        assert!(
            finished.stderr.contains("no known level (x or z) 2 times"),
            "{arguments:?}: {}",
            finished.stderr
        );
    }
}

/// What is in a file need not be saved elsewhere when it cannot be converted.
#[tokio::test]
async fn failed_conversion_rescues_nothing() {
    let directory = directory();
    capture_in(directory.path(), &["L", "-o", "l.json"]).await.done();
    let mut command = program(&["convert", "l.json", "-o", "l.wav"]);
    let command = command.current_dir(directory.path()).env("XDG_STATE_HOME", directory.path());
    let finished = Running::start(command).finish().await.ended(1);
    assert!(
        finished.stderr.contains("analog") && !finished.stderr.contains("saved to"),
        "{}",
        finished.stderr
    );
    assert_eq!(names(directory.path()), ["l.json"]);
}

/// The capture that was rescued into a directory, and the file's path as printed on standard error.
#[track_caller]
fn rescued(directory: &Path, finished: &Finished) -> Value {
    let note = finished.stderr.lines().find_map(|line| line.strip_prefix("note: the capture was saved to "));
    let path = note.and_then(|note| note.strip_suffix(" instead"));
    let path = path.unwrap_or_else(|| panic!("no note of a rescue: {}", finished.stderr));
    assert_eq!(Path::new(path).parent(), Some(rescue_directory(directory).as_path()));
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777,
        0o600
    );
    let text = fs::read_to_string(path).unwrap();
    assert!(text.ends_with('\n'));
    serde_json::from_str(&text).unwrap()
}

/// File names whose files fail in the end: one takes no byte, one is too long, one is a directory.
#[cfg(target_os = "linux")]
fn failing(directory: &Path, ending: &str) -> [String; 3] {
    let full = format!("full.{ending}");
    std::os::unix::fs::symlink("/dev/full", directory.join(&full)).unwrap();
    let taken = format!("taken.{ending}");
    fs::create_dir(directory.join(&taken)).unwrap();
    [full, format!("{}.{ending}", "long".repeat(100)), taken]
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn unwritable_picture_keeps_capture() {
    let directory = directory();
    for name in failing(directory.path(), "svg") {
        let finished = capture_in(directory.path(), &["-o", &name]).await.ended(1);
        assert_eq!(finished.stdout, "");
        assert!(finished.stderr.contains("error: "), "{}", finished.stderr);
        assert_eq!(series(&rescued(directory.path(), &finished), "A", "samples").len(), 1000);
    }
}

/// A short capture is still in memory when its file is closed, a long one fails while it is written.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn unwritable_table_keeps_capture() {
    let directory = directory();
    let [full, ..] = failing(directory.path(), "csv");
    for (samples, count) in [("40", 40), ("1000", 1000)] {
        let arguments = ["-o", &full, "--samples", samples, "--hair-trigger"];
        let finished = capture_in(directory.path(), &arguments).await.ended(1);
        assert!(
            finished.stderr.contains("error: ") && finished.stderr.contains("full"),
            "{}",
            finished.stderr
        );
        assert_eq!(series(&rescued(directory.path(), &finished), "A", "samples").len(), count);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn unwritable_captures_are_each_rescued() {
    let directory = directory();
    let [full, ..] = failing(directory.path(), "json");
    let arguments = ["-o", &full, "-n", "3", "--samples", "40", "--hair-trigger"];
    let finished = capture_in(directory.path(), &arguments).await.ended(1);
    let notes = finished.stderr.lines().filter(|line| line.starts_with("note: the capture was saved to "));
    assert_eq!(notes.count(), 3, "{}", finished.stderr);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn other_files_are_written_when_one_fails() {
    let directory = directory();
    for ending in ["svg", "csv"] {
        let [full, ..] = failing(directory.path(), ending);
        for samples in ["40", "1000"] {
            let outputs = ["-o", "before.csv", "-o", &full, "-o", "after.svg", "--json"];
            let arguments = [&outputs[..], &["--samples", samples, "--hair-trigger"]].concat();
            let finished = capture_in(directory.path(), &arguments).await.ended(1);
            assert_eq!(finished.object()["cause"], "trigger");
            assert!(!finished.stderr.contains("instead"), "nothing was lost: {}", finished.stderr);
            for name in ["before.csv", "after.svg"] {
                let path = directory.path().join(name);
                assert!(fs::metadata(&path).unwrap().len() > 500, "{name}");
                fs::remove_file(path).unwrap();
            }
        }
        fs::remove_dir(directory.path().join(format!("taken.{ending}"))).unwrap();
    }
}

/// A limit on the size of files, as a quota sets it, is reached by the third or fourth of five captures.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn captures_before_one_that_fails_are_kept() {
    let directory = directory();
    let captures = ["--samples", "1000", "--timeout", "0", "-n", "5", "-o", "t.json", "-o", "t.csv"];
    let mut command = tokio::process::Command::new("sh");
    // The signal of this limit does not end it. In units of 512 bytes: more than the JSON of one capture, less than that of three.
    command.args(["-c", "ulimit -f 100; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_scopething")]);
    command.args(["capture", "--url", SINE]).args(captures).kill_on_drop(true);
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped()).env("XDG_STATE_HOME", directory.path());
    let finished = Running::start(command.current_dir(directory.path())).finish().await.ended(1);
    assert!(finished.stderr.contains("a capture could not be written to"), "{}", finished.stderr);
    let json = fs::read_to_string(directory.path().join("t.json")).unwrap();
    let whole = json.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count();
    assert!(json.ends_with('\n') && (1..5).contains(&whole), "{whole} captures");
    let csv = fs::read_to_string(directory.path().join("t.csv")).unwrap();
    let rows = csv.lines().filter(|line| !line.starts_with('#')).count();
    let captures = (rows - 1) / 1000;
    assert!((1..5).contains(&captures) && rows == 1 + 1000 * captures, "{csv}");
    // What no file holds was rescued.
    let rescued = fs::read_dir(rescue_directory(directory.path())).map_or(0, Iterator::count);
    assert_eq!(captures.max(whole) + rescued, 5, "{}", finished.stderr);
}

/// The file itself was fine, and could not take its place.
#[cfg(unix)]
#[tokio::test]
async fn capture_survives_taken_file_name() {
    let directory = directory();
    let path = directory.path().join("t.csv");
    let mut command = program(&["capture", "--url", "sim:?A=dc,1V", "-o", "t.csv"]);
    let mut running =
        Running::start(command.current_dir(directory.path()).env("XDG_STATE_HOME", directory.path()));
    running.until_printed("waiting for A rising").await;
    fs::create_dir(&path).unwrap();
    running.interrupt();
    let finished = running.finish().await.ended(1);
    assert!(finished.stderr.contains("t.csv could not be replaced"), "{}", finished.stderr);
    assert!(path.is_dir());
    let left =
        finished.stderr.lines().find_map(|line| line.strip_prefix("note: what it should hold was left in "));
    assert!(fs::read_to_string(left.unwrap()).unwrap().contains("\ntime,A\n"));
    assert_eq!(rescued(directory.path(), &finished)["cause"], "cancel");
}

#[tokio::test]
async fn closed_stdout_keeps_files() {
    let directory = directory();
    let arguments = ["capture", "--url", SINE, "--json", "-o", "t.csv", "-o", "t.svg"];
    let finished = scopething_unread(directory.path(), &arguments).await.ended(0);
    assert_eq!(finished.stderr, "");
    assert_eq!(names(directory.path()), ["t.csv", "t.svg"]);
}

#[tokio::test]
async fn saved_capture_is_drawn_again() {
    let directory = directory();
    let outputs = ["A", "L0", "-o", "t.csv", "-o", "t.sr", "-o", "t.npz", "-o", "t.parquet", "-o", "t.vcd"];
    capture_in(directory.path(), &outputs).await.done();
    for name in ["t.csv", "t.sr", "t.npz", "t.parquet", "t.vcd"] {
        let path = directory.path().join(name);
        let path = path.to_str().unwrap();
        let drawn = scopething(&["plot", path]).await.done();
        assert!(drawn.stdout.lines().count() > 16 && drawn.stdout.contains("L0"), "{}", drawn.stdout);
        let picture = format!("{path}.svg");
        scopething(&["plot", path, "-o", &picture]).await.done();
        assert!(fs::read_to_string(picture).unwrap().contains("<svg"));
    }
    let missing = directory.path().join("missing.csv");
    let message = scopething(&["plot", missing.to_str().unwrap()]).await.refused(1);
    assert!(message.contains("missing.csv"), "{message}");
}

/// The capture of a file is made again, but for what is given beside it.
#[tokio::test]
async fn capture_is_repeated_like_a_file() {
    let directory = directory();
    let options = ["A", "L0", "--period", "2ms", "--samples", "500", "--trigger", "A", "--level", "1.25V"];
    let options =
        [&options[..], &["--type", "falling", "--position", "0.5"], &["-o", "t.csv", "-o", "t.sr"]].concat();
    capture_in(directory.path(), &options).await.done();
    for name in ["t.csv", "t.sr"] {
        let again = capture_in(directory.path(), &["--like", name, "--json"]).await.done().object();
        let request = &again["settings"]["request"];
        assert_eq!(request["channels"], serde_json::json!(["A", "L0"]));
        assert_eq!((&request["period"], &request["nsamples"]), (&0.002.into(), &500.into()));
        assert_eq!((&request["trigger_level"], &request["trigger_position"]), (&1.25.into(), &0.5.into()));
        assert_eq!(again["trigger"], serde_json::json!({"source": "A", "type": "falling", "level": 1.25}));
        let other = capture_in(directory.path(), &["--like", name, "--json", "--period", "1ms"])
            .await
            .done()
            .object();
        assert_eq!(other["settings"]["request"]["period"], 0.001);
        assert!(again["settings"]["device"].as_str().is_some_and(|device| device.ends_with(" BS000501")));
    }
    let planned =
        scopething_in(directory.path(), &["plan", "--like", "t.csv", "--json"]).await.done().object();
    let expected = ["A", "L0", "--period", "2ms", "--samples", "500", "--trigger", "A", "--level", "1.25V"];
    let expected = [&["plan", "--json"][..], &expected, &["--type", "falling", "--position", "0.5"]].concat();
    assert_eq!(planned, scopething_in(directory.path(), &expected).await.done().object());
    let url = "sim:?A=sine,10kHz,0..3V&clock=fast";
    let measured = ["analyse", "L3", "--like", "t.csv", "--url", url, "--json"];
    let measured = scopething_in(directory.path(), &measured).await.done().object();
    // What is named takes the place of the file's channels.
    assert_eq!(measured["channels"].as_object().unwrap().keys().collect::<Vec<_>>(), ["L3"]);
    let of_a_file = scopething_in(directory.path(), &["analyse", "t.csv", "--like", "t.sr"]).await.refused(2);
    assert!(of_a_file.contains("--like is of a capture"), "{of_a_file}");
    fs::write(directory.path().join("plain.csv"), "time,A\n0,1\n1,2\n").unwrap();
    let refused = capture_in(directory.path(), &["--like", "plain.csv"]).await.refused(1);
    assert!(refused.contains("does not state how it was captured"), "{refused}");
}

#[tokio::test]
async fn repeated_capture_has_the_attenuation_of_the_file() {
    let directory = directory();
    let options = ["A", "--attenuation", "A=10,B=1", "--low", "-20V", "--high", "40V", "-o", "t.csv"];
    capture_in(directory.path(), &options).await.done();
    for (given, attenuation) in [(&[][..], "A=10,B=1"), (&["--attenuation", "20"][..], "20")] {
        let options = [&["--like", "t.csv", "--json"][..], given].concat();
        let again = capture_in(directory.path(), &options).await.done().object();
        assert_eq!(again["settings"]["request"]["attenuation"], attenuation);
        assert_eq!(again["settings"]["plan"]["notices"], serde_json::json!([]));
    }
}

#[tokio::test]
async fn files_of_others_are_read_by_the_options() {
    let directory = directory();
    let place = directory.path();
    let row = |row: u32| format!("{row},{},{}\n", row % 10 / 5, row % 20 / 10);
    let rows = (0..200).map(row).collect::<Vec<_>>().concat();
    fs::write(place.join("bus.csv"), format!("sample,SCL,SDA\n{rows}")).unwrap();
    let refused = scopething_in(place, &["analyse", "bus.csv"]).await.refused(1);
    assert!(refused.contains("--rate"), "{refused}");
    let measured = scopething_in(place, &["analyse", "bus.csv", "SDA", "--rate", "1MHz", "--json"])
        .await
        .done()
        .object();
    assert_eq!(
        (&measured["channels"]["L0"]["name"], &measured["channels"]["L1"]),
        (&"SDA".into(), &Value::Null)
    );
    let frequency_hz = number(&measured["channels"]["L0"], "edge_frequency");
    assert!((frequency_hz / 50e3 - 1.0).abs() < 1e-12, "{frequency_hz}");
    let convert = [
        "convert", "bus.csv", "--rate", "1MHz", "--from", "20us", "--for", "100us", "-o", "bus.sr", "-o",
        "bus.vcd",
    ];
    scopething_in(place, &convert).await.done();
    for name in ["bus.sr", "bus.vcd"] {
        let tables = scopething_in(place, &["analyse", name]).await.done().stdout;
        assert!(
            tables.contains("L0 (SCL)") && tables.contains("L1 (SDA)") && tables.contains("100.00 kHz"),
            "{tables}"
        );
    }
    let refused = scopething_in(place, &["analyse", "bus.sr", "MISO"]).await.refused(2);
    assert!(refused.contains("MISO") && refused.contains("SCL, SDA"), "{refused}");
    let refused = scopething_in(place, &["analyse", "A", "MISO", "--url", "sim:"]).await.refused(2);
    assert!(refused.contains("MISO"), "{refused}");
}

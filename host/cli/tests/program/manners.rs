//! Manners: what exists is kept, what a user writes is understood in one way, and nothing is lost because nobody reads.

use std::fs;
use std::path::Path;

use crate::support::{
    Finished, Running, assert_wrong_usage, bounded, number, program, scopething, scopething_in, series,
};

const SINE: &str = "sim:?A=sine,1kHz,0..3V&clock=fast&seed=1";
const DC: &str = "sim:?A=dc,1V&B=dc,2V&clock=fast";

/// Runs the program with a home of its own.
async fn at_home(home: &Path, arguments: &[&str]) -> Finished {
    Running::start(program(arguments).env("HOME", home).current_dir(home)).finish().await
}

/// A home with a file of settings or calibrations in it.
fn home_with(name: &str, text: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join(".config/scopething");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(name), text).unwrap();
    home
}

#[tokio::test]
async fn time_spans_are_understood_or_refused() {
    let minutes = ["can be read as 1min (minutes) or 1ms (milliseconds)"];
    assert_wrong_usage(&[
        (&["stream", "--for", "1m"], &minutes),
        (&["wave", "sine", "1kHz", "--for", "1m"], &minutes),
        (&["hold", "L0=1", "--for", "1m"], &minutes),
        (&["capture", "--period", "1m"], &minutes),
        (&["capture", "--timeout", "1m"], &minutes),
        (&["capture", "--url", "sim:?latency=1m"], &minutes),
        (&["stream", "--for", "5M"], &["5min (minutes) or 5Ms (megaseconds)"]),
    ])
    .await;
    let finished = scopething(&["clock", "1kHz", "--url", "sim:", "--for", "0.005min"]).await.done();
    assert!(finished.stderr.contains("generating for 300 ms"), "{}", finished.stderr);
    let arguments = ["stream", "A", "--rate", "100Hz", "--for", "0.01h", "--url", "sim:?A=dc,1V&clock=fast"];
    let finished = scopething(&arguments).await.done();
    assert!(finished.stderr.contains("streaming A at 100.000 S/s for 36 s"), "{}", finished.stderr);
}

#[tokio::test]
async fn dash_is_standard_output() {
    let directory = tempfile::tempdir().unwrap();
    let capture = ["capture", "--url", SINE, "--timeout", "0"];
    let saved = [&capture[..], &["-o", "t.csv", "-o", "t.json"]].concat();
    scopething_in(directory.path(), &saved).await.done();
    for (format, file) in [(&[][..], "t.csv"), (&["--format", "json"], "t.json")] {
        let printed =
            scopething_in(directory.path(), &[&capture[..], &["-o", "-"], format].concat()).await.done();
        let kept = fs::read_to_string(directory.path().join(file)).unwrap();
        // Two captures of one signal: as many lines, and the same names.
        assert_eq!(printed.stdout.lines().count(), kept.lines().count(), "{file}");
        assert_eq!(printed.stdout.get(..8), kept.get(..8), "{file}");
    }
    let mut archive = program(&[&capture[..], &["-o", "-", "--format", "npz"]].concat());
    let output = bounded("an archive", archive.output()).await.unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"PK"), "{output:?}");
    let stream = ["stream", "--url", "sim:?A=dc,1V&clock=fast", "--rate", "1kHz", "--for", "20ms", "-o", "-"];
    let rows = scopething(&stream).await.done();
    assert_eq!((rows.stdout.lines().next(), rows.stdout.lines().count()), (Some("time,A,lost"), 21));
    assert!(!directory.path().join("-").exists());
    assert_wrong_usage(&[
        (&[&capture[..], &["-o", "-", "--json"]].concat(), &["--json", "standard output"]),
        (&[&capture[..], &["-o", "-", "-o", "-"]].concat(), &["twice"]),
        (&[&capture[..], &["-n", "2", "-o", "-", "--format", "npz"]].concat(), &["npz", "one capture"]),
        (&[&stream[..], &["--json"]].concat(), &["--json", "standard output"]),
    ])
    .await;
}

#[tokio::test]
async fn files_that_exist_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for name in ["t.csv", "t.sr", "t-1.png"] {
        fs::write(path(name), "precious").unwrap();
    }
    let capture = ["capture", "--url", SINE, "--timeout", "0"];
    let stream = ["stream", "--url", DC, "--for", "10ms"];
    for (arguments, name) in [
        ([&capture[..], &["-o", "t.csv"]].concat(), "t.csv"),
        ([&capture[..], &["-o", "new.csv", "-o", "t.sr"]].concat(), "t.sr"),
        ([&capture[..], &["-n", "2", "-o", "t.png"]].concat(), "t-1.png"),
        ([&stream[..], &["-o", "t.csv"]].concat(), "t.csv"),
    ] {
        let message = scopething_in(directory.path(), &arguments).await.refused(2);
        assert!(message.contains(&format!("{name} exists")) && message.contains("--force"), "{message}");
        assert_eq!(fs::read_to_string(path(name)).unwrap(), "precious");
        assert!(!path("new.csv").exists());
    }
    for arguments in [
        [&capture[..], &["-o", "t.csv", "--force"]].concat(),
        [&stream[..], &["-o", "t.csv", "--force"]].concat(),
    ] {
        scopething_in(directory.path(), &arguments).await.done();
        assert!(fs::read_to_string(path("t.csv")).unwrap().lines().any(|line| line.starts_with("time,A")));
        fs::write(path("t.csv"), "precious").unwrap();
    }
    // What is no file is written to.
    scopething_in(directory.path(), &[&capture[..], &["-o", "/dev/null", "--format", "csv"]].concat())
        .await
        .done();
}

#[tokio::test]
async fn level_of_a_logic_trigger_is_refused() {
    assert_wrong_usage(&[
        (&["capture", "L", "--level", "1V", "--url", "sim:"], &["--level", "L0=1", "--trigger A or B"]),
        (&["plan", "A", "--trigger", "L3=0", "--level", "1V"], &["--level", "L3=0"]),
        (&["analyse", "L2", "--level", "1V", "--url", "sim:"], &["--level", "L2=1"]),
    ])
    .await;
    let arguments = ["capture", "L", "A", "--trigger", "A", "--level", "1V", "--timeout", "0", "--url", SINE];
    scopething(&arguments).await.done();
}

#[tokio::test]
async fn unmatched_logic_pattern_is_no_warning() {
    let all = ["A", "B", "L"];
    let captured =
        scopething(&[&["capture"], &all[..], &["--timeout", "0", "--url", DC]].concat()).await.done();
    assert_eq!(captured.stderr, "");
    let planned = scopething(&[&["plan"], &all[..]].concat()).await.done();
    assert_eq!(planned.stderr, "");
    let about = planned.stdout.lines().filter(|line| line.contains("L6,L7"));
    assert_eq!(about.count(), 1, "{}", planned.stdout);
    // A line that was named is missed.
    let named = scopething(&["capture", "A", "L7", "L0", "--timeout", "0", "--url", DC]).await.done();
    assert!(named.stderr.starts_with("warning: not captured: L7"), "{}", named.stderr);
}

/// A disk that is full, and a terminal or a pipe that is gone.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn standard_error_that_takes_nothing_loses_nothing() {
    let arguments =
        ["capture", "A", "L7", "--url", "sim:?A=sine,50Hz,0..3V", "-n", "2", "-o", "t.csv", "--json"];
    let stream = ["stream", "A", "--url", "sim:?A=dc,1V", "--for", "100ms", "-o", "t.csv"];
    let (reader, closed) = std::io::pipe().unwrap();
    drop(reader);
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into();
    let cases: [(&[&str], std::process::Stdio); 4] = [
        (&arguments, full()),
        (&arguments, closed.try_clone().unwrap().into()),
        (&stream, full()),
        (&stream, closed.into()),
    ];
    for (arguments, stderr) in cases {
        let directory = tempfile::tempdir().unwrap();
        let mut command = program(arguments);
        let child = command.current_dir(directory.path()).stderr(stderr).spawn().unwrap();
        drop(command);
        let output = bounded("the program", child.wait_with_output()).await.unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert!(fs::read_to_string(directory.path().join("t.csv")).unwrap().lines().count() > 100);
    }
    // A recording logs all that it does.
    let directory = tempfile::tempdir().unwrap();
    let job = directory.path().join("job.toml");
    let text = format!("url = '{SINE}'\nfiles.directory = '{}'\nwhen.count = 3", directory.path().display());
    fs::write(&job, text).unwrap();
    let child =
        program(&["record", job.to_str().unwrap()]).stderr::<std::process::Stdio>(full()).spawn().unwrap();
    let output = bounded("the recording", child.wait_with_output()).await.unwrap();
    assert_eq!(output.status.code(), Some(0));
}

#[tokio::test]
async fn settings_of_the_user_are_defaults() {
    let home = home_with("config.toml", &format!("url = '{DC}'\nrange = '0V..4V'\n"));
    let capture = ["capture", "--timeout", "0", "--json"];
    let own = at_home(home.path(), &capture).await.done().object();
    let range = |capture: &serde_json::Value| capture["range"].clone();
    assert_eq!(range(&own), serde_json::json!([0.0, 4.0]));
    assert!(series(&own, "A", "samples").iter().all(|volts| (volts - 1.0).abs() < 0.01));
    let given = ["--low", "-1V", "--high", "2V", "--url", "sim:?A=dc,0.5V&clock=fast"];
    let other = at_home(home.path(), &[&capture[..], &given].concat()).await.done().object();
    assert_eq!(range(&other), serde_json::json!([-1.0, 2.0]));
    assert!(series(&other, "A", "samples").iter().all(|volts| (volts - 0.5).abs() < 0.01));
    let home = home_with("config.toml", "url = 'sim:'\nprobes = 'x7'");
    let message = at_home(home.path(), &capture).await.refused(2);
    assert!(message.contains("\"x7\""), "{message}");
    let home = home_with("config.toml", "\nurl = 'nowhere'");
    let message = at_home(home.path(), &capture).await.refused(2);
    assert!(message.contains("line 2 of ") && message.contains("nowhere"), "{message}");
}

#[tokio::test]
async fn messages_are_as_many_as_wanted() {
    let arguments = ["capture", "A", "L7", "L0", "--timeout", "0", "--url", DC];
    let run = async |options: &[&str], log: &str| {
        let mut command = program(&[options, &arguments].concat());
        Running::start(command.env("SCOPETHING_LOG", log)).finish().await.done().stderr
    };
    let warning = "warning: not captured: L7";
    assert!(run(&[], "").await.starts_with(warning));
    assert!(run(&["-q"], "").await.starts_with(warning));
    assert_eq!(run(&["-qq"], "").await, "");
    assert_eq!(run(&[], "error").await, "");
    let detail = run(&["-v"], "").await;
    assert!(detail.contains("debug: BitScope Micro of revision BS000501 answers"), "{detail}");
    assert!(!detail.contains("trace: "));
    for traced in [run(&["-vv"], "").await, run(&[], "trace").await] {
        assert!(traced.contains(" > !") && traced.contains(" < "), "{traced}");
    }
    let mut command = program(&["plan"]);
    let refused = Running::start(command.env("SCOPETHING_LOG", "loud")).finish().await.refused(2);
    assert!(refused.contains("SCOPETHING_LOG") && refused.contains("debug"), "{refused}");
}

#[tokio::test]
async fn pictures_are_as_wide_as_wanted() {
    let arguments = ["capture", "--url", SINE, "--timeout", "0", "--plot"];
    let widest = |finished: Finished| finished.stdout.lines().map(|line| line.chars().count()).max().unwrap();
    let run = async |options: &[&str], columns: &str| {
        let mut command = program(&[&arguments[..], options].concat());
        widest(Running::start(command.env("COLUMNS", columns)).finish().await.done())
    };
    assert_eq!(run(&[], "").await, 100);
    assert_eq!(run(&[], "64").await, 64);
    assert_eq!(run(&["--width", "150"], "64").await, 150);
    assert_wrong_usage(&[(&[&arguments[..], &["--width", "5"]].concat(), &["40"])]).await;
}

#[tokio::test]
async fn attenuation_scales_what_a_channel_reads() {
    let capture = ["capture", "A", "B", "--url", DC, "--timeout", "0", "--json"];
    let means = |capture: &serde_json::Value| {
        ["A", "B"].map(|channel| {
            let samples = series(capture, channel, "samples");
            samples.iter().sum::<f64>() / samples.len() as f64
        })
    };
    for (attenuation, factors) in [("10", [10.0, 10.0]), ("A=10,B=1", [10.0, 1.0]), ("B=0.5", [1.0, 0.5])] {
        let scaled =
            scopething(&[&capture[..], &["--attenuation", attenuation]].concat()).await.done().object();
        let [a, b] = means(&scaled);
        // The nominal steps of the converters: a thousandth of the span.
        assert!(
            (a / factors[0] - 1.0).abs() < 0.01 && (b / factors[1] - 2.0).abs() < 0.01,
            "{attenuation} {a} {b}"
        );
    }
    // Range and level are those at the tip: 10 V to 25 V there are 1 V to 2.5 V at the input, and the ramp passes 20 V.
    let tip = ["--attenuation", "10", "--low", "0V", "--high", "35V", "--level", "20V"];
    let arguments = [
        &["capture", "A", "--url", "sim:?A=ramp,100Hz,0..3V&clock=fast", "--json", "--period", "20ms"],
        &tip[..],
    ]
    .concat();
    let triggered = scopething(&arguments).await.done().object();
    assert_eq!(triggered["cause"], "trigger");
    assert_eq!(number(&triggered["trigger"], "level"), 20.0);
    let samples = series(&triggered, "A", "samples");
    let at = (number(&triggered, "trigger_time") * number(&triggered, "sample_rate")) as usize;
    assert!((samples[at] - 20.0).abs() < 0.5, "{} at the trigger", samples[at]);
    // The file of calibrations has a default for the link, and the option takes its place.
    let home = home_with("analog.conf", &format!("[{DC}]\nattenuation = A=10,B=1\n"));
    let by_file = at_home(home.path(), &capture).await.done().object();
    assert!((means(&by_file)[0] - 10.0).abs() < 0.1 && (means(&by_file)[1] - 2.0).abs() < 0.02);
    let by_option =
        at_home(home.path(), &[&capture[..], &["--attenuation", "1"]].concat()).await.done().object();
    assert!((means(&by_option)[0] - 1.0).abs() < 0.01);
    assert_wrong_usage(&[
        (
            &["capture", "--url", DC, "--probes", "x10"],
            &["\"x10\"", "--attenuation 10", "calibrate --probes x10"],
        ),
        (&["capture", "--url", DC, "--attenuation", "0"], &["factor", "A=10,B=1"]),
        (&["stream", "--url", DC, "--attenuation", "A=10,A=1"], &["A=10,B=1"]),
    ])
    .await;
}

/// A simulated scope without a signal waits for ever, as a real one does, but prints what to give it.
#[tokio::test]
async fn simulated_scope_without_a_signal_is_pointed_out() {
    let mut running = Running::start(&mut program(&["capture", "--url", "sim:"]));
    running.until_printed("A of the simulated BitScope sees no signal").await;
    running.interrupt();
    running.finish().await.done();
    let auto = scopething(&["capture", "--url", "sim:", "--trigger-mode", "auto"]).await.done();
    assert_eq!(auto.stderr, "");
}

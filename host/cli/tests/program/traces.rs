//! Files of several traces: `scopething analyse` and `plot` select them by their numbers.

use std::fs;
use std::path::Path;

use crate::support::{Finished, number, scopething_in};
#[cfg(target_os = "linux")]
use crate::support::{Running, peak_memory_kib, program};
use serde_json::Value;

/// Records three traces of a sine of 1 kHz from 0 to 3 V, and gives the name of their file.
async fn recorded(directory: &Path, format: &str, keep: &str) -> String {
    let job = format!(
        "url = 'sim:?A=sine,1kHz,0..3V&clock=fast'\n\
         capture = {{ channels = ['A', 'L2'], period = '5ms', samples = 2000 }}\n\
         when.count = 3\n\
         keep.what = '{keep}'\n\
         files = {{ directory = '.', name = '{keep}', format = '{format}' }}"
    );
    fs::write(directory.join("job.toml"), job).unwrap();
    scopething_in(directory, &["record", "job.toml"]).await.done();
    let names =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_of_job = |name: &String| name.starts_with(&format!("{keep}-0")) && name.ends_with(format);
    let mut names: Vec<String> = names.filter(is_of_job).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    names.remove(0)
}

async fn analyse(directory: &Path, arguments: &[&str]) -> Finished {
    scopething_in(directory, &[&["analyse"], arguments].concat()).await
}

/// The clock of each trace in a recorded file, read as the text that it is.
fn clocks(directory: &Path, name: &str) -> Vec<String> {
    let text = fs::read_to_string(directory.join(name)).unwrap();
    let begin = |line: &&str| line.contains("20") && line.contains('T') && line.contains('Z');
    let clock = |line: &str| {
        let end = line.find('Z').unwrap() + 1;
        line[end - "2026-11-25T06:00:00.000000Z".len()..end].to_owned()
    };
    text.lines().filter(begin).map(clock).collect()
}

#[tokio::test]
async fn each_trace_reported_by_number_and_clock() {
    for format in ["csv", "json"] {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path();
        let name = recorded(place, format, "all").await;
        let clocks = clocks(place, &name);
        assert_eq!(clocks.len(), 3, "{name}");
        let objects = analyse(place, &[&name, "--json"]).await.done().objects();
        assert_eq!(objects.len(), 3);
        for (index, (object, clock)) in objects.iter().zip(&clocks).enumerate() {
            assert_eq!((&object["trace"], &object["clock"]), (&(index + 1).into(), &clock.as_str().into()));
            let wave = &object["channels"]["A"]["wave"];
            assert_eq!(wave["shape"], "sine");
            assert!((number(wave, "frequency") - 1000.0).abs() < 2.0, "{wave}");
            assert!(object["channels"]["L2"]["rising_edges"].is_u64(), "{object}");
        }
        assert_eq!((&objects[0]["gap"], &objects[1]["gap"]), (&"start".into(), &Value::Null));
        let tables = analyse(place, &[&name]).await.done().stdout;
        let headings: Vec<&str> = tables.lines().filter(|line| line.starts_with("trace ")).collect();
        let [first, second, third] = [0, 1, 2].map(|index| format!("trace {}, {}", index + 1, clocks[index]));
        assert_eq!(headings, [format!("{first}, gap: start"), second.clone(), third]);
        let one = analyse(place, &[&name, "--trace", "2"]).await.done().stdout;
        assert!(one.starts_with(&second) && one.matches("frequency").count() == 2, "{one}");
        assert!(tables.contains(&one), "{one}");
        let only = analyse(place, &[&name, "--trace", "3", "--json"]).await.done().object();
        assert_eq!(only, objects[2]);
        let refused = analyse(place, &[&name, "--trace", "4"]).await.refused(2);
        assert!(refused.contains("no trace 4") && refused.contains("1 to 3"), "{refused}");
    }
}

#[tokio::test]
async fn cut_recording_reports_whole_traces() {
    for format in ["csv", "json"] {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path();
        let name = recorded(place, format, "all").await;
        let text = fs::read(place.join(&name)).unwrap();
        // The last number of the last trace, and in JSON what closes its object.
        fs::write(place.join(&name), &text[..text.len() - 20]).unwrap();
        let finished = analyse(place, &[&name, "--json"]).await.ended(1);
        assert!(finished.stderr.contains("cut off"), "{}", finished.stderr);
        let reported = finished.objects().iter().map(|object| object["trace"].clone()).collect::<Vec<_>>();
        assert_eq!(reported, [1, 2]);
        analyse(place, &[&name, "--trace", "2"]).await.done();
        let first = scopething_in(place, &["plot", &name]).await.ended(1).stderr;
        assert!(first.contains("and 1 more exist, 2") && first.contains("cut off"), "{first}");
        let drawn = scopething_in(place, &["plot", &name, "--all", "-o", "cut.svg"]).await.ended(1);
        assert!(drawn.stderr.contains("cut off"), "{}", drawn.stderr);
        assert!(place.join("cut-2.svg").exists() && !place.join("cut-3.svg").exists());
    }
}

#[tokio::test]
async fn missing_samples_are_explained() {
    for format in ["csv", "json"] {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path();
        for (keep, held) in [("summary", "summaries"), ("envelope", "envelopes")] {
            let name = recorded(place, format, keep).await;
            for command in ["analyse", "plot"] {
                let refused = scopething_in(place, &[command, &name]).await.refused(1);
                assert!(refused.contains(&name) && refused.contains(held), "{refused}");
                assert!(refused.contains("what = \"all\" under [keep]"), "{refused}");
            }
        }
    }
}

#[tokio::test]
async fn captures_in_a_file_are_counted_from_1() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let capture = ["capture", "A", "--url", "sim:?A=triangle,1kHz,0..3V&clock=fast", "--period", "5ms"];
    let several = ["-n", "3", "-o", "t.csv", "-o", "t.json"];
    scopething_in(place, &[&capture[..], &several].concat()).await.done();
    let [csv, json] = [analyse(place, &["t.csv"]).await, analyse(place, &["t.json"]).await];
    let headings: Vec<&str> = csv.stdout.lines().filter(|line| line.starts_with("trace ")).collect();
    assert_eq!(headings, ["trace 1", "trace 2", "trace 3"]);
    assert_eq!(csv.done().stdout, json.done().stdout);
    let one = analyse(place, &["t.csv", "--trace", "3", "--json"]).await.done().object();
    assert_eq!((&one["trace"], &one["clock"]), (&3.into(), &Value::Null));
    assert_eq!(one["channels"]["A"]["wave"]["shape"], "triangle");
    scopething_in(place, &[&capture[..], &["-o", "one.json"]].concat()).await.done();
    let single = analyse(place, &["one.json"]).await.done().stdout;
    assert!(!single.contains("trace "), "one trace needs no heading: {single}");
    for arguments in [["t.csv", "--trace", "0"], ["t.json", "--trace", "4"]] {
        let refused = analyse(place, &arguments).await.refused(2);
        assert!(refused.contains("1 to 3"), "{refused}");
    }
    let no_file = analyse(place, &["--trace", "1", "--url", "sim:"]).await.refused(2);
    assert!(no_file.contains("name the file"), "{no_file}");
}

#[tokio::test]
async fn plot_draws_first_and_lists_others() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let name = recorded(place, "json", "all").await;
    let picture = |file: &str| fs::read_to_string(place.join(file)).unwrap();
    let first = scopething_in(place, &["plot", &name, "-o", "first.svg"]).await.done();
    assert!(first.stderr.contains("trace 1 is drawn, and 2 more exist, 2 to 3"), "{}", first.stderr);
    let third = scopething_in(place, &["plot", &name, "--trace", "3", "-o", "third.svg"]).await.done();
    assert_eq!(third.stderr, "");
    scopething_in(place, &["plot", &name, "--all", "-o", "all.svg"]).await.done();
    assert_eq!(picture("first.svg"), picture("all-1.svg"));
    assert_eq!(picture("third.svg"), picture("all-3.svg"));
    assert_ne!(picture("first.svg"), picture("third.svg"));
    let drawn = scopething_in(place, &["plot", &name]).await.done().stdout;
    assert!(drawn.lines().count() > 16 && drawn.contains("L2"), "{drawn}");
    let refused = scopething_in(place, &["plot", &name, "--trace", "17"]).await.refused(2);
    assert!(refused.contains("no trace 17") && refused.contains("1 to 3"), "{refused}");
    scopething_in(place, &["plot", &name, "--trace", "1", "--all"]).await.refused(2);
}

#[tokio::test]
async fn capture_options_with_file_are_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    fs::write(place.join("t.csv"), "time,A\n0,0\n0.001,1\n").unwrap();
    for option in ["--period=2ms", "--samples=1000", "--type=rising", "--raw", "--url=sim:", "--verify"] {
        let refused = analyse(place, &["t.csv", option]).await.refused(2);
        let name = option.split('=').next().unwrap();
        assert!(refused.contains(&format!("{name} is of a capture")), "{refused}");
    }
    analyse(place, &["t.csv", "--spectrum", "--json"]).await.done();
    // Nor options of a file with a capture.
    for option in ["--trace=1", "--input-format=csv", "--from=1ms", "--skip=2"] {
        let name = option.split('=').next().unwrap();
        for arguments in [&["analyse", "A", option][..], &["decode", "L", "-P", "uart:rx=L0", option]] {
            let refused = scopething_in(place, &[arguments, &["--url", "sim:"]].concat()).await.refused(2);
            assert!(refused.contains(&format!("{name} is of a file")), "{refused}");
        }
    }
}

/// A file of so many traces of a thousand samples each, made of one capture of a sine.
#[cfg(target_os = "linux")]
fn json_of_traces(directory: &Path, trace: &str, count: usize, separator: &str) -> String {
    let name = format!("{count}{}.json", if separator.is_empty() { "joined" } else { "" });
    let trace = trace.trim_end().to_owned() + separator;
    fs::write(directory.join(&name), trace.repeat(count)).unwrap();
    name
}

/// How many traces at the end of a file are still to be printed when memory is looked at.
#[cfg(target_os = "linux")]
const TRACES_LEFT: usize = 60;

/// The peak memory of the program, in KiB, when it has printed all but the last traces, which is more than a pipe takes.
#[cfg(target_os = "linux")]
async fn peak_kib(directory: &Path, arguments: &[&str], traces: usize) -> u64 {
    let mut running = Running::start(program(arguments).current_dir(directory));
    for _ in TRACES_LEFT..traces {
        running.line().await;
    }
    let peak = peak_memory_kib(running.id());
    let rest = running.finish().await.done().stdout;
    assert_eq!(rest.lines().count(), TRACES_LEFT, "{arguments:?}");
    peak
}

/// A file of traces is read trace by trace, whether they stand on lines of their own or not.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn memory_does_not_grow_with_the_number_of_traces() {
    const FEW: usize = 80;
    /// The larger file is 15 MB, of which 10 MB are more than the smaller one has.
    const MAX_GROWTH_KIB: u64 = 2048;
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    let url = "sim:?A=sine,1kHz,0..3V&clock=fast";
    let capture = ["capture", "A", "--url", url, "--period", "10ms", "--samples", "2000", "--json"];
    let trace = scopething_in(place, &capture).await.done().stdout;
    for (separator, arguments) in [
        ("\n", &["analyse", "--json"][..]),
        ("\n", &["convert", "-o", "-", "--format", "json"]),
        ("", &["convert", "-o", "-", "--format", "json"]),
    ] {
        let mut peaks = Vec::new();
        for count in [FEW, 4 * FEW] {
            let name = json_of_traces(place, &trace, count, separator);
            peaks.push(peak_kib(place, &[arguments, &[&name]].concat(), count).await);
        }
        assert!(peaks[1] < peaks[0] + MAX_GROWTH_KIB, "{arguments:?}, {separator:?}: {peaks:?} KiB");
    }
}

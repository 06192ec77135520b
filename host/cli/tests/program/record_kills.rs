//! Recordings that end without a chance to finish: killed at seeded moments, and cut at seeded bytes of their files.
//!
//! Each is started again where it was left. In the end every file is opened by a tool of its own, and holds whole traces
//! whose numbers go on without a gap. `SCOPETHING_KILLS` is how often each format is killed, where a few times are too few.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::support::{Running, bounded, program, scopething};
use rustix::process::Signal;
use scopething_files::Format;
use scopething_record::writer::growing::{Survey, survey};
use tokio::process::Command;

const SEED: u64 = 2026;

/// How often each format is killed at some moment.
fn kills() -> u32 {
    std::env::var("SCOPETHING_KILLS").map_or(6, |count| count.parse().expect("a number"))
}

/// A recording in a directory of its own.
struct Bench {
    directory: tempfile::TempDir,
    format: Format,
    /// Samples of a trace.
    samples: u64,
}

impl Bench {
    fn new(format: Format, samples: u64) -> Self {
        Self { directory: tempfile::tempdir().unwrap(), format, samples }
    }

    /// A job. What was written survives the process, so that nothing need be synced to disk, and most of the time goes
    /// into writing.
    fn job(&self, more: &str) -> String {
        let path = self.directory.path().join("job.toml");
        let text = format!(
            "url = 'sim:?A=sine,1kHz,0..3V&clock=fast'\nfiles.directory = '{}'\nfiles.format = '{}'\n\
             files.sync-every = 1000\ncapture.samples = {}\n{more}",
            self.files_directory().display(),
            self.format,
            self.samples
        );
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn files_directory(&self) -> PathBuf {
        self.directory.path().join("files")
    }

    /// The files of the job in their order.
    fn files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.files_directory()) else { return Vec::new() };
        let paths = entries.map(|entry| entry.unwrap().path());
        let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        let ours =
            |path: &PathBuf| name(path).starts_with("trace-0") && name(path).ends_with(self.format.name());
        let mut files: Vec<_> = paths.filter(ours).collect();
        files.sort();
        files
    }

    /// What is in the newest file of a format that grows.
    fn newest(&self) -> Option<Survey> {
        let newest = self.files().pop()?;
        let survey = survey(&newest, self.format).unwrap();
        assert!(!survey.damaged, "{survey:?}");
        Some(survey)
    }

    /// Starts a recording and kills it some time after it has found its scope.
    async fn kill_after(&self, job: &str, moment: Duration) {
        let mut running = Running::start(&mut program(&["record", job]));
        running.until_printed("recording from the scope").await;
        // The moment is what is tested, and not that something has happened by then.
        tokio::time::sleep(moment).await;
        running.signal(Signal::KILL);
        running.finish().await;
    }

    /// Lets one more trace be recorded, and has all files opened by their tools: their traces are numbered from 1 on and
    /// whole. Returns how many there are.
    async fn goes_on(&self, more: &str) -> u64 {
        let once = self.job(&format!("{more}\nwhen.count = 1"));
        scopething(&["record", &once]).await.done();
        let traces = traces_seen(&self.files()).await;
        let numbers: Vec<u64> = traces.iter().map(|trace| trace.0).collect();
        assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{}: {numbers:?}", self.format);
        // A dump of changes has fewer.
        let whole =
            |samples: u64| if self.format == Format::Vcd { samples > 0 } else { samples == self.samples };
        let cut: Vec<_> = traces.iter().filter(|trace| !whole(trace.1)).collect();
        assert!(cut.is_empty(), "{}: {cut:?}", self.format);
        numbers.len() as u64
    }
}

/// The number and the samples of each trace, as tools of the files' users find them.
async fn traces_seen(paths: &[PathBuf]) -> Vec<(u64, u64)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut python = Command::new(root.join("target/python/bin/python"));
    python.arg(root.join("tests/clients/recorded_traces.py")).args(paths);
    let output = bounded("Python", python.output()).await;
    let output = output.unwrap_or_else(|error| panic!("{python:?}: {error}; run .ci/install"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let trace = |line: &str| {
        let (number, samples) = line.split_once(' ').unwrap();
        (number.parse().unwrap(), samples.parse().unwrap())
    };
    String::from_utf8(output.stdout).unwrap().lines().map(trace).collect()
}

/// Kills a recording that grows at moments of which many lie within a write.
async fn killed_at_moments(format: Format) {
    const MORE: &str = "files.new-at = '3MB'";
    let bench = Bench::new(format, 4000);
    let endless = bench.job(MORE);
    let mut random = fastrand::Rng::with_seed(SEED);
    let (mut torn, mut before) = (0, 0);
    for _ in 0..kills() {
        bench.kill_after(&endless, Duration::from_micros(random.u64(1_000..65_000))).await;
        let Some(survey) = bench.newest() else { continue };
        torn += u32::from(survey.torn_bytes > 0);
        let last = survey.last_number.unwrap_or(before);
        assert!(last >= before, "trace {before} was written, {last} is the last one");
        before = last;
    }
    let traces = bench.goes_on(MORE).await;
    assert_eq!(traces, before + 1, "the number after the last one that was written");
    println!("{format}: {} kills at moments, {torn} of them within a trace, {traces} traces", kills());
}

/// Cuts the file of a recording at given bytes: whatever ends a process, or takes its power, leaves such a beginning of what
/// it would have written.
async fn ended_at_bytes(format: Format) {
    const ENDS: u32 = 100;
    const MAX_CUT: u64 = 10_000;
    let bench = Bench::new(format, 100);
    // A trace has more than a kilobyte.
    let long = bench.job("when.count = 10");
    let mut random = fastrand::Rng::with_seed(SEED);
    let (mut torn, mut before) = (0, 0);
    for _ in 0..ENDS {
        let length = bench.newest().map_or(0, |survey| survey.sound_bytes);
        let limit = length + random.u64(1..MAX_CUT);
        scopething(&["record", &long]).await.done();
        let newest = fs::OpenOptions::new().write(true).open(bench.files().pop().expect("a file")).unwrap();
        assert!(newest.metadata().unwrap().len() >= limit, "a cut makes no file longer");
        newest.set_len(limit).unwrap();
        let survey = bench.newest().expect("a file");
        assert_eq!(survey.sound_bytes + survey.torn_bytes, limit);
        torn += u32::from(survey.torn_bytes > 0);
        let last = survey.last_number.unwrap_or(before);
        assert!(last >= before, "trace {before} was written, {last} is the last one");
        before = last;
    }
    let traces = bench.goes_on("").await;
    assert_eq!(traces, before + 1, "the number after the last one that was written");
    println!("{format}: ended at {ENDS} bytes, {torn} of them within a trace, {traces} traces");
    assert!(torn > ENDS * 9 / 10);
}

/// Kills a recording in a format of which each trace is a file.
async fn a_file_a_trace_killed(format: Format) {
    let bench = Bench::new(format, 1000);
    let endless = bench.job("");
    let mut random = fastrand::Rng::with_seed(SEED);
    let part = |path: &Path| path.extension().is_some_and(|ending| ending == "part");
    let mut cut = 0;
    for _ in 0..kills() {
        bench.kill_after(&endless, Duration::from_micros(random.u64(1_000..65_000))).await;
        cut += u32::from(left(&bench).iter().any(|path| part(path)));
    }
    let traces = bench.goes_on("").await;
    assert!(!left(&bench).iter().any(|path| part(path)), "what was cut is removed");
    println!("{format}: {} kills at moments, {cut} of them within a file, {traces} traces", kills());
}

/// All that is in the directory of the job's files.
fn left(bench: &Bench) -> Vec<PathBuf> {
    let entries = fs::read_dir(bench.files_directory()).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn killed_recording_of_csv_goes_on() {
    killed_at_moments(Format::Csv).await;
}

#[tokio::test]
async fn killed_recording_of_json_goes_on() {
    killed_at_moments(Format::Json).await;
}

#[tokio::test]
async fn csv_recording_resumes_after_any_cut() {
    ended_at_bytes(Format::Csv).await;
}

#[tokio::test]
async fn json_recording_resumes_after_any_cut() {
    ended_at_bytes(Format::Json).await;
}

#[tokio::test]
async fn killed_recording_of_trace_files_resumes() {
    for format in [Format::Npz, Format::Parquet, Format::Sr, Format::Vcd, Format::Wav] {
        a_file_a_trace_killed(format).await;
    }
}

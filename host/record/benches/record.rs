//! How many captures a second a recording takes beside the bare driver, and the memory that it has after 100 000.
//!
//! The device is simulated and waits for nothing, so that all the time is the computer's. `cargo bench --bench record`
//! prints a line a kind of recording, each of so many rounds in which the driver and the recording take turns: the median
//! of their ratios, and the minimum and maximum. A number behind `--` is another count of captures. The files are where
//! `TMPDIR` points: to see what the program takes and not the disk, let that be `/dev/shm`.

use std::path::Path;
use std::time::Instant;

use scopething::link::{self, HostClock, LinkClock, LinkUrl};
use scopething_core::scope::Scope;
use scopething_core::trace::TraceBuffer;
use scopething_record::SystemDisk;
use scopething_record::job::Job;
use scopething_record::{LinkTime, Links, Recorder, Unwatched};
use tokio::runtime::Runtime;

const URL: &str = "sim:?A=sine,1kHz,0..3V&clock=fast";
const CAPTURES: u64 = 100_000;
const ROUNDS: u64 = 5;
/// Each kind, in the words of a job.
const KINDS: [(&str, &str); 5] = [
    ("summary, csv", "keep.what = 'summary'\nfiles.sync-every = 1000"),
    ("envelope, csv", "keep.what = 'envelope'\nfiles.sync-every = 1000"),
    ("all samples, csv", "files.sync-every = 1000"),
    ("all samples, json", "files.format = 'json'\nfiles.sync-every = 1000"),
    ("all samples, csv, each on the disk before the next", "files.sync-every = 1"),
];

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let count: u64 = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(CAPTURES);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for (name, words) in KINDS {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push(round(&runtime, words, count.div_ceil(ROUNDS))?);
        }
        rounds.sort_by(|one, other| one.ratio().total_cmp(&other.ratio()));
        let percent = |round: &Round| round.ratio() * 100.0;
        let (least, median, most) = (&rounds[0], &rounds[rounds.len() / 2], &rounds[rounds.len() - 1]);
        println!(
            "{name}: {:.1} % of the bare driver ({:.1} to {:.1} %), {:.0} of {:.0} captures/s; resident at most {}",
            percent(median),
            percent(least),
            percent(most),
            median.recorded_hz,
            median.bare_hz,
            most_resident()
        );
    }
    Ok(())
}

/// Captures a second.
struct Round {
    bare_hz: f64,
    recorded_hz: f64,
}

impl Round {
    fn ratio(&self) -> f64 {
        self.recorded_hz / self.bare_hz
    }
}

fn round(runtime: &Runtime, words: &str, count: u64) -> Outcome<Round> {
    let directory = tempfile::tempdir()?;
    Ok(Round {
        bare_hz: runtime.block_on(bare(&job(directory.path(), words, count)?, count))?,
        recorded_hz: runtime.block_on(recorded(job(directory.path(), words, count)?, count))?,
    })
}

fn job(directory: &Path, words: &str, count: u64) -> Outcome<Job> {
    Ok(Job::parse(&format!(
        "url = '{URL}'\nwhen.count = {count}\nfiles.directory = '{}'\nfiles.new-at = '10MB'\nfiles.keep-bytes = '50MB'\n\
         {words}",
        directory.display()
    ))?)
}

/// Captures a second of the driver alone.
async fn bare(job: &Job, count: u64) -> Outcome<f64> {
    let link = link::open(&URL.parse::<LinkUrl>()?).await?;
    let mut scope = Scope::connect(link.stream, link.clock, link.profile).await?;
    let plan = scope.plan(&job.request)?;
    let mut buffer = Box::new(TraceBuffer::new());
    let started = Instant::now();
    for _ in 0..count {
        scope.capture(&plan, &mut buffer).await?;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// Captures a second of a recording, until all is in its files.
async fn recorded(job: Job, count: u64) -> Outcome<f64> {
    let time = LinkTime::new(LinkClock::Host(HostClock::new()), true);
    let recorder = Recorder::start(job, Links::new(scopething_sim::no_files), time, SystemDisk, Unwatched)?;
    let started = Instant::now();
    let status = recorder.run(std::future::pending()).await?;
    assert_eq!(status.written, count, "{status:?}");
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// What the system reports about this process, if it does.
fn most_resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |size| size.trim().to_owned())
}

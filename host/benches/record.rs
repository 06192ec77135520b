//! How many captures a second a recording takes beside the bare driver, and the memory that it has after 100 000.
//!
//! The device is simulated and waits for nothing, so that all the time is the computer's. `cargo bench --bench record`
//! prints a line a kind of recording; a number behind `--` is another count of captures.

use std::time::Instant;

use scopething::link::{self, HostClock, LinkClock, LinkUrl};
use scopething::record::disk::SystemDisk;
use scopething::record::job::Job;
use scopething::record::{LinkTime, Links, Recorder, Unwatched};
use scopething_core::device::BS05;
use scopething_core::scope::Scope;
use scopething_core::trace::TraceBuffer;

const URL: &str = "sim:?A=sine,1kHz,0..3V&clock=fast";
const CAPTURES: u64 = 100_000;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(CAPTURES);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let directory = tempfile::tempdir()?;
    for what in ["summary", "all"] {
        let text = format!(
            "url = '{URL}'\nwhen.count = {count}\nkeep.what = '{what}'\n[files]\ndirectory = '{}'\nname = '{what}'\n\
             new-at = '10MB'\nkeep-bytes = '50MB'\nsync-every = 1000",
            directory.path().display()
        );
        let job = Job::parse(&text)?;
        let bare = runtime.block_on(bare(&job, count))?;
        let recorded = runtime.block_on(recorded(job, count))?;
        println!(
            "{what}: {recorded:.0} captures/s recorded, {bare:.0} by the bare driver, {:.1} %; resident at most {}",
            recorded / bare * 100.0,
            most_resident()
        );
    }
    Ok(())
}

/// Captures a second of the driver alone.
async fn bare(job: &Job, count: u64) -> Outcome<f64> {
    let link = link::open(&URL.parse::<LinkUrl>()?).await?;
    let mut scope = Scope::connect(link.stream, link.clock, link.profile).await?;
    let plan = scope.plan(&BS05.analog, &job.request)?;
    let mut buffer = Box::new(TraceBuffer::new());
    let started = Instant::now();
    for _ in 0..count {
        scope.capture(&plan, &mut buffer).await?;
    }
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// Captures a second of a recording.
async fn recorded(job: Job, count: u64) -> Outcome<f64> {
    let time = LinkTime::new(LinkClock::Host(HostClock::new()), true);
    let recorder = Recorder::start(job, Links::default(), time, SystemDisk, Unwatched)?;
    let started = Instant::now();
    recorder.run(std::future::pending()).await?;
    Ok(count as f64 / started.elapsed().as_secs_f64())
}

/// What the system says of this process, where it does.
fn most_resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |size| size.trim().to_owned())
}

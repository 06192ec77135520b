//! `scopething record`: records unattended, for as long as the job file specifies.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use tokio::sync::watch;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::failure::Failure;
use super::interrupt::Interrupts;
use super::message::{self, Level};
use super::table::Table;
use super::terminal;
use scopething::link::{HostClock, LinkClock, LinkUrl};
use scopething::regular;
use scopething_files::playback;
use scopething_record::explain::Explanation;
use scopething_record::job::Job;
use scopething_record::{LinkTime, Links, Page, RecordError, Recorder, Status, StatusObserver, SystemDisk};
use scopething_sim::{ClockKind, SimConfig};

/// The longest job that is read.
const MAX_JOB_BYTES: u64 = 1 << 20;

const EXAMPLES: &str = "\
Examples:
  scopething record bench.toml
      Record as bench.toml specifies, until it is done, Ctrl-C or SIGTERM
  scopething record --check bench.toml
      Print in plain words what it will do, and the disk space that it needs per day
  scopething record --status bench.toml
      How the recording of this job goes

A job, of which only files.directory must be given:
  url = \"sim:?A=sine,1kHz,0..3V\"
  [capture]
  channels = [\"A\"]
  period = \"2ms\"
  [when]
  every = \"10s\"
  [files]
  directory = \"recordings\"
  new-after = \"1h\"
  keep-for = \"30d\"";

/// Record for days or weeks, as a job file specifies
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The job, a TOML file
    #[arg(value_name = "JOB.toml")]
    job: PathBuf,
    /// Only print what it would do, and the disk space it needs per day
    #[arg(long, conflicts_with = "status")]
    check: bool,
    /// Only print the status of the recording, which another process runs
    #[arg(long)]
    status: bool,
    /// With --status: as a JSON object
    #[arg(long, requires = "status")]
    json: bool,
}

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let path = self.job.display();
        let text = regular::read_to_string(&self.job, MAX_JOB_BYTES)
            .with_context(|| format!("{path} cannot be read"));
        let job = Job::parse(&text.map_err(Failure::Failed)?);
        let job = job.map_err(|error| Failure::Usage(anyhow::anyhow!("{path}: {error}")))?;
        if self.check {
            let explanation = Explanation::of(&job).await.map_err(Failure::usage)?;
            return Ok(write!(terminal::stdout(), "{explanation}")?);
        }
        if self.status {
            return self.show_status(&job);
        }
        record(job).await
    }

    fn show_status(&self, job: &Job) -> Result<(), Failure> {
        let path = job.status_file.display();
        let status = Status::read(&job.status_file);
        let status = status.with_context(|| format!("there is no status in {path}: is the job recorded?"));
        let status = status.map_err(Failure::Failed)?;
        if self.json {
            writeln!(terminal::stdout(), "{}", serde_json::to_string(&status).map_err(Failure::failed)?)?;
        } else {
            write!(terminal::stdout(), "{}", Table::named(status.rows()))?;
        }
        Ok(())
    }
}

async fn record(job: Job) -> Result<(), Failure> {
    log();
    let interrupts = Interrupts::watch();
    let status_file = regular::check(&job.status_file);
    status_file
        .with_context(|| format!("the status cannot be written to {}", job.status_file.display()))
        .map_err(Failure::Failed)?;
    let time = LinkTime::new(LinkClock::Host(HostClock::new()), is_simulated(&job.url));
    let (sender, receiver) = watch::channel(Status::default());
    let observer = StatusPublisher { path: job.status_file.clone(), written: None, failed: false, sender };
    let prometheus = job.prometheus;
    let recorder =
        Recorder::start(job, Links::new(playback::read), time, SystemDisk, observer).map_err(failure)?;
    if let Some(address) = prometheus {
        let page = Page::bind(address, receiver).await;
        let page = page.with_context(|| format!("the status cannot be served at {address}"));
        let page = page.map_err(Failure::Failed)?;
        writeln!(terminal::stdout(), "{}", serde_json::json!({"prometheus": page.address()?.to_string()}))?;
        tokio::spawn(page.serve());
    }
    notify(&["READY=1"]);
    let recorded = recorder.run(interrupts.reached(1)).await;
    notify(&["STOPPING=1"]);
    let status = recorded.map_err(failure)?;
    tracing::info!(
        "recording has ended: {} traces captured, {} kept, {} written",
        status.captures,
        status.kept,
        status.written
    );
    Ok(())
}

fn failure(error: RecordError) -> Failure {
    match error {
        RecordError::Connect(_) => Failure::usage(error),
        RecordError::Store(_) | RecordError::Lost { .. } => Failure::failed(error),
    }
}

/// Whether time is that of a simulated scope that waits for nothing.
fn is_simulated(url: &LinkUrl) -> bool {
    let LinkUrl::Sim { query } = url else { return false };
    SimConfig::from_query(query).is_ok_and(|config| config.clock == ClockKind::Fast)
}

/// Logs go to the journal where standard error does, and to standard error otherwise.
fn log() {
    let registry = tracing_subscriber::registry();
    #[cfg(target_os = "linux")]
    if std::env::var_os("JOURNAL_STREAM").is_some()
        && let Ok(journal) = tracing_journald::layer()
    {
        // There is one logger in a process, and this is where it is set.
        let _ = registry.with(shown_levels()).with(journal).try_init();
        return;
    }
    let stderr =
        tracing_subscriber::fmt::layer().with_writer(terminal::stderr).with_target(false).with_ansi(false);
    // What cannot be written on standard error must not end the recording by a message of that.
    let stderr = stderr.log_internal_errors(false);
    let _ = registry.with(shown_levels()).with(stderr).try_init();
}

/// The levels that are logged, as for all other messages.
fn shown_levels() -> LevelFilter {
    [
        (Level::Trace, LevelFilter::TRACE),
        (Level::Detail, LevelFilter::DEBUG),
        (Level::Note, LevelFilter::INFO),
        (Level::Warning, LevelFilter::WARN),
    ]
    .into_iter()
    .find_map(|(level, filter)| message::shows(level).then_some(filter))
    .unwrap_or(LevelFilter::ERROR)
}

/// Notifies systemd, if it started the program and expects notifications.
#[cfg(target_os = "linux")]
fn notify(states: &[&str]) {
    let states: Vec<_> = states.iter().map(|state| sd_notify::NotifyState::Custom(state)).collect();
    if let Err(error) = sd_notify::notify(&states) {
        tracing::warn!("systemd cannot be notified: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
fn notify(_: &[&str]) {}

/// How often the file is written, at most: simulated seconds may pass by the thousand.
const MIN_WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// Publishes the status: to the status file, the page, and systemd's watchdog.
struct StatusPublisher {
    path: PathBuf,
    /// When the file was written, and with how many conditions.
    written: Option<(Instant, usize)>,
    failed: bool,
    sender: watch::Sender<Status>,
}

impl StatusObserver for StatusPublisher {
    fn watch(&mut self, status: &Status) {
        let now = Instant::now();
        let is_recent = |&(written, conditions): &(Instant, usize)| {
            now.duration_since(written) < MIN_WRITE_INTERVAL && conditions == status.conditions.len()
        };
        if self.written.as_ref().is_some_and(is_recent) && !status.ended {
            return;
        }
        self.written = Some((now, status.conditions.len()));
        let condition = status.conditions.first().map_or("recording", |condition| condition.text.as_str());
        notify(&["WATCHDOG=1", &format!("STATUS={} written; {condition}", status.written)]);
        self.sender.send_replace(status.clone());
        let written = status.write(&self.path);
        if let (Err(error), false) = (&written, self.failed) {
            tracing::warn!("the status cannot be written to {}: {error}", self.path.display());
        }
        self.failed = written.is_err();
    }
}

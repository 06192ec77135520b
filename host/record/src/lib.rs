//! Recordings of weeks on an unattended board: captures are taken as a [`Job`](job::Job) specifies, and what is kept of them
//! outlives a scope that is unplugged, a full disk, a clock that is set and a loss of power.
//!
//! A [`Recorder`] knows time, disk and link by what it is given, so that a day passes in moments where they are
//! simulated. It captures in the task that runs it; a thread beside it measures traces and writes them. It prints nothing:
//! conditions are logged by `tracing`, and a [`StatusObserver`] receives the [`Status`].
//!
//! A trace passes two rooms. The reader finds the scope, captures, and cuts streams into traces. The [writer] stamps each trace,
//! makes text or a file of it, holds it while the disk takes none, and puts it on the disk. The journal keeps the account of
//! both: moments, gaps, conditions, status.
//!
//! What it is not: a trigger without gaps. The scope captures nothing while a trace is read out of it. Where nothing may be
//! missed, a job [streams](job::StreamJob): its traces follow on one another.
//!
//! ```
//! use scopething::link::{HostClock, LinkClock};
//! use scopething_record::{Links, LinkTime, Recorder, SystemDisk, Unwatched, job::Job};
//!
//! # let directory = tempfile::tempdir()?;
//! let job = format!(
//!     "url = 'sim:?A=sine,1kHz,0..3V&clock=fast'\nwhen.count = 3\nfiles.directory = '{}'",
//!     directory.path().display()
//! );
//! let time = LinkTime::new(LinkClock::Host(HostClock::new()), true);
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! let recorder = Recorder::start(Job::parse(&job)?, Links::new(scopething_files::playback::read), time, SystemDisk, Unwatched)?;
//! let status = runtime.block_on(recorder.run(std::future::pending()))?;
//! assert_eq!(status.written, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod explain;
pub mod job;
mod journal;
mod reader;
mod recorder;
pub mod stream;
mod time;
pub mod writer;

pub use self::journal::conditions::{Condition, ConditionKind};
pub use self::journal::page::{Page, Verdict};
pub use self::journal::status::Status;
pub use self::journal::{StatusObserver, Unwatched};
pub use self::reader::connect::{ConnectError, Links, Opened, Opener, Place};
pub use self::recorder::{RecordError, Recorder};
pub use self::time::{LinkTime, Reading, Timekeeper};
pub use self::writer::store::{Disk, SystemDisk};

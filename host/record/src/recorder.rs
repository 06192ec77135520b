//! A recording from its start to its end.

use std::sync::Arc;

use thiserror::Error;

use crate::job::Job;
use crate::journal::StatusObserver;
use crate::journal::status::Status;
use crate::reader::Reader;
use crate::reader::connect::{ConnectError, Opener};
use crate::time::Timekeeper;
use crate::writer::store::{Disk, StoreError};
use crate::writer::{Closed, Writer, WriterThread};

/// Records as a job specifies, until it is done or stopped.
#[derive(Debug)]
pub struct Recorder<O, T, D, W> {
    job: Arc<Job>,
    opener: O,
    time: T,
    writer: Writer<D, W>,
}

/// Why a recording ended before it was done.
#[derive(Debug, Error)]
pub enum RecordError {
    /// Its files cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The scope can never do what the job asks for.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// It has ended, and traces in memory are lost.
    #[error("the last {count} traces were not written: {reason}")]
    Lost {
        /// How many.
        count: u64,
        /// Why the disk took nothing.
        reason: StoreError,
    },
}

impl<O: Opener, T: Timekeeper, D: Disk + 'static, W: StatusObserver + 'static> Recorder<O, T, D, W> {
    /// Opens the files of a job.
    ///
    /// # Errors
    /// If they cannot be opened, or another recording writes to them.
    pub fn start(job: Job, opener: O, time: T, disk: D, observer: W) -> Result<Self, RecordError> {
        let job = Arc::new(job);
        let writer = Writer::open(Arc::clone(&job), disk, observer, time.read())?;
        Ok(Self { job, opener, time, writer })
    }

    /// Records until the job is done, or `stop` completes: then the files are finished.
    ///
    /// Needs a tokio runtime. Traces are measured and written by a thread of their own.
    ///
    /// # Errors
    /// If the scope cannot do what the job asks for, or the disk does not take the last traces. A scope that is disconnected, a disk
    /// that is full and traces that are bad are no errors: they are waited for.
    ///
    /// # Cancellation
    /// Dropping the future loses the traces under way; what was captured before is written.
    pub async fn run(self, stop: impl Future<Output = ()>) -> Result<Status, RecordError> {
        let Self { job, opener, time, writer } = self;
        let writer_thread = WriterThread::start(writer, time.read());
        let mut reader = Reader::new(job, opener, &time, &writer_thread);
        let recorded = tokio::select! {
            biased;
            () = stop => Ok(()),
            recorded = reader.run() => recorded,
        };
        reader.flush().await;
        let Closed { status, lost } = writer_thread.finish(time.read()).await;
        recorded?;
        match lost {
            Some((count, reason)) => Err(RecordError::Lost { count, reason }),
            None => Ok(status),
        }
    }
}

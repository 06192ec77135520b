//! The loop: connect, wait, capture, keep.

use std::pin::pin;

use scopething_core::scope::ScopeError;
use scopething_core::time::{Instant, Micros};
use scopething_core::trace::TraceBuffer;
use thiserror::Error;

use super::connect::{ConnectError, Connected, Opener, connect};
use super::job::Job;
use super::ledger::{Ledger, Watcher};
use super::schedule::Spacing;
use super::status::Status;
use super::store::{Disk, StoreError};
use super::time::Timekeeper;
use crate::link::LinkError;
use crate::recording::{Recording, RecordingError};

/// How long to wait before a scope that is away is looked for again.
const LOOK_AGAIN: Micros = Micros::from_millis(1000);
/// After so many bad traces in a row the scope is connected to anew.
const MOST_BAD_TRACES: u32 = 3;
/// A clock that moves by more than this was set: times of day are reckoned anew.
const CLOCK_STEP_US: u64 = 500_000;

/// Records as a job says, until it is done or stopped.
#[derive(Debug)]
pub struct Recorder<O, T, D, W> {
    job: Job,
    opener: O,
    time: T,
    ledger: Ledger<D, W>,
    connected: Option<Connected>,
    /// The scope that this is about.
    serial: Option<String>,
    /// On the heap, so that futures stay small.
    buffer: Box<TraceBuffer>,
    started: Instant,
    bad_in_a_row: u32,
}

/// Why a recording ended before it was done.
#[derive(Debug, Error)]
pub enum RecordError {
    /// Its files cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The scope can never do what the job says.
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

/// Why there is no trace.
enum NoTrace {
    Scope(ScopeError<LinkError>),
    Recording(RecordingError),
}

impl<O: Opener, T: Timekeeper, D: Disk, W: Watcher> Recorder<O, T, D, W> {
    /// Opens the files of a job.
    ///
    /// # Errors
    /// If they cannot be opened, or another recording writes to them.
    pub fn start(job: Job, opener: O, time: T, disk: D, watcher: W) -> Result<Self, RecordError> {
        let started = time.now();
        Ok(Self {
            ledger: Ledger::open(&job, disk, watcher, started, time.wall())?,
            serial: job.serial.clone(),
            job,
            opener,
            time,
            connected: None,
            buffer: Box::new(TraceBuffer::new()),
            started,
            bad_in_a_row: 0,
        })
    }

    /// Records until the job is done, or `stop` completes: then the files are finished.
    ///
    /// # Errors
    /// If the scope cannot do what the job says, or the disk does not take the last traces. A scope that is away, a disk
    /// that is full and traces that are bad are no errors: they are waited for.
    ///
    /// # Cancellation
    /// Dropping the future leaves what a loss of power leaves.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<Status, RecordError> {
        let recorded = tokio::select! {
            biased;
            () = stop => Ok(()),
            recorded = self.record() => recorded,
        };
        let (status, lost) = self.ledger.close(&self.time);
        recorded?;
        match lost {
            Some((count, reason)) => Err(RecordError::Lost { count, reason }),
            None => Ok(status),
        }
    }

    async fn record(&mut self) -> Result<(), RecordError> {
        let mut due = match &self.job.spacing {
            Spacing::Continuous | Spacing::Every(_) => self.started,
            Spacing::TimesOfDay(_) => self.next_due(),
        };
        while !self.is_done() {
            if self.connected.is_none() {
                self.look_for_scope().await?;
            } else if self.time.now() < due {
                due = self.wait(due).await;
            } else {
                self.capture().await;
                due = self.next_due();
            }
        }
        Ok(())
    }

    fn next_due(&self) -> Instant {
        self.job.spacing.next(self.started, self.time.now(), self.time.wall())
    }

    fn ends(&self) -> Option<Instant> {
        self.job.extent.seconds.map(|seconds| self.started + Micros::from_seconds(seconds))
    }

    fn is_done(&self) -> bool {
        let counted = self.job.extent.count.is_some_and(|count| self.ledger.status.captures >= count);
        counted || self.ends().is_some_and(|end| self.time.now() >= end)
    }

    /// Connects to the scope, or waits a while.
    async fn look_for_scope(&mut self) -> Result<(), RecordError> {
        let Err(error) = self.try_connect().await else { return Ok(()) };
        if !error.may_pass() {
            return Err(error.into());
        }
        self.ledger.away(error.is_other_scope(), &error.to_string(), &self.time);
        let until = self.time.now() + LOOK_AGAIN;
        let ends = self.ends();
        minded(&mut self.ledger, &self.time, ends, self.time.until(until)).await;
        Ok(())
    }

    async fn try_connect(&mut self) -> Result<(), ConnectError> {
        let ends = self.ends();
        let opening = self.opener.open(&self.job.url, &self.job.probes);
        let Some(opened) = minded(&mut self.ledger, &self.time, ends, opening).await else { return Ok(()) };
        let opened = opened?;
        let began = self.time.now();
        self.time.follow(opened.link.clock.clone());
        let ends = ends.map(|end| self.time.now() + (end - began));
        let connecting = connect(&self.job, opened, self.serial.as_deref());
        let Some(connected) = minded(&mut self.ledger, &self.time, ends, connecting).await else {
            return Ok(());
        };
        let connected = connected?;
        if self.ledger.status.connections == 0 {
            for notice in &connected.plan.notices {
                tracing::warn!("{notice}");
            }
        }
        self.ledger.connected(&connected.serial, &self.time);
        self.serial = Some(connected.serial.clone());
        self.connected = Some(connected);
        Ok(())
    }

    /// Waits until a trace is due, or the clock is set. Gives when it is due then.
    async fn wait(&mut self, due: Instant) -> Instant {
        let until = due.min(self.ledger.due());
        let offset = |time: &T| time.wall().0.saturating_sub_unsigned(time.now().0);
        let before = offset(&self.time);
        let ends = self.ends();
        minded(&mut self.ledger, &self.time, ends, self.time.until(until)).await;
        self.ledger.mind(&self.time);
        let is_set = offset(&self.time).abs_diff(before) > CLOCK_STEP_US;
        match self.job.spacing {
            Spacing::TimesOfDay(_) if is_set => self.next_due(),
            _ => due,
        }
    }

    async fn capture(&mut self) {
        let ends = self.ends();
        let Some(Connected { scope, plan, .. }) = &mut self.connected else { return };
        let buffer = &mut *self.buffer;
        let capturing = async {
            let trace = scope.capture(plan, buffer).await.map_err(NoTrace::Scope)?;
            Recording::of_trace(&trace).map_err(NoTrace::Recording)
        };
        match minded(&mut self.ledger, &self.time, ends, capturing).await {
            None => {}
            Some(Ok(recording)) => {
                self.bad_in_a_row = 0;
                self.ledger.take(recording, &self.job, &self.time);
                self.ledger.mind(&self.time);
            }
            Some(Err(NoTrace::Recording(error))) => self.bad_trace(&error.to_string()),
            Some(Err(NoTrace::Scope(error))) => match error {
                ScopeError::Link { .. } | ScopeError::Closed { .. } | ScopeError::NoAnswer { .. } => {
                    self.connected = None;
                    self.ledger.away(false, &error.to_string(), &self.time);
                }
                // They are started when it is connected to.
                ScopeError::GeneratorsStopped => self.connected = None,
                _ => self.bad_trace(&error.to_string()),
            },
        }
    }

    fn bad_trace(&mut self, reason: &str) {
        self.ledger.bad_trace(reason, &self.time);
        self.bad_in_a_row += 1;
        if self.bad_in_a_row >= MOST_BAD_TRACES {
            self.bad_in_a_row = 0;
            self.connected = None;
            self.ledger.away(false, reason, &self.time);
        }
    }
}

/// Waits for something, and meanwhile minds the status and the disk. None if the time of the job is over before.
async fn minded<F: Future, T: Timekeeper, D: Disk, W: Watcher>(
    ledger: &mut Ledger<D, W>,
    time: &T,
    ends: Option<Instant>,
    future: F,
) -> Option<F::Output> {
    let mut future = pin!(future);
    loop {
        let until = ends.map_or(ledger.due(), |end| end.min(ledger.due()));
        tokio::select! {
            biased;
            output = &mut future => return Some(output),
            () = time.until(until) => ledger.mind(time),
        }
        if ends.is_some_and(|end| time.now() >= end) {
            return None;
        }
    }
}

//! What becomes of the events of a recording: traces are stamped by the journal, made into text or whole files, and put on the
//! disk.

pub mod growing;
pub mod listing;
pub mod retry_queue;
pub mod store;
pub mod text;
mod thread;

use std::sync::Arc;

use self::retry_queue::{Put, RetryQueue};
use self::store::{Content, Disk, Entry, Repair, Store, StoreError};
use self::text::TextMaker;
pub(crate) use self::thread::{Batch, MAX_AT_ONCE, WriterGone, WriterThread};
use crate::job::Job;
use crate::journal::status::Status;
use crate::journal::{Journal, StatusObserver};
use crate::time::Reading;
use scopething::link::LinkUrl;
use scopething_files::WriteError;
use scopething_waveform::waveform::Waveform;

/// An event of a recording.
#[derive(Debug)]
pub(crate) enum Event {
    /// The scope is connected, at this link, and its device time restarts.
    Connected { serial: Option<String>, url: LinkUrl },
    /// The scope is disconnected, or another one is connected.
    Away { is_other: bool, reason: String },
    /// A trace that is inconsistent.
    BadTrace { reason: String },
    /// The trigger does not come; why not, where that is known.
    Waiting { awaited: String, hint: Option<String> },
    /// A trace.
    Trace(Waveform),
    /// This many frames of a stream are missing before the next trace; none if that is not known.
    Lost { frames: Option<u64> },
    /// Time has passed without another event.
    Tick,
    /// The recording has ended.
    End,
}

/// Writes what a job keeps of the traces, and records the rest in its journal.
#[derive(Debug)]
pub(crate) struct Writer<D, W> {
    job: Arc<Job>,
    journal: Journal<W>,
    texts: TextMaker,
    retry_queue: RetryQueue<D>,
}

impl<D: Disk, W: StatusObserver> Writer<D, W> {
    /// Opens the files of a job, repairs what a loss of power has left, and logs that.
    pub(crate) fn open(job: Arc<Job>, disk: D, observer: W, at: Reading) -> Result<Self, StoreError> {
        let (store, repair) = Store::open(job.naming.clone(), job.limits, job.sync_every, disk)?;
        log(&repair);
        Ok(Self {
            journal: Journal::new(&job.url, store.next_number(), observer, at),
            texts: TextMaker::default(),
            retry_queue: RetryQueue::new(store, job.hold_bytes),
            job,
        })
    }

    /// Takes an event; traces are written by the next [`write`](Self::write).
    pub(crate) fn take(&mut self, event: Event, at: Reading) {
        match event {
            Event::Connected { serial, url } => self.journal.connected(serial, &url, at),
            Event::Away { is_other, reason } => self.journal.away(is_other, &reason, at),
            Event::BadTrace { reason } => self.journal.bad_trace(&reason, at),
            Event::Waiting { awaited, hint } => self.journal.waiting(&awaited, hint.as_deref(), at),
            Event::Trace(waveform) => self.take_trace(waveform, at),
            Event::Lost { frames } => self.journal.lost(frames, at),
            Event::Tick | Event::End => {}
        }
        if self.journal.has_changed() {
            self.report(at);
        }
    }

    fn take_trace(&mut self, waveform: Waveform, at: Reading) {
        let stamp = self.journal.arrived(&waveform, at);
        if self.job.keep.wants(&waveform) {
            match content_of(&waveform.stamped(stamp), &self.job, &mut self.texts) {
                Ok(content) => {
                    self.retry_queue.put(Entry { number: stamp.number, clock: stamp.clock, content });
                    self.journal.kept();
                }
                Err(error) => {
                    let reason = format!("it cannot be written as {}: {error}", self.job.naming.format);
                    return self.journal.bad_trace(&reason, at);
                }
            }
        } else {
            self.journal.not_kept();
        }
        self.journal.valid(stamp, at);
    }

    /// Writes the traces that were taken, and those that the disk did not take before; reports the status if it is due.
    pub(crate) fn write(&mut self, at: Reading) {
        let Put { written, dropped, refused } = self.retry_queue.flush(at.now, at.wall);
        match refused {
            None if written == 0 => {}
            None => self.journal.written(written, at),
            Some(reason) => self.journal.refused(written, &reason, at),
        }
        if dropped > 0 {
            self.journal.dropped(dropped, at);
        } else if self.retry_queue.held() == 0 {
            self.journal.none_held(at);
        }
        if self.journal.is_due(at) {
            self.report(at);
        }
    }

    fn report(&mut self, at: Reading) {
        let held = self.retry_queue.held();
        let store = self.retry_queue.store();
        self.journal.report(at, |status| {
            status.held = held;
            status.files = store.file_count();
            status.file_bytes = store.total_bytes();
            status.removed_files = store.removed_files();
            status.free_bytes = store.free_bytes();
        });
    }

    /// Finishes the files.
    pub(crate) fn close(mut self, at: Reading) -> Closed {
        let held = self.retry_queue.held();
        let closed = self.retry_queue.close(at.now, at.wall);
        let lost = closed.as_ref().err().map_or(0, |(lost, _)| *lost);
        self.journal.ended(held - lost, lost);
        self.report(at);
        Closed { status: self.journal.into_status(), lost: closed.err() }
    }
}

/// How a recording has ended.
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) status: Status,
    /// How many traces the disk did not take, and why.
    pub(crate) lost: Option<(u64, StoreError)>,
}

fn log(repair: &Repair) {
    let newest = repair.newest.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
    let torn = repair.survey.torn_bytes;
    if repair.survey.damaged {
        tracing::warn!("{newest} is damaged and is left as it is; a new file follows it");
    } else if torn > 0 {
        tracing::warn!("{newest} ended in {torn} bytes of a trace that was cut short; they are removed");
    }
}

/// What is written of a trace.
pub(crate) fn content_of(
    waveform: &Waveform,
    job: &Job,
    texts: &mut TextMaker,
) -> Result<Content, WriteError> {
    let format = job.naming.format;
    if format.holds_several() {
        return texts.text_of(waveform, &job.keep, format).map(Content::Text);
    }
    let mut bytes = Vec::new();
    format.writer().write(waveform, &mut bytes)?;
    Ok(Content::File(bytes))
}

//! The journal of a recording: the traces on their way to the disk, the conditions met, and the status that reports both.

use std::sync::Arc;

use scopething_core::time::{Instant, Micros};
use scopething_core::trace::EndReason;

use super::conditions::{ConditionKind, Conditions};
use super::job::Job;
use super::retry_queue::{Put, RetryQueue};
use super::status::Status;
use super::store::{Content, Disk, Entry, Store, StoreError};
use super::text::TextMaker;
use super::time::Reading;
use super::timestamps::Timestamps;
use scopething::link::LinkUrl;
use scopething_files::WriteError;
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::recording::{Gap, Stamp, Waveform};

/// How often a observer learns the status, at least.
pub(super) const REPORT_INTERVAL: Micros = Micros::from_millis(1000);
/// Window over which the rate of captures is averaged: one to two of these.
const RATE_WINDOW: Micros = Micros::from_millis(60_000);

/// Receives the status of a recording: each second, and when a condition begins or ends. One whose captures or whose disk
/// hang reports nothing.
pub trait StatusObserver: Send {
    /// The status now.
    fn watch(&mut self, status: &Status);
}

/// Ignores the status.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl StatusObserver for Unwatched {
    fn watch(&mut self, _: &Status) {}
}

#[derive(Debug)]
pub(super) struct Journal<D, W> {
    job: Arc<Job>,
    texts: TextMaker,
    retry_queue: RetryQueue<D>,
    timestamps: Timestamps,
    conditions: Conditions,
    status: Status,
    observer: W,
    /// Why traces may be missing before the next one that is kept.
    gap: Option<Gap>,
    next_number: u64,
    report_at: Instant,
    /// Moments, and how many captures there were by then: the rate is averaged since the first of them.
    rate_since: [(Instant, u64); 2],
}

impl<D: Disk, W: StatusObserver> Journal<D, W> {
    /// Opens the files of a job, repairs what a loss of power has left, and logs that.
    pub(super) fn open(job: Arc<Job>, disk: D, observer: W, at: Reading) -> Result<Self, StoreError> {
        let (store, repair) = Store::open(job.naming.clone(), job.limits, job.sync_every, disk)?;
        let newest = repair.newest.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
        if repair.survey.damaged {
            tracing::warn!("{newest} is damaged and is left as it is; a new file follows it");
        } else if repair.survey.torn_bytes > 0 {
            let torn = repair.survey.torn_bytes;
            tracing::warn!("{newest} ended in {torn} bytes of a trace that was cut short; they are removed");
        }
        let next_number = store.next_number();
        let status = Status {
            started: at.wall.to_string(),
            url: job.url.to_string(),
            next_number,
            ..Status::default()
        };
        Ok(Self {
            retry_queue: RetryQueue::new(store, job.hold_bytes),
            job,
            texts: TextMaker::default(),
            timestamps: Timestamps::default(),
            conditions: Conditions::default(),
            status,
            observer,
            gap: Some(Gap::Start),
            next_number,
            report_at: at.now,
            rate_since: [(at.now, 0); 2],
        })
    }

    /// The scope is connected, at this link, and its device time restarts.
    pub(super) fn connected(&mut self, serial: Option<String>, url: &LinkUrl, at: Reading) {
        self.status.connected = true;
        self.status.connections += 1;
        let scope = serial.as_ref().map_or("without a serial number", String::as_str);
        self.status.url = url.to_string();
        self.timestamps.restart();
        let is_first = self.status.connections == 1;
        let back = if is_first {
            format!("recording from the scope {scope} at {url}")
        } else {
            format!("the scope {scope} is there again, at {url}")
        };
        self.status.serial = serial;
        let away = self.conditions.end(ConditionKind::Away, &back, at);
        let is_reported = self.conditions.end(ConditionKind::OtherScope, &back, at) || away;
        if is_reported {
            self.report(at);
        } else if is_first {
            tracing::info!("{back}");
        }
    }

    /// The scope is disconnected, or another one is connected.
    pub(super) fn away(&mut self, is_other: bool, reason: &str, at: Reading) {
        self.status.connected = false;
        self.status.link_errors += u64::from(!is_other);
        if self.gap != Some(Gap::Start) {
            self.gap = Some(Gap::Link);
        }
        let text = format!("waiting for the scope: {reason}");
        let (kind, instead_of) = if is_other {
            (ConditionKind::OtherScope, ConditionKind::Away)
        } else {
            (ConditionKind::Away, ConditionKind::OtherScope)
        };
        self.conditions.replace(instead_of);
        if self.conditions.meet(kind, &text, at) {
            self.report(at);
        }
    }

    /// A trace that is inconsistent.
    pub(super) fn bad_trace(&mut self, reason: &str, at: Reading) {
        self.status.bad_traces += 1;
        self.gap = self.gap.or(Some(Gap::BadTraces));
        let text = format!("bad traces are dropped: {reason}");
        if self.conditions.meet(ConditionKind::BadTraces, &text, at) {
            self.report(at);
        }
    }

    /// Frames of a stream are missing before the next trace.
    pub(super) fn lost(&mut self, frames: u64, at: Reading) {
        self.status.lost_frames += frames;
        self.gap = self.gap.or(Some(Gap::LostFrames));
        let lost = self.status.lost_frames;
        let text = format!("the link does not carry all frames: {lost} are lost since the start");
        if self.conditions.meet(ConditionKind::LostFrames, &text, at) {
            self.report(at);
        }
    }

    /// A trace that has arrived: it is stamped, and [written](Self::write) if it is to be kept.
    pub(super) fn take(&mut self, waveform: Waveform, at: Reading) {
        self.status.captures += 1;
        let follows_loss = self.gap == Some(Gap::LostFrames);
        let clock = self.stamp(&waveform, at);
        if waveform.details().cause == Some(EndReason::Trigger) {
            self.status.last_trigger = Some(clock.to_string());
        }
        if self.job.keep.wants(&waveform) {
            let stamp = Stamp { number: self.next_number, clock, gap: self.gap };
            match content_of(&waveform.stamped(stamp), &self.job, &mut self.texts) {
                Ok(content) => self.put(Entry { number: stamp.number, clock, content }),
                Err(error) => {
                    let reason = format!("it cannot be written as {}: {error}", self.job.naming.format);
                    return self.bad_trace(&reason, at);
                }
            }
        } else {
            self.status.inside += 1;
        }
        // The first trace after a loss is marked; one that follows on the one before it ends the condition.
        if !follows_loss {
            let over =
                format!("frames are no longer lost; {} were lost since the start", self.status.lost_frames);
            if self.conditions.end(ConditionKind::LostFrames, &over, at) {
                self.report(at);
            }
        }
        let bad = self.status.bad_traces;
        let over = format!("traces are valid again; {bad} were bad since the start");
        if self.conditions.end(ConditionKind::BadTraces, &over, at) {
            self.report(at);
        }
    }

    /// When a capture began, by the computer's clock.
    fn stamp(&mut self, waveform: &Waveform, at: Reading) -> UnixMicros {
        let start_s = waveform.details().capture_start_s.unwrap_or_default();
        let ends_s = waveform.channels().iter().map(|series| series.end_s() + series.period_s);
        let end_s = start_s + ends_s.fold(0.0, f64::max);
        let stamped = self.timestamps.stamp(start_s, end_s, at.now, at.wall);
        if let Some(by_s) = stamped.set_by_s {
            tracing::warn!("the computer's clock was set by {by_s:+.1} s");
            self.status.clock_steps += 1;
            self.gap = self.gap.or(Some(Gap::ClockSet));
        }
        stamped.clock
    }

    fn put(&mut self, entry: Entry) {
        self.next_number += 1;
        self.status.kept += 1;
        self.gap = None;
        self.retry_queue.put(entry);
    }

    /// Writes the traces that were taken, and those that the disk did not take before.
    pub(super) fn write(&mut self, at: Reading) {
        let put = self.retry_queue.flush(at.now, at.wall);
        self.account(put, at);
    }

    fn account(&mut self, put: Put, at: Reading) {
        let Put { written, dropped, refused } = put;
        self.status.written += written;
        self.status.dropped += dropped;
        if let Some(refused) = refused {
            let text = format!("nothing is written, the newest traces are held in memory: {refused}");
            self.conditions.meet(ConditionKind::DiskRefuses, &text, at);
        } else if written > 0 {
            self.conditions.end(ConditionKind::DiskRefuses, "the disk takes traces again", at);
        }
        if dropped > 0 {
            let text =
                "memory is full as well, the oldest traces in it are dropped: their numbers are missing";
            self.conditions.meet(ConditionKind::MemoryFull, text, at);
        } else if self.retry_queue.held() == 0 {
            let over = format!("{} traces were dropped since the start", self.status.dropped);
            self.conditions.end(ConditionKind::MemoryFull, &over, at);
        }
    }

    /// Reports the status, if it is due.
    pub(super) fn report_if_due(&mut self, at: Reading) {
        if at.now < self.report_at {
            return;
        }
        self.conditions.update(at);
        self.report(at);
    }

    fn report(&mut self, at: Reading) {
        self.report_at = at.now + REPORT_INTERVAL;
        self.update_rate(at.now);
        let store = self.retry_queue.store();
        self.status.updated = at.wall.to_string();
        self.status.held = self.retry_queue.held();
        self.status.drift_ppm = self.timestamps.drift_ppm();
        self.status.next_number = self.next_number;
        self.status.files = store.file_count();
        self.status.file_bytes = store.total_bytes();
        self.status.removed_files = store.removed_files();
        self.status.free_bytes = store.free_bytes();
        self.status.conditions = self.conditions.lasting().to_vec();
        self.observer.watch(&self.status);
    }

    fn update_rate(&mut self, now: Instant) {
        let [(since, captures), later] = self.rate_since;
        if now > since {
            self.status.rate_hz = (self.status.captures - captures) as f64 / (now - since).seconds();
        }
        if now - later.0 >= RATE_WINDOW {
            self.rate_since = [later, (now, self.status.captures)];
        }
    }

    /// Finishes the files.
    pub(super) fn close(mut self, at: Reading) -> Closed {
        let held = self.retry_queue.held();
        let closed = self.retry_queue.close(at.now, at.wall);
        let lost = closed.as_ref().err().map_or(0, |(lost, _)| *lost);
        self.status.written += held - lost;
        self.status.dropped += lost;
        self.status.ended = true;
        self.status.connected = false;
        self.report(at);
        Closed { status: self.status, lost: closed.err() }
    }
}

/// How a recording has ended.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) status: Status,
    /// How many traces the disk did not take, and why.
    pub(super) lost: Option<(u64, StoreError)>,
}

/// What is written of a trace.
pub(super) fn content_of(
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

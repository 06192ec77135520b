//! The account of a recording: the moments and gaps of its traces, the conditions met, and the status that reports them.
//!
//! It is given what happens, and touches neither the scope nor the disk.

pub(crate) mod conditions;
pub(crate) mod page;
pub(crate) mod status;
mod timestamps;

use std::fmt;

use scopething_core::time::{Instant, Micros};
use scopething_core::trace::EndReason;

use self::conditions::{ConditionKind, Conditions};
use self::status::{Status, Waiting};
use self::timestamps::Timestamps;
use crate::time::Reading;
use scopething::link::LinkUrl;
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::waveform::{Gap, Stamp, Waveform};

/// How often an observer receives the status, at least.
pub(crate) const REPORT_INTERVAL: Micros = Micros::from_millis(1000);
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
pub(crate) struct Journal<W> {
    timestamps: Timestamps,
    conditions: Conditions,
    status: Status,
    observer: W,
    /// Why traces may be missing before the next one that is kept.
    gap: Option<Gap>,
    report_at: Instant,
    /// Whether a condition, or a long wait for the trigger, has begun or ended since the last report.
    has_changed: bool,
    /// Whether a wait for the trigger was logged, and why one did not come.
    has_logged_wait: bool,
    has_logged_hint: bool,
    /// Gaps of a stream of which it is not known how many frames are missing.
    unknown_losses: u64,
    /// Moments, and how many captures there were by then: the rate is averaged since the first of them.
    rate_since: [(Instant, u64); 2],
}

impl<W: StatusObserver> Journal<W> {
    /// For a recording that starts with the trace of this number.
    pub(crate) fn new(url: &LinkUrl, next_number: u64, observer: W, at: Reading) -> Self {
        let status =
            Status { started: at.wall.to_string(), url: url.to_string(), next_number, ..Status::default() };
        Self {
            timestamps: Timestamps::default(),
            conditions: Conditions::default(),
            status,
            observer,
            gap: Some(Gap::Start),
            report_at: at.now,
            has_changed: false,
            has_logged_wait: false,
            has_logged_hint: false,
            unknown_losses: 0,
            rate_since: [(at.now, 0); 2],
        }
    }

    /// The scope is connected, at this link, and its device time restarts.
    pub(crate) fn connected(&mut self, serial: Option<String>, url: &LinkUrl, at: Reading) {
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
        let is_logged = self.conditions.end(ConditionKind::OtherScope, &back, at) || away;
        self.has_changed |= is_logged;
        if is_first && !is_logged {
            tracing::info!("{back}");
        }
    }

    /// The scope is disconnected, or another one is connected.
    pub(crate) fn away(&mut self, is_other: bool, reason: &str, at: Reading) {
        self.ends_wait();
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
        self.has_changed |= self.conditions.meet(kind, &text, at);
    }

    /// A trace that is inconsistent.
    pub(crate) fn bad_trace(&mut self, reason: &str, at: Reading) {
        self.status.bad_traces += 1;
        self.gap = self.gap.or(Some(Gap::BadTraces));
        let text = format!("bad traces are dropped: {reason}");
        self.has_changed |= self.conditions.meet(ConditionKind::BadTraces, &text, at);
    }

    /// The trigger of the present capture does not come; why not, where that is known. It is logged once, since there are
    /// recordings of what comes rarely.
    pub(crate) fn waiting(&mut self, awaited: &str, hint: Option<&str>, at: Reading) {
        let since = match self.status.waiting.take() {
            Some(waiting) => waiting.since,
            None => at.wall.to_string(),
        };
        let text = match hint {
            Some(hint) => format!("waiting for {awaited}: {hint}"),
            None => format!("waiting for {awaited}"),
        };
        let is_new = if hint.is_some() { &mut self.has_logged_hint } else { &mut self.has_logged_wait };
        if !std::mem::replace(is_new, true) {
            tracing::info!("{text}");
        }
        self.status.waiting = Some(Waiting { since, text });
        self.has_changed = true;
    }

    /// Frames of a stream are missing before the next trace; how many, where that is known.
    pub(crate) fn lost(&mut self, frames: Option<u64>, at: Reading) {
        self.status.lost_frames += frames.unwrap_or(0);
        self.unknown_losses += u64::from(frames.is_none());
        self.gap = self.gap.or(Some(Gap::LostFrames));
        let lost = self.status.lost_frames;
        let unknown = match self.unknown_losses {
            0 => String::new(),
            count => {
                format!(", and in {count} gaps it is not known how many: times are an estimate from there on")
            }
        };
        let text = format!("the link does not carry all frames: {lost} are lost since the start{unknown}");
        self.has_changed |= self.conditions.meet(ConditionKind::LostFrames, &text, at);
    }

    fn ends_wait(&mut self) {
        self.has_changed |= self.status.waiting.take().is_some();
    }

    /// A trace that has arrived, and the stamp that it is kept with.
    pub(crate) fn arrived(&mut self, waveform: &Waveform, at: Reading) -> Stamp {
        self.status.captures += 1;
        self.ends_wait();
        let clock = self.moment_of(waveform, at);
        if waveform.details().cause == Some(EndReason::Trigger) {
            self.status.last_trigger = Some(clock.to_string());
        }
        Stamp { number: self.status.next_number, clock, gap: self.gap }
    }

    /// The trace that has arrived is kept.
    pub(crate) fn kept(&mut self) {
        self.status.next_number += 1;
        self.status.kept += 1;
        self.gap = None;
    }

    /// Nothing of the trace that has arrived is kept.
    pub(crate) fn not_kept(&mut self) {
        self.status.inside += 1;
    }

    /// The trace that has arrived with this stamp is valid.
    pub(crate) fn valid(&mut self, stamp: Stamp, at: Reading) {
        // The first trace after a loss is marked; one that follows on the one before it ends the condition.
        if stamp.gap != Some(Gap::LostFrames) {
            let lost = self.status.lost_frames;
            let over = format!("frames are no longer lost; {lost} were lost since the start");
            self.has_changed |= self.conditions.end(ConditionKind::LostFrames, &over, at);
        }
        let bad = self.status.bad_traces;
        let over = format!("traces are valid again; {bad} were bad since the start");
        self.has_changed |= self.conditions.end(ConditionKind::BadTraces, &over, at);
    }

    /// When a capture began, by the computer's clock.
    fn moment_of(&mut self, waveform: &Waveform, at: Reading) -> UnixMicros {
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

    /// Traces are on the disk.
    pub(crate) fn written(&mut self, count: u64, at: Reading) {
        self.status.written += count;
        self.conditions.end(ConditionKind::DiskRefuses, "the disk takes traces again", at);
    }

    /// The disk takes no more than so many traces.
    pub(crate) fn refused(&mut self, written: u64, reason: &impl fmt::Display, at: Reading) {
        self.status.written += written;
        let text = format!("nothing is written, the newest traces are held in memory: {reason}");
        self.conditions.meet(ConditionKind::DiskRefuses, &text, at);
    }

    /// Traces were dropped, since neither disk nor memory had room for them.
    pub(crate) fn dropped(&mut self, count: u64, at: Reading) {
        self.status.dropped += count;
        let text = "memory is full as well, the oldest traces in it are dropped: their numbers are missing";
        self.conditions.meet(ConditionKind::MemoryFull, text, at);
    }

    /// No trace waits in memory.
    pub(crate) fn none_held(&mut self, at: Reading) {
        let over = format!("{} traces were dropped since the start", self.status.dropped);
        self.conditions.end(ConditionKind::MemoryFull, &over, at);
    }

    /// The recording has ended: so many of the traces in memory were written, and so many lost.
    pub(crate) fn ended(&mut self, written: u64, lost: u64) {
        self.status.written += written;
        self.status.dropped += lost;
        self.status.ended = true;
        self.status.waiting = None;
        self.status.connected = false;
    }

    /// Whether a condition has begun or ended since the last report.
    pub(crate) fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// Whether the time of the next report has come.
    pub(crate) fn is_due(&self, at: Reading) -> bool {
        at.now >= self.report_at
    }

    /// Reports the status, to which `complete` adds the figures of the disk.
    pub(crate) fn report(&mut self, at: Reading, complete: impl FnOnce(&mut Status)) {
        if self.is_due(at) {
            self.conditions.update(at);
        }
        self.report_at = at.now + REPORT_INTERVAL;
        self.has_changed = false;
        self.update_rate(at.now);
        self.status.updated = at.wall.to_string();
        self.status.drift_ppm = self.timestamps.drift_ppm();
        self.status.conditions = self.conditions.lasting().to_vec();
        complete(&mut self.status);
        self.observer.watch(&self.status);
    }

    /// The status as it was reported last.
    pub(crate) fn into_status(self) -> Status {
        self.status
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
}

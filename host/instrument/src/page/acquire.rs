//! One capture after the other while somebody looks, and the last of them.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use scopething::timer::{self, Instant};
use scopething_core::plan::{TriggerMode, TriggerSource};
use scopething_core::trace::EndReason;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::history::History;
use super::panel::{self, Controls, Run};
use super::roll::{self, RollEnd, Rolls};
use super::session::Role;
use crate::capture::Capture;
use crate::handle::{Handle, NoCapture, TriggerTimeout};
use crate::settings::{Settings, advice};

/// The least time from the start of a capture to that of the next, so that a device that takes no time leaves some to
/// those that look: twice as often as a client is sent traces.
const MIN_INTERVAL: Duration = Duration::from_millis(4);
/// How long nothing is tried after a capture that the device refused, unless settings change.
const REFUSED_BACKOFF: Duration = Duration::from_secs(1);

/// How long a request for the next trace waits for one.
const TRACE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long clients are given to learn why there is nothing more.
const CLOSE_TIMEOUT: Duration = Duration::from_millis(300);

/// What ended a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// The trigger came.
    Trigger,
    /// The trigger did not come in the time of mode auto.
    Auto,
    /// Somebody wanted it at once.
    Forced,
    /// Nothing did: it is what came by then of a time base that rolls.
    Roll,
}

/// What is known of a trace beside its samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Its number.
    pub seq: u64,
    /// What ended it.
    pub ended: Ended,
    /// When it arrived, in milliseconds since 1970.
    pub unix_ms: u64,
    /// The count of changes that the state had when the capture began.
    pub changes: u64,
    /// Samples a second of the sample clock, in hertz.
    pub rate: f64,
    /// From the first sample to the end of the last, in seconds.
    pub duration: f64,
    /// From the first sample to the trigger, or where it would be.
    pub trigger: f64,
    /// Between the end of the trace before and the start of this one, by the device's clock, in seconds; none if something
    /// else was done in between.
    pub dead: Option<f64>,
    /// The part of the time from the start of the trace before to the start of this one that was captured.
    pub seen: Option<f64>,
    /// The name of the trace mode.
    pub mode: Option<String>,
    /// What makes it doubtful.
    pub warnings: Vec<String>,
    /// The settings, in one line.
    pub settings: String,
    /// The roll that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roll: Option<u64>,
    /// The number of its first column in that roll.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_column: Option<u64>,
}

#[cfg(test)]
impl About {
    pub(crate) fn for_tests(seq: u64) -> Self {
        Self {
            seq,
            ended: Ended::Trigger,
            unix_ms: 0,
            changes: 0,
            rate: 1e6,
            duration: 1e-3,
            trigger: 0.0,
            dead: None,
            seen: None,
            mode: None,
            warnings: Vec::new(),
            settings: String::new(),
            roll: None,
            first_column: None,
        }
    }
}

/// A trace, and what is known of it.
#[derive(Debug, Clone)]
pub struct Acquired {
    /// What is known of it.
    pub about: About,
    /// The factors of the probes.
    pub attenuation: [f64; 2],
    /// Its samples.
    pub capture: Arc<Capture>,
}

/// What is being waited for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum Status {
    /// Nothing runs.
    Stopped,
    /// Samples are shown as they come.
    Rolling,
    /// For a trigger, or the end of the trace.
    Waiting {
        /// What ends it.
        until: String,
        /// Why it does not come, and what to set instead, once that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
    },
    /// The device was asked for what it cannot do.
    Refused {
        /// Why it cannot.
        reason: String,
    },
    /// The device is gone: there are traces again when it is back.
    Lost {
        /// What failed.
        reason: String,
    },
    /// There will be no more traces.
    Closed {
        /// What failed.
        reason: String,
    },
}

/// What all clients of the page share.
#[derive(Debug)]
pub struct Shared {
    /// The instrument.
    pub handle: Handle,
    pub(crate) controls: watch::Sender<Controls>,
    pub(crate) latest: watch::Sender<Option<Arc<Acquired>>>,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) rolls: Rolls,
    /// Counts what has come of the present roll.
    pub(crate) rolled: Arc<watch::Sender<u64>>,
    /// Why the settings with so many changes do not roll.
    pub(crate) not_rolling: watch::Sender<Option<(u64, String)>>,
    /// How many look.
    pub(crate) clients: watch::Sender<usize>,
    history: Mutex<History<Acquired>>,
}

/// A client of the page, counted until it is dropped.
pub(crate) struct CountedClient(Arc<Shared>);

impl CountedClient {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        shared.clients.send_modify(|clients| *clients += 1);
        Self(Arc::clone(shared))
    }
}

impl Drop for CountedClient {
    fn drop(&mut self) {
        self.0.clients.send_modify(|clients| *clients = clients.saturating_sub(1));
    }
}

impl Shared {
    /// Nothing is captured before somebody looks.
    #[must_use]
    pub fn new(handle: Handle) -> Arc<Self> {
        Arc::new(Self {
            handle,
            controls: watch::Sender::new(Controls::default()),
            latest: watch::Sender::new(None),
            status: watch::Sender::new(Status::Stopped),
            rolls: Rolls::default(),
            rolled: Arc::new(watch::Sender::new(0)),
            not_rolling: watch::Sender::new(None),
            clients: watch::Sender::new(0),
            history: Mutex::default(),
        })
    }

    pub(crate) fn set_controls(&self, change: impl FnOnce(&mut Controls)) {
        self.controls.send_if_modified(|controls| {
            let before = controls.clone();
            change(controls);
            let run = Controls { run: before.run, forced: before.forced, ..controls.clone() };
            controls.changes += u64::from(run != before);
            *controls != before
        });
    }

    pub(crate) fn history(&self) -> MutexGuard<'_, History<Acquired>> {
        // What panics leaves the list as it is.
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many look.
    #[must_use]
    pub fn client_count(&self) -> usize {
        *self.clients.borrow()
    }

    /// Lets those who look know why there is nothing more to see, and gives them some time to leave.
    pub async fn close(&self, reason: String) {
        self.status.send_replace(Status::Closed { reason });
        let mut clients = self.clients.subscribe();
        let _ = timer::timeout(CLOSE_TIMEOUT, clients.wait_for(|clients| *clients == 0)).await;
    }

    /// The trace of that name: `latest`, `next`, which is captured for this client if nobody looks, or its number.
    ///
    /// # Errors
    /// Why there is none, and how to get one.
    pub async fn trace(self: &Arc<Self>, name: &str, role: Role) -> Result<Arc<Acquired>, String> {
        if name == "next" {
            let seconds = TRACE_TIMEOUT.as_secs();
            return self.next_trace(role).await.ok_or_else(|| {
                format!("no trace came within {seconds} s: see what the trigger waits for, or force one")
            });
        }
        let found = match name {
            "latest" => self.latest.borrow().clone(),
            number => number.parse().ok().and_then(|seq| self.history().find(seq)),
        };
        found.ok_or_else(|| {
            "there is no such trace: choose one that is listed, or ask for the next".to_owned()
        })
    }

    async fn next_trace(self: &Arc<Self>, role: Role) -> Option<Arc<Acquired>> {
        let _client = CountedClient::new(self);
        let mut latest = self.latest.subscribe();
        let mut is_started = false;
        self.set_controls(|controls| {
            is_started = controls.run == Run::Stop && role == Role::Control;
            if is_started {
                controls.run = Run::Single;
            }
        });
        let arrived = timer::timeout(TRACE_TIMEOUT, latest.changed()).await.is_ok();
        if is_started && !arrived {
            // As it was found: nobody else wants that trace.
            self.set_controls(|controls| {
                if controls.run == Run::Single {
                    controls.run = Run::Stop;
                }
            });
        }
        if arrived { latest.borrow().clone() } else { None }
    }

    /// How often anything was set.
    pub(crate) fn changes(&self) -> u64 {
        self.handle.state.borrow().changes + self.controls.borrow().changes
    }

    /// Whether what is set rolls, or would if it ran.
    pub(crate) fn is_rolling(&self) -> bool {
        let changes = self.changes();
        let is_able = self.not_rolling.borrow().as_ref().is_none_or(|(at, _)| *at != changes);
        is_able && roll::is_rolling(&self.handle.state.borrow().settings, &self.controls.borrow())
    }

    /// What is to be shown: that the device is gone before all else.
    pub(crate) fn shown_status(&self) -> Status {
        let status = self.status.borrow().clone();
        match &*self.handle.lost.borrow() {
            Some(reason) if !matches!(status, Status::Closed { .. }) => {
                Status::Lost { reason: reason.clone() }
            }
            _ => status,
        }
    }
}

/// When the trace before began and ended by the device's clock, in seconds.
#[derive(Clone, Copy)]
struct Before {
    start_s: f64,
    end_s: f64,
}

/// Captures while somebody looks, for ever.
pub async fn acquire(shared: Arc<Shared>) -> Infallible {
    let mut controls = shared.controls.subscribe();
    let mut clients = shared.clients.subscribe();
    let mut lost = shared.handle.lost.subscribe();
    let mut before = None;
    let mut seq = 0;
    let mut rolls = 0;
    let mut forced = controls.borrow().forced;
    loop {
        let now = controls.borrow().clone();
        if now.run == Run::Stop {
            // What was forced before was withdrawn with its capture.
            forced = now.forced;
            shared.status.send_if_modified(|status| {
                let stopped = !matches!(status, Status::Stopped | Status::Closed { .. });
                if stopped {
                    *status = Status::Stopped;
                }
                stopped
            });
        }
        if now.run == Run::Stop || *clients.borrow() == 0 {
            // Time in which nothing was to be captured is not dead time.
            before = None;
        }
        // The senders are in `shared`, so that neither of these fails.
        let _ = clients.wait_for(|clients| *clients > 0).await;
        let _ = controls.wait_for(|controls| controls.run != Run::Stop).await;
        if lost.has_changed().unwrap_or(false) {
            // Another device may be able to.
            shared.not_rolling.send_replace(None);
        }
        let _ = lost.wait_for(Option::is_none).await;
        if shared.is_rolling() {
            before = None;
            rolls += 1;
            roll_once(&shared, rolls, &mut seq).await;
            forced = controls.borrow().forced;
            continue;
        }
        let started = Instant::now();
        match next(&shared, &mut before, &mut forced, seq + 1).await {
            Next::Acquired(acquired) => {
                seq += 1;
                let is_single = shared.controls.borrow().run != Run::Continuous;
                let listing = if is_single { Listing::Listed } else { Listing::NowAndThen };
                publish(&shared, acquired, listing);
                end_single(&shared);
            }
            // Somebody has stopped, or nobody looks any longer.
            Next::Withdrawn => continue,
            Next::Refused(reason) => {
                before = None;
                shared.status.send_replace(Status::Refused { reason });
                let mut state = shared.handle.state.subscribe();
                let _ = timer::timeout(REFUSED_BACKOFF, state.changed()).await;
            }
        }
        let hold_off = Duration::from_secs_f64(controls.borrow().hold_off_s);
        let until = (started + MIN_INTERVAL).max(Instant::now() + hold_off);
        let ended = controls.wait_for(|controls| controls.run == Run::Stop || controls.forced != forced);
        let _ = timer::timeout_at(until, ended).await;
    }
}

/// Rolls until something else is to be done.
async fn roll_once(shared: &Arc<Shared>, id: u64, seq: &mut u64) {
    let changes = shared.changes();
    if let RollEnd::Unable(reason) = roll::roll(shared, id, seq).await {
        shared.not_rolling.send_replace(Some((changes, reason)));
        // What is done is another thing than was shown.
        shared.controls.send_modify(|_| {});
    }
}

/// One more trace was wanted, and is there.
pub(crate) fn end_single(shared: &Shared) {
    shared.set_controls(|controls| {
        if controls.run == Run::Single {
            controls.run = Run::Stop;
        }
    });
}

/// What becomes of a trace beside being shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listing {
    /// It is in the list of the last ones.
    Listed,
    /// It is where none was for some time.
    NowAndThen,
    /// It is only where somebody asks for the list at this moment.
    Unlisted,
}

pub(crate) fn publish(shared: &Shared, acquired: Acquired, listing: Listing) {
    let acquired = Arc::new(acquired);
    shared.history().add(acquired.about.seq, Arc::clone(&acquired), listing, Instant::now());
    shared.latest.send_replace(Some(acquired));
}

enum Next {
    Acquired(Acquired),
    Withdrawn,
    Refused(String),
}

/// `forced` counts what was forced so far: what is forced while nothing is captured counts for this capture.
async fn next(shared: &Shared, before: &mut Option<Before>, forced: &mut u64, seq: u64) -> Next {
    let mut controls = shared.controls.subscribe();
    let mut clients = shared.clients.subscribe();
    let set = controls.borrow_and_update().clone();
    let run = set.run;
    let timeout = if run == Run::Single { TriggerTimeout::Never } else { TriggerTimeout::OfMode };
    let Ok(mut pending) = shared.handle.capture(timeout).await else {
        return Next::Refused(NoCapture.to_string());
    };
    let mut state = shared.handle.state.subscribe();
    let mut hints = shared.handle.hint.subscribe();
    let ready = loop {
        let settings = state.borrow_and_update().settings.clone();
        let factor = panel::attenuation_of(settings.trigger, &controls.borrow());
        let hint = hints.borrow_and_update().map(|hint| advice(&hint.at_tip(factor)));
        shared.status.send_replace(Status::Waiting { until: awaited(&settings, factor, run), hint });
        let stopped = async {
            // What is set now may roll instead.
            let rolls = |now: &Controls| now.changes != set.changes && roll::is_rolling(&settings, now);
            let changed = |now: &Controls| now.run != run || now.forced != *forced || rolls(now);
            controls.wait_for(changed).await.is_ok_and(|now| now.run != run || now.forced == *forced)
        };
        let left = async { drop(clients.wait_for(|clients| *clients == 0).await) };
        let stopped = tokio::select! {
            ready = pending.ready() => break ready.map(|capture| (capture, false)),
            stopped = stopped => stopped,
            () = left => true,
            // What is waited for is another thing.
            _ = state.changed() => {
                if shared.is_rolling() {
                    return Next::Withdrawn;
                }
                continue;
            }
            _ = hints.changed() => continue,
        };
        drop(pending);
        if stopped {
            return Next::Withdrawn;
        }
        break force(shared).await.map(|capture| (capture, true));
    };
    match ready {
        Ok((capture, is_forced)) => {
            *forced = shared.controls.borrow().forced;
            Next::Acquired(described(shared, capture, is_forced, before, seq))
        }
        Err(NoCapture) => Next::Refused(refusal(shared)),
    }
}

async fn force(shared: &Shared) -> Result<Arc<Capture>, NoCapture> {
    shared.handle.capture(TriggerTimeout::AtMost(Duration::ZERO)).await?.ready().await
}

/// Why the device did not capture.
fn refusal(shared: &Shared) -> String {
    match shared.handle.plan() {
        Err(error) => error.to_string(),
        Ok(_) => NoCapture.to_string(),
    }
}

/// What ends a capture, in words, in volts at the tip of a probe that divides by `factor`.
pub(crate) fn awaited(settings: &Settings, factor: f64, run: Run) -> String {
    let source = settings.trigger;
    let what = match source {
        TriggerSource::Analog(channel) => {
            let level_v = settings.level_v.unwrap_or_else(|| panel::middle_v(settings, channel)) * factor;
            format!("{channel} {} {level_v:.3} V", panel::behaviour(settings.trigger_type))
        }
        TriggerSource::Logic(_) => format!("{source} {}", panel::pattern_behaviour(settings.trigger_type)),
    };
    match (run, settings.trigger_mode.wait_s(settings.span_s)) {
        (Run::Continuous, Some(wait_s)) if settings.trigger_mode == TriggerMode::Auto => {
            format!("{what}, or {wait_s:.3} s")
        }
        _ => what,
    }
}

fn described(
    shared: &Shared,
    capture: Arc<Capture>,
    forced: bool,
    before: &mut Option<Before>,
    seq: u64,
) -> Acquired {
    let details = capture.waveform.details();
    let duration = capture.count as f64 / capture.rate_hz;
    let start_s = details.capture_start_s.unwrap_or(0.0);
    let last = before.replace(Before { start_s, end_s: start_s + duration });
    let last = last.filter(|last| last.end_s <= start_s + 1e-9);
    let ended = match capture.cause {
        EndReason::Trigger => Ended::Trigger,
        _ if forced => Ended::Forced,
        _ => Ended::Auto,
    };
    let about = About {
        seq,
        ended,
        unix_ms: u64::try_from(timer::since_1970().as_millis()).unwrap_or(u64::MAX),
        changes: capture.changes + shared.controls.borrow().changes,
        rate: capture.rate_hz,
        duration,
        trigger: capture.trigger_s,
        dead: last.map(|last| (start_s - last.end_s).max(0.0)),
        seen: last.map(|last| ((last.end_s - last.start_s) / (start_s - last.start_s)).min(1.0)),
        mode: details.mode.clone(),
        warnings: details.warnings.clone(),
        settings: capture.settings.to_string(),
        roll: None,
        first_column: None,
    };
    Acquired { about, attenuation: shared.controls.borrow().attenuation, capture }
}

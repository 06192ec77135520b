//! The loop: look for the scope, wait until a trace is due, capture it, hand it on.

pub(crate) mod blocks;
pub(crate) mod connect;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use scopething_core::device::AnalogParameters;
use scopething_core::plan::StreamPlan;
use scopething_core::scope::{Recovery, ScopeError, ScopeErrorKind, StreamFrame};
use scopething_core::time::{Instant, Micros};
use scopething_core::trace::TraceBuffer;
use tokio::sync::mpsc;

use self::blocks::{Blocks, Cut};
use self::connect::{ConnectError, Connected, Opener, Place, Planned, connect};
use crate::job::Job;
use crate::job::schedule::Spacing;
use crate::journal::REPORT_INTERVAL;
use crate::stream::{self, CHUNK_FRAMES, Thinner, Thinning};
use crate::time::Timekeeper;
use crate::writer::{Batch, Event, MAX_AT_ONCE, WriterGone, WriterThread};
use scopething::link::LinkError;
use scopething::trigger_hint::{Remedy, TriggerHint, awaited};
use scopething_waveform::waveform::{InvalidWaveform, Waveform};

/// How long to wait before a scope that is away is looked for again.
const LOOK_AGAIN: Micros = Micros::from_millis(1000);
/// After this many bad traces in a row the scope is reconnected.
const MAX_BAD_TRACES: u32 = 3;
/// A trace is sent to the writer after this, if no other arrives before.
const COALESCE_DELAY: Duration = Duration::from_millis(1);
/// A clock that moves by more than this was set: times of day are computed again.
const CLOCK_STEP_US: u64 = 500_000;
/// Reports of a capture about its trigger: that it does not come, and why not.
const MAX_FINDS: usize = 2;

/// Captures as a job specifies.
#[derive(Debug)]
pub(crate) struct Reader<'a, O, T> {
    job: Arc<Job>,
    opener: O,
    watch: Watch<'a, T>,
    connected: Option<Connected>,
    /// The scope that this is about.
    serial: Option<String>,
    /// The calibration of its probes, which stays the same wherever it is plugged in again.
    probe: Option<AnalogParameters>,
    /// On the heap, so that futures stay small.
    buffer: Box<TraceBuffer>,
    started: Instant,
    captures: u64,
    bad_in_a_row: u32,
    /// The trace that is cut from a stream at present.
    blocks: Option<Blocks>,
}

/// What comes of a capture.
enum Progress<T> {
    /// Its trigger does not come; the reason, where it is known.
    Waits(Option<TriggerHint>),
    Ended(T),
}

/// Why the trigger does not come, and what to change in the job.
fn advice(hint: &TriggerHint) -> String {
    let keys = match hint.remedy() {
        Remedy::MoreSamples => "set more samples",
        Remedy::HairTrigger => "set hair-trigger = true, or more samples",
        Remedy::Level => "set another level, or trigger-mode = \"auto\"",
        Remedy::Pattern => "set another trigger, or trigger-mode = \"auto\"",
    };
    format!("{hint}: {keys}")
}

/// Why there is no trace.
enum NoTrace {
    Scope(ScopeError<LinkError>),
    Waveform(InvalidWaveform),
}

impl<'a, O: Opener, T: Timekeeper> Reader<'a, O, T> {
    pub(crate) fn new(job: Arc<Job>, opener: O, time: &'a T, writer_thread: &'a WriterThread) -> Self {
        let started = time.now();
        let ends = job.extent.seconds.map(|seconds| started + Micros::from_seconds(seconds));
        let lingers = job.spacing == Spacing::Continuous;
        Self {
            serial: job.serial.clone(),
            job,
            opener,
            watch: Watch {
                time,
                writer_thread,
                ends,
                tick_at: started,
                unsent: Batch::new(),
                lingers,
                is_gone: false,
            },
            connected: None,
            probe: None,
            buffer: Box::new(TraceBuffer::new()),
            started,
            captures: 0,
            bad_in_a_row: 0,
            blocks: None,
        }
    }

    /// Captures until the job is done.
    pub(crate) async fn run(&mut self) -> Result<(), ConnectError> {
        let mut due = match &self.job.spacing {
            Spacing::Continuous | Spacing::Every(_) => self.started,
            Spacing::TimesOfDay(_) => self.next_due(),
        };
        while !self.is_done() {
            if self.connected.is_none() {
                self.look_for_scope().await?;
            } else if self.watch.time.now() < due {
                due = self.wait(due).await;
            } else {
                self.capture().await;
                due = self.next_due();
            }
        }
        Ok(())
    }

    /// Sends the last trace to the writer.
    pub(crate) async fn flush(&mut self) {
        if let Some(Ok(Some(waveform))) = self.blocks.as_mut().map(Blocks::end) {
            self.watch.report(Event::Trace(waveform)).await;
        }
        self.watch.flush().await;
        // The device must not go on streaming.
        if let (Some(Connected { scope, .. }), Some(_)) = (&mut self.connected, self.blocks.take()) {
            // If it does not answer, there is nobody to report that to.
            let _ = scope.reset().await;
        }
    }

    fn next_due(&self) -> Instant {
        let at = self.watch.time.read();
        self.job.spacing.next(self.started, at.now, at.wall)
    }

    fn is_done(&self) -> bool {
        let counted = self.job.extent.count.is_some_and(|count| self.captures >= count);
        counted || self.watch.is_over()
    }

    /// Connects to the scope, or waits a while.
    async fn look_for_scope(&mut self) -> Result<(), ConnectError> {
        let Err(error) = self.try_connect().await else { return Ok(()) };
        if !error.may_pass() {
            return Err(error);
        }
        self.away(error.is_other_scope(), error.to_string()).await;
        let until = self.watch.time.now() + LOOK_AGAIN;
        self.watch.over(self.watch.time.until(until)).await;
        Ok(())
    }

    /// Tries each place where the scope may be.
    async fn try_connect(&mut self) -> Result<(), ConnectError> {
        let places = self.opener.places(&self.job.url, self.serial.as_deref());
        let Some(places) = self.watch.over(places).await else { return Ok(()) };
        let mut failures = Vec::new();
        for place in places? {
            match self.try_place(&place).await {
                Ok(()) => return Ok(()),
                Err(error) if !error.may_pass() => return Err(error),
                Err(error) => failures.push((place.url, error)),
            }
        }
        Err(ConnectError::of_places(failures))
    }

    async fn try_place(&mut self, place: &Place) -> Result<(), ConnectError> {
        if let (Some(found), Some(wanted)) = (&place.other, &self.serial)
            && found != wanted
        {
            return Err(ConnectError::OtherScope { found: found.clone(), wanted: wanted.clone() });
        }
        let opening = self.opener.open(&place.url, &self.job.probes, self.job.attenuation);
        let Some(opened) = self.watch.over(opening).await else { return Ok(()) };
        let opened = opened?;
        let probe = self.probe.unwrap_or(opened.probe);
        self.watch.time.follow(opened.link.clock.clone());
        let connecting = connect(&self.job, opened.link, probe, self.serial.as_deref());
        let Some(connected) = self.watch.over(connecting).await else { return Ok(()) };
        if let Err(ConnectError::OtherScope { found, .. }) = &connected {
            self.opener.leave_alone(&place.url, found);
        }
        let connected = connected?;
        if self.probe.is_none() {
            for notice in connected.plan.notices().iter().filter(|notice| notice.matters_to_user()) {
                tracing::warn!("{notice}");
            }
        }
        let url = place.url.clone();
        self.watch.report(Event::Connected { serial: connected.serial.clone(), url }).await;
        self.serial.clone_from(&connected.serial);
        self.probe = Some(probe);
        self.connected = Some(connected);
        Ok(())
    }

    /// Waits until a trace is due, or the clock may have been set. Gives when it is due then.
    async fn wait(&mut self, due: Instant) -> Instant {
        let offset = |time: &T| time.wall().0.saturating_sub_unsigned(time.now().0);
        let time = self.watch.time;
        let before = offset(time);
        self.watch.over(time.until(due.min(time.now() + REPORT_INTERVAL))).await;
        let is_set = offset(time).abs_diff(before) > CLOCK_STEP_US;
        match self.job.spacing {
            Spacing::TimesOfDay(_) if is_set => self.next_due(),
            _ => due,
        }
    }

    async fn capture(&mut self) {
        let Some(Connected { scope, plan, settings, .. }) = &mut self.connected else { return };
        let capture = match plan {
            Planned::Traces(capture) => capture,
            Planned::Stream(plan) => {
                let plan = plan.clone();
                return self.stream(&plan).await;
            }
        };
        let buffer = &mut *self.buffer;
        let awaited = awaited(&capture.plan);
        let (found, finds) = mpsc::channel(MAX_FINDS);
        // The end of a capture drops the sender, and what there is no room for is no more than was reported already.
        let report = move |hint: Option<TriggerHint>| {
            let _ = found.try_send(hint);
        };
        let capturing = async {
            let trace = capture.capture(scope, buffer, std::future::pending(), report).await;
            Waveform::of_trace(&trace.map_err(NoTrace::Scope)?).map_err(NoTrace::Waveform)
        };
        let captured = self.watch.over_capture(capturing, finds, &awaited).await;
        match captured {
            None => {}
            Some(Ok(waveform)) => {
                let waveform = waveform.with_settings(settings.clone());
                self.bad_in_a_row = 0;
                self.captures += 1;
                self.watch.report(Event::Trace(waveform)).await;
            }
            Some(Err(NoTrace::Waveform(error))) => self.bad_trace(error.to_string()).await,
            Some(Err(NoTrace::Scope(error))) => self.failed(&error).await,
        }
    }

    async fn failed(&mut self, error: &ScopeError<LinkError>) {
        match error.recovery() {
            // They are started when it is connected to.
            _ if matches!(error.kind, ScopeErrorKind::GeneratorsStopped) => self.connected = None,
            Recovery::Retry => self.bad_trace(error.to_string()).await,
            Recovery::Reconnect => self.away(false, error.to_string()).await,
            Recovery::Fatal => self.away(true, error.to_string()).await,
        }
    }

    /// Streams until the job is done or something fails. The time of a stream restarts with it, as that of a scope that
    /// is connected to.
    async fn stream(&mut self, plan: &StreamPlan) {
        let Err(error) = self.stream_on(plan).await else { return };
        if let Some(Ok(Some(waveform))) = self.blocks.take().map(|mut blocks| blocks.end()) {
            self.captures += 1;
            self.watch.report(Event::Trace(waveform)).await;
        }
        self.failed(&error).await;
        self.connected = None;
    }

    async fn stream_on(&mut self, plan: &StreamPlan) -> Result<(), ScopeError<LinkError>> {
        let (Some(Connected { scope, settings, .. }), Some(job)) = (&mut self.connected, &self.job.stream)
        else {
            return Ok(());
        };
        let header = stream::header(plan, Thinning::Mean, self.watch.time.wall());
        let blocks = self.blocks.insert(Blocks::new(header, job.samples_of_trace(plan), settings.clone()));
        let mut thinner = Thinner::new(plan, Thinning::Mean);
        let Some(started) = self.watch.over(scope.start_stream(plan)).await else { return Ok(()) };
        let mut stream = started?;
        let mut frames = vec![StreamFrame::default(); CHUNK_FRAMES];
        let mut cuts = Vec::new();
        let is_counted = |captures: u64| self.job.extent.count.is_some_and(|count| captures >= count);
        while !is_counted(self.captures) {
            let Some(chunk) = self.watch.over(stream.read(&mut frames)).await else { break };
            let mut bad = Ok(());
            thinner.push(&chunk?, |row| {
                bad = std::mem::replace(&mut bad, Ok(())).and(blocks.push(row, &mut cuts));
            });
            for cut in cuts.drain(..) {
                match cut {
                    Cut::Lost(frames) => self.watch.report(Event::Lost { frames }).await,
                    Cut::Trace(waveform) if !is_counted(self.captures) => {
                        self.bad_in_a_row = 0;
                        self.captures += 1;
                        self.watch.report(Event::Trace(*waveform)).await;
                    }
                    Cut::Trace(_) => {}
                }
            }
            if let Err(error) = bad {
                self.watch.report(Event::BadTrace { reason: error.to_string() }).await;
            }
        }
        if is_counted(self.captures) {
            // The rest of the stream is beyond the job.
            self.blocks = None;
        }
        stream.finish().await.map(drop)
    }

    async fn away(&mut self, is_other: bool, reason: String) {
        self.connected = None;
        self.watch.report(Event::Away { is_other, reason }).await;
    }

    async fn bad_trace(&mut self, reason: String) {
        self.watch.report(Event::BadTrace { reason: reason.clone() }).await;
        self.bad_in_a_row += 1;
        if self.bad_in_a_row >= MAX_BAD_TRACES {
            self.bad_in_a_row = 0;
            self.away(false, reason).await;
        }
    }
}

/// Waits for the scope, while it keeps the writer's clock going and watches the end of the job.
#[derive(Debug)]
struct Watch<'a, T> {
    time: &'a T,
    writer_thread: &'a WriterThread,
    ends: Option<Instant>,
    tick_at: Instant,
    /// Events that were not sent to the writer yet.
    unsent: Batch,
    /// Whether the next trace may come so soon that both are better sent at once.
    lingers: bool,
    is_gone: bool,
}

impl<T: Timekeeper> Watch<'_, T> {
    fn is_over(&self) -> bool {
        self.is_gone || self.ends.is_some_and(|end| self.time.now() >= end)
    }

    /// Takes an event that is sent to the writer while something else is waited for.
    fn add(&mut self, event: Event) {
        self.unsent.push((event, self.time.read()));
    }

    /// Sends an event to the writer; a trace perhaps not at once.
    async fn report(&mut self, event: Event) {
        let may_linger = matches!(event, Event::Trace(_));
        self.add(event);
        if !may_linger || self.unsent.len() >= MAX_AT_ONCE {
            self.flush().await;
        }
    }

    /// Sends the events that were not sent yet, as soon as the writer has time.
    async fn flush(&mut self) {
        match self.writer_thread.has_time().await {
            Ok(permit) => permit.send(std::mem::take(&mut self.unsent)),
            Err(WriterGone) => self.is_gone = true,
        }
    }

    /// Waits for a capture, and passes on what it finds out about its trigger, `awaited`. None if the time of the job is over
    /// before.
    async fn over_capture<F: Future>(
        &mut self,
        capturing: F,
        mut finds: mpsc::Receiver<Option<TriggerHint>>,
        awaited: &str,
    ) -> Option<F::Output> {
        let mut capturing = pin!(capturing);
        loop {
            let next = async {
                tokio::select! {
                    biased;
                    Some(hint) = finds.recv() => Progress::Waits(hint),
                    captured = &mut capturing => Progress::Ended(captured),
                }
            };
            match self.over(next).await? {
                Progress::Ended(captured) => return Some(captured),
                Progress::Waits(hint) => {
                    let hint = hint.as_ref().map(advice);
                    self.add(Event::Waiting { awaited: awaited.to_owned(), hint });
                }
            }
        }
    }

    /// Waits for something. None if the time of the job is over before.
    async fn over<F: Future>(&mut self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let mut coalesce = pin!(tokio::time::sleep(COALESCE_DELAY));
        let mut may_linger = self.lingers && !self.unsent.is_empty();
        loop {
            let is_due = self.time.now() >= self.tick_at;
            let has_to_send = is_due || !(may_linger || self.unsent.is_empty());
            let alarm = match (self.ends, is_due) {
                (ends, true) => ends,
                (ends, false) => Some(ends.map_or(self.tick_at, |end| end.min(self.tick_at))),
            };
            let ringing = async {
                match alarm {
                    Some(alarm) => self.time.until(alarm).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                output = &mut future => return Some(output),
                // Where it has no time for that, its disk is slow: nothing else waits for it here.
                permit = self.writer_thread.has_time(), if has_to_send => match permit {
                    Ok(permit) => {
                        if is_due {
                            self.unsent.push((Event::Tick, self.time.read()));
                            self.tick_at = self.time.now() + REPORT_INTERVAL;
                        }
                        permit.send(std::mem::take(&mut self.unsent));
                        may_linger = false;
                    }
                    Err(WriterGone) => self.is_gone = true,
                },
                () = &mut coalesce, if may_linger => may_linger = false,
                () = ringing => {}
            }
            if self.is_over() {
                return None;
            }
        }
    }
}

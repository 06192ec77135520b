//! The instrument: it has the device, and serves one request at a time. Clients that wait at the same
//! moment get the same capture; raw clients borrow the device, in turns with captures.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use scopething_core::calibration::CalibrationRequest;
use scopething_core::device::AnalogParameters;
use scopething_core::plan::BusyOutputs;
use scopething_core::scope::{
    CalibrateError, GenerateError, LinkProfile, Recovery, Scope, ScopeError, ScopeErrorKind, Stage,
    StreamFrame, UnknownRevision,
};
use scopething_core::trace::{EndReason, Trace, TraceBuffer};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::calibration::{self, CalibrationState, KeepCalibration};
use crate::capture::Capture;
use crate::event::Event;
use crate::generator;
use crate::handle::{GeneratorChange, GeneratorTurn, Handle, NO_SERIAL, Request, SharedState, WaitingClient};
use crate::loan::Loan;
use crate::queue::{PREEMPT_AFTER, Queue, Turn};
use crate::reconnect::{Reopen, reconnected};
use crate::settings::{Settings, advice};
use crate::stream::{self, CHUNK_FRAMES, StreamPart, StreamTurn};
use crate::until;
use scopething::link::{HostScope, LinkClock, LinkError, OpenLink};
use scopething::timer::Instant;
use scopething::trigger_hint::{TriggerHint, awaited};
use scopething::watched::WatchedCapture;

/// How the device fails.
pub type DeviceError = ScopeError<LinkError>;

/// How long it may take to start a capture.
const PROGRAMMING: Duration = Duration::from_millis(50);
/// Events that wait to be reported; more are dropped.
const MAX_EVENTS: usize = 256;
/// Requests that wait for the instrument; senders of further ones wait.
const MAX_REQUESTS: usize = 64;
/// How often in a row a capture starts again because settings were changed under it. The one after has a turn
/// to end by itself, so that a client that keeps changing settings does not starve the others.
const MAX_RESTARTS: u8 = 4;
/// How often in a row the device may fail before that is final.
const MAX_FAILURES: u8 = 3;
/// A stream that fails after this time is the first failure in a row.
const STEADY_STREAM: Duration = Duration::from_secs(10);

/// The device and the clients that wait for it.
pub struct Instrument {
    scope: Option<HostScope>,
    clock: LinkClock,
    profile: LinkProfile,
    handle: Handle,
    queue: Queue,
    buffer: Box<TraceBuffer>,
    /// Room for the frames of a stream.
    frames: Vec<StreamFrame>,
    /// Keeps what calibrations find.
    keep: Option<KeepCalibration>,
    /// The capture of the present settings, whose trigger is looked at once.
    watched: Option<Watched>,
    /// What the generator does, to be done again after a reset.
    generator: Option<GeneratorChange>,
    /// The device is as a reset leaves it.
    clean: bool,
    restarts: u8,
    failures: u8,
    /// The device has streamed: of one that never has, a stream that fails is no failure of the device.
    has_streamed: bool,
    /// Opens the link anew when the device is gone; none: that is the end.
    reopen: Option<Reopen>,
    closing: bool,
}

/// A capture, and what it was planned for.
struct Watched {
    changes: u64,
    driven: BusyOutputs,
    capture: WatchedCapture,
}

/// Drops clients that have left, and is ready when none remains.
fn poll_left(clients: &mut Vec<WaitingClient>, context: &mut Context<'_>) -> Poll<()> {
    clients.retain_mut(|client| client.reply.poll_closed(context).is_pending());
    if clients.is_empty() { Poll::Ready(()) } else { Poll::Pending }
}

/// A capture that has ended, and the clients it was for.
struct Ended {
    clients: Vec<WaitingClient>,
    /// Settings were changed meanwhile.
    superseded: bool,
    result: Result<Option<Arc<Capture>>, DeviceError>,
}

/// An instrument that is ready to [run](Instrument::run).
pub struct Opened {
    /// The instrument.
    pub instrument: Instrument,
    /// For its clients.
    pub handle: Handle,
    /// What happens meanwhile; what is not taken in time is dropped.
    pub events: mpsc::Receiver<Event>,
    /// What the user should know of the device's revision, if it is not the one that is known.
    pub unknown_revision: Option<UnknownRevision>,
}

impl Instrument {
    /// Connects to the device behind a link. `probe` maps volts to DAC codes (front-end calibration).
    ///
    /// # Errors
    /// Why the device failed.
    pub async fn open(link: OpenLink, probe: AnalogParameters) -> Result<Opened, DeviceError> {
        let (clock, profile) = (link.clock.clone(), link.profile);
        let mut scope = link.connect().await?;
        let unknown_revision = scope.unknown_revision();
        let serial = scope.read_serial().await?;
        let serial = serial.map_or_else(|_| NO_SERIAL.to_owned(), |serial| serial.to_string());
        let state = SharedState {
            settings: Settings::default(),
            changes: 0,
            driven: scope.driven(),
            generator: None,
            probe,
        };
        let (requests, requested) = mpsc::channel(MAX_REQUESTS);
        let (events, happened) = mpsc::channel(MAX_EVENTS);
        let handle = Handle {
            state: Arc::new(watch::Sender::new(state)),
            requests,
            events,
            hint: Arc::new(watch::Sender::new(None)),
            lost: Arc::new(watch::Sender::new(None)),
            bytes_per_second: profile.bytes_per_second,
            calibration: Arc::new(watch::Sender::new(CalibrationState::None)),
            calibration_cancelled: Arc::new(watch::Sender::new(false)),
            serial,
        };
        let instrument = Self::new(scope, clock, profile, handle.clone(), requested);
        Ok(Opened { instrument, handle, events: happened, unknown_revision })
    }

    fn new(
        scope: HostScope,
        clock: LinkClock,
        profile: LinkProfile,
        handle: Handle,
        requests: mpsc::Receiver<Request>,
    ) -> Self {
        let buffer = Box::new(TraceBuffer::new());
        Self {
            scope: Some(scope),
            clock,
            profile,
            handle,
            queue: Queue::new(requests),
            buffer,
            frames: Vec::new(),
            keep: None,
            watched: None,
            generator: None,
            clean: false,
            restarts: 0,
            failures: 0,
            has_streamed: false,
            reopen: None,
            closing: false,
        }
    }

    /// Has a device that is gone waited for, and its link opened by `reopen`, instead of ending.
    pub fn reconnect_by(&mut self, reopen: Reopen) {
        self.reopen = Some(reopen);
    }

    /// Has what calibrations find kept by `keep`, and not until the end alone.
    pub fn keep_calibrations_by(&mut self, keep: KeepCalibration) {
        self.keep = Some(keep);
    }

    /// Serves requests one after the other, until the device fails for good: it is waited for if its link can be opened anew.
    ///
    /// # Errors
    /// Why the device failed.
    pub async fn run(mut self) -> Result<Infallible, DeviceError> {
        loop {
            let error = match self.serve().await {
                Ok(never) => match never {},
                Err(error) => error,
            };
            // What is no BitScope any more may be one again.
            let is_own_fault = matches!(error.kind, ScopeErrorKind::Script(_));
            let may_return = self.reopen.is_some() && !self.closing && !is_own_fault;
            if !may_return {
                return Err(error);
            }
            self.await_device(error.to_string()).await;
        }
    }

    /// Waits until the device is back, while clients learn that it is gone. What its generators did is not done again: it may
    /// have been wired anew.
    async fn await_device(&mut self, reason: String) {
        let Self { queue, handle, reopen, .. } = self;
        let Some(reopen) = reopen else { return };
        // Its port cannot be opened twice.
        self.scope = None;
        self.generator = None;
        handle.state.send_modify(|state| (state.driven, state.generator) = (BusyOutputs::NOTHING, None));
        handle.report(Event::Lost { reason: reason.clone() });
        handle.lost.send_replace(Some(reason.clone()));
        let (scope, clock, profile) = {
            let mut returned = pin!(reconnected(reopen, handle));
            loop {
                if queue.reject(&reason) {
                    return pending().await;
                }
                handle.calibration.send_if_modified(|state| {
                    let is_running = state.is_running();
                    if is_running {
                        *state = CalibrationState::Failed { reason: reason.clone() };
                    }
                    is_running
                });
                tokio::select! {
                    returned = &mut returned => break returned,
                    () = queue.changed() => {}
                }
            }
        };
        (self.scope, self.clock, self.profile) = (Some(scope), clock, profile);
        (self.clean, self.failures, self.has_streamed) = (false, 0, false);
        self.handle.lost.send_replace(None);
        self.handle.report(Event::Returned);
    }

    async fn serve(&mut self) -> Result<Infallible, DeviceError> {
        loop {
            match self.queue.next_turn().await {
                Turn::Capture => self.capture().await?,
                Turn::Lend(borrower) => self.lend(borrower).await?,
                Turn::Generate(turn) => self.generate(turn).await?,
                Turn::Calibrate(request) => self.calibrate(request).await?,
                Turn::Stream(turn) => self.stream(turn).await?,
                Turn::Close(reply) => {
                    self.closing = true;
                    self.generator = None;
                    self.reset().await?;
                    // Whoever asked may have given up.
                    let _ = reply.send(());
                    // Nothing is started any more.
                    return pending().await;
                }
            }
        }
    }

    /// Runs a capture for the waiting clients, and gives it to them.
    async fn capture(&mut self) -> Result<(), DeviceError> {
        let Some(scope) = &mut self.scope else { return Ok(()) };
        self.clean = false;
        let state = self.handle.state();
        let timed_for = self.queue.clients.iter().filter_map(WaitingClient::until).min();
        let client_timeout_s =
            timed_for.map(|until| until.saturating_duration_since(Instant::now()).as_secs_f64());
        let mode_s = state.settings.trigger_mode.wait_s(state.settings.span_s);
        let mode_s = mode_s.filter(|_| self.queue.clients.iter().any(WaitingClient::follows_mode));
        let timeout_s = [client_timeout_s, mode_s].into_iter().flatten().reduce(f64::min);
        let by_mode = mode_s.is_some() && timeout_s == mode_s;
        let plan = match state.settings.plan_within(&state.probe, scope.driven(), timeout_s) {
            Ok(plan) => plan,
            Err(error) => {
                self.handle.report(Event::Notice(error.to_string()));
                self.queue.clients.clear();
                return Ok(());
            }
        };
        let (changes, driven) = (state.changes, scope.driven());
        let watched = match self.watched.take() {
            Some(mut same) if (same.changes, same.driven) == (changes, driven) => {
                same.capture.plan = plan;
                same
            }
            _ => {
                self.handle.hint.send_replace(None);
                let capture = WatchedCapture::new(scope, &state.settings.request(), plan);
                Watched { changes, driven, capture }
            }
        };
        let capture = &mut self.watched.insert(watched).capture;
        let restart = self.restarts < MAX_RESTARTS;
        let ended =
            run_capture(scope, capture, &mut self.buffer, &mut self.queue, &self.handle, &state, restart)
                .await;
        let Ended { clients, superseded, result } = ended;
        self.restarts = if superseded { self.restarts.saturating_add(1) } else { 0 };
        match result {
            Ok(Some(capture)) if !superseded => {
                self.failures = 0;
                self.deliver(clients, &capture, timed_for, by_mode);
            }
            Ok(_) => self.queue.clients.splice(0..0, clients).for_each(drop),
            Err(error) => {
                self.queue.clients.splice(0..0, clients).for_each(drop);
                self.survive(error)?;
                self.restart_generator();
            }
        }
        Ok(())
    }

    /// Gives a capture to the clients it was for; one without a trigger only to those whose timeout has passed,
    /// also if they came while it was under way, and if it ended by the trigger mode (`by_mode`) to those
    /// that follow it. The device may have waited until `timed_for` by a clock that runs faster.
    fn deliver(
        &mut self,
        clients: Vec<WaitingClient>,
        capture: &Arc<Capture>,
        timed_for: Option<Instant>,
        by_mode: bool,
    ) {
        let mut waiting = std::mem::take(&mut self.queue.clients);
        let mut left = Vec::new();
        let triggered = capture.cause == EndReason::Trigger;
        if triggered {
            self.handle.hint.send_if_modified(|hint| hint.take().is_some());
        }
        let by_mode = by_mode && capture.cause == EndReason::Timeout;
        let timed_for = timed_for.filter(|_| capture.cause == EndReason::Timeout && !by_mode);
        let now = Instant::now().max(timed_for.unwrap_or_else(Instant::now));
        let still_waits = |client: &WaitingClient| client.until().is_none_or(|until| until > now);
        let late = waiting.drain(..).map(|client| (client, true));
        for (client, late) in clients.into_iter().map(|client| (client, false)).chain(late) {
            let is_for = !late && (triggered || by_mode && client.follows_mode());
            if !is_for && (triggered || still_waits(&client)) {
                left.push(client);
            } else {
                // It may have left this moment.
                let _ = client.reply.send(Arc::clone(capture));
            }
        }
        self.queue.clients = left;
    }

    /// Lends the device until it is given back, each time as a reset leaves it.
    async fn lend(&mut self, borrower: oneshot::Sender<Loan>) -> Result<(), DeviceError> {
        self.reset().await?;
        let Some(scope) = self.scope.take() else { return Ok(()) };
        self.clean = false;
        let (back, mut returned) = oneshot::channel();
        let (wanted_sender, wanted) = watch::channel(self.queue.is_awaited());
        let loan = Loan::new(scope.into_stream(), back, wanted);
        // A borrower that has left drops it at once.
        drop(borrower.send(loan));
        let link = loop {
            tokio::select! {
                link = &mut returned => break link,
                () = self.queue.changed() => {}
            }
            wanted_sender.send_replace(self.queue.is_awaited());
        };
        // It is dropped with its link only after that was taken out of it.
        let Ok(link) = link else {
            return Err(ScopeErrorKind::Closed.at(Stage::Reset));
        };
        self.scope = Some(Scope::new(link, self.clock.clone(), self.profile));
        self.reset().await?;
        self.restart_generator();
        Ok(())
    }

    /// Resets the device, unless it is as a reset leaves it.
    async fn reset(&mut self) -> Result<(), DeviceError> {
        while let Some(scope) = self.scope.as_mut().filter(|_| !self.clean) {
            match scope.reset().await {
                Ok(()) => (self.clean, self.failures) = (true, 0),
                Err(error) => self.survive(error)?,
            }
        }
        Ok(())
    }

    /// A reset has stopped the generator: it is to do again what it did.
    fn restart_generator(&mut self) {
        if self.queue.generate.is_none() {
            let turn = |change| GeneratorTurn { change, reply: None };
            self.queue.generate = self.generator.clone().map(turn);
        }
    }

    async fn generate(&mut self, turn: GeneratorTurn) -> Result<(), DeviceError> {
        let GeneratorTurn { change, reply } = turn;
        let Some(scope) = &mut self.scope else { return Ok(()) };
        self.clean = false;
        let changed = generator::change(scope, &change).await;
        let driven = scope.driven();
        let running = driven != BusyOutputs::NOTHING;
        self.handle.state.send_modify(|state| {
            state.driven = driven;
            match &changed {
                Ok(changed) if changed.is_done => state.generator.clone_from(&changed.text),
                _ if !running => state.generator = None,
                _ => {}
            }
        });
        // Whoever asked may have left.
        let answer = |result: Result<(), String>| drop(reply.map(|reply| reply.send(result)));
        match changed {
            Ok(changed) => {
                if changed.is_done {
                    answer(Ok(()));
                    self.generator =
                        Some(change).filter(|change| running && *change != GeneratorChange::Stop);
                } else {
                    answer(Err(changed.notice.clone().unwrap_or_default()));
                }
                changed.notice.into_iter().for_each(|notice| self.handle.report(Event::Notice(notice)));
                Ok(())
            }
            Err(error) => {
                answer(Err(error.to_string()));
                self.survive(error)
            }
        }
    }

    /// Streams to a client, until it leaves or others have waited for their turn. The client of a device that does not stream
    /// learns of it, and can have captures.
    async fn stream(&mut self, turn: StreamTurn) -> Result<(), DeviceError> {
        let Some(scope) = &mut self.scope else { return Ok(()) };
        let StreamTurn { request, mut take, mut reply } = turn;
        self.clean = false;
        let plan = match self.handle.plan_stream(&request) {
            Ok(plan) => plan,
            Err(error) => {
                let _ = reply.send(Err(error.to_string()));
                return Ok(());
            }
        };
        self.frames.resize(CHUNK_FRAMES, StreamFrame::default());
        let queue = &mut self.queue;
        let began = Instant::now();
        let ended = async {
            tokio::select! {
                () = reply.closed() => {}
                () = queue.stream_is_over(began) => {}
            }
        };
        let has_streamed = &mut self.has_streamed;
        let taken = |part: StreamPart<'_>| {
            *has_streamed |= matches!(&part, StreamPart::Frames(chunk) if !chunk.frames.is_empty());
            take(part);
        };
        let result = stream::run(scope, &plan, &mut self.frames, taken, ended).await;
        match result {
            Ok(()) => {
                self.failures = 0;
                let _ = reply.send(Ok(()));
            }
            Err(error) => {
                let reason = error.to_string();
                if self.has_streamed || is_final(&error) {
                    if began.elapsed() >= STEADY_STREAM {
                        self.failures = 0;
                    }
                    self.survive(error)?;
                } else {
                    self.handle.report(Event::Notice(reason.clone()));
                }
                let _ = reply.send(Err(reason));
                self.restart_generator();
            }
        }
        Ok(())
    }

    /// Calibrates the probes. What the generator does is stopped before, and done again behind it.
    async fn calibrate(&mut self, request: CalibrationRequest) -> Result<(), DeviceError> {
        let before = self.handle.state().probe;
        // The clock that is measured needs the hardware of any other.
        self.clean = false;
        self.reset().await?;
        self.handle.state.send_modify(|state| (state.driven, state.generator) = (BusyOutputs::NOTHING, None));
        let Some(scope) = &mut self.scope else { return Ok(()) };
        self.clean = false;
        self.watched = None;
        let Handle { calibration, calibration_cancelled, .. } = self.handle.clone();
        let cancelled = calibration_cancelled.subscribe();
        let found = calibration::run(scope, &request, &mut self.buffer, &calibration, &cancelled).await;
        self.restart_generator();
        let error = match found {
            Ok(found) => {
                let kept = match &mut self.keep {
                    Some(keep) => keep(&found.parameters),
                    None => Err("this program has no place for them".to_owned()),
                };
                self.handle.set_probe(found.parameters);
                self.failures = 0;
                calibration.send_replace(calibration::done(&before, &found, kept));
                return Ok(());
            }
            Err(error) => error,
        };
        let state = match &error {
            CalibrateError::Cancelled => CalibrationState::Cancelled,
            error => CalibrationState::Failed { reason: error.to_string() },
        };
        calibration.send_replace(state);
        match error {
            CalibrateError::Scope(error) | CalibrateError::Generate(GenerateError::Scope(error)) => {
                self.survive(error)
            }
            _ => Ok(()),
        }
    }

    /// Reports a failure; returns it if it is final.
    fn survive(&mut self, error: DeviceError) -> Result<(), DeviceError> {
        self.failures += 1;
        if is_final(&error) || self.failures >= MAX_FAILURES {
            return Err(error);
        }
        self.handle.report(Event::Notice(error.to_string()));
        Ok(())
    }
}

/// Whether trying again over the same link is of no use. A device may be silent for a while.
fn is_final(error: &DeviceError) -> bool {
    !matches!(error.kind, ScopeErrorKind::NoAnswer { .. }) && error.recovery() != Recovery::Retry
}

/// Runs one capture for all clients that wait now. It is cancelled when settings change, when a deadline passes, or when
/// all have left.
async fn run_capture(
    scope: &mut HostScope,
    watched: &mut WatchedCapture,
    buffer: &mut TraceBuffer,
    queue: &mut Queue,
    handle: &Handle,
    state: &SharedState,
    restart: bool,
) -> Ended {
    let mut clients = std::mem::take(&mut queue.clients);
    let mut settings = handle.state.subscribe();
    let length = Duration::from_secs_f64(watched.plan.duration_s()) + PROGRAMMING;
    // A cancelled capture is to be whole: it must have run for as long as it is, since it was looked at too.
    let whole = Cell::new(Instant::now() + length);
    let awaited = awaited(&watched.plan);
    let report_hint = |hint: Option<TriggerHint>| {
        whole.set(Instant::now() + length);
        if let Some(hint) = hint {
            handle.report(Event::Notice(format!("waiting for {awaited}: {}", advice(&hint))));
            handle.hint.send_replace(Some(hint));
        }
    };
    let mut deadline = queue.preempt_at();
    let (mut cancelled, mut superseded, mut outdated) = (false, false, false);
    let cancel = Notify::new();
    let result = {
        let mut capture = pin!(watched.capture(scope, buffer, cancel.notified(), report_hint));
        loop {
            tokio::select! {
                biased;
                captured = &mut capture => break captured.map(|trace| of_trace(&trace, state)),
                () = queue.take_request() => {
                    deadline = [deadline, queue.preempt_at()].into_iter().flatten().min();
                    if queue.generate.is_none() || cancelled || !restart {
                        continue;
                    }
                    // The trigger may wait for just that.
                    superseded = true;
                }
                _ = settings.wait_for(|now| now.changes != state.changes), if !cancelled && !outdated => {
                    outdated = true;
                    if !restart {
                        let turn = Instant::now() + PREEMPT_AFTER;
                        deadline = Some(deadline.map_or(turn, |deadline| deadline.min(turn)));
                        continue;
                    }
                    superseded = true;
                }
                () = until_whole(deadline, &whole), if !cancelled => {}
                () = poll_fn(|context| poll_left(&mut clients, context)),
                    if !cancelled && !clients.is_empty() =>
                {
                    // Clients that asked meanwhile are due a capture that begins later.
                    superseded = true;
                }
            }
            cancelled = true;
            cancel.notify_one();
        }
    };
    Ended { clients, superseded, result }
}

/// Completes at a deadline, but not before the capture is whole, which may become later meanwhile.
async fn until_whole(deadline: Option<Instant>, whole: &Cell<Instant>) {
    until(deadline).await;
    while Instant::now() < whole.get() {
        until(Some(whole.get())).await;
    }
}

fn of_trace(trace: &Trace<'_>, state: &SharedState) -> Option<Arc<Capture>> {
    Capture::of_trace(trace, &state.settings, state.changes).ok().map(Arc::new)
}

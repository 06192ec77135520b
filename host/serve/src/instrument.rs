//! The instrument: it has the device, and does one thing at a time with it. Clients that wait at the same
//! moment get the same capture; raw clients borrow the device, in turns with captures.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use scopething_core::plan::CapturePlan;
use scopething_core::scope::{LinkProfile, Scope, ScopeError};
use scopething_core::trace::{EndReason, Trace, TraceBuffer};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::Instant;

use super::capture::Capture;
use super::event::Event;
use super::generator;
use super::handle::{GeneratorChange, GeneratorWaveform, Handle, Request, SharedState, WaitingClient};
use super::loan::Loan;
use scopething::link::{Link, LinkClock, LinkError};

/// A connected device, whatever the link.
pub(super) type HostScope = Scope<Link, LinkClock>;
type DeviceError = ScopeError<LinkError>;

/// How long a capture may go on waiting for its trigger when the device is wanted for something else.
const PREEMPT_AFTER: Duration = Duration::from_millis(500);
/// How long it may take to start a capture.
const PROGRAMMING: Duration = Duration::from_millis(50);
/// How often in a row a capture starts again because settings were changed under it. The one after has a turn
/// to end by itself, so that a client that sets without end keeps nobody from their captures.
const MAX_RESTARTS: u8 = 4;
/// How often in a row the device may fail before that is final.
const MAX_FAILURES: u8 = 3;

/// The device and who waits for it.
pub(super) struct Instrument {
    scope: Option<HostScope>,
    clock: LinkClock,
    profile: LinkProfile,
    handle: Handle,
    queue: Queue,
    buffer: Box<TraceBuffer>,
    waveform: Option<GeneratorWaveform>,
    /// The device is as a reset leaves it.
    clean: bool,
    restarts: u8,
    failures: u8,
}

/// What was asked for and is not done yet.
struct Queue {
    requests: mpsc::Receiver<Request>,
    connections: Vec<WaitingClient>,
    borrowers: VecDeque<oneshot::Sender<Loan>>,
    /// The generator is to be changed to this.
    generate: Option<GeneratorChange>,
    /// Whether the last turn was a loan.
    lent: bool,
}

/// What the device is to do next.
enum Turn {
    Generate(GeneratorChange),
    Lend(oneshot::Sender<Loan>),
    Capture,
}

impl Queue {
    async fn take_request(&mut self) {
        match self.requests.recv().await {
            Some(request) => self.take(request),
            None => pending().await,
        }
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Capture(waiting) => self.connections.push(waiting),
            Request::Borrow(borrower) => self.borrowers.push_back(borrower),
            Request::Generate(generation) => self.generate = Some(generation),
        }
    }

    /// Waits until somebody asks for something, or somebody who waits has left.
    async fn changed(&mut self) {
        poll_fn(|context| {
            if let Poll::Ready(Some(request)) = self.requests.poll_recv(context) {
                self.take(request);
                return Poll::Ready(());
            }
            let waiting = self.connections.len() + self.borrowers.len();
            self.connections.retain_mut(|client| client.reply.poll_closed(context).is_pending());
            self.borrowers.retain_mut(|borrower| borrower.poll_closed(context).is_pending());
            let left = self.connections.len() + self.borrowers.len() < waiting;
            if left { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Whether anybody waits; those who have left do not.
    fn is_awaited(&mut self) -> bool {
        self.connections.retain(|client| !client.reply.is_closed());
        self.borrowers.retain(|borrower| !borrower.is_closed());
        !self.connections.is_empty() || !self.borrowers.is_empty() || self.generate.is_some()
    }

    /// When somebody who waits would rather have the present capture ended.
    fn impatient(&self) -> Option<Instant> {
        let others = !self.borrowers.is_empty() || self.generate.is_some();
        let turn = others.then(|| Instant::now() + PREEMPT_AFTER);
        self.connections.iter().filter_map(WaitingClient::until).chain(turn).min()
    }

    async fn next_turn(&mut self) -> Turn {
        loop {
            self.is_awaited();
            if let Some(generation) = self.generate.take() {
                return Turn::Generate(generation);
            }
            let capture_first = self.lent && !self.connections.is_empty();
            if !capture_first && let Some(borrower) = self.borrowers.pop_front() {
                self.lent = true;
                return Turn::Lend(borrower);
            }
            if !self.connections.is_empty() {
                self.lent = false;
                return Turn::Capture;
            }
            self.take_request().await;
        }
    }
}

/// Forgets connections that have left, and is ready when none is left.
fn poll_left(connections: &mut Vec<WaitingClient>, context: &mut Context<'_>) -> Poll<()> {
    connections.retain_mut(|client| client.reply.poll_closed(context).is_pending());
    if connections.is_empty() { Poll::Ready(()) } else { Poll::Pending }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => pending().await,
    }
}

/// A capture that has ended, and whom it was for.
struct Ended {
    connections: Vec<WaitingClient>,
    /// Settings were changed meanwhile.
    superseded: bool,
    result: Result<Option<Arc<Capture>>, DeviceError>,
}

impl Instrument {
    pub(super) fn new(
        scope: HostScope,
        clock: LinkClock,
        profile: LinkProfile,
        handle: Handle,
        requests: mpsc::Receiver<Request>,
    ) -> Self {
        let queue = Queue {
            requests,
            connections: Vec::new(),
            borrowers: VecDeque::new(),
            generate: None,
            lent: false,
        };
        let buffer = Box::new(TraceBuffer::new());
        Self {
            scope: Some(scope),
            clock,
            profile,
            handle,
            queue,
            buffer,
            waveform: None,
            clean: false,
            restarts: 0,
            failures: 0,
        }
    }

    /// Does what it is asked for, one after the other, until the device fails for good.
    pub(super) async fn run(mut self) -> Result<Infallible, DeviceError> {
        loop {
            match self.queue.next_turn().await {
                Turn::Capture => self.capture().await?,
                Turn::Lend(borrower) => self.lend(borrower).await?,
                Turn::Generate(generation) => self.generate(generation).await?,
            }
        }
    }

    /// Runs a capture for those who wait, and gives it to them.
    async fn capture(&mut self) -> Result<(), DeviceError> {
        let Some(scope) = &mut self.scope else { return Ok(()) };
        self.clean = false;
        let state = self.handle.state();
        let timed_for = self.queue.connections.iter().filter_map(WaitingClient::until).min();
        let patience_s = timed_for.map(|until| until.saturating_duration_since(Instant::now()).as_secs_f64());
        let mode_s = state.settings.trigger_mode.wait_s(state.settings.span_s);
        let mode_s = mode_s.filter(|_| self.queue.connections.iter().any(WaitingClient::follows_mode));
        let timeout_s = [patience_s, mode_s].into_iter().flatten().reduce(f64::min);
        let by_mode = mode_s.is_some() && timeout_s == mode_s;
        let plan = match state.settings.plan_within(&self.handle.probe, scope.driven(), timeout_s) {
            Ok(plan) => plan,
            Err(error) => {
                self.handle.report(Event::Notice(error.to_string()));
                self.queue.connections.clear();
                return Ok(());
            }
        };
        let restart = self.restarts < MAX_RESTARTS;
        let ended =
            run_capture(scope, &plan, &mut self.buffer, &mut self.queue, &self.handle, &state, restart).await;
        let Ended { connections, superseded, result } = ended;
        self.restarts = if superseded { self.restarts.saturating_add(1) } else { 0 };
        match result {
            Ok(Some(capture)) if !superseded => {
                self.failures = 0;
                self.hand_out(connections, &capture, timed_for, by_mode);
            }
            Ok(_) => self.queue.connections.splice(0..0, connections).for_each(drop),
            Err(error) => {
                self.queue.connections.splice(0..0, connections).for_each(drop);
                self.survive(error)?;
                self.restart_generator();
            }
        }
        Ok(())
    }

    /// Gives a capture to those it was for; one without a trigger only to those who will do with that by now,
    /// also if they came while it was under way, and if it ended as the trigger mode says (`by_mode`) to those
    /// who follow that. The device may have waited until `timed_for` by a clock that runs faster.
    fn hand_out(
        &mut self,
        connections: Vec<WaitingClient>,
        capture: &Arc<Capture>,
        timed_for: Option<Instant>,
        by_mode: bool,
    ) {
        let mut waiting = std::mem::take(&mut self.queue.connections);
        let mut left = Vec::new();
        let triggered = capture.cause == EndReason::Trigger;
        let by_mode = by_mode && capture.cause == EndReason::Timeout;
        let timed_for = timed_for.filter(|_| capture.cause == EndReason::Timeout && !by_mode);
        let now = Instant::now().max(timed_for.unwrap_or_else(Instant::now));
        let patient = |client: &WaitingClient| client.until().is_none_or(|until| until > now);
        let late = waiting.drain(..).map(|client| (client, true));
        for (client, late) in connections.into_iter().map(|client| (client, false)).chain(late) {
            let is_for = !late && (triggered || by_mode && client.follows_mode());
            if !is_for && (triggered || patient(&client)) {
                left.push(client);
            } else {
                // It may have left this moment.
                let _ = client.reply.send(Arc::clone(capture));
            }
        }
        self.queue.connections = left;
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
            return Err(ScopeError::Closed { stage: scopething_core::scope::Stage::Reset });
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

    /// A reset has stopped the generator: it is to play again what it played.
    fn restart_generator(&mut self) {
        if self.queue.generate.is_none() {
            self.queue.generate = self.waveform.map(GeneratorChange::Play);
        }
    }

    async fn generate(&mut self, generation: GeneratorChange) -> Result<(), DeviceError> {
        let Some(scope) = &mut self.scope else { return Ok(()) };
        self.clean = false;
        let (waveform, done) = match generation {
            GeneratorChange::Play(waveform) => (Some(waveform), generator::start(scope, waveform).await),
            GeneratorChange::Stop => (None, generator::stop(scope).await),
        };
        let driven = scope.driven();
        self.handle.state.send_modify(|state| state.driven = driven);
        self.waveform = waveform.filter(|_| driven.waveform);
        match done {
            Ok(Some(notice)) => self.handle.report(Event::Notice(notice)),
            Ok(None) => {}
            Err(error) => self.survive(error)?,
        }
        Ok(())
    }

    /// Says what failed; gives it back if that is final.
    fn survive(&mut self, error: DeviceError) -> Result<(), DeviceError> {
        self.failures += 1;
        if is_final(&error) || self.failures >= MAX_FAILURES {
            return Err(error);
        }
        self.handle.report(Event::Notice(error.to_string()));
        Ok(())
    }
}

/// Whether the link is gone. Over UDP an answer that is missing is a failure of the link, which stays.
fn is_final(error: &DeviceError) -> bool {
    match error {
        ScopeError::Link { error, .. } => !matches!(error, LinkError::Datagram(_)),
        ScopeError::Closed { .. } | ScopeError::WrongRevision { .. } => true,
        _ => false,
    }
}

/// Runs one capture for all who wait now. It is cancelled when settings change, when patience ends, or when
/// all have left.
async fn run_capture(
    scope: &mut HostScope,
    plan: &CapturePlan,
    buffer: &mut TraceBuffer,
    queue: &mut Queue,
    handle: &Handle,
    state: &SharedState,
    restart: bool,
) -> Ended {
    let mut connections = std::mem::take(&mut queue.connections);
    let mut settings = handle.state.subscribe();
    // A cancelled capture is to be whole: it must have run for as long as it is.
    let whole = Instant::now() + Duration::from_secs_f64(plan.duration_s()) + PROGRAMMING;
    let mut deadline = queue.impatient().map(|at| at.max(whole));
    let (mut cancelled, mut superseded, mut outdated) = (false, false, false);
    let cancel = Notify::new();
    let result = {
        let mut capture = pin!(scope.capture_until(plan, buffer, cancel.notified()));
        loop {
            tokio::select! {
                biased;
                captured = &mut capture => break captured.map(|trace| of_trace(&trace)),
                () = queue.take_request() => {
                    let later = queue.impatient().map(|at| at.max(whole));
                    deadline = [deadline, later].into_iter().flatten().min();
                    if queue.generate.is_none() || cancelled || !restart {
                        continue;
                    }
                    // The trigger may wait for just that.
                    superseded = true;
                }
                _ = settings.wait_for(|now| now.changes != state.changes), if !cancelled && !outdated => {
                    outdated = true;
                    if !restart {
                        let turn = (Instant::now() + PREEMPT_AFTER).max(whole);
                        deadline = Some(deadline.map_or(turn, |deadline| deadline.min(turn)));
                        continue;
                    }
                    superseded = true;
                }
                () = until(deadline), if !cancelled => {}
                () = poll_fn(|context| poll_left(&mut connections, context)),
                    if !cancelled && !connections.is_empty() =>
                {
                    // Those who came meanwhile want one that begins later.
                    superseded = true;
                }
            }
            cancelled = true;
            cancel.notify_one();
        }
    };
    Ended { connections, superseded, result }
}

fn of_trace(trace: &Trace<'_>) -> Option<Arc<Capture>> {
    Capture::of_trace(trace).ok().map(Arc::new)
}

//! The part of the bridge that has the BitScope: it runs the stored job, does what is ordered, and passes
//! bytes through.
//!
//! Capturing is the core's driver's; here is only when to capture, and what becomes of the trace. What to do
//! is read from [`Bridge`] at each turn, so that it may change at any time: a wait for a trigger is
//! dropped when the BitScope is needed otherwise, and starts anew later.

mod pass_through;

use core::future::poll_fn;
use core::ops::ControlFlow;
use core::pin::{Pin, pin};
use core::task::Poll;

use embassy_futures::poll_once;
use embassy_futures::select::{Either, select};
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embedded_io_async::{Read, Write};
use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use scopething_core::analysis::leaves_band;
use scopething_core::calibration::CalibrationRequest;
use scopething_core::link::bridge::{Bands, Fault, Job, JobState, Repeat, ToFlash};
use scopething_core::plan::{CapturePlan, CaptureRequest, Channel, ChannelSet};
use scopething_core::scope::{
    CalibrateError, CaptureOptions, LinkProfile, Recovery, Scope, ScopeError, ScopeErrorKind,
};
use scopething_core::time::{Clock, Instant, Micros};
use scopething_core::trace::{EndReason, Trace, TraceBuffer};

use crate::control::{Bridge, Order, Want};
use crate::store::{Keep, Place, StoreError, StoredJob, TraceContext};

/// How long is waited before what failed is tried again.
const RETRY: Micros = Micros::from_millis(500);

/// The stream to the BitScope, over whatever it is plugged into.
///
/// While nothing is plugged in, or when it is unplugged in the middle, reading and writing fail. Dropping a
/// read that is pending must lose no byte.
pub trait ScopeStream: Read + Write {
    /// Completes when a BitScope is plugged in; at once if one is.
    fn attached(&mut self) -> impl Future<Output = ()>;
}

impl<S: ScopeStream> ScopeStream for &mut S {
    fn attached(&mut self) -> impl Future<Output = ()> {
        (**self).attached()
    }
}

/// Does the work that it is given, once.
pub type WrapWork = fn(&mut dyn FnMut());

/// Why a turn of the runner ended.
enum Turn {
    /// Look again at what is requested.
    Over,
    /// A trace was stored.
    Stored(Place),
    /// A trace was not stored, as its values lie within the bands of the job.
    WithinBands,
    /// Nothing can be done until something changes.
    Wait,
    /// It failed: try again a little later.
    Retry,
}

/// Runs the BitScope.
pub struct Runner<'a, F, S, C> {
    bridge: &'a Bridge<F>,
    scope: Scope<S, C>,
    clock: C,
    buffer: &'a mut TraceBuffer,
    /// The BitScope was opened and has not failed or been lent since.
    is_open: bool,
    /// The round that these count in.
    round: u32,
    captured: u32,
    next_start: Instant,
    /// When a trace is to go to flash again.
    next_to_flash: Instant,
    wrap: WrapWork,
}

impl<'a, F, S, C> Runner<'a, F, S, C>
where
    F: MultiwriteNorFlash,
    S: ScopeStream,
    C: Clock + Clone,
{
    /// A runner of the BitScope behind `stream`. `profile` is the worst that the stream does when it works;
    /// `buffer` is where its samples go.
    pub fn new(
        bridge: &'a Bridge<F>,
        stream: S,
        clock: C,
        profile: LinkProfile,
        buffer: &'a mut TraceBuffer,
    ) -> Self {
        let scope = Scope::new(stream, clock.clone(), profile);
        let round = bridge.round();
        let (next_start, next_to_flash) = (Instant(0), Instant(0));
        Self {
            bridge,
            scope,
            clock,
            buffer,
            is_open: false,
            round,
            captured: 0,
            next_start,
            next_to_flash,
            wrap: |work| work(),
        }
    }

    /// Has `wrap` do the measuring, packing and storing of traces, in pieces that each take up to a quarter of a second without
    /// a turn for others: for what must go on meanwhile.
    #[must_use]
    pub fn wrapping_long_work(mut self, wrap: WrapWork) -> Self {
        self.wrap = wrap;
        self
    }

    /// Runs for ever.
    pub async fn run(&mut self) -> ! {
        loop {
            let turn = match self.bridge.want(self.clock.now()) {
                Want::Nothing => {
                    self.bridge.set_state(JobState::Idle);
                    Turn::Wait
                }
                Want::PassThrough => {
                    self.pass_through().await;
                    Turn::Over
                }
                Want::Job => self.run_job().await,
                Want::Order(Order::CaptureNow) => self.capture_now().await,
                Want::Order(Order::Calibrate { grid }) => self.calibrate(grid).await,
            };
            match turn {
                Turn::Over | Turn::Stored(_) | Turn::WithinBands => {}
                Turn::Wait => self.bridge.changed(&self.clock).await,
                Turn::Retry => {
                    let again = self.clock.now() + RETRY;
                    select(self.clock.until(again), self.bridge.changed(&self.clock)).await;
                }
            }
        }
    }

    /// Waits for a BitScope, and opens it. Ends early when something else is requested.
    async fn open(&mut self) -> Result<(), Turn> {
        if self.is_open {
            return Ok(());
        }
        let Self { bridge, scope, clock, .. } = self;
        // While a BitScope is there, what was found wrong with it stays to be seen.
        let absent = poll_once(scope.lend_stream().attached()).is_pending();
        if absent || !matches!(bridge.state(), JobState::Fault(_)) {
            bridge.set_state(JobState::WaitingForScope);
        }
        let want = bridge.want(clock.now());
        let opening = async {
            scope.lend_stream().attached().await;
            scope.open().await?;
            Ok(scope.read_serial().await?.ok())
        };
        match select(opening, until_other(bridge, clock, want)).await {
            Either::Second(()) => Err(Turn::Over),
            Either::First(Ok(serial)) => {
                bridge.set_scope(serial);
                self.is_open = true;
                Ok(())
            }
            Either::First(Err(error)) => Err(self.failed(&error)),
        }
    }

    /// Notes what went wrong with the BitScope.
    fn failed(&mut self, error: &ScopeError<S::Error>) -> Turn {
        self.is_open = false;
        let bridge = self.bridge;
        match error.recovery() {
            // It is plugged in and does not work.
            _ if matches!(error.kind, ScopeErrorKind::NoAnswer { .. }) => bridge.set_fault(Fault::Scope),
            Recovery::Retry => bridge.set_fault(Fault::Scope),
            Recovery::Reconnect => {
                bridge.note_fault(Fault::Unplugged);
                bridge.set_state(JobState::WaitingForScope);
            }
            Recovery::Fatal => bridge.set_fault(Fault::WrongModel),
        }
        Turn::Retry
    }

    /// One turn of the job: a capture, or whatever stands in its way.
    async fn run_job(&mut self) -> Turn {
        let Some(job) = self.bridge.job() else {
            self.bridge.set_state(JobState::Idle);
            return Turn::Wait;
        };
        if self.round != self.bridge.round() {
            (self.round, self.captured) = (self.bridge.round(), 0);
            (self.next_start, self.next_to_flash) = (Instant(0), Instant(0));
        }
        if matches!(job.repeat, Repeat::Times(times) if self.captured >= times) {
            self.bridge.set_state(JobState::Finished);
            return Turn::Wait;
        }
        let place = self.place(&job);
        let plan = match self.plan(&job, &job.request, place).await {
            Ok(plan) => plan,
            Err(turn) => return turn,
        };
        let now = self.clock.now();
        if now < self.next_start {
            self.bridge.set_state(JobState::Spacing);
            let due = self.clock.until(self.next_start);
            select(due, self.bridge.changed(&self.clock)).await;
            return Turn::Over;
        }
        if let Err(turn) = self.open().await {
            return turn;
        }
        self.next_start = self.clock.now() + job.spacing;
        self.bridge.set_state(JobState::Armed);
        let turn = self.capture(&plan, &job, &job.request, Want::Job, place).await;
        if matches!(turn, Turn::Stored(_) | Turn::WithinBands) {
            self.captured = self.captured.saturating_add(1);
        }
        if let (Turn::Stored(Place::Flash), ToFlash::Spaced(spacing)) = (&turn, job.flash) {
            self.next_to_flash = self.clock.now() + spacing;
        }
        turn
    }

    /// Where the job's next trace goes if it comes now.
    fn place(&self, job: &Job) -> Place {
        match job.flash {
            ToFlash::Each => Place::Flash,
            ToFlash::Spaced(_) if self.clock.now() >= self.next_to_flash => Place::Flash,
            ToFlash::Spaced(_) | ToFlash::Never => Place::Memory,
        }
    }

    /// Plans a capture that there is room for.
    async fn plan(&mut self, job: &Job, request: &CaptureRequest, place: Place) -> Result<CapturePlan, Turn> {
        self.scope.set_probe(job.probe);
        let Ok(plan) = self.scope.plan(request) else {
            self.bridge.set_fault(Fault::Request);
            return Err(Turn::Wait);
        };
        if !self.bridge.store().await.has_room(plan.dump_bytes(), Keep::of_job(job), place) {
            self.bridge.set_state(JobState::Full);
            return Err(Turn::Wait);
        }
        Ok(plan)
    }

    /// Captures a trace and stores it, unless something else is requested before the trigger comes. One that was ordered
    /// in the middle, and one for which it has become time meanwhile, go to flash if there is room.
    async fn capture(
        &mut self,
        plan: &CapturePlan,
        job: &Job,
        request: &CaptureRequest,
        want: Want,
        place: Place,
    ) -> Turn {
        let Self { bridge, scope, clock, buffer, next_to_flash, wrap, .. } = self;
        let serial = bridge.scope();
        let now = Signal::<NoopRawMutex, ()>::new();
        let capturing = scope.capture_with(plan, buffer, CaptureOptions::new().cancelled_by(now.wait()));
        let captured = match select(capturing, until_other_than(bridge, clock, want, &now)).await {
            Either::First(captured) => captured,
            Either::Second(()) => return Turn::Over,
        };
        let trace = match captured {
            Ok(trace) if trace.samples() == 0 => return Turn::Over,
            Ok(trace) => trace,
            Err(error) => return self.failed(&error),
        };
        bridge.set_state(JobState::Triggered);
        bridge.count_capture();
        let keeping = pin!(async {
            // One that was ordered is kept whatever it shows.
            let is_chosen = want == Want::Job && trace.end_reason() != EndReason::Cancel;
            if is_chosen && !job.bands.is_empty() && !leaves_bands(&trace, &job.bands).await {
                bridge.count_within_bands();
                return Turn::WithinBands;
            }
            let origin =
                TraceContext { request, probe: &job.probe, scope: serial, ended: bridge.ended(clock.now()) };
            let keep = Keep::of_job(job);
            let is_due = matches!(job.flash, ToFlash::Spaced(_)) && clock.now() >= *next_to_flash;
            let for_flash = is_due || trace.end_reason() == EndReason::Cancel;
            let has_room = for_flash && bridge.store().await.has_room(plan.dump_bytes(), keep, Place::Flash);
            let place = if has_room { Place::Flash } else { place };
            store(bridge, &trace, origin, keep, place).await
        });
        wrapped(*wrap, keeping).await
    }

    /// Captures once without waiting for a trigger, otherwise with the job's settings.
    async fn capture_now(&mut self) -> Turn {
        let job = self.bridge.job().unwrap_or(default_job());
        let request = CaptureRequest { timeout_s: Some(0.0), ..job.request };
        let plan = match self.plan(&job, &request, Place::Flash).await {
            Ok(plan) => plan,
            Err(turn) => {
                self.bridge.take_order();
                return turn;
            }
        };
        if let Err(turn) = self.open().await {
            return turn;
        }
        let turn = self.capture(&plan, &job, &request, Want::Order(Order::CaptureNow), Place::Flash).await;
        if !matches!(turn, Turn::Retry) {
            self.bridge.take_order();
        }
        turn
    }

    /// Calibrates the probe of the job and stores the job with it.
    async fn calibrate(&mut self, grid: u8) -> Turn {
        let order = Want::Order(Order::Calibrate { grid });
        let Some(job) = self.bridge.job() else {
            self.bridge.take_order();
            return Turn::Over;
        };
        if let Err(turn) = self.open().await {
            return turn;
        }
        let Self { bridge, scope, clock, buffer, .. } = self;
        let request = CalibrationRequest { grid: grid.into(), ..CalibrationRequest::new(job.probe) };
        let calibrating = scope.calibrate(&request, buffer, |progress| {
            bridge.set_state(JobState::Calibrating { done: progress.done, left: progress.left });
            if bridge.want(clock.now()) == order { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let calibration = match calibrating.await {
            Ok(calibration) => calibration,
            Err(CalibrateError::Cancelled) => return Turn::Over,
            Err(error) => {
                bridge.take_order();
                if let CalibrateError::Scope(error) = error {
                    return self.failed(&error);
                }
                bridge.set_fault(Fault::Calibration);
                return Turn::Retry;
            }
        };
        bridge.take_order();
        let job = Job { probe: calibration.parameters, ..job };
        let stored = StoredJob { job, armed: bridge.is_armed() };
        if bridge.store().await.set_job(&stored).await.is_err() {
            bridge.set_fault(Fault::Storage);
            return Turn::Retry;
        }
        bridge.set_job(&job);
        Turn::Over
    }
}

/// Has `wrap` do each piece of a future, from one await to the next.
async fn wrapped<T>(wrap: WrapWork, mut future: Pin<&mut impl Future<Output = T>>) -> T {
    poll_fn(|context| {
        let mut polled = Poll::Pending;
        wrap(&mut || polled = future.as_mut().poll(context));
        polled
    })
    .await
}

/// Whether a value of the trace lies outside its band. Between two channels others have their turn: one of 12 000 samples
/// takes a quarter of a second.
async fn leaves_bands(trace: &Trace<'_>, bands: &Bands) -> bool {
    for channel in bands.channels().iter() {
        if leaves_band(trace, channel, bands) {
            return true;
        }
        yield_now().await;
    }
    false
}

/// Stores a trace. This is not dropped in the middle, whatever is requested meanwhile.
async fn store<F: MultiwriteNorFlash>(
    bridge: &Bridge<F>,
    trace: &Trace<'_>,
    origin: TraceContext<'_>,
    keep: Keep,
    place: Place,
) -> Turn {
    match bridge.store().await.append(trace, origin, keep, place).await {
        Ok(_) => Turn::Stored(place),
        Err(StoreError::Full) => {
            bridge.set_state(JobState::Full);
            Turn::Wait
        }
        Err(_) => {
            bridge.set_fault(Fault::Storage);
            Turn::Retry
        }
    }
}

/// What is captured on the button where no job is stored: channel A, as many traces as there is room
/// for.
fn default_job() -> Job {
    Job {
        request: CaptureRequest::new(ChannelSet::EMPTY.with(Channel::A)),
        probe: scopething_core::device::BS05.analog,
        repeat: Repeat::Times(1),
        spacing: Micros(0),
        keep: None,
        when_full: scopething_core::link::bridge::WhenFull::DropOldest,
        flash: ToFlash::Each,
        bands: Bands::NONE,
    }
}

/// Waits until something else is requested, or the job starts over.
async fn until_other<F, C: Clock>(bridge: &Bridge<F>, clock: &C, want: Want) {
    let round = bridge.round();
    while bridge.want(clock.now()) == want && bridge.round() == round {
        bridge.changed(clock).await;
    }
}

/// As [`until_other`]; `now` reports an order to capture during the job instead.
async fn until_other_than<F, C: Clock>(
    bridge: &Bridge<F>,
    clock: &C,
    want: Want,
    now: &Signal<NoopRawMutex, ()>,
) {
    loop {
        until_other(bridge, clock, want).await;
        let ordered = bridge.want(clock.now()) == Want::Order(Order::CaptureNow);
        if want != Want::Job || !ordered {
            return;
        }
        bridge.take_order();
        now.signal(());
    }
}

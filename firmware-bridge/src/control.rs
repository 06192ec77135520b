//! The state that the parts of the bridge share: who may use the BitScope, what is going on, and the store.
//!
//! [`job::Runner`](crate::job::Runner) has the BitScope, [`uplink::Uplink`](crate::uplink::Uplink) the computer, and
//! the program the button and the LED. They run side by side in one executor and meet here; nothing here waits for
//! hardware.

use core::cell::Cell;

use embassy_futures::select::select;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::{Mutex, MutexGuard};
use embassy_sync::pipe::Pipe;
use embassy_sync::signal::Signal;
use scopething_core::link::bridge::{Ended, Fault, Job, JobState};
use scopething_core::scope::SerialNumber;
use scopething_core::time::{Clock, Instant, Micros};

use crate::store::{Store, StoredJob};

/// Bytes on their way to the BitScope: more than the longest script of a driver.
const UP_BYTES: usize = 256;
/// Bytes on their way from the BitScope: what a UART of 1 Mbaud sends in 5 ms.
const DOWN_BYTES: usize = 512;

/// How long bytes may wait for a BitScope that takes none.
const UP_LIMIT: Micros = Micros::from_millis(100);
/// How long an armed job leaves the BitScope alone after bytes were passed through without a request to the bridge.
const UNASKED: Micros = Micros::from_millis(60_000);
/// How long when the computer asked for that.
const HELD: Micros = Micros::from_millis(600_000);

/// Whom the BitScope is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Want {
    /// Nobody.
    Nothing,
    /// The other end of the uplink.
    PassThrough,
    /// The armed job.
    Job,
    /// Something that was ordered.
    Order(Order),
}

/// What is to be done once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Order {
    CaptureNow,
    Calibrate { grid: u8 },
}

/// How the button was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Press {
    /// Capture now: ends the wait for the trigger; a second one before there is a trace takes it back.
    Short,
    /// Disarm, until the next power-up.
    Long,
}

/// What the uplink carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) enum Mode {
    /// Bytes of the BitScope.
    PassThrough,
    /// Frames.
    Messages,
}

/// Who takes the bytes of the BitScope that pass through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taker {
    /// The uplink.
    Uplink,
    /// The port that is the BitScope itself, on a board that has one: while it is open, the uplink takes none.
    Direct,
}

/// Completes at the deadline; never if there is none.
pub(crate) async fn until<C: Clock>(clock: &C, deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => clock.until(deadline).await,
        None => core::future::pending().await,
    }
}

/// What the parts of the bridge share. One for each bridge, made at power-up.
pub struct Bridge<F> {
    store: Mutex<NoopRawMutex, Store<F>>,
    mode: Cell<Mode>,
    job: Cell<Option<Job>>,
    armed: Cell<bool>,
    order: Cell<Option<Order>>,
    /// Goes up when the job starts over.
    round: Cell<u32>,
    /// Until when an armed job leaves the BitScope alone, and for how long from each byte on.
    lent_until: Cell<Instant>,
    lent_for: Cell<Micros>,
    state: Cell<JobState>,
    fault: Cell<Option<Fault>>,
    scope: Cell<Option<SerialNumber>>,
    captures: Cell<u32>,
    within_bands: Cell<u32>,
    /// How often the bridge was started.
    boot: u32,
    /// The time at power-up in microseconds since 1970, if a computer has given it.
    started_at: Cell<Option<Micros>>,
    /// Requests have changed: for the runner alone.
    changed: Signal<NoopRawMutex, ()>,
    /// The state changed: for the LED alone.
    state_changed: Signal<NoopRawMutex, ()>,
    taker: Cell<Taker>,
    up: Pipe<NoopRawMutex, UP_BYTES>,
    uplink_down: Pipe<NoopRawMutex, DOWN_BYTES>,
    direct_down: Pipe<NoopRawMutex, DOWN_BYTES>,
}

impl<F> Bridge<F> {
    /// A bridge that passes bytes through and, if `stored` has an armed one, runs its job.
    ///
    /// `stored` is what [`Store::job`] returned at power-up. If the flash failed there, pass none.
    #[must_use]
    pub fn new(store: Store<F>, stored: Option<StoredJob>) -> Self {
        Self {
            boot: store.boot(),
            started_at: Cell::new(None),
            store: Mutex::new(store),
            mode: Cell::new(Mode::PassThrough),
            job: Cell::new(stored.map(|stored| stored.job)),
            armed: Cell::new(stored.is_some_and(|stored| stored.armed)),
            order: Cell::new(None),
            round: Cell::new(0),
            lent_until: Cell::new(Instant(0)),
            lent_for: Cell::new(UNASKED),
            state: Cell::new(JobState::Idle),
            fault: Cell::new(None),
            scope: Cell::new(None),
            captures: Cell::new(0),
            within_bands: Cell::new(0),
            changed: Signal::new(),
            state_changed: Signal::new(),
            taker: Cell::new(Taker::Uplink),
            up: Pipe::new(),
            uplink_down: Pipe::new(),
            direct_down: Pipe::new(),
        }
    }

    /// Reports that the button was pressed.
    pub fn press(&self, press: Press) {
        match press {
            Press::Short if self.order.get() == Some(Order::CaptureNow) => self.order.set(None),
            Press::Short => self.order.set(Some(Order::CaptureNow)),
            Press::Long => {
                self.order.set(None);
                self.armed.set(false);
            }
        }
        self.changed.signal(());
    }

    /// Reports an edge of the trigger input: ends the wait of an armed job for its trigger, and else captures once without
    /// one. It is ignored while something else was ordered, and while the BitScope is lent to the other end of the uplink.
    pub fn trigger(&self, now: Instant) {
        if self.order.get().is_none() && !self.is_lent(now) {
            self.set_order(Order::CaptureNow);
        }
    }

    /// What the bridge does, for its LED.
    #[must_use]
    pub fn state(&self) -> JobState {
        self.state.get()
    }

    /// Completes when the state has changed since this completed last. One task may wait at a time.
    pub async fn state_changed(&self) -> JobState {
        self.state_changed.wait().await;
        self.state.get()
    }

    /// The last thing that went wrong since power-up.
    #[must_use]
    pub fn fault(&self) -> Option<Fault> {
        self.fault.get()
    }

    /// The store, once nobody else uses it.
    pub async fn store(&self) -> MutexGuard<'_, NoopRawMutex, Store<F>> {
        self.store.lock().await
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode.get()
    }

    pub(crate) fn job(&self) -> Option<Job> {
        self.job.get()
    }

    pub(crate) fn is_armed(&self) -> bool {
        self.armed.get()
    }

    pub(crate) fn round(&self) -> u32 {
        self.round.get()
    }

    pub(crate) fn scope(&self) -> Option<SerialNumber> {
        self.scope.get()
    }

    /// How often the bridge was started, this time included.
    pub(crate) fn boot(&self) -> u32 {
        self.boot
    }

    /// A computer has given the time.
    pub(crate) fn set_time(&self, unix: Micros, now: Instant) {
        self.started_at.set(unix.0.checked_sub(now.0).map(Micros));
    }

    /// What a trace that ended just now has noted of that.
    pub(crate) fn ended(&self, at: Instant) -> Ended {
        let unix = self.started_at.get().map(|started| Micros(started.0.saturating_add(at.0)));
        Ended { at, boot: self.boot, unix }
    }

    /// How many traces were captured since power-up.
    #[must_use]
    pub fn captures(&self) -> u32 {
        self.captures.get()
    }

    /// Bytes on their way to the BitScope.
    pub(crate) fn up(&self) -> &Pipe<NoopRawMutex, UP_BYTES> {
        &self.up
    }

    /// Bytes on their way from the BitScope to `taker`.
    pub(crate) fn down(&self, taker: Taker) -> &Pipe<NoopRawMutex, DOWN_BYTES> {
        match taker {
            Taker::Uplink => &self.uplink_down,
            Taker::Direct => &self.direct_down,
        }
    }

    /// Who takes them now.
    pub(crate) fn taker(&self) -> Taker {
        self.taker.get()
    }

    /// Has somebody else take them, who gets nothing of what is on its way.
    pub(crate) fn set_taker(&self, taker: Taker) {
        self.taker.set(taker);
        self.lend_anew(UNASKED, Instant(0));
        self.direct_down.clear();
        self.uplink_down.clear();
        self.notify();
    }

    fn lend_anew(&self, for_each: Micros, until: Instant) {
        self.lent_for.set(for_each);
        self.lent_until.set(until);
        self.up.clear();
    }

    /// Whether bytes of the BitScope pass to somebody.
    fn passes(&self) -> bool {
        self.taker.get() == Taker::Direct || self.mode.get() == Mode::PassThrough
    }

    /// Whether whoever they pass to has used the BitScope just now.
    fn is_lent(&self, now: Instant) -> bool {
        self.passes() && now < self.lent_until.get()
    }

    /// Whom the BitScope is for at this moment.
    pub(crate) fn want(&self, now: Instant) -> Want {
        match self.order.get() {
            _ if self.is_lent(now) => Want::PassThrough,
            Some(order) => Want::Order(order),
            None if self.armed.get() => Want::Job,
            None if self.passes() => Want::PassThrough,
            None => Want::Nothing,
        }
    }

    /// Waits until the requests may have changed. For the runner alone.
    pub(crate) async fn changed<C: Clock>(&self, clock: &C) {
        let lent_until = self.lent_until.get();
        let over = (clock.now() < lent_until).then_some(lent_until);
        select(self.changed.wait(), until(clock, over)).await;
    }

    /// Has the runner look again.
    pub(crate) fn notify(&self) {
        self.changed.signal(());
    }

    pub(crate) fn set_mode(&self, mode: Mode, hold: bool, now: Instant) {
        self.mode.set(mode);
        self.uplink_down.clear();
        // What passes to somebody else goes on.
        if self.taker.get() == Taker::Uplink {
            let (for_each, until) = if hold { (HELD, now + HELD) } else { (UNASKED, Instant(0)) };
            self.lend_anew(for_each, until);
        }
        self.notify();
    }

    /// Hands bytes on to the BitScope. If nothing takes them for long they are lost.
    pub(crate) async fn pass_up<C: Clock>(&self, bytes: &[u8], clock: &C) {
        if bytes.is_empty() {
            return;
        }
        let now = clock.now();
        self.passed_through(now);
        let written = self.up.write_all(bytes);
        // Bytes that nobody takes must not keep others from getting in.
        select(written, clock.until(now + UP_LIMIT)).await;
    }

    /// Bytes pass through to the BitScope.
    fn passed_through(&self, now: Instant) {
        let was = self.want(now);
        self.lent_until.set(now + self.lent_for.get());
        if was != Want::PassThrough {
            self.notify();
        }
    }

    pub(crate) fn set_job(&self, job: &Job) {
        self.job.set(Some(*job));
    }

    /// Lets the job run from its beginning, or not at all.
    pub(crate) fn set_armed(&self, armed: bool) {
        self.armed.set(armed);
        self.round.set(self.round.get().wrapping_add(1));
        if !armed {
            self.order.set(None);
        }
        self.notify();
    }

    pub(crate) fn set_order(&self, order: Order) {
        self.order.set(Some(order));
        self.notify();
    }

    pub(crate) fn take_order(&self) {
        self.order.set(None);
    }

    pub(crate) fn set_state(&self, state: JobState) {
        if self.state.replace(state) != state {
            self.state_changed.signal(());
        }
    }

    pub(crate) fn note_fault(&self, fault: Fault) {
        self.fault.set(Some(fault));
    }

    pub(crate) fn set_fault(&self, fault: Fault) {
        self.note_fault(fault);
        self.set_state(JobState::Fault(fault));
    }

    pub(crate) fn set_scope(&self, scope: Option<SerialNumber>) {
        self.scope.set(scope);
    }

    /// How many traces were not kept since power-up, as their values lay within the bands of the job.
    pub(crate) fn within_bands(&self) -> u32 {
        self.within_bands.get()
    }

    pub(crate) fn count_within_bands(&self) {
        self.within_bands.set(self.within_bands.get().wrapping_add(1));
    }

    pub(crate) fn count_capture(&self) {
        self.captures.set(self.captures.get().wrapping_add(1));
    }
}

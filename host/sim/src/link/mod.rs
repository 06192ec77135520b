//! The simulated device as a stream inside the process, with the clock that belongs to it.
//!
//! With a fast clock, simulated time stands still while anybody has work to do. When all that is left is
//! waiting (a read, a write into a full link, a deadline of [`SimClock`]), it jumps to the next thing that
//! happens. Nobody has done anything between several polls of the same future: that is how waiting is recognised,
//! and each waiting future yields a few times before it moves time, so that whatever else runs in its task
//! comes first, even if it hands something on through a channel or two. With a real clock everything waits with the
//! [`Timer`] of the program.
//!
//! A link and its clocks belong to one task, or to tasks of a current-thread runtime.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use scopething_core::scope::LinkProfile;
use scopething_core::time::{Clock, Instant, Micros};

use super::config::{ClockKind, SimConfig};
use super::note::Note;
use super::output::Origin;
use super::time::SimTime;
use super::wire::Wire;

/// Real time, as the program that runs the simulated device has it: this crate needs no runtime of its own.
pub trait Timer: Send + Sync + Debug {
    /// How long the timer has run.
    fn elapsed(&self) -> Duration;

    /// Completes after so long.
    fn sleep(&self, span: Duration) -> Sleep;
}

/// What [`Timer::sleep`] returns.
#[cfg(not(target_family = "wasm"))]
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;
/// What [`Timer::sleep`] returns; the timers of a browser stay in its thread.
#[cfg(target_family = "wasm")]
pub type Sleep = Pin<Box<dyn Future<Output = ()>>>;

/// A simulated device at the other end of a simulated link, as a stream of bytes.
///
/// ```
/// use embedded_io_async::{Read, Write};
/// use scopething_sim::{SimConfig, SimLink};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let mut link = SimLink::new(&SimConfig::from_query("clock=fast&latency=1ms").unwrap());
/// link.write_all(b"?").await.unwrap();
/// let mut answer = [0; 11];
/// link.read_exact(&mut answer).await.unwrap();
/// assert_eq!(&answer, b"?\rBS000501\r");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct SimLink {
    shared: Arc<Mutex<Shared>>,
}

/// The clock of a [`SimLink`]: simulated time in microseconds.
#[derive(Debug, Clone)]
pub struct SimClock {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug)]
struct Shared {
    wire: Wire,
    profile: LinkProfile,
    time: Time,
    /// Counts what anybody does: waiting is when it stays the same.
    activity: u64,
    waiting: Vec<Waiter>,
    next_id: u64,
}

/// The time that the device lives in.
#[derive(Debug)]
enum Time {
    /// Simulated: it jumps when everybody waits.
    Fast {
        now: SimTime,
    },
    Real(Arc<dyn Timer>),
}

/// A future that is waiting.
#[derive(Debug)]
struct Waiter {
    id: u64,
    deadline: Option<SimTime>,
    waker: Waker,
}

impl Shared {
    fn now(&self) -> SimTime {
        match &self.time {
            Time::Fast { now } => *now,
            Time::Real(timer) => SimTime(u64::try_from(timer.elapsed().as_nanos()).unwrap_or(u64::MAX)),
        }
    }

    /// Something was done: all who wait look again.
    fn act(&mut self) {
        self.activity += 1;
        for waiting in self.waiting.drain(..) {
            waiting.waker.wake();
        }
    }

    fn wait(&mut self, id: u64, deadline: Option<SimTime>, waker: &Waker) {
        self.forget(id);
        self.waiting.push(Waiter { id, deadline, waker: waker.clone() });
    }

    fn forget(&mut self, id: u64) {
        self.waiting.retain(|waiting| waiting.id != id);
    }

    /// The next moment at which anybody who waits could go on.
    fn next_event(&self) -> Option<SimTime> {
        let deadlines = self.waiting.iter().filter_map(|waiting| waiting.deadline);
        // What has arrived waits for whoever reads, and nobody does.
        let arrival = self.wire.next_arrival().filter(|arrival| *arrival > self.now());
        deadlines.chain(self.wire.next_event()).chain(arrival).min()
    }

    /// Lets a fast clock jump; false if nothing would ever happen.
    fn jump(&mut self) -> bool {
        let Some(next) = self.next_event() else { return false };
        let Time::Fast { now } = &mut self.time else { return false };
        *now = next.max(*now);
        self.wire.advance(*now);
        self.act();
        true
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // A panic elsewhere leaves the state whole: every change is complete before the lock is released.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a future waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaited {
    Bytes,
    Room,
    Deadline(SimTime),
}

impl Awaited {
    fn deadline(self) -> Option<SimTime> {
        if let Self::Deadline(deadline) = self { Some(deadline) } else { None }
    }
}

/// How often a waiting future yields before it moves time.
const YIELDS: u8 = 4;

/// One wait: for bytes, for room, or for a deadline. Dropping it forgets the wait.
struct Wait<'a> {
    shared: &'a Mutex<Shared>,
    id: u64,
    awaited: Awaited,
    seen: Option<u64>,
    /// How often the future has yielded since.
    yields: u8,
    sleep: Option<Sleep>,
}

impl<'a> Wait<'a> {
    fn new(shared: &'a Mutex<Shared>, awaited: Awaited) -> Self {
        let mut guard = lock(shared);
        guard.next_id += 1;
        let id = guard.next_id;
        Self { shared, id, awaited, seen: None, yields: 0, sleep: None }
    }

    /// Waits on: called when a poll found nothing to do.
    fn pending(&mut self, context: &mut Context<'_>) {
        let mut shared = lock(self.shared);
        if self.seen.is_none() {
            shared.act();
        }
        shared.wait(self.id, self.awaited.deadline(), context.waker());
        match &shared.time {
            Time::Fast { .. } => {
                let waited = shared.activity;
                if self.seen != Some(waited) {
                    context.waker().wake_by_ref();
                    self.seen = Some(waited);
                    self.yields = 1;
                } else if self.yields < YIELDS {
                    context.waker().wake_by_ref();
                    self.yields += 1;
                } else if shared.jump() {
                    // Those that the jump woke come first: `waited` is no longer the activity.
                    self.seen = Some(waited);
                }
            }
            Time::Real(timer) => {
                let timer = Arc::clone(timer);
                self.seen = Some(shared.activity);
                let next = match self.awaited {
                    Awaited::Bytes => {
                        [shared.wire.next_event(), shared.wire.next_arrival()].into_iter().flatten().min()
                    }
                    Awaited::Room => shared.wire.next_event(),
                    Awaited::Deadline(deadline) => Some(deadline),
                };
                let now = shared.now();
                drop(shared);
                self.sleep = next.map(|next| timer.sleep(to_duration(next - now)));
                self.poll_sleep(context);
            }
        }
    }

    fn poll_sleep(&mut self, context: &mut Context<'_>) {
        let due = self.sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(context).is_ready());
        if due {
            context.waker().wake_by_ref();
        }
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        lock(self.shared).forget(self.id);
    }
}

fn to_duration(span: SimTime) -> Duration {
    Duration::from_nanos(span.0)
}

impl SimLink {
    /// A new device with its link, in simulated time, whatever clock the configuration names.
    #[must_use]
    pub fn new(config: &SimConfig) -> Self {
        Self::in_time(config, Time::Fast { now: SimTime::ZERO })
    }

    /// A new device with its link, in real time.
    #[must_use]
    pub fn in_real_time(config: &SimConfig, timer: Arc<dyn Timer>) -> Self {
        Self::in_time(config, Time::Real(timer))
    }

    /// A new device with its link, by the clock that the configuration names. `timer` is asked for one if that is the
    /// real one.
    #[must_use]
    pub fn by_config(config: &SimConfig, timer: impl FnOnce() -> Arc<dyn Timer>) -> Self {
        match config.clock {
            ClockKind::Fast => Self::new(config),
            ClockKind::Real => Self::in_real_time(config, timer()),
        }
    }

    fn in_time(config: &SimConfig, time: Time) -> Self {
        let mut wire = Wire::new(config);
        wire.connect(SimTime::ZERO);
        let shared = Shared {
            wire,
            profile: profile(config, &time),
            time,
            activity: 0,
            waiting: Vec::new(),
            next_id: 0,
        };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    /// The clock that runs with this link.
    #[must_use]
    pub fn clock(&self) -> SimClock {
        SimClock { shared: Arc::clone(&self.shared) }
    }

    /// What a driver must know of this link to derive its time-outs.
    #[must_use]
    pub fn profile(&self) -> LinkProfile {
        lock(&self.shared).profile
    }

    /// A link that a fault has closed or stalled is sound again.
    pub fn mend(&self) {
        lock(&self.shared).wire.mend();
    }

    /// A host connects anew.
    pub fn connect(&self) {
        let mut shared = lock(&self.shared);
        let now = shared.now();
        shared.wire.connect(now);
    }

    /// Waits until bytes have arrived and hands over up to `most` of them, each with the number of the byte
    /// sent that it answers; returns how many, 0 if the link is closed. Dropping the future loses none.
    pub async fn receive(&self, most: usize, mut each: impl FnMut(Origin, u8)) -> usize {
        if most == 0 {
            return 0;
        }
        let take = |wire: &mut Wire, now| {
            let mut count = 0;
            while count < most
                && let Some((origin, byte)) = wire.take(now)
            {
                each(origin, byte);
                count += 1;
            }
            count
        };
        self.moved(Awaited::Bytes, take).await
    }

    /// Puts bytes on the link and returns how many: at least one, once there is room; 0 if the link is closed.
    pub async fn send(&self, bytes: &[u8]) -> usize {
        if bytes.is_empty() {
            return 0;
        }
        let write = |wire: &mut Wire, now| if wire.is_closed() { 0 } else { wire.write(bytes, now) };
        self.moved(Awaited::Room, write).await
    }

    /// Moves bytes over the wire and returns how many: at least one, once there is what is awaited; 0 if the link is
    /// closed.
    async fn moved(&self, awaited: Awaited, mut attempt: impl FnMut(&mut Wire, SimTime) -> usize) -> usize {
        let mut wait = Wait::new(&self.shared, awaited);
        poll_fn(|context| {
            let mut shared = lock(wait.shared);
            let now = shared.now();
            let count = attempt(&mut shared.wire, now);
            if count > 0 || shared.wire.is_closed() {
                shared.act();
                return Poll::Ready(count);
            }
            drop(shared);
            wait.pending(context);
            Poll::Pending
        })
        .await
    }

    /// The device's notes on its client since the last call.
    #[must_use]
    pub fn take_notes(&self) -> Vec<Note> {
        lock(&self.shared).wire.device_mut().take_notes().collect()
    }
}

/// A margin for the host's own delays is added with a real clock only.
fn profile(config: &SimConfig, time: &Time) -> LinkProfile {
    let wait = config.latency + config.latency + config.ftdi.unwrap_or_default();
    let margin = match time {
        Time::Real(_) => LinkProfile::SERIAL.round_trip,
        Time::Fast { .. } => Micros::from_millis(1),
    };
    let round_trip = Micros(wait.0.div_ceil(1000)) + margin;
    let bytes_per_second = config.rate_bps.map_or(u32::MAX, |rate| (rate / 10.0) as u32).max(1);
    LinkProfile { round_trip, bytes_per_second, is_lossy: false }
}

impl ErrorType for SimLink {
    type Error = ErrorKind;
}

impl Read for SimLink {
    /// Waits for at least one byte; 0 bytes if a fault has closed the link.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no byte.
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let mut slots = 0;
        let count = self
            .receive(buffer.len(), |_, byte| {
                if let Some(slot) = buffer.get_mut(slots) {
                    *slot = byte;
                    slots += 1;
                }
            })
            .await;
        Ok(count)
    }
}

impl Write for SimLink {
    /// Puts bytes on the link, at least one of them; waits while the link is full.
    ///
    /// # Cancellation
    ///
    /// A dropped future has written nothing.
    async fn write(&mut self, buffer: &[u8]) -> Result<usize, ErrorKind> {
        match self.send(buffer).await {
            0 if !buffer.is_empty() => Err(ErrorKind::BrokenPipe),
            count => Ok(count),
        }
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}

impl Clock for SimClock {
    fn now(&self) -> Instant {
        Instant(lock(&self.shared).now().0 / 1000)
    }

    async fn until(&self, deadline: Instant) {
        let deadline = SimTime::from_micros(deadline.0);
        let mut wait = Wait::new(&self.shared, Awaited::Deadline(deadline));
        poll_fn(|context| {
            if lock(wait.shared).now() >= deadline {
                return Poll::Ready(());
            }
            wait.pending(context);
            Poll::Pending
        })
        .await;
    }
}

#[cfg(test)]
mod tests;

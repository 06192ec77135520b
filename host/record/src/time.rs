//! The clocks of a recording, replaceable in tests: a monotonic one for waits, and the computer's time of day.

use std::cell::RefCell;
use std::rc::Rc;

use scopething_core::time::{Clock, Instant, Micros};

use scopething::link::LinkClock;
use scopething_waveform::moment::UnixMicros;

/// Both clocks read at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// By a monotonic clock.
    pub now: Instant,
    /// By the computer's clock, which may be set.
    pub wall: UnixMicros,
}

/// Reads the clocks, and waits.
pub trait Timekeeper {
    /// The present moment, by a monotonic clock.
    fn now(&self) -> Instant;

    /// The computer's clock, which may be set.
    fn wall(&self) -> UnixMicros;

    /// Both clocks now.
    fn read(&self) -> Reading {
        Reading { now: self.now(), wall: self.wall() }
    }

    /// Completes when `deadline` is reached.
    ///
    /// # Cancellation
    /// Dropping the future has no other effect.
    fn until(&self, deadline: Instant) -> impl Future<Output = ()>;

    /// Goes on by the clock of another link, without a step.
    fn follow(&self, clock: LinkClock);
}

/// The clock of whatever link is open, without a step where another link is opened.
///
/// A simulated device with a fast clock takes the world's clock along, from the moment at which it was made.
#[derive(Debug, Clone)]
pub struct LinkTime {
    shared: Rc<RefCell<Shared>>,
}

#[derive(Debug)]
struct Shared {
    clock: LinkClock,
    /// The clock's reading when it was taken over, and the time then.
    clock_began: Instant,
    began: Instant,
    /// When simulated time began, where time is simulated.
    simulated_since: Option<UnixMicros>,
}

impl LinkTime {
    /// Time by a link's clock, counted from 0; simulated if the clock does not follow the computer's.
    #[must_use]
    pub fn new(clock: LinkClock, simulated: bool) -> Self {
        let clock_began = clock.now();
        let simulated_since = simulated.then(UnixMicros::now);
        let shared = Shared { clock, clock_began, began: Instant(0), simulated_since };
        Self { shared: Rc::new(RefCell::new(shared)) }
    }
}

impl Timekeeper for LinkTime {
    fn now(&self) -> Instant {
        let shared = self.shared.borrow();
        shared.began + (shared.clock.now() - shared.clock_began)
    }

    fn wall(&self) -> UnixMicros {
        let since = self.shared.borrow().simulated_since;
        since.map_or_else(UnixMicros::now, |since| since.plus_seconds(Micros(self.now().0).seconds()))
    }

    async fn until(&self, deadline: Instant) {
        let (clock, until) = {
            let shared = self.shared.borrow();
            (shared.clock.clone(), shared.clock_began + (deadline - shared.began))
        };
        clock.until(until).await;
    }

    fn follow(&self, clock: LinkClock) {
        let began = self.now();
        let mut shared = self.shared.borrow_mut();
        shared.began = began;
        shared.clock_began = clock.now();
        shared.clock = clock;
    }
}

//! The watchdog, which is fed only while the bus and the uplink get on.

use embassy_rp::Peri;
use embassy_rp::peripherals::WATCHDOG;
use embassy_rp::watchdog::Watchdog;
use embassy_time::{Duration, Timer};
use embedded_io_async::{ErrorType, Read, Write};
use scopething_bridge::vitals::Pulse;

use super::clock::now_ms;

/// The chip restarts so long after the last feeding.
const LIMIT: Duration = Duration::from_millis(4_000);
const LOOK: Duration = Duration::from_millis(250);

/// The bus enumerates in a second, or fails in one; then each packet is a step.
pub(super) static BUS: Pulse = Pulse::new(4_000);
/// A request is served in one go, but for the flash, each step of which counts.
pub(super) static UPLINK: Pulse = Pulse::new(4_000);

/// Starts the watchdog: from now on it is to be fed.
pub(super) fn start(watchdog: Peri<'static, WATCHDOG>) -> Watchdog {
    let mut watchdog = Watchdog::new(watchdog);
    watchdog.pause_on_debug(true);
    watchdog.start(LIMIT);
    watchdog
}

#[embassy_executor::task]
pub(super) async fn feed(mut watchdog: Watchdog) {
    loop {
        let now = now_ms();
        let (bus, uplink) = (BUS.is_late(now), UPLINK.is_late(now));
        if bus || uplink {
            defmt::error!("no progress: bus {}, uplink {}", bus, uplink);
            super::board::note(scopething_core::link::bridge::Event::NoProgress { bus, uplink });
            // Not fed again, whatever happens now: half a recovery is none.
            core::future::pending::<()>().await;
        }
        watchdog.feed(LIMIT);
        Timer::after(LOOK).await;
    }
}

/// A stream whose user rests while it waits for it.
pub(super) struct Watched<S> {
    stream: S,
    pulse: &'static Pulse,
}

impl<S> Watched<S> {
    pub(super) const fn new(stream: S, pulse: &'static Pulse) -> Self {
        Self { stream, pulse }
    }
}

impl<S: ErrorType> ErrorType for Watched<S> {
    type Error = S::Error;
}

impl<S: Read> Read for Watched<S> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, S::Error> {
        self.pulse.rest();
        let count = self.stream.read(bytes).await;
        self.pulse.beat(now_ms());
        count
    }
}

impl<S: Write> Write for Watched<S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, S::Error> {
        let count = self.stream.write(bytes).await;
        self.pulse.step(now_ms());
        count
    }

    async fn flush(&mut self) -> Result<(), S::Error> {
        self.stream.flush().await
    }
}

//! What is plugged into a socket, whatever drives that: enumerated, tried again when it fails, reported, and its bytes carried
//! while it is an FT232.

use core::cell::Cell;

use embassy_futures::select::{Either, select};
use embassy_time::{Duration, Instant, with_timeout};
use scopething_core::link::bridge::{Event, UsbError, UsbState, UsbStep};

use super::host::{BulkEndpoints, Identity};
use super::{UsbCounts, UsbDevice};
use crate::events::EventLog;
use crate::ftdi;
use crate::scope_link::{Plugged, ScopeLink};
use crate::vitals::Pulse;

/// A device is given so long after it shows itself (USB 2.0 section 7.1.7.3).
const DEBOUNCE: Duration = Duration::from_millis(100);
/// Between two attempts with a device that does not work; whether one is there is seen at once.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(300);
/// A device that goes so soon after it came, so often in a row, is not unplugged by hand.
const SHORT_STAY: Duration = Duration::from_millis(1_000);
const MAX_SHORT_STAYS: u8 = 3;
/// The watchdog wants to see so often that the task is alive.
const BEAT: Duration = Duration::from_millis(1_000);
/// The only configuration of an FT232.
const CONFIGURATION: u8 = 1;
/// The endpoints that it has then.
pub(super) const ENDPOINTS: BulkEndpoints = BulkEndpoints { to_host: 1, to_device: 2 };

/// A socket for one device. Its waits may be dropped at any time.
pub trait Socket {
    /// A device that has an address.
    type Device<'a>: UsbDevice
    where
        Self: 'a;

    /// Readies it for a device, whatever it was in the middle of.
    fn start(&self);

    /// Completes when a device is there.
    fn plugged(&self) -> impl Future<Output = ()>;

    /// Completes when no device is there.
    fn unplugged(&self) -> impl Future<Output = ()>;

    /// Whether what is there is of low speed.
    fn is_low_speed(&self) -> bool;

    /// Resets the bus, gives the device on it an address and reads what it is. `retries` counts packets that were tried
    /// again, as far as that is known.
    ///
    /// # Errors
    /// What the socket has instead.
    fn enumerate<'a>(
        &'a self,
        retries: &'a Cell<u32>,
    ) -> impl Future<Output = Result<(Self::Device<'a>, Identity), UsbState>>;

    /// Selects a configuration of the device: its endpoints work from now on.
    ///
    /// # Errors
    /// How it failed.
    fn configure(
        device: &mut Self::Device<'_>,
        configuration: u8,
    ) -> impl Future<Output = Result<(), UsbError>>;
}

/// What a socket has whose device failed at a step.
pub(super) fn refused((step, error): (UsbStep, UsbError)) -> UsbState {
    match error {
        UsbError::Gone => UsbState::Empty,
        error => UsbState::Refused { step, error },
    }
}

/// Owns the socket for ever: enumerates whatever is plugged in, and carries the line's bytes while that is an FT232.
/// `pulse` beats at each step, every second at the least; what the socket has is noted in `events`.
pub async fn serve<S: Socket>(
    socket: &S,
    line: &ScopeLink,
    counts: &UsbCounts,
    events: &EventLog,
    pulse: &Pulse,
) -> ! {
    let mut connection = 0;
    let mut short_stays = 0_u8;
    let mut noted = UsbState::Empty;
    let mut note = |state| {
        if core::mem::replace(&mut noted, state) != state {
            events.note(scopething_core::time::Instant(Instant::now().as_micros()), Event::Usb(state));
        }
    };
    loop {
        socket.start();
        pulse.beat(now_ms());
        wait_for(socket, line, pulse, &mut short_stays, &mut note).await;
        let came = Instant::now();
        // A fault stays reported while it is tried again.
        if !line.usb_state().is_fault() {
            line.set_plugged(Plugged::Not(UsbState::Starting));
        }
        let is_unsteady = short_stays >= MAX_SHORT_STAYS;
        let ready = || note(UsbState::Ready);
        let Err(mut state) =
            connected(socket, line, counts, pulse, &mut connection, is_unsteady, ready).await;
        let was_short = state == UsbState::Empty && came.elapsed() < SHORT_STAY;
        short_stays = if was_short { short_stays.saturating_add(1) } else { 0 };
        if short_stays >= MAX_SHORT_STAYS {
            state = UsbState::Unsteady;
        }
        note(state);
        let is_new = line.set_plugged(Plugged::Not(state));
        match state {
            UsbState::Unsupported { vendor, product, .. } if is_new => {
                log!(warn, "an unsupported device is plugged in: {:04x}:{:04x}", vendor, product);
            }
            state if is_new && state.is_fault() => log!(warn, "the USB device is of no use: {}", state),
            _ => {}
        }
        if state != UsbState::Empty {
            counts.failed();
            pulse.beat(now_ms());
            // Something that cannot be used may stay for as long as it likes.
            let stranger = matches!(state, UsbState::Unsupported { .. } | UsbState::LowSpeed);
            while with_timeout(BETWEEN_ATTEMPTS, socket.unplugged()).await.is_err() && stranger {
                pulse.beat(now_ms());
            }
        }
    }
}

/// Waits until a device has been there for as long as its contacts need. Counts those that go before, until nothing was
/// there for long.
async fn wait_for<S: Socket>(
    socket: &S,
    line: &ScopeLink,
    pulse: &Pulse,
    short_stays: &mut u8,
    note: &mut impl FnMut(UsbState),
) {
    loop {
        while let Err(_passed) = with_timeout(BEAT, socket.plugged()).await {
            line.set_plugged(Plugged::Not(UsbState::Empty));
            note(UsbState::Empty);
            *short_stays = 0;
            pulse.beat(now_ms());
        }
        if with_timeout(DEBOUNCE, socket.unplugged()).await.is_err() {
            return;
        }
        pulse.beat(now_ms());
        *short_stays = short_stays.saturating_add(1);
        if *short_stays >= MAX_SHORT_STAYS && line.set_plugged(Plugged::Not(UsbState::Unsteady)) {
            log!(warn, "the USB device is of no use: {}", UsbState::Unsteady);
            note(UsbState::Unsteady);
        }
    }
}

/// Enumerates what is there and carries bytes, until that fails. `ready` is called once it carries; of a device that comes
/// and goes only once it stays, since it would fill the events.
async fn connected<S: Socket>(
    socket: &S,
    line: &ScopeLink,
    counts: &UsbCounts,
    pulse: &Pulse,
    connection: &mut u32,
    is_unsteady: bool,
    mut ready: impl FnMut(),
) -> Result<core::convert::Infallible, UsbState> {
    if socket.is_low_speed() {
        return Err(UsbState::LowSpeed);
    }
    let retries = Cell::new(0);
    let enumerated = socket.enumerate(&retries).await;
    counts.retried(retries.take());
    let (mut device, identity) = enumerated?;
    if (identity.vendor, identity.product) != (ftdi::VENDOR, ftdi::PRODUCT) {
        let (vendor, product, is_hub) = (identity.vendor, identity.product, identity.is_hub);
        return Err(UsbState::Unsupported { vendor, product, is_hub });
    }
    pulse.beat(now_ms());
    let configured = S::configure(&mut device, CONFIGURATION).await;
    configured.map_err(|error| refused((UsbStep::Configuration, error)))?;
    log!(info, "an FT232 is plugged in");
    if !is_unsteady {
        ready();
    }
    *connection += 1;
    let carrying = ftdi::run(&mut device, line, *connection, counts, &retries, pulse, now_ms);
    let unplugged = async {
        if is_unsteady && with_timeout(SHORT_STAY, socket.unplugged()).await.is_err() {
            ready();
        }
        socket.unplugged().await;
    };
    let end = select(carrying, unplugged).await;
    counts.retried(retries.take());
    match end {
        Either::First(Err((step, error))) if error != UsbError::Gone => {
            log!(warn, "the bus failed: {}", error);
            Err(UsbState::Refused { step, error })
        }
        _ => {
            log!(info, "the FT232 was unplugged");
            Err(UsbState::Empty)
        }
    }
}

fn now_ms() -> u32 {
    Instant::now().as_millis() as u32
}

//! The tasks, and what they share. What they do is the library's; here it meets the board.

mod board;
#[cfg(feature = "one-cable")]
mod cdc;
mod clock;
mod flash;
#[cfg(feature = "one-cable")]
mod keep_awake;
mod log;
#[cfg(feature = "one-cable")]
mod one_cable;
mod panel;
mod radio;
mod restart;
#[cfg(not(feature = "one-cable"))]
mod two_cables;
#[cfg(not(feature = "one-cable"))]
mod uart;
mod vectors;
mod watchdog;

use core::fmt::Write as _;

use embassy_executor::{SpawnError, SpawnToken, Spawner};
use embassy_rp::gpio::{AnyPin, Input, Level, Output, Pull};
use scopething_bridge::control::Bridge;
use scopething_bridge::job::Runner;
use scopething_bridge::scope_link::ScopePort;
use scopething_bridge::store::{Store, StoreMemory, StoredJob, fit_layout};
use scopething_bridge::uplink::{About, Uplink};
use scopething_core::link::bridge::{BoardSettings, Event, Failure, FlashChip, FlashSize, Led, Restart};
use scopething_core::scope::LinkProfile;
use scopething_core::time::Micros;
use scopething_core::trace::TraceBuffer;
use static_cell::{ConstStaticCell, StaticCell};

use board::{BoardBridge, LINE};
use clock::BoardClock;
use flash::BoardFlash;
#[cfg(feature = "one-cable")]
use one_cable as lines;
#[cfg(not(feature = "one-cable"))]
use two_cables as lines;

/// The latency timer adds 1 ms to each answer and a write may wait for one; the bus carries at least 300 kB/s.
const PROFILE: LinkProfile = LinkProfile { round_trip: Micros::from_millis(100), ..LinkProfile::SERIAL };

/// Memory for traces that do not go to flash.
const TRACE_MEMORY_BYTES: usize = 80 * 1024;

type BoardRunner = Runner<'static, BoardFlash, ScopePort<'static>, BoardClock>;
type BoardUplink = Uplink<'static, BoardFlash, BoardClock, board::Pico>;

static TRACE: ConstStaticCell<TraceBuffer> = ConstStaticCell::new(TraceBuffer::new());
static STORE_MEMORY: ConstStaticCell<StoreMemory<TRACE_MEMORY_BYTES>> =
    ConstStaticCell::new(StoreMemory::new());

#[embassy_executor::task]
async fn run(runner: &'static mut BoardRunner) {
    runner.run().await;
}

/// Opens the store, whatever the flash holds. One that fails, or is too small for program and store, ends the start: the
/// chip tries again, and the log gives the reason.
async fn open_store(mut flash: BoardFlash, chip: FlashChip) -> (Store<BoardFlash>, Option<StoredJob>) {
    let range = flash::store_range();
    let is_certain = chip.size != FlashSize::Assumed;
    let end = range.end.min(chip.bytes);
    let memory = STORE_MEMORY.take();
    let fitted = fit_layout(&mut flash, range.start, end, is_certain, memory).await;
    let opened = match fitted {
        Ok(layout) => Store::open(flash, layout, memory).await,
        Err(error) => Err(error),
    };
    let mut store = match opened {
        Ok(store) => store,
        Err(error) => {
            defmt::error!("the store does not open: {}", error);
            panic!("the store does not open");
        }
    };
    if let Err(error) = store.count_start().await {
        defmt::error!("the start cannot be counted: {}", error);
        board::note(Event::SettingsFailed);
    }
    let stored = store.job().await.unwrap_or_else(|error| {
        defmt::error!("the job cannot be read: {}", error);
        board::note(Event::SettingsFailed);
        None
    });
    (store, stored)
}

/// Keeps what had caused this start, if the firmware had, and gives what had caused the last such start.
async fn last_failure(store: &mut Store<BoardFlash>, restart: Restart<'_>) -> Option<Failure<'static>> {
    static CAUSE: ConstStaticCell<[u8; 320]> = ConstStaticCell::new([0; 320]);
    if restart != Restart::PowerUp {
        let mut cause = heapless::String::<200>::new();
        // A cause that is too long is cut.
        write!(cause, "{restart}").ok();
        if let Err(error) = store.set_failure(cause.as_bytes()).await {
            defmt::error!("the cause of the start cannot be kept: {}", error);
            board::note(Event::SettingsFailed);
        }
    }
    let (boot, cause) = store.failure(CAUSE.take()).await.ok()??;
    Some(Failure { boot, cause: core::str::from_utf8(cause).unwrap_or("an unknown cause") })
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    static BRIDGE: StaticCell<BoardBridge> = StaticCell::new();
    static RUNNER: StaticCell<BoardRunner> = StaticCell::new();
    static UPLINK_STATE: StaticCell<BoardUplink> = StaticCell::new();

    log::start();
    let restart = restart::cause();
    defmt::info!("the bridge starts: {}", restart);
    board::note(match restart {
        Restart::PowerUp => Event::PoweredUp,
        Restart::Watchdog => Event::WatchdogRestart,
        Restart::Panic { .. } => Event::PanicRestart,
    });
    let board = embassy_rp::init(lines::config());
    let chip = flash::chip();
    defmt::info!("flash of {} bytes: {}", chip.bytes, chip.size);
    let flash = BoardFlash::new(board.FLASH, chip);
    // Ahead of what writes the flash, for what comes meanwhile.
    #[cfg(not(feature = "one-cable"))]
    let lines =
        lines::Lines::start(board.UART0, (board.PIN_0, board.PIN_1, board.PIN_2, board.PIN_3), board.USB);
    #[cfg(feature = "one-cable")]
    let lines = lines::Lines::start(board.USB, board.PIO0, board.PIN_0, board.PIN_1);
    let (mut store, stored) = open_store(flash, chip).await;
    let settings = store.board().await.unwrap_or_else(|error| {
        defmt::error!("the settings of the board cannot be read: {}", error);
        board::note(Event::SettingsFailed);
        BoardSettings::default()
    });
    let last_failure = last_failure(&mut store, restart).await;
    // Only now: a store that holds something else is erased, which may take longer than the watchdog waits.
    let watchdog = watchdog::start(board.WATCHDOG);
    let bridge: &BoardBridge = BRIDGE.init(Bridge::new(store, stored));
    let about = About { firmware: version(), restart, last_failure, flash: chip };
    let uplink = UPLINK_STATE.init(Uplink::new(bridge, BoardClock, board::Pico, about));
    let Some(port) = LINE.port() else { panic!("the line has no port") };
    let runner = Runner::new(bridge, port, BoardClock, PROFILE, TRACE.take());
    let runner = RUNNER.init(runner.wrapping_long_work(|work| lines::keeping_awake(work)));
    let light = match settings.led {
        Led::None => panel::Light::None,
        Led::Pin(gpio) => panel::Light::Pin(output(gpio)),
        Led::Radio => {
            let pins = radio::Pins::new(board.PIN_23, board.PIN_24, board.PIN_25, board.PIN_29);
            spawn(spawner, radio::light(pins));
            panel::Light::Radio
        }
    };
    let trigger = settings.trigger_out.map(output);
    lines.run(spawner, &settings, uplink, bridge);
    spawn(spawner, run(runner));
    let Some(watch) = LINE.watch() else { panic!("the line has no watch") };
    spawn(spawner, panel::show(light, trigger, bridge, watch));
    #[cfg(feature = "rp2040")]
    spawn(spawner, panel::press(board.BOOTSEL, bridge));
    if let Some(gpio) = settings.trigger_in {
        // SAFETY: as for an output.
        let pin = Input::new(unsafe { AnyPin::steal(gpio) }, Pull::Down);
        spawn(spawner, panel::trigger(pin, bridge));
    }
    spawn(spawner, watchdog::feed(watchdog));
}

/// A pin of the settings, low.
fn output(gpio: u8) -> Output<'static> {
    // SAFETY: the settings were checked: it is a pin that nothing else uses, and each is asked for once.
    Output::new(unsafe { AnyPin::steal(gpio) }, Level::Low)
}

/// Starts a task; each is started once.
fn spawn<S>(spawner: Spawner, task: Result<SpawnToken<S>, SpawnError>) {
    let Ok(task) = task else { panic!("a task is started twice") };
    spawner.spawn(task);
}

/// The version of the firmware, as Cargo.toml has it.
fn version() -> (u8, u8, u8) {
    let number = |text: &str| text.parse().unwrap_or(0);
    (
        number(env!("CARGO_PKG_VERSION_MAJOR")),
        number(env!("CARGO_PKG_VERSION_MINOR")),
        number(env!("CARGO_PKG_VERSION_PATCH")),
    )
}

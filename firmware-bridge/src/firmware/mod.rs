//! The tasks, and what they share. What they do is the library's; here it meets the board.

mod board;
mod clock;
mod flash;
mod log;
mod panel;
mod restart;
mod watchdog;

use embassy_executor::{SpawnError, SpawnToken, Spawner};
use embassy_rp::Peri;
use embassy_rp::bind_interrupts;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::pac;
use embassy_rp::peripherals::{UART0, USB};
use embassy_rp::uart::{self, BufferedUart};
use portable_atomic::Ordering;
use scopething_bridge::control::Bridge;
use scopething_bridge::job::Runner;
use scopething_bridge::scope_link::ScopePort;
use scopething_bridge::store::{Store, StoredJob};
use scopething_bridge::uplink::{About, Uplink};
use scopething_bridge::usb::rp2040;
use scopething_core::scope::LinkProfile;
use scopething_core::time::Micros;
use scopething_core::trace::TraceBuffer;
use static_cell::{ConstStaticCell, StaticCell};

use board::{BoardBridge, LINE};
use clock::BoardClock;
use flash::BoardFlash;
use watchdog::{BUS, UPLINK};

/// Bits a second of the uplink, 8N1: the build takes another from `SCOPETHING_BAUD`.
const BAUD: u32 = match option_env!("SCOPETHING_BAUD") {
    None => 1_000_000,
    Some(text) => match u32::from_str_radix(text, 10) {
        Ok(baud) => baud,
        Err(_) => panic!("SCOPETHING_BAUD is no number"),
    },
};
/// The latency timer adds 1 ms to each answer and a write may wait for one; the bus carries at least 300 kB/s.
const PROFILE: LinkProfile = LinkProfile { round_trip: Micros::from_millis(100), ..LinkProfile::SERIAL };

/// GP1.
const RECEIVED_PIN: usize = 1;

bind_interrupts!(struct Interrupts {
    UART0_IRQ => uart::BufferedInterruptHandler<UART0>;
    USBCTRL_IRQ => rp2040::InterruptHandler;
});

type BoardRunner = Runner<'static, BoardFlash, ScopePort<'static>, BoardClock>;
type BoardUplink = Uplink<'static, BoardFlash, BoardClock, board::Pico>;

static TRACE: ConstStaticCell<TraceBuffer> = ConstStaticCell::new(TraceBuffer::new());
static UART_SENT: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);
static UART_RECEIVED: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);

#[embassy_executor::task]
async fn carry(usb: Peri<'static, USB>) {
    rp2040::serve(usb, &LINE, &board::USB_COUNTS, &BUS).await;
}

#[embassy_executor::task]
async fn run(runner: &'static mut BoardRunner) {
    runner.run().await;
}

#[embassy_executor::task]
async fn serve(uplink: &'static mut BoardUplink, uart: BufferedUart) {
    let (sender, receiver) = uart.split();
    let mut sender = watchdog::Watched::new(sender, &UPLINK);
    let mut receiver = watchdog::Watched::new(receiver, &UPLINK);
    loop {
        // Each error is one of noise or of bytes lost: what was damaged by it is not passed on, and is sent again.
        let Err(error) = uplink.serve(&mut receiver, &mut sender).await else { continue };
        let (count, what) = match error {
            uart::Error::Overrun => (&board::OVERRUNS, "bytes came too fast"),
            _ => (&board::FRAMING_ERRORS, "a byte without a stop bit"),
        };
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            defmt::warn!("the first error of this kind on the UART: {=str}", what);
        }
        uplink.line_failed();
    }
}

fn uart(
    uart: Peri<'static, UART0>,
    sent: Peri<'static, embassy_rp::peripherals::PIN_0>,
    received: Peri<'static, embassy_rp::peripherals::PIN_1>,
) -> BufferedUart {
    let mut config = uart::Config::default();
    config.baudrate = BAUD;
    let uart =
        BufferedUart::new(uart, sent, received, Interrupts, UART_SENT.take(), UART_RECEIVED.take(), config);
    // The HAL leaves the pin floating, without its Schmitt trigger: with nothing wired it would receive noise.
    pac::PADS_BANK0.gpio(RECEIVED_PIN).modify(|pad| {
        pad.set_pue(true);
        pad.set_schmitt(true);
    });
    // The HAL interrupts when 28 of 32 places are taken: the other interrupts have 40 us at 1 Mbaud. At 4 they have
    // 280 us.
    pac::UART0.uartifls().modify(|levels| levels.set_rxiflsel(0));
    uart
}

/// Opens the store, whatever the flash holds. One that fails, or is smaller than in memory.x, ends the start: the
/// chip tries again, and the log gives the reason.
async fn open_store(flash: BoardFlash) -> (Store<BoardFlash>, Option<StoredJob>) {
    let mut store = match Store::open(flash, flash::layout()).await {
        Ok(store) => store,
        Err(error) => {
            defmt::error!("the store does not open: {}", error);
            panic!("the store does not open");
        }
    };
    if let Err(error) = store.count_start().await {
        defmt::error!("the start cannot be counted: {}", error);
    }
    let stored = store.job().await.unwrap_or_else(|error| {
        defmt::error!("the job cannot be read: {}", error);
        None
    });
    (store, stored)
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    static BRIDGE: StaticCell<BoardBridge> = StaticCell::new();
    static RUNNER: StaticCell<BoardRunner> = StaticCell::new();
    static UPLINK_STATE: StaticCell<BoardUplink> = StaticCell::new();

    log::start();
    let restart = restart::cause();
    defmt::info!("the bridge starts: {}", restart);
    let board = embassy_rp::init(embassy_rp::config::Config::default());
    let (store, stored) = open_store(BoardFlash::new(board.FLASH)).await;
    // Only now: a store that holds something else is erased, which may take longer than the watchdog waits.
    let watchdog = watchdog::start(board.WATCHDOG);
    let bridge: &BoardBridge = BRIDGE.init(Bridge::new(store, stored));
    let about = About { firmware: version(), restart };
    let uplink = UPLINK_STATE.init(Uplink::new(bridge, BoardClock, board::Pico, about));
    let Some(port) = LINE.port() else { panic!("the line has no port") };
    let runner = RUNNER.init(Runner::new(bridge, port, BoardClock, PROFILE, TRACE.take()));
    let led = Output::new(board.PIN_25, Level::Low);
    spawn(spawner, carry(board.USB));
    spawn(spawner, run(runner));
    spawn(spawner, serve(uplink, uart(board.UART0, board.PIN_0, board.PIN_1)));
    let Some(watch) = LINE.watch() else { panic!("the line has no watch") };
    spawn(spawner, panel::show(led, bridge, watch));
    spawn(spawner, panel::press(board.BOOTSEL, bridge));
    spawn(spawner, watchdog::feed(watchdog));
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

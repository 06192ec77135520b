//! The board with one cable: the computer on its own socket, the BitScope on GP0 (D+) and GP1 (D-).

use embassy_executor::Spawner;
use embassy_futures::join::join;
use embassy_rp::Peri;
use embassy_rp::bind_interrupts;
use embassy_rp::clocks::ClockConfig;
use embassy_rp::config::Config;
use embassy_rp::peripherals::{PIN_0, PIN_1, PIO0, USB};
use rp_pio_usb_host::Pulldown;
use scopething_bridge::uplink::direct;
use scopething_bridge::usb::pins::{PinBus, PinSocket};
use scopething_bridge::usb::socket;
use scopething_core::link::bridge::{BoardSettings, LineErrors, UsbState};
use static_cell::StaticCell;

use super::clock::BoardClock;
use super::watchdog::{BUS, UPLINK, Watched};
use super::{BoardUplink, board, cdc, flash, keep_awake, spawn, vectors};

bind_interrupts!(struct Interrupts {
    USBCTRL_IRQ => embassy_rp::usb::InterruptHandler<USB>;
    PIO0_IRQ_0 => embassy_rp::pio::InterruptHandler<PIO0>;
});

/// The interrupt whose handler is in memory, and comes while flash is written. The USB controller has the computer wait meanwhile.
pub(super) const HANDLED_IN_MEMORY: usize = keep_awake::NUMBER;

/// Does what no task runs beside, while the BitScope is kept from suspending: writing flash, or measuring and packing a trace.
/// Only one that is ready is: before, its bus may be in the middle of a reset, which nothing may be sent into.
pub(super) fn keeping_awake(work: impl FnOnce()) {
    keep_awake::during(board::LINE.usb_state() == UsbState::Ready, work);
}

/// A bit of the BitScope's USB, 12 Mbit/s, is a whole number of these cycles, and both clocks of the PIO, 48 MHz for sending
/// and 96 MHz for receiving, come out exactly over it: 10 of the Pico's cycles, 12 of the Pico 2's.
#[cfg(feature = "rp2040")]
const SYSTEM_HZ: u32 = 120_000_000;
#[cfg(feature = "rp235x")]
const SYSTEM_HZ: u32 = 144_000_000;

/// The clocks.
pub(super) fn config() -> Config {
    let Ok(clocks) = ClockConfig::system_freq(SYSTEM_HZ) else { panic!("the PLL cannot have this rate") };
    Config::new(clocks)
}

/// USB repeats what goes wrong by itself.
pub(super) fn line_errors() -> LineErrors {
    LineErrors::default()
}

/// Both lines, before anything runs.
pub(super) struct Lines {
    usb: Peri<'static, USB>,
    socket: &'static PinSocket,
    bus: &'static PinBus,
}

impl Lines {
    /// Takes the pins and the block that drives them.
    pub(super) fn start(
        usb: Peri<'static, USB>,
        pio: Peri<'static, PIO0>,
        plus: Peri<'static, PIN_0>,
        minus: Peri<'static, PIN_1>,
    ) -> Self {
        static BUS_ON_PINS: StaticCell<PinBus> = StaticCell::new();
        static SOCKET: StaticCell<PinSocket> = StaticCell::new();
        vectors::to_memory();
        let bus = BUS_ON_PINS.init(PinBus::new(pio, plus, minus, Interrupts, Pulldown::Internal));
        Self { usb, socket: SOCKET.init(PinSocket::new(bus)), bus }
    }

    /// Starts the tasks of both lines.
    pub(super) fn run(
        self,
        spawner: Spawner,
        _settings: &BoardSettings,
        uplink: &'static mut BoardUplink,
        bridge: &'static board::BoardBridge,
    ) {
        let serial = flash::serial_number();
        let (device, messages, scope) = cdc::start(self.usb, Interrupts, serial);
        spawn(spawner, enumerate(device));
        spawn(spawner, watch(self.bus, self.socket));
        spawn(spawner, carry(self.socket));
        spawn(spawner, serve(uplink, messages));
        spawn(spawner, lend(bridge, scope));
    }
}

#[embassy_executor::task]
async fn enumerate(mut device: cdc::Device) {
    device.run().await;
}

/// Sends a start of frame each millisecond, and sees what comes and goes.
#[embassy_executor::task]
async fn watch(bus: &'static PinBus, socket: &'static PinSocket) {
    join(bus.idle_task(), socket.watch()).await;
}

#[embassy_executor::task]
async fn carry(pins: &'static PinSocket) {
    socket::serve(pins, &board::LINE, &board::USB_COUNTS, &board::EVENTS, &BUS).await;
}

#[embassy_executor::task]
async fn serve(uplink: &'static mut BoardUplink, messages: cdc::MessagePort) {
    let (receiver, sender) = messages;
    let mut sender = Watched::new(sender, &UPLINK);
    let mut receiver = Watched::new(receiver, &UPLINK);
    loop {
        // It ends when the computer configures the device anew.
        uplink.serve(&mut receiver, &mut sender).await.ok();
    }
}

#[embassy_executor::task]
async fn lend(bridge: &'static board::BoardBridge, scope: cdc::ScopePort) {
    direct::serve(bridge, BoardClock, scope).await;
}

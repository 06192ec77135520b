//! The board with two cables: the computer on its UART, the BitScope in its socket.

use embassy_executor::Spawner;
use embassy_rp::Peri;
use embassy_rp::bind_interrupts;
use embassy_rp::config::Config;
use embassy_rp::peripherals::{UART0, USB};
use embassy_rp::uart::{BufferedUartTx, Error};
use scopething_bridge::usb::{rp2040, socket};
use scopething_core::link::bridge::{BoardSettings, Event, LineErrors};

use super::uart::{self, Pins};
use super::watchdog::{BUS, UPLINK, Watched};
use super::{BoardUplink, board, spawn};

bind_interrupts!(struct Interrupts {
    SWI_IRQ_0 => uart::Deferred;
    USBCTRL_IRQ => rp2040::InterruptHandler;
});

/// The interrupt whose handler is in memory, and comes while flash is written.
pub(super) const HANDLED_IN_MEMORY: usize = uart::UART0_NUMBER;

/// Does what no task runs beside. The USB controller sends starts of frame by itself.
pub(super) fn keeping_awake(work: impl FnOnce()) {
    work();
}

/// The clocks: as the chip's maker has them.
pub(super) fn config() -> Config {
    Config::default()
}

/// What went wrong on the line to the computer.
pub(super) fn line_errors() -> LineErrors {
    uart::errors()
}

/// Both lines, before anything runs.
pub(super) struct Lines {
    sender: BufferedUartTx,
    receiver: uart::Receiver,
    usb: Peri<'static, USB>,
}

impl Lines {
    /// Starts the UART: what it receives with is in memory from now on, which is needed before the flash is written.
    pub(super) fn start(uart: Peri<'static, UART0>, pins: Pins, usb: Peri<'static, USB>) -> Self {
        let (sender, receiver) = uart::start(uart, pins, BoardSettings::default().baud);
        Self { sender, receiver, usb }
    }

    /// Starts the tasks of both lines.
    pub(super) fn run(
        self,
        spawner: Spawner,
        settings: &BoardSettings,
        uplink: &'static mut BoardUplink,
        _bridge: &'static board::BoardBridge,
    ) {
        if settings.baud != BoardSettings::default().baud {
            uart::set_baud(settings.baud);
        }
        spawn(spawner, carry(self.usb));
        spawn(spawner, serve(uplink, self.sender, self.receiver));
    }
}

#[embassy_executor::task]
async fn carry(usb: Peri<'static, USB>) {
    let socket = rp2040::BoardSocket::new(usb);
    socket::serve(&socket, &board::LINE, &board::USB_COUNTS, &board::EVENTS, &BUS).await;
}

#[embassy_executor::task]
async fn serve(uplink: &'static mut BoardUplink, sender: BufferedUartTx, receiver: uart::Receiver) {
    let mut sender = Watched::new(sender, &UPLINK);
    let mut receiver = Watched::new(receiver, &UPLINK);
    let (mut overran, mut misframed) = (false, false);
    loop {
        // Each error is one of noise or of bytes lost: what was damaged by it is not passed on, and is sent again.
        let Err(error) = uplink.serve(&mut receiver, &mut sender).await else { continue };
        let (noted, event) = match error {
            Error::Overrun => (&mut overran, Event::UartOverrun),
            _ => (&mut misframed, Event::UartFraming),
        };
        if !core::mem::replace(noted, true) {
            defmt::warn!("the first of its kind: {}", event);
            board::note(event);
        }
        uplink.line_failed();
    }
}

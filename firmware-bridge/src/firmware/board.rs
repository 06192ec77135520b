//! What the parts of the program share, and what the uplink asks the board for.

use scopething_bridge::control::Bridge;
use scopething_bridge::events::EventLog;
use scopething_bridge::scope_link::ScopeLink;
use scopething_bridge::uplink::Board;
use scopething_bridge::usb::UsbCounts;
use scopething_core::link::bridge::{Event, Events, LineErrors, UsbStatus};
use scopething_core::time::Clock as _;

use super::clock::BoardClock;
use super::flash::BoardFlash;
use super::{lines, log};

/// The job and the store of this board.
pub(super) type BoardBridge = Bridge<BoardFlash>;

/// The line to the BitScope.
pub(super) static LINE: ScopeLink = ScopeLink::new();

/// What went wrong on the bus.
pub(super) static USB_COUNTS: UsbCounts = UsbCounts::new();
/// What has happened.
pub(super) static EVENTS: EventLog = EventLog::new();

/// Notes something that happens now.
pub(super) fn note(event: Event) {
    EVENTS.note(BoardClock.now(), event);
}

/// The board, as the uplink sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pico;

impl Board for Pico {
    fn read_log(&self, from: u32, bytes: &mut [u8]) -> (u32, usize) {
        log::read(from, bytes)
    }

    fn events(&self, from: u32) -> Events {
        EVENTS.read(from)
    }

    fn usb(&self) -> UsbStatus {
        UsbStatus {
            state: LINE.usb_state(),
            retries: USB_COUNTS.retries(),
            failures: USB_COUNTS.failures(),
            overruns: USB_COUNTS.overruns(),
        }
    }

    fn line(&self) -> LineErrors {
        lines::line_errors()
    }

    fn update(&self) {
        defmt::info!("restarts into the boot loader");
        note(Event::BootLoader);
        // Both interfaces of the boot loader, and no LED that shows what it does.
        embassy_rp::rom_data::reset_to_usb_boot(0, 0);
    }
}

//! The pins to the radio of a Pico W or Pico 2 W, whose LED shows what the bridge does.

use embassy_rp::Peri;
use embassy_rp::gpio::{Drive, Flex, Pull};
use embassy_rp::pac::SIO;
use embassy_rp::peripherals::{PIN_23, PIN_24, PIN_25, PIN_29};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use scopething_bridge::radio::{RadioLed, Wires};
use scopething_core::link::bridge::Event;

use super::board;
use super::clock::BoardClock;

/// Processor cycles for which the clock keeps a level, at 150 MHz 26 ns and more.
const CLOCK_CYCLES: u32 = 4;
/// Until the data line is looked at: 40 ns, and the two cycles that its synchroniser takes.
const DATA_CYCLES: u32 = 8;

/// The bits of the pins. They are set by the registers themselves: of pins whose number is known only when it runs, an access of
/// the radio would take three times as long.
const POWER: u32 = 1 << 23;
const DATA: u32 = 1 << 24;
const SELECT: u32 = 1 << 25;
const CLOCK: u32 = 1 << 29;

/// Whether the LED is to be lit. Only the last of several levels matters.
static LIT: Signal<CriticalSectionRawMutex, bool> = Signal::new();

/// Lights the LED, or not, once the radio is on.
pub(super) fn set(lit: bool) {
    LIT.signal(lit);
}

/// The wires of the board.
pub(super) struct Pins {
    power: Flex<'static>,
    data: Flex<'static>,
    select: Flex<'static>,
    clock: Flex<'static>,
}

impl Pins {
    /// Takes the pins, which are low for a moment and then inputs, until the radio is switched on.
    pub(super) fn new(
        power: Peri<'static, PIN_23>,
        data: Peri<'static, PIN_24>,
        select: Peri<'static, PIN_25>,
        clock: Peri<'static, PIN_29>,
    ) -> Self {
        let mut pins = Self {
            power: Flex::new(power),
            data: Flex::new(data),
            select: Flex::new(select),
            clock: Flex::new(clock),
        };
        pins.release();
        pins.data.set_schmitt(true);
        // Edges of a few nanoseconds, on wires that are as short as the module.
        for pin in [&mut pins.data, &mut pins.select, &mut pins.clock] {
            pin.set_drive_strength(Drive::_12mA);
        }
        pins
    }
}

fn drive(pins: u32, high: bool) {
    let levels = SIO.gpio_out(0);
    if high {
        levels.value_set().write_value(pins);
    } else {
        levels.value_clr().write_value(pins);
    }
    SIO.gpio_oe(0).value_set().write_value(pins);
}

impl Wires for Pins {
    fn set_power(&mut self, on: bool) {
        drive(POWER, on);
    }

    fn set_selected(&mut self, selected: bool) {
        drive(SELECT, !selected);
    }

    fn set_clock(&mut self, high: bool) {
        drive(CLOCK, high);
        cortex_m::asm::delay(CLOCK_CYCLES);
    }

    fn set_data(&mut self, level: Option<bool>) {
        match level {
            Some(high) => drive(DATA, high),
            None => SIO.gpio_oe(0).value_clr().write_value(DATA),
        }
    }

    fn is_data_high(&mut self) -> bool {
        cortex_m::asm::delay(DATA_CYCLES);
        SIO.gpio_in(0).read() & DATA != 0
    }

    /// As they are after a reset: pulled down, so that the radio stays off. Low first: the pins of an early RP2350 do not pull a
    /// high level down by themselves (erratum RP2350-E9).
    fn release(&mut self) {
        drive(POWER | DATA | SELECT | CLOCK, false);
        for pin in [&mut self.power, &mut self.data, &mut self.select, &mut self.clock] {
            pin.set_as_input();
            pin.set_pull(Pull::Down);
        }
    }
}

/// Switches the radio on, and has its LED show what is set.
#[embassy_executor::task]
pub(super) async fn light(mut pins: Pins) {
    let mut led = match RadioLed::start(&mut pins, &BoardClock).await {
        Ok(led) => led,
        Err(fault) => {
            defmt::warn!("no LED at the radio: {}", fault);
            board::note(Event::Radio(fault));
            // The pins stay as they were let go.
            core::future::pending().await
        }
    };
    defmt::info!("the radio is on, for its LED");
    let mut shown = false;
    loop {
        let lit = LIT.wait().await;
        if lit != shown {
            led.set(lit);
            shown = lit;
        }
    }
}

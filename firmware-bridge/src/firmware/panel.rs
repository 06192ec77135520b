//! What a user without a computer has: the LED, the trigger output and BOOTSEL.

use embassy_futures::select::{Either3, select3};
#[cfg(feature = "rp2040")]
use embassy_rp::Peri;
use embassy_rp::gpio::{Input, Output};
#[cfg(feature = "rp2040")]
use embassy_rp::peripherals::BOOTSEL;
use embassy_time::Timer;
#[cfg(feature = "rp2040")]
use scopething_bridge::button::{Button, LOOK_MS};
#[cfg(feature = "rp2040")]
use scopething_bridge::control::Press;
use scopething_bridge::led::Pattern;
use scopething_bridge::scope_link::PlugWatch;
#[cfg(feature = "rp2040")]
use scopething_core::link::bridge::Event;
use scopething_core::time::Clock as _;

use super::board::{self, BoardBridge, LINE};
use super::clock::{BoardClock, now_ms};
use super::radio;

/// How long the trigger output is high at least after a trace.
const PULSE_MS: u32 = 1;

/// What lights the LED.
pub(super) enum Light {
    /// There is no LED.
    None,
    Pin(Output<'static>),
    Radio,
}

impl Light {
    fn set(&mut self, lit: bool) {
        match self {
            Self::None => {}
            Self::Pin(pin) => pin.set_level(lit.into()),
            Self::Radio => radio::set(lit),
        }
    }
}

/// Drives the LED and the trigger output, if there are such.
#[embassy_executor::task]
pub(super) async fn show(
    mut light: Light,
    mut trigger: Option<Output<'static>>,
    bridge: &'static BoardBridge,
    mut plug: PlugWatch<'static>,
) {
    let now_shown = || Pattern::of_bridge(bridge.state(), LINE.usb_state());
    let mut pattern = now_shown();
    let mut began = now_ms();
    let mut captures = bridge.captures();
    // When the trigger output rose; none while it is low.
    let mut rose: Option<u32> = None;
    loop {
        let (lit, mut change_ms) = pattern.at(now_ms().wrapping_sub(began));
        light.set(lit);
        if let Some(trigger) = &mut trigger {
            let captured = core::mem::replace(&mut captures, bridge.captures()) != captures;
            if captured {
                rose = Some(now_ms());
            }
            // The first of these milliseconds may be nearly over.
            let left = rose.map_or(0, |at| (PULSE_MS + 1).saturating_sub(now_ms().wrapping_sub(at)));
            if left > 0 {
                trigger.set_high();
                change_ms = change_ms.min(left);
            } else {
                trigger.set_low();
                rose = None;
            }
        }
        let due = Timer::after_millis(change_ms.into());
        if let Either3::First(state) = select3(bridge.state_changed(), plug.changed(), due).await {
            defmt::info!("now {}", state);
            board::EVENTS.note_state(BoardClock.now(), state);
        }
        if now_shown() != pattern {
            pattern = now_shown();
            began = now_ms();
        }
    }
}

/// The least time between two edges of the trigger input that count, in milliseconds: one that never rests must not take
/// the processor.
const TRIGGER_SPACING_MS: u64 = 1;

/// Captures when the trigger input rises.
#[embassy_executor::task]
pub(super) async fn trigger(mut pin: Input<'static>, bridge: &'static BoardBridge) {
    loop {
        pin.wait_for_rising_edge().await;
        defmt::debug!("trigger input");
        bridge.trigger(BoardClock.now());
        Timer::after_millis(TRIGGER_SPACING_MS).await;
    }
}

/// Hands presses of BOOTSEL on. embassy-rp reads it on an RP2040 only.
#[cfg(feature = "rp2040")]
#[embassy_executor::task]
pub(super) async fn press(mut bootsel: Peri<'static, BOOTSEL>, bridge: &'static BoardBridge) {
    let mut button = Button::new();
    let mut looked = now_ms();
    loop {
        Timer::after_millis(LOOK_MS.into()).await;
        let now = now_ms();
        let pressed = embassy_rp::bootsel::is_bootsel_pressed(bootsel.reborrow());
        if let Some(press) = button.look(pressed, now.wrapping_sub(looked)) {
            defmt::info!("BOOTSEL: {}", press);
            board::note(match press {
                Press::Short => Event::ButtonPressed,
                Press::Long => Event::ButtonHeld,
            });
            bridge.press(press);
        }
        looked = now;
    }
}

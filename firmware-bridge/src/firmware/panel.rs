//! What a user without a computer has: the LED and BOOTSEL.

use embassy_futures::select::{Either, select};
use embassy_rp::Peri;
use embassy_rp::bootsel::is_bootsel_pressed;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::peripherals::BOOTSEL;
use embassy_time::Timer;
use scopething_bridge::button::{Button, LOOK_MS};
use scopething_bridge::led::Pattern;

use super::BoardBridge;
use super::clock::now_ms;

#[embassy_executor::task]
pub(super) async fn show(mut led: Output<'static>, bridge: &'static BoardBridge) {
    let mut pattern = Pattern::of(bridge.state());
    let mut began = now_ms();
    loop {
        let (lit, change_ms) = pattern.at(now_ms().wrapping_sub(began));
        led.set_level(if lit { Level::High } else { Level::Low });
        let change = select(bridge.state_changed(), Timer::after_millis(change_ms.into())).await;
        if let Either::First(state) = change {
            defmt::info!("now {}", state);
            if Pattern::of(state) != pattern {
                pattern = Pattern::of(state);
                began = now_ms();
            }
        }
    }
}

#[embassy_executor::task]
pub(super) async fn press(mut bootsel: Peri<'static, BOOTSEL>, bridge: &'static BoardBridge) {
    let mut button = Button::new();
    let mut looked = now_ms();
    loop {
        Timer::after_millis(LOOK_MS.into()).await;
        let now = now_ms();
        let pressed = is_bootsel_pressed(bootsel.reborrow());
        if let Some(press) = button.look(pressed, now.wrapping_sub(looked)) {
            defmt::info!("BOOTSEL: {}", press);
            bridge.press(press);
        }
        looked = now;
    }
}

//! The firmware: the bridge's tasks on a Raspberry Pi Pico.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod firmware {
    use defmt_rtt as _;
    use embassy_executor::Spawner;
    use embassy_rp::gpio::{Level, Output};
    use embassy_time::Timer;

    #[panic_handler]
    fn panic(_: &core::panic::PanicInfo) -> ! {
        cortex_m::peripheral::SCB::sys_reset()
    }

    #[embassy_executor::main]
    async fn main(_spawner: Spawner) {
        let peripherals = embassy_rp::init(embassy_rp::config::Config::default());
        let mut led = Output::new(peripherals.PIN_25, Level::Low);
        defmt::info!("started");
        loop {
            led.toggle();
            Timer::after_millis(250).await;
        }
    }
}

/// There is nothing to run on a host; the library is what its tests are for.
#[cfg(not(target_os = "none"))]
fn main() {}

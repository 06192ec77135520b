//! The tasks, and what they share.

mod panic;

use defmt_rtt as _;
use embassy_executor::Spawner;
use embassy_futures::select::select;
use embassy_rp::Peri;
use embassy_rp::bind_interrupts;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::peripherals::{UART0, USB};
use embassy_rp::uart::{self, BufferedUart};
use embassy_time::Timer;
use embedded_io_async::{Read, Write};
use scopething_bridge::line::Line;
use scopething_bridge::usb::rp2040;
use static_cell::ConstStaticCell;

const BAUD: u32 = 1_000_000;

bind_interrupts!(struct Interrupts {
    UART0_IRQ => uart::BufferedInterruptHandler<UART0>;
    USBCTRL_IRQ => rp2040::InterruptHandler;
});

static LINE: Line = Line::new();
static UART_SENT: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);
static UART_RECEIVED: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);

#[embassy_executor::task]
async fn bus(usb: Peri<'static, USB>) {
    rp2040::serve(usb, &LINE, || {}).await
}

#[embassy_executor::task]
async fn pass(uart: BufferedUart) {
    let (mut uart_sent, mut uart_received) = uart.split();
    loop {
        let Some(stream) = LINE.open().await else { continue };
        pass_through(stream, &mut uart_sent, &mut uart_received).await;
    }
}

async fn pass_through(
    mut up: scopething_bridge::line::ScopeStream<'_>,
    tx: &mut uart::BufferedUartTx,
    rx: &mut uart::BufferedUartRx,
) {
    let down = LINE.writer();
    let a = async {
        let mut bytes = [0; 256];
        while let Ok(count) = up.read(&mut bytes).await {
            tx.write_all(&bytes[..count]).await.ok();
        }
    };
    let b = async {
        let mut bytes = [0; 64];
        loop {
            if let Ok(count) = rx.read(&mut bytes).await {
                down.write_all(&bytes[..count]).await;
            }
        }
    };
    select(a, b).await;
}

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let peripherals = embassy_rp::init(embassy_rp::config::Config::default());
    let mut led = Output::new(peripherals.PIN_25, Level::Low);
    defmt::info!("started");
    let mut config = uart::Config::default();
    config.baudrate = BAUD;
    let uart = BufferedUart::new(
        peripherals.UART0,
        peripherals.PIN_0,
        peripherals.PIN_1,
        Interrupts,
        UART_SENT.take(),
        UART_RECEIVED.take(),
        config,
    );
    spawner.spawn(bus(peripherals.USB).unwrap());
    spawner.spawn(pass(uart).unwrap());
    loop {
        led.toggle();
        Timer::after_millis(250).await;
    }
}

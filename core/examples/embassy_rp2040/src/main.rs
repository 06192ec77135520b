//! Captures channel A once a second on a Raspberry Pi Pico with embassy, and logs its lowest and highest voltage.
//!
//! The BitScope is a byte stream on UART0 (GP0 sends, GP1 receives), as a USB host chip gives it for the FT230X of a BitScope
//! Micro. A Pico that is the USB host itself is in `firmware-bridge` of this project.
//!
//! ```sh
//! cd core/examples/embassy_rp2040
//! cargo build --release --target thumbv6m-none-eabi
//! ```
#![no_std]
#![no_main]

use core::convert::Infallible;

use defmt::Debug2Format;
use embassy_executor::Spawner;
use embassy_rp::bind_interrupts;
use embassy_rp::peripherals::UART0;
use embassy_rp::uart::{self, BufferedUart};
use embassy_time::Timer;
use scopething_core::plan::{AnalogChannel, CaptureRequest, Channel, PlanError};
use scopething_core::scope::{LinkProfile, Recovery, Scope, ScopeError};
use scopething_core::time::EmbassyClock;
use scopething_core::trace::TraceBuffer;
use static_cell::ConstStaticCell;

bind_interrupts!(struct Interrupts {
    UART0_IRQ => uart::BufferedInterruptHandler<UART0>;
});

/// Any trace fits it: 12 KiB, of the 264 there are.
static TRACE: ConstStaticCell<TraceBuffer> = ConstStaticCell::new(TraceBuffer::new());
static SENT: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);
static RECEIVED: ConstStaticCell<[u8; 1024]> = ConstStaticCell::new([0; 1024]);

type BoardScope = Scope<BufferedUart, EmbassyClock>;

#[embassy_executor::main]
async fn main(_spawner: Spawner) {
    rtt_target::rtt_init_defmt!();
    let board = embassy_rp::init(embassy_rp::config::Config::default());
    let mut config = uart::Config::default();
    config.baudrate = 115_200;
    let uart = BufferedUart::new(
        board.UART0,
        board.PIN_0,
        board.PIN_1,
        Interrupts,
        SENT.take(),
        RECEIVED.take(),
        config,
    );
    // 115200 baud carry 11 520 bytes a second.
    let profile = LinkProfile { bytes_per_second: 11_000, ..LinkProfile::SERIAL };
    let mut scope = Scope::new(uart, EmbassyClock, profile);
    let buffer = TRACE.take();
    loop {
        // It ends with a failure.
        let Err(failure) = measure(&mut scope, buffer).await;
        match failure {
            Failure::Plan => defmt::panic!("a BS05 can meet this request"),
            Failure::Scope(error) => match error.recovery() {
                Recovery::Retry => defmt::warn!("{}: trying again", Debug2Format(&error)),
                Recovery::Reconnect => defmt::warn!("{}: is the BitScope powered?", Debug2Format(&error)),
                Recovery::Fatal => defmt::panic!("{}", Debug2Format(&error)),
            },
        }
        Timer::after_secs(1).await;
    }
}

/// Why there are no captures.
enum Failure {
    Plan,
    Scope(ScopeError<uart::Error>),
}

impl From<PlanError> for Failure {
    fn from(_: PlanError) -> Self {
        Self::Plan
    }
}

impl From<ScopeError<uart::Error>> for Failure {
    fn from(error: ScopeError<uart::Error>) -> Self {
        Self::Scope(error)
    }
}

/// Captures a millisecond of channel A each second.
async fn measure(scope: &mut BoardScope, buffer: &mut TraceBuffer) -> Result<Infallible, Failure> {
    scope.open().await?;
    // Captures at once, without a wait for a trigger.
    let request = CaptureRequest { timeout_s: Some(0.0), ..CaptureRequest::new(Channel::A) };
    let plan = scope.plan(&request)?;
    loop {
        let trace = scope.capture(&plan, buffer).await?;
        let volts = trace.analog(AnalogChannel::A).into_iter().flat_map(|a| a.values());
        let (low, high) = volts
            .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), volts| (low.min(volts), high.max(volts)));
        defmt::info!("A is between {} V and {} V", low, high);
        Timer::after_secs(1).await;
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    loop {
        cortex_m::asm::udf();
    }
}

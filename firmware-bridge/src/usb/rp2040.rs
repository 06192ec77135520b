//! The RP2040's own USB controller as a host, by `cotton-usb-host`.
//!
//! What is known of its version 0.3.0, and what is done about it here: some errors of the line wake no task, so each
//! transfer has a time limit; a transfer that is dropped goes on in the hardware, so after one that failed the
//! controller is reset and the device enumerated anew; a read of a bulk endpoint must be of exactly one packet with
//! the fixed-size transfer, and a write of 1 to 64 bytes.

use core::future::pending;
use core::pin::pin;

use cotton_usb_host::host::rp2040::{Rp2040HostController, UsbShared, UsbStatics};
use cotton_usb_host::host_controller::{DataPhase, TransferType, UsbError};
use cotton_usb_host::usb_bus::{BulkIn, BulkOut, DeviceEvent, UsbBus, UsbDevice as Configured};
use cotton_usb_host::wire::{HOST_TO_DEVICE, SetupPacket, VENDOR_REQUEST};
use embassy_futures::select::{Either, select};
use embassy_rp::Peri;
use embassy_rp::interrupt::typelevel::{Handler, USBCTRL_IRQ};
use embassy_rp::peripherals::USB;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use futures::{Stream, StreamExt};
use rp2040_pac as pac;
use static_cell::StaticCell;

use super::{PACKET_BYTES, TransferError, UsbDevice};
use crate::ftdi;
use crate::line::{Line, Plugged};
use crate::vitals::Pulse;

/// Enumerating takes some 80 ms; after this long without a device, or with one that hangs, all begins anew.
const ENUMERATION: Duration = Duration::from_millis(1000);
/// A control transfer may take 5 s by USB 2.0 section 9.2.6.4; the FT232 answers within a millisecond.
const CONTROL: Duration = Duration::from_millis(250);
/// The latency timer has the chip answer each millisecond.
const BULK_IN: Duration = Duration::from_millis(100);
/// The chip takes no more while its 128 bytes wait for the serial line.
const BULK_OUT: Duration = Duration::from_millis(250);
/// Time for the pull-downs to show that nothing is plugged in, before the controller looks again.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);
/// The only configuration of an FT232, and its endpoints.
const CONFIGURATION: u8 = 1;
const BULK_IN_ENDPOINT: u8 = 1;
const BULK_OUT_ENDPOINT: u8 = 2;

static SHARED: UsbShared = UsbShared::new();
static STATICS: StaticCell<UsbStatics> = StaticCell::new();

/// Handles the interrupt of the USB controller.
pub struct InterruptHandler;

impl Handler<USBCTRL_IRQ> for InterruptHandler {
    unsafe fn on_interrupt() {
        SHARED.on_irq();
    }
}

type Bus = UsbBus<Rp2040HostController>;

/// Owns the bus for ever: enumerates whatever is plugged in, and carries the line's bytes while that is an FT232.
/// `pulse` beats at each step, every second at the least.
pub async fn serve(_usb: Peri<'static, USB>, line: &Line, pulse: &Pulse) -> ! {
    let statics = STATICS.init_with(UsbStatics::new);
    let mut connection = 0;
    loop {
        pulse.beat(now_ms());
        // SAFETY: this is the only user of the USB controller, for it holds embassy's token of it; what was made by the
        // iteration before is dropped. Of the reset controller only the bits of the USB controller are changed, and
        // embassy-rp changes its bits in no interrupt.
        let (mut resets, registers, memory) =
            unsafe { (pac::RESETS::steal(), pac::USBCTRL_REGS::steal(), pac::USBCTRL_DPRAM::steal()) };
        let controller = Rp2040HostController::new(&mut resets, registers, memory, &SHARED, statics);
        let bus = UsbBus::new(controller);
        let mut events = pin!(bus.device_events_no_hubs(delay));
        if let Ok(Some(DeviceEvent::Connect(device, info))) = with_timeout(ENUMERATION, events.next()).await {
            if (info.vid, info.pid) == (ftdi::VENDOR, ftdi::PRODUCT) {
                connection += 1;
                defmt::info!("an FT232 is plugged in");
                if let Ok(Ok(device)) = with_timeout(CONTROL, bus.configure(device, CONFIGURATION)).await
                    && let Some(mut device) = Ft232::open(&bus, device)
                {
                    let carried = ftdi::run(&mut device, line, connection, pulse, now_ms);
                    match select(carried, disconnected(events.as_mut())).await {
                        Either::First(Err(error)) => defmt::warn!("the bus failed: {}", error),
                        Either::Second(()) => defmt::info!("the FT232 was unplugged"),
                    }
                }
            } else {
                defmt::warn!("an unsupported device is plugged in: {:04x}:{:04x}", info.vid, info.pid);
                line.set_plugged(Plugged::Unsupported { vendor: info.vid, product: info.pid });
                while with_timeout(ENUMERATION, disconnected(events.as_mut())).await.is_err() {
                    pulse.beat(now_ms());
                }
            }
            line.set_plugged(Plugged::Nothing);
        }
        Timer::after(BETWEEN_ATTEMPTS).await;
    }
}

fn now_ms() -> u32 {
    Instant::now().as_millis() as u32
}

async fn delay(milliseconds: usize) {
    Timer::after_millis(milliseconds as u64).await;
}

async fn disconnected(mut events: impl Stream<Item = DeviceEvent> + Unpin) {
    loop {
        match events.next().await {
            Some(DeviceEvent::Disconnect(_)) => return,
            Some(_) => {}
            None => pending().await,
        }
    }
}

struct Ft232<'a> {
    bus: &'a Bus,
    device: Configured,
    bulk_in: BulkIn,
    bulk_out: BulkOut,
}

impl<'a> Ft232<'a> {
    fn open(bus: &'a Bus, mut device: Configured) -> Option<Self> {
        let bulk_in = device.open_in_endpoint(BULK_IN_ENDPOINT).ok()?;
        let bulk_out = device.open_out_endpoint(BULK_OUT_ENDPOINT).ok()?;
        Some(Self { bus, device, bulk_in, bulk_out })
    }
}

async fn limited<T>(
    limit: Duration,
    transfer: impl Future<Output = Result<T, UsbError>>,
) -> Result<T, TransferError> {
    match with_timeout(limit, transfer).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(UsbError::Stall)) => Err(TransferError::Stalled),
        Ok(Err(UsbError::Timeout)) | Err(_) => Err(TransferError::TimedOut),
        Ok(Err(_)) => Err(TransferError::Garbled),
    }
}

impl UsbDevice for Ft232<'_> {
    async fn vendor_request(&mut self, request: u8, value: u16) -> Result<(), TransferError> {
        let setup = SetupPacket {
            bmRequestType: HOST_TO_DEVICE | VENDOR_REQUEST,
            bRequest: request,
            wValue: value,
            wIndex: 0,
            wLength: 0,
        };
        limited(CONTROL, self.bus.control_transfer(&self.device, setup, DataPhase::None)).await?;
        Ok(())
    }

    async fn bulk_in(&mut self, packet: &mut [u8; PACKET_BYTES]) -> Result<usize, TransferError> {
        limited(BULK_IN, self.bus.bulk_in_transfer(&self.bulk_in, packet, TransferType::FixedSize)).await
    }

    async fn bulk_out(&mut self, data: &[u8]) -> Result<(), TransferError> {
        limited(BULK_OUT, self.bus.bulk_out_transfer(&self.bulk_out, data, TransferType::FixedSize)).await?;
        Ok(())
    }
}

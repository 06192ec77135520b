//! The FTDI FT232 in a BitScope Micro: from USB packets to bytes.
//!
//! Plain code above the [seam](crate::usb): it knows vendor requests and status bytes, not how a packet gets there. One
//! task runs it, for it must own the bus: reads and writes share one hardware endpoint, and a read waits until the chip
//! answers. That is why its latency timer is set to 1 ms: a write waits no longer than that.

use embassy_futures::select::{Either, select};

use crate::line::{Line, Plugged};
use crate::usb::{PACKET_BYTES, TransferError, UsbDevice};
use crate::vitals::Pulse;

/// FTDI's vendor number.
pub const VENDOR: u16 = 0x0403;
/// The FT232's product number.
pub const PRODUCT: u16 = 0x6001;

/// Vendor request `SIO_RESET` (libftdi, `ftdi.h`), with what it resets.
const RESET: u8 = 0;
const RESET_ALL: u16 = 0;
const PURGE_RECEIVED: u16 = 1;
const PURGE_SENT: u16 = 2;
/// Vendor request `SIO_SET_LATENCY_TIMER`, in milliseconds.
const SET_LATENCY_TIMER: u8 = 9;
const LATENCY_MS: u16 = 1;
/// Each packet from the chip begins with two bytes of modem and line status.
const STATUS_BYTES: usize = 2;

/// Readies the chip, tells the line, and carries bytes both ways until a transfer fails. `pulse` beats with each
/// packet, at the time that `now_ms` tells, and rests while nobody reads what has come.
///
/// The line has nothing plugged in once this is dropped or has ended: that is the caller's to [tell](Line::set_plugged).
///
/// # Errors
/// Whatever the transfer failed with.
pub async fn run(
    device: &mut impl UsbDevice,
    line: &Line,
    connection: u32,
    pulse: &Pulse,
    now_ms: impl Fn() -> u32,
) -> Result<core::convert::Infallible, TransferError> {
    device.vendor_request(RESET, RESET_ALL).await?;
    device.vendor_request(SET_LATENCY_TIMER, LATENCY_MS).await?;
    device.vendor_request(RESET, PURGE_RECEIVED).await?;
    device.vendor_request(RESET, PURGE_SENT).await?;
    line.set_plugged(Plugged::Ready(connection));
    let mut packet = [0; PACKET_BYTES];
    let mut written = [0; PACKET_BYTES];
    loop {
        pulse.beat(now_ms());
        if let Ok(count) = line.outgoing.try_read(&mut written) {
            send(device, &written, count).await?;
        }
        let count = device.bulk_in(&mut packet).await?;
        let mut payload = packet.get(STATUS_BYTES..count).unwrap_or_default();
        // While there is no room the chip holds its data back, but takes what is written.
        while !payload.is_empty() {
            pulse.rest();
            match select(line.incoming.write(payload), line.outgoing.read(&mut written)).await {
                Either::First(count) => payload = payload.get(count..).unwrap_or_default(),
                Either::Second(count) => send(device, &written, count).await?,
            }
        }
    }
}

async fn send(device: &mut impl UsbDevice, bytes: &[u8], count: usize) -> Result<(), TransferError> {
    match bytes.get(..count) {
        Some(data) if !data.is_empty() => device.bulk_out(data).await,
        _ => Ok(()),
    }
}

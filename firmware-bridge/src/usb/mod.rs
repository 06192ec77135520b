//! The seam to whatever drives the USB controller: what the bridge needs of a USB device, and no more.
//!
//! It is no USB stack. `rp2040` has it from `cotton-usb-host`; another driver has to give these three calls, and to
//! drop the future that uses them when the device is gone. The tests give them by a script.

#[cfg(target_os = "none")]
pub mod rp2040;

use core::fmt;

/// Bytes of a full-speed bulk packet, of which the FTDI's endpoints are (according to its descriptors).
pub const PACKET_BYTES: usize = 64;

/// Why a transfer has failed. Whatever it was, the device has to be enumerated anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, defmt::Format)]
pub enum TransferError {
    /// Nothing came of it within the time such a transfer has: it was unplugged, or hangs.
    TimedOut,
    /// The device refuses the request, or the endpoint is halted.
    Stalled,
    /// The packets do not fit one another: a bit error, a lost acknowledgement, a longer packet than allowed.
    Garbled,
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "the USB device does not answer: check its cable",
            Self::Stalled => "the USB device refuses a request: plug in a BitScope Micro",
            Self::Garbled => "the USB device answers garbled: use a shorter cable",
        })
    }
}

impl core::error::Error for TransferError {}

/// A USB device that is configured, as long as it stays plugged in.
///
/// # Cancellation
/// Dropping a transfer that is under way does not take it back from the hardware: afterwards the device must be
/// dropped too.
pub trait UsbDevice {
    /// A vendor request to the device, without data.
    ///
    /// # Errors
    /// [`TransferError`]; no other call may follow.
    fn vendor_request(&mut self, request: u8, value: u16) -> impl Future<Output = Result<(), TransferError>>;

    /// Reads one packet of the bulk endpoint, and gives how many bytes it has: 0 to 64. It waits until the device has
    /// one.
    ///
    /// # Errors
    /// [`TransferError`]; no other call may follow.
    fn bulk_in(
        &mut self,
        packet: &mut [u8; PACKET_BYTES],
    ) -> impl Future<Output = Result<usize, TransferError>>;

    /// Writes one packet of 1 to 64 bytes to the bulk endpoint.
    ///
    /// # Errors
    /// [`TransferError`]; no other call may follow.
    fn bulk_out(&mut self, data: &[u8]) -> impl Future<Output = Result<(), TransferError>>;
}

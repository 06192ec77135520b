//! The seam to whatever drives the USB: what the bridge needs of a USB device, and no more.
//!
//! `socket` serves a socket that one of two drives. By the chip's own controller, `host` has transfers from single packets, and
//! `rp2040` sends and receives those. Of the drivers for the RP2040 as a host on crates.io, `cotton-usb-host` 0.3 tries
//! nothing twice and does not know erratum E4, embassy-rp 0.10 has none yet, and `embassy-usb-host` needs one below it: hence
//! these two files, for one device without hubs. By two pins, `pins` has transfers from `rp-pio-usb-host`.

pub mod host;
#[cfg(all(target_os = "none", feature = "one-cable"))]
pub mod pins;
#[cfg(target_os = "none")]
pub mod rp2040;
#[cfg(target_os = "none")]
pub mod socket;
pub mod start_of_frame;

use portable_atomic::{AtomicU32, Ordering};
use scopething_core::link::bridge::UsbError;

/// Bytes of a full-speed bulk packet, of which the FTDI's endpoints are (according to its descriptors).
pub const PACKET_BYTES: usize = 64;

/// What went wrong on the bus since power-up.
#[derive(Debug, Default)]
pub struct UsbCounts {
    retries: AtomicU32,
    failures: AtomicU32,
    overruns: AtomicU32,
}

impl UsbCounts {
    /// Nothing went wrong.
    #[must_use]
    pub const fn new() -> Self {
        Self { retries: AtomicU32::new(0), failures: AtomicU32::new(0), overruns: AtomicU32::new(0) }
    }

    /// Packets that were tried again.
    #[must_use]
    pub fn retries(&self) -> u32 {
        self.retries.load(Ordering::Relaxed)
    }

    /// Times that a device failed, or was no FT232.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Times that the FT232 reported lost bytes.
    #[must_use]
    pub fn overruns(&self) -> u32 {
        self.overruns.load(Ordering::Relaxed)
    }

    pub(crate) fn retried(&self, packets: u32) {
        self.retries.add(packets, Ordering::Relaxed);
    }

    #[cfg_attr(not(target_os = "none"), expect(dead_code, reason = "the driver of the board counts"))]
    pub(crate) fn failed(&self) {
        self.failures.add(1, Ordering::Relaxed);
    }

    pub(crate) fn overran(&self) {
        self.overruns.add(1, Ordering::Relaxed);
    }
}

/// A USB device that is configured, as long as it stays plugged in.
///
/// # Cancellation
/// Dropping a transfer that is under way does not take it back from the hardware: afterwards the device must be
/// dropped too.
pub trait UsbDevice {
    /// A vendor request to the device, without data.
    ///
    /// # Errors
    /// [`UsbError`]; no other call may follow.
    fn vendor_request(&mut self, request: u8, value: u16) -> impl Future<Output = Result<(), UsbError>>;

    /// Reads one packet of the bulk endpoint, and gives how many bytes it has: 0 to 64. It waits until the device has
    /// one.
    ///
    /// # Errors
    /// [`UsbError`]; no other call may follow.
    fn bulk_in(&mut self, packet: &mut [u8; PACKET_BYTES]) -> impl Future<Output = Result<usize, UsbError>>;

    /// Writes one packet of 1 to 64 bytes to the bulk endpoint.
    ///
    /// # Errors
    /// [`UsbError`]; no other call may follow.
    fn bulk_out(&mut self, data: &[u8]) -> impl Future<Output = Result<(), UsbError>>;
}

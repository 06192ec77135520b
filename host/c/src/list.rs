//! The serial ports of the computer.

use std::ffi::c_char;

use host::link;

use crate::call::call;
use crate::memory::{Out, field, room};
use crate::status::{ScopethingError, ScopethingStatus};

/// A serial port.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingPort {
    /// Its name, which is also its URL.
    pub name: [c_char; 256],
    /// The USB device behind it; empty if it is none.
    pub usb: [c_char; 256],
    /// Why it cannot be opened; empty if nothing is known against it.
    pub obstacle: [c_char; 256],
    /// Whether it has the USB id of a BitScope.
    pub is_bitscope: bool,
}

/// Lists the serial ports, sorted by name; none is opened. `count` receives how many there are, which may be more than
/// `capacity`: then the first of them are listed. `ports` may be NULL if `capacity` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_list(
    ports: *mut ScopethingPort,
    capacity: usize,
    count: *mut usize,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let (places, mut count) = unsafe { (room(ports, capacity, "ports")?, Out::new(count, "count")?) };
        let found = link::list_ports()?;
        for (place, port) in places.iter_mut().zip(&found) {
            *place = ScopethingPort {
                name: field(&port.name),
                usb: field(&port.usb.as_ref().map(ToString::to_string).unwrap_or_default()),
                obstacle: field(&port.obstacle.as_ref().map(ToString::to_string).unwrap_or_default()),
                is_bitscope: port.is_bitscope(),
            };
        }
        count.set(found.len());
        Ok(())
    })
}

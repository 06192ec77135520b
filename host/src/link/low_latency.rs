//! Asks the driver of a serial port to pass bytes on at once.
//!
//! An FTDI keeps short answers back for its latency timer, 16 ms unless told otherwise. On Linux the flag
//! `ASYNC_LOW_LATENCY` has its driver set the timer to 1 ms, without special rights. Elsewhere the timer is a setting of
//! the installed driver, and stays as it is.

#[cfg(target_os = "linux")]
pub(super) use linux::request;

/// Nothing to ask for: whether the port now is in low latency mode.
#[cfg(not(target_os = "linux"))]
pub(super) fn request(_port: &impl Sized) -> bool {
    false
}

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "the two ioctls have no safe wrapper that builds without a C compiler's headers"
)]
mod linux {
    use std::mem::size_of;
    use std::os::fd::{AsRawFd, RawFd};

    use libc::{c_int, c_ulong};

    /// `linux/tty_flags.h`.
    const ASYNC_LOW_LATENCY: c_int = 1 << 13;

    /// `struct serial_struct` of `linux/serial.h`: what stands behind the flags is handed back as it came.
    #[repr(C)]
    struct SerialStruct {
        type_line_port_irq: [c_int; 4],
        flags: c_int,
        rest: [c_ulong; 15],
    }

    // The kernel's structure has five ints ahead of `rest`, and 52 bytes behind them where pointers have 8.
    const _: () = assert!(size_of::<SerialStruct>() >= 72);

    /// Whether the port now is in low latency mode. Ports that have none, pseudo-terminals among them, say no.
    pub(in super::super) fn request(port: &impl AsRawFd) -> bool {
        let fd = port.as_raw_fd();
        let Some(mut settings) = get(fd) else { return false };
        settings.flags |= ASYNC_LOW_LATENCY;
        set(fd, &settings) && get(fd).is_some_and(|settings| settings.flags & ASYNC_LOW_LATENCY != 0)
    }

    fn get(fd: RawFd) -> Option<SerialStruct> {
        let mut settings = SerialStruct { type_line_port_irq: [0; 4], flags: 0, rest: [0; 15] };
        // SAFETY: TIOCGSERIAL writes a serial_struct, which is not longer than the one that is borrowed here, and any
        // bytes are a valid one. The descriptor is only read from; a closed one gives an error.
        let result = unsafe { libc::ioctl(fd, libc::TIOCGSERIAL, &raw mut settings) };
        (result == 0).then_some(settings)
    }

    fn set(fd: RawFd, settings: &SerialStruct) -> bool {
        // SAFETY: TIOCSSERIAL reads a serial_struct, which is not longer than the one that is borrowed here.
        let result = unsafe { libc::ioctl(fd, libc::TIOCSSERIAL, std::ptr::from_ref(settings)) };
        result == 0
    }
}

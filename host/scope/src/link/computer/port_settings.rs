//! What the `serialport` crate does not set on a port: that a write does not block, and low latency.
//!
//! An FTDI keeps short answers back for its latency timer, 16 ms by default. On Linux the flag
//! `ASYNC_LOW_LATENCY` has its driver set the timer to 1 ms, without special rights. Elsewhere the timer is a
//! setting of the installed driver, and stays as it is.

#[cfg(unix)]
pub(super) use unix::never_block;
#[cfg(windows)]
pub(super) use windows::never_block;

#[cfg(target_os = "linux")]
pub(super) use linux::request_low_latency;
#[cfg(not(target_os = "linux"))]
pub(super) use not_linux::request_low_latency;

#[cfg(unix)]
#[expect(unsafe_code, reason = "serialport lends no descriptor that a safe wrapper of fcntl takes")]
mod unix {
    use std::io;
    use std::os::fd::AsRawFd;

    /// Has a write take what there is room for. `serialport` waits for room for one byte, then would block
    /// until the device has taken all of them.
    pub(in super::super) fn never_block(port: &impl AsRawFd) -> io::Result<()> {
        let fd = port.as_raw_fd();
        // SAFETY: the two commands read and write flags of the descriptor, no memory; a closed one gives an
        // error.
        let result = unsafe {
            match libc::fcntl(fd, libc::F_GETFL) {
                -1 => -1,
                flags => libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK),
            }
        };
        if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

#[cfg(windows)]
mod windows {
    use std::io;

    /// The time-out of a port bounds its writes.
    pub(in super::super) fn never_block(_port: &impl Sized) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
mod not_linux {
    /// Whether the port now is in low latency mode: there is nothing to ask for.
    pub(in super::super) fn request_low_latency(_port: &impl Sized) -> bool {
        false
    }
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the only safe wrapper of these ioctls needs libclang to build")]
mod linux {
    use std::mem::size_of;
    use std::os::fd::{AsRawFd, RawFd};

    use libc::c_int;

    /// `linux/tty_flags.h`.
    const ASYNC_LOW_LATENCY: c_int = 1 << 13;

    /// `struct serial_struct` of `linux/serial.h`: what stands behind the flags is handed back as it came. It must have no
    /// padding, which a move need not keep: the kernel would be handed whatever lies there, as the size of a FIFO for one.
    #[repr(C, align(8))]
    struct SerialStruct {
        type_line_port_irq: [c_int; 4],
        flags: c_int,
        rest: [c_int; 31],
    }

    // 72 bytes where pointers have 8, less elsewhere.
    const _: () = assert!(size_of::<SerialStruct>() >= 72);
    const _: () = assert!(size_of::<SerialStruct>() == 36 * size_of::<c_int>());

    /// Whether the port now is in low latency mode. Ports that have none, pseudo-terminals among them,
    /// return false.
    pub(in super::super) fn request_low_latency(port: &impl AsRawFd) -> bool {
        let fd = port.as_raw_fd();
        let Some(mut settings) = get(fd) else { return false };
        settings.flags |= ASYNC_LOW_LATENCY;
        set(fd, &settings) && get(fd).is_some_and(|settings| settings.flags & ASYNC_LOW_LATENCY != 0)
    }

    fn get(fd: RawFd) -> Option<SerialStruct> {
        let mut settings = SerialStruct { type_line_port_irq: [0; 4], flags: 0, rest: [0; 31] };
        // SAFETY: TIOCGSERIAL writes a serial_struct, which is not longer than the one that is borrowed here,
        // and any bytes are a valid one. A descriptor that is closed or no serial port gives an error.
        let result = unsafe { libc::ioctl(fd, libc::TIOCGSERIAL, &raw mut settings) };
        (result == 0).then_some(settings)
    }

    fn set(fd: RawFd, settings: &SerialStruct) -> bool {
        // SAFETY: TIOCSSERIAL reads a serial_struct, which is not longer than the one that is borrowed here.
        let result = unsafe { libc::ioctl(fd, libc::TIOCSSERIAL, std::ptr::from_ref(settings)) };
        result == 0
    }
}

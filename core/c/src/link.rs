//! The link to the device: functions of the caller as a stream and a clock of the driver.

use core::ffi::c_void;

use embedded_io::ErrorType;
use scopething_core::blocking::{BlockingClock, BlockingStream, PolledClock};
use scopething_core::scope::{LinkProfile, Scope};
use scopething_core::time::{Instant, Micros};

use crate::link_error::LinkError;
use crate::memory::{self, Out};
use crate::status::{Failure, ScopethingCoreStatus, answer};

/// What a function of a link returns when the link is gone.
pub const SCOPETHING_CORE_LINK_CLOSED: i32 = -1;
/// What a function of a link returns when bytes were lost and the link goes on, such as after an overrun of a receiver: the driver
/// repeats what it was doing.
pub const SCOPETHING_CORE_LINK_LOST_BYTES: i32 = -2;

/// How the driver reaches its device: functions of the caller. Fill it with scopething_core_link_init first.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingCoreLink {
    /// The size of this structure, in bytes; set by scopething_core_link_init.
    pub struct_size: usize,
    /// Handed to each of the functions.
    pub context: *mut c_void,
    /// Reads up to `size` bytes that have come, and returns how many; 0 if none has. It may sleep until one comes, for a few
    /// milliseconds: between two calls the driver looks at its deadlines. Below 0: SCOPETHING_CORE_LINK_CLOSED or
    /// SCOPETHING_CORE_LINK_LOST_BYTES. While a script of up to 183 bytes is written, as many must be kept that come.
    pub read: Option<unsafe extern "C" fn(context: *mut c_void, bytes: *mut u8, size: usize) -> i32>,
    /// Takes up to `size` bytes to be sent, and returns how many; 0 if there is no room yet. Below 0 as `read`.
    pub write: Option<unsafe extern "C" fn(context: *mut c_void, bytes: *const u8, size: usize) -> i32>,
    /// Sends what was taken; NULL if that needs no doing. Returns 0, or below 0 as `read`.
    pub flush: Option<unsafe extern "C" fn(context: *mut c_void) -> i32>,
    /// The time since any moment, which never runs backwards.
    pub now_us: Option<unsafe extern "C" fn(context: *mut c_void) -> u64>,
    /// The longest time from the last byte written to the first byte of the answer, the device's own work left out.
    pub round_trip_us: u32,
    /// The lowest rate at which bytes arrive, in bytes a second.
    pub bytes_per_second: u32,
    /// Whether bytes are lost without either end noticing, as datagrams are.
    pub is_lossy: bool,
}

/// Fills a link with the defaults: no functions, 200 ms, 11000 bytes a second (115200 baud), not lossy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_link_init(link: *mut ScopethingCoreLink) -> ScopethingCoreStatus {
    answer(|| {
        // SAFETY: the contract of the interface.
        let mut link = unsafe { Out::new(link, c"link") }?;
        link.set(ScopethingCoreLink {
            struct_size: size_of::<ScopethingCoreLink>(),
            context: core::ptr::null_mut(),
            read: None,
            write: None,
            flush: None,
            now_us: None,
            round_trip_us: LinkProfile::SERIAL.round_trip.0 as u32,
            bytes_per_second: 11_000,
            is_lossy: LinkProfile::SERIAL.is_lossy,
        });
        Ok(())
    })
}

/// A stream of the caller's functions.
#[derive(Debug)]
pub(crate) struct Port {
    context: *mut c_void,
    read: unsafe extern "C" fn(*mut c_void, *mut u8, usize) -> i32,
    write: unsafe extern "C" fn(*mut c_void, *const u8, usize) -> i32,
    flush: Option<unsafe extern "C" fn(*mut c_void) -> i32>,
}

/// The clock of the caller.
#[derive(Debug)]
pub(crate) struct Clock {
    context: *mut c_void,
    now_us: unsafe extern "C" fn(*mut c_void) -> u64,
}

pub(crate) type Driver = Scope<BlockingStream<Port>, PolledClock<Clock>>;

/// What a function returned: a number of bytes up to `most`, or an error.
fn counted(returned: i32, most: usize) -> Result<usize, LinkError> {
    match returned {
        SCOPETHING_CORE_LINK_CLOSED => Err(LinkError::Closed),
        SCOPETHING_CORE_LINK_LOST_BYTES => Err(LinkError::LostBytes),
        _ => {
            let count = usize::try_from(returned).ok().filter(|&count| count <= most);
            count.ok_or(LinkError::Unknown(returned))
        }
    }
}

fn moved(returned: i32, most: usize) -> Result<usize, LinkError> {
    match counted(returned, most)? {
        0 => Err(LinkError::NotYet),
        count => Ok(count),
    }
}

impl ErrorType for Port {
    type Error = LinkError;
}

impl embedded_io::Read for Port {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, LinkError> {
        // SAFETY: the caller promises a function that may be called with its context and that writes no more than there is room for.
        moved(unsafe { (self.read)(self.context, buffer.as_mut_ptr(), buffer.len()) }, buffer.len())
    }
}

impl embedded_io::Write for Port {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, LinkError> {
        // SAFETY: the caller promises a function that may be called with its context and that reads no more than there is.
        moved(unsafe { (self.write)(self.context, bytes.as_ptr(), bytes.len()) }, bytes.len())
    }

    fn flush(&mut self) -> Result<(), LinkError> {
        let Some(flush) = self.flush else { return Ok(()) };
        // SAFETY: the caller promises a function that may be called with its context.
        counted(unsafe { flush(self.context) }, 0).map(|_| ())
    }
}

impl BlockingClock for Clock {
    fn now(&self) -> Instant {
        // SAFETY: the caller promises a function that may be called with its context.
        Instant(unsafe { (self.now_us)(self.context) })
    }
}

/// A driver over the caller's functions, which has not spoken to its device.
///
/// # Safety
/// `link` is null, or points to a link whose functions may be called with its context as long as the driver is used.
pub(crate) unsafe fn driver(link: *const ScopethingCoreLink) -> Result<Driver, Failure> {
    // SAFETY: promised by the caller.
    let link = unsafe { memory::sized(link, c"link: call scopething_core_link_init first") }?;
    let missing = Failure::Argument(c"a link needs read, write and now_us");
    let (Some(read), Some(write), Some(now_us)) = (link.read, link.write, link.now_us) else {
        return Err(missing);
    };
    let port = Port { context: link.context, read, write, flush: link.flush };
    let profile = LinkProfile {
        round_trip: Micros(link.round_trip_us.into()),
        bytes_per_second: link.bytes_per_second,
        is_lossy: link.is_lossy,
    };
    let clock = Clock { context: link.context, now_us };
    Ok(Scope::new(BlockingStream(port), PolledClock(clock), profile))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_functions_return_is_checked() {
        assert_eq!(counted(3, 3), Ok(3));
        assert_eq!(counted(0, 3), Ok(0));
        assert_eq!(moved(0, 3), Err(LinkError::NotYet));
        assert_eq!(counted(4, 3), Err(LinkError::Unknown(4)));
        assert_eq!(counted(-1, 3), Err(LinkError::Closed));
        assert_eq!(counted(-2, 3), Err(LinkError::LostBytes));
        assert_eq!(counted(i32::MIN, 3), Err(LinkError::Unknown(i32::MIN)));
    }
}

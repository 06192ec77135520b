//! A scope in the caller's memory: the driver, whether it is in use, and what it failed of last.

use core::ffi::c_char;
use core::sync::atomic::{AtomicU32, Ordering};

use scopething_core::blocking::block_on;
use scopething_core::scope::Generators;

use crate::link::{self, Driver, ScopethingCoreLink};
use crate::memory::{Out, Text, field};
use crate::status::{Failure, ScopethingCoreStatus};

/// The size of a scope, in 8 bytes.
pub const SCOPETHING_CORE_SCOPE_WORDS: usize = 72;

/// A scope: memory for the driver, aligned to 8 bytes. What is in it is the library's.
#[repr(C)]
#[derive(Debug)]
pub struct ScopethingCoreScope {
    /// The library's.
    pub memory: [u64; SCOPETHING_CORE_SCOPE_WORDS],
}

/// What such memory holds.
#[repr(C)]
pub(crate) struct Instance {
    state: AtomicU32,
    last: Option<Failure>,
    driver: Driver,
}

// Neither too little on any target, nor much more than it takes on a microcontroller.
const _: () = assert!(size_of::<Instance>() <= size_of::<ScopethingCoreScope>());
const _: () = assert!(align_of::<Instance>() <= align_of::<ScopethingCoreScope>());
#[cfg(target_pointer_width = "32")]
const _: () = assert!(size_of::<ScopethingCoreScope>() - size_of::<Instance>() < 128);

/// Written to where a scope begins that was initialised, and while it is in use.
const READY: u32 = 0x5c09_e71a;
const IN_USE: u32 = 0x5c09_e71b;

const NO_SCOPE: Failure = Failure::Handle(c"this memory is no scope: call scopething_core_init first");

/// A scope in use by one function of the interface.
struct Lease<'a> {
    state: &'a AtomicU32,
    last: &'a mut Option<Failure>,
    driver: &'a mut Driver,
}

impl<'a> Lease<'a> {
    /// # Safety
    /// `scope` is null, or points to memory for a scope that no other thread uses.
    unsafe fn of(scope: *mut ScopethingCoreScope) -> Result<Self, Failure> {
        if scope.is_null() || !scope.is_aligned() {
            return Err(Failure::Argument(c"scope"));
        }
        let instance = scope.cast::<Instance>();
        // SAFETY: the caller's memory is large enough and aligned, and any value is one of an `AtomicU32`. Of the other fields nothing
        // is borrowed yet: a scope that is in use stays untouched.
        let state: &'a AtomicU32 = unsafe { &(*instance).state };
        match state.load(Ordering::Relaxed) {
            READY => state.store(IN_USE, Ordering::Relaxed),
            IN_USE => return Err(Failure::Busy),
            _ => return Err(NO_SCOPE),
        }
        // SAFETY: the state shows that these were initialised, and that nobody borrows them.
        Ok(unsafe { Self { state, last: &mut (*instance).last, driver: &mut (*instance).driver } })
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.state.store(READY, Ordering::Relaxed);
    }
}

/// Runs a function of the interface on a scope, which keeps what it failed of.
///
/// # Safety
/// `scope` is null, or points to memory for a scope that no other thread uses.
pub(crate) unsafe fn with(
    scope: *mut ScopethingCoreScope,
    work: impl FnOnce(&mut Driver) -> Result<(), Failure>,
) -> ScopethingCoreStatus {
    // SAFETY: promised by the caller.
    let lease = match unsafe { Lease::of(scope) } {
        Ok(lease) => lease,
        Err(failure) => return failure.status(),
    };
    *lease.last = work(lease.driver).err();
    lease.last.as_ref().map_or(ScopethingCoreStatus::SCOPETHING_CORE_OK, Failure::status)
}

/// Makes a scope of the caller's memory. Nothing is sent to the device: scopething_core_open does that. The link is copied; its
/// context must stay.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_init(
    scope: *mut ScopethingCoreScope,
    link: *const ScopethingCoreLink,
) -> ScopethingCoreStatus {
    crate::status::answer(|| {
        // SAFETY: the contract of the interface. The memory is as large and as aligned as what is written there.
        let mut room = unsafe { Out::new(scope.cast::<Instance>(), c"scope") }?;
        // SAFETY: the contract of the interface.
        let driver = unsafe { link::driver(link) }?;
        room.set(Instance { state: AtomicU32::new(READY), last: None, driver });
        Ok(())
    })
}

/// Resets and identifies the device, which may be another than before; generators stop. Captures and generators do it by themselves
/// where it was not done, and after a failure. A silent device fails after 1 s and three times the link's round trip.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_open(scope: *mut ScopethingCoreScope) -> ScopethingCoreStatus {
    // SAFETY: the contract of the interface.
    unsafe { with(scope, |driver| Ok(block_on(driver.open())?)) }
}

/// Ends the use of a scope: its memory is the caller's again. Nothing is sent; generators run on. To use it again, initialise it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_close(scope: *mut ScopethingCoreScope) -> ScopethingCoreStatus {
    // SAFETY: the contract of the interface.
    let lease = match unsafe { Lease::of(scope) } {
        Ok(lease) => lease,
        Err(failure) => return failure.status(),
    };
    let state = lease.state;
    drop(lease);
    state.store(0, Ordering::Relaxed);
    ScopethingCoreStatus::SCOPETHING_CORE_OK
}

/// Nothing is generated.
pub const SCOPETHING_CORE_GENERATES_NOTHING: u32 = 0;
/// The waveform generator plays.
pub const SCOPETHING_CORE_GENERATES_WAVEFORM: u32 = 1;
/// A clock runs.
pub const SCOPETHING_CORE_GENERATES_CLOCK: u32 = 2;
/// Logic lines are held.
pub const SCOPETHING_CORE_GENERATES_LEVELS: u32 = 3;

/// What is known of a device.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingCoreInfo {
    /// What it calls itself, such as "BS000501"; until it was opened, what is expected.
    pub revision: [c_char; 9],
    /// Whether that is the revision that this driver was compared with.
    pub is_known_revision: bool,
    /// What is generated: one of the SCOPETHING_CORE_GENERATES_ numbers.
    pub generates: u32,
}

/// Reports what is known of the device, without asking it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_info(
    scope: *mut ScopethingCoreScope,
    info: *mut ScopethingCoreInfo,
) -> ScopethingCoreStatus {
    let report = |driver: &mut Driver| {
        // SAFETY: the contract of the interface.
        let mut info = unsafe { Out::new(info, c"info") }?;
        info.set(ScopethingCoreInfo {
            revision: field(&driver.revision()),
            is_known_revision: driver.unknown_revision().is_none(),
            generates: match driver.generators() {
                Generators::Off => SCOPETHING_CORE_GENERATES_NOTHING,
                Generators::Waveform { .. } => SCOPETHING_CORE_GENERATES_WAVEFORM,
                Generators::Clocks { .. } => SCOPETHING_CORE_GENERATES_CLOCK,
                Generators::Levels { .. } => SCOPETHING_CORE_GENERATES_LEVELS,
            },
        });
        Ok(())
    };
    // SAFETY: the contract of the interface.
    unsafe { with(scope, report) }
}

/// Reads the device's serial number, eight characters, in eight round trips the first time. An empty text if it has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_read_serial(
    scope: *mut ScopethingCoreScope,
    text: *mut c_char,
    size: usize,
) -> ScopethingCoreStatus {
    let read = |driver: &mut Driver| {
        // SAFETY: the contract of the interface.
        let mut text = unsafe { Text::new(text, size) }?;
        if let Ok(serial) = block_on(driver.read_serial())? {
            text.set(&serial);
        }
        Ok(())
    };
    // SAFETY: the contract of the interface.
    unsafe { with(scope, read) }
}

/// Writes what the last function of this scope that failed reports: what happened, and what to do about it. An empty text if the
/// last one did not fail. It links the formatting of numbers, some 20 KiB; without it scopething_core_status_text has a sentence for each
/// status.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_message(
    scope: *mut ScopethingCoreScope,
    text: *mut c_char,
    size: usize,
) -> ScopethingCoreStatus {
    crate::status::answer(|| {
        // SAFETY: the contract of the interface.
        let (lease, mut text) = unsafe { (Lease::of(scope)?, Text::new(text, size)?) };
        if let Some(failure) = &*lease.last {
            text.set(failure);
        }
        Ok(())
    })
}

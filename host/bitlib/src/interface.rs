//! The 28 functions, as a program in C calls them. Names, types and the meaning of each are those of the vendor's guide.

// The contract of every pointer is the header's.
#![allow(clippy::missing_safety_doc, reason = "every function has the same contract, which is in the header")]
#![allow(unreachable_pub, reason = "what C sees is public by its symbol")]

use std::ffi::{c_char, c_double, c_int, c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::library::{self, About, with_settings};
use crate::settings::counted;
use crate::texts::{kept, kept_message};

/// What the vendor's library answers for its own version: programs compare it.
const VERSION: &str = "2.0 FE26B";
const LOG: &str = "Logging is not enabled in this (production) release.";
/// The longest text that is read of a program, in bytes.
const MAX_TEXT: usize = 4096;
/// The room for a link's name, with its zero byte: what the vendor's examples have for it.
const NAME_SIZE: usize = 100;
/// The most samples that fit into memory at all.
const MAX_SAMPLES: usize = isize::MAX as usize / size_of::<c_double>();

/// Runs a call. No panic goes through C: then the call answers as without a device.
fn call<T>(without: T, work: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(without)
}

/// A text of the program; none for one without an end, or that is not UTF-8.
///
/// # Safety
/// `pointer` is null, or points to a text that ends with a zero byte.
unsafe fn text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return Some(String::new());
    }
    let mut bytes = Vec::new();
    while bytes.len() < MAX_TEXT {
        // SAFETY: no byte up to the zero was reached before.
        let byte = unsafe { pointer.add(bytes.len()).read() };
        if byte == 0 {
            return String::from_utf8(bytes).ok();
        }
        bytes.push(byte as u8);
    }
    None
}

/// Does nothing: opening a device prepares all there is to prepare.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Initialize() {}

/// Opens devices: a link, a file of links, or nothing for the usual files. How many were opened.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn BL_Open(probe: *const c_char, count: c_int) -> c_int {
    call(0, || {
        // SAFETY: the contract of the interface.
        let probe = unsafe { text(probe) };
        probe.map_or(0, |probe| library::open(&probe, count))
    })
}

/// Closes all devices.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Close() {
    call((), library::close);
}

/// Devices, analog channels, logic channels or ranges.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Count(what: c_int) -> c_int {
    call(-1, || library::count(what))
}

/// The identity of the selected device.
#[unsafe(no_mangle)]
pub extern "C" fn BL_ID() -> *const c_char {
    call(c"".as_ptr(), || kept(&library::text(About::Id)))
}

/// The name of the selected device's link. It is copied to `room` as well, which has to hold 100 bytes or be null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn BL_Name(room: *mut c_char) -> *const c_char {
    call(c"".as_ptr(), || {
        let name = library::text(About::Name);
        if !room.is_null() {
            let bytes = name.bytes().take(NAME_SIZE - 1).chain([0]);
            for (at, byte) in bytes.enumerate() {
                // SAFETY: the caller has that much room.
                unsafe { room.add(at).write(c_char::from_ne_bytes([byte])) };
            }
        }
        kept(&name)
    })
}

/// The device's revision, the library's version, or what this library is.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Version(what: c_int) -> *const c_char {
    call(c"".as_ptr(), || {
        let revision = library::text(About::Revision);
        if revision.is_empty() {
            return kept("");
        }
        kept(&match what {
            0 => revision,
            3 => format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            4 | 5 => concat!("scopething ", env!("CARGO_PKG_VERSION")).to_owned(),
            _ => VERSION.to_owned(),
        })
    })
}

/// What went wrong last, or why `BL_Open` has opened nothing. If nothing did, a sentence: this library keeps no log.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Log() -> *const c_char {
    call(c"".as_ptr(), || library::failure().map_or_else(|| kept(LOG), |message| kept_message(&message)))
}

/// Selects a device, a channel or a source.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Select(what: c_int, index: c_int) -> c_int {
    call(-1, || library::select(what, index))
}

/// Selects a trace mode.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Mode(mode: c_int) -> c_int {
    call(-1, || with_settings(-1, |settings| settings.set_mode(mode)))
}

/// Switches the selected channel on or off.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Enable(is_on: c_uint) -> c_uint {
    let enable = || {
        with_settings(false, |settings| {
            // A C++ program gives a byte.
            settings.enable(is_on & 0xff != 0);
            true
        })
    };
    call(false, enable).into()
}

/// Sets the range of the selected channel, and answers its span in volts.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Range(index: c_int) -> c_double {
    call(-1.0, || with_settings(-1.0, |settings| settings.set_range(index)))
}

/// Sets the offset of the selected channel, in volts.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Offset(offset_v: c_double) -> c_double {
    call(0.0, || with_settings(0.0, |settings| settings.set_offset(offset_v)))
}

/// Sets the coupling of the selected channel, of which the device knows nothing.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Coupling(coupling: c_int) -> c_int {
    call(-1, || with_settings(-1, |settings| settings.set_coupling(coupling)))
}

/// Sets the samples a second.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Rate(rate_hz: c_double) -> c_double {
    call(-1.0, || with_settings(-1.0, |settings| settings.set_rate(rate_hz)))
}

/// Sets the samples of a trace.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Size(size: c_int) -> c_int {
    call(0, || with_settings(0, |settings| settings.set_size(size)))
}

/// Sets the seconds of a trace.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Time(time_s: c_double) -> c_double {
    call(-1.0, || with_settings(-1.0, |settings| settings.set_time(time_s)))
}

/// Sets the seconds before the trigger.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Intro(intro_s: c_double) -> c_double {
    call(-1.0, || with_settings(-1.0, |settings| settings.set_intro(intro_s)))
}

/// Sets the seconds between the trigger and the first sample.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Delay(delay_s: c_double) -> c_double {
    call(-1.0, || with_settings(-1.0, |settings| settings.set_delay(delay_s)))
}

/// Sets the first sample that [`BL_Acquire`] reads.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Index(index: c_int) -> c_uint {
    let set = || {
        with_settings(false, |settings| {
            settings.set_index(usize::try_from(index).unwrap_or(0));
            true
        })
    };
    call(false, set).into()
}

/// Sets the trigger of the selected channel.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Trigger(level_v: c_double, edge: c_int) -> c_uint {
    call(false, || with_settings(false, |settings| settings.set_trigger(level_v, edge))).into()
}

/// Captures. Waits for the end if `is_asynchronous` is 0.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Trace(timeout_s: c_double, is_asynchronous: c_uint) -> c_uint {
    call(false, || library::trace(timeout_s, is_asynchronous & 0xff != 0)).into()
}

/// What the selected device does.
#[unsafe(no_mangle)]
pub extern "C" fn BL_State() -> c_int {
    call(0, library::state)
}

/// What went wrong last.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Error() -> c_int {
    call(-1, library::error)
}

/// Ends what the selected device does.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Halt() -> c_uint {
    call((), library::halt);
    0
}

/// Reads samples of the selected channel, in volts, and counts them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn BL_Acquire(size: c_int, samples: *mut c_double) -> c_int {
    call(0, || {
        let size = usize::try_from(size).unwrap_or(0).min(MAX_SAMPLES);
        if size == 0 || samples.is_null() || !samples.is_aligned() {
            return 0;
        }
        // SAFETY: neither null nor unaligned, and the caller has room for that many.
        let room = unsafe { std::slice::from_raw_parts_mut(samples, size) };
        counted(library::acquire(room))
    })
}

/// Does nothing: what the vendor's library sends is not documented.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Send(_text: *const c_char, _layer: c_int) {}

/// Receives nothing: what the vendor's library receives is not documented.
#[unsafe(no_mangle)]
pub extern "C" fn BL_Receive(_room: *mut c_void, _size: c_int, _timeout: c_int) -> c_uint {
    0
}

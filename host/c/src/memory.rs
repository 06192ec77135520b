//! The caller's memory: the only place where pointers of C are read and written.

use std::ffi::c_char;
use std::marker::PhantomData;

use crate::status::{ScopethingError, Stop};

/// The longest text that is taken, in bytes with its zero byte.
const MAX_TEXT: usize = 4096;

fn checked<T>(pointer: *const T, what: &str) -> Result<(), Stop> {
    if pointer.is_null() {
        return Err(Stop::argument(format!("{what} is NULL")));
    }
    if !pointer.is_aligned() {
        return Err(Stop::argument(format!("{what} is not aligned: it does not point to such a value")));
    }
    Ok(())
}

fn fits<T>(pointer: *const T, length: usize, what: &str) -> Result<(), Stop> {
    checked(pointer, what)?;
    if length > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Stop::argument(format!("{what}: {length} values do not fit into memory")));
    }
    Ok(())
}

/// A text of the caller.
///
/// # Safety
/// `pointer` is null, or points to a text that ends with a zero byte or is at least 4096 bytes long, and stays as it is.
pub(crate) unsafe fn text<'a>(pointer: *const c_char, what: &str) -> Result<&'a str, Stop> {
    checked(pointer, what)?;
    // SAFETY: no byte behind the zero byte is read, nor any behind the 4096th.
    let length = unsafe { libc::strnlen(pointer, MAX_TEXT) };
    if length == MAX_TEXT {
        return Err(Stop::argument(format!("{what} is longer than {} bytes", MAX_TEXT - 1)));
    }
    // SAFETY: so many bytes were just read.
    let bytes = unsafe { std::slice::from_raw_parts(pointer.cast::<u8>(), length) };
    std::str::from_utf8(bytes).map_err(|_| Stop::argument(format!("{what} is not UTF-8")))
}

/// A text of the caller that may be left out.
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn optional_text<'a>(pointer: *const c_char, what: &str) -> Result<Option<&'a str>, Stop> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: the same contract.
    unsafe { text(pointer, what) }.map(Some)
}

/// A structure of the caller that begins with its `struct_size`. A caller that was built with the header of another version has
/// a structure of another size: nothing but the size is read of it.
///
/// # Safety
/// `pointer` is null, or points to a `size_t` that begins such a structure if it is the size of one. A `bool` of C in it is 0
/// or 1, as C demands.
pub(crate) unsafe fn sized<T: Copy>(pointer: *const T, what: &str, init: &str) -> Result<T, Stop> {
    const { assert!(align_of::<T>() >= align_of::<usize>()) };
    checked(pointer, what)?;
    // SAFETY: it is neither null nor unaligned, and the caller promises the size.
    let size = unsafe { pointer.cast::<usize>().read() };
    if size != size_of::<T>() {
        return Err(Stop::argument(format!("{what}: call {init} first, with the header of this library")));
    }
    // SAFETY: a structure of this size begins there.
    Ok(unsafe { pointer.read() })
}

/// Room of the caller for a value.
#[derive(Debug)]
pub(crate) struct Out<'a, T> {
    pointer: *mut T,
    room: PhantomData<&'a mut T>,
}

impl<T> Out<'_, T> {
    /// # Safety
    /// `pointer` is null, or points to room for a value that nobody else uses meanwhile.
    pub(crate) unsafe fn new(pointer: *mut T, what: &str) -> Result<Self, Stop> {
        checked(pointer, what)?;
        Ok(Self { pointer, room: PhantomData })
    }

    pub(crate) fn set(&mut self, value: T) {
        // SAFETY: checked in `new`, and promised there.
        unsafe { self.pointer.write(value) }
    }
}

/// Room of the caller for several values.
///
/// # Safety
/// `pointer` is null, or points to `length` values that nobody else uses meanwhile.
pub(crate) unsafe fn room<'a, T: Copy>(
    pointer: *mut T,
    length: usize,
    what: &str,
) -> Result<&'a mut [T], Stop> {
    if length == 0 {
        return Ok(&mut []);
    }
    fits(pointer, length, what)?;
    // SAFETY: not null, aligned, no longer than memory can be, and promised by the caller.
    Ok(unsafe { std::slice::from_raw_parts_mut(pointer, length) })
}

/// Several values of the caller.
///
/// # Safety
/// `pointer` is null, or points to `length` values that stay as they are.
pub(crate) unsafe fn values<'a, T: Copy>(
    pointer: *const T,
    length: usize,
    what: &str,
) -> Result<&'a [T], Stop> {
    if length == 0 {
        return Ok(&[]);
    }
    fits(pointer, length, what)?;
    // SAFETY: as in `room`. It must not be borrowed for writing even for a moment: other threads may read the same values.
    Ok(unsafe { std::slice::from_raw_parts(pointer, length) })
}

/// Room of the caller for a text.
#[derive(Debug)]
pub(crate) struct Texts<'a>(&'a mut [c_char]);

impl Texts<'_> {
    /// # Safety
    /// `pointer` is null, or points to `size` bytes that nobody else uses meanwhile.
    pub(crate) unsafe fn new(pointer: *mut c_char, size: usize, what: &str) -> Result<Self, Stop> {
        if size == 0 {
            return Err(Stop::argument(format!("{what} has no room: give at least 1 byte")));
        }
        // SAFETY: the same contract.
        unsafe { room(pointer, size, what) }.map(Self)
    }

    pub(crate) fn set(&mut self, text: &str) {
        fill(self.0, text);
    }
}

/// Puts a text into room for it, cut between two characters if it is too long, with a zero byte behind it.
pub(crate) fn fill(room: &mut [c_char], text: &str) {
    let Some(most) = room.len().checked_sub(1) else { return };
    let mut length = text.len().min(most);
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    let bytes = text.bytes().take(length);
    for (place, byte) in room.iter_mut().zip(bytes.chain(std::iter::once(0))) {
        // A zero byte within the text would end it for C: so it does here.
        *place = c_char::from_ne_bytes([byte]);
    }
}

/// A text in a field of fixed size.
pub(crate) fn field<const N: usize>(text: &str) -> [c_char; N] {
    let mut room = [0; N];
    fill(&mut room, text);
    room
}

/// # Safety
/// `error` is null, or points to room for one.
pub(crate) unsafe fn write_error(error: *mut ScopethingError, report: &ScopethingError) {
    if !error.is_null() && error.is_aligned() {
        // SAFETY: promised by the caller.
        unsafe { error.write(*report) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(room: &[c_char]) -> String {
        let bytes: Vec<u8> = room.iter().take_while(|&&byte| byte != 0).map(|&byte| byte as u8).collect();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn texts_are_cut_between_characters() {
        let mut room = [1; 4];
        for (text, cut) in [("", ""), ("abc", "abc"), ("abcd", "abc"), ("abµ", "ab"), ("aµ", "aµ")] {
            fill(&mut room, text);
            assert_eq!(written(&room), cut);
            assert!(room.contains(&0));
        }
        fill(&mut [], "abc");
    }

    #[test]
    fn pointers_that_cannot_be_are_refused() {
        let numbers = [0_u64; 2];
        // SAFETY: null, and unaligned ones that are not read.
        unsafe {
            assert!(text(std::ptr::null(), "url").is_err());
            assert!(sized(std::ptr::null::<u64>(), "x", "init").is_err());
            assert!(sized(numbers.as_ptr().byte_add(1), "x", "init").is_err());
            assert!(room(std::ptr::null_mut::<u64>(), 1, "x").is_err());
            assert!(room(std::ptr::null_mut::<u64>(), 0, "x").is_ok());
            assert!(room(numbers.as_ptr().cast_mut(), usize::MAX, "x").is_err());
        }
    }

    #[test]
    fn structure_of_another_version_is_not_read() {
        #[derive(Debug, Clone, Copy)]
        #[repr(C)]
        struct Request {
            struct_size: usize,
            more: [u64; 2],
        }
        // Of an earlier version, which had less: what stands behind it is none of the library's.
        let earlier = [size_of::<Request>() - 8, 1];
        let mut request = Request { struct_size: size_of::<Request>(), more: [2, 3] };
        // SAFETY: the first begins with a size that is not that of the structure, the second is one.
        unsafe {
            assert!(sized(earlier.as_ptr().cast::<Request>(), "request", "init").is_err());
            request = sized(&raw const request, "request", "init").unwrap();
        }
        assert_eq!(request.more, [2, 3]);
    }

    #[test]
    fn texts_without_an_end_are_refused() {
        let endless = [c_char::from_ne_bytes([b'a']); MAX_TEXT];
        // SAFETY: as long as a text may be looked at.
        let refused = unsafe { text(endless.as_ptr(), "url") };
        assert!(refused.is_err());
    }
}

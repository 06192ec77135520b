//! What C's pointers point to: checked as far as that can be, and handed on as what Rust can use.

use core::ffi::{CStr, c_char};
use core::fmt;
use core::marker::PhantomData;

use crate::status::Failure;

fn checked<T>(pointer: *const T, what: &'static CStr) -> Result<(), Failure> {
    if pointer.is_null() || !pointer.is_aligned() { Err(Failure::Argument(what)) } else { Ok(()) }
}

/// A structure of the caller that begins with its `struct_size`. A caller that was built with the header of another version has
/// a structure of another size: nothing but the size is read of it.
///
/// # Safety
/// `pointer` is null, or points to a `size_t` that begins such a structure if it is the size of one. A `bool` of C in it is 0
/// or 1, as C demands.
pub(crate) unsafe fn sized<T: Copy>(pointer: *const T, what: &'static CStr) -> Result<T, Failure> {
    const { assert!(align_of::<T>() >= align_of::<usize>()) };
    checked(pointer, what)?;
    // SAFETY: it is neither null nor unaligned, and the caller promises the size.
    if unsafe { pointer.cast::<usize>().read() } != size_of::<T>() {
        return Err(Failure::Argument(what));
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
    pub(crate) unsafe fn new(pointer: *mut T, what: &'static CStr) -> Result<Self, Failure> {
        checked(pointer, what)?;
        Ok(Self { pointer, room: PhantomData })
    }

    /// Room that may be left out.
    ///
    /// # Safety
    /// As [`Self::new`].
    pub(crate) unsafe fn optional(pointer: *mut T, what: &'static CStr) -> Result<Option<Self>, Failure> {
        // SAFETY: promised by the caller.
        if pointer.is_null() { Ok(None) } else { unsafe { Self::new(pointer, what) }.map(Some) }
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
    what: &'static CStr,
) -> Result<&'a mut [T], Failure> {
    if length == 0 {
        return Ok(&mut []);
    }
    checked(pointer, what)?;
    if length > isize::MAX as usize / size_of::<T>().max(1) {
        return Err(Failure::Argument(what));
    }
    // SAFETY: not null, aligned, no longer than memory can be, and promised by the caller.
    Ok(unsafe { core::slice::from_raw_parts_mut(pointer, length) })
}

/// Room of the caller for a text, which is cut to what fits and ends with a zero byte.
#[derive(Debug)]
pub(crate) struct Text<'a> {
    room: &'a mut [c_char],
    length: usize,
    is_full: bool,
}

impl<'a> Text<'a> {
    /// # Safety
    /// `pointer` is null, or points to `size` bytes that nobody else uses meanwhile.
    pub(crate) unsafe fn new(pointer: *mut c_char, size: usize) -> Result<Self, Failure> {
        // SAFETY: the same contract.
        Self::within(unsafe { room(pointer, size, c"text")? })
    }

    fn within(room: &'a mut [c_char]) -> Result<Self, Failure> {
        let Some(first) = room.first_mut() else {
            return Err(Failure::Argument(c"text has no room: give at least 1 byte"));
        };
        *first = 0;
        Ok(Self { room, length: 0, is_full: false })
    }

    pub(crate) fn set(&mut self, value: &dyn fmt::Display) {
        // A text that is cut is not an error.
        let _ = fmt::write(self, format_args!("{value}"));
    }
}

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let end = self.length.saturating_add(character.len_utf8());
            if self.is_full || end >= self.room.len() {
                // Nothing behind the cut, even if it would fit.
                self.is_full = true;
                return Err(fmt::Error);
            }
            let mut bytes = [0; 4];
            let bytes = character.encode_utf8(&mut bytes).bytes().chain(core::iter::once(0));
            for (place, byte) in self.room.iter_mut().skip(self.length).zip(bytes) {
                *place = c_char::from_ne_bytes([byte]);
            }
            self.length = end;
        }
        Ok(())
    }
}

/// A short text in a field of fixed size.
pub(crate) fn field<const N: usize>(value: &dyn fmt::Display) -> [c_char; N] {
    let mut room = [0; N];
    if let Ok(mut text) = Text::within(&mut room) {
        text.set(value);
    }
    room
}

#[cfg(test)]
mod tests {
    use std::string::String;
    use std::vec::Vec;

    use super::*;

    fn written(room: &[c_char]) -> String {
        let bytes: Vec<u8> = room.iter().take_while(|&&byte| byte != 0).map(|&byte| byte as u8).collect();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn texts_are_cut_between_characters() {
        for (text, cut) in [("", ""), ("abc", "abc"), ("abcd", "abc"), ("abµd", "ab"), ("aµ", "aµ")] {
            let mut room = [1; 4];
            Text::within(&mut room).unwrap().set(&text);
            assert_eq!(written(&room), cut);
        }
        assert!(Text::within(&mut []).is_err());
    }

    #[test]
    fn pointers_that_cannot_be_are_refused() {
        let numbers = [0_u64; 2];
        // SAFETY: null, and unaligned ones that are not read.
        unsafe {
            assert!(sized(core::ptr::null::<u64>(), c"x").is_err());
            assert!(sized(numbers.as_ptr().byte_add(1), c"x").is_err());
            assert!(room(core::ptr::null_mut::<u64>(), 1, c"x").is_err());
            assert!(room(core::ptr::null_mut::<u64>(), 0, c"x").is_ok());
            assert!(room(numbers.as_ptr().cast_mut(), usize::MAX, c"x").is_err());
            assert!(Out::optional(core::ptr::null_mut::<u64>(), c"x").unwrap().is_none());
        }
    }
}

//! Texts that a program gets and never gives back.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_char};
use std::sync::Mutex;

use host::bindings::OfProcess;

use crate::device::lock;

/// The texts that were given out. Whoever has one may keep it: so none is ever freed. Names are the same few; messages, in
/// which there may be any number, have half of the room.
static TEXTS: OfProcess<Mutex<BTreeSet<&'static CStr>>> = OfProcess::new();
/// The most of them: beyond, a program opens ever new links, and gets an empty text for its name.
const MAX_TEXTS: usize = 1024;

/// A text that stays. What lies behind a zero byte is left out.
pub(crate) fn kept(text: &str) -> *const c_char {
    kept_within(MAX_TEXTS, text, c"")
}

/// As [`kept`], a message of a failure.
pub(crate) fn kept_message(text: &str) -> *const c_char {
    kept_within(
        MAX_TEXTS / 2,
        text,
        c"It failed; there is no room for further messages, and BL_Error has its kind.",
    )
}

fn kept_within(most: usize, text: &str, instead: &'static CStr) -> *const c_char {
    let bytes: Vec<u8> = text.bytes().take_while(|&byte| byte != 0).collect();
    let text = CString::new(bytes).unwrap_or_default();
    let mut texts = lock(TEXTS.get());
    if let Some(known) = texts.get(text.as_c_str()) {
        return known.as_ptr();
    }
    if texts.len() >= most {
        return instead.as_ptr();
    }
    let text: &'static CStr = Box::leak(text.into_boxed_c_str());
    texts.insert(text);
    text.as_ptr()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one() {
        assert_eq!(kept("abc"), kept("abc"));
        assert_eq!(kept("abc\0def"), kept("abc"));
        assert_ne!(kept("abc"), kept("abd"));
    }
}

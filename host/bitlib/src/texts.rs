//! Texts that a program gets and never gives back.

use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_char};
use std::sync::Mutex;

use crate::device::lock;

/// The texts that were given out. They are the same few, and whoever has one may keep it: so none is ever freed.
static TEXTS: Mutex<BTreeSet<&'static CStr>> = Mutex::new(BTreeSet::new());
/// The most of them: beyond, a program opens ever new links, and gets an empty text for its name.
const MAX_TEXTS: usize = 1024;

/// A text that stays. What lies behind a zero byte is left out.
pub(crate) fn kept(text: &str) -> *const c_char {
    let bytes: Vec<u8> = text.bytes().take_while(|&byte| byte != 0).collect();
    let text = CString::new(bytes).unwrap_or_default();
    let mut texts = lock(&TEXTS);
    if let Some(known) = texts.get(text.as_c_str()) {
        return known.as_ptr();
    }
    if texts.len() >= MAX_TEXTS {
        return c"".as_ptr();
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

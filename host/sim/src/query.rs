//! What stands behind the question mark of a URL: `KEY=VALUE` parts with `&` between, values with percent codes.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

/// Characters of a value that would end it, or the query, or be taken for a code.
const RESERVED: &AsciiSet = &CONTROLS.add(b' ').add(b'#').add(b'%').add(b'&').add(b'"').add(b'<').add(b'>');

/// The keys with their decoded values; what has no value is given as the error. Empty parts count for nothing.
pub(crate) fn parts(query: &str) -> impl Iterator<Item = Result<(&str, Cow<'_, str>), &str>> {
    query.split('&').filter(|part| !part.is_empty()).map(|part| {
        let (key, value) = part.split_once('=').ok_or(part)?;
        Ok((key, percent_decode_str(value).decode_utf8_lossy()))
    })
}

/// A value as it is written in a query.
pub(crate) fn encoded(value: &str) -> impl fmt::Display {
    utf8_percent_encode(value, RESERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_back_as_they_were_written() {
        let value = "a=b&c%20 \"#<\u{e9}>";
        let query = format!("&A={}&B&", encoded(value));
        let read: Vec<_> = parts(&query).collect();
        assert_eq!(read, [Ok(("A", Cow::Borrowed(value))), Err("B")]);
    }
}

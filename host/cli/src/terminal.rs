//! The one way to the terminal for text: names of files, jobs, answers of devices and clients are not the program's own, and
//! what a terminal would act on in them is shown instead, as `\u001b`.
//!
//! A tab and the end of a line are text. All other control characters are not, nor those that turn the direction of
//! writing: they make a text look like another one. In JSON the replacement means the same character.

use std::io::{self, Write};

/// The bytes of the longest character that is looked at.
const MAX_PENDING: usize = 3;

/// Passes text on, with what a terminal would act on replaced. Bytes may come in any pieces.
#[derive(Debug)]
pub(super) struct Gate<W> {
    inner: W,
    /// The beginning of a character that may be replaced.
    pending: Vec<u8>,
}

/// Standard output, for text.
pub(super) fn stdout() -> Gate<io::Stdout> {
    Gate::new(io::stdout())
}

/// Standard error, for text.
pub(super) fn stderr() -> Gate<io::Stderr> {
    Gate::new(io::stderr())
}

/// A text as it is shown, where it is not written but put on a screen.
pub(super) fn shown(text: &str) -> String {
    let mut gate = Gate::new(Vec::new());
    let mut passed = gate.pass(text.as_bytes());
    passed.append(&mut gate.pending);
    String::from_utf8_lossy(&passed).into_owned()
}

impl<W: Write> Gate<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, pending: Vec::new() }
    }

    /// Appends what is written for the bytes.
    fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for &byte in bytes {
            if byte.is_ascii() {
                out.append(&mut self.pending);
                if byte.is_ascii_control() && byte != b'\n' && byte != b'\t' {
                    out.extend(escaped(byte.into()));
                } else {
                    out.push(byte);
                }
                continue;
            }
            let starts = byte >= 0xc0;
            if starts || self.pending.is_empty() {
                out.append(&mut self.pending);
            }
            self.pending.push(byte);
            match str::from_utf8(&self.pending).ok().and_then(|text| text.chars().next()) {
                Some(character) if is_acted_on(character) => {
                    out.extend(escaped(character.into()));
                    self.pending.clear();
                }
                None if self.pending.len() < MAX_PENDING
                    && self.pending.first().is_some_and(|first| *first >= 0xc0) =>
                {
                    // The rest of it comes.
                }
                _ => out.append(&mut self.pending),
            }
        }
        out
    }
}

/// Whether a terminal acts on a character beyond ASCII, or lets it turn the text around it.
fn is_acted_on(character: char) -> bool {
    matches!(character, '\u{80}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(code: u32) -> Vec<u8> {
    format!("\\u{code:04x}").into_bytes()
}

impl<W: Write> Write for Gate<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let passed = self.pass(bytes);
        self.inner.write_all(&passed)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn gated(pieces: &[&[u8]]) -> Vec<u8> {
        let mut gate = Gate::new(Vec::new());
        for piece in pieces {
            gate.write_all(piece).unwrap();
        }
        gate.inner
    }

    #[test]
    fn what_a_terminal_acts_on_is_shown() {
        for (text, shown) in [
            (
                "plain \u{b5}s, \u{3a9}, \u{65e5}\u{672c}, \u{1f600}\n\ttab",
                "plain \u{b5}s, \u{3a9}, \u{65e5}\u{672c}, \u{1f600}\n\ttab",
            ),
            ("\x1b[2J\x1b]0;owned\x07", "\\u001b[2J\\u001b]0;owned\\u0007"),
            ("back\r\x08\x7f", "back\\u000d\\u0008\\u007f"),
            ("\u{9b}2J \u{202e}gnp.exe", "\\u009b2J \\u202egnp.exe"),
        ] {
            assert_eq!(String::from_utf8(gated(&[text.as_bytes()])).unwrap(), shown);
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(String::from_utf8(gated(&bytes)).unwrap(), shown);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn nothing_acted_on_comes_out_whatever_goes_in(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..20), 0..8)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let out = gated(&pieces);
            prop_assert!(out.iter().all(|byte| !byte.is_ascii_control() || matches!(byte, b'\n' | b'\t')));
            let characters = String::from_utf8_lossy(&out);
            prop_assert!(!characters.chars().any(is_acted_on));
        }
    }
}

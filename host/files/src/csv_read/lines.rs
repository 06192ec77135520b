//! Lines of a text, with their numbers.

use std::io::{BufRead, Read as _};

use crate::ReadError;

/// Longer than any row of all channels.
pub(super) const MAX_LINE_BYTES: u64 = 4096;

/// Reads a text line by line.
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    /// The number of the line that was read last, from 1.
    number: u64,
}

/// A line without its end.
#[derive(Clone, Copy)]
pub(super) struct Line<'l> {
    /// Which line of the text, from 1.
    pub(super) number: u64,
    /// What stands in it, without white space around.
    pub(super) text: &'l str,
    /// Whether it has an end: the last line of a text that was cut has none.
    pub(super) is_ended: bool,
}

impl Line<'_> {
    pub(super) fn fault(&self, reason: impl Into<String>) -> ReadError {
        ReadError::Line { line: self.number, reason: reason.into() }
    }
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: Vec::new(), number: 0 }
    }

    /// The number of the line that was read last, from 1; at the end of the text, of the one after it.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line, or `None` at the end of the text.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        if self.fill()? { self.line().map(Some) } else { Ok(None) }
    }

    /// The next line that is not empty.
    pub(super) fn next_filled(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        loop {
            if !self.fill()? {
                return Ok(None);
            }
            if !self.line()?.text.is_empty() {
                return self.line().map(Some);
            }
        }
    }

    /// Goes past lines without looking into them. False if the text ends before.
    pub(super) fn skip(&mut self, count: u64) -> Result<bool, ReadError> {
        for _ in 0..count {
            self.number += 1;
            if self.input.skip_until(b'\n')? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads a line, or as much of one as is read into memory. False at the end of the text.
    fn fill(&mut self) -> Result<bool, ReadError> {
        self.buffer.clear();
        self.number += 1;
        Ok((&mut self.input).take(MAX_LINE_BYTES).read_until(b'\n', &mut self.buffer)? > 0)
    }

    fn line(&self) -> Result<Line<'_>, ReadError> {
        let fault = |reason: String| ReadError::Line { line: self.number, reason };
        if self.buffer.len() as u64 == MAX_LINE_BYTES {
            // A file system that lost power may leave zeros where text should be.
            return Err(if self.buffer.iter().all(|&byte| byte == 0) {
                ReadError::CutOff { line: self.number }
            } else {
                fault(format!("longer than {MAX_LINE_BYTES} bytes; this is no CSV file of a trace"))
            });
        }
        let text = std::str::from_utf8(&self.buffer);
        let text = text.map_err(|_| fault("not UTF-8 text; save it as CSV".to_owned()))?;
        let is_ended = text.ends_with('\n');
        Ok(Line { number: self.number, text: text.trim_start_matches('\u{feff}').trim(), is_ended })
    }
}

//! Lines of a text, with their numbers.

use std::collections::VecDeque;
use std::io::{BufRead, Read as _};

use crate::ReadError;

/// Longer than any row of all channels, and than a whole trace on one line.
pub(super) const MAX_LINE_BYTES: u64 = 1 << 24;

/// Reads a text line by line.
pub(super) struct LineReader<R> {
    input: R,
    buffer: Vec<u8>,
    /// The line in the buffer, if it is not UTF-8.
    decoded: String,
    /// The number of the line that was read last, from 1.
    number: u64,
    /// Lines that were looked at and are still to be read.
    ahead: VecDeque<Vec<u8>>,
    /// The bytes of the line that was read last, if the input still has them.
    in_place: usize,
}

/// A line without its end.
#[derive(Clone, Copy)]
pub(crate) struct Line<'l> {
    /// Which line of the text, from 1.
    pub(crate) number: u64,
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

impl<R: BufRead> LineReader<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            buffer: Vec::new(),
            decoded: String::new(),
            number: 0,
            ahead: VecDeque::new(),
            in_place: 0,
        }
    }

    /// The number of the line that was read last, from 1; at the end of the text, of the one after it.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The next line, or `None` at the end of the text.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, ReadError> {
        self.drop_line();
        // Most lines lie in the input's buffer from end to end. What it fails with is seen by who reads from it.
        let end = if self.ahead.is_empty() { self.input.fill_buf().ok() } else { None };
        if let Some(end) = end.and_then(|bytes| memchr::memchr(b'\n', bytes)) {
            self.number += 1;
            self.in_place = end + 1;
            let bytes = self.input.fill_buf()?.get(..=end).unwrap_or_default();
            return line(bytes, &mut self.decoded, self.number).map(Some);
        }
        if self.fill()? { line(&self.buffer, &mut self.decoded, self.number).map(Some) } else { Ok(None) }
    }

    /// Hands over the text from the beginning of a line on, as far as it lies in the input's buffer, which may be not at all.
    /// `read` returns how many bytes and lines of it are done with. Returns how many lines these were.
    pub(super) fn pass(&mut self, read: impl FnOnce(&[u8]) -> (usize, u64)) -> u64 {
        self.drop_line();
        let bytes = if self.ahead.is_empty() { self.input.fill_buf().ok() } else { None };
        let (length, lines) = bytes.map_or((0, 0), read);
        self.input.consume(length);
        self.number += lines;
        lines
    }

    /// Goes on behind a line that was read in place.
    fn drop_line(&mut self) {
        self.input.consume(std::mem::take(&mut self.in_place));
    }

    /// The lines that follow, as far as `count`, without going on to them.
    pub(super) fn peek(&mut self, count: usize) -> Result<Vec<String>, ReadError> {
        self.drop_line();
        let mut bytes = self.ahead.iter().map(Vec::len).sum::<usize>() as u64;
        while self.ahead.len() < count && bytes < MAX_LINE_BYTES {
            let mut line = Vec::new();
            if read_line(&mut self.input, &mut line)? == 0 {
                break;
            }
            bytes += line.len() as u64;
            self.ahead.push_back(line);
        }
        let text = |line: &Vec<u8>| {
            let text = std::str::from_utf8(line).map_or_else(|_| latin(line), str::to_owned);
            text.trim_start_matches('\u{feff}').trim_end_matches(['\r', '\n']).to_owned()
        };
        Ok(self.ahead.iter().take(count).map(text).collect())
    }

    /// Puts the line that was read last back, with its end if it had one.
    pub(super) fn unread(&mut self, mut line: String, is_ended: bool) {
        self.number -= 1;
        if is_ended {
            line.push('\n');
        }
        self.ahead.push_front(line.into_bytes());
    }

    /// Goes past lines without looking into them. False if the text ends before.
    pub(super) fn skip(&mut self, count: u64) -> Result<bool, ReadError> {
        self.drop_line();
        for _ in 0..count {
            self.number += 1;
            if self.ahead.pop_front().is_none() && self.input.skip_until(b'\n')? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads a line, or as much of one as is read into memory. False at the end of the text.
    fn fill(&mut self) -> Result<bool, ReadError> {
        self.number += 1;
        if let Some(line) = self.ahead.pop_front() {
            self.buffer = line;
            return Ok(true);
        }
        self.buffer.clear();
        Ok(read_line(&mut self.input, &mut self.buffer)? > 0)
    }
}

/// The line in these bytes, which are decoded if they are no UTF-8.
fn line<'l>(bytes: &'l [u8], decoded: &'l mut String, number: u64) -> Result<Line<'l>, ReadError> {
    if bytes.len() as u64 == MAX_LINE_BYTES {
        // A file system that lost power may leave zeros where text should be.
        return Err(if bytes.iter().all(|&byte| byte == 0) {
            ReadError::CutOff { line: number }
        } else {
            let reason = format!("longer than {MAX_LINE_BYTES} bytes; this is no CSV file of a trace");
            ReadError::Line { line: number, reason }
        });
    }
    let is_ended = bytes.ends_with(b"\n");
    let text = if let Ok(text) = std::str::from_utf8(bytes) {
        text
    } else {
        // Oscilloscopes write a micro sign or degrees in the encoding of old Windows.
        *decoded = latin(bytes);
        decoded
    };
    // Most lines begin with a digit.
    let is_bare = text.as_bytes().first().is_some_and(u8::is_ascii_graphic);
    let text = if is_bare { text.trim_end() } else { text.trim_start_matches('\u{feff}').trim() };
    Ok(Line { number, text, is_ended })
}

fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<usize> {
    input.take(MAX_LINE_BYTES).read_until(b'\n', line)
}

fn latin(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

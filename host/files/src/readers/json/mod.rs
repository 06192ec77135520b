//! Reads what the JSON writer writes: objects of a capture each, one after the other, on lines of their own or not.
//!
//! All contents of such an object are read, but for measurements. Times must be evenly spaced on each channel. A sample
//! that is null is no number.

mod object;

use std::io::{self, BufRead, Read};

use serde::Deserialize;
use serde_json::Deserializer;
use serde_json::error::Category;

use self::object::RecordingObject;
use crate::readers::options::{ReadOptions, part_of};
use crate::{ReadError, Skipped, TraceReader};
use scopething_waveform::waveform::Waveform;

/// What should be there instead of a fault.
const WANTED: &str = "a trace is an object as `scopething capture --json` prints it";
/// The longest text of a capture: a GiB, as much as the samples of the longest trace take in memory.
const MAX_OBJECT_BYTES: u64 = 1 << 30;

/// Reads captures from JSON.
///
/// ```
/// use scopething_files::{JsonReader, TraceReader};
/// use scopething_waveform::waveform::Channel;
///
/// let text = r#"{"sample_rate":2e3,"channels":{"A":{"samples":[1.5,null],"timestamps":[0,0.0005]}}}"#;
/// let mut reader = JsonReader::new(text.as_bytes());
/// let waveform = reader.read()?.ok_or("a capture is there")?;
/// assert_eq!(waveform.channel(Channel::A).map(|series| series.period_s), Some(0.0005));
/// assert!(reader.read()?.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct JsonReader<R> {
    options: ReadOptions,
    text: Text<R>,
    /// What follows a fault is not read: it may be any part of an object.
    failed: bool,
}

impl<R: BufRead> JsonReader<R> {
    /// Reads from text in UTF-8.
    pub fn new(input: R) -> Self {
        Self::with_options(input, ReadOptions::default())
    }

    /// As [`new`](Self::new), for a part of each capture.
    pub fn with_options(input: R, options: ReadOptions) -> Self {
        Self {
            options,
            text: Text {
                input,
                ahead: Vec::new(),
                read: 0,
                line: 1,
                bytes_left: 0,
                max_bytes: MAX_OBJECT_BYTES,
            },
            failed: false,
        }
    }

    /// Goes to the next object: to the line that it begins in.
    fn next_begin(&mut self) -> Result<Option<u64>, ReadError> {
        match self.text.next_begin()? {
            None => Ok(None),
            // A file system that lost power may leave zeros where text should be.
            Some((0, line)) => Err(ReadError::CutOff { line }),
            Some((b'{', line)) => Ok(Some(line)),
            Some((_, line)) => Err(ReadError::Line { line, reason: WANTED.to_owned() }),
        }
    }

    /// The next object and the line that it begins in.
    ///
    /// As a rule an object is a line, and is read from memory, which is much faster than from a stream. What follows on
    /// it in the line, and an object of several lines, come from a stream.
    fn next<T: for<'t> Deserialize<'t>>(&mut self) -> Result<Option<(T, u64)>, ReadError> {
        let Some(line) = self.next_begin()? else { return Ok(None) };
        self.text.read_line()?;
        let ahead = self.text.take_ahead();
        let mut objects = Deserializer::from_slice(&ahead).into_iter::<T>();
        let (first, end) = (objects.next(), objects.byte_offset());
        if let Some(Ok(object)) = first {
            self.text.line += line_feeds(ahead.get(..end).unwrap_or_default());
            self.text.put_back(ahead, end);
            return Ok(Some((object, line)));
        }
        let is_whole =
            ahead.ends_with(b"\n") && first.is_some_and(|object| object.is_err_and(|error| !error.is_eof()));
        self.text.put_back(ahead, 0);
        self.text.bytes_left = if is_whole { self.text.ahead().len() as u64 } else { self.text.max_bytes };
        let object = T::deserialize(&mut Deserializer::from_reader(&mut self.text));
        // A number that is cut in the middle is wrong, and not only short.
        let is_at_end = object.is_err() && self.text.peek()?.is_empty();
        object.map(|object| Some((object, line))).map_err(|error| match error.classify() {
            Category::Syntax if is_at_end => ReadError::CutOff { line },
            _ if self.text.bytes_left == 0 && !is_whole => ReadError::TooLong,
            Category::Io => ReadError::Io(error.into()),
            Category::Eof => ReadError::CutOff { line },
            Category::Syntax | Category::Data => fault(self.text.line, &error),
        })
    }

    /// Goes past the next object without a look at its values, if it begins as those of the writer do: with its number
    /// among the traces of a job, or what ended it. `None` if it may be otherwise.
    fn skip_unread(&mut self) -> Result<Option<Skipped>, ReadError> {
        let Some(line) = self.next_begin()? else { return Ok(None) };
        let ahead = self.text.peek()?;
        let number = number_of_job(ahead);
        if number.is_none() && !ahead.starts_with(b"{\"cause\":") {
            return Ok(None);
        }
        if !self.text.skip_object()? {
            return Err(ReadError::CutOff { line });
        }
        Ok(Some(Skipped { number }))
    }

    /// Does nothing more after a fault.
    fn unless_failed<T>(
        &mut self,
        next: impl FnOnce(&mut Self) -> Result<Option<T>, ReadError>,
    ) -> Result<Option<T>, ReadError> {
        if self.failed {
            return Ok(None);
        }
        let result = next(self);
        self.failed = result.is_err();
        result
    }
}

impl<R: BufRead + Send> TraceReader for JsonReader<R> {
    fn read(&mut self) -> Result<Option<Waveform>, ReadError> {
        self.unless_failed(|reader| match reader.next::<RecordingObject>()? {
            Some((object, line)) => part_of(object.recording(line)?, &reader.options).map(Some),
            None => Ok(None),
        })
    }

    fn skip(&mut self) -> Result<Option<Skipped>, ReadError> {
        #[derive(Deserialize)]
        struct Numbered {
            trace: Option<u64>,
        }
        self.unless_failed(|reader| {
            if let Some(skipped) = reader.skip_unread()? {
                return Ok(Some(skipped));
            }
            Ok(reader.next()?.map(|(Numbered { trace }, _)| Skipped { number: trace }))
        })
    }
}

/// The number with which an object of a job's trace begins. `None` as well if the text ends within it.
fn number_of_job(object: &[u8]) -> Option<u64> {
    let rest = object.strip_prefix(b"{\"trace\":")?;
    let digits = rest.get(..rest.iter().position(|byte| !byte.is_ascii_digit())?)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// What is wrong with an object. The place in the error is counted from where the object begins.
fn fault(line: u64, error: &serde_json::Error) -> ReadError {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or_default();
    if reason == ReadError::TooLong.to_string() {
        return ReadError::TooLong;
    }
    ReadError::Line { line, reason: format!("{reason}; {WANTED}") }
}

/// A text whose lines are counted, and of which an object gets so much and no more.
struct Text<R> {
    input: R,
    /// What was taken from the input, and how much of it was read.
    ahead: Vec<u8>,
    read: usize,
    /// The line where it was read to, from 1.
    line: u64,
    bytes_left: u64,
    max_bytes: u64,
}

impl<R> Text<R> {
    /// What was taken from the input and is still to be read.
    fn ahead(&self) -> &[u8] {
        self.ahead.get(self.read..).unwrap_or_default()
    }

    /// Goes past so much of it.
    fn consume_ahead(&mut self, count: usize) {
        self.read += count;
        if self.read >= self.ahead.len() {
            self.ahead.clear();
            self.read = 0;
        }
    }

    /// Takes all of it.
    fn take_ahead(&mut self) -> Vec<u8> {
        let mut ahead = std::mem::take(&mut self.ahead);
        ahead.drain(..std::mem::take(&mut self.read).min(ahead.len()));
        ahead
    }
}

impl<R: BufRead> Text<R> {
    /// Goes to what follows white space; gives its first byte and its line.
    fn next_begin(&mut self) -> io::Result<Option<(u8, u64)>> {
        loop {
            let is_ahead = !self.ahead().is_empty();
            let ahead = self.ahead.get(self.read..).unwrap_or_default();
            let bytes = if is_ahead { ahead } else { self.input.fill_buf()? };
            let white = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let (passed, rest) = bytes.split_at(white);
            self.line += line_feeds(passed);
            let (first, is_end) = (rest.first().copied(), bytes.is_empty());
            if is_ahead {
                self.consume_ahead(white);
            } else {
                self.input.consume(white);
            }
            if first.is_some() || is_end {
                return Ok(first.map(|first| (first, self.line)));
            }
        }
    }

    /// Takes the rest of the line from the input, or as much of it as an object may have.
    fn read_line(&mut self) -> io::Result<()> {
        if memchr::memchr(b'\n', self.ahead()).is_none() {
            (&mut self.input).take(self.max_bytes).read_until(b'\n', &mut self.ahead)?;
        }
        Ok(())
    }

    /// Puts back what follows on the first `passed` bytes.
    fn put_back(&mut self, bytes: Vec<u8>, passed: usize) {
        self.ahead = bytes;
        self.consume_ahead(passed);
    }

    /// The bytes that follow, as many as are in memory.
    fn peek(&mut self) -> io::Result<&[u8]> {
        let ahead = self.ahead.get(self.read..).unwrap_or_default();
        if ahead.is_empty() { self.input.fill_buf() } else { Ok(ahead) }
    }

    /// Goes past an object; whether it ends.
    fn skip_object(&mut self) -> io::Result<bool> {
        let mut object = ObjectEnd::default();
        loop {
            let is_ahead = !self.ahead().is_empty();
            let ahead = self.ahead.get(self.read..).unwrap_or_default();
            let bytes = if is_ahead { ahead } else { self.input.fill_buf()? };
            if bytes.is_empty() {
                return Ok(false);
            }
            let end = object.find(bytes);
            let passed = end.unwrap_or(bytes.len());
            self.line += line_feeds(bytes.get(..passed).unwrap_or_default());
            if is_ahead {
                self.consume_ahead(passed);
            } else {
                self.input.consume(passed);
            }
            if end.is_some() {
                return Ok(true);
            }
        }
    }
}

/// Finds where an object ends, by its braces that are not in texts.
#[derive(Default)]
struct ObjectEnd {
    depth: u64,
    in_text: bool,
    /// Whether the byte before, in a text, takes its meaning from the next one.
    escapes: bool,
}

impl ObjectEnd {
    /// What follows the object in the bytes that follow on those before; `None` if it goes on.
    fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            if std::mem::take(&mut self.escapes) && at < bytes.len() {
                at += 1;
            }
            let rest = bytes.get(at..).unwrap_or_default();
            let found = if self.in_text {
                memchr::memchr2(b'"', b'\\', rest)
            } else {
                memchr::memchr3(b'"', b'{', b'}', rest)
            };
            let found = at + found?;
            at = found + 1;
            match bytes.get(found) {
                Some(b'\\') => {
                    self.escapes = true;
                    if at == bytes.len() {
                        return None;
                    }
                }
                Some(b'"') => self.in_text = !self.in_text,
                Some(b'{') => self.depth += 1,
                _ => self.depth = self.depth.saturating_sub(1),
            }
            if self.depth == 0 && !self.in_text {
                return Some(at);
            }
        }
    }
}

impl<R: BufRead> Read for Text<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(usize::try_from(self.bytes_left).unwrap_or(usize::MAX));
        let buffer = buffer.get_mut(..most).unwrap_or_default();
        let count = if self.ahead().is_empty() {
            self.input.read(buffer)?
        } else {
            let count = self.ahead().len().min(buffer.len());
            buffer.iter_mut().zip(self.ahead()).for_each(|(to, from)| *to = *from);
            self.consume_ahead(count);
            count
        };
        self.bytes_left -= count as u64;
        self.line += line_feeds(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

fn line_feeds(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests;

//! Reads what the JSON writer writes: objects of a capture each, one after the other, on lines of their own or not.
//!
//! All contents of such an object are read, but for measurements. Times must be evenly spaced on each channel. A sample
//! that is null is no number.

mod object;

use std::io::{self, BufRead};

use serde::Deserialize;
use serde::de::IgnoredAny;
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
            text: Text { input, line: 1, object: Vec::new(), max_bytes: MAX_OBJECT_BYTES },
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

    /// Takes the text of the next object into memory, and no more, and reads it with the line that it begins in.
    fn next<T>(
        &mut self,
        read: impl FnOnce(&[u8], u64) -> Result<T, ReadError>,
    ) -> Result<Option<T>, ReadError> {
        let Some(line) = self.next_begin()? else { return Ok(None) };
        if self.text.take_object()? {
            return read(&self.text.object, line).map(Some);
        }
        let object = self.text.object.as_slice();
        Err(match syntax_fault(object) {
            Some(error) => fault(line, &error),
            None if object.len() as u64 >= self.text.max_bytes => ReadError::TooLong,
            None => ReadError::CutOff { line },
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
        if !self.text.pass_object(|_| true)? {
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
        self.unless_failed(|reader| {
            let recording =
                reader.next(|text, line| parsed::<RecordingObject>(text, line)?.recording(line))?;
            recording.map(|recording| part_of(recording, &reader.options)).transpose()
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
            reader.next(|text, line| {
                let Numbered { trace } = parsed(text, line)?;
                Ok(Skipped { number: trace })
            })
        })
    }
}

/// The number with which an object of a job's trace begins. `None` as well if the text ends within it.
fn number_of_job(object: &[u8]) -> Option<u64> {
    let rest = object.strip_prefix(b"{\"trace\":")?;
    let digits = rest.get(..rest.iter().position(|byte| !byte.is_ascii_digit())?)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The object of a text that begins in this line.
fn parsed<'t, T: Deserialize<'t>>(text: &'t [u8], line: u64) -> Result<T, ReadError> {
    serde_json::from_slice(text).map_err(|error| fault(line, &error))
}

/// What is wrong with an object that does not end, but for that.
fn syntax_fault(object: &[u8]) -> Option<serde_json::Error> {
    let mut rest = object;
    let error = serde_json::from_reader::<_, IgnoredAny>(&mut rest).err()?;
    // A number that is cut in the middle is wrong, and not only short.
    (error.classify() == Category::Syntax && !rest.is_empty()).then_some(error)
}

/// What is wrong with an object, whose first line is this one.
fn fault(line: u64, error: &serde_json::Error) -> ReadError {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or_default();
    if reason == ReadError::TooLong.to_string() {
        return ReadError::TooLong;
    }
    // The places of an object are counted from 1.
    let line = line + (error.line() as u64).saturating_sub(1);
    ReadError::Line { line, reason: format!("{reason}; {WANTED}") }
}

/// A text whose lines are counted.
struct Text<R> {
    input: R,
    /// The line where it was read to, from 1.
    line: u64,
    /// The object that was taken last; its memory serves the next one.
    object: Vec<u8>,
    /// What an object may have.
    max_bytes: u64,
}

impl<R: BufRead> Text<R> {
    /// Goes to what follows white space; gives its first byte and its line.
    fn next_begin(&mut self) -> io::Result<Option<(u8, u64)>> {
        loop {
            let bytes = self.input.fill_buf()?;
            let white = bytes.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let (passed, rest) = bytes.split_at(white);
            self.line += line_feeds(passed);
            let (first, is_end) = (rest.first().copied(), bytes.is_empty());
            self.input.consume(white);
            if first.is_some() || is_end {
                return Ok(first.map(|first| (first, self.line)));
            }
        }
    }

    /// The bytes that follow, as many as are in memory.
    fn peek(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    /// Takes an object into memory; whether it ends, and is not longer than it may be.
    fn take_object(&mut self) -> io::Result<bool> {
        let mut object = std::mem::take(&mut self.object);
        object.clear();
        let max_bytes = usize::try_from(self.max_bytes).unwrap_or(usize::MAX);
        let ends = self.pass_object(|bytes| {
            object.extend_from_slice(bytes);
            object.len() < max_bytes
        });
        self.object = object;
        ends
    }

    /// Goes past an object and hands over its bytes while `take` wants them; whether it ends.
    fn pass_object(&mut self, mut take: impl FnMut(&[u8]) -> bool) -> io::Result<bool> {
        let mut end = ObjectEnd::default();
        loop {
            let bytes = self.input.fill_buf()?;
            if bytes.is_empty() {
                return Ok(false);
            }
            let found = end.find(bytes);
            let passed = found.unwrap_or(bytes.len());
            let of_object = bytes.get(..passed).unwrap_or_default();
            self.line += line_feeds(of_object);
            let wants_more = take(of_object);
            self.input.consume(passed);
            if found.is_some() {
                return Ok(true);
            }
            if !wants_more {
                return Ok(false);
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

fn line_feeds(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests;

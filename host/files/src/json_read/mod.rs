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
use super::{MAX_SAMPLES, ReadError, Skipped, TraceReader};
use scopething_waveform::waveform::Waveform;

/// What should be there instead of a fault.
const WANTED: &str = "a trace is an object as `scopething capture --json` prints it";
/// More than the text of as many samples takes, and of their times.
const MAX_OBJECT_BYTES: u64 = 48 * MAX_SAMPLES as u64;

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
    text: Text<R>,
    /// What follows a fault is not read: it may be any part of an object.
    failed: bool,
}

impl<R: BufRead> JsonReader<R> {
    /// Reads from text in UTF-8.
    pub fn new(input: R) -> Self {
        Self { text: Text { input, line: 1, bytes_left: 0 }, failed: false }
    }

    /// The next object and the line that it begins in.
    fn next<T: for<'t> Deserialize<'t>>(&mut self) -> Result<Option<(T, u64)>, ReadError> {
        let line = match self.text.next_begin()? {
            None => return Ok(None),
            // A file system that lost power may leave zeros where text should be.
            Some((0, line)) => return Err(ReadError::CutOff { line }),
            Some((b'{', line)) => line,
            Some((_, line)) => return Err(ReadError::Line { line, reason: WANTED.to_owned() }),
        };
        self.text.bytes_left = MAX_OBJECT_BYTES;
        let object = T::deserialize(&mut Deserializer::from_reader(&mut self.text));
        object.map(|object| Some((object, line))).map_err(|error| match error.classify() {
            _ if self.text.bytes_left == 0 => ReadError::TooLong,
            Category::Io => ReadError::Io(error.into()),
            Category::Eof => ReadError::CutOff { line },
            Category::Syntax | Category::Data => fault(self.text.line, &error),
        })
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
            Some((object, line)) => object.recording(line).map(Some),
            None => Ok(None),
        })
    }

    fn skip(&mut self) -> Result<Option<Skipped>, ReadError> {
        #[derive(Deserialize)]
        struct Numbered {
            trace: Option<u64>,
        }
        self.unless_failed(|reader| {
            Ok(reader.next()?.map(|(Numbered { trace }, _)| Skipped { number: trace }))
        })
    }
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
    /// The line where it was read to, from 1.
    line: u64,
    bytes_left: u64,
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
}

impl<R: BufRead> Read for Text<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (&mut self.input).take(self.bytes_left).read(buffer)?;
        self.bytes_left -= count as u64;
        self.line += line_feeds(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}

fn line_feeds(bytes: &[u8]) -> u64 {
    bytes.split(|&byte| byte == b'\n').skip(1).count() as u64
}

#[cfg(test)]
mod tests;

//! Text in the encodings and with the ends of lines that programs write it with.

use std::io::{self, BufRead, BufReader, Read};

/// A text as UTF-8 with line feeds.
///
/// As UTF-16 it is known by the mark that it begins with, as what `PowerShell` redirects to a file does. Lines that end in
/// carriage returns alone are those of a text without any line feed at its beginning.
pub(crate) enum Text<R> {
    AsItIs(R),
    Decoded(BufReader<Decoder<R>>),
}

#[derive(Clone, Copy)]
enum Encoding {
    Utf16(fn([u8; 2]) -> u16),
    CarriageReturns,
}

impl<R: BufRead> Text<R> {
    /// Looks at the beginning of a text, and goes past a byte order mark.
    pub(crate) fn of(mut input: R) -> io::Result<Self> {
        const MARKS: [(&[u8], Option<Encoding>); 3] = [
            (b"\xef\xbb\xbf", None),
            (b"\xff\xfe", Some(Encoding::Utf16(u16::from_le_bytes))),
            (b"\xfe\xff", Some(Encoding::Utf16(u16::from_be_bytes))),
        ];
        let begin = input.fill_buf()?;
        let has_returns = memchr::memchr(b'\r', begin).is_some() && memchr::memchr(b'\n', begin).is_none();
        let (mark, encoding) =
            MARKS.into_iter().find(|(mark, _)| begin.starts_with(mark)).unwrap_or((b"", None));
        input.consume(mark.len());
        let encoding = encoding.or_else(|| has_returns.then_some(Encoding::CarriageReturns));
        Ok(match encoding {
            None => Self::AsItIs(input),
            Some(encoding) => Self::Decoded(BufReader::new(Decoder::new(input, encoding))),
        })
    }
}

impl<R: BufRead> Read for Text<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::AsItIs(input) => input.read(buffer),
            Self::Decoded(input) => input.read(buffer),
        }
    }
}

impl<R: BufRead> BufRead for Text<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        match self {
            Self::AsItIs(input) => input.fill_buf(),
            Self::Decoded(input) => input.fill_buf(),
        }
    }

    fn consume(&mut self, count: usize) {
        match self {
            Self::AsItIs(input) => input.consume(count),
            Self::Decoded(input) => input.consume(count),
        }
    }
}

/// Makes UTF-8 with line feeds of a text.
pub(crate) struct Decoder<R> {
    input: R,
    encoding: Encoding,
    /// What was decoded and is read.
    decoded: io::Cursor<Vec<u8>>,
    /// Bytes of a character that is not complete yet.
    begun: Vec<u8>,
}

impl<R: BufRead> Decoder<R> {
    fn new(input: R, encoding: Encoding) -> Self {
        Self { input, encoding, decoded: io::Cursor::default(), begun: Vec::new() }
    }

    /// Decodes what comes next; false at the end.
    fn decode(&mut self) -> io::Result<bool> {
        let bytes = self.input.fill_buf()?;
        let count = bytes.len();
        self.begun.extend_from_slice(bytes);
        self.input.consume(count);
        let decoded = match self.encoding {
            Encoding::CarriageReturns => {
                let ends = self.begun.iter_mut().filter(|byte| **byte == b'\r');
                ends.for_each(|byte| *byte = b'\n');
                std::mem::take(&mut self.begun)
            }
            Encoding::Utf16(unit) => {
                let (pairs, _) = self.begun.as_chunks::<2>();
                let mut units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
                // The second half of a character may still come.
                if units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) && count > 0 {
                    units.pop();
                }
                self.begun.drain(..2 * units.len());
                let characters = char::decode_utf16(units);
                let text: String = characters.map(|one| one.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
                text.into_bytes()
            }
        };
        self.decoded = io::Cursor::new(decoded);
        Ok(count > 0)
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.decoded.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            if !self.decode()? && self.decoded.get_ref().is_empty() {
                return Ok(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], at_once: usize) -> String {
        let mut text = String::new();
        let input = BufReader::with_capacity(at_once, bytes);
        Text::of(input).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn marks_and_encodings_are_taken_away() {
        let text = "time,\u{b5}V \u{1f4c8}\r\n0,1\n";
        let marked = format!("\u{feff}{text}");
        for at_once in [3, 4, 5, 7, 100] {
            for bytes in [
                text.as_bytes().to_vec(),
                marked.as_bytes().to_vec(),
                utf16(&marked, u16::to_le_bytes),
                utf16(&marked, u16::to_be_bytes),
            ] {
                assert_eq!(read(&bytes, at_once), text, "{at_once} bytes at once");
            }
        }
        assert_eq!(read(b"", 8), "");
        // Half a character at the end is none.
        assert_eq!(read(b"\xff\xfea\0\x3d\xd8", 8), "a\u{fffd}");
        assert_eq!(read(b"\xff\xfea\0b", 8), "a");
    }

    #[test]
    fn lines_may_end_in_carriage_returns() {
        assert_eq!(read(b"time,A\r0,1\r", 8), "time,A\n0,1\n");
        assert_eq!(read(b"\xef\xbb\xbftime\r0\r", 100), "time\n0\n");
    }
}

//! Lines of text as a client sends them: of bounded length, whatever it sends.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::foreign::{Foreign, Opening};

/// The longest line that is kept, in bytes: some twenty times the longest that any known client sends.
const MAX_LINE_BYTES: usize = 4096;
/// Bytes read at a time.
const CHUNK: usize = 1024;

/// A line, without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    Whole(Vec<u8>),
    /// It was longer than any command and was dropped; its length in bytes.
    TooLong(usize),
    /// The client does not speak in commands: hang up.
    Foreign(Foreign),
}

/// The lines of a stream.
#[derive(Debug)]
pub(super) struct LineReader<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Bytes of the present line that were dropped.
    dropped: usize,
    /// The first bytes were found to be no other protocol.
    is_native: bool,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), dropped: 0, is_native: false }
    }

    /// The next line; none when the client has disconnected. A partial line before that is dropped.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            if let Some(line) = self.take_line() {
                return Ok(Some(line));
            }
            let mut chunk = [0; CHUNK];
            let count = self.reader.read(&mut chunk).await?;
            if count == 0 {
                return Ok(None);
            }
            self.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        }
    }

    fn take_line(&mut self) -> Option<Line> {
        if !self.is_native {
            match Opening::of(&self.buffer) {
                Opening::Foreign(foreign) => return Some(Line::Foreign(foreign)),
                Opening::Undecided => return None,
                Opening::Native => self.is_native = true,
            }
        }
        let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') else {
            if self.buffer.len() > MAX_LINE_BYTES || self.dropped > 0 {
                self.dropped += self.buffer.len();
                self.buffer.clear();
            }
            return None;
        };
        let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
        line.pop();
        match std::mem::take(&mut self.dropped) + line.len() {
            length if length > MAX_LINE_BYTES => Some(Line::TooLong(length)),
            _ => Some(Line::Whole(line)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    async fn all(stream: &[u8]) -> Vec<Line> {
        let mut lines = LineReader::new(stream);
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            all.push(line);
        }
        all
    }

    #[tokio::test]
    async fn lines_are_cut_at_their_ends() {
        let whole = |text: &[u8]| Line::Whole(text.to_vec());
        assert_eq!(
            all(b"*IDN?\n\n:TIM:SCAL 1\r\nhalf").await,
            [whole(b"*IDN?"), whole(b""), whole(b":TIM:SCAL 1\r")]
        );
    }

    #[tokio::test]
    async fn long_line_is_dropped() {
        let mut stream = vec![b'x'; 1 << 20];
        stream.extend(b"\n*IDN?\n");
        assert_eq!(all(&stream).await, [Line::TooLong(1 << 20), Line::Whole(b"*IDN?".to_vec())]);
        let mut lines = LineReader::new(stream.as_slice());
        let _ = lines.next().await;
        assert!(lines.buffer.capacity() <= 4 * MAX_LINE_BYTES, "{}", lines.buffer.capacity());
    }

    proptest! {
        #![proptest_config(crate::fixed_seed::fixed_seed(64))]

        #[test]
        fn lines_do_not_depend_on_chunks(
            pieces in vec(vec(prop_oneof![3 => Just(b'a'), 1 => Just(b'\n')], 1..3000), 0..8),
        ) {
            let whole = pieces.concat();
            let mut stream: Box<dyn AsyncRead + Unpin> = Box::new(tokio::io::empty());
            for piece in pieces.iter().rev() {
                stream = Box::new(tokio::io::AsyncReadExt::chain(piece.as_slice(), stream));
            }
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let (one, other) = runtime.block_on(async {
                let mut lines = LineReader::new(stream);
                let mut read = Vec::new();
                while let Some(line) = lines.next().await.unwrap() {
                    read.push(line);
                }
                (read, all(&whole).await)
            });
            prop_assert_eq!(one, other);
        }
    }
}

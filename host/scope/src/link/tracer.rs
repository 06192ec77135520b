//! Watches what goes over a link.

use std::fmt;

use embedded_io_async::{ErrorType, Read, Write};
use scopething_core::time::{Clock, Instant};

/// Which way bytes went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the device.
    Written,
    /// From the device.
    Read,
}

/// Bytes that went over a link in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// When the link had accepted or delivered them.
    pub at: Instant,
    /// Which way they went.
    pub direction: Direction,
    /// The bytes, at least one.
    pub bytes: &'a [u8],
}

/// Shows each chunk that a stream reads or writes to a callback, and changes nothing.
///
/// ```
/// use embedded_io_async::{Read as _, Write as _};
/// use scopething::link::{Direction, HostClock, Tracer};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let mut seen = Vec::new();
/// let show = |chunk: scopething::link::Chunk<'_>| seen.push((chunk.direction, chunk.bytes.to_vec()));
/// let mut input = Tracer::new(&b"BS000501"[..], HostClock::new(), show);
/// input.read(&mut [0; 2]).await?;
/// assert_eq!(seen, [(Direction::Read, b"BS".to_vec())]);
/// # Ok::<(), std::convert::Infallible>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Tracer<S, C, F> {
    stream: S,
    clock: C,
    show: F,
}

impl<S, C: Clock, F: FnMut(Chunk<'_>)> Tracer<S, C, F> {
    /// Watches `stream`; `show` gets each chunk with the time of `clock`.
    pub fn new(stream: S, clock: C, show: F) -> Self {
        Self { stream, clock, show }
    }

    fn report(&mut self, direction: Direction, bytes: Option<&[u8]>) {
        if let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) {
            (self.show)(Chunk { at: self.clock.now(), direction, bytes });
        }
    }
}

impl<S: fmt::Debug, C, F> fmt::Debug for Tracer<S, C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl<S: ErrorType, C, F> ErrorType for Tracer<S, C, F> {
    type Error = S::Error;
}

impl<S: Read, C: Clock, F: FnMut(Chunk<'_>)> Read for Tracer<S, C, F> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, S::Error> {
        let count = self.stream.read(buf).await?;
        self.report(Direction::Read, buf.get(..count));
        Ok(count)
    }
}

impl<S: Write, C: Clock, F: FnMut(Chunk<'_>)> Write for Tracer<S, C, F> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, S::Error> {
        let count = self.stream.write(buf).await?;
        self.report(Direction::Written, buf.get(..count));
        Ok(count)
    }

    async fn flush(&mut self) -> Result<(), S::Error> {
        self.stream.flush().await
    }
}

#[cfg(test)]
mod tests {
    use super::super::HostClock;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tracing_passes_bytes_unchanged() {
        let clock = HostClock::new();
        let mut seen = Vec::new();
        let mut written = [0; 8];
        let mut output = Tracer::new(&mut written[..], clock, |chunk: Chunk<'_>| {
            seen.push((chunk.at, chunk.direction, chunk.bytes.to_vec()));
        });
        output.write_all(b"[21@").await.unwrap();
        tokio::time::advance(std::time::Duration::from_micros(1500)).await;
        output.write_all(b"U").await.unwrap();
        output.flush().await.unwrap();
        assert_eq!(
            seen,
            [
                (Instant(0), Direction::Written, b"[21@".to_vec()),
                (Instant(1500), Direction::Written, b"U".to_vec())
            ]
        );
        assert_eq!(written, *b"[21@U\0\0\0");
    }
}

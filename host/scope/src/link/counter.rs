//! Counts what a capture costs on a link.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use embedded_io_async::{ErrorType, Read, Write};

/// Counts the bytes and round trips of a stream, and changes nothing else.
///
/// ```
/// use embedded_io_async::Write as _;
/// use scopething::link::{Counter, Counts};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let mut device = [0; 16];
/// let mut stream = Counter::new(&mut device[..]);
/// let counts = stream.counts();
/// stream.write_all(b"[21@").await?;
/// assert_eq!(counts.so_far(), Counts { bytes_written: 4, bytes_read: 0, round_trips: 1 });
/// # Ok::<(), embedded_io::SliceWriteError>(())
/// # }).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Counter<S> {
    stream: S,
    counts: CountReader,
    /// The next write begins a round trip.
    turn: bool,
}

/// What went over a stream. The difference of two is what happened between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Counts {
    /// Bytes to the device.
    pub bytes_written: u64,
    /// Bytes from the device.
    pub bytes_read: u64,
    /// Writes that follow a read: each had to wait for an answer. The first write of all counts too.
    pub round_trips: u64,
}

impl std::ops::Sub for Counts {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            bytes_written: self.bytes_written.saturating_sub(earlier.bytes_written),
            bytes_read: self.bytes_read.saturating_sub(earlier.bytes_read),
            round_trips: self.round_trips.saturating_sub(earlier.round_trips),
        }
    }
}

/// Reads the counts of a [`Counter`] that has been moved elsewhere.
#[derive(Debug, Clone, Default)]
pub struct CountReader {
    cells: Arc<Cells>,
}

#[derive(Debug, Default)]
struct Cells {
    bytes_written: AtomicU64,
    bytes_read: AtomicU64,
    round_trips: AtomicU64,
}

impl CountReader {
    /// What went over the stream since the counter was put on it.
    #[must_use]
    pub fn so_far(&self) -> Counts {
        Counts {
            bytes_written: self.cells.bytes_written.load(Ordering::Relaxed),
            bytes_read: self.cells.bytes_read.load(Ordering::Relaxed),
            round_trips: self.cells.round_trips.load(Ordering::Relaxed),
        }
    }
}

impl<S> Counter<S> {
    /// Counts what goes over `stream` from now on.
    pub fn new(stream: S) -> Self {
        Self { stream, counts: CountReader::default(), turn: true }
    }

    /// A view of the counts that stays when the stream is given away.
    #[must_use]
    pub fn counts(&self) -> CountReader {
        self.counts.clone()
    }
}

impl<S: ErrorType> ErrorType for Counter<S> {
    type Error = S::Error;
}

impl<S: Read> Read for Counter<S> {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, S::Error> {
        let count = self.stream.read(buf).await?;
        self.counts.cells.bytes_read.fetch_add(count as u64, Ordering::Relaxed);
        self.turn |= count > 0;
        Ok(count)
    }
}

impl<S: Write> Write for Counter<S> {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, S::Error> {
        let count = self.stream.write(buf).await?;
        self.counts.cells.bytes_written.fetch_add(count as u64, Ordering::Relaxed);
        if count > 0 && std::mem::take(&mut self.turn) {
            self.counts.cells.round_trips.fetch_add(1, Ordering::Relaxed);
        }
        Ok(count)
    }

    async fn flush(&mut self) -> Result<(), S::Error> {
        self.stream.flush().await
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Takes anything, and sends one byte at a time.
    struct Chatter;

    impl ErrorType for Chatter {
        type Error = Infallible;
    }

    impl Read for Chatter {
        async fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
            Ok(buf.len().min(1))
        }
    }

    impl Write for Chatter {
        async fn write(&mut self, buf: &[u8]) -> Result<usize, Infallible> {
            Ok(buf.len().min(3))
        }

        async fn flush(&mut self) -> Result<(), Infallible> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn round_trip_is_a_write_after_a_read() {
        let mut stream = Counter::new(Chatter);
        let counts = stream.counts();
        stream.write_all(b"[21@").await.unwrap();
        stream.read_exact(&mut [0; 4]).await.unwrap();
        let connected = counts.so_far();
        assert_eq!(connected, Counts { bytes_written: 4, bytes_read: 4, round_trips: 1 });
        stream.write_all(b"U").await.unwrap();
        stream.write_all(b">D").await.unwrap();
        stream.read_exact(&mut [0; 7]).await.unwrap();
        stream.write_all(b"A").await.unwrap();
        assert_eq!(counts.so_far() - connected, Counts { bytes_written: 4, bytes_read: 7, round_trips: 2 });
    }
}

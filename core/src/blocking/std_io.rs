//! Streams and the clock of `std`.

use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};

use embassy_futures::yield_now;
use embedded_io::ErrorType;

use super::until_done;
use crate::time::{Clock, Instant};

/// Makes a stream of `std::io` one that the driver takes.
///
/// Set a read timeout of some milliseconds on it first, such as
/// [`TcpStream::set_read_timeout`](std::net::TcpStream::set_read_timeout). A read that it ends is pending, whether the
/// platform calls that `TimedOut` or, as Unix does, `WouldBlock`.
///
/// ```no_run
/// use std::net::TcpStream;
/// use std::time::Duration;
///
/// use scopething_core::blocking::{StdClock, StdStream, block_on};
/// use scopething_core::scope::{LinkProfile, Scope};
///
/// # fn connect() -> Result<(), Box<dyn std::error::Error>> {
/// let stream = TcpStream::connect("127.0.0.1:5025")?;
/// stream.set_read_timeout(Some(Duration::from_millis(5)))?;
/// stream.set_nodelay(true)?;
/// let scope = block_on(Scope::connect(StdStream(stream), StdClock::new(), LinkProfile::NETWORK))?;
/// println!("{}", scope.revision());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StdStream<S>(pub S);

/// As `embedded-io` has it: a time-out of any platform is `TimedOut`.
fn unified(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::WouldBlock { ErrorKind::TimedOut.into() } else { error }
}

fn attempt<T>(mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match operation() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result.map_err(unified),
        }
    }
}

impl<S> ErrorType for StdStream<S> {
    type Error = io::Error;
}

impl<S: Read> embedded_io_async::Read for StdStream<S> {
    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        until_done(|| attempt(|| self.0.read(buffer))).await
    }
}

impl<S: Write> embedded_io_async::Write for StdStream<S> {
    async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        until_done(|| attempt(|| self.0.write(bytes))).await
    }

    async fn flush(&mut self) -> io::Result<()> {
        attempt(|| self.0.flush())
    }
}

/// How long a wait sleeps between two looks at what else it waits for.
const POLL_INTERVAL: Duration = Duration::from_micros(200);

/// The monotonic clock of the operating system, in microseconds since it was made. For [`StdStream`]s; a program with
/// an asynchronous runtime implements [`Clock`] with that one's timers.
#[derive(Debug, Clone)]
pub struct StdClock {
    start: std::time::Instant,
}

impl StdClock {
    /// A clock that starts now.
    #[must_use]
    pub fn new() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl Default for StdClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for StdClock {
    fn now(&self) -> Instant {
        Instant(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    async fn until(&self, deadline: Instant) {
        while self.now() < deadline {
            // The first look at a stream comes before any sleep.
            yield_now().await;
            std::thread::sleep(POLL_INTERVAL.min((deadline - self.now()).into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::vec::Vec;

    use embassy_futures::select::{Either, select};
    use embedded_io_async::Read as _;

    use super::super::block_on;
    use super::*;
    use crate::time::Micros;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        near.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        (near, far)
    }

    #[test]
    fn expired_read_timeout_is_a_pending_read() {
        let (near, mut far) = pair();
        let (mut stream, clock) = (StdStream(near), StdClock::new());
        let mut byte = [0];
        let deadline = clock.now() + Micros::from_millis(50);
        assert!(matches!(
            block_on(select(stream.read(&mut byte), clock.until(deadline))),
            Either::Second(())
        ));
        assert!(clock.now() >= deadline);
        far.write_all(b"!").unwrap();
        assert_eq!(block_on(stream.read(&mut byte)).unwrap(), 1);
        assert_eq!(byte, *b"!");
    }

    #[test]
    fn polling_does_not_block() {
        let (near, _far) = pair();
        near.set_read_timeout(None).unwrap();
        let mut stream = StdStream(near);
        let mut byte = [0];
        assert!(matches!(block_on(select(stream.read(&mut byte), async {})), Either::Second(())));
    }

    /// Fails in turn as listed in `errors`.
    struct Failing(Vec<ErrorKind>);

    impl std::io::Read for Failing {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            self.0.pop().map_or(Ok(0), |kind| Err(kind.into()))
        }
    }

    #[test]
    fn only_time_outs_and_interruptions_are_tried_again() {
        let mut stream = StdStream(Failing(Vec::from([
            ErrorKind::TimedOut,
            ErrorKind::Interrupted,
            ErrorKind::WouldBlock,
        ])));
        assert_eq!(block_on(stream.read(&mut [0])).unwrap(), 0);
        let mut stream = StdStream(Failing(Vec::from([ErrorKind::ConnectionReset])));
        assert_eq!(block_on(stream.read(&mut [0])).unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
}

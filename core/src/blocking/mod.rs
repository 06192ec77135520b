//! The driver over streams that block: adapters that make them look asynchronous, and [`block_on`], which runs any of
//! the driver's futures to completion. There is no second driver.
//!
//! [`BlockingStream`] takes any stream of `embedded-io`, [`PolledClock`] any clock that can be read. With the feature
//! `std`, `StdStream` takes whatever reads and writes as `std::io` does (a `TcpStream`, a serial port), and
//! `StdClock` is the clock of the operating system.
//!
//! A blocking stream must not block for ever: its reads end with a time-out when nothing has come for a short while,
//! such as 5 ms. Between such reads the driver looks at its deadlines and at whether the caller has cancelled. How long
//! a stream blocks sets how late that can be; it does not slow down a capture.
//!
//! To cancel, give a future that looks at a flag each time that it is polled: [`cancelled`].
//!
//! ```no_run
//! use scopething_core::blocking::{BlockingClock, BlockingStream, PolledClock, block_on};
//! use scopething_core::plan::{CaptureRequest, Channel};
//! use scopething_core::scope::{LinkProfile, Scope};
//! use scopething_core::trace::TraceBuffer;
//!
//! fn samples<S, C>(port: S, clock: C) -> Option<usize>
//! where
//!     S: embedded_io::Read + embedded_io::Write,
//!     C: BlockingClock,
//! {
//!     let (port, clock) = (BlockingStream(port), PolledClock(clock));
//!     let mut scope = block_on(Scope::connect(port, clock, LinkProfile::SERIAL)).ok()?;
//!     let plan = scope.plan(&CaptureRequest::new(Channel::A)).ok()?;
//!     let mut buffer = TraceBuffer::new();
//!     let trace = block_on(scope.capture(&plan, &mut buffer)).ok()?;
//!     Some(trace.samples().into())
//! }
//! ```
//!
//! # What is different
//!
//! To look whether a byte has come that nobody waits for would cost a blocking stream a whole time-out. So a byte too
//! many behind a dump is not noticed with that dump, but when the next script is echoed.

#[cfg(feature = "std")]
mod std_io;

use core::future::{Future, poll_fn};
use core::task::Poll;

pub use embassy_futures::block_on;
use embassy_futures::yield_now;
use embedded_io::{Error, ErrorKind, ErrorType};

#[cfg(feature = "std")]
pub use std_io::{StdClock, StdStream};

use crate::time::{Clock, Instant};

/// A clock that is only read.
pub trait BlockingClock {
    /// The present moment.
    fn now(&self) -> Instant;
}

/// Makes a [`BlockingClock`] a [`Clock`]: waiting means looking again after each read that timed out.
#[derive(Debug)]
pub struct PolledClock<C>(pub C);

impl<C: BlockingClock> Clock for PolledClock<C> {
    fn now(&self) -> Instant {
        self.0.now()
    }

    async fn until(&self, deadline: Instant) {
        while self.0.now() < deadline {
            yield_now().await;
        }
    }
}

/// Makes a blocking stream an asynchronous one: a read that timed out is a read that is pending.
#[derive(Debug)]
pub struct BlockingStream<S>(pub S);

impl<S: ErrorType> ErrorType for BlockingStream<S> {
    type Error = S::Error;
}

impl<S: embedded_io::Read> embedded_io_async::Read for BlockingStream<S> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, S::Error> {
        until_done(|| self.0.read(buffer)).await
    }
}

impl<S: embedded_io::Write> embedded_io_async::Write for BlockingStream<S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, S::Error> {
        until_done(|| self.0.write(bytes)).await
    }

    async fn flush(&mut self) -> Result<(), S::Error> {
        self.0.flush()
    }
}

/// Tries again whenever an attempt timed out.
///
/// Yields ahead of each attempt: who only asks whether a stream has something does not wait for it.
async fn until_done<E: Error>(mut attempt: impl FnMut() -> Result<usize, E>) -> Result<usize, E> {
    loop {
        yield_now().await;
        match attempt() {
            Err(error) if error.kind() == ErrorKind::TimedOut => {}
            result => return result,
        }
    }
}

/// Completes as soon as `flag` is set, which is checked each time that a read has timed out: the cancel future of a
/// capture.
pub fn cancelled(mut flag: impl FnMut() -> bool) -> impl Future<Output = ()> {
    poll_fn(move |_| if flag() { Poll::Ready(()) } else { Poll::Pending })
}

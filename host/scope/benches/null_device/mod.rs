//! A device that answers everything at once with the same bytes: what remains is what the driver itself
//! takes.
//!
//! It knows no registers. A trace is over when it starts, and a dump sends as many zeros as it was made
//! for.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{pending, ready};

use embedded_io_async::{ErrorType, Read, Write};
use scopething_core::time::{Clock, Instant};

/// The echo of `D`, the packet that the trace has started, and the one that it is done
/// (reference.md#4-a-trace).
const TRACE: &[u8] = b"D02\r00000000\r00\r00000000\r00000000\r";

/// The stream to the device.
pub(crate) struct NullDevice {
    answers: VecDeque<u8>,
    dump_bytes: usize,
}

impl NullDevice {
    /// A device whose every dump has so many bytes.
    pub(crate) fn new(dump_bytes: usize) -> Self {
        Self { answers: VecDeque::new(), dump_bytes }
    }

    fn execute(&mut self, command: u8) {
        match command {
            b'?' => self.answers.extend(b"?\rBS000501\r"),
            b'r' => self.answers.extend(b"r\r30\r"),
            b'D' => self.answers.extend(TRACE),
            b'A' => {
                self.answers.push_back(command);
                self.answers.resize(self.answers.len() + self.dump_bytes, 0);
            }
            _ => self.answers.push_back(command),
        }
    }
}

impl ErrorType for NullDevice {
    type Error = Infallible;
}

impl Read for NullDevice {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        match std::io::Read::read(&mut self.answers, buffer) {
            Ok(count) if count > 0 => Ok(count),
            _ => pending().await,
        }
    }
}

impl Write for NullDevice {
    async fn write(&mut self, buffer: &[u8]) -> Result<usize, Infallible> {
        for &command in buffer {
            self.execute(command);
        }
        Ok(buffer.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A clock for a device that answers at once: nothing that has not come yet will come, so every deadline is
/// over.
pub(crate) struct NullClock;

impl Clock for NullClock {
    fn now(&self) -> Instant {
        Instant(0)
    }

    fn until(&self, _deadline: Instant) -> impl Future<Output = ()> {
        ready(())
    }
}

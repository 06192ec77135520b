//! A device that answers everything at once with the same bytes: what remains is what the driver itself
//! takes.
//!
//! It knows no registers. A trace takes as long as it was made for, which is over at once, and a dump sends as many zeros.

use std::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{pending, ready};
use std::rc::Rc;

use embedded_io_async::{ErrorType, Read, Write};
use scopething_core::time::{Clock, Instant};

/// Ticks of the device's clock in a microsecond (reference.md#4-a-trace).
const TICKS: u64 = 40;

/// The stream to the device.
pub(crate) struct NullDevice {
    answers: VecDeque<u8>,
    dump_bytes: usize,
    trace_us: u64,
    now_us: Rc<Cell<u64>>,
}

impl NullDevice {
    /// A device whose every trace takes so many microseconds, and every dump has so many bytes; and its clock.
    pub(crate) fn new(trace_us: u64, dump_bytes: usize) -> (Self, NullClock) {
        let now_us = Rc::default();
        let clock = NullClock { now_us: Rc::clone(&now_us) };
        (Self { answers: VecDeque::new(), dump_bytes, trace_us, now_us }, clock)
    }

    /// The echo of `D`, the packet that the trace has started, and the one that it is done
    /// (reference.md#4-a-trace).
    fn trace(&mut self) {
        let (start, end) = (self.now_us.get(), self.now_us.get() + self.trace_us);
        self.now_us.set(end);
        self.answers.extend(b"D02\r");
        self.answers.extend(hexadecimal(start * TICKS));
        self.answers.extend(b"\r00\r");
        self.answers.extend(hexadecimal(end * TICKS));
        self.answers.extend(b"\r00000000\r");
    }

    fn execute(&mut self, command: u8) {
        match command {
            b'?' => self.answers.extend(b"?\rBS000501\r"),
            b'r' => self.answers.extend(b"r\r30\r"),
            b'D' => self.trace(),
            b'A' => {
                self.answers.push_back(command);
                self.answers.resize(self.answers.len() + self.dump_bytes, 0);
            }
            _ => self.answers.push_back(command),
        }
    }
}

/// The lower 32 bits, as the device writes them.
fn hexadecimal(ticks: u64) -> [u8; 8] {
    let digit = |place: usize| b"0123456789abcdef"[(ticks >> (28 - 4 * place) & 15) as usize];
    std::array::from_fn(digit)
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
/// over. Only traces take time.
pub(crate) struct NullClock {
    now_us: Rc<Cell<u64>>,
}

impl Clock for NullClock {
    fn now(&self) -> Instant {
        Instant(self.now_us.get())
    }

    fn until(&self, _deadline: Instant) -> impl Future<Output = ()> {
        ready(())
    }
}

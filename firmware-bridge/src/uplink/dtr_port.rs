//! When a serial port of USB counts as open, and what becomes of its bytes.
//!
//! Software that opens a serial port raises DTR as a rule, and the operating system lowers it when that software ends, however
//! it ends. Some leaves DTR alone: its port is open from its first byte on, until it has been silent for a minute.

use core::task::Poll;

use embassy_futures::poll_once;
use embassy_futures::select::{Either, Either3, select, select3};
use embedded_io_async::{BufRead, ErrorType, Read, Write};
use scopething_core::time::{Clock, Instant, Micros};

use super::direct::DirectPort;
use crate::control::until;

/// A port without DTR counts as closed after so long without a byte.
const SILENCE: Micros = Micros::from_millis(60_000);

/// The lines of a serial port that the computer sets.
pub trait Lines {
    /// Whether DTR is set. It is not once the computer has reset the bus.
    fn dtr(&self) -> bool;

    /// Completes when the computer has set any of them since this completed last.
    fn changed(&self) -> impl Future<Output = ()>;
}

/// A serial port, made of what comes from the computer, what goes there, and its lines.
pub struct DtrPort<R, W, L, C> {
    receiver: R,
    sender: W,
    lines: L,
    clock: C,
    /// DTR has been set since it was opened.
    by_dtr: bool,
    /// When it counts as closed, if nothing is received and DTR was never set.
    silent_at: Instant,
}

impl<R: BufRead, W: Write<Error = R::Error>, L: Lines, C: Clock> DtrPort<R, W, L, C> {
    /// A port that nobody has opened yet. Dropping a read of `receiver` must lose nothing.
    pub fn new(receiver: R, sender: W, lines: L, clock: C) -> Self {
        Self { receiver, sender, lines, clock, by_dtr: false, silent_at: Instant(0) }
    }

    /// Takes what is there to be read, without waiting for more.
    fn take(&mut self, bytes: &mut [u8]) -> Result<usize, R::Error> {
        self.silent_at = self.clock.now() + SILENCE;
        match poll_once(self.receiver.read(bytes)) {
            Poll::Ready(count) => count,
            Poll::Pending => Ok(0),
        }
    }
}

impl<R: BufRead, W, L, C> ErrorType for DtrPort<R, W, L, C> {
    type Error = R::Error;
}

impl<R: BufRead, W: Write<Error = R::Error>, L: Lines, C: Clock> Read for DtrPort<R, W, L, C> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, R::Error> {
        loop {
            self.by_dtr |= self.lines.dtr();
            if self.by_dtr && !self.lines.dtr() {
                // What was sent ahead of the closing goes first: left here, it would be taken for software without DTR.
                return self.take(bytes);
            }
            let silent_at = (!self.by_dtr).then_some(self.silent_at);
            let silence = until(&self.clock, silent_at);
            match select3(self.receiver.fill_buf(), self.lines.changed(), silence).await {
                Either3::First(filled) => {
                    filled?;
                    return self.take(bytes);
                }
                Either3::Second(()) => {}
                Either3::Third(()) => return Ok(0),
            }
        }
    }
}

impl<R: BufRead, W: Write<Error = R::Error>, L: Lines, C: Clock> Write for DtrPort<R, W, L, C> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, R::Error> {
        self.sender.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), R::Error> {
        self.sender.flush().await
    }
}

impl<R: BufRead, W: Write<Error = R::Error>, L: Lines, C: Clock> DirectPort for DtrPort<R, W, L, C> {
    async fn opened(&mut self) {
        self.by_dtr = false;
        while !self.lines.dtr() {
            match select(self.receiver.fill_buf(), self.lines.changed()).await {
                Either::First(Ok(_)) => break,
                Either::First(Err(_)) | Either::Second(()) => {}
            }
        }
        self.silent_at = self.clock.now() + SILENCE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::cell::{Cell, RefCell};
    use std::collections::VecDeque;
    use std::future::poll_fn;
    use std::pin::{Pin, pin};
    use std::task::{Context, Waker};

    use embassy_futures::block_on;

    use crate::control::{Bridge, Taker};
    use crate::fake::FakeFlash;
    use crate::store::{Store, StoreLayout, StoreMemory};
    use crate::uplink::direct;

    /// A computer with the port, and a clock that the test advances.
    #[derive(Default)]
    struct Computer {
        now: Cell<u64>,
        dtr: Cell<bool>,
        has_set_lines: Cell<bool>,
        /// The bus was reset: what waits for a packet fails.
        was_reset: Cell<bool>,
        to_board: RefCell<VecDeque<u8>>,
        from_board: RefCell<Vec<u8>>,
    }

    impl Computer {
        fn send(&self, bytes: &[u8]) {
            self.to_board.borrow_mut().extend(bytes);
        }

        fn set_dtr(&self, dtr: bool) {
            self.dtr.set(dtr);
            self.has_set_lines.set(true);
        }

        /// As when it starts anew: the device is reset, and configured once more.
        fn reset_bus(&self) {
            self.set_dtr(false);
            self.was_reset.set(true);
        }
    }

    #[derive(Debug, PartialEq, Eq)]
    struct WasReset;

    impl core::fmt::Display for WasReset {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str("the bus was reset")
        }
    }

    impl core::error::Error for WasReset {}

    impl embedded_io_async::Error for WasReset {
        fn kind(&self) -> embedded_io_async::ErrorKind {
            embedded_io_async::ErrorKind::NotConnected
        }
    }

    /// The board's end of the port.
    #[derive(Clone, Copy)]
    struct End<'a>(&'a Computer);

    /// What has come, in packets of 64 bytes.
    struct Packets<'a> {
        end: End<'a>,
        packet: Vec<u8>,
    }

    impl ErrorType for End<'_> {
        type Error = WasReset;
    }

    impl ErrorType for Packets<'_> {
        type Error = WasReset;
    }

    impl BufRead for Packets<'_> {
        async fn fill_buf(&mut self) -> Result<&[u8], WasReset> {
            poll_fn(|_| {
                if self.end.0.was_reset.take() {
                    return Poll::Ready(Err(WasReset));
                }
                if self.packet.is_empty() {
                    let mut sent = self.end.0.to_board.borrow_mut();
                    let count = sent.len().min(64);
                    self.packet.extend(sent.drain(..count));
                }
                if self.packet.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
            })
            .await?;
            Ok(&self.packet)
        }

        fn consume(&mut self, count: usize) {
            self.packet.drain(..count);
        }
    }

    impl Read for Packets<'_> {
        async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, WasReset> {
            let filled = self.fill_buf().await?;
            let count = filled.len().min(bytes.len());
            bytes[..count].copy_from_slice(&filled[..count]);
            self.consume(count);
            Ok(count)
        }
    }

    impl Write for End<'_> {
        async fn write(&mut self, bytes: &[u8]) -> Result<usize, WasReset> {
            self.0.from_board.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        async fn flush(&mut self) -> Result<(), WasReset> {
            Ok(())
        }
    }

    impl Lines for End<'_> {
        fn dtr(&self) -> bool {
            self.0.dtr.get()
        }

        async fn changed(&self) {
            poll_fn(|_| if self.0.has_set_lines.take() { Poll::Ready(()) } else { Poll::Pending }).await;
        }
    }

    impl Clock for End<'_> {
        fn now(&self) -> Instant {
            Instant(self.0.now.get())
        }

        async fn until(&self, deadline: Instant) {
            poll_fn(|_| if self.now() >= deadline { Poll::Ready(()) } else { Poll::Pending }).await;
        }
    }

    /// The port in service, as on the board.
    struct Service<'a> {
        computer: &'a Computer,
        bridge: &'a Bridge<FakeFlash>,
        serving: Pin<&'a mut dyn Future<Output = ()>>,
    }

    impl Service<'_> {
        /// Lets the board do what there is to do, so many milliseconds later.
        fn after(&mut self, millis: u64) -> Taker {
            self.computer.now.set(self.computer.now.get() + millis * 1_000);
            let mut context = Context::from_waker(Waker::noop());
            assert!(self.serving.as_mut().poll(&mut context).is_pending());
            self.bridge.taker()
        }

        /// What has come for the BitScope.
        fn received(&self) -> Vec<u8> {
            let mut bytes = [0; 256];
            let count = self.bridge.up().try_read(&mut bytes).unwrap_or_default();
            bytes[..count].to_vec()
        }
    }

    /// As a task that never ends.
    async fn serve<P: DirectPort>(bridge: &Bridge<FakeFlash>, clock: End<'_>, port: P) {
        direct::serve(bridge, clock, port).await;
    }

    fn with_service(test: impl FnOnce(&Computer, &mut Service<'_>)) {
        let layout = StoreLayout::of(0..16 * 4096).unwrap();
        let memory = Box::leak(Box::new(StoreMemory::<0>::new()));
        let store = block_on(Store::open(FakeFlash::new(16), layout, memory)).unwrap();
        let bridge = Bridge::new(store, None);
        let computer = Computer::default();
        // Not the start of time: nothing is due because of that.
        computer.now.set(3_600_000_000);
        let end = End(&computer);
        let port = DtrPort::new(Packets { end, packet: Vec::new() }, end, end, end);
        let serving = pin!(serve(&bridge, end, port));
        let mut service = Service { computer: &computer, bridge: &bridge, serving };
        assert_eq!(service.after(0), Taker::Uplink, "nobody has opened it");
        test(&computer, &mut service);
    }

    #[test]
    fn port_without_dtr_closes_a_minute_after_its_last_byte() {
        with_service(|computer, service| {
            computer.send(b"!");
            assert_eq!(service.after(0), Taker::Direct);
            assert_eq!(service.after(59_000), Taker::Direct);
            computer.send(b"?");
            assert_eq!(service.after(0), Taker::Direct);
            assert_eq!(service.after(59_999), Taker::Direct, "the minute begins with each byte");
            assert_eq!(service.received(), b"!?");
            assert_eq!(service.after(1), Taker::Uplink);
            assert_eq!(service.after(3_600_000), Taker::Uplink, "and it stays closed");
            computer.send(b"?");
            assert_eq!(service.after(0), Taker::Direct);
            assert_eq!(service.received(), b"?", "the byte that opens it is not lost");
        });
    }

    #[test]
    fn lines_that_are_set_without_dtr_do_not_open_or_hold_the_port() {
        with_service(|computer, service| {
            computer.set_dtr(false);
            assert_eq!(service.after(0), Taker::Uplink);
            computer.send(b"?");
            assert_eq!(service.after(0), Taker::Direct);
            computer.set_dtr(false);
            assert_eq!(service.after(59_999), Taker::Direct);
            assert_eq!(service.after(1), Taker::Uplink);
        });
    }

    #[test]
    fn port_with_dtr_is_open_until_that_is_cleared() {
        with_service(|computer, service| {
            computer.set_dtr(true);
            assert_eq!(service.after(0), Taker::Direct);
            assert_eq!(service.after(3_600_000), Taker::Direct, "silent, but open");
            computer.send(b"?");
            computer.set_dtr(false);
            assert_eq!(service.after(0), Taker::Uplink);
            assert_eq!(service.received(), b"", "it went with the port");
            assert_eq!(service.after(0), Taker::Uplink, "a byte from before opens nothing");
        });
    }

    #[test]
    fn dtr_that_comes_after_the_first_byte_ends_the_minute() {
        with_service(|computer, service| {
            computer.send(b"?");
            assert_eq!(service.after(0), Taker::Direct);
            assert_eq!(service.after(30_000), Taker::Direct);
            computer.set_dtr(true);
            assert_eq!(service.after(0), Taker::Direct);
            assert_eq!(service.after(3_600_000), Taker::Direct);
            computer.set_dtr(false);
            assert_eq!(service.after(0), Taker::Uplink);
        });
    }

    #[test]
    fn computer_that_starts_anew_has_closed_the_port() {
        with_service(|computer, service| {
            for is_by_dtr in [true, false] {
                if is_by_dtr {
                    computer.set_dtr(true);
                } else {
                    computer.send(b"?");
                }
                assert_eq!(service.after(0), Taker::Direct, "by DTR: {is_by_dtr}");
                computer.reset_bus();
                assert_eq!(service.after(0), Taker::Uplink, "by DTR: {is_by_dtr}");
                assert_eq!(service.after(3_600_000), Taker::Uplink, "by DTR: {is_by_dtr}");
            }
        });
    }
}

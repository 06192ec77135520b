//! The port that is the BitScope itself, beside the uplink: for software that knows nothing of bridges.
//!
//! While a computer has it open, what the BitScope sends goes there, and what comes by it goes to the BitScope; the uplink
//! answers messages meanwhile, but passes nothing through. An armed job goes on until bytes come, and gives way for a minute
//! after the last.

use embassy_futures::select::{Either, select};
use embedded_io_async::{Read, Write};
use scopething_core::time::Clock;

use crate::control::{Bridge, Taker};

/// Bytes that are handed on at once: one packet of USB.
const CHUNK: usize = 64;

/// A port that computers open and close. Reading gives 0 bytes once it is closed.
pub trait DirectPort: Read + Write {
    /// Completes while a computer has it open.
    fn opened(&mut self) -> impl Future<Output = ()>;
}

/// Serves the port for ever.
///
/// # Cancellation
/// Dropping the future may drop bytes, and leaves the port as if it were open.
pub async fn serve<F, C: Clock, P: DirectPort>(bridge: &Bridge<F>, clock: C, mut port: P) -> ! {
    loop {
        port.opened().await;
        bridge.set_taker(Taker::Direct);
        // One that fails is closed.
        carry(bridge, &clock, &mut port).await.ok();
        bridge.set_taker(Taker::Uplink);
    }
}

/// Copies both ways until the port is closed.
async fn carry<F, C: Clock, P: DirectPort>(
    bridge: &Bridge<F>,
    clock: &C,
    port: &mut P,
) -> Result<(), P::Error> {
    let mut received = [0; CHUNK];
    let mut passed = [0; CHUNK];
    loop {
        match select(port.read(&mut received), bridge.down(Taker::Direct).read(&mut passed)).await {
            Either::First(count) => {
                let count = count?;
                if count == 0 {
                    return Ok(());
                }
                bridge.pass_up(received.get(..count).unwrap_or_default(), clock).await;
            }
            Either::Second(count) => {
                port.write_all(passed.get(..count).unwrap_or_default()).await?;
                port.flush().await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::cell::RefCell;
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::future::{pending, poll_fn};
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use embassy_futures::block_on;
    use embedded_io_async::ErrorType;
    use scopething_core::time::{Instant, Micros};

    use crate::control::{Mode, Want};
    use crate::store::{Store, StoreLayout, StoreMemory};

    /// A clock that stands still, so that nothing becomes late.
    #[derive(Clone, Copy)]
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Instant {
            Instant(1_000_000)
        }

        async fn until(&self, _deadline: Instant) {
            pending::<()>().await;
        }
    }

    /// What a computer does with the port, step by step, and what it gets.
    #[derive(Default)]
    struct Wire {
        open: bool,
        to_board: VecDeque<u8>,
        from_board: Vec<u8>,
    }

    struct Port<'a>(&'a RefCell<Wire>);

    impl ErrorType for Port<'_> {
        type Error = Infallible;
    }

    impl Read for Port<'_> {
        async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Infallible> {
            poll_fn(|_| {
                let mut wire = self.0.borrow_mut();
                if !wire.open {
                    return Poll::Ready(Ok(0));
                }
                let count = bytes.len().min(wire.to_board.len());
                for (place, byte) in bytes.iter_mut().zip(wire.to_board.drain(..count)) {
                    *place = byte;
                }
                if count == 0 { Poll::Pending } else { Poll::Ready(Ok(count)) }
            })
            .await
        }
    }

    impl Write for Port<'_> {
        async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
            self.0.borrow_mut().from_board.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        async fn flush(&mut self) -> Result<(), Infallible> {
            Ok(())
        }
    }

    impl DirectPort for Port<'_> {
        async fn opened(&mut self) {
            poll_fn(|_| if self.0.borrow().open { Poll::Ready(()) } else { Poll::Pending }).await;
        }
    }

    fn bridge() -> Bridge<crate::fake::FakeFlash> {
        let layout = StoreLayout::of(0..16 * 4096).unwrap();
        let memory = Box::leak(Box::new(StoreMemory::<0>::new()));
        let store = Store::open(crate::fake::FakeFlash::new(16), layout, memory);
        Bridge::new(block_on(store).unwrap(), None)
    }

    #[test]
    fn an_open_port_has_the_bitscope_and_leaves_the_uplink_its_messages() {
        let bridge = bridge();
        let wire = RefCell::new(Wire::default());
        let mut serving = pin!(serve(&bridge, Still, Port(&wire)));
        let mut context = Context::from_waker(Waker::noop());
        let mut step = || assert!(serving.as_mut().poll(&mut context).is_pending());
        let now = Still.now();

        step();
        assert_eq!(bridge.taker(), Taker::Uplink, "nobody has opened it");
        bridge.set_mode(Mode::Messages, false, now);
        assert_eq!(bridge.want(now), Want::Nothing);

        wire.borrow_mut().open = true;
        step();
        assert_eq!((bridge.taker(), bridge.want(now)), (Taker::Direct, Want::PassThrough));

        wire.borrow_mut().to_board.extend(b"?");
        step();
        let mut taken = [0; 8];
        assert_eq!(bridge.up().try_read(&mut taken), Ok(1));
        assert_eq!(taken[0], b'?');
        assert_eq!(bridge.down(bridge.taker()).try_write(b"BS000501"), Ok(8));
        step();
        assert_eq!(wire.borrow().from_board, b"BS000501");

        // Messages by the uplink meanwhile take nothing from it.
        assert_eq!(bridge.down(Taker::Direct).try_write(b"abc"), Ok(3));
        bridge.set_mode(Mode::PassThrough, true, now);
        bridge.set_mode(Mode::Messages, false, now);
        step();
        assert_eq!(wire.borrow().from_board, b"BS000501abc");

        assert_eq!(bridge.down(Taker::Direct).try_write(b"late"), Ok(4));
        wire.borrow_mut().open = false;
        step();
        assert_eq!((bridge.taker(), bridge.want(now)), (Taker::Uplink, Want::Nothing));
        assert_eq!(
            bridge.down(Taker::Direct).try_read(&mut taken).ok(),
            None,
            "nothing is kept for who comes next"
        );
    }

    #[test]
    fn an_order_waits_while_bytes_pass_by_the_port() {
        let bridge = bridge();
        let wire = RefCell::new(Wire { open: true, ..Wire::default() });
        let mut serving = pin!(serve(&bridge, Still, Port(&wire)));
        let mut context = Context::from_waker(Waker::noop());
        let now = Still.now();
        assert!(serving.as_mut().poll(&mut context).is_pending());
        bridge.set_order(crate::control::Order::CaptureNow);
        assert!(matches!(bridge.want(now), Want::Order(_)), "the port is open, but nobody speaks");
        wire.borrow_mut().to_board.extend(b"!");
        assert!(serving.as_mut().poll(&mut context).is_pending());
        assert_eq!(bridge.want(now), Want::PassThrough);
        assert!(matches!(bridge.want(now + Micros::from_millis(60_000)), Want::Order(_)), "a minute later");
    }
}

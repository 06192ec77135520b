//! The driver with a device that answers anything, cut anywhere: a trace or a typed error, in bounded time.
//!
//! Every byte written is echoed, so that the driver gets somewhere; what follows comes from the input, in which a byte
//! of 80 (hex) or more is an instruction: read on in smaller pieces, keep an echo back, fall silent.

#![no_main]

use core::cell::Cell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::poll_fn;
use std::task::Poll;

use embassy_futures::block_on;
use embedded_io_async::{ErrorType, Read, Write};
use libfuzzer_sys::fuzz_target;
use scopething_core::plan::{AnalogChannel, CaptureRequest};
use scopething_core::scope::{LinkProfile, Scope};
use scopething_core::time::{Clock, Instant, Micros};
use scopething_core::trace::TraceBuffer;

/// More than all time-outs of connecting and two captures with their recoveries add up to.
const LIMIT: Micros = Micros::from_millis(60_000);

fuzz_target!(|bytes: &[u8]| {
    let Some((setting, bytes)) = bytes.split_first() else { return };
    let clock = Leaping::default();
    let device = Liar { script: bytes.to_vec().into(), answers: VecDeque::new(), piece: 64, silent: false };
    let mut scope = Scope::new(device, &clock, LinkProfile::SERIAL);
    let channels = ["A", "A,B", "L", "A,L0"][usize::from(setting & 3)].parse().expect("channels");
    let request = CaptureRequest {
        samples: 20,
        period_s: 1e-3,
        timeout_s: (setting & 4 != 0).then_some(0.01),
        ..CaptureRequest::new(channels)
    };
    let verified = setting & 8 != 0;
    let plan = scope.plan(&scope.model().analog, &request).expect("it can be planned");
    let mut buffer = TraceBuffer::new();
    block_on(async {
        if let Err(error) = scope.open().await {
            assert!(!error.to_string().is_empty());
        }
        for _ in 0..2 {
            // Nobody waits longer for a trigger than a second.
            let enough = Box::pin(clock.until(clock.now() + Micros::from_millis(1000)));
            let captured = if verified {
                scope.capture_verified_until(&plan, &mut buffer, enough).await
            } else {
                scope.capture_until(&plan, &mut buffer, enough).await
            };
            match captured {
                Ok(trace) => {
                    assert!(trace.samples() <= plan.timebase.samples);
                    for channel in [AnalogChannel::A, AnalogChannel::B] {
                        let volts = trace.analog(channel).into_iter().flat_map(|view| view.values());
                        assert!(volts.into_iter().all(f32::is_finite));
                    }
                    assert!(trace.logic().is_none_or(|view| view.bytes().count() == view.len()));
                }
                Err(error) => assert!(!error.to_string().is_empty()),
            }
        }
    });
    assert!(clock.now() <= Instant(LIMIT.0), "it took {:?}", clock.now());
});

/// A device that lies.
struct Liar {
    script: VecDeque<u8>,
    answers: VecDeque<u8>,
    /// The most bytes that a read gives.
    piece: usize,
    silent: bool,
}

impl ErrorType for Liar {
    type Error = Infallible;
}

impl Liar {
    /// Takes answers out of the script until an instruction ends them; tells which.
    fn say(&mut self) -> Option<u8> {
        while let Some(byte) = self.script.pop_front() {
            if byte >= 0x80 {
                return Some(byte & 0x7f);
            }
            self.answers.push_back(byte);
        }
        None
    }
}

impl Read for Liar {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        poll_fn(|_| {
            if self.answers.is_empty() && !self.silent {
                match self.say() {
                    Some(0) => self.silent = true,
                    Some(piece) => self.piece = usize::from(piece),
                    None => {}
                }
            }
            let count = self.answers.len().min(self.piece).min(buffer.len());
            if count == 0 {
                // The clock goes on, and this is asked again.
                return Poll::Pending;
            }
            for (slot, byte) in buffer.iter_mut().zip(self.answers.drain(..count)) {
                *slot = byte;
            }
            Poll::Ready(Ok(count))
        })
        .await
    }
}

impl Write for Liar {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        // What the driver says begins a new turn, in which the first instruction may keep the echo back.
        self.silent = false;
        match self.say() {
            Some(0x7f) => {}
            Some(0x7e) => self.answers.extend(bytes.iter().skip(1)),
            _ => self.answers.extend(bytes),
        }
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A clock that leaps to a deadline when nobody else had anything to do in between.
#[derive(Default)]
struct Leaping {
    now: Cell<u64>,
}

impl Clock for Leaping {
    fn now(&self) -> Instant {
        Instant(self.now.get())
    }

    async fn until(&self, deadline: Instant) {
        let mut asked = false;
        poll_fn(|context| {
            if self.now.get() >= deadline.0 || std::mem::replace(&mut asked, true) {
                self.now.set(self.now.get().max(deadline.0));
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

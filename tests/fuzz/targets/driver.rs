//! The driver with a device whose answers are changed and cut anywhere: a trace or a typed error, in bounded time.
//!
//! The first byte chooses what is captured. The rest are edits of four bytes: how many bytes from the device pass
//! before (two bytes, low first), what is done, and a byte to do it with.

#![no_main]

use std::collections::VecDeque;
use std::future::pending;

use embassy_futures::block_on;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use libfuzzer_sys::fuzz_target;
use scopething_core::plan::{AnalogChannel, CaptureRequest, ChannelSet};
use scopething_core::scope::{CaptureOptions, LinkProfile, Scope};
use scopething_core::time::{Clock, Instant, Micros};
use scopething_core::trace::TraceBuffer;
use scopething_sim::{SimConfig, SimLink};

/// What the link of these runs is taken for.
const PROFILE: LinkProfile = LinkProfile { round_trip: Micros::from_millis(20), ..LinkProfile::SERIAL };
/// More than all time-outs of connecting and two captures with their recoveries add up to.
const LIMIT: Instant = Instant(60_000_000);

fuzz_target!(|bytes: &[u8]| {
    let Some((setting, bytes)) = bytes.split_first() else { return };
    let link =
        SimLink::new(&SimConfig::from_query("clock=fast&A=sine,10kHz,0..3V").expect("a configuration"));
    let clock = link.clock();
    let edits = bytes.as_chunks::<4>().0.iter().copied().collect();
    let editor = Editor { link, edits, passed: 0, inserted: VecDeque::new(), piece: 64, silent: false };
    let mut scope = Scope::new(editor, clock.clone(), PROFILE);
    let channels: ChannelSet = ["A", "A,B", "L", "A,L0"][usize::from(setting & 3)].parse().expect("channels");
    let request = CaptureRequest {
        samples: 20,
        period_s: 1e-3,
        timeout_s: (setting & 4 != 0).then_some(0.01),
        ..CaptureRequest::new(channels)
    };
    let verified = setting & 8 != 0;
    let plan = scope.plan(&request).expect("it can be planned");
    let mut buffer = TraceBuffer::new();
    block_on(async {
        if let Err(error) = scope.open().await {
            assert!(!error.to_string().is_empty());
        }
        for _ in 0..2 {
            // The user cancels soon: simulating a second in which nothing triggers would take most of the time.
            let enough = Box::pin(clock.until(clock.now() + Micros::from_millis(20)));
            let options = CaptureOptions::new().cancelled_by(enough);
            let captured = if verified {
                scope.capture_with(&plan, &mut buffer, options.verified()).await
            } else {
                scope.capture_with(&plan, &mut buffer, options).await
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

/// Changes what the device sends.
struct Editor {
    link: SimLink,
    edits: VecDeque<[u8; 4]>,
    /// Bytes from the device since the last edit.
    passed: usize,
    /// What is sent in its stead.
    inserted: VecDeque<u8>,
    /// The most bytes that a read gives.
    piece: usize,
    /// Nothing is sent before the driver writes.
    silent: bool,
}

impl Editor {
    /// How many bytes pass before the next edit.
    fn sound_length(&self) -> usize {
        let due = |edit: &[u8; 4]| usize::from(u16::from_le_bytes([edit[0], edit[1]])) - self.passed;
        self.edits.front().map_or(usize::MAX, due)
    }

    /// Does the edit that is due.
    async fn edit(&mut self) -> Result<(), ErrorKind> {
        let Some([_, _, what, byte]) = self.edits.pop_front() else { return Ok(()) };
        self.passed = 0;
        match what % 6 {
            0 => self.skip().await?,
            1 => {
                self.skip().await?;
                self.inserted.push_back(byte);
            }
            2 => self.inserted.push_back(byte),
            3 => self.inserted.extend(vec![what; byte.into()]),
            4 => self.piece = usize::from(byte).max(1),
            _ => self.silent = true,
        }
        Ok(())
    }

    async fn skip(&mut self) -> Result<(), ErrorKind> {
        self.link.read(&mut [0]).await.map(drop)
    }
}

impl ErrorType for Editor {
    type Error = ErrorKind;
}

impl Read for Editor {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        loop {
            if self.silent {
                pending::<()>().await;
            }
            let most = buffer.len().min(self.piece);
            let count = most.min(self.inserted.len());
            if count > 0 || most == 0 {
                for (slot, byte) in buffer.iter_mut().zip(self.inserted.drain(..count)) {
                    *slot = byte;
                }
                return Ok(count);
            }
            match self.sound_length() {
                0 => self.edit().await?,
                length => {
                    let count = self.link.read(&mut buffer[..most.min(length)]).await?;
                    self.passed += count;
                    return Ok(count);
                }
            }
        }
    }
}

impl Write for Editor {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.silent = false;
        self.link.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.link.flush().await
    }
}

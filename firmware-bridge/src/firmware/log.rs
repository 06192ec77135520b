//! The log: defmt's frames, to a debug probe by RTT and to a ring that the uplink reads.

use core::cell::UnsafeCell;

use critical_section::RestoreState;
use rtt_target::{ChannelMode, UpChannel, rtt_init};
use scopething_bridge::log::LogRing;

/// What the uplink can still read.
const RING_BYTES: usize = 4096;

struct State {
    encoder: defmt::Encoder,
    ring: LogRing<RING_BYTES>,
    channel: Option<UpChannel>,
    /// How interrupts stood before the frame that is being written, if one is.
    restore: Option<RestoreState>,
}

struct Shared(UnsafeCell<State>);

// SAFETY: the state is reached only in a critical section, and there is one core.
unsafe impl Sync for Shared {}

static STATE: Shared = Shared(UnsafeCell::new(State {
    encoder: defmt::Encoder::new(),
    ring: LogRing::new(),
    channel: None,
    restore: None,
}));

/// Readies RTT. What is logged before goes to the ring alone.
pub(super) fn start() {
    let channels = rtt_init! {
        up: {
            0: { size: 1024, mode: ChannelMode::NoBlockSkip, name: "defmt" }
        }
        section_cb: ".uninit.rtt"
    };
    critical_section::with(|_| {
        // SAFETY: in a critical section, and no reference outlives it.
        unsafe { (*STATE.0.get()).channel = Some(channels.up.0) };
    });
}

/// Copies bytes of the log: see [`Board::read_log`](scopething_bridge::uplink::Board::read_log).
pub(super) fn read(from: u32, bytes: &mut [u8]) -> (u32, usize) {
    critical_section::with(|_| {
        // SAFETY: in a critical section, and no reference outlives it.
        unsafe { (*STATE.0.get()).ring.read(from, bytes) }
    })
}

#[defmt::global_logger]
struct Logger;

// SAFETY: from `acquire` to `release` interrupts are off, so that no other frame begins in between.
unsafe impl defmt::Logger for Logger {
    fn acquire() {
        // SAFETY: `release` gives it back.
        let restore = unsafe { critical_section::acquire() };
        // SAFETY: in a critical section. A value that logs while it is logged would come here again: it has a
        // bug, and is stopped.
        let state = unsafe { &mut *STATE.0.get() };
        assert!(state.restore.is_none(), "a log frame in a log frame");
        state.restore = Some(restore);
        let State { encoder, ring, channel, .. } = state;
        encoder.start_frame(|bytes| put(ring, channel, bytes));
    }

    unsafe fn flush() {}

    unsafe fn release() {
        // SAFETY: in the critical section of `acquire`.
        let state = unsafe { &mut *STATE.0.get() };
        let State { encoder, ring, channel, restore } = state;
        encoder.end_frame(|bytes| put(ring, channel, bytes));
        if let Some(restore) = restore.take() {
            // SAFETY: it is what `acquire` was given.
            unsafe { critical_section::release(restore) };
        }
    }

    unsafe fn write(bytes: &[u8]) {
        // SAFETY: in the critical section of `acquire`.
        let State { encoder, ring, channel, .. } = unsafe { &mut *STATE.0.get() };
        encoder.write(bytes, |bytes| put(ring, channel, bytes));
    }
}

fn put(ring: &mut LogRing<RING_BYTES>, channel: &mut Option<UpChannel>, bytes: &[u8]) {
    ring.push(bytes);
    if let Some(channel) = channel {
        channel.write(bytes);
    }
}

// With `rp-pio-usb-host` there is one already: in microseconds, by embassy-time.
#[cfg(not(feature = "one-cable"))]
defmt::timestamp!("{=u32:ms}", super::clock::now_ms());

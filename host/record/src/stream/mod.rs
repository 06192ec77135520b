//! Streams on the host: frames of the device become rows at the rate that was asked for.
//!
//! [`Thinner`] takes what the driver's [`Stream`](scopething_core::scope::Stream) gives and returns rows to be written, drawn or
//! recorded; memory is that of one row. [`receive`] runs a stream and hands its rows on.

mod receive;
mod thinner;

use scopething_core::plan::{SampleRange, StreamPlan};
use thiserror::Error;

use scopething_files::stream::StreamHeader;
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::waveform::Range;

pub use self::receive::{CHUNK_FRAMES, receive};
pub use self::thinner::{Thinner, Thinning};

/// The scope is behind an RP2040 bridge.
///
/// The bridge lends it until its client has sent nothing for 10 minutes, then an armed job takes it back. A client that
/// receives a stream sends nothing: each byte is a command to the device, and an answer of the bridge to a request would stand
/// among the frames, which have no place for it. A stream that is renewed before that time would have a gap each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a stream cannot be taken through a bridge: it takes the BitScope back when its client has sent nothing for 10 minutes, and \
     nothing may be sent during a stream; plug the BitScope into a computer"
)]
pub struct BehindBridge;

/// What files of a stream are made for. `start` is when it began, by the computer's clock.
#[must_use]
pub fn header(plan: &StreamPlan, thinning: Thinning, start: UnixMicros) -> StreamHeader {
    let range = plan.range.of_channels(plan.channels).map(|(low, high)| Range { low, high });
    StreamHeader {
        columns: thinner::columns(plan, thinning),
        row_ticks: u64::from(plan.ticks) * u64::from(plan.thinning),
        clock_hz: plan.clock_hz,
        thinning: plan.thinning,
        start,
        range,
        raw: plan.range == SampleRange::Fractions,
        warnings: plan.notices.iter().map(ToString::to_string).collect(),
    }
}

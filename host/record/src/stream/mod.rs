//! Streams on the host: frames of the device become rows at the rate that was asked for.
//!
//! Nothing here does input or output: [`Thinner`] takes what the driver's
//! [`Stream`](scopething_core::scope::Stream) gives and returns rows to be written, drawn or recorded. Memory is
//! that of one row.

mod thinner;

use scopething_core::plan::{SampleRange, StreamPlan};
use thiserror::Error;

use scopething_files::stream::StreamHeader;
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::waveform::Range;

pub use self::thinner::{Thinner, Thinning};

/// The scope is behind an RP2040 bridge.
///
/// The bridge lends it while its client sends. A client that receives a stream sends nothing, and a job that is armed would
/// take the scope back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "a stream cannot be taken through a bridge, whose own job would break into it: plug the BitScope into a computer"
)]
pub struct BehindBridge;

/// What files of a stream are made for. `start` is when it began, by the computer's clock.
#[must_use]
pub fn header(plan: &StreamPlan, thinning: Thinning, start: UnixMicros) -> StreamHeader {
    let range = match plan.range {
        SampleRange::Volts { low, high, .. } if plan.channels.analog() != 0 => Some(Range { low, high }),
        _ => None,
    };
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

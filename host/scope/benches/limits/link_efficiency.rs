//! How long captures take on a modelled link, compared with the least that the link allows.
//!
//! Time is simulated: the ratios are the same on every machine. The benchmark of this name prints them, the
//! test of this name proves the limit.

use std::fmt;

use crate::metered::{Cost, Failure, MeteredScope, least_round_trips};
use scopething_core::plan::{CapturePlan, CaptureRequest, ChannelSet, TriggerType};
use scopething_core::trace::EndReason;

/// The modelled link's latency each way, in seconds.
const LATENCY_S: f64 = 1e-3;
/// The time of a byte on the modelled link, in seconds: 8 bits with start and stop at 1 Mbit/s.
const BYTE_S: f64 = 10.0 / 1e6;
/// A link as the constants above have it, and an input that is above the trigger level from the beginning on.
const LINK: &str = "latency=1ms&rate=1Mbps&A=dc,3V&B=dc,3V";

/// The packet that a trace starts with: it, and the echo of the command before it, travel while samples are
/// taken (reference.md#4-a-trace).
const BYTES_DURING_TRACE: u64 = 13;

/// The most that a capture may take, as a multiple of the least.
const MAX_RATIO: f64 = 1.0 / 0.95;

/// The driver's clock counts whole microseconds: what that is of the shortest capture here, 0.13 s.
const CLOCK_STEP: f64 = 1e-6 / 0.13;

/// Captures that fill the buffer of 12288 bytes: channels, samples, time span in seconds.
const CASES: [(&str, u32, f64); 6] = [
    ("A", 12_288, 614.4e-6),
    ("A", 12_288, 12.288e-3),
    ("A", 12_288, 122.88e-3),
    ("A", 6144, 61.44e-3),
    ("A,B", 12_288, 12.288e-3),
    ("A,B,L", 6144, 6.144e-3),
];

/// A capture: what it took, and the least it could have taken.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    cost: Cost,
    /// The least time that the bytes read, the round trips and the time span take, in seconds.
    least_s: f64,
    /// The same with no bytes but the samples' and no more round trips than there must be, in seconds: no
    /// driver is faster.
    floor_s: f64,
}

impl Row {
    fn new(name: String, plan: &CapturePlan, cost: Cost) -> Self {
        let span_s = plan.duration_s();
        let counts = cost.counts;
        let bytes = counts.bytes_read.saturating_sub(BYTES_DURING_TRACE);
        Self {
            name,
            cost,
            least_s: span_s + link_time_s(counts.round_trips, bytes),
            floor_s: span_s + link_time_s(least_round_trips(plan), plan.dump_bytes() as u64),
        }
    }

    /// The time it took as a multiple of the least.
    fn ratio(&self) -> f64 {
        self.cost.time.seconds() / self.least_s
    }

    /// The time it took as a multiple of what the best of drivers would need.
    fn ratio_to_floor(&self) -> f64 {
        self.cost.time.seconds() / self.floor_s
    }

    /// Whether the limit holds, against the floor too, and the time is not shorter than can be.
    pub(crate) fn holds(&self) -> bool {
        (1.0 - CLOCK_STEP..=MAX_RATIO).contains(&self.ratio()) && self.ratio_to_floor() <= MAX_RATIO
    }

    /// The heads of the columns of a table of rows.
    pub(crate) fn heads() -> String {
        format!(
            "{:34} {:>6} {:>5} {:>9} {:>9} {:>7} {:>9} {:>7} {:>7}",
            "capture", "read", "trips", "time/ms", "least/ms", "ratio", "floor/ms", "ratio", "most"
        )
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.cost.counts;
        write!(
            f,
            "{:34} {:>6} {:>5} {:>9.3} {:>9.3} {:>7.4} {:>9.3} {:>7.4} {MAX_RATIO:>7.4} {}",
            self.name,
            counts.bytes_read,
            counts.round_trips,
            self.cost.time.seconds() * 1e3,
            self.least_s * 1e3,
            self.ratio(),
            self.floor_s * 1e3,
            self.ratio_to_floor(),
            if self.holds() { "holds" } else { "BROKEN" }
        )
    }
}

/// The time that round trips, and bytes one after the other, take on the modelled link, in seconds.
fn link_time_s(round_trips: u64, bytes: u64) -> f64 {
    round_trips as f64 * 2.0 * LATENCY_S + bytes as f64 * BYTE_S
}

/// Takes the time of each capture, the first after connecting and the same again.
pub(crate) async fn measure() -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for (channels, samples, period_s) in CASES {
        let (mut scope, _) = MeteredScope::connect(LINK).await?;
        let request = CaptureRequest {
            period_s,
            samples,
            level: Some(0.0),
            trigger_type: TriggerType::Above,
            ..CaptureRequest::new(channels.parse::<ChannelSet>()?)
        };
        let plan = scope.plan(&request)?;
        for turn in ["first", "repeated"] {
            let (cause, cost) = scope.capture(&plan).await?;
            let planned = u32::from(plan.timebase.samples);
            if cause != EndReason::Trigger || planned != samples {
                return Err(format!("{channels}: {planned} samples, ended by {cause}").into());
            }
            let name = format!("{channels}, {samples} in {:.1} ms, {turn}", period_s * 1e3);
            rows.push(Row::new(name, &plan, cost));
        }
    }
    Ok(rows)
}

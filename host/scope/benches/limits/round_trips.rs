//! Bytes and round trips of connecting and of captures, and what they may be at the most.
//!
//! The counts are the same on every machine. The benchmark of this name prints them, the test of this name
//! proves the limits.

use std::fmt;

use crate::metered::{Failure, MeteredScope, least_round_trips};
use scopething::link::Counts;
use scopething::request::JsonRequest;
use scopething_core::plan::{CapturePlan, CaptureRequest, ChannelSet, PlanError, TraceEnd};

/// A capture and the limits that are set to it.
struct Case {
    channels: &'static str,
    samples: u32,
    period_s: f64,
    /// The most bytes that a first capture writes, and a repeated one.
    bytes_written: [Option<u64>; 2],
}

/// The most bytes that captures of one analog channel write: the first after connecting, and the same again.
const ONE_CHANNEL_BYTES: [Option<u64>; 2] = [Some(160), Some(23)];
/// The most round trips that connecting takes.
const CONNECT_ROUND_TRIPS: u64 = 3;
/// The latencies of links that are connected over, in milliseconds each way.
const CONNECT_LATENCIES_MS: [u32; 3] = [0, 1, 16];

const CASES: [Case; 5] = [
    Case { bytes_written: ONE_CHANNEL_BYTES, ..Case::of("A") },
    Case { bytes_written: ONE_CHANNEL_BYTES, samples: 12_288, period_s: 12.288e-3, ..Case::of("A") },
    Case::of("A,B"),
    Case::of("A,B,L"),
    Case::of("L"),
];

impl Case {
    /// What is captured by default: 1000 samples in 1 ms.
    const fn of(channels: &'static str) -> Self {
        Self { channels, samples: 1000, period_s: 1e-3, bytes_written: [None; 2] }
    }
}

/// Inputs on which every trigger of the cases comes.
const SIGNALS: &str = "A=sine,1kHz,-2..4V&B=triangle,500Hz,0..3V";

/// Capture requests as users make them, for the costliest among them.
const REQUESTS: &str = include_str!("../../../../tests/data/plan.jsonl");

/// One operation: what it took and what it may take.
#[derive(Debug)]
pub(crate) struct Row {
    name: String,
    counts: Counts,
    /// The most bytes that it may write.
    bytes_written: Option<u64>,
    /// The most round trips that it may take.
    round_trips: Option<u64>,
    /// The bytes of the samples that must have come.
    sample_bytes: u64,
}

impl Row {
    fn of_capture(name: String, plan: &CapturePlan, counts: Counts, bytes_written: Option<u64>) -> Self {
        // The command with which the host ends a trace that takes too long.
        let cancel = u64::from(matches!(plan.end, TraceEnd::HostTimeout(_)));
        Self {
            name,
            counts,
            bytes_written: bytes_written.map(|most| most + cancel),
            round_trips: Some(least_round_trips(plan)),
            sample_bytes: plan.dump_bytes() as u64,
        }
    }

    /// Whether the limits hold.
    pub(crate) fn holds(&self) -> bool {
        let within = |count, limit: Option<u64>| limit.is_none_or(|limit| count <= limit);
        within(self.counts.bytes_written, self.bytes_written)
            && within(self.counts.round_trips, self.round_trips)
            && self.counts.bytes_read > self.sample_bytes
    }

    /// The heads of the columns of a table of rows.
    pub(crate) fn heads() -> String {
        format!(
            "{:34} {:>7} {:>5} {:>6} {:>6} {:>5}",
            "operation", "written", "most", "read", "trips", "most"
        )
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = |limit: Option<u64>| limit.map_or_else(|| "-".to_owned(), |limit| limit.to_string());
        let Counts { bytes_written, bytes_read, round_trips: trips } = self.counts;
        let (most, most_trips) = (limit(self.bytes_written), limit(self.round_trips));
        let outcome = match (self.bytes_written, self.round_trips) {
            (None, None) => "",
            _ if self.holds() => "holds",
            _ => "BROKEN",
        };
        let name = &self.name;
        write!(
            f,
            "{name:34} {bytes_written:>7} {most:>5} {bytes_read:>6} {trips:>6} {most_trips:>5} {outcome}"
        )
    }
}

/// Takes the counts of all operations.
pub(crate) async fn measure() -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for latency_ms in CONNECT_LATENCIES_MS {
        let (_, connecting) = MeteredScope::connect(&format!("latency={latency_ms}ms")).await?;
        rows.push(Row {
            name: format!("connect, {latency_ms} ms away: {:.1} ms", connecting.time.seconds() * 1e3),
            counts: connecting.counts,
            bytes_written: None,
            round_trips: Some(CONNECT_ROUND_TRIPS),
            sample_bytes: 0,
        });
    }
    for case in &CASES {
        let Case { channels, samples, period_s, bytes_written } = *case;
        let request =
            CaptureRequest { samples, period_s, ..CaptureRequest::new(channels.parse::<ChannelSet>()?) };
        rows.extend(first_and_repeated(channels, &request, bytes_written).await?);
    }
    rows.extend(costliest_requests().await?);
    Ok(rows)
}

async fn first_and_repeated(
    name: &str,
    request: &CaptureRequest,
    bytes_written: [Option<u64>; 2],
) -> Result<[Row; 2], Failure> {
    let (mut scope, _) = MeteredScope::connect(SIGNALS).await?;
    let plan = scope.plan(request)?;
    let (_, first) = scope.capture(&plan).await?;
    let (_, repeated) = scope.capture(&plan).await?;
    let samples = plan.timebase.samples;
    Ok([
        Row::of_capture(format!("{name}, {samples} samples, first"), &plan, first.counts, bytes_written[0]),
        Row::of_capture(
            format!("{name}, {samples} samples, again"),
            &plan,
            repeated.counts,
            bytes_written[1],
        ),
    ])
}

/// Of the requests for one analog channel in `tests/data/plan.jsonl`, those that write most: ranges, levels and
/// timeouts of many digits.
async fn costliest_requests() -> Result<Vec<Row>, Failure> {
    let (mut firsts, mut repetitions) = (Vec::new(), Vec::new());
    for line in REQUESTS.lines() {
        let (mut request, _) = JsonRequest::parse(line)?.resolve()?;
        if request.channels.analog_count() != 1 || request.channels.logic() != 0 {
            continue;
        }
        // Not every trigger comes on these signals; a timeout takes no fewer bytes than none.
        request.timeout_s = request.timeout_s.or(Some(0.0));
        match first_and_repeated("costliest A or B", &request, ONE_CHANNEL_BYTES).await {
            Ok([first, repeated]) => {
                firsts.push(first);
                repetitions.push(repeated);
            }
            Err(error) if error.is::<PlanError>() => {}
            Err(error) => return Err(error),
        }
    }
    let costliest = |rows: Vec<Row>| rows.into_iter().max_by_key(|row| row.counts.bytes_written);
    Ok([firsts, repetitions].into_iter().filter_map(costliest).collect())
}

//! The driver on a simulated link, with meters on it: bytes, round trips and simulated time of what it does.

use std::error::Error;

use scopething::link::{CountReader, Counter, Counts};
use scopething_core::plan::{CapturePlan, CaptureRequest, PlanError, TraceEnd};
use scopething_core::scope::Scope;
use scopething_core::time::{Clock, Instant, Micros};
use scopething_core::trace::{BufferLayout, DumpChannel, EndReason, TraceBuffer};
use scopething_sim::{SimClock, SimConfig, SimLink};

/// Why something could not be measured.
pub(crate) type Failure = Box<dyn Error>;

/// What an operation took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Bytes and round trips.
    pub(crate) counts: Counts,
    /// Simulated time from before the first byte was written to after the last was read.
    pub(crate) time: Micros,
}

/// A connected driver whose operations are metered.
pub(crate) struct MeteredScope {
    scope: Scope<Counter<SimLink>, SimClock>,
    meter: Meter,
}

/// Reads the meters.
struct Meter {
    counts: CountReader,
    clock: SimClock,
}

impl Meter {
    fn read(&self) -> (Counts, Instant) {
        (self.counts.so_far(), self.clock.now())
    }

    fn since(&self, (counts, moment): (Counts, Instant)) -> Cost {
        Cost { counts: self.counts.so_far() - counts, time: self.clock.now() - moment }
    }
}

impl MeteredScope {
    /// Connects to a new simulated device, which `query` describes and whose time is simulated as well.
    /// Gives what connecting took.
    pub(crate) async fn connect(query: &str) -> Result<(Self, Cost), Failure> {
        let link = SimLink::new(&SimConfig::from_query(&format!("clock=fast&{query}"))?);
        let (clock, profile) = (link.clock(), link.profile());
        let stream = Counter::new(link);
        let meter = Meter { counts: stream.counts(), clock: clock.clone() };
        let before = meter.read();
        let scope = Scope::connect(stream, clock, profile).await?;
        let cost = meter.since(before);
        Ok((Self { scope, meter }, cost))
    }

    /// Plans a capture with nominal probes.
    pub(crate) fn plan(&self, request: &CaptureRequest) -> Result<CapturePlan, PlanError> {
        self.scope.plan(request)
    }

    /// Captures a trace. Gives why it ended and what it took.
    pub(crate) async fn capture(&mut self, plan: &CapturePlan) -> Result<(EndReason, Cost), Failure> {
        let mut buffer = TraceBuffer::new();
        let before = self.meter.read();
        let cause = self.scope.capture(plan, &mut buffer).await?.end_reason();
        Ok((cause, self.meter.since(before)))
    }
}

/// The round trips without which a capture cannot be had. Nothing may be written while a trace runs, and a
/// dump must have been read before the next begins (reference.md#1-the-link): one for the trace, one for
/// each channel that is dumped, and one for the `K` with which the host ends a trace that takes too long.
pub(crate) fn least_round_trips(plan: &CapturePlan) -> u64 {
    let layout = BufferLayout::new(plan, plan.timebase.samples);
    let dumps = DumpChannel::ALL.into_iter().filter(|&channel| layout.samples(channel) > 0).count();
    let ended_by_host = matches!(plan.end, TraceEnd::HostTimeout(_));
    1 + dumps as u64 + u64::from(ended_by_host)
}

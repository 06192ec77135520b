//! Experiment 9: waits for a trigger that does not come, through the driver.

use std::future::{Future, pending};

use scopething_core::plan::{AnalogChannel, CapturePlan, CaptureRequest, ChannelSet};
use scopething_core::scope::CaptureOptions;
use scopething_core::time::{Clock as _, Micros};
use scopething_core::trace::{EndReason, TraceBuffer};

use crate::Finding;
use crate::bench::Bench;
use crate::outcome::Notes;
use crate::stop::Stop;

/// Above what an open input reaches, within the range.
const LEVEL_V: f64 = 7.9;
/// Ended by the device itself, which counts to 0.42 s at most.
const DEVICE_TIMEOUT_S: f64 = 0.2;
/// Ended by the host, by `K`.
const HOST_TIMEOUT_S: f64 = 1.0;
/// When the user gives up, in seconds.
const CANCEL_AFTER_S: f64 = 0.3;
/// What an end may be late, beside the round trips of the link.
const MAX_LATE_S: f64 = 0.3;

pub(super) async fn run(bench: &mut Bench, notes: &mut Notes) -> Result<(), Stop> {
    let cases = [
        ("the device's time-out", Some(DEVICE_TIMEOUT_S), EndReason::Timeout, DEVICE_TIMEOUT_S),
        ("the host's time-out", Some(HOST_TIMEOUT_S), EndReason::Timeout, HOST_TIMEOUT_S),
        ("Ctrl-C", None, EndReason::Cancel, CANCEL_AFTER_S),
        ("at once", Some(0.0), EndReason::Timeout, 0.0),
    ];
    let late_s = MAX_LATE_S + 3.0 * bench.profile.round_trip.seconds();
    // The driver resets a device that was spoken to without it: that is no part of the wait.
    bench.scope.reset().await?;
    for (name, timeout_s, cause, after_s) in cases {
        let plan = plan(bench, timeout_s)?;
        let started = bench.clock.now();
        let clock = bench.clock.clone();
        let cancel = async move {
            if cause == EndReason::Cancel {
                clock.until(started + Micros::from_seconds(after_s)).await;
            } else {
                pending::<()>().await;
            }
        };
        let (ended, samples) = capture(bench, &plan, cancel).await?;
        let took_s = (bench.clock.now() - started).seconds();
        notes.measured_number(format!("{name}: after (s)"), took_s);
        if ended == EndReason::Trigger {
            return Err(Stop::inconclusive(format!(
                "a trigger came at {LEVEL_V} V: A is not open, or the trigger does not watch it (see experiment 8)"
            )));
        }
        // The trace itself and its dump come on top, and are short of that.
        if ended != cause || took_s < after_s || took_s > after_s + late_s {
            notes.found(Finding::WaitEnds {
                how: format!("{name}: the wait ended by {ended} after {took_s:.2} s, {cause} after {after_s} s was asked for"),
            });
        }
        if ended == EndReason::Timeout && samples != plan.timebase.samples {
            notes.found(Finding::WaitEnds { how: format!("{name}: {samples} samples were captured") });
        }
    }
    Ok(())
}

fn plan(bench: &Bench, timeout_s: Option<f64>) -> Result<CapturePlan, Stop> {
    let request = CaptureRequest {
        level: Some(LEVEL_V),
        timeout_s,
        ..CaptureRequest::new(ChannelSet::EMPTY.with(AnalogChannel::A.into()))
    };
    bench.scope.plan(&request).map_err(|error| Stop::failed(error.to_string()))
}

async fn capture(
    bench: &mut Bench,
    plan: &CapturePlan,
    cancel: impl Future<Output = ()>,
) -> Result<(EndReason, u16), Stop> {
    let mut buffer = Box::new(TraceBuffer::new());
    let trace =
        bench.scope.capture_with(plan, &mut buffer, CaptureOptions::new().cancelled_by(cancel)).await?;
    Ok((trace.end_reason(), trace.samples()))
}

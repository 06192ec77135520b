//! Captures that report why their trigger does not come.
//!
//! A capture that has waited for [`LOOK_AFTER`], and for [`LOOK_TRACES`] times what its trace takes, is cancelled, and what
//! was captured by then is held against the trigger. Then it waits again. Where the trace does not show what the trigger
//! watches, another one that does is taken in between. A trigger in that time is missed, once and for about as long as a
//! trace takes: a tenth of the wait before it. A trace with a delay is not cancelled, since the device does not report
//! whether its trigger has come.
//!
//! Time is that of the scope's clock, which runs ahead where a simulated device has nothing to do.

use std::pin::pin;
use std::time::Duration;

use embedded_io_async::{Read, Write};
use scopething_core::plan::{CapturePlan, CaptureRequest, ChannelSet, TraceEnd, TriggerMode, TriggerSource};
use scopething_core::scope::{CaptureOptions, Scope, ScopeError};
use scopething_core::time::{Clock, Micros};
use scopething_core::trace::{EndReason, Finding, Trace, TraceBuffer, TriggerReport};

use super::trigger_hint::TriggerHint;

/// How long a capture waits for its trigger before that is reported, and before the reason is looked for at the earliest.
pub const LOOK_AFTER: Duration = Duration::from_secs(3);
/// How many times what its trace takes a capture waits before the reason is looked for.
pub const LOOK_TRACES: u32 = 10;

/// A planned capture, and how to look at its trigger source.
#[derive(Debug, Clone)]
pub struct WatchedCapture {
    /// The capture. Another one with the same trigger and channels may take its place.
    pub plan: CapturePlan,
    /// All samples are read twice and compared.
    pub verify: bool,
    /// Whether it may wait for its trigger longer than [`LOOK_AFTER`]; a long trace alone is no wait.
    may_wait: bool,
    /// How to look at the trigger source; none if that cannot be done, or has been.
    look: Option<Look>,
}

#[derive(Debug, Clone)]
enum Look {
    /// The capture itself shows it.
    Itself,
    /// This one does.
    Other(Box<CapturePlan>),
}

impl WatchedCapture {
    /// Watches over a capture that the scope has planned from a request.
    #[must_use]
    pub fn new<S: Read + Write, C: Clock>(
        scope: &Scope<S, C>,
        request: &CaptureRequest,
        plan: CapturePlan,
    ) -> Self {
        let other = || {
            let request = CaptureRequest {
                channels: channels_of(plan.trigger),
                trigger: Some(plan.trigger),
                level: (!request.raw).then_some(plan.level),
                low: None,
                high: None,
                raw: false,
                timeout_s: Some(0.0),
                trigger_mode: TriggerMode::Normal,
                ..*request
            };
            let other = scope.plan(&request).ok().filter(CapturePlan::shows_trigger)?;
            Some(Look::Other(Box::new(other)))
        };
        let look = if plan.shows_trigger() {
            Some(Look::Itself)
        } else if request.raw {
            // Its level is a fraction of the input span, and what becomes of that in volts is the probe's affair.
            None
        } else {
            other()
        };
        let may_wait = request.trigger_wait_s().is_none_or(|wait_s| wait_s > LOOK_AFTER.as_secs_f64());
        Self { look, plan, may_wait, verify: false }
    }

    /// Captures; when `cancel` completes, the trace around that moment is returned. If it waits for its trigger longer
    /// than [`LOOK_AFTER`], `report` receives why the trigger does not come, or nothing if that is not known: of a long trace
    /// nothing first, and what is known when it was looked at. The source is looked at once, however many captures follow.
    /// A trace that only takes long to fill, with a shorter wait for its trigger or none, is not reported.
    ///
    /// A trace that was cancelled although the trigger had come is returned as it is, its end reason
    /// [`EndReason::Cancel`].
    ///
    /// # Errors
    /// As [`Scope::capture`].
    ///
    /// # Cancellation
    /// As [`Scope::capture`].
    pub async fn capture<'a, S: Read + Write, C: Clock + Clone>(
        &'a mut self,
        scope: &mut Scope<S, C>,
        buffer: &'a mut TraceBuffer,
        cancel: impl Future<Output = ()>,
        mut report: impl FnMut(Option<TriggerHint>),
    ) -> Result<Trace<'a>, ScopeError<S::Error>> {
        let can_be_cancelled = self.plan.end == TraceEnd::Trigger && self.plan.delay_us == 0;
        let look = self.look.take_if(|_| can_be_cancelled);
        let Self { plan, verify, may_wait, .. } = &*self;
        let clock = scope.clock().clone();
        let sleep = async |span: Duration| clock.until(clock.now() + Micros::from(span)).await;
        let mut cancel = pin!(cancel);
        let Some(look) = look else {
            if !*may_wait {
                return Box::pin(run(scope, plan, buffer, *verify, cancel)).await;
            }
            let mut capturing = Box::pin(run(scope, plan, buffer, *verify, cancel));
            tokio::select! {
                trace = &mut capturing => return trace,
                () = sleep(LOOK_AFTER) => {}
            }
            report(None);
            return capturing.await;
        };
        let mut is_due = false;
        let rest =
            Duration::from_secs_f64(plan.duration_s() * f64::from(LOOK_TRACES)).saturating_sub(LOOK_AFTER);
        let look_time = async {
            sleep(LOOK_AFTER).await;
            if !rest.is_zero() {
                report(None);
                sleep(rest).await;
            }
        };
        let until_look = async {
            tokio::select! {
                () = cancel.as_mut() => {}
                () = look_time => is_due = true,
            }
        };
        // On the heap, as the others: there are four captures in this future.
        let trace = Box::pin(run(scope, plan, buffer, *verify, until_look)).await?;
        let ended = (trace.samples(), trace.end_reason(), trace.end_ticks());
        let (samples, cause, end_ticks) = ended;
        let seen = TriggerReport::of_trace(&trace);
        if !is_due || cause != EndReason::Cancel || seen.is_some_and(|seen| had_come(plan, samples, &seen)) {
            return Ok(Trace::new(plan, buffer, samples, cause, end_ticks));
        }
        let looked_at = trace.bytes().to_vec();
        let seen = match look {
            Look::Itself => seen,
            Look::Other(other) => TriggerReport::of_trace(&Box::pin(scope.capture(&other, buffer)).await?),
        };
        report(seen.map(|seen| TriggerHint::new(plan, seen)));
        let again = Box::pin(run(scope, plan, buffer, *verify, cancel)).await?;
        let again = (again.samples(), again.end_reason(), again.end_ticks());
        let (samples, cause, end_ticks) = if again.0 == 0 {
            // Cancelled as soon as it began: what was looked at is from just before.
            buffer.region_mut(0..looked_at.len()).copy_from_slice(&looked_at);
            ended
        } else {
            again
        };
        Ok(Trace::new(plan, buffer, samples, cause, end_ticks))
    }
}

/// Whether the trigger of a trace had come when it was cancelled. Earlier in the trace it would have ended it.
fn had_come(plan: &CapturePlan, samples: u16, seen: &TriggerReport) -> bool {
    let post_trigger = plan.timebase.samples.saturating_sub(plan.trigger_sample());
    matches!(seen.finding, Finding::Due { samples: due } if samples - due.min(samples) < post_trigger)
}

fn channels_of(source: TriggerSource) -> ChannelSet {
    match source {
        TriggerSource::Analog(channel) => ChannelSet::EMPTY.with(channel.into()),
        TriggerSource::Logic(pattern) => ChannelSet::of_lines(pattern.care),
    }
}

async fn run<'a, S: Read + Write, C: Clock>(
    scope: &mut Scope<S, C>,
    plan: &'a CapturePlan,
    buffer: &'a mut TraceBuffer,
    verify: bool,
    cancel: impl Future<Output = ()>,
) -> Result<Trace<'a>, ScopeError<S::Error>> {
    let options = CaptureOptions::new().cancelled_by(cancel);
    if verify {
        scope.capture_with(plan, buffer, options.verified()).await
    } else {
        scope.capture_with(plan, buffer, options).await
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use std::task::Poll;

    use scopething_core::plan::{AnalogChannel, Channel};
    use scopething_sim::{SimConfig, SimLink};

    use super::*;

    /// How often a capture of an input that never triggers reports that it waits, in simulated time.
    async fn reports(period_s: f64, trigger_mode: TriggerMode, timeout_s: Option<f64>) -> usize {
        let link = SimLink::new(&SimConfig::from_query("A=dc,0V&clock=fast").unwrap());
        let (clock, profile) = (link.clock(), link.profile());
        let mut scope = Scope::connect(link, clock, profile).await.unwrap();
        let request = CaptureRequest { period_s, trigger_mode, timeout_s, ..CaptureRequest::new(Channel::A) };
        let plan = scope.plan(&request).unwrap();
        let mut capture = WatchedCapture::new(&scope, &request, plan);
        let mut buffer = Box::new(TraceBuffer::new());
        let mut reports = 0;
        let trace =
            capture.capture(&mut scope, &mut buffer, std::future::pending(), |_| reports += 1).await.unwrap();
        assert_eq!(trace.end_reason(), EndReason::Timeout);
        reports
    }

    #[tokio::test]
    async fn cancelled_as_soon_as_it_begins_again_it_is_what_was_looked_at() {
        let link = SimLink::new(&SimConfig::from_query("A=dc,1V&clock=fast").unwrap());
        let (clock, profile) = (link.clock(), link.profile());
        let mut scope = Scope::connect(link, clock, profile).await.unwrap();
        let request = CaptureRequest {
            low: Some(0.0),
            high: Some(3.0),
            level: Some(2.0),
            ..CaptureRequest::new(Channel::A)
        };
        let plan = scope.plan(&request).unwrap();
        let mut capture = WatchedCapture::new(&scope, &request, plan);
        let mut buffer = Box::new(TraceBuffer::new());
        let is_reported = std::cell::Cell::new(false);
        let cancel =
            std::future::poll_fn(|_| if is_reported.get() { Poll::Ready(()) } else { Poll::Pending });
        let trace =
            capture.capture(&mut scope, &mut buffer, cancel, |_| is_reported.set(true)).await.unwrap();
        assert_eq!(trace.end_reason(), EndReason::Cancel);
        let volts = trace.analog(AnalogChannel::A).unwrap();
        assert!(volts.len() > 100);
        assert!(volts.values().all(|volts| (volts - 1.0).abs() < 0.02));
    }

    #[tokio::test]
    async fn long_trace_is_no_wait() {
        assert_eq!(reports(10.0, TriggerMode::Normal, Some(0.0)).await, 0);
        assert_eq!(reports(10.0, TriggerMode::Normal, Some(2.9)).await, 0);
        assert_eq!(reports(10.0, TriggerMode::Normal, Some(3.1)).await, 1);
        assert_eq!(reports(10.0, TriggerMode::Auto, None).await, 1);
        assert_eq!(reports(1.0, TriggerMode::Auto, None).await, 0);
    }
}

//! Captures: each runs on a thread of its own, and keeps its trace until it is closed.

use std::ffi::c_void;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use host::failure::Failure;
use scopething_core::plan::{AnalogChannel, CapturePlan, Channel};
use scopething_core::scope::CaptureOptions;
use scopething_core::trace::{EndReason, SampleTimes, Series, Trace, TraceBuffer, fill};
use tokio::sync::watch;

use crate::call::{self, call};
use crate::memory::{Out, room};
use crate::plan::{ScopethingPlan, report};
use crate::request::{self, ScopethingCaptureRequest};
use crate::scope::{Lease, Scope, scopething_scope};
use crate::status::{ScopethingError, ScopethingStatus, Stop};
use crate::table::{self, Handled, lock};

/// A capture that was started.
#[allow(non_camel_case_types, reason = "the name that C sees")]
pub type scopething_capture = u64;

/// Called now and then while something is waited for, with how much is done of how much: points of a calibration, or
/// milliseconds of a wait of which the whole is 0, which is not known. Anything but 0 cancels what is waited for.
#[allow(non_camel_case_types, reason = "the name that C sees")]
pub type scopething_progress = Option<unsafe extern "C" fn(user: *mut c_void, done: u32, total: u32) -> i32>;

/// A capture, as threads share it.
#[derive(Debug)]
pub(crate) struct Capture {
    state: Mutex<State>,
    ended: Condvar,
    cancel: watch::Sender<bool>,
    plan: CapturePlan,
}

#[derive(Debug)]
enum State {
    Running,
    Captured(Box<Captured>),
    Failed(Failure),
}

#[derive(Debug)]
struct Captured {
    buffer: Box<TraceBuffer>,
    samples: u16,
    reason: EndReason,
    end_ticks: u64,
}

impl Handled for Capture {
    const NAME: &'static str = "capture";
}

impl Capture {
    fn start(mut lease: Lease, request: &request::Request<'_>) -> Result<Arc<Self>, Stop> {
        lease.use_probe(request.probe, request.attenuation)?;
        let plan = lease.parts().0.scope.plan(&request.capture)?;
        let (cancel, cancelled) = watch::channel(false);
        let capture =
            Arc::new(Self { state: Mutex::new(State::Running), ended: Condvar::new(), cancel, plan });
        let running = Arc::clone(&capture);
        lease.leave_thread();
        let verify = request.verify;
        let spawned = thread::Builder::new().name("scopething-capture".to_owned()).spawn(move || {
            let ended =
                call::thread(|| running.run(&mut lease, cancelled, verify)).unwrap_or_else(State::Failed);
            // Whoever learns of the end finds the scope at rest.
            drop(lease);
            *lock(&running.state) = ended;
            running.ended.notify_all();
        });
        spawned.map_err(|error| Failure::of(host::failure::Kind::LinkLost, &error))?;
        Ok(capture)
    }

    fn run(&self, lease: &mut Lease, mut cancelled: watch::Receiver<bool>, verify: bool) -> State {
        let cancelled = async move {
            if cancelled.wait_for(|&cancelled| cancelled).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let mut buffer = Box::new(TraceBuffer::new());
        let captured = lease.run(async |scope| {
            let options = CaptureOptions::new().cancelled_by(cancelled);
            let trace = if verify {
                scope.capture_with(&self.plan, &mut buffer, options.verified()).await
            } else {
                scope.capture_with(&self.plan, &mut buffer, options).await
            };
            let trace = trace?;
            Ok((trace.samples(), trace.end_reason(), trace.end_ticks()))
        });
        match captured {
            Ok((0, ..)) => State::Failed(Failure::new(
                host::failure::Kind::Cancelled,
                "the capture was cancelled before its first sample",
            )),
            Ok((samples, reason, end_ticks)) => {
                State::Captured(Box::new(Captured { buffer, samples, reason, end_ticks }))
            }
            Err(Stop::Failed(failure)) => State::Failed(failure),
            Err(Stop::Other(_, message)) => State::Failed(Failure::usage(message)),
        }
    }

    fn is_running(&self) -> bool {
        matches!(*lock(&self.state), State::Running)
    }

    /// Waits until the capture has ended or some time is over; reports whether it has.
    fn wait_until(&self, deadline: Option<Instant>) -> bool {
        let mut state = lock(&self.state);
        while matches!(*state, State::Running) {
            state = match deadline {
                None => self.ended.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return false;
                    }
                    self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        true
    }

    /// How it ended, if it has.
    fn outcome(&self) -> Result<(), Stop> {
        self.read(|_| Ok(()))
    }

    /// Looks at the trace of a capture that has ended well.
    fn read<T>(&self, look: impl FnOnce(&Trace<'_>) -> Result<T, Stop>) -> Result<T, Stop> {
        match &*lock(&self.state) {
            State::Running => {
                let message = "the capture has not ended: wait for it";
                Err(Stop::Other(ScopethingStatus::SCOPETHING_ERROR_BUSY, message.to_owned()))
            }
            State::Failed(failure) => Err(failure.clone().into()),
            State::Captured(captured) => {
                let Captured { buffer, samples, reason, end_ticks } = &**captured;
                look(&Trace::new(&self.plan, buffer, *samples, *reason, *end_ticks))
            }
        }
    }
}

/// When a wait of so many seconds is over; never if there are fewer than 0, or so many that it makes no difference.
pub(crate) fn deadline(timeout_s: f64) -> Option<Instant> {
    Duration::try_from_secs_f64(timeout_s).ok().and_then(|timeout| Instant::now().checked_add(timeout))
}

/// What was captured.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingCaptureInfo {
    /// How it was captured.
    pub plan: ScopethingPlan,
    /// Why it ended: one of the SCOPETHING_ENDED_ numbers.
    pub end_reason: u32,
    /// Whether `trigger_time_s` is known.
    pub triggered: bool,
    /// When it triggered, from the first sample on.
    pub trigger_time_s: f64,
    /// The level that it triggered at.
    pub trigger_level_v: f64,
    /// When the first sample was taken, by the device's clock, which starts anywhere.
    pub start_s: f64,
}

/// The trigger came.
pub const SCOPETHING_ENDED_BY_TRIGGER: u32 = 0;
/// The trigger did not come in time.
pub const SCOPETHING_ENDED_BY_TIMEOUT: u32 = 1;
/// It was cancelled: this is what was sampled around that moment.
pub const SCOPETHING_ENDED_BY_CANCEL: u32 = 2;

/// The samples of a channel.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingSeries {
    /// How many there are.
    pub count: usize,
    /// When the first one was taken, from the first sample of the capture on.
    pub start_s: f64,
    /// The time from one to the next.
    pub period_s: f64,
    /// The smallest difference that the samples show; 1 for a logic line.
    pub resolution_v: f64,
}

/// Starts a capture and returns at once. The scope can do nothing else until it has ended. Close it with
/// scopething_capture_close.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_capture_start(
    scope: scopething_scope,
    request: *const ScopethingCaptureRequest,
    capture: *mut scopething_capture,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let (request, mut handle) = unsafe { (request::read(request)?, Out::new(capture, "capture")?) };
        handle.set(0);
        let lease = table::get::<Scope>(scope)?.lease("a capture")?;
        handle.set(table::insert(Capture::start(lease, &request)?));
        Ok(())
    })
}

/// Reports whether a capture has ended, without waiting. Returns why, if it has failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_capture_poll(
    capture: scopething_capture,
    ended: *mut bool,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let mut ended = unsafe { Out::new(ended, "ended") }?;
        let capture = table::get::<Capture>(capture)?;
        let is_running = capture.is_running();
        ended.set(!is_running);
        if is_running { Ok(()) } else { capture.outcome() }
    })
}

/// Waits for the end of a capture, for ever if `timeout_s` is below 0. SCOPETHING_ERROR_TIMEOUT leaves it running.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_capture_wait(
    capture: scopething_capture,
    timeout_s: f64,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        let capture = table::get::<Capture>(capture)?;
        wait(&capture, timeout_s)
    })
}

fn wait(capture: &Capture, timeout_s: f64) -> Result<(), Stop> {
    if timeout_s.is_nan() {
        return Err(Stop::argument("timeout_s is NAN: give seconds, or -1 to wait for ever"));
    }
    if capture.wait_until(deadline(timeout_s)) {
        return capture.outcome();
    }
    let message = format!("the capture has not ended within {timeout_s} s: wait on, or cancel it");
    Err(Stop::Other(ScopethingStatus::SCOPETHING_ERROR_TIMEOUT, message))
}

/// Waits for the end of a capture. `progress` is called every `interval_s`, of 1 ms to 1 hour, on this thread, and cancels the
/// capture when it returns anything but 0: then the trace around that moment is what was captured.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_capture_wait_with(
    capture: scopething_capture,
    interval_s: f64,
    progress: scopething_progress,
    user: *mut c_void,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        let progress = progress.ok_or_else(|| Stop::argument("progress is NULL"))?;
        if !(1e-3..=3600.0).contains(&interval_s) {
            return Err(Stop::argument(format!("interval_s is {interval_s}: give 0.001 to 3600")));
        }
        let capture = table::get::<Capture>(capture)?;
        let started = Instant::now();
        while !capture.wait_until(deadline(interval_s)) {
            let waited = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
            // SAFETY: the caller promises a function that may be called with `user`.
            if unsafe { progress(user, waited, 0) } != 0 {
                capture.cancel.send_replace(true);
            }
        }
        capture.outcome()
    })
}

/// Cancels a capture: it ends soon with the trace around this moment. No harm if it has ended.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_capture_cancel(
    capture: scopething_capture,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        table::get::<Capture>(capture)?.cancel.send_replace(true);
        Ok(())
    })
}

/// Forgets a capture; one that runs is cancelled first, and its end is waited for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_capture_close(
    capture: scopething_capture,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        let capture = table::remove::<Capture>(capture)?;
        capture.cancel.send_replace(true);
        capture.wait_until(None);
        Ok(())
    })
}

/// Reports what was captured.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_capture_info(
    capture: scopething_capture,
    info: *mut ScopethingCaptureInfo,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let mut info = unsafe { Out::new(info, "info") }?;
        table::get::<Capture>(capture)?.read(|trace| {
            let trigger = trace.trigger();
            info.set(ScopethingCaptureInfo {
                plan: report(trace.plan()),
                end_reason: match trace.end_reason() {
                    EndReason::Trigger => SCOPETHING_ENDED_BY_TRIGGER,
                    EndReason::Timeout => SCOPETHING_ENDED_BY_TIMEOUT,
                    _ => SCOPETHING_ENDED_BY_CANCEL,
                },
                triggered: trigger.is_some(),
                trigger_time_s: trigger.map_or(f64::NAN, |trigger| trigger.time_s),
                trigger_level_v: trigger.map_or(f64::NAN, |trigger| trigger.level),
                start_s: trace.capture_start_s(),
            });
            Ok(())
        })
    })
}

fn not_captured(channel: Channel) -> Stop {
    Stop::argument(format!("channel {channel} was not captured"))
}

/// Reports how many samples of a channel there are, and when they were taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_capture_series(
    capture: scopething_capture,
    channel: u32,
    series: *mut ScopethingSeries,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let mut series = unsafe { Out::new(series, "series") }?;
        let channel = request::channel(channel)?;
        table::get::<Capture>(capture)?.read(|trace| {
            let Series { count, times, resolution } =
                trace.series(channel).ok_or_else(|| not_captured(channel))?;
            let SampleTimes { start_s, period_s } = times;
            series.set(ScopethingSeries { count, start_s, period_s, resolution_v: resolution });
            Ok(())
        })
    })
}

fn analog_channel(bit: u32) -> Result<AnalogChannel, Stop> {
    match request::channel(bit)? {
        Channel::Analog(channel) => Ok(channel),
        Channel::Logic(line) => Err(Stop::argument(format!("{line} is a logic line: give channel A or B"))),
    }
}

/// Reads the samples of channel A or B in volts, or as fractions of the range if the capture was raw. `count` receives how many
/// were copied: no more than `capacity`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_capture_read_volts(
    capture: scopething_capture,
    channel: u32,
    volts: *mut f32,
    capacity: usize,
    count: *mut usize,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let (volts, mut count) = unsafe { (room(volts, capacity, "volts")?, Out::new(count, "count")?) };
        let channel = analog_channel(channel)?;
        table::get::<Capture>(capture)?.read(|trace| {
            let view = trace.analog(channel).ok_or_else(|| not_captured(channel.into()))?;
            count.set(view.read_values(volts));
            Ok(())
        })
    })
}

/// Reads the samples of channel A or B as they were converted: steps from the bottom of the range, of which there are 256 or,
/// with 2 bytes a sample, 65536. `count` receives how many were copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_capture_read_raw(
    capture: scopething_capture,
    channel: u32,
    steps: *mut u16,
    capacity: usize,
    count: *mut usize,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let (steps, mut count) = unsafe { (room(steps, capacity, "steps")?, Out::new(count, "count")?) };
        let channel = analog_channel(channel)?;
        table::get::<Capture>(capture)?.read(|trace| {
            let view = trace.analog(channel).ok_or_else(|| not_captured(channel.into()))?;
            count.set(fill(steps, view.steps()));
            Ok(())
        })
    })
}

/// Reads the logic lines: a byte a sample, bit n for line Ln; lines that were not captured are 0. `count` receives how many were
/// copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_capture_read_logic(
    capture: scopething_capture,
    lines: *mut u8,
    capacity: usize,
    count: *mut usize,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let (lines, mut count) = unsafe { (room(lines, capacity, "lines")?, Out::new(count, "count")?) };
        table::get::<Capture>(capture)?.read(|trace| {
            let view = trace.logic().ok_or_else(|| Stop::argument("no logic line was captured"))?;
            count.set(fill(lines, view.bytes()));
            Ok(())
        })
    })
}

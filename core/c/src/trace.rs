//! Captures: planned into the caller's memory, made there as often as is wanted, and read.

use core::ffi::{c_char, c_void};

use scopething_core::blocking::{block_on, cancelled};
use scopething_core::device::AnalogParameters;
use scopething_core::plan::{AnalogChannel, CapturePlan, Channel};
use scopething_core::scope::{CaptureOptions, ScopeError};
use scopething_core::trace::{EndReason, SampleTimes, Series, Trace, TraceBuffer, fill};

use crate::link::Driver;
use crate::link_error::LinkError;
use crate::memory::{Out, Text, field, room};
use crate::request::{self, ScopethingCoreRequest};
use crate::scope::{ScopethingCoreScope, with};
use crate::status::{Failure, ScopethingCoreStatus, answer};

/// The size of a trace, in 8 bytes: 12 KiB of samples, and how they were captured.
pub const SCOPETHING_CORE_TRACE_WORDS: usize = 1584;

/// A trace: memory for a plan and its samples, aligned to 8 bytes. What is in it is the library's.
#[repr(C)]
#[derive(Debug)]
pub struct ScopethingCoreTrace {
    /// The library's.
    pub memory: [u64; SCOPETHING_CORE_TRACE_WORDS],
}

/// Asked now and then while a capture runs; anything but 0 cancels it.
#[allow(non_camel_case_types, reason = "the name that C sees")]
pub type scopething_core_cancel = Option<unsafe extern "C" fn(user: *mut c_void) -> i32>;

/// What such memory holds.
#[repr(C)]
struct Kept {
    state: u32,
    samples: u16,
    end: EndReason,
    end_ticks: u64,
    plan: CapturePlan,
    buffer: TraceBuffer,
}

// Neither too little on any target, nor much more than it takes on a microcontroller.
const _: () = assert!(size_of::<Kept>() <= size_of::<ScopethingCoreTrace>());
const _: () = assert!(align_of::<Kept>() <= align_of::<ScopethingCoreTrace>());
#[cfg(target_pointer_width = "32")]
const _: () = assert!(size_of::<ScopethingCoreTrace>() - size_of::<Kept>() < 256);

/// Written to where a trace begins that was planned, and that was captured.
const PLANNED: u32 = 0x5c09_7a91;
const CAPTURED: u32 = 0x5c09_7a92;

impl Kept {
    /// What the memory holds, for one field at a time to be borrowed: a function of the caller may look at a plan while its
    /// capture runs.
    ///
    /// # Safety
    /// `trace` is null, or points to memory for a trace.
    unsafe fn of(trace: *const ScopethingCoreTrace) -> Result<*const Self, Failure> {
        if trace.is_null() || !trace.is_aligned() {
            return Err(Failure::Argument(c"trace"));
        }
        let kept = trace.cast::<Self>();
        // SAFETY: the caller's memory is large enough and aligned, and any value is one of a `u32`.
        if !matches!(unsafe { (*kept).state }, PLANNED | CAPTURED) {
            return Err(Failure::Handle(c"this memory is no trace: call scopething_core_plan first"));
        }
        Ok(kept)
    }

    /// # Safety
    /// As [`of`](Self::of); nobody writes to it meanwhile.
    unsafe fn trace<'a>(trace: *const ScopethingCoreTrace) -> Result<Trace<'a>, Failure> {
        // SAFETY: promised by the caller.
        let kept = unsafe { Self::of(trace) }?;
        // SAFETY: it was found to be a trace. One that is being captured is not in this state.
        if unsafe { (*kept).state } != CAPTURED {
            return Err(Failure::Handle(c"this trace was not captured: call scopething_core_capture first"));
        }
        // SAFETY: the state shows that all of it was initialised, and the caller promises that nobody writes to it.
        let kept = unsafe { &*kept };
        Ok(Trace::new(&kept.plan, &kept.buffer, kept.samples, kept.end, kept.end_ticks))
    }
}

/// # Safety
/// `trace` is null, or points to memory for a trace that nobody writes meanwhile.
unsafe fn look(
    trace: *const ScopethingCoreTrace,
    look: impl FnOnce(&Trace<'_>) -> Result<(), Failure>,
) -> ScopethingCoreStatus {
    // SAFETY: promised by the caller; nothing is written through it.
    answer(|| look(&unsafe { Kept::trace(trace) }?))
}

/// How a capture is made.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingCorePlan {
    /// The trace mode, such as "Macro".
    pub mode: [c_char; 32],
    /// Samples a second, of both analog channels together.
    pub sample_rate_hz: f64,
    /// The time span.
    pub period_s: f64,
    /// The time from the trigger to the first sample.
    pub delay_s: f64,
    /// Samples of a trace, of both analog channels together.
    pub samples: u32,
    /// How many of them lie before the trigger.
    pub pre_trigger_samples: u32,
    /// Bytes of an analog sample: 1 or 2.
    pub sample_bytes: u32,
    /// Bytes that are read from the device.
    pub dump_bytes: u32,
    /// How many notices there are, which scopething_core_plan_notice has.
    pub notice_count: u32,
}

/// Plans a capture into a trace, with the scope's generators as they are; no device is needed. What the trace held is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_plan(
    scope: *mut ScopethingCoreScope,
    request: *const ScopethingCoreRequest,
    trace: *mut ScopethingCoreTrace,
) -> ScopethingCoreStatus {
    let plan = |driver: &mut Driver| {
        if trace.is_null() || !trace.is_aligned() {
            return Err(Failure::Argument(c"trace"));
        }
        let kept = trace.cast::<Kept>();
        // SAFETY: the contract of the interface.
        let (request, attenuation) = unsafe { request::read(request) }?;
        driver.set_probe(AnalogParameters { attenuation, ..driver.model().analog });
        let plan = driver.plan(&request)?;
        // SAFETY: the caller's memory is large enough and aligned. Each field is written before the state shows that all were. Samples
        // may be any bytes; they are zeroed in place, since 12 KiB would not fit on the stack.
        unsafe {
            (&raw mut (*kept).state).write(0);
            (&raw mut (*kept).samples).write(0);
            (&raw mut (*kept).end).write(EndReason::Cancel);
            (&raw mut (*kept).end_ticks).write(0);
            (&raw mut (*kept).plan).write(plan);
            (&raw mut (*kept).buffer).write_bytes(0, 1);
            (&raw mut (*kept).state).write(PLANNED);
        }
        Ok(())
    };
    // SAFETY: the contract of the interface.
    unsafe { with(scope, plan) }
}

/// Reports how a planned capture is made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_plan_info(
    trace: *const ScopethingCoreTrace,
    info: *mut ScopethingCorePlan,
) -> ScopethingCoreStatus {
    answer(|| {
        // SAFETY: the contract of the interface; nothing is written through `trace`.
        let (plan, mut info) = unsafe { (&(*Kept::of(trace)?).plan, Out::new(info, c"info")?) };
        info.set(ScopethingCorePlan {
            mode: field(&plan.mode.name),
            sample_rate_hz: plan.sample_rate_hz(),
            period_s: plan.duration_s(),
            delay_s: f64::from(plan.delay_us) * 1e-6,
            samples: plan.timebase.samples.into(),
            pre_trigger_samples: plan.pre_trigger.into(),
            sample_bytes: plan.mode.sample_bytes.into(),
            dump_bytes: plan.dump_bytes() as u32,
            notice_count: plan.notices.len() as u32,
        });
        Ok(())
    })
}

/// Writes what a plan does otherwise than asked, or what else should be known of it: the notice of this number, from 0 on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_plan_notice(
    trace: *const ScopethingCoreTrace,
    number: u32,
    text: *mut c_char,
    size: usize,
) -> ScopethingCoreStatus {
    answer(|| {
        // SAFETY: the contract of the interface; nothing is written through `trace`.
        let (plan, mut text) = unsafe { (&(*Kept::of(trace)?).plan, Text::new(text, size)?) };
        let notice = usize::try_from(number).ok().and_then(|number| plan.notices.get(number));
        text.set(notice.ok_or(Failure::Argument(c"number: there are fewer notices"))?);
        Ok(())
    })
}

/// Runs a planned capture as `run` does, and keeps what came of it in the trace.
///
/// # Safety
/// `scope` and `trace` are null, or point to memory for them that nobody else uses meanwhile.
unsafe fn capture(
    scope: *mut ScopethingCoreScope,
    trace: *mut ScopethingCoreTrace,
    run: impl for<'a> FnOnce(
        &mut Driver,
        &'a CapturePlan,
        &'a mut TraceBuffer,
    ) -> Result<Trace<'a>, ScopeError<LinkError>>,
) -> ScopethingCoreStatus {
    let capture = |driver: &mut Driver| {
        // SAFETY: promised by the caller.
        let kept = unsafe { Kept::of(trace) }?.cast_mut();
        // SAFETY: it was found to be a trace, and nobody else uses what is borrowed but the plan, which is only read.
        let (state, plan, buffer) = unsafe { (&mut (*kept).state, &(*kept).plan, &mut (*kept).buffer) };
        *state = PLANNED;
        let captured = run(driver, plan, buffer)?;
        let (samples, end, end_ticks) = (captured.samples(), captured.end_reason(), captured.end_ticks());
        if samples == 0 {
            return Err(Failure::Cancelled);
        }
        // SAFETY: as above.
        unsafe {
            ((*kept).samples, (*kept).end, (*kept).end_ticks) = (samples, end, end_ticks);
            (*kept).state = CAPTURED;
        }
        Ok(())
    };
    // SAFETY: promised by the caller.
    unsafe { with(scope, capture) }
}

/// Whether the caller's function cancels.
///
/// # Safety
/// `cancel` is none, or may be called with `user`.
unsafe fn is_cancelled(cancel: scopething_core_cancel, user: *mut c_void) -> bool {
    // SAFETY: promised by the caller.
    cancel.is_some_and(|cancel| unsafe { cancel(user) } != 0)
}

/// Captures into a trace that was planned, again and again if wanted, and waits for the trigger as long as was asked. `cancel` may be
/// NULL; it is called with `user` each time that the link has nothing. A capture that it ends has what was sampled around that moment.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_capture(
    scope: *mut ScopethingCoreScope,
    trace: *mut ScopethingCoreTrace,
    cancel: scopething_core_cancel,
    user: *mut c_void,
) -> ScopethingCoreStatus {
    // SAFETY: the contract of the interface.
    unsafe {
        capture(scope, trace, |driver, plan, buffer| {
            let options = CaptureOptions::new().cancelled_by(cancelled(|| is_cancelled(cancel, user)));
            block_on(driver.capture_with(plan, buffer, options))
        })
    }
}

/// As scopething_core_capture, for links that may change bytes: everything is read twice and compared.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_capture_verified(
    scope: *mut ScopethingCoreScope,
    trace: *mut ScopethingCoreTrace,
    cancel: scopething_core_cancel,
    user: *mut c_void,
) -> ScopethingCoreStatus {
    // SAFETY: the contract of the interface.
    unsafe {
        capture(scope, trace, |driver, plan, buffer| {
            let options = CaptureOptions::new().cancelled_by(cancelled(|| is_cancelled(cancel, user)));
            block_on(driver.capture_with(plan, buffer, options.verified()))
        })
    }
}

/// The trigger came.
pub const SCOPETHING_CORE_ENDED_BY_TRIGGER: u32 = 0;
/// The trigger did not come in time.
pub const SCOPETHING_CORE_ENDED_BY_TIMEOUT: u32 = 1;
/// It was cancelled: this is what was sampled around that moment.
pub const SCOPETHING_CORE_ENDED_BY_CANCEL: u32 = 2;

/// What was captured.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingCoreTraceInfo {
    /// Why it ended: one of the SCOPETHING_CORE_ENDED_ numbers.
    pub end_reason: u32,
    /// Whether `trigger_time_s` is known.
    pub triggered: bool,
    /// When it triggered, from the first sample on; NAN if that is not known.
    pub trigger_time_s: f64,
    /// The level that it triggered at, likewise.
    pub trigger_level_v: f64,
    /// When the first sample was taken, by the device's clock, which starts anywhere.
    pub start_s: f64,
}

/// Reports what was captured.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_trace_info(
    trace: *const ScopethingCoreTrace,
    info: *mut ScopethingCoreTraceInfo,
) -> ScopethingCoreStatus {
    let report = |trace: &Trace<'_>| {
        // SAFETY: the contract of the interface.
        let mut info = unsafe { Out::new(info, c"info") }?;
        let trigger = trace.trigger();
        info.set(ScopethingCoreTraceInfo {
            end_reason: match trace.end_reason() {
                EndReason::Trigger => SCOPETHING_CORE_ENDED_BY_TRIGGER,
                EndReason::Timeout => SCOPETHING_CORE_ENDED_BY_TIMEOUT,
                _ => SCOPETHING_CORE_ENDED_BY_CANCEL,
            },
            triggered: trigger.is_some(),
            trigger_time_s: trigger.map_or(f64::NAN, |trigger| trigger.time_s),
            trigger_level_v: trigger.map_or(f64::NAN, |trigger| trigger.level),
            start_s: trace.capture_start_s(),
        });
        Ok(())
    };
    // SAFETY: the contract of the interface.
    unsafe { look(trace, report) }
}

/// The samples of a channel.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingCoreSeries {
    /// How many there are.
    pub count: usize,
    /// When the first one was taken, from the first sample of the capture on.
    pub start_s: f64,
    /// The time from one to the next.
    pub period_s: f64,
    /// The smallest difference that the samples show; 1 for a logic line.
    pub resolution_v: f64,
}

const NOT_CAPTURED: Failure = Failure::Argument(c"channel: it was not captured");

/// Reports how many samples of a channel there are, and when they were taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_series(
    trace: *const ScopethingCoreTrace,
    channel: u32,
    series: *mut ScopethingCoreSeries,
) -> ScopethingCoreStatus {
    let report = |trace: &Trace<'_>| {
        // SAFETY: the contract of the interface.
        let mut series = unsafe { Out::new(series, c"series") }?;
        let Series { count, times, resolution } =
            trace.series(request::channel(channel)?).ok_or(NOT_CAPTURED)?;
        let SampleTimes { start_s, period_s } = times;
        series.set(ScopethingCoreSeries { count, start_s, period_s, resolution_v: resolution });
        Ok(())
    };
    // SAFETY: the contract of the interface.
    unsafe { look(trace, report) }
}

fn analog_channel(bit: u32) -> Result<AnalogChannel, Failure> {
    match request::channel(bit)? {
        Channel::Analog(channel) => Ok(channel),
        Channel::Logic(_) => Err(Failure::Argument(c"channel: give A or B")),
    }
}

/// Reads the samples of channel A or B in volts, or as fractions of the range if the capture was raw, from sample `first` on. `count`
/// receives how many were copied: no more than `capacity`, and 0 behind the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_read_volts(
    trace: *const ScopethingCoreTrace,
    channel: u32,
    first: usize,
    volts: *mut f32,
    capacity: usize,
    count: *mut usize,
) -> ScopethingCoreStatus {
    let read = |trace: &Trace<'_>| {
        // SAFETY: the contract of the interface.
        let (volts, mut count) = unsafe { (room(volts, capacity, c"volts")?, Out::new(count, c"count")?) };
        let view = trace.analog(analog_channel(channel)?).ok_or(NOT_CAPTURED)?;
        count.set(fill(volts, view.values().skip(first)));
        Ok(())
    };
    // SAFETY: the contract of the interface.
    unsafe { look(trace, read) }
}

/// Reads the samples of channel A or B as they were converted, from sample `first` on: steps from the bottom of the range, of which there
/// are 256 or, with 2 bytes a sample, 65536. `count` receives how many were copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_read_raw(
    trace: *const ScopethingCoreTrace,
    channel: u32,
    first: usize,
    steps: *mut u16,
    capacity: usize,
    count: *mut usize,
) -> ScopethingCoreStatus {
    let read = |trace: &Trace<'_>| {
        // SAFETY: the contract of the interface.
        let (steps, mut count) = unsafe { (room(steps, capacity, c"steps")?, Out::new(count, c"count")?) };
        let view = trace.analog(analog_channel(channel)?).ok_or(NOT_CAPTURED)?;
        count.set(fill(steps, view.steps().skip(first)));
        Ok(())
    };
    // SAFETY: the contract of the interface.
    unsafe { look(trace, read) }
}

/// Reads the logic lines from sample `first` on: a byte a sample, bit n for line Ln; lines that were not captured are 0. `count` receives
/// how many were copied.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_core_read_logic(
    trace: *const ScopethingCoreTrace,
    first: usize,
    lines: *mut u8,
    capacity: usize,
    count: *mut usize,
) -> ScopethingCoreStatus {
    let read = |trace: &Trace<'_>| {
        // SAFETY: the contract of the interface.
        let (lines, mut count) = unsafe { (room(lines, capacity, c"lines")?, Out::new(count, c"count")?) };
        let view = trace.logic().ok_or(Failure::Argument(c"no logic line was captured"))?;
        count.set(fill(lines, view.bytes().skip(first)));
        Ok(())
    };
    // SAFETY: the contract of the interface.
    unsafe { look(trace, read) }
}

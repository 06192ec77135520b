//! The planner of captures.

use libm::{ceil, round};

use super::capture_plan::{ANALOG_FILTER, TIMEOUT_TICKS, TriggerRegisters};
use super::notice::Notices;
use super::range::{RangePlan, plan_range};
use super::timebase::Span;
use super::{
    AnalogChannel, BusyOutputs, CapturePlan, CaptureRequest, Channel, ChannelSet, LogicPattern, ModeFit,
    Notice, PlanError, Timebase, TraceEnd, TriggerSource, TriggerType, WAVEFORM_OUTPUT,
};
use crate::device::{AnalogParameters, Model, TraceMode};
use crate::time::Micros;

/// Samples by which a timeout outlasts what it must, as the open driver has it.
const TIMEOUT_SPARE: u32 = 2;
/// How much faster than the device's clock the host's may run: two crystals, each off by up to 100 ppm.
const MAX_CLOCK_SKEW: f64 = 200e-6;

/// Whether each trace mode fits a request, in the model's order of preference: the first that fits is taken.
///
/// # Errors
/// [`PlanError`] for a request that makes no sense in any mode.
pub fn mode_fits(
    model: &Model,
    request: &CaptureRequest,
    driven: BusyOutputs,
) -> Result<impl Iterator<Item = (&'static TraceMode, ModeFit)>, PlanError> {
    let span = span_of(request, driven)?;
    Ok(model.modes.iter().map(move |mode| (mode, span.fit(model, mode))))
}

fn span_of(request: &CaptureRequest, driven: BusyOutputs) -> Result<Span, PlanError> {
    if !(request.period_s > 0.0 && request.period_s.is_finite()) {
        return Err(PlanError::Period(request.period_s));
    }
    if request.samples == 0 {
        return Err(PlanError::NoSamples);
    }
    if request.channels.is_empty() {
        return Err(PlanError::NoChannel);
    }
    let (by_generator, by_comparator) = left_out(request.channels, driven);
    let channels = request.channels.without_lines(by_generator | by_comparator);
    if channels.is_empty() {
        return Err(PlanError::NoChannelLeft);
    }
    Ok(Span {
        channels,
        period_s: request.period_s,
        samples: request.samples,
        resolution: request.resolution,
    })
}

/// The logic lines asked for that cannot be captured: those a generator drives, and those whose comparator an analog
/// channel has ([section 9 of the reference](crate::vm#9-generators)).
pub(super) fn left_out(asked: ChannelSet, driven: BusyOutputs) -> (u8, u8) {
    let captured = AnalogChannel::ALL.into_iter().filter(|&channel| asked.contains(channel.into()));
    let shared = captured.fold(0, |lines, channel| lines | channel.comparator_line().bit());
    (asked.logic() & driven.lines, asked.logic() & shared & !driven.lines)
}

/// Plans a capture: finds the trace mode, the sample clock, the converters and the trigger.
///
/// `probe` maps volts to DAC codes (front-end calibration), `driven` lists the busy outputs. The work is a few passes
/// over the model's table of trace modes whatever is asked.
///
/// # Errors
/// [`PlanError`] for numbers that make no sense, and where no trace mode covers the period with these channels.
pub fn plan_capture(
    model: &Model,
    probe: &AnalogParameters,
    request: &CaptureRequest,
    driven: BusyOutputs,
) -> Result<CapturePlan, PlanError> {
    assemble(model, probe, request, driven, |span| {
        let (mode, timebase, as_asked) = choose(model, span)?;
        let fewer = Notice::FewerSamples { asked: request.samples, given: timebase.samples };
        Ok(Chosen {
            mode,
            timebase,
            pre_trigger: (f64::from(timebase.samples) * request.position) as u16,
            is_pre_trigger_asked: request.position > 0.0,
            fewer: (!as_asked).then_some(fewer),
        })
    })
}

/// Plans a capture with a sample clock and a size that the caller has chosen, as a program does that shows its user a sample
/// rate and a number of samples.
///
/// The mode is the model's first one for the channels and the resolution of the request that has this clock. `pre_trigger`
/// counts samples before the trigger, over the interleaved analog channels as those of `timebase`. The period, the samples
/// and the position of the request do not matter.
///
/// ```
/// use scopething_core::device::BS05;
/// use scopething_core::plan::{BusyOutputs, CaptureRequest, Channel, Resolution, Timebase, plan_capture_at};
///
/// let request = CaptureRequest { resolution: Resolution::Bits8, ..CaptureRequest::new(Channel::A) };
/// let clock = Timebase { ticks: 39, scale: 23, samples: 500 };
/// let plan = plan_capture_at(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING, clock, 100)?;
/// assert_eq!((plan.mode.name, plan.timebase, plan.pre_trigger), ("Analog", clock, 100));
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
///
/// # Errors
/// [`PlanError::Timebase`] where no mode has the clock and the room, and what [`plan_capture`] refuses.
pub fn plan_capture_at(
    model: &Model,
    probe: &AnalogParameters,
    request: &CaptureRequest,
    driven: BusyOutputs,
    timebase: Timebase,
    pre_trigger: u16,
) -> Result<CapturePlan, PlanError> {
    // Which only the wait for the trigger depends on.
    let period_s = f64::from(timebase.samples) * f64::from(timebase.ticks_per_sample()) / model.clock_hz;
    let request =
        &CaptureRequest { period_s: period_s.max(f64::MIN_POSITIVE), samples: 1, position: 0.0, ..*request };
    assemble(model, probe, request, driven, |span| {
        let mode = model.modes.iter().find(|mode| span.takes(model, mode, timebase));
        let Timebase { ticks, scale, samples } = timebase;
        Ok(Chosen {
            mode: mode.ok_or(PlanError::Timebase { ticks, scale, samples })?,
            timebase,
            pre_trigger: pre_trigger.min(samples),
            is_pre_trigger_asked: pre_trigger > 0,
            fewer: None,
        })
    })
}

/// The part of a plan that does not come from volts and the trigger.
struct Chosen {
    mode: &'static TraceMode,
    timebase: Timebase,
    /// Samples before the trigger, if the mode keeps any.
    pre_trigger: u16,
    is_pre_trigger_asked: bool,
    fewer: Option<Notice>,
}

fn assemble(
    model: &Model,
    probe: &AnalogParameters,
    request: &CaptureRequest,
    driven: BusyOutputs,
    choose: impl FnOnce(&Span) -> Result<Chosen, PlanError>,
) -> Result<CapturePlan, PlanError> {
    check(request)?;
    let span = span_of(request, driven)?;
    let channels = span.channels;
    let trigger = request.trigger.or_else(|| default_trigger(request.channels, channels, driven));
    let range = plan_range(model, probe, request, trigger)?;
    let Chosen { mode, timebase, mut pre_trigger, is_pre_trigger_asked, fewer } = choose(&span)?;
    let mut notices = Notices::new();
    let mut notice = |notice: Notice| {
        // The list has room for one of each kind, and no kind comes twice.
        let _ = notices.push(notice);
    };
    fewer.into_iter().for_each(&mut notice);
    let sample_rate_hz = model.clock_hz / f64::from(timebase.ticks_per_sample());
    let delay_us = delay_us(request)?;
    if delay_us > 0 {
        pre_trigger = 0;
    }
    if sample_rate_hz > model.pre_trigger_limit_hz && is_pre_trigger_asked && delay_us == 0 {
        pre_trigger = 0;
        notice(Notice::NoPreTrigger { sample_rate_hz: sample_rate_hz as f32 });
    }
    let filter = if request.hair_trigger { 4 } else { 8 };
    let mut plan = CapturePlan {
        mode,
        width: model.width(mode),
        clock_hz: model.clock_hz,
        timebase,
        channels,
        range: range.samples,
        trigger: trigger.ok_or(PlanError::NoChannel)?,
        trigger_type: request.trigger_type,
        level: range.level,
        pre_trigger,
        delay_us,
        end: TraceEnd::Trigger,
        notices: Notices::new(),
        registers: trigger_registers(&range, request.trigger_type, filter, channels, driven),
    };
    if let Some(wait_s) = request.trigger_wait_s() {
        plan.end = plan_timeout(&plan, wait_s);
        if let (TraceEnd::HostTimeout(_), Some(timeout_s)) = (plan.end, request.timeout_s) {
            notice(Notice::HostTimeout { timeout_s: timeout_s as f32 });
        }
    }
    [range.unsafe_range, range.range_limited, range.level_limited]
        .into_iter()
        .flatten()
        .for_each(&mut notice);
    if plan.readable(timebase.samples) < timebase.samples {
        notice(Notice::FullBuffer { samples: timebase.samples });
    }
    let (by_generator, by_comparator) = left_out(request.channels, driven);
    if by_generator | by_comparator != 0 {
        notice(Notice::LinesLeftOut { driven: by_generator, shared: by_comparator });
    }
    plan.notices = notices;
    Ok(plan)
}

fn trigger_registers(
    range: &RangePlan,
    trigger_type: TriggerType,
    filter: u16,
    channels: ChannelSet,
    driven: BusyOutputs,
) -> TriggerRegisters {
    let analog_filter = if channels.analog() == 0 { 0 } else { ANALOG_FILTER };
    let waveform = if driven.waveform { WAVEFORM_OUTPUT } else { 0 };
    TriggerRegisters {
        converter_low: range.converter_low,
        converter_high: range.converter_high,
        trigger_level: range.trigger_level,
        trigger_intro: if trigger_type.is_edge() { filter } else { 0 },
        trigger_outro: filter,
        kitchen_sink_b: analog_filter | waveform,
    }
}

/// The trigger on the channel that was asked for first. On a line that is driven it may never come: then on the first
/// one that is captured.
fn default_trigger(asked: ChannelSet, captured: ChannelSet, driven: BusyOutputs) -> Option<TriggerSource> {
    let is_driven = |channel| matches!(channel, Channel::Logic(line) if driven.lines & line.bit() != 0);
    let first = asked.first().filter(|&channel| !is_driven(channel));
    first.or_else(|| captured.iter().next()).map(TriggerSource::of_channel)
}

/// The delay in the device's microseconds.
fn delay_us(request: &CaptureRequest) -> Result<u32, PlanError> {
    let delay_us = round(request.delay_s * 1e6);
    let is_possible = if request.delay_s > 0.0 { delay_us >= 1.0 } else { request.delay_s == 0.0 };
    if is_possible && delay_us <= f64::from(u32::MAX) {
        Ok(delay_us as u32)
    } else {
        Err(PlanError::Delay(request.delay_s))
    }
}

fn check(request: &CaptureRequest) -> Result<(), PlanError> {
    if !(0.0..=1.0).contains(&request.position) {
        return Err(PlanError::Position(request.position));
    }
    match request.timeout_s {
        Some(timeout_s) if !(timeout_s >= 0.0 && timeout_s.is_finite()) => {
            return Err(PlanError::Timeout(timeout_s));
        }
        _ => {}
    }
    match request.trigger {
        Some(TriggerSource::Logic(LogicPattern { care: 0, .. })) => Err(PlanError::EmptyPattern),
        _ => Ok(()),
    }
}

/// The first mode that fits; failing that, and then the last value is false, the one that takes the most samples over
/// the period.
fn choose(model: &Model, span: &Span) -> Result<(&'static TraceMode, Timebase, bool), PlanError> {
    for mode in model.modes {
        if let ModeFit::Fits(timebase) = span.fit(model, mode) {
            return Ok((mode, timebase, true));
        }
    }
    let (longest_s, fastest_hz) = span.limits(model).ok_or(PlanError::NoMode)?;
    let period_s = span.period_s;
    let mut best: Option<(&'static TraceMode, Timebase)> = None;
    for mode in model.modes {
        let Some(timebase) = span.nearest(model, mode) else { continue };
        if best.is_none_or(|(_, best)| timebase.samples > best.samples) {
            best = Some((mode, timebase));
        }
    }
    best.map(|(mode, timebase)| (mode, timebase, false)).ok_or(if period_s > longest_s {
        PlanError::PeriodTooLong { period_s, longest_s, fastest_hz }
    } else {
        PlanError::PeriodTooShort { period_s, longest_s, fastest_hz }
    })
}

/// What ends a trace that waits so long for its trigger.
///
/// The device's timeout runs from when the samples before the trigger are taken. It counts the filters, the
/// post-trigger part and two spare samples as well as the wait. The host's runs from the start, and so counts the
/// samples before the trigger too: a trigger at the last moment lets the trace complete, and without a wait nothing but
/// one trace is taken.
fn plan_timeout(plan: &CapturePlan, wait_s: f64) -> TraceEnd {
    let tick_s = 1.0 / plan.clock_hz;
    let values = &plan.registers;
    let post_trigger = plan.timebase.samples.saturating_sub(plan.pre_trigger);
    let outro = post_trigger.saturating_sub(values.trigger_outro);
    let filters = u32::from(values.trigger_intro) + u32::from(values.trigger_outro);
    let samples = filters + u32::from(outro) + TIMEOUT_SPARE;
    let ticks = f64::from(samples) * f64::from(plan.timebase.ticks) * f64::from(plan.timebase.scale);
    let units = ceil((ticks * tick_s + wait_s) / (TIMEOUT_TICKS * tick_s)).max(1.0);
    if units <= f64::from(u16::MAX) {
        return TraceEnd::DeviceTimeout(units as u16);
    }
    let longest_s = plan.duration_s() + wait_s + f64::from(plan.delay_us) * 1e-6;
    TraceEnd::HostTimeout(Micros::from_seconds(longest_s * (1.0 + MAX_CLOCK_SKEW)))
}

#[cfg(test)]
mod tests {
    use super::super::{Resolution, SampleRange, TriggerMode};
    use super::*;
    use crate::device::BS05;
    use crate::vm::Register;
    use proptest::prelude::*;

    fn plan(request: &CaptureRequest) -> Result<CapturePlan, PlanError> {
        plan_capture(&BS05, &BS05.analog, request, BusyOutputs::NOTHING)
    }

    fn of(channels: &str) -> CaptureRequest {
        CaptureRequest::new(channels.parse::<ChannelSet>().unwrap())
    }

    #[test]
    fn registers_are_in_order_of_address() {
        let registers = plan(&of("A,B,L")).unwrap().registers();
        assert!(registers.is_sorted_by_key(|(register, _)| register.address()));
    }

    #[test]
    fn raw_range_beyond_the_converters_is_reported() {
        let raw = |low, high| {
            let request = CaptureRequest { raw: true, low: Some(low), high: Some(high), ..of("A") };
            plan(&request).unwrap().notices
        };
        assert!(raw(-0.5, 2.0).contains(&Notice::RawRangeLimited { low: 0.0, high: 1.0 }));
        assert!(!raw(0.25, 0.75).iter().any(|notice| matches!(notice, Notice::RawRangeLimited { .. })));
    }

    #[test]
    fn interleaved_channels_share_the_sample_rate() {
        let rates = |channels: &str| {
            let planned = plan(&CaptureRequest { period_s: 1e-3, samples: 1000, ..of(channels) }).unwrap();
            let channels = planned.channels.iter();
            channels.map(|channel| planned.channel_sample_rate_hz(channel)).collect::<std::vec::Vec<_>>()
        };
        assert_eq!(rates("A"), [1e6]);
        assert_eq!(rates("A,B"), [500e3, 500e3]);
        assert_eq!(rates("A,B,L0"), [500e3, 500e3, 1e6]);
    }

    #[test]
    fn too_many_samples_are_met_nearly_and_reported() {
        let request = CaptureRequest { period_s: 1.207e-6, samples: 5883, ..of("A") };
        let planned = plan(&request).unwrap();
        // The fastest mode of one channel takes 20 MS/s: 1.207 us x 20 MS/s = 24.14.
        assert_eq!(
            (planned.mode.name, planned.timebase.ticks, planned.timebase.samples),
            ("AnalogShot", 2, 24)
        );
        assert_eq!(planned.notices.first(), Some(&Notice::FewerSamples { asked: 5883, given: 24 }));
    }

    #[test]
    fn small_buffer_still_covers_the_period() {
        let request = CaptureRequest { period_s: 2.279, samples: 15_278, ..of("B") };
        let planned = plan(&request).unwrap();
        assert!((planned.duration_s() - 2.279).abs() <= planned.tick_period_s(), "{}", planned.duration_s());
        assert!(planned.timebase.samples > 12_000, "{:?}", planned.timebase);
    }

    #[test]
    fn impossible_period_is_refused_with_limits() {
        // 12288 samples of 16384 ticks of 25 ns; 40 MS/s.
        let longest = 12_288.0 * 16_384.0 * 25e-9;
        match plan(&CaptureRequest { period_s: 11.0, samples: 27, ..of("L") }) {
            Err(PlanError::PeriodTooLong { longest_s, fastest_hz, .. }) => {
                assert!((longest_s - longest).abs() < 1e-9 && fastest_hz == 40e6);
            }
            other => panic!("{other:?}"),
        }
        let short = plan(&CaptureRequest { period_s: 1e-9, ..of("A,B") });
        assert!(matches!(short, Err(PlanError::PeriodTooShort { fastest_hz: 10e6, .. })), "{short:?}");
    }

    #[test]
    fn long_timeout_is_left_to_the_host() {
        let request = CaptureRequest { timeout_s: Some(2.0), ..of("A") };
        let planned = plan(&request).unwrap();
        assert!(planned.registers().contains(&(Register::Timeout, 0)));
        let TraceEnd::HostTimeout(wait) = planned.end else { panic!("{:?}", planned.end) };
        assert!(wait >= Micros::from_seconds(2.0 + planned.duration_s()), "{wait:?}");
        assert!(planned.notices[0].is_adjustment());
    }

    #[test]
    fn host_ends_an_immediate_trace() {
        // The longest periods of each, in seconds: with 12288 samples of 40 x 16383 ticks, and with 6144.
        for (channels, period_s) in [("A", 0.7), ("A", 10.0), ("A", 200.0), ("A,B,L", 50.0), ("L", 5.0)] {
            let request = CaptureRequest { period_s, samples: 200, timeout_s: Some(0.0), ..of(channels) };
            let planned = plan(&request).unwrap();
            let TraceEnd::HostTimeout(wait) = planned.end else { panic!("{:?}", planned.end) };
            let late_s = wait.seconds() - planned.duration_s();
            // What two crystals may differ by.
            let skew_s = planned.duration_s() * 200e-6;
            assert!((late_s - skew_s).abs() < 2e-6, "{channels} {period_s}: {late_s}");
            // The difference from what the device would do is reported, but nobody has to act on it.
            let timed = planned.notices.iter().find(|notice| matches!(notice, Notice::HostTimeout { .. }));
            assert!(timed.is_some_and(|notice| !notice.matters_to_user()), "{:?}", planned.notices);
        }
    }

    #[test]
    fn timeout_overrides_auto() {
        let auto = CaptureRequest { trigger_mode: TriggerMode::Auto, ..of("A") };
        let timed = CaptureRequest { timeout_s: Some(0.1), ..of("A") };
        assert_eq!(plan(&auto).unwrap(), plan(&timed).unwrap());
        let given = CaptureRequest { timeout_s: Some(0.02), ..auto };
        let normal = CaptureRequest { trigger_mode: TriggerMode::Normal, ..given };
        assert_eq!(plan(&given).unwrap(), plan(&normal).unwrap());
        // Nobody asked for a timeout that would have to be explained.
        let long = plan(&CaptureRequest { period_s: 2.0, ..auto }).unwrap();
        let TraceEnd::HostTimeout(wait) = long.end else { panic!("{:?}", long.end) };
        assert!((4.0..4.01).contains(&wait.seconds()), "{wait:?}");
        assert!(long.notices.is_empty(), "{:?}", long.notices);
    }

    #[test]
    fn eight_bits_leave_out_the_modes_of_sixteen() {
        for (channels, fine, coarse) in [("A", "Macro", "Analog"), ("A,B", "MacroChop", "AnalogChop")] {
            let best = plan(&of(channels)).unwrap();
            let request = CaptureRequest { resolution: Resolution::Bits8, ..of(channels) };
            let eight = plan(&request).unwrap();
            assert_eq!((best.mode.name, eight.mode.name), (fine, coarse));
            assert_eq!(best.timebase.samples, eight.timebase.samples);
            assert_eq!(eight.dump_bytes() * 2, best.dump_bytes());
            let fit =
                mode_fits(&BS05, &request, BusyOutputs::NOTHING).unwrap().find(|(mode, _)| mode.name == fine);
            assert_eq!(fit.map(|(_, fit)| fit), Some(ModeFit::TooFine));
            // Twice the samples fit the buffer.
            let full = CaptureRequest { period_s: 12.288e-3, samples: 12_288, ..request };
            assert_eq!(plan(&full).unwrap().timebase.samples, 12_288);
        }
        // What has 8 bits anyway stays as it is.
        for channels in ["L", "A,L", "A,B,L"] {
            let request = CaptureRequest { resolution: Resolution::Bits8, ..of(channels) };
            assert_eq!(plan(&request).unwrap(), plan(&of(channels)).unwrap(), "{channels}");
        }
    }

    #[test]
    fn fast_modes_have_no_pre_trigger() {
        let planned = plan(&CaptureRequest { period_s: 100e-6, samples: 1000, ..of("A") }).unwrap();
        assert_eq!(planned.pre_trigger, 0);
        assert_eq!(planned.notices[0], Notice::NoPreTrigger { sample_rate_hz: 10e6 });
        let planned = plan(&CaptureRequest { period_s: 200e-6, samples: 1000, ..of("A") }).unwrap();
        assert_eq!(planned.pre_trigger, 250);
    }

    #[test]
    fn range_is_clamped_to_the_converters() {
        let planned = plan(&CaptureRequest { low: Some(-7.5), high: Some(10.8), ..of("A") }).unwrap();
        let SampleRange::Volts { low, high, .. } = planned.range else { panic!("{:?}", planned.range) };
        // Both DACs at their ends: lo and hi solve 1.1 lo - 0.05 hi = 0 and 1.1 hi - 0.05 lo - 0.05 = 1.
        let hi = 1.05 / (1.1 - 0.05 * 0.05 / 1.1);
        let lo = 0.05 * hi / 1.1;
        assert!((low - (lo * 18.333 - 7.517)).abs() < 1e-9, "{low}");
        assert!((high - (hi * 18.333 - 7.517)).abs() < 1e-9, "{high}");
        assert!(planned.notices.contains(&Notice::RangeLimited { low: low as f32, high: high as f32 }));
        assert!(planned.notices.contains(&Notice::UnsafeRange { safe_low: -5.5, safe_high: 8.0 }));
    }

    #[test]
    fn trigger_is_on_the_first_free_channel() {
        let driven = BusyOutputs { waveform: false, lines: 0b11 };
        for (channels, trigger) in
            [("L", "L2=1"), ("L1,L4,L3", "L3=1"), ("L0,B,L2", "B"), ("L5,L0,A", "L5=1"), ("A,L0", "A")]
        {
            let planned = plan_capture(&BS05, &BS05.analog, &of(channels), driven).unwrap();
            assert_eq!(planned.trigger, trigger.parse().unwrap(), "{channels}");
        }
        // A pattern that is named is taken as it is.
        let named = CaptureRequest { trigger: "L0=0".parse().ok(), ..of("L") };
        let planned = plan_capture(&BS05, &BS05.analog, &named, driven).unwrap();
        assert_eq!(Some(planned.trigger), named.trigger);
    }

    #[test]
    fn delayed_trace_begins_after_its_delay() {
        let request = CaptureRequest { delay_s: 1e-3, ..of("A") };
        let planned = plan(&request).unwrap();
        assert_eq!((planned.delay_us, planned.pre_trigger, planned.trigger_sample()), (1000, 0, 0));
        // 1000 samples of 1 us, and the 8 of the trigger's filter before the delay.
        assert!((planned.trigger_time_s() + 1.008e-3).abs() < 1e-12, "{}", planned.trigger_time_s());
        let registers = planned.registers();
        for wanted in [(Register::TraceDelay, 1000), (Register::TraceIntro, 0), (Register::TraceOutro, 1000)]
        {
            assert!(registers.contains(&wanted), "{wanted:?} in {registers:?}");
        }
        let whole = plan(&CaptureRequest { delay_s: 4_294.967_295, ..request }).unwrap();
        assert_eq!(whole.delay_us, u32::MAX);
        let undelayed = plan(&of("A")).unwrap();
        assert!((undelayed.trigger_time_s() - 0.25e-3).abs() < 1e-12);
    }

    #[test]
    fn wait_of_the_host_allows_for_the_delay() {
        let request = CaptureRequest { delay_s: 3.0, timeout_s: Some(2.0), ..of("A") };
        let TraceEnd::HostTimeout(wait) = plan(&request).unwrap().end else {
            panic!("the device cannot wait 2 s")
        };
        assert!(wait >= Micros::from_seconds(5.0), "{wait:?}");
        // The device's timeout is one for the trigger: the delay comes after it.
        let planned = plan(&CaptureRequest { timeout_s: Some(0.1), ..request }).unwrap();
        assert_eq!(
            planned.end,
            plan(&CaptureRequest { delay_s: 0.0, position: 0.0, timeout_s: Some(0.1), ..request })
                .unwrap()
                .end
        );
        assert!(planned.longest_trace().unwrap() >= Micros::from_seconds(3.1));
    }

    #[test]
    fn busy_and_shared_lines_are_left_out() {
        let driven = BusyOutputs { waveform: true, lines: 0x11 };
        let planned = plan_capture(&BS05, &BS05.analog, &of("A,L"), driven).unwrap();
        assert_eq!(planned.channels.logic(), 0x6e);
        assert_eq!(planned.notices[..], [Notice::LinesLeftOut { driven: 0x11, shared: 0x80 }]);
        let only = plan_capture(&BS05, &BS05.analog, &of("L4"), driven);
        assert_eq!(only, Err(PlanError::NoChannelLeft));
    }

    fn plan_at(
        request: &CaptureRequest,
        clock: (u16, u16, u16),
        pre_trigger: u16,
    ) -> Result<CapturePlan, PlanError> {
        let (ticks, scale, samples) = clock;
        let timebase = Timebase { ticks, scale, samples };
        plan_capture_at(&BS05, &BS05.analog, request, BusyOutputs::NOTHING, timebase, pre_trigger)
    }

    #[test]
    fn chosen_clock_finds_its_mode() {
        let eight = |channels| CaptureRequest { resolution: Resolution::Bits8, ..of(channels) };
        for (channels, clock, mode) in [
            ("A", (2, 1, 12_288), "AnalogShot"),
            ("A", (8, 1, 1), "AnalogFast"),
            ("A", (15, 1, 1000), "Analog"),
            ("B", (39, 16_383, 1000), "Analog"),
            ("A,B", (4, 1, 12_288), "AnalogShotChop"),
            ("A,B", (40, 2, 100), "AnalogChop"),
            ("A,L0", (2, 1, 6144), "MixedShot"),
            ("A,B,L0", (20, 5, 6144), "MixedChop"),
            ("L", (1, 1, 12_288), "LogicShot"),
            ("L", (4, 1, 100), "LogicFast"),
            ("L", (16_384, 1, 100), "Logic"),
        ] {
            let planned = plan_at(&eight(channels), clock, 0).unwrap();
            let Timebase { ticks, scale, samples } = planned.timebase;
            assert_eq!((planned.mode.name, (ticks, scale, samples)), (mode, clock), "{channels}");
            let registers = planned.registers();
            for wanted in [(Register::ClockTicks, ticks.into()), (Register::ClockScale, scale.into())] {
                assert!(registers.contains(&wanted), "{wanted:?} in {registers:?}");
            }
        }
        assert_eq!(plan_at(&of("A"), (100, 1, 1000), 0).unwrap().mode.name, "Macro");
    }

    #[test]
    fn clock_that_no_mode_has_is_refused() {
        let eight = |channels| CaptureRequest { resolution: Resolution::Bits8, ..of(channels) };
        for (channels, clock) in [
            ("A", (1, 1, 100)),
            ("A", (7, 1, 100)),
            ("A", (41, 1, 100)),
            ("A", (8, 2, 100)),
            ("A", (40, 16_384, 100)),
            ("A", (40, 0, 100)),
            ("A", (40, 1, 12_289)),
            ("A", (40, 1, 0)),
            ("A,B", (40, 1, 101)),
            ("A,L", (40, 1, 6145)),
            ("L", (16_385, 1, 100)),
        ] {
            let refused = plan_at(&eight(channels), clock, 0);
            let (ticks, scale, samples) = clock;
            assert_eq!(refused, Err(PlanError::Timebase { ticks, scale, samples }), "{channels}");
        }
        let nothing = CaptureRequest::new(ChannelSet::EMPTY);
        assert_eq!(plan_at(&nothing, (40, 1, 100), 0), Err(PlanError::NoChannel));
    }

    #[test]
    fn chosen_pre_trigger_is_kept_where_possible() {
        let planned = plan_at(&of("A"), (40, 1, 100), 30).unwrap();
        // Less the 8 samples of the trigger's filters.
        assert!(planned.registers().contains(&(Register::TraceIntro, 22)), "{:?}", planned.registers());
        assert!(planned.registers().contains(&(Register::TraceOutro, 62)), "{:?}", planned.registers());
        assert_eq!(plan_at(&of("A"), (40, 1, 100), 500).unwrap().pre_trigger, 100);
        let fast = plan_at(&of("A"), (2, 1, 100), 30).unwrap();
        assert_eq!((fast.pre_trigger, fast.notices[0]), (0, Notice::NoPreTrigger { sample_rate_hz: 20e6 }));
        let delayed = plan_at(&CaptureRequest { delay_s: 1e-3, ..of("A") }, (40, 1, 100), 30).unwrap();
        assert_eq!((delayed.pre_trigger, delayed.delay_us, delayed.notices.len()), (0, 1000, 0));
    }

    #[test]
    fn numbers_that_make_no_sense_are_refused() {
        let nan = f64::NAN;
        for (request, name) in [
            (CaptureRequest { period_s: 0.0, ..of("A") }, "Period"),
            (CaptureRequest { period_s: nan, ..of("A") }, "Period"),
            (CaptureRequest { samples: 0, ..of("A") }, "NoSamples"),
            (CaptureRequest { low: Some(1.0), high: Some(1.0), ..of("A") }, "Range"),
            (CaptureRequest { low: Some(f64::INFINITY), ..of("A") }, "Range"),
            (CaptureRequest { level: Some(nan), ..of("A") }, "Level"),
            (CaptureRequest { position: -0.1, ..of("A") }, "Position"),
            (CaptureRequest { timeout_s: Some(-1.0), ..of("A") }, "Timeout"),
            (CaptureRequest { delay_s: -1e-3, ..of("A") }, "Delay"),
            (CaptureRequest { delay_s: nan, ..of("A") }, "Delay"),
            (CaptureRequest { delay_s: 4e-7, ..of("A") }, "Delay"),
            (CaptureRequest { delay_s: 4295.0, ..of("A") }, "Delay"),
            (CaptureRequest::new(ChannelSet::EMPTY), "NoChannel"),
        ] {
            let refused = std::format!("{:?}", plan(&request).unwrap_err());
            assert!(refused.starts_with(name), "{refused}");
        }
    }

    prop_compose! {
        fn any_request()(
            analog in 0u8..4, logic in prop_oneof![Just(0u8), any::<u8>()],
            period_s in prop_oneof![1e-8..1e-3, 1e-3..300.0, any::<f64>()], samples in any::<u16>(),
            low in prop::option::of(-8.0..11.0), high in prop::option::of(-8.0..11.0),
            position in 0.0..=1.0, timeout_s in prop::option::of(0.0..10.0), hair_trigger in any::<bool>(),
            delay_s in prop_oneof![Just(0.0), 0.0..5000.0],
            kind in 0usize..4, raw in any::<bool>(), auto in any::<bool>(), eight in any::<bool>(),
        ) -> CaptureRequest {
            let mut channels = ChannelSet::EMPTY;
            for channel in ChannelSet::ALL_LOGIC.with(super::super::Channel::A).with(super::super::Channel::B).iter() {
                let wanted = match channel {
                    super::super::Channel::Analog(channel) => analog & channel.bit(),
                    super::super::Channel::Logic(line) => logic & line.bit(),
                };
                if wanted != 0 {
                    channels = channels.with(channel);
                }
            }
            let trigger_type = TriggerType::ALL[kind].0;
            CaptureRequest {
                period_s, samples: samples.into(), low, high, position, delay_s, timeout_s, hair_trigger, raw, trigger_type,
                trigger_mode: if auto { TriggerMode::Auto } else { TriggerMode::Normal },
                resolution: if eight { Resolution::Bits8 } else { Resolution::Best },
                ..CaptureRequest::new(channels)
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn every_plan_is_executable(request in any_request()) {
            let Ok(planned) = plan(&request) else { return Ok(()) };
            let Timebase { ticks, scale, samples } = planned.timebase;
            prop_assert!((planned.mode.ticks_low..=planned.mode.ticks_high).contains(&ticks));
            prop_assert!((1..=planned.mode.scale_high).contains(&scale));
            prop_assert!(samples > 0 && samples <= planned.width);
            prop_assert!(planned.mode.analog_channels != 2 || samples % 2 == 0);
            prop_assert!(planned.mode.sample_bytes <= request.resolution.max_sample_bytes());
            prop_assert!(planned.dump_bytes() <= usize::from(BS05.buffer_bytes));
            for (register, value) in planned.registers() {
                prop_assert!(value <= register.kind().max(), "{register:?} {value}");
            }
            if planned.end == TraceEnd::Trigger {
                prop_assert_eq!(request.trigger_wait_s(), None);
            }
            // Chosen by number, it is the same plan.
            let clock = (ticks, scale, samples);
            let resolution = if planned.mode.sample_bytes == 1 { Resolution::Bits8 } else { request.resolution };
            // Mode auto waits as long as the period, of which the samples are not an exact multiple.
            let request = CaptureRequest { resolution, timeout_s: request.trigger_wait_s(), ..request };
            let again = plan_at(&request, clock, planned.pre_trigger).unwrap();
            prop_assert_eq!(again.timebase, planned.timebase);
            if again.mode == planned.mode {
                prop_assert_eq!(again.registers(), planned.registers());
            }
            // The period is covered to within a sample of each channel.
            let resolution = planned.tick_period_s() * f64::from(planned.mode.analog_channels.max(1));
            prop_assert!((planned.duration_s() - request.period_s).abs() <= resolution * 1.000_001);
        }
    }
}

//! From what a program has set up to a plan of the driver.

use scopething_core::plan::{
    AnalogChannel, CaptureRequest, ChannelSet, LogicPattern, Resolution, StreamRequest, Timebase,
    TriggerSource, TriggerType,
};

use crate::settings::{Analog, CAPTURED_CHANNELS, Edge, Mode, Settings, Trigger};

/// The most that the trigger can be delayed by, in seconds: what the device's register holds.
const MAX_DELAY_S: f64 = 4294.0;
/// Where no trace mode of the device has the ticks, the next ones that one has.
const AFTER_GAP: u16 = 8;

/// What is to be captured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TraceRequest {
    pub(crate) capture: CaptureRequest,
    pub(crate) timebase: Timebase,
    pub(crate) pre_trigger: u16,
    pub(crate) shown: Shown,
}

/// How what is captured is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shown {
    /// Of each analog channel: what is added to the signal, if the channel is shown.
    pub(crate) analog: [Option<f64>; CAPTURED_CHANNELS],
    pub(crate) logic: bool,
    /// How many samples a channel is to have.
    pub(crate) size: usize,
    /// Whether the sample that the device has written over is shown as its neighbour.
    pub(crate) full_buffer: bool,
    /// Whether behind each analog sample the midpoint to its next is shown.
    pub(crate) midpoints: bool,
}

/// A and B, as the driver names them.
pub(crate) const CHANNELS: [AnalogChannel; CAPTURED_CHANNELS] = [AnalogChannel::A, AnalogChannel::B];

impl TraceRequest {
    /// The trace that the settings ask for. `timeout_s` is how long it waits for its trigger: not at all at 0, and for ever below.
    pub(crate) fn new(settings: &mut Settings, timeout_s: f64) -> Self {
        let clock = settings.resolve_clock();
        let channels = channels_of(settings);
        let both = channels.analog_count() == 2;
        // In `MIXED` both channels share the samples, in `DUAL` each has as many.
        let each = if settings.mode == Mode::Dual { 2.0 } else { 1.0 };
        let size = settings.captured_size();
        let mut samples = (f64::from(size) * each) as u16;
        if both {
            samples = (samples + 1) & !1;
        }
        let pre_trigger = (settings.intro_s * clock.rate_hz() * each).round().min(f64::from(samples));
        let mut ticks = clock.ticks as u16;
        if (6..AFTER_GAP).contains(&ticks) && settings.mode != Mode::Logic {
            ticks = AFTER_GAP;
        }
        // What the driver has no room for is left to its planner to refuse.
        let scale = clock.scale.min(f64::from(u16::MAX)) as u16;
        let timebase = Timebase { ticks, scale, samples };
        let shown = Shown {
            analog: CHANNELS.map(|channel| {
                let captured = channels.contains(channel.into());
                let (index, analog) = (channel as usize, settings.analog());
                let set = analog.get(index).filter(|set| captured && (set.is_on || analog_is_off(settings)));
                set.map(Analog::shown_offset_v)
            }),
            logic: channels.logic() != 0,
            size: size as usize,
            full_buffer: settings.quirks().full_buffer,
            midpoints: settings.mode == Mode::Mixed && both && settings.quirks().midpoints,
        };
        Self {
            capture: capture_of(settings, channels, timeout_s),
            timebase,
            pre_trigger: pre_trigger as u16,
            shown,
        }
    }
}

fn analog_is_off(settings: &Settings) -> bool {
    settings.analog().iter().all(|channel| !channel.is_on)
}

/// What the mode captures.
fn channels_of(settings: &Settings) -> ChannelSet {
    let one = || ChannelSet::EMPTY.with(channel(settings.fast_channel()).into());
    let both = || CHANNELS.into_iter().fold(ChannelSet::EMPTY, |set, channel| set.with(channel.into()));
    match settings.mode {
        Mode::Fast => one(),
        Mode::Dual => both(),
        Mode::Logic => ChannelSet::ALL_LOGIC,
        Mode::Mixed | Mode::Stream => {
            let all_on = settings.analog().iter().all(|channel| channel.is_on);
            let analog = if all_on { both() } else { one() };
            let lines = ChannelSet::ALL_LOGIC;
            lines.iter().fold(analog, ChannelSet::with)
        }
    }
}

fn channel(index: usize) -> AnalogChannel {
    CHANNELS.get(index).copied().unwrap_or(AnalogChannel::A)
}

/// Bottom and top of what is measured: that of each channel that is captured within it, since the device has one range for both.
fn range_of(settings: &Settings, channels: ChannelSet) -> Option<(f64, f64)> {
    let captured =
        CHANNELS.into_iter().zip(settings.analog()).filter(|&(channel, _)| channels.contains(channel.into()));
    let limits = captured.map(|(_, set)| set.limits_v());
    limits.reduce(|(low, high), (other_low, other_high)| (low.min(other_low), high.max(other_high)))
}

fn capture_of(settings: &Settings, channels: ChannelSet, timeout_s: f64) -> CaptureRequest {
    let range = range_of(settings, channels);
    let mut request = CaptureRequest {
        low: range.map(|(low, _)| low),
        high: range.map(|(_, high)| high),
        delay_s: delay_of(settings),
        // Not a number waits for nothing, as 0.
        timeout_s: if timeout_s.is_nan() {
            Some(0.0)
        } else {
            (0.0..1e9).contains(&timeout_s).then_some(timeout_s)
        },
        resolution: Resolution::Bits8,
        ..CaptureRequest::new(channels)
    };
    match settings.trigger() {
        Trigger::Analog { channel: index, level_v, edge } => {
            request.trigger = Some(TriggerSource::Analog(channel(index)));
            request.level = Some(level_v);
            watch(&mut request, edge);
        }
        Trigger::Logic { care: 0, .. } => watch(&mut request, Edge::None),
        Trigger::Logic { care, high, edge } => {
            request.trigger = Some(TriggerSource::Logic(LogicPattern { care, high }));
            // Each line has its level in the pattern: what the edge means for it is there.
            watch(
                &mut request,
                if matches!(edge, Edge::Rise | Edge::Fall) { Edge::Rise } else { Edge::High },
            );
        }
    }
    request
}

fn watch(request: &mut CaptureRequest, edge: Edge) {
    request.trigger_type = match edge {
        Edge::Rise => TriggerType::Rising,
        Edge::Fall => TriggerType::Falling,
        Edge::High => TriggerType::Above,
        Edge::Low => TriggerType::Below,
        Edge::None => {
            request.timeout_s = Some(0.0);
            TriggerType::Rising
        }
    };
}

/// The delay in whole microseconds, as the device has it.
fn delay_of(settings: &Settings) -> f64 {
    (settings.delay_s.min(MAX_DELAY_S) * 1e6).round() / 1e6
}

/// The stream that the settings ask for, and how it is shown.
pub(crate) fn stream_of(settings: &mut Settings) -> (StreamRequest, Shown) {
    let channels = channels_of(settings);
    let range = range_of(settings, channels);
    let request = StreamRequest {
        low: range.map(|(low, _)| low),
        high: range.map(|(_, high)| high),
        ..StreamRequest::new(channels, settings.resolve_clock().rate_hz())
    };
    let shown = TraceRequest::new(settings, 0.0).shown;
    (request, shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quirks::Quirks;
    use scopething_core::device::BS05;
    use scopething_core::plan::{BusyOutputs, CapturePlan, PlanError, plan_capture_at, plan_stream};

    fn settings() -> Settings {
        Settings::new(Quirks::default())
    }

    fn plan(settings: &mut Settings, timeout_s: f64) -> Result<CapturePlan, PlanError> {
        let TraceRequest { capture, timebase, pre_trigger, .. } = TraceRequest::new(settings, timeout_s);
        plan_capture_at(&BS05, &BS05.analog, &capture, BusyOutputs::NOTHING, timebase, pre_trigger)
    }

    fn set(mode: i32, both: bool, rate_hz: f64, size: i32) -> Settings {
        let mut settings = settings();
        settings.set_mode(mode);
        settings.enable(true);
        settings.select_channel(1);
        settings.enable(both);
        settings.set_rate(rate_hz);
        settings.set_size(size);
        settings
    }

    #[test]
    fn every_mode_is_planned_as_set_up() {
        for (mode, both, rate_hz, size, name, samples, channel_rate_hz) in [
            (0, false, 20e6, 12_288, "AnalogShot", 12_288, 20e6),
            (0, true, 1e6, 1000, "Analog", 1000, 1e6),
            (1, false, 5e6, 6144, "AnalogShotChop", 12_288, 5e6),
            (1, true, 1e5, 999, "AnalogChop", 1998, 1e5),
            (2, false, 20e6, 6144, "MixedShot", 6144, 20e6),
            (2, true, 10e6, 101, "MixedShotChop", 102, 5e6),
            (3, false, 40e6, 12_288, "LogicShot", 12_288, 40e6),
            (3, false, 1.0, 5, "Logic", 5, 2_441.406_25),
        ] {
            let planned = plan(&mut set(mode, both, rate_hz, size), 0.1).unwrap();
            assert_eq!((planned.mode.name, planned.timebase.samples), (name, samples), "mode {mode}");
            let first = planned.channels.iter().next().unwrap();
            let got = planned.channel_sample_rate_hz(first);
            assert!((got / channel_rate_hz - 1.0).abs() < 1e-9, "mode {mode}: {got}");
        }
    }

    #[test]
    fn all_rates_but_the_slowest_are_captured() {
        for mode in 0..4 {
            for both in [false, true] {
                let mut rate_hz = 70.0;
                while rate_hz < 5e7 {
                    let mut settings = set(mode, both, rate_hz, 100);
                    let answered = settings.set_rate(-1.0);
                    let planned =
                        plan(&mut settings, 0.0).unwrap_or_else(|error| panic!("{mode} {rate_hz}: {error}"));
                    let pairs = if mode == 1 { 2.0 } else { 1.0 };
                    let captured = planned.sample_rate_hz() / pairs;
                    assert!(
                        (captured / answered - 1.0).abs() < 1e-12,
                        "{mode} {rate_hz}: {captured} {answered}"
                    );
                    rate_hz *= 1.003;
                }
            }
        }
        assert!(matches!(plan(&mut set(0, false, 20.0, 10), 0.0), Err(PlanError::Timebase { .. })));
    }

    #[test]
    fn channels_switched_on_late_slow_the_trace_down() {
        let mut settings = set(2, false, 0.0, 100);
        settings.select_channel(1);
        settings.enable(true);
        assert_eq!(settings.set_rate(-1.0), 20e6);
        assert_eq!(plan(&mut settings, 0.0).unwrap().sample_rate_hz(), 10e6);
        assert_eq!(settings.set_rate(-1.0), 10e6);
    }

    #[test]
    fn range_is_around_the_negative_offset() {
        let mut settings = settings();
        settings.set_range(1);
        settings.set_offset(1.0);
        let request = TraceRequest::new(&mut settings, 0.0);
        assert_eq!((request.capture.low, request.capture.high), (Some(-2.75), Some(0.75)));
        assert_eq!(request.shown.analog, [Some(1.0), None]);
    }

    #[test]
    fn both_channels_lie_within_the_devices_range() {
        let mut settings = set(1, true, 1e6, 10);
        settings.set_range(0);
        settings.set_offset(-2.0);
        settings.select_channel(0);
        settings.set_range(2);
        let request = TraceRequest::new(&mut settings, 0.0);
        let (low, high) = (request.capture.low.unwrap(), request.capture.high.unwrap());
        assert!((low + 2.6).abs() < 1e-12 && (high - 2.6).abs() < 1e-12, "{low} {high}");
    }

    #[test]
    fn triggers_are_those_of_the_shown_signal() {
        let mut settings = settings();
        settings.set_range(3);
        settings.set_offset(1.0);
        assert!(settings.set_trigger(1.5, 1) && !settings.set_trigger(f64::NAN, 0));
        let request = TraceRequest::new(&mut settings, -1.0).capture;
        assert_eq!(
            (request.level, request.trigger_type, request.timeout_s),
            (Some(0.5), TriggerType::Falling, None)
        );
        let mut settings = Settings::new(Quirks { half_trigger_level: true, ..Quirks::default() });
        settings.set_trigger(1.5, 0);
        assert_eq!(TraceRequest::new(&mut settings, 1.0).capture.level, Some(0.75));
    }

    #[test]
    fn triggers_of_logic_lines_make_a_pattern() {
        let mut settings = settings();
        settings.set_mode(3);
        for (channel, edge, pattern, kind) in [
            (4, 0, "L0=1", TriggerType::Rising),
            (5, 1, "L0=1,L1=0", TriggerType::Rising),
            (6, 2, "L0=1,L1=0,L2=1", TriggerType::Above),
            (7, 3, "L0=1,L1=0,L2=1,L3=0", TriggerType::Above),
            (5, 4, "L0=1,L2=1,L3=0", TriggerType::Above),
        ] {
            settings.select_channel(channel);
            settings.set_trigger(1.0, edge);
            let request = TraceRequest::new(&mut settings, 1.0).capture;
            assert_eq!(request.trigger, Some(pattern.parse().unwrap()));
            assert_eq!((request.trigger_type, request.timeout_s), (kind, Some(1.0)));
        }
    }

    #[test]
    fn waits_are_bounded_or_for_ever() {
        for (timeout_s, expected) in [
            (0.0, Some(0.0)),
            (f64::NAN, Some(0.0)),
            (2.0, Some(2.0)),
            (-1.0, None),
            (f64::INFINITY, None),
            (1e300, None),
        ] {
            assert_eq!(TraceRequest::new(&mut settings(), timeout_s).capture.timeout_s, expected);
        }
    }

    #[test]
    fn delay_leaves_no_room_before_the_trigger() {
        let mut settings = set(0, false, 1e6, 100);
        settings.set_intro(20e-6);
        assert_eq!(plan(&mut settings, 1.0).unwrap().pre_trigger, 20);
        settings.set_delay(0.002_000_4);
        let planned = plan(&mut settings, 1.0).unwrap();
        assert_eq!((planned.pre_trigger, planned.delay_us), (0, 2000));
        settings.set_delay(1e9);
        assert!(plan(&mut settings, 1.0).is_ok());
    }

    #[test]
    fn streams_have_the_answered_rate() {
        for both in [false, true] {
            let mut settings = set(4, both, 1e6, 100);
            let (request, shown) = stream_of(&mut settings);
            let planned = plan_stream(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING).unwrap();
            assert_eq!((planned.rate_hz(), planned.thinning), (settings.set_rate(-1.0), 1));
            assert_eq!((shown.analog[1].is_some(), shown.logic, shown.size), (both, true, 100));
        }
    }
}

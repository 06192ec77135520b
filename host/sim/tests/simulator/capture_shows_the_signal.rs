//! From the request to the trace: for random requests in every trace mode the trace shows the signals that were put in,
//! within the resolution in voltage and time, and the trigger is where the trace reports it.

use std::collections::BTreeSet;
use std::f64::consts::TAU;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use scopething_core::device::BS05;
use scopething_core::plan::{
    AnalogChannel, CapturePlan, CaptureRequest, Channel, ChannelSet, LogicLine, LogicPattern, TraceEnd,
    TriggerSource, TriggerType,
};
use scopething_core::scope::{Scope, ScopeError, ScopeErrorKind};
use scopething_core::trace::{EndReason, Trace, TraceBuffer};
use scopething_sim::{SimConfig, SimLink};

/// A sine from `low` to `high` that rises through its middle at time 0.
#[derive(Debug, Clone, Copy)]
struct Sine {
    hertz: f64,
    low: f64,
    high: f64,
}

impl Sine {
    fn volts(self, time_s: f64) -> f64 {
        f64::midpoint(self.low, self.high) + 0.5 * (self.high - self.low) * (TAU * self.hertz * time_s).sin()
    }

    /// The most it changes within a time.
    fn change(self, time_s: f64) -> f64 {
        0.5 * (self.high - self.low) * TAU * self.hertz * time_s
    }
}

/// What the simulated device sees: sines on A and B, and on line n a square wave of `hertz` / (n + 1), high first.
#[derive(Debug, Clone, Copy)]
struct Signals {
    a: Sine,
    b: Sine,
    line_hertz: f64,
}

impl Signals {
    fn query(&self) -> String {
        let sine = |sine: Sine| format!("sine,{}Hz,{}..{}V", sine.hertz, sine.low, sine.high);
        let lines: Vec<String> =
            (0..8).map(|line| format!("L{line}=square,{}Hz", self.line_hertz(line))).collect();
        format!("clock=fast&A={}&B={}&{}", sine(self.a), sine(self.b), lines.join("&"))
    }

    fn line_hertz(&self, line: u8) -> f64 {
        self.line_hertz / f64::from(line + 1)
    }

    fn line(&self, line: u8, time_s: f64) -> bool {
        (time_s * self.line_hertz(line)).fract() < 0.5
    }

    fn sine(&self, channel: AnalogChannel) -> Sine {
        match channel {
            AnalogChannel::A => self.a,
            AnalogChannel::B => self.b,
        }
    }

    /// Whether the source is beyond its level, or matches the pattern, at any time within `slack_s` of a time.
    fn holds_near(&self, source: TriggerSource, level: f64, wanted: bool, time_s: f64, slack_s: f64) -> bool {
        match source {
            TriggerSource::Analog(channel) => {
                let sine = self.sine(channel);
                let above = sine.volts(time_s) - level;
                let slack = sine.change(slack_s) + 1e-3;
                if wanted { above >= -slack } else { above <= slack }
            }
            TriggerSource::Logic(pattern) => [-slack_s, 0.0, slack_s].into_iter().any(|offset| {
                let lines = (0..8).filter(|line| pattern.care >> line & 1 == 1);
                let mut lines =
                    lines.map(|line| (pattern.high >> line & 1 == 1, self.line(line, time_s + offset)));
                lines.all(|(high, level)| high == level) == wanted
            }),
        }
    }
}

/// No delay, or one in the microseconds that the device counts.
fn any_delay() -> impl Strategy<Value = f64> {
    prop_oneof![2 => Just(0.0), 1 => (1_u32..20_000).prop_map(|micros| f64::from(micros) * 1e-6)]
}

/// A request that some mode is made for, and signals that it can see and trigger on.
fn any_capture() -> impl Strategy<Value = (CaptureRequest, Signals)> {
    let timing = (0..BS05.modes.len(), 0.0..1.0_f64, 0.0..1.0_f64, 0.02..1.0_f64);
    let levels = (-3.0..0.0_f64, 1.0..6.0_f64, 0.2..0.8_f64);
    let trigger = (0usize..4, 0u8..10, any::<bool>(), 0.0..=1.0_f64, any_delay());
    (timing, levels, trigger, 1.0..6.0_f64, any::<u8>()).prop_map(
        |((mode, ticks, scale, fill), (low, high, level), trigger, waves, lines)| {
            let mode = &BS05.modes[mode];
            let span = f64::from(mode.ticks_high - mode.ticks_low);
            let ticks = f64::from(mode.ticks_low) + (ticks * span).round();
            // Scales far up only make the capture longer.
            let scale = (scale * f64::from(mode.scale_high.min(200))).ceil().max(1.0);
            let samples = (fill * f64::from(BS05.width(mode))).ceil().max(4.0);
            let period_s = samples * ticks * scale / BS05.clock_hz;
            let mut channels = ChannelSet::EMPTY;
            match mode.analog_channels {
                0 => {}
                1 => channels = channels.with(if lines & 1 == 0 { Channel::A } else { Channel::B }),
                _ => channels = channels.with(Channel::A).with(Channel::B),
            }
            if mode.logic {
                // L6 and L7 are seen through the comparators of the analog channels.
                channels = channels.union(ChannelSet::of_lines(lines & 0x3f | 1));
            }
            let hertz = waves / period_s;
            let signals = Signals {
                a: Sine { hertz, low, high },
                b: Sine { hertz: hertz * 0.7, low: low * 0.5, high: high * 0.8 },
                line_hertz: hertz * 3.0,
            };
            let (kind, source, hair_trigger, position, delay_s) = trigger;
            let trigger = match source {
                0..=3 => TriggerSource::Analog(AnalogChannel::A),
                4..=6 => TriggerSource::Analog(AnalogChannel::B),
                line => {
                    let line = LogicLine::new(line - 7).expect("0 to 2 are lines");
                    TriggerSource::Logic(LogicPattern::line(line, lines & 2 == 0))
                }
            };
            let through = match trigger {
                TriggerSource::Analog(channel) => signals.sine(channel),
                TriggerSource::Logic(_) => signals.a,
            };
            let request = CaptureRequest {
                period_s,
                samples: samples as u32,
                low: Some(low - 0.5),
                high: Some(high + 0.5),
                trigger: Some(trigger),
                level: Some(through.low + level * (through.high - through.low)),
                trigger_type: TriggerType::ALL[kind].0,
                hair_trigger,
                position,
                delay_s,
                timeout_s: Some(0.1),
                ..CaptureRequest::new(channels)
            };
            (request, signals)
        },
    )
}

fn check_analog(trace: &Trace, signals: &Signals) -> Result<(), TestCaseError> {
    // The DACs set either end of the range to half a step of theirs, 18.333 V / 1.1 / 65536.
    let converter_step = 18.333 / 1.1 / 65536.0;
    for channel in AnalogChannel::ALL {
        let Some(view) = trace.analog(channel) else { continue };
        let sine = signals.sine(channel);
        let tolerance = view.resolution() + converter_step + sine.change(1e-9);
        for (index, volts) in view.values().enumerate() {
            let time_s = trace.capture_start_s() + view.times.time_s(index);
            let true_volts = sine.volts(time_s);
            let error = f64::from(volts) - true_volts;
            prop_assert!(error.abs() <= tolerance, "{channel} {index}: {volts} V instead of {true_volts} V");
        }
    }
    Ok(())
}

fn check_logic(trace: &Trace, signals: &Signals) -> Result<(), TestCaseError> {
    let Some(view) = trace.logic() else { return Ok(()) };
    for line in LogicLine::all().filter(|line| view.lines() & line.bit() != 0) {
        for (index, level) in view.levels(line).enumerate() {
            let time_s = trace.capture_start_s() + view.times.time_s(index);
            let phase = (time_s * signals.line_hertz(line.number()) * 2.0).fract();
            // Within a nanosecond of an edge either level is right.
            let edge = phase.min(1.0 - phase) < 2e-9 * signals.line_hertz(line.number());
            let right = edge || level == signals.line(line.number(), time_s);
            prop_assert!(right, "{line} {index} at {time_s} s is {level}");
        }
    }
    Ok(())
}

fn check_trigger(trace: &Trace, plan: &CapturePlan, signals: &Signals) -> Result<(), TestCaseError> {
    let Some(trigger) = trace.trigger() else { return Ok(()) };
    let tick_s = plan.tick_period_s();
    let time_s = trace.capture_start_s() + trigger.time_s;
    let after = !trigger.trigger_type.is_inverted();
    let holds = |wanted, time_s| signals.holds_near(trigger.source, trigger.level, wanted, time_s, tick_s);
    prop_assert!(holds(after, time_s), "not there yet at {time_s} s: {trigger:?}");
    prop_assert!(holds(after, time_s + 2.0 * tick_s), "not there after {time_s} s: {trigger:?}");
    if trigger.trigger_type.is_edge() {
        prop_assert!(holds(!after, time_s - tick_s), "there before {time_s} s: {trigger:?}");
    }
    Ok(())
}

#[test]
fn trace_shows_the_input_signal() {
    let delayed = AtomicU32::new(0);
    let seen = Mutex::new((BTreeSet::new(), BTreeSet::new()));
    let config = ProptestConfig {
        cases: 1500,
        rng_seed: RngSeed::Fixed(5),
        failure_persistence: None,
        ..Default::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let tested = TestRunner::new(config).run(&any_capture(), |(request, signals)| {
        runtime.block_on(async {
            let link = SimLink::new(&SimConfig::from_query(&signals.query()).unwrap());
            let (clock, profile) = (link.clock(), link.profile());
            let mut scope = Scope::connect(link, clock, profile).await.unwrap();
            let plan = scope.plan(&request).unwrap();
            let mut buffer = TraceBuffer::new();
            let trace = match scope.capture(&plan, &mut buffer).await {
                // The host has ended the wait for a trigger: there is nothing to show.
                Err(ScopeError { kind: ScopeErrorKind::DelayCutShort, .. }) => {
                    prop_assert!(
                        plan.delay_us > 0 && matches!(plan.end, TraceEnd::HostTimeout(_)),
                        "{plan:?}"
                    );
                    return Ok(());
                }
                trace => trace.unwrap(),
            };
            if plan.delay_us > 0 && trace.end_reason() == EndReason::Trigger {
                delayed.fetch_add(1, Ordering::Relaxed);
            }
            seen.lock().unwrap().0.insert(plan.mode.name);
            if trace.end_reason() == EndReason::Trigger {
                seen.lock()
                    .unwrap()
                    .1
                    .insert((request.trigger.unwrap().to_string(), plan.trigger_type.to_string()));
            }
            prop_assert_ne!(trace.end_reason(), EndReason::Cancel);
            check_analog(&trace, &signals)?;
            check_logic(&trace, &signals)?;
            check_trigger(&trace, &plan, &signals)
        })
    });
    if let Err(error) = tested {
        panic!("{error}");
    }
    assert!(delayed.into_inner() > 100, "few triggers with a delay");
    let (modes, triggers) = seen.into_inner().unwrap();
    assert_eq!(modes.len(), BS05.modes.len(), "{modes:?}");
    assert!(triggers.len() >= 4 * 4, "every type fired on A, B and lines: {triggers:?}");
}

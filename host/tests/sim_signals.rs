//! Signals through the whole device: a real recording, the device's own generator and clock.

mod sim_host;

use std::path::Path;

use scopething::sim::{Signal, SimTime};
use scopething_core::vm::Register;
use sim_host::{Host, close};

fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name).display().to_string()
}

/// The capture of a real device, 100 kS/s: a sawtooth of 6.4 ms on ana0 and a triangle of 12.8 ms on ana1.
fn recorded(channel: &str) -> String {
    format!("file:{}#{channel}", data("micro-saw-triangle.sr")).replace('#', "%23")
}

#[test]
fn a_recording_is_played_at_its_rate_and_triggers() {
    let mut host = Host::new(&format!("A={}&B={}", recorded("ana0"), recorded("ana1")));
    // Mode Analog at 10 us a sample, rising through 1.5 V.
    host.prepare(0, 0, 40, 100, 3000);
    host.set(&[(Register::ClockScale, 10), (Register::TriggerLevel, sim_host::dac(sim_host::fraction(1.5)))]);
    host.start();
    let end = host.wait().unwrap().address;
    let samples = host.dump(0, end - 3116, 3116);
    // The sawtooth rises through the level once a period of 640 samples; the edges tell the period.
    let level = sim_host::byte_of(1.5) as u8;
    let rises: Vec<usize> = (8..samples.len() - 8)
        .filter(|&n| {
            samples[n - 8..n].iter().all(|s| *s < level) && samples[n..n + 8].iter().all(|s| *s >= level)
        })
        .collect();
    assert!(rises.len() >= 4, "{rises:?}");
    let period = (rises[rises.len() - 1] - rises[0]) as f64 / (rises.len() - 1) as f64 * 10e-6;
    assert!((period / 6.4e-3 - 1.0).abs() < 0.01, "{period}");
    // The edge of the trigger lies behind the intro and its filter; the recorded steps of ten samples and the
    // bytes' own step make the level uncertain by a step.
    assert!(rises.iter().any(|rise| rise.abs_diff(108) <= 11), "{rises:?}");
}

#[test]
fn a_recording_that_cannot_be_played_says_why() {
    let refusal = |text: &str| text.parse::<Signal>().unwrap_err().to_string();
    let missing = refusal("file:/nowhere/x.sr#A");
    assert!(missing.contains("/nowhere/x.sr cannot be opened"), "{missing}");
    let channel = refusal(&format!("file:{}#ana7", data("micro-saw-triangle.sr")));
    assert!(channel.contains("has no channel \"ana7\"") && channel.contains("ana0"), "{channel}");
    let text = refusal(&format!("file:{}", data("README.md")));
    assert!(text.contains("cannot play"), "{text}");
}

#[test]
fn crossings_of_a_recording_are_where_its_samples_are() {
    let signal: Signal = recorded("ana1").replace("%23", "#").parse().unwrap();
    let mut at = SimTime::ZERO;
    let mut crossings = Vec::new();
    while at < SimTime(200_000_000) {
        let side = signal.volts(at) >= 1.0;
        let next = signal.next_crossing(1.0, at).unwrap();
        for step in 0..40 {
            let between = SimTime(at.0 + (next.0 - at.0) * step / 40);
            assert_eq!(signal.volts(between) >= 1.0, side, "{between:?}");
        }
        at = next;
        if (signal.volts(at) >= 1.0) != side {
            crossings.push(at);
        }
    }
    // The recording lasts 61.44 ms, not quite five triangles, with two crossings each; noise may add to them.
    assert!(crossings.len() >= 3 * 2 * 4, "{}", crossings.len());
}

/// A waveform as vm-reference section 9 says, then a trace of both inputs.
#[test]
fn the_waveform_is_seen_by_a_and_its_inverse_by_b() {
    let mut host = Host::new("");
    host.prepare(2, 1, 40, 0, 4000);
    host.set(&[(Register::TriggerMask, 0xff), (Register::TriggerIntro, 0), (Register::TriggerOutro, 0)]);
    // A triangle of 1 V to 3 V, 1000 samples of 40 ticks: 1 kHz.
    host.set(&[(Register::Cmd, 0), (Register::Mode, 1), (Register::Ratio, 0x8000)]);
    assert_eq!(host.say("Y"), "Y");
    let level = (2.0_f64 / 3.3 * 65536.0).round() as u32;
    let offset = ((2.0_f64 - 1.65) / 3.3 * 65536.0).round() as u32;
    host.set(&[(Register::Mode, 0), (Register::Level, level), (Register::Offset, offset)]);
    host.set(&[(Register::Ratio, (1024.0 / 1000.0 * 65536.0) as u32), (Register::Size, 1000)]);
    assert_eq!(host.say("X"), "X");
    host.set(&[
        (Register::Cmd, 2),
        (Register::Clock, 40),
        (Register::Modulo, 1000),
        (Register::Rest, 0x7f00),
    ]);
    host.set(&[(Register::KitchenSinkB, 0x40)]);
    assert_eq!(host.say("Z"), "Z");
    host.start();
    host.wait().unwrap();
    // Samples of A lie at 0, 2, 4 .. us, of B at 1, 3, 5 .. us.
    let triangle = |micros: f64| {
        let phase = (micros / 1000.0).fract();
        if phase < 0.5 { 1.0 + 4.0 * phase } else { 5.0 - 4.0 * phase }
    };
    assert!(close(&host.dump(0, 0, 2000), (0..2000).map(|n| triangle(2.0 * f64::from(n)))));
    assert!(close(&host.dump(1, 0, 2000), (0..2000).map(|n| 3.3 - triangle(2.0 * f64::from(n) + 1.0))));
    // Stopped, the output rests at 7f00 / 65536 of 3.3 V; switched off, at 0 V.
    for (script, kitchen_sink, volts) in [("Z", 0x40, 3.3 * 127.0 / 256.0), ("U", 0x00, 0.0)] {
        host.set(&[(Register::Cmd, 1), (Register::KitchenSinkB, kitchen_sink), (Register::SampleAddress, 0)]);
        assert_eq!(host.say(script), script);
        host.start();
        host.wait().unwrap();
        assert!(close(&host.dump(0, 0, 10), std::iter::repeat(volts)), "{script}");
    }
}

#[test]
fn the_clock_is_seen_by_both_inputs_and_its_line() {
    let mut host = Host::new("L5=dc,0V");
    host.prepare(3, 3, 40, 0, 400);
    host.set(&[(Register::TriggerMask, 0xff), (Register::TriggerIntro, 0), (Register::TriggerOutro, 0)]);
    // 4000 ticks a period, 100 us; high from 0 to 1000.
    host.set(&[
        (Register::Map5, 0x12),
        (Register::Clock, 4000),
        (Register::Fall, 1000),
        (Register::Control, 0x80),
    ]);
    host.set(&[(Register::Cmd, 3), (Register::Mode, 0)]);
    assert_eq!(host.say("Z"), "Z");
    // The line is driven from U on, which comes with the trace.
    host.start_with(">D");
    host.wait().unwrap();
    assert!(host.dump(128, 0, 400).iter().all(|byte| byte & 0x20 == 0));
    host.set(&[(Register::SampleAddress, 0)]);
    host.start();
    host.wait().unwrap();
    // A sample in 1 us, A and B in turn.
    let square = |micros: u32| if micros % 100 < 25 { 3.3 } else { 0.0 };
    assert!(close(&host.dump(0, 0, 200), (0..200).map(|n| square(2 * n))));
    assert!(close(&host.dump(1, 0, 200), (0..200).map(|n| square(2 * n + 1))));
    let line: Vec<bool> = host.dump(128, 0, 400).iter().map(|byte| byte & 0x20 != 0).collect();
    assert_eq!(line, (0..400).map(|n| n % 100 < 25).collect::<Vec<_>>());
}

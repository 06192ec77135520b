//! A real recording as a signal of the simulated device.

#[path = "../../sim/tests/sim_host/mod.rs"]
mod sim_host;

use std::path::Path;

use scopething_core::vm::Register;
use scopething_files::playback;
use scopething_sim::{Signal, SimConfig, SimTime};
use sim_host::Host;

fn data(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data").join(name).display().to_string()
}

/// The capture of a real device, 100 kS/s: a sawtooth of 6.4 ms on ana0 and a triangle of 12.8 ms on ana1.
fn recorded(channel: &str) -> String {
    format!("file:{}#{channel}", data("micro-saw-triangle.sr")).replace('#', "%23")
}

#[test]
fn playback_keeps_the_rate_and_triggers() {
    let query = format!("A={}&B={}", recorded("ana0"), recorded("ana1"));
    let mut host = Host::with(&SimConfig::from_query_reading(&query, playback::read).unwrap());
    // Mode Analog at 10 us a sample, rising through 1.5 V.
    host.prepare(0, 0, 40, 100, 3000);
    host.set(&[(Register::ClockScale, 10), (Register::TriggerLevel, sim_host::dac(sim_host::fraction(1.5)))]);
    host.start();
    let end = host.wait().unwrap().address;
    let samples = host.dump(0, end - 3116, 3116);
    // The sawtooth rises through the level once a period of 640 samples; the edges show the period.
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
fn playback_crossings_match_the_samples() {
    let signal = Signal::parse(&recorded("ana1").replace("%23", "#"), playback::read).unwrap();
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

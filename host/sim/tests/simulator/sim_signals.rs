//! Signals through the whole device: its own generator and clock.

use crate::sim_host::{Host, close};
use scopething_core::vm::Register;

/// A waveform as in reference.md#9-generators, then a trace of both inputs.
#[test]
fn inputs_see_waveform_and_its_inverse() {
    let mut host = Host::new("");
    host.prepare(2, 1, 40, 0, 4000);
    host.set(&[(Register::TriggerMask, 0xff), (Register::TriggerIntro, 0), (Register::TriggerOutro, 0)]);
    // A triangle of 1 V to 3 V, 1000 samples of 40 ticks: 1 kHz.
    host.set(&[(Register::Cmd, 0), (Register::Mode, 1), (Register::Ratio, 0x8000)]);
    assert_eq!(host.exchange("Y"), "Y");
    let level = (2.0_f64 / 3.3 * 65536.0).round() as u32;
    let offset = ((2.0_f64 - 1.65) / 3.3 * 65536.0).round() as u32;
    host.set(&[(Register::Mode, 0), (Register::Level, level), (Register::Offset, offset)]);
    host.set(&[(Register::Ratio, (1024.0 / 1000.0 * 65536.0) as u32), (Register::Size, 1000)]);
    assert_eq!(host.exchange("X"), "X");
    host.set(&[
        (Register::Cmd, 2),
        (Register::Clock, 40),
        (Register::Modulo, 1000),
        (Register::Rest, 0x7f00),
    ]);
    host.set(&[(Register::KitchenSinkB, 0x40)]);
    assert_eq!(host.exchange("Z"), "Z");
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
        assert_eq!(host.exchange(script), script);
        host.start();
        host.wait().unwrap();
        assert!(close(&host.dump(0, 0, 10), std::iter::repeat(volts)), "{script}");
    }
}

#[test]
fn both_inputs_see_the_clock() {
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
    assert_eq!(host.exchange("Z"), "Z");
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

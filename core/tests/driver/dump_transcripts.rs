//! The driver reading the samples of a trace that has ended: what it dumps, and what it does when a dump fails.

use crate::transcript::{
    Asynchronous, Blocking, PROFILE, Turn, WAIT, Way, both_ways, connected, connected_over, ends,
    four_samples, instead, on, plan, steps,
};
use embassy_futures::block_on;
use scopething_core::plan::{AnalogChannel, CaptureRequest, ChannelSet, LogicLine, Notice};
use scopething_core::scope::{Contradiction, LinkProfile, ScopeErrorKind, Stage};
use scopething_core::trace::{DumpChannel, TraceBuffer};
use scopething_core::vm::{Expected, Malformed, Register};
fn full_buffer_drops_its_first_sample<W: Way>() {
    // What lies at the end address was the first sample, and has been written over: it is the stale one.
    let dump = [(Register::SampleAddress, 5), (Register::DumpCount, 12_288), (Register::DumpMode, 0)];
    let samples: Vec<u8> =
        (0..12_288_u32).map(|index| if index == 0 { 255 } else { index as u8 & 0x7f }).collect();
    let turns = [on('D', ends("00", 0x2_0000, 5)).with(&dump[1..]), on('A', &samples).with(&dump)];
    let (mut scope, line) = connected::<W>(turns, 100);
    let lasting = |period_s| CaptureRequest { period_s, samples: 12_288, ..four_samples() };
    let plan = plan::<W>(&scope, lasting(614.4e-6));
    assert_eq!((plan.timebase.samples, plan.width), (12_288, 12_288));
    assert!(plan.notices.contains(&Notice::FullBuffer { samples: 12_288 }), "{:?}", plan.notices);
    let mut buffer = TraceBuffer::new();
    let ticks = plan.timebase.ticks_per_sample();
    line.device.lock().unwrap().turns[0].answer = ends("00", 0x1000 + 12_288 * ticks, 5).into_bytes();
    let trace = block_on(scope.capture(&plan, &mut buffer)).unwrap();
    assert_eq!(trace.samples(), 12_287);
    assert!(steps(&trace).into_iter().eq((1..12_288_u16).map(|index| index & 0x7f)));
    let planned = f64::from(plan.trigger_sample()) * plan.tick_period_s();
    let (start, trigger) = (trace.capture_start_s(), trace.trigger().unwrap().time_s);
    assert!((start - (f64::from(0x1000 + ticks)) / 40e6).abs() < 1e-12, "{start}");
    assert!((trigger - (planned - plan.tick_period_s())).abs() < 1e-12, "{trigger}");
    // One sample less and nothing is amiss.
    let almost = scope.plan(&lasting(614.35e-6)).unwrap();
    assert_eq!(almost.readable(almost.timebase.samples), 12_287);
    assert!(!almost.notices.iter().any(|notice| matches!(notice, Notice::FullBuffer { .. })));
}

fn pairs_and_logic_are_dumped_in_turn<W: Way>() {
    let request = CaptureRequest {
        period_s: 1.6e-6,
        samples: 4,
        ..CaptureRequest::new("A,B,L1".parse::<ChannelSet>().unwrap())
    };
    let at = |channel, count, address| {
        [(Register::DumpChan, channel), (Register::DumpCount, count), (Register::SampleAddress, address)]
    };
    let turns = [
        // The buffer holds 6144 samples in this mode, the end is rounded down to a whole pair.
        on('D', ends("00", 0x2000, 3)),
        on('A', [9, 10, 11]).with(&at(0, 3, 6140)),
        on('A', [9, 20, 21]).with(&at(1, 3, 6140)),
        on('A', [9, 9, 0, 2, 0, 2]).with(&at(128, 6, 6140)),
    ];
    let (mut scope, _) = connected::<W>(turns, 100);
    let plan = plan::<W>(&scope, request);
    assert_eq!(plan.mode.name, "MixedChop");
    let mut buffer = TraceBuffer::new();
    let trace = block_on(scope.capture(&plan, &mut buffer)).unwrap();
    assert_eq!(steps(&trace), [10, 11]);
    let b: Vec<u16> = trace.analog(AnalogChannel::B).unwrap().steps().collect();
    assert_eq!(b, [20, 21]);
    let line = LogicLine::new(1).unwrap();
    assert_eq!(trace.logic().unwrap().levels(line).collect::<Vec<_>>(), [false, true, false, true]);
}

fn short_dump_is_retried_once<W: Way>() {
    let once = [on('D', ends("00", 0x2000, 4)), on('A', [9, 1]), on('A', [9, 1, 2, 3, 4])];
    let (mut scope, _) = connected::<W>(once, 100);
    let plan = plan::<W>(&scope, four_samples());
    let mut buffer = TraceBuffer::new();
    let trace = block_on(scope.capture(&plan, &mut buffer)).unwrap();
    assert_eq!(steps(&trace), [1, 2, 3, 4]);

    let twice = [on('D', ends("00", 0x2000, 4)), on('A', [9, 1]), on('A', [9, 1, 2])];
    let (mut scope, line) = connected::<W>(twice, 100);
    let failed = block_on(scope.capture(&plan, &mut buffer)).map(|trace| trace.samples());
    let stage = Stage::Dump(DumpChannel::Analog(AnalogChannel::A));
    assert_eq!(failed, Err(ScopeErrorKind::Incomplete { received: 2, expected: 4 }.at(stage)));

    // The next capture cancels, resets and works, sending everything again.
    let mut device = line.device.lock().unwrap();
    device.registers = [0; 256];
    device.turns = [
        on('K', ""),
        on('D', ends("00", 0x4000, 4)).with(&[(Register::TraceMode, 4)]),
        on('A', [9, 4, 3, 2, 1]),
    ]
    .into();
    drop(device);
    let trace = block_on(scope.capture(&plan, &mut buffer)).unwrap();
    assert_eq!(steps(&trace), [4, 3, 2, 1]);
}

fn power_loss_before_the_dump_is_detected<W: Way>() {
    let turns = [on('D', ends("00", 0x2000, 4)), on('A', [9, 1]).and_loses_power(), on('A', [0; 5])];
    let (mut scope, _) = connected::<W>(turns, 100);
    let plan = plan::<W>(&scope, four_samples());
    let mut buffer = TraceBuffer::new();
    let failed = block_on(scope.capture(&plan, &mut buffer)).map(|trace| trace.samples());
    assert_eq!(
        failed,
        Err(ScopeErrorKind::Contradiction(Contradiction::Forgotten)
            .at(Stage::Dump(DumpChannel::Analog(AnalogChannel::A))))
    );
}

/// One that is lost again becomes shorter again, down to what comes.
fn dumps_become_shorter_until_they_come<W: Way>() {
    const WIDTH: u32 = 12_288;
    let request = CaptureRequest { period_s: 400e-6, samples: 8000, ..CaptureRequest::new(AnalogChannel::A) };
    let first = 1000 + WIDTH - 8001;
    let answered = |count: u32, skipped: u32, received: u32| {
        let mut turn = on('A', [])
            .with(&[(Register::DumpCount, count + 1), (Register::SampleAddress, (first + skipped) % WIDTH)]);
        turn.answer = vec![255];
        turn.answer.extend((skipped..skipped + received).map(|sample| sample as u8 & 0x7f));
        turn
    };
    let mut turns =
        vec![on('D', ends("00", 0x1000 + 8000 * 2, 1000)), answered(8000, 0, 4000), answered(2000, 0, 900)];
    turns.extend((0..8000).step_by(500).map(|start| answered(500, start, 500)));
    let (mut scope, line) = connected_over::<W>(LinkProfile { is_lossy: true, ..PROFILE }, turns, 100);
    let plan = plan::<W>(&scope, request);
    let mut buffer = TraceBuffer::new();
    let trace = block_on(scope.capture(&plan, &mut buffer)).unwrap();
    assert!(steps(&trace).into_iter().eq((0..8000).map(|sample| sample & 0x7f)));
    assert_eq!(line.device.lock().unwrap().turns.len(), 0);
}

/// What is asked for is what follows the parts that have come, each with the sample before it, over the end of the buffer too.
fn lossy_link_is_asked_for_shorter_dumps<W: Way>() {
    const WIDTH: u32 = 6144;
    let request = CaptureRequest {
        period_s: 800e-6,
        samples: 2000,
        ..CaptureRequest::new("A,B,L1".parse::<ChannelSet>().unwrap())
    };
    let first = 1000 + WIDTH - 2002;
    let dump = |channel, count: u32, skipped: u32| {
        on('A', []).with(&[
            (Register::DumpChan, channel),
            (Register::DumpCount, count),
            (Register::SampleAddress, (first + skipped) % WIDTH),
        ])
    };
    // Each channel's samples count up, B's and the lines' from further on; the first of a dump is a stale one.
    let answered = |mut turn: Turn, lead: usize, samples: std::ops::Range<usize>| {
        turn.answer = vec![255; lead];
        turn.answer.extend(samples.map(|sample| sample as u8 & 0x7f));
        turn
    };
    let mut turns = vec![
        on('D', ends("00", 0x1000 + 2000 * 16, 1000)),
        answered(dump(0, 1001, 0), 1, 0..900),
        // A quarter of it would be 250.
        answered(dump(0, 257, 0), 1, 0..256),
        answered(dump(0, 257, 512), 1, 256..500),
        answered(dump(0, 257, 512), 1, 256..512),
        answered(dump(0, 257, 1024), 1, 512..768),
        answered(dump(0, 233, 1536), 1, 768..1000),
    ];
    for (skipped, count) in [(0, 256), (512, 256), (1024, 256), (1536, 232)] {
        let samples = 1000 + skipped as usize / 2;
        turns.push(answered(dump(1, count + 1, skipped), 1, samples..samples + count as usize));
    }
    // B came without a loss: dumps may be a little longer again.
    for start in (0..2000).step_by(272) {
        let count = 272.min(2000 - start);
        turns.push(answered(dump(128, count + 2, start), 2, start as usize..(start + count) as usize));
    }
    let profile = LinkProfile { is_lossy: true, ..PROFILE };
    let (mut scope, line) = connected_over::<W>(profile, turns, 100);
    let plan = plan::<W>(&scope, request);
    assert_eq!((plan.mode.name, u32::from(plan.width)), ("MixedChop", WIDTH));
    let mut buffer = TraceBuffer::new();
    let trace = block_on(scope.capture(&plan, &mut buffer)).unwrap();
    assert!(steps(&trace).into_iter().eq((0..1000).map(|sample| sample & 0x7f)));
    let b = trace.analog(AnalogChannel::B).unwrap().steps();
    assert!(b.eq((1000..2000).map(|sample| sample & 0x7f)));
    let levels = trace.logic().unwrap().levels(LogicLine::new(1).unwrap());
    assert!(levels.eq((0..2000).map(|sample| sample & 2 != 0)));
    assert_eq!(line.device.lock().unwrap().turns.len(), 0);
}

/// A blocking stream is not asked for what nobody waits for: [`blocking_reports_long_dump_at_next_script`].
#[test]
fn long_dump_is_retried_once() {
    let turns = [on('D', ends("00", 0x2000, 4)), on('A', [9, 1, 1, 2, 3, 4]), on('A', [9, 1, 2, 3, 4])];
    let (mut scope, _) = connected::<Asynchronous>(turns, 100);
    let plan = plan::<Asynchronous>(&scope, four_samples());
    let mut buffer = TraceBuffer::new();
    let trace = block_on(scope.capture(&plan, &mut buffer)).unwrap();
    assert_eq!(steps(&trace), [1, 2, 3, 4]);

    let twice = [on('D', ends("00", 0x2000, 4)), on('A', [9, 1, 1, 2, 3, 4]), on('A', [9, 1, 1, 2, 3, 4])];
    let (mut scope, _) = connected::<Asynchronous>(twice, 100);
    let failed = block_on(scope.capture(&plan, &mut buffer)).map(|trace| trace.samples());
    let stage = Stage::Dump(DumpChannel::Analog(AnalogChannel::A));
    assert_eq!(failed, Err(ScopeErrorKind::Surplus { expected: 5 }.at(stage)));
}

/// Where the driver differs over a blocking stream, as [`scopething_core::blocking`] documents.
#[test]
fn blocking_reports_long_dump_at_next_script() {
    let turns = [
        on('D', ends("00", 0x2000, 4)),
        // The last byte is one too many.
        on('A', [9, 1, 2, 3, 4, 5]),
        on('D', ends("00", 0x3000, 4)),
        // The reset after the echo that did not fit.
        on('K', ""),
        on('D', ends("00", 0x4000, 4)),
        on('A', [9, 4, 3, 2, 1]),
    ];
    let (mut scope, line) = connected::<Blocking>(turns, 100);
    let plan = plan::<Blocking>(&scope, four_samples());
    let mut buffer = TraceBuffer::new();
    assert_eq!(steps(&block_on(scope.capture(&plan, &mut buffer)).unwrap()), [1, 2, 3, 4]);
    line.device.lock().unwrap().written.clear();
    assert_eq!(steps(&block_on(scope.capture(&plan, &mut buffer)).unwrap()), [4, 3, 2, 1]);
    assert!(line.device.lock().unwrap().written.contains("K!"));
}

fn overwritten_trace_is_not_read<W: Way>() {
    // The link turned `A` into `D`.
    let turns = [on('D', ends("00", 0x2000, 4)), instead('A', format!("D{WAIT}")), on('A', [9, 5, 5, 5, 5])];
    let (mut scope, _) = connected::<W>(turns, 100);
    let plan = plan::<W>(&scope, four_samples());
    let mut buffer = TraceBuffer::new();
    let failed = block_on(scope.capture(&plan, &mut buffer)).map(|trace| trace.samples());
    let stage = Stage::Dump(DumpChannel::Analog(AnalogChannel::A));
    let malformed = Malformed { byte: b'D', expected: Expected::Echo(b'A') };
    assert_eq!(failed, Err(ScopeErrorKind::Garbled(malformed).at(stage)));
}

both_ways! {
    full_buffer_drops_its_first_sample
    pairs_and_logic_are_dumped_in_turn
    short_dump_is_retried_once
    lossy_link_is_asked_for_shorter_dumps
    dumps_become_shorter_until_they_come
    power_loss_before_the_dump_is_detected
    overwritten_trace_is_not_read
}

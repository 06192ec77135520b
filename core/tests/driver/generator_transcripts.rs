//! The generators of the driver against a scripted device: what goes over the line, and what is refused.

use crate::transcript::{
    Line, ReadTimedOut, ScopeBy, WAIT, Way, both_ways, connected, ends, four_samples, instead, on,
};
use embassy_futures::block_on;
use embassy_futures::select::{Either, select};
use scopething_core::device::BS05;
use scopething_core::plan::{
    CaptureRequest, ChannelSet, ClockError, ClockOutput, ClockPlan, ClockRequest, LogicLine, LogicPattern,
    Notice, PlanError, PlayMode, WaveShape, WaveformPlan, WaveformRequest, plan_clocks, plan_waveform,
};
use scopething_core::scope::{GenerateError, Generators, ScopeError, ScopeErrorKind, Stage};
use scopething_core::trace::TraceBuffer;
use scopething_core::vm::Register;

/// A waveform of 1000 samples of 40 ticks: 1 kHz.
fn sine() -> WaveformPlan<'static> {
    plan_waveform(&BS05, &WaveformRequest::new(1000.0, WaveShape::Sine)).unwrap()
}

fn line(number: u8) -> LogicLine {
    LogicLine::new(number).unwrap()
}

/// A quarter of a period apart, 400 ticks a period.
fn quadrature() -> ClockPlan {
    let outputs = [ClockOutput::new(line(5)), ClockOutput { phase: 0.25, ..ClockOutput::new(line(2)) }];
    plan_clocks(&BS05, &ClockRequest::new(100e3, &outputs).unwrap()).unwrap()
}

fn held(line: &Line, register: Register) -> u32 {
    line.device.lock().unwrap().register(register)
}

fn take_written(line: &Line) -> String {
    std::mem::take(&mut line.device.lock().unwrap().written)
}

type Refused = Result<(), GenerateError<ReadTimedOut>>;

fn busy(running: Generators) -> Refused {
    Err(GenerateError::Busy(running))
}

fn not_running(running: Generators) -> Refused {
    Err(GenerateError::NotRunning(running))
}

const PLAYS: Generators = Generators::Waveform { paused: false };
const PAUSED: Generators = Generators::Waveform { paused: true };

fn waveform_is_synthesised_translated_and_played<W: Way>() {
    let synthesize = [(Register::Cmd, 0), (Register::Mode, 0), (Register::Ratio, 0x8000)];
    let translate = [
        (Register::Level, 0xffff),
        (Register::Offset, 0),
        (Register::Ratio, 67_109), // 1024 / 1000 of 65536
        (Register::Index, 0),
        (Register::Address, 0),
        (Register::Size, 1000),
    ];
    let play = [(Register::Cmd, 2), (Register::Mode, 0), (Register::Clock, 40), (Register::Modulo, 1000)];
    let turns = [on('Y', "").with(&synthesize), on('X', "").with(&translate), on('Z', "").with(&play)];
    for cut in [1, 100] {
        let (mut scope, line) = connected::<W>(turns.clone(), cut);
        block_on(scope.start_waveform(&sine(), PlayMode::Repeat)).unwrap();
        assert_eq!(held(&line, Register::KitchenSinkB), 0x40);
        assert_eq!((scope.generators(), scope.driven().lines), (PLAYS, 0x10));
    }
}

fn second_waveform_writes_only_what_is_different<W: Way>() {
    let once = on('Z', "").with(&[(Register::Cmd, 2), (Register::Mode, 2)]);
    let turns = [on('Y', ""), on('X', ""), on('Z', ""), on('Y', ""), on('X', ""), once];
    let (mut scope, line) = connected::<W>(turns, 100);
    block_on(scope.start_waveform(&sine(), PlayMode::Repeat)).unwrap();
    take_written(&line);
    block_on(scope.start_waveform(&sine(), PlayMode::Once)).unwrap();
    // Of the translate the device moves Index and Address (4c to 4f), and Ratio (5a to 5d) has changed;
    // KitchenSinkB has not. Rest takes effect at the update.
    assert_eq!(take_written(&line), "46@[z5a@[z80z[zY4c@[zzzz5a@25z06z01zX46@02zzZU");
}

fn pause_continue_and_stop<W: Way>() {
    let mode = |cmd, mode| on('Z', "").with(&[(Register::Cmd, cmd), (Register::Mode, mode)]);
    let turns = [on('Y', ""), on('X', ""), on('Z', ""), mode(1, 1), mode(2, 1), mode(1, 0)];
    let (mut scope, line) = connected::<W>(turns, 100);
    block_on(scope.start_waveform(&sine(), PlayMode::Repeat)).unwrap();
    assert_eq!(block_on(scope.resume_waveform()), not_running(PLAYS));
    block_on(scope.pause_waveform()).unwrap();
    assert_eq!(scope.generators(), PAUSED);
    assert_eq!(block_on(scope.pause_waveform()), not_running(PAUSED));
    block_on(scope.resume_waveform()).unwrap();
    block_on(scope.stop_waveform()).unwrap();
    assert_eq!((scope.generators(), held(&line, Register::KitchenSinkB)), (Generators::Off, 0));
    assert_eq!(block_on(scope.stop_waveform()), not_running(Generators::Off));
    assert_eq!(block_on(scope.pause_waveform()), not_running(Generators::Off));
}

fn own_samples_are_written_in_their_order<W: Way>() {
    let samples: Vec<f32> = (0..1024).map(|index| (index % 256) as f32 / 256.0).collect();
    let request = WaveformRequest::new(1000.0, WaveShape::Own(&samples));
    let plan = plan_waveform(&BS05, &request).unwrap();
    let (mut scope, line) = connected::<W>([on('X', ""), on('Z', "")], 7);
    block_on(scope.start_waveform(&plan, PlayMode::Repeat)).unwrap();
    let device = line.device.lock().unwrap();
    assert_eq!(device.table, (0..1024).map(|index| index as u8).collect::<Vec<_>>());
}

fn clocks_drive_their_lines_until_they_are_stopped<W: Way>() {
    let start = [
        (Register::Map5, 0x12),
        (Register::Rise, 0),
        (Register::Fall, 200),
        (Register::Control, 0x80),
        (Register::Map2, 0x13),
        (Register::Rise2, 100),
        (Register::Fall2, 300),
        (Register::Control2, 0x80),
        (Register::Clock, 400),
        (Register::Cmd, 3),
        (Register::Mode, 0),
    ];
    let only_l5 = [(Register::Map5, 0x12), (Register::Map2, 0), (Register::Clock, 40_000)];
    let stop = [(Register::Map5, 0), (Register::Map2, 0), (Register::Cmd, 1), (Register::Mode, 0)];
    let turns = [on('Z', "").with(&start), on('Z', "").with(&only_l5), on('Z', "").with(&stop)];
    let (mut scope, _) = connected::<W>(turns, 100);
    block_on(scope.start_clocks(&quadrature())).unwrap();
    assert_eq!(scope.generators(), Generators::Clocks { lines: 0x24 });
    let one = ClockRequest::new(1e3, &[ClockOutput::new(line(5))]).unwrap();
    block_on(scope.start_clocks(&plan_clocks(&BS05, &one).unwrap())).unwrap();
    assert_eq!(scope.driven().lines, 0x20);
    block_on(scope.stop_clocks()).unwrap();
    assert_eq!(block_on(scope.stop_clocks()), not_running(Generators::Off));
}

fn held_lines_are_driven_until_released<W: Way>() {
    let untouched = (Register::LogicControl, 0xa5);
    let first = [
        untouched,
        (Register::Map0, 0x12),
        (Register::Map3, 0x13),
        (Register::Rise, 65535),
        (Register::Fall, 0),
        (Register::Rise2, 0),
        (Register::Fall2, 65535),
        (Register::Clock, 65535),
    ];
    let second = [untouched, (Register::Map0, 0x12), (Register::Map3, 0)];
    let last = [untouched, (Register::Map0, 0), (Register::Cmd, 1)];
    let turns = [on('Z', "").with(&first), on('Z', "").with(&second), on('Z', "").with(&last)];
    let (mut scope, _) = connected::<W>(turns, 100);
    block_on(scope.set_logic_outputs(LogicPattern { care: 0b1001, high: 0b1000 })).unwrap();
    assert_eq!(scope.generators(), Generators::Levels { lines: 0b1001 });
    block_on(scope.set_logic_outputs(LogicPattern::line(line(0), true))).unwrap();
    block_on(scope.release_logic_outputs()).unwrap();
    assert_eq!(block_on(scope.release_logic_outputs()), not_running(Generators::Off));
    for (care, error) in [
        (0, ClockError::NoOutput),
        (0b0001_1101, ClockError::TooManyOutputs { asked: 4 }),
        (0b0100_0001, ClockError::ComparatorLine(line(6))),
        (0b1000_0000, ClockError::ComparatorLine(line(7))),
    ] {
        let refused = block_on(scope.set_logic_outputs(LogicPattern { care, high: 0 }));
        assert_eq!(refused, Err(GenerateError::Levels(error)));
    }
}

fn one_generator_at_a_time<W: Way>() {
    let level = LogicPattern::line(line(1), true);
    let start = |scope: &mut ScopeBy<W>| {
        [
            block_on(scope.start_waveform(&sine(), PlayMode::Repeat)),
            block_on(scope.start_clocks(&quadrature())),
            block_on(scope.set_logic_outputs(level)),
        ]
    };
    let stop = |scope: &mut ScopeBy<W>| {
        [
            block_on(scope.stop_waveform()),
            block_on(scope.stop_clocks()),
            block_on(scope.release_logic_outputs()),
        ]
    };
    let (mut scope, _) = connected::<W>([on('Y', ""), on('X', ""), on('Z', ""), on('Z', "")], 100);
    assert_eq!(start(&mut scope), [Ok(()), busy(PLAYS), busy(PLAYS)]);
    assert_eq!(stop(&mut scope), [Ok(()), not_running(Generators::Off), not_running(Generators::Off)]);

    let (mut scope, line) = connected::<W>([on('Z', "")], 100);
    block_on(scope.start_clocks(&quadrature())).unwrap();
    let clocks = Generators::Clocks { lines: 0x24 };
    line.device.lock().unwrap().turns.push_back(on('Z', ""));
    assert_eq!(start(&mut scope), [busy(clocks), Ok(()), busy(clocks)]);
    line.device.lock().unwrap().turns.push_back(on('Z', ""));
    assert_eq!(stop(&mut scope), [not_running(clocks), Ok(()), not_running(Generators::Off)]);

    let (mut scope, line) = connected::<W>([on('Z', "")], 100);
    block_on(scope.set_logic_outputs(level)).unwrap();
    let levels = Generators::Levels { lines: 2 };
    line.device.lock().unwrap().turns.push_back(on('Z', ""));
    assert_eq!(start(&mut scope), [busy(levels), busy(levels), Ok(())]);
    line.device.lock().unwrap().turns.push_back(on('Z', ""));
    assert_eq!(stop(&mut scope), [not_running(levels), not_running(levels), Ok(())]);
}

fn captures_leave_generators_running<W: Way>() {
    let before = CaptureRequest::new("A,L".parse::<ChannelSet>().unwrap());
    let (mut scope, line) = connected::<W>([on('Y', ""), on('X', ""), on('Z', "")], 100);
    let old_plan = scope.plan(&four_samples()).unwrap();
    block_on(scope.start_waveform(&sine(), PlayMode::Repeat)).unwrap();
    let plan = scope.plan(&before).unwrap();
    assert_eq!(plan.channels.logic(), 0x6f);
    let left_out = Notice::LinesLeftOut { driven: 0x10, shared: 0x80 };
    assert!(plan.notices.contains(&left_out), "{:?}", plan.notices);
    let only_l4 = CaptureRequest::new("L4".parse::<ChannelSet>().unwrap());
    assert_eq!(scope.plan(&only_l4), Err(PlanError::NoChannelLeft));
    // A plan from before the waveform: the analog filter is bit 7, and bit 6 stays.
    line.device.lock().unwrap().turns.extend([
        on('D', ends("00", 0x2000, 4)).with(&[(Register::KitchenSinkB, 0xc0)]),
        on('A', [9, 1, 2, 3, 4]),
        on('Z', ""),
    ]);
    let mut buffer = TraceBuffer::new();
    block_on(scope.capture(&old_plan, &mut buffer)).unwrap();
    block_on(scope.stop_waveform()).unwrap();
    assert_eq!(held(&line, Register::KitchenSinkB), 0x80);
}

fn garbled_start_is_retried_after_a_reset<W: Way>() {
    let turns = [on('Y', ""), instead('X', "x"), on('K', ""), on('Y', ""), on('X', ""), on('Z', "")];
    let (mut scope, line) = connected::<W>(turns, 100);
    block_on(scope.start_waveform(&sine(), PlayMode::Repeat)).unwrap();
    assert_eq!(scope.generators(), PLAYS);
    assert!(take_written(&line).contains("K!"));
}

fn reset_that_stopped_a_generator_is_reported<W: Way>() {
    let (mut scope, line) = connected::<W>([on('Z', "")], 100);
    block_on(scope.start_clocks(&quadrature())).unwrap();
    let plan = scope.plan(&four_samples()).unwrap();
    let mut buffer = TraceBuffer::new();
    line.device.lock().unwrap().turns.push_back(on('D', WAIT));
    let dropped = select(scope.capture(&plan, &mut buffer), line.after('D'));
    assert!(matches!(block_on(dropped), Either::Second(())));
    let captured = block_on(scope.capture(&plan, &mut buffer)).map(|trace| trace.samples());
    assert_eq!(captured, Err(ScopeErrorKind::GeneratorsStopped.at(Stage::Reset)));
    assert_eq!(scope.generators(), Generators::Off);
    line.device.lock().unwrap().turns = [on('D', ends("00", 0x2000, 4)), on('A', [9, 1, 2, 3, 4])].into();
    assert_eq!(block_on(scope.capture(&plan, &mut buffer)).unwrap().samples(), 4);
}

fn capture_after_a_reset_releases_lines<W: Way>() {
    let (mut scope, line) = connected::<W>([on('Z', "")], 100);
    block_on(scope.start_clocks(&quadrature())).unwrap();
    let plan = scope.plan(&four_samples()).unwrap();
    let mut buffer = TraceBuffer::new();
    block_on(scope.reset()).unwrap();
    // A reset stops the clocks and leaves their registers as they are.
    assert_eq!((held(&line, Register::Map5), held(&line, Register::Map2)), (0x12, 0x13));
    line.device.lock().unwrap().turns = [
        on('D', ends("00", 0x2000, 4)).with(&[(Register::Map5, 0), (Register::Map2, 0)]),
        on('A', [9, 1, 2, 3, 4]),
    ]
    .into();
    block_on(scope.capture(&plan, &mut buffer)).unwrap();
}

fn unanswered_stop_is_an_error<W: Way>() {
    let (mut scope, line) = connected::<W>([on('Z', ""), instead('Z', "")], 100);
    block_on(scope.start_clocks(&quadrature())).unwrap();
    let failed = block_on(scope.stop_clocks());
    assert!(
        matches!(failed, Err(GenerateError::Scope(ScopeError { kind: ScopeErrorKind::NoAnswer { .. }, .. }))),
        "{failed:?}"
    );
    assert_eq!(block_on(scope.stop_clocks()), not_running(Generators::Off));
    assert!(take_written(&line).contains("K!"));
}

both_ways! {
    waveform_is_synthesised_translated_and_played
    second_waveform_writes_only_what_is_different
    pause_continue_and_stop
    own_samples_are_written_in_their_order
    clocks_drive_their_lines_until_they_are_stopped
    held_lines_are_driven_until_released
    one_generator_at_a_time
    captures_leave_generators_running
    garbled_start_is_retried_after_a_reset
    reset_that_stopped_a_generator_is_reported
    capture_after_a_reset_releases_lines
    unanswered_stop_is_an_error
}

//! Streams against a scripted device: each test reads like a transcript of what goes over the line.

use crate::transcript::{ReadTimedOut, ScopeBy, Turn, Way, both_ways, connected, ends, four_samples, on};
use embassy_futures::select::{Either, select};
use embassy_futures::{block_on, yield_now};
use scopething_core::plan::{AnalogChannel, Channel, StreamPlan, StreamRequest};
use scopething_core::scope::{
    Contradiction, Pacing, ScopeError, ScopeErrorKind, Stage, Stream, StreamFrame, StreamGap, StreamTotals,
};
use scopething_core::trace::TraceBuffer;
use scopething_core::vm::Register;

fn plan<W: Way>(scope: &ScopeBy<W>, channels: &str) -> StreamPlan {
    let request = StreamRequest::new(channels.parse().unwrap(), 125e3);
    scope.plan_stream(&request).unwrap()
}

/// A frame of channel A and the logic byte.
fn frame(number: usize) -> [u8; 4] {
    [0xa5, number as u8, (number * 3) as u8, !number as u8]
}

fn frames(numbers: impl IntoIterator<Item = usize>) -> Vec<u8> {
    numbers.into_iter().flat_map(frame).collect()
}

/// Reads on to the end of what the device sends: the numbers and A samples of the frames, the gaps, and how it ended.
fn all<W: Way>(
    stream: &mut Stream<'_, W::Stream, W::Clock>,
    room: usize,
) -> (Vec<(u64, u8)>, Vec<StreamGap>, ScopeError<ReadTimedOut>) {
    let mut memory = vec![StreamFrame::default(); room];
    let (mut samples, mut gaps) = (Vec::new(), Vec::new());
    loop {
        match block_on(stream.read(&mut memory)) {
            Ok(chunk) => {
                gaps.extend(chunk.gap);
                samples.extend((chunk.first..).zip(chunk.frames.iter().map(|frame| frame.samples[0])));
            }
            Err(error) => return (samples, gaps, error),
        }
    }
}

fn stream_is_one_script_and_frames<W: Way>() {
    let registers = [
        (Register::TraceMode, 1),
        (Register::ClockTicks, 320),
        (Register::ClockScale, 1),
        (Register::StreamIdent, 0xa5),
        (Register::AnalogEnable, 1),
        (Register::DigitalEnable, 1),
    ];
    for (cut, room) in [(1, 1), (3, 7), (100, 1000)] {
        let (mut scope, line) = connected::<W>([on('T', frames(0..300)).with(&registers)], cut);
        let plan = plan::<W>(&scope, "A");
        let mut stream = block_on(scope.start_stream(&plan)).unwrap();
        assert!(line.device.lock().unwrap().written.ends_with("UT"));
        let (samples, gaps, end) = all::<W>(&mut stream, room);
        assert!(samples.iter().copied().eq((0..299).map(|number| (number, (number * 3) as u8))));
        assert_eq!(gaps, []);
        assert!(
            matches!(
                end,
                ScopeError { stage: Stage::Stream, kind: ScopeErrorKind::NoAnswer { waited_ms: 20.. }, .. }
            ),
            "{end:?}"
        );
    }
}

fn frame_samples_follow_its_channels<W: Way>() {
    let bytes: Vec<u8> = (0..4).flat_map(|number| [0xa5, number, 10, 20, 0x42]).collect();
    let (mut scope, _) = connected::<W>([on('T', bytes)], 100);
    let plan = plan::<W>(&scope, "A,B,L1,L6");
    let mut stream = block_on(scope.start_stream(&plan)).unwrap();
    let mut memory = [StreamFrame::default(); 2];
    let chunk = block_on(stream.read(&mut memory)).unwrap();
    let wanted = [Channel::A, Channel::B, Channel::L[1]];
    let sample = |channel| chunk.frames[0].samples[plan.place(channel).unwrap()];
    assert_eq!(wanted.map(sample), [10, 20, 0x42]);
    // 20 of 256 steps over -5.5 V to 8 V.
    assert_eq!(plan.scale(AnalogChannel::B).value(20.0), -5.5 + 20.0 * 13.5 / 256.0);
}

fn gaps_have_place_and_length<W: Way>() {
    // 5 to 9 are missing, then 12.
    let sent = frames((0..5).chain([10, 11]).chain(13..20));
    for room in [1, 2, 100] {
        let (mut scope, _) = connected::<W>([on('T', &sent)], 11);
        let plan = plan::<W>(&scope, "A");
        let mut stream = block_on(scope.start_stream(&plan)).unwrap();
        let (samples, gaps, _) = all::<W>(&mut stream, room);
        let numbers: Vec<u64> = samples.iter().map(|(number, _)| *number).collect();
        let expected: Vec<u64> = (0..5).chain([10, 11]).chain(13..19).collect();
        assert_eq!(numbers, expected);
        assert!(samples.iter().all(|(number, sample)| *sample == (number * 3) as u8));
        let gap = |position, lost| StreamGap { position, lost: Some(lost), skipped_bytes: 0 };
        assert_eq!(gaps, [gap(5, 5), gap(12, 1)]);
        let totals = stream.totals();
        assert_eq!((totals.frames, totals.lost, totals.gaps), (13, 6, 2));
    }
}

fn garbage_between_frames_is_skipped<W: Way>() {
    let mut sent = frames(0..40);
    sent.splice(120..120, *b"noise!");
    // Part of frame 4 and part of frame 5 are gone.
    sent.drain(18..21);
    let (mut scope, _) = connected::<W>([on('T', sent)], 5);
    let plan = plan::<W>(&scope, "A");
    let mut stream = block_on(scope.start_stream(&plan)).unwrap();
    let (samples, gaps, _) = all::<W>(&mut stream, 4);
    assert!(samples.iter().all(|(number, sample)| *sample == (number * 3) as u8), "{samples:?} {gaps:?}");
    let gaps: Vec<_> = gaps.iter().map(|gap| (gap.position, gap.lost, gap.skipped_bytes > 0)).collect();
    // Frame 5 begins in the wrong place; where frame 30 should begin, noise stands before it.
    assert_eq!(gaps, [(4, Some(2), true), (29, Some(1), true)]);
}

fn non_stream_is_an_error<W: Way>() {
    let (mut scope, _) = connected::<W>([on('T', vec![0x55; 5000])], 100);
    let plan = plan::<W>(&scope, "A");
    let mut stream = block_on(scope.start_stream(&plan)).unwrap();
    let end = all::<W>(&mut stream, 10).2;
    assert!(
        matches!(
            end,
            ScopeError { kind: ScopeErrorKind::Contradiction(Contradiction::NoFrames { bytes: 2048.. }), .. }
        ),
        "{end:?}"
    );
}

fn read_that_is_dropped_loses_nothing<W: Way>() {
    let (mut scope, _) = connected::<W>([on('T', frames(0..100))], 3);
    let plan = plan::<W>(&scope, "A");
    let mut stream = block_on(scope.start_stream(&plan)).unwrap();
    let mut memory = [StreamFrame::default(); 5];
    let mut samples = Vec::new();
    block_on(async {
        // Each read is given up as soon as it waits.
        for turn in 0..1000 {
            let give_up = async {
                for _ in 0..turn % 3 {
                    yield_now().await;
                }
            };
            if let Either::Second(Ok(chunk)) = select(give_up, stream.read(&mut memory)).await {
                samples.extend(chunk.frames.iter().map(|frame| frame.samples[0]));
            }
        }
    });
    assert!(samples.iter().copied().eq((0..99).map(|number: usize| (number * 3) as u8)), "{}", samples.len());
}

fn capture_turns() -> [Turn; 2] {
    [on('D', ends("00", 0x2000, 4)), on('A', [99, 0, 64, 128, 192])]
}

fn cancel_ends_a_stream<W: Way>() {
    // What is on its way may hold any byte.
    let in_flight = [frames(50..90), b"!?[1234]K".to_vec()].concat();
    let turns = [on('T', frames(0..50)), on('K', in_flight)];
    let (mut scope, line) = connected::<W>(turns.into_iter().chain(capture_turns()), 7);
    let plan = plan::<W>(&scope, "A");
    let mut stream = block_on(scope.start_stream(&plan)).unwrap();
    let mut memory = [StreamFrame::default(); 10];
    block_on(stream.read(&mut memory)).unwrap();
    line.device.lock().unwrap().written.clear();
    let totals = block_on(stream.finish()).unwrap();
    assert!(matches!(totals, StreamTotals { frames: 1.., lost: 0, gaps: 0, .. }), "{totals:?}");
    let written = line.device.lock().unwrap().written.clone();
    assert!(written.starts_with("K[") && written.ends_with(']') && !written.contains('!'), "{written}");
    let capture = scope.plan(&four_samples()).unwrap();
    let mut buffer = TraceBuffer::new();
    let trace = block_on(scope.capture(&capture, &mut buffer)).unwrap();
    assert_eq!(trace.samples(), 4);
    let written = line.device.lock().unwrap().written.clone();
    assert!(!written.contains('!'), "{written}");
}

fn dropped_stream_resets_the_device<W: Way>() {
    let (mut scope, line) = connected::<W>([on('T', frames(0..50))].into_iter().chain(capture_turns()), 7);
    let plan = plan::<W>(&scope, "A");
    // It begins, and is dropped.
    assert!(block_on(scope.start_stream(&plan)).is_ok());
    line.device.lock().unwrap().written.clear();
    let capture = scope.plan(&four_samples()).unwrap();
    let mut buffer = TraceBuffer::new();
    let trace = block_on(scope.capture(&capture, &mut buffer)).unwrap();
    assert_eq!(trace.samples(), 4);
    let written = line.device.lock().unwrap().written.clone();
    assert!(written.starts_with("K!["), "{written}");
}

fn second_stream_sends_only_what_changed<W: Way>() {
    let turns = [on('T', frames(0..5)), on('T', frames(0..5))];
    let (mut scope, line) = connected::<W>(turns, 100);
    let mut plan = plan::<W>(&scope, "A");
    for written in [None, Some("2e@41z[zUT")] {
        line.device.lock().unwrap().written.clear();
        let stream = block_on(scope.start_stream(&plan)).unwrap();
        block_on(stream.finish()).unwrap();
        let seen = line.device.lock().unwrap().written.clone();
        assert!(written.is_none_or(|written| seen.starts_with(written)), "{seen}");
        plan.ticks = 0x41;
    }
}

fn stepwise_pacing_updates_before_streaming<W: Way>() {
    let (mut scope, _) = connected::<W>([on('T', frames(0..10))], 100);
    scope.set_pacing(Pacing::Stepwise);
    let plan = plan::<W>(&scope, "A");
    let mut stream = block_on(scope.start_stream(&plan)).unwrap();
    assert_eq!(all::<W>(&mut stream, 4).0.len(), 9);
}

fn without_frames_each_byte_is_a_sample<W: Way>() {
    let registers = [(Register::TraceMode, 2), (Register::AnalogEnable, 0), (Register::DigitalEnable, 1)];
    let (mut scope, _) = connected::<W>([on('T', [0xa5, 1, 2, 0xa5]).with(&registers)], 3);
    let request = StreamRequest { unframed: true, ..StreamRequest::new("L".parse().unwrap(), 500e3) };
    let plan = scope.plan_stream(&request).unwrap();
    let mut stream = block_on(scope.start_stream(&plan)).unwrap();
    let samples: Vec<u8> = all::<W>(&mut stream, 3).0.into_iter().map(|(_, sample)| sample).collect();
    assert_eq!(samples, [0xa5, 1, 2, 0xa5]);
}

both_ways! {
    stream_is_one_script_and_frames
    frame_samples_follow_its_channels
    gaps_have_place_and_length
    garbage_between_frames_is_skipped
    non_stream_is_an_error
    read_that_is_dropped_loses_nothing
    cancel_ends_a_stream
    dropped_stream_resets_the_device
    second_stream_sends_only_what_changed
    stepwise_pacing_updates_before_streaming
    without_frames_each_byte_is_a_sample
}

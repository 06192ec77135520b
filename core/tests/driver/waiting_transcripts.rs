//! The driver waiting for a trigger: on a link that may lose the report of the trace's end, and with a delay between trigger
//! and samples.

use std::future::{pending, poll_fn};
use std::task::Poll;

use crate::transcript::{
    Line, PROFILE, ReadTimedOut, Turn, WAIT, Way, both_ways, connected, connected_over, ends, four_samples,
    instead, on,
};
use embassy_futures::block_on;
use embassy_futures::select::{Either, select};
use scopething_core::plan::{AnalogChannel, CaptureRequest};
use scopething_core::scope::{
    CaptureOptions, Contradiction, LinkProfile, Recovery, ScopeError, ScopeErrorKind, Stage,
};
use scopething_core::time::{Clock, Instant, Micros};
use scopething_core::trace::{DumpChannel, EndReason, Trace, TraceBuffer};
use scopething_core::vm::Register;

/// Its traces are checked after six round trips of 20 ms.
const LOSSY: LinkProfile = LinkProfile { is_lossy: true, ..PROFILE };
const STOPPED: &str = "03\r000493e0\r00000000\r";

type Captured = Result<(EndReason, Vec<u8>), ScopeError<ReadTimedOut>>;

fn capture<W: Way>(
    profile: LinkProfile,
    request: CaptureRequest,
    turns: impl IntoIterator<Item = Turn>,
) -> (Captured, Line) {
    let (mut scope, line) = connected_over::<W>(profile, turns, 3);
    let plan = scope.plan(&request).unwrap();
    let mut buffer = TraceBuffer::new();
    let captured = block_on(scope.capture(&plan, &mut buffer));
    let samples =
        |trace: Trace<'_>| (trace.end_reason(), trace.raw(DumpChannel::Analog(AnalogChannel::A)).to_vec());
    (captured.map(samples), line)
}

fn lost_end_is_an_error_soon<W: Way>() {
    // The device has ended its trace and the report was lost: there is none to cancel.
    let (captured, line) = capture::<W>(LOSSY, four_samples(), [on('D', WAIT), on('K', "")]);
    assert_eq!(captured, Err(ScopeErrorKind::EndLost.at(Stage::Cancel)));
    assert_eq!(captured.unwrap_err().recovery(), Recovery::Retry);
    assert!(line.now() < Instant(200_000), "{:?}", line.now());
}

fn restarted_trace_writes_moved_registers_again<W: Way>() {
    let turns = [
        on('D', WAIT),
        on('K', STOPPED),
        on('D', WAIT).with(&[(Register::SampleAddress, 0)]),
        on('K', STOPPED),
        on('D', ends("00", 0x1020, 4)).with(&[(Register::SampleAddress, 0)]),
        on('A', [9, 1, 2, 3, 4]),
    ];
    let (captured, line) = capture::<W>(LOSSY, four_samples(), turns);
    assert_eq!(captured, Ok((EndReason::Trigger, vec![1, 2, 3, 4])));
    let device = line.device.lock().unwrap();
    assert!(device.turns.is_empty());
    let again: Vec<&str> = device.written.split('K').skip(1).collect();
    assert!(again[0] == "08@[zzz>UD" && again[1].starts_with(again[0]), "{again:?}");
    assert!((Instant(240_000)..Instant(300_000)).contains(&line.now()), "{:?}", line.now());
}

fn trigger_just_before_the_check_is_kept<W: Way>() {
    for answer in ["00\r00001020\r00000004\rK", "K00\r00001020\r00000004\r"] {
        let turns = [on('D', WAIT), instead('K', answer), on('A', [9, 1, 2, 3, 4])];
        let (captured, _) = capture::<W>(LOSSY, four_samples(), turns);
        assert_eq!(captured, Ok((EndReason::Trigger, vec![1, 2, 3, 4])), "{answer:?}");
    }
}

fn checks_do_not_put_off_the_timeout<W: Way>() {
    // Each stopped 60 ms after its start, which is reported at 0x1000.
    let late = "03\r00249f00\r00000004\r";
    let checks = (0..4).flat_map(|_| [on('D', WAIT), on('K', late)]);
    let turns = checks.chain([on('D', WAIT), on('K', late), on('A', [9, 1, 2, 3, 4])]);
    let request = CaptureRequest { timeout_s: Some(0.54), ..four_samples() };
    let (captured, line) = capture::<W>(LOSSY, request, turns);
    assert_eq!(captured, Ok((EndReason::Timeout, vec![1, 2, 3, 4])));
    assert!((Instant(540_000)..Instant(620_000)).contains(&line.now()), "{:?}", line.now());
}

fn trace_that_was_started_again_can_be_cancelled<W: Way>() {
    let end = "03\r00001020\r00000004\r";
    let turns = [on('D', WAIT), on('K', STOPPED), on('D', WAIT), on('K', end), on('A', [9, 1, 2, 3, 4])];
    let (mut scope, line) = connected_over::<W>(LOSSY, turns, 3);
    let plan = scope.plan(&four_samples()).unwrap();
    let mut buffer = TraceBuffer::new();
    let second_start = poll_fn(|_| {
        let device = line.device.lock().unwrap();
        if device.written.matches('D').count() == 2 { Poll::Ready(()) } else { Poll::Pending }
    });
    let options = CaptureOptions::new().cancelled_by(second_start);
    let trace = block_on(scope.capture_with(&plan, &mut buffer, options)).unwrap();
    assert_eq!((trace.end_reason(), trace.samples()), (EndReason::Cancel, 4));
    assert!(line.device.lock().unwrap().turns.is_empty());
}

fn link_that_loses_nothing_is_left_alone<W: Way>() {
    let (mut scope, line) = connected::<W>([on('D', WAIT)], 100);
    let plan = scope.plan(&four_samples()).unwrap();
    let mut buffer = TraceBuffer::new();
    let hours = async {
        line.after('D').await;
        for _ in 0..100 {
            line.pass(Micros(3_600_000_000));
            embassy_futures::yield_now().await;
        }
    };
    let waited = block_on(select(hours, scope.capture(&plan, &mut buffer)));
    assert!(matches!(waited, Either::First(())), "the capture has ended");
    assert!(line.device.lock().unwrap().written.ends_with('D'));
}

fn delayed() -> CaptureRequest {
    CaptureRequest { delay_s: 5e-3, ..four_samples() }
}

/// 5 ms and four samples of 8 ticks after the start at 0x1000.
const DELAYED_END: u32 = 0x1000 + 200_000 + 32;

fn delay_lies_between_trigger_and_samples<W: Way>() {
    let registers = [(Register::TraceDelay, 5_000), (Register::TraceIntro, 0), (Register::TraceOutro, 4)];
    let turns = [on('D', WAIT).with(&registers), on('A', [9, 1, 2, 3, 4])];
    let (mut scope, line) = connected::<W>(turns, 100);
    let plan = scope.plan(&delayed()).unwrap();
    let mut buffer = TraceBuffer::new();
    let later = async {
        line.after('D').await;
        line.pass(Micros(7_000));
        line.device.lock().unwrap().send(&ends("00", DELAYED_END, 4)[WAIT.len()..]);
        pending::<()>().await;
    };
    let Either::Second(trace) = block_on(select(later, scope.capture(&plan, &mut buffer))) else {
        unreachable!("a wait without end has ended")
    };
    let trace = trace.unwrap();
    assert_eq!((trace.end_reason(), trace.samples()), (EndReason::Trigger, 4));
    assert_eq!(trace.capture_start_s(), f64::from(DELAYED_END - 32) / 40e6);
    // The 8 samples of the trigger's filter, of 0.2 us, come before the delay.
    let trigger_s = trace.trigger().unwrap().time_s;
    assert!((trigger_s + 5e-3 + 8.0 * 0.2e-6).abs() < 1e-12, "{trigger_s}");
}

fn delay_that_was_not_taken_is_a_contradiction<W: Way>() {
    let turns = [on('D', ends("00", 0x1020, 4)), on('A', [9, 1, 2, 3, 4])];
    let (captured, _) = capture::<W>(PROFILE, delayed(), turns);
    let early = matches!(
        captured,
        Err(ScopeError {
            kind: ScopeErrorKind::Contradiction(Contradiction::EndsEarly { min_us: 4_000, .. }),
            ..
        })
    );
    assert!(early, "{captured:?}");
}

fn untriggered_trace_has_no_delay<W: Way>() {
    let turns = [on('D', ends("01", 0x1020, 4)), on('A', [9, 1, 2, 3, 4])];
    let request = CaptureRequest { timeout_s: Some(0.0), ..delayed() };
    let (captured, _) = capture::<W>(PROFILE, request, turns);
    assert_eq!(captured, Ok((EndReason::Timeout, vec![1, 2, 3, 4])));
}

fn shortened_delay_is_an_error_without_reset<W: Way>() {
    let (mut scope, line) = connected::<W>([on('D', WAIT), on('K', STOPPED)], 100);
    let plan = scope.plan(&delayed()).unwrap();
    let mut buffer = TraceBuffer::new();
    let options = CaptureOptions::new().cancelled_by(async {});
    let cut = block_on(scope.capture_with(&plan, &mut buffer, options)).map(|trace| trace.samples());
    assert_eq!(cut, Err(ScopeErrorKind::DelayCutShort.at(Stage::Trace)));
    line.device.lock().unwrap().turns = [on('D', ends("00", 0x1020, 4)), on('A', [9, 1, 2, 3, 4])].into();
    let plan = scope.plan(&four_samples()).unwrap();
    assert_eq!(block_on(scope.capture(&plan, &mut buffer)).unwrap().samples(), 4);
    assert!(!line.device.lock().unwrap().written.contains('!'));
}

both_ways! {
    lost_end_is_an_error_soon
    restarted_trace_writes_moved_registers_again
    trigger_just_before_the_check_is_kept
    checks_do_not_put_off_the_timeout
    trace_that_was_started_again_can_be_cancelled
    link_that_loses_nothing_is_left_alone
    delay_lies_between_trigger_and_samples
    delay_that_was_not_taken_is_a_contradiction
    untriggered_trace_has_no_delay
    shortened_delay_is_an_error_without_reset
}

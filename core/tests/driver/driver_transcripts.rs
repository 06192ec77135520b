//! The driver against a scripted device: each test reads like a transcript of what goes over the line, and runs over an
//! asynchronous stream and over a blocking one.

use std::future::pending;

use crate::transcript::{
    ReadTimedOut, ScopeBy, Turn, WAIT, Way, both_ways, connect, connected, ends, four_samples, instead, line,
    on, plan, steps,
};
use embassy_futures::block_on;
use embassy_futures::select::{Either, select};
use scopething_core::device::{AnalogParameters, BS05};
use scopething_core::plan::{CapturePlan, CaptureRequest};
use scopething_core::scope::{
    CaptureOptions, Contradiction, NoSerialNumber, Pacing, ScopeError, ScopeErrorKind, SerialNumber, Stage,
    UnknownRevision,
};
use scopething_core::time::{Clock, Instant, Micros};
use scopething_core::trace::{EndReason, TraceBuffer};
use scopething_core::vm::{Expected, Malformed, Register, RegisterByte, Revision};

fn serial<W: Way>(scope: &mut ScopeBy<W>) -> Result<SerialNumber, NoSerialNumber> {
    block_on(scope.read_serial()).unwrap()
}

fn connect_reads_serial_number_on_request<W: Way>() {
    for cut in [1, 3, 100] {
        let line = line([], cut);
        let mut scope = connect::<W>(&line).unwrap();
        assert_eq!((scope.revision(), scope.unknown_revision()), (Revision(*b"BS000501"), None));
        let written = std::mem::take(&mut line.device.lock().unwrap().written);
        assert!(written.starts_with("![") && written.ends_with("]?") && written.len() == 8, "{written}");
        assert_eq!(serial::<W>(&mut scope).unwrap().to_string(), "DB98TI79");
        assert_eq!(line.device.lock().unwrap().written.matches('r').count(), 8);
        // It does not change.
        line.device.lock().unwrap().written.clear();
        assert_eq!(serial::<W>(&mut scope).unwrap().to_string(), "DB98TI79");
        assert_eq!(line.device.lock().unwrap().written, "");
    }
}

fn device_without_serial_number_works<W: Way>() {
    let silent = || on('r', "");
    let holds = |byte: &str| on('r', format!("\r{byte}\r"));
    let text = || ["44", "42", "39", "38", "54", "49", "37"].map(holds).to_vec();
    for (eeprom, serial_number) in [
        (vec![silent(), silent()], Err(NoSerialNumber::Silent)),
        (vec![holds("ff"); 8], Err(NoSerialNumber::Empty)),
        ([text(), vec![holds("ff")]].concat(), Err(NoSerialNumber::NotText { address: 0x37, byte: 0xff })),
        ([text(), vec![silent(), silent()]].concat(), Err(NoSerialNumber::Silent)),
        ([text(), vec![silent(), holds("39")]].concat(), Ok(SerialNumber(*b"DB98TI79"))),
    ] {
        let (mut scope, line) = connected::<W>(eeprom, 100);
        assert_eq!(serial::<W>(&mut scope), serial_number);
        assert_eq!(serial::<W>(&mut scope), serial_number);
        let mut device = line.device.lock().unwrap();
        assert!(!device.written.contains('!'), "{}", device.written);
        device.turns = [on('D', ends("00", 0x2000, 4)), on('A', [9, 1, 2, 3, 4])].into();
        drop(device);
        let plan = plan::<W>(&scope, four_samples());
        let mut buffer = TraceBuffer::new();
        assert_eq!(steps(&block_on(scope.capture(&plan, &mut buffer)).unwrap()), [1, 2, 3, 4]);
    }
}

fn vanished_device_is_an_error<W: Way>() {
    let (mut scope, line) = connected::<W>([], 100);
    line.device.lock().unwrap().dead = true;
    let gone = block_on(scope.read_serial());
    assert!(
        matches!(
            gone,
            Err(ScopeError { stage: Stage::ReadEeprom, kind: ScopeErrorKind::NoAnswer { .. }, .. })
        ),
        "{gone:?}"
    );
    let gone = block_on(scope.check_presence());
    assert!(
        matches!(gone, Err(ScopeError { stage: Stage::Reset, kind: ScopeErrorKind::NoAnswer { .. }, .. })),
        "{gone:?}"
    );
}

fn presence_is_one_short_script_that_changes_nothing<W: Way>() {
    let (mut scope, line) = connected::<W>([], 1);
    block_on(scope.check_presence()).unwrap();
    let written = std::mem::take(&mut line.device.lock().unwrap().written);
    assert!(written.starts_with('[') && written.ends_with(']') && written.len() == 6, "{written}");
}

fn another_revision_is_accepted_and_reported<W: Way>() {
    let line = line([on('?', "\rBS000502\r")], 100);
    let scope = connect::<W>(&line).unwrap();
    let (found, known) = (Revision(*b"BS000502"), Revision(*b"BS000501"));
    assert_eq!((scope.revision(), scope.unknown_revision()), (found, Some(UnknownRevision { found, known })));
}

fn first_answer_may_take_most_of_a_second<W: Way>() {
    for (late, found) in [(800_000, true), (999_000, true), (1_500_000, false)] {
        let line = line([], 100);
        line.device.lock().unwrap().deaf_until_us = late;
        let connected = connect::<W>(&line).map(|_| ());
        assert_eq!(connected.is_ok(), found, "after {late} us: {connected:?}");
    }
}

fn what_was_in_flight_before_connecting_is_dropped<W: Way>() {
    for stale in ["\r02\r", "!", "?\rBS000501\r", "!!?!\r\r[1234]"] {
        let line = line([instead('!', format!("{stale}!"))], 2);
        let mut scope = connect::<W>(&line).unwrap();
        assert_eq!(
            serial::<W>(&mut scope).unwrap().to_string(),
            "DB98TI79",
            "after {}",
            stale.escape_debug()
        );
    }
}

fn capture_is_script_status_and_dump<W: Way>() {
    let dump = [(Register::SampleAddress, 12_287), (Register::DumpCount, 5), (Register::DumpMode, 0)];
    let turns = [
        on('D', ends("00", 0x2000, 4)).with(&[(Register::TraceMode, 4), (Register::SampleAddress, 0)]),
        // From one sample before the first, which may be stale.
        on('A', [99, 0, 64, 128, 192]).with(&dump),
        on('D', ends("00", 0x3000, 4)).with(&[(Register::SampleAddress, 0)]),
        on('A', [99, 1, 2, 3, 4]).with(&dump),
    ];
    let (mut scope, line) = connected::<W>(turns, 2);
    let plan = plan::<W>(&scope, four_samples());
    let mut buffer = TraceBuffer::new();
    let trace = block_on(scope.capture(&plan, &mut buffer)).unwrap();
    assert_eq!((trace.end_reason(), trace.samples()), (EndReason::Trigger, 4));
    assert_eq!(steps(&trace), [0, 64, 128, 192]);
    // 8 ticks a sample: the first was taken 32 ticks before the end.
    assert_eq!(trace.capture_start_s(), f64::from(0x2000 - 32) / 40e6);
    line.device.lock().unwrap().written.clear();
    let again = block_on(scope.capture(&plan, &mut buffer)).unwrap();
    assert_eq!(steps(&again), [1, 2, 3, 4]);
    // What has not changed is not sent again. An update goes with every trace.
    assert_eq!(line.device.lock().unwrap().written, "08@[zzz>UD08@ffz2fz[z>A");
}

fn plans_use_the_probe_set_last<W: Way>() {
    let (mut scope, _) = connected::<W>([], 100);
    let nominal = plan::<W>(&scope, four_samples());
    assert_eq!(*scope.probe(), BS05.analog);
    // A probe that divides by ten: what the device's input sees of a volt at its tip is a tenth.
    let AnalogParameters { scale, offset, safe_low, safe_high, .. } = BS05.analog;
    let by_ten = AnalogParameters {
        scale: 10.0 * scale,
        offset: 10.0 * offset,
        safe_low: 10.0 * safe_low,
        safe_high: 10.0 * safe_high,
        ..BS05.analog
    };
    scope.set_probe(by_ten);
    let converters = |plan: CapturePlan| {
        let of = |wanted| plan.registers().into_iter().find(|&(register, _)| register == wanted);
        [Register::ConverterLo, Register::ConverterHi].map(|register| of(register).unwrap())
    };
    let divided = CaptureRequest { low: Some(-10.0), high: Some(10.0), ..four_samples() };
    let divided = converters(plan::<W>(&scope, divided));
    block_on(scope.reset()).unwrap();
    assert_eq!(*scope.probe(), by_ten);
    scope.set_probe(BS05.analog);
    let direct = CaptureRequest { low: Some(-1.0), high: Some(1.0), ..four_samples() };
    assert_eq!(divided, converters(plan::<W>(&scope, direct)));
    assert_eq!(plan::<W>(&scope, four_samples()), nominal);
}

fn foreign_registers_are_overwritten_once<W: Way>() {
    // The device begins with a5 in all registers. A reset changes none.
    let zero = [Register::DumpSkip, Register::TraceOption, Register::Prelude].map(|register| (register, 0));
    let maps = (0x94..=0x9b).map(|address| match RegisterByte::at(address) {
        RegisterByte::Known { register, .. } => (register, 0),
        RegisterByte::Unknown(_) => unreachable!(),
    });
    let left: Vec<_> = zero.into_iter().chain([(Register::DumpSend, 1)]).chain(maps).collect();
    let turns = [
        on('D', ends("00", 0x2000, 4)).with(&left),
        on('A', [99, 0, 64, 128, 192]).with(&[(Register::DumpSend, 1), (Register::DumpSkip, 0)]),
    ];
    let (mut scope, line) = connected::<W>(turns, 100);
    let plan = plan::<W>(&scope, four_samples());
    let mut buffer = TraceBuffer::new();
    block_on(scope.capture(&plan, &mut buffer)).unwrap();
    let device = line.device.lock().unwrap();
    assert_eq!(device.register(Register::LogicControl), 0xa5, "it is left alone");
    assert!(device.written.len() <= 160, "{} bytes", device.written.len());
}

/// Runs a capture that is cancelled as soon as the trace has started.
fn cancelled<W: Way>(answer_to_cancel: Turn) -> Result<(EndReason, Vec<u16>), ScopeError<ReadTimedOut>> {
    let count = 5;
    let dump: Vec<u8> = (0..count).collect();
    let (mut scope, _) = connected::<W>([on('D', WAIT), answer_to_cancel, on('A', dump)], 3);
    let plan = plan::<W>(&scope, four_samples());
    let mut buffer = TraceBuffer::new();
    let trace =
        block_on(scope.capture_with(&plan, &mut buffer, CaptureOptions::new().cancelled_by(async {})))?;
    Ok((trace.end_reason(), steps(&trace)))
}

fn cancel_accepts_echo_or_status_first<W: Way>() {
    let whole = (EndReason::Cancel, vec![1, 2, 3, 4]);
    assert_eq!(cancelled::<W>(on('K', "03\r00001020\r00000004\r")), Ok(whole.clone()));
    assert_eq!(cancelled::<W>(instead('K', "03\r00001020\r00000004\rK")), Ok(whole));
    // It was complete just before the cancel came.
    let complete = (EndReason::Trigger, vec![1, 2, 3, 4]);
    assert_eq!(cancelled::<W>(instead('K', "00\r00001020\r00000004\rK")), Ok(complete));
}

fn early_cancel_returns_what_was_captured<W: Way>() {
    // 17 ticks at 8 a sample are two samples; they and the one before them are dumped.
    let turns = [
        on('D', WAIT),
        on('K', "03\r00001011\r00000002\r"),
        on('A', [9, 5, 6]).with(&[(Register::SampleAddress, 12_287), (Register::DumpCount, 3)]),
    ];
    let (mut scope, _) = connected::<W>(turns, 1);
    let plan = plan::<W>(&scope, four_samples());
    let mut buffer = TraceBuffer::new();
    let trace =
        block_on(scope.capture_with(&plan, &mut buffer, CaptureOptions::new().cancelled_by(async {})))
            .unwrap();
    assert_eq!((trace.samples(), steps(&trace)), (2, vec![5, 6]));
}

fn host_ends_a_long_timeout<W: Way>() {
    // 3 s after the start at 0x1000.
    let turns = [on('D', WAIT), on('K', "03\r07271e00\r00000004\r"), on('A', [9, 1, 2, 3, 4])];
    let (mut scope, line) = connected::<W>(turns, 100);
    let plan = plan::<W>(&scope, CaptureRequest { timeout_s: Some(3.0), ..four_samples() });
    let started = line.now();
    let mut buffer = TraceBuffer::new();
    let trace = block_on(scope.capture(&plan, &mut buffer)).unwrap();
    assert_eq!((trace.end_reason(), trace.samples()), (EndReason::Timeout, 4));
    let waited = line.now() - started;
    assert!((Micros(3_000_000)..Micros(3_200_000)).contains(&waited), "{waited:?}");
}

fn overdue_device_is_stopped<W: Way>() {
    let turns = [
        on('D', WAIT).with(&[(Register::Timeout, 157)]),
        // 21 ms after the start at 0x1000: a trace of 1 ms and a round trip of 20 ms.
        on('K', "03\r000cde40\r00000004\r"),
        on('A', [9, 1, 2, 3, 4]),
    ];
    let (mut scope, _) = connected::<W>(turns, 100);
    // 1 ms and 8 + 8 + 0 + 2 samples of 8 ticks are 156.8 units of 256 ticks.
    let plan = plan::<W>(&scope, CaptureRequest { timeout_s: Some(1e-3), ..four_samples() });
    let mut buffer = TraceBuffer::new();
    let trace = block_on(scope.capture(&plan, &mut buffer)).unwrap();
    assert_eq!(trace.end_reason(), EndReason::Timeout);
}

/// Captures with a device that reports this end of its trace, after `waited`.
fn capture_ending<W: Way>(
    request: CaptureRequest,
    answer: &str,
    waited: Micros,
) -> Result<u16, ScopeError<ReadTimedOut>> {
    let (mut scope, line) = connected::<W>([on('D', WAIT)], 100);
    let plan = plan::<W>(&scope, request);
    let dump = plan.dump_bytes() + usize::from(plan.mode.sample_bytes);
    let mut buffer = TraceBuffer::new();
    let late = async {
        line.after('D').await;
        line.pass(waited);
        line.device.lock().unwrap().send(answer);
        line.device.lock().unwrap().turns.push_back(on('A', vec![9; dump]));
        pending::<()>().await;
    };
    block_on(async {
        match select(scope.capture(&plan, &mut buffer), late).await {
            Either::First(captured) => captured.map(|trace| trace.samples()),
            Either::Second(()) => unreachable!(),
        }
    })
}

fn end_that_cannot_be_is_no_trace<W: Way>() {
    let second = Micros(1_000_000);
    let address = |address| {
        Err(ScopeErrorKind::Contradiction(Contradiction::Address { address, width: 12_288 }).at(Stage::Trace))
    };
    let late = |reported_us| {
        Err(ScopeErrorKind::Contradiction(Contradiction::EndsLate { reported_us, max_us: 1_011_000 })
            .at(Stage::Trace))
    };
    // The start was at 0x1000, a second is 0x2625a00 ticks, and 1 % and 1 ms are allowed for.
    for (end, expected) in [
        ("00\r02626a00\r00000004\r", Ok(4)),
        ("00\r02626a00\r00002fff\r", Ok(4)),
        ("00\r02626a00\r00003000\r", address(12_288)),
        ("00\r02626a00\r00003004\r", address(12_292)),
        ("00\r02626a00\rffffffff\r", address(u32::MAX)),
        ("00\r00001000\r00000004\r", Ok(4)),
        ("00\r00000fff\r00000004\r", late(107_374_182)),
        ("00\r00000000\r00000004\r", late(107_374_080)),
        ("00\rffffffff\r00000004\r", late(107_374_079)),
        ("00\r02691000\r00000004\r", Ok(4)),
        ("00\r02699000\r00000004\r", late(1_011_712)),
        ("00\r80000000\r00000004\r", late(53_686_988)),
    ] {
        assert_eq!(capture_ending::<W>(four_samples(), end, second), expected, "{}", end.escape_debug());
    }
}

fn too_short_trace_is_refused<W: Way>() {
    let slow = CaptureRequest { period_s: 0.06, samples: 200, ..four_samples() };
    let (scope, _) = connected::<W>([], 100);
    let plan = plan::<W>(&scope, slow);
    assert_eq!((plan.timebase.samples, plan.timebase.ticks_per_sample()), (200, 12_000));
    // 150 samples after the trigger take 45 ms, of which 1 ms is allowed for.
    let end = |ticks: u32| format!("00\r{:08x}\r00000004\r", 0x1000 + ticks);
    let minute = Micros(60_000_000);
    assert_eq!(capture_ending::<W>(slow, &end(44 * 40_000), minute), Ok(200));
    let refused = capture_ending::<W>(slow, &end(44 * 40_000 - 1), minute);
    let contradiction = Contradiction::EndsEarly { reported_us: 43_999, min_us: 44_000 };
    assert_eq!(refused, Err(ScopeErrorKind::Contradiction(contradiction).at(Stage::Trace)));
}

fn wait_may_cross_a_roll_over<W: Way>() {
    // 150 s are one roll-over and 0x65b4bc00 - 0x1000 ticks more.
    let ticks = (150_u64 * 40_000_000 + 0x1000) as u32;
    let end = format!("00\r{ticks:08x}\r00000004\r");
    assert_eq!(capture_ending::<W>(four_samples(), &end, Micros(150_000_000)), Ok(4));
    // 42.6 s, and not that and a roll-over: it was a while on its way.
    assert_eq!(capture_ending::<W>(four_samples(), &end, Micros(140_000_000)), Ok(4));
    let refused = capture_ending::<W>(four_samples(), &end, Micros(40_000_000));
    assert!(
        matches!(
            refused,
            Err(ScopeError { kind: ScopeErrorKind::Contradiction(Contradiction::EndsLate { .. }), .. })
        ),
        "{refused:?}"
    );
}

fn stopped_trace_may_end_with_its_last_sample<W: Way>() {
    let stopped = |end: &str| {
        let (mut scope, line) = connected::<W>([on('D', WAIT), on('K', end), on('A', [9; 51])], 100);
        // A sample each 10 ms.
        let plan = plan::<W>(&scope, CaptureRequest { period_s: 100.0, samples: 10_000, ..four_samples() });
        assert_eq!(plan.tick_period_s(), 10e-3);
        let mut buffer = TraceBuffer::new();
        let cancel = async { line.pass(Micros(507_000)) };
        block_on(scope.capture_with(&plan, &mut buffer, CaptureOptions::new().cancelled_by(cancel)))
            .map(|trace| trace.samples())
    };
    // 500 ms after the start at 0x1000; 1 % and 1 ms less than the wait would be 500.9 ms.
    assert_eq!(stopped("03\r01313d00\r00000032\r"), Ok(50));
    // 480 ms: two samples more were taken.
    let refused = stopped("03\r01250800\r00000032\r");
    assert!(
        matches!(
            refused,
            Err(ScopeError { kind: ScopeErrorKind::Contradiction(Contradiction::EndsEarly { .. }), .. })
        ),
        "{refused:?}"
    );
}

fn trace_that_was_stopped_ended_after_that<W: Way>() {
    let stopped = |end: &str| {
        let (mut scope, line) = connected::<W>([on('D', WAIT), on('K', end), on('A', [9, 1, 2, 3, 4])], 100);
        let plan = plan::<W>(&scope, four_samples());
        let mut buffer = TraceBuffer::new();
        let cancel = async { line.pass(Micros(1_000_000)) };
        block_on(scope.capture_with(&plan, &mut buffer, CaptureOptions::new().cancelled_by(cancel)))
            .map(|trace| trace.samples())
    };
    assert_eq!(stopped("03\r02626a00\r00000004\r"), Ok(4));
    // 12 ms early: more than 1 % and 1 ms.
    for early in ["03\r025b1000\r00000004\r", "03\r00001000\r00000004\r"] {
        let refused = stopped(early);
        assert!(
            matches!(
                refused,
                Err(ScopeError { kind: ScopeErrorKind::Contradiction(Contradiction::EndsEarly { .. }), .. })
            ),
            "{refused:?}"
        );
    }
    let address = Contradiction::Address { address: 12_288, width: 12_288 };
    assert_eq!(
        stopped("03\r02626a00\r00003000\r"),
        Err(ScopeErrorKind::Contradiction(address).at(Stage::Trace))
    );
}

fn garbled_start_is_retried_after_a_reset<W: Way>() {
    let turns = [instead('D', "xD"), on('K', ""), on('D', ends("00", 0x2000, 4)), on('A', [9, 1, 2, 3, 4])];
    let (mut scope, _) = connected::<W>(turns, 100);
    let plan = plan::<W>(&scope, four_samples());
    let mut buffer = TraceBuffer::new();
    assert!(block_on(scope.capture(&plan, &mut buffer)).is_ok());
}

fn dropped_capture_is_recovered_by_the_next<W: Way>() {
    let (mut scope, line) = connected::<W>([on('D', WAIT)], 100);
    let plan = plan::<W>(&scope, four_samples());
    let mut buffer = TraceBuffer::new();
    let capture = scope.capture(&plan, &mut buffer);
    let dropped = select(capture, line.after('D'));
    assert!(matches!(block_on(dropped), Either::Second(())));
    line.device.lock().unwrap().turns =
        [on('K', "03\r00002000\r00000000\r"), on('D', ends("00", 0x2000, 4)), on('A', [9, 1, 2, 3, 4])]
            .into();
    let trace = block_on(scope.capture_with(&plan, &mut buffer, CaptureOptions::new())).unwrap();
    assert_eq!(steps(&trace), [1, 2, 3, 4]);
}

fn stepwise_pacing_is_equivalent<W: Way>() {
    let turns = [on('D', ends("00", 0x2000, 4)), on('A', [9, 1, 2, 3, 4])];
    let (mut scope, _) = connected::<W>(turns, 1);
    scope.set_pacing(Pacing::Stepwise);
    let plan = plan::<W>(&scope, four_samples());
    let mut buffer = TraceBuffer::new();
    assert_eq!(steps(&block_on(scope.capture(&plan, &mut buffer)).unwrap()), [1, 2, 3, 4]);
}

fn non_device_is_reported_in_bounded_time<W: Way>() {
    // A reset is tried three times, from the second on after a cancel.
    let five = |answer: &str| "!K!K!".chars().map(|command| instead(command, answer)).collect::<Vec<_>>();
    let other = on('?', "\rBS001003\r");
    let stage = Stage::Reset;
    let echo = Expected::Echo(b'!');
    for (turns, error) in [
        (five(""), ScopeErrorKind::NoAnswer { waited_ms: 20 }.at(stage)),
        (five("login: "), ScopeErrorKind::Garbled(Malformed { byte: b' ', expected: echo }).at(stage)),
        (vec![other], ScopeErrorKind::WrongRevision { found: Revision(*b"BS001003") }.at(Stage::Identify)),
    ] {
        let line = line(turns, 3);
        let failed = connect::<W>(&line).map(|_| ());
        assert_eq!(failed, Err(error));
        assert!(line.now() < Instant(1_200_000), "{:?}", line.now());
    }
}

fn line_that_closes_is_named<W: Way>() {
    let line = line([], 100);
    line.device.lock().unwrap().closed_when_idle = true;
    line.device.lock().unwrap().turns.push_back(instead('!', ""));
    assert_eq!(connect::<W>(&line).map(|_| ()), Err(ScopeErrorKind::Closed.at(Stage::Reset)));
}

/// As a computer that slept: both the deadline has passed and the answer has come.
#[test]
fn answer_counts_that_came_while_the_program_was_stopped() {
    let (mut scope, line) = connected::<crate::transcript::Asynchronous>([], 100);
    {
        let mut device = line.device.lock().unwrap();
        device.deaf_until_us = line.now().0 + 1;
        device.stops_program = true;
    }
    block_on(scope.check_presence()).unwrap();
}

both_ways! {
    connect_reads_serial_number_on_request
    device_without_serial_number_works
    vanished_device_is_an_error
    presence_is_one_short_script_that_changes_nothing
    another_revision_is_accepted_and_reported
    first_answer_may_take_most_of_a_second
    what_was_in_flight_before_connecting_is_dropped
    capture_is_script_status_and_dump
    plans_use_the_probe_set_last
    foreign_registers_are_overwritten_once
    cancel_accepts_echo_or_status_first
    early_cancel_returns_what_was_captured
    host_ends_a_long_timeout
    overdue_device_is_stopped
    end_that_cannot_be_is_no_trace
    too_short_trace_is_refused
    wait_may_cross_a_roll_over
    trace_that_was_stopped_ended_after_that
    stopped_trace_may_end_with_its_last_sample
    garbled_start_is_retried_after_a_reset
    dropped_capture_is_recovered_by_the_next
    stepwise_pacing_is_equivalent
    non_device_is_reported_in_bounded_time
    line_that_closes_is_named
}

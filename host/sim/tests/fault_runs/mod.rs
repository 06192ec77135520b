//! One seeded run of a fault: connect, capture, capture again, with one fault at one byte of one stage.

use std::cell::RefCell;
use std::f64::consts::TAU;
use std::fmt;
use std::rc::Rc;

use embedded_io_async::{ErrorType, Read, Write};
use scopething_core::plan::{AnalogChannel, CapturePlan, CaptureRequest, Channel, ChannelSet};
use scopething_core::scope::{CaptureOptions, LinkProfile, Scope, ScopeError, ScopeErrorKind};
use scopething_core::time::{Clock, Micros};
use scopething_core::trace::{AnalogView, EndReason, Trace, TraceBuffer};
use scopething_sim::faults::{FaultyStream, StreamFaults};
use scopething_sim::{SimClock, SimConfig, SimLink};

/// The faults of a stream, which a middleware around any link can have.
pub(crate) const STREAM_KINDS: [&str; 7] = ["drop", "repeat", "corrupt", "delay", "stall", "close", "burst"];

/// The faults of a link and of a device that the simulator can have.
pub(crate) const KINDS: [&str; 11] =
    ["drop", "repeat", "corrupt", "delay", "short", "stall", "close", "reboot", "burst", "revision", "stale"];

/// Where in the conversation a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// From the reset to the serial number.
    Connect,
    /// The script that programs and starts a trace, up to the first status packet.
    Program,
    /// The wait for its end.
    Trace,
    /// The dumps.
    Dump,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// The samples are right.
    Right,
    /// A typed error.
    Refused(&'static str),
    /// A trace with other samples than the signal's.
    Wrong,
    /// It took longer than any time-out accounts for.
    TooLate,
    /// The capture after it failed, or was wrong.
    NotRecovered(&'static str),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Right => f.write_str("right"),
            Self::Refused(error) => f.write_str(error),
            Self::Wrong => f.write_str("WRONG"),
            Self::TooLate => f.write_str("TOO LATE"),
            Self::NotRecovered(why) => write!(f, "NOT RECOVERED: {why}"),
        }
    }
}

/// What a run was and how it ended.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub kind: &'static str,
    pub stage: Stage,
    pub verified: bool,
    pub url: String,
    pub outcome: Outcome,
}

impl Run {
    /// Whether it ended otherwise than it must: in right samples or a typed error, and with a next capture that works.
    ///
    /// Without verification nothing in the protocol shows that a byte of a sample, or a digit of a status, was changed:
    /// such a run may show other samples.
    pub(crate) fn is_failure(&self) -> bool {
        let undetectable =
            self.kind == "corrupt" && !self.verified && matches!(self.stage, Stage::Trace | Stage::Dump);
        match self.outcome {
            Outcome::Right | Outcome::Refused(_) => false,
            Outcome::Wrong => !undetectable,
            Outcome::TooLate | Outcome::NotRecovered(_) => true,
        }
    }
}

/// A small generator of numbers, the same everywhere (splitmix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % limit as u64) as usize
    }
}

/// Bytes read and written so far, and how many of them when a trace and when a dump was asked for.
#[derive(Debug, Default)]
struct Progress {
    read: usize,
    written: usize,
    trace_asked: Option<(usize, usize)>,
    dump_asked: Option<(usize, usize)>,
}

/// A link that keeps account.
struct Watched<L> {
    link: L,
    progress: Rc<RefCell<Progress>>,
}

impl<L: ErrorType> ErrorType for Watched<L> {
    type Error = L::Error;
}

impl<L: Read> Read for Watched<L> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, L::Error> {
        let count = self.link.read(buffer).await?;
        self.progress.borrow_mut().read += count;
        Ok(count)
    }
}

impl<L: Write> Write for Watched<L> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, L::Error> {
        let count = self.link.write(bytes).await?;
        let mut progress = self.progress.borrow_mut();
        let before = (progress.read, progress.written);
        match bytes.last() {
            Some(b'D') => progress.trace_asked = progress.trace_asked.or(Some(before)),
            Some(b'A') => progress.dump_asked = progress.dump_asked.or(Some(before)),
            _ => {}
        }
        progress.written += count;
        Ok(count)
    }

    async fn flush(&mut self) -> Result<(), L::Error> {
        self.link.flush().await
    }
}

/// Time-outs are those of a serial port: longer than any delay of these runs.
const PROFILE: LinkProfile = LinkProfile { round_trip: Micros::from_millis(400), ..LinkProfile::SERIAL };
const HERTZ: f64 = 10e3;
const SIGNALS: &str = "clock=fast&A=sine,10kHz,0..3V&B=sine,10kHz,1..2V&L0=square,10kHz";
/// More than the sum of all time-outs of a capture with its recoveries, on this link.
const LIMIT: Micros = Micros::from_millis(20_000);

/// Captures that trigger on the sine of A.
fn requests() -> [CaptureRequest; 3] {
    let of = |channels: &str, samples, period_s| CaptureRequest {
        samples,
        period_s,
        low: Some(-1.0),
        high: Some(4.0),
        level: Some(1.5),
        // Nothing else ends the wait for a device that fell silent.
        timeout_s: Some(0.2),
        ..CaptureRequest::new(channels.parse::<ChannelSet>().expect("channels are right"))
    };
    [of("A", 100, 200e-6), of("A,B", 200, 200e-6), of("A,B,L0", 120, 150e-6)]
}

type TestScope<L> = Scope<Watched<L>, SimClock>;

fn simulated(query: &str) -> SimLink {
    SimLink::new(&SimConfig::from_query(query).unwrap_or_else(|error| panic!("{query}: {error}")))
}

/// The bytes of each stage, from the device and to it.
type StageBytes = [(Stage, [std::ops::Range<usize>; 2]); 4];

/// The conversations without faults, of each request, plain and verified.
pub(crate) struct Conversations(Vec<[StageBytes; 2]>);

impl Conversations {
    /// Holds each conversation once.
    pub(crate) async fn record() -> Self {
        let mut recorded = Vec::new();
        for request in requests() {
            recorded.push([stages(&request, false).await, stages(&request, true).await]);
        }
        Self(recorded)
    }
}

async fn stages(request: &CaptureRequest, verified: bool) -> StageBytes {
    let progress = Rc::new(RefCell::new(Progress::default()));
    let link = simulated(SIGNALS);
    let clock = link.clock();
    let watched = Watched { link, progress: Rc::clone(&progress) };
    let mut scope = Scope::connect(watched, clock, PROFILE).await.expect("nothing is wrong");
    let connected = (progress.borrow().read, progress.borrow().written);
    let plan = scope.plan(request).expect("it can be planned");
    let captured = capture(&mut scope, &plan, verified).await;
    assert!(matches!(captured, Ok(true)), "without a fault the samples are right");
    let progress = progress.borrow();
    let (trace, dump) = (progress.trace_asked.unwrap_or_default(), progress.dump_asked.unwrap_or_default());
    // The status packet at the end of the trace is all that comes while it is waited for.
    let waited = dump.0 - 21;
    [
        (Stage::Connect, [0..connected.0, 0..connected.1]),
        (Stage::Program, [trace.0..waited, trace.1..dump.1]),
        (Stage::Trace, [waited..dump.0, trace.1..dump.1]),
        (Stage::Dump, [dump.0..progress.read, dump.1..progress.written]),
    ]
}

/// Whether a capture shows the signals.
async fn capture<L: Read + Write>(
    scope: &mut TestScope<L>,
    plan: &CapturePlan,
    verified: bool,
) -> Result<bool, ScopeError<L::Error>> {
    let mut buffer = TraceBuffer::new();
    let trace = if verified {
        scope.capture_with(plan, &mut buffer, CaptureOptions::new().verified()).await?
    } else {
        scope.capture(plan, &mut buffer).await?
    };
    Ok(shows_the_signals(&trace))
}

/// The signals all begin at the same moment: the phase that fits A best must fit every sample of every channel to
/// within the resolution, and put the crossing of the level where the trigger is reported.
fn shows_the_signals(trace: &Trace) -> bool {
    let (Some(trigger), Some(a)) = (trace.trigger(), trace.analog(AnalogChannel::A)) else { return false };
    if trace.end_reason() != EndReason::Trigger || trace.samples() != trace.plan().timebase.samples {
        return false;
    }
    let phase = fitted_phase(&a);
    let turns = |time_s: f64| HERTZ * time_s + phase / TAU;
    let sine = |channel, low: f64, high: f64| {
        let Some(view) = trace.analog(channel) else { return true };
        let mut values = view.values().enumerate();
        values.all(|(index, volts)| {
            let turns = turns(view.times.time_s(index));
            let expected = f64::midpoint(low, high) + 0.5 * (high - low) * (TAU * turns).sin();
            (f64::from(volts) - expected).abs() <= 2.0 * view.resolution() + 1e-3
        })
    };
    let square = || {
        let (Some(view), Channel::Logic(line)) = (trace.logic(), Channel::L[0]) else { return true };
        let mut levels = view.levels(line).enumerate();
        levels.all(|(index, level)| {
            let turns = turns(view.times.time_s(index));
            let to_edge = (2.0 * turns - (2.0 * turns).round()).abs() / 2.0;
            level == (turns.rem_euclid(1.0) < 0.5) || to_edge <= 0.01
        })
    };
    // The trigger sample is the first after the crossing; a trace of two channels ends with a whole pair.
    let pair = f64::from(trace.plan().mode.analog_channels);
    let off_s = (turns(trigger.time_s) - turns(trigger.time_s).round()).abs() / HERTZ;
    let placed = off_s <= 1.05 * pair * trace.plan().tick_period_s();
    placed && sine(AnalogChannel::A, 0.0, 3.0) && sine(AnalogChannel::B, 1.0, 2.0) && square()
}

/// The phase at time 0 of the sine that fits the samples of A best.
fn fitted_phase(view: &AnalogView) -> f64 {
    let (mut ss, mut sc, mut cc, mut sv, mut cv) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (index, volts) in view.values().enumerate() {
        let (sine, cosine) = (TAU * HERTZ * view.times.time_s(index)).sin_cos();
        let volts = f64::from(volts) - 1.5;
        ss += sine * sine;
        sc += sine * cosine;
        cc += cosine * cosine;
        sv += sine * volts;
        cv += cosine * volts;
    }
    let of_sine = sv * cc - cv * sc;
    let of_cosine = cv * ss - sv * sc;
    of_cosine.atan2(of_sine)
}

fn error_name<E>(error: &ScopeError<E>) -> &'static str {
    match error.kind {
        ScopeErrorKind::Link(_) => "link failed",
        ScopeErrorKind::Closed => "link closed",
        ScopeErrorKind::NoAnswer { .. } => "no answer",
        ScopeErrorKind::Incomplete { .. } => "incomplete",
        ScopeErrorKind::Surplus { .. } => "surplus",
        ScopeErrorKind::Garbled(_) => "garbled",
        ScopeErrorKind::UnknownStatus { .. } => "unknown status",
        ScopeErrorKind::EndLost => "end lost",
        ScopeErrorKind::DelayCutShort => "delay cut short",
        ScopeErrorKind::Contradiction(_) => "contradiction",
        ScopeErrorKind::WrongRevision { .. } => "wrong revision",
        ScopeErrorKind::GeneratorsStopped => "generators stopped",
        ScopeErrorKind::Script(_) => "SCRIPT TOO LONG",
        _ => "OF A NEW KIND",
    }
}

/// Runs one seeded fault of the simulator.
pub(crate) async fn run(conversations: &Conversations, seed: u64) -> Run {
    run_of(conversations, seed, &KINDS, false).await
}

/// Runs one seeded fault of a middleware around the simulated link, which has none itself.
pub(crate) async fn run_around(conversations: &Conversations, seed: u64) -> Run {
    run_of(conversations, seed, &STREAM_KINDS, true).await
}

async fn run_of(conversations: &Conversations, seed: u64, kinds: &[&'static str], around: bool) -> Run {
    let mut dice = Dice(seed);
    let kind = kinds[dice.below(kinds.len())];
    let verified = dice.below(2) == 0;
    let number = dice.below(requests().len());
    let request = requests()[number];
    let stages = &conversations.0[number][usize::from(verified)];
    let (mut stage, bytes) = stages[dice.below(stages.len())].clone();
    let to_device = dice.below(2) == 0;
    let range = &bytes[usize::from(to_device)];
    let at = range.start + dice.below(range.len().max(1));
    let place = if to_device { format!("w{at}") } else { at.to_string() };
    let fault = match kind {
        "delay" => format!("faults=delay:{}ms@{place}", [1, 30, 300][dice.below(3)]),
        // Only bytes from the device can end an answer early.
        "short" => format!("faults=short@{}", bytes[0].start + dice.below(bytes[0].len().max(1))),
        "burst" => format!("faults=burst:{}", 1 + dice.below(300)),
        "revision" => "revision=BS001003".to_owned(),
        "stale" => "stale=yes".to_owned(),
        kind => format!("faults={kind}@{place}"),
    };
    if matches!(kind, "burst" | "revision") {
        stage = Stage::Connect;
    }
    let (final_fault, setting) =
        (matches!(kind, "stall" | "close" | "revision"), format!("seed={seed}&{fault}"));
    let (outcome, url) = if around {
        let link = simulated(SIGNALS);
        let clock = link.clock();
        let faults = StreamFaults::from_query(&setting).unwrap_or_else(|error| panic!("{setting}: {error}"));
        let link = FaultyStream::new(link, clock.clone(), &faults);
        (outcome(link, clock, &request, verified, final_fault).await, setting)
    } else {
        let url = format!("{SIGNALS}&{setting}");
        let link = simulated(&url);
        let clock = link.clock();
        (outcome(link, clock, &request, verified, final_fault).await, url)
    };
    Run { kind, stage, verified, url, outcome }
}

async fn outcome<L: Read + Write>(
    link: L,
    clock: SimClock,
    request: &CaptureRequest,
    verified: bool,
    final_fault: bool,
) -> Outcome {
    let started = clock.now();
    let mut scope = Scope::new(Watched { link, progress: Rc::default() }, clock.clone(), PROFILE);
    let plan = scope.plan(request).expect("it can be planned");
    let first = async {
        scope.open().await?;
        capture(&mut scope, &plan, verified).await
    };
    let first = first.await;
    if clock.now() - started > LIMIT {
        return Outcome::TooLate;
    }
    if matches!(first, Ok(false)) {
        return Outcome::Wrong;
    }
    if !final_fault {
        match capture(&mut scope, &plan, verified).await {
            Ok(true) => {}
            Ok(false) => return Outcome::NotRecovered("wrong samples"),
            Err(error) => return Outcome::NotRecovered(error_name(&error)),
        }
    }
    match first {
        Ok(_) => Outcome::Right,
        Err(error) => Outcome::Refused(error_name(&error)),
    }
}

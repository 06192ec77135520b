//! The driver over the conversation, to a simulated device behind a server that executes whatever arrives, over a network
//! that loses and repeats. Time is simulated.

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::rc::Rc;
use std::task::Poll;

use embassy_futures::block_on;
use embedded_io_async::{ErrorType, Read, Write};
use scopething_core::link::bitscope_server::{AnswerRepr, CommandPacket, datagram_len};
use scopething_core::plan::{AnalogChannel, CaptureRequest, Channel};
use scopething_core::scope::{CaptureOptions, Recovery, Scope, ScopeError, ScopeErrorKind};
use scopething_core::time::{Clock, Instant, Micros};
use scopething_core::trace::{EndReason, TraceBuffer};
use scopething_core::vm::Command;
use scopething_sim::{Device, SimConfig, SimTime};

use super::UdpLink;
use super::exchange::Exchange;
use crate::link::{DatagramError, LinkError};

/// Data of a datagram, as hardware adaptors have it.
const CHUNK: usize = 95;
const TRAVEL: Micros = Micros(300);

/// What the network does.
#[derive(Default, Clone, Copy)]
struct Weather {
    /// Of so many datagrams, how many are lost and how many reach the server twice, in parts of 1.
    lost: f64,
    repeated: f64,
    /// The report of a trace's end is lost.
    loses_ends: bool,
}

struct Network {
    now: Instant,
    weather: Weather,
    random: fastrand::Rng,
    exchange: Exchange,
    device: Device,
    data_seq: u8,
    /// The `Cmd_ID` of the trace that runs.
    trace_id: u8,
    to_server: Vec<(Instant, Vec<u8>)>,
    to_client: Vec<(Instant, Vec<u8>)>,
    failed: Option<DatagramError>,
}

impl Network {
    fn new(signal: &str, seed: u64) -> Self {
        Self {
            now: Instant(0),
            weather: Weather::default(),
            random: fastrand::Rng::with_seed(seed),
            exchange: Exchange::default(),
            device: Device::new(&SimConfig::from_query(signal).unwrap()),
            data_seq: 0,
            trace_id: 0,
            to_server: Vec::new(),
            to_client: Vec::new(),
            failed: None,
        }
    }

    fn happens(&mut self, share: f64) -> bool {
        self.random.f64() < share
    }

    fn send_to_server(&mut self, datagram: &[u8]) {
        let arrival = self.now + TRAVEL;
        let times = 1 + usize::from(self.happens(self.weather.repeated));
        for copy in 0..times {
            if !self.happens(self.weather.lost) {
                self.to_server.push((arrival + Micros(copy as u64 * 50), datagram.to_vec()));
            }
        }
    }

    fn send_to_client(&mut self, cmd_id: u8, data: &[u8]) {
        for data in data.chunks(CHUNK) {
            let answer = AnswerRepr { adaptor_id: [7, 7], cmd_id, data_seq: self.data_seq, data };
            let mut datagram = vec![0; answer.buffer_len()];
            answer.emit(&mut datagram).unwrap();
            self.data_seq = self.data_seq.wrapping_add(1);
            if !self.happens(self.weather.lost) {
                self.to_client.push((self.now + TRAVEL, datagram));
            }
        }
    }

    fn device_time(&self) -> SimTime {
        SimTime::from_micros(self.now.0)
    }

    fn receive_of_device(&mut self) -> Vec<u8> {
        let at = self.device_time();
        std::iter::from_fn(|| self.device.transmit(at)).collect()
    }

    /// What the device sends by itself belongs to its trace.
    fn report_end(&mut self) {
        let report = self.receive_of_device();
        if report.is_empty() || self.weather.loses_ends {
            self.data_seq = self.data_seq.wrapping_add(u8::from(!report.is_empty()));
        } else {
            self.send_to_client(self.trace_id, &report);
        }
    }

    fn execute(&mut self, datagram: &[u8]) {
        self.report_end();
        let packet = CommandPacket::new_checked(datagram).unwrap();
        let mut answer = Vec::new();
        for &byte in packet.commands() {
            self.device.receive(byte, self.device_time());
            answer.extend(self.receive_of_device());
        }
        let last = packet.commands().last().map(|byte| Command::from_byte(*byte));
        let of_command = if last == Some(Command::CancelTrace) { 1 } else { answer.len() };
        let (own, of_trace) = answer.split_at(of_command);
        self.send_to_client(packet.cmd_id(), own);
        self.send_to_client(self.trace_id, of_trace);
        if last == Some(Command::Trace) {
            self.trace_id = packet.cmd_id();
        }
    }

    /// Lets time pass up to the next thing that happens, at most to `until`.
    fn step(&mut self, until: Instant) -> Result<(), DatagramError> {
        let in_flight = self.to_server.iter().chain(&self.to_client).map(|(arrival, _)| *arrival);
        let device = self.device.next_event().map(|event| Instant(event.0.div_ceil(1000)));
        let next = in_flight.chain(device).chain(self.exchange.deadline()).min().unwrap_or(until);
        self.now = next.min(until).max(self.now);
        let now = self.now;
        for (_, datagram) in self.to_server.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>() {
            self.execute(&datagram);
        }
        self.report_end();
        for (_, datagram) in self.to_client.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>() {
            self.exchange.receive(&datagram, now)?;
        }
        if let Some(again) = self.exchange.due(now)? {
            self.exchange.sent_again(now);
            self.send_to_server(&again);
        }
        Ok(())
    }
}

/// The client's end, and its clock.
#[derive(Clone)]
struct End(Rc<RefCell<Network>>);

impl End {
    /// What went wrong since somebody looked.
    fn check(&self) -> Result<(), LinkError> {
        self.0.borrow_mut().failed.take().map_or(Ok(()), |error| Err(error.into()))
    }
}

impl ErrorType for End {
    type Error = LinkError;
}

impl Read for End {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, LinkError> {
        poll_fn(|_| {
            self.check()?;
            match self.0.borrow_mut().exchange.read(buffer) {
                0 => Poll::Pending,
                count => Poll::Ready(Ok(count)),
            }
        })
        .await
    }
}

impl Write for End {
    async fn write(&mut self, script: &[u8]) -> Result<usize, LinkError> {
        let commands = &script[..datagram_len(script)];
        poll_fn(|_| {
            self.check()?;
            let mut network = self.0.borrow_mut();
            if !network.exchange.may_send(Command::from_byte(commands[0])) {
                return Poll::Pending;
            }
            let datagram = network.exchange.datagram(commands);
            let now = network.now;
            network.exchange.sent(commands, now);
            network.send_to_server(&datagram);
            Poll::Ready(Ok(commands.len()))
        })
        .await
    }

    async fn flush(&mut self) -> Result<(), LinkError> {
        Ok(())
    }
}

impl Clock for End {
    fn now(&self) -> Instant {
        self.0.borrow().now
    }

    /// Only who waits lets time pass.
    async fn until(&self, deadline: Instant) {
        poll_fn(|context| {
            let mut network = self.0.borrow_mut();
            if network.now >= deadline {
                return Poll::Ready(());
            }
            if let Err(error) = network.step(deadline) {
                network.failed = Some(error);
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

type Captured = Result<(EndReason, Vec<f32>), ScopeError<LinkError>>;

/// Connects over a sound network and captures in this weather, until `stop` at the latest. Gives how long it took, too.
fn capture(signal: &str, weather: Weather, seed: u64, stop: Option<Instant>) -> (Captured, Micros) {
    let end = End(Rc::new(RefCell::new(Network::new(signal, seed))));
    let mut scope = block_on(Scope::connect(end.clone(), end.clone(), UdpLink::PROFILE)).unwrap();
    let request = CaptureRequest {
        low: Some(-1.0),
        high: Some(4.0),
        level: Some(1.5),
        ..CaptureRequest::new(Channel::A)
    };
    let plan = scope.plan(&request).unwrap();
    let mut buffer = TraceBuffer::new();
    end.0.borrow_mut().weather = weather;
    let started = end.now();
    let cancel: std::pin::Pin<Box<dyn Future<Output = ()>>> = match stop {
        Some(stop) => Box::pin({
            let end = end.clone();
            async move { end.until(stop).await }
        }),
        None => Box::pin(pending()),
    };
    let trace = block_on(scope.capture_with(&plan, &mut buffer, CaptureOptions::new().cancelled_by(cancel)));
    let captured = trace.map(|trace| {
        let volts = trace.analog(AnalogChannel::A).map(|view| view.values().collect());
        (trace.end_reason(), volts.unwrap_or_default())
    });
    let took = end.now() - started;
    if let Err(error) = &captured {
        assert_ne!(error.recovery(), Recovery::Fatal, "{error}");
        end.0.borrow_mut().weather = Weather::default();
        // What is still awaited of the old conversation may fail once more.
        let again = (0..2).any(|_| block_on(scope.reset()).is_ok());
        assert!(again, "after {error}: not to be recovered over a sound network");
    }
    (captured, took)
}

/// Low for 3 s, then high for 3 s.
const STEP: &str = "A=square,0.1666666666Hz,0..3V,phase=50%25";

/// Whether samples show the edge a quarter into the trace.
fn shows_edge(volts: &[f32]) -> bool {
    let (before, after) = volts.split_at(volts.len() / 4);
    // The edge may fall between two samples of the trigger's filter.
    before.iter().rev().skip(2).all(|volts| *volts < 0.5) && after.iter().skip(2).all(|volts| *volts > 2.5)
}

/// Check interval, and the time that a datagram may be awaited twice.
const LONGEST: Micros = Micros::from_millis(10_000 + 2 * 1_700);

#[test]
fn sound_network_shows_the_trigger() {
    let (captured, took) = capture(STEP, Weather::default(), 1, None);
    let (cause, volts) = captured.unwrap();
    assert!(cause == EndReason::Trigger && shows_edge(&volts), "{cause} {volts:?}");
    assert!((Micros::from_millis(2_900)..Micros::from_millis(3_300)).contains(&took), "{took:?}");
}

#[test]
fn lost_end_is_found_within_the_check_interval() {
    let (captured, took) = capture(STEP, Weather { loses_ends: true, ..Weather::default() }, 1, None);
    let error = captured.unwrap_err();
    let is_named = matches!(
        error.kind,
        ScopeErrorKind::EndLost | ScopeErrorKind::Link(LinkError::Datagram(DatagramError::Lost { .. }))
    );
    assert!(is_named, "{error}");
    assert!(took < LONGEST, "{took:?}");
}

#[test]
fn no_trigger_is_reported_that_did_not_happen() {
    let stop = Instant(45_000_000);
    let mut cancelled = 0;
    for seed in 0..20 {
        let weather = Weather { lost: 0.02, repeated: 0.0, loses_ends: false };
        match capture("A=dc,0.5V", weather, seed, Some(stop)) {
            (Ok((EndReason::Cancel, volts)), _) => {
                assert!(volts.iter().all(|volts| (volts - 0.5).abs() < 0.05), "{seed}: {volts:?}");
                cancelled += 1;
            }
            (Ok(other), _) => panic!("{seed}: {other:?}"),
            // A reset, `>UD` or a stop was lost.
            (Err(_), took) => assert!(took < Micros(stop.0 + 4_000_000), "{seed}: {took:?}"),
        }
    }
    // The dump alone has 22 datagrams: two of three arrive whole.
    assert!(cancelled >= 5, "{cancelled} of 20");
}

#[test]
fn triggers_come_whole_or_fail_in_bounded_time() {
    let mut triggered = 0;
    for seed in 0..60 {
        let weather = Weather { lost: 0.03, repeated: 0.05, loses_ends: false };
        let (captured, took) = capture(STEP, weather, seed, None);
        // A step is missed at most while a check restarts the trace: then the next one comes.
        assert!(took < Micros(LONGEST.0 * 2), "{seed}: {took:?}");
        match captured {
            Ok((EndReason::Trigger, volts)) => {
                assert!(shows_edge(&volts), "{seed}: {volts:?}");
                triggered += 1;
            }
            Ok(other) => panic!("{seed}: {other:?}"),
            Err(_) => {}
        }
    }
    // The dump alone has 22 datagrams: half of them arrive whole.
    assert!(triggered >= 15, "{triggered} of 60");
}

//! The two-socket protocol of ngscopeclient, as its driver `pico` with transport `twinlan` wants it: commands
//! on one connection, waveforms pushed on another, whose port is the next.
//!
//! A waveform is pushed when the client has acknowledged all but one of those before it. Rates and depths
//! beyond the device become the nearest, and a waveform's header reports them. Couplings, thresholds and edges
//! of either kind, which the device does not have, are not followed. The protocol has no trigger modes:
//! `TRIG:MODE AUTO` and `TRIG:MODE NORMAL` are an addition, for other clients. Of the resolutions 8
//! bits are followed, and any other gives as many as there are.

mod command;
mod packet;
mod pairing;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use scopething_core::plan::WaveShape;
use tokio::io::{AsyncReadExt as _, ReadBuf};
use tokio::net::TcpStream;

pub use self::command::{Command, Generator, Query};
use self::pairing::{Half, Outcome, Pairing};
use super::capture::Capture;
use super::connections::{self, ALL_IN_USE, Connections, LastSeen, write};
use super::event::Event;
use super::handle::{GeneratorWaveform, Handle, NoCapture, Pending, TriggerTimeout};
use super::lines::{Line, LineReader};
use super::settings::Settings;

/// Sample rates offered, in hertz.
const RATES_HZ: [f64; 12] = [20e6, 10e6, 5e6, 2e6, 1e6, 500e3, 200e3, 100e3, 50e3, 20e3, 10e3, 5e3];
/// Numbers of samples offered.
const DEPTHS: &str = "1024,6144,12288,";
/// Waveforms on their way that are not acknowledged yet.
const MAX_AHEAD: u32 = 2;
/// Connections to both ports at a time, paired or not.
pub(super) const MAX_CONNECTIONS: usize = 2 * connections::MAX_CONNECTIONS + pairing::MAX_CONNECTIONS;
/// What the generator's output can do, in volts.
const OUTPUT_V: f64 = 3.3;

/// A control connection, of this client.
struct Control(TcpStream, SocketAddr);

impl Half for Control {
    fn is_alive(&self) -> bool {
        // It may have sent its first commands.
        !matches!(peeked(&self.0), Poll::Ready(Ok(0) | Err(_)))
    }
}

impl Half for TcpStream {
    fn is_alive(&self) -> bool {
        // There is nothing to be acknowledged yet.
        peeked(self).is_pending()
    }
}

/// How many bytes have come at least, which stay where they are; 0 if the other end is gone.
fn peeked(stream: &TcpStream) -> Poll<io::Result<usize>> {
    let mut byte = [0];
    stream.poll_peek(&mut Context::from_waker(Waker::noop()), &mut ReadBuf::new(&mut byte))
}

/// What was decided about the connections of an address.
pub(super) struct Decided(Outcome<Control, TcpStream>);

/// The clients of the two ports.
pub(super) struct Clients {
    handle: Handle,
    pairing: Pairing<Control, TcpStream>,
    connections: Connections,
}

impl Clients {
    pub(super) fn new(handle: Handle) -> Self {
        Self { handle, pairing: Pairing::default(), connections: Connections::new() }
    }

    /// A control connection has come.
    pub(super) fn control(&mut self, stream: TcpStream, peer: SocketAddr) {
        self.pairing.control(peer.ip(), Control(stream, peer));
    }

    /// A data connection has come.
    pub(super) fn data(&mut self, stream: TcpStream, peer: SocketAddr) {
        if !self.pairing.data(peer.ip(), stream) {
            self.refuse(peer, "no control connection of its address waits for data");
        }
    }

    /// Waits until it is decided which connections belong together.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no connection.
    pub(super) async fn decided(&mut self) -> Decided {
        Decided(self.pairing.decided().await)
    }

    /// Starts to serve a client whose connections were paired, or refuses it.
    pub(super) async fn take(&mut self, decided: Decided) {
        match decided.0 {
            Outcome::Refused { from, reason } => self.refuse(from, reason),
            Outcome::Pair(Control(control, peer), data) => {
                if !self.connections.make_room(peer.ip()).await {
                    return self.refuse(peer, ALL_IN_USE);
                }
                let handle = self.handle.clone();
                self.connections
                    .spawn(peer.ip(), |last_seen| Box::pin(serve(control, data, peer, last_seen, handle)));
            }
        }
    }

    /// Ends a connection over which nothing was asked, since the system has no more descriptors.
    pub(super) async fn shed(&mut self) {
        self.connections.shed().await;
    }

    fn refuse(&self, client: impl fmt::Display, reason: &str) {
        self.handle.report(Event::Refused { client: format!("twinlan {client}"), reason: reason.to_owned() });
    }
}

/// What the client wants pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Armed {
    No,
    Once { forced: bool },
    Always,
}

/// One client's conversation.
struct Session {
    handle: Handle,
    peer: SocketAddr,
    armed: Armed,
    pending: Option<Pending>,
    sequence: u32,
    acknowledged: u32,
    rate_hz: f64,
    depth: u32,
    pre_trigger_s: f64,
    generator: GeneratorSettings,
}

/// What the generator is set to, whether it plays or not.
#[derive(Debug, Clone, Copy)]
struct GeneratorSettings {
    on: bool,
    frequency_hz: f64,
    range_v: f64,
    offset_v: f64,
    duty: f64,
    shape: WaveShape<'static>,
    /// The part of the period that the shape spends rising, where that is not the duty.
    rising: Option<f64>,
    constant: bool,
}

impl GeneratorSettings {
    fn set(&mut self, setting: Generator) {
        match setting {
            Generator::On(on) => self.on = on,
            Generator::Frequency(frequency_hz) => self.frequency_hz = frequency_hz,
            Generator::Range(range_v) => self.range_v = range_v,
            Generator::Offset(offset_v) => self.offset_v = offset_v,
            Generator::Duty(duty) => self.duty = duty,
            Generator::Shape(shape, rising) => {
                (self.shape, self.rising, self.constant) = (shape, rising, false);
            }
            Generator::Constant => self.constant = true,
        }
    }

    /// What is to be played. The output has no negative voltages: what does not fit is moved, and cut if it
    /// must be.
    fn waveform(&self) -> Option<GeneratorWaveform> {
        let Self { on, frequency_hz, range_v, offset_v, duty, shape, rising, constant } = *self;
        if !on {
            return None;
        }
        if constant {
            let high_v = offset_v.clamp(OUTPUT_V / 255.0, OUTPUT_V);
            let always = GeneratorWaveform {
                frequency_hz: 1e3,
                shape: WaveShape::Square,
                symmetry: 1.0,
                low_v: 0.0,
                high_v,
            };
            return Some(always);
        }
        let range_v = range_v.min(OUTPUT_V);
        let low_v = (offset_v - range_v / 2.0).clamp(0.0, OUTPUT_V - range_v);
        let symmetry = rising.unwrap_or(duty);
        Some(GeneratorWaveform { frequency_hz, shape, symmetry, low_v, high_v: low_v + range_v })
    }
}

async fn serve(
    control: TcpStream,
    mut data: TcpStream,
    peer: SocketAddr,
    last_seen: LastSeen,
    handle: Handle,
) {
    let mut session = Session::new(handle.clone(), peer);
    session.converse(control, &mut data, &last_seen).await;
    handle.report(Event::Disconnected { client: format!("twinlan {peer}") });
}

impl Session {
    fn new(handle: Handle, peer: SocketAddr) -> Self {
        Self {
            handle,
            peer,
            armed: Armed::No,
            pending: None,
            sequence: 0,
            acknowledged: 0,
            rate_hz: 1e6,
            depth: 6144,
            pre_trigger_s: 0.0,
            generator: GeneratorSettings {
                on: false,
                frequency_hz: 1e3,
                range_v: OUTPUT_V,
                offset_v: OUTPUT_V / 2.0,
                duty: 0.5,
                shape: WaveShape::Sine,
                rising: Some(0.5),
                constant: false,
            },
        }
    }

    /// Answers and pushes until one of the connections ends.
    async fn converse(&mut self, mut control: TcpStream, data: &mut TcpStream, last_seen: &LastSeen) {
        let (reader, mut writer) = control.split();
        let mut lines = LineReader::new(reader);
        let (mut acknowledgements, mut waveforms) = data.split();
        let mut acknowledgement = Acknowledgement::default();
        loop {
            let ahead = self.sequence.wrapping_sub(self.acknowledged);
            if ahead < MAX_AHEAD && self.begin().await.is_err() {
                return;
            }
            tokio::select! {
                line = lines.next() => match line {
                    Ok(Some(Line::Whole(line))) => {
                        last_seen.now();
                        if let Some(answer) = self.take(&line).await
                            && !write(&mut writer, format!("{answer}\n").as_bytes()).await
                        {
                            return;
                        }
                    }
                    Ok(Some(Line::TooLong(bytes))) => {
                        let client = format!("twinlan {}", self.peer);
                        self.handle.report(Event::Malformed { client, bytes });
                    }
                    Ok(Some(Line::Foreign(foreign))) => {
                        let client = format!("twinlan {}", self.peer);
                        return self.handle.report(Event::Refused { client, reason: foreign.to_string() });
                    }
                    Ok(None) | Err(_) => return,
                },
                capture = ready(&mut self.pending) => {
                    self.pending = None;
                    let Ok(capture) = capture else {
                        self.armed = Armed::No;
                        continue;
                    };
                    self.sequence = self.sequence.wrapping_add(1);
                    if self.armed != Armed::Always {
                        self.armed = Armed::No;
                    }
                    if !write(&mut waveforms, &packet::waveform(self.sequence, &capture)).await {
                        return;
                    }
                }
                count = acknowledgements.read(acknowledgement.room()) => match count {
                    Ok(0) | Err(_) => return,
                    Ok(count) => {
                        last_seen.now();
                        self.acknowledged = acknowledgement.taken(count).unwrap_or(self.acknowledged);
                    }
                },
            }
        }
    }

    /// Asks for a capture if one is to be pushed and none is under way.
    async fn begin(&mut self) -> Result<(), NoCapture> {
        let timeout = match self.armed {
            Armed::No => return Ok(()),
            Armed::Once { forced: true } => TriggerTimeout::AtMost(Duration::ZERO),
            Armed::Once { forced: false } => TriggerTimeout::Never,
            Armed::Always => TriggerTimeout::OfMode,
        };
        if self.pending.is_none() {
            self.pending = Some(self.handle.capture(timeout).await?);
        }
        Ok(())
    }

    fn arm(&mut self, armed: Armed) {
        self.armed = armed;
        self.pending = None;
    }

    fn set(&self, change: impl FnOnce(&mut Settings)) {
        self.handle.set(self.peer, change);
    }

    /// Sets the time base, and the trigger's place in it.
    fn set_time(&self) {
        let Self { rate_hz, depth, pre_trigger_s, .. } = *self;
        self.set(|settings| {
            settings.set_rate(rate_hz, depth);
            settings.position = (pre_trigger_s / settings.span_s).clamp(0.0, 1.0);
        });
    }

    /// Executes a line; returns the answer to a query.
    async fn take(&mut self, line: &[u8]) -> Option<String> {
        match Command::parse(line)? {
            Command::Query(query) => return Some(self.answer(query)),
            Command::Rate(rate_hz) => {
                self.rate_hz = rate_hz;
                self.set_time();
            }
            Command::Depth(depth) => {
                self.depth = depth;
                self.set_time();
            }
            Command::PreTrigger(pre_trigger_s) => {
                self.pre_trigger_s = pre_trigger_s;
                self.set(|settings| settings.position = (pre_trigger_s / settings.span_s).clamp(0.0, 1.0));
            }
            Command::Start => self.arm(Armed::Always),
            Command::Single => self.arm(Armed::Once { forced: false }),
            Command::Force => self.arm(Armed::Once { forced: true }),
            Command::Stop => self.arm(Armed::No),
            Command::Generator(setting) => {
                self.generator.set(setting);
                if self.generator.on || setting == Generator::On(false) {
                    self.handle.generate(self.generator.waveform()).await;
                }
            }
            setting => self.set(|settings| set(settings, setting)),
        }
        None
    }

    fn answer(&self, query: Query) -> String {
        match query {
            Query::Identity => format!("Pico Technology,2205MSO,{},1.0", self.handle.serial),
            Query::Channels => "2".to_owned(),
            Query::Armed => u8::from(self.armed != Armed::No).to_string(),
            Query::Sequence => self.sequence.to_string(),
            Query::Rates => RATES_HZ.map(|rate_hz| format!("{},", (1e15 / rate_hz).round())).concat(),
            Query::Depths => DEPTHS.to_owned(),
            Query::Pod(pod) => u8::from(pod == 1).to_string(),
            Query::Unknown => String::new(),
        }
    }
}

/// Does what a command about channels and the trigger sets.
fn set(settings: &mut Settings, command: Command) {
    match command {
        Command::Channel(index, shown) => {
            if let Some(vertical) = settings.analog.get_mut(index) {
                vertical.shown = shown;
            }
        }
        Command::Range(index, volts) => {
            if let Some(vertical) = settings.analog.get_mut(index) {
                vertical.set_span(volts);
            }
        }
        Command::Middle(index, volts) => {
            if let Some(vertical) = settings.analog.get_mut(index) {
                vertical.middle_v = volts;
            }
        }
        Command::Line(line, shown) => settings.show_line(Some(line.number()), shown),
        Command::Source(source) => settings.trigger = source,
        Command::Level(level_v) => settings.level_v = Some(level_v),
        Command::Edge(edge) => settings.trigger_type = edge,
        Command::Mode(mode) => settings.trigger_mode = mode,
        Command::Resolution(resolution) => settings.resolution = resolution,
        _ => {}
    }
}

async fn ready(pending: &mut Option<Pending>) -> Result<Arc<Capture>, NoCapture> {
    match pending {
        Some(pending) => pending.ready().await,
        None => std::future::pending().await,
    }
}

/// A sequence number on its way in.
#[derive(Debug, Default)]
struct Acknowledgement {
    bytes: [u8; 4],
    taken: usize,
}

impl Acknowledgement {
    fn room(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.taken..).unwrap_or_default()
    }

    /// The number, once it is whole.
    fn taken(&mut self, count: usize) -> Option<u32> {
        self.taken += count;
        if self.taken < self.bytes.len() {
            return None;
        }
        self.taken = 0;
        Some(u32::from_le_bytes(self.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generator_stays_within_its_output() {
        let handle = GeneratorSettings {
            on: true,
            frequency_hz: 1e3,
            range_v: 2.0,
            offset_v: 0.0,
            duty: 0.25,
            shape: WaveShape::Square,
            rising: None,
            constant: false,
        };
        let played = handle.waveform().unwrap();
        assert_eq!((played.low_v, played.high_v, played.symmetry), (0.0, 2.0, 0.25));
        let large = GeneratorSettings { range_v: 10.0, ..handle }.waveform().unwrap();
        assert_eq!((large.low_v, large.high_v), (0.0, 3.3));
        let constant = GeneratorSettings { constant: true, offset_v: 1.5, ..handle }.waveform().unwrap();
        assert_eq!((constant.low_v, constant.high_v, constant.symmetry), (0.0, 1.5, 1.0));
        assert_eq!(GeneratorSettings { on: false, ..handle }.waveform(), None);
    }

    #[test]
    fn acknowledgement_comes_in_any_pieces() {
        let mut acknowledgement = Acknowledgement::default();
        for (index, byte) in 0x0403_0201_u32.to_le_bytes().into_iter().enumerate() {
            acknowledgement.room()[0] = byte;
            assert_eq!(acknowledgement.taken(1), (index == 3).then_some(0x0403_0201));
        }
    }
}

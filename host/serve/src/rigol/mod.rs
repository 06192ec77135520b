//! An emulated Rigol MSO2072A, as sigrok's driver `rigol-ds` wants it: two analog channels of 8 bits, eight
//! of its sixteen logic lines.
//!
//! While it waits for a trigger the client is asked to retry, so that it can be stopped at any time. The
//! driver assumes 100 samples a division whatever the instrument does: captures are resampled to
//! that rate, each moment showing the sample before it. In memory mode samples come as they were captured.
//!
//! There is no AC coupling and no attenuation of probes: settings of either are not followed, and queries
//! report that.

mod panel;
mod screen;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use self::panel::{division_s, fill_screen};
pub use self::panel::{query, set};
use self::screen::{ByteScale, SAMPLES_PER_DIVISION, screen};
use super::capture::planned_rate_hz;
use super::connections::{Dialect, Reply};
use super::frame::{Frame, Source};
use super::handle::{Handle, TriggerTimeout};
use super::scpi::{Message, exponential, number};

/// Bytes of a live block.
const LIVE_BYTES: usize = 1400;
/// Samples of the memory, shared by the analog channels.
const MEMORY_SAMPLES: usize = 14_000;
/// From this time base on the driver waits for the trigger status to change, in seconds a division.
const SLOW_S: f64 = 0.0499;
/// How long an answer about the state of a capture is held back for a capture that is about to end.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// The same in memory mode, where the driver polls without a pause.
const POLL: Duration = Duration::from_millis(20);
/// How long a client waits that requests data without having polled the trigger status.
const BLOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a client waits while others have the device.
const BUSY: Duration = Duration::from_secs(10);

/// Which samples a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Readout {
    /// Those of the screen.
    Live,
    /// As they were captured.
    Memory,
}

/// How captures follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sweep {
    Continuous,
    Single,
}

/// One client's conversation.
pub(super) struct Rigol {
    handle: Handle,
    peer: SocketAddr,
    framed: bool,
    frame: Frame,
    source: Source,
    readout: Readout,
    sweep: Sweep,
    /// Seconds a division as the client knows them.
    division_s: f64,
    scales: [Option<ByteScale>; 2],
    /// Whether the last trigger status was a wait.
    waited: bool,
}

/// Makes sure that a source is captured, as wide as the screen.
fn show(handle: &Handle, peer: SocketAddr, source: Source) {
    handle.set(peer, |settings| {
        source.show(settings);
        fill_screen(settings);
    });
}

impl Rigol {
    /// `framed` puts the length of each answer before it.
    pub(super) fn new(handle: Handle, peer: SocketAddr, framed: bool) -> Self {
        let division_s = division_s(handle.state().settings.span_s);
        Self {
            handle,
            peer,
            framed,
            frame: Frame::default(),
            source: Source::Analog(0),
            readout: Readout::Live,
            sweep: Sweep::Continuous,
            division_s,
            scales: [None; 2],
            waited: false,
        }
    }

    /// What a client on this machine gets in one piece may be longer than a live block.
    fn live_lines(&self) -> usize {
        let local = |address: IpAddr| address.to_canonical().is_loopback();
        if local(self.peer.ip()) { LIVE_BYTES } else { LIVE_BYTES / 2 }
    }

    /// Samples of a block of the present source.
    fn samples(&self) -> usize {
        let settings = self.handle.state().settings;
        match (self.readout, self.source) {
            (Readout::Live, Source::Analog(_)) => LIVE_BYTES,
            (Readout::Live, Source::Logic) => self.live_lines(),
            (Readout::Memory, Source::Analog(_)) => {
                let shown = settings.analog.iter().filter(|vertical| vertical.shown).count();
                MEMORY_SAMPLES / shown.max(1)
            }
            (Readout::Memory, Source::Logic) => MEMORY_SAMPLES,
        }
    }

    fn block_bytes(&self) -> usize {
        match self.source {
            Source::Analog(_) => self.samples(),
            Source::Logic => self.samples() * 2,
        }
    }

    async fn command(&mut self, message: &Message<'_>) -> Option<()> {
        match (message.name.as_str(), message.argument) {
            ("RUN", _) => {
                self.sweep = Sweep::Continuous;
                self.frame.restart();
            }
            ("STOP", _) => self.frame.restart(),
            ("SING", _) => self.begin_single().await?,
            ("TRIG:SWE", sweep) if sweep.starts_with("SING") => self.begin_single().await?,
            ("WAV:MODE", mode) => {
                self.readout = if mode == "RAW" { Readout::Memory } else { Readout::Live };
                self.frame.restart();
            }
            ("WAV:SOUR", "CHAN1") => self.source = Source::Analog(0),
            ("WAV:SOUR", "CHAN2") => self.source = Source::Analog(1),
            ("WAV:SOUR", "LA") => self.source = Source::Logic,
            _ => {
                let changes = self.handle.state().changes;
                self.handle.set(self.peer, |settings| set(settings, message));
                if message.name == "TRIG:SWE" {
                    self.sweep = Sweep::Continuous;
                    self.frame.restart();
                }
                if message.name == "TIM:SCAL" {
                    let given = number(message.argument).filter(|division_s| *division_s > 0.0);
                    self.division_s = given.unwrap_or(self.division_s);
                }
                if self.handle.state().changes != changes {
                    self.frame.restart();
                }
            }
        }
        Some(())
    }

    /// Captures once, when the trigger comes, whatever the trigger mode.
    async fn begin_single(&mut self) -> Option<()> {
        self.sweep = Sweep::Single;
        show(&self.handle, self.peer, self.source);
        self.frame.restart();
        self.frame.begin(&self.handle, TriggerTimeout::Never).await.ok()
    }

    /// The scale that was reported to the client, or is reported now.
    fn scale(&mut self, renew: bool) -> Option<ByteScale> {
        let Source::Analog(index) = self.source else { return None };
        let plan = self.handle.plan().ok()?;
        let place = self.scales.get_mut(index)?;
        if renew || place.is_none() {
            *place = ByteScale::of(&plan, index);
        }
        *place
    }

    async fn capture_state(&mut self) -> Option<String> {
        let source = self.source;
        show(&self.handle, self.peer, self.source);
        self.frame.turn_to(source);
        let timeout =
            if self.sweep == Sweep::Single { TriggerTimeout::Never } else { TriggerTimeout::OfMode };
        self.frame.begin(&self.handle, timeout).await.ok()?;
        let ready = self.frame.wait(POLL_INTERVAL).await.ok()?.is_some();
        Some(if ready { format!("IDLE,{}", self.block_bytes()) } else { "READ,wait".to_owned() })
    }

    async fn trigger_state(&mut self) -> Option<&'static str> {
        if self.sweep == Sweep::Single {
            return Some(if self.frame.wait(POLL).await.ok()?.is_some() { "STOP" } else { "WAIT" });
        }
        self.waited = !self.waited || self.division_s < SLOW_S;
        Some(if self.waited { "WAIT" } else { "TD" })
    }

    async fn data(&mut self) -> Option<Vec<u8>> {
        let Self { handle, peer, frame, source, .. } = self;
        let source = *source;
        let show = || show(handle, *peer, source);
        let capture = frame.capture_of(source, handle, BLOCK_TIMEOUT, BLOCK_TIMEOUT + BUSY, show).await?;
        let samples = self.samples();
        let last = capture.count.checked_sub(1)?;
        let indices: Vec<usize> = if self.readout == Readout::Memory {
            (0..samples).map(|index| index.min(last)).collect()
        } else {
            screen(&capture, self.division_s, samples).collect()
        };
        let block: Vec<u8> = match source {
            Source::Analog(index) => {
                let scale = self.scale(false)?;
                let volts = &capture.analog.get(index)?.as_ref()?.volts;
                indices.iter().filter_map(|index| volts.get(*index)).map(|volts| scale.byte(*volts)).collect()
            }
            Source::Logic => {
                let lines = capture.logic.as_ref()?;
                indices.iter().filter_map(|index| lines.get(*index)).flat_map(|lines| [*lines, 0]).collect()
            }
        };
        // The driver wants a header of ten bytes.
        Some([format!("#8{:08}", block.len()).as_bytes(), &block, b"\n"].concat())
    }

    /// Whether the instrument has a command: one that is executed here, or a setting that can be read.
    fn knows(&self, message: &Message<'_>) -> bool {
        const COMMANDS: [&str; 15] = [
            "RUN", "STOP", "SING", "TFOR", "CLE", "WAV:MODE", "WAV:SOUR", "WAV:FORM", "WAV:STAR", "WAV:STOP",
            "WAV:RES", "WAV:BEG", "WAV:END", "WAV:POIN", "ACQ:MDEP",
        ];
        let name = message.name.as_str();
        let is_setting = || query(&self.handle.state(), None, message).is_some();
        COMMANDS.contains(&name) || is_setting()
    }

    async fn ask(&mut self, message: &Message<'_>) -> Option<Reply> {
        let answer = match message.name.as_str() {
            "*IDN" => Some(format!("RIGOL TECHNOLOGIES,MSO2072A,{},00.03.00", self.handle.serial)),
            "WAV:STAT" => self.capture_state().await,
            "TRIG:STAT" => self.trigger_state().await.map(str::to_owned),
            "WAV:YINC" => Some(exponential(self.scale(true)?.step_v, 9)),
            "WAV:YOR" => self.scale(false).map(|scale| exponential(-scale.bottom_v / scale.step_v, 9)),
            "WAV:YREF" => Some("0".to_owned()),
            "WAV:XINC" => {
                let rate_hz = planned_rate_hz(&self.handle.plan().ok()?);
                let period_s = match self.readout {
                    Readout::Live => self.division_s / SAMPLES_PER_DIVISION,
                    Readout::Memory => 1.0 / rate_hz,
                };
                Some(exponential(period_s, 9))
            }
            "TRIG:SWE" if self.sweep == Sweep::Single => Some("SING".to_owned()),
            "ACQ:MDEP" => Some(MEMORY_SAMPLES.to_string()),
            name => {
                let plan = self.handle.plan().ok();
                let Some(answer) = query(&self.handle.state(), plan.as_ref(), message) else {
                    return Some(Reply::Undefined);
                };
                if name == "TIM:SCAL" {
                    self.division_s = number(&answer).unwrap_or(self.division_s);
                }
                Some(answer)
            }
        };
        answer.map(Reply::Text)
    }
}

impl Dialect for Rigol {
    fn restart(&mut self) {
        *self = Self::new(self.handle.clone(), self.peer, self.framed);
    }

    async fn answer(&mut self, message: &Message<'_>) -> Reply {
        if !message.query {
            let known = self.knows(message);
            let done = self.command(message).await;
            return if done.is_none() {
                Reply::HangUp
            } else if known {
                Reply::None
            } else {
                Reply::Undefined
            };
        }
        if message.name == "WAV:DATA" {
            return self.data().await.map_or(Reply::HangUp, Reply::Bytes);
        }
        self.ask(message).await.unwrap_or(Reply::HangUp)
    }

    fn framed(&self, answer: Vec<u8>) -> Vec<u8> {
        if !self.framed {
            return answer;
        }
        let length = u32::try_from(answer.len()).unwrap_or(u32::MAX);
        [length.to_le_bytes().as_slice(), &answer].concat()
    }
}

//! An emulated Rigol MSO2072A, as sigrok's driver `rigol-ds` wants it: two analog channels of 8 bits, eight of its
//! sixteen logic lines.
//!
//! While it waits for a trigger the client is told to ask again, so that it can be stopped at any time. The driver
//! reckons with 100 samples a division whatever the instrument does: what was captured is given at that rate, each
//! moment showing the sample before it. In memory mode samples come as they were captured.
//!
//! There is no AC coupling and no attenuation of probes: settings of either are not followed, and queries tell so.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use scopething_core::plan::{
    AnalogChannel, CapturePlan, Channel, LogicLine, LogicPattern, SampleRange, TriggerSource, TriggerType,
};

use super::capture::{Capture, planned_rate_hz};
use super::desk::{Desk, Panel};
use super::frame::{Frame, Source};
use super::scpi::{Message, exponential, nearest_step, number, step_at_least, switch};
use super::settings::{Settings, VERTICAL_DIVISIONS};
use super::viewers::{Dialect, Reply};

/// Divisions of the screen from left to right, and samples a division.
const DIVISIONS: f64 = 14.0;
const SAMPLES_PER_DIVISION: f64 = 100.0;
/// Bytes of a live block.
const LIVE_BYTES: usize = 1400;
/// Samples of the memory, shared by the analog channels.
const MEMORY_SAMPLES: usize = 14_000;
/// The driver counts a trigger position by the number of its time bases where the divisions are meant.
const OFFSET_DIVISIONS: f64 = 34.0;
/// What the driver takes for seconds a division, and for volts.
const SECONDS: (f64, f64) = (5e-9, 1e3);
const VOLTS: (f64, f64) = (5e-4, 5.0);
/// From this time base on the driver waits for the trigger status to change, in seconds a division.
const SLOW_S: f64 = 0.0499;
/// How long an answer about the state of a capture is held back for a capture that is about to end.
const GLANCE: Duration = Duration::from_millis(100);
/// The same in memory mode, where the driver asks without a pause.
const POLL: Duration = Duration::from_millis(20);
/// How long a client waits that asks for data without having asked whether there is any.
const PATIENCE: Duration = Duration::from_secs(2);

fn division_s(span_s: f64) -> f64 {
    nearest_step(span_s / DIVISIONS, SECONDS.0, SECONDS.1)
}

/// Makes sure that captures are as wide as this instrument's screen, which has more divisions than others.
fn fill_screen(settings: &mut Settings) {
    let width_s = DIVISIONS * division_s(settings.span_s);
    if settings.span_s < width_s * (1.0 - 1e-9) {
        settings.set_span(width_s);
    }
}

/// Does what a command sets; what is none of this instrument's settings changes nothing.
pub fn set(settings: &mut Settings, message: &Message<'_>) {
    let Message { name, numbers: [first, _], argument, query } = message;
    if *query {
        return;
    }
    let (value, on) = (number(argument), switch(argument));
    match name.as_str() {
        "CHAN#:DISP" => {
            if let (Some(vertical), Some(on)) = (settings.analog_mut(*first), on) {
                vertical.shown = on;
            }
        }
        "CHAN#:SCAL" => {
            if let (Some(vertical), Some(scale_v)) = (settings.analog_mut(*first), value) {
                vertical.set_span(scale_v * VERTICAL_DIVISIONS);
            }
        }
        "CHAN#:OFFS" => {
            if let (Some(vertical), Some(offset_v)) = (settings.analog_mut(*first), value) {
                vertical.middle_v = -offset_v;
            }
        }
        "LA:STAT" => match on {
            Some(false) => settings.lines = 0,
            Some(true) if settings.lines == 0 => settings.lines = 0xff,
            _ => {}
        },
        "LA:DIG#:DISP" => {
            if let Some(on) = on {
                settings.show_line(*first, on);
            }
        }
        "TIM:SCAL" => settings.set_span(value.unwrap_or(0.0) * DIVISIONS),
        "TIM:OFFS" => {
            if let Some(offset_s) = value {
                let width_s = OFFSET_DIVISIONS * division_s(settings.span_s);
                settings.position = (0.5 - offset_s / width_s).clamp(0.0, 1.0);
            }
        }
        "TRIG:EDGE:SOUR" => {
            if let Some(source) = trigger_source(argument) {
                settings.trigger = source;
            }
        }
        "TRIG:EDGE:SLOP" => match argument.get(..3) {
            Some("POS") => settings.trigger_type = TriggerType::Rising,
            Some("NEG") => settings.trigger_type = TriggerType::Falling,
            _ => {}
        },
        "TRIG:EDGE:LEV" => settings.level_v = value.or(settings.level_v),
        _ => {}
    }
}

fn trigger_source(name: &str) -> Option<TriggerSource> {
    match name {
        "CHAN1" => Some(TriggerSource::Analog(AnalogChannel::A)),
        "CHAN2" => Some(TriggerSource::Analog(AnalogChannel::B)),
        _ => {
            let line = LogicLine::new(name.strip_prefix('D')?.parse().ok()?)?;
            Some(TriggerSource::Logic(LogicPattern::line(line, true)))
        }
    }
}

fn source_text(source: TriggerSource) -> String {
    match source {
        TriggerSource::Analog(AnalogChannel::A) => "CHAN1".to_owned(),
        TriggerSource::Analog(AnalogChannel::B) => "CHAN2".to_owned(),
        TriggerSource::Logic(pattern) => {
            let single = |line: &LogicLine| pattern == LogicPattern::line(*line, true);
            let line = LogicLine::all().find(single);
            // An edge trigger has no word for a pattern, which a client of another kind can set.
            line.map_or_else(|| "EXT".to_owned(), |line| format!("D{}", line.number()))
        }
    }
}

/// The answer to a query about settings: what is real with the plan that they lead to. None for what the instrument
/// does not know.
#[must_use]
pub fn query(panel: &Panel, plan: Option<&CapturePlan>, message: &Message<'_>) -> Option<String> {
    let Settings { span_s, analog, trigger, trigger_type, .. } = &panel.settings;
    let first = message.numbers.first().copied().flatten();
    let channel = || first.and_then(|number| analog.get(usize::from(number).checked_sub(1)?));
    let captured = |line: LogicLine| plan.is_some_and(|plan| plan.channels.contains(Channel::Logic(line)));
    let flag = |on: bool| u8::from(on).to_string();
    let real_division_s = || division_s(plan.map_or(*span_s, CapturePlan::duration_s));
    Some(match message.name.as_str() {
        "CHAN#:DISP" => flag(channel()?.shown),
        "CHAN#:PROB" => "1.0".to_owned(),
        "CHAN#:SCAL" => {
            exponential(step_at_least(channel()?.span_v / VERTICAL_DIVISIONS, VOLTS.0, VOLTS.1), 6)
        }
        "CHAN#:OFFS" => exponential(-channel()?.middle_v, 6),
        "CHAN#:COUP" => "DC".to_owned(),
        "LA:STAT" => flag(panel.settings.lines != 0),
        "LA:DIG#:DISP" => flag(first.and_then(LogicLine::new).is_some_and(captured)),
        "TIM:SCAL" => exponential(real_division_s(), 6),
        "TIM:OFFS" => {
            let position =
                |plan: &CapturePlan| f64::from(plan.pre_trigger) / f64::from(plan.timebase.samples);
            let position = plan.map_or(panel.settings.position, position);
            exponential((0.5 - position) * real_division_s() * OFFSET_DIVISIONS, 6)
        }
        "TRIG:EDGE:SOUR" => source_text(*trigger),
        "TRIG:EDGE:SLOP" => if trigger_type.is_inverted() { "NEG" } else { "POS" }.to_owned(),
        "TRIG:EDGE:LEV" => exponential(plan.map_or(0.0, |plan| plan.level), 6),
        "TRIG:MODE" => "EDGE".to_owned(),
        "*ESR" => "0".to_owned(),
        _ => return None,
    })
}

/// How bytes of an analog block stand for volts.
#[derive(Debug, Clone, Copy, PartialEq)]
struct ByteScale {
    bottom_v: f64,
    step_v: f64,
}

impl ByteScale {
    /// The steps of an 8-bit capture with a plan.
    fn of(plan: &CapturePlan, channel: usize) -> Option<Self> {
        let SampleRange::Volts { low, high, ab_offset } = plan.range else { return None };
        let share = if channel == 0 { -0.5 } else { 0.5 };
        Some(Self { bottom_v: low + share * ab_offset, step_v: (high - low) / 256.0 })
    }

    fn byte(&self, volts: f32) -> u8 {
        ((f64::from(volts) - self.bottom_v) / self.step_v).round().clamp(0.0, 255.0) as u8
    }
}

/// Which samples of a capture stand for the moments of a screen; the driver shows 100 a division.
fn screen(capture: &Capture, division_s: f64, count: usize) -> impl Iterator<Item = usize> + use<> {
    let moment_s = division_s / SAMPLES_PER_DIVISION;
    let (rate_hz, last) = (capture.rate_hz, capture.count.saturating_sub(1));
    let share = capture.trigger_s * rate_hz / capture.count.max(1) as f64;
    // A capture that is longer than the screen is shown about its trigger.
    let left_s = (capture.trigger_s - share * DIVISIONS * division_s).max(0.0);
    (0..count).map(move |index| {
        let sample = (left_s + index as f64 * moment_s) * rate_hz;
        ((sample + 1e-6).floor().max(0.0) as usize).min(last)
    })
}

/// One client's conversation.
pub(super) struct Rigol {
    desk: Desk,
    peer: SocketAddr,
    framed: bool,
    frame: Frame,
    source: Source,
    /// Memory mode instead of live.
    memory: bool,
    /// A single capture was asked for.
    single: bool,
    /// Seconds a division as the client knows them.
    division_s: f64,
    scales: [Option<ByteScale>; 2],
    /// Whether the last trigger status was a wait.
    waited: bool,
}

impl Rigol {
    /// `framed` puts the length of each answer before it.
    pub(super) fn new(desk: Desk, peer: SocketAddr, framed: bool) -> Self {
        let division_s = division_s(desk.panel().settings.span_s);
        Self {
            desk,
            peer,
            framed,
            frame: Frame::default(),
            source: Source::Analog(0),
            memory: false,
            single: false,
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
        let settings = self.desk.panel().settings;
        match (self.memory, self.source) {
            (false, Source::Analog(_)) => LIVE_BYTES,
            (false, Source::Logic) => self.live_lines(),
            (true, Source::Analog(_)) => {
                let shown = settings.analog.iter().filter(|vertical| vertical.shown).count();
                MEMORY_SAMPLES / shown.max(1)
            }
            (true, Source::Logic) => MEMORY_SAMPLES,
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
                self.single = false;
                self.frame.restart();
            }
            ("STOP", _) => self.frame.restart(),
            ("SING", _) => {
                self.single = true;
                self.show();
                self.frame.restart();
                self.frame.begin(&self.desk, None).await.ok()?;
            }
            ("WAV:MODE", mode) => {
                self.memory = mode == "RAW";
                self.frame.restart();
            }
            ("WAV:SOUR", "CHAN1") => self.source = Source::Analog(0),
            ("WAV:SOUR", "CHAN2") => self.source = Source::Analog(1),
            ("WAV:SOUR", "LA") => self.source = Source::Logic,
            _ => {
                let changes = self.desk.panel().changes;
                self.desk.set(self.peer, |settings| set(settings, message));
                if message.name == "TIM:SCAL" {
                    let given = number(message.argument).filter(|division_s| *division_s > 0.0);
                    self.division_s = given.unwrap_or(self.division_s);
                }
                if self.desk.panel().changes != changes {
                    self.frame.restart();
                }
            }
        }
        Some(())
    }

    /// The scale that the client was told, or is told now.
    fn scale(&mut self, renew: bool) -> Option<ByteScale> {
        let Source::Analog(index) = self.source else { return None };
        let plan = self.desk.plan().ok()?;
        let place = self.scales.get_mut(index)?;
        if renew || place.is_none() {
            *place = ByteScale::of(&plan, index);
        }
        *place
    }

    /// Makes sure that the present source is captured.
    fn show(&self) {
        let source = self.source;
        self.desk.set(self.peer, |settings| {
            source.show(settings);
            fill_screen(settings);
        });
    }

    async fn capture_state(&mut self) -> Option<String> {
        let source = self.source;
        self.show();
        self.frame.turn_to(source);
        self.frame.begin(&self.desk, None).await.ok()?;
        let ready = self.frame.wait(GLANCE).await.ok()?.is_some();
        Some(if ready { format!("IDLE,{}", self.block_bytes()) } else { "READ,wait".to_owned() })
    }

    async fn trigger_state(&mut self) -> Option<&'static str> {
        if self.single {
            return Some(if self.frame.wait(POLL).await.ok()?.is_some() { "STOP" } else { "WAIT" });
        }
        self.waited = !self.waited || self.division_s < SLOW_S;
        Some(if self.waited { "WAIT" } else { "TD" })
    }

    async fn data(&mut self) -> Option<Vec<u8>> {
        let source = self.source;
        self.show();
        self.frame.turn_to(source);
        self.frame.begin(&self.desk, Some(PATIENCE)).await.ok()?;
        let capture = self.frame.wait(2 * PATIENCE).await.ok()??;
        self.frame.serve(source);
        let samples = self.samples();
        let last = capture.count.checked_sub(1)?;
        let indices: Vec<usize> = if self.memory {
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

    async fn ask(&mut self, message: &Message<'_>) -> Option<String> {
        match message.name.as_str() {
            "*IDN" => Some(format!("RIGOL TECHNOLOGIES,MSO2072A,{},00.03.00", self.desk.serial)),
            "*OPC" => Some("1".to_owned()),
            "WAV:STAT" => self.capture_state().await,
            "TRIG:STAT" => self.trigger_state().await.map(str::to_owned),
            "WAV:YINC" => Some(exponential(self.scale(true)?.step_v, 9)),
            "WAV:YOR" => self.scale(false).map(|scale| exponential(-scale.bottom_v / scale.step_v, 9)),
            "WAV:YREF" => Some("0".to_owned()),
            "WAV:XINC" => {
                let rate_hz = planned_rate_hz(&self.desk.plan().ok()?);
                Some(exponential(if self.memory { 1.0 / rate_hz } else { self.division_s / 100.0 }, 9))
            }
            "ACQ:MDEP" => Some(MEMORY_SAMPLES.to_string()),
            name => {
                let plan = self.desk.plan().ok();
                let answer = query(&self.desk.panel(), plan.as_ref(), message).unwrap_or_default();
                if name == "TIM:SCAL" {
                    self.division_s = number(&answer).unwrap_or(self.division_s);
                }
                // A query without an answer would be waited for.
                Some(answer)
            }
        }
    }
}

impl Dialect for Rigol {
    async fn answer(&mut self, message: &Message<'_>) -> Reply {
        if !message.query {
            return self.command(message).await.map_or(Reply::HangUp, |()| Reply::None);
        }
        if message.name == "WAV:DATA" {
            return self.data().await.map_or(Reply::HangUp, Reply::Bytes);
        }
        self.ask(message).await.map_or(Reply::HangUp, |answer| Reply::line(&answer))
    }

    fn framed(&self, answer: Vec<u8>) -> Vec<u8> {
        if !self.framed {
            return answer;
        }
        let length = u32::try_from(answer.len()).unwrap_or(u32::MAX);
        [length.to_le_bytes().as_slice(), &answer].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::scpi::messages;
    use proptest::prelude::*;
    use scopething_core::device::BS05;
    use scopething_core::plan::Driven;
    use scopething_core::trace::Cause;

    fn panel(lines: &[&str]) -> Panel {
        let mut settings = Settings::default();
        for message in lines.iter().flat_map(|line| messages(line.as_bytes())) {
            set(&mut settings, &message);
        }
        Panel { settings, changes: 0, driven: Driven::NOTHING }
    }

    fn told(panel: &Panel, question: &str) -> String {
        let plan = panel.settings.plan(&BS05.analog, panel.driven).ok();
        let message = messages(question.as_bytes()).next().unwrap();
        query(panel, plan.as_ref(), &message).unwrap_or_else(|| panic!("{question}"))
    }

    #[test]
    fn a_quiet_scope_answers_as_the_driver_expects() {
        let quiet = panel(&[]);
        for (question, answer) in [
            (":CHAN1:DISP?", "1"),
            (":LA:STAT?", "1"),
            (":LA:DIG0:DISP?", "1"),
            (":LA:DIG15:DISP?", "0"),
            (":TIM:SCAL?", "5.000000E-04"),
            (":CHAN1:PROB?", "1.0"),
            (":CHAN2:SCAL?", "1.000000E+00"),
            (":CHAN1:COUP?", "DC"),
            (":TRIG:EDGE:SOUR?", "CHAN1"),
            (":TIM:OFFS?", "0.000000E+00"),
            (":TRIG:EDGE:SLOP?", "POS"),
            (":TRIG:EDGE:LEV?", "0.000000E+00"),
        ] {
            assert_eq!(told(&quiet, question), answer, "{question}");
        }
    }

    #[test]
    fn settings_are_read_back() {
        let set = panel(&[
            ":TIM:SCAL 0.001000000",
            // -(0.25 - 0.5) x 1 ms x 34
            ":TIM:OFFS 0.008500",
            ":TRIG:EDGE:SOUR D3",
            ":TRIG:EDGE:SLOP NEG",
            ":TRIG:EDGE:LEV 0.500",
            ":CHAN2:SCAL 0.500",
            ":CHAN2:OFFS -1.5",
            ":LA:DIG1:DISP OFF",
        ]);
        assert_eq!(set.settings.position, 0.25);
        for (question, answer) in [
            (":TIM:SCAL?", "1.000000E-03"),
            (":TIM:OFFS?", "8.500000E-03"),
            (":TRIG:EDGE:SOUR?", "D3"),
            (":TRIG:EDGE:SLOP?", "NEG"),
            (":TRIG:EDGE:LEV?", "5.000000E-01"),
            (":CHAN2:SCAL?", "5.000000E-01"),
            (":CHAN2:OFFS?", "-1.500000E+00"),
            (":LA:DIG1:DISP?", "0"),
        ] {
            assert_eq!(told(&set, question), answer, "{question}");
        }
    }

    #[test]
    fn a_screen_shows_the_sample_before_each_moment() {
        let capture = |rate_hz: f64, count, trigger_s| Capture {
            rate_hz,
            count,
            analog: [None, None],
            logic: None,
            trigger_s,
            cause: Cause::Trigger,
        };
        // 1 ms a division is 100 kHz: every second of 200 kHz.
        let drawn: Vec<_> = screen(&capture(200e3, 2800, 7e-3), 1e-3, 1400).collect();
        assert!(drawn.iter().copied().eq((0..2800).step_by(2)));
        // 16 samples at 10 MHz are 1.6 us; a screen of 70 ns in their middle shows one or two of them.
        let drawn: Vec<_> = screen(&capture(10e6, 16, 0.8e-6), 5e-9, 1400).collect();
        assert_eq!((drawn[0], drawn[1399]), (7, 8));
        // Too short a capture is padded with its last sample.
        let drawn: Vec<_> = screen(&capture(100e3, 700, 0.0), 1e-3, 1400).collect();
        assert_eq!((drawn[699], drawn[700], drawn[1399]), (699, 699, 699));
    }

    #[test]
    fn bytes_are_steps_of_the_range() {
        let plan = Settings::default().plan(&BS05.analog, Driven::NOTHING).unwrap();
        let scale = ByteScale::of(&plan, 0).unwrap();
        // 8 V around 0 V.
        assert_eq!(scale, ByteScale { bottom_v: -4.0, step_v: 8.0 / 256.0 });
        assert_eq!([-5.0, -4.0, 0.0, 3.98, 9.0].map(|volts| scale.byte(volts)), [0, 0, 128, 255, 255]);
    }

    proptest! {
        #![proptest_config(crate::serve::fixed_seed(512))]

        #[test]
        fn any_line_leaves_settings_that_can_be_told(
            line in "(:?(CHAN|LA:DIG)[0-9]{1,3}:(DISP|SCAL|OFFS)|:TIM:(SCAL|OFFS)|:TRIG:EDGE:(SOUR|LEV|SLOP)) [-+.0-9eEDOF]{0,12}",
        ) {
            let panel = panel(&[&line]);
            for question in [":TIM:SCAL?", ":TIM:OFFS?", ":TRIG:EDGE:LEV?", ":CHAN1:SCAL?", ":TRIG:EDGE:SOUR?"] {
                told(&panel, question);
            }
        }
    }
}

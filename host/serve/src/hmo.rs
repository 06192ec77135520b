//! An emulated Hameg HMO1002, as sigrok's driver `hameg-hmo` wants it: two analog channels and eight logic
//! lines, volts as floats, any number of samples.
//!
//! A client that asks for a channel's data gets a new capture if it has had that channel of the last one. It
//! cannot be stopped while it waits: after two seconds without a trigger it gets what the channels did
//! meanwhile.
//!
//! There is no AC coupling, and thresholds of the logic lines are fixed: settings of either are taken and not
//! followed, and queries report that.

use std::net::SocketAddr;
use std::time::Duration;

use scopething_core::plan::{
    CapturePlan, Channel, LogicLine, LogicPattern, Resolution, TriggerSource, TriggerType,
};

use super::capture::planned_rate_hz;
use super::connections::{Dialect, Reply};
use super::controls::{
    Names, TRIGGER_MODES, offset_s, set_offset, set_scale, set_slope, set_trigger_source, show_channel,
    show_line, show_lines, slope, trigger_source_name,
};
use super::frame::{Frame, Source};
use super::handle::{Handle, SharedState};
use super::scpi::{self, Message, exponential, number, switch};
use super::settings::{Settings, VERTICAL_DIVISIONS};
use scopething_instrument::steps::{nearest_step, step_at_least};

/// Divisions of the screen from left to right.
const DIVISIONS: f64 = 12.0;
/// What the instrument calls an analog channel, before its number.
const CHANNEL: &str = "CH";
/// What the driver takes for seconds a division, and for volts.
const SECONDS: (f64, f64) = (1e-9, 50.0);
const VOLTS: (f64, f64) = (1e-3, 5.0);
/// Samples of 16 and of 8 bits: high resolution is what the device does by itself.
const RESOLUTIONS: Names<Resolution> = Names(&[("AUTO", Resolution::Best), ("OFF", Resolution::Bits8)]);
/// How long a client waits for a trigger.
const BLOCK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a client waits while others have the device.
const BUSY: Duration = Duration::from_secs(10);
/// Where 3.3 V logic switches, in volts.
const THRESHOLD_V: f64 = 1.65;

fn division_s(span_s: f64) -> f64 {
    nearest_step(span_s / DIVISIONS, SECONDS.0, SECONDS.1)
}

/// Executes a setting; commands that this instrument does not have change nothing.
pub fn set(settings: &mut Settings, message: &Message<'_>) {
    let Message { name, numbers: [first, _], argument, query } = message;
    if *query {
        return;
    }
    let (value, on) = (number(argument), switch(argument));
    match name.as_str() {
        "CHAN#:STAT" => show_channel(settings, *first, on),
        "CHAN#:SCAL" => set_scale(settings, *first, value),
        "LOG#:STAT" => show_line(settings, *first, on),
        "POD#:STAT" => show_lines(settings, on),
        "TIM:SCAL" => settings.set_span(value.unwrap_or(0.0) * DIVISIONS),
        "TIM:POS" => {
            if let Some(offset_s) = value {
                set_offset(settings, offset_s, DIVISIONS * division_s(settings.span_s));
            }
        }
        "ACQ:HRES" => RESOLUTIONS.set(&mut settings.resolution, argument),
        _ => set_trigger(settings, name, argument, value),
    }
}

fn set_trigger(settings: &mut Settings, name: &str, argument: &str, value: Option<f64>) {
    match name {
        "TRIG:A:SOUR" => set_trigger_source(settings, argument, CHANNEL),
        "TRIG:A:EDGE:SLOP" => set_slope(settings, argument),
        "TRIG:A:PATT:SOUR" => {
            if let Some(pattern) = pattern(argument) {
                settings.trigger = TriggerSource::Logic(pattern);
                settings.trigger_type = TriggerType::Rising;
            }
        }
        "TRIG:A:MODE" => TRIGGER_MODES.set(&mut settings.trigger_mode, argument),
        "TRIG:A:LEV#" => settings.level_v = value.or(settings.level_v),
        _ => {}
    }
}

/// A pattern of CH1, CH2, D0 to D7. Of the analog channels nothing can be asked for.
fn pattern(text: &str) -> Option<LogicPattern> {
    let lines = text.trim_matches('"').get(2..)?;
    let mut pattern = LogicPattern { care: 0, high: 0 };
    for (line, level) in LogicLine::all().zip(lines.chars()) {
        if level == '0' || level == '1' {
            pattern.care |= line.bit();
        }
        if level == '1' {
            pattern.high |= line.bit();
        }
    }
    (pattern.care != 0).then_some(pattern)
}

fn pattern_text(source: TriggerSource) -> String {
    let TriggerSource::Logic(pattern) = source else { return "\"XXXXXXXXXX\"".to_owned() };
    let level = |line: LogicLine| match (pattern.care & line.bit() != 0, pattern.high & line.bit() != 0) {
        (false, _) => 'X',
        (true, false) => '0',
        (true, true) => '1',
    };
    format!("\"XX{}\"", LogicLine::all().map(level).collect::<String>())
}

/// The answer to a query about settings: the actual value under the resulting plan. None for what the
/// instrument does not know.
#[must_use]
pub fn query(state: &SharedState, plan: Option<&CapturePlan>, message: &Message<'_>) -> Option<String> {
    let Settings { span_s, analog, trigger, trigger_type, trigger_mode, resolution, .. } = &state.settings;
    let first = message.numbers.first().copied().flatten();
    let channel = || first.and_then(|number| analog.get(usize::from(number).checked_sub(1)?));
    let line = || first.and_then(LogicLine::new);
    let captured = |line: LogicLine| plan.is_some_and(|plan| plan.channels.contains(Channel::Logic(line)));
    let flag = |on: bool| u8::from(on).to_string();
    let real_division_s = || division_s(plan.map_or(*span_s, CapturePlan::duration_s));
    Some(match message.name.as_str() {
        "CHAN#:STAT" => flag(channel()?.shown),
        "CHAN#:SCAL" => {
            exponential(step_at_least(channel()?.span_v / VERTICAL_DIVISIONS, VOLTS.0, VOLTS.1), 3)
        }
        "CHAN#:POS" => exponential(-channel()?.middle_v, 3),
        "CHAN#:COUP" => "DCL".to_owned(),
        "PROB#:SET:ATT:UNIT" => "V".to_owned(),
        "LOG#:STAT" => flag(captured(line()?)),
        "POD#:STAT" => flag(state.settings.lines != 0),
        "POD#:THR" => "USER1".to_owned(),
        "POD#:THR:UDL#" => exponential(THRESHOLD_V, 3),
        "TIM:SCAL" => exponential(real_division_s(), 3),
        "TIM:DIV" => "12".to_owned(),
        "TIM:POS" => exponential(offset_s(&state.settings, plan, real_division_s() * DIVISIONS), 6),
        "TRIG:A:SOUR" => trigger_source_name(*trigger, CHANNEL, "PATT"),
        "TRIG:A:EDGE:SLOP" => slope(*trigger_type),
        "TRIG:A:PATT:SOUR" => pattern_text(*trigger),
        "TRIG:A:LEV#" => exponential(plan.map_or(0.0, |plan| plan.level), 6),
        "TRIG:A:MODE" => TRIGGER_MODES.of(*trigger_mode),
        "ACQ:HRES" => RESOLUTIONS.of(*resolution),
        "ACQ:PEAK" => "OFF".to_owned(),
        "ACQ:SRAT" => exponential(plan.map_or(0.0, planned_rate_hz), 9),
        _ => return None,
    })
}

/// The data that a query requests.
fn source(message: &Message<'_>) -> Option<Source> {
    match (message.name.as_str(), message.numbers) {
        ("CHAN#:DATA", [Some(number @ 1..=2), _]) => Some(Source::Analog(usize::from(number) - 1)),
        ("POD#:DATA", [Some(1), _]) => Some(Source::Logic),
        _ => None,
    }
}

/// One client's conversation.
pub(super) struct Hmo {
    handle: Handle,
    peer: SocketAddr,
    big_endian: bool,
    frame: Frame,
}

impl Hmo {
    pub(super) fn new(handle: Handle, peer: SocketAddr) -> Self {
        Self { handle, peer, big_endian: false, frame: Frame::default() }
    }

    /// Whether the instrument has a command: one that changes nothing here, or a setting that can be read.
    fn knows(&self, message: &Message<'_>) -> bool {
        const COMMANDS: [&str; 9] =
            ["RUN", "RUNC", "STOP", "SING", "RUNS", "FORM", "FORM:BORD", "TRIG:A:TYPE", "CHAN#:DATA:POIN"];
        COMMANDS.contains(&message.name.as_str()) || query(&self.handle.state(), None, message).is_some()
    }

    async fn data(&mut self, source: Source) -> Option<Vec<u8>> {
        let Self { handle, peer, frame, .. } = self;
        let show = || handle.set(*peer, |settings| source.show(settings));
        let capture = frame.capture_of(source, handle, BLOCK_TIMEOUT, BLOCK_TIMEOUT + BUSY, show).await?;
        match source {
            Source::Analog(index) => {
                let volts = &capture.analog.get(index)?.as_ref()?.volts;
                let bytes =
                    |volts: &f32| if self.big_endian { volts.to_be_bytes() } else { volts.to_le_bytes() };
                Some(volts.iter().flat_map(bytes).collect())
            }
            Source::Logic => capture.logic.clone(),
        }
    }
}

impl Dialect for Hmo {
    fn restart(&mut self) {
        *self = Self::new(self.handle.clone(), self.peer);
    }

    async fn answer(&mut self, message: &Message<'_>) -> Reply {
        if !message.query {
            if message.name == "FORM:BORD" {
                self.big_endian = message.argument.eq_ignore_ascii_case("MSBF");
            }
            let changes = self.handle.state().changes;
            self.handle.set(self.peer, |settings| set(settings, message));
            if self.handle.state().changes != changes {
                self.frame.restart();
            }
            return if self.knows(message) { Reply::None } else { Reply::Undefined };
        }
        if let Some(source) = source(message) {
            let data = self.data(source).await;
            // An empty block is more than the driver can take.
            return data.map_or(Reply::HangUp, |data| Reply::Bytes(scpi::block(&data)));
        }
        if message.name == "*IDN" {
            return Reply::Text(format!("HAMEG,HMO1002,{},05.886", self.handle.serial));
        }
        let plan = self.handle.plan().ok();
        query(&self.handle.state(), plan.as_ref(), message).map_or(Reply::Undefined, Reply::Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use scopething_core::device::BS05;
    use scopething_core::plan::{BusyOutputs, TriggerMode};

    fn state(lines: &[&str]) -> SharedState {
        let mut settings = Settings::default();
        for message in lines.iter().flat_map(|line| scpi::messages(line.as_bytes())) {
            set(&mut settings, &message);
        }
        let driven = BusyOutputs::NOTHING;
        SharedState { settings, changes: 0, driven, generator: None, probe: BS05.analog }
    }

    fn answer_to(state: &SharedState, question: &str) -> String {
        let plan = state.settings.plan(&BS05.analog, state.driven).ok();
        let message = scpi::messages(question.as_bytes()).next().unwrap();
        query(state, plan.as_ref(), &message).unwrap_or_else(|| panic!("{question}"))
    }

    #[test]
    fn quiet_scope_answers_as_the_driver_expects() {
        let quiet = state(&[]);
        for (question, answer) in [
            (":CHAN1:STAT?", "1"),
            (":CHAN2:SCAL?", "1.000E+00"),
            (":CHAN1:POS?", "0.000E+00"),
            (":CHAN1:COUP?", "DCL"),
            (":PROB1:SET:ATT:UNIT?", "V"),
            (":LOG0:STAT?", "1"),
            (":POD1:STAT?", "1"),
            (":POD1:THR?", "USER1"),
            (":POD1:THR:UDL1?", "1.650E+00"),
            (":TIM:SCAL?", "5.000E-04"),
            (":TIM:DIV?", "12"),
            (":TIM:POS?", "0.000000E+00"),
            (":TRIG:A:SOUR?", "CH1"),
            (":TRIG:A:EDGE:SLOP?", "POS"),
            (":TRIG:A:PATT:SOUR?", "\"XXXXXXXXXX\""),
            (":TRIG:A:MODE?", "AUTO"),
            (":ACQ:HRES?", "AUTO"),
            (":ACQ:PEAK?", "OFF"),
            (":ACQ:SRAT?", "1.000000000E+06"),
        ] {
            assert_eq!(answer_to(&quiet, question), answer, "{question}");
        }
    }

    #[test]
    fn queries_report_actual_values() {
        // The comparators of A and B are those of L7 and L6: these lines are not captured beside them.
        assert_eq!(answer_to(&state(&[]), ":LOG7:STAT?"), "0");
        assert_eq!(answer_to(&state(&[":CHAN1:STAT 0;:CHAN2:STAT 0"]), ":LOG7:STAT?"), "1");
        // 12 ns are less than the 16 samples at 10 MS/s that a pair takes at the least: 1.6 us are 133 ns a
        // division.
        assert_eq!(answer_to(&state(&[":TIM:SCAL 1E-9"]), ":TIM:SCAL?"), "1.000E-07");
        assert_eq!(answer_to(&state(&[":CHAN1:COUP ACL"]), ":CHAN1:COUP?"), "DCL");
        assert_eq!(answer_to(&state(&[":CHAN1:SCAL 1.000000E+01"]), ":CHAN1:SCAL?"), "5.000E+00");
        // Nothing is kept from before the trigger above 5 MS/s: it is at the left edge, 6 divisions of 1 us.
        let fast = state(&[":CHAN2:STAT 0;:POD1:STAT 0;:TIM:SCAL 1E-6"]);
        assert_eq!(answer_to(&fast, ":TIM:POS?"), "6.000000E-06");
    }

    #[test]
    fn position_is_read_back() {
        // -(p - 0.5) x scale x 12 for p = 0.25 and 1 ms.
        let set = state(&[":TIM:SCAL 1.000000E-03", ":TIM:POS 3.000000E-03"]);
        assert_eq!(set.settings.position, 0.25);
        assert_eq!(answer_to(&set, ":TIM:POS?"), "3.000000E-03");
    }

    #[test]
    fn triggers_are_read_back() {
        for source in ["CH1", "CH2", "D0", "D7"] {
            assert_eq!(answer_to(&state(&[&format!(":TRIG:A:SOUR {source}")]), ":TRIG:A:SOUR?"), source);
        }
        let ignored = state(&[":TRIG:A:SOUR LINE", ":TRIG:A:SOUR D8", ":TRIG:A:SOUR D-1"]);
        assert_eq!(ignored, state(&[]));
        let falling = state(&[":TRIG:A:TYPE EDGE;:TRIG:A:EDGE:SLOP NEG"]);
        assert_eq!(falling.settings.trigger_type, TriggerType::Falling);
        let pattern = state(&[":TRIG:A:TYPE LOGIC;:TRIG:A:PATT:SOUR \"XX1X0XXXXX\""]);
        assert_eq!(pattern.settings.trigger, TriggerSource::Logic(LogicPattern { care: 0b101, high: 0b001 }));
        assert_eq!(answer_to(&pattern, ":TRIG:A:PATT:SOUR?"), "\"XX1X0XXXXX\"");
        assert_eq!(answer_to(&pattern, ":TRIG:A:SOUR?"), "PATT");
    }

    #[test]
    fn trigger_mode_and_resolution_are_read_back() {
        let set = state(&[":TRIG:A:MODE AUTO;:ACQ:HRES OFF"]);
        assert_eq!(
            (set.settings.trigger_mode, set.settings.resolution),
            (TriggerMode::Auto, Resolution::Bits8)
        );
        assert_eq!(
            [":TRIG:A:MODE?", ":ACQ:HRES?"].map(|question| answer_to(&set, question)),
            ["AUTO", "OFF"]
        );
        let back = state(&[":TRIG:A:MODE AUTO;:ACQ:HRES OFF", ":TRIG:A:MODE NORM;:ACQ:HRES AUTO"]);
        assert_eq!(
            (back.settings.trigger_mode, back.settings.resolution),
            (TriggerMode::Normal, Resolution::Best)
        );
    }

    proptest! {
        #![proptest_config(crate::fixed_seed::fixed_seed(512))]

        #[test]
        fn any_line_leaves_queryable_settings(
            word in "(CHAN|LOG|POD)[0-9]{1,3}:(STAT|SCAL|THR)|TIM:(SCAL|POS)|TRIG:A:(SOUR|LEV1|PATT:SOUR)",
            value in "[-+.0-9eEDXCH\"]{0,12}",
        ) {
            let state = state(&[&format!(":{word} {value}")]);
            for question in [":TIM:SCAL?", ":TIM:POS?", ":ACQ:SRAT?", ":CHAN1:SCAL?", ":TRIG:A:PATT:SOUR?"] {
                answer_to(&state, question);
            }
        }
    }
}

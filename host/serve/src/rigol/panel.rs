//! What the instrument's settings are, in its own words.

use scopething_core::plan::{CapturePlan, Channel, LogicLine, Resolution};

use crate::controls::{
    Names, TRIGGER_MODES, offset_s, set_offset, set_scale, set_slope, set_trigger_source, show_channel,
    show_line, show_lines, slope, trigger_source_name,
};
use crate::handle::SharedState;
use crate::scpi::{Message, exponential, number, switch};
use crate::settings::{Settings, VERTICAL_DIVISIONS};

use super::screen::DIVISIONS;
use scopething_instrument::steps::{nearest_step, step_at_least};

/// The driver counts a trigger position by the number of its time bases where the divisions are meant.
const OFFSET_DIVISIONS: f64 = 34.0;
/// What the instrument calls an analog channel, before its number.
const CHANNEL: &str = "CHAN";
/// What the driver takes for seconds a division, and for volts.
const SECONDS: (f64, f64) = (5e-9, 1e3);
const VOLTS: (f64, f64) = (5e-4, 5.0);
/// Samples of 16 and of 8 bits: high resolution is what the device does by itself.
const RESOLUTIONS: Names<Resolution> = Names(&[("HRES", Resolution::Best), ("NORM", Resolution::Bits8)]);

/// Seconds a division of a screen that wide.
pub(super) fn division_s(span_s: f64) -> f64 {
    nearest_step(span_s / DIVISIONS, SECONDS.0, SECONDS.1)
}

/// Makes sure that captures are as wide as this instrument's screen, which has more divisions than others.
pub(super) fn fill_screen(settings: &mut Settings) {
    let width_s = DIVISIONS * division_s(settings.span_s);
    if settings.span_s < width_s * (1.0 - 1e-9) {
        settings.set_span(width_s);
    }
}

/// Executes a setting; commands that this instrument does not have change nothing.
pub fn set(settings: &mut Settings, message: &Message<'_>) {
    let Message { name, numbers: [first, _], argument, query } = message;
    if *query {
        return;
    }
    let (value, on) = (number(argument), switch(argument));
    match name.as_str() {
        "CHAN#:DISP" => show_channel(settings, *first, on),
        "CHAN#:SCAL" => set_scale(settings, *first, value),
        "CHAN#:OFFS" => {
            if let (Some(vertical), Some(offset_v)) = (settings.analog_mut(*first), value) {
                vertical.middle_v = -offset_v;
            }
        }
        "LA:STAT" => show_lines(settings, on),
        "LA:DIG#:DISP" => show_line(settings, *first, on),
        "TIM:SCAL" => settings.set_span(value.unwrap_or(0.0) * DIVISIONS),
        "TIM:OFFS" => {
            if let Some(offset_s) = value {
                set_offset(settings, offset_s, OFFSET_DIVISIONS * division_s(settings.span_s));
            }
        }
        "TRIG:EDGE:SOUR" => set_trigger_source(settings, argument, CHANNEL),
        "TRIG:EDGE:SLOP" => set_slope(settings, argument),
        "TRIG:SWE" => TRIGGER_MODES.set(&mut settings.trigger_mode, argument),
        "ACQ:TYPE" => RESOLUTIONS.set(&mut settings.resolution, argument),
        "TRIG:EDGE:LEV" => settings.level_v = value.or(settings.level_v),
        _ => {}
    }
}

/// The answer to a query about settings: the actual value under the resulting plan. None for what the
/// instrument does not know.
#[must_use]
pub fn query(state: &SharedState, plan: Option<&CapturePlan>, message: &Message<'_>) -> Option<String> {
    let Settings { span_s, analog, trigger, trigger_type, trigger_mode, resolution, .. } = &state.settings;
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
        "LA:STAT" => flag(state.settings.lines != 0),
        "LA:DIG#:DISP" => flag(first.and_then(LogicLine::new).is_some_and(captured)),
        "TIM:SCAL" => exponential(real_division_s(), 6),
        "TIM:OFFS" => exponential(offset_s(&state.settings, plan, real_division_s() * OFFSET_DIVISIONS), 6),
        // An edge trigger has no word for a pattern, which a client of another kind can set.
        "TRIG:EDGE:SOUR" => trigger_source_name(*trigger, CHANNEL, "EXT"),
        "TRIG:EDGE:SLOP" => slope(*trigger_type),
        "TRIG:EDGE:LEV" => exponential(plan.map_or(0.0, |plan| plan.level), 6),
        "TRIG:MODE" => "EDGE".to_owned(),
        "TRIG:SWE" => TRIGGER_MODES.of(*trigger_mode),
        "ACQ:TYPE" => RESOLUTIONS.of(*resolution),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scpi::messages;
    use proptest::prelude::*;
    use scopething_core::device::BS05;
    use scopething_core::plan::BusyOutputs;

    fn state(lines: &[&str]) -> SharedState {
        let mut settings = Settings::default();
        for message in lines.iter().flat_map(|line| messages(line.as_bytes())) {
            set(&mut settings, &message);
        }
        let driven = BusyOutputs::NOTHING;
        SharedState { settings, changes: 0, driven, generator: None, probe: BS05.analog }
    }

    fn answer_to(state: &SharedState, question: &str) -> String {
        let plan = state.settings.plan(&BS05.analog, state.driven).ok();
        let message = messages(question.as_bytes()).next().unwrap();
        query(state, plan.as_ref(), &message).unwrap_or_else(|| panic!("{question}"))
    }

    #[test]
    fn quiet_scope_answers_as_the_driver_expects() {
        let quiet = state(&[]);
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
            (":TRIG:SWE?", "AUTO"),
            (":ACQ:TYPE?", "HRES"),
        ] {
            assert_eq!(answer_to(&quiet, question), answer, "{question}");
        }
    }

    #[test]
    fn settings_are_read_back() {
        let set = state(&[
            ":TIM:SCAL 0.001000000",
            // -(0.25 - 0.5) x 1 ms x 34
            ":TIM:OFFS 0.008500",
            ":TRIG:EDGE:SOUR D3",
            ":TRIG:EDGE:SLOP NEG",
            ":TRIG:EDGE:LEV 0.500",
            ":CHAN2:SCAL 0.500",
            ":CHAN2:OFFS -1.5",
            ":LA:DIG1:DISP OFF",
            ":TRIG:SWE AUTO",
            ":ACQ:TYPE NORM",
        ]);
        assert_eq!(set.settings.position, 0.25);
        // As near as a whole number of samples comes to it: 34 divisions stand for 6144 samples at most.
        let offset_s: f64 = answer_to(&set, ":TIM:OFFS?").parse().unwrap();
        assert!((offset_s - 8.5e-3).abs() <= 34e-3 / 6000.0, "{offset_s}");
        for (question, answer) in [
            (":TIM:SCAL?", "1.000000E-03"),
            (":TRIG:EDGE:SOUR?", "D3"),
            (":TRIG:EDGE:SLOP?", "NEG"),
            (":TRIG:EDGE:LEV?", "5.000000E-01"),
            (":CHAN2:SCAL?", "5.000000E-01"),
            (":CHAN2:OFFS?", "-1.500000E+00"),
            (":LA:DIG1:DISP?", "0"),
            (":TRIG:SWE?", "AUTO"),
            (":ACQ:TYPE?", "NORM"),
        ] {
            assert_eq!(answer_to(&set, question), answer, "{question}");
        }
    }

    proptest! {
        #![proptest_config(crate::fixed_seed::fixed_seed(512))]

        #[test]
        fn any_line_leaves_queryable_settings(
            word in "(CHAN|LA:DIG)[0-9]{1,3}:(DISP|SCAL|OFFS)|TIM:(SCAL|OFFS)|TRIG:EDGE:(SOUR|LEV|SLOP)",
            value in "[-+.0-9eEDOF]{0,12}",
        ) {
            let state = state(&[&format!(":{word} {value}")]);
            let questions =
                [":TIM:SCAL?", ":TIM:OFFS?", ":TRIG:EDGE:LEV?", ":CHAN1:SCAL?", ":TRIG:EDGE:SOUR?"];
            for question in questions {
                answer_to(&state, question);
            }
        }
    }
}

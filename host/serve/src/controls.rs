//! Settings that the emulated instruments have in common.

use scopething_core::plan::{AnalogChannel, CapturePlan, LogicLine, LogicPattern, TriggerSource};

use super::settings::Settings;

/// The source of a trigger that is named by the instrument's word for analog channels, such as `CH`, and a number, or as
/// `D3`.
pub(super) fn trigger_source(name: &str, channel: &str) -> Option<TriggerSource> {
    match name.strip_prefix(channel) {
        Some("1") => Some(TriggerSource::Analog(AnalogChannel::A)),
        Some("2") => Some(TriggerSource::Analog(AnalogChannel::B)),
        _ => {
            let line = LogicLine::new(name.strip_prefix('D')?.parse().ok()?)?;
            Some(TriggerSource::Logic(LogicPattern::line(line, true)))
        }
    }
}

/// The name of a trigger's source, in the words of [`trigger_source`]; a pattern of several lines, or of a low one, has a
/// name of its own.
pub(super) fn trigger_source_name(source: TriggerSource, channel: &str, pattern_name: &str) -> String {
    match source {
        TriggerSource::Analog(AnalogChannel::A) => format!("{channel}1"),
        TriggerSource::Analog(AnalogChannel::B) => format!("{channel}2"),
        TriggerSource::Logic(pattern) => {
            let single = |line: &LogicLine| pattern == LogicPattern::line(*line, true);
            let line = LogicLine::all().find(single);
            line.map_or_else(|| pattern_name.to_owned(), |line| format!("D{}", line.number()))
        }
    }
}

/// Switches all logic lines off, or, if none is on, all of them on.
pub(super) fn show_lines(settings: &mut Settings, on: Option<bool>) {
    match on {
        Some(false) => settings.lines = 0,
        Some(true) if settings.lines == 0 => settings.lines = 0xff,
        _ => {}
    }
}

/// Sets the part of the screen before the trigger, from how much later than the trigger its middle is; the screen is that
/// wide.
pub(super) fn set_offset(settings: &mut Settings, offset_s: f64, width_s: f64) {
    settings.position = (0.5 - offset_s / width_s).clamp(0.0, 1.0);
}

/// How much later than the trigger the middle of a screen that wide is: with a plan, as it is captured.
pub(super) fn offset_s(settings: &Settings, plan: Option<&CapturePlan>, width_s: f64) -> f64 {
    let position = |plan: &CapturePlan| f64::from(plan.pre_trigger) / f64::from(plan.timebase.samples);
    (0.5 - plan.map_or(settings.position, position)) * width_s
}

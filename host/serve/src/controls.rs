//! Settings that the emulated instruments have in common.

use scopething_core::plan::{
    AnalogChannel, CapturePlan, LogicLine, LogicPattern, TriggerMode, TriggerSource, TriggerType,
};

use super::settings::{Settings, VERTICAL_DIVISIONS};

/// The values of a setting, each with an instrument's name for it, in the short form.
pub(super) struct Names<T: 'static>(pub(super) &'static [(&'static str, T)]);

/// The modes of a trigger.
pub(super) const TRIGGER_MODES: Names<TriggerMode> =
    Names(&[("AUTO", TriggerMode::Auto), ("NORM", TriggerMode::Normal)]);

impl<T: Copy + PartialEq> Names<T> {
    /// Sets the value that is named, in the short form or a longer one; what is no name changes nothing.
    pub(super) fn set(&self, setting: &mut T, argument: &str) {
        if let Some((_, value)) = self.0.iter().find(|(name, _)| argument.starts_with(name)) {
            *setting = *value;
        }
    }

    /// The name of a value.
    pub(super) fn of(&self, value: T) -> String {
        let named = self.0.iter().find(|(_, named)| *named == value);
        named.map(|(name, _)| (*name).to_owned()).unwrap_or_default()
    }
}

/// Sets the slope of an edge trigger.
pub(super) fn set_slope(settings: &mut Settings, argument: &str) {
    let slopes = Names(&[("POS", TriggerType::Rising), ("NEG", TriggerType::Falling)]);
    slopes.set(&mut settings.trigger_type, argument);
}

/// The slope of the trigger.
pub(super) fn slope(trigger_type: TriggerType) -> String {
    if trigger_type.is_inverted() { "NEG" } else { "POS" }.to_owned()
}

/// Shows or hides an analog channel.
pub(super) fn show_channel(settings: &mut Settings, channel: Option<u8>, on: Option<bool>) {
    if let (Some(vertical), Some(on)) = (settings.analog_mut(channel), on) {
        vertical.shown = on;
    }
}

/// Sets the volts a division of an analog channel.
pub(super) fn set_scale(settings: &mut Settings, channel: Option<u8>, scale_v: Option<f64>) {
    if let (Some(vertical), Some(scale_v)) = (settings.analog_mut(channel), scale_v) {
        vertical.set_span(scale_v * VERTICAL_DIVISIONS);
    }
}

/// Shows or hides a logic line.
pub(super) fn show_line(settings: &mut Settings, line: Option<u8>, on: Option<bool>) {
    if let Some(on) = on {
        settings.show_line(line, on);
    }
}

/// Sets the source of the trigger, as [`trigger_source`] names it.
pub(super) fn set_trigger_source(settings: &mut Settings, name: &str, channel: &str) {
    if let Some(source) = trigger_source(name, channel) {
        settings.trigger = source;
    }
}

/// The source of a trigger that is named by the instrument's word for analog channels, such as `CH`, and a number, or as
/// `D3`.
fn trigger_source(name: &str, channel: &str) -> Option<TriggerSource> {
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

//! The knobs as JSON: what can be set, what is set, and what becomes of it.
//!
//! Volts are those at the tips of the probes. See `host/pages/web-interface.md`.

use scopething::request::number;
use scopething_core::device::BS05;
use scopething_core::plan::{
    AnalogChannel, CapturePlan, ChannelSet, Notice, Resolution, SampleRange, StreamPlan, TriggerMode,
    TriggerSource, TriggerType,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::roll::{MIN_SECONDS as MIN_SECONDS_ROLLING, Rolling};
use crate::settings::{MAX_SAMPLES, Settings, VERTICAL_DIVISIONS};

/// Divisions of the screen from left to right.
pub(crate) const HORIZONTAL_DIVISIONS: f64 = 12.0;
/// What can be set, in volts and seconds a division at the input.
const MIN_VOLTS: f64 = 1e-3;
const MAX_VOLTS: f64 = 5.0;
const MIN_SECONDS: f64 = 1e-9;
const MAX_SECONDS: f64 = 100.0;
/// Factors of probes.
const ATTENUATIONS: std::ops::RangeInclusive<f64> = 1e-3..=1e4;
/// The longest hold-off, in seconds.
const MAX_HOLD_OFF_S: f64 = 60.0;
/// The farthest from 0 V at the input that the middle of a screen, or the level, can be.
const MAX_OFFSET_V: f64 = 100.0;

/// Whether captures follow one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Run {
    /// One after the other.
    #[serde(rename = "run")]
    Continuous,
    /// None.
    Stop,
    /// One more, when the trigger comes.
    Single,
}

/// What browsers set beside the [`Settings`] that other clients know as well.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Controls {
    pub(crate) run: Run,
    /// The factor of each probe: volts at its tip are so many times those at the input.
    pub(crate) attenuation: [f64; 2],
    /// The least time from the end of a capture to the start of the next, in seconds.
    pub(crate) hold_off_s: f64,
    /// How many samples over the screen were asked for; none: as many as fit.
    pub(crate) samples: Option<u32>,
    /// Whether slow time bases roll.
    pub(crate) rolling: Rolling,
    /// How often the present capture was to end at once.
    pub(crate) forced: u64,
    /// Counts what was set here.
    pub(crate) changes: u64,
}

impl Default for Controls {
    fn default() -> Self {
        Self {
            run: Run::Continuous,
            attenuation: [1.0; 2],
            hold_off_s: 0.0,
            samples: None,
            rolling: Rolling::Auto,
            forced: 0,
            changes: 0,
        }
    }
}

/// Changes of the knobs; what is absent stays.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Patch {
    channels: ChannelsPatch,
    /// The logic lines that are on: all that there are, such as `["L0", "L3"]`.
    lines: Option<Vec<String>>,
    #[serde(deserialize_with = "number::seconds")]
    time_per_div: Option<f64>,
    #[serde(deserialize_with = "number::fraction")]
    position: Option<f64>,
    #[serde(deserialize_with = "number::samples")]
    samples: Option<u32>,
    /// Whether slow time bases roll.
    roll: Option<Rolling>,
    trigger: TriggerPatch,
    bits: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "UPPERCASE")]
struct ChannelsPatch {
    a: ChannelPatch,
    b: ChannelPatch,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ChannelPatch {
    on: Option<bool>,
    #[serde(deserialize_with = "number::volts")]
    volts_per_div: Option<f64>,
    /// The voltage in the middle of the screen.
    #[serde(deserialize_with = "number::volts")]
    middle: Option<f64>,
    probe: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TriggerPatch {
    source: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Volts, or `middle` for the middle of the screen.
    level: Option<Level>,
    hair: Option<bool>,
    mode: Option<String>,
    #[serde(deserialize_with = "number::seconds")]
    hold_off: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Level {
    Volts(f64),
    Text(String),
}

/// A number that a knob does not go to.
fn within(name: &str, value: f64, least: f64, most: f64, unit: &str) -> Result<f64, String> {
    if (least..=most).contains(&value) {
        Ok(value)
    } else {
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        Err(format!("{name} of {value}{unit} is not possible: give {least} to {most}{unit}"))
    }
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(name: &str, text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{name} {text:?}: {error}"))
}

impl Patch {
    /// Makes all changes, or none.
    ///
    /// # Errors
    /// What cannot be set, and what can be.
    pub(crate) fn apply(&self, settings: &mut Settings, controls: &mut Controls) -> Result<(), String> {
        let (mut new, mut new_controls) = (settings.clone(), controls.clone());
        self.apply_channels(&mut new, &mut new_controls)?;
        self.apply_time(&mut new)?;
        self.apply_trigger(&mut new, &mut new_controls)?;
        if let Some(bits) = &self.bits {
            new.resolution = match bits.as_str().map_or_else(|| bits.to_string(), str::to_owned).as_str() {
                "16" => Resolution::Best,
                "8" => Resolution::Bits8,
                other => return Err(format!("bits of {other} are not possible: give 8 or 16")),
            };
        }
        if let Some(samples) = self.samples {
            let most = f64::from(MAX_SAMPLES);
            new_controls.samples = match samples {
                0 => None,
                samples => Some(within("a number of samples", f64::from(samples), 16.0, most, "")? as u32),
            };
        }
        new_controls.rolling = self.roll.unwrap_or(new_controls.rolling);
        set_samples(&mut new, &new_controls);
        (*settings, *controls) = (new, new_controls);
        Ok(())
    }

    fn apply_channels(&self, settings: &mut Settings, controls: &mut Controls) -> Result<(), String> {
        let patches = [("A", &self.channels.a), ("B", &self.channels.b)];
        let places = settings.analog.iter_mut().zip(&mut controls.attenuation);
        for ((name, patch), (vertical, attenuation)) in patches.into_iter().zip(places) {
            if let Some(factor) = patch.probe {
                *attenuation = within(
                    &format!("the probe of {name}, a factor"),
                    factor,
                    *ATTENUATIONS.start(),
                    *ATTENUATIONS.end(),
                    "",
                )?;
            }
            let factor = *attenuation;
            vertical.shown = patch.on.unwrap_or(vertical.shown);
            if let Some(volts) = patch.volts_per_div {
                let range = (MIN_VOLTS * factor, MAX_VOLTS * factor);
                let volts = within(&format!("a division of {name}"), volts, range.0, range.1, "V")?;
                vertical.set_span(volts / factor * VERTICAL_DIVISIONS);
            }
            if let Some(middle) = patch.middle {
                let most = MAX_OFFSET_V * factor;
                vertical.middle_v =
                    within(&format!("the middle of {name}"), middle, -most, most, "V")? / factor;
            }
        }
        if let Some(lines) = &self.lines {
            let mut set = ChannelSet::EMPTY;
            for name in lines {
                set = set.union(parsed::<ChannelSet>("the line", name)?);
            }
            if set.analog() != 0 {
                return Err("lines are L0 to L7: set channels A and B by \"channels\"".to_owned());
            }
            settings.lines = set.logic();
        }
        Ok(())
    }

    fn apply_time(&self, settings: &mut Settings) -> Result<(), String> {
        if let Some(seconds) = self.time_per_div {
            let seconds = within("a division", seconds, MIN_SECONDS, MAX_SECONDS, "s")?;
            settings.set_span(seconds * HORIZONTAL_DIVISIONS);
        }
        if let Some(position) = self.position {
            settings.position = within("the position of the trigger", position, 0.0, 1.0, "of the screen")?;
        }
        Ok(())
    }

    fn apply_trigger(&self, settings: &mut Settings, controls: &mut Controls) -> Result<(), String> {
        let TriggerPatch { source, kind, level, hair, mode, hold_off } = &self.trigger;
        if let Some(source) = source {
            settings.trigger = parsed::<TriggerSource>("the source of the trigger", source)?;
        }
        if let Some(kind) = kind {
            settings.trigger_type = parsed::<TriggerType>("the type of the trigger", kind)?;
        }
        let factor = attenuation_of(settings.trigger, controls);
        let most = MAX_OFFSET_V * factor;
        let level_v =
            |volts| within("the trigger level", volts, -most, most, "V").map(|volts| Some(volts / factor));
        match level {
            None => {}
            Some(Level::Volts(volts)) => settings.level_v = level_v(*volts)?,
            Some(Level::Text(text)) if text == "middle" => settings.level_v = None,
            Some(Level::Text(text)) => {
                let unit = scopething_waveform::quantity::Unit::Volts;
                let volts = scopething_waveform::quantity::parse(text, unit);
                settings.level_v = level_v(volts.map_err(|error| format!("the trigger level {error}"))?)?;
            }
        }
        if let Some(mode) = mode {
            settings.trigger_mode = parsed::<TriggerMode>("the mode of the trigger", mode)?;
        }
        settings.hair_trigger = hair.unwrap_or(settings.hair_trigger);
        if let Some(seconds) = hold_off {
            controls.hold_off_s = within("a hold-off", *seconds, 0.0, MAX_HOLD_OFF_S, "s")?;
        }
        Ok(())
    }
}

/// Asks for the samples that the user wants, or for as many as fit.
pub(crate) fn set_samples(settings: &mut Settings, controls: &Controls) {
    settings.samples = controls.samples.unwrap_or_else(|| automatic_samples(settings));
}

/// As many samples as the buffer holds: of two bytes each where they can be had, which is without logic lines.
fn automatic_samples(settings: &Settings) -> u32 {
    let analog = settings.channels().analog_count();
    if settings.resolution != Resolution::Best || settings.lines != 0 || analog == 0 {
        return MAX_SAMPLES;
    }
    // Whole ticks that make no more samples than two bytes each leave room for.
    let span_ticks = settings.span_s * BS05.clock_hz;
    let ticks = (span_ticks / f64::from(MAX_SAMPLES / 2)).ceil();
    if ticks < MIN_FINE_TICKS { MAX_SAMPLES } else { (span_ticks / ticks) as u32 / u32::from(analog) }
}

/// Ticks of the fastest sample clock with two bytes a sample, 1 MS/s.
const MIN_FINE_TICKS: f64 = 40.0;

/// To 12 digits, so that a division that was set reads back as it was written.
fn neat(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

/// The factor of the probe that the trigger watches; 1 for logic.
pub(crate) fn attenuation_of(source: TriggerSource, controls: &Controls) -> f64 {
    match source {
        TriggerSource::Analog(AnalogChannel::A) => controls.attenuation[0],
        TriggerSource::Analog(AnalogChannel::B) => controls.attenuation[1],
        TriggerSource::Logic(_) => 1.0,
    }
}

/// The voltage in the middle of the screen of a channel.
pub(crate) fn middle_v(settings: &Settings, channel: AnalogChannel) -> f64 {
    let [a, b] = &settings.analog;
    if channel == AnalogChannel::A { a.middle_v } else { b.middle_v }
}

/// What a channel has to do, before the level.
pub(crate) fn behaviour(kind: TriggerType) -> &'static str {
    match kind {
        TriggerType::Rising => "to rise through",
        TriggerType::Falling => "to fall through",
        TriggerType::Above => "to be above",
        TriggerType::Below => "to be below",
    }
}

/// What a pattern has to do.
pub(crate) fn pattern_behaviour(kind: TriggerType) -> &'static str {
    match kind {
        TriggerType::Rising => "to begin",
        TriggerType::Falling => "to end",
        TriggerType::Above => "to be there",
        TriggerType::Below => "to be absent",
    }
}

fn name_of(kind: TriggerType) -> &'static str {
    TriggerType::ALL.iter().find(|(one, _)| *one == kind).map_or("rising", |(_, name)| name)
}

/// What is set.
pub(crate) fn settings_json(settings: &Settings, controls: &Controls) -> Value {
    let channel = |index: usize| {
        let (vertical, factor) = (&settings.analog[index.min(1)], controls.attenuation[index.min(1)]);
        json!({
            "on": vertical.shown,
            "volts_per_div": neat(vertical.span_v / VERTICAL_DIVISIONS * factor),
            "middle": neat(vertical.middle_v * factor),
            "probe": factor,
        })
    };
    let lines: Vec<String> =
        ChannelSet::of_lines(settings.lines).iter().map(|line| line.to_string()).collect();
    let factor = attenuation_of(settings.trigger, controls);
    let level = match settings.trigger {
        TriggerSource::Analog(channel) => {
            Some(settings.level_v.unwrap_or_else(|| middle_v(settings, channel)) * factor)
        }
        TriggerSource::Logic(_) => None,
    };
    json!({
        "channels": {"A": channel(0), "B": channel(1)},
        "lines": lines,
        "time_per_div": neat(settings.span_s / HORIZONTAL_DIVISIONS),
        "position": settings.position,
        "samples": controls.samples.unwrap_or(0),
        "roll": controls.rolling,
        "trigger": {
            "source": settings.trigger.to_string(),
            "type": name_of(settings.trigger_type),
            "level": level.map(neat),
            "hair": settings.hair_trigger,
            "mode": settings.trigger_mode.to_string(),
            "hold_off": controls.hold_off_s,
        },
        "bits": if settings.resolution == Resolution::Best { "16" } else { "8" },
    })
}

/// What becomes of it, in volts at the tip of the probe that the trigger watches.
pub(crate) fn plan_json(plan: &CapturePlan, settings: &Settings, controls: &Controls) -> Value {
    let range = match plan.range {
        SampleRange::Volts { low, high, .. } if plan.channels.analog() != 0 => json!([low, high]),
        _ => Value::Null,
    };
    let factor = attenuation_of(plan.trigger, controls);
    let level = match plan.trigger {
        TriggerSource::Analog(_) => Some(plan.level * factor),
        TriggerSource::Logic(_) => None,
    };
    let matters = |notice: &&Notice| {
        // As many samples as fit are asked for: that it is fewer is as it should be.
        notice.matters_to_user()
            && !matches!(notice, Notice::HostTimeout { .. } | Notice::FullBuffer { .. })
            && !(matches!(notice, Notice::FewerSamples { .. }) && controls.samples.is_none())
    };
    let bits = plan.mode.sample_bytes * 8;
    let coarse = settings.resolution == Resolution::Best && bits == 8 && plan.channels.analog_count() > 0;
    let coarse = coarse.then(|| "8 bits: 16 can be had without logic lines, up to 1 MS/s".to_owned());
    json!({
        "mode": plan.mode.name,
        "bits": bits,
        "sample_rate": plan.sample_rate_hz(),
        "samples": plan.timebase.samples,
        "duration": plan.duration_s(),
        "position": f64::from(plan.pre_trigger) / f64::from(plan.timebase.samples),
        "input_range": range,
        "level": level,
        "channels": plan.channels.iter().map(|channel| channel.to_string()).collect::<Vec<_>>(),
        "notices": plan.notices.iter().filter(matters).map(ToString::to_string).chain(coarse).collect::<Vec<_>>(),
    })
}

/// What becomes of it where it rolls.
pub(crate) fn stream_json(plan: &StreamPlan, settings: &Settings) -> Value {
    let range = match plan.range {
        SampleRange::Volts { low, high, .. } if plan.channels.analog() != 0 => json!([low, high]),
        _ => Value::Null,
    };
    // The rate is what fits the screen, and nobody asked for another.
    let matters = |notice: &&Notice| notice.matters_to_user() && !matches!(notice, Notice::OtherRate { .. });
    json!({
        "mode": "stream",
        "bits": 8,
        "sample_rate": plan.frame_rate_hz(),
        "samples": (settings.span_s * plan.frame_rate_hz()).round(),
        "duration": settings.span_s,
        "position": 1.0,
        "input_range": range,
        "level": Value::Null,
        "channels": plan.channels.iter().map(|channel| channel.to_string()).collect::<Vec<_>>(),
        "notices": plan.notices.iter().filter(matters).map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// What the knobs can be set to.
pub(crate) fn limits_json() -> Value {
    json!({
        "volts_per_div": [MIN_VOLTS, MAX_VOLTS],
        "time_per_div": [MIN_SECONDS, MAX_SECONDS],
        "vertical_divisions": VERTICAL_DIVISIONS,
        "horizontal_divisions": HORIZONTAL_DIVISIONS,
        "samples": [16, MAX_SAMPLES],
        "roll": MIN_SECONDS_ROLLING,
        "hold_off": [0.0, MAX_HOLD_OFF_S],
        "probe": [ATTENUATIONS.start(), ATTENUATIONS.end()],
        "trigger_types": TriggerType::ALL.map(|(_, name)| name),
        "trigger_modes": TriggerMode::ALL.map(|(_, name)| name),
        "bits": ["8", "16"],
        "safe_input": [BS05.analog.safe_low, BS05.analog.safe_high],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(json: &str) -> Result<(Settings, Controls), String> {
        let patch: Patch = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let (mut settings, mut controls) = (Settings::default(), Controls::default());
        patch.apply(&mut settings, &mut controls)?;
        Ok((settings, controls))
    }

    #[test]
    fn what_is_set_is_read_back() {
        let json = r#"{
            "channels": {"A": {"on": true, "volts_per_div": 0.5, "middle": 1.5, "probe": 1}, "B": {"on": false}},
            "lines": ["L0", "L3"], "time_per_div": "200us", "position": 0.1,
            "trigger": {"source": "L3=1,L5=0", "type": "falling", "hair": true, "mode": "normal", "hold_off": "10ms"},
            "bits": 8
        }"#;
        let (settings, controls) = set(json).unwrap();
        let read = settings_json(&settings, &controls);
        assert_eq!(read["channels"]["A"]["volts_per_div"], 0.5);
        assert_eq!(read["channels"]["A"]["middle"], 1.5);
        assert_eq!(read["channels"]["B"]["on"], false);
        assert_eq!(read["lines"], json!(["L0", "L3"]));
        assert!((read["time_per_div"].as_f64().unwrap() - 200e-6).abs() < 1e-12);
        assert_eq!(read["position"], 0.1);
        let trigger = json!({"source": "L3=1,L5=0", "type": "falling", "level": null, "hair": true, "mode": "normal",
            "hold_off": 0.01});
        assert_eq!(read["trigger"], trigger);
        assert_eq!((&read["bits"], &read["samples"]), (&"8".into(), &0.into()));
        // What is read can be set.
        let again: Patch = serde_json::from_value(read).unwrap();
        let (mut same, mut same_controls) = (settings.clone(), controls.clone());
        again.apply(&mut same, &mut same_controls).unwrap();
        assert_eq!((same, same_controls), (settings, controls));
    }

    #[test]
    fn volts_are_those_at_the_probe_tip() {
        let json = r#"{"channels": {"A": {"probe": 10, "volts_per_div": 5, "middle": 20}}, "trigger": {"level": 15}}"#;
        let (settings, controls) = set(json).unwrap();
        assert_eq!((settings.analog[0].span_v, settings.analog[0].middle_v), (4.0, 2.0));
        assert_eq!(settings.level_v, Some(1.5));
        assert_eq!(settings_json(&settings, &controls)["trigger"]["level"], 15.0);
    }

    #[test]
    fn fine_samples_are_as_many_as_fit() {
        for (json, samples) in [
            (r#"{"lines": [], "time_per_div": "2ms", "channels": {"B": {"on": false}}}"#, 6114),
            (r#"{"lines": [], "time_per_div": "2ms"}"#, 3057),
            (r#"{"lines": [], "time_per_div": "200us"}"#, 12_288),
            (r#"{"lines": [], "bits": 8}"#, 12_288),
            (r#"{"lines": ["L0"]}"#, 12_288),
            (r#"{"lines": [], "samples": 500}"#, 500),
        ] {
            assert_eq!(set(json).unwrap().0.samples, samples, "{json}");
        }
    }

    #[test]
    fn what_cannot_be_set_changes_nothing() {
        for (json, part) in [
            (r#"{"channels": {"A": {"volts_per_div": 0}}}"#, "0.001 to 5"),
            (r#"{"channels": {"C": {}}}"#, "C"),
            (r#"{"channels": {"A": {"probe": -1}}}"#, "probe"),
            (r#"{"lines": ["L8"]}"#, "L8"),
            (r#"{"lines": ["A"]}"#, "lines are"),
            (r#"{"time_per_div": 1e9}"#, "100"),
            (r#"{"position": 1.5}"#, "position"),
            (r#"{"samples": 3}"#, "samples"),
            (r#"{"trigger": {"source": "X"}}"#, "X"),
            (r#"{"trigger": {"type": "up"}}"#, "up"),
            (r#"{"trigger": {"level": "high"}}"#, "high"),
            (r#"{"trigger": {"level": 1e9}}"#, "level"),
            (r#"{"trigger": {"mode": "single"}}"#, "single"),
            (r#"{"trigger": {"hold_off": -1}}"#, "hold-off"),
            (r#"{"bits": 12}"#, "12"),
            (r#"{"knob": 1}"#, "knob"),
        ] {
            let refused = set(json).unwrap_err();
            assert!(refused.contains(part), "{json}: {refused}");
        }
        let patch: Patch = serde_json::from_str(r#"{"time_per_div": 1, "position": 7}"#).unwrap();
        let (mut settings, mut controls) = (Settings::default(), Controls::default());
        patch.apply(&mut settings, &mut controls).unwrap_err();
        assert_eq!((settings, controls), (Settings::default(), Controls::default()));
    }
}

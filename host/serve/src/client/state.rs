//! What the knobs show, as a client reads it. What it does not know it passes over.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use scopething_instrument::calibration::CalibrationState;
use scopething_instrument::page::Run;

/// An analog channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChannelKnobs {
    /// Whether it is captured.
    pub on: bool,
    /// Volts a division at the tip of the probe.
    pub volts_per_div: f64,
    /// The voltage in the middle of the screen, in volts at the tip of the probe.
    pub middle: f64,
    /// The factor of the probe.
    pub probe: f64,
}

/// Both of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnalogKnobs {
    /// Channel A.
    #[serde(rename = "A")]
    pub a: ChannelKnobs,
    /// Channel B.
    #[serde(rename = "B")]
    pub b: ChannelKnobs,
}

/// The trigger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TriggerKnobs {
    /// `A`, `B`, or a pattern such as `L3=1,L5=0`.
    pub source: String,
    /// `rising`, `falling`, `above` or `below`.
    #[serde(rename = "type")]
    pub kind: String,
    /// In volts at the tip of the probe; none for logic.
    pub level: Option<f64>,
    /// Whether few samples are enough.
    pub hair: bool,
    /// `auto` or `normal`.
    pub mode: String,
    /// The least time from the end of a trace to the start of the next, in seconds.
    pub hold_off: f64,
}

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Knobs {
    /// The analog channels.
    pub channels: AnalogKnobs,
    /// The logic lines that are on, such as `L0`.
    pub lines: Vec<String>,
    /// Seconds a division.
    pub time_per_div: f64,
    /// The part of the screen before the trigger, 0 to 1.
    pub position: f64,
    /// How many samples are asked for; 0: as many as fit.
    pub samples: u32,
    /// The trigger.
    pub trigger: TriggerKnobs,
    /// `8` or `16`.
    pub bits: String,
    /// Whether slow time bases roll: `auto` or `off`.
    #[serde(default = "rolls")]
    pub roll: String,
}

/// What a server that does not roll is not asked to change.
fn rolls() -> String {
    "auto".to_owned()
}

impl Knobs {
    /// The settings that turn these knobs into others: what differs.
    #[must_use]
    pub fn changes_to(&self, new: &Self) -> Value {
        let value = |knobs| serde_json::to_value(knobs).unwrap_or_default();
        differences(&value(self), &value(new)).unwrap_or_else(|| json!({}))
    }
}

fn differences(old: &Value, new: &Value) -> Option<Value> {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            let changed: Map<String, Value> = new
                .iter()
                .filter_map(|(key, value)| {
                    Some((key.clone(), differences(old.get(key).unwrap_or(&Value::Null), value)?))
                })
                .collect();
            (!changed.is_empty()).then_some(Value::Object(changed))
        }
        (old, new) => (old != new).then(|| new.clone()),
    }
}

/// What becomes of the settings.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Actual {
    /// Why nothing can be captured.
    pub error: Option<String>,
    /// The name of the trace mode.
    pub mode: String,
    /// Bits a sample.
    pub bits: u32,
    /// In hertz.
    pub sample_rate: f64,
    /// How many there are.
    pub samples: u32,
    /// In seconds.
    pub duration: f64,
    /// The part of the trace before the trigger.
    pub position: f64,
    /// The names of the channels that are captured.
    pub channels: Vec<String>,
    /// What is met only nearly.
    pub notices: Vec<String>,
}

/// What the generator does.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct GeneratorState {
    /// In one line; none: nothing.
    pub text: Option<String>,
}

/// The device.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct DeviceState {
    /// Its serial number.
    pub serial: String,
}

/// Limits of knobs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Limits {
    /// The least and the most at the input, in volts.
    pub volts_per_div: (f64, f64),
    /// The least and the most, in seconds.
    pub time_per_div: (f64, f64),
    /// Divisions from the bottom to the top of the screen.
    pub vertical_divisions: f64,
    /// Divisions across.
    pub horizontal_divisions: f64,
    /// The names of trigger types.
    pub trigger_types: Vec<String>,
    /// The names of trigger modes.
    pub trigger_modes: Vec<String>,
    /// Resolutions.
    pub bits: Vec<String>,
}

/// Everything that the knobs and lamps show.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct State {
    /// Counts what was set.
    pub changes: u64,
    /// Whether captures follow one another.
    pub run: Run,
    /// What is set.
    pub settings: Knobs,
    /// What becomes of it.
    #[serde(default)]
    pub actual: Actual,
    /// What can be set.
    pub limits: Limits,
    /// What the generator does.
    #[serde(default)]
    pub generator: GeneratorState,
    /// What has become of the calibration that was asked for last.
    #[serde(default)]
    pub calibration: CalibrationState,
    /// The device.
    #[serde(default)]
    pub device: DeviceState,
    /// How many look.
    #[serde(default)]
    pub clients: usize,
    /// `control`, or `view` for a client that may only look.
    #[serde(default)]
    pub role: String,
}

/// The most divisions that a screen has.
const MAX_DIVISIONS: f64 = 100.0;

impl State {
    /// Whether a screen can be drawn and knobs be turned by these numbers.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let is_positive = |value: f64| value.is_finite() && value > 0.0;
        let is_range = |(least, most): (f64, f64)| is_positive(least) && most.is_finite() && least <= most;
        let is_count = |count: f64| (1.0..=MAX_DIVISIONS).contains(&count);
        let Knobs { channels, time_per_div, .. } = &self.settings;
        let is_channel = |channel: &ChannelKnobs| {
            is_positive(channel.volts_per_div) && is_positive(channel.probe) && channel.middle.is_finite()
        };
        let Limits { vertical_divisions, horizontal_divisions, .. } = self.limits;
        if !is_range(self.limits.volts_per_div) || !is_range(self.limits.time_per_div) {
            return Err("a limit");
        }
        if !is_count(vertical_divisions) || !is_count(horizontal_divisions) {
            return Err("the number of divisions");
        }
        if !is_channel(&channels.a) || !is_channel(&channels.b) || !is_positive(*time_per_div) {
            return Err("a setting");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knobs() -> Knobs {
        let channel = || ChannelKnobs { on: true, volts_per_div: 1.0, middle: 0.0, probe: 1.0 };
        Knobs {
            channels: AnalogKnobs { a: channel(), b: channel() },
            lines: vec!["L0".to_owned(), "L3".to_owned()],
            time_per_div: 1e-3,
            position: 0.5,
            samples: 0,
            trigger: TriggerKnobs {
                source: "A".to_owned(),
                kind: "rising".to_owned(),
                level: Some(1.0),
                hair: false,
                mode: "auto".to_owned(),
                hold_off: 0.0,
            },
            bits: "16".to_owned(),
            roll: rolls(),
        }
    }

    #[test]
    fn only_what_was_turned_is_set() {
        let old = knobs();
        assert_eq!(old.changes_to(&old), json!({}));
        let mut new = old.clone();
        new.channels.b.on = false;
        new.trigger.kind = "falling".to_owned();
        new.lines.clear();
        assert_eq!(
            old.changes_to(&new),
            json!({"channels": {"B": {"on": false}}, "trigger": {"type": "falling"}, "lines": []})
        );
    }
}

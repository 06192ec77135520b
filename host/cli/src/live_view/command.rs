//! Commands that are typed: every knob by its name, as the page's interface has it, and files.

use serde_json::{Map, Value, json};

use super::readings::Wanted;

/// What was typed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Typed {
    /// For the server.
    Command(Value),
    /// A waveform for the generator.
    Wave(String),
    /// A measurement that is to be shown, or no longer.
    Measure(Wanted),
    /// The trace on the screen into a file.
    Save(String),
    Quit,
    Nothing,
}

/// What can be typed, and what it does.
pub(super) const COMMANDS: [(&str, &str); 8] = [
    ("time_per_div 1ms", "Any knob: A.volts_per_div, A.middle, A.probe, position, samples"),
    ("trigger.level 1.2V", "trigger.source, .type, .mode, .hair, .hold_off"),
    ("lines L0,L3", "The logic lines that are captured"),
    ("measure A.rms", "Show a measurement, or no longer"),
    ("wave sine 1kHz 0..3V", "Play a waveform"),
    ("clock 1MHz L5", "Run a clock; hold L3=1 holds lines; off stops"),
    ("save trace.sr", "Save the trace: csv, sr, npz, json, vcd, png, .."),
    ("quit", "Quit"),
];

/// Reads a line.
///
/// # Errors
/// What is missing.
pub(super) fn parse(line: &str) -> Result<Typed, String> {
    let line = line.trim();
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    match (name, rest) {
        ("", _) => Ok(Typed::Nothing),
        ("q" | "quit", "") => Ok(Typed::Quit),
        ("off", "") => Ok(Typed::Command(json!({"type": "generate"}))),
        (name, "") => Err(format!("{name:?} needs a value, such as time_per_div 1ms: ? lists what there is")),
        ("measure", wanted) => Ok(Typed::Measure(wanted.parse()?)),
        ("save", path) => Ok(Typed::Save(path.to_owned())),
        ("wave", wave) => Ok(Typed::Wave(wave.to_owned())),
        (name @ ("clock" | "hold"), value) => Ok(Typed::Command(json!({"type": "generate", name: value}))),
        (name, value) => Ok(Typed::Command(json!({"type": "set", "settings": patch(name, value)}))),
    }
}

/// The settings with one value in them, at a path such as `trigger.level`; channels need not be named as such.
fn patch(path: &str, value: &str) -> Value {
    let value = match value {
        "on" | "true" => true.into(),
        "off" | "false" => false.into(),
        list if path == "lines" => list.split(',').map(str::trim).filter(|line| *line != "none").collect(),
        // A number as it is written: counts are integers.
        text => serde_json::from_str(text).ok().filter(Value::is_number).unwrap_or_else(|| text.into()),
    };
    let channel = path.starts_with("A.") || path.starts_with("B.");
    let path = path.split('.').rev().chain(channel.then_some("channels"));
    path.fold(value, |inner, key| Value::Object(Map::from_iter([(key.to_owned(), inner)])))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(line: &str) -> Value {
        match parse(line) {
            Ok(Typed::Command(value)) => value["settings"].clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_knob_can_be_typed() {
        assert_eq!(set("time_per_div 1ms"), json!({"time_per_div": "1ms"}));
        assert_eq!(set("A.probe 10"), json!({"channels": {"A": {"probe": 10}}}));
        assert_eq!(set(" trigger.source  L3=1,L5=0 "), json!({"trigger": {"source": "L3=1,L5=0"}}));
        assert_eq!(set("trigger.hair on"), json!({"trigger": {"hair": true}}));
        assert_eq!(set("lines L0, L3"), json!({"lines": ["L0", "L3"]}));
        assert_eq!(set("lines none"), json!({"lines": []}));
        assert_eq!(parse("wave sine 1kHz 0..3V"), Ok(Typed::Wave("sine 1kHz 0..3V".to_owned())));
        assert_eq!(parse("hold L3=1"), Ok(Typed::Command(json!({"type": "generate", "hold": "L3=1"}))));
        assert_eq!(parse("save a b.csv"), Ok(Typed::Save("a b.csv".to_owned())));
        assert_eq!(parse("  "), Ok(Typed::Nothing));
        assert!(parse("time_per_div").unwrap_err().contains("value"));
        assert!(parse("measure A.nothing").unwrap_err().contains("rms"));
    }
}

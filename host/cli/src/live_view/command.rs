//! Commands that are typed: every knob by its name, as the page's interface has it, and files.

use serde_json::{Map, Value, json};

use scopething_waveform::measure::Window;

use super::analysis::{MAX_AVERAGES, Margin};
use super::arithmetic::Operation;
use super::persistence::Persistence;
use super::picture::Source;
use super::readings::Wanted;

/// How traces are to be looked at.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Look {
    Averages(u32),
    Persistence(Persistence),
    Math(Option<Operation>),
    Spectrum(Option<Source>),
    Window(Window),
    Xy(bool),
    /// None: no mask.
    Mask(Option<Margin>),
    NoReferences,
    /// Statistics, averages, persistence and the counts of a mask begin anew.
    Reset,
    History,
    /// The trace on the screen is kept by a name.
    Pin(String),
}

/// What was typed.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Typed {
    /// For the server.
    Command(Value),
    /// A waveform for the generator.
    Wave(String),
    /// A decoder, or `off`.
    Decode(String),
    /// A measurement that is to be shown, or no longer.
    Measure(Wanted),
    /// The trace on the screen into a file.
    Save(String),
    Look(Look),
    Quit,
    Nothing,
}

/// What can be typed, and what it does.
pub(super) const COMMANDS: [(&str, &str); 17] = [
    ("time_per_div 1ms", "Any knob: A.volts_per_div, A.middle, A.probe, position, samples"),
    ("trigger.level 1.2V", "trigger.source, .type, .mode, .hair, .hold_off"),
    ("lines L0,L3", "The logic lines that are captured"),
    ("measure A.rms", "Show a measurement, or no longer"),
    ("averages 16", "Mean of the last traces whose trigger came"),
    ("persistence long", "short, long, infinite, off"),
    ("math A-B", "A+B, A-B, AxB, off"),
    ("spectrum A", "A, B, M (math), off; window flat-top, hann, .."),
    ("mask A 0.1 0.3 stop", "Divisions across and up; stop at a failure; off"),
    ("decode uart:rx=L1", "Lanes of sigrok's decoders, as scopething decode -P; off"),
    ("pin NAME", "Keep the trace on the screen; history lists them"),
    ("reset", "Statistics and counts begin anew; references off"),
    ("wave sine 1kHz 0..3V", "Play a waveform"),
    ("clock 1MHz L5", "Run a clock; hold L3=1 holds lines; off stops"),
    ("calibrate AB", "Tips to L5, grounds to GND first; AB 8 is quick, cancel gives up"),
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
        ("history", "") => Ok(Typed::Look(Look::History)),
        ("reset", "") => Ok(Typed::Look(Look::Reset)),
        ("calibrate", what) => calibration(what).map(Typed::Command),
        ("off", "") => Ok(Typed::Command(json!({"type": "generate"}))),
        (name, "") => Err(format!("{name:?} needs a value, such as time_per_div 1ms: ? lists what there is")),
        ("measure", wanted) => Ok(Typed::Measure(wanted.parse()?)),
        (
            "averages" | "persistence" | "math" | "spectrum" | "window" | "xy" | "mask" | "references"
            | "pin",
            value,
        ) => look(name, value).map(Typed::Look),
        ("decode", decoder) => Ok(Typed::Decode(decoder.to_owned())),
        ("save", path) => Ok(Typed::Save(path.to_owned())),
        ("wave", wave) => Ok(Typed::Wave(wave.to_owned())),
        (name @ ("clock" | "hold"), value) => Ok(Typed::Command(json!({"type": "generate", name: value}))),
        (name, value) => Ok(Typed::Command(json!({"type": "set", "settings": patch(name, value)}))),
    }
}

/// Which probes, and how fine a grid: what is left out is as usual.
fn calibration(what: &str) -> Result<Value, String> {
    if what == "cancel" {
        return Ok(json!({"type": "cancel-calibration"}));
    }
    let (channels, grid) = what.split_once(char::is_whitespace).unwrap_or((what, ""));
    let channels = match channels.to_ascii_uppercase().as_str() {
        "" | "AB" => json!(["A", "B"]),
        "A" => json!(["A"]),
        "B" => json!(["B"]),
        _ => {
            return Err(format!(
                "{what:?} is no calibration: give A, B or AB, a grid, as in calibrate AB 8, or cancel"
            ));
        }
    };
    let mut command = json!({"type": "calibrate", "channels": channels});
    if !grid.is_empty() {
        let grid: u16 = grid
            .trim()
            .parse()
            .map_err(|_| format!("{grid:?} is no grid: give a number of levels a side"))?;
        command["grid"] = grid.into();
    }
    Ok(command)
}

fn look(name: &str, value: &str) -> Result<Look, String> {
    let one_of = |names: &str| format!("{value:?} is no {name}: give {names}");
    match (name, value) {
        ("averages", "off") => Ok(Look::Averages(1)),
        ("averages", count) => {
            let count = count.parse().ok().filter(|count| (1..=MAX_AVERAGES).contains(count));
            count
                .map(Look::Averages)
                .ok_or_else(|| one_of(&format!("a number of traces up to {MAX_AVERAGES}, or off")))
        }
        ("persistence", kind) => {
            let kind = Persistence::ALL.into_iter().find(|one| one.name() == kind);
            kind.map(Look::Persistence).ok_or_else(|| one_of("short, long, infinite or off"))
        }
        ("math", "off") => Ok(Look::Math(None)),
        ("spectrum", "off") => Ok(Look::Spectrum(None)),
        ("math", text) => {
            let operation = Operation::ALL.into_iter().find(|one| one.name().eq_ignore_ascii_case(text));
            operation.map(|one| Look::Math(Some(one))).ok_or_else(|| one_of("A+B, A-B, AxB or off"))
        }
        ("spectrum", text) => {
            source(text).map(|source| Look::Spectrum(Some(source))).ok_or_else(|| one_of("A, B, M or off"))
        }
        ("window", text) => text.parse().map(Look::Window).map_err(|error| format!("{text:?} is {error}")),
        ("xy", "on" | "off") => Ok(Look::Xy(value == "on")),
        ("mask", "off") => Ok(Look::Mask(None)),
        ("mask", text) => margin(text).map(|margin| Look::Mask(Some(margin))).ok_or_else(|| {
            one_of("a channel, divisions across and up, and stop, as in mask A 0.1 0.3 stop; or off")
        }),
        ("references", "off") => Ok(Look::NoReferences),
        ("pin", text) => Ok(Look::Pin(text.to_owned())),
        _ => Err(one_of("on or off")),
    }
}

fn source(text: &str) -> Option<Source> {
    [Source::A, Source::B, Source::Math].into_iter().find(|source| source.name().eq_ignore_ascii_case(text))
}

/// A channel, divisions across and up, and `stop`: what is left out is as usual.
fn margin(text: &str) -> Option<Margin> {
    let mut margin = Margin::default();
    let mut words: Vec<&str> = text.split_whitespace().collect();
    margin.stops = words.last() == Some(&"stop");
    if margin.stops {
        words.pop();
    }
    let mut words = words.into_iter();
    margin.source = source(words.next()?)?;
    let divisions = |word: &str| word.parse().ok().filter(|divisions: &f64| (0.0..=10.0).contains(divisions));
    if let Some(across) = words.next() {
        margin.across = divisions(across)?;
    }
    if let Some(up) = words.next() {
        margin.up = divisions(up)?;
    }
    words.next().is_none().then_some(margin)
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
        let calibrated = |line: &str| match parse(line) {
            Ok(Typed::Command(value)) => value,
            other => panic!("{other:?}"),
        };
        assert_eq!(calibrated("calibrate"), json!({"type": "calibrate", "channels": ["A", "B"]}));
        assert_eq!(calibrated("calibrate b 8"), json!({"type": "calibrate", "channels": ["B"], "grid": 8}));
        assert_eq!(calibrated("calibrate cancel"), json!({"type": "cancel-calibration"}));
        let uart = "uart:rx=L1,baudrate=9600";
        assert_eq!(parse(&format!("decode {uart}")), Ok(Typed::Decode(uart.to_owned())));
        assert_eq!(parse("  "), Ok(Typed::Nothing));
        assert_eq!(parse("averages 16"), Ok(Typed::Look(Look::Averages(16))));
        assert_eq!(parse("math a-b"), Ok(Typed::Look(Look::Math(Some(Operation::Difference)))));
        assert_eq!(parse("spectrum off"), Ok(Typed::Look(Look::Spectrum(None))));
        assert_eq!(parse("window flat-top"), Ok(Typed::Look(Look::Window(Window::FlatTop))));
        let stops = Margin { source: Source::B, across: 0.2, stops: true, ..Margin::default() };
        assert_eq!(parse("mask B 0.2 stop"), Ok(Typed::Look(Look::Mask(Some(stops)))));
        assert_eq!(
            parse("pin before the change"),
            Ok(Typed::Look(Look::Pin("before the change".to_owned())))
        );
        for wrong in [
            "averages 0",
            "averages 9999",
            "math A/B",
            "mask C",
            "mask A -1",
            "mask A 1 1 1",
            "xy maybe",
            "window hamming",
            "calibrate C",
            "calibrate A fine",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert!(parse("time_per_div").unwrap_err().contains("value"));
        assert!(parse("measure A.nothing").unwrap_err().contains("rms"));
    }
}

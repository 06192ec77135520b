//! Units in the heads of tables, as others write them.

/// The unit of a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unit {
    /// As the head has it.
    pub(super) text: String,
    pub(super) what: What,
}

/// What a 1 stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    Volts(f64),
    Seconds(f64),
    /// Levels of a logic line.
    Levels,
    /// A sample more.
    Samples,
    Other,
}

/// Prefixes of units and words for them, and their factors.
const PREFIXES: [(&str, f64); 14] = [
    ("milli", 1e-3),
    ("micro", 1e-6),
    ("nano", 1e-9),
    ("pico", 1e-12),
    ("femto", 1e-15),
    ("kilo", 1e3),
    ("m", 1e-3),
    ("u", 1e-6),
    ("µ", 1e-6),
    ("μ", 1e-6),
    ("n", 1e-9),
    ("p", 1e-12),
    ("f", 1e-15),
    ("k", 1e3),
];
const SECONDS: [&str; 5] = ["s", "sec", "secs", "second", "seconds"];
const VOLTS: [&str; 5] = ["v", "volt", "volts", "vdc", "vac"];
/// What else is the unit of a column, and no part of its name.
const OTHERS: [&str; 41] = [
    "a", "ma", "ua", "µa", "μa", "amp", "amps", "ampere", "amperes", "w", "mw", "watt", "watts", "hz", "khz",
    "mhz", "db", "dbv", "dbm", "°", "deg", "°c", "%", "ohm", "ohms", "ω", "°f", "rpm", "pa", "kpa", "mbar",
    "bar", "psi", "na", "uw", "kw", "va", "ghz", "unknown", "raw", "adc",
];

impl Unit {
    /// `is_of_time` where a name says that it is a unit of time.
    pub(super) fn of(text: &str, is_of_time: bool) -> Self {
        let text = text.trim();
        let long = if is_of_time { long_time(text) } else { None };
        let what = match text.to_lowercase().as_str() {
            "logic" => What::Levels,
            "analog" => What::Volts(1.0),
            "sequence" => What::Samples,
            _ => long
                .or_else(|| seconds(text))
                .map(What::Seconds)
                .or_else(|| volts(text).map(What::Volts))
                .unwrap_or(What::Other),
        };
        Self { text: text.to_owned(), what }
    }

    /// The unit as the head has it, where numbers of it are neither volts nor levels.
    pub(super) fn not_volts(&self) -> Option<String> {
        let is_shown = matches!(self.what, What::Volts(_) | What::Levels);
        (!is_shown).then(|| self.text.clone())
    }
}

/// The factor of a unit with a prefix, or without one.
fn prefixed(unit: &str, stems: &[&str]) -> Option<f64> {
    let lower = unit.to_lowercase();
    let with_prefix = |&(prefix, factor): &(&str, f64)| {
        lower.strip_prefix(prefix).filter(|stem| stems.contains(stem)).map(|_| factor)
    };
    if stems.contains(&lower.as_str()) { Some(1.0) } else { PREFIXES.iter().find_map(with_prefix) }
}

/// Seconds in a unit of time that a name may end with as well.
pub(super) fn seconds(unit: &str) -> Option<f64> {
    prefixed(unit, &SECONDS)
}

/// Seconds in a unit of time that stands for something else as well, such as a minimum.
fn long_time(unit: &str) -> Option<f64> {
    match unit.to_lowercase().as_str() {
        "min" | "mins" | "minute" | "minutes" => Some(60.0),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some(3600.0),
        "d" | "day" | "days" => Some(86400.0),
        _ => None,
    }
}

/// Volts in a unit of them.
fn volts(unit: &str) -> Option<f64> {
    if unit == "MV" { Some(1e6) } else { prefixed(unit, &VOLTS) }
}

/// Whether a text is a unit, and the name of nothing.
pub(super) fn is_unit(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    ["logic", "analog", "sequence"].contains(&lower.as_str())
        || OTHERS.contains(&lower.as_str())
        || seconds(&lower).is_some()
        || volts(text.trim()).is_some()
}

/// Whether a column of this name has times.
pub(super) fn is_time_name(name: &str) -> bool {
    let name = name.trim().to_lowercase();
    name.starts_with("time")
        || matches!(
            name.as_str(),
            "t" | "x" | "x-axis" | "sec" | "second" | "seconds" | "zeit" | "temps" | "tiempo"
        )
}

/// A cell of a header as a name and a unit: `Time (ms)`, `Time [s]`, `C1 in V`, `t/us`, `CH1_mV`, `(V)`, `milliseconds`.
pub(super) fn split(cell: &str) -> (&str, Option<&str>) {
    let bracketed = cell.strip_suffix([')', ']']).and_then(|text| text.rsplit_once(['(', '[']));
    // What stands behind times is their unit, even if it is none that is known.
    if let Some((text, unit)) = bracketed.filter(|(text, unit)| is_unit(unit) || is_time_name(text)) {
        return (text, Some(unit));
    }
    let worded = cell.strip_prefix("in ").map(|unit| ("", unit)).or_else(|| cell.rsplit_once(" in "));
    if let Some((text, unit)) = worded.filter(|(_, unit)| is_unit(unit)) {
        return (text, Some(unit));
    }
    let is_behind = |(text, unit): &(&str, &str)| {
        let is_volts = volts(unit).is_some() && (unit.len() > 1 || *unit == "V");
        let is_time = is_time_name(text) && (seconds(unit).or(long_time(unit)).is_some());
        !text.is_empty() && (is_volts || is_time)
    };
    let cut = |mark| cell.rsplit_once(mark).map(|(text, unit): (&str, &str)| (text.trim(), unit.trim()));
    let behind = ['/', '_', ',', ' '].into_iter().filter_map(cut).find(is_behind);
    if let Some((text, unit)) = behind {
        return (text, Some(unit));
    }
    let is_word = cell.len() > 2 && cell.to_lowercase().ends_with("seconds") && seconds(cell).is_some();
    if is_word { ("", Some(cell)) } else { (cell, None) }
}

/// Whether this is the unit of an interval or of a rate.
fn is_of_clock(unit: &str) -> bool {
    let lower = unit.trim().to_lowercase();
    let is_rate = ["hz", "/s", "sps", "/sec", "/second"].iter().any(|end| lower.ends_with(end));
    is_rate || seconds(&lower).is_some()
}

/// A value with the unit that stands elsewhere: in the next cell, or behind its key as in `Sample interval (us)`.
pub(super) fn with_unit(key: &str, value: &str, next: Option<&str>) -> String {
    let is_bare = value.trim().parse::<f64>().is_ok();
    let of_key = || {
        let key = key.trim().trim_end_matches([':', '=']).trim();
        let (_, unit) = key.strip_suffix([')', ']'])?.rsplit_once(['(', '['])?;
        Some(unit)
    };
    match next.filter(|unit| is_of_clock(unit)).or_else(|| of_key().filter(|unit| is_of_clock(unit))) {
        Some(unit) if is_bare => format!("{value} {unit}"),
        _ => value.to_owned(),
    }
}

/// A number with a unit behind it, which may have a prefix: `8.192e+06Hz`, `1 MHz`, `0.004us`, `Analog:4e-9`.
pub(super) fn scaled(value: &str) -> Option<f64> {
    let value = value.rsplit(':').next().unwrap_or(value).trim();
    let is_number = |text: &str| text.trim().parse::<f64>().ok();
    let ends = (1..=value.len()).rev().filter(|&end| value.is_char_boundary(end));
    let (number, unit) = ends.into_iter().find_map(|end| {
        let (number, unit) = value.split_at(end);
        Some((is_number(number)?, unit.trim_matches(['(', ')', ' '])))
    })?;
    if let Some(factor) = seconds(unit) {
        return Some(number * factor);
    }
    let factor = match unit.chars().next() {
        Some('p') => 1e-12,
        Some('n') => 1e-9,
        Some('u' | 'µ' | 'μ') => 1e-6,
        Some('m') => 1e-3,
        Some('k' | 'K') => 1e3,
        Some('M') => 1e6,
        Some('G') => 1e9,
        _ => 1.0,
    };
    let has_prefix = unit.chars().count() > 1;
    Some(if has_prefix { number * factor } else { number })
}

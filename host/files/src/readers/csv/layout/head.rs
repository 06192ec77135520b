//! What stands before the rows of a table.

use super::cells::{self, Rows, Separator};
use super::{Clock, ColumnLayout, Kind, Layout};
use crate::facts::Known;
use scopething_waveform::waveform::Channel;

/// A column by the header.
#[derive(Clone, Debug)]
pub(super) struct Name {
    pub(super) text: String,
    unit: String,
    /// Seconds that a 1 in the column stands for, if it has times.
    pub(super) time_scale: f64,
    /// Whether it numbers samples, and has no times.
    pub(super) counts_samples: bool,
    /// Whether it holds no samples, but a number that holds for all of them.
    pub(super) is_parameter: bool,
}

impl Default for Name {
    fn default() -> Self {
        Self {
            text: String::new(),
            unit: String::new(),
            time_scale: 1.0,
            counts_samples: false,
            is_parameter: false,
        }
    }
}

impl Name {
    /// Reads `Time (ms)`, `Time [s]`, `C1 in V`, `(V)` or a bare name, with the unit that stands below it, if any.
    pub(super) fn of(cell: &str, below: Option<&str>) -> Self {
        let cell = cell.trim_matches(|letter: char| letter == '"' || letter == '#' || letter.is_whitespace());
        let bracketed = cell.strip_suffix([')', ']']).and_then(|text| text.rsplit_once(['(', '[']));
        let worded = || cell.strip_prefix("in ").map(|unit| ("", unit)).or_else(|| cell.rsplit_once(" in "));
        let split = bracketed.or_else(worded).filter(|(_, unit)| is_unit(unit));
        let (text, unit) =
            split.unwrap_or_else(|| if is_unit_of_time_word(cell) { ("", cell) } else { (cell, "") });
        let unit = below.map_or(unit, |below| below.trim_matches(['(', ')', '[', ']', ' ', '"']));
        let lower = unit.to_lowercase();
        let (text, is_parameter) = match text.split_once('=') {
            Some((key, _)) => (key.trim(), true),
            None => (text.trim(), matches!(text.trim(), "Start" | "Increment")),
        };
        Self {
            text: text.to_owned(),
            time_scale: time_scale(unit).unwrap_or(1.0),
            counts_samples: lower == "sequence",
            is_parameter,
            unit: unit.to_owned(),
        }
    }

    pub(super) fn is_time(&self) -> bool {
        let name = self.text.to_lowercase();
        let is_named = name.starts_with("time")
            || matches!(
                name.as_str(),
                "t" | "x" | "x-axis" | "sec" | "second" | "seconds" | "zeit" | "temps" | "tiempo"
            );
        is_named || self.counts_samples || time_scale(&self.unit).is_some()
    }

    /// Whether it may be the number of a row.
    pub(super) fn may_be_index(&self) -> bool {
        let name = self.text.to_lowercase();
        matches!(
            name.as_str(),
            "" | "index" | "sample" | "samples" | "n" | "no" | "no." | "nr" | "point" | "points" | "row"
        )
    }

    pub(super) fn column(&self, place: usize) -> ColumnLayout {
        let name = if self.text.is_empty() { (place + 1).to_string() } else { self.text.clone() };
        ColumnLayout { place, kind: self.kind(), scale: volt_scale(&self.unit), name }
    }

    fn kind(&self) -> Kind {
        match self.text.parse::<Channel>() {
            Ok(channel) if channel.is_analog() => return Kind::Analog,
            Ok(_) => return Kind::Logic,
            Err(_) => {}
        }
        let unit = self.unit.to_lowercase();
        if unit == "logic" {
            return Kind::Logic;
        }
        let is_scope_channel = |prefix: &str| {
            let rest = self.text.to_uppercase().strip_prefix(prefix).map(|rest| rest.trim().to_owned());
            rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        };
        let is_analog = !unit.is_empty() || is_scope_channel("CH") || is_scope_channel("C");
        if is_analog { Kind::Analog } else { Kind::Either }
    }
}

/// Seconds in a unit of time.
fn time_scale(unit: &str) -> Option<f64> {
    match unit.to_lowercase().as_str() {
        "s" | "sec" | "second" | "seconds" => Some(1.0),
        "ms" | "millisecond" | "milliseconds" => Some(1e-3),
        "us" | "µs" | "μs" | "microsecond" | "microseconds" => Some(1e-6),
        "ns" | "nanosecond" | "nanoseconds" => Some(1e-9),
        "ps" | "picosecond" | "picoseconds" => Some(1e-12),
        "fs" | "femtosecond" | "femtoseconds" => Some(1e-15),
        _ => None,
    }
}

/// Whether a name is a unit of time, written in full.
fn is_unit_of_time_word(cell: &str) -> bool {
    cell.len() > 2 && cell.to_lowercase().ends_with("seconds") && time_scale(cell).is_some()
}

/// Volts in a unit of them; other units stay as they are.
fn volt_scale(unit: &str) -> f64 {
    match unit {
        "mV" | "mv" | "millivolt" | "millivolts" => 1e-3,
        "uV" | "µV" | "μV" | "uv" | "microvolts" => 1e-6,
        "nV" => 1e-9,
        "kV" | "kv" => 1e3,
        "MV" => 1e6,
        _ => 1.0,
    }
}

fn is_unit(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    let words = [
        "v", "volt", "volts", "mv", "uv", "µv", "μv", "nv", "kv", "a", "ma", "ua", "µa", "amp", "amps",
        "ampere", "w", "watt", "hz", "logic", "analog", "sequence", "db", "dbv", "dbm", "°", "deg",
        "unknown", "raw", "adc",
    ];
    time_scale(&lower).is_some() || words.contains(&lower.as_str())
}

/// What the lines before the rows state.
pub(super) struct Head {
    names: Vec<String>,
    units: Option<Vec<String>>,
    /// The line that names the columns, from 0.
    pub(super) name_line: usize,
    pub(super) pairs: MetaPairs,
}

impl Head {
    pub(super) fn of(lines: &[String], rows: &Rows) -> Self {
        let body = lines.get(..rows.first).unwrap_or_default();
        let mut pairs = MetaPairs::default();
        for line in body {
            pairs.take(line, rows.separator);
        }
        let is_header = |line: &&(usize, &String)| !line.1.trim().is_empty() && !cells::is_note(line.1);
        let numbered: Vec<(usize, &String)> = body.iter().enumerate().collect();
        let mut headers = numbered.iter().rev().filter(is_header);
        let split = |line: &str| -> Vec<String> {
            let mut cells: Vec<String> = rows.separator.cells(line).map(str::to_owned).collect();
            while cells.last().is_some_and(String::is_empty) {
                cells.pop();
            }
            cells
        };
        let (mut names, mut units, mut name_line) = (Vec::new(), None, 0);
        if let Some((at, last)) = headers.next() {
            let cells = split(last);
            name_line = *at;
            if is_units(&cells) {
                if let Some((at, before)) =
                    headers.next().filter(|(_, line)| split(line).len() + 1 >= rows.width)
                {
                    (names, name_line) = (split(before), *at);
                }
                units = Some(cells);
            } else if cells.len() > 1 || rows.width == 1 {
                names = cells;
            }
        } else if let Some((at, note)) = numbered.iter().rev().find(|(_, line)| cells::is_note(line)) {
            let cells = split(note.trim_start_matches(['#', '%', ';', ' ']));
            if cells.len() == rows.width && !note.contains(':') {
                (names, name_line) = (cells, *at);
            }
        }
        // Numbers below names that are no columns hold for all rows.
        for (name, value) in names.iter().zip(units.iter().flatten()) {
            if value.parse::<f64>().is_ok() {
                pairs.pairs.push((name.to_lowercase(), value.clone()));
            }
        }
        for name in &names {
            if let Some((key, value)) = name.split_once('=') {
                pairs.pairs.push((key.trim().to_lowercase(), value.trim().to_owned()));
            }
        }
        Self { names, units, name_line, pairs }
    }

    /// The names of all columns: empty where there is none.
    pub(super) fn names(&self, width: usize) -> Vec<Name> {
        let below = |place: usize| {
            let unit = self.units.as_ref().and_then(|units| units.get(place)).map(String::as_str);
            unit.filter(|unit| unit.parse::<f64>().is_err() && !unit.is_empty())
        };
        // Beyond the columns that a header names, a row has none.
        let count = if self.names.is_empty() { width } else { self.names.len() };
        let name = |place: usize| Name::of(self.names.get(place).map_or("", String::as_str), below(place));
        let mut names: Vec<Name> = (0..count).map(name).collect();
        // sigrok lists the names of channels before the table, and has their kinds above the columns.
        if self.names.is_empty() {
            let listed = self.pairs.channel_names();
            let unnamed: Vec<&mut Name> = names.iter_mut().filter(|name| !name.is_time()).collect();
            if listed.len() == unnamed.len() {
                unnamed.into_iter().zip(listed).for_each(|(name, listed)| name.text = listed);
            }
        }
        names
    }
}

/// Whether a line has units of the columns, and numbers that hold for all of them.
fn is_units(cells: &[String]) -> bool {
    let mut units = 0;
    let all = cells.iter().all(|cell| {
        let bare = cell.trim_matches(['(', ')', '[', ']', ' ', '"']);
        let is_unit = is_unit(bare);
        units += usize::from(is_unit);
        is_unit || bare.is_empty() || bare.parse::<f64>().is_ok()
    });
    all && units > 0
}

/// Pairs of a key and a value before the rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct MetaPairs {
    /// Keys in small letters.
    pairs: Vec<(String, String)>,
    /// Those of our own notes.
    facts: Vec<(String, String)>,
}

impl MetaPairs {
    /// What our own writers state.
    pub(super) fn of_facts(facts: &[(String, String)]) -> Self {
        Self { pairs: Vec::new(), facts: facts.to_vec() }
    }

    /// What notes state.
    pub(super) fn of_notes(notes: &[String], separator: Separator) -> Self {
        let mut pairs = Self::default();
        for line in notes {
            pairs.take(line, separator);
        }
        pairs
    }

    fn take(&mut self, line: &str, separator: Separator) {
        let is_note = cells::is_note(line);
        let text = line.trim_start_matches(['#', '%', ';', '/', ' ', '"']).trim();
        let pair = text.split_once(": ").or_else(|| text.split_once('=')).or_else(|| text.split_once(':'));
        let by_cell = || {
            let mut cells = separator.cells(text);
            let key = cells.next()?;
            Some((key, cells.find(|cell| !cell.is_empty())?))
        };
        if is_note && let Some((key, value)) = text.split_once(": ") {
            self.facts.push((key.to_owned(), value.to_owned()));
        }
        let pair = if is_note { pair } else { by_cell().or(pair) };
        if let Some((key, value)) = pair {
            let key = key.trim().trim_end_matches(['=', ':', ' ', '"']).to_lowercase();
            self.pairs.push((key, value.trim().trim_matches('"').to_owned()));
        }
    }

    fn find(&self, is_key: impl Fn(&str) -> bool) -> Option<f64> {
        self.pairs.iter().filter(|(key, _)| is_key(key)).find_map(|(_, value)| scaled(value))
    }

    /// Seconds from one row to the next.
    pub(crate) fn period_s(&self) -> Option<f64> {
        let interval = |key: &str| {
            let key = key.replace([' ', '_', '-'], "");
            [
                "sampleinterval",
                "samplinginterval",
                "sampleperiod",
                "samplingperiod",
                "increment",
                "tinc",
                "xincr",
                "timeinterval",
            ]
            .iter()
            .any(|known| key.contains(known))
        };
        let rate = |key: &str| {
            let key = key.replace([' ', '_', '-'], "");
            ["samplerate", "samplingrate", "samplingfrequency", "samplefrequency"]
                .iter()
                .any(|known| key.contains(known))
        };
        let period_s = self.find(interval).or_else(|| self.find(rate).map(f64::recip));
        period_s.filter(|period_s| period_s.is_finite() && *period_s > 0.0)
    }

    /// The time of the first row, in seconds.
    pub(super) fn start_s(&self) -> Option<f64> {
        let is_start = |key: &str| {
            let key = key.replace([' ', '_', '-'], "");
            matches!(key.as_str(), "start" | "t0" | "xzero" | "xstart" | "starttime" | "horizontalstart")
        };
        self.find(is_start).filter(|start_s| start_s.is_finite())
    }

    fn channel_names(&self) -> Vec<String> {
        let list = self.pairs.iter().find(|(key, _)| key.starts_with("channels"));
        list.map(|(_, names)| names.split(',').map(|name| name.trim().to_owned()).collect())
            .unwrap_or_default()
    }

    /// What our own notes state.
    pub(crate) fn known(&self) -> Known {
        Known::of(&self.facts)
    }

    /// The channel that our own notes give a column.
    pub(super) fn known_channel(&self, name: &str) -> Option<Channel> {
        let known = self.known().channels;
        known.iter().find(|(_, fact)| fact.name.as_deref() == Some(name)).map(|(channel, _)| *channel)
    }
}

/// A number with a unit behind it, which may have a prefix: `8.192e+06Hz`, `1 MHz`, `0.004us`, `Analog:4e-9`.
fn scaled(value: &str) -> Option<f64> {
    let value = value.rsplit(':').next().unwrap_or(value).trim();
    let is_number = |text: &str| text.trim().parse::<f64>().ok();
    let ends = (1..=value.len()).rev().filter(|&end| value.is_char_boundary(end));
    let (number, unit) = ends.into_iter().find_map(|end| {
        let (number, unit) = value.split_at(end);
        Some((is_number(number)?, unit.trim_start_matches(['(', ' '])))
    })?;
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

/// The layout of a table whose head stands in the first three columns, beside the rows, as older Tektronix
/// oscilloscopes write it.
pub(super) fn beside_rows(lines: &[String]) -> Option<Layout> {
    let separator = Separator::COMMA;
    let cells = |line: &String| separator.cells(line).map(str::to_owned).collect::<Vec<String>>();
    let first = cells(lines.first()?);
    let is_number = |place: usize| first.get(place).is_some_and(|cell| cell.parse::<f64>().is_ok());
    if first.first()? != "Record Length" || !is_number(3) || !is_number(4) {
        return None;
    }
    let mut pairs = MetaPairs::default();
    for line in lines {
        pairs.take(line, separator);
    }
    let source =
        pairs.pairs.iter().find(|(key, _)| key == "source").map_or("CH1", |(_, source)| source).to_owned();
    let column = ColumnLayout { place: 4, name: source, kind: Kind::Analog, scale: 1.0 };
    Some(Layout {
        separator,
        head_lines: 0,
        clock: Clock::Column { place: 3, scale: 1.0 },
        columns: vec![column],
        trace: None,
        passed_over: vec![0, 1, 2],
        width: 5,
        is_counted: false,
        origin_s: None,
        pairs,
    })
}

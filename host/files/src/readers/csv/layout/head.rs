//! What stands before the rows of a table.

use super::cells::{self, Rows, Separator};
use super::units::{self, Unit, What};
use super::{Clock, ColumnLayout, Kind, Layout};
use crate::facts::Known;
use scopething_waveform::waveform::Channel;

/// A column by the header.
#[derive(Clone, Debug, Default)]
pub(super) struct Name {
    pub(super) text: String,
    /// As the header has it, with its unit.
    pub(super) whole: String,
    unit: Option<Unit>,
    /// Whether it holds no samples, but a number that holds for all of them.
    pub(super) is_parameter: bool,
}

impl Name {
    /// Reads `Time (ms)`, `Time [s]`, `C1 in V`, `t/us`, `CH1_mV`, `(V)` or a bare name, with the unit that stands below it,
    /// if any.
    pub(super) fn of(cell: &str, below: Option<&str>) -> Self {
        let cell = cell.trim_matches(|letter: char| letter == '"' || letter == '#' || letter.is_whitespace());
        let (text, within) = units::split(cell);
        let unit = below.map(|below| below.trim_matches(['(', ')', '[', ']', ' ', '"'])).or(within);
        let (text, is_parameter) = match text.split_once('=') {
            Some((key, _)) => (key.trim(), true),
            None => (text.trim(), matches!(text.trim(), "Start" | "Increment")),
        };
        Self {
            text: text.to_owned(),
            whole: cell.to_owned(),
            unit: unit.filter(|unit| !unit.is_empty()).map(|unit| Unit::of(unit, units::is_time_name(text))),
            is_parameter,
        }
    }

    fn what(&self) -> Option<What> {
        self.unit.as_ref().map(|unit| unit.what)
    }

    pub(super) fn is_time(&self) -> bool {
        self.is_named_time() || self.counts_samples() || matches!(self.what(), Some(What::Seconds(_)))
    }

    fn is_named_time(&self) -> bool {
        units::is_time_name(&self.text)
    }

    /// Whether it has times by its name, which others may have by accident: `x` beside `time`.
    pub(super) fn is_called_time(&self) -> bool {
        self.text.to_lowercase().starts_with("time")
    }

    /// Whether it numbers samples, and has no times.
    pub(super) fn counts_samples(&self) -> bool {
        self.what() == Some(What::Samples)
    }

    /// Seconds that a 1 in the column stands for, if it has times.
    pub(super) fn time_scale(&self) -> f64 {
        if let Some(What::Seconds(scale)) = self.what() { scale } else { 1.0 }
    }

    /// The unit of its times, where that is none that is known.
    pub(super) fn unknown_time_unit(&self) -> Option<&str> {
        self.unit
            .as_ref()
            .filter(|unit| matches!(unit.what, What::Other | What::Volts(_)))
            .map(|unit| unit.text.as_str())
    }

    /// Whether it may be the number of a row.
    pub(super) fn may_be_index(&self) -> bool {
        let words = [
            "index", "sample", "samples", "n", "no", "no.", "nr", "nr.", "number", "point", "points", "row",
            "data",
        ];
        self.text.to_lowercase().split_whitespace().all(|word| words.contains(&word))
    }

    /// The column of it; `unit` is that of columns without one.
    pub(super) fn column(&self, place: usize, unit: Option<&Unit>) -> ColumnLayout {
        let name = if self.text.is_empty() { (place + 1).to_string() } else { self.text.clone() };
        let unit = self.unit.as_ref().or(unit);
        let scale = if let Some(What::Volts(scale)) = unit.map(|unit| unit.what) { scale } else { 1.0 };
        ColumnLayout { place, kind: self.kind(), scale, name, unit: unit.and_then(Unit::not_volts) }
    }

    fn kind(&self) -> Kind {
        match self.text.parse::<Channel>() {
            Ok(channel) if channel.is_analog() => return Kind::Analog,
            Ok(_) => return Kind::Logic,
            Err(_) => {}
        }
        if self.what() == Some(What::Levels) {
            return Kind::Logic;
        }
        let is_scope_channel = |prefix: &str| {
            let rest = self.text.to_uppercase().strip_prefix(prefix).map(|rest| rest.trim().to_owned());
            rest.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
        };
        let is_analog = self.unit.is_some() || is_scope_channel("CH") || is_scope_channel("C");
        if is_analog { Kind::Analog } else { Kind::Either }
    }
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
        let is_unit = units::is_unit(bare);
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
            let mut values = cells.filter(|cell| !cell.is_empty());
            Some((key, values.next()?, values.next()))
        };
        if is_note && let Some((key, value)) = text.split_once(": ") {
            self.facts.push((key.to_owned(), value.to_owned()));
        }
        let pair = pair.map(|(key, value)| (key, value, None));
        let pair = if is_note { pair } else { by_cell().or(pair) };
        if let Some((key, value, next)) = pair {
            let value = units::with_unit(key, value.trim().trim_matches('"'), next);
            let key = key.trim().trim_end_matches(['=', ':', ' ', '"']).to_lowercase();
            self.pairs.push((key, value));
        }
    }

    fn find(&self, is_key: impl Fn(&str) -> bool) -> Option<f64> {
        self.pairs.iter().filter(|(key, _)| is_key(key)).find_map(|(_, value)| units::scaled(value))
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

    /// The unit of all samples.
    pub(super) fn sample_unit(&self) -> Option<Unit> {
        let is_it = |key: &str| {
            let key = key.replace([' ', '_', '-'], "");
            matches!(key.as_str(), "verticalunits" | "verticalunit" | "yunits" | "yunit" | "vunits" | "vunit")
        };
        let (_, unit) = self.pairs.iter().find(|(key, unit)| is_it(key) && units::is_unit(unit))?;
        Some(Unit::of(unit, false))
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
    let name = Name { text: source, ..Name::default() };
    let column = ColumnLayout { kind: Kind::Analog, ..name.column(4, pairs.sample_unit().as_ref()) };
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
        notices: Vec::new(),
    })
}

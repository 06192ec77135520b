//! What the lines of a table mean: recognised by their contents, as each oscilloscope writes another table.
//!
//! The first lines of a text are split by each separator in turn; that by which most lines are rows of numbers, as many
//! in each, is the one. What stands before the first row is its head: names of columns, units below them, and pairs
//! such as `Sample Interval,2e-08` or `# Sample rate: 1 MHz`.

mod cells;
mod head;
mod moments;
mod units;

pub(super) use self::cells::Cells;
pub(crate) use self::cells::{Separator, single};
pub(crate) use self::head::MetaPairs;
use self::moments::Moment;
use super::lines::Line;
use crate::ReadError;
use crate::readers::assign::{Assigned, Candidate, assign, listed};
use crate::readers::options::{ColumnChoice, ReadOptions};
use crate::readers::spacing::Precision;
use crate::writers::csv;
use scopething_waveform::waveform::Channel;

/// Lines that are looked at.
pub(crate) const PREVIEW_LINES: usize = 200;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Analog,
    Logic,
    /// Logic if all its samples are 0 or 1.
    Either,
}

/// A column that is read.
#[derive(Clone, Debug)]
pub(crate) struct ColumnLayout {
    /// Its place in a row, from 0.
    pub(crate) place: usize,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// What samples are multiplied with to be volts.
    pub(crate) scale: f64,
    /// Their unit, where it is neither of volts nor of levels.
    pub(crate) unit: Option<String>,
}

/// Where the times of rows come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Clock {
    /// From a column, in units of so many seconds.
    Column { place: usize, scale: f64 },
    /// Every row is a sample later than the one before.
    Even { start_s: f64, period_s: f64 },
}

/// How the rows below a head are read.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    pub(crate) separator: Separator,
    /// Lines before the first row.
    pub(crate) head_lines: usize,
    pub(crate) clock: Clock,
    pub(crate) columns: Vec<ColumnLayout>,
    /// The place of a column that numbers traces.
    pub(crate) trace: Option<usize>,
    /// The places that a row may have something in without being understood.
    pub(crate) passed_over: Vec<usize>,
    /// How many columns the header names.
    pub(crate) width: usize,
    /// Whether the rows are counted, and not timed.
    is_counted: bool,
    /// The second of the first row since 1970, if rows have moments in place of times: their times are seconds since then.
    origin_s: Option<i64>,
    /// What the head states, such as our own facts.
    pub(crate) pairs: MetaPairs,
    /// What a user has to know of how the head was understood.
    notices: Vec<String>,
}

impl Layout {
    /// Recognises the head of a table; `lines` begins with it, and the number of its first line is `first`.
    pub(crate) fn recognise(lines: &[String], first: u64, options: &ReadOptions) -> Result<Self, ReadError> {
        if let Some(layout) = head::beside_rows(lines) {
            return Ok(layout);
        }
        let preview = cells::Preview::of(lines);
        let fault = |line: u64, reason: String| ReadError::Line { line, reason };
        let Some(rows) = preview.rows else {
            let found = lines.iter().find(|line| !line.trim().is_empty()).map_or("", String::as_str);
            let found: String = found.chars().take(40).collect();
            return Err(fault(
                first,
                format!(
                    "no rows of numbers were found below a header such as time,A,B,L0: neither by comma, semicolon, \
                     tab nor spaces; found {found:?}; --skip passes over lines, --columns names columns"
                ),
            ));
        };
        let head = head::Head::of(lines, &rows);
        let names = head.names(rows.width);
        let mut layout = Self {
            separator: rows.separator,
            head_lines: rows.first,
            clock: Clock::Even { start_s: 0.0, period_s: 0.0 },
            columns: Vec::new(),
            trace: None,
            passed_over: Vec::new(),
            width: names.len(),
            is_counted: false,
            origin_s: None,
            pairs: head.pairs,
            notices: Vec::new(),
        };
        let at = first + head.name_line as u64;
        let choice = options.columns.as_ref();
        let time = match choice {
            Some(choice) => layout.choose(choice, &names, &rows).map_err(|reason| fault(at, reason))?,
            None => layout.understand(&names, &rows),
        };
        layout.origin_s = time.and_then(|place| rows.origin_s(place));
        layout.clock = layout.clock_of(time, &names, options, at)?;
        if layout.columns.is_empty() {
            return Err(fault(
                at,
                "no column of samples was found; --columns names them, as in time=1,A=2".to_owned(),
            ));
        }
        Ok(layout)
    }

    /// That of rows with a time and a sample of each of these channels.
    pub(crate) fn of_channels(channels: &[Channel]) -> Self {
        let column = |(index, channel): (usize, &Channel)| ColumnLayout {
            place: index + 1,
            name: channel.to_string(),
            kind: if channel.is_analog() { Kind::Analog } else { Kind::Logic },
            scale: 1.0,
            unit: None,
        };
        Self {
            separator: Separator::COMMA,
            head_lines: 0,
            clock: Clock::Column { place: 0, scale: 1.0 },
            columns: channels.iter().enumerate().map(column).collect(),
            trace: None,
            passed_over: Vec::new(),
            width: channels.len() + 1,
            is_counted: false,
            origin_s: None,
            pairs: MetaPairs::default(),
            notices: Vec::new(),
        }
    }

    /// That of a table whose columns have names and numbers, as binary formats have it. Returns it with the place of the
    /// times; `None` if no column has times.
    pub(crate) fn of_names(names: &[String], options: &ReadOptions) -> Result<(Self, Option<usize>), String> {
        let mut layout = Self::of_channels(&[]);
        layout.width = names.len();
        let rows = cells::Rows::unseen(names.len());
        let names: Vec<head::Name> = names.iter().map(|name| head::Name::of(name, None)).collect();
        let time = match &options.columns {
            Some(choice) => layout.choose(choice, &names, &rows)?,
            None => layout.understand(&names, &rows),
        };
        if let Some(name) = time.and_then(|place| names.get(place)) {
            layout.clock = Clock::Column { place: time.unwrap_or(0), scale: name.time_scale() };
        }
        Ok((layout, time))
    }

    /// What a file states beside its table.
    pub(crate) fn set_known(&mut self, facts: &[(String, String)]) {
        self.pairs = MetaPairs::of_facts(facts);
    }

    /// What the notes before some of its rows state.
    pub(crate) fn set_notes(&mut self, notes: &[String]) {
        self.pairs = MetaPairs::of_notes(notes, self.separator);
    }

    /// Seconds that a 1 in the column of times stands for.
    pub(crate) fn time_scale(&self) -> f64 {
        match self.clock {
            Clock::Column { scale, .. } => scale,
            Clock::Even { .. } => 1.0,
        }
    }

    /// The columns by their names. Returns the place of the times.
    fn understand(&mut self, names: &[head::Name], rows: &cells::Rows) -> Option<usize> {
        let time = names.iter().position(head::Name::is_time);
        let has_names = names.iter().any(|name| !name.text.is_empty());
        // Without any name, times are what rises from row to row, before what they are times of.
        let time = time.or_else(|| {
            let unnamed = !has_names && names.len() > 1 && self.pairs.period_s().is_none();
            (unnamed && rows.rises(0)).then_some(0)
        });
        let time = time.or_else(|| (0..rows.width).find(|&place| rows.origin_s(place).is_some()));
        let is_index = |place: usize, name: &head::Name| {
            Some(place) != time && place == 0 && name.may_be_index() && rows.counts_up(0)
        };
        let unit = self.pairs.sample_unit();
        for (place, name) in names.iter().enumerate() {
            if name.text == csv::TRACE {
                self.trace = Some(place);
            } else if name.text == csv::LOST
                || name.is_parameter
                || is_index(place, name)
                || (Some(place) != time && rows.origin_s(place).is_some())
            {
                self.passed_over.push(place);
            } else if rows.has_texts(place) {
                self.passed_over.push(place);
                self.notices
                    .push(format!("{} is passed over: it holds other things than numbers", name.whole));
            } else if let Some(time) = time.filter(|&time| time != place && name.is_called_time()) {
                self.passed_over.push(place);
                self.note_other_times(time, place, names, rows);
            } else if Some(place) != time && (!name.text.is_empty() || rows.has_numbers(place)) {
                self.columns.push(name.column(place, unit.as_ref()));
            }
        }
        time
    }

    /// Some tables have times for each channel.
    fn note_other_times(&mut self, time: usize, other: usize, names: &[head::Name], rows: &cells::Rows) {
        if !rows.are_alike(time, other)
            && let (Some(time), Some(other)) = (names.get(time), names.get(other))
        {
            self.notices.push(format!(
                "{} is passed over: all samples are read as if taken at the times of {}",
                other.whole, time.whole
            ));
        }
    }

    /// The columns that the user chose. Returns the place of the times.
    fn choose(
        &mut self,
        choice: &ColumnChoice,
        names: &[head::Name],
        rows: &cells::Rows,
    ) -> Result<Option<usize>, String> {
        let mut time = None;
        let unit = self.pairs.sample_unit();
        for (wanted, column) in &choice.columns {
            let by_number = column.parse::<usize>().ok().filter(|number| (1..=rows.width).contains(number));
            let named = names.iter().position(|name| name.text == *column || name.whole == *column);
            let alike = || names.iter().position(|name| name.text.eq_ignore_ascii_case(column));
            let place = named.or_else(alike).or(by_number.map(|number| number - 1));
            let place = place.ok_or_else(|| {
                let found = listed(names.iter().map(|name| name.text.as_str()));
                format!("there is no column {column:?} among the {} columns: {found}", rows.width)
            })?;
            if wanted.eq_ignore_ascii_case(csv::TIME) {
                time = Some(place);
            } else {
                let unnamed = head::Name::default();
                let mut column = names.get(place).unwrap_or(&unnamed).column(place, unit.as_ref());
                if let Ok(channel) = wanted.parse::<Channel>() {
                    column.kind = if channel.is_analog() { Kind::Analog } else { Kind::Logic };
                }
                wanted.clone_into(&mut column.name);
                self.columns.push(column);
            }
        }
        let is_used =
            |place: &usize| Some(*place) == time || self.columns.iter().any(|column| column.place == *place);
        self.passed_over = (0..rows.width.max(names.len())).filter(|place| !is_used(place)).collect();
        Ok(time)
    }

    fn clock_of(
        &mut self,
        time: Option<usize>,
        names: &[head::Name],
        options: &ReadOptions,
        line: u64,
    ) -> Result<Clock, ReadError> {
        let stated_s = options.rate_hz.map(f64::recip).or_else(|| self.pairs.period_s());
        let counts = time.and_then(|place| names.get(place)).is_some_and(head::Name::counts_samples);
        match (time, stated_s) {
            (Some(place), _) if !counts => {
                if let Some(unit) = names.get(place).and_then(head::Name::unknown_time_unit) {
                    self.notices.push(format!(
                        "the unit of the times, {unit}, is not known: they are read as seconds; --rate gives the sample rate"
                    ));
                }
                let unit_s = names.get(place).map_or(1.0, head::Name::time_scale);
                let scale = if self.origin_s.is_some() { 1.0 } else { unit_s };
                Ok(Clock::Column { place, scale })
            }
            (Some(place), Some(period_s)) => {
                self.is_counted = true;
                Ok(Clock::Column { place, scale: period_s })
            }
            (None, Some(period_s)) => {
                Ok(Clock::Even { start_s: self.pairs.start_s().unwrap_or(0.0), period_s })
            }
            (_, None) => Err(ReadError::Line {
                line,
                reason:
                    "there is neither a column of times, nor a sample rate or interval before the rows; give \
                         --columns time=N or --rate"
                        .to_owned(),
            }),
        }
    }

    /// Which of the columns become which channels; `kinds` has what the columns turned out to be.
    pub(crate) fn assign(
        &self,
        kinds: &[Kind],
        options: &ReadOptions,
        warnings: &mut Vec<String>,
    ) -> Result<Vec<Assigned>, ReadError> {
        let candidates: Vec<Candidate> = self
            .columns
            .iter()
            .zip(kinds)
            .map(|(column, kind)| {
                let known = self.pairs.known_channel(&column.name);
                let place = known.or_else(|| line_of(&column.name));
                Candidate { prefers: place, ..Candidate::new(column.name.clone(), *kind != Kind::Logic) }
            })
            .collect();
        warnings.extend(self.notices.iter().cloned());
        let assigned = assign(&candidates, &options.channels, warnings)?;
        for one in &assigned {
            if let Some(ColumnLayout { name, unit: Some(unit), .. }) = self.columns.get(one.index) {
                warnings.push(format!(
                    "the unit of {name} is {unit}, not volts: its numbers are shown as if they were volts"
                ));
            }
        }
        Ok(assigned)
    }

    /// The time of a row in seconds, before which so many were passed; `precision` takes note of it.
    pub(super) fn time_of<'c>(
        &self,
        line: Line<'_>,
        mut cells: impl Iterator<Item = &'c str>,
        passed: u64,
        precision: &mut Precision,
    ) -> Result<f64, ReadError> {
        match self.clock {
            Clock::Even { .. } => Ok(self.time_of_row(passed)),
            Clock::Column { place, scale } => {
                let cell = cells.nth(place).unwrap_or_default();
                let time_s = self.time_in(line, cell, scale)?;
                match self.origin_s {
                    Some(_) => precision.note_decimals(Moment::decimals(cell)),
                    None => precision.note(cell, time_s / scale),
                }
                Ok(time_s)
            }
        }
    }

    /// The time of a row in seconds, where rows are counted and not timed.
    pub(super) fn time_of_row(&self, passed: u64) -> f64 {
        match self.clock {
            Clock::Even { start_s, period_s } => start_s + passed as f64 * period_s,
            Clock::Column { .. } => f64::NAN,
        }
    }

    /// Whether a line has all cells that are read, each with a number or nothing, and something in the last.
    pub(super) fn is_row(&self, line: Line<'_>) -> bool {
        let clock = match self.clock {
            Clock::Column { place, .. } => Some(place),
            Clock::Even { .. } => None,
        };
        let is_read = |place: usize| {
            let mut cells = self.separator.cells(line.text).skip(place);
            let cell = cells.next();
            let is_last = cells.next().is_none();
            let is_number = |cell| self.separator.number(cell).or_else(|| moments::seconds(cell)).is_some();
            cell.is_some_and(|cell| (cell.is_empty() && !is_last) || is_number(cell))
        };
        self.columns.iter().map(|column| column.place).chain(clock).all(is_read)
    }

    /// The time in seconds that a cell has in units of `scale`.
    pub(super) fn time_in(&self, line: Line<'_>, cell: &str, scale: f64) -> Result<f64, ReadError> {
        let moment = |origin_s| Moment::of(cell).map(|moment| moment.since_s(origin_s));
        let time = self.origin_s.map_or_else(|| self.separator.number(cell), moment);
        let time = time.filter(|time| time.is_finite());
        let time = time.ok_or_else(|| line.fault(format!("{cell:?} is not a time in seconds")))?;
        Ok(self.time_of_number(time, scale))
    }

    /// Seconds of a time in units of `scale`.
    pub(super) fn time_of_number(&self, time: f64, scale: f64) -> f64 {
        time * scale + self.offset_s()
    }

    /// Seconds that are added to the time of every row: a head may state where counted rows begin.
    pub(crate) fn offset_s(&self) -> f64 {
        if self.is_counted { self.pairs.start_s().unwrap_or(0.0) } else { 0.0 }
    }
}

/// The line that a logic probe's usual name has a number of: `D3`, `DIO 3`.
fn line_of(name: &str) -> Option<Channel> {
    let number = name.strip_prefix("DIO").or_else(|| name.strip_prefix('D'))?.trim().parse::<usize>().ok()?;
    Channel::L.get(number).copied()
}

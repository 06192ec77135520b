//! Rows of a table as pieces of a capture, where all columns have a sample in each row and times are evenly spaced by
//! themselves. All other tables are [read as a whole](crate::readers::csv::table).

use crate::ReadOptions;
use crate::facts::Known;
use crate::pieces::{Fed, InStep, outline_in_step};
use crate::readers::csv::layout::{Kind, Layout};
use crate::readers::csv::table::missing_warning;
use crate::readers::kept::Kept;
use crate::readers::options::Window;
use crate::readers::spacing::EvenCheck;
use scopething_waveform::waveform::{Outline, SampleKind, SeriesOutline};

/// What was seen of a table.
pub(crate) struct TableScan {
    window: Window,
    /// The time of the first row, whether it is read or not.
    first_s: Option<f64>,
    latest_s: f64,
    times: EvenCheck,
    columns: Vec<ColumnScan>,
    block: Block,
    kept: Kept,
}

struct ColumnScan {
    kind: Kind,
    /// Whether all numbers are 0 or 1.
    is_logic: bool,
    /// Cells that are no numbers.
    missing: usize,
}

/// Rows that are looked at together, column by column.
pub(crate) struct Block {
    times_s: Vec<f64>,
    /// Of each column as many as there is room for rows.
    numbers: Vec<f64>,
    room: usize,
    /// Rows in which a column has nothing.
    blank: Vec<usize>,
}

/// The most rows of a block: what fits into a processor's caches with its text.
const MAX_ROWS: usize = 1 << 10;
/// The most numbers of a block, unless a row has more.
const MAX_NUMBERS: usize = 1 << 14;

impl Block {
    fn of(columns: usize) -> Self {
        let room = (MAX_NUMBERS / columns.max(1)).clamp(1, MAX_ROWS);
        Self {
            times_s: Vec::with_capacity(room),
            numbers: vec![0.0; columns * room],
            room,
            blank: Vec::new(),
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.times_s.len() == self.room
    }

    /// Puts a number into a column of the row that comes next, for which there must be room.
    #[inline]
    pub(crate) fn put(&mut self, column: usize, number: f64) {
        if let Some(place) = self.numbers.get_mut(column * self.room + self.times_s.len()) {
            *place = number;
        }
    }

    /// Ends a row, of which all columns were put.
    #[inline]
    pub(crate) fn end_row(&mut self, time_s: f64) {
        self.times_s.push(time_s);
    }

    fn columns(&self) -> impl Iterator<Item = &[f64]> {
        self.numbers.chunks(self.room)
    }

    fn clear(&mut self) {
        self.times_s.clear();
        self.blank.clear();
    }
}

impl TableScan {
    pub(crate) fn of(layout: &Layout, options: &ReadOptions) -> Self {
        let columns = layout.columns.iter();
        Self {
            window: options.window(),
            first_s: None,
            latest_s: f64::NEG_INFINITY,
            times: EvenCheck::new(),
            columns: columns.map(|one| ColumnScan { kind: one.kind, is_logic: true, missing: 0 }).collect(),
            block: Block::of(layout.columns.len()),
            kept: Kept::of(layout.columns.iter().map(|column| column.scale).collect()),
        }
    }

    /// Takes a row, with its time in seconds. False if the table must be read as a whole.
    pub(crate) fn push(&mut self, time_s: f64, values: &[Option<f64>]) -> bool {
        let Some(block) = self.block() else { return false };
        for (column, value) in values.iter().enumerate() {
            block.put(column, value.unwrap_or(f64::NAN));
        }
        if values.contains(&None) {
            block.blank.push(block.times_s.len());
        }
        block.end_row(time_s);
        true
    }

    /// Where the next rows are put, with room for one at least. `None` if the table must be read as a whole.
    pub(crate) fn block(&mut self) -> Option<&mut Block> {
        if self.block.is_full() && !self.look_through() {
            return None;
        }
        Some(&mut self.block)
    }

    /// Takes note of what is in the block, and empties it. False if the table must be read as a whole.
    fn look_through(&mut self) -> bool {
        let Some(first_s) = self.first_s.or(self.block.times_s.first().copied()) else { return true };
        self.first_s = Some(first_s);
        let window = self.window.beginning_at(first_s);
        let (mut begin, mut end) = (0, 0);
        for (row, &time_s) in self.block.times_s.iter().enumerate() {
            if !time_s.is_finite() || time_s < self.latest_s {
                return false;
            }
            self.latest_s = time_s;
            if window.contains(time_s) {
                self.times.push(time_s);
                begin = if begin == end { row } else { begin };
                end = row + 1;
            }
        }
        // Where there is no sample now and then depends on all rows.
        if self.block.blank.iter().any(|row| (begin..end).contains(row)) {
            return false;
        }
        let numbers = || self.block.columns().filter_map(|column| column.get(begin..end));
        let is_taken = self.columns.iter_mut().zip(numbers()).all(|(column, numbers)| column.push(numbers));
        self.kept.push(end - begin, numbers());
        self.block.clear();
        is_taken
    }

    /// The capture in the table, and what should be known of how it was read; `None` if it must be read as a whole.
    pub(crate) fn finish(mut self, layout: &Layout, known: &Known, options: &ReadOptions) -> Option<Scanned> {
        if !self.look_through() || options.rate_hz.is_some() {
            return None;
        }
        let (start_s, period_s) = self.times.even()?;
        let mut warnings = Vec::new();
        let kinds: Vec<Kind> = self.columns.iter().map(ColumnScan::kind).collect::<Option<_>>()?;
        let mut channels = Vec::new();
        for one in layout.assign(&kinds, options, &mut warnings).ok()? {
            let is_logic = *kinds.get(one.index)? == Kind::Logic;
            let series = SeriesOutline {
                channel: one.channel,
                label: one.label.clone(),
                start_s,
                period_s,
                kind: if is_logic { SampleKind::Levels } else { SampleKind::Volts },
                count: self.times.count(),
            };
            let missing = self.columns.get(one.index)?.missing;
            if missing > 0 {
                warnings.push(missing_warning(missing, series.count, &series.title()));
            }
            channels.push((series, one.index));
        }
        channels.sort_by_key(|(series, _)| series.channel);
        let places = channels.iter().map(|(series, column)| (*column, series.kind)).collect();
        let channels = channels.into_iter().map(|(series, _)| series).collect();
        let times = InStep { start_s, period_s, from_first: self.first_s == Some(start_s) };
        let rate_hz = crate::readers::spacing::whole_hertz(period_s.recip());
        let outline = outline_in_step(channels, times, rate_hz, known)?;
        Some(Scanned { outline, warnings, places, kept: self.kept })
    }
}

impl ColumnScan {
    /// Takes note of numbers. False if there is one that the column cannot have.
    fn push(&mut self, numbers: &[f64]) -> bool {
        self.missing += numbers.iter().filter(|number| !number.is_finite()).count();
        let is_level = |number: f64| !number.is_finite() || number == 0.0 || number == 1.0;
        self.is_logic = self.is_logic && numbers.iter().fold(true, |all, number| all & is_level(*number));
        // A level that is none is an error, with its line.
        self.kind != Kind::Logic || (self.is_logic && self.missing == 0)
    }

    /// What it turned out to hold; `None` if all rows are needed for that: a level that is missing is the one before it.
    fn kind(&self) -> Option<Kind> {
        match (self.kind, self.is_logic) {
            (Kind::Analog, _) | (_, false) => Some(Kind::Analog),
            _ => (self.missing == 0).then_some(Kind::Logic),
        }
    }
}

/// A table that was gone through.
pub(crate) struct Scanned {
    pub(crate) outline: Outline,
    pub(crate) warnings: Vec<String>,
    /// The column of each channel, and what it turned out to hold.
    places: Vec<(usize, SampleKind)>,
    kept: Kept,
}

impl Scanned {
    /// The capture.
    pub(crate) fn fed(self) -> Fed {
        let Self { outline, warnings, places, kept } = self;
        Fed::begin(outline, warnings, move |send| kept.send(&places, send))
    }
}

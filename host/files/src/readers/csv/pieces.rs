//! Tables of one trace piece by piece.

use std::path::Path;

use super::layout::{Clock, Layout, Separator, single};
use super::lines::Line;
use super::plain::Plain;
use super::{Begin, CsvReader};
use crate::facts::Known;
use crate::pieces::Fed;
use crate::readers::table_pieces::{RowPieces, TableScan};
use crate::readers::{TextFile, open_text};
use crate::{ReadError, ReadOptions};

/// A row as numbers, in memory that is used again for the next.
struct Numbers {
    /// Which column a cell is of.
    columns: Vec<Option<usize>>,
    /// Whether the samples of a column are volts as they are printed: such a number is rounded once.
    as_printed: Vec<bool>,
    values: Vec<Option<f64>>,
    passed: u64,
}

type Reader = CsvReader<TextFile>;

/// Goes to the first row of a table.
fn begin(path: &Path, options: &ReadOptions) -> Option<(Reader, Layout)> {
    let mut reader = CsvReader::with_options(open_text(path).ok()?, options.clone());
    match reader.next_begin().ok()?? {
        Begin::Table(layout) if layout.trace.is_none() => Some((reader, *layout)),
        _ => None,
    }
}

/// Goes through a table once and begins to read it; `None` if it must be read as a whole, or is not the only one.
pub(crate) fn open(path: &Path, options: &ReadOptions) -> Option<Fed> {
    let (mut reader, layout) = begin(path, options)?;
    let mut scan = TableScan::of(&layout, options);
    reader.for_each_row(&layout, &mut |time_s, values| scan.push(time_s, values)).ok()?;
    if reader.next_begin().ok()?.is_some() {
        return None;
    }
    let known: Known = layout.pairs.known();
    let kept = scan.take_kept();
    let (outline, places, mut warnings) = scan.finish(&layout, &known, options)?;
    warnings.append(&mut reader.warnings);
    let counts = outline.channels.iter().map(|series| (series.channel, series.count));
    warnings.extend(known.cut_off(options.read_all(), counts));
    if let Some(kept) = kept {
        return Some(kept.fed(outline, places, warnings));
    }
    let (mut reader, layout) = begin(path, options)?;
    let mut rows = RowPieces::of(&outline, places, options);
    Some(Fed::begin(outline, warnings, move |send| {
        match reader.for_each_row(&layout, &mut |time_s, values| rows.push(time_s, values, send)) {
            Err(Stopped::Fault(error)) => return Err(error),
            Err(Stopped::NotTaken) => return Ok(()),
            Ok(()) => {}
        }
        rows.finish(send);
        Ok(())
    }))
}

/// Why rows were not read to their end.
enum Stopped {
    Fault(ReadError),
    NotTaken,
}

impl From<ReadError> for Stopped {
    fn from(error: ReadError) -> Self {
        Self::Fault(error)
    }
}

impl Reader {
    /// Hands over each row, its time in seconds and the numbers of its columns, until that returns false.
    fn for_each_row(
        &mut self,
        layout: &Layout,
        take: &mut dyn FnMut(f64, &[Option<f64>]) -> bool,
    ) -> Result<(), Stopped> {
        let mut numbers = Numbers::of(layout);
        let mut is_taken = true;
        let read = self.rows(layout, |row| {
            let time_s = numbers.read(layout, row)?;
            is_taken = take(time_s, &numbers.values);
            // Any error ends the rows.
            if is_taken { Ok(()) } else { Err(row.fault("it was not taken")) }
        });
        match read {
            Err(_) if !is_taken => Err(Stopped::NotTaken),
            read => Ok(read?),
        }
    }
}

impl Numbers {
    fn of(layout: &Layout) -> Self {
        let width = layout.columns.iter().map(|column| column.place + 1).max().unwrap_or(0).max(layout.width);
        let column = |place| layout.columns.iter().position(|column| column.place == place);
        Self {
            columns: (0..width).map(column).collect(),
            as_printed: layout.columns.iter().map(|column| column.scale == 1.0).collect(),
            values: vec![None; layout.columns.len()],
            passed: 0,
        }
    }

    /// Reads a row; its time in seconds.
    fn read(&mut self, layout: &Layout, row: Line<'_>) -> Result<f64, ReadError> {
        let clock = match layout.clock {
            Clock::Column { place, scale } => Some((place, scale)),
            Clock::Even { .. } => None,
        };
        let mut time_s = if clock.is_none() { Some(layout.time_of_row(self.passed)) } else { None };
        self.passed += 1;
        if let Some((place, scale)) = clock
            && let Some(time) = self.read_plain(layout.separator, place, row.text.as_bytes())
        {
            return Ok(layout.time_of_number(time, scale));
        }
        self.values.fill(None);
        for (place, cell) in layout.separator.cells(row.text).enumerate() {
            if let Some((_, scale)) = clock.filter(|clock| clock.0 == place) {
                time_s = Some(layout.time_in(row, cell, scale)?);
            }
            match self.columns.get(place) {
                Some(Some(column)) if !cell.is_empty() => {
                    let number = self.number(layout.separator, *column, cell);
                    let number = number.ok_or_else(|| row.fault(format!("{cell:?} is not a number")))?;
                    if let Some(value) = self.values.get_mut(*column) {
                        *value = Some(number);
                    }
                }
                Some(_) => {}
                None if cell.is_empty() => {}
                None => return Err(row.fault("there are more fields than in the header")),
            }
        }
        time_s.ok_or_else(|| row.fault("it has no time"))
    }

    /// Reads a row of as many plain numbers as there are columns, with nothing else around them: the one in the place of
    /// the times. `None` if it is another row.
    fn read_plain(&mut self, separator: Separator, clock: usize, row: &[u8]) -> Option<f64> {
        let (mut rest, mut time) = (row, None);
        for (place, column) in self.columns.iter().enumerate() {
            if place > 0 {
                let (&byte, after) = rest.split_first()?;
                rest = separator.is(byte).then_some(after)?;
            }
            let (plain, length) = Plain::at(rest)?;
            rest = rest.get(length..)?;
            if place == clock {
                time = Some(plain.double());
            }
            if let Some(column) = *column {
                let as_printed = self.as_printed.get(column) == Some(&true);
                let number = if as_printed { f64::from(plain.single()?) } else { plain.double() };
                *self.values.get_mut(column)? = Some(number);
            }
        }
        if rest.is_empty() { time } else { None }
    }

    /// The number in a cell of a column.
    fn number(&self, separator: Separator, column: usize, cell: &str) -> Option<f64> {
        match cell {
            "0" => Some(0.0),
            "1" => Some(1.0),
            _ if self.as_printed.get(column) == Some(&true) => {
                single(cell).map(f64::from).or_else(|| separator.number(cell))
            }
            _ => separator.number(cell),
        }
    }
}

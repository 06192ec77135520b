//! Tables of one trace piece by piece.

use std::path::Path;

use super::layout::{Clock, Layout, single};
use super::lines::Line;
use super::plain_rows::PlainRows;
use super::{Begin, CsvReader, Rows};
use crate::facts::Known;
use crate::pieces::Fed;
use crate::readers::table_pieces::TableScan;
use crate::readers::{TextFile, open_text};
use crate::{ReadError, ReadOptions};

type Reader = CsvReader<TextFile>;

/// Goes to the first row of a table.
fn begin(path: &Path, options: &ReadOptions) -> Option<(Reader, Layout)> {
    let mut reader = CsvReader::with_options(open_text(path).ok()?, options.clone());
    match reader.next_begin().ok()?? {
        Begin::Table(layout) if layout.trace.is_none() => Some((reader, *layout)),
        _ => None,
    }
}

/// Goes through a table and begins to hand it over; `None` if it must be read as a whole, or is not the only one.
pub(crate) fn open(path: &Path, options: &ReadOptions) -> Option<Fed> {
    let (mut reader, layout) = begin(path, options)?;
    let mut rows = ScannedRows::of(&layout, options);
    reader.rows(&layout, &mut rows).ok()?;
    let scan = rows.scan?;
    if reader.next_begin().ok()?.is_some() {
        return None;
    }
    let known: Known = layout.pairs.known();
    let mut scanned = scan.finish(&layout, &known, options)?;
    scanned.warnings.append(&mut reader.warnings);
    let counts = scanned.outline.channels.iter().map(|series| (series.channel, series.count));
    scanned.warnings.extend(known.cut_off(options.read_all(), counts));
    Some(scanned.fed())
}

/// What is seen of a table as its rows are read.
struct ScannedRows<'l> {
    layout: &'l Layout,
    plain: PlainRows<'l>,
    /// Which column a cell is of.
    columns: Vec<Option<usize>>,
    /// The numbers of a row, in memory that is used again for the next.
    values: Vec<Option<f64>>,
    passed: u64,
    /// None if the table must be read as a whole.
    scan: Option<TableScan>,
}

impl Rows for ScannedRows<'_> {
    fn plain(&mut self, text: &[u8]) -> (usize, u64) {
        let (mut length, mut rows) = (0, 0);
        while let Some(block) = self.scan.as_mut().and_then(TableScan::block) {
            let (more, count) = self.plain.read(text.get(length..).unwrap_or_default(), self.passed, block);
            length += more;
            rows += count;
            self.passed += count;
            if !block.is_full() {
                return (length, rows);
            }
        }
        self.scan = None;
        (length, rows)
    }

    fn take(&mut self, row: Line<'_>) -> Result<(), ReadError> {
        let time_s = self.read(row)?;
        if !self.scan.as_mut().is_some_and(|scan| scan.push(time_s, &self.values)) {
            self.scan = None;
            // Any error ends the rows.
            return Err(row.fault("the table must be read as a whole"));
        }
        Ok(())
    }
}

impl<'l> ScannedRows<'l> {
    fn of(layout: &'l Layout, options: &ReadOptions) -> Self {
        let width = layout.columns.iter().map(|column| column.place + 1).max().unwrap_or(0).max(layout.width);
        let column = |place| layout.columns.iter().position(|column| column.place == place);
        let columns: Vec<Option<usize>> = (0..width).map(column).collect();
        Self {
            layout,
            plain: PlainRows::of(layout, &columns),
            columns,
            values: vec![None; layout.columns.len()],
            passed: 0,
            scan: Some(TableScan::of(layout, options)),
        }
    }

    /// Reads a row; its time in seconds.
    fn read(&mut self, row: Line<'_>) -> Result<f64, ReadError> {
        let layout = self.layout;
        let (clock, mut time_s) = match layout.clock {
            Clock::Column { place, scale } => (Some((place, scale)), None),
            Clock::Even { .. } => (None, Some(layout.time_of_row(self.passed))),
        };
        self.passed += 1;
        self.values.fill(None);
        for (place, cell) in layout.separator.cells(row.text).enumerate() {
            if let Some((_, scale)) = clock.filter(|clock| clock.0 == place) {
                time_s = Some(layout.time_in(row, cell, scale)?);
            }
            match self.columns.get(place) {
                Some(Some(column)) if !cell.is_empty() => {
                    let number = number_in(layout, *column, cell);
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
}

/// The number in a cell of a column.
fn number_in(layout: &Layout, column: usize, cell: &str) -> Option<f64> {
    match cell {
        "0" => Some(0.0),
        "1" => Some(1.0),
        // A number that needs no scaling is rounded once.
        _ if layout.columns.get(column).is_some_and(|column| column.scale == 1.0) => {
            single(cell).map(f64::from).or_else(|| layout.separator.number(cell))
        }
        _ => layout.separator.number(cell),
    }
}

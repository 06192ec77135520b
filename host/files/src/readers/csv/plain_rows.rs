//! Rows of nothing but plain numbers and single separators, as most are, read as they lie in the text.

use fast_float2::FastFloat;

use super::layout::{Clock, Layout};
use crate::readers::table_pieces::Block;

/// Reads the plain rows of one table.
pub(super) struct PlainRows<'l> {
    layout: &'l Layout,
    cells: Vec<Cell>,
    levels: FourLevels,
}

struct Cell {
    is_time: bool,
    column: Option<Column>,
    /// The columns of this cell and the three that follow, if all are of columns.
    four: Option<[Column; 4]>,
}

#[derive(Clone, Copy)]
struct Column {
    index: usize,
    /// Whether its samples are volts as they are printed: such a number is rounded once.
    as_printed: bool,
}

impl<'l> PlainRows<'l> {
    /// Of rows whose cells are of these columns.
    pub(super) fn of(layout: &'l Layout, columns: &[Option<usize>]) -> Self {
        let column = |column: &Option<usize>| {
            let index = (*column)?;
            Some(Column { index, as_printed: layout.columns.get(index)?.scale == 1.0 })
        };
        let columns: Vec<Option<Column>> = columns.iter().map(column).collect();
        let is_time =
            |place: usize| matches!(layout.clock, Clock::Column { place: time, .. } if time == place);
        let four = |place: usize| {
            let [first, second, third, fourth] = columns.get(place..)?.first_chunk::<4>()?;
            let has_time = (place..place + 4).any(is_time);
            if has_time { None } else { Some([(*first)?, (*second)?, (*third)?, (*fourth)?]) }
        };
        let cells = columns.iter().enumerate();
        Self {
            layout,
            cells: cells
                .map(|(place, column)| Cell { is_time: is_time(place), column: *column, four: four(place) })
                .collect(),
            levels: FourLevels::separated_by(layout.separator.byte()),
        }
    }

    /// Puts the rows that a text begins with into a block, as far as they are plain and there is room; `passed` rows came
    /// before. Returns how many bytes and rows these were.
    pub(super) fn read(&self, text: &[u8], passed: u64, block: &mut Block) -> (usize, u64) {
        let (mut length, mut rows) = (0, 0);
        while !block.is_full()
            && let Some((more, time)) = text.get(length..).and_then(|text| self.row(text, block))
        {
            let time_s = match self.layout.clock {
                Clock::Column { scale, .. } => self.layout.time_of_number(time, scale),
                Clock::Even { .. } => self.layout.time_of_row(passed + rows),
            };
            block.end_row(time_s);
            length += more;
            rows += 1;
        }
        (length, rows)
    }

    /// Puts the numbers of the row that a text begins with into a block. Returns how many bytes the row has, and what stands
    /// in the place of the time; `None` if it is not plain, or does not end.
    #[inline]
    fn row(&self, text: &[u8], block: &mut Block) -> Option<(usize, f64)> {
        let separator = self.layout.separator.byte();
        let (mut length, mut place, mut time) = (0, 0, f64::NAN);
        while let Some(cell) = self.cells.get(place) {
            if place > 0 {
                if text.get(length) != Some(&separator) {
                    return None;
                }
                length += 1;
            }
            let rest = text.get(length..)?;
            if let Some(four) = &cell.four
                && let Some(levels) = self.levels.at(rest)
            {
                four.iter().zip(levels).for_each(|(column, level)| block.put(column.index, level));
                length += FourLevels::LENGTH;
                place += four.len();
                continue;
            }
            length += cell.read(rest, &mut time, block)?;
            place += 1;
        }
        let rest = text.get(length..)?;
        // Some programs end their rows with a separator.
        let ends = rest.iter().take_while(|&&byte| byte == separator).count();
        let end = match rest.get(ends..)? {
            [b'\n', ..] => 1,
            [b'\r', b'\n', ..] => 2,
            _ => return None,
        };
        Some((length + ends + end, time))
    }
}

impl Cell {
    /// Puts the number that a text begins with where it belongs. Returns how many bytes it has.
    #[inline]
    fn read(&self, text: &[u8], time: &mut f64, block: &mut Block) -> Option<usize> {
        let mut length = 0;
        if self.is_time || self.column.is_none() {
            let number;
            (number, length) = finite(text)?;
            *time = if self.is_time { number } else { *time };
        }
        if let Some(column) = self.column {
            let number;
            (number, length) = if column.as_printed {
                finite::<f32>(text).map(|(number, length)| (f64::from(number), length))?
            } else {
                finite(text)?
            };
            block.put(column.index, number);
        }
        Some(length)
    }
}

/// The number that a text begins with, and how many bytes it has; `None` if there is none, or it is not finite.
#[inline]
fn finite<F: FastFloat + Into<f64> + Copy>(text: &[u8]) -> Option<(F, usize)> {
    fast_float2::parse_partial(text).ok().filter(|(number, _): &(F, _)| (*number).into().is_finite())
}

/// Four cells that are 0 or 1, recognised at once.
struct FourLevels {
    separator: u8,
    /// Four zeros and the separators between.
    zeros: u64,
}

impl FourLevels {
    /// Bytes of four cells.
    const LENGTH: usize = 7;
    /// The bits in which a level may differ from a zero.
    const LEVELS: u64 = 0x0001_0001_0001_0001;
    /// The bits of the cells.
    const CELLS: u64 = 0x00ff_ffff_ffff_ffff;

    fn separated_by(separator: u8) -> Self {
        let zeros = [b'0', separator, b'0', separator, b'0', separator, b'0', 0];
        Self { separator, zeros: u64::from_le_bytes(zeros) }
    }

    /// The levels that a text begins with; `None` if other numbers are among them.
    #[inline]
    fn at(&self, text: &[u8]) -> Option<[f64; 4]> {
        let bytes = text.first_chunk::<8>()?;
        let difference = (u64::from_le_bytes(*bytes) ^ self.zeros) & Self::CELLS;
        let [.., end] = *bytes;
        let is_levels = difference & !Self::LEVELS == 0 && (end == self.separator || end < b' ');
        is_levels.then(|| [0, 16, 32, 48].map(|bit| f64::from((difference >> bit) as u8)))
    }
}

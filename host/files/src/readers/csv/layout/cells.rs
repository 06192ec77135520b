//! Lines as cells, and which of them are rows of numbers.

use super::moments::{self, Moment};

/// What stands between the cells of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Separator {
    /// A byte; any run of spaces and tabs if it is a space.
    byte: u8,
    /// Whether numbers have a comma before their decimals.
    decimal_comma: bool,
}

impl Separator {
    /// The separator of our own tables.
    pub(crate) const COMMA: Self = Self { byte: b',', decimal_comma: false };

    const ALL: [Self; 6] = [
        Self::COMMA,
        Self { byte: b'\t', decimal_comma: false },
        Self { byte: b'\t', decimal_comma: true },
        Self { byte: b';', decimal_comma: false },
        Self { byte: b';', decimal_comma: true },
        Self { byte: b' ', decimal_comma: false },
    ];

    /// The cells of a line, without white space and quotes around.
    pub(crate) fn cells(self, line: &str) -> Cells<'_> {
        Cells { rest: Some(line), separator: self.byte }
    }

    /// The byte that stands between two cells, if nothing else does.
    pub(crate) fn byte(self) -> u8 {
        self.byte
    }

    /// The number in a cell; `None` if it is none.
    pub(crate) fn number(self, cell: &str) -> Option<f64> {
        if self.decimal_comma && cell.contains(',') { number(&cell.replace(',', ".")) } else { number(cell) }
    }
}

/// The number in a cell. What programs write for a sample that they do not have is not a number (NaN).
pub(crate) fn number(cell: &str) -> Option<f64> {
    if let Ok(number) = fast_float2::parse(cell) {
        return Some(if f64::is_finite(number) { number } else { f64::NAN });
    }
    let missing =
        matches!(cell, "∞" | "-∞" | "+∞" | "---" | "****" | "#N/A" | "NA" | "N/A" | "null" | "None");
    missing.then_some(f64::NAN)
}

/// The number in a cell, rounded once to 32 bits; `None` if it is none, or not finite.
pub(crate) fn single(cell: &str) -> Option<f32> {
    fast_float2::parse(cell).ok().filter(|number: &f32| number.is_finite())
}

/// The cells of a line.
#[derive(Clone)]
pub(crate) struct Cells<'l> {
    rest: Option<&'l str>,
    separator: u8,
}

impl<'l> Iterator for Cells<'l> {
    type Item = &'l str;

    #[inline]
    fn next(&mut self) -> Option<&'l str> {
        let line = self.rest?;
        let is_bare = line.as_bytes().first().is_some_and(|&first| first.is_ascii_graphic() && first != b'"');
        if is_bare { self.next_bare(line) } else { self.next_of_any(line) }
    }
}

impl<'l> Cells<'l> {
    /// The cells between commas.
    pub(crate) fn by_comma(line: &'l str) -> Self {
        Separator::COMMA.cells(line)
    }

    /// The next cell, where neither white space nor a quote comes first.
    fn next_bare(&mut self, line: &'l str) -> Option<&'l str> {
        let bytes = line.as_bytes();
        // Most cells of a table of logic levels are a single digit.
        let is_single = bytes.get(1) == Some(&self.separator) && bytes.first() != Some(&self.separator);
        let (cell, rest) = if is_single && self.separator != b' ' {
            (line.get(..1)?, line.get(2..))
        } else {
            self.split(line)
        };
        self.rest = rest;
        let is_trim = cell.as_bytes().last().is_some_and(u8::is_ascii_graphic);
        Some(if is_trim { cell } else { cell.trim() })
    }

    fn next_of_any(&mut self, line: &'l str) -> Option<&'l str> {
        let line = if self.separator == b' ' { line.trim_start() } else { line };
        if let Some(quoted) = line.trim_start().strip_prefix('"')
            && let Some(end) = quoted.find('"')
        {
            let after = quoted.get(end + 1..).unwrap_or_default();
            self.rest = self.split(after).1;
            return quoted.get(..end).map(str::trim);
        }
        let (cell, rest) = self.split(line);
        self.rest = rest;
        Some(cell.trim())
    }

    /// What stands before the next separator, and what after it.
    fn split(&self, line: &'l str) -> (&'l str, Option<&'l str>) {
        let found = match self.separator {
            b' ' => line.bytes().position(|byte| byte == b' ' || byte == b'\t'),
            byte => memchr::memchr(byte, line.as_bytes()),
        };
        match found.and_then(|at| line.split_at_checked(at)) {
            Some((cell, rest)) => {
                (cell, rest.get(1..).filter(|rest| self.separator != b' ' || !rest.trim().is_empty()))
            }
            None => (line, None),
        }
    }
}

/// Rows of numbers among the first lines of a text.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    pub(super) separator: Separator,
    /// The line of the first one, from 0.
    pub(super) first: usize,
    /// How many cells the widest has, without empty ones at its end.
    pub(super) width: usize,
    /// The numbers of the first rows; none where a cell is empty, or a text.
    numbers: Vec<Vec<Option<f64>>>,
    /// The places of cells that are texts.
    texts: Vec<usize>,
    /// The places of moments in the first row, with their seconds since 1970.
    moments: Vec<(usize, i64)>,
}

impl Rows {
    /// Rows that were not looked at.
    pub(super) fn unseen(width: usize) -> Self {
        Self {
            separator: Separator::COMMA,
            first: 0,
            width,
            numbers: Vec::new(),
            moments: Vec::new(),
            texts: Vec::new(),
        }
    }

    /// The second of the first row, if a column has moments in place of numbers.
    pub(super) fn origin_s(&self, place: usize) -> Option<i64> {
        self.moments.iter().find(|(moment, _)| *moment == place).map(|(_, whole_s)| *whole_s)
    }

    fn column(&self, place: usize) -> Vec<f64> {
        self.numbers.iter().filter_map(|row| row.get(place).copied().flatten()).collect()
    }

    pub(super) fn has_numbers(&self, place: usize) -> bool {
        !self.column(place).is_empty()
    }

    pub(super) fn has_texts(&self, place: usize) -> bool {
        self.texts.contains(&place)
    }

    /// Whether two columns have the same numbers, as far as was looked.
    pub(super) fn are_alike(&self, one: usize, other: usize) -> bool {
        self.has_numbers(one) && self.column(one) == self.column(other)
    }

    /// Whether a column rises from row to row.
    pub(super) fn rises(&self, place: usize) -> bool {
        let column = self.column(place);
        column.len() > 1
            && column.len() == self.numbers.len()
            && column.is_sorted()
            && column.first() < column.last()
    }

    /// Whether a column is 0, 1, 2.. or 1, 2, 3..
    pub(super) fn counts_up(&self, place: usize) -> bool {
        let column = self.column(place);
        let first = column.first().copied().unwrap_or(f64::NAN);
        let counts = column.iter().enumerate().all(|(index, &number)| number == first + index as f64);
        counts && column.len() > 1 && first.fract() == 0.0
    }
}

/// The first lines of a text.
pub(super) struct Preview {
    pub(super) rows: Option<Rows>,
}

impl Preview {
    pub(super) fn of(lines: &[String]) -> Self {
        let by = Separator::ALL.map(|separator| rows_by(lines, separator));
        let mut best: Option<Rows> = None;
        for rows in by.into_iter().flatten() {
            // More rows that are understood; of as many, the one that cuts them into more cells.
            let is_better = |best: &Rows| (rows.numbers.len(), rows.width) > (best.numbers.len(), best.width);
            if best.as_ref().is_none_or(is_better) {
                best = Some(rows);
            }
        }
        let with_texts = || Separator::ALL.iter().find_map(|&separator| rows_of_levels(lines, separator));
        Self { rows: best.or_else(with_texts) }
    }
}

/// Whether a line is no row and no header, but a remark about the file.
pub(super) fn is_note(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with('#') || line.starts_with('%') || line.starts_with("//") || line.starts_with("; ")
}

fn rows_by(lines: &[String], separator: Separator) -> Option<Rows> {
    let row = |line: &String| numbers_of(line, separator);
    // A row may be the only one; a pair of numbers in a head is none if what follows it is none.
    let numbers: Vec<Option<Vec<Option<f64>>>> = lines.iter().map(row).collect();
    let is_blank = |index: usize| lines.get(index).is_none_or(|line| line.trim().is_empty());
    let is_row = |index: usize| numbers.get(index).is_some_and(Option::is_some);
    let begins = |&index: &usize| {
        is_row(index) && (index + 1 == lines.len() || is_row(index + 1) || is_blank(index + 1))
    };
    let first = (0..lines.len()).find(begins).or_else(|| (0..lines.len()).find(|&index| is_row(index)))?;
    let rows: Vec<_> = numbers.into_iter().skip(first).take_while(Option::is_some).flatten().collect();
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cells = lines.get(first).map(|line| separator.cells(line)).into_iter().flatten();
    let moments = cells.enumerate().filter_map(|(place, cell)| Some((place, Moment::of(cell)?.whole_s)));
    Some(Rows { separator, first, width, numbers: rows, moments: moments.collect(), texts: Vec::new() })
}

/// Rows of times and levels, with texts in some columns: logic analysers write the values of buses between the lines.
fn rows_of_levels(lines: &[String], separator: Separator) -> Option<Rows> {
    let cells = |line: &String| separator.cells(line).map(str::to_owned).collect::<Vec<String>>();
    let is_row = |cells: &Vec<String>| cells.first().is_some_and(|cell| separator.number(cell).is_some());
    let first = lines.iter().position(|line| !is_note(line) && is_row(&cells(line)))?;
    let rows: Vec<Vec<String>> = lines.iter().skip(first).map(cells).take_while(is_row).collect();
    let width = rows.first()?.len();
    if rows.iter().any(|row| row.len() != width) {
        return None;
    }
    let number = |cell: &String| separator.number(cell);
    let is_text =
        |place: &usize| rows.iter().any(|row| row.get(*place).is_some_and(|cell| number(cell).is_none()));
    let texts: Vec<usize> = (0..width).filter(is_text).collect();
    let numbers = rows.iter().map(|row| row.iter().map(number).collect()).collect();
    let rows = Rows { separator, first, width, numbers, moments: Vec::new(), texts };
    let are_levels = |place: usize| {
        rows.has_texts(place) || rows.column(place).iter().all(|level| [0.0, 1.0].contains(level))
    };
    (rows.rises(0) && rows.texts.len() + 1 < width && (1..width).all(are_levels)).then_some(rows)
}

/// The numbers of a row; `None` if any cell is none.
fn numbers_of(line: &str, separator: Separator) -> Option<Vec<Option<f64>>> {
    if is_note(line) || (separator.decimal_comma && line.contains('.')) {
        return None;
    }
    let mut numbers = Vec::new();
    let mut moments = 0;
    for cell in separator.cells(line) {
        let number = if cell.is_empty() { None } else { separator.number(cell) };
        let moment = if number.is_none() { moments::seconds(cell) } else { None };
        if !cell.is_empty() && number.is_none() && moment.is_none() {
            return None;
        }
        moments += usize::from(moment.is_some());
        numbers.push(number.or(moment));
    }
    // A date by itself is a line of the head.
    if moments > 0 && numbers.iter().flatten().count() == moments {
        return None;
    }
    while numbers.last() == Some(&None) {
        numbers.pop();
    }
    (!numbers.is_empty()).then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_cells_stay_between_separators() {
        let cells = |line| Cells::by_comma(line).collect::<Vec<_>>();
        assert_eq!(cells(",,,0.001,1.25,"), ["", "", "", "0.001", "1.25", ""]);
        assert_eq!(cells("0.5,,,1"), ["0.5", "", "", "1"]);
        assert_eq!(cells(",,"), ["", "", ""]);
        assert_eq!(cells("1,0,1"), ["1", "0", "1"]);
    }
}

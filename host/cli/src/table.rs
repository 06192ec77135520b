//! Tables of the terminal, the same in a pipe: text in columns, without lines, never wrapped.

use std::fmt;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement};

/// Between two columns.
const GAP: (u16, u16) = (0, 2);

/// Rows of cells; each column is as wide as its widest cell. Its text ends with a line feed, if it has a row.
#[derive(Debug)]
pub(super) struct Table {
    cells: comfy_table::Table,
    right: &'static [usize],
    indent: usize,
}

impl Table {
    /// Of a column of names and one of values, say; a row may be shorter than others.
    pub(super) fn new<R: IntoIterator<Item: ToString>>(rows: impl IntoIterator<Item = R>) -> Self {
        let mut cells = comfy_table::Table::new();
        cells.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        for row in rows {
            cells.add_row(row.into_iter().map(|cell| cell.to_string()));
        }
        Self { cells, right: &[], indent: 0 }
    }

    /// Of names and their values.
    pub(super) fn named<'a>(rows: impl IntoIterator<Item = (&'a str, String)>) -> Self {
        Self::new(rows.into_iter().map(|(name, value)| [name.to_owned(), value]))
    }

    /// Numbers in `columns`, counted from 0, stand below each other by their last digits.
    pub(super) fn right(self, columns: &'static [usize]) -> Self {
        Self { right: columns, ..self }
    }

    /// With spaces before each line.
    pub(super) fn indent(self, spaces: usize) -> Self {
        Self { indent: spaces, ..self }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut cells = self.cells.clone();
        for (index, column) in cells.column_iter_mut().enumerate() {
            column.set_padding(GAP);
            if self.right.contains(&index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        let indent = " ".repeat(self.indent);
        // Without rows there is still an empty line.
        cells.lines().filter(|_| !cells.is_empty()).try_for_each(|line| {
            let line = format!("{indent}{line}");
            writeln!(f, "{}", line.trim_end())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let table = Table::new([["", "high", "edges"], ["L0", "50 %", "1"], ["µ", "2 %", "10"]]).right(&[2]);
        assert_eq!(table.to_string(), "    high  edges\nL0  50 %      1\nµ   2 %      10\n");
    }

    #[test]
    fn long_cells_are_not_wrapped() {
        let long = "x".repeat(500);
        let table = Table::new([vec!["name", &long], vec!["b"]]).indent(2);
        assert_eq!(table.to_string(), format!("  name  {long}\n  b\n"));
    }

    #[test]
    fn no_rows_are_no_text() {
        assert_eq!(Table::new([[""; 0]; 0]).to_string(), "");
    }
}

//! What is drawn with: all text goes through [`Painter::put`], where what a terminal would act on is replaced.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Span;
use scopething_files::plot::terminal::{self as plot, Colour, Ink};

use super::model::Lamp;

/// A buffer, and what its terminal can show.
pub(super) struct Painter<'a> {
    pub(super) buffer: &'a mut Buffer,
    pub(super) look: plot::Style,
}

/// The style of an ink.
fn of_ink(ink: Ink, colour: Colour) -> Style {
    let shade = ink.shade(colour);
    let style = shade.index.map_or_else(Style::new, |index| Style::new().fg(Color::Indexed(index)));
    if shade.dim { style.add_modifier(Modifier::DIM) } else { style }
}

impl Painter<'_> {
    pub(super) fn ink(&self, ink: Ink) -> Style {
        of_ink(ink, self.look.colour)
    }

    pub(super) fn lamp(&self, lamp: Lamp) -> Style {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        match (self.look.colour, lamp) {
            (_, Lamp::Off) => Style::new(),
            (Colour::None, Lamp::Bad) => bold.add_modifier(Modifier::REVERSED),
            (Colour::None, _) => bold,
            (_, Lamp::Good) => bold.fg(Color::Indexed(2)),
            (_, Lamp::Wait) => bold.fg(Color::Indexed(3)),
            (_, Lamp::Bad) => bold.fg(Color::Indexed(1)),
        }
    }

    /// Writes text from a place on, up to a column, and returns the column after it. What does not fit ends in an ellipsis.
    pub(super) fn put(&mut self, (column, row): (u16, u16), end: u16, text: &str, style: Style) -> u16 {
        let text: String =
            crate::terminal::shown(text).chars().map(|character| self.look.glyphs.shown(character)).collect();
        let room = end.saturating_sub(column);
        if room == 0 || row >= self.buffer.area.bottom() {
            return column;
        }
        let (next, _) = self.buffer.set_stringn(column, row, &text, room.into(), style);
        if Span::raw(text.as_str()).width() > usize::from(room) {
            let ellipsis = self.look.glyphs.shown('…');
            self.buffer.set_string(end - 1, row, ellipsis.to_string(), style);
        }
        next
    }

    /// Writes a character of a picture where no trace is.
    pub(super) fn underlay(&mut self, column: u16, row: u16, character: char, style: Style) {
        let character = self.look.glyphs.shown(character);
        let Some(cell) = self.buffer.cell_mut((column, row)) else { return };
        if matches!(cell.symbol(), " " | "·" | "." | "┊" | ":") {
            cell.set_char(character).set_style(style);
        }
    }

    /// Writes a character of a picture over what is there.
    pub(super) fn overlay(&mut self, column: u16, row: u16, character: char, style: Style) {
        let character = self.look.glyphs.shown(character);
        let Some(cell) = self.buffer.cell_mut((column, row)) else { return };
        let below = cell.symbol().chars().next().unwrap_or(' ');
        // Not on top of the style that is there: what is dim would stay so.
        cell.set_char(plot::joined(below, character)).set_style(Style::reset().patch(style));
    }
}

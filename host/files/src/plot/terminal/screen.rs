//! A field of coloured characters.

use super::style::{Colour, Glyphs, Style};

/// The first braille pattern, the one without dots; each of the next eight bits adds a dot.
pub(super) const BRAILLE: u32 = 0x2800;

/// What a character belongs to, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Frame,
    Grid,
    A,
    B,
    Logic,
    Trigger,
}

pub(super) struct Screen {
    width: usize,
    cells: Vec<(char, Ink)>,
}

impl Screen {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, cells: vec![(' ', Ink::Text); width * height] }
    }

    /// Writes text from a place on, and returns the column after it. What does not fit the row is cut off
    /// with an ellipsis.
    pub(super) fn put(&mut self, column: usize, row: usize, text: &str, ink: Ink) -> usize {
        let length = text.chars().count();
        let room = self.width.saturating_sub(column);
        for (place, character) in text.chars().enumerate().take(room) {
            let cut = length > room && place + 1 == room;
            let printable = if character.is_control() { '\u{fffd}' } else { character };
            self.set(column + place, row, if cut { '…' } else { printable }, ink);
        }
        column + length
    }

    /// Writes a character over what is there; the dots of two braille characters are joined.
    pub(super) fn overlay(&mut self, column: usize, row: usize, character: char, ink: Ink) {
        let Some(&(below, _)) = self.cells.get(row * self.width + column) else { return };
        let dots = |character: char| u32::from(character).checked_sub(BRAILLE).filter(|dots| *dots <= 0xff);
        let joined =
            dots(below).zip(dots(character)).and_then(|(one, other)| char::from_u32(BRAILLE + (one | other)));
        self.set(column, row, joined.unwrap_or(character), ink);
    }

    fn set(&mut self, column: usize, row: usize, character: char, ink: Ink) {
        if column < self.width
            && let Some(cell) = self.cells.get_mut(row * self.width + column)
        {
            *cell = (character, ink);
        }
    }

    /// The rows as lines, without spaces at their ends.
    pub(super) fn text(&self, style: Style) -> String {
        let mut text = String::new();
        for row in self.cells.chunks(self.width) {
            let end = row.iter().rposition(|&(character, _)| character != ' ').map_or(0, |last| last + 1);
            let mut ink = Ink::Text;
            for &(character, wanted) in row.iter().take(end) {
                if character != ' ' && wanted != ink {
                    text.push_str(escape(wanted, style.colour));
                    ink = wanted;
                }
                text.push(if style.glyphs == Glyphs::Ascii { ascii(character) } else { character });
            }
            if ink != Ink::Text {
                text.push_str(escape(Ink::Text, style.colour));
            }
            text.push('\n');
        }
        text
    }
}

/// The control sequence for a colour (ECMA-48, select graphic rendition). The 256 colours chosen can be
/// distinguished on light and dark backgrounds, and by the colour-blind: blue, orange, green and purple of different
/// lightness.
fn escape(ink: Ink, colour: Colour) -> &'static str {
    match (colour, ink) {
        (Colour::None, _) => "",
        (_, Ink::Text) => "\x1b[0m",
        (Colour::Basic, Ink::Frame | Ink::Grid) => "\x1b[0;2m",
        (Colour::Basic, Ink::A) => "\x1b[0;94m",
        (Colour::Basic, Ink::B) => "\x1b[0;33m",
        (Colour::Basic, Ink::Logic) => "\x1b[0;32m",
        (Colour::Basic, Ink::Trigger) => "\x1b[0;35m",
        (Colour::Indexed, Ink::Frame) => "\x1b[0;38;5;245m",
        (Colour::Indexed, Ink::Grid) => "\x1b[0;38;5;242m",
        (Colour::Indexed, Ink::A) => "\x1b[0;38;5;33m",
        (Colour::Indexed, Ink::B) => "\x1b[0;38;5;208m",
        (Colour::Indexed, Ink::Logic) => "\x1b[0;38;5;35m",
        (Colour::Indexed, Ink::Trigger) => "\x1b[0;38;5;170m",
    }
}

fn ascii(character: char) -> char {
    match character {
        '│' | '┊' => ':',
        '└' | '┤' | '┴' => '+',
        '─' => '-',
        '·' => '.',
        '▲' => '^',
        '◄' => '<',
        'µ' => 'u',
        '…' => '~',
        character if character.is_ascii() => character,
        _ => '?',
    }
}

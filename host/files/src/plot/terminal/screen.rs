//! A field of coloured characters.

use super::style::{Colour, Shade, Style};

/// The first braille pattern, the one without dots; each of the next eight bits adds a dot.
pub(super) const BRAILLE: u32 = 0x2800;

/// A character over another one: the dots of two braille characters are joined.
#[must_use]
pub fn joined(below: char, above: char) -> char {
    let dots = |character: char| u32::from(character).checked_sub(BRAILLE).filter(|dots| *dots <= 0xff);
    let both = dots(below).zip(dots(above)).and_then(|(one, other)| char::from_u32(BRAILLE + (one | other)));
    both.unwrap_or(above)
}

/// What a character belongs to, which decides its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Words and numbers.
    Text,
    /// Axes.
    Frame,
    /// Divisions.
    Grid,
    /// Channel A.
    A,
    /// Channel B.
    B,
    /// Logic lines.
    Logic,
    /// Level and time of the trigger.
    Trigger,
}

impl Ink {
    /// Its colour. The 256 colours chosen can be distinguished on light and dark backgrounds, and by the colour-blind: blue,
    /// orange, green and purple of different lightness.
    #[must_use]
    pub fn shade(self, colour: Colour) -> Shade {
        let index = match (colour, self) {
            (Colour::None, _) | (_, Self::Text) => return Shade::default(),
            (Colour::Basic, Self::Frame | Self::Grid) => return Shade { index: None, dim: true },
            (Colour::Basic, Self::A) => 12,
            (Colour::Basic, Self::B) => 3,
            (Colour::Basic, Self::Logic) => 2,
            (Colour::Basic, Self::Trigger) => 5,
            (Colour::Indexed, Self::Frame) => 245,
            (Colour::Indexed, Self::Grid) => 242,
            (Colour::Indexed, Self::A) => 33,
            (Colour::Indexed, Self::B) => 208,
            (Colour::Indexed, Self::Logic) => 35,
            (Colour::Indexed, Self::Trigger) => 170,
        };
        Shade { index: Some(index), dim: false }
    }
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
        self.set(column, row, joined(below, character), ink);
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
                    text.push_str(&escape(wanted, style.colour));
                    ink = wanted;
                }
                text.push(style.glyphs.shown(character));
            }
            if ink != Ink::Text {
                text.push_str(&escape(Ink::Text, style.colour));
            }
            text.push('\n');
        }
        text
    }
}

/// The control sequence for a colour (ECMA-48, select graphic rendition).
fn escape(ink: Ink, colour: Colour) -> String {
    match (colour, ink.shade(colour)) {
        (Colour::None, _) => String::new(),
        (_, Shade { dim: true, .. }) => "\x1b[0;2m".to_owned(),
        (_, Shade { index: None, .. }) => "\x1b[0m".to_owned(),
        (Colour::Indexed, Shade { index: Some(index), .. }) => format!("\x1b[0;38;5;{index}m"),
        (Colour::Basic, Shade { index: Some(index @ 0..8), .. }) => format!("\x1b[0;{}m", 30 + index),
        (Colour::Basic, Shade { index: Some(index), .. }) => format!("\x1b[0;{}m", 82 + index),
    }
}

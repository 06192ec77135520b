//! Dots within characters.

use super::screen::{BRAILLE, Ink, Screen};
use super::style::Glyphs;
use crate::plot::Point;

/// A field of dots that becomes characters.
#[derive(Debug, Clone)]
pub struct Canvas {
    columns: usize,
    glyphs: Glyphs,
    /// A bit a dot, for each character, row by row.
    cells: Vec<u8>,
}

impl Canvas {
    /// One without dots, of so many characters across and down.
    #[must_use]
    pub fn new(columns: usize, rows: usize, glyphs: Glyphs) -> Self {
        Self { columns, glyphs, cells: vec![0; columns * rows] }
    }

    /// Dots across and down.
    #[must_use]
    pub fn dots(&self) -> (usize, usize) {
        let (across, down) = dots_a_character(self.glyphs);
        (self.columns * across, self.cells.len() / self.columns.max(1) * down)
    }

    /// Draws a line through points whose `x` counts from 0 at the left to 1 at the right; `height` turns
    /// their `y` into dots from the top. What lies outside is left out.
    pub fn join(&mut self, line: &[Point], height: impl Fn(f64) -> f64) {
        let (width, _) = self.dots();
        let place = |point: &Point| {
            ((point.x * width as f64).min(width as f64 - 1.0) as i64, height(point.y).round() as i64)
        };
        if let [only] = line {
            let (x, y) = place(only);
            self.set(x, y);
        }
        for pair in line.windows(2) {
            if let [from, to] = pair {
                self.stroke(place(from), place(to));
            }
        }
    }

    /// Every dot between two, both among them.
    fn stroke(&mut self, (from_x, from_y): (i64, i64), (to_x, to_y): (i64, i64)) {
        let steps = (to_x - from_x).abs().max((to_y - from_y).abs()).max(1);
        for step in 0..=steps {
            let along =
                |from: i64, to: i64| from + ((to - from) as f64 * step as f64 / steps as f64).round() as i64;
            self.set(along(from_x, to_x), along(from_y, to_y));
        }
    }

    /// A dot outside the canvas is left out.
    fn set(&mut self, x: i64, y: i64) {
        let (across, down) = dots_a_character(self.glyphs);
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x / across >= self.columns {
            return;
        }
        if let Some(cell) = self.cells.get_mut(y / down * self.columns + x / across) {
            *cell |= 1 << (y % down * across + x % across);
        }
    }

    /// Adds the dots of another canvas of the same size.
    pub fn add(&mut self, other: &Self) {
        for (cell, other) in self.cells.iter_mut().zip(&other.cells) {
            *cell |= other;
        }
    }

    /// The characters that have dots, each with its column and row.
    pub fn characters(&self) -> impl Iterator<Item = (usize, usize, char)> + '_ {
        let cells = self.cells.iter().enumerate().filter(|&(_, &bits)| bits != 0);
        cells.map(|(place, &bits)| (place % self.columns, place / self.columns, self.character(bits)))
    }

    /// Puts the characters that have dots on the screen.
    pub(super) fn paint(&self, screen: &mut Screen, column: usize, row: usize, ink: Ink) {
        for (right, down, character) in self.characters() {
            screen.overlay(column + right, row + down, character, ink);
        }
    }

    fn character(&self, bits: u8) -> char {
        match (self.glyphs, bits) {
            (Glyphs::Braille, _) => braille(bits),
            (Glyphs::Ascii, 0b01) => '\'',
            (Glyphs::Ascii, 0b10) => '.',
            (Glyphs::Ascii, _) => '|',
        }
    }
}

fn dots_a_character(glyphs: Glyphs) -> (usize, usize) {
    match glyphs {
        Glyphs::Braille => (2, 4),
        Glyphs::Ascii => (1, 2),
    }
}

/// `bits` are row by row, two a row; Unicode numbers the upper three rows by columns, the last row after.
fn braille(bits: u8) -> char {
    const UNICODE_BITS: [u8; 8] = [0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80];
    let dots = UNICODE_BITS.iter().enumerate().filter(|&(place, _)| bits & (1 << place) != 0);
    let pattern = dots.fold(0, |pattern, (_, bit)| pattern | bit);
    char::from_u32(BRAILLE + u32::from(pattern)).unwrap_or(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braille_dots_are_where_unicode_has_them() {
        assert_eq!(braille(0b0000_0001), '⠁'); // dot 1: upper left
        assert_eq!(braille(0b0000_0010), '⠈'); // dot 4: upper right
        assert_eq!(braille(0b0001_0000), '⠄'); // dot 3: third of the left
        assert_eq!(braille(0b0100_0000), '⡀'); // dot 7: lower left
        assert_eq!(braille(0b1000_0000), '⢀'); // dot 8: lower right
        assert_eq!(braille(0xff), '⣿');
    }
}

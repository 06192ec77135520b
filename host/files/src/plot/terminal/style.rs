//! What a terminal can show.

/// Which characters a picture is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Glyphs {
    /// Braille patterns, 2 x 4 dots a character, and line-drawing characters.
    Braille,
    /// ASCII only, 1 x 2 dots a character.
    Ascii,
}

impl Glyphs {
    /// The nearest to a character of a picture that the terminal can show.
    #[must_use]
    pub fn shown(self, character: char) -> char {
        match (self, character) {
            (Self::Braille, character) => character,
            (Self::Ascii, '│' | '┊') => ':',
            (Self::Ascii, '└' | '┘' | '┌' | '┐' | '┤' | '┴') => '+',
            (Self::Ascii, '─' | '−') => '-',
            (Self::Ascii, '·') => '.',
            (Self::Ascii, '▲' | '↑') => '^',
            (Self::Ascii, '▼' | '↓') => 'v',
            (Self::Ascii, '◄' | '←') => '<',
            (Self::Ascii, '►' | '→') => '>',
            (Self::Ascii, 'Δ') => 'd',
            (Self::Ascii, '●') => '*',
            (Self::Ascii, 'µ') => 'u',
            (Self::Ascii, '…') => '~',
            (Self::Ascii, character) if character.is_ascii() => character,
            (Self::Ascii, _) => '?',
        }
    }
}

/// A colour of a terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shade {
    /// Its number among the 256 colours of an xterm, the first 16 of which every colour terminal has; none: that of text.
    pub index: Option<u8>,
    /// Whether it is fainter.
    pub dim: bool,
}

/// Which colours a picture has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// None: no control sequence is written at all.
    None,
    /// The 16 colours of every colour terminal.
    Basic,
    /// The 256 colours of an xterm.
    Indexed,
}

/// How a picture is drawn as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Its characters.
    pub glyphs: Glyphs,
    /// Its colours.
    pub colour: Colour,
}

impl Style {
    /// Unicode without colour, for files and logs.
    pub const PLAIN: Self = Self { glyphs: Glyphs::Braille, colour: Colour::None };

    /// What can be shown on an output, judged by the environment, which `variable` reads.
    ///
    /// Colour needs a terminal, a `TERM` that is neither absent nor `dumb`, and no `NO_COLOR` (<https://no-color.org>).
    /// Braille needs a locale in UTF-8 (`LC_ALL`, else `LC_CTYPE`, else `LANG`) and fonts, which the Linux console
    /// lacks. On Windows the locale is not in the environment, and the Windows Terminal can do all.
    ///
    /// ```
    /// use scopething_files::plot::terminal::{Colour, Glyphs, Style};
    ///
    /// let style = Style::detect(true, |name| match name {
    ///     "TERM" => Some("xterm-256color".to_owned()),
    ///     "LANG" => Some("en_GB.UTF-8".to_owned()),
    ///     _ => None,
    /// });
    /// assert_eq!(style, Style { glyphs: Glyphs::Braille, colour: Colour::Indexed });
    /// ```
    #[must_use]
    pub fn detect(is_terminal: bool, variable: impl Fn(&str) -> Option<String>) -> Self {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        let windows_terminal = variable("WT_SESSION").is_some();
        let kind = variable("TERM").unwrap_or_default();
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default();
        let utf8 = ["utf-8", "utf8"].iter().any(|name| locale.to_ascii_lowercase().contains(name));
        let braille = windows_terminal || (utf8 && !matches!(kind.as_str(), "dumb" | "linux"));
        let many_colours = windows_terminal || kind.contains("256color") || variable("COLORTERM").is_some();
        let colour = if !is_terminal || variable("NO_COLOR").is_some() || kind == "dumb" {
            Colour::None
        } else if many_colours {
            Colour::Indexed
        } else if kind.is_empty() {
            Colour::None
        } else {
            Colour::Basic
        };
        Self { glyphs: if braille { Glyphs::Braille } else { Glyphs::Ascii }, colour }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(is_terminal: bool, environment: &[(&str, &str)]) -> (Glyphs, Colour) {
        let style = Style::detect(is_terminal, |wanted| {
            environment.iter().find(|(name, _)| *name == wanted).map(|(_, value)| (*value).to_owned())
        });
        (style.glyphs, style.colour)
    }

    #[test]
    fn colour_depends_on_terminal_and_user() {
        let utf8 = ("LANG", "C.UTF-8");
        let xterm = ("TERM", "xterm-256color");
        assert_eq!(detect(true, &[utf8, xterm]), (Glyphs::Braille, Colour::Indexed));
        assert_eq!(detect(true, &[utf8, ("TERM", "vt220")]), (Glyphs::Braille, Colour::Basic));
        assert_eq!(detect(false, &[utf8, xterm]), (Glyphs::Braille, Colour::None));
        assert_eq!(detect(true, &[utf8, xterm, ("NO_COLOR", "1")]), (Glyphs::Braille, Colour::None));
        assert_eq!(detect(true, &[utf8, xterm, ("NO_COLOR", "")]), (Glyphs::Braille, Colour::Indexed));
    }

    #[test]
    fn terminals_that_can_do_little_get_ascii() {
        let utf8 = ("LANG", "C.UTF-8");
        assert_eq!(detect(true, &[utf8, ("TERM", "dumb")]), (Glyphs::Ascii, Colour::None));
        let promised = ("COLORTERM", "truecolor");
        assert_eq!(detect(true, &[utf8, promised, ("TERM", "dumb")]), (Glyphs::Ascii, Colour::None));
        assert_eq!(detect(true, &[utf8, ("TERM", "linux")]), (Glyphs::Ascii, Colour::Basic));
        assert_eq!(detect(true, &[("LANG", "C"), ("TERM", "xterm")]), (Glyphs::Ascii, Colour::Basic));
        assert_eq!(detect(true, &[]), (Glyphs::Ascii, Colour::None));
    }

    #[test]
    fn stronger_locale_decides() {
        let xterm = ("TERM", "xterm");
        assert_eq!(detect(true, &[xterm, ("LC_ALL", "C"), ("LANG", "C.UTF-8")]).0, Glyphs::Ascii);
        assert_eq!(detect(true, &[xterm, ("LC_ALL", ""), ("LANG", "de_DE.utf8")]).0, Glyphs::Braille);
    }

    #[test]
    fn windows_terminal_can_do_all() {
        assert_eq!(detect(true, &[("WT_SESSION", "1")]), (Glyphs::Braille, Colour::Indexed));
    }
}

//! Messages on standard error: errors, warnings, notes, and what is going on.
//!
//! A standard error that cannot be written, as that of a terminal that was closed, ends nothing: what is captured matters more
//! than the messages about it.

use std::fmt;
use std::io::Write as _;
use std::str::FromStr;
use std::sync::atomic::{AtomicU8, Ordering};

use super::terminal;

/// How much a message matters, the most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(super) enum Level {
    /// Why a command failed.
    Error,
    /// What makes a result doubtful.
    Warning,
    /// What the user may like to know, and progress.
    Note,
    /// What the program does step by step.
    Detail,
    /// What goes over the link.
    Trace,
}

impl Level {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Error, "error"),
        (Self::Warning, "warn"),
        (Self::Note, "info"),
        (Self::Detail, "debug"),
        (Self::Trace, "trace"),
    ];

    /// The level of so many `-v` and `-q` above or below another.
    pub(super) fn raised(self, by: i16) -> Self {
        let place = (self as i16 + by).clamp(0, Self::Trace as i16);
        Self::ALL.into_iter().map(|(level, _)| level).find(|level| *level as i16 == place).unwrap_or(self)
    }
}

impl FromStr for Level {
    type Err = String;

    /// Reads the names that logs have: `error`, `warn`, `info`, `debug`, `trace`.
    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|(_, name)| name.eq_ignore_ascii_case(text));
        found.map(|(level, _)| level).ok_or_else(|| {
            format!("{text:?} is not a level of messages: give error, warn, info, debug or trace")
        })
    }
}

/// The least that is printed.
static SHOWN: AtomicU8 = AtomicU8::new(Level::Note as u8);

/// Prints messages down to this level from now on.
pub(super) fn show(level: Level) {
    SHOWN.store(level as u8, Ordering::Relaxed);
}

/// Whether messages of this level are printed.
pub(super) fn shows(level: Level) -> bool {
    level as u8 <= SHOWN.load(Ordering::Relaxed)
}

/// Prints a line on standard error, if its level is shown and it can be written.
pub(super) fn line(level: Level, message: fmt::Arguments<'_>) {
    if shows(level) {
        let _ = terminal::stderr().write_all(format!("{message}\n").as_bytes());
    }
}

/// Prints a question, whatever is shown, and leaves the cursor behind it.
pub(super) fn question(text: &str) {
    let mut stderr = terminal::stderr();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}

macro_rules! print_error {
    ($($message:tt)*) => {
        $crate::message::line($crate::message::Level::Error, format_args!("error: {}", format_args!($($message)*)))
    };
}

macro_rules! print_warning {
    ($($message:tt)*) => {
        $crate::message::line($crate::message::Level::Warning, format_args!("warning: {}", format_args!($($message)*)))
    };
}

macro_rules! print_note {
    ($($message:tt)*) => {
        $crate::message::line($crate::message::Level::Note, format_args!("note: {}", format_args!($($message)*)))
    };
}

/// What is going on, without a word ahead of it.
macro_rules! print_status {
    ($($message:tt)*) => {
        $crate::message::line($crate::message::Level::Note, format_args!($($message)*))
    };
}

macro_rules! print_detail {
    ($($message:tt)*) => {
        $crate::message::line($crate::message::Level::Detail, format_args!("debug: {}", format_args!($($message)*)))
    };
}

/// What is printed whatever is shown: the text of a dialogue, and what belongs to an error.
macro_rules! print_always {
    ($($message:tt)*) => {
        $crate::message::line($crate::message::Level::Error, format_args!($($message)*))
    };
}

pub(super) use {print_always, print_detail, print_error, print_note, print_status, print_warning};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_raised_and_lowered_within_bounds() {
        assert_eq!(Level::Note.raised(1), Level::Detail);
        assert_eq!(Level::Note.raised(-1), Level::Warning);
        assert_eq!(Level::Note.raised(-9), Level::Error);
        assert_eq!(Level::Warning.raised(9), Level::Trace);
        assert_eq!("DEBUG".parse(), Ok(Level::Detail));
        assert!("loud".parse::<Level>().unwrap_err().contains("info"));
    }
}

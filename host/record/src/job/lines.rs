//! On which line of a job each key stands, for its errors.

use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A text that is not a valid job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobError {
    /// The line that has to be changed, from 1; none if something is missing.
    pub line: Option<usize>,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.reason),
            None => f.write_str(&self.reason),
        }
    }
}

impl std::error::Error for JobError {}

/// The keys of a job with their lines.
pub(super) struct KeyLines {
    keys: Vec<(Vec<String>, usize)>,
}

/// The line of a byte, from 1.
pub(super) fn line_at(text: &str, byte: usize) -> usize {
    text.as_bytes().iter().take(byte).filter(|&&byte| byte == b'\n').count() + 1
}

impl KeyLines {
    /// Those of a text; none if it is no TOML.
    pub(super) fn of(text: &str) -> Self {
        let mut lines = Self { keys: Vec::new() };
        if let Ok(table) = DeTable::parse(text) {
            lines.add(text, table.get_ref(), &[]);
        }
        lines
    }

    fn add(&mut self, text: &str, table: &DeTable<'_>, above: &[String]) {
        for (key, value) in table {
            let path = [above, &[key.get_ref().to_string()]].concat();
            self.keys.push((path.clone(), line_at(text, key.span().start)));
            if let DeValue::Table(table) = Spanned::get_ref(value) {
                self.add(text, table, &path);
            }
        }
    }

    /// The line of a key, or of what it would stand in.
    fn line(&self, path: &[&str]) -> Option<usize> {
        (1..=path.len()).rev().find_map(|length| {
            let path = path.get(..length)?;
            let same = |key: &[String]| key.iter().map(String::as_str).eq(path.iter().copied());
            self.keys.iter().find(|(key, _)| same(key)).map(|&(_, line)| line)
        })
    }

    /// An error at a key. The names that JSON requests have for it are tried too.
    pub(super) fn error(&self, path: &[&str], reason: String) -> JobError {
        let other = path.last().map(|&key| match key {
            "samples" => "nsamples",
            "level" => "trigger_level",
            "type" => "trigger_type",
            "position" => "trigger_position",
            "trigger-mode" => "trigger_mode",
            other => other,
        });
        let above = path.len().saturating_sub(1);
        let other: Vec<&str> = path.iter().copied().take(above).chain(other).collect();
        let exact = self.keys.iter().any(|(key, _)| key.iter().map(String::as_str).eq(other.iter().copied()));
        let line = if exact { self.line(&other) } else { self.line(path) };
        JobError { line, reason }
    }
}

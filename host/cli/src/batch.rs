//! `--batch`: requests as JSON lines on standard input, and an answer to each before the next is read.

use std::io::{self, BufRead, Write};

use serde_json::{Value, json};

use super::failure::Failure;
use super::session::Session;

/// The longest request line that is read, in bytes.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// Answers the lines of standard input on standard output. Not in a shell, whose commands come from there.
pub(super) fn answer_lines(session: &Session, answer: impl Fn(&str) -> Value) -> Result<(), Failure> {
    if session.stays() {
        return Err(Failure::Usage(anyhow::anyhow!(
            "--batch reads standard input, where a shell's commands come from: run it by itself"
        )));
    }
    let (input, out) = (&mut io::stdin().lock(), &mut crate::terminal::stdout());
    let mut line = Vec::new();
    loop {
        line.clear();
        if io::Read::take(&mut *input, MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let cut = line.len() as u64 == MAX_LINE_BYTES && line.last() != Some(&b'\n');
        if cut {
            input.skip_until(b'\n')?;
            let message = format!("the line is longer than {MAX_LINE_BYTES} bytes: give one request a line");
            writeln!(out, "{}", malformed(&message))?;
        } else if !line.trim_ascii().is_empty() {
            let answer = std::str::from_utf8(&line).map_or_else(|error| malformed(&error), &answer);
            writeln!(out, "{answer}")?;
        }
    }
}

/// The answer to a line that is not a request.
pub(super) fn malformed(why: &impl ToString) -> Value {
    json!({"error": "request", "message": why.to_string()})
}

/// The answer to a request that cannot be met.
pub(super) fn refused(why: &impl ToString) -> Value {
    json!({"error": "configuration", "message": why.to_string()})
}

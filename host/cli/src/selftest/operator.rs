//! An operator at a terminal, or a script on standard input, who wires and reads meters.

use std::io::{self, BufRead};

use super::super::failure::Failure;
use super::super::interrupt::Interrupts;
use super::super::message::{print_always, question};
use scopething_selftest::{Operator, Reply};
use scopething_waveform::quantity::{self, Unit};

/// The longest line that is read, in bytes.
const MAX_LINE_BYTES: u64 = 1 << 12;

/// Asks on standard error, reads standard input.
pub(super) struct Terminal {
    interrupts: Interrupts,
    /// Why an answer could not be had. Experiments know of none: they are left out.
    failure: Option<Failure>,
}

impl Terminal {
    pub(super) fn new(interrupts: Interrupts) -> Self {
        Self { interrupts, failure: None }
    }

    /// Whether an operator answered all along.
    pub(super) fn failure(self) -> Result<(), Failure> {
        self.failure.map_or(Ok(()), Err)
    }

    /// The next line, without blanks at its ends; none at the end of the input.
    pub(super) async fn ask(&self, prompt: &str) -> Result<Option<String>, Failure> {
        question(prompt);
        // Reading blocks, and Ctrl-C is to be seen meanwhile.
        let reading = tokio::task::spawn_blocking(read_line);
        tokio::select! {
            line = reading => line.map_err(io::Error::other)?,
            () = self.interrupts.reached(1) => Err(Failure::Cancelled),
        }
    }

    /// As [`ask`](Self::ask); an answer that cannot be had is none.
    async fn answer(&mut self, prompt: &str) -> Option<String> {
        match self.ask(prompt).await {
            Ok(answer) => answer,
            Err(failure) => {
                self.failure = Some(failure);
                None
            }
        }
    }
}

fn read_line() -> Result<Option<String>, Failure> {
    let mut line = Vec::new();
    let read = io::Read::take(&mut io::stdin().lock(), MAX_LINE_BYTES).read_until(b'\n', &mut line)?;
    if read as u64 == MAX_LINE_BYTES {
        return Err(Failure::Usage(anyhow::anyhow!("a line is longer than {MAX_LINE_BYTES} bytes")));
    }
    let line = String::from_utf8(line).map_err(Failure::usage)?;
    Ok((read > 0).then(|| line.trim().to_owned()))
}

impl Operator for Terminal {
    async fn wire(&mut self, instruction: &str) -> Reply {
        match self.answer(&format!("   {instruction} [Enter: done, s: skip] ")).await.as_deref() {
            Some("" | "done" | "y" | "yes") => Reply::Done,
            _ => Reply::Skip,
        }
    }

    async fn voltage(&mut self, question: &str) -> Option<f64> {
        loop {
            let answer = self.answer(&format!("   {question} [such as 1.52V, Enter: no meter] ")).await?;
            if matches!(answer.as_str(), "" | "s") {
                return None;
            }
            match quantity::parse(&answer, Unit::Volts) {
                Ok(volts) => return Some(volts),
                Err(error) => print_always!("   {error}"),
            }
        }
    }
}

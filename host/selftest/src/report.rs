//! What is sent to the developers: the outcomes with all bytes, and nothing that identifies the owner of the device.

use std::fmt::{self, Write as _};

use serde_json::{Value, json};

use super::{Experiment, Outcome};
use scopething::link::{Direction, LinkUrl};

/// Bytes a line of the text.
const BYTES_A_LINE: usize = 32;

/// How the device is reached; not where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkKind(&'static str);

impl LinkKind {
    /// The kind of a link.
    #[must_use]
    pub fn of(url: &LinkUrl) -> Self {
        Self(match url.sound() {
            LinkUrl::FirstSerial | LinkUrl::Serial { .. } => "serial port",
            LinkUrl::Socket(_) => "TCP",
            LinkUrl::BitscopeServer(_) => "bitscope-server",
            LinkUrl::Bridge(_) => "bridge",
            LinkUrl::Sim { .. } => "simulator",
            // `sound` gives neither.
            LinkUrl::Faulty { .. } | LinkUrl::Stepwise { .. } => "link",
        })
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A report: its text is its [`Display`](fmt::Display).
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// How the device was reached.
    pub link: LinkKind,
    /// In the order in which they were done; experiments that were repeated are there several times.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// The last outcome of each experiment, in the order of their numbers.
    pub fn last(&self) -> impl Iterator<Item = &Outcome> {
        Experiment::ALL.into_iter().filter_map(|experiment| self.outcome(experiment))
    }

    /// The last outcome of an experiment.
    #[must_use]
    pub fn outcome(&self, experiment: Experiment) -> Option<&Outcome> {
        self.outcomes.iter().rfind(|outcome| outcome.experiment == experiment)
    }

    fn system() -> String {
        format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)
    }

    /// The report for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "program": "scopething selftest",
            "version": env!("CARGO_PKG_VERSION"),
            "system": Self::system(),
            "link": self.link.0,
            "experiments": self.outcomes.iter().map(outcome_json).collect::<Value>(),
        })
    }
}

fn outcome_json(outcome: &Outcome) -> Value {
    let Outcome { experiment, verdict, findings, reason, measured, exchanges, .. } = outcome;
    let finding = |finding: &super::Finding| json!({ "name": finding.name(), "seen": finding.to_string() });
    json!({
        "number": experiment.number(),
        "title": experiment.title(),
        "wiring": experiment.wiring(),
        "settles": experiment.settles(),
        "verdict": verdict.name(),
        "findings": findings.iter().map(finding).collect::<Value>(),
        "reason": reason,
        "measured": measured,
        "exchanged": exchanges.chunks.iter().map(super::Exchange::json).collect::<Value>(),
        "bytes_not_kept": exchanges.dropped,
    })
}

/// A line of the summary, with what was found behind it.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let experiment = self.experiment;
        write!(f, "{}. {}: {}", experiment.number(), experiment.title(), self.verdict.name())?;
        for finding in &self.findings {
            write!(f, "\n      {}: {finding}", finding.name())?;
        }
        match &self.reason {
            Some(reason) => write!(f, "\n      {reason}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "scopething selftest {} on {}, over {}\n",
            env!("CARGO_PKG_VERSION"),
            Self::system(),
            self.link
        )?;
        for outcome in self.last() {
            writeln!(f, "{outcome}")?;
        }
        for outcome in &self.outcomes {
            write_details(f, outcome)?;
        }
        Ok(())
    }
}

fn write_details(f: &mut fmt::Formatter<'_>, outcome: &Outcome) -> fmt::Result {
    let Outcome { experiment, measured, exchanges, .. } = outcome;
    writeln!(f, "\n{}. {}", experiment.number(), experiment.title())?;
    writeln!(f, "   settles: {}", experiment.settles())?;
    writeln!(f, "   verdict: {}", outcome.verdict.name())?;
    for (name, value) in measured {
        writeln!(f, "   {name}: {value}")?;
    }
    writeln!(
        f,
        "   exchanged (microseconds, > to the device, < from it; x stands for digits of the serial number):"
    )?;
    for chunk in &exchanges.chunks {
        let arrow = match chunk.direction {
            Direction::Written => '>',
            Direction::Read => '<',
        };
        for line in chunk.bytes.chunks(BYTES_A_LINE) {
            writeln!(f, "   {:>11} {arrow} {}", chunk.at_us, shown(line))?;
        }
    }
    if exchanges.dropped > 0 {
        writeln!(f, "   {} more bytes were not kept", exchanges.dropped)?;
    }
    Ok(())
}

/// Text as it is, with `\r` and the like escaped; samples in hex.
fn shown(bytes: &[u8]) -> String {
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r');
    if bytes.iter().all(is_text) {
        return bytes.escape_ascii().to_string();
    }
    bytes.iter().fold("hex".to_owned(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, " {byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_conceals_device_location() {
        for (url, kind) in [
            ("/dev/serial/by-id/usb-FTDI_DB98TI79", "serial port"),
            ("socket://alice.example:5025", "TCP"),
            ("socket://alice.example:5025?faults=drop@120", "TCP"),
            ("bitscope-server://alice.example?pacing=stepwise", "bitscope-server"),
            ("bitscope-server://alice.example", "bitscope-server"),
            ("bridge://alice.example:1", "bridge"),
            ("sim:?A=file:/home/alice/x.sr%23ana1", "simulator"),
        ] {
            assert_eq!(LinkKind::of(&url.parse().unwrap()).to_string(), kind);
        }
    }

    #[test]
    fn text_as_text_samples_as_hex() {
        assert_eq!(shown(b"?\rBS000501\r"), "?\\rBS000501\\r");
        assert_eq!(shown(&[0x41, 0x80]), "hex 41 80");
    }
}

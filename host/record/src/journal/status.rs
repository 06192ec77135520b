//! The status of a recording: what `record --status` shows, and the text that Prometheus reads.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use scopething::regular;
use serde::{Deserialize, Serialize};

use super::conditions::Condition;

/// A status takes a multiple of this on the disk, which is that of most disks.
const PLACE_BYTES: usize = 4096;

/// The longest status that is read.
const MAX_STATUS_BYTES: u64 = 1 << 20;

/// The status of a recording. Counts are since it was started.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Status {
    /// When it was started.
    pub started: String,
    /// When this was written.
    pub updated: String,
    /// Whether it has ended.
    pub ended: bool,
    /// The link, with the port that was found.
    pub url: String,
    /// The serial number of the scope, once there was one that has it.
    pub serial: Option<String>,
    /// Whether the scope is connected.
    pub connected: bool,
    /// How often the scope was connected to.
    pub connections: u64,
    /// Traces that were captured.
    pub captures: u64,
    /// Traces of which something is kept.
    pub kept: u64,
    /// Traces that are on the disk.
    pub written: u64,
    /// Traces that wait in memory for the disk.
    pub held: u64,
    /// Traces of which nothing is kept, since all that was measured lay in its band.
    pub inside: u64,
    /// Traces that were dropped, since neither disk nor memory had room for them.
    pub dropped: u64,
    /// Traces that were inconsistent.
    pub bad_traces: u64,
    /// Frames of a stream that the link did not carry, as far as is known.
    #[serde(default)]
    pub lost_frames: u64,
    /// How often the link failed or could not be opened.
    pub link_errors: u64,
    /// How often the computer's clock was seen to be set.
    pub clock_steps: u64,
    /// Captures a second, over the last minute or two.
    pub rate_hz: f64,
    /// What the present capture waits for, if its trigger does not come for long.
    #[serde(default)]
    pub waiting: Option<Waiting>,
    /// When the last trace that triggered began.
    pub last_trigger: Option<String>,
    /// How fast the scope's clock runs against the computer's, in parts per million.
    pub drift_ppm: Option<f64>,
    /// The number that the next trace gets.
    pub next_number: u64,
    /// Files of the job.
    pub files: u64,
    /// How long they are together.
    pub file_bytes: u64,
    /// Files that were removed to keep within the job's limits.
    pub removed_files: u64,
    /// What is left on the disk.
    pub free_bytes: Option<u64>,
    /// The present conditions.
    pub conditions: Vec<Condition>,
}

/// A wait for a trigger that does not come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Since when that is known, as text.
    pub since: String,
    /// What is waited for, and what its source does instead where that was looked at.
    pub text: String,
}

impl Status {
    /// Writes it to a file, atomically: a reader gets the previous one until it is complete. On a full disk it takes the place
    /// of the one before.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec(self)?;
        // As long as the next one, so that this one's place is enough for it.
        regular::check(path)?;
        text.resize((text.len() + 1).next_multiple_of(PLACE_BYTES), b' ');
        text.pop();
        text.push(b'\n');
        let mut beside = path.as_os_str().to_owned();
        beside.push(".part");
        // Not synced to disk: after a loss of power it is of no use.
        // What stands there was left by a crash, or is a link that another user has put there: nothing is written through it.
        let _ = fs::remove_file(&beside);
        let created = fs::OpenOptions::new().write(true).create_new(true).open(&beside);
        let written =
            created.and_then(|mut file| file.write_all(&text)).and_then(|()| fs::rename(&beside, path));
        written.or_else(|refused| {
            // A part of it takes room, and is of no use.
            let _ = fs::remove_file(&beside);
            let mut file = regular::open(fs::OpenOptions::new().write(true), path).map_err(|_| refused)?;
            file.write_all(&text)?;
            file.set_len(text.len() as u64)
        })
    }

    /// Reads what was written.
    ///
    /// # Errors
    /// If there is none, or something else.
    pub fn read(path: &Path) -> io::Result<Self> {
        Self::parse(&regular::read(path, MAX_STATUS_BYTES)?)
    }

    /// Reads the text of a status.
    ///
    /// # Errors
    /// If it is something else.
    pub fn parse(text: &[u8]) -> io::Result<Self> {
        Ok(serde_json::from_slice(text)?)
    }

    /// The text format of Prometheus, version 0.0.4.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut text = String::new();
        let flag = |is: bool| if is { 1.0 } else { 0.0 };
        let counters = [
            ("captures_total", "Traces that were captured", self.captures),
            ("kept_total", "Traces of which something is kept", self.kept),
            ("written_total", "Traces that are on the disk", self.written),
            (
                "inside_total",
                "Traces of which nothing is kept, since all values lay in their bands",
                self.inside,
            ),
            ("dropped_total", "Traces that neither disk nor memory had room for", self.dropped),
            ("bad_traces_total", "Traces that were inconsistent", self.bad_traces),
            ("lost_frames_total", "Frames of streams that the link did not carry", self.lost_frames),
            ("link_errors_total", "Failures of the link", self.link_errors),
            ("connections_total", "Times that the scope was connected to", self.connections),
            ("clock_steps_total", "Times that the clock of the computer was set", self.clock_steps),
            ("removed_files_total", "Files removed to keep within limits", self.removed_files),
        ];
        for (name, help, value) in counters {
            metric(&mut text, name, help, "counter", value as f64);
        }
        let gauges = [
            ("connected", "Whether the scope is connected", Some(flag(self.connected))),
            (
                "waiting_for_trigger",
                "Whether the present capture has waited for its trigger for long",
                Some(flag(self.waiting.is_some())),
            ),
            ("held_traces", "Traces that wait in memory for the disk", Some(self.held as f64)),
            ("captures_per_second", "Captures a second, over the last minute or two", Some(self.rate_hz)),
            ("clock_drift_ppm", "How fast the scope's clock runs against the computer's", self.drift_ppm),
            ("files", "Files of the job", Some(self.files as f64)),
            ("file_bytes", "Bytes of the files of the job", Some(self.file_bytes as f64)),
            ("free_bytes", "Bytes left on the disk", self.free_bytes.map(|bytes| bytes as f64)),
            ("conditions", "Number of present fault conditions", Some(self.conditions.len() as f64)),
        ];
        for (name, help, value) in gauges {
            if let Some(value) = value {
                metric(&mut text, name, help, "gauge", value);
            }
        }
        text
    }
}

fn metric(text: &mut String, name: &str, help: &str, kind: &str, value: f64) {
    // A string takes all that is written to it.
    let _ = writeln!(
        text,
        "# HELP scopething_{name} {help}.\n# TYPE scopething_{name} {kind}\nscopething_{name} {value}"
    );
}

impl Status {
    /// Names and values, in words.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        let mut row = |name: &'static str, value: String| rows.push((name, value));
        let state = if self.ended { "ended" } else { "recording" };
        row("state", format!("{state} since {}, updated {}", self.started, self.updated));
        let serial = self.serial.as_deref().unwrap_or("no scope yet");
        let there = match (self.ended, self.connected) {
            (true, _) => "let go of",
            (false, true) => "connected",
            (false, false) => "away",
        };
        row("scope", format!("{serial} at {:?}, {there}", self.url));
        row("captures", format!("{}, {:.3} a second", self.captures, self.rate_hz));
        row("kept", format!("{}, of them {} on the disk, {} in memory", self.kept, self.written, self.held));
        row("not kept", format!("{} inside their bands, {} bad", self.inside, self.bad_traces));
        row("dropped", format!("{} for lack of room", self.dropped));
        row("last trigger", self.last_trigger.clone().unwrap_or_else(|| "none".to_owned()));
        if let Some(Waiting { since, text }) = &self.waiting {
            row("trigger", format!("since {since}: {text}"));
        }
        row("files", format!("{} of {} bytes, {} removed", self.files, self.file_bytes, self.removed_files));
        let free = self.free_bytes.map_or_else(|| "unknown".to_owned(), |bytes| format!("{bytes} bytes"));
        row("disk left", free);
        row("link errors", format!("{}, connected {} times", self.link_errors, self.connections));
        let drift = self.drift_ppm.map_or_else(|| "not known yet".to_owned(), |ppm| format!("{ppm:+.1} ppm"));
        row("clocks", format!("drift {drift}, set {} times", self.clock_steps));
        for condition in &self.conditions {
            row("condition", format!("since {}: {}", condition.since, condition.text));
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("status.json");
        for captures in [1, 2] {
            let status = Status { captures, serial: Some("DB98TI79".to_owned()), ..Status::default() };
            status.write(&path).unwrap();
            assert_eq!(Status::read(&path).unwrap(), status);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn status_overwrites_on_full_disk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("status.json");
        let status = |captures| Status { captures, ..Status::default() };
        // A directory stands where the new file would.
        fs::create_dir(directory.path().join("status.json.part")).unwrap();
        assert!(status(1).write(&path).is_err(), "there is no place yet");
        fs::remove_dir(directory.path().join("status.json.part")).unwrap();
        status(2).write(&path).unwrap();
        let place = fs::metadata(&path).unwrap().len();
        fs::create_dir(directory.path().join("status.json.part")).unwrap();
        status(u64::MAX).write(&path).unwrap();
        assert_eq!(Status::read(&path).unwrap(), status(u64::MAX));
        assert_eq!(fs::metadata(&path).unwrap().len(), place, "it takes no more room");
    }

    /// As the description of the format has it: comments of each metric, then its one value.
    #[test]
    fn each_metric_has_help_type_and_one_value() {
        let status = Status { captures: 7, free_bytes: Some(1 << 40), ..Status::default() };
        let text = status.prometheus();
        let lines: Vec<_> = text.lines().collect();
        for metric in lines.chunks(3) {
            let name = metric[2].split(' ').next().unwrap();
            assert!(metric[0].starts_with(&format!("# HELP {name} ")), "{metric:?}");
            assert!(
                metric[1] == format!("# TYPE {name} counter") || metric[1] == format!("# TYPE {name} gauge")
            );
            assert_eq!(metric[1].ends_with("counter"), name.ends_with("_total"));
            assert!(metric[2].split(' ').nth(1).unwrap().parse::<f64>().unwrap() >= 0.0);
        }
        assert!(
            text.contains("scopething_captures_total 7\n") && text.contains("_free_bytes 1099511627776\n")
        );
        assert!(!text.contains("drift"));
    }
}

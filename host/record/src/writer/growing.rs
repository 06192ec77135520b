//! Files that grow by a trace at a time, and their recovery after a loss of power.
//!
//! A trace is appended in one piece and synced to disk. Whatever ends the program in between leaves a file whose
//! beginning is sound and whose last trace may be cut: [`survey`] finds where the sound part ends. Text after a fault that
//! holds further traces is no cut, but damage that nothing here explains; such a file is left alone.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde::Deserialize;

use super::text::Text;
use scopething::atomic::{directory_of, sync_directory};
use scopething_files::{Format, JOB_COLUMNS, SETTINGS_NOTE};

/// More than the text of a trace of all channels takes. Longer lines are not read into memory.
const MAX_LINE_BYTES: u64 = 1 << 26;

/// What a growing file holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// What it begins with, a line of columns and one of settings before it; none if it has none, as in JSON.
    pub header: Option<String>,
    /// How many bytes of it are sound, from the start.
    pub sound_bytes: u64,
    /// How many bytes follow that are not.
    pub torn_bytes: u64,
    /// Complete traces.
    pub traces: u64,
    /// The number of the last one.
    pub last_number: Option<u64>,
    /// Whether there are traces after the fault: the file was damaged, and not just cut.
    pub damaged: bool,
}

/// Reads a growing file of CSV or JSON from its beginning.
///
/// # Errors
/// If the file cannot be read, or was never one of these.
pub fn survey(path: &Path, format: Format) -> io::Result<Survey> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut lines = LineReader { input: BufReader::new(file), line: Vec::new() };
    let mut survey = Survey::default();
    let mut position = 0;
    let mut under_way: Option<UnderWay> = None;
    let mut note = String::new();
    while lines.next()? {
        position += lines.line.len() as u64;
        let Some(line) = lines.complete() else { break };
        let found = match (format, &survey.header) {
            (Format::Csv, None) => {
                if note.is_empty() && line.starts_with(SETTINGS_NOTE) {
                    note = format!("{line}\n");
                    continue;
                }
                if !line.starts_with(JOB_COLUMNS) {
                    return Err(foreign(path));
                }
                survey.header = Some(format!("{note}{line}"));
                survey.sound_bytes = position;
                continue;
            }
            (Format::Csv, Some(header)) => row(line, header),
            _ => object(line),
        };
        under_way = match (under_way, found) {
            (None, Some(RowStart::Begins { number, rows })) => Some(UnderWay { number, rows_left: rows }),
            (Some(trace), Some(RowStart::Continues { number })) if number == trace.number => Some(trace),
            _ => {
                survey.damaged = lines.hold_another_trace(format, survey.header.as_deref())?;
                break;
            }
        };
        under_way = under_way.and_then(|mut trace| {
            trace.rows_left = trace.rows_left.saturating_sub(1);
            if trace.rows_left > 0 {
                return Some(trace);
            }
            survey.sound_bytes = position;
            survey.traces += 1;
            survey.last_number = Some(trace.number);
            None
        });
    }
    survey.torn_bytes = length.saturating_sub(survey.sound_bytes);
    Ok(survey)
}

fn foreign(path: &Path) -> io::Error {
    let reason = format!("{} is not a file that was recorded here; move it away", path.display());
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// A trace of which rows were read.
struct UnderWay {
    number: u64,
    rows_left: u64,
}

enum RowStart {
    Begins { number: u64, rows: u64 },
    Continues { number: u64 },
}

/// What a row of CSV is; none if it is no row of this file.
fn row(line: &str, header: &str) -> Option<RowStart> {
    let fields = || line.split(',');
    let columns = header.lines().next_back()?;
    if fields().count() != columns.split(',').count() {
        return None;
    }
    let number = fields().next()?.parse().ok()?;
    match fields().nth(4)? {
        "" => Some(RowStart::Continues { number }),
        rows => rows.parse().ok().filter(|&rows| rows > 0).map(|rows| RowStart::Begins { number, rows }),
    }
}

/// What a line of JSON is; none if it is no object of a trace.
fn object(line: &str) -> Option<RowStart> {
    #[derive(Deserialize)]
    struct Object {
        trace: u64,
    }
    let object: Object = serde_json::from_str(line).ok()?;
    Some(RowStart::Begins { number: object.trace, rows: 1 })
}

struct LineReader {
    input: BufReader<File>,
    line: Vec<u8>,
}

impl LineReader {
    /// Reads a line with its end, or what there is of it. False at the end of the file.
    fn next(&mut self) -> io::Result<bool> {
        self.line.clear();
        let read = (&mut self.input).take(MAX_LINE_BYTES).read_until(b'\n', &mut self.line)?;
        Ok(read > 0)
    }

    /// The line without its end; none if it is cut or no text.
    fn complete(&self) -> Option<&str> {
        std::str::from_utf8(self.line.strip_suffix(b"\n")?).ok()
    }

    fn hold_another_trace(&mut self, format: Format, header: Option<&str>) -> io::Result<bool> {
        while self.next()? {
            let found = self.complete().and_then(|line| match format {
                Format::Csv => row(line, header?),
                _ => object(line),
            });
            if let Some(RowStart::Begins { .. }) = found {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A file that traces are appended to.
#[derive(Debug)]
pub struct GrowingFile {
    file: File,
    header: Option<String>,
    sound_bytes: u64,
}

impl GrowingFile {
    /// Makes a new, empty file, whose name outlives a loss of power.
    ///
    /// # Errors
    /// If it is there already or cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create_new(true).open(path)?;
        sync_directory(directory_of(path))?;
        Ok(Self { file, header: None, sound_bytes: 0 })
    }

    /// Opens the sound part of a file that was surveyed, and cuts off what follows it.
    ///
    /// # Errors
    /// If the file cannot be opened or cut.
    pub fn reopen(path: &Path, survey: &Survey) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).open(path)?;
        if survey.torn_bytes > 0 {
            file.set_len(survey.sound_bytes)?;
            file.sync_all()?;
        }
        Ok(Self { file, header: survey.header.clone(), sound_bytes: survey.sound_bytes })
    }

    /// How many bytes it holds.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.sound_bytes
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sound_bytes == 0
    }

    /// Whether the text of a trace has the columns of this file.
    #[must_use]
    pub fn suits(&self, text: &Text) -> bool {
        self.is_empty() || self.header == text.header
    }

    /// Appends the text of a trace, and syncs it to disk if `sync`.
    ///
    /// # Errors
    /// If the disk fails. The file then holds what it held before.
    pub fn append(&mut self, text: &Text, sync: bool) -> io::Result<()> {
        let written = self.write(text, sync);
        if written.is_err() {
            // Should this fail as well, the next survey finds the same end.
            let _ = self.file.set_len(self.sound_bytes);
            let _ = self.file.seek(SeekFrom::Start(self.sound_bytes));
            return written;
        }
        if self.is_empty() {
            self.header.clone_from(&text.header);
        }
        self.sound_bytes = self.file.metadata()?.len();
        Ok(())
    }

    fn write(&mut self, text: &Text, sync: bool) -> io::Result<()> {
        match &text.header {
            Some(header) if self.is_empty() => {
                let all = [header.as_bytes(), b"\n", &text.body].concat();
                self.file.write_all(&all)?;
            }
            _ => self.file.write_all(&text.body)?,
        }
        if sync { self.file.sync_data() } else { Ok(()) }
    }

    /// Syncs the whole file to disk.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(format: Format) -> Vec<Text> {
        let header = (format == Format::Csv).then(|| format!("{JOB_COLUMNS},time,A"));
        let body = |number: u64| match format {
            Format::Csv => format!("{number},2026-01-01T00:00:00Z,1.5,,2,0,1.5\n{number},,,,,0.1,2.5\n"),
            _ => format!("{{\"trace\":{number},\"channels\":{{\"A\":{{\"samples\":[1.5,2.5]}}}}}}\n"),
        };
        (5..9)
            .map(|number| Text { header: header.clone(), body: body(number).into_bytes(), no_gap: None })
            .collect()
    }

    /// A file of four traces, and how long it is after each.
    fn grown(path: &Path, format: Format) -> Vec<u64> {
        let mut file = GrowingFile::create(path).unwrap();
        let append = |text| {
            file.append(&text, false).unwrap();
            file.len()
        };
        texts(format).into_iter().map(append).collect()
    }

    #[test]
    fn cut_file_loses_only_cut_trace() {
        for format in [Format::Csv, Format::Json] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("whole");
            let ends = grown(&path, format);
            let whole = std::fs::read(&path).unwrap();
            let header_bytes = whole.len() as u64 - ends.iter().len() as u64 * (ends[1] - ends[0]);
            for length in 0..=whole.len() as u64 {
                let cut = directory.path().join("cut");
                std::fs::write(&cut, &whole[..length as usize]).unwrap();
                let survey = survey(&cut, format).unwrap();
                let complete = ends.iter().filter(|&&end| end <= length).count();
                let begun = if length >= header_bytes { header_bytes } else { 0 };
                let sound = if complete > 0 { ends[complete - 1] } else { begun };
                assert_eq!(
                    (survey.sound_bytes, survey.torn_bytes),
                    (sound, length - sound),
                    "{format} at {length}"
                );
                assert_eq!(survey.traces, complete as u64);
                assert_eq!(survey.last_number, (complete > 0).then(|| 4 + complete as u64));
                assert!(!survey.damaged);
                let mut file = GrowingFile::reopen(&cut, &survey).unwrap();
                for text in &texts(format)[complete..] {
                    file.append(text, false).unwrap();
                }
                assert_eq!(std::fs::read(&cut).unwrap(), whole, "{format} cut at {length} and grown again");
            }
        }
    }

    #[test]
    fn zeros_after_last_trace_are_cut() {
        for format in [Format::Csv, Format::Json] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("x");
            let ends = grown(&path, format);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[ends[2] as usize..].fill(0);
            std::fs::write(&path, bytes).unwrap();
            let survey = survey(&path, format).unwrap();
            assert_eq!((survey.sound_bytes, survey.traces, survey.damaged), (ends[2], 3, false));
        }
    }

    #[test]
    fn damage_before_sound_traces_is_no_cut() {
        for format in [Format::Csv, Format::Json] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("x");
            let ends = grown(&path, format);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[ends[0] as usize..ends[1] as usize - 1].fill(b'?');
            std::fs::write(&path, bytes).unwrap();
            let survey = survey(&path, format).unwrap();
            assert_eq!((survey.sound_bytes, survey.damaged), (ends[0], true), "{format}");
        }
    }

    #[test]
    fn file_of_another_program_is_not_touched() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x");
        std::fs::write(&path, "name,age\nx,1\n").unwrap();
        assert_eq!(survey(&path, Format::Csv).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}

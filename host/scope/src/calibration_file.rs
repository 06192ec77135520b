//! The file of calibrated probes: `~/.config/scopething/analog.conf`, an INI file with a section for each
//! connection URL and in it a line for each probe.
//!
//! ```text
//! [file:///dev/ttyUSB0]
//! x1 = 1.1 -0.05 0 1.1 -0.05 -0.05 18.333 -7.517 -5.5 8 0
//! ```
//!
//! The eleven numbers are `la lb lc ha hb hc scale offset safe_low safe_high ab_offset`, as in
//! [`AnalogParameters`]. Writing a probe changes its line and nothing else: other sections, other probes,
//! comments, blank lines and line ends stay as they are, and the file is replaced as a whole or not at all.
//! It is no lock: of two programs that write at the same time one may lose its line.
//!
//! A line `attenuation = 10`, or `attenuation = A=10,B=1`, is what the volts of `x1` probes on that connection are multiplied
//! by if nothing else is said: see [`Attenuation`].
//!
//! Names of probes are read in either case, `:` counts as `=`, and lines that begin with a blank go on with
//! the one before, as in the files of Python's `configparser`.
//!
//! ```
//! use scopething::calibration_file::CalibrationFile;
//! use scopething_core::device::AnalogParameters;
//!
//! let directory = tempfile::tempdir()?;
//! let file = CalibrationFile::new(directory.path().join("scopething/analog.conf"));
//! assert_eq!(file.read("sim:", "x1")?, None);
//! file.write("sim:", "x1", &AnalogParameters::NOMINAL_X1)?;
//! assert_eq!(file.read("sim:", "x1")?, Some(AnalogParameters::NOMINAL_X1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use ini_roundtrip::{Item, Parser};
use scopething_core::device::{AnalogParameters, Attenuation, BS05};
use thiserror::Error;

use crate::atomic::{AtomicError, AtomicFile};
use crate::link::LinkUrl;
use crate::regular;

/// Why a calibration was not read or written.
#[derive(Debug, Error)]
pub enum CalibrationFileError {
    /// The file is there and cannot be read.
    #[error("{} cannot be read: {source}; check the file, or calibrate with another one", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The line of a probe is not eleven numbers.
    #[error(
        "line {line} of {} is not the eleven numbers of probe {probe}; correct it, or calibrate the \
         probe anew",
        path.display()
    )]
    Numbers {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
        /// The probe.
        probe: String,
    },
    /// The attenuation of a connection is none.
    #[error(
        "line {line} of {} is not an attenuation; give a factor such as 10, or A=10,B=1",
        path.display()
    )]
    Attenuation {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
    },
    /// A URL or a probe with characters that the file cannot hold.
    #[error(
        "{name:?} cannot be a name in the file of calibrations; give one without line ends, and \
         a probe in letters and digits"
    )]
    Name {
        /// What was given.
        name: String,
    },
    /// No directory for the file.
    #[error("{} cannot be made: {source}; make it, or name another file", directory.display())]
    Directory {
        /// The directory.
        directory: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file was not written.
    #[error(transparent)]
    Write(#[from] AtomicError),
}

/// A file of calibrated probes, which need not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalibrationFile {
    path: PathBuf,
}

/// The longest file that is read: some ten thousand probes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The key of the attenuation of a connection, which is no probe's name.
const ATTENUATION: &str = "attenuation";
/// How a file names its eleven numbers, in their order.
const NUMBERS: usize = 11;

impl CalibrationFile {
    /// The file at a path.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// The user's file. None where the user has no home directory.
    #[must_use]
    pub fn of_user() -> Option<Self> {
        let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty())?;
        Some(Self::new(home.join(".config/scopething/analog.conf")))
    }

    /// The parameters of a probe on a connection, from the user's file; of an x1 probe that is not in it the nominal
    /// ones of the BS05. None of any other probe that is not in it. An x1 probe has the [attenuation](Self::attenuation)
    /// that the file gives for the connection.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn probe_of_user(
        url: &LinkUrl,
        probe: &str,
    ) -> Result<Option<AnalogParameters>, CalibrationFileError> {
        Self::probe_attenuated(url, probe, None)
    }

    /// As [`probe_of_user`](Self::probe_of_user), with this attenuation instead of the one that the file gives.
    ///
    /// # Errors
    /// As [`read`](Self::read), and as [`attenuation`](Self::attenuation).
    pub fn probe_attenuated(
        url: &LinkUrl,
        probe: &str,
        attenuation: Option<Attenuation>,
    ) -> Result<Option<AnalogParameters>, CalibrationFileError> {
        let (url, is_x1) = (url.sound().to_string(), probe == "x1");
        let (calibrated, usual) = match Self::of_user() {
            Some(file) if is_x1 && attenuation.is_none() => {
                (file.read(&url, probe)?, file.attenuation(&url)?)
            }
            Some(file) => (file.read(&url, probe)?, None),
            None => (None, None),
        };
        let parameters = calibrated.or(is_x1.then_some(BS05.analog));
        let attenuation = attenuation.or(usual).unwrap_or_default();
        Ok(parameters.map(|parameters| parameters.attenuated(attenuation)))
    }

    /// The section of a link: as other programs name it, which write serial ports as URLs.
    ///
    /// ```
    /// use scopething::calibration_file::CalibrationFile;
    ///
    /// for (url, section) in [
    ///     ("/dev/ttyUSB0", "file:///dev/ttyUSB0"),
    ///     ("COM3", "COM3"),
    ///     ("socket://localhost:5025", "socket://localhost:5025"),
    /// ] {
    ///     assert_eq!(CalibrationFile::section_of(&url.parse()?), section);
    /// }
    /// # Ok::<(), scopething::link::UrlError>(())
    /// ```
    #[must_use]
    pub fn section_of(url: &LinkUrl) -> String {
        match url {
            LinkUrl::Serial { port } if port.starts_with('/') => format!("file://{port}"),
            url => url.to_string(),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The parameters of a probe on a connection. None if the file, or the file's section, has none.
    ///
    /// # Errors
    /// If the file cannot be read, or the probe's line is not eleven numbers.
    pub fn read(&self, url: &str, probe: &str) -> Result<Option<AnalogParameters>, CalibrationFileError> {
        let text = self.text()?;
        let Some(entry) = find(&text, url, probe).entry else { return Ok(None) };
        let parameters = parse(&entry.value).ok_or_else(|| CalibrationFileError::Numbers {
            path: self.path.clone(),
            line: line_of(&text, &entry),
            probe: probe.to_owned(),
        })?;
        Ok(Some(parameters))
    }

    /// What the volts of x1 probes on a connection are multiplied by. None if the file, or the file's section, has no
    /// such line.
    ///
    /// # Errors
    /// If the file cannot be read, or the line is no attenuation.
    pub fn attenuation(&self, url: &str) -> Result<Option<Attenuation>, CalibrationFileError> {
        let text = self.text()?;
        let Some(entry) = find(&text, url, ATTENUATION).entry else { return Ok(None) };
        let attenuation = entry.value.parse().map_err(|_| CalibrationFileError::Attenuation {
            path: self.path.clone(),
            line: line_of(&text, &entry),
        })?;
        Ok(Some(attenuation))
    }

    /// Writes the parameters of a probe on a connection, in the place of those that are there.
    ///
    /// # Errors
    /// If the file is there and cannot be read, or cannot be written. It then is as it was.
    pub fn write(
        &self,
        url: &str,
        probe: &str,
        parameters: &AnalogParameters,
    ) -> Result<(), CalibrationFileError> {
        let is_url = !url.trim().is_empty() && url.trim() == url && !url.contains(['\r', '\n']);
        let is_probe = !probe.is_empty()
            && !probe.eq_ignore_ascii_case(ATTENUATION)
            && probe.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        for (name, is_one) in [(url, is_url), (probe, is_probe)] {
            if !is_one {
                return Err(CalibrationFileError::Name { name: name.to_owned() });
            }
        }
        let text = with_entry(&self.text()?, url, probe, parameters);
        if let Some(directory) = self.path.parent() {
            let made = std::fs::create_dir_all(directory);
            made.map_err(|source| CalibrationFileError::Directory {
                directory: directory.to_owned(),
                source,
            })?;
        }
        let mut file = AtomicFile::create(&self.path)?;
        let written = file.write_all(text.as_bytes());
        written.map_err(|source| AtomicError::Write { path: self.path.clone(), source })?;
        Ok(file.commit()?)
    }

    /// The whole file; empty if there is none.
    fn text(&self) -> Result<String, CalibrationFileError> {
        match regular::read_to_string(&self.path, MAX_FILE_BYTES) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
            result => result.map_err(|source| CalibrationFileError::Read { path: self.path.clone(), source }),
        }
    }
}

/// A probe's line, with those that go on with it.
#[derive(Debug)]
struct Entry {
    range: Range<usize>,
    value: String,
}

/// What a text has of a section and a probe in it, as places in the text.
#[derive(Debug, Default)]
struct Found {
    entry: Option<Entry>,
    /// Behind the section's last line that is not blank.
    section_end: Option<usize>,
}

/// The number of an entry's line, from 1 on.
fn line_of(text: &str, entry: &Entry) -> usize {
    text.get(..entry.range.start).unwrap_or_default().lines().count() + 1
}

/// Whether two names of sections stand for one link: a serial port has several.
fn is_same_link(one: &str, other: &str) -> bool {
    let link = |name: &str| name.parse::<LinkUrl>().ok();
    one == other || link(one).is_some_and(|one| link(other) == Some(one))
}

/// Looks for the first section of this name, and the first line of this probe in it.
fn find(text: &str, section: &str, probe: &str) -> Found {
    let mut found = Found::default();
    let mut parser = Parser::new(text);
    let (mut inside, mut goes_on) = (false, false);
    loop {
        let start = text.len() - parser.remainder().len();
        let Some(item) = parser.next() else { return found };
        let end = text.len() - parser.remainder().len();
        match item {
            Item::Section { .. } if found.section_end.is_some() => return found,
            Item::Section { name, .. } => inside = is_same_link(name, section),
            Item::Property { key, val, raw } if inside => {
                let value = val.map(|value| (key, value)).or_else(|| key.split_once(':'));
                let is_probe = |(key, _): &(&str, &str)| key.trim().eq_ignore_ascii_case(probe);
                if raw.starts_with([' ', '\t']) && goes_on {
                    if let Some(entry) = &mut found.entry {
                        entry.range.end = end;
                        entry.value = format!("{} {}", entry.value, raw.trim());
                    }
                } else if let (Some((_, value)), None) = (value.filter(is_probe), &found.entry) {
                    found.entry = Some(Entry { range: start..end, value: value.trim().to_owned() });
                    goes_on = true;
                } else {
                    goes_on = false;
                }
            }
            Item::Comment { .. } | Item::Error(_) => goes_on = false,
            Item::Property { .. } | Item::Blank { .. } | Item::SectionEnd => {}
        }
        if inside && !matches!(item, Item::Blank { .. } | Item::SectionEnd) {
            found.section_end = Some(end);
        }
    }
}

fn parse(value: &str) -> Option<AnalogParameters> {
    let numbers: Vec<f64> = value.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
    let [la, lb, lc, ha, hb, hc, scale, offset, safe_low, safe_high, ab_offset] =
        <[f64; NUMBERS]>::try_from(numbers).ok().filter(|numbers| numbers.iter().all(|n| n.is_finite()))?;
    let attenuation = Attenuation::NONE;
    Some(AnalogParameters {
        la,
        lb,
        lc,
        ha,
        hb,
        hc,
        scale,
        offset,
        safe_low,
        safe_high,
        ab_offset,
        attenuation,
    })
}

/// The text with a probe's line replaced, or added to its section, or added with its section.
fn with_entry(text: &str, section: &str, probe: &str, parameters: &AnalogParameters) -> String {
    let AnalogParameters { la, lb, lc, ha, hb, hc, scale, offset, safe_low, safe_high, ab_offset, .. } =
        parameters;
    let line = format!(
        "{probe} = {la} {lb} {lc} {ha} {hb} {hc} {scale} {offset} {safe_low} {safe_high} {ab_offset}"
    );
    let line_end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let (range, new) = match find(text, section, probe) {
        Found { entry: Some(Entry { range, .. }), .. } => (range, format!("{line}{line_end}")),
        Found { section_end: Some(end), .. } => (end..end, format!("{line}{line_end}")),
        Found { .. } => {
            let blank = if text.is_empty() { "" } else { line_end };
            (text.len()..text.len(), format!("{blank}[{section}]{line_end}{line}{line_end}"))
        }
    };
    let (before, after) =
        (text.get(..range.start).unwrap_or(text), text.get(range.end..).unwrap_or_default());
    let unended = !before.is_empty() && !before.ends_with(['\r', '\n']);
    format!("{before}{}{new}{after}", if unended { line_end } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PROBE: AnalogParameters = AnalogParameters {
        la: 1.5,
        lb: -0.25,
        lc: 0.0,
        ha: 2.5,
        hb: -0.125,
        hc: 1e-5,
        scale: 18.0,
        offset: -7.5,
        safe_low: -5.0,
        safe_high: 8.25,
        ab_offset: 0.1,
        attenuation: Attenuation::NONE,
    };
    const LINE: &str = "1.5 -0.25 0 2.5 -0.125 0.00001 18 -7.5 -5 8.25 0.1";

    fn written(text: &str, section: &str, probe: &str) -> String {
        with_entry(text, section, probe, &PROBE)
    }

    fn value_of(text: &str, section: &str, probe: &str) -> Option<String> {
        find(text, section, probe).entry.map(|entry| entry.value)
    }

    #[test]
    fn an_empty_file_gets_a_section() {
        assert_eq!(written("", "sim:", "x1"), format!("[sim:]\nx1 = {LINE}\n"));
    }

    #[test]
    fn link_is_found_under_each_name() {
        let text = "[file:///dev/ttyUSB0]\nx1 = 1\n[SOCKET://h:1]\nx1 = 2\n";
        for (section, value) in [
            ("/dev/ttyUSB0", Some("1")),
            ("socket:///dev/ttyUSB0", Some("1")),
            ("socket://h:1", Some("2")),
            ("/dev/ttyUSB1", None),
            ("socket://h:2", None),
        ] {
            assert_eq!(value_of(text, section, "x1").as_deref(), value, "{section}");
        }
        assert_eq!(written(text, "/dev/ttyUSB0", "x1"), text.replace("x1 = 1", &format!("x1 = {LINE}")));
    }

    #[test]
    fn attenuation_is_that_of_the_connection() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("analog.conf");
        let text = "[sim:]\nattenuation = A=10, B=1\n[/dev/ttyUSB0]\nattenuation: 2\n[a]\nx1 = 1\nattenuation = ten\n";
        std::fs::write(&path, text).unwrap();
        let file = CalibrationFile::new(path);
        assert_eq!(file.attenuation("sim:").unwrap(), Some(Attenuation { a: 10.0, b: 1.0 }));
        assert_eq!(file.attenuation("file:///dev/ttyUSB0").unwrap(), Some(Attenuation::both(2.0)));
        assert_eq!(file.attenuation("socket://h:1").unwrap(), None);
        let refused = file.attenuation("a").unwrap_err().to_string();
        assert!(refused.contains("line 7 of "), "{refused}");
        // A calibration does not take its place.
        assert!(matches!(file.write("sim:", "Attenuation", &PROBE), Err(CalibrationFileError::Name { .. })));
    }

    #[test]
    fn only_the_probes_own_line_changes() {
        let text = "# mine\n\n[a]\nx1 = 1\n\n[socket://h:1]\n; probes\nx10=2\nX1 = 3 4\n\n[b]\nx1: 5\n";
        let expected = text.replace("X1 = 3 4", &format!("x1 = {LINE}"));
        assert_eq!(written(text, "socket://h:1", "x1"), expected);
    }

    #[test]
    fn new_probe_goes_to_the_end_of_its_section() {
        let text = "[a]\nx1 = 1\n# note\n\n\n[b]\nx1 = 2\n";
        let expected = format!("[a]\nx1 = 1\n# note\nx10 = {LINE}\n\n\n[b]\nx1 = 2\n");
        assert_eq!(written(text, "a", "x10"), expected);
        assert_eq!(written("[a]\n[b]\n", "a", "x1"), format!("[a]\nx1 = {LINE}\n[b]\n"));
    }

    #[test]
    fn a_new_section_comes_last() {
        let expected = format!("[a]\nx1 = 1\n\n[b]\nx1 = {LINE}\n");
        assert_eq!(written("[a]\nx1 = 1\n", "b", "x1"), expected);
        assert_eq!(written("[a]\nx1 = 1", "b", "x1"), expected);
    }

    #[test]
    fn line_ends_stay_what_they_are() {
        let expected = format!("[a]\r\nx1 = {LINE}\r\n# end\r\n");
        assert_eq!(written("[a]\r\nx1 = 1\r\n# end\r\n", "a", "x1"), expected);
        assert_eq!(written("[a]\nx1 = 1", "a", "x10"), format!("[a]\nx1 = 1\nx10 = {LINE}\n"));
    }

    #[test]
    fn continuation_lines_are_one_value() {
        let text = "[a]\nx1 = 1 2\n  3 4\n\t5\nx10 = 6\n";
        assert_eq!(value_of(text, "a", "x1").unwrap(), "1 2 3 4 5");
        assert_eq!(value_of(text, "a", "x10").unwrap(), "6");
        assert_eq!(written(text, "a", "x1"), format!("[a]\nx1 = {LINE}\nx10 = 6\n"));
    }

    #[test]
    fn first_duplicate_counts() {
        let text = "[a]\nx1 = 1\nx1 = 2\n[a]\nx10 = 3\n";
        assert_eq!(value_of(text, "a", "x1").unwrap(), "1");
        assert_eq!(value_of(text, "a", "x10"), None);
        assert_eq!(value_of("x1 = 1\n[b\n", "b", "x1"), None);
    }

    #[test]
    fn eleven_finite_numbers_are_parameters() {
        assert_eq!(parse(LINE), Some(PROBE));
        assert_eq!(parse(&LINE.replace("0.00001", "1e-05")), Some(PROBE));
        for broken in
            ["", "1 2 3", &format!("{LINE} 1"), &LINE.replace("18", "nan"), &LINE.replace("18", "x")]
        {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let directory = tempfile::tempdir().unwrap();
        let file = CalibrationFile::new(directory.path().join("new/analog.conf"));
        for (url, probe) in
            [("sim:?A=sine,1kHz", "x1"), ("socket://[::1]:1", "x1"), ("sim:?A=sine,1kHz", "x10")]
        {
            file.write(url, probe, &PROBE).unwrap();
            assert_eq!(file.read(url, probe).unwrap(), Some(PROBE));
            assert_eq!(file.read(url, "x100").unwrap(), None);
        }
    }

    #[test]
    fn broken_line_is_named_and_replaceable() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("analog.conf");
        std::fs::write(&path, "# mine\n[a]\n\nx1 = 1 2\n").unwrap();
        let file = CalibrationFile::new(path);
        let broken = file.read("a", "x1").unwrap_err();
        assert!(matches!(&broken, CalibrationFileError::Numbers { line: 4, .. }), "{broken}");
        file.write("a", "x1", &PROBE).unwrap();
        assert_eq!(file.read("a", "x1").unwrap(), Some(PROBE));
    }

    #[test]
    fn invalid_files_and_names_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("analog.conf");
        std::fs::write(&path, b"[a]\nx1 = \xff\n").unwrap();
        let file = CalibrationFile::new(path.clone());
        assert!(matches!(file.read("a", "x1"), Err(CalibrationFileError::Read { .. })));
        assert!(matches!(file.write("a", "x1", &PROBE), Err(CalibrationFileError::Read { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"[a]\nx1 = \xff\n");
        for (url, probe) in
            [("", "x1"), ("a\n[b]", "x1"), (" a", "x1"), ("a", ""), ("a", "x=1"), ("a", "x 1")]
        {
            assert!(matches!(file.write(url, probe, &PROBE), Err(CalibrationFileError::Name { .. })));
        }
        let beneath = CalibrationFile::new(path.join("analog.conf"));
        assert!(matches!(
            beneath.write("a", "x1", &PROBE),
            Err(CalibrationFileError::Read { .. } | CalibrationFileError::Directory { .. })
        ));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn whatever_the_file_holds_all_other_lines_survive(
            lines in prop::collection::vec(
                prop_oneof![
                    Just("[a]".to_owned()), Just("[b]".to_owned()), Just(String::new()),
                    "(x1|x10|X1) ?[=:] ?[0-9 .]{0,8}", "[ \t]{0,2}[#;\\[]?[a-z =\\]\\[é]{0,6}",
                ],
                0..12,
            ),
            line_end in prop_oneof![Just("\n"), Just("\r\n")],
            ended in any::<bool>(),
        ) {
            let mut text = lines.join(line_end);
            if ended {
                text.push_str(line_end);
            }
            let before = find(&text, "a", "x1");
            let after = with_entry(&text, "a", "x1", &PROBE);
            prop_assert_eq!(value_of(&after, "a", "x1"), Some(LINE.to_owned()));
            prop_assert_eq!(value_of(&after, "b", "x1"), value_of(&text, "b", "x1"));
            prop_assert_eq!(value_of(&after, "a", "x10"), value_of(&text, "a", "x10"));
            // What was not the probe's own is still there, in its order.
            let old = before.entry.map_or(text.len()..text.len(), |entry| entry.range);
            let kept = format!("{}{}", &text[..old.start], &text[old.end..]);
            let mut rest = after.lines();
            for line in kept.lines() {
                prop_assert!(rest.any(|other| other == line), "{line:?} of {text:?} is lost in {after:?}");
            }
        }
    }
}

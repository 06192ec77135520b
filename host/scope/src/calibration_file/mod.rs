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

mod text;

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use scopething_core::device::{AnalogParameters, Attenuation, BS05};
use thiserror::Error;

pub use self::text::LineFault;
use self::text::{find, ignored, line_of, parse, with_entry};
use crate::atomic::{AtomicError, AtomicFile};
use crate::link::LinkUrl;
pub use crate::probe_numbers::{NUMBERS, of_numbers, to_numbers};
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
    /// A calibration of x1 probes would be multiplied by the attenuation of the connection, which it finds itself.
    #[error(
        "[{url}] in {} has x1 probes multiplied by {attenuation}, which a calibration finds itself: calibrate them as \
         probes of their own, named x10 for one, or take that line out",
        path.display()
    )]
    Multiplied {
        /// The file.
        path: PathBuf,
        /// The section.
        url: String,
        /// What the line gives.
        attenuation: Attenuation,
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
/// The probes that it is for.
const X1: &str = "x1";

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
        let (url, is_x1) = (url.sound().to_string(), probe == X1);
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

    /// The lines that are passed over, since they cannot be understood: whoever wrote them expects a calibration that
    /// is not used.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn ignored_lines(&self) -> Result<Vec<IgnoredLine>, CalibrationFileError> {
        let lines = ignored(&self.text()?).into_iter();
        Ok(lines.map(|(line, fault)| IgnoredLine { path: self.path.clone(), line, fault }).collect())
    }

    /// Whether the file can hold parameters under these names, to be known before they are measured.
    ///
    /// # Errors
    /// [`CalibrationFileError::Name`].
    pub fn check(url: &str, probe: &str) -> Result<(), CalibrationFileError> {
        let is_url = !url.trim().is_empty() && url.trim() == url && !url.contains(['\r', '\n']);
        let is_probe = !probe.is_empty()
            && !probe.eq_ignore_ascii_case(ATTENUATION)
            && probe.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        match [(url, is_url), (probe, is_probe)].iter().find(|(_, is_one)| !is_one) {
            Some((name, _)) => Err(CalibrationFileError::Name { name: (*name).to_owned() }),
            None => Ok(()),
        }
    }

    /// Whether the parameters that a calibration of a probe finds would be used as they are.
    ///
    /// # Errors
    /// [`CalibrationFileError::Multiplied`]; if the file cannot be read, or its line is no attenuation.
    pub fn check_unmultiplied(&self, url: &str, probe: &str) -> Result<(), CalibrationFileError> {
        if probe != X1 {
            return Ok(());
        }
        match self.attenuation(url)? {
            Some(attenuation) if attenuation != Attenuation::NONE => Err(CalibrationFileError::Multiplied {
                path: self.path.clone(),
                url: url.to_owned(),
                attenuation,
            }),
            _ => Ok(()),
        }
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
        Self::check(url, probe)?;
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

/// A line of the file that is passed over, since it cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredLine {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1 on.
    pub line: usize,
    /// What is wrong with it.
    pub fault: LineFault,
}

impl fmt::Display for IgnoredLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of {} is left out: ", self.line, self.path.display())?;
        f.write_str(match self.fault {
            LineFault::UnendedSection => "its section has no ]; what follows belongs to the section before",
            LineFault::OutsideSection => "it stands before any section; put [URL] above it",
            LineFault::NoValue => "it is no section, no comment and no PROBE = NUMBERS",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::text::PROBE;
    use super::*;

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
    fn lines_that_are_not_understood_are_named() {
        let text = "# mine\nx1 = 1\n[a]\nx1 = 1 2\n  3\n\n[b\nx10 : 2\nwhat\n; end\n";
        assert_eq!(
            ignored(text),
            [(2, LineFault::OutsideSection), (7, LineFault::UnendedSection), (9, LineFault::NoValue)]
        );
        assert_eq!(ignored("[a]\r\nx1 = 1\r\n\r\n[b]\r\nx1=2"), []);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("analog.conf");
        assert_eq!(CalibrationFile::new(path.clone()).ignored_lines().unwrap(), []);
        std::fs::write(&path, text).unwrap();
        let lines = CalibrationFile::new(path).ignored_lines().unwrap();
        assert!(lines[1].to_string().starts_with("line 7 of "), "{}", lines[1]);
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
}

//! The formats by name and by ending.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use thiserror::Error;

/// A file format of traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Text with a row a sample time: `time,A,B,L0`.
    Csv,
    /// The same for spreadsheets of countries that write 1,5: `time;A;B;L0`.
    CsvSemicolons,
    /// A JSON object a line and capture.
    Json,
    /// Arrays for numpy.
    Npz,
    /// A table for pandas and polars.
    Parquet,
    /// A session of sigrok, for `PulseView`.
    Sr,
    /// A value change dump, for `GTKWave`.
    Vcd,
    /// Volts as 32-bit floating point audio.
    Wav,
    /// A scalable picture.
    Svg,
    /// A picture of pixels.
    Png,
}

/// No format has this name, or this ending.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormatError {
    /// A name that is not among the formats.
    #[error("there is no file format {name:?}; choose one of {}", names())]
    Name {
        /// What was given.
        name: String,
    },
    /// A file name whose extension names no format.
    #[error(
        "the extension of {path:?} is no known file format; use one of {}, or name the format",
        endings()
    )]
    Ending {
        /// The file name.
        path: String,
    },
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Csv,
        Self::CsvSemicolons,
        Self::Json,
        Self::Npz,
        Self::Parquet,
        Self::Sr,
        Self::Vcd,
        Self::Wav,
        Self::Svg,
        Self::Png,
    ];

    /// The name, which is also the usual ending.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::CsvSemicolons => "csv;",
            Self::Json => "json",
            Self::Npz => "npz",
            Self::Parquet => "parquet",
            Self::Sr => "sr",
            Self::Vcd => "vcd",
            Self::Wav => "wav",
            Self::Svg => "svg",
            Self::Png => "png",
        }
    }

    /// The format that a file name's extension names, in capitals or not.
    ///
    /// # Errors
    /// If the name has no ending, or none that belongs to a format.
    pub fn of_path(path: &Path) -> Result<Self, FormatError> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        let format = match ending.as_deref() {
            Some("jsonl" | "ndjson") => Some(Self::Json),
            Some(ending) => ending.parse().ok(),
            None => None,
        };
        format.ok_or_else(|| FormatError::Ending { path: path.display().to_string() })
    }

    /// Whether a file of this format holds any number of captures, and not just one.
    #[must_use]
    pub fn holds_several(self) -> bool {
        matches!(self, Self::Csv | Self::CsvSemicolons | Self::Json)
    }

    /// Whether [`open`](super::open) can read this format.
    #[must_use]
    pub fn is_readable(self) -> bool {
        !matches!(self, Self::Svg | Self::Png)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = FormatError;

    /// Reads a format's [`name`](Format::name).
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|format| format.name() == name);
        named.ok_or_else(|| FormatError::Name { name: name.to_owned() })
    }
}

fn names() -> String {
    Format::ALL.map(Format::name).join(", ")
}

fn endings() -> String {
    let usual = Format::ALL.into_iter().filter(|format| *format != Format::CsvSemicolons);
    usual.map(|format| format!(".{format}")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_choose_the_format() {
        for (path, format) in [
            ("x.csv", Format::Csv),
            ("a/b.d/x.JSON", Format::Json),
            ("x.jsonl", Format::Json),
            ("x.y.sr", Format::Sr),
            ("x.PNG", Format::Png),
        ] {
            assert_eq!(Format::of_path(Path::new(path)), Ok(format));
        }
        for path in ["", "csv", ".csv", "x.", "x.txt", "x.csv/y", ".."] {
            assert!(matches!(Format::of_path(Path::new(path)), Err(FormatError::Ending { .. })), "{path}");
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        let refused = "xlsx".parse::<Format>().unwrap_err().to_string();
        assert!(refused.contains("\"xlsx\"") && refused.contains("csv, csv;, json"), "{refused}");
    }
}

//! Files of own samples for the waveform generator.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use scopething_core::device::BS05;
use thiserror::Error;

/// The samples of one period of a waveform: as many as the device's table has, 0 for the low to 1 for the
/// high end.
#[derive(Debug, Clone, PartialEq)]
pub struct WaveTable(Vec<f32>);

/// Why a file holds no samples of a waveform.
#[derive(Debug, Error)]
pub enum WaveTableError {
    /// It cannot be read.
    #[error("{} cannot be read: {source}; give a text file of numbers from 0 to 1", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not text, or far longer than a table.
    #[error("{} is no text file of up to {most} numbers: give one", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Samples of the table.
        most: usize,
    },
    /// Something in it is not a number from 0 to 1.
    #[error("line {line} of {}: {word:?} is not a sample: give numbers from 0 to 1", path.display())]
    Sample {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on.
        line: usize,
        /// What stands there.
        word: String,
    },
    /// Too few or too many numbers.
    #[error("{} has {given} samples: give 2 to {most}", path.display())]
    Count {
        /// The file.
        path: PathBuf,
        /// How many there are.
        given: usize,
        /// Samples of the table.
        most: usize,
    },
}

/// Far more than a table takes in the longest digits and with comments, in bytes.
const LONGEST_FILE: u64 = 1 << 20;
/// How many samples the device's table has.
const TABLE_SAMPLES: usize = BS05.generator.table_samples as usize;

impl WaveTable {
    /// Reads a text file: 2 to 1024 numbers from 0 to 1 with commas, semicolons or white space between; what
    /// follows a `#` is a comment.
    ///
    /// Fewer numbers than the table has fill it as stairs, each held for its part of the period.
    ///
    /// # Errors
    /// [`WaveTableError`].
    pub fn read(path: &Path) -> Result<Self, WaveTableError> {
        let mut text = String::new();
        let opened = File::open(path);
        let read = opened.and_then(|file| file.take(LONGEST_FILE + 1).read_to_string(&mut text));
        let not_text = || WaveTableError::NotText { path: path.to_owned(), most: TABLE_SAMPLES };
        match read {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(not_text()),
            Err(source) => return Err(WaveTableError::Read { path: path.to_owned(), source }),
            Ok(length) if length as u64 > LONGEST_FILE => return Err(not_text()),
            Ok(_) => {}
        }
        Self::of_samples(path, &samples(path, &text)?)
    }

    fn of_samples(path: &Path, samples: &[f32]) -> Result<Self, WaveTableError> {
        let given = samples.len();
        if !(2..=TABLE_SAMPLES).contains(&given) {
            return Err(WaveTableError::Count { path: path.to_owned(), given, most: TABLE_SAMPLES });
        }
        let held = |index: usize| samples.get(index * given / TABLE_SAMPLES).copied();
        Ok(Self((0..TABLE_SAMPLES).filter_map(held).collect()))
    }

    /// The samples, as many as the device's table has.
    #[must_use]
    pub fn samples(&self) -> &[f32] {
        &self.0
    }
}

fn samples(path: &Path, text: &str) -> Result<Vec<f32>, WaveTableError> {
    let mut samples = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let numbers = line.split('#').next().unwrap_or_default();
        for word in numbers.split(|c: char| c.is_whitespace() || ",;".contains(c)).filter(|w| !w.is_empty()) {
            let sample = word.parse().ok().filter(|sample| (0.0..=1.0).contains(sample));
            samples.push(sample.ok_or_else(|| WaveTableError::Sample {
                path: path.to_owned(),
                line: index + 1,
                word: word.chars().take(40).collect(),
            })?);
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<WaveTable, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        WaveTable::read(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn as_many_numbers_as_the_table_has_are_the_table() {
        let numbers: Vec<f32> = (0..1024_u16).map(|index| f32::from(index) / 1024.0).collect();
        let text: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        assert_eq!(read(text.join("\n").as_bytes()).unwrap().samples(), numbers);
    }

    #[test]
    fn fewer_are_held() {
        let table = read(b"# stairs\r\n0, 0.25;0.5\t1 # up\n").unwrap();
        let wanted: Vec<f32> = (0..1024).map(|index| [0.0, 0.25, 0.5, 1.0][index / 256]).collect();
        assert_eq!(table.samples(), wanted);
        let thirds = read(b"0 1 0").unwrap();
        // 341 1/3 samples each: the table begins a third at the first whole one.
        let high: Vec<usize> = (0..1024).filter(|&index| thirds.samples()[index] == 1.0).collect();
        assert_eq!((high[0], high.len()), (342, 341));
    }

    #[test]
    fn what_is_no_table_is_refused_with_a_reason() {
        let too_many = "0 ".repeat(1025);
        let too_long = " ".repeat((1 << 20) + 1);
        let cases: [(&[u8], &str); 9] = [
            (b"", "0 samples"),
            (b"0.5", "1 samples: give 2 to 1024"),
            (too_many.as_bytes(), "1025 samples"),
            (too_long.as_bytes(), "no text file"),
            (b"\xff\xfe", "no text file"),
            (b"0\n0.5\nvolts", "line 3"),
            (b"0 1.01", "\"1.01\""),
            (b"-0.1 0", "\"-0.1\""),
            (b"0 NaN", "\"NaN\""),
        ];
        for (bytes, part) in cases {
            let refused = read(bytes).unwrap_err();
            assert!(refused.contains(part), "{part} in {refused}");
        }
        let missing = WaveTable::read(Path::new("no-such-file.csv")).unwrap_err().to_string();
        assert!(missing.contains("no-such-file.csv cannot be read"), "{missing}");
    }
}

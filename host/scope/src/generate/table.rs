//! Files of own samples for the waveform generator.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hound::{SampleFormat, WavReader, WavSpec};
use scopething_core::device::BS05;
use thiserror::Error;

use crate::regular;

/// The samples of one period of a waveform: as many as the device's table has, 0 for the low to 1 for the
/// high end.
#[derive(Debug, Clone, PartialEq)]
pub struct WaveTable(Vec<f32>);

/// Why a file holds no samples of a waveform.
#[derive(Debug, Error)]
pub enum WaveTableError {
    /// It cannot be read.
    #[error("{} cannot be read: {source}; give a text file of numbers from 0 to 1, or a WAV file", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It is neither text nor audio, or far longer than a table.
    #[error("{} is no text file of up to {most} numbers, and no WAV file: give one", path.display())]
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
    /// It begins like a WAV file, and is none, or not one of a single channel.
    #[error("{} is a WAV file of which no waveform can be made: {reason}", path.display())]
    Wav {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        reason: String,
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
const MAX_FILE_BYTES: u64 = 1 << 20;
/// How many samples the device's table has.
const TABLE_SAMPLES: usize = BS05.generator.table_samples as usize;

impl WaveTable {
    /// Reads a text file: 2 to 1024 numbers from 0 to 1 with commas, semicolons or white space between; what
    /// follows a `#` is a comment. Or a WAV file of one channel with as many samples: its -1 to 1 become 0 to 1.
    ///
    /// Fewer samples than the table has fill it as stairs, each held for its part of the period.
    ///
    /// # Errors
    /// [`WaveTableError`].
    pub fn read(path: &Path) -> Result<Self, WaveTableError> {
        let mut bytes = Vec::new();
        let opened = regular::open(OpenOptions::new().read(true), path);
        let read = opened.and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
        read.map_err(|source| WaveTableError::Read { path: path.to_owned(), source })?;
        Self::parse(path, &bytes)
    }

    /// As [`read`](Self::read), of the bytes of a file; the path is for errors.
    ///
    /// # Errors
    /// [`WaveTableError`].
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, WaveTableError> {
        if bytes.starts_with(b"RIFF") {
            return Self::of_samples(path, &wav_samples(path, bytes)?);
        }
        match str::from_utf8(bytes) {
            Ok(text) if bytes.len() as u64 <= MAX_FILE_BYTES => Self::of_samples(path, &samples(path, text)?),
            _ => Err(WaveTableError::NotText { path: path.to_owned(), most: TABLE_SAMPLES }),
        }
    }

    fn of_samples(path: &Path, samples: &[f32]) -> Result<Self, WaveTableError> {
        let given = samples.len();
        let count = || WaveTableError::Count { path: path.to_owned(), given, most: TABLE_SAMPLES };
        Self::stairs(samples).ok_or_else(count)
    }

    /// 2 to 1024 samples from 0 to 1 in a table, each held for its part of the period. None of fewer or more.
    #[must_use]
    pub fn stairs(samples: &[f32]) -> Option<Self> {
        let given = samples.len();
        let held = |index: usize| samples.get(index * given / TABLE_SAMPLES).copied();
        let is_some = (2..=TABLE_SAMPLES).contains(&given);
        is_some.then(|| Self((0..TABLE_SAMPLES).filter_map(held).collect()))
    }

    /// The samples, as many as the device's table has.
    #[must_use]
    pub fn samples(&self) -> &[f32] {
        &self.0
    }
}

/// The samples of a WAV file, from 0 to 1.
fn wav_samples(path: &Path, bytes: &[u8]) -> Result<Vec<f32>, WaveTableError> {
    let refused = |reason: String| WaveTableError::Wav { path: path.to_owned(), reason };
    let damaged = |error: hound::Error| refused(format!("{error}; save it again"));
    let reader = WavReader::new(bytes).map_err(damaged)?;
    let WavSpec { channels, sample_format, bits_per_sample, .. } = reader.spec();
    if channels != 1 {
        return Err(refused(format!("it has {channels} channels; save one of them")));
    }
    let given = reader.duration() as usize;
    if given > TABLE_SAMPLES {
        return Err(WaveTableError::Count { path: path.to_owned(), given, most: TABLE_SAMPLES });
    }
    let values: Result<Vec<f32>, _> = match sample_format {
        SampleFormat::Float => reader.into_samples().collect(),
        SampleFormat::Int => {
            let full_scale = f64::from(bits_per_sample - 1).exp2();
            let samples = reader.into_samples::<i32>();
            samples.map(|sample| Ok((f64::from(sample?) / full_scale) as f32)).collect()
        }
    };
    let values = values.map_err(damaged)?;
    if let Some(value) = values.iter().find(|value| !(-1.0..=1.0).contains(*value)) {
        return Err(refused(format!("its sample {value} is beyond -1 to 1; save it with less gain")));
    }
    Ok(values.iter().map(|value| f32::midpoint(*value, 1.0)).collect())
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
    fn full_length_file_is_the_table() {
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

    /// A WAV file as its specification lays it out: RIFF, `fmt ` of PCM (1) or floats (3), `data`.
    fn wav(tag: u16, channels: u16, bits: u16, data: &[u8]) -> Vec<u8> {
        let block = channels * bits / 8;
        let format = [tag.to_le_bytes(), channels.to_le_bytes()].concat();
        let rates = [8000_u32.to_le_bytes(), (8000 * u32::from(block)).to_le_bytes()].concat();
        let sizes = [block.to_le_bytes(), bits.to_le_bytes()].concat();
        let length = |bytes: usize| (bytes as u32).to_le_bytes();
        let riff = [&b"RIFF"[..], &length(36 + data.len()), b"WAVEfmt ", &length(16)].concat();
        [riff, format, rates, sizes, b"data".to_vec(), length(data.len()).to_vec(), data.to_vec()].concat()
    }

    #[test]
    fn audio_is_scaled_to_0_to_1() {
        let quarters = |table: &WaveTable| [0, 256, 512, 768].map(|index| table.samples()[index]);
        let words = [-32768_i16, -16384, 0, 16384].map(i16::to_le_bytes).concat();
        assert_eq!(quarters(&read(&wav(1, 1, 16, &words)).unwrap()), [0.0, 0.25, 0.5, 0.75]);
        // 8 bits are without sign: 128 is the middle.
        assert_eq!(quarters(&read(&wav(1, 1, 8, &[0, 64, 128, 192])).unwrap()), [0.0, 0.25, 0.5, 0.75]);
        let floats = [-1.0_f32, 1.0, -0.5, 0.0].map(f32::to_le_bytes).concat();
        assert_eq!(quarters(&read(&wav(3, 1, 32, &floats)).unwrap()), [0.0, 1.0, 0.25, 0.5]);
        assert_eq!(read(&wav(1, 1, 16, &[0; 2048])).unwrap().samples(), [0.5; 1024]);
        for (bytes, part) in [
            (wav(1, 1, 16, &[0; 2050]), "1025 samples: give 2 to 1024"),
            (wav(1, 1, 8, &vec![0; 1 << 21]), "2097152 samples"),
            (wav(1, 1, 16, &[0; 2]), "1 samples"),
            (wav(1, 2, 16, &[0; 8]), "2 channels; save one"),
            (wav(3, 1, 32, &[1.5_f32, 0.0].map(f32::to_le_bytes).concat()), "1.5 is beyond -1 to 1"),
            (wav(3, 1, 32, &[f32::NAN, 0.0].map(f32::to_le_bytes).concat()), "NaN is beyond"),
            (wav(1, 1, 16, &[0; 64])[..50].to_vec(), "save it again"),
            (b"RIFF".to_vec(), "save it again"),
        ] {
            let refused = read(&bytes).unwrap_err();
            assert!(refused.contains(part), "{part} in {refused}");
        }
    }

    #[test]
    fn invalid_table_is_refused() {
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

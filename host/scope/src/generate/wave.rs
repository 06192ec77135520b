//! Waveform specifications as text: `sine 1kHz 0..3.3V`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use scopething_core::plan::{WaveShape, WaveformRequest};

use super::{SpecError, once};
use crate::request::{SampleCountError, sample_count};
use scopething_waveform::quantity::{self, Unit};

const EXAMPLE: &str = "\"sine 1kHz 0..3.3V\"";
const WORDS: &str = "a shape, a frequency, LOW..HIGH, a symmetry such as 30%, min-samples=N or max-error=E";

/// The shape of a waveform in a specification.
#[derive(Debug, Clone, PartialEq)]
pub enum ShapeSpec {
    /// One that the device makes by itself.
    BuiltIn(WaveShape<'static>),
    /// The samples in a file, which [`WaveTable`](super::WaveTable) reads.
    File(PathBuf),
}

impl FromStr for ShapeSpec {
    type Err = SpecError;

    fn from_str(word: &str) -> Result<Self, SpecError> {
        if let Some(path) = word.strip_prefix("file:").filter(|path| !path.is_empty()) {
            return Ok(Self::File(path.into()));
        }
        let shape = word.to_ascii_lowercase().parse();
        shape.map(Self::BuiltIn).map_err(|source| SpecError::Shape { word: word.to_owned(), source })
    }
}

impl fmt::Display for ShapeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn(shape) => shape.fmt(f),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

/// A specification of a waveform; what is not given has its default, but for the frequency.
///
/// Its text has these words in any order, with blanks or commas between:
///
/// | word | means | default |
/// | --- | --- | --- |
/// | `sine`, `triangle`, `exponential`, `square`, `file:PATH` | the shape | sine |
/// | `1kHz` | the frequency | |
/// | `0..3.3V` | lowest and highest output | 0 to 3.3 V |
/// | `30%` | symmetry: the part of the period spent rising, or high | 50 % |
/// | `min-samples=12` | the fewest samples in a period, 2 to 1024 | 50 |
/// | `max-error=1%` | how far the frequency may be off | 0.01 % |
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WaveSpec {
    /// One period of the waveform.
    pub shape: Option<ShapeSpec>,
    /// The frequency, in hertz.
    pub frequency_hz: Option<f64>,
    /// The part of the period spent rising, or high, 0 to 1.
    pub symmetry: Option<f64>,
    /// The lowest output, in volts.
    pub low: Option<f64>,
    /// The highest output, in volts.
    pub high: Option<f64>,
    /// The fewest samples in a period.
    pub min_samples: Option<u16>,
    /// How far the frequency may be off, as a part of it.
    pub max_error: Option<f64>,
}

impl WaveSpec {
    /// This specification, completed by `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            shape: self.shape.or(other.shape),
            frequency_hz: self.frequency_hz.or(other.frequency_hz),
            symmetry: self.symmetry.or(other.symmetry),
            low: self.low.or(other.low),
            high: self.high.or(other.high),
            min_samples: self.min_samples.or(other.min_samples),
            max_error: self.max_error.or(other.max_error),
        }
    }

    /// The file that the samples of one period are in, if they are in one.
    #[must_use]
    pub fn file(&self) -> Option<&PathBuf> {
        if let Some(ShapeSpec::File(path)) = &self.shape { Some(path) } else { None }
    }

    /// The request, with `table` as the samples of one period if they are [in a file](Self::file).
    ///
    /// # Errors
    /// [`SpecError::NoFrequency`].
    pub fn request<'t>(&self, table: &'t [f32]) -> Result<WaveformRequest<'t>, SpecError> {
        let frequency_hz = self.frequency_hz.ok_or(SpecError::NoFrequency { example: EXAMPLE })?;
        let shape = match &self.shape {
            None => WaveShape::Sine,
            Some(ShapeSpec::BuiltIn(shape)) => *shape,
            Some(ShapeSpec::File(_)) => WaveShape::Own(table),
        };
        let defaults = WaveformRequest::new(frequency_hz, shape);
        Ok(WaveformRequest {
            symmetry: self.symmetry.unwrap_or(defaults.symmetry),
            low: self.low.unwrap_or(defaults.low),
            high: self.high.unwrap_or(defaults.high),
            min_samples: self.min_samples.unwrap_or(defaults.min_samples),
            max_error: self.max_error.unwrap_or(defaults.max_error),
            ..defaults
        })
    }

    fn take(&mut self, word: &str) -> Result<(), SpecError> {
        if let Some((key, value)) = word.split_once('=') {
            return match key {
                "min-samples" => once(&mut self.min_samples, min_samples(value)?, "min-samples"),
                "max-error" => {
                    once(&mut self.max_error, quantity::parse(value, Unit::Fraction)?, "max-error")
                }
                _ => Err(SpecError::Unexpected { word: word.to_owned(), expected: WORDS }),
            };
        }
        if word.starts_with("file:") {
            return once(&mut self.shape, word.parse()?, "the shape");
        }
        if let Some((low, high)) = word.split_once("..") {
            once(&mut self.low, quantity::parse(low, Unit::Volts)?, "the range")?;
            return once(&mut self.high, quantity::parse(high, Unit::Volts)?, "the range");
        }
        if word.ends_with('%') {
            return once(&mut self.symmetry, quantity::parse(word, Unit::Fraction)?, "the symmetry");
        }
        if word.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
            return once(&mut self.frequency_hz, quantity::parse(word, Unit::Hertz)?, "the frequency");
        }
        once(&mut self.shape, word.parse()?, "the shape")
    }
}

/// Reads a least number of samples in a period: a whole number that a register could hold. The planner
/// checks the value.
///
/// # Errors
/// [`SampleCountError`].
pub fn min_samples(text: &str) -> Result<u16, SampleCountError> {
    sample_count(text, u16::MAX)
}

impl FromStr for WaveSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let mut spec = Self::default();
        for word in text.split([',', ' ', '\t']).filter(|word| !word.is_empty()) {
            spec.take(word)?;
        }
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(text: &str) -> WaveformRequest<'static> {
        text.parse::<WaveSpec>().unwrap().request(&[]).unwrap()
    }

    #[test]
    fn words_come_in_any_order() {
        let wanted = WaveformRequest {
            symmetry: 0.3,
            low: 0.5,
            high: 2.0,
            min_samples: 12,
            max_error: 0.01,
            ..WaveformRequest::new(2e3, WaveShape::Square)
        };
        assert_eq!(request("square 2kHz 500mV..2V 30% min-samples=12 max-error=1%"), wanted);
        assert_eq!(request("max-error=0.01,30%,0.5..2,min-samples=12,2k,Square"), wanted);
    }

    #[test]
    fn what_is_not_given_has_its_default() {
        assert_eq!(request("50"), WaveformRequest::new(50.0, WaveShape::Sine));
        let given: WaveSpec = "triangle 1kHz".parse().unwrap();
        let first = WaveSpec { frequency_hz: Some(5.0), ..WaveSpec::default() };
        assert_eq!(first.or(given).request(&[]), Ok(WaveformRequest::new(5.0, WaveShape::Triangle)));
    }

    #[test]
    fn own_samples_are_those_that_are_given() {
        let spec: WaveSpec = "file:a/b.csv 100Hz".parse().unwrap();
        assert_eq!(spec.file(), Some(&PathBuf::from("a/b.csv")));
        assert_eq!(spec.request(&[0.5]).unwrap().shape, WaveShape::Own(&[0.5]));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, part) in [
            ("saw 1kHz", "\"saw\" is not a waveform: give sine"),
            ("1kHz 2kHz", "the frequency is given twice"),
            ("sine square 1kHz", "the shape is given twice"),
            ("0..1 1..2 1kHz", "the range is given twice"),
            ("sine 1kV", "\"kV\" in \"1kV\""),
            ("sine 1kHz 0..x", "\"x\" is not a number"),
            ("sine 1kHz duty=5", "\"duty=5\" is not understood"),
            ("sine 1kHz min-samples=1.5", "\"1.5\" is not a number of samples"),
            ("sine 1kHz min-samples=-1", "\"-1\" is not a number of samples"),
            ("NaN", "\"NaN\" is not a waveform"),
            ("file: 1kHz", "\"file:\" is not a waveform"),
            ("sine", "there is no frequency"),
            ("", "there is no frequency"),
        ] {
            let spec = text.parse::<WaveSpec>();
            let refused = spec.and_then(|spec| spec.request(&[]).map(drop)).unwrap_err().to_string();
            assert!(refused.contains(part), "{text}: {refused}");
        }
    }
}

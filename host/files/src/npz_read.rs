//! Reads archives of numpy arrays: what the NPZ writers write, of traces and of streams, and others that have a
//! sample rate or an array of times.
//!
//! An array `NAME` with an array `NAME_timestamps` beside it is a channel; without any such, arrays of one dimension are
//! channels, sampled at the times of an array `time`, or evenly by the number `sample_rate`.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use zip::ZipArchive;

use super::assign::{Candidate, assign};
use super::facts::Known;
use super::options::ReadOptions;
use super::spacing::{self, Precision};
use super::{Format, MAX_SAMPLES, ReadError, TraceReader};
use scopething_waveform::waveform::{Samples, Series, Waveform};

const MAX_ENTRIES: usize = 10_000;
const TIMES: &str = "_timestamps";

/// Reads the capture in an archive of numpy.
pub struct NpzReader<R> {
    archive: ZipArchive<R>,
    options: ReadOptions,
    read: bool,
    warnings: Vec<String>,
}

/// An array as far as it is understood here.
enum Array {
    /// Of one dimension.
    Numbers(Vec<f64>),
    /// Without dimensions.
    Number(f64),
    Text(String),
    Texts(Vec<String>),
}

fn fault(reason: impl Into<String>) -> ReadError {
    ReadError::NotOfFormat { format: Format::Npz, reason: reason.into() }
}

impl<R: Read + Seek> NpzReader<R> {
    /// Opens an archive; nothing but its directory is read.
    ///
    /// # Errors
    /// If it is no zip archive.
    pub fn new(input: R, options: ReadOptions) -> Result<Self, ReadError> {
        let archive = ZipArchive::new(input).map_err(|error| fault(error.to_string()))?;
        if archive.len() > MAX_ENTRIES {
            return Err(fault(format!("{} arrays are too many", archive.len())));
        }
        Ok(Self { archive, options, read: false, warnings: Vec::new() })
    }

    fn arrays(&mut self) -> Result<BTreeMap<String, Array>, ReadError> {
        let names: Vec<String> =
            self.archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
        let mut arrays = BTreeMap::new();
        let mut room = MAX_SAMPLES as u64 * 8;
        for entry in names {
            let Some(name) = entry.strip_suffix(".npy") else { continue };
            let wrong = |error: String| ReadError::Entry { entry: entry.clone(), reason: error };
            let file = self.archive.by_name(&entry).map_err(|error| wrong(error.to_string()))?;
            let mut bytes = Vec::new();
            file.take(room + 1)
                .read_to_end(&mut bytes)
                .map_err(|error| wrong(format!("it is damaged ({error})")))?;
            room = room.checked_sub(bytes.len() as u64).ok_or(ReadError::TooLong)?;
            if let Some(array) = array(&bytes).map_err(|reason| wrong(reason.to_owned()))? {
                arrays.insert(name.to_owned(), array);
            }
        }
        Ok(arrays)
    }

    fn capture(&mut self) -> Result<Waveform, ReadError> {
        let arrays = self.arrays()?;
        let known = Known::of(&facts_of(&arrays));
        let numbers = |name: &str| match arrays.get(name) {
            Some(Array::Numbers(numbers)) => Some(numbers),
            _ => None,
        };
        let has_own_times = arrays.keys().any(|name| name.ends_with(TIMES));
        let is_channel = |name: &str| {
            let beside = numbers(&format!("{name}{TIMES}")).is_some();
            let is_other = ["time", "t", "lost", "warnings"].contains(&name) || name.ends_with(TIMES);
            if has_own_times { beside } else { !is_other }
        };
        let names: Vec<&String> =
            arrays.keys().filter(|name| numbers(name).is_some() && is_channel(name)).collect();
        let is_analog = |name: &str| {
            let named = name.parse::<scopething_waveform::waveform::Channel>();
            let levels = || {
                numbers(name).is_some_and(|numbers| numbers.iter().all(|&level| level == 0.0 || level == 1.0))
            };
            named.map_or_else(|_| !levels(), scopething_core::plan::Channel::is_analog)
        };
        let candidates: Vec<Candidate> =
            names.iter().map(|name| Candidate::new(name.as_str(), is_analog(name))).collect();
        if candidates.is_empty() {
            return Err(fault("it has no array of samples"));
        }
        let rate_hz = known.sample_rate_hz.or(self.options.rate_hz);
        let mut channels = Vec::new();
        for one in assign(&candidates, &self.options.channels, &mut self.warnings)? {
            let Some(name) = names.get(one.index) else { continue };
            let Some(samples) = numbers(name) else { continue };
            let times =
                numbers(&format!("{name}{TIMES}")).or_else(|| numbers("time")).or_else(|| numbers("t"));
            let (start_s, period_s) = match times {
                Some(times) if times.len() != samples.len() => {
                    return Err(fault(format!(
                        "{name} has {} samples at {} times",
                        samples.len(),
                        times.len()
                    )));
                }
                Some(times) => {
                    let even = spacing::judge(
                        times.len(),
                        |at| times.get(at).copied().unwrap_or(f64::NAN),
                        Precision::BINARY,
                        1.0,
                    );
                    match (even, rate_hz) {
                        (Ok(even), _) => (even.start_s, even.period_s),
                        (Err(spacing::Irregular::TooFew), Some(rate_hz)) => {
                            (times.first().copied().unwrap_or(0.0), rate_hz.recip())
                        }
                        _ => return Err(fault(format!("the times of {name} are not evenly spaced"))),
                    }
                }
                None => (0.0, rate_hz.ok_or(ReadError::NoRate)?.recip()),
            };
            let (first, count) = self.options.window().of(start_s, period_s);
            let part = samples.iter().skip(first as usize).take(usize::try_from(count).unwrap_or(usize::MAX));
            let samples = if one.channel.is_analog() {
                Samples::Volts(part.map(|&sample| sample as f32).collect())
            } else if part.clone().all(|&level| level == 0.0 || level == 1.0) {
                Samples::Levels(part.map(|&level| u8::from(level > 0.5)).collect())
            } else {
                return Err(fault(format!("{name} has samples that are neither 0 nor 1")));
            };
            let series = Series::new(one.channel, start_s + first as f64 * period_s, period_s, samples);
            let label = one.label.or_else(|| known.channel(one.channel).and_then(|fact| fact.name.clone()));
            channels.push(Series { label, ..series });
        }
        if channels.iter().all(|series| series.samples.is_empty()) {
            let from_s = self.options.from_s.unwrap_or(0.0);
            let end_s = channels.iter().map(|series| series.start_s).fold(f64::NEG_INFINITY, f64::max);
            return Err(ReadError::NothingThere { from_s, start_s: 0.0, end_s });
        }
        channels.retain(|series| !series.samples.is_empty());
        let clock_hz = known.sample_rate_hz.unwrap_or_else(|| spacing::clock_hz(&channels));
        self.options.at_rate(known.waveform(clock_hz, channels)?)
    }
}

/// Arrays without dimensions as [facts](super::facts).
fn facts_of(arrays: &BTreeMap<String, Array>) -> Vec<(String, String)> {
    let text = |array: &Array| match array {
        Array::Number(number) if number.is_nan() => None,
        Array::Number(number) => Some(number.to_string()),
        Array::Text(text) if text.is_empty() => None,
        Array::Text(text) => Some(text.clone()),
        Array::Texts(texts) => Some(serde_json::Value::from(texts.clone()).to_string()),
        Array::Numbers(_) => None,
    };
    arrays.iter().filter_map(|(name, array)| Some((name.clone(), text(array)?))).collect()
}

/// Reads an array of a kind that is of use here.
fn array(bytes: &[u8]) -> Result<Option<Array>, &'static str> {
    let wrong = "it is no array of numpy";
    let version = bytes.strip_prefix(b"\x93NUMPY").and_then(|rest| rest.first()).ok_or(wrong)?;
    let (length, begin) = match version {
        1 => (bytes.get(8..10).map(|two| usize::from(u16::from_le_bytes([two[0], two[1]]))), 10),
        _ => (
            bytes.get(8..12).and_then(|four| usize::try_from(u32::from_le_bytes(four.try_into().ok()?)).ok()),
            12,
        ),
    };
    let end = length.and_then(|length| length.checked_add(begin)).ok_or(wrong)?;
    let header = std::str::from_utf8(bytes.get(begin..end).ok_or(wrong)?).map_err(|_| wrong)?;
    let data = bytes.get(end..).unwrap_or_default();
    let value = |key: &str| {
        let after = header.split_once(&format!("'{key}':"))?.1.trim_start();
        Some(after)
    };
    let kind = value("descr").and_then(|text| text.strip_prefix('\'')?.split('\'').next()).ok_or(wrong)?;
    let shape = value("shape").and_then(|text| text.strip_prefix('(')?.split(')').next()).ok_or(wrong)?;
    let dimensions = shape.split(',').filter(|size| !size.trim().is_empty()).count();
    if let Some(length) = kind.strip_prefix("<U").and_then(|length| length.parse::<usize>().ok()) {
        let text = |letters: &[u8]| -> String {
            let codes =
                letters.chunks_exact(4).filter_map(|code| Some(u32::from_le_bytes(code.try_into().ok()?)));
            codes.take_while(|&code| code != 0).filter_map(char::from_u32).collect()
        };
        return Ok(match dimensions {
            0 => Some(Array::Text(text(data))),
            1 => {
                let bytes = length.max(1).checked_mul(4).ok_or(wrong)?;
                Some(Array::Texts(data.chunks_exact(bytes).map(text).collect()))
            }
            _ => None,
        });
    }
    macro_rules! numbers {
        ($number:ty) => {
            data.chunks_exact(size_of::<$number>())
                .filter_map(|bytes| Some(<$number>::from_le_bytes(bytes.try_into().ok()?) as f64))
                .collect::<Vec<f64>>()
        };
    }
    #[allow(clippy::cast_lossless, reason = "one macro for all kinds of numbers")]
    let numbers = match kind {
        "<f4" => numbers!(f32),
        "<f8" => numbers!(f64),
        "|u1" | "|b1" => numbers!(u8),
        "|i1" => numbers!(i8),
        "<u2" => numbers!(u16),
        "<i2" => numbers!(i16),
        "<u4" => numbers!(u32),
        "<i4" => numbers!(i32),
        "<u8" => numbers!(u64),
        "<i8" => numbers!(i64),
        _ => return Ok(None),
    };
    Ok(match dimensions {
        0 => numbers.first().copied().map(Array::Number),
        1 => Some(Array::Numbers(numbers)),
        _ => None,
    })
}

impl<R: Read + Seek + Send> TraceReader for NpzReader<R> {
    fn read(&mut self) -> Result<Option<Waveform>, ReadError> {
        if std::mem::replace(&mut self.read, true) {
            return Ok(None);
        }
        self.capture().map(Some)
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}

//! Reads archives of numpy arrays: what the NPZ writers write, of traces and of streams, and others that have a
//! sample rate or an array of times.
//!
//! An array `NAME` with an array `NAME_timestamps` beside it is a channel; without any such, arrays of one dimension are
//! channels, sampled at the times of an array `time`, or evenly by the number `sample_rate`.

mod array;
pub(crate) mod pieces;

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use zip::ZipArchive;

use self::array::{Array, Header, array, damaged};
use crate::facts::Known;
use crate::readers::assign::{Candidate, assign};
use crate::readers::options::ReadOptions;
use crate::readers::spacing::{self, Precision};
use crate::{Format, MAX_SAMPLES, ReadError, TraceReader};
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
        let mut arrays = BTreeMap::new();
        let mut room = MAX_SAMPLES;
        for (entry, name) in names_of_arrays(&self.archive) {
            let wrong = |reason: String| ReadError::Entry { entry: entry.clone(), reason };
            let mut file = self.archive.by_name(&entry).map_err(|error| wrong(error.to_string()))?;
            let header = Header::read(&mut file).map_err(wrong)?;
            let bytes = header.bytes_a_number();
            let most = (room as u64).saturating_mul(bytes as u64);
            let mut elements = Vec::new();
            file.take(most + 1).read_to_end(&mut elements).map_err(|error| wrong(damaged(&error)))?;
            room = room.checked_sub(elements.len().div_ceil(bytes)).ok_or(ReadError::TooLong)?;
            arrays.extend(array(&header, &elements).map(|array| (name, array)));
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
        let is_array = |name: &&str| numbers(name).is_some();
        let order = names_of_arrays(&self.archive);
        let names = channel_names(order.iter().map(|(_, name)| name.as_str()).filter(is_array));
        let are_levels = |name: &str| {
            numbers(name).is_some_and(|numbers| numbers.iter().all(|&level| level == 0.0 || level == 1.0))
        };
        let candidates: Vec<Candidate> = names.iter().map(|name| candidate(name, are_levels)).collect();
        if candidates.is_empty() {
            return Err(fault("it has no array of samples"));
        }
        let rate_hz = known.sample_rate_hz.or(self.options.rate_hz);
        let mut channels = Vec::new();
        for one in assign(&candidates, &self.options.channels, &mut self.warnings)? {
            let Some(name) = names.get(one.index) else { continue };
            let Some(samples) = numbers(name) else { continue };
            let times = times_of(name, numbers);
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

/// Arrays without dimensions as [facts](crate::facts).
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

/// The entries of an archive that are arrays, each with its name, in the order in which they were written.
fn names_of_arrays<R: Read + Seek>(archive: &ZipArchive<R>) -> Vec<(String, String)> {
    let entries = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned()));
    entries
        .filter_map(|entry| entry.strip_suffix(".npy").map(str::to_owned).map(|name| (entry, name)))
        .collect()
}

/// Which of the arrays of numbers are channels, in their order.
fn channel_names<'n>(names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let names: Vec<&str> = names.collect();
    let has_own_times = names.iter().any(|name| name.ends_with(TIMES));
    let is_channel = |name: &&str| {
        let is_other = ["time", "t", "lost", "warnings"].contains(name) || name.ends_with(TIMES);
        if has_own_times { names.contains(&format!("{name}{TIMES}").as_str()) } else { !is_other }
    };
    names.iter().copied().filter(is_channel).collect()
}

fn candidate(name: &str, are_levels: impl Fn(&str) -> bool) -> Candidate {
    let named = name.parse::<scopething_waveform::waveform::Channel>();
    let is_analog = named.map_or_else(|_| !are_levels(name), scopething_core::plan::Channel::is_analog);
    Candidate::new(name, is_analog)
}

/// The times of a channel: its own, or those of all channels.
fn times_of<T>(name: &str, array: impl Fn(&str) -> Option<T>) -> Option<T> {
    array(&format!("{name}{TIMES}")).or_else(|| array("time")).or_else(|| array("t"))
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

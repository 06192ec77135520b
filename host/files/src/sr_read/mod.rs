//! Reads sessions of sigrok (`.sr`), of any device.
//!
//! Up to two analog channels become A and B: those that have such a name, the others in their order. Up to
//! eight logic probes become L0 to L7 by their bits. Each keeps the name it has in the file as its label.
//! sigrok's sessions have a sample rate, and no triggers.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use scopething_core::plan::LogicLine;
use zip::ZipArchive;
use zip::result::ZipError;

use super::sr_write::LOGIC;
use super::{MAX_SAMPLES, ReadError, TraceReader};
use scopething_waveform::waveform::{Channel, Details, Samples, Series, Waveform};

/// A session of a long recording in many chunks has fewer.
const MAX_ENTRIES: usize = 100_000;
const MAX_METADATA_BYTES: u64 = 64 * 1024;
/// 64 probes.
const MAX_UNIT_BYTES: usize = 8;

/// Reads the capture in a sigrok session.
pub struct SrReader<R> {
    archive: ZipArchive<R>,
    read: bool,
}

impl<R: Read + Seek> SrReader<R> {
    /// Opens an archive; nothing but its directory is read.
    ///
    /// # Errors
    /// If it is no zip archive, or its directory is unreasonably large.
    pub fn new(input: R) -> Result<Self, ReadError> {
        let archive = ZipArchive::new(input).map_err(|error| match error {
            ZipError::Io(error) => ReadError::Io(error),
            other => ReadError::Archive(other.to_string()),
        })?;
        if archive.len() > MAX_ENTRIES {
            return Err(ReadError::Archive(format!("of {} entries", archive.len())));
        }
        Ok(Self { archive, read: false })
    }

    /// The bytes of an entry, at most so many; `None` if it is not there.
    fn entry(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>, ReadError> {
        let fault = |reason: String| ReadError::Entry { entry: name.to_owned(), reason };
        let entry = match self.archive.by_name(name) {
            Ok(entry) => entry,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(fault(error.to_string())),
        };
        // The size stated in the archive may be wrong.
        let mut bytes = Vec::new();
        entry
            .take(most + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| fault(format!("it is damaged ({error})")))?;
        if bytes.len() as u64 > most {
            return Err(if most == MAX_METADATA_BYTES {
                fault(format!("it is longer than {most} bytes; this is no sigrok session"))
            } else {
                ReadError::TooLong
            });
        }
        Ok(Some(bytes))
    }

    fn text(&mut self, name: &str) -> Result<String, ReadError> {
        let fault = |reason: &str| ReadError::Entry { entry: name.to_owned(), reason: reason.to_owned() };
        let bytes = self
            .entry(name, MAX_METADATA_BYTES)?
            .ok_or_else(|| fault("it is not there; this is no sigrok session"))?;
        String::from_utf8(bytes).map_err(|_| fault("it is not UTF-8 text"))
    }

    /// All chunks of a channel, one after the other: `NAME-1`, `NAME-2`.., or a single `NAME`.
    fn chunks(&mut self, name: &str, most: u64) -> Result<Vec<u8>, ReadError> {
        if let Some(bytes) = self.entry(name, most)? {
            return Ok(bytes);
        }
        let mut bytes = Vec::new();
        for number in 1..=MAX_ENTRIES {
            match self.entry(&format!("{name}-{number}"), most.saturating_sub(bytes.len() as u64))? {
                Some(chunk) => bytes.extend(chunk),
                None => break,
            }
        }
        if bytes.is_empty() {
            let reason = "it is not there, or empty; save the session again".to_owned();
            return Err(ReadError::Entry { entry: name.to_owned(), reason });
        }
        Ok(bytes)
    }

    fn session(&mut self) -> Result<Waveform, ReadError> {
        let version = self.text("version")?;
        if !matches!(version.trim(), "1" | "2") {
            let reason = format!("version {:?} is not known; only 1 and 2 are", version.trim());
            return Err(ReadError::Entry { entry: "version".to_owned(), reason });
        }
        let metadata = Metadata::parse(&self.text("metadata")?)?;
        let period_s = metadata.rate_hz.recip();
        let mut channels = Vec::new();
        let mut room = MAX_SAMPLES;
        for (number, channel, name) in metadata.analog_channels()? {
            let entry = format!("analog-1-{number}");
            let bytes = self.chunks(&entry, room as u64 * 4)?;
            let samples = floats(&bytes).ok_or_else(|| ReadError::Entry {
                entry,
                reason: "it does not hold whole samples of four bytes".to_owned(),
            })?;
            room = room.saturating_sub(samples.len());
            channels.push(labelled(channel, name, period_s, Samples::Volts(samples)));
        }
        if !metadata.probes.is_empty() {
            let unit = metadata.unit_bytes;
            let bytes = self.chunks(metadata.logic_entry()?, (room / metadata.probes.len() * unit) as u64)?;
            for (line, name) in metadata.logic_channels()? {
                let levels = bytes
                    .chunks_exact(unit)
                    .map(|sample| sample.first().map_or(0, |low| u8::from(low & line.bit() != 0)));
                channels.push(labelled(line.into(), name, period_s, Samples::Levels(levels.collect())));
            }
        }
        Ok(Waveform::new(metadata.rate_hz, channels, Details::default())?)
    }
}

impl<R: Read + Seek + Send> TraceReader for SrReader<R> {
    fn read(&mut self) -> Result<Option<Waveform>, ReadError> {
        if std::mem::replace(&mut self.read, true) {
            return Ok(None);
        }
        self.session().map(Some)
    }
}

fn labelled(channel: Channel, name: String, period_s: f64, samples: Samples) -> Series {
    let label = Some(name).filter(|name| *name != channel.to_string());
    Series { label, ..Series::new(channel, 0.0, period_s, samples) }
}

/// Little-endian floats; `None` if the last one is cut.
fn floats(bytes: &[u8]) -> Option<Vec<f32>> {
    let samples = bytes.chunks(4).map(|sample| Some(f32::from_le_bytes(sample.try_into().ok()?)));
    samples.collect()
}

/// What the key file has of the first device.
struct Metadata {
    rate_hz: f64,
    /// Names by number, from 1.
    probes: BTreeMap<usize, String>,
    analog: BTreeMap<usize, String>,
    unit_bytes: usize,
    capture_file: String,
}

impl Metadata {
    fn parse(text: &str) -> Result<Self, ReadError> {
        let device = text
            .lines()
            .map(str::trim)
            .skip_while(|line| *line != "[device 1]")
            .skip(1)
            .take_while(|line| !line.starts_with('['));
        let pairs: BTreeMap<&str, &str> = device
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.trim(), value.trim()))
            .collect();
        let value = |key: &str| pairs.get(key).copied();
        let rate =
            value("samplerate").ok_or_else(|| fault("there is no samplerate under [device 1]".to_owned()))?;
        let unit = value("unitsize").unwrap_or("1");
        let numbered = |prefix: &str| {
            let named = pairs.iter().filter_map(|(key, name)| {
                let number = key.strip_prefix(prefix)?.parse::<usize>().ok().filter(|&number| number > 0)?;
                Some((number, (*name).to_owned()))
            });
            named.collect()
        };
        Ok(Self {
            rate_hz: parse_rate(rate).ok_or_else(|| fault(format!("{rate:?} is not a sample rate")))?,
            probes: numbered("probe"),
            analog: numbered("analog"),
            unit_bytes: unit
                .parse()
                .ok()
                .filter(|bytes| (1..=MAX_UNIT_BYTES).contains(bytes))
                .ok_or_else(|| fault(format!("{unit:?} is not a unitsize; 1 to {MAX_UNIT_BYTES} are")))?,
            capture_file: value("capturefile").unwrap_or(LOGIC).to_owned(),
        })
    }

    fn logic_entry(&self) -> Result<&str, ReadError> {
        if self.capture_file.starts_with("logic") {
            Ok(&self.capture_file)
        } else {
            Err(fault(format!("{:?} is not a capturefile", self.capture_file)))
        }
    }

    /// Numbers, channels and names.
    fn analog_channels(&self) -> Result<Vec<(usize, Channel, String)>, ReadError> {
        if self.analog.len() > 2 {
            return Err(too_many(&self.analog, "two analog channels"));
        }
        let named = |name: &str| matches!(name, "A" | "B");
        let mut free = [Channel::A, Channel::B]
            .into_iter()
            .filter(|channel| !self.analog.values().any(|name| *name == channel.to_string()));
        let channels = self.analog.iter().filter_map(|(&number, name)| {
            let channel = if named(name) { name.parse().ok() } else { free.next() };
            Some((number, channel?, name.clone()))
        });
        Ok(channels.collect())
    }

    /// Lines and names.
    fn logic_channels(&self) -> Result<Vec<(LogicLine, String)>, ReadError> {
        let bits = self.probes.iter().map(|(&number, name)| {
            let line = u8::try_from(number - 1).ok().and_then(LogicLine::new);
            Some((line?, name.clone()))
        });
        bits.collect::<Option<_>>().ok_or_else(|| too_many(&self.probes, "the first eight logic probes"))
    }
}

fn fault(reason: String) -> ReadError {
    ReadError::Entry { entry: "metadata".to_owned(), reason }
}

fn too_many(channels: &BTreeMap<usize, String>, room: &str) -> ReadError {
    let names: Vec<&str> = channels.values().take(20).map(String::as_str).collect();
    fault(format!("there is room for {room} only; save fewer of {}", names.join(", ")))
}

/// `100 kHz`, `1000000 Hz`, `2.5 MHz` or `1000000`, in hertz.
fn parse_rate(text: &str) -> Option<f64> {
    let text = text.trim_end_matches("Hz").trim_end();
    let (number, factor) = match text.char_indices().next_back()? {
        (at, 'k' | 'K') => (text.get(..at)?, 1e3),
        (at, 'M') => (text.get(..at)?, 1e6),
        (at, 'G') => (text.get(..at)?, 1e9),
        _ => (text, 1.0),
    };
    let rate_hz = number.trim_end().parse::<f64>().ok()? * factor;
    (rate_hz.is_finite() && rate_hz > 0.0).then_some(rate_hz)
}

#[cfg(test)]
mod tests;

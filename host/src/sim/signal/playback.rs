//! Recordings as signals: CSV files with a time column, and sigrok's `.sr` files.
//!
//! A CSV file has a header line such as `time,A,B` and rows of numbers: seconds at even steps, then volts. A sigrok file
//! is a zip of a `metadata` text and chunks of samples: little-endian floats in volts for analog channels, one or
//! more bytes a sample for logic, which is played as 3.3 V levels. Analog recordings run straight from sample to sample, logic
//! recordings step.

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;

use super::super::time::SimTime;
use super::LOGIC_HIGH_V;

/// Samples that a recording may have: 256 MiB of them.
const MOST_SAMPLES: usize = 1 << 26;

/// Why a recording cannot be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaybackError {
    spec: String,
    reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Reason {
    Kind,
    Read(String),
    NoChannel { channel: String, found: Vec<String> },
    Format(String),
    TooLarge,
}

impl fmt::Display for PlaybackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spec = &self.spec;
        match &self.reason {
            Reason::Kind => {
                write!(f, "cannot play \"{spec}\": name a .csv or .sr file, as in file:capture.sr#ana1")
            }
            Reason::Read(cause) => write!(f, "cannot read \"{spec}\": {cause}"),
            Reason::NoChannel { channel, found } => {
                write!(f, "\"{spec}\" has no channel \"{channel}\": it has {}", found.join(", "))
            }
            Reason::Format(cause) => write!(f, "cannot play \"{spec}\": {cause}"),
            Reason::TooLarge => {
                write!(f, "\"{spec}\" is too large: a recording has at most {MOST_SAMPLES} samples")
            }
        }
    }
}

impl std::error::Error for PlaybackError {}

/// A recording, played over and over.
#[derive(Debug, Clone)]
pub struct Playback {
    spec: String,
    sample_period_ns: f64,
    volts: Arc<[f32]>,
    steps: bool,
    lowest: f64,
    highest: f64,
}

impl PartialEq for Playback {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
            && self.sample_period_ns == other.sample_period_ns
            && self.steps == other.steps
            && self.volts == other.volts
    }
}

impl Playback {
    /// Reads a recording: a path, `#` and the name of a channel. Without a name the first channel is taken.
    ///
    /// # Errors
    ///
    /// [`PlaybackError`] if the file cannot be read, is not understood, or has no such channel.
    pub fn load(spec: &str) -> Result<Self, PlaybackError> {
        let (path, channel) = spec.rsplit_once('#').map_or((spec, None), |(path, name)| (path, Some(name)));
        let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
        let loaded = match extension.to_ascii_lowercase().as_str() {
            "csv" => open(path).and_then(|file| read_csv(file, channel)),
            "sr" => open(path).and_then(|file| read_sigrok(file, channel)),
            _ => Err(Reason::Kind),
        };
        loaded
            .and_then(|(period_s, volts, steps)| Self::new(spec, period_s, volts, steps))
            .map_err(|reason| PlaybackError { spec: spec.to_owned(), reason })
    }

    fn new(spec: &str, period_s: f64, volts: Vec<f32>, steps: bool) -> Result<Self, Reason> {
        if volts.is_empty() {
            return Err(Reason::Format("it has no samples".to_owned()));
        }
        if !(period_s.is_finite() && period_s >= 1e-9) {
            return Err(Reason::Format(format!("its samples are {period_s} s apart")));
        }
        if !volts.iter().all(|volts| volts.is_finite()) {
            return Err(Reason::Format("it has samples that are not numbers".to_owned()));
        }
        let lowest = f64::from(volts.iter().copied().fold(f32::INFINITY, f32::min));
        let highest = f64::from(volts.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let volts = volts.into();
        Ok(Self { spec: spec.to_owned(), sample_period_ns: period_s * 1e9, volts, steps, lowest, highest })
    }

    /// What was given to [`Playback::load`].
    #[must_use]
    pub fn spec(&self) -> &str {
        &self.spec
    }

    /// Volts of a sample and of the next; the last sample is held, as nothing follows it.
    fn pair(&self, index: usize) -> (f64, f64) {
        let here = self.volts.get(index).or(self.volts.last()).copied().unwrap_or(0.0);
        let next = if self.steps { here } else { self.volts.get(index + 1).copied().unwrap_or(here) };
        (f64::from(here), f64::from(next))
    }

    /// The sample that is played, and how much of it has passed, 0 to 1; a fraction of a nanosecond counts as none.
    fn position(&self, at: SimTime) -> (usize, f64) {
        let length = self.volts.len() as f64;
        let place = (at.0 as f64 / self.sample_period_ns).rem_euclid(length);
        let index = place.floor().min(length - 1.0);
        (index as usize, place - index)
    }

    pub(in super::super) fn volts(&self, at: SimTime) -> f64 {
        let (index, part) = self.position(at);
        let (here, next) = self.pair(index);
        here + part * (next - here)
    }

    /// See [`Signal::next_crossing`](super::Signal::next_crossing).
    pub(in super::super) fn next_crossing(&self, level: f64, after: SimTime) -> Option<SimTime> {
        if level <= self.lowest || level > self.highest {
            return None;
        }
        let side = self.volts(after) >= level;
        let (first, part) = self.position(after);
        // Twice round: the segment that the search starts in is looked at again as a whole.
        for ahead in 0..=2 * self.volts.len() {
            let (here, next) = self.pair((first + ahead) % self.volts.len());
            let here_differs = ahead > 0 && (here >= level) != side;
            if here_differs || (next >= level) != side {
                let crossing = if here_differs { 0.0 } else { (level - here) / (next - here) };
                let wait_ns = (ahead as f64 + crossing - part) * self.sample_period_ns;
                return Some(after + SimTime((wait_ns - 2.0).max(1.0) as u64));
            }
        }
        None
    }
}

fn open(path: &str) -> Result<BufReader<File>, Reason> {
    File::open(path).map(BufReader::new).map_err(|error| Reason::Read(error.to_string()))
}

type Recording = (f64, Vec<f32>, bool);

fn channel_index(channel: Option<&str>, found: &[String]) -> Result<usize, Reason> {
    let none = |name: &str| Reason::NoChannel { channel: name.to_owned(), found: found.to_vec() };
    match channel {
        Some(name) => found.iter().position(|known| known == name).ok_or_else(|| none(name)),
        None if found.is_empty() => Err(none("")),
        None => Ok(0),
    }
}

fn read_csv(file: impl Read, channel: Option<&str>) -> Result<Recording, Reason> {
    let mut text = String::new();
    let limit = 64 * MOST_SAMPLES as u64;
    file.take(limit).read_to_string(&mut text).map_err(|error| Reason::Read(error.to_string()))?;
    let mut lines = text.lines().enumerate().filter(|(_, line)| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with([';', '#'])
    });
    let header = lines.next().map_or("", |(_, line)| line);
    let names: Vec<String> = header.split(',').skip(1).map(|name| name.trim().to_owned()).collect();
    let column = channel_index(channel, &names)? + 1;
    let (mut times, mut volts) = (Vec::new(), Vec::new());
    for (number, line) in lines {
        let field = |index: usize| line.split(',').nth(index).map_or("", str::trim);
        // A channel of a pair has no sample in every second row.
        if field(column).is_empty() {
            continue;
        }
        let number_in = |index: usize| {
            let cause =
                || Reason::Format(format!("line {} has no number in column {}", number + 1, index + 1));
            field(index).parse::<f64>().map_err(|_| cause())
        };
        if volts.len() == MOST_SAMPLES {
            return Err(Reason::TooLarge);
        }
        times.push(number_in(0)?);
        volts.push(number_in(column)? as f32);
    }
    let period_s = match (times.first(), times.last()) {
        (Some(first), Some(last)) if times.len() > 1 => (last - first) / (times.len() - 1) as f64,
        _ => return Err(Reason::Format("it has fewer than two samples".to_owned())),
    };
    Ok((period_s, volts, false))
}

/// What the metadata of a sigrok file says.
#[derive(Default)]
struct SigrokFile {
    samplerate_hz: f64,
    unit_bytes: usize,
    capture_name: String,
    /// Names of logic probes and analog channels, with the number in their key.
    probes: Vec<(usize, String)>,
    analog: Vec<(usize, String)>,
}

impl SigrokFile {
    fn parse(metadata: &str) -> Self {
        let mut file = Self { unit_bytes: 1, capture_name: "logic-1".to_owned(), ..Self::default() };
        for (key, value) in metadata.lines().filter_map(|line| line.split_once('=')) {
            let (key, value) = (key.trim(), value.trim());
            let numbered = |prefix: &str| key.strip_prefix(prefix).and_then(|number| number.parse().ok());
            match key {
                "samplerate" => file.samplerate_hz = samplerate(value),
                "unitsize" => file.unit_bytes = value.parse().unwrap_or(1),
                "capturefile" => value.clone_into(&mut file.capture_name),
                _ => {
                    if let Some(number) = numbered("probe") {
                        file.probes.push((number, value.to_owned()));
                    } else if let Some(number) = numbered("analog") {
                        file.analog.push((number, value.to_owned()));
                    }
                }
            }
        }
        file
    }
}

/// `100 kHz`, `1000000 Hz` or `1000000`.
fn samplerate(text: &str) -> f64 {
    crate::quantity::parse(text, crate::quantity::Unit::Hertz).unwrap_or(0.0)
}

fn read_sigrok(file: BufReader<File>, channel: Option<&str>) -> Result<Recording, Reason> {
    let mut archive = zip::ZipArchive::new(file).map_err(|error| Reason::Format(error.to_string()))?;
    let metadata = read_entry(&mut archive, "metadata")?
        .ok_or_else(|| Reason::Format("it has no metadata: is it a sigrok session?".to_owned()))?;
    let session = SigrokFile::parse(&String::from_utf8_lossy(&metadata));
    let names: Vec<String> =
        session.analog.iter().chain(&session.probes).map(|(_, name)| name.clone()).collect();
    let index = channel_index(channel, &names)?;
    let period_s = 1.0 / session.samplerate_hz;
    if let Some((number, _)) = session.analog.get(index) {
        let bytes = read_chunks(&mut archive, &format!("analog-1-{number}"))?;
        let floats = bytes.chunks_exact(4).map(|word| word.try_into().map_or(f32::NAN, f32::from_le_bytes));
        return Ok((period_s, floats.collect(), false));
    }
    let bit =
        session.probes.get(index - session.analog.len()).map_or(0, |(number, _)| number.saturating_sub(1));
    let bytes = read_chunks(&mut archive, &session.capture_name)?;
    let level = |sample: &[u8]| {
        let high = sample.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1);
        if high { LOGIC_HIGH_V as f32 } else { 0.0 }
    };
    Ok((period_s, bytes.chunks_exact(session.unit_bytes.max(1)).map(level).collect(), true))
}

/// The bytes of `stem`, or of `stem-1`, `stem-2` and so on put together.
fn read_chunks(archive: &mut zip::ZipArchive<BufReader<File>>, stem: &str) -> Result<Vec<u8>, Reason> {
    if let Some(bytes) = read_entry(archive, stem)? {
        return Ok(bytes);
    }
    let mut all = Vec::new();
    for number in 1.. {
        let Some(bytes) = read_entry(archive, &format!("{stem}-{number}"))? else { break };
        all.extend(bytes);
        if all.len() > 4 * MOST_SAMPLES {
            return Err(Reason::TooLarge);
        }
    }
    Ok(all)
}

fn read_entry(archive: &mut zip::ZipArchive<BufReader<File>>, name: &str) -> Result<Option<Vec<u8>>, Reason> {
    let entry = match archive.by_name(name) {
        Ok(entry) => entry,
        Err(zip::result::ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(Reason::Format(error.to_string())),
    };
    let limit = 4 * MOST_SAMPLES as u64;
    let mut bytes = Vec::new();
    entry.take(limit + 1).read_to_end(&mut bytes).map_err(|error| Reason::Format(error.to_string()))?;
    if bytes.len() as u64 > limit { Err(Reason::TooLarge) } else { Ok(Some(bytes)) }
}

//! Reads sessions of sigrok (`.sr`), of any device.
//!
//! Analog channels become A and B, logic probes L0 to L7: as many as a trace has [room](crate::readers::assign) for, of any
//! number. A probe of the first eight bits takes the line of its bit where that is free. Each keeps the name it has in
//! the file as its label. sigrok's sessions have no triggers; those that are written here keep them in the metadata.
//!
//! Samples are taken out of the archive piece by piece: what is read into memory is what was asked for, and no more.
//! An entry that is missing or damaged is a warning where other channels are whole; samples that follow a gap are
//! not taken, since nobody knows when they were.

mod metadata;
pub(crate) mod pieces;

use std::io::{Read, Seek};

use zip::ZipArchive;
use zip::result::ZipError;

use self::metadata::{Metadata, Probe};
use crate::facts::Known;
use crate::readers::assign::{Assigned, Candidate, assign};
use crate::readers::options::ReadOptions;
use crate::{MAX_SAMPLES, ReadError, TraceReader, facts};
use scopething_waveform::waveform::{Samples, Series, Waveform};

/// A session of a long recording in many chunks has fewer.
const MAX_ENTRIES: usize = 1_000_000;
const MAX_METADATA_BYTES: u64 = 1 << 20;
/// Bytes that are taken out of an entry at once.
const PIECE_BYTES: usize = 1 << 16;

/// Reads the capture in a sigrok session.
pub struct SrReader<R> {
    archive: ZipArchive<R>,
    options: ReadOptions,
    read: bool,
    warnings: Vec<String>,
}

impl<R: Read + Seek> SrReader<R> {
    /// Opens an archive; nothing but its directory is read.
    ///
    /// # Errors
    /// If it is no zip archive, or its directory is unreasonably large.
    pub fn new(input: R) -> Result<Self, ReadError> {
        Self::with_options(input, ReadOptions::default())
    }

    /// As [`new`](Self::new), for a part of the session.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_options(input: R, options: ReadOptions) -> Result<Self, ReadError> {
        let archive = ZipArchive::new(input).map_err(|error| match error {
            ZipError::Io(error) => ReadError::Io(error),
            other => ReadError::Archive(other.to_string()),
        })?;
        if archive.len() > MAX_ENTRIES {
            return Err(ReadError::Archive(format!("of {} entries", archive.len())));
        }
        Ok(Self { archive, options, read: false, warnings: Vec::new() })
    }

    /// The text of a short entry.
    fn text(&mut self, name: &str) -> Result<String, ReadError> {
        let fault = |reason: String| ReadError::Entry { entry: name.to_owned(), reason };
        let entry = match self.archive.by_name(name) {
            Ok(entry) => entry,
            Err(ZipError::FileNotFound) => {
                return Err(fault("it is not there; this is no sigrok session".to_owned()));
            }
            Err(error) => return Err(fault(error.to_string())),
        };
        let mut bytes = Vec::new();
        entry
            .take(MAX_METADATA_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| fault(format!("it is damaged ({error})")))?;
        if bytes.len() as u64 > MAX_METADATA_BYTES {
            return Err(fault(format!(
                "it is longer than {MAX_METADATA_BYTES} bytes; this is no sigrok session"
            )));
        }
        // Names of channels in another encoding are names still.
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The entries of a channel in their order, `NAME` or `NAME-1`, `NAME-2`.., up to the first gap; and what is
    /// missing there, if chunks follow on it.
    fn chunks(&self, name: &str) -> (Vec<String>, Option<String>) {
        if self.archive.index_for_name(name).is_some() {
            return (vec![name.to_owned()], None);
        }
        let mut numbers: Vec<u64> = self
            .archive
            .file_names()
            .filter_map(|entry| entry.ok()?.strip_prefix(name)?.strip_prefix('-')?.parse().ok())
            .collect();
        numbers.sort_unstable();
        let whole = (1..).zip(&numbers).take_while(|(expected, number)| expected == *number).count();
        let gap = numbers.get(whole).map(|next| {
            let missing = whole + 1;
            format!(
                "{name}-{missing} is missing, and {name}-{next} is there: samples after the gap are left out"
            )
        });
        let chunks = numbers.iter().take(whole).map(|number| format!("{name}-{number}"));
        (chunks.collect(), gap)
    }

    /// Hands the bytes of a channel to `take`, in pieces of whole units, until it returns false. Returns how many bytes
    /// are good: those of a damaged chunk are not, nor is what follows on it. That is an error if nothing is good, and a
    /// warning otherwise.
    fn for_each_piece(
        &mut self,
        name: &str,
        unit: usize,
        mut take: impl FnMut(&[u8]) -> Result<bool, ReadError>,
    ) -> Result<u64, ReadError> {
        let (chunks, gap) = self.chunks(name);
        let fault = |entry: &str, reason: String| ReadError::Entry { entry: entry.to_owned(), reason };
        let mut piece = vec![0; PIECE_BYTES.next_multiple_of(unit)];
        let (mut held, mut passed, mut good) = (0, 0_u64, 0_u64);
        let mut trouble = None;
        for chunk in &chunks {
            let read = self.archive.by_name(chunk).map_err(|error| fault(chunk, error.to_string()));
            let ended = read.and_then(|mut entry| {
                loop {
                    match entry.read(piece.get_mut(held..).unwrap_or_default()) {
                        Ok(0) => return Ok(false),
                        Ok(count) => held += count,
                        Err(error) => return Err(fault(chunk, format!("it is damaged ({error})"))),
                    }
                    let whole = held - held % unit;
                    if !take(piece.get(..whole).unwrap_or_default())? {
                        return Ok(true);
                    }
                    passed += whole as u64;
                    piece.copy_within(whole..held, 0);
                    held -= whole;
                }
            });
            match ended {
                Ok(true) => return Ok(u64::MAX),
                Ok(false) => good = passed,
                Err(ReadError::TooLong) => return Err(ReadError::TooLong),
                Err(error) => {
                    trouble = Some(error);
                    break;
                }
            }
        }
        if good == 0 {
            let reason = "it is not there, or empty; save the session again".to_owned();
            return Err(trouble.unwrap_or_else(|| fault(name, gap.unwrap_or(reason))));
        }
        if held > 0 && trouble.is_none() {
            self.warnings.push(format!("{name:?} in the archive ends within a sample of {unit} bytes"));
        }
        self.warnings.extend(trouble.map(|error| format!("{error}: only what is before it was read")));
        self.warnings.extend(gap);
        Ok(good)
    }

    fn analog(&mut self, entry: &str, part: Part, room: &mut usize) -> Result<Vec<f32>, ReadError> {
        let mut samples = Vec::new();
        let mut passed = 0_u64;
        let good = self.for_each_piece(entry, 4, |bytes| {
            let count = (bytes.len() / 4) as u64;
            let (skip, take) = part.within(passed, count);
            let wanted = bytes.chunks_exact(4).skip(skip).take(take);
            samples.extend(wanted.filter_map(|sample| Some(f32::from_le_bytes(sample.try_into().ok()?))));
            passed += count;
            if samples.len() > *room { Err(ReadError::TooLong) } else { Ok(!part.is_over(passed)) }
        })?;
        samples.truncate(part.kept(good / 4));
        *room -= samples.len();
        Ok(samples)
    }

    /// The levels of each of some probes.
    fn logic(
        &mut self,
        metadata: &Metadata,
        bits: &[usize],
        part: Part,
        room: &mut usize,
    ) -> Result<Vec<Vec<u8>>, ReadError> {
        let unit = metadata.unit_bytes;
        let mut lines = vec![Vec::new(); bits.len()];
        let mut passed = 0_u64;
        let good = self.for_each_piece(metadata.logic_entry()?, unit, |bytes| {
            let count = (bytes.len() / unit) as u64;
            let (skip, take) = part.within(passed, count);
            for (levels, bit) in lines.iter_mut().zip(bits) {
                let bytes_of_bit = bytes.iter().skip(bit / 8).step_by(unit).skip(skip).take(take);
                levels.extend(bytes_of_bit.map(|byte| byte >> (bit % 8) & 1));
            }
            passed += count;
            let held = lines.iter().map(Vec::len).sum::<usize>();
            if held > *room { Err(ReadError::TooLong) } else { Ok(!part.is_over(passed)) }
        })?;
        for levels in &mut lines {
            levels.truncate(part.kept(good / unit as u64));
            *room -= levels.len();
        }
        Ok(lines)
    }

    /// What is read of the session.
    fn selected(&mut self) -> Result<Selected, ReadError> {
        let version = self.text("version")?;
        if !matches!(version.trim(), "1" | "2") {
            let reason = format!("version {:?} is not known; only 1 and 2 are", version.trim());
            return Err(ReadError::Entry { entry: "version".to_owned(), reason });
        }
        let metadata = Metadata::parse(&self.text("metadata")?)?;
        self.warnings.extend(metadata.warning.clone());
        let candidates: Vec<Candidate> = metadata.probes.iter().map(Probe::candidate).collect();
        let wanted = self.options.channels.clone();
        let assigned = assign(&candidates, &wanted, &mut self.warnings)?;
        let rate_hz = metadata.rate_hz.or(self.options.rate_hz).ok_or(ReadError::NoRate)?;
        let start_s = Known::of(&metadata.facts).start_s();
        let part = Part::of(&self.options, start_s, rate_hz.recip());
        Ok(Selected { metadata, assigned, rate_hz, part })
    }

    fn session(&mut self) -> Result<Waveform, ReadError> {
        let Selected { metadata, assigned, rate_hz, part } = self.selected()?;
        let period_s = rate_hz.recip();
        let series = |one: &Assigned, samples| Series {
            label: one.label.clone(),
            ..Series::new(one.channel, part.first as f64 * period_s, period_s, samples)
        };
        let mut room = MAX_SAMPLES;
        let (mut channels, mut broken) = (Vec::new(), Vec::new());
        let mut lines = Vec::new();
        for one in &assigned {
            match metadata.probes.get(one.index) {
                Some(probe) if probe.is_analog => match self.analog(&probe.entry(), part, &mut room) {
                    Ok(samples) => channels.push(series(one, Samples::Volts(samples))),
                    Err(ReadError::TooLong) => return Err(ReadError::TooLong),
                    Err(error) => broken.push(error),
                },
                Some(probe) => lines.push((one, probe.bit())),
                None => {}
            }
        }
        if !lines.is_empty() {
            let bits: Vec<usize> = lines.iter().map(|(_, bit)| *bit).collect();
            match self.logic(&metadata, &bits, part, &mut room) {
                Ok(levels) => channels.extend(
                    lines.iter().zip(levels).map(|((one, _), levels)| series(one, Samples::Levels(levels))),
                ),
                Err(ReadError::TooLong) => return Err(ReadError::TooLong),
                Err(error) => broken.push(error),
            }
        }
        if channels.is_empty()
            && let Some(error) = broken.pop()
        {
            return Err(error);
        }
        self.warnings.extend(broken.iter().map(|error| format!("{error}: its channels are left out")));
        if !channels.is_empty() && channels.iter().all(|series| series.samples.is_empty()) {
            let from_s = self.options.from_s.unwrap_or(0.0);
            let start_s = Known::of(&metadata.facts).start_s();
            let end_s = start_s + part.first as f64 * period_s;
            return Err(ReadError::NothingThere { from_s, start_s, end_s });
        }
        channels.retain(|series| !series.samples.is_empty());
        self.options.at_rate(facts::with_facts(rate_hz, channels, &metadata.facts)?)
    }
}

/// What is read of a session.
struct Selected {
    metadata: Metadata,
    assigned: Vec<Assigned>,
    rate_hz: f64,
    part: Part,
}

/// Which samples are read, counted from the first of the session.
#[derive(Clone, Copy)]
struct Part {
    first: u64,
    count: u64,
}

impl Part {
    /// Of a session that begins at `start_s`.
    fn of(options: &ReadOptions, start_s: f64, period_s: f64) -> Self {
        let (first, count) = options.window().of(start_s, period_s);
        Self { first, count }
    }

    /// Which of `count` samples that follow on `passed` are in it: how many before, and how many.
    fn within(self, passed: u64, count: u64) -> (usize, usize) {
        let skip = self.first.saturating_sub(passed).min(count);
        let end = self.first.saturating_add(self.count).saturating_sub(passed).min(count);
        (skip as usize, end.saturating_sub(skip) as usize)
    }

    fn is_over(self, passed: u64) -> bool {
        passed >= self.first.saturating_add(self.count)
    }

    /// How many of the samples in it are good, where so many of the session are.
    fn kept(self, good: u64) -> usize {
        usize::try_from(good.saturating_sub(self.first)).unwrap_or(usize::MAX)
    }
}

impl<R: Read + Seek + Send> TraceReader for SrReader<R> {
    fn read(&mut self) -> Result<Option<Waveform>, ReadError> {
        if std::mem::replace(&mut self.read, true) {
            return Ok(None);
        }
        self.session().map(Some)
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}

#[cfg(test)]
mod tests;

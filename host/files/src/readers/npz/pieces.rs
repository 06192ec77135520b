//! Archives piece by piece, where all channels are sampled at the same times. An archive is gone through once before: an
//! array does not state whether its numbers are levels, nor whether times are evenly spaced.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use zip::ZipArchive;

use super::array::{Array, Element, Header, NumberKind, array};
use super::{MAX_ENTRIES, candidate, channel_names, facts_of, fault, names_of_arrays, times_of};
use crate::facts::Known;
use crate::pieces::{Fed, InStep, PIECE_SAMPLES, outline_in_step};
use crate::readers::assign::assign;
use crate::readers::spacing::{EvenCheck, whole_hertz};
use crate::{MAX_SAMPLES, ReadError, ReadOptions};
use scopething_waveform::waveform::{Outline, SampleKind, Samples, SeriesOutline};

/// More than the texts and numbers beside the samples are together.
const MAX_FACT_BYTES: u64 = 1 << 24;
/// How much longer than itself deflate unpacks a byte at the most: an archive whose entries overlap can hold more.
const MAX_DEFLATE_RATIO: u64 = 1032;

type Archive = ZipArchive<BufReader<File>>;

/// What was seen of the numbers of an array.
struct Seen {
    kind: NumberKind,
    count: usize,
    /// Whether all are 0 or 1.
    are_levels: bool,
    /// Whether they are evenly spaced, as times.
    times: EvenCheck,
}

/// An array of which a channel is read.
struct Channel {
    name: String,
    kind: NumberKind,
    samples: SampleKind,
}

/// Goes through an archive once and begins to read it; `None` if it must be read as a whole.
pub(crate) fn open(path: &Path, options: &ReadOptions) -> Option<Fed> {
    if options.rate_hz.is_some() {
        return None;
    }
    let unpacked = path.metadata().ok()?.len().saturating_mul(MAX_DEFLATE_RATIO);
    let mut archive = archive(path).ok()?;
    let order = names_of_arrays(&archive);
    let (facts, seen) = seen(&mut archive, (MAX_SAMPLES as u64).max(unpacked))?;
    let mut warnings = Vec::new();
    let names = order.iter().map(|(_, name)| name.as_str()).filter(|&name| seen.contains_key(name));
    let (outline, channels, first) = outline(&facts, &seen, names, options, &mut warnings)?;
    let path = path.to_owned();
    let count = outline.channels.first()?.count;
    Some(Fed::begin(outline, warnings, move |send| read(&path, &channels, first, count, send)))
}

fn archive(path: &Path) -> Result<Archive, ReadError> {
    ZipArchive::new(BufReader::new(File::open(path)?)).map_err(|error| fault(error.to_string()))
}

/// Goes through all arrays: those that are facts, and what was seen of the others, which have so many numbers at most.
fn seen(
    archive: &mut Archive,
    mut numbers: u64,
) -> Option<(BTreeMap<String, Array>, BTreeMap<String, Seen>)> {
    let (mut facts, mut seen) = (BTreeMap::new(), BTreeMap::new());
    if archive.len() > MAX_ENTRIES {
        return None;
    }
    let mut room = MAX_FACT_BYTES;
    for (entry, name) in names_of_arrays(archive) {
        let mut file = archive.by_name(&entry).ok()?;
        let header = Header::read(&mut file).ok()?;
        match (header.element, header.dimensions) {
            (Element::Number(kind), 1) => {
                let array = Seen::of(kind, &mut file, numbers).ok()?;
                numbers = numbers.checked_sub(array.count as u64)?;
                seen.insert(name, array);
            }
            (Element::Other, _) => {}
            _ => {
                let mut bytes = Vec::new();
                room -= file.take(room).read_to_end(&mut bytes).ok()? as u64;
                facts.extend(array(&header, &bytes).map(|array| (name, array)));
            }
        }
    }
    (room > 0).then_some((facts, seen))
}

impl Seen {
    /// Goes through an array, and not much further than `numbers`.
    fn of(kind: NumberKind, input: &mut impl Read, numbers: u64) -> io::Result<Self> {
        let mut seen = Self { kind, count: 0, are_levels: true, times: EvenCheck::new() };
        let mut elements = Elements::of(kind);
        while seen.count as u64 <= numbers && elements.next(input, PIECE_SAMPLES)? > 0 {
            elements.for_each(|number| {
                seen.count += 1;
                seen.are_levels &= number == 0.0 || number == 1.0;
                seen.times.push(number);
            });
        }
        Ok(seen)
    }
}

/// What the archive holds, the arrays of its channels, and the first sample that is read; `None` if it must be read as a
/// whole.
fn outline<'n>(
    facts: &BTreeMap<String, Array>,
    seen: &BTreeMap<String, Seen>,
    names: impl Iterator<Item = &'n str>,
    options: &ReadOptions,
    warnings: &mut Vec<String>,
) -> Option<(Outline, Vec<Channel>, u64)> {
    let known = Known::of(&facts_of(facts));
    let names = channel_names(names);
    let are_levels = |name: &str| seen.get(name).is_some_and(|seen| seen.are_levels);
    let candidates: Vec<_> = names.iter().map(|name| candidate(name, are_levels)).collect();
    let mut assigned = assign(&candidates, &options.channels, warnings).ok()?;
    assigned.sort_by_key(|one| one.channel);
    let (mut series, mut channels) = (Vec::new(), Vec::new());
    let mut begin = (0.0, 0.0, 0);
    for one in assigned {
        let name = *names.get(one.index)?;
        let samples = seen.get(name)?;
        let (start_s, period_s) = match times_of(name, |name| seen.get(name)) {
            Some(times) if times.count == samples.count => times.times.even()?,
            Some(_) => return None,
            None => (0.0, known.sample_rate_hz?.recip()),
        };
        let kind = match (one.channel.is_analog(), samples.are_levels) {
            (true, _) => SampleKind::Volts,
            (false, true) => SampleKind::Levels,
            (false, false) => return None,
        };
        let (first, count) = options.window().of(start_s, period_s);
        let left = (samples.count as u64).checked_sub(first)?;
        begin = (start_s + first as f64 * period_s, period_s, first);
        series.push(SeriesOutline {
            channel: one.channel,
            label: one.label.or_else(|| known.channel(one.channel)?.name.clone()),
            start_s: begin.0,
            period_s,
            kind,
            count: usize::try_from(left.min(count)).ok()?,
        });
        channels.push(Channel { name: name.to_owned(), kind: samples.kind, samples: kind });
    }
    let count = series.first()?.count;
    let is_in_step =
        |one: &SeriesOutline| (one.start_s, one.period_s, one.count) == (begin.0, begin.1, count);
    if !series.iter().all(is_in_step) {
        return None;
    }
    let times = InStep { start_s: begin.0, period_s: begin.1, from_first: begin.2 == 0 };
    Some((outline_in_step(series, times, whole_hertz(begin.1.recip()), &known)?, channels, begin.2))
}

/// Hands over `count` samples of each channel from the first one on.
fn read(
    path: &Path,
    channels: &[Channel],
    first: u64,
    count: usize,
    send: &mut dyn FnMut(Vec<Samples>) -> bool,
) -> Result<(), ReadError> {
    let wrong = |name: &str, reason: String| ReadError::Entry { entry: format!("{name}.npy"), reason };
    let mut archives = channels.iter().map(|_| archive(path)).collect::<Result<Vec<_>, _>>()?;
    let mut arrays = Vec::new();
    for (channel, archive) in channels.iter().zip(&mut archives) {
        let entry = format!("{}.npy", channel.name);
        let mut file = archive.by_name(&entry).map_err(|error| wrong(&channel.name, error.to_string()))?;
        Header::read(&mut file).map_err(|reason| wrong(&channel.name, reason))?;
        io::copy(&mut (&mut file).take(first * channel.kind.bytes() as u64), &mut io::sink())?;
        arrays.push((file, Elements::of(channel.kind)));
    }
    let mut left = count;
    while left > 0 {
        let wanted = left.min(PIECE_SAMPLES);
        let mut piece = Vec::new();
        for (channel, (file, elements)) in channels.iter().zip(&mut arrays) {
            if elements.next(file, wanted)? < wanted {
                return Err(wrong(&channel.name, "it has become shorter meanwhile".to_owned()));
            }
            piece.push(elements.samples(channel.samples));
        }
        if !send(piece) {
            return Ok(());
        }
        left -= wanted;
    }
    Ok(())
}

/// Elements that were read last.
struct Elements {
    kind: NumberKind,
    bytes: Vec<u8>,
}

impl Elements {
    fn of(kind: NumberKind) -> Self {
        Self { kind, bytes: Vec::new() }
    }

    /// Reads so many, or as many as there are; how many.
    fn next(&mut self, input: &mut impl Read, count: usize) -> io::Result<usize> {
        self.bytes.clear();
        input.take((count * self.kind.bytes()) as u64).read_to_end(&mut self.bytes)?;
        Ok(self.bytes.len() / self.kind.bytes())
    }

    fn for_each(&self, take: impl FnMut(f64)) {
        self.kind.for_each(&self.bytes, take);
    }

    fn samples(&self, kind: SampleKind) -> Samples {
        let mut samples = kind.none();
        match &mut samples {
            Samples::Levels(levels) => self.for_each(|level| levels.push(u8::from(level > 0.5))),
            Samples::Volts(volts) | Samples::Fractions(volts) => {
                self.for_each(|sample| volts.push(sample as f32));
            }
        }
        samples
    }
}

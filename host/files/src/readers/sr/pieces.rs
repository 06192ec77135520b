//! Sessions of sigrok piece by piece: each entry of the archive is taken out by a thread of its own, side by side.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender};

use super::{Part, Selected, SrReader};
use crate::facts::Known;
use crate::pieces::{Fed, InStep, PIECE_SAMPLES, feed, outline_in_step};
use crate::read::BUFFER_BYTES;
use crate::{ReadError, ReadOptions};
use scopething_waveform::waveform::{Outline, SampleKind, Samples, SeriesOutline};

/// Where the samples of a channel are.
#[derive(Clone, Copy)]
enum Source {
    /// Floats, in the stream of this number.
    Analog(usize),
    /// A bit, in the stream of this number.
    Bit(usize, usize),
}

/// An entry of the archive, chunk after chunk.
#[derive(Clone)]
struct Entry {
    name: String,
    unit: usize,
}

fn reader(path: &Path, options: &ReadOptions) -> Result<SrReader<BufReader<File>>, ReadError> {
    SrReader::with_options(BufReader::with_capacity(BUFFER_BYTES, File::open(path)?), options.clone())
}

/// Goes through a session once and begins to read it; `None` if it must be read as a whole.
pub(crate) fn open(path: &Path, options: &ReadOptions) -> Option<Fed> {
    let mut reader = reader(path, options).ok()?;
    let Selected { metadata, assigned, rate_hz, part } = reader.selected().ok()?;
    if options.rate_hz.is_some() && metadata.rate_hz.is_some() {
        return None;
    }
    let mut entries: Vec<Entry> = Vec::new();
    let mut counts = Vec::new();
    let mut channels = Vec::new();
    for one in &assigned {
        let probe = metadata.probes.get(one.index)?;
        let entry = if probe.is_analog {
            Entry { name: probe.entry(), unit: 4 }
        } else {
            Entry { name: metadata.logic_entry().ok()?.to_owned(), unit: metadata.unit_bytes }
        };
        let known = entries.iter().position(|known| known.name == entry.name);
        let stream = if let Some(stream) = known {
            stream
        } else {
            counts.push(reader.count(&entry, part).ok()?);
            entries.push(entry);
            entries.len() - 1
        };
        let (source, kind) = if probe.is_analog {
            (Source::Analog(stream), SampleKind::Volts)
        } else {
            (Source::Bit(stream, probe.bit()), SampleKind::Levels)
        };
        let series = SeriesOutline {
            channel: one.channel,
            label: one.label.clone(),
            start_s: 0.0,
            period_s: 0.0,
            kind,
            count: *counts.get(stream)?,
        };
        channels.push((series, source));
    }
    channels.sort_by_key(|(series, _)| series.channel);
    let sources: Vec<Source> = channels.iter().map(|(_, source)| *source).collect();
    let channels: Vec<SeriesOutline> = channels.into_iter().map(|(series, _)| series).collect();
    let known = Known::of(&metadata.facts);
    let outline = outline_of(channels, part, rate_hz, &known)?;
    let warnings = std::mem::take(&mut reader.warnings);
    let streams: Vec<Stream> = entries.into_iter().map(|entry| Stream::begin(path, entry, part)).collect();
    let counts: Vec<usize> = outline.channels.iter().map(|series| series.count).collect();
    Some(Fed::begin(outline, warnings, move |send| read(streams, &sources, &counts, send)))
}

/// The grid is that of the file, at whole hertz; that of the facts where there are some.
fn outline_of(channels: Vec<SeriesOutline>, part: Part, rate_hz: f64, known: &Known) -> Option<Outline> {
    let fact = channels.first().and_then(|series| known.channel(series.channel));
    let (start_s, period_s) = match fact {
        Some(fact) if (fact.period * rate_hz - 1.0).abs() < 0.01 => (fact.start, fact.period),
        Some(_) => return None,
        None => (0.0, rate_hz.recip()),
    };
    let start_s = start_s + part.first as f64 * period_s;
    let times = InStep { start_s, period_s, from_first: part.first == 0 };
    outline_in_step(channels, times, rate_hz, known)
}

impl SrReader<BufReader<File>> {
    /// How many samples of an entry are good and lie in the part.
    fn count(&mut self, entry: &Entry, part: Part) -> Result<usize, ReadError> {
        let mut passed = 0;
        let good = self.for_each_piece(&entry.name, entry.unit, |bytes| {
            passed += (bytes.len() / entry.unit) as u64;
            Ok(!part.is_over(passed))
        })?;
        let good = (good / entry.unit as u64).min(passed);
        Ok(part.kept(good.min(part.first.saturating_add(part.count))))
    }
}

/// The bytes of an entry in the part that is read, in whole samples.
struct Stream {
    pieces: Receiver<Result<Vec<u8>, ReadError>>,
    unit: usize,
    held: Vec<u8>,
}

impl Stream {
    fn begin(path: &Path, entry: Entry, part: Part) -> Self {
        let unit = entry.unit;
        let path = path.to_owned();
        let pieces = feed(move |sender| {
            if let Err(error) = send_entry(&path, &entry, part, &sender) {
                let _ = sender.send(Err(error));
            }
        });
        Self { pieces, unit, held: Vec::new() }
    }

    /// The bytes of so many samples that follow; fewer at the end.
    fn take(&mut self, samples: usize) -> Result<Vec<u8>, ReadError> {
        let wanted = samples * self.unit;
        while self.held.len() < wanted {
            match self.pieces.recv() {
                Ok(piece) => self.held.extend(piece?),
                Err(_) => break,
            }
        }
        let rest = self.held.split_off(wanted.min(self.held.len()));
        Ok(std::mem::replace(&mut self.held, rest))
    }
}

fn send_entry(
    path: &Path,
    entry: &Entry,
    part: Part,
    sender: &SyncSender<Result<Vec<u8>, ReadError>>,
) -> Result<(), ReadError> {
    let mut passed = 0;
    reader(path, &ReadOptions::default())?.for_each_piece(&entry.name, entry.unit, |bytes| {
        let count = (bytes.len() / entry.unit) as u64;
        let (skip, take) = part.within(passed, count);
        passed += count;
        let wanted = bytes.get(skip * entry.unit..(skip + take) * entry.unit).unwrap_or_default();
        let taken = wanted.is_empty() || sender.send(Ok(wanted.to_vec())).is_ok();
        Ok(taken && !part.is_over(passed))
    })?;
    Ok(())
}

/// Hands over the samples of all channels, up to as many as each has.
fn read(
    mut streams: Vec<Stream>,
    sources: &[Source],
    counts: &[usize],
    send: &mut dyn FnMut(Vec<Samples>) -> bool,
) -> Result<(), ReadError> {
    let longest = counts.iter().copied().max().unwrap_or(0);
    for first in (0..longest).step_by(PIECE_SAMPLES) {
        let bytes: Vec<Vec<u8>> =
            streams.iter_mut().map(|stream| stream.take(PIECE_SAMPLES)).collect::<Result<_, _>>()?;
        let piece = sources.iter().zip(counts).map(|(source, count)| {
            let left = count.saturating_sub(first).min(PIECE_SAMPLES);
            let of = |stream: usize| bytes.get(stream).map(Vec::as_slice).unwrap_or_default();
            match *source {
                Source::Analog(stream) => Samples::Volts(
                    of(stream)
                        .chunks_exact(4)
                        .take(left)
                        .filter_map(|sample| Some(f32::from_le_bytes(sample.try_into().ok()?)))
                        .collect(),
                ),
                Source::Bit(stream, bit) => {
                    let unit = streams.get(stream).map_or(1, |stream| stream.unit);
                    let bytes = of(stream).iter().skip(bit / 8).step_by(unit).take(left);
                    Samples::Levels(bytes.map(|byte| byte >> (bit % 8) & 1).collect())
                }
            }
        });
        if !send(piece.collect()) {
            break;
        }
    }
    Ok(())
}

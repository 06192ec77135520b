//! Reads audio: integers or floats, of any number of channels.
//!
//! Of what the [writer](crate::writers::wav) writes, samples are volts. Those of other programs have no unit: full scale is 1 V.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use hound::SampleFormat;

use crate::facts::{ChannelFact, Known};
use crate::pieces::{Fed, InStep, PIECE_SAMPLES, outline_in_step};
use crate::read::BUFFER_BYTES;
use crate::readers::assign::{Assigned, Candidate, assign};
use crate::readers::options::ReadOptions;
use crate::writers::wav::{COMMENT, FULL_SCALE};
use crate::{Format, MAX_SAMPLES, ReadError, TraceReader, facts};
use scopething_waveform::waveform::{Channel, SampleKind, Samples, Series, SeriesOutline, Waveform};

/// Reads the capture in an audio file.
pub struct WavReader<R> {
    wav: Option<hound::WavReader<R>>,
    facts: Vec<(String, String)>,
    options: ReadOptions,
    warnings: Vec<String>,
}

fn fault(error: &hound::Error) -> ReadError {
    ReadError::NotOfFormat { format: Format::Wav, reason: error.to_string() }
}

impl<R: Read + Seek> WavReader<R> {
    /// Opens a file; its header is read.
    ///
    /// # Errors
    /// If it is no audio file, or of a kind that is not known.
    pub fn new(mut input: R, options: ReadOptions) -> Result<Self, ReadError> {
        let facts = comment(&mut input)?.unwrap_or_default();
        input.seek(SeekFrom::Start(0))?;
        let wav = hound::WavReader::new(input).map_err(|error| fault(&error))?;
        Ok(Self { wav: Some(wav), facts, options, warnings: Vec::new() })
    }

    /// What is read of the recording.
    fn selected(&mut self, wav: &hound::WavReader<R>) -> Result<Selected, ReadError> {
        let spec = wav.spec();
        let known = Known::of(&self.facts);
        // Of a capture with logic lines as well, only the analog channels are there.
        let analog: Vec<_> = known.channels.iter().filter(|(channel, _)| channel.is_analog()).collect();
        let candidates: Vec<Candidate> = if analog.len() == usize::from(spec.channels) {
            let candidate = |(channel, fact): &&(Channel, ChannelFact)| Candidate {
                prefers: Some(*channel),
                ..Candidate::new(fact.name.clone().unwrap_or_else(|| channel.to_string()), true)
            };
            analog.iter().map(candidate).collect()
        } else {
            (1..=spec.channels).map(|number| Candidate::new(format!("channel {number}"), true)).collect()
        };
        let assigned = assign(&candidates, &self.options.channels, &mut self.warnings)?;
        let rate_hz = f64::from(spec.sample_rate);
        let (first, count) = self.options.window().of(known.start_s(), rate_hz.recip());
        let full_scale = self
            .facts
            .iter()
            .find(|(key, _)| key == FULL_SCALE)
            .and_then(|(_, volts)| volts.parse::<f64>().ok());
        if full_scale.is_none() && spec.sample_format == SampleFormat::Int {
            self.warnings.push("the file has no unit: full scale is taken as 1 V".to_owned());
        }
        let unit = full_scale.unwrap_or(1.0) / 2_f64.powi(i32::from(spec.bits_per_sample) - 1);
        Ok(Selected { assigned, rate_hz, first, count, unit })
    }

    fn capture(&mut self, wav: hound::WavReader<R>) -> Result<Waveform, ReadError> {
        let selected = self.selected(&wav)?;
        let stated = u64::from(wav.duration());
        let mut volts = vec![Vec::new(); selected.assigned.len()];
        let mut is_too_long = false;
        let passed = selected.for_each_moment(wav, &mut |moment| {
            for (sample, volts) in moment.iter().zip(&mut volts) {
                volts.push(*sample);
                is_too_long |= volts.len() > MAX_SAMPLES / 2;
            }
            !is_too_long
        });
        if is_too_long {
            return Err(ReadError::TooLong);
        }
        if passed < stated && passed < selected.first.saturating_add(selected.count) {
            self.warnings.push(format!(
                "the recording is cut off: it should have {stated} samples of each channel, and has {passed}"
            ));
        }
        let Selected { assigned, rate_hz, first, .. } = selected;
        let period_s = rate_hz.recip();
        let channels =
            assigned.into_iter().zip(volts).filter(|(_, volts)| !volts.is_empty()).map(|(one, volts)| {
                let start_s = first as f64 * period_s;
                Series {
                    label: one.label,
                    ..Series::new(one.channel, start_s, period_s, Samples::Volts(volts))
                }
            });
        let channels: Vec<Series> = channels.collect();
        if channels.is_empty() && first > 0 {
            let from_s = self.options.from_s.unwrap_or(0.0);
            return Err(ReadError::NothingThere {
                from_s,
                start_s: Known::of(&self.facts).start_s(),
                end_s: from_s,
            });
        }
        self.options.at_rate(facts::with_facts(rate_hz, channels, &self.facts)?)
    }
}

/// What is read of a recording.
struct Selected {
    assigned: Vec<Assigned>,
    rate_hz: f64,
    /// The first moment, and how many at most.
    first: u64,
    count: u64,
    /// Volts of the least step of an integer.
    unit: f64,
}

impl Selected {
    /// Hands over the samples of the chosen channels at each moment of the part, until that returns false. Returns how
    /// many moments were passed: a recording that was cut off is as long as it is.
    fn for_each_moment<R: Read>(
        &self,
        wav: hound::WavReader<R>,
        take: &mut dyn FnMut(&[f32]) -> bool,
    ) -> u64 {
        let spec = wav.spec();
        if spec.sample_format == SampleFormat::Float {
            let samples = wav.into_samples::<f32>().map_while(Result::ok).map(f64::from);
            self.for_each_sample(samples, spec.channels, take)
        } else {
            let samples = wav.into_samples::<i32>().map_while(Result::ok);
            self.for_each_sample(samples.map(|sample| f64::from(sample) * self.unit), spec.channels, take)
        }
    }

    fn for_each_sample(
        &self,
        mut samples: impl Iterator<Item = f64>,
        width: u16,
        take: &mut dyn FnMut(&[f32]) -> bool,
    ) -> u64 {
        let end = self.first.saturating_add(self.count);
        let mut frame = vec![0.0; usize::from(width.max(1))];
        let mut moment = vec![0.0; self.assigned.len()];
        for passed in 0..end {
            for place in &mut frame {
                match samples.next() {
                    Some(sample) => *place = sample as f32,
                    None => return passed,
                }
            }
            if passed < self.first {
                continue;
            }
            for (sample, one) in moment.iter_mut().zip(&self.assigned) {
                *sample = frame.get(one.index).copied().unwrap_or(0.0);
            }
            if !take(&moment) {
                return passed;
            }
        }
        end
    }
}

type FileReader = WavReader<BufReader<File>>;

fn open_file(path: &Path, options: &ReadOptions) -> Result<FileReader, ReadError> {
    WavReader::new(BufReader::with_capacity(BUFFER_BYTES, File::open(path)?), options.clone())
}

/// Goes through a recording once and begins to read it; `None` if it must be read as a whole.
pub(crate) fn open_pieces(path: &Path, options: &ReadOptions) -> Option<Fed> {
    if options.rate_hz.is_some() {
        return None;
    }
    let mut reader = open_file(path, options).ok()?;
    let wav = reader.wav.take()?;
    let mut selected = reader.selected(&wav).ok()?;
    let stated = u64::from(wav.duration());
    let end = selected.first.saturating_add(selected.count).min(stated);
    if selected.for_each_moment(wav, &mut |_| true) < end {
        return None;
    }
    selected.assigned.sort_by_key(|one| one.channel);
    let known = Known::of(&reader.facts);
    let (start_s, period_s) = match selected.assigned.first().and_then(|one| known.channel(one.channel)) {
        Some(fact) if (fact.period * selected.rate_hz - 1.0).abs() < 0.01 => (fact.start, fact.period),
        Some(_) => return None,
        None => (0.0, selected.rate_hz.recip()),
    };
    let count = usize::try_from(end.checked_sub(selected.first)?).ok()?;
    let start_s = start_s + selected.first as f64 * period_s;
    let channels = selected.assigned.iter().map(|one| SeriesOutline {
        channel: one.channel,
        label: one.label.clone(),
        start_s,
        period_s,
        kind: SampleKind::Volts,
        count,
    });
    let times = InStep { start_s, period_s, from_first: selected.first == 0 };
    let outline = outline_in_step(channels.collect(), times, selected.rate_hz, &known)?;
    let warnings = std::mem::take(&mut reader.warnings);
    let wav = open_file(path, options).ok()?.wav.take()?;
    Some(Fed::begin(outline, warnings, move |send| {
        let mut piece = vec![Vec::new(); selected.assigned.len()];
        let mut hand_over = |piece: &mut Vec<Vec<f32>>| {
            send(piece.iter_mut().map(|volts| Samples::Volts(std::mem::take(volts))).collect())
        };
        selected.for_each_moment(wav, &mut |moment| {
            piece.iter_mut().zip(moment).for_each(|(volts, sample)| volts.push(*sample));
            piece.first().is_none_or(|volts| volts.len() < PIECE_SAMPLES) || hand_over(&mut piece)
        });
        if piece.first().is_some_and(|volts| !volts.is_empty()) {
            hand_over(&mut piece);
        }
        Ok(())
    }))
}

/// What the comment in a file's list of information states.
fn comment(input: &mut (impl Read + Seek)) -> Result<Option<Vec<(String, String)>>, ReadError> {
    const MAX_BYTES: u32 = 1 << 20;
    let mut riff = [0; 12];
    if input.read_exact(&mut riff).is_err() {
        return Ok(None);
    }
    loop {
        let mut head = [0; 8];
        if input.read_exact(&mut head).is_err() {
            return Ok(None);
        }
        let (name, length) = head.split_at(4);
        let length = length.try_into().map_or(0, u32::from_le_bytes);
        if name == b"LIST" && length < MAX_BYTES {
            let mut bytes = Vec::new();
            input.take(length.into()).read_to_end(&mut bytes)?;
            let at = bytes.windows(COMMENT.len()).position(|window| window == COMMENT);
            let text = at.and_then(|at| bytes.get(at + COMMENT.len()..)).unwrap_or_default();
            let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
            let text = String::from_utf8_lossy(text);
            let pairs = text.lines().filter_map(|line| line.split_once(": "));
            return Ok(Some(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()));
        }
        // Chunks lie on even places.
        input.seek(SeekFrom::Current(i64::from(length) + i64::from(length % 2)))?;
    }
}

impl<R: Read + Seek + Send> TraceReader for WavReader<R> {
    fn read(&mut self) -> Result<Option<Waveform>, ReadError> {
        self.wav.take().map(|wav| self.capture(wav)).transpose()
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}

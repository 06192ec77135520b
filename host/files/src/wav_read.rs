//! Reads audio: integers or floats, of any number of channels.
//!
//! Of what the [writer](super::wav) writes, samples are volts. Those of other programs have no unit: full scale is 1 V.

use std::io::{Read, Seek, SeekFrom};

use hound::SampleFormat;

use super::assign::{Candidate, assign};
use super::facts::Known;
use super::options::ReadOptions;
use super::wav::{COMMENT, FULL_SCALE};
use super::{Format, MAX_SAMPLES, ReadError, TraceReader, facts};
use scopething_waveform::waveform::{Samples, Series, Waveform};

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

    fn capture(&mut self, wav: hound::WavReader<R>) -> Result<Waveform, ReadError> {
        let spec = wav.spec();
        let known = Known::of(&self.facts);
        let names: Vec<String> = if known.channels.len() == usize::from(spec.channels) {
            known.channels.iter().map(|(channel, _)| channel.to_string()).collect()
        } else {
            (1..=spec.channels).map(|number| format!("channel {number}")).collect()
        };
        let candidates: Vec<Candidate> =
            names.iter().map(|name| Candidate::new(name.as_str(), true)).collect();
        let assigned = assign(&candidates, &self.options.channels, &mut self.warnings)?;
        let rate_hz = f64::from(spec.sample_rate);
        let (first, count) = self.options.window().of(0.0, rate_hz.recip());
        let full_scale = self
            .facts
            .iter()
            .find(|(key, _)| key == FULL_SCALE)
            .and_then(|(_, volts)| volts.parse::<f64>().ok());
        if full_scale.is_none() && spec.sample_format == SampleFormat::Int {
            self.warnings.push("the file has no unit: full scale is taken as 1 V".to_owned());
        }
        let unit = full_scale.unwrap_or(1.0) / 2_f64.powi(i32::from(spec.bits_per_sample) - 1);
        let width = u64::from(spec.channels.max(1));
        let mut volts = vec![Vec::new(); assigned.len()];
        let mut take = |index: u64, sample: f64| -> Result<(), ReadError> {
            let moment = index / width;
            if moment < first || moment - first >= count {
                return Ok(());
            }
            for (one, volts) in assigned.iter().zip(&mut volts) {
                if one.index as u64 == index % width {
                    volts.push(sample as f32);
                    if volts.len() > MAX_SAMPLES / 2 {
                        return Err(ReadError::TooLong);
                    }
                }
            }
            Ok(())
        };
        // A recording that was cut off is as long as it is.
        if spec.sample_format == SampleFormat::Float {
            for (index, sample) in (0..).zip(wav.into_samples::<f32>().map_while(Result::ok)) {
                take(index, f64::from(sample))?;
            }
        } else {
            for (index, sample) in (0..).zip(wav.into_samples::<i32>().map_while(Result::ok)) {
                take(index, f64::from(sample) * unit)?;
            }
        }
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
            return Err(ReadError::NothingThere { from_s, start_s: 0.0, end_s: from_s });
        }
        self.options.at_rate(facts::with_facts(rate_hz, channels, &self.facts)?)
    }
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

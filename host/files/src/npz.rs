//! Arrays for numpy: `numpy.load("x.npz")["A"]`.
//!
//! A zip file of `.npy` entries (format version 1.0 of numpy's `lib/format`). For each channel its samples
//! (`A`, `L3`: float32 volts or fractions, or uint8 levels), its times (`A_timestamps`, float64 seconds) and its sample
//! rate (`A_sample_rate`, hertz); then, as arrays without dimensions, `interleaved_sample_rate` (that of the channels of a
//! pair together), `sample_rate` (an older name of it), `capture_start`, `trigger_time`, `trigger_level`,
//! `range_low`, `range_high` (float64, not a number where not known) and `cause`, `mode`, `trigger_type`,
//! `trigger_source` (text, empty where not known); and `warnings`. A trace of a job also has its number as `trace`
//! (uint64) and the texts `clock` and `gap`. The texts `unit`, `channels` and `settings` have [what else is known](super::facts).

use std::io::Write;

use super::archive::Archive;
use super::{WriteError, facts};
use scopething_waveform::waveform::{Gap, Samples, Series, Waveform};

pub(super) fn write(recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError> {
    let mut arrays = Arrays { archive: Archive::new() };
    for series in recording.channels() {
        arrays.series(series)?;
    }
    arrays.number("sample_rate", Some(recording.sample_rate_hz()))?;
    arrays.number("interleaved_sample_rate", Some(recording.sample_rate_hz()))?;
    let details = recording.details();
    let trigger = details.trigger.as_ref();
    arrays.number("capture_start", details.capture_start_s)?;
    arrays.number("trigger_time", trigger.map(|trigger| trigger.time_s))?;
    arrays.number("trigger_level", trigger.and_then(|trigger| trigger.level))?;
    arrays.number("range_low", details.range.map(|range| range.low))?;
    arrays.number("range_high", details.range.map(|range| range.high))?;
    arrays.text("cause", &details.cause.map(|cause| cause.to_string()).unwrap_or_default())?;
    arrays.text("mode", details.mode.as_deref().unwrap_or_default())?;
    arrays.text("trigger_type", &trigger.map(|trigger| trigger.kind.to_string()).unwrap_or_default())?;
    arrays.text("trigger_source", trigger.map_or("", |trigger| &trigger.source))?;
    if let Some(stamp) = details.stamp {
        arrays.array("trace", "<u8", "()", stamp.number.to_le_bytes().into_iter())?;
        arrays.text("clock", &stamp.clock.to_string())?;
        arrays.text("gap", stamp.gap.map_or("", Gap::name))?;
    }
    arrays.texts("warnings", &details.warnings)?;
    for (key, text) in facts::facts(recording) {
        if ["unit", "channels", "settings"].contains(&key.as_str()) {
            arrays.text(&key, &text)?;
        }
    }
    arrays.archive.write_to(out)
}

struct Arrays {
    archive: Archive,
}

impl Arrays {
    fn series(&mut self, series: &Series) -> Result<(), WriteError> {
        let name = series.channel.to_string();
        let shape = format!("({},)", series.samples.len());
        match &series.samples {
            Samples::Volts(samples) | Samples::Fractions(samples) => {
                self.array(&name, "<f4", &shape, samples.iter().flat_map(|sample| sample.to_le_bytes()))?;
            }
            Samples::Levels(levels) => self.array(&name, "|u1", &shape, levels.iter().copied())?,
        }
        let times = series.timestamps().flat_map(f64::to_le_bytes);
        self.array(&format!("{name}_timestamps"), "<f8", &shape, times)?;
        self.number(&format!("{name}_sample_rate"), Some(series.sample_rate_hz()))
    }

    fn number(&mut self, name: &str, value: Option<f64>) -> Result<(), WriteError> {
        self.array(name, "<f8", "()", value.unwrap_or(f64::NAN).to_le_bytes().into_iter())
    }

    fn text(&mut self, name: &str, text: &str) -> Result<(), WriteError> {
        // numpy has no text of no length.
        let length = text.chars().count().max(1);
        self.array(name, &format!("<U{length}"), "()", utf32(text, length))
    }

    fn texts(&mut self, name: &str, texts: &[String]) -> Result<(), WriteError> {
        let length = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
        let bytes = texts.iter().flat_map(|text| utf32(text, length));
        self.array(name, &format!("<U{length}"), &format!("({},)", texts.len()), bytes)
    }

    fn array(
        &mut self,
        name: &str,
        kind: &str,
        shape: &str,
        bytes: impl Iterator<Item = u8>,
    ) -> Result<(), WriteError> {
        let content: Vec<u8> = header(kind, shape).into_iter().chain(bytes).collect();
        self.archive.add(&format!("{name}.npy"), &content)
    }
}

/// Text as numpy keeps it: 32 bits a character, filled up with zeros.
pub(super) fn utf32(text: &str, length: usize) -> impl Iterator<Item = u8> + '_ {
    text.chars().map(u32::from).chain(std::iter::repeat(0)).take(length).flat_map(u32::to_le_bytes)
}

/// Magic, version, length, and a Python dictionary filled up with spaces to a multiple of 64 bytes.
pub(super) fn header(kind: &str, shape: &str) -> Vec<u8> {
    const BEFORE_DICTIONARY: usize = 10;
    let mut dictionary = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    let unfilled = BEFORE_DICTIONARY + dictionary.len() + 1;
    dictionary.push_str(&" ".repeat(unfilled.next_multiple_of(64) - unfilled));
    dictionary.push('\n');
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    header.extend((dictionary.len() as u16).to_le_bytes());
    header.extend(dictionary.bytes());
    header
}

//! Arrays for numpy: `numpy.load("x.npz")["A"]`.
//!
//! A zip file of `.npy` entries (format version 1.0 of numpy's `lib/format`). For each channel its samples
//! (`A`, `L3`: float32 volts or fractions, or uint8 levels), its times (`A_timestamps`, float64 seconds) and its sample
//! rate (`A_sample_rate`, hertz); then, as arrays without dimensions, `interleaved_sample_rate` (that of the channels of a
//! pair together), `sample_rate` (an older name of it), `capture_start`, `trigger_time`, `trigger_level`,
//! `range_low`, `range_high` (float64, not a number where not known) and `cause`, `mode`, `trigger_type`,
//! `trigger_source` (text, empty where not known); and `warnings`. A trace of a job also has its number as `trace`
//! (uint64) and the texts `clock` and `gap`. The texts `unit`, `ranges`, `channels` and `settings` have [what else is known](crate::facts).

use std::io::{self, Read, Seek as _, Write};
use std::path::Path;

use tempfile::SpooledTempFile;

use crate::archive::Archive;
use crate::pieces::Held;
use crate::{PieceWriter, WriteError, facts};
use scopething_waveform::waveform::{Gap, Outline, SampleKind, Samples, SeriesOutline};

/// Bytes of a channel that are kept in memory until the end of the capture; more lie in a file.
pub(crate) const SPOOLED_BYTES: usize = 1 << 20;

/// Writes a capture channel by channel, at its end.
#[derive(Default)]
pub(crate) struct NpzWriter {
    capture: Option<Capture>,
}

/// The capture that is written.
struct Capture {
    outline: Outline,
    /// The samples of each channel.
    spools: Vec<SpooledTempFile>,
}

impl PieceWriter for NpzWriter {
    fn begin(&mut self, outline: &Outline, spool: &Path, _out: &mut dyn Write) -> Result<(), WriteError> {
        let spools = outline.channels.iter().map(|_| tempfile::spooled_tempfile_in(SPOOLED_BYTES, spool));
        self.capture = Some(Capture { outline: outline.clone(), spools: spools.collect() });
        Ok(())
    }

    fn samples(&mut self, held: &mut Held, _out: &mut dyn Write) -> Result<(), WriteError> {
        let Some(capture) = &mut self.capture else { return Ok(()) };
        for (channel, spool) in capture.spools.iter_mut().enumerate() {
            match held.samples(channel) {
                Some(Samples::Volts(samples) | Samples::Fractions(samples)) => {
                    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
                    spool.write_all(&bytes)?;
                }
                Some(Samples::Levels(levels)) => spool.write_all(levels)?,
                None => {}
            }
        }
        held.drop_all();
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> Result<(), WriteError> {
        let Some(Capture { outline, spools }) = self.capture.take() else { return Ok(()) };
        let mut arrays = Arrays { archive: Archive::new(), out };
        for (series, mut spool) in outline.channels.iter().zip(spools) {
            spool.rewind()?;
            arrays.series(series, &mut spool)?;
        }
        arrays.facts(&outline)?;
        arrays.finish()
    }
}

struct Arrays<'o> {
    archive: Archive,
    out: &'o mut dyn Write,
}

impl Arrays<'_> {
    fn series(&mut self, series: &SeriesOutline, samples: &mut dyn Read) -> Result<(), WriteError> {
        let name = series.channel.to_string();
        let shape = format!("({},)", series.count);
        let (kind, bytes) = match series.kind {
            SampleKind::Volts | SampleKind::Fractions => ("<f4", 4),
            SampleKind::Levels => ("|u1", 1),
        };
        self.array(&name, kind, &shape, (series.count * bytes) as u64, samples)?;
        let mut times = Times { series, next: 0, bytes: Vec::new(), given: 0 };
        self.array(&format!("{name}_timestamps"), "<f8", &shape, series.count as u64 * 8, &mut times)?;
        self.number(&format!("{name}_sample_rate"), Some(series.sample_rate_hz()))
    }

    fn facts(&mut self, outline: &Outline) -> Result<(), WriteError> {
        let details = &outline.details;
        let trigger = details.trigger.as_ref();
        self.number("sample_rate", Some(outline.sample_rate_hz))?;
        self.number("interleaved_sample_rate", Some(outline.sample_rate_hz))?;
        self.number("capture_start", details.capture_start_s)?;
        self.number("trigger_time", trigger.map(|trigger| trigger.time_s))?;
        self.number("trigger_level", trigger.and_then(|trigger| trigger.level))?;
        self.number("range_low", details.range.map(|range| range.low))?;
        self.number("range_high", details.range.map(|range| range.high))?;
        self.text("cause", &details.cause.map(|cause| cause.to_string()).unwrap_or_default())?;
        self.text("mode", details.mode.as_deref().unwrap_or_default())?;
        self.text("trigger_type", &trigger.map(|trigger| trigger.kind.to_string()).unwrap_or_default())?;
        self.text("trigger_source", trigger.map_or("", |trigger| &trigger.source))?;
        if let Some(stamp) = details.stamp {
            self.short("trace", "<u8", "()", &stamp.number.to_le_bytes())?;
            self.text("clock", &stamp.clock.to_string())?;
            self.text("gap", stamp.gap.map_or("", Gap::name))?;
        }
        self.texts("warnings", &details.warnings)?;
        for (key, text) in facts::facts(outline) {
            if ["unit", "ranges", "channels", "settings"].contains(&key.as_str()) {
                self.text(&key, &text)?;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<(), WriteError> {
        self.archive.finish(self.out)
    }

    fn number(&mut self, name: &str, value: Option<f64>) -> Result<(), WriteError> {
        self.short(name, "<f8", "()", &value.unwrap_or(f64::NAN).to_le_bytes())
    }

    fn text(&mut self, name: &str, text: &str) -> Result<(), WriteError> {
        // numpy has no text of no length.
        let length = text.chars().count().max(1);
        self.short(name, &format!("<U{length}"), "()", &utf32(text, length).collect::<Vec<u8>>())
    }

    fn texts(&mut self, name: &str, texts: &[String]) -> Result<(), WriteError> {
        let length = texts.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
        let bytes: Vec<u8> = texts.iter().flat_map(|text| utf32(text, length)).collect();
        self.short(name, &format!("<U{length}"), &format!("({},)", texts.len()), &bytes)
    }

    fn short(&mut self, name: &str, kind: &str, shape: &str, bytes: &[u8]) -> Result<(), WriteError> {
        self.array(name, kind, shape, bytes.len() as u64, &mut &*bytes)
    }

    fn array(
        &mut self,
        name: &str,
        kind: &str,
        shape: &str,
        length: u64,
        bytes: &mut dyn Read,
    ) -> Result<(), WriteError> {
        let header = header(kind, shape);
        let length = length + header.len() as u64;
        self.archive.add_read(&format!("{name}.npy"), length, &mut header.as_slice().chain(bytes), self.out)
    }
}

/// The times of a channel, as bytes.
struct Times<'s> {
    series: &'s SeriesOutline,
    next: usize,
    bytes: Vec<u8>,
    /// How many of the bytes were read.
    given: usize,
}

impl Read for Times<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const AT_ONCE: usize = 1024;
        if self.given == self.bytes.len() {
            let end = (self.next + AT_ONCE).min(self.series.count);
            self.bytes.clear();
            self.bytes.extend((self.next..end).flat_map(|index| self.series.timestamp(index).to_le_bytes()));
            (self.next, self.given) = (end, 0);
        }
        let count = self.bytes.get(self.given..).unwrap_or_default().read(buffer)?;
        self.given += count;
        Ok(count)
    }
}

/// Text as numpy keeps it: 32 bits a character, filled up with zeros.
pub(crate) fn utf32(text: &str, length: usize) -> impl Iterator<Item = u8> + '_ {
    text.chars().map(u32::from).chain(std::iter::repeat(0)).take(length).flat_map(u32::to_le_bytes)
}

/// Magic, version, length, and a Python dictionary filled up with spaces to a multiple of 64 bytes.
pub(crate) fn header(kind: &str, shape: &str) -> Vec<u8> {
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

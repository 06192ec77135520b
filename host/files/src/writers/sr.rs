//! Sessions of sigrok (`.sr`), which `PulseView` and sigrok-cli open.
//!
//! A zip file of `version`, `metadata` (a key file) and the samples, in chunks of [`CHUNK_SAMPLES`]: `logic-1-1`, one
//! byte a sample, bit 0 the first probe, and `analog-1-N-1`, little-endian floats. All channels share one rate in whole hertz: see
//! [`grid`](scopething_waveform::grid) for channels at two, while a broken rate is rounded. Channels have the names that they had in
//! the file they came from. A section of its own, [`FACTS`], which sigrok passes over, has [what else is
//! known](crate::facts).

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use crate::archive::Archive;
use crate::pieces::Held;
use crate::rows::MAX_CHANNELS;
use crate::{Format, PieceWriter, WriteError, facts};
use scopething_waveform::grid::Grid;
use scopething_waveform::waveform::{Channel, Outline, SeriesOutline};

/// The entry with the logic samples, without the number of the chunk.
pub(crate) const LOGIC: &str = "logic-1";

/// Samples of a chunk: as many of an analog channel as libsigrok reads at once, 4 MiB. It reads all chunks of a channel before
/// the next channel, and its csv output needs as much of each at once: of several analog channels in several chunks it makes
/// wrong rows, or none and a segmentation fault.
const CHUNK_SAMPLES: usize = (4 << 20) / size_of::<f32>();

/// The section of the metadata that is ours.
pub(crate) const FACTS: &str = "scopething";

/// Writes a session chunk by chunk.
#[derive(Default)]
pub(crate) struct SrWriter {
    session: Option<Session>,
}

/// The session that is written.
struct Session {
    archive: Archive,
    grid: Grid,
    channels: Vec<SeriesOutline>,
    /// The moment that follows.
    moment: usize,
    chunk: usize,
    /// Of the chunk: a byte for each moment.
    logic: Vec<u8>,
    /// Of the chunk: little-endian floats of each analog channel.
    analog: Vec<Vec<u8>>,
}

impl Session {
    /// Takes the samples of the next moment. False if they have not come.
    fn push(&mut self, held: &Held) -> bool {
        let mut samples = [0.0; MAX_CHANNELS];
        for ((at, series), sample) in self.channels.iter().enumerate().zip(&mut samples) {
            match held.get(at, self.grid.index(series, self.moment)) {
                Some(value) => *sample = value,
                None => return false,
            }
        }
        let mut byte = 0;
        let mut analog = self.analog.iter_mut();
        for (series, sample) in self.channels.iter().zip(samples) {
            match series.channel {
                Channel::Logic(line) if sample > 0.5 => byte |= line.bit(),
                Channel::Logic(_) => {}
                Channel::Analog(_) => {
                    analog.next().into_iter().for_each(|bytes| bytes.extend(sample.to_le_bytes()));
                }
            }
        }
        self.logic.push(byte);
        self.moment += 1;
        true
    }

    fn write_chunk(&mut self, out: &mut dyn Write) -> Result<(), WriteError> {
        if self.logic.is_empty() {
            return Ok(());
        }
        self.chunk += 1;
        let chunk = self.chunk;
        let probes = probe_count(self.channels.iter());
        if probes > 0 {
            self.archive.add(&format!("{LOGIC}-{chunk}"), &self.logic, out)?;
        }
        self.logic.clear();
        for (number, bytes) in (probes + 1..).zip(&mut self.analog) {
            self.archive.add(&format!("analog-1-{number}-{chunk}"), bytes, out)?;
            bytes.clear();
        }
        Ok(())
    }
}

impl PieceWriter for SrWriter {
    fn begin(&mut self, outline: &Outline, _spool: &Path, out: &mut dyn Write) -> Result<(), WriteError> {
        let grid = Grid::of(outline.channels.iter());
        let metadata = metadata(outline, rate_hz(&grid)?);
        let mut archive = Archive::new();
        archive.add("version", b"2", out)?;
        archive.add("metadata", metadata.as_bytes(), out)?;
        self.session = Some(Session {
            archive,
            grid,
            channels: outline.channels.clone(),
            moment: 0,
            chunk: 0,
            logic: Vec::new(),
            analog: outline.analog().map(|_| Vec::new()).collect(),
        });
        Ok(())
    }

    fn samples(&mut self, held: &mut Held, out: &mut dyn Write) -> Result<(), WriteError> {
        let Some(session) = &mut self.session else { return Ok(()) };
        while session.moment < session.grid.count && session.push(held) {
            if session.logic.len() == CHUNK_SAMPLES {
                session.write_chunk(out)?;
            }
        }
        for (at, series) in session.channels.iter().enumerate() {
            // A channel that has ended stays at its last sample.
            held.drop_before(at, session.grid.index(series, session.moment));
        }
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> Result<(), WriteError> {
        let Some(mut session) = self.session.take() else { return Ok(()) };
        session.write_chunk(out)?;
        session.archive.finish(out)
    }
}

fn rate_hz(grid: &Grid) -> Result<u64, WriteError> {
    let rate_hz = grid.rate_hz().round();
    if (1.0..1e15).contains(&rate_hz) {
        Ok(rate_hz as u64)
    } else {
        Err(WriteError::Rate { format: Format::Sr, rate_hz: grid.rate_hz() })
    }
}

/// A device has as many logic probes as the BitScope has lines, whichever of them were captured.
pub(crate) const LOGIC_PROBES: u8 = 8;

fn probe_count<'c>(mut channels: impl Iterator<Item = &'c SeriesOutline>) -> u8 {
    if channels.any(|series| !series.channel.is_analog()) { LOGIC_PROBES } else { 0 }
}

/// The analog channels with their numbers, which follow on those of the logic probes.
fn numbered(recording: &Outline) -> impl Iterator<Item = (u8, &SeriesOutline)> {
    (probe_count(recording.channels.iter()) + 1..).zip(recording.analog())
}

fn metadata(recording: &Outline, rate_hz: u64) -> String {
    let mut text = String::from("[global]\nsigrok version=0.5.2\n\n[device 1]\n");
    let probes = probe_count(recording.channels.iter());
    if probes > 0 {
        let _ = write!(text, "capturefile={LOGIC}\ntotal probes={probes}\n");
    }
    let _ = writeln!(text, "samplerate={rate_hz} Hz");
    let analog = recording.analog().count();
    if analog > 0 {
        let _ = writeln!(text, "total analog={analog}");
    }
    for series in recording.logic() {
        if let Channel::Logic(line) = series.channel {
            let _ = writeln!(
                text,
                "probe{}={}",
                line.number() + 1,
                name_of(series, &format!("D{}", line.number()))
            );
        }
    }
    for (number, series) in numbered(recording) {
        let _ = writeln!(text, "analog{number}={}", name_of(series, &series.channel.to_string()));
    }
    if probes > 0 {
        text.push_str("unitsize=1\n");
    }
    let _ = write!(text, "\n[{FACTS}]\n");
    for (key, value) in facts::facts(recording) {
        let _ = writeln!(text, "{key}={}", value.replace(char::is_control, " "));
    }
    text
}

/// The name that a channel had, if a key file can hold it.
fn name_of(series: &SeriesOutline, otherwise: &str) -> String {
    let name =
        series.label.as_deref().filter(|name| !name.contains(char::is_control) && !name.trim().is_empty());
    name.unwrap_or(otherwise).to_owned()
}

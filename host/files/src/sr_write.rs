//! Sessions of sigrok (`.sr`), which `PulseView` and sigrok-cli open.
//!
//! A zip file of `version`, `metadata` (a key file) and the samples: `logic-1-1`, one byte a sample, bit 0
//! the first probe, and `analog-1-N-1`, little-endian floats. All channels share one rate in whole hertz: see
//! [`grid`](super::grid) for channels at two, while a broken rate is rounded. Channels have the names that they had in
//! the file they came from. A section of its own, [`FACTS`], which sigrok passes over, has [what else is
//! known](super::facts).

use std::fmt::Write as _;
use std::io::Write;

use super::archive::Archive;
use super::grid::Grid;
use super::{Format, WriteError, facts};
use scopething_waveform::waveform::{Channel, Series, Waveform};

/// The entry with the logic samples, without the number of the chunk.
pub(super) const LOGIC: &str = "logic-1";

/// The section of the metadata that is ours.
pub(super) const FACTS: &str = "scopething";

pub(super) fn write(recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError> {
    let grid = Grid::from(recording);
    let metadata = metadata(recording, rate_hz(&grid)?);
    let mut archive = Archive::new();
    archive.add("version", b"2")?;
    archive.add("metadata", metadata.as_bytes())?;
    let logic: Vec<&Series> = recording.logic().collect();
    if !logic.is_empty() {
        archive.add(&format!("{LOGIC}-1"), &logic_bytes(&logic, &grid))?;
    }
    for (number, series) in numbered(recording) {
        let samples = grid.indices(series).filter_map(|index| series.samples.get(index));
        let bytes: Vec<u8> = samples.flat_map(f32::to_le_bytes).collect();
        archive.add(&format!("analog-1-{number}-1"), &bytes)?;
    }
    archive.write_to(out)
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
pub(super) const LOGIC_PROBES: u8 = 8;

fn probe_count(recording: &Waveform) -> u8 {
    if recording.logic().next().is_some() { LOGIC_PROBES } else { 0 }
}

/// The analog channels with their numbers, which follow on those of the logic probes.
fn numbered(recording: &Waveform) -> impl Iterator<Item = (u8, &Series)> {
    (probe_count(recording) + 1..).zip(recording.analog())
}

fn metadata(recording: &Waveform, rate_hz: u64) -> String {
    let mut text = String::from("[global]\nsigrok version=0.5.2\n\n[device 1]\n");
    let probes = probe_count(recording);
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
fn name_of(series: &Series, otherwise: &str) -> String {
    let name =
        series.label.as_deref().filter(|name| !name.contains(char::is_control) && !name.trim().is_empty());
    name.unwrap_or(otherwise).to_owned()
}

fn logic_bytes(logic: &[&Series], grid: &Grid) -> Vec<u8> {
    let mut bytes = vec![0; grid.count];
    for series in logic {
        let Channel::Logic(line) = series.channel else { continue };
        for (byte, index) in bytes.iter_mut().zip(grid.indices(series)) {
            if series.samples.get(index).is_some_and(|level| level > 0.5) {
                *byte |= line.bit();
            }
        }
    }
    bytes
}

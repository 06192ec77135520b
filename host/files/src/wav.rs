//! Audio: the analog channels as 32-bit integers, at the rate of a channel.
//!
//! Full scale is the least power of two of volts that holds all samples: it stands in the comment, as `full_scale`, with
//! [what else is known](super::facts). A sample is a part of 2^31 of it: every program that plays or reads audio opens that,
//! Python's `wave` too, which knows no floating point. A sample that is no number is 0. Rates are whole hertz. Logic lines have
//! no place.

use std::io::Write;

use super::grid::Grid;
use super::{Format, WriteError, facts};
use scopething_waveform::waveform::{Series, Waveform};

/// How the comment begins in a file's list of information, before the four bytes of its length.
pub(super) const COMMENT: &[u8] = b"scopething\n";
/// The fact that has the volts of full scale.
pub(super) const FULL_SCALE: &str = "full_scale";

pub(super) fn write(recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError> {
    let channels: Vec<&Series> = recording.analog().collect();
    if channels.is_empty() {
        return Err(WriteError::NothingToHold { format: Format::Wav, holds: "analog", instead: Format::Vcd });
    }
    let grid = Grid::of(channels.iter().copied());
    let full_scale = full_scale(&channels);
    let comment = comment(recording, full_scale);
    let header = header(channels.len(), rate_hz(&grid)?, grid.count, &comment);
    out.write_all(&header.ok_or(WriteError::TooLong(Format::Wav))?)?;
    let unit = 2_f64.powi(31) / full_scale;
    let mut indices: Vec<_> = channels.iter().map(|series| (*series, grid.indices(series))).collect();
    let mut bytes = Vec::new();
    for moment in 0..grid.count {
        for (series, indices) in &mut indices {
            let sample = indices.next().and_then(|index| series.samples.get(index)).unwrap_or(0.0);
            // A cast keeps to the limits of the integer, and makes 0 of what is no number.
            bytes.extend(((f64::from(sample) * unit).round() as i32).to_le_bytes());
        }
        if bytes.len() > 1 << 16 || moment + 1 == grid.count {
            out.write_all(&bytes)?;
            bytes.clear();
        }
    }
    Ok(())
}

/// The least power of two that is greater than all samples.
fn full_scale(channels: &[&Series]) -> f64 {
    let extents = channels.iter().filter_map(|series| series.samples.extent());
    let greatest = extents.map(|(low, high)| low.abs().max(high.abs())).fold(0.0, f32::max);
    let above = f64::from(greatest).log2().floor() + 1.0;
    if above.is_finite() { 2_f64.powf(above) } else { 1.0 }
}

fn comment(recording: &Waveform, full_scale: f64) -> Vec<u8> {
    let mut text = COMMENT.to_vec();
    let full_scale = (FULL_SCALE.to_owned(), full_scale.to_string());
    // First, since some readers cut long comments.
    for (key, value) in std::iter::once(full_scale).chain(facts::facts(recording)) {
        let value = value.replace(char::is_control, " ");
        text.extend(format!("{key}: {value}\n").bytes());
    }
    text.push(0);
    text
}

/// What stands before the samples; `None` if they are too many.
fn header(channels: usize, rate_hz: u32, count: usize, comment: &[u8]) -> Option<Vec<u8>> {
    const SAMPLE_BYTES: usize = 4;
    let frame = channels * SAMPLE_BYTES;
    let length = |bytes: usize| u32::try_from(bytes).ok();
    let even = comment.len().next_multiple_of(2);
    let list = 4 + 8 + even;
    let data = count.checked_mul(frame)?;
    let mut header = Vec::new();
    header.extend(b"RIFF");
    header.extend(length(data.checked_add(4 + 24 + 8 + list + 8)?)?.to_le_bytes());
    header.extend(b"WAVEfmt ");
    header.extend(16_u32.to_le_bytes());
    // Integers.
    header.extend(1_u16.to_le_bytes());
    header.extend((channels as u16).to_le_bytes());
    header.extend(rate_hz.to_le_bytes());
    header.extend(rate_hz.checked_mul(frame as u32)?.to_le_bytes());
    header.extend((frame as u16).to_le_bytes());
    header.extend((8 * SAMPLE_BYTES as u16).to_le_bytes());
    header.extend(b"LIST");
    header.extend(length(list)?.to_le_bytes());
    header.extend(b"INFOICMT");
    header.extend(length(comment.len())?.to_le_bytes());
    header.extend(comment);
    header.resize(header.len() + even - comment.len(), 0);
    header.extend(b"data");
    header.extend(length(data)?.to_le_bytes());
    Some(header)
}

fn rate_hz(grid: &Grid) -> Result<u32, WriteError> {
    let rate_hz = grid.rate_hz().round();
    // The header also holds bytes a second: 4 a sample, 2 channels.
    if (1.0..f64::from(u32::MAX / 8)).contains(&rate_hz) {
        Ok(rate_hz as u32)
    } else {
        Err(WriteError::Rate { format: Format::Wav, rate_hz: grid.rate_hz() })
    }
}

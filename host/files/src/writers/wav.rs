//! Audio: the analog channels as 32-bit integers, at the rate of a channel.
//!
//! Full scale is the least power of two of volts that holds all samples: it stands in the comment, as `full_scale`, with
//! [what else is known](crate::facts). A sample is a part of 2^31 of it: every program that plays or reads audio opens that,
//! Python's `wave` too, which knows no floating point. A sample that is no number is 0. Rates are whole hertz. Logic lines have
//! no place.

use std::io::{BufReader, Read as _, Seek as _, Write};
use std::path::Path;

use tempfile::SpooledTempFile;

use crate::pieces::Held;
use crate::writers::npz::SPOOLED_BYTES;
use crate::{Format, PieceWriter, WriteError, facts};
use scopething_waveform::grid::Grid;
use scopething_waveform::waveform::{Outline, SeriesOutline};

/// How the comment begins in a file's list of information, before the four bytes of its length.
pub(crate) const COMMENT: &[u8] = b"scopething\n";
/// The fact that has the volts of full scale.
pub(crate) const FULL_SCALE: &str = "full_scale";

/// Writes a capture at its end, when full scale is known.
#[derive(Default)]
pub(crate) struct WavWriter {
    sound: Option<Sound>,
}

/// The capture that is written.
struct Sound {
    outline: Outline,
    grid: Grid,
    /// The analog channels, and the places they have among all.
    channels: Vec<(usize, SeriesOutline)>,
    /// The moment that follows.
    moment: usize,
    /// The samples of each moment.
    spool: SpooledTempFile,
    /// The size of the greatest finite sample.
    greatest: f32,
}

impl PieceWriter for WavWriter {
    fn begin(&mut self, outline: &Outline, spool: &Path, _out: &mut dyn Write) -> Result<(), WriteError> {
        Format::Wav.check_channels(outline.channels.iter().map(|series| series.channel))?;
        let channels = outline.channels.iter().cloned().enumerate();
        let channels: Vec<_> = channels.filter(|(_, series)| series.channel.is_analog()).collect();
        let grid = Grid::of(outline.analog());
        // What cannot be written is known before the samples are read.
        header(channels.len(), rate_hz(&grid)?, grid.count, &comment(outline, 1.0))
            .ok_or(WriteError::TooLong(Format::Wav))?;
        self.sound = Some(Sound {
            outline: outline.clone(),
            grid,
            channels,
            moment: 0,
            spool: tempfile::spooled_tempfile_in(SPOOLED_BYTES, spool),
            greatest: 0.0,
        });
        Ok(())
    }

    fn samples(&mut self, held: &mut Held, _out: &mut dyn Write) -> Result<(), WriteError> {
        let Some(sound) = &mut self.sound else { return Ok(()) };
        let Sound { grid, channels, moment, greatest, .. } = sound;
        let mut bytes = Vec::new();
        while *moment < grid.count {
            let place = |(at, series): &(usize, SeriesOutline)| held.get(*at, grid.index(series, *moment));
            let samples: Option<Vec<f32>> = channels.iter().map(place).collect();
            let Some(samples) = samples else { break };
            for sample in samples {
                *greatest = if sample.is_finite() { greatest.max(sample.abs()) } else { *greatest };
                bytes.extend(sample.to_le_bytes());
            }
            *moment += 1;
        }
        for (at, series) in channels.iter() {
            held.drop_before(*at, grid.index(series, *moment));
        }
        for at in sound.outline.channels.iter().enumerate().filter(|(_, one)| !one.channel.is_analog()) {
            held.drop_before(at.0, usize::MAX);
        }
        Ok(sound.spool.write_all(&bytes)?)
    }

    fn end(&mut self, out: &mut dyn Write) -> Result<(), WriteError> {
        let Some(Sound { outline, grid, channels, mut spool, greatest, .. }) = self.sound.take() else {
            return Ok(());
        };
        let full_scale = full_scale(greatest);
        let header = header(channels.len(), rate_hz(&grid)?, grid.count, &comment(&outline, full_scale));
        out.write_all(&header.ok_or(WriteError::TooLong(Format::Wav))?)?;
        let unit = 2_f64.powi(31) / full_scale;
        spool.rewind()?;
        let mut spool = BufReader::new(spool);
        let mut bytes = Vec::new();
        for _ in 0..grid.count * channels.len() {
            let mut sample = [0; 4];
            spool.read_exact(&mut sample)?;
            let sample = f64::from(f32::from_le_bytes(sample));
            // A cast keeps to the limits of the integer, and makes 0 of what is no number.
            bytes.extend(((sample * unit).round() as i32).to_le_bytes());
            if bytes.len() > 1 << 16 {
                out.write_all(&bytes)?;
                bytes.clear();
            }
        }
        Ok(out.write_all(&bytes)?)
    }
}

/// The least power of two that is greater than all samples.
fn full_scale(greatest: f32) -> f64 {
    let above = f64::from(greatest).log2().floor() + 1.0;
    if above.is_finite() { 2_f64.powf(above) } else { 1.0 }
}

fn comment(recording: &Outline, full_scale: f64) -> Vec<u8> {
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

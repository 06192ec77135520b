//! Audio: the analog channels as 32-bit floating point samples in volts, at the rate of the capture.
//!
//! Volts are not scaled, so that a program that measures reads them as they are; one that plays them clips
//! beyond 1 V. Rates are whole hertz. Logic lines, trigger, start and end reason have no place.

use std::io::{Cursor, Write};

use hound::{SampleFormat, WavSpec, WavWriter};

use super::grid::Grid;
use super::{Format, WriteError};
use scopething_waveform::waveform::{Series, Waveform};

pub(super) fn write(recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError> {
    let channels: Vec<&Series> = recording.analog().collect();
    if channels.is_empty() {
        return Err(WriteError::NothingToHold { format: Format::Wav, holds: "analog", instead: Format::Vcd });
    }
    let grid = Grid::of(channels.iter().copied());
    let spec = WavSpec {
        channels: channels.len() as u16,
        sample_rate: rate_hz(&grid)?,
        bits_per_sample: 32,
        sample_format: SampleFormat::Float,
    };
    // The header has the length, and `out` cannot go back to it.
    let mut bytes = Cursor::new(Vec::new());
    let mut wav = WavWriter::new(&mut bytes, spec).map_err(refused)?;
    let indices: Vec<Vec<usize>> = channels.iter().map(|series| grid.indices(series).collect()).collect();
    for moment in 0..grid.count {
        for (series, indices) in channels.iter().zip(&indices) {
            let sample = indices.get(moment).and_then(|&index| series.samples.get(index));
            wav.write_sample(sample.unwrap_or(f32::NAN)).map_err(refused)?;
        }
    }
    wav.finalize().map_err(refused)?;
    Ok(out.write_all(bytes.get_ref())?)
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

fn refused(error: hound::Error) -> WriteError {
    match error {
        hound::Error::IoError(error) => WriteError::Io(error),
        _ => WriteError::TooLong(Format::Wav),
    }
}

//! Audio: the analog columns as 32-bit floating point samples in volts. Rates are whole hertz.

use std::io::{self, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hound::{SampleFormat, WavSpec, WavWriter};

use super::row::{Filler, Row, RowWriter, StreamHeader, Writer};
use crate::{Format, WriteError};
use scopething::atomic::AtomicFile;

/// The header has the length in 32 bits, its own part included.
const MAX_BYTES: u64 = u32::MAX as u64 - 1024;

struct WavRows {
    wav: WavWriter<SharedFile>,
    file: SharedFile,
    filler: Filler,
    /// Which values of a row are analog.
    analog: Vec<bool>,
    row_bytes: u64,
    bytes: u64,
}

/// The file, for the encoder and for whoever commits it: the encoder does not give it back.
#[derive(Clone)]
struct SharedFile(Arc<Mutex<AtomicFile>>);

impl SharedFile {
    fn lock(&self) -> MutexGuard<'_, AtomicFile> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for SharedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lock().flush()
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.lock().seek(to)
    }
}

pub(super) fn writer(file: AtomicFile, header: &StreamHeader) -> Writer {
    Format::Wav.check_channels(header.columns.iter().map(|column| column.channel))?;
    let analog: Vec<bool> = header.columns.iter().map(|column| column.is_analog()).collect();
    let channels = analog.iter().filter(|analog| **analog).count();
    let rate_hz = header.rate_hz().round();
    // The header also holds bytes a second.
    if !(1.0..f64::from(u32::MAX / 16)).contains(&rate_hz) {
        return Err(WriteError::Rate { format: Format::Wav, rate_hz: header.rate_hz() });
    }
    let spec = WavSpec {
        channels: channels as u16,
        sample_rate: rate_hz as u32,
        bits_per_sample: 32,
        sample_format: SampleFormat::Float,
    };
    let file = SharedFile(Arc::new(Mutex::new(file)));
    Ok(Box::new(WavRows {
        wav: WavWriter::new(file.clone(), spec).map_err(refused)?,
        file,
        filler: Filler::new(analog.len()),
        row_bytes: channels as u64 * 4,
        analog,
        bytes: 0,
    }))
}

fn refused(error: hound::Error) -> WriteError {
    match error {
        hound::Error::IoError(error) => WriteError::Io(error),
        _ => WriteError::TooLong(Format::Wav),
    }
}

impl RowWriter for WavRows {
    fn write(&mut self, row: &Row) -> Result<(), WriteError> {
        for row in self.filler.rows(row, &self.analog) {
            if self.bytes + self.row_bytes > MAX_BYTES {
                return Err(WriteError::TooLong(Format::Wav));
            }
            self.bytes += self.row_bytes;
            for (&value, _) in row.values.iter().zip(&self.analog).filter(|(_, analog)| **analog) {
                self.wav.write_sample(value).map_err(refused)?;
            }
        }
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<AtomicFile, WriteError> {
        let Self { wav, file, .. } = *self;
        wav.finalize().map_err(refused)?;
        let file = Arc::into_inner(file.0).ok_or_else(|| io::Error::other("the encoder keeps the file"))?;
        Ok(file.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

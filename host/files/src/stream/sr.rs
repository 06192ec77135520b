//! A session of sigrok whose samples lie in chunks of [`MAX_BUFFERED_ROWS`]. Rates are whole hertz.

use std::fmt::Write as _;
use std::io::Write as _;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::row::{Filler, Part, Row, RowWriter, StreamHeader, Writer};
use crate::rows::MAX_BUFFERED_ROWS;
use crate::writers::sr::{LOGIC, LOGIC_PROBES};
use crate::{Format, WriteError};
use scopething::atomic::AtomicFile;
use scopething_waveform::waveform::Channel;

struct SrRows {
    zip: ZipWriter<AtomicFile>,
    header: StreamHeader,
    filler: Filler,
    analog: Vec<bool>,
    /// Little-endian floats, for each analog column.
    floats: Vec<Vec<u8>>,
    logic: Vec<u8>,
    rows: usize,
    chunk: u32,
}

pub(super) fn writer(file: AtomicFile, header: &StreamHeader) -> Writer {
    let rate_hz = header.rate_hz().round();
    if !(1.0..1e15).contains(&rate_hz) {
        return Err(WriteError::Rate { format: Format::Sr, rate_hz: header.rate_hz() });
    }
    // A byte has a bit a line, and no room for two bounds of each.
    if header.columns.iter().any(|column| !column.is_analog() && column.part != Part::Sample) {
        return Err(WriteError::NothingToHold {
            format: Format::Sr,
            holds: "envelopes of analog",
            instead: Format::Csv,
        });
    }
    let analog: Vec<bool> = header.columns.iter().map(|column| column.is_analog()).collect();
    let mut rows = SrRows {
        zip: ZipWriter::new(file),
        header: header.clone(),
        filler: Filler::new(analog.len()),
        floats: analog
            .iter()
            .filter(|analog| **analog)
            .map(|_| Vec::with_capacity(MAX_BUFFERED_ROWS * size_of::<f32>()))
            .collect(),
        logic: if analog.contains(&false) { Vec::with_capacity(MAX_BUFFERED_ROWS) } else { Vec::new() },
        analog,
        rows: 0,
        chunk: 0,
    };
    rows.add("version", b"2")?;
    rows.add("metadata", metadata(header, rate_hz as u64).as_bytes())?;
    Ok(Box::new(rows))
}

fn metadata(header: &StreamHeader, rate_hz: u64) -> String {
    let mut text = String::from("[global]\nsigrok version=0.5.2\n\n[device 1]\n");
    let logic: Vec<_> = header.columns.iter().filter(|column| !column.is_analog()).collect();
    let probes = if logic.is_empty() { 0 } else { LOGIC_PROBES };
    if probes > 0 {
        let _ = write!(text, "capturefile={LOGIC}\ntotal probes={probes}\n");
    }
    let _ = writeln!(text, "samplerate={rate_hz} Hz");
    let analog: Vec<_> = header.columns.iter().filter(|column| column.is_analog()).collect();
    if !analog.is_empty() {
        let _ = writeln!(text, "total analog={}", analog.len());
    }
    for column in logic {
        if let Channel::Logic(line) = column.channel {
            let _ = writeln!(text, "probe{}=D{}", line.number() + 1, line.number());
        }
    }
    for (number, column) in (probes + 1..).zip(analog) {
        let _ = writeln!(text, "analog{number}={}", column.name());
    }
    if probes > 0 {
        text.push_str("unitsize=1\n");
    }
    text
}

impl SrRows {
    fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        self.zip.start_file(name, options)?;
        Ok(self.zip.write_all(bytes)?)
    }

    fn push(&mut self, row: &Row) {
        let mut floats = self.floats.iter_mut();
        let mut byte = 0;
        for (column, &value) in self.header.columns.iter().zip(&row.values) {
            match column.channel {
                Channel::Analog(_) => {
                    if let Some(bytes) = floats.next() {
                        bytes.extend(value.to_le_bytes());
                    }
                }
                Channel::Logic(line) => byte |= if value > 0.5 { line.bit() } else { 0 },
            }
        }
        if self.floats.len() < self.header.columns.len() {
            self.logic.push(byte);
        }
        self.rows += 1;
    }

    fn write_chunk(&mut self) -> Result<(), WriteError> {
        self.chunk += 1;
        let chunk = self.chunk;
        let mut logic = std::mem::take(&mut self.logic);
        let first = if logic.is_empty() { 1 } else { usize::from(LOGIC_PROBES) + 1 };
        if !logic.is_empty() {
            self.add(&format!("{LOGIC}-{chunk}"), &logic)?;
        }
        let floats = std::mem::take(&mut self.floats);
        for (number, bytes) in (first..).zip(&floats) {
            self.add(&format!("analog-1-{number}-{chunk}"), bytes)?;
        }
        // The memory is used again.
        self.floats = floats;
        self.floats.iter_mut().for_each(Vec::clear);
        logic.clear();
        self.logic = logic;
        self.rows = 0;
        Ok(())
    }
}

impl RowWriter for SrRows {
    fn write(&mut self, row: &Row) -> Result<(), WriteError> {
        for row in self.filler.rows(row, &self.analog) {
            self.push(&row);
            if self.rows == MAX_BUFFERED_ROWS {
                self.write_chunk()?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<AtomicFile, WriteError> {
        if self.rows > 0 {
            self.write_chunk()?;
        }
        Ok(self.zip.finish()?)
    }
}

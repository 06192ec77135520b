//! Arrays for numpy: `time`, one for each column, and `lost`, all of the same length.
//!
//! Beside them, as arrays without dimensions, the contents of [`StreamHeader`]: `sample_rate`, `range_low`,
//! `range_high` (float64, not a number where not known), `thinning` (uint64), `start`, `unit` (text), and `warnings`. Where it is
//! not known how many frames are lost, `lost` is its greatest value.
//!
//! An array begins with its length, which is known only at the end of the stream: until then each column has a
//! temporary file beside the target. Times and losses are kept as what changes in them.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek as _, Write};
use std::path::Path;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::row::{Row, RowWriter, StreamHeader, Writer};
use crate::WriteError;
use crate::writers::csv::{LOST, TIME};
use crate::writers::npz::{header as array_header, utf32};
use scopething::atomic::AtomicFile;
use scopething::atomic::directory_of;

/// Entries from this size on need the longer form of a zip file's directory.
const LARGE_BYTES: u64 = u32::MAX as u64;
/// In `lost`: it is not known how many are.
const UNKNOWN: u64 = u64::MAX;

struct NpzRows {
    file: AtomicFile,
    header: StreamHeader,
    columns: Vec<BufWriter<File>>,
    breaks: BufWriter<File>,
    rows: u64,
    next_index: u64,
}

/// A row that does not follow on the one before it: how many rows there are before, its index, and what was lost.
struct Break {
    row: u64,
    index: u64,
    lost: u64,
}

impl Break {
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        [self.row, self.index, self.lost].iter().try_for_each(|number| out.write_all(&number.to_le_bytes()))
    }

    /// The next one; none at the end.
    fn read(input: &mut impl Read) -> io::Result<Option<Self>> {
        let mut numbers = [0; 3];
        for number in &mut numbers {
            let mut bytes = [0; 8];
            match input.read_exact(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                result => result?,
            }
            *number = u64::from_le_bytes(bytes);
        }
        let [row, index, lost] = numbers;
        Ok(Some(Self { row, index, lost }))
    }
}

pub(super) fn writer(file: AtomicFile, header: &StreamHeader) -> Writer {
    let path = file.path().to_owned();
    let columns = header.columns.iter().map(|_| temporary(&path)).collect::<io::Result<_>>()?;
    let breaks = temporary(&path)?;
    Ok(Box::new(NpzRows { file, header: header.clone(), columns, breaks, rows: 0, next_index: 0 }))
}

/// A file without a name, on the disk that the target is on.
fn temporary(target: &Path) -> io::Result<BufWriter<File>> {
    tempfile::tempfile_in(directory_of(target)).map(BufWriter::new)
}

/// What was written, from its beginning.
fn reread(file: BufWriter<File>) -> io::Result<BufReader<File>> {
    let mut file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.rewind()?;
    Ok(BufReader::new(file))
}

impl RowWriter for NpzRows {
    fn write(&mut self, row: &Row) -> Result<(), WriteError> {
        if row.index != self.next_index || row.lost != Some(0) {
            let lost = row.lost.unwrap_or(UNKNOWN);
            Break { row: self.rows, index: row.index, lost }.write(&mut self.breaks)?;
        }
        for ((file, column), &value) in self.columns.iter_mut().zip(&self.header.columns).zip(&row.values) {
            if column.is_analog() {
                file.write_all(&value.to_le_bytes())?;
            } else {
                file.write_all(&[u8::from(value > 0.5)])?;
            }
        }
        self.rows += 1;
        self.next_index = row.index + 1;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<AtomicFile, WriteError> {
        let Self { file, header, columns, breaks, rows, .. } = *self;
        let mut arrays = Arrays { zip: ZipWriter::new(file), rows };
        let mut breaks = reread(breaks)?;
        arrays.begin(TIME, "<f8", 8)?;
        each_row(&mut breaks, rows, |index, _| arrays.zip.write_all(&header.time_s(index).to_le_bytes()))?;
        for (column, values) in header.columns.iter().zip(columns) {
            let (kind, bytes) = if column.is_analog() { ("<f4", 4) } else { ("|u1", 1) };
            arrays.begin(&column.name(), kind, bytes)?;
            io::copy(&mut reread(values)?, &mut arrays.zip)?;
        }
        breaks.rewind()?;
        arrays.begin(LOST, "<u8", 8)?;
        each_row(&mut breaks, rows, |_, lost| arrays.zip.write_all(&lost.to_le_bytes()))?;
        arrays.facts(&header)?;
        Ok(arrays.zip.finish()?)
    }
}

/// Hands the index of each row and what was lost before it to `take`.
fn each_row(
    breaks: &mut impl Read,
    rows: u64,
    mut take: impl FnMut(u64, u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut next = Break::read(breaks)?;
    let mut index = 0;
    for row in 0..rows {
        let mut lost = 0;
        if let Some(here) = next.take_if(|next| next.row == row) {
            (index, lost) = (here.index, here.lost);
            next = Break::read(breaks)?;
        }
        take(index, lost)?;
        index += 1;
    }
    Ok(())
}

struct Arrays {
    zip: ZipWriter<AtomicFile>,
    rows: u64,
}

impl Arrays {
    /// Begins an array with an element a row.
    fn begin(&mut self, name: &str, kind: &str, element_bytes: u64) -> Result<(), WriteError> {
        let header = array_header(kind, &format!("({},)", self.rows));
        let is_large = self.rows * element_bytes + header.len() as u64 >= LARGE_BYTES;
        self.entry(name, is_large)?;
        Ok(self.zip.write_all(&header)?)
    }

    fn entry(&mut self, name: &str, is_large: bool) -> Result<(), WriteError> {
        let options =
            SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).large_file(is_large);
        Ok(self.zip.start_file(format!("{name}.npy"), options)?)
    }

    fn scalar(&mut self, name: &str, kind: &str, bytes: &[u8]) -> Result<(), WriteError> {
        self.entry(name, false)?;
        self.zip.write_all(&array_header(kind, "()"))?;
        Ok(self.zip.write_all(bytes)?)
    }

    fn text(&mut self, name: &str, text: &str) -> Result<(), WriteError> {
        // numpy has no text of no length.
        let length = text.chars().count().max(1);
        let bytes: Vec<u8> = utf32(text, length).collect();
        self.scalar(name, &format!("<U{length}"), &bytes)
    }

    fn facts(&mut self, header: &StreamHeader) -> Result<(), WriteError> {
        let range = header.range;
        for (name, value) in [
            ("sample_rate", header.rate_hz()),
            ("range_low", range.map_or(f64::NAN, |range| range.low)),
            ("range_high", range.map_or(f64::NAN, |range| range.high)),
        ] {
            self.scalar(name, "<f8", &value.to_le_bytes())?;
        }
        self.scalar("thinning", "<u8", &u64::from(header.thinning).to_le_bytes())?;
        self.text("start", &header.start.to_string())?;
        self.text("unit", header.unit().unwrap_or_default())?;
        let length = header.warnings.iter().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
        let bytes: Vec<u8> = header.warnings.iter().flat_map(|text| utf32(text, length)).collect();
        self.entry("warnings", false)?;
        let shape = format!("({},)", header.warnings.len());
        self.zip.write_all(&array_header(&format!("<U{length}"), &shape))?;
        Ok(self.zip.write_all(&bytes)?)
    }
}

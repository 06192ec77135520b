//! Reads tables in Parquet: what the Parquet writers write, of traces and of streams, and other tables with a column
//! of times.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use bytes::Bytes;
use parquet::basic::{LogicalType, Type as PhysicalType};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{BoolType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, Length, RowGroupReader, SerializedFileReader};

use crate::facts::Known;
use crate::pieces::{Fed, PIECE_SAMPLES};
use crate::readers::csv::layout::{Clock, Layout};
use crate::readers::csv::table::Table;
use crate::readers::options::ReadOptions;
use crate::readers::table_pieces::TableScan;
use crate::{Format, ReadError, TraceReader};
use scopething_waveform::waveform::Waveform;

/// Reads the capture in a table.
pub struct ParquetReader {
    file: Option<SerializedFileReader<Strict>>,
    options: ReadOptions,
    warnings: Vec<String>,
}

/// A file beyond whose end nothing is read. The decoder takes memory for as much as a file states to hold, and goes over as
/// many elements as it states to have, whether they are there or not.
struct Strict(File);

impl Length for Strict {
    fn len(&self) -> u64 {
        Length::len(&self.0)
    }
}

impl ChunkReader for Strict {
    type T = StrictRead;

    fn get_read(&self, start: u64) -> Result<StrictRead, ParquetError> {
        Ok(StrictRead(self.0.get_read(start)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let is_there = start.checked_add(length as u64).is_some_and(|end| end <= Length::len(self));
        if is_there {
            self.0.get_bytes(start, length)
        } else {
            Err(ParquetError::EOF("it is cut off".to_owned()))
        }
    }
}

struct StrictRead(BufReader<File>);

impl Read for StrictRead {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.0.read(bytes) {
            Ok(0) if !bytes.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            read => read,
        }
    }
}

fn fault(error: impl std::fmt::Display) -> ReadError {
    ReadError::NotOfFormat { format: Format::Parquet, reason: error.to_string() }
}

impl ParquetReader {
    /// Opens a file; its index is read.
    ///
    /// # Errors
    /// If it is no such file.
    pub fn new(file: File, options: ReadOptions) -> Result<Self, ReadError> {
        let file = decoded(|| SerializedFileReader::new(Strict(file)).map_err(fault))?;
        Ok(Self { file: Some(file), options, warnings: Vec::new() })
    }

    fn capture(&mut self, file: &SerializedFileReader<Strict>) -> Result<Waveform, ReadError> {
        let columns = Columns::of(file, &self.options)?;
        let mut table = Table::new(columns.layout.clone());
        let window = self.options.window();
        let (mut passed, mut refused) = (0_u64, None);
        columns.for_each_row(file, &mut |time_s, values| {
            passed += 1;
            refused = table.push_numbers(time_s, values.iter().copied(), window).err();
            refused.is_none()
        })?;
        if let Some(refused) = refused {
            return Err(refused);
        }
        table.waveform(columns.known, &self.options, passed, &mut self.warnings)
    }
}

/// Which columns of a table are what.
struct Columns {
    layout: Layout,
    known: Known,
    /// The place of the times, which are in units of `scale` seconds; rows are so far apart if there is none.
    time: Option<usize>,
    scale: f64,
    /// Those of the channels, in the order of the layout's columns.
    places: Vec<usize>,
}

impl Columns {
    fn of(file: &SerializedFileReader<Strict>, options: &ReadOptions) -> Result<Self, ReadError> {
        let metadata = file.metadata().file_metadata();
        let pairs: Vec<(String, String)> = metadata
            .key_value_metadata()
            .into_iter()
            .flatten()
            .filter_map(|pair| Some((pair.key.clone(), pair.value.clone()?)))
            .collect();
        let known = Known::of(&pairs);
        let columns = metadata.schema_descr().columns();
        // What is no number is no channel.
        let is_number = |kind: PhysicalType| {
            !matches!(
                kind,
                PhysicalType::BYTE_ARRAY | PhysicalType::FIXED_LEN_BYTE_ARRAY | PhysicalType::INT96
            )
        };
        let numeric: Vec<usize> = (0..columns.len())
            .filter(|&at| {
                columns.get(at).is_some_and(|column| {
                    let timed = matches!(column.logical_type_ref(), Some(LogicalType::Timestamp(_)));
                    is_number(column.physical_type()) && column.max_rep_level() == 0 && !timed
                })
            })
            .collect();
        let names: Vec<String> = numeric
            .iter()
            .filter_map(|&at| Some(columns.get(at)?.path().string().replace('"', "")))
            .collect();
        let (mut layout, time) = Layout::of_names(&names, options).map_err(fault)?;
        layout.set_known(&pairs);
        let rate_hz = known.sample_rate_hz.or(options.rate_hz);
        let scale = match (time, rate_hz) {
            (Some(_), _) => layout.time_scale(),
            (None, Some(rate_hz)) => rate_hz.recip(),
            (None, None) => return Err(ReadError::NoRate),
        };
        layout.clock = Clock::Column { place: 0, scale };
        let places: Vec<usize> =
            layout.columns.iter().filter_map(|column| numeric.get(column.place).copied()).collect();
        let time = time.and_then(|place| numeric.get(place).copied());
        Ok(Self { layout, known, time, scale, places })
    }
}

/// A column of a row group, of which the next numbers are read.
struct Column {
    reader: ColumnReader,
    /// The level at which there is a number; 0 if there is one in each row.
    present: i16,
}

impl Column {
    fn new(group: &dyn RowGroupReader, place: usize) -> Result<Self, ParquetError> {
        let present = group.metadata().column(place).column_descr().max_def_level();
        Ok(Self { reader: group.get_column_reader(place)?, present })
    }

    /// So many numbers, and nothing where there is none.
    fn next(&mut self, rows: usize) -> Result<Vec<Option<f64>>, ReadError> {
        let present = self.present;
        let numbers = match &mut self.reader {
            ColumnReader::BoolColumnReader(reader) => {
                values::<BoolType>(reader, present, rows, |value| f64::from(u8::from(value)))
            }
            ColumnReader::Int32ColumnReader(reader) => values::<Int32Type>(reader, present, rows, f64::from),
            ColumnReader::Int64ColumnReader(reader) => {
                values::<Int64Type>(reader, present, rows, |value| value as f64)
            }
            ColumnReader::FloatColumnReader(reader) => values::<FloatType>(reader, present, rows, f64::from),
            ColumnReader::DoubleColumnReader(reader) => {
                values::<DoubleType>(reader, present, rows, |value| value)
            }
            _ => return Err(fault("a column holds no numbers")),
        };
        let numbers = numbers.map_err(fault)?;
        // A file of a few bytes may state as many rows as it likes.
        if numbers.len() == rows { Ok(numbers) } else { Err(fault("it has fewer rows than it states")) }
    }
}

fn values<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    present: i16,
    rows: usize,
    number: impl Fn(T::T) -> f64,
) -> Result<Vec<Option<f64>>, ParquetError> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let mut read = 0;
    while read < rows {
        let (more, ..) = reader.read_records(rows - read, Some(&mut levels), None, &mut values)?;
        if more == 0 {
            break;
        }
        read += more;
    }
    let mut numbers = values.into_iter().map(number);
    if present == 0 {
        return Ok(numbers.map(Some).collect());
    }
    Ok(levels.into_iter().map(|level| if level == present { numbers.next() } else { None }).collect())
}

/// What the decoder makes of a file, also where that is a panic: it has some for files that are damaged.
fn decoded<T>(work: impl FnOnce() -> Result<T, ReadError>) -> Result<T, ReadError> {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    result.unwrap_or_else(|_| Err(fault("it is damaged")))
}

/// Goes through a table and begins to hand it over; `None` if it must be read as a whole.
pub(crate) fn open_pieces(path: &Path, options: &ReadOptions) -> Option<Fed> {
    let file = decoded(|| SerializedFileReader::new(Strict(File::open(path).map_err(fault)?)).map_err(fault))
        .ok()?;
    let columns = decoded(|| Columns::of(&file, options)).ok()?;
    let mut scan = TableScan::of(&columns.layout, options);
    let whole =
        decoded(|| columns.for_each_row(&file, &mut |time_s, values| scan.push(time_s, values))).ok()?;
    if whole { Some(scan.finish(&columns.layout, &columns.known, options)?.fed()) } else { None }
}

impl Columns {
    /// Hands over each row, its time in seconds and the numbers of its channels, until that returns false; whether all
    /// were taken.
    fn for_each_row(
        &self,
        file: &SerializedFileReader<Strict>,
        take: &mut dyn FnMut(f64, &[Option<f64>]) -> bool,
    ) -> Result<bool, ReadError> {
        let mut passed = 0_u64;
        let mut row = vec![None; self.places.len()];
        for number in 0..file.num_row_groups() {
            let group = file.get_row_group(number).map_err(fault)?;
            let column = |place: usize| Column::new(group.as_ref(), place).map_err(fault);
            let mut times = self.time.map(column).transpose()?;
            let mut columns = self.places.iter().copied().map(column).collect::<Result<Vec<_>, _>>()?;
            // A page of a few bytes may hold one value as often as it likes: decoded in pieces.
            let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or(usize::MAX);
            while left > 0 {
                let count = left.min(PIECE_SAMPLES);
                let of = |column: &mut Column| column.next(count);
                let times = times.as_mut().map(of).transpose()?;
                let values = columns.iter_mut().map(of).collect::<Result<Vec<_>, _>>()?;
                for at in 0..count {
                    for (cell, column) in row.iter_mut().zip(&values) {
                        *cell = column.get(at).copied().flatten();
                    }
                    let time_s = match &times {
                        Some(times) => times.get(at).copied().flatten().unwrap_or(f64::NAN) * self.scale,
                        None => passed as f64 * self.scale,
                    };
                    passed += 1;
                    if !take(time_s, &row) {
                        return Ok(false);
                    }
                }
                left -= count;
            }
        }
        Ok(true)
    }
}

impl TraceReader for ParquetReader {
    fn read(&mut self) -> Result<Option<Waveform>, ReadError> {
        let Some(file) = self.file.take() else { return Ok(None) };
        decoded(|| self.capture(&file)).map(Some)
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}

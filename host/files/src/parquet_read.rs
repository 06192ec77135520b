//! Reads tables in Parquet: what the Parquet writers write, of traces and of streams, and other tables with a column
//! of times.

use std::fs::File;
use std::path::Path;

use parquet::basic::{LogicalType, Type as PhysicalType};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{BoolType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};

use super::csv_read::layout::{Clock, Layout};
use super::csv_read::table::Table;
use super::facts::Known;
use super::options::ReadOptions;
use super::pieces::{Fed, PIECE_SAMPLES};
use super::table_pieces::{RowPieces, TableScan};
use super::{Format, MAX_SAMPLES, ReadError, TraceReader};
use scopething_waveform::waveform::Waveform;

/// Reads the capture in a table.
pub struct ParquetReader {
    file: Option<SerializedFileReader<File>>,
    options: ReadOptions,
    warnings: Vec<String>,
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
        let file = SerializedFileReader::new(file).map_err(fault)?;
        Ok(Self { file: Some(file), options, warnings: Vec::new() })
    }

    fn capture(&mut self, file: &SerializedFileReader<File>) -> Result<Waveform, ReadError> {
        let Columns { layout, known, time, scale, places } = Columns::of(file, &self.options)?;
        let mut table = Table::new(layout);
        let window = self.options.window();
        let mut passed = 0_u64;
        for number in 0..file.num_row_groups() {
            let group = file.get_row_group(number).map_err(fault)?;
            let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(usize::MAX);
            if rows > MAX_SAMPLES {
                return Err(ReadError::TooLong);
            }
            let times = time.map(|place| column(group.as_ref(), place, rows)).transpose().map_err(fault)?;
            let values: Result<Vec<_>, _> =
                places.iter().map(|&place| column(group.as_ref(), place, rows)).collect();
            let values = values.map_err(fault)?;
            for row in 0..rows {
                let at = |column: &Vec<Option<f64>>| column.get(row).copied().flatten();
                let time_s = match &times {
                    Some(times) => at(times).unwrap_or(f64::NAN) * scale,
                    None => passed as f64 * scale,
                };
                table.push_numbers(time_s, values.iter().map(at), window)?;
                passed += 1;
            }
        }
        table.waveform(known, &self.options, passed, &mut self.warnings)
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
    fn of(file: &SerializedFileReader<File>, options: &ReadOptions) -> Result<Self, ReadError> {
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

/// A column of a row group that is read some rows at a time.
enum Cells {
    Bool(ColumnReaderImpl<BoolType>),
    Int32(ColumnReaderImpl<Int32Type>),
    Int64(ColumnReaderImpl<Int64Type>),
    Float(ColumnReaderImpl<FloatType>),
    Double(ColumnReaderImpl<DoubleType>),
}

impl Cells {
    fn of(group: &dyn RowGroupReader, place: usize) -> Result<Option<Self>, ParquetError> {
        Ok(match group.get_column_reader(place)? {
            ColumnReader::BoolColumnReader(reader) => Some(Self::Bool(reader)),
            ColumnReader::Int32ColumnReader(reader) => Some(Self::Int32(reader)),
            ColumnReader::Int64ColumnReader(reader) => Some(Self::Int64(reader)),
            ColumnReader::FloatColumnReader(reader) => Some(Self::Float(reader)),
            ColumnReader::DoubleColumnReader(reader) => Some(Self::Double(reader)),
            _ => None,
        })
    }

    /// The numbers of the rows that follow; none where there is none.
    fn next(&mut self, rows: usize) -> Result<Vec<Option<f64>>, ParquetError> {
        match self {
            Self::Bool(reader) => values(reader, rows, |value| f64::from(u8::from(value))),
            Self::Int32(reader) => values(reader, rows, f64::from),
            Self::Int64(reader) => values(reader, rows, |value| value as f64),
            Self::Float(reader) => values(reader, rows, f64::from),
            Self::Double(reader) => values(reader, rows, |value| value),
        }
    }
}

/// The numbers of a column in a row group; none where there is none.
fn column(group: &dyn RowGroupReader, place: usize, rows: usize) -> Result<Vec<Option<f64>>, ParquetError> {
    Cells::of(group, place)?.map_or(Ok(Vec::new()), |mut cells| cells.next(rows))
}

fn values<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    number: impl Fn(T::T) -> f64,
) -> Result<Vec<Option<f64>>, ParquetError> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    let mut passed = 0;
    while passed < rows {
        let (read, ..) = reader.read_records(rows - passed, Some(&mut levels), None, &mut values)?;
        if read == 0 {
            break;
        }
        passed += read;
    }
    let mut numbers = values.into_iter().map(number);
    if levels.is_empty() {
        return Ok(numbers.map(Some).collect());
    }
    let most = levels.iter().copied().max().unwrap_or(0).max(1);
    Ok(levels.into_iter().map(|level| if level == most { numbers.next() } else { None }).collect())
}

/// Goes through a table once and begins to read it; `None` if it must be read as a whole.
pub(crate) fn open_pieces(path: &Path, options: &ReadOptions) -> Option<Fed> {
    let file = SerializedFileReader::new(File::open(path).ok()?).ok()?;
    let columns = Columns::of(&file, options).ok()?;
    let mut scan = TableScan::of(&columns.layout, options);
    let whole = columns.for_each_row(&file, &mut |time_s, values| scan.push(time_s, values)).ok()?;
    let (outline, order, warnings) =
        if whole { scan.finish(&columns.layout, &columns.known, options)? } else { return None };
    let mut rows = RowPieces::of(&outline, order, options);
    Some(Fed::begin(outline, warnings, move |send| {
        columns.for_each_row(&file, &mut |time_s, values| rows.push(time_s, values, send))?;
        rows.finish(send);
        Ok(())
    }))
}

impl Columns {
    /// Hands over each row, its time in seconds and the numbers of its channels, until that returns false; whether all
    /// were taken.
    fn for_each_row(
        &self,
        file: &SerializedFileReader<File>,
        take: &mut dyn FnMut(f64, &[Option<f64>]) -> bool,
    ) -> Result<bool, ReadError> {
        let mut passed = 0_u64;
        let mut row = vec![None; self.places.len()];
        for number in 0..file.num_row_groups() {
            let group = file.get_row_group(number).map_err(fault)?;
            let cells = |place: usize| {
                Cells::of(group.as_ref(), place)
                    .map_err(fault)?
                    .ok_or_else(|| fault("a column holds no numbers"))
            };
            let mut times = self.time.map(cells).transpose()?;
            let mut columns = self.places.iter().map(|&place| cells(place)).collect::<Result<Vec<_>, _>>()?;
            let mut left = usize::try_from(group.metadata().num_rows()).unwrap_or(usize::MAX);
            while left > 0 {
                let count = left.min(PIECE_SAMPLES);
                let of = |cells: &mut Cells| cells.next(count).map_err(fault);
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
        self.file.take().map(|file| self.capture(&file)).transpose()
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}

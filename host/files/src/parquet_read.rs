//! Reads tables in Parquet: what the Parquet writers write, of traces and of streams, and other tables with a column
//! of times.

use std::fs::File;

use parquet::basic::{LogicalType, Type as PhysicalType};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{BoolType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};

use super::csv_read::layout::{Clock, Layout};
use super::csv_read::table::Table;
use super::facts::Known;
use super::options::ReadOptions;
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
        let (mut layout, time) = Layout::of_names(&names, &self.options).map_err(fault)?;
        layout.set_known(&pairs);
        let rate_hz = known.sample_rate_hz.or(self.options.rate_hz);
        let scale = match (time, rate_hz) {
            (Some(_), _) => layout.time_scale(),
            (None, Some(rate_hz)) => rate_hz.recip(),
            (None, None) => return Err(ReadError::NoRate),
        };
        layout.clock = Clock::Column { place: 0, scale };
        let places: Vec<usize> =
            layout.columns.iter().filter_map(|column| numeric.get(column.place).copied()).collect();
        let time = time.and_then(|place| numeric.get(place).copied());
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

/// The numbers of a column in a row group; none where there is none.
fn column(group: &dyn RowGroupReader, place: usize, rows: usize) -> Result<Vec<Option<f64>>, ParquetError> {
    match group.get_column_reader(place)? {
        ColumnReader::BoolColumnReader(reader) => {
            values::<BoolType>(reader, rows, |value| f64::from(u8::from(value)))
        }
        ColumnReader::Int32ColumnReader(reader) => values::<Int32Type>(reader, rows, f64::from),
        ColumnReader::Int64ColumnReader(reader) => values::<Int64Type>(reader, rows, |value| value as f64),
        ColumnReader::FloatColumnReader(reader) => values::<FloatType>(reader, rows, f64::from),
        ColumnReader::DoubleColumnReader(reader) => values::<DoubleType>(reader, rows, |value| value),
        _ => Ok(Vec::new()),
    }
}

fn values<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    rows: usize,
    number: impl Fn(T::T) -> f64,
) -> Result<Vec<Option<f64>>, ParquetError> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    while values.len() < rows {
        let (read, ..) = reader.read_records(rows, Some(&mut levels), None, &mut values)?;
        if read == 0 {
            break;
        }
    }
    let mut numbers = values.into_iter().map(number);
    if levels.is_empty() {
        return Ok(numbers.map(Some).collect());
    }
    let most = levels.iter().copied().max().unwrap_or(0).max(1);
    Ok(levels.into_iter().map(|level| if level == most { numbers.next() } else { None }).collect())
}

impl TraceReader for ParquetReader {
    fn read(&mut self) -> Result<Option<Waveform>, ReadError> {
        self.file.take().map(|file| self.capture(&file)).transpose()
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }
}

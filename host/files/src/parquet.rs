//! Apache Parquet, for pandas, polars and other tables: `pandas.read_parquet("x.parquet")`.
//!
//! A row a sample time, as in CSV: `time` (seconds, 64-bit float), then the channels in their order, `A` and
//! `B` as 32-bit floats (volts, or fractions of the range), `L0` to `L7` as unsigned 8-bit integers; null where
//! a channel has no sample at that time. What else is known of the capture is in the file's key-value metadata,
//! under the names that the [NPZ](super::npz) writer gives its arrays, with `unit` (`V` or `range`) where
//! there are analog channels; `warnings` is a JSON list. What is not known is left out.
//!
//! One row group, compressed with gzip, which every reader knows.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{DoubleType, FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use super::WriteError;
use super::csv_write::TIME;
use super::rows::{Row, Rows};
use scopething_waveform::recording::{Samples, Series, Waveform};

/// The file ends with an index of all that is in it, so it is made in memory: it is no larger than the capture.
pub(super) fn write(recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError> {
    Ok(out.write_all(&encode(recording).map_err(std::io::Error::other)?)?)
}

fn encode(recording: &Waveform) -> Result<Vec<u8>, ParquetError> {
    let rows: Vec<Row> = Rows::of(recording).collect();
    let properties = WriterProperties::builder()
        .set_compression(Compression::GZIP(parquet::basic::GzipLevel::default()))
        .set_key_value_metadata(Some(metadata(recording)))
        .build();
    let schema = schema(recording, rows.len())?;
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    write_times(&mut group, &rows)?;
    for (channel, series) in recording.channels().iter().enumerate() {
        write_channel(&mut group, series, rows.iter().map(|row| row.indices().nth(channel).flatten()))?;
    }
    group.close()?;
    file.into_inner()
}

fn schema(recording: &Waveform, rows: usize) -> Result<TypePtr, ParquetError> {
    let time = Type::primitive_type_builder(TIME, PhysicalType::DOUBLE);
    let mut fields = vec![time.with_repetition(Repetition::REQUIRED).build()?];
    for series in recording.channels() {
        let name = series.channel.to_string();
        let field = match series.samples {
            Samples::Levels(_) => Type::primitive_type_builder(&name, PhysicalType::INT32)
                .with_logical_type(Some(LogicalType::integer(8, false))),
            Samples::Volts(_) | Samples::Fractions(_) => {
                Type::primitive_type_builder(&name, PhysicalType::FLOAT)
            }
        };
        let complete = series.samples.len() == rows;
        let repetition = if complete { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        fields.push(field.with_repetition(repetition).build()?);
    }
    let fields = fields.into_iter().map(Arc::new).collect();
    Ok(Arc::new(Type::group_type_builder("capture").with_fields(fields).build()?))
}

type Group<'f> = SerializedRowGroupWriter<'f, Vec<u8>>;

fn write_times(group: &mut Group<'_>, rows: &[Row]) -> Result<(), ParquetError> {
    let times_s: Vec<f64> = rows.iter().map(Row::time_s).collect();
    if let Some(mut column) = group.next_column()? {
        column.typed::<DoubleType>().write_batch(&times_s, None, None)?;
        column.close()?;
    }
    Ok(())
}

/// Writes the samples of one channel, with which rows have one if not all have.
fn write_channel(
    group: &mut Group<'_>,
    series: &Series,
    indices: impl ExactSizeIterator<Item = Option<usize>>,
) -> Result<(), ParquetError> {
    let complete = series.samples.len() == indices.len();
    let present: Vec<i16> = indices.map(|index| i16::from(index.is_some())).collect();
    let present = (!complete).then_some(present.as_slice());
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    match &series.samples {
        Samples::Volts(samples) | Samples::Fractions(samples) => {
            column.typed::<FloatType>().write_batch(samples, present, None)?;
        }
        Samples::Levels(levels) => {
            let levels: Vec<i32> = levels.iter().copied().map(i32::from).collect();
            column.typed::<Int32Type>().write_batch(&levels, present, None)?;
        }
    }
    column.close()
}

fn metadata(recording: &Waveform) -> Vec<KeyValue> {
    let details = recording.details();
    let trigger = details.trigger.as_ref();
    let unit = if recording.is_raw() { "range" } else { "V" };
    let warnings = serde_json::Value::from(details.warnings.clone());
    let known = [
        ("sample_rate", Some(recording.sample_rate_hz().to_string())),
        ("interleaved_sample_rate", Some(recording.sample_rate_hz().to_string())),
        ("capture_start", details.capture_start_s.map(|start_s| start_s.to_string())),
        ("cause", details.cause.map(|cause| cause.to_string())),
        ("mode", details.mode.clone()),
        ("trigger_time", trigger.map(|trigger| trigger.time_s.to_string())),
        ("trigger_level", trigger.and_then(|trigger| trigger.level).map(|level| level.to_string())),
        ("trigger_type", trigger.map(|trigger| trigger.kind.to_string())),
        ("trigger_source", trigger.map(|trigger| trigger.source.clone())),
        ("range_low", details.range.map(|range| range.low.to_string())),
        ("range_high", details.range.map(|range| range.high.to_string())),
        ("unit", recording.analog().next().map(|_| unit.to_owned())),
        ("warnings", Some(warnings.to_string())),
        ("trace", details.stamp.map(|stamp| stamp.number.to_string())),
        ("clock", details.stamp.map(|stamp| stamp.clock.to_string())),
        ("gap", details.stamp.and_then(|stamp| stamp.gap).map(|gap| gap.name().to_owned())),
    ];
    let known = known.into_iter().filter_map(|(key, value)| Some(KeyValue::new(key.to_owned(), value?)));
    let rates = recording.channels().iter().map(|series| {
        KeyValue::new(format!("{}_sample_rate", series.channel), series.sample_rate_hz().to_string())
    });
    known.chain(rates).collect()
}

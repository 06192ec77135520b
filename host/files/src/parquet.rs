//! Tables in Parquet, for pandas and polars.
//!
//! A row a sample time, as in CSV: `time` (seconds, 64-bit float), then the channels in their order, `A` and
//! `B` as 32-bit floats (volts, or fractions of the range), `L0` to `L7` as unsigned 8-bit integers: in each row the latest
//! sample, null only before the first one. [What else is known](super::facts) of the capture is in the file's
//! key-value metadata, when each channel was sampled among it. A channel has the name that it had in the file it came from.
//!
//! Row groups of [`MAX_BUFFERED_ROWS`] are written one after the other, so that memory does not grow with the capture. They
//! are compressed with gzip, which every reader knows. Times are cut into their bytes before, as are volts: what
//! evenly spaced times have in common stands together then.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{DoubleType, FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type, TypePtr};

use super::csv_write::{TIME, name_of};
use super::rows::Rows;
use super::stream::MAX_BUFFERED_ROWS;
use super::{WriteError, facts};
use scopething_waveform::waveform::{Samples, Series, Waveform};

/// Takes the bytes of the encoder, which does not give back what it writes to.
#[derive(Clone, Default)]
struct Handover(Arc<Mutex<Vec<u8>>>);

impl Handover {
    fn pass_on(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(&bytes)?;
        bytes.clear();
        Ok(())
    }
}

impl Write for Handover {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// How tables are encoded: `time` and the columns of floats cut into their bytes.
pub(super) fn properties<'n>(floats: impl Iterator<Item = &'n str>) -> WriterPropertiesBuilder {
    let builder =
        WriterProperties::builder().set_compression(Compression::GZIP(parquet::basic::GzipLevel::default()));
    let time = ColumnPath::from(TIME);
    let builder = builder
        .set_column_dictionary_enabled(time.clone(), false)
        .set_column_encoding(time, Encoding::BYTE_STREAM_SPLIT);
    // Samples of a converter are few different numbers: a dictionary, and this where it grows too large.
    floats.fold(builder, |builder, name| {
        builder.set_column_encoding(ColumnPath::from(name), Encoding::BYTE_STREAM_SPLIT)
    })
}

pub(super) fn write(recording: &Waveform, out: &mut dyn Write) -> Result<(), WriteError> {
    let failed = |error: ParquetError| WriteError::Io(std::io::Error::other(error));
    let names: Vec<String> = recording.channels().iter().map(|series| name_of(recording, series)).collect();
    let analog = recording.channels().iter().zip(&names).filter(|(series, _)| series.channel.is_analog());
    let metadata =
        facts::facts(recording).into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
    let properties =
        properties(analog.map(|(_, name)| name.as_str())).set_key_value_metadata(Some(metadata)).build();
    let handover = Handover::default();
    let schema = schema(recording, &names).map_err(failed)?;
    let mut file =
        SerializedFileWriter::new(handover.clone(), schema, Arc::new(properties)).map_err(failed)?;
    let mut group = GroupOf::new(recording);
    let mut latest = vec![None; recording.channels().len()];
    for row in Rows::of(recording) {
        for (latest, index) in latest.iter_mut().zip(row.indices()) {
            *latest = index.or(*latest);
        }
        group.push(row.time_s(), &latest);
        if group.times_s.len() == MAX_BUFFERED_ROWS {
            group.write(&mut file).map_err(failed)?;
            handover.pass_on(out)?;
        }
    }
    if !group.times_s.is_empty() {
        group.write(&mut file).map_err(failed)?;
    }
    file.close().map_err(failed)?;
    Ok(handover.pass_on(out)?)
}

fn schema(recording: &Waveform, names: &[String]) -> Result<TypePtr, ParquetError> {
    let time = Type::primitive_type_builder(TIME, PhysicalType::DOUBLE);
    let mut fields = vec![time.with_repetition(Repetition::REQUIRED).build()?];
    for (series, name) in recording.channels().iter().zip(names) {
        let field = match series.samples {
            Samples::Levels(_) => Type::primitive_type_builder(name, PhysicalType::INT32)
                .with_logical_type(Some(LogicalType::integer(8, false))),
            Samples::Volts(_) | Samples::Fractions(_) => {
                Type::primitive_type_builder(name, PhysicalType::FLOAT)
            }
        };
        let repetition =
            if begins_first(recording, series) { Repetition::REQUIRED } else { Repetition::OPTIONAL };
        fields.push(field.with_repetition(repetition).build()?);
    }
    let fields = fields.into_iter().map(Arc::new).collect();
    Ok(Arc::new(Type::group_type_builder("capture").with_fields(fields).build()?))
}

/// Whether a channel has a sample in the first row.
fn begins_first(recording: &Waveform, series: &Series) -> bool {
    series.timestamp(0) <= recording.start_s() + series.period_s * 1e-6
}

/// Rows that are still to be written.
struct GroupOf<'r> {
    channels: &'r [Series],
    required: Vec<bool>,
    times_s: Vec<f64>,
    /// Which sample of each channel stands in each row.
    indices: Vec<Vec<Option<usize>>>,
}

impl<'r> GroupOf<'r> {
    fn new(recording: &'r Waveform) -> Self {
        let channels = recording.channels();
        Self {
            channels,
            required: channels.iter().map(|series| begins_first(recording, series)).collect(),
            times_s: Vec::new(),
            indices: vec![Vec::new(); channels.len()],
        }
    }

    fn push(&mut self, time_s: f64, latest: &[Option<usize>]) {
        self.times_s.push(time_s);
        self.indices.iter_mut().zip(latest).for_each(|(indices, index)| indices.push(*index));
    }

    fn write(&mut self, file: &mut SerializedFileWriter<Handover>) -> Result<(), ParquetError> {
        let mut group = file.next_row_group()?;
        if let Some(mut column) = group.next_column()? {
            column.typed::<DoubleType>().write_batch(&self.times_s, None, None)?;
            column.close()?;
        }
        for ((series, indices), required) in self.channels.iter().zip(&self.indices).zip(&self.required) {
            let present: Vec<i16> = match required {
                true => Vec::new(),
                false => indices.iter().map(|index| i16::from(index.is_some())).collect(),
            };
            write_channel(&mut group, series, indices, (!required).then_some(present.as_slice()))?;
        }
        group.close()?;
        self.times_s.clear();
        self.indices.iter_mut().for_each(Vec::clear);
        Ok(())
    }
}

/// Writes the samples of one channel, with which rows have one if not all have.
fn write_channel(
    group: &mut SerializedRowGroupWriter<'_, Handover>,
    series: &Series,
    indices: &[Option<usize>],
    present: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else { return Ok(()) };
    let indices = indices.iter().copied().flatten();
    match &series.samples {
        Samples::Volts(samples) | Samples::Fractions(samples) => {
            let samples: Vec<f32> = indices.filter_map(|index| samples.get(index).copied()).collect();
            column.typed::<FloatType>().write_batch(&samples, present, None)?;
        }
        Samples::Levels(levels) => {
            let levels: Vec<i32> =
                indices.filter_map(|index| levels.get(index).copied().map(i32::from)).collect();
            column.typed::<Int32Type>().write_batch(&levels, present, None)?;
        }
    }
    column.close()
}

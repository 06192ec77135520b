//! Tables in Parquet, for pandas and polars.
//!
//! A row a sample time, as in CSV: `time` (seconds, 64-bit float), then the channels in their order, `A` and
//! `B` as 32-bit floats (volts, or fractions of the range), `L0` to `L7` as unsigned 8-bit integers: in each row the latest
//! sample, null only before the first one. [What else is known](crate::facts) of the capture is in the file's
//! key-value metadata, when each channel was sampled among it. A channel has the name that it had in the file it came from.
//!
//! Row groups of [`MAX_BUFFERED_ROWS`] are written one after the other, so that memory does not grow with the capture. They
//! are compressed with gzip, which every reader knows. Times are cut into their bytes before: what evenly spaced times have
//! in common stands together then. Volts are places in a dictionary, or cut into their bytes where they are too many
//! different ones.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{DoubleType, FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type, TypePtr};

use crate::handover::Handover;
use crate::pieces::Held;
use crate::rows::{MAX_BUFFERED_ROWS, Row, Rows};
use crate::writers::csv::{TIME, name_of};
use crate::{PieceWriter, WriteError, facts};
use scopething_waveform::waveform::{Outline, SampleKind, SeriesOutline};

/// Bytes of a column's dictionary. It has room for all 4096 values of a converter of 12 bits, beside which nothing is as
/// small. Of more different values, their bytes apart are smaller than a dictionary and places in it.
const DICTIONARY_BYTES: usize = 8192 * size_of::<f32>();

/// How tables are encoded: `time` and the columns of floats cut into their bytes, those of few different values by a
/// dictionary.
pub(crate) fn properties<'n>(floats: impl Iterator<Item = &'n str>) -> WriterPropertiesBuilder {
    let builder = WriterProperties::builder()
        .set_compression(Compression::GZIP(parquet::basic::GzipLevel::default()))
        .set_dictionary_page_size_limit(DICTIONARY_BYTES)
        // The compressor begins anew with each page: a column of a group is one.
        .set_data_page_row_count_limit(MAX_BUFFERED_ROWS)
        .set_data_page_size_limit(MAX_BUFFERED_ROWS * size_of::<f64>());
    let time = ColumnPath::from(TIME);
    let builder = builder
        .set_column_dictionary_enabled(time.clone(), false)
        .set_column_encoding(time, Encoding::BYTE_STREAM_SPLIT);
    // Samples of a converter are few different numbers: a dictionary, and this where it grows too large.
    floats.fold(builder, |builder, name| {
        builder.set_column_encoding(ColumnPath::from(name), Encoding::BYTE_STREAM_SPLIT)
    })
}

/// Writes a capture by row groups.
#[derive(Default)]
pub(crate) struct ParquetWriter {
    table: Option<Table>,
}

/// The capture that is written.
struct Table {
    file: SerializedFileWriter<Handover>,
    bytes: Handover,
    rows: Rows,
    times_s: Vec<f64>,
    columns: Vec<Column>,
}

/// The values of a channel that are still to be written.
struct Column {
    values: Values,
    /// The latest sample.
    latest: Option<f32>,
    /// Which rows have a sample, if not all have.
    present: Option<Vec<i16>>,
}

enum Values {
    Floats(Vec<f32>),
    Levels(Vec<i32>),
}

fn failed(error: ParquetError) -> WriteError {
    WriteError::Io(std::io::Error::other(error))
}

impl Table {
    fn of(outline: &Outline) -> Result<Self, ParquetError> {
        let names: Vec<String> = outline.channels.iter().map(|series| name_of(outline, series)).collect();
        let analog = outline.channels.iter().zip(&names).filter(|(series, _)| series.channel.is_analog());
        let metadata =
            facts::facts(outline).into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
        let properties =
            properties(analog.map(|(_, name)| name.as_str())).set_key_value_metadata(Some(metadata)).build();
        let bytes = Handover::default();
        let schema = schema(outline, &names)?;
        Ok(Self {
            file: SerializedFileWriter::new(bytes.clone(), schema, Arc::new(properties))?,
            bytes,
            rows: Rows::of_outline(outline),
            times_s: Vec::new(),
            columns: outline.channels.iter().map(|series| Column::of(outline, series)).collect(),
        })
    }

    fn push(&mut self, row: &Row, held: &Held) {
        self.times_s.push(row.time_s());
        for ((channel, column), index) in self.columns.iter_mut().enumerate().zip(row.indices()) {
            column.push(index.and_then(|index| held.get(channel, index)));
        }
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        if self.times_s.is_empty() {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        if let Some(mut column) = group.next_column()? {
            column.typed::<DoubleType>().write_batch(&self.times_s, None, None)?;
            column.close()?;
        }
        self.times_s.clear();
        for column in &mut self.columns {
            column.write(&mut group)?;
        }
        group.close()?;
        Ok(())
    }
}

impl Column {
    fn of(outline: &Outline, series: &SeriesOutline) -> Self {
        let values = match series.kind {
            SampleKind::Levels => Values::Levels(Vec::new()),
            SampleKind::Volts | SampleKind::Fractions => Values::Floats(Vec::new()),
        };
        let present = (!begins_first(outline, series)).then(Vec::new);
        Self { values, latest: None, present }
    }

    fn push(&mut self, sample: Option<f32>) {
        self.latest = sample.or(self.latest);
        if let Some(present) = &mut self.present {
            present.push(i16::from(self.latest.is_some()));
        }
        match (&mut self.values, self.latest) {
            (Values::Floats(floats), Some(sample)) => floats.push(sample),
            (Values::Levels(levels), Some(level)) => levels.push(i32::from(level > 0.5)),
            (_, None) => {}
        }
    }

    fn write(&mut self, group: &mut SerializedRowGroupWriter<'_, Handover>) -> Result<(), ParquetError> {
        let Some(mut column) = group.next_column()? else { return Ok(()) };
        let present = self.present.as_deref();
        match &mut self.values {
            Values::Floats(floats) => {
                column.typed::<FloatType>().write_batch(floats, present, None)?;
                floats.clear();
            }
            Values::Levels(levels) => {
                column.typed::<Int32Type>().write_batch(levels, present, None)?;
                levels.clear();
            }
        }
        if let Some(present) = &mut self.present {
            present.clear();
        }
        column.close()
    }
}

impl PieceWriter for ParquetWriter {
    fn begin(&mut self, outline: &Outline, _spool: &Path, out: &mut dyn Write) -> Result<(), WriteError> {
        let table = Table::of(outline).map_err(failed)?;
        table.bytes.pass_on(out)?;
        self.table = Some(table);
        Ok(())
    }

    fn samples(&mut self, held: &mut Held, out: &mut dyn Write) -> Result<(), WriteError> {
        let Some(table) = &mut self.table else { return Ok(()) };
        while let Some(row) = table.rows.next_of(held) {
            table.push(&row, held);
            if table.times_s.len() == MAX_BUFFERED_ROWS {
                table.write_group().map_err(failed)?;
                table.bytes.pass_on(out)?;
            }
        }
        table.rows.drop_passed(held);
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> Result<(), WriteError> {
        let Some(mut table) = self.table.take() else { return Ok(()) };
        table.write_group().map_err(failed)?;
        table.file.close().map_err(failed)?;
        Ok(table.bytes.pass_on(out)?)
    }
}

fn schema(recording: &Outline, names: &[String]) -> Result<TypePtr, ParquetError> {
    let time = Type::primitive_type_builder(TIME, PhysicalType::DOUBLE);
    let mut fields = vec![time.with_repetition(Repetition::REQUIRED).build()?];
    for (series, name) in recording.channels.iter().zip(names) {
        let field = match series.kind {
            SampleKind::Levels => Type::primitive_type_builder(name, PhysicalType::INT32)
                .with_logical_type(Some(LogicalType::integer(8, false))),
            SampleKind::Volts | SampleKind::Fractions => {
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
fn begins_first(recording: &Outline, series: &SeriesOutline) -> bool {
    series.timestamp(0) <= recording.start_s() + series.period_s * 1e-6
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use bytes::Bytes;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use scopething_waveform::waveform::{Channel, Details, Samples, Series, Waveform};

    use super::*;
    use crate::{Format, ReadOptions, open_pieces};

    const ROWS: usize = MAX_BUFFERED_ROWS + 1000;

    /// A sine with noise, both in steps of a converter that has so many over -5 V to 5 V.
    fn converted(steps: u32) -> Vec<f32> {
        let mut random = fastrand::Rng::with_seed(14);
        let half = f64::from(steps) / 2.0;
        let sine = |index: usize| 0.8 * half * (TAU * index as f64 * 1000.7e-6).sin();
        // The sum of three has a standard deviation of one step.
        let mut noise = || (0..3).map(|_| 2.0 * random.f64() - 1.0).sum::<f64>();
        (0..ROWS).map(|index| ((sine(index) + noise()).round() * 5.0 / half) as f32).collect()
    }

    fn trace(samples: Vec<Samples>) -> Waveform {
        let channels = [Channel::A, Channel::B, Channel::L[0]].into_iter().zip(samples);
        let series = channels.map(|(channel, samples)| Series::new(channel, 0.0, 1e-6, samples));
        Waveform::new(1e6, series.collect(), Details::default()).unwrap()
    }

    fn written(waveform: &Waveform) -> Vec<u8> {
        let mut bytes = Vec::new();
        Format::Parquet.writer().write(waveform, &mut bytes).unwrap();
        bytes
    }

    /// Bytes a row of each column.
    fn sizes(waveform: &Waveform) -> Vec<f64> {
        let file = SerializedFileReader::new(Bytes::from(written(waveform))).unwrap();
        let groups = file.metadata().row_groups();
        assert_eq!(file.metadata().file_metadata().num_rows(), i64::try_from(ROWS).unwrap());
        let size = |column| groups.iter().map(|group| group.column(column).compressed_size()).sum::<i64>();
        (0..=waveform.channels().len()).map(|column| size(column) as f64 / ROWS as f64).collect()
    }

    #[test]
    fn columns_are_small() {
        let alternating = (0..ROWS).map(|index| u8::from(index % 10 < 3)).collect();
        let of_8_bits = trace(vec![
            Samples::Volts(converted(256)),
            Samples::Volts(converted(256).into_iter().rev().collect()),
            Samples::Levels(alternating),
        ]);
        let sizes_of_8_bits = sizes(&of_8_bits);
        let [time, a, b, line] = sizes_of_8_bits[..] else { panic!("{sizes_of_8_bits:?}") };
        // As eight bytes one after the other, times take more than five.
        assert!(time < 0.4, "{time}");
        // A byte a sample would do without any compression.
        assert!(a < 0.75 && b < 0.75 && line < 0.01, "{a} {b} {line}");
        // As are twelve bits for samples of twelve.
        let [_, a] = sizes(&trace(vec![Samples::Volts(converted(4096))]))[..] else { panic!("no columns") };
        assert!(a < 1.5, "{a}");
        // No dictionary is any good for numbers that hardly repeat: it would take more than the four bytes that they have.
        let [_, a] = sizes(&trace(vec![Samples::Volts(converted(1 << 24))]))[..] else {
            panic!("no columns")
        };
        assert!(a < 3.0, "{a}");
    }

    #[test]
    fn more_numbers_than_a_dictionary_holds_are_read_back() {
        // The dictionary is full within the first group.
        let mut volts = converted(256);
        volts[ROWS / 2..].copy_from_slice(&converted(1 << 24)[ROWS / 2..]);
        let waveform = trace(vec![Samples::Volts(volts.clone())]);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.parquet");
        std::fs::write(&path, written(&waveform)).unwrap();
        let mut pieces = open_pieces(&path, Format::Parquet, &ReadOptions::default()).unwrap();
        let mut read = Vec::new();
        while let Some(piece) = pieces.next().unwrap() {
            let Samples::Volts(more) = &piece[0] else { panic!("{piece:?}") };
            read.extend_from_slice(more);
        }
        assert_eq!(read.len(), volts.len());
        assert!(read == volts);
    }
}

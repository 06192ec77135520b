//! A table in Parquet: columns `time`, the channels, and `lost`, a row group each [`MAX_BUFFERED_ROWS`] rows.
//!
//! The columns have the types that [traces](crate) have in this format, `lost` is an unsigned 32-bit integer, null
//! where it is not known how many frames are lost. The
//! file's key-value metadata has `sample_rate`, `start` (UTC, by the computer's clock), `thinning`, `unit`, `range_low`,
//! `range_high` and `warnings`.

use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{DataType, DoubleType, FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::EnabledStatistics;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnDescPtr, ColumnPath, PrimitiveTypeBuilder, Type, TypePtr};

use super::pages::ColumnChunk;
use super::row::{Column, Row, RowWriter, StreamHeader, Writer};
use crate::WriteError;
use crate::rows::MAX_BUFFERED_ROWS;
use crate::writers::csv::{LOST, TIME};
use scopething::atomic::AtomicFile;

/// Bytes of a page. The encoder keeps a page, and of columns with a dictionary all pages of a group: large buffers that come
/// and go leave holes in the heap, and a process that streams for a day grows by megabytes a group.
const PAGE_BYTES: usize = 1 << 15;

struct ParquetRows {
    file: SerializedFileWriter<AtomicFile>,
    chunk: ColumnChunk,
    header: StreamHeader,
    times_s: Vec<f64>,
    columns: Vec<Values>,
    lost: Vec<i32>,
    /// A definition level for each row: 0 where `lost` is null.
    is_lost_known: Vec<i16>,
}

enum Values {
    Analog(Vec<f32>),
    Levels(Vec<i32>),
}

impl Values {
    fn of(column: Column) -> Self {
        if column.is_analog() {
            Self::Analog(Vec::with_capacity(MAX_BUFFERED_ROWS))
        } else {
            Self::Levels(Vec::with_capacity(MAX_BUFFERED_ROWS))
        }
    }

    fn push(&mut self, value: f32) {
        match self {
            Self::Analog(values) => values.push(value),
            Self::Levels(levels) => levels.push(i32::from(value > 0.5)),
        }
    }
}

pub(super) fn writer(file: AtomicFile, header: &StreamHeader) -> Writer {
    let facts = header.facts().into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value));
    let names: Vec<String> =
        header.columns.iter().filter(|column| column.is_analog()).map(Column::name).collect();
    let properties = names.iter().fold(
        crate::writers::parquet::properties(names.iter().map(String::as_str)),
        // Means of many samples hardly repeat.
        |properties, name| properties.set_column_dictionary_enabled(ColumnPath::from(name.as_str()), false),
    );
    let properties = properties
        // [`ColumnChunk`] does that.
        .set_compression(Compression::UNCOMPRESSED)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_page_size_limit(PAGE_BYTES)
        // What is known of each page is kept until the end of the stream.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_key_value_metadata(Some(facts.collect()))
        .build();
    let properties = Arc::new(properties);
    let file =
        schema(header).and_then(|schema| SerializedFileWriter::new(file, schema, Arc::clone(&properties)));
    Ok(Box::new(ParquetRows {
        file: file.map_err(failed)?,
        chunk: ColumnChunk::new(properties),
        header: header.clone(),
        times_s: Vec::with_capacity(MAX_BUFFERED_ROWS),
        columns: header.columns.iter().copied().map(Values::of).collect(),
        lost: Vec::with_capacity(MAX_BUFFERED_ROWS),
        is_lost_known: Vec::with_capacity(MAX_BUFFERED_ROWS),
    }))
}

fn failed(error: ParquetError) -> WriteError {
    WriteError::Io(std::io::Error::other(error))
}

fn integer(name: &str, bits: i8) -> PrimitiveTypeBuilder<'_> {
    Type::primitive_type_builder(name, PhysicalType::INT32)
        .with_logical_type(Some(LogicalType::integer(bits, false)))
}

fn schema(header: &StreamHeader) -> Result<TypePtr, ParquetError> {
    let mut fields = vec![
        Type::primitive_type_builder(TIME, PhysicalType::DOUBLE)
            .with_repetition(Repetition::REQUIRED)
            .build()?,
    ];
    for column in &header.columns {
        let name = column.name();
        let field = if column.is_analog() {
            Type::primitive_type_builder(&name, PhysicalType::FLOAT)
        } else {
            integer(&name, 8)
        };
        fields.push(field.with_repetition(Repetition::REQUIRED).build()?);
    }
    fields.push(integer(LOST, 32).with_repetition(Repetition::OPTIONAL).build()?);
    let fields = fields.into_iter().map(Arc::new).collect();
    Ok(Arc::new(Type::group_type_builder("stream").with_fields(fields).build()?))
}

impl ParquetRows {
    fn write_group(&mut self) -> Result<(), ParquetError> {
        let Self { file, chunk, times_s, columns, lost, is_lost_known, .. } = self;
        let descriptions = file.schema_descr().columns().to_vec();
        let mut descriptions = descriptions.into_iter();
        let mut group = file.next_row_group()?;
        let mut next =
            || descriptions.next().ok_or_else(|| ParquetError::General("too few columns".to_owned()));
        write_column::<DoubleType>(&mut group, chunk, next()?, times_s, None)?;
        for column in columns {
            match column {
                Values::Analog(values) => {
                    write_column::<FloatType>(&mut group, chunk, next()?, values, None)?;
                }
                Values::Levels(levels) => {
                    write_column::<Int32Type>(&mut group, chunk, next()?, levels, None)?;
                }
            }
        }
        write_column::<Int32Type>(&mut group, chunk, next()?, lost, Some(is_lost_known))?;
        is_lost_known.clear();
        group.close()?;
        Ok(())
    }
}

/// Writes the next column of a group, and empties it. `defined` has a definition level for each row of a column that may be null.
fn write_column<T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, AtomicFile>,
    chunk: &mut ColumnChunk,
    description: ColumnDescPtr,
    values: &mut Vec<T::T>,
    defined: Option<&[i16]>,
) -> Result<(), ParquetError> {
    chunk.write::<T>(group, description, values, defined)?;
    values.clear();
    Ok(())
}

impl RowWriter for ParquetRows {
    fn write(&mut self, row: &Row) -> Result<(), WriteError> {
        self.times_s.push(self.header.time_s(row.index));
        for (column, &value) in self.columns.iter_mut().zip(&row.values) {
            column.push(value);
        }
        // The bits of an unsigned number, as the format has it.
        self.lost.extend(row.lost.map(|lost| u32::try_from(lost).unwrap_or(u32::MAX).cast_signed()));
        self.is_lost_known.push(row.lost.is_some().into());
        if self.times_s.len() == MAX_BUFFERED_ROWS { self.write_group().map_err(failed) } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> Result<AtomicFile, WriteError> {
        if !self.times_s.is_empty() {
            self.write_group().map_err(failed)?;
        }
        self.file.into_inner().map_err(failed)
    }
}

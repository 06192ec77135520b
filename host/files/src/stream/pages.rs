//! Pages of Parquet columns, compressed with memory that is used again.
//!
//! The `parquet` crate makes a compressor for each page. zlib-rs allocates its 320 KiB at a multiple of 64 bytes, and glibc
//! (2.36) looks for such a block in a larger free one only: the hole that the last one has left does not do, once something
//! that stays, such as what the file's index needs, lies behind it. A process that streamed grew by a hole a row group, 4 MB an
//! hour. Here one compressor serves all pages of a file.

use std::mem;

use bytes::Bytes;
use flate2::{Compress, FlushCompress, Status};
use parquet::basic::{Compression, GzipLevel};
use parquet::column::page::{CompressedPage, Page, PageWriteSpec, PageWriter};
use parquet::column::writer::{get_column_writer, get_typed_column_writer};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::file::writer::{SerializedPageWriter, SerializedRowGroupWriter, TrackedWrite};
use parquet::schema::types::ColumnDescPtr;

use scopething::atomic::AtomicFile;

/// Base-2 logarithm of the window, the largest: what readers of gzip expect.
const WINDOW_BITS: u8 = 15;
/// What a compressed page has room for at first, and what is added where that is too little.
const PAGE_ROOM: usize = 1 << 13;

/// The columns of a group, one after the other.
pub(super) struct ColumnChunk {
    properties: WriterPropertiesPtr,
    compressor: Compress,
    /// The pages of a column; empty between two.
    bytes: Vec<u8>,
}

impl ColumnChunk {
    /// `properties` are those of the file, without compression.
    pub(super) fn new(properties: WriterPropertiesPtr) -> Self {
        let compressor = Compress::new_gzip(flate2::Compression::default(), WINDOW_BITS);
        Self { properties, compressor, bytes: Vec::new() }
    }

    /// Writes the next column of a group. `defined` has a definition level for each row of a column that may be null.
    pub(super) fn write<T: DataType>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, AtomicFile>,
        description: ColumnDescPtr,
        values: &[T::T],
        defined: Option<&[i16]>,
    ) -> Result<(), ParquetError> {
        let mut sink = TrackedWrite::new(mem::take(&mut self.bytes));
        let pages = Pages { sink: SerializedPageWriter::new(&mut sink), compressor: &mut self.compressor };
        let writer = get_column_writer(description, self.properties.clone(), Box::new(pages));
        let mut writer = get_typed_column_writer::<T>(writer);
        writer.write_batch(values, defined, None)?;
        let mut written = writer.close()?;
        let gzip = Compression::GZIP(GzipLevel::default());
        written.metadata = written.metadata.into_builder().set_compression(gzip).build()?;
        let bytes = Bytes::from(sink.into_inner()?);
        group.append_column(&bytes, written)?;
        self.bytes = bytes.into();
        self.bytes.clear();
        Ok(())
    }
}

/// Compresses pages on their way.
struct Pages<'a> {
    sink: SerializedPageWriter<'a, Vec<u8>>,
    compressor: &'a mut Compress,
}

impl Pages<'_> {
    fn compress(&mut self, data: &[u8]) -> Result<Bytes, ParquetError> {
        self.compressor.reset();
        let mut compressed = Vec::with_capacity(PAGE_ROOM);
        loop {
            let taken = usize::try_from(self.compressor.total_in()).unwrap_or(usize::MAX);
            let rest = data.get(taken..).unwrap_or_default();
            let status = self.compressor.compress_vec(rest, &mut compressed, FlushCompress::Finish);
            if status.map_err(|error| ParquetError::External(error.into()))? == Status::StreamEnd {
                return Ok(compressed.into());
            }
            compressed.reserve(PAGE_ROOM);
        }
    }
}

impl PageWriter for Pages<'_> {
    fn write_page(&mut self, page: CompressedPage) -> Result<PageWriteSpec, ParquetError> {
        let length = page.uncompressed_size();
        let buf = self.compress(page.data())?;
        let compressed = match page.compressed_page() {
            Page::DataPage {
                num_values,
                encoding,
                def_level_encoding,
                rep_level_encoding,
                statistics,
                ..
            } => Page::DataPage {
                buf,
                num_values: *num_values,
                encoding: *encoding,
                def_level_encoding: *def_level_encoding,
                rep_level_encoding: *rep_level_encoding,
                statistics: statistics.clone(),
            },
            Page::DictionaryPage { num_values, encoding, is_sorted, .. } => Page::DictionaryPage {
                buf,
                num_values: *num_values,
                encoding: *encoding,
                is_sorted: *is_sorted,
            },
            // Its levels would have to stay as they are: files of the second version are not written.
            Page::DataPageV2 { .. } => return Err(ParquetError::NYI("pages of version 2".to_owned())),
        };
        self.sink.write_page(CompressedPage::new(compressed, length))
    }

    fn close(&mut self) -> Result<(), ParquetError> {
        self.sink.close()
    }
}

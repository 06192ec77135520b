//! Zip files in the making, for the formats that are one.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::WriteError;

/// Entries are kept in memory until all are there: an archive cut short is of no use, and none is larger than
/// the samples of its capture.
pub(super) struct Archive {
    zip: ZipWriter<Cursor<Vec<u8>>>,
}

impl Archive {
    pub(super) fn new() -> Self {
        Self { zip: ZipWriter::new(Cursor::new(Vec::new())) }
    }

    pub(super) fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
        self.zip.start_file(name, options)?;
        Ok(self.zip.write_all(bytes)?)
    }

    pub(super) fn write_to(self, out: &mut dyn Write) -> Result<(), WriteError> {
        Ok(out.write_all(self.zip.finish()?.get_ref())?)
    }
}

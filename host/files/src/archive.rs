//! Zip files in the making, for the formats that are one.

use std::io::{Read, Write};

use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, ZipWriter};

use super::WriteError;
use super::handover::Handover;

/// Entries from this size on need the longer form of a zip file's directory.
const LARGE_BYTES: u64 = u32::MAX as u64;
/// Bytes that are compressed before they are handed on.
const PIECE_BYTES: usize = 1 << 16;

/// An archive that is handed on as it is made.
pub(super) struct Archive {
    zip: ZipWriter<StreamWriter<Handover>>,
    bytes: Handover,
}

impl Archive {
    pub(super) fn new() -> Self {
        let bytes = Handover::default();
        Self { zip: ZipWriter::new_stream(bytes.clone()), bytes }
    }

    pub(super) fn add(&mut self, name: &str, content: &[u8], out: &mut dyn Write) -> Result<(), WriteError> {
        self.add_read(name, content.len() as u64, &mut &*content, out)
    }

    /// Adds an entry of so many bytes that are read.
    pub(super) fn add_read(
        &mut self,
        name: &str,
        length: u64,
        content: &mut dyn Read,
        out: &mut dyn Write,
    ) -> Result<(), WriteError> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .large_file(length >= LARGE_BYTES);
        self.zip.start_file(name, options)?;
        let mut piece = [0; PIECE_BYTES];
        loop {
            let count = content.read(&mut piece)?;
            if count == 0 {
                return Ok(self.bytes.pass_on(out)?);
            }
            self.zip.write_all(piece.get(..count).unwrap_or_default())?;
            self.bytes.pass_on(out)?;
        }
    }

    pub(super) fn finish(self, out: &mut dyn Write) -> Result<(), WriteError> {
        self.zip.finish()?;
        Ok(self.bytes.pass_on(out)?)
    }
}

//! Captures on their way into a file.

use std::io::Write as _;
use std::path::Path;

use thiserror::Error;

use super::atomic::{AtomicError, AtomicFile};
use super::{Format, TraceWriter, WriteError};
use crate::recording::Recording;

/// Why a file of captures was not written.
#[derive(Debug, Error)]
pub enum SaveError {
    /// The file could not be made or put in its place.
    #[error(transparent)]
    File(#[from] AtomicError),
    /// A capture could not be written; the target is as it was.
    #[error("{path} was left as it was: {source}")]
    Capture {
        /// The target.
        path: String,
        /// Why not.
        source: WriteError,
    },
}

/// A file of captures, [complete or not there](super::atomic).
///
/// See the [module above](super) for an example.
pub struct TraceFile {
    file: AtomicFile,
    writer: Box<dyn TraceWriter>,
}

impl TraceFile {
    /// Starts a file that shall take the place of `path` when it is [committed](Self::commit).
    ///
    /// # Errors
    /// If no file can be made there.
    pub fn create(path: &Path, format: Format) -> Result<Self, SaveError> {
        Ok(Self { file: AtomicFile::create(path)?, writer: format.writer() })
    }

    /// Writes one more capture and hands it to the system, so that a full disk is known while the caller
    /// still has it.
    ///
    /// # Errors
    /// If the disk fails or the format cannot hold it. The file is then of no more use: drop it, and the
    /// target stays as it was.
    pub fn write(&mut self, recording: &Recording) -> Result<(), SaveError> {
        let written = self.writer.write(recording, &mut self.file);
        written
            .and_then(|()| Ok(self.file.flush()?))
            .map_err(|source| SaveError::Capture { path: self.file.path().display().to_string(), source })
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// If the disk fails; the error says whether the target is the old file or the new one.
    pub fn commit(self) -> Result<(), SaveError> {
        Ok(self.file.commit()?)
    }
}

//! Captures on their way into a file.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{Format, TraceWriter, WriteError};
use scopething::atomic::{AtomicError, AtomicFile};
use scopething_waveform::waveform::Waveform;

/// Why a file of captures was not written.
#[derive(Debug, Error)]
pub enum SaveError {
    /// The file could not be made or put in its place.
    #[error(transparent)]
    File(#[from] AtomicError),
    /// A capture could not be written.
    #[error("a capture could not be written to {path}{}: {source}", after(*captures))]
    Capture {
        /// The target, which is as it was.
        path: String,
        /// How many captures before it are complete, and take the target's place when the file is committed.
        captures: u32,
        /// Why not.
        source: WriteError,
    },
}

fn after(captures: u32) -> String {
    match captures {
        0 => ", which was left as it was".to_owned(),
        1 => " after the one before it".to_owned(),
        _ => format!(" after the {captures} before it"),
    }
}

/// A file of captures, [complete or not there](scopething::atomic).
///
/// See the [module above](super) for an example.
pub struct TraceFile {
    file: AtomicFile,
    writer: Box<dyn TraceWriter>,
    captures: u32,
    /// How long the file was after the last complete capture.
    complete_bytes: u64,
}

impl TraceFile {
    /// Starts a file that shall take the place of `path` when it is [committed](Self::commit).
    ///
    /// # Errors
    /// If no file can be made there.
    pub fn create(path: &Path, format: Format) -> Result<Self, SaveError> {
        Ok(Self::on(AtomicFile::create(path)?, format))
    }

    /// Writes to standard output; a format that holds a single capture only takes the first.
    ///
    /// # Errors
    /// If the process has no standard output.
    pub fn standard_output(format: Format) -> Result<Self, SaveError> {
        Ok(Self::on(AtomicFile::standard_output()?, format))
    }

    fn on(file: AtomicFile, format: Format) -> Self {
        Self { file, writer: format.writer(), captures: 0, complete_bytes: 0 }
    }

    /// How many captures it holds.
    #[must_use]
    pub fn captures(&self) -> u32 {
        self.captures
    }

    /// Writes one more capture and hands it to the system, so that a full disk is known while the caller
    /// still has it.
    ///
    /// # Errors
    /// If the disk fails or the format cannot hold it. The file then holds the captures before it: write no
    /// more; [commit](Self::commit) it if there are any, or drop it, and the target stays as it was.
    pub fn write(&mut self, recording: &Waveform) -> Result<(), SaveError> {
        let written = self.writer.write(recording, &mut self.file);
        match written.and_then(|()| Ok(self.file.handed_over()?)) {
            Ok(length) => {
                self.captures += 1;
                self.complete_bytes = length.unwrap_or(0);
                Ok(())
            }
            Err(source) => {
                let path = self.file.path().display().to_string();
                if self.file.cut_back(self.complete_bytes).is_err() {
                    self.captures = 0;
                }
                Err(SaveError::Capture { path, captures: self.captures, source })
            }
        }
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// If the disk fails; the error states whether the target is the old file or the new one.
    pub fn commit(self) -> Result<(), SaveError> {
        Ok(self.file.commit()?)
    }

    /// As [`commit`](Self::commit), but a file that cannot take its place stays beside it.
    ///
    /// # Errors
    /// As [`commit`](Self::commit), and where the captures are now, if they are not lost.
    pub fn commit_or_keep(self) -> Result<(), (SaveError, Option<PathBuf>)> {
        self.file.commit_or_keep().map_err(|(error, beside)| (error.into(), beside))
    }
}

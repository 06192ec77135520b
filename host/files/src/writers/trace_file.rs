//! Captures on their way into a file.

use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::pieces::Held;
use crate::{Format, TraceWriter, WriteError, spool};
use scopething::atomic::{AtomicError, AtomicFile, directory_of};
use scopething_waveform::waveform::{Outline, Samples, Waveform};

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

fn not_by_pieces() -> WriteError {
    WriteError::Io(std::io::Error::other("this format is written at once"))
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
/// See the [crate](crate) for an example.
pub struct TraceFile {
    file: AtomicFile,
    writer: Box<dyn TraceWriter>,
    captures: u32,
    /// How long the file was after the last complete capture.
    complete_bytes: u64,
    /// What of the capture that comes piece by piece is still to be written.
    held: Option<Held>,
}

impl TraceFile {
    /// Starts a file that shall take the place of `path` when it is [committed](Self::commit).
    ///
    /// # Errors
    /// If no file can be made there.
    pub fn create(path: &Path, format: Format) -> Result<Self, SaveError> {
        Self::create_for(path, format, false)
    }

    /// As [`create`](Self::create), for [`several`](Format::writer_of) captures or for one.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub fn create_for(path: &Path, format: Format, several: bool) -> Result<Self, SaveError> {
        Ok(Self::on(AtomicFile::create(path)?, format, several))
    }

    /// Writes to standard output, for several captures or for one; a format that holds a single capture only takes the
    /// first.
    ///
    /// # Errors
    /// If the process has no standard output.
    pub fn standard_output(format: Format, several: bool) -> Result<Self, SaveError> {
        Ok(Self::on(AtomicFile::standard_output()?, format, several))
    }

    fn on(file: AtomicFile, format: Format, several: bool) -> Self {
        Self { file, writer: format.writer_of(several), captures: 0, complete_bytes: 0, held: None }
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
        self.complete(written)
    }

    /// Whether a capture can be written [piece by piece](crate::pieces) now.
    pub fn takes_pieces(&mut self) -> bool {
        self.writer.by_pieces().is_some()
    }

    /// Begins a capture whose samples follow [piece by piece](Self::write_piece), up to its [end](Self::end).
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn begin(&mut self, outline: &Outline) -> Result<(), SaveError> {
        // What is written to a pipe or a device has no directory to keep something in.
        let is_file = self.file.handed_over().is_ok_and(|length| length.is_some());
        let spool = if is_file { directory_of(self.file.path()).to_owned() } else { spool::directory() };
        self.held = Some(Held::of(outline));
        let begun = match self.writer.by_pieces() {
            Some(writer) => writer.begin(outline, &spool, &mut self.file),
            None => Err(not_by_pieces()),
        };
        begun.or_else(|error| self.complete(Err(error)))
    }

    /// Writes the samples of each channel that follow.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_piece(&mut self, piece: &[Samples]) -> Result<(), SaveError> {
        let written = match (self.writer.by_pieces(), &mut self.held) {
            (Some(writer), Some(held)) => {
                held.push(piece);
                writer.samples(held, &mut self.file)
            }
            _ => Err(not_by_pieces()),
        };
        written.or_else(|error| self.complete(Err(error)))
    }

    /// Ends a capture that came piece by piece.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn end(&mut self) -> Result<(), SaveError> {
        self.held = None;
        let written = match self.writer.by_pieces() {
            Some(writer) => writer.end(&mut self.file),
            None => Err(not_by_pieces()),
        };
        self.complete(written)
    }

    fn complete(&mut self, written: Result<(), WriteError>) -> Result<(), SaveError> {
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

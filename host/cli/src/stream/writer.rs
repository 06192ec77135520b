//! The thread that writes the files of a stream, so that a disk that is slow for once does not hold up the link.

use std::path::PathBuf;

use scopething_core::plan::ChannelSet;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::super::failure::Failure;
use super::super::message::print_note;
use super::super::output_arguments::{Output, Target};
use scopething_files::stream::{Row, STREAM_FORMATS, StreamFile, StreamFileError, StreamHeader};

/// Batches that wait for the disk, at most: at a thousand rows each, some megabytes.
const BATCHES_AHEAD: usize = 64;

/// Refuses formats that no stream can be written in, before anything is connected.
pub(super) fn check(files: &[Output<'_>], channels: ChannelSet) -> Result<(), Failure> {
    let other = files.iter().map(|output| output.format).find(|format| !STREAM_FORMATS.contains(format));
    if let Some(format) = other {
        return Err(Failure::usage(StreamFileError::Format(format)));
    }
    let held = files.iter().try_for_each(|output| output.format.check_channels(channels.iter()));
    held.map_err(Failure::usage)?;
    files.iter().try_for_each(|output| match output.target {
        Target::File(path) => output.refuse_existing(path),
        Target::StandardOutput => Ok(()),
    })
}

/// The files of a stream.
pub(super) struct Writer {
    batches: mpsc::Sender<Vec<Row>>,
    thread: JoinHandle<Written>,
}

/// What became of the files.
pub(super) struct Written {
    /// Those that are complete and in their places.
    pub(super) files: Vec<PathBuf>,
    /// Why others are not.
    pub(super) failure: Option<Failure>,
}

impl Writer {
    /// Makes the files, so that what cannot be written is known before the stream starts.
    pub(super) fn create(files: &[Output<'_>], header: &StreamHeader) -> Result<Self, Failure> {
        let files = files.iter().map(|&Output { target, format, .. }| match target {
            Target::File(path) => StreamFile::create(path, format, header),
            Target::StandardOutput => StreamFile::standard_output(format, header),
        });
        let files = files.collect::<Result<Vec<_>, _>>().map_err(Failure::failed)?;
        let (batches, receiver) = mpsc::channel(BATCHES_AHEAD);
        Ok(Self { batches, thread: tokio::task::spawn_blocking(move || write_all(files, receiver)) })
    }

    /// Hands over rows, and waits if too many wait already. False if all files have failed.
    pub(super) async fn write(&self, batch: &mut Vec<Row>) -> bool {
        if batch.is_empty() {
            return true;
        }
        let room = Vec::with_capacity(batch.capacity());
        self.batches.send(std::mem::replace(batch, room)).await.is_ok()
    }

    /// Completes the files.
    ///
    /// # Panics
    /// If the thread has.
    pub(super) async fn finish(self) -> Written {
        drop(self.batches);
        match self.thread.await {
            Ok(written) => written,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
}

fn write_all(mut files: Vec<StreamFile>, mut batches: mpsc::Receiver<Vec<Row>>) -> Written {
    let mut written = Written { files: Vec::new(), failure: None };
    let has_files = !files.is_empty();
    while let Some(batch) = batches.blocking_recv() {
        let sound = files.into_iter().filter_map(|mut file| {
            match batch.iter().try_for_each(|row| file.write(row)).and_then(|()| file.flush()) {
                Ok(()) => Some(file),
                Err(error) => {
                    written.fail(error);
                    // What it holds is kept, as far as it can be.
                    written.commit(file);
                    None
                }
            }
        });
        files = sound.collect();
        if has_files && files.is_empty() {
            return written;
        }
    }
    for file in files {
        written.commit(file);
    }
    written
}

impl Written {
    fn commit(&mut self, file: StreamFile) {
        let path = file.path().to_owned();
        match file.commit_or_keep() {
            Ok(()) => self.files.push(path),
            Err((error, beside)) => {
                if let Some(beside) = beside {
                    print_note!("what {} should hold was left in {}", path.display(), beside.display());
                }
                self.fail(error);
            }
        }
    }

    /// Keeps a failure for the end; one that was kept before is reported now.
    fn fail(&mut self, error: StreamFileError) {
        if let Some(earlier) = self.failure.replace(Failure::failed(error)) {
            earlier.report();
        }
    }
}

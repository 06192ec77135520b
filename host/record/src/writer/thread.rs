//! The thread that measures traces and writes them, while the next ones are captured.
//!
//! It receives events from the reader, each with the readings of the clocks: what it makes of them does not depend on how far
//! it lags behind. To wake a thread, or to wait for a disk, takes longer than a trace where traces come fast: so several are sent
//! and written at once. At most one such batch waits for it, then capturing waits.

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::store::Disk;
use super::{Closed, Event, Writer};
use crate::journal::StatusObserver;
use crate::time::Reading;

/// Traces sent at once, at most.
pub(crate) const MAX_AT_ONCE: usize = 4;

/// Events in their order, each with the readings of the clocks.
pub(crate) type Batch = Vec<(Event, Reading)>;

/// The thread has ended, which it does by itself only when it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WriterGone;

/// A [`Writer`] on a thread of its own.
#[derive(Debug)]
pub(crate) struct WriterThread {
    batches: mpsc::Sender<Batch>,
    thread: JoinHandle<Closed>,
}

impl WriterThread {
    /// Starts the thread, in a tokio runtime.
    pub(crate) fn start<D: Disk + 'static, W: StatusObserver + 'static>(
        writer: Writer<D, W>,
        at: Reading,
    ) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        Self { batches: sender, thread: tokio::task::spawn_blocking(move || process(writer, receiver, at)) }
    }

    /// Completes when it has time for a batch, which can then be sent without waiting.
    pub(crate) async fn has_time(&self) -> Result<mpsc::Permit<'_, Batch>, WriterGone> {
        self.batches.reserve().await.map_err(|_| WriterGone)
    }

    /// Ends it when all events that were sent are processed.
    ///
    /// # Panics
    /// If it has.
    pub(crate) async fn finish(self, at: Reading) -> Closed {
        // If it is gone, joining it shows why.
        if let Ok(permit) = self.has_time().await {
            permit.send(vec![(Event::End, at)]);
        }
        match self.thread.await {
            Ok(closed) => closed,
            Err(failed) => std::panic::resume_unwind(failed.into_panic()),
        }
    }
}

/// If the reader was dropped and sent no [`Event::End`], the files are finished as well.
fn process<D: Disk, W: StatusObserver>(
    mut writer: Writer<D, W>,
    mut batches: mpsc::Receiver<Batch>,
    started: Reading,
) -> Closed {
    let mut latest = started;
    let mut has_ended = false;
    while !has_ended {
        let Some(batch) = batches.blocking_recv() else { break };
        for (event, at) in batch {
            latest = at;
            has_ended |= matches!(event, Event::End);
            writer.take(event, at);
        }
        writer.write(latest);
    }
    writer.close(latest)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::mpsc as threads;
    use std::task::{Context, Poll, Waker};

    use scopething_core::time::Instant;

    use super::*;
    use crate::Status;
    use crate::job::Job;
    use crate::writer::store::SystemDisk;
    use scopething_waveform::moment::UnixMicros;

    const AT: Reading = Reading { now: Instant(0), wall: UnixMicros(0) };

    /// Runs a closure each time that the status is reported, as at the first event.
    struct OnStatus<F>(F);

    impl<F: FnMut() + Send> StatusObserver for OnStatus<F> {
        fn watch(&mut self, _: &Status) {
            (self.0)();
        }
    }

    fn writer_thread(directory: &std::path::Path, act: impl FnMut() + Send + 'static) -> WriterThread {
        let job = Job::parse(&format!("files.directory = '{}'", directory.display())).unwrap();
        WriterThread::start(Writer::open(Arc::new(job), SystemDisk, OnStatus(act), AT).unwrap(), AT)
    }

    /// Whether it accepts a batch right now.
    fn takes(writer_thread: &WriterThread) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        match pin!(writer_thread.has_time()).poll(&mut context) {
            Poll::Ready(permit) => {
                permit.unwrap().send(vec![(Event::Tick, AT)]);
                true
            }
            Poll::Pending => false,
        }
    }

    #[tokio::test]
    async fn capture_waits_for_hanging_disk() {
        let directory = tempfile::tempdir().unwrap();
        let (hanging, hangs) = threads::channel();
        let (released, release) = threads::channel::<()>();
        let writer_thread = writer_thread(directory.path(), move || {
            // Both fail when it is released for good.
            let _ = hanging.send(());
            let _ = release.recv();
        });
        assert!(takes(&writer_thread));
        hangs.recv().unwrap();
        assert!(takes(&writer_thread), "one batch waits");
        assert!(!takes(&writer_thread));
        drop(released);
        assert!(writer_thread.finish(AT).await.lost.is_none());
    }

    #[tokio::test]
    async fn failure_of_the_thread_is_not_silent() {
        let directory = tempfile::tempdir().unwrap();
        let writer_thread = writer_thread(directory.path(), || panic!("as a fault would"));
        while let Ok(permit) = writer_thread.has_time().await {
            permit.send(vec![(Event::Tick, AT)]);
        }
        let finishing = tokio::spawn(writer_thread.finish(AT));
        assert!(finishing.await.unwrap_err().is_panic());
    }
}

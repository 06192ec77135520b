//! A stream for a client that shows samples as they come: slow time bases, whose captures would be empty for long.

use std::fmt;
use std::time::Duration;

use scopething::link::{HostScope, LinkError};
use scopething::timer::{self, Instant};
use scopething_core::plan::{StreamPlan, StreamRequest};
use scopething_core::scope::{ScopeError, StreamChunk, StreamFrame};
use tokio::sync::oneshot;

/// Frames received at once, at most: those of a quarter of a second and more, which are held while it is not known whether
/// some are lost.
pub(crate) const CHUNK_FRAMES: usize = 1 << 13;
/// How long a stream that always has something ready, as that of a simulated device that takes no time, keeps all else from
/// happening.
const MAX_BUSY: Duration = Duration::from_millis(20);
/// For how long the others then have their turn.
const PAUSE: Duration = Duration::from_millis(1);

/// A part of a stream.
pub(crate) enum StreamPart<'a> {
    /// It has begun.
    Began,
    /// Frames, or a gap before them.
    Frames(&'a StreamChunk<'a>),
}

/// Gets the parts of a stream as they come.
pub(crate) type TakePart = Box<dyn FnMut(StreamPart<'_>) + Send>;

/// A client that wants a stream, until it leaves, or the device is wanted for something else.
pub(crate) struct StreamTurn {
    pub(crate) request: StreamRequest,
    pub(crate) take: TakePart,
    /// Why there is no stream; none: the device was wanted for something else. It has left when the receiver is gone.
    pub(crate) reply: oneshot::Sender<Result<(), String>>,
}

impl fmt::Debug for StreamTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamTurn").field("request", &self.request).finish_non_exhaustive()
    }
}

/// Runs a stream until `ended` completes, which is looked at before each part.
///
/// # Errors
/// Any failure of the link or the device.
pub(crate) async fn run(
    scope: &mut HostScope,
    plan: &StreamPlan,
    frames: &mut [StreamFrame],
    mut take: impl FnMut(StreamPart<'_>),
    ended: impl Future<Output = ()>,
) -> Result<(), ScopeError<LinkError>> {
    let mut ended = std::pin::pin!(ended);
    let mut stream = scope.start_stream(plan).await?;
    take(StreamPart::Began);
    let mut paused = Instant::now();
    loop {
        let chunk = tokio::select! {
            biased;
            () = &mut ended => break,
            chunk = stream.read(frames) => chunk?,
        };
        take(StreamPart::Frames(&chunk));
        if paused.elapsed() >= MAX_BUSY {
            timer::sleep(PAUSE).await;
            paused = Instant::now();
        }
    }
    stream.finish().await.map(drop)
}

//! A stream from its start to its end.

use std::pin::pin;

use embedded_io_async::{Read, Write};
use scopething_core::plan::StreamPlan;
use scopething_core::scope::{Scope, ScopeError, StreamFrame, StreamTotals};
use scopething_core::time::Clock;
use scopething_files::stream::Row;

use super::{Thinner, Thinning};

/// Frames received at once, at most: those of a quarter of a second, which are held while it is not known whether some
/// are lost.
pub const CHUNK_FRAMES: usize = 1 << 14;

/// Runs a stream until `ended` completes; `take` gets its rows as they come, and the totals up to then. Returns whether it had
/// started: what a device does is not known of which the start was given up, and the next operation resets it.
///
/// # Errors
/// Any failure of the link or the device. Rows that had come by then were handed on.
///
/// # Cancellation
/// As dropping a [`Stream`](scopething_core::scope::Stream).
pub async fn receive<S: Read + Write, C: Clock>(
    scope: &mut Scope<S, C>,
    plan: &StreamPlan,
    thinning: Thinning,
    ended: impl Future<Output = ()>,
    mut take: impl FnMut(&[Row], StreamTotals),
) -> Result<bool, ScopeError<S::Error>> {
    let mut ended = pin!(ended);
    let mut stream = tokio::select! {
        biased;
        started = scope.start_stream(plan) => started?,
        () = &mut ended => return Ok(false),
    };
    let mut thinner = Thinner::new(plan, thinning);
    let mut frames = vec![StreamFrame::default(); CHUNK_FRAMES];
    let mut rows = Vec::with_capacity(CHUNK_FRAMES);
    loop {
        let chunk = tokio::select! {
            biased;
            () = &mut ended => break,
            chunk = stream.read(&mut frames) => chunk?,
        };
        rows.clear();
        thinner.push(&chunk, |row| rows.push(*row));
        take(&rows, stream.totals());
    }
    stream.finish().await.map(|_| true)
}

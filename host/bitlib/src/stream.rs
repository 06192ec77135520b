//! Streams: the device sends frames without end, and each trace is the next so many of them.
//!
//! From one trace to the next nothing is missing as long as the program takes them fast enough: frames wait for it in a queue of
//! bounded length. A trace has no gap; where frames were lost it begins behind them.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use host::failure::Failure;
use host::link::HostScope;
use scopething_core::plan::StreamRequest;
use scopething_core::scope::StreamFrame;

use crate::device::{Shared, State, lock};
use crate::request::Shown;
use crate::samples::Samples;

/// Frames taken from the driver at once, at most: more than those of a quarter of a second, which are held while it is not
/// known whether some are lost.
const CHUNK_FRAMES: usize = 1 << 10;
/// Frames that wait for a trace, at most: 7 minutes. Then the older half is given up.
const QUEUE_FRAMES: usize = 1 << 20;
/// The most samples of a trace.
pub(crate) const MAX_TRACE_SAMPLES: usize = QUEUE_FRAMES / 2;

/// A stream, as threads share it.
#[derive(Debug, Clone)]
pub(crate) struct StreamRun {
    request: StreamRequest,
    shown: Shown,
    wish: Arc<Wish>,
}

/// What is wanted of a stream, and whether it is over.
#[derive(Debug, Default)]
struct Wish {
    state: Mutex<WishState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct WishState {
    trace: Option<Shown>,
    is_over: bool,
}

impl StreamRun {
    /// A stream, of which a trace is wanted at once.
    pub(crate) fn new((request, shown): (StreamRequest, Shown)) -> Self {
        let run = Self { request, shown, wish: Arc::default() };
        run.want(shown);
        run
    }

    pub(crate) fn shown(&self) -> Shown {
        self.shown
    }

    /// Whether this stream, if it runs, is the other one as well.
    pub(crate) fn goes_on_as(&self, other: &Self) -> bool {
        self.request == other.request && !self.is_over()
    }

    /// Asks for the next trace.
    pub(crate) fn want(&self, shown: Shown) {
        lock(&self.wish.state).trace = Some(shown);
    }

    pub(crate) fn is_over(&self) -> bool {
        lock(&self.wish.state).is_over
    }

    /// Reports that the device streams no more.
    pub(crate) fn end(&self) {
        lock(&self.wish.state).is_over = true;
        self.wish.changed.notify_all();
    }

    /// Waits until the device streams no more.
    pub(crate) fn wait_until_over(&self) {
        let mut state = lock(&self.wish.state);
        while !state.is_over {
            state = self.wish.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Streams until it is stopped.
    pub(crate) async fn run(&self, scope: &mut HostScope, shared: &Shared) -> Result<(), Failure> {
        let plan = scope.plan_stream(&self.request)?;
        let mut stopped = std::pin::pin!(shared.stopped());
        let mut stream = scope.start_stream(&plan).await?;
        let mut queue: Vec<StreamFrame> = Vec::new();
        let mut frames = vec![StreamFrame::default(); CHUNK_FRAMES];
        loop {
            let chunk = tokio::select! {
                biased;
                () = &mut stopped => break,
                chunk = stream.read(&mut frames) => chunk?,
            };
            if chunk.gap.is_some() {
                queue.clear();
            }
            queue.extend_from_slice(chunk.frames);
            if queue.len() > QUEUE_FRAMES {
                queue.drain(..QUEUE_FRAMES / 2);
            }
            let mut wish = lock(&self.wish.state);
            if let Some(shown) = wish.trace.filter(|shown| shown.size <= queue.len()) {
                wish.trace = None;
                drop(wish);
                let taken: Vec<StreamFrame> = queue.drain(..shown.size).collect();
                shared.set(State::Done(Arc::new(Samples::of_stream(&taken, &plan, &shown))));
            }
        }
        stream.finish().await.map(drop).map_err(Failure::from)
    }
}

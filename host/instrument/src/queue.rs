//! What clients want of the device, and whose turn is next.

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::task::Poll;
use std::time::Duration;

use scopething::timer::Instant;
use scopething_core::calibration::CalibrationRequest;
use tokio::sync::{mpsc, oneshot};

use crate::handle::{GeneratorTurn, Request, WaitingClient};
use crate::loan::Loan;
use crate::stream::StreamTurn;
use crate::until;

/// How long a capture may go on waiting for its trigger when the device is wanted for something else.
pub(crate) const PREEMPT_AFTER: Duration = Duration::from_millis(500);

/// Pending requests.
pub(crate) struct Queue {
    requests: mpsc::Receiver<Request>,
    pub(crate) clients: Vec<WaitingClient>,
    borrowers: VecDeque<oneshot::Sender<Loan>>,
    /// The generator is to be changed to this.
    pub(crate) generate: Option<GeneratorTurn>,
    calibrate: Option<CalibrationRequest>,
    /// Who wants a stream, for as long as nobody else wants the device.
    stream: Option<StreamTurn>,
    /// Whether it had to wait for the last turn of somebody else.
    stream_is_next: bool,
    /// The device is to be left as a reset does.
    close: Option<oneshot::Sender<()>>,
    /// Whether the last turn was a loan.
    lent: bool,
}

/// What the device is to do next.
pub(crate) enum Turn {
    Close(oneshot::Sender<()>),
    Generate(GeneratorTurn),
    Calibrate(CalibrationRequest),
    Stream(StreamTurn),
    Lend(oneshot::Sender<Loan>),
    Capture,
}

impl Queue {
    pub(crate) fn new(requests: mpsc::Receiver<Request>) -> Self {
        Self {
            requests,
            clients: Vec::new(),
            borrowers: VecDeque::new(),
            generate: None,
            calibrate: None,
            stream: None,
            stream_is_next: false,
            close: None,
            lent: false,
        }
    }

    pub(crate) async fn take_request(&mut self) {
        match self.requests.recv().await {
            Some(request) => self.take(request),
            None => pending().await,
        }
    }

    fn take(&mut self, request: Request) {
        match request {
            Request::Capture(waiting) => self.clients.push(waiting),
            Request::Borrow(borrower) => self.borrowers.push_back(borrower),
            Request::Generate(change) => self.generate = Some(change),
            Request::Calibrate(request) => self.calibrate = Some(request),
            Request::Stream(turn) => self.stream = Some(turn),
            Request::Close(reply) => self.close = Some(reply),
        }
    }

    /// Waits for a request, or for a waiting client to leave.
    pub(crate) async fn changed(&mut self) {
        poll_fn(|context| {
            if let Poll::Ready(Some(request)) = self.requests.poll_recv(context) {
                self.take(request);
                return Poll::Ready(());
            }
            let waiting = self.clients.len() + self.borrowers.len();
            self.clients.retain_mut(|client| client.reply.poll_closed(context).is_pending());
            self.borrowers.retain_mut(|borrower| borrower.poll_closed(context).is_pending());
            let left = self.clients.len() + self.borrowers.len() < waiting;
            if left { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Whether a client that has not left waits.
    pub(crate) fn is_awaited(&mut self) -> bool {
        self.clients.retain(|client| !client.reply.is_closed());
        self.borrowers.retain(|borrower| !borrower.is_closed());
        !self.clients.is_empty() || self.wants_another()
    }

    /// Whether something else than a capture or a stream is to follow.
    pub(crate) fn wants_another(&self) -> bool {
        !self.borrowers.is_empty() || self.generate.is_some() || self.calibrate.is_some()
    }

    /// Completes when a stream that began has run for its turn, and the device is wanted for something else.
    pub(crate) async fn stream_is_over(&mut self, began: Instant) {
        loop {
            let turn = self.is_awaited().then(|| began + PREEMPT_AFTER);
            tokio::select! {
                () = until(turn) => return,
                () = self.changed() => {}
            }
        }
    }

    /// While the device is gone: clients wait for it that would wait for a trigger, all others learn that there is nothing to be
    /// had. Whether everything is closing.
    pub(crate) fn reject(&mut self, reason: &str) -> bool {
        self.clients.retain(|client| client.until().is_none());
        self.borrowers.clear();
        // It asks again when the device is back.
        self.stream = None;
        if let Some(reply) = self.generate.take().and_then(|turn| turn.reply) {
            let _ = reply.send(Err(reason.to_owned()));
        }
        self.calibrate = None;
        self.close.take().is_some_and(|reply| {
            let _ = reply.send(());
            true
        })
    }

    /// The earliest deadline of any waiting client for the present capture.
    pub(crate) fn preempt_at(&self) -> Option<Instant> {
        let turn = self.wants_another().then(|| Instant::now() + PREEMPT_AFTER);
        self.clients.iter().filter_map(WaitingClient::until).chain(turn).min()
    }

    pub(crate) async fn next_turn(&mut self) -> Turn {
        loop {
            self.is_awaited();
            if let Some(reply) = self.close.take() {
                return Turn::Close(reply);
            }
            if let Some(change) = self.generate.take() {
                return Turn::Generate(change);
            }
            if let Some(request) = self.calibrate.take() {
                return Turn::Calibrate(request);
            }
            self.stream = self.stream.take().filter(|turn| !turn.reply.is_closed());
            if self.stream_is_next
                && let Some(turn) = self.stream.take()
            {
                self.stream_is_next = false;
                return Turn::Stream(turn);
            }
            self.stream_is_next = self.stream.is_some();
            let capture_first = self.lent && !self.clients.is_empty();
            if !capture_first && let Some(borrower) = self.borrowers.pop_front() {
                self.lent = true;
                return Turn::Lend(borrower);
            }
            if !self.clients.is_empty() {
                self.lent = false;
                return Turn::Capture;
            }
            if let Some(turn) = self.stream.take() {
                self.stream_is_next = false;
                return Turn::Stream(turn);
            }
            self.take_request().await;
        }
    }
}

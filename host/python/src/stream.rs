//! Streams: a thread receives, blocks of rows wait in a queue of bounded length for whoever iterates.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use numpy::{PyArray1, PyArrayMethods};
use pyo3::prelude::*;
use scopething_core::plan::{StreamPlan, StreamRequest};
use scopething_core::scope::StreamTotals;
use scopething_files::stream::{Column, Row, StreamHeader};
use scopething_record::stream::{self, Thinning};
use scopething_waveform::moment::UnixMicros;
use tokio::sync::watch;

use crate::connection::{Connection, Device, Shared};
use crate::failure::{Failure, Raise as _, Stop};
use crate::gate::{self, Process, lock};
use crate::probes::attenuation_of;
use crate::turn::Turns;

/// Rows that wait for the caller, at most: what comes beyond is given up, and its loss reported.
const QUEUE_ROWS: usize = 1 << 20;

/// What is asked of a stream, by name.
#[derive(Debug, FromPyObject)]
#[pyo3(from_item_all)]
struct Arguments {
    channels: String,
    rate: f64,
    frame_rate: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    raw: bool,
    unframed: bool,
    envelope: bool,
    /// Rows of a block.
    block: usize,
}

impl Arguments {
    fn request(&self, py: Python<'_>) -> PyResult<StreamRequest> {
        let channels = self.channels.parse().map_err(|error: scopething_core::plan::UnknownChannel| {
            Failure::usage(format!("{:?} is {error}", self.channels)).raise(py)
        })?;
        Ok(StreamRequest {
            frame_rate_hz: self.frame_rate,
            low: self.low,
            high: self.high,
            raw: self.raw,
            unframed: self.unframed,
            ..StreamRequest::new(channels, self.rate)
        })
    }
}

/// Rows that follow on one another.
#[derive(Debug)]
struct Block {
    /// The number of the first row, from the start of the stream.
    first: u64,
    /// Frames of the device missing just before it.
    /// None if some are, but how many is not known.
    lost: Option<u64>,
    columns: Vec<Vec<f32>>,
}

#[derive(Debug)]
enum Message {
    Block(Block),
    End(Result<(), Failure>),
}

/// Collects rows into blocks, and hands those on that are full or end at a gap.
struct Blocks {
    columns: usize,
    rows: usize,
    frames_of_row: u64,
    block: Block,
    queue: SyncSender<Message>,
    /// Frames that were given up because the queue was full.
    given_up: u64,
    /// More are missing there, and how many is not known.
    is_unknown: bool,
}

impl Blocks {
    fn push(&mut self, row: &Row) {
        let length = self.length();
        if length > 0 && (row.lost != Some(0) || row.index != self.block.first + length as u64) {
            self.flush();
        }
        if self.length() == 0 {
            self.block.first = row.index;
            self.block.lost = row.lost;
        }
        for (column, value) in self.block.columns.iter_mut().zip(row.values) {
            column.push(value);
        }
        if self.length() >= self.rows {
            self.flush();
        }
    }

    fn length(&self) -> usize {
        self.block.columns.first().map_or(0, Vec::len)
    }

    fn flush(&mut self) {
        let length = self.length();
        if length == 0 {
            return;
        }
        let empty = (0..self.columns).map(|_| Vec::with_capacity(self.rows)).collect();
        let mut block = std::mem::replace(&mut self.block, Block { first: 0, lost: Some(0), columns: empty });
        let frames = block.lost.unwrap_or(0) + length as u64 * self.frames_of_row;
        let is_unknown = self.is_unknown || block.lost.is_none();
        block.lost = block.lost.filter(|_| !is_unknown).map(|lost| lost + self.given_up);
        match self.queue.try_send(Message::Block(block)) {
            Ok(()) => (self.given_up, self.is_unknown) = (0, false),
            Err(TrySendError::Full(_)) => {
                self.given_up += frames;
                self.is_unknown = is_unknown;
            }
            // Nobody iterates any more: the stream is about to be stopped.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

/// A stream that runs, as an iterator of blocks.
#[pyclass(frozen, module = "scopething._core")]
pub(crate) struct Reader {
    queue: Mutex<Receiver<Message>>,
    stop: watch::Sender<bool>,
    turns: Arc<Turns<Box<Device>>>,
    /// Its number among the streams of the scope.
    number: u64,
    process: Process,
    totals: Arc<Mutex<StreamTotals>>,
    header: StreamHeader,
}

impl Reader {
    /// Starts a stream on a thread of its own, which gives the device back at the end.
    fn start(
        device: Box<Device>,
        turns: Arc<Turns<Box<Device>>>,
        shared: Arc<Shared>,
        plan: StreamPlan,
        arguments: &Arguments,
    ) -> Self {
        let thinning = if arguments.envelope { Thinning::Envelope } else { Thinning::Mean };
        let header = stream::header(&plan, thinning, UnixMicros::now());
        let rows = arguments.block.clamp(1, QUEUE_ROWS / 2);
        let (queue, received) = sync_channel((QUEUE_ROWS / rows).clamp(2, 4096));
        let columns = header.columns.len();
        let blocks = Blocks {
            columns,
            rows,
            frames_of_row: u64::from(plan.thinning.max(1)),
            block: Block { first: 0, lost: Some(0), columns: vec![Vec::new(); columns] },
            queue,
            given_up: 0,
            is_unknown: false,
        };
        let stop = watch::Sender::new(false);
        let stopped = stop.subscribe();
        let totals = Arc::new(Mutex::new(StreamTotals::default()));
        let number = turns.leave_to_stream();
        let process = shared.process;
        let running = Running { shared, plan, thinning, stopped, blocks, totals: Arc::clone(&totals) };
        let back = Arc::clone(&turns);
        thread::spawn(move || running.run(device, &back));
        Self { queue: Mutex::new(received), stop, turns, number, process, totals, header }
    }
}

#[pymethods]
impl Connection {
    /// Starts a stream, which has the scope until it is closed.
    fn stream(
        &self,
        py: Python<'_>,
        arguments: Arguments,
        probe: &str,
        attenuation: Option<&str>,
    ) -> PyResult<Reader> {
        self.shared.process.check().map_err(|failure| failure.raise(py))?;
        let attenuation = attenuation_of(py, attenuation)?;
        let request = arguments.request(py)?;
        if self.is_bridge() {
            let why = "a stream cannot be taken through a bridge: plug the BitScope into a computer";
            return Err(Failure::usage(why).raise(py));
        }
        gate::outside(py, || {
            let mut device = self.turns.take()?;
            let planned = self.probe(&mut device, probe, attenuation).and_then(|probe| {
                device.scope.set_probe(probe);
                device.scope.plan_stream(&request).map_err(Failure::from)
            });
            match planned {
                Ok(plan) => Ok(Reader::start(
                    device,
                    Arc::clone(&self.turns),
                    Arc::clone(&self.shared),
                    plan,
                    &arguments,
                )),
                Err(failure) => {
                    if let Some(device) = self.turns.give_back(device) {
                        self.leave(device);
                    }
                    Err(failure.into())
                }
            }
        })
    }
}

/// What the thread of a stream has.
struct Running {
    shared: Arc<Shared>,
    plan: StreamPlan,
    thinning: Thinning,
    stopped: watch::Receiver<bool>,
    blocks: Blocks,
    totals: Arc<Mutex<StreamTotals>>,
}

impl Running {
    fn run(mut self, mut device: Box<Device>, turns: &Turns<Box<Device>>) {
        let result = self.receive(&mut device);
        device.is_disturbed |= result.is_err();
        self.blocks.flush();
        let queue = self.blocks.queue.clone();
        drop(self);
        // No thread closes a scope that a stream has: it waits for this one.
        let _ = turns.give_back(device);
        // Waits for room, or until nobody can receive it any more.
        let _ = queue.send(Message::End(result));
    }

    fn receive(&mut self, device: &mut Device) -> Result<(), Failure> {
        let Self { shared, plan, thinning, stopped, blocks, totals } = self;
        let Device { runtime, scope, is_disturbed, .. } = device;
        runtime.block_on(async {
            let ended = async {
                tokio::select! {
                    _ = stopped.wait_for(|&stopped| stopped) => {}
                    () = shared.is_closed() => {}
                    () = gate::shutting() => {}
                }
            };
            let take = |rows: &[Row], so_far| {
                for row in rows {
                    blocks.push(row);
                }
                *lock(totals) = so_far;
            };
            *is_disturbed |= !stream::receive(scope, plan, *thinning, ended, take).await?;
            Ok(())
        })
    }
}

type PyBlock<'py> = (u64, Option<u64>, Vec<Bound<'py, PyArray1<f32>>>);

#[pymethods]
impl Reader {
    /// The next block: the number of its first row, the frames missing before it, and a column for each channel (two with an
    /// envelope). None after the last one.
    fn next<'py>(&self, py: Python<'py>) -> PyResult<Option<PyBlock<'py>>> {
        self.process.check().map_err(|failure| failure.raise(py))?;
        let message = gate::outside(py, || {
            loop {
                // Not locked while a handler of signals runs.
                let received = lock(&self.queue).recv_timeout(gate::POLL);
                match received {
                    Ok(message) => return Ok(Some(message)),
                    // The end was returned before.
                    Err(RecvTimeoutError::Disconnected) => return Ok(None),
                    Err(RecvTimeoutError::Timeout) => {
                        if gate::is_shut() {
                            return Ok(None);
                        }
                        gate::raised_by_signal().map_err(Stop::Raised)?;
                    }
                }
            }
        })?;
        match message {
            None | Some(Message::End(Ok(()))) => Ok(None),
            Some(Message::End(Err(failure))) => Err(failure.raise(py)),
            Some(Message::Block(Block { first, lost, columns })) => {
                let columns = columns.into_iter().map(|column| {
                    let array = PyArray1::from_vec(py, column);
                    array.readwrite().make_nonwriteable();
                    array
                });
                Ok(Some((first, lost, columns.collect())))
            }
        }
    }

    /// Ends the stream soon, without a wait.
    fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Ends the stream, and waits until the scope can be used again.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.process.is_left() {
            return Ok(());
        }
        self.stop.send_replace(true);
        gate::outside_to_the_last(py, || {
            self.turns.wait_for_stream(self.number);
            Ok(())
        })
    }

    /// Frames received, frames known to be missing, and how often some were.
    #[getter]
    fn totals(&self) -> (u64, u64, u64) {
        let totals = *lock(&self.totals);
        (totals.frames, totals.lost, totals.gaps)
    }

    /// The channel of each column, and what it holds of it.
    #[getter]
    fn columns(&self) -> Vec<(String, String)> {
        let name =
            |column: &Column| (column.channel.to_string(), format!("{:?}", column.part).to_lowercase());
        self.header.columns.iter().map(name).collect()
    }

    /// Seconds from one row to the next.
    #[getter]
    fn row_period(&self) -> f64 {
        self.header.row_ticks as f64 / self.header.clock_hz
    }

    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.header.warnings.clone()
    }

    #[getter]
    fn unit(&self) -> &'static str {
        if self.header.raw { "range" } else { "V" }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

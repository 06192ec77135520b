//! Streams: a thread receives, and rows wait in a queue of bounded length for whoever reads them.

use std::collections::VecDeque;
use std::ffi::c_char;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use host::failure::{Failure, Kind};
use scopething_core::plan::{Channel, StreamPlan, StreamRequest};
use scopething_core::scope::StreamTotals;
use scopething_files::stream::{Row, StreamHeader};
use scopething_record::stream::{self, Thinning};
use scopething_waveform::moment::UnixMicros;
use tokio::sync::watch;

use crate::call::{self, call};
use crate::capture::deadline;
use crate::memory::{Out, field, optional_text, room, sized};
use crate::request::{attenuation, channel_set};
use crate::scope::{Device, Lease, Scope, scopething_scope};
use crate::status::{ScopethingError, ScopethingStatus, Stop};
use crate::table::{self, Handled, lock};
use crate::{SCOPETHING_CHANNEL_A, SCOPETHING_CHANNEL_B, SCOPETHING_CHANNEL_L0};

/// A stream that was started.
#[allow(non_camel_case_types, reason = "the name that C sees")]
pub type scopething_stream = u64;

/// The most columns of a stream: A, B and eight logic lines.
pub const SCOPETHING_MAX_COLUMNS: usize = 10;

/// Of a block: frames are missing before it, and how many is not known.
pub const SCOPETHING_LOST_UNKNOWN: u64 = u64::MAX;

/// Rows that wait for the caller, at most: what comes beyond is given up, and its loss reported.
const QUEUE_ROWS: usize = 1 << 20;

/// A stream, as threads share it.
#[derive(Debug)]
pub(crate) struct Stream {
    queue: Mutex<Queue>,
    changed: Condvar,
    stop: watch::Sender<bool>,
    header: StreamHeader,
}

#[derive(Debug, Default)]
struct Queue {
    rows: VecDeque<Row>,
    /// Frames given up since the last row that was kept.
    given_up: u64,
    /// More were lost with those, and how many is not known.
    is_unknown: bool,
    totals: StreamTotals,
    /// How it ended, once the device is back.
    end: Option<Result<(), Failure>>,
}

impl Handled for Stream {
    const NAME: &'static str = "stream";
}

impl Stream {
    fn start(lease: Lease, plan: StreamPlan) -> Result<Arc<Self>, Stop> {
        let (stop, stopped) = watch::channel(false);
        let header = stream::header(&plan, Thinning::Mean, UnixMicros::now());
        let stream = Arc::new(Self { queue: Mutex::default(), changed: Condvar::new(), stop, header });
        let running = Arc::clone(&stream);
        lease.leave_thread();
        let spawned = thread::Builder::new().name("scopething-stream".to_owned()).spawn(move || {
            let mut lease = lease;
            let ended = call::thread(|| running.receive(&mut lease, &plan, stopped)).and_then(|ended| ended);
            lease.parts().0.is_disturbed |= ended.is_err();
            // Whoever learns of the end finds the scope at rest.
            drop(lease);
            lock(&running.queue).end = Some(ended);
            running.changed.notify_all();
        });
        spawned.map_err(|error| Failure::of(Kind::LinkLost, &error))?;
        Ok(stream)
    }

    fn receive(
        &self,
        lease: &mut Lease,
        plan: &StreamPlan,
        mut stopped: watch::Receiver<bool>,
    ) -> Result<(), Failure> {
        let (device, shared) = lease.parts();
        let shared = Arc::clone(shared);
        let Device { runtime, scope, is_disturbed, .. } = device;
        runtime.block_on(async {
            let ended = async {
                tokio::select! {
                    _ = stopped.wait_for(|&stopped| stopped) => {}
                    () = shared.is_closed() => {}
                }
            };
            let take = |rows: &[Row], so_far| {
                let mut queue = lock(&self.queue);
                for row in rows {
                    queue.push(row, plan.thinning);
                }
                queue.totals = so_far;
                drop(queue);
                self.changed.notify_all();
            };
            *is_disturbed |= !stream::receive(scope, plan, Thinning::Mean, ended, take).await?;
            Ok(())
        })
    }

    /// Waits until there are so many rows, or the stream has ended, or the time is over.
    fn wait(&self, rows: usize, deadline: Option<Instant>) -> std::sync::MutexGuard<'_, Queue> {
        let mut queue = lock(&self.queue);
        while queue.rows.len() < rows && queue.end.is_none() {
            queue = match deadline {
                None => self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        break;
                    }
                    self.changed.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        queue
    }
}

impl Queue {
    fn push(&mut self, row: &Row, frames_of_row: u32) {
        if self.rows.len() >= QUEUE_ROWS {
            self.given_up += row.lost.unwrap_or(0) + u64::from(frames_of_row.max(1));
            self.is_unknown |= row.lost.is_none();
            return;
        }
        let given_up = std::mem::take(&mut self.given_up);
        let is_unknown = std::mem::take(&mut self.is_unknown);
        let lost = row.lost.filter(|_| !is_unknown).map(|lost| lost + given_up);
        self.rows.push_back(Row { lost, ..*row });
    }

    /// Takes rows that follow on one another: up to the next gap, or as many as there is room for.
    fn take(&mut self, values: &mut [f32], columns: usize) -> ScopethingBlock {
        let mut block = ScopethingBlock { first: 0, lost_frames: 0, rows: 0 };
        for place in values.chunks_exact_mut(columns) {
            let follows = |row: &Row| {
                block.rows == 0 || (row.lost == Some(0) && row.index == block.first + block.rows as u64)
            };
            let Some(row) = self.rows.front().filter(|row| follows(row)) else { break };
            if block.rows == 0 {
                let lost_frames = row.lost.unwrap_or(SCOPETHING_LOST_UNKNOWN);
                block = ScopethingBlock { first: row.index, lost_frames, rows: 0 };
            }
            for (place, value) in place.iter_mut().zip(row.values) {
                *place = value;
            }
            block.rows += 1;
            self.rows.pop_front();
        }
        block
    }
}

/// What is asked of a stream. Fill it with scopething_stream_request_init first.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingStreamRequest {
    /// The size of this structure, in bytes; set by scopething_stream_request_init.
    pub struct_size: usize,
    /// The channels, SCOPETHING_CHANNEL_ bits. Default: A.
    pub channels: u32,
    /// One channel without frames: four times as many samples, but nothing shows when some are lost.
    pub unframed: bool,
    /// The range is given as fractions of the converter's, and samples are fractions of the range.
    pub raw: bool,
    /// Rows a second. Default: 1000.
    pub rate_hz: f64,
    /// The bottom of the range; NAN: what the probe measures safely.
    pub low_v: f64,
    /// The top of the range.
    pub high_v: f64,
    /// The probe, by its name in the file of calibrations. NULL: x1.
    pub probe: *const c_char,
    /// The factor of a probe without a calibration, such as 10; NAN: that of the probe.
    pub attenuation: f64,
}

/// What a stream's rows are.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingStreamInfo {
    /// The time from one row to the next.
    pub row_period_s: f64,
    /// The channel of each column, a SCOPETHING_CHANNEL_ bit.
    pub columns: [u32; SCOPETHING_MAX_COLUMNS],
    /// How many columns there are.
    pub column_count: u32,
    /// What is done otherwise than asked, and what else should be known: sentences, a line each.
    pub notices: [c_char; 1024],
}

/// Rows that follow on one another.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingBlock {
    /// The number of the first one, from the start of the stream; missing ones count.
    pub first: u64,
    /// Frames of the device that are missing just before it; SCOPETHING_LOST_UNKNOWN if some are, but how many is not known:
    /// `first` is an estimate from there on.
    pub lost_frames: u64,
    /// How many rows there are; 0 at the end of the stream.
    pub rows: usize,
}

/// What a stream has amounted to.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingStreamTotals {
    /// Frames received.
    pub frames: u64,
    /// Frames that the link lost, as far as is known.
    pub lost_frames: u64,
    /// How often some were lost.
    pub gaps: u64,
    /// Whether the stream has ended.
    pub ended: bool,
}

/// Fills a request with the defaults.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_stream_request_init(
    request: *mut ScopethingStreamRequest,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let mut request = unsafe { Out::new(request, "request") }?;
        request.set(ScopethingStreamRequest {
            struct_size: size_of::<ScopethingStreamRequest>(),
            channels: SCOPETHING_CHANNEL_A,
            unframed: false,
            raw: false,
            rate_hz: 1000.0,
            low_v: f64::NAN,
            high_v: f64::NAN,
            probe: std::ptr::null(),
            attenuation: f64::NAN,
        });
        Ok(())
    })
}

/// Starts a stream, which has the scope until it is closed with scopething_stream_close. Rows wait for you: a million at most, what
/// comes beyond is given up and counted as lost.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_stream_start(
    scope: scopething_scope,
    request: *const ScopethingStreamRequest,
    stream: *mut scopething_stream,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let mut handle = unsafe { Out::new(stream, "stream") }?;
        handle.set(0);
        // SAFETY: the contract of the interface.
        let request = unsafe { sized(request, "request", "scopething_stream_request_init") }?;
        // SAFETY: the contract of the interface.
        let probe = unsafe { optional_text(request.probe, "probe") }?;
        let given = |number: f64| (!number.is_nan()).then_some(number);
        let wanted = StreamRequest {
            low: given(request.low_v),
            high: given(request.high_v),
            raw: request.raw,
            unframed: request.unframed,
            ..StreamRequest::new(channel_set(request.channels)?, request.rate_hz)
        };
        let scope = table::get::<Scope>(scope)?;
        if scope.url.is_bridge() {
            return Err(Failure::of(Kind::Usage, &stream::BehindBridge).into());
        }
        let mut lease = scope.lease("a stream")?;
        lease.use_probe(probe, attenuation(request.attenuation)?)?;
        let plan = lease.parts().0.scope.plan_stream(&wanted)?;
        handle.set(table::insert(Stream::start(lease, plan)?));
        Ok(())
    })
}

/// Reports what a stream's rows are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_stream_info(
    stream: scopething_stream,
    info: *mut ScopethingStreamInfo,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let mut info = unsafe { Out::new(info, "info") }?;
        let stream = table::get::<Stream>(stream)?;
        let header = &stream.header;
        let mut columns = [0; SCOPETHING_MAX_COLUMNS];
        for (place, column) in columns.iter_mut().zip(&header.columns) {
            *place = match column.channel {
                Channel::A => SCOPETHING_CHANNEL_A,
                Channel::B => SCOPETHING_CHANNEL_B,
                Channel::Logic(line) => SCOPETHING_CHANNEL_L0 << line.number(),
            };
        }
        info.set(ScopethingStreamInfo {
            row_period_s: header.rate_hz().recip(),
            columns,
            column_count: header.columns.len() as u32,
            notices: field(&header.warnings.join("\n")),
        });
        Ok(())
    })
}

/// Reads rows, one after another with a value a column: volts, fractions if the stream is raw, or levels 0 and 1. `capacity` counts
/// values. Waits until `capacity` is full, for `timeout_s` at most (below 0: as long as it takes), and gives what there is then, or
/// SCOPETHING_ERROR_TIMEOUT if there is nothing. Rows before and behind a gap come in two calls. After the last row it gives 0 rows, or
/// why the stream failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_stream_read(
    stream: scopething_stream,
    values: *mut f32,
    capacity: usize,
    timeout_s: f64,
    block: *mut ScopethingBlock,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let (values, mut block) = unsafe { (room(values, capacity, "values")?, Out::new(block, "block")?) };
        let stream = table::get::<Stream>(stream)?;
        let columns = stream.header.columns.len();
        if timeout_s.is_nan() {
            return Err(Stop::argument("timeout_s is NAN: give seconds, or -1 to wait for ever"));
        }
        let rows = capacity / columns;
        if rows == 0 || rows > QUEUE_ROWS {
            let message = format!("values: give room for {columns} to {} values", QUEUE_ROWS * columns);
            return Err(Stop::argument(message));
        }
        let mut queue = stream.wait(rows, deadline(timeout_s));
        let taken = queue.take(values, columns);
        block.set(taken);
        match &queue.end {
            _ if taken.rows > 0 => Ok(()),
            Some(Ok(())) => Ok(()),
            Some(Err(failure)) => Err(failure.clone().into()),
            None => {
                let message = format!("no row came within {timeout_s} s");
                Err(Stop::Other(ScopethingStatus::SCOPETHING_ERROR_TIMEOUT, message))
            }
        }
    })
}

/// Reports what a stream has amounted to so far.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_stream_totals(
    stream: scopething_stream,
    totals: *mut ScopethingStreamTotals,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let mut totals = unsafe { Out::new(totals, "totals") }?;
        let stream = table::get::<Stream>(stream)?;
        let queue = lock(&stream.queue);
        let StreamTotals { frames, lost, gaps, .. } = queue.totals;
        totals.set(ScopethingStreamTotals { frames, lost_frames: lost, gaps, ended: queue.end.is_some() });
        Ok(())
    })
}

/// Ends a stream, and waits until the scope can be used again. Rows that were not read are dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_stream_close(
    stream: scopething_stream,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        let stream = table::remove::<Stream>(stream)?;
        stream.stop.send_replace(true);
        drop(stream.wait(usize::MAX, None));
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(index: u64, lost: Option<u64>) -> Row {
        let mut values = [0.0; 10];
        values[0] = index as f32;
        Row { index, lost, values: std::array::from_fn(|place| values.get(place).copied().unwrap_or(0.0)) }
    }

    #[test]
    fn blocks_end_at_gaps_and_full_buffers() {
        let mut queue = Queue::default();
        for row in [0, 0, 0, 4, 0, 0]
            .map(Some)
            .into_iter()
            .zip([0, 1, 2, 7, 8, 9])
            .map(|(lost, index)| row(index, lost))
        {
            queue.push(&row, 1);
        }
        let mut values = [0.0; 2];
        let mut taken = Vec::new();
        loop {
            let block = queue.take(&mut values, 1);
            if block.rows == 0 {
                break;
            }
            taken.push((block.first, block.lost_frames, values[..block.rows].to_vec()));
        }
        let expected = [(0, 0, vec![0.0, 1.0]), (2, 0, vec![2.0]), (7, 4, vec![7.0, 8.0]), (9, 0, vec![9.0])];
        assert_eq!(taken, expected);
    }

    #[test]
    fn what_does_not_fit_is_counted() {
        let mut queue = Queue::default();
        for index in 0..QUEUE_ROWS as u64 + 3 {
            queue.push(&row(index, Some(0)), 4);
        }
        assert_eq!((queue.rows.len(), queue.given_up), (QUEUE_ROWS, 12));
        queue.rows.clear();
        queue.push(&row(QUEUE_ROWS as u64 + 3, Some(1)), 4);
        assert_eq!(queue.rows.front().map(|row| row.lost), Some(Some(13)));
    }

    #[test]
    fn unknown_loss_that_does_not_fit_stays_unknown() {
        let mut queue = Queue::default();
        for index in 0..QUEUE_ROWS as u64 {
            queue.push(&row(index, Some(0)), 4);
        }
        queue.push(&row(QUEUE_ROWS as u64, None), 4);
        queue.rows.clear();
        for index in 1..3 {
            queue.push(&row(QUEUE_ROWS as u64 + index, Some(0)), 4);
        }
        assert!(queue.rows.iter().map(|row| row.lost).eq([None, Some(0)]));
    }
}

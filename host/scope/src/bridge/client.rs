//! Asks, and asks again.

use std::hash::{BuildHasher, Hasher, RandomState};

use embassy_futures::select::{Either, select};
use embedded_io_async::{Read, Write};
use scopething_core::link::bridge::frame::{self, DATA_BYTES, FrameError, MAX_REQUEST, MAX_RESPONSE};
use scopething_core::link::bridge::{
    BoardSettings, Deframer, Fault, FlashChip, Job, JobState, LineErrors, Request, Response, StoreStatus,
    StoredTrace, TimedEvent, TraceId, UsbStatus,
};
use scopething_core::scope::SerialNumber;
use scopething_core::time::{Clock, Micros};

use super::error::BridgeError;

/// How often a request is sent before the bridge counts as silent.
const ATTEMPTS: u8 = 8;
/// How long an answer may take: the longest work is to erase a few sectors of flash, of up to 400 ms by its
/// data sheet.
const REPLY_TIMEOUT: Micros = Micros::from_millis(600);
/// How long is waited at first for what only has to be read, so that a lost frame costs little. Twice as long
/// each time after that.
const SHORT_REPLY_TIMEOUT: Micros = Micros::from_millis(150);
/// Bytes of a trace that are asked for at once where the link damages much.
const MIN_CHUNK: u16 = 64;
/// Bytes that are read from the link at once.
const CHUNK: usize = 1024;
/// Zero bytes ahead of each frame: the first that gets through keeps the rest from the BitScope.
const OPENING: [u8; 4] = [0; 4];

/// How a bridge stands; see [`Status`](scopething_core::link::bridge::Status).
#[derive(Debug, Clone, PartialEq)]
pub struct BridgeStatus {
    /// The version of its firmware.
    pub firmware: (u8, u8, u8),
    /// What it does.
    pub state: JobState,
    /// Whether its job is stored as armed.
    pub armed: bool,
    /// The serial number of the BitScope that it spoke to last.
    pub scope: Option<SerialNumber>,
    /// The time since its power-up.
    pub uptime: Micros,
    /// Captures since its power-up.
    pub captures: u32,
    /// How many of these were not kept, since their values lay within the bands of the job.
    pub within_bands: u32,
    /// The last thing that went wrong since its power-up.
    pub fault: Option<Fault>,
    /// Why its firmware started, as text.
    pub restart: String,
    /// What its flash holds.
    pub store: StoreStatus,
    /// Its flash chip.
    pub flash: FlashChip,
    /// What is in its USB socket.
    pub usb: UsbStatus,
    /// What went wrong on its line to the computer.
    pub line: LineErrors,
    /// How often it was started, this time included.
    pub boot: u32,
    /// The number and the cause of the last of its starts that its firmware had caused itself.
    pub last_failure: Option<(u32, String)>,
}

/// A trace that a bridge has stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ListedTrace {
    /// All but its samples.
    pub record: StoredTrace,
    /// It is in the bridge's memory alone, and lost when power goes.
    pub is_in_memory: bool,
}

/// A part of a bridge's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogPart {
    /// The place of the first byte, counted from power-up.
    pub from: u32,
    /// The bytes, in defmt's format; none if there are no more.
    pub bytes: Vec<u8>,
}

/// The computer's end of a link to a bridge.
#[derive(Debug)]
pub struct Client<S, C> {
    stream: S,
    clock: C,
    /// The number of the last request.
    number: u32,
    deframer: Box<Deframer<MAX_RESPONSE>>,
    /// What was read from the link and not looked at.
    received: Vec<u8>,
    /// How often requests had to be repeated.
    repeats: u64,
    /// Bytes of a trace to ask for at once.
    chunk: u16,
}

impl<S: Read + Write, C: Clock> Client<S, C> {
    /// A client that has not sent anything yet.
    pub fn new(stream: S, clock: C) -> Self {
        // Another number each time: the bridge may remember the last request of a client before.
        let number = RandomState::new().build_hasher().finish() as u32;
        Self {
            stream,
            clock,
            number,
            deframer: Box::default(),
            received: Vec::new(),
            repeats: 0,
            chunk: DATA_BYTES as u16,
        }
    }

    /// How often requests had to be repeated until now.
    #[must_use]
    pub fn repeats(&self) -> u64 {
        self.repeats
    }

    /// Sends a request until there is an answer. Gives what lay in its frame.
    async fn ask(&mut self, request: &Request) -> Result<Vec<u8>, BridgeError<S::Error>> {
        self.number = self.number.wrapping_add(1);
        let mut buffer = [0; MAX_REQUEST];
        let frame = frame::encode(&mut buffer, self.number, request)?;
        let started = self.clock.now();
        for attempt in 0..ATTEMPTS {
            self.repeats += u64::from(attempt > 0);
            self.stream.write_all(&OPENING).await.map_err(BridgeError::Link)?;
            self.stream.write_all(frame).await.map_err(BridgeError::Link)?;
            self.stream.flush().await.map_err(BridgeError::Link)?;
            let timeout = if changes_something(request) {
                REPLY_TIMEOUT
            } else {
                REPLY_TIMEOUT.min(Micros(SHORT_REPLY_TIMEOUT.0 << attempt))
            };
            if let Some(answer) = self.answer(timeout).await? {
                return Ok(answer);
            }
        }
        let waited_ms = (self.clock.now() - started).millis();
        Err(BridgeError::NoAnswer { attempts: ATTEMPTS, waited_ms })
    }

    /// Waits for the answer to the last request. None if it is to be sent again.
    async fn answer(&mut self, timeout: Micros) -> Result<Option<Vec<u8>>, BridgeError<S::Error>> {
        let deadline = self.clock.now() + timeout;
        loop {
            let mut received = std::mem::take(&mut self.received).into_iter();
            while let Some(byte) = received.next() {
                let Some(bytes) = self.deframer.push(byte) else { continue };
                let answer = bytes.to_vec();
                let about = match frame::decode::<Response>(bytes) {
                    Ok((_, Response::Damaged)) => return Ok(None),
                    Ok((number, _)) => number,
                    // What came from the BitScope, or was damaged.
                    Err(FrameError::Corrupt | FrameError::TooLong) => continue,
                    Err(error) => return Err(error.into()),
                };
                // A version that the bridge does not know, it answers without a number.
                if about == self.number || about == 0 {
                    self.received = received.collect();
                    return Ok(Some(answer));
                }
            }
            let mut chunk = [0; CHUNK];
            match select(self.stream.read(&mut chunk), self.clock.until(deadline)).await {
                Either::First(count) => {
                    let count = count.map_err(BridgeError::Link)?;
                    self.received.extend(chunk.iter().take(count));
                    if count == 0 {
                        return Err(BridgeError::NoAnswer { attempts: 1, waited_ms: 0 });
                    }
                }
                Either::Second(()) => return Ok(None),
            }
        }
    }

    /// A request that is answered without more.
    async fn order(&mut self, request: &Request) -> Result<(), BridgeError<S::Error>> {
        let mut answer = self.ask(request).await?;
        match response(&mut answer)? {
            Response::Done => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// How the bridge stands.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn status(&mut self) -> Result<BridgeStatus, BridgeError<S::Error>> {
        let mut answer = self.ask(&Request::Status).await?;
        match response(&mut answer)? {
            Response::Status(status) => Ok(BridgeStatus {
                firmware: status.firmware,
                state: status.state,
                armed: status.armed,
                scope: status.scope,
                uptime: status.uptime,
                captures: status.captures,
                within_bands: status.within_bands,
                fault: status.fault,
                restart: status.restart.to_string(),
                store: status.store,
                flash: status.flash,
                usb: status.usb,
                line: status.line,
                boot: status.boot,
                last_failure: status.last_failure.map(|failure| (failure.boot, failure.cause.to_owned())),
            }),
            other => Err(unexpected(&other)),
        }
    }

    /// The stored job, if there is one.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn job(&mut self) -> Result<Option<Job>, BridgeError<S::Error>> {
        let mut answer = self.ask(&Request::Job).await?;
        match response(&mut answer)? {
            Response::Job(job) => Ok(job),
            other => Err(unexpected(&other)),
        }
    }

    /// Stores a job, disarmed.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn configure(&mut self, job: &Job) -> Result<(), BridgeError<S::Error>> {
        self.order(&Request::Configure(*job)).await
    }

    /// The settings of its board.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn board(&mut self) -> Result<BoardSettings, BridgeError<S::Error>> {
        let mut answer = self.ask(&Request::Board).await?;
        match response(&mut answer)? {
            Response::Board(settings) => Ok(settings),
            other => Err(unexpected(&other)),
        }
    }

    /// Stores settings of its board, which it uses from its next start on.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn set_board(&mut self, settings: &BoardSettings) -> Result<(), BridgeError<S::Error>> {
        self.order(&Request::SetBoard(*settings)).await
    }

    /// Starts the stored job, now and at each power-up.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn arm(&mut self) -> Result<(), BridgeError<S::Error>> {
        self.order(&Request::Arm).await
    }

    /// Stops the job, now and at each power-up.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn disarm(&mut self) -> Result<(), BridgeError<S::Error>> {
        self.order(&Request::Disarm).await
    }

    /// Has the bridge capture now. It begins with that; the trace gets a number above all those before.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn capture_now(&mut self) -> Result<(), BridgeError<S::Error>> {
        self.order(&Request::CaptureNow).await
    }

    /// Erases the stored traces up to this one.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn erase(&mut self, through: TraceId) -> Result<(), BridgeError<S::Error>> {
        self.order(&Request::Erase { through }).await
    }

    /// Has the bridge calibrate the probe of its job; see [`Request::Calibrate`].
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn calibrate(&mut self, grid: u8) -> Result<(), BridgeError<S::Error>> {
        self.order(&Request::Calibrate { grid }).await
    }

    /// Gives the bridge the time, in microseconds since 1970-01-01 00:00 UTC: what it captures until it loses power is
    /// stored with it.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn set_time(&mut self, unix: Micros) -> Result<(), BridgeError<S::Error>> {
        self.order(&Request::Time { unix }).await
    }

    /// Restarts the bridge into its boot loader, whose drive takes other firmware. It answers nothing afterwards.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn restart_into_boot_loader(&mut self) -> Result<(), BridgeError<S::Error>> {
        self.order(&Request::Update).await
    }

    /// Has the bridge pass bytes through. With `hold` an armed job keeps off the BitScope; see
    /// [`Request::PassThrough`].
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn pass_through(&mut self, hold: bool) -> Result<(), BridgeError<S::Error>> {
        let before = self.repeats;
        self.order(&Request::PassThrough { hold }).await?;
        if self.repeats > before {
            // The answers to the repetitions must not reach a client of the BitScope.
            self.drain().await?;
        }
        Ok(())
    }

    /// Reads until nothing has come for as long as an answer may take; for as long as eight of them at the
    /// most.
    async fn drain(&mut self) -> Result<(), BridgeError<S::Error>> {
        let mut chunk = [0; CHUNK];
        for _ in 0..ATTEMPTS {
            let deadline = self.clock.now() + REPLY_TIMEOUT;
            match select(self.stream.read(&mut chunk), self.clock.until(deadline)).await {
                Either::First(count) => {
                    if count.map_err(BridgeError::Link)? == 0 {
                        break;
                    }
                }
                Either::Second(()) => break,
            }
        }
        self.received.clear();
        Ok(())
    }

    /// The records of the stored traces from this number on, in order.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn records(&mut self, from: TraceId) -> Result<Vec<StoredTrace>, BridgeError<S::Error>> {
        Ok(self.listed(from).await?.into_iter().map(|listed| listed.record).collect())
    }

    /// As [`records`](Self::records), each with where its trace is.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn listed(&mut self, from: TraceId) -> Result<Vec<ListedTrace>, BridgeError<S::Error>> {
        let mut traces: Vec<ListedTrace> = Vec::new();
        let mut from = from;
        loop {
            let mut answer = self.ask(&Request::List { from }).await?;
            let (part, in_memory) = match response(&mut answer)? {
                Response::Records { records, in_memory } => (records, in_memory),
                other => return Err(unexpected(&other)),
            };
            if part.is_empty() {
                return Ok(traces);
            }
            for (place, &record) in part.iter().enumerate() {
                if record.id < from || record.id == TraceId(u32::MAX) {
                    return Err(BridgeError::EndlessList);
                }
                from = record.id.next();
                traces.push(ListedTrace { record, is_in_memory: in_memory >> place & 1 != 0 });
            }
        }
    }

    /// Fetches the stored bytes of a trace that are not in `stored` yet. `progress` receives how many there
    /// are. After an error the same call goes on from where it ended.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn fetch(
        &mut self,
        record: &StoredTrace,
        stored: &mut Vec<u8>,
        mut progress: impl FnMut(usize),
    ) -> Result<(), BridgeError<S::Error>> {
        let (id, expected) = (record.id, usize::from(record.stored_bytes));
        while stored.len() < expected {
            let received = stored.len();
            let short = || BridgeError::Short { id, received, expected };
            let offset = u16::try_from(received).map_err(|_| short())?;
            let before = self.repeats;
            let request = Request::Fetch { id, offset, length: self.chunk };
            let mut answer = self.ask(&request).await?;
            // Long frames are the likelier to be damaged.
            self.chunk = if self.repeats > before {
                (self.chunk / 2).max(MIN_CHUNK)
            } else {
                (self.chunk * 2).min(DATA_BYTES as u16)
            };
            match response(&mut answer)? {
                Response::Data { offset: found, bytes } if found == offset => {
                    if bytes.is_empty() || bytes.len() > expected - received {
                        return Err(short());
                    }
                    stored.extend(bytes);
                }
                other => return Err(unexpected(&other)),
            }
            progress(stored.len());
        }
        Ok(())
    }

    /// What has happened on the bridge since power-up, as far as it is kept: the newest 64 events.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn events(&mut self) -> Result<Vec<TimedEvent>, BridgeError<S::Error>> {
        let mut events: Vec<TimedEvent> = Vec::new();
        loop {
            let from = events.last().map_or(0, |event| event.number.saturating_add(1));
            let mut answer = self.ask(&Request::Events { from }).await?;
            match response(&mut answer)? {
                Response::Events(part) if part.is_empty() => return Ok(events),
                Response::Events(part) if part.iter().all(|event| event.number >= from) => {
                    events.extend(&part);
                }
                Response::Events(_) => return Err(BridgeError::EndlessList),
                other => return Err(unexpected(&other)),
            }
        }
    }

    /// A part of the log, from this place on.
    ///
    /// # Errors
    /// [`BridgeError`].
    pub async fn log(&mut self, from: u32) -> Result<LogPart, BridgeError<S::Error>> {
        let mut answer = self.ask(&Request::Log { from }).await?;
        match response(&mut answer)? {
            Response::Log { from, bytes } => Ok(LogPart { from, bytes: bytes.to_vec() }),
            other => Err(unexpected(&other)),
        }
    }

    /// Gives the stream back.
    pub fn into_stream(self) -> S {
        self.stream
    }
}

/// Whether the bridge may have to write flash for it.
fn changes_something(request: &Request) -> bool {
    !matches!(
        request,
        Request::Status
            | Request::Job
            | Request::Board
            | Request::List { .. }
            | Request::Fetch { .. }
            | Request::Log { .. }
            | Request::Events { .. }
            | Request::PassThrough { .. }
            | Request::Time { .. }
            | Request::Update
    )
}

/// The message in a frame that was found whole before.
fn response<E>(frame: &mut [u8]) -> Result<Response<'_>, BridgeError<E>> {
    Ok(frame::decode(frame)?.1)
}

fn unexpected<E>(response: &Response) -> BridgeError<E> {
    match response {
        Response::Refused(refusal) => BridgeError::Refused(*refusal),
        _ => BridgeError::OtherAnswer,
    }
}

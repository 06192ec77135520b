//! Faults around a stream.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use embedded_io_async::{Error, ErrorKind, ErrorType, Read, Write};
use scopething_core::time::{Clock, Instant, Micros};

use super::{Direction, FaultKind, Injector, StreamFaults};

/// The most bytes that are read ahead of the reader.
const CHUNK: usize = 512;

/// Any stream, with the faults of a plan; time passes by the clock that is given.
///
/// A byte that is delayed on its way to the device holds the writer up, as a link does whose buffers are full.
///
/// ```
/// use embedded_io_async::Read as _;
/// use scopething_sim::faults::{FaultyStream, StreamFaults};
/// use scopething_sim::{SimConfig, SimLink};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let clock = SimLink::new(&SimConfig::default()).clock();
/// let faults = StreamFaults::from_query("faults=drop@2;repeat@5").unwrap();
/// let mut stream = FaultyStream::new(&b"\rBS000501\r"[..], clock, &faults);
/// let mut answer = [0; 10];
/// stream.read_exact(&mut answer).await.unwrap();
/// assert_eq!(&answer, b"\rB0000501\r");
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Cancellation
///
/// Dropping a pending read or write loses no byte that the faults do not lose, where the stream itself loses none.
#[derive(Debug)]
pub struct FaultyStream<S, C> {
    stream: S,
    clock: C,
    injector: Injector,
    state: State,
    /// What the stream gave and no fault was looked for yet.
    unjudged: VecDeque<u8>,
    /// A byte that comes later, and when.
    late: Option<(Instant, u8)>,
    /// What the reader gets next.
    ready: VecDeque<u8>,
    /// When a byte that is delayed may be written; it stays there until it was.
    held_until: Option<Instant>,
    /// A byte that is to be written once more.
    owed: Option<u8>,
}

/// What faults have made of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Sound,
    Stalled,
    Closed,
}

/// Why a stream with faults failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FaultyError<E> {
    /// The stream itself failed.
    #[error("{0}")]
    Stream(E),
    /// A fault closed it.
    #[error("a fault closed the link")]
    Closed,
}

impl<E: Error> Error for FaultyError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Stream(error) => error.kind(),
            Self::Closed => ErrorKind::BrokenPipe,
        }
    }
}

impl<S, C: Clock> FaultyStream<S, C> {
    /// Puts faults on a stream that was just connected: stale bytes, if any, come first.
    pub fn new(stream: S, clock: C, faults: &StreamFaults) -> Self {
        let injector = Injector::new(faults.plan(), faults.seed(), false);
        let ready = injector.burst().collect();
        Self {
            stream,
            clock,
            injector,
            state: State::Sound,
            unjudged: VecDeque::new(),
            late: None,
            ready,
            held_until: None,
            owed: None,
        }
    }

    /// Lets faults befall what was read, as far as nothing holds it up.
    fn judge(&mut self) {
        while self.state == State::Sound && self.late.is_none() {
            let Some(byte) = self.unjudged.pop_front() else { return };
            match self.injector.next(Direction::FromDevice) {
                None => self.ready.push_back(byte),
                Some(FaultKind::Repeat) => self.ready.extend([byte; 2]),
                Some(FaultKind::Corrupt) => self.ready.push_back(self.injector.corrupted(byte)),
                Some(FaultKind::Delay(span)) => self.late = Some((self.after(span), byte)),
                Some(fault) => self.befall(fault),
            }
        }
    }

    /// A fault that loses the byte, and maybe more.
    fn befall(&mut self, fault: FaultKind) {
        match fault {
            FaultKind::Stall => self.state = State::Stalled,
            FaultKind::Close => self.state = State::Closed,
            // A byte is lost; the other kinds are refused by `StreamFaults`.
            _ => {}
        }
    }

    fn after(&self, span: Duration) -> Instant {
        self.clock.now() + Micros(u64::try_from(span.as_micros()).unwrap_or(u64::MAX))
    }

    /// Hands over what is ready.
    fn take(&mut self, buffer: &mut [u8]) -> usize {
        let count = buffer.len().min(self.ready.len());
        for (slot, byte) in buffer.iter_mut().zip(self.ready.drain(..count)) {
            *slot = byte;
        }
        count
    }

    /// How many of the first bytes no fault befalls, and what befalls the one behind them.
    fn sound_length(&self, bytes: &[u8]) -> (usize, Option<FaultKind>) {
        let ahead = |place| self.injector.ahead(Direction::ToDevice, place as u64);
        let found = (0..bytes.len()).find_map(|place| Some((place, ahead(place)?)));
        found.map_or((bytes.len(), None), |(place, fault)| (place, Some(fault)))
    }
}

impl<S: Write, C: Clock> FaultyStream<S, C> {
    /// Writes bytes and counts as many of the caller's as gone as the stream took.
    async fn pass_on(&mut self, bytes: &[u8]) -> Result<usize, FaultyError<S::Error>> {
        let count = self.stream.write(bytes).await.map_err(FaultyError::Stream)?;
        self.injector.pass(Direction::ToDevice, count as u64);
        self.held_until = None;
        Ok(count)
    }

    /// Writes the second copy of a byte.
    async fn pay(&mut self) -> Result<(), FaultyError<S::Error>> {
        while let Some(byte) = self.owed {
            if self.stream.write(&[byte]).await.map_err(FaultyError::Stream)? > 0 {
                self.owed = None;
            }
        }
        Ok(())
    }

    /// Writes the first byte, which a fault befalls, and returns how many bytes of the caller's that was.
    async fn write_befallen(&mut self, byte: u8, fault: FaultKind) -> Result<usize, FaultyError<S::Error>> {
        match fault {
            FaultKind::Repeat => {
                let count = self.pass_on(&[byte]).await?;
                self.owed = (count > 0).then_some(byte);
                Ok(count)
            }
            FaultKind::Corrupt => self.pass_on(&[self.injector.corrupted(byte)]).await,
            FaultKind::Delay(span) => {
                let until = self.held_until.unwrap_or_else(|| self.after(span));
                self.held_until = Some(until);
                self.clock.until(until).await;
                self.pass_on(&[byte]).await
            }
            fault => {
                self.befall(fault);
                self.injector.pass(Direction::ToDevice, 1);
                Ok(1)
            }
        }
    }
}

impl<S: ErrorType, C> ErrorType for FaultyStream<S, C> {
    type Error = FaultyError<S::Error>;
}

impl<S: Read, C: Clock> Read for FaultyStream<S, C> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            self.judge();
            let count = self.take(buffer);
            if count > 0 {
                return Ok(count);
            }
            if let Some((due, byte)) = self.late {
                self.clock.until(due).await;
                self.late = None;
                self.ready.push_back(byte);
                continue;
            }
            match self.state {
                State::Sound => {}
                State::Stalled => pending().await,
                State::Closed => return Err(FaultyError::Closed),
            }
            let mut chunk = [0; CHUNK];
            match self.stream.read(&mut chunk).await.map_err(FaultyError::Stream)? {
                0 => return Ok(0),
                count => self.unjudged.extend(chunk.iter().take(count)),
            }
        }
    }
}

impl<S: Write, C: Clock> Write for FaultyStream<S, C> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        let Some(&first) = bytes.first() else { return Ok(0) };
        match self.state {
            State::Sound => {}
            State::Stalled => return Ok(bytes.len()),
            State::Closed => return Err(FaultyError::Closed),
        }
        self.pay().await?;
        match self.sound_length(bytes) {
            (0, Some(fault)) => self.write_befallen(first, fault).await,
            (length, _) => self.pass_on(bytes.get(..length).unwrap_or_default()).await,
        }
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        match self.state {
            State::Sound => {}
            State::Stalled => return Ok(()),
            State::Closed => return Err(FaultyError::Closed),
        }
        self.pay().await?;
        self.stream.flush().await.map_err(FaultyError::Stream)
    }
}

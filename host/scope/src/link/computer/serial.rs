//! A serial port as a stream.
//!
//! The `serialport` crate blocks, on every platform alike. So one thread reads and one writes; each hands
//! bytes over a bounded channel and looks up at least every [`READ_TIMEOUT`] to see whether the link was dropped.
//! The device sets the baud rate of its USB bridge by itself: the port is set to 115200 8N1, because
//! some setting is required.
//!
//! The port is opened exclusively, and RTS and DTR are raised where it has them. Where the platform allows it, it is
//! set to low latency, and [`SerialLink::profile`] promises shorter round trips then.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use embedded_io_async::{ErrorType, Read, Write};
use scopething_core::scope::LinkProfile;
use scopething_core::time::Micros;
use serialport::SerialPort;
use tokio::sync::{mpsc, watch};

use super::port_settings::{never_block, request_low_latency};
use crate::link::{LinkError, OpenError};

/// How long a thread blocks in the port before it looks whether the link was dropped. On Windows, where a
/// port does one thing at a time, a write waits for the read that is under way.
const READ_TIMEOUT: Duration = Duration::from_millis(if cfg!(windows) { 5 } else { 50 });

/// The most bytes that one read of the port hands over.
const CHUNK: usize = 4096;

/// Chunks read ahead of the driver: more than a capture's 12288 bytes in the pieces that an FTDI sends (62
/// bytes).
const CHUNKS_AHEAD: usize = 256;

/// The baud rate that the port is set to; the device overrides it.
const BAUD_RATE: u32 = 115_200;

/// A local line in low latency mode: the FTDI waits 1 ms instead of the 16 ms that [`LinkProfile::SERIAL`]
/// allows it.
const LOW_LATENCY: LinkProfile =
    LinkProfile { round_trip: Micros(LinkProfile::SERIAL.round_trip.0 - 15_000), ..LinkProfile::SERIAL };

/// An open serial port.
///
/// # Cancellation
///
/// Dropping a pending read, write or flush loses no byte: what a dropped write had not accepted is not sent.
///
/// Dropping the link ends its threads and closes the port before it returns, within some 50 ms.
#[derive(Debug)]
pub struct SerialLink {
    name: Arc<str>,
    profile: LinkProfile,
    chunks: mpsc::Receiver<Result<Vec<u8>, LinkError>>,
    chunk: Vec<u8>,
    /// Bytes of `chunk` that were handed out.
    taken: usize,
    /// `None` while dropping.
    to_writer: Option<mpsc::Sender<Vec<u8>>>,
    /// Bytes given to the writer so far.
    accepted: u64,
    written: watch::Receiver<Written>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// What became of the bytes given to the writer.
#[derive(Debug, Default)]
struct Written {
    bytes: u64,
    failure: Option<LinkError>,
}

impl SerialLink {
    /// Opens the port `name` of a BitScope. Blocks while the operating system sets the port up, milliseconds as a
    /// rule.
    ///
    /// # Errors
    ///
    /// The variants of [`OpenError`] that concern ports.
    pub fn open(name: &str) -> Result<Self, OpenError> {
        Self::open_at(name, BAUD_RATE)
    }

    /// As [`open`](Self::open), a port that takes notice of its baud rate.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_at(name: &str, baud_rate: u32) -> Result<Self, OpenError> {
        let refused = |error| refusal(name, error);
        let mut port =
            serialport::new(name, baud_rate).timeout(READ_TIMEOUT).open_native().map_err(refused)?;
        raise_control_lines(&mut port);
        never_block(&port).map_err(|error| refused(error.into()))?;
        let profile = if request_low_latency(&port) { LOW_LATENCY } else { LinkProfile::SERIAL };
        let reader = port.try_clone().map_err(refused)?;
        Self::start(name, profile, reader, Box::new(port))
            .map_err(|source| OpenError::Port { port: name.to_owned(), source })
    }

    /// The worst round trip and rate to count with.
    #[must_use]
    pub fn profile(&self) -> LinkProfile {
        self.profile
    }

    fn start(
        name: &str,
        profile: LinkProfile,
        reader: Box<dyn SerialPort>,
        writer: Box<dyn SerialPort>,
    ) -> io::Result<Self> {
        let (chunk_sender, chunks) = mpsc::channel(CHUNKS_AHEAD);
        let (to_writer, from_link) = mpsc::channel(1);
        let (written_sender, written) = watch::channel(Written::default());
        let stop = Arc::new(AtomicBool::new(false));
        let name: Arc<str> = name.into();
        // The link exists before its threads do: should the second fail to start, dropping it ends the first.
        let mut link = Self {
            name: Arc::clone(&name),
            profile,
            chunks,
            chunk: Vec::new(),
            taken: 0,
            to_writer: Some(to_writer),
            accepted: 0,
            written,
            stop: Arc::clone(&stop),
            threads: Vec::new(),
        };
        let held = Held { name: Arc::clone(&name), io: reader, stop: Arc::clone(&stop) };
        link.spawn("serial-read", move || read_port(held, &chunk_sender))?;
        let held = Held { name, io: writer, stop };
        link.spawn("serial-write", move || write_port(held, from_link, &written_sender))?;
        Ok(link)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(Builder::new().name(name.to_owned()).spawn(work)?);
        Ok(())
    }

    /// What a thread reported before it ended, or that it ended.
    fn failure(&self) -> LinkError {
        self.written.borrow().failure.clone().unwrap_or_else(|| LinkError::Port {
            port: Arc::clone(&self.name),
            source: Arc::new(ErrorKind::BrokenPipe.into()),
        })
    }
}

impl Drop for SerialLink {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.to_writer = None;
        self.chunks.close();
        // A thread that panicked has nothing more to release.
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

impl ErrorType for SerialLink {
    type Error = LinkError;
}

impl Read for SerialLink {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, LinkError> {
        if buf.is_empty() {
            return Ok(0);
        }
        if self.taken == self.chunk.len() {
            self.chunk = self.chunks.recv().await.unwrap_or_else(|| Err(self.failure()))?;
            self.taken = 0;
        }
        let unread = self.chunk.get(self.taken..).unwrap_or_default();
        let count = io::Read::read(&mut &*unread, buf).unwrap_or_default();
        self.taken += count;
        Ok(count)
    }
}

impl Write for SerialLink {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, LinkError> {
        if buf.is_empty() {
            return Ok(0);
        }
        let Some(to_writer) = &self.to_writer else { return Err(self.failure()) };
        let Ok(permit) = to_writer.reserve().await else { return Err(self.failure()) };
        let accepted = &buf[..buf.len().min(CHUNK)];
        permit.send(accepted.to_vec());
        self.accepted += accepted.len() as u64;
        Ok(accepted.len())
    }

    /// Waits until the operating system has every byte written so far.
    async fn flush(&mut self) -> Result<(), LinkError> {
        let accepted = self.accepted;
        let done = |written: &Written| written.bytes >= accepted || written.failure.is_some();
        let failed = match self.written.wait_for(done).await {
            Ok(written) => written.bytes < accepted,
            Err(_) => true,
        };
        if failed { Err(self.failure()) } else { Ok(()) }
    }
}

/// Raises RTS and DTR, as all programs do that are known to work with a BitScope. On Windows the `serialport` crate
/// leaves them low. A port that has no such lines, a pseudo-terminal for one, works without.
fn raise_control_lines(port: &mut impl SerialPort) {
    let _ = port.write_request_to_send(true);
    let _ = port.write_data_terminal_ready(true);
}

/// A port in the hands of one of the threads.
struct Held {
    name: Arc<str>,
    io: Box<dyn SerialPort>,
    stop: Arc<AtomicBool>,
}

impl Held {
    fn failure(&self, source: io::Error) -> LinkError {
        LinkError::Port { port: Arc::clone(&self.name), source: Arc::new(source) }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Hands on what the port receives, until it fails or the receiver is dropped.
fn read_port(mut port: Held, chunks: &mpsc::Sender<Result<Vec<u8>, LinkError>>) {
    let mut buffer = [0; CHUNK];
    while !port.stopped() {
        let chunk = match port.io.read(&mut buffer) {
            Ok(0) => Err(port.failure(ErrorKind::UnexpectedEof.into())),
            Ok(count) => Ok(buffer[..count].to_vec()),
            Err(error) if is_passing(&error) => continue,
            Err(error) => Err(port.failure(error)),
        };
        let last = chunk.is_err();
        if chunks.blocking_send(chunk).is_err() || last {
            return;
        }
    }
}

/// Writes what it is given, until the port fails or the link is dropped.
fn write_port(mut port: Held, mut from_link: mpsc::Receiver<Vec<u8>>, written: &watch::Sender<Written>) {
    while let Some(chunk) = from_link.blocking_recv() {
        let mut rest = chunk.as_slice();
        while !rest.is_empty() {
            if port.stopped() {
                return;
            }
            match port.io.write(rest) {
                Ok(count) => {
                    rest = rest.get(count..).unwrap_or_default();
                    written.send_modify(|written| written.bytes += count as u64);
                }
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    let failure = Some(port.failure(error));
                    return written.send_modify(|written| written.failure = failure);
                }
            }
        }
    }
}

/// Nothing happened within [`READ_TIMEOUT`], somebody else was quicker, or a signal came.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Sorts the ways in which a port refuses to open. `serialport` returns `NoDevice` for a port that is locked, and
/// on Windows of one that is not there.
fn refusal(name: &str, error: serialport::Error) -> OpenError {
    let port = name.to_owned();
    match error.kind {
        serialport::ErrorKind::NoDevice => OpenError::PortInUse { port },
        serialport::ErrorKind::Io(ErrorKind::NotFound) => OpenError::NoPort { port },
        serialport::ErrorKind::Io(ErrorKind::PermissionDenied) => OpenError::PortForbidden { port },
        _ => OpenError::Port { port, source: error.into() },
    }
}

//! A raw TCP stream to a device: a serial server, another computer's simulated BitScope.
//!
//! Small writes go out at once (`TCP_NODELAY`). A server that closes, or closes only its sending half, is an
//! error when it is next read from.

use std::io;

use embedded_io_async::{ErrorType, Read, Write};
use scopething_core::time::Micros;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::duration;
use crate::link::HostPort;
use crate::link::refusal;
use crate::link::{LinkError, OpenError};

/// How long a host may take to answer, the look-up of its name included.
pub(super) const CONNECT_LIMIT: Micros = Micros::from_millis(5000);

/// Room for what is taken from the system at a time: half of what a capture is at most.
const CHUNK: usize = 8192;

/// An open TCP stream.
///
/// # Cancellation
///
/// Dropping a pending read or write loses no byte: what a dropped write had not accepted is not sent.
#[derive(Debug)]
pub struct TcpLink {
    stream: TcpStream,
    /// What has come since all before it was read. The driver reads a few bytes at a time: in them a dismissal could not be
    /// recognised.
    received: Vec<u8>,
    /// Bytes of it that were read.
    taken: usize,
    /// All that has come, as long as it may be the beginning of a [refusal]: the reader has it too, since a
    /// BitScope's answer may begin in the same way.
    opening: Option<Vec<u8>>,
}

impl TcpLink {
    /// Connects, to the first of the host's addresses that lets it.
    ///
    /// # Errors
    ///
    /// The variants of [`OpenError`] that concern hosts; [`OpenError::NoAnswer`] after 5 s.
    pub async fn connect(at: &HostPort) -> Result<Self, OpenError> {
        let addresses = || tokio::net::lookup_host((at.host.as_str(), at.port));
        let connect = async {
            let addresses: Vec<_> = addresses().await.map_err(|source| unknown_host(at, source))?.collect();
            let stream =
                TcpStream::connect(addresses.as_slice()).await.map_err(|source| not_opened(at, source))?;
            stream.set_nodelay(true).map_err(|source| not_opened(at, source))?;
            Ok(Self { stream, received: Vec::with_capacity(CHUNK), taken: 0, opening: Some(Vec::new()) })
        };
        let no_answer = |_| Err(OpenError::NoAnswer { at: at.clone(), limit: CONNECT_LIMIT });
        tokio::time::timeout(duration(CONNECT_LIMIT), connect).await.unwrap_or_else(no_answer)
    }

    /// Looks at what has come from `from` on.
    fn examine(&mut self, from: usize) -> Result<(), LinkError> {
        let bytes = self.received.get(from..).unwrap_or_default();
        // What ends without the end of its line may be the beginning of a refusal.
        let dismissal = Some(bytes).filter(|bytes| bytes.ends_with(b"\n")).and_then(refusal::dismissal);
        if let Some(reason) = dismissal {
            let reason = reason.into();
            self.received.truncate(from);
            return Err(LinkError::Dismissed { reason });
        }
        if let Some(opening) = &mut self.opening {
            opening.extend(bytes.iter().take(refusal::MAX_LENGTH + 1));
            self.opening.take_if(|opening| !refusal::may_begin(opening));
        }
        Ok(())
    }

    /// The error of a stream that has ended: a refusal if that was all that came, or why the server has ended it. A write
    /// may find out first, and what came before the end is still there.
    fn ended(&mut self, error: LinkError) -> LinkError {
        let mut from = self.received.len();
        while let Ok(1..) = self.stream.try_read_buf(&mut self.received) {
            if let Err(dismissed) = self.examine(from) {
                return dismissed;
            }
            from = self.received.len();
        }
        let owner = self.opening.as_deref().and_then(refusal::owner);
        owner.map_or(error, |owner| LinkError::InUse { owner: owner.into() })
    }
}

pub(super) fn unknown_host(at: &HostPort, source: io::Error) -> OpenError {
    OpenError::UnknownHost { host: at.host.clone(), source }
}

/// Sorts the ways in which a socket refuses to open.
pub(super) fn not_opened(at: &HostPort, source: io::Error) -> OpenError {
    let at = at.clone();
    match source.kind() {
        io::ErrorKind::ConnectionRefused => OpenError::Refused { at },
        io::ErrorKind::TimedOut => OpenError::NoAnswer { at, limit: CONNECT_LIMIT },
        _ => OpenError::Unreachable { at, source },
    }
}

impl ErrorType for TcpLink {
    type Error = LinkError;
}

impl Read for TcpLink {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, LinkError> {
        if buf.is_empty() {
            return Ok(0);
        }
        while self.received.len() == self.taken {
            self.received.clear();
            self.taken = 0;
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) => return Err(self.ended(LinkError::Closed)),
                Ok(_) => self.examine(0)?,
                Err(error) => return Err(self.ended(LinkError::network(error))),
            }
        }
        let mut rest = self.received.get(self.taken..).unwrap_or_default();
        let count = io::Read::read(&mut rest, buf).map_err(LinkError::network)?;
        self.taken += count;
        Ok(count)
    }
}

impl Write for TcpLink {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, LinkError> {
        match self.stream.write(buf).await {
            Ok(count) => Ok(count),
            Err(error) => Err(self.ended(LinkError::network(error))),
        }
    }

    async fn flush(&mut self) -> Result<(), LinkError> {
        self.stream.flush().await.map_err(LinkError::network)
    }
}

//! A raw TCP stream to a device: a serial server, another computer's simulated BitScope.
//!
//! Small writes go out at once (`TCP_NODELAY`). A server that closes, or closes only its sending half, is an
//! error when it is next read from.

use std::io;

use embedded_io_async::{ErrorType, Read, Write};
use scopething_core::time::Micros;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::clock::duration;
use super::error::{LinkError, OpenError};
use super::url::HostPort;

/// How long a host may take to answer, the look-up of its name included.
pub(super) const CONNECT_LIMIT: Micros = Micros::from_millis(5000);

/// An open TCP stream.
///
/// # Cancellation
///
/// Dropping a pending read or write loses no byte: what a dropped write had not accepted is not sent.
#[derive(Debug)]
pub struct TcpLink {
    stream: TcpStream,
}

impl TcpLink {
    /// Connects, to the first of the host's addresses that lets it.
    ///
    /// # Errors
    ///
    /// The variants of [`OpenError`] that speak of hosts; [`OpenError::NoAnswer`] after 5 s.
    pub async fn connect(at: &HostPort) -> Result<Self, OpenError> {
        let addresses = || tokio::net::lookup_host((at.host.as_str(), at.port));
        let connect = async {
            let addresses: Vec<_> = addresses().await.map_err(|source| unknown_host(at, source))?.collect();
            let stream =
                TcpStream::connect(addresses.as_slice()).await.map_err(|source| refusal(at, source))?;
            stream.set_nodelay(true).map_err(|source| refusal(at, source))?;
            Ok(Self { stream })
        };
        let no_answer = |_| Err(OpenError::NoAnswer { at: at.clone(), limit: CONNECT_LIMIT });
        tokio::time::timeout(duration(CONNECT_LIMIT), connect).await.unwrap_or_else(no_answer)
    }
}

pub(super) fn unknown_host(at: &HostPort, source: io::Error) -> OpenError {
    OpenError::UnknownHost { host: at.host.clone(), source }
}

/// Sorts the ways in which a socket refuses to open.
pub(super) fn refusal(at: &HostPort, source: io::Error) -> OpenError {
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
        match self.stream.read(buf).await {
            Ok(0) => Err(LinkError::Closed),
            Ok(count) => Ok(count),
            Err(error) => Err(LinkError::network(error)),
        }
    }
}

impl Write for TcpLink {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, LinkError> {
        self.stream.write(buf).await.map_err(LinkError::network)
    }

    async fn flush(&mut self) -> Result<(), LinkError> {
        self.stream.flush().await.map_err(LinkError::network)
    }
}

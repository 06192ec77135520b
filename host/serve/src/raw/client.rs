//! Raw clients, by their transport, and the session of the one that has the device.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::datagrams::Exchange;
use super::datagrams::lossy_network::Delivered;

/// A client, by its transport.
#[derive(Debug)]
pub(crate) enum Client {
    Tcp { stream: TcpStream, peer: SocketAddr },
    Udp { peer: SocketAddr, exchange: Exchange },
    Pty,
}

impl Client {
    /// The address that it connects from; none for the pseudo-terminal.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp { peer, .. } | Self::Udp { peer, .. } => Some(peer.ip()),
            Self::Pty => None,
        }
    }

    /// Whether both are the same client; a TCP client is another one at each connection.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Udp { peer, .. }, Self::Udp { peer: other, .. }) => peer == other,
            (Self::Pty, Self::Pty) => true,
            _ => false,
        }
    }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { peer, .. } => write!(f, "tcp {peer}"),
            Self::Udp { peer, .. } => write!(f, "udp {peer}"),
            Self::Pty => write!(f, "the pseudo-terminal"),
        }
    }
}

/// The client that has the device.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) client: Client,
    /// When it began.
    pub(crate) since: Instant,
    pub(crate) last_heard: Instant,
    /// Bytes, or whole datagrams, that are still to be written.
    pub(crate) output: VecDeque<Delivered>,
}

impl Session {
    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Whether its disappearance can be detected though it sends nothing.
    pub(crate) fn is_local_udp(&self) -> bool {
        matches!(&self.client, Client::Udp { peer, .. } if peer.ip().to_canonical().is_loopback())
    }
}

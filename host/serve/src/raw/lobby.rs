//! Connections over TCP that have not sent anything yet: they neither have the device nor wait for it, however many there
//! are, and what they send first is looked at before any of it is executed.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};

use crate::foreign::{Foreign, Opening};

/// Connections here at a time; the one that was silent for longest makes room for a further one.
pub(super) const MAX_SILENT: usize = 16;
/// Bytes read of a client's first ones.
const CHUNK: usize = 4096;
/// How long the first bytes may be undecided: a client may begin with a command that is also a letter of HTTP.
const DECISION_TIMEOUT: Duration = Duration::from_millis(300);

/// A connection whose first bytes have come.
#[derive(Debug)]
pub(super) enum Arrival {
    Client {
        stream: TcpStream,
        peer: SocketAddr,
        commands: Vec<u8>,
    },
    Foreign {
        peer: SocketAddr,
        foreign: Foreign,
    },
    /// It was closed before it sent anything.
    Gone,
}

/// The connections that are silent so far.
#[derive(Debug, Default)]
pub(super) struct Lobby {
    arrivals: JoinSet<Arrival>,
    /// The oldest first.
    present: VecDeque<AbortHandle>,
}

impl Lobby {
    /// Takes a connection in.
    pub(super) fn enter(&mut self, stream: TcpStream, peer: SocketAddr) {
        self.present.retain(|silent| !silent.is_finished());
        if self.present.len() >= MAX_SILENT
            && let Some(oldest) = self.present.pop_front()
        {
            oldest.abort();
        }
        self.present.push_back(self.arrivals.spawn(arrival(stream, peer)));
    }

    /// The next connection whose first bytes have come.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Arrival {
        match self.arrivals.join_next().await {
            Some(Ok(arrival)) => arrival,
            // It has made room for another.
            Some(Err(_)) => Arrival::Gone,
            None => std::future::pending().await,
        }
    }
}

async fn arrival(mut stream: TcpStream, peer: SocketAddr) -> Arrival {
    let mut commands = Vec::with_capacity(CHUNK);
    if !matches!(stream.read_buf(&mut commands).await, Ok(1..)) {
        return Arrival::Gone;
    }
    let decided = async {
        while Opening::of(&commands) == Opening::Undecided
            && matches!(stream.read_buf(&mut commands).await, Ok(1..))
        {}
    };
    let _ = tokio::time::timeout(DECISION_TIMEOUT, decided).await;
    match Opening::of(&commands) {
        Opening::Foreign(foreign) => Arrival::Foreign { peer, foreign },
        Opening::Native | Opening::Undecided => Arrival::Client { stream, peer, commands },
    }
}

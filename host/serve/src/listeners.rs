//! The listeners of all services, behind one accept loop: a busy one does not keep the others waiting, and what the system
//! refuses is waited out.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};

/// How long accepting rests when the system has no more descriptors.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// What came of accepting.
#[derive(Debug)]
pub(super) enum Accepted<D> {
    Connection(D, TcpStream, SocketAddr),
    /// The process or the system has no more descriptors; it was waited for a moment.
    Exhausted,
}

/// Listeners, each with the service that it is for.
#[derive(Debug)]
pub(super) struct Listeners<D> {
    listeners: Vec<(D, TcpListener)>,
    /// Which is asked first: the one after the last that had a connection.
    next: usize,
}

impl<D: Copy + PartialEq> Listeners<D> {
    pub(super) fn new(listeners: impl IntoIterator<Item = (D, Option<TcpListener>)>) -> Self {
        let listeners =
            listeners.into_iter().filter_map(|(service, listener)| Some((service, listener?))).collect();
        Self { listeners, next: 0 }
    }

    /// The next connection to any of them; waits for ever if there are none.
    ///
    /// # Errors
    ///
    /// The system's, if a listener breaks.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses no connection.
    pub(super) async fn accept(&mut self) -> io::Result<Accepted<D>> {
        loop {
            match self.any().await {
                Ok((service, stream, peer)) => {
                    // Nagle's algorithm would delay the short answers; a failure to disable it is no reason not to serve.
                    let _ = stream.set_nodelay(true);
                    return Ok(Accepted::Connection(service, stream, peer));
                }
                Err(error) if is_passing(&error) => {}
                Err(error) if is_exhausted(&error) => {
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                    return Ok(Accepted::Exhausted);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A connection to one of them that the system has, though the runtime may not have heard of it yet.
    ///
    /// [`accept`](Self::accept) asks only listeners that the runtime has heard of, so connections to two of them may come out
    /// of it in another order than they were made in.
    pub(super) fn accept_at_once(&self, service: D) -> Option<(TcpStream, SocketAddr)> {
        let (_, listener) = self.listeners.iter().find(|(of, _)| *of == service)?;
        let (socket, peer) = SockRef::from(listener).accept().ok()?;
        socket.set_nonblocking(true).ok()?;
        let _ = socket.set_tcp_nodelay(true);
        Some((TcpStream::from_std(socket.into()).ok()?, peer.as_socket()?))
    }

    async fn any(&mut self) -> io::Result<(D, TcpStream, SocketAddr)> {
        let Self { listeners, next } = self;
        poll_fn(|context| {
            for step in 0..listeners.len() {
                let at = (*next + step) % listeners.len();
                if let Some((service, listener)) = listeners.get(at)
                    && let Poll::Ready(accepted) = listener.poll_accept(context)
                {
                    *next = at + 1;
                    return Poll::Ready(accepted.map(|(stream, peer)| (*service, stream, peer)));
                }
            }
            Poll::Pending
        })
        .await
    }
}

/// Whether an error concerns one client and not the listener.
pub(super) fn is_passing(cause: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, WouldBlock};
    matches!(cause.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | WouldBlock)
}

/// Whether the process or the system has no more of what a connection takes.
fn is_exhausted(error: &io::Error) -> bool {
    // ENOMEM, ENFILE, EMFILE, ENOBUFS; WSAEMFILE, WSAENOBUFS.
    matches!(error.raw_os_error(), Some(12 | 23 | 24 | 105 | 10_024 | 10_055))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_connected_to_first_is_there() {
        let first = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let second = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let addresses = [first.local_addr().expect("bound"), second.local_addr().expect("bound")];
        let mut listeners = Listeners::new([("first", Some(first)), ("second", Some(second))]);
        let _earlier = std::net::TcpStream::connect(addresses[1]).expect("a connection");
        listeners.accept().await.expect("works");
        // The runtime still takes the second for ready, and does not look after the first before that has shown not to be.
        let client = addresses.map(|address| std::net::TcpStream::connect(address).expect("a connection"));
        let accepted = listeners.accept().await.expect("works");
        assert!(matches!(accepted, Accepted::Connection("second", ..)), "the order is right: {accepted:?}");
        let (_, peer) = listeners.accept_at_once("first").expect("it was connected to before");
        assert_eq!(peer, client[0].local_addr().expect("connected"));
        assert!(listeners.accept_at_once("first").is_none());
    }
}

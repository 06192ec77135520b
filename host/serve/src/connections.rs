//! Connections of clients: accepted up to a number, each served by its own task, a slow one without the
//! others.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::tcp::ReadHalf;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::allow::Allow;
use super::event::Event;
use super::handle::Handle;
use super::lines::{Line, Lines};
use super::scpi::{Message, messages};
use super::scpi_status::{Common, ScpiError, Status};
use super::settings::Settings;

/// Connections at a time to one listener. A further one takes the place of the one that was silent for
/// longest.
const MAX_CONNECTIONS: usize = 64;
/// How long a client may take to read an answer.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the listener rests when the system has no more sockets.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// What is to be done after a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Nothing.
    None,
    /// Send this text, and those of other queries of the same line with `;` between.
    Text(String),
    /// Send this, at once.
    Bytes(Vec<u8>),
    /// There is no such command or query.
    Undefined,
    /// There is no honest answer, and the client would wait for one: end the connection.
    HangUp,
}

/// How an emulated instrument answers one client.
pub(super) trait Dialect: Send {
    /// Executes a message.
    fn answer(&mut self, message: &Message<'_>) -> impl Future<Output = Reply> + Send;

    /// Puts an answer into what the transport wants around it.
    fn framed(&self, answer: Vec<u8>) -> Vec<u8> {
        answer
    }
}

/// When a client last sent or read something, in milliseconds from the start of its listener.
#[derive(Debug, Clone)]
pub(super) struct LastSeen {
    start: Instant,
    at_ms: Arc<AtomicU64>,
}

impl LastSeen {
    /// It was seen now.
    pub(super) fn now(&self) {
        let passed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.at_ms.store(passed, Ordering::Relaxed);
    }
}

/// The connections of one listener.
pub(super) struct Connections {
    start: Instant,
    sessions: JoinSet<()>,
    present: Vec<(AbortHandle, LastSeen)>,
}

impl Connections {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), sessions: JoinSet::new(), present: Vec::new() }
    }

    /// Makes room for one more.
    fn make_room(&mut self) {
        while self.sessions.try_join_next().is_some() {}
        self.present.retain(|(session, _)| !session.is_finished());
        if self.present.len() >= MAX_CONNECTIONS {
            let silent = |(_, last_seen): &&(AbortHandle, LastSeen)| last_seen.at_ms.load(Ordering::Relaxed);
            if let Some((session, _)) = self.present.iter().min_by_key(silent) {
                session.abort();
            }
        }
    }

    /// Starts to serve a connection.
    pub(super) fn spawn(&mut self, session: impl FnOnce(LastSeen) -> BoxedSession) {
        self.make_room();
        let last_seen = LastSeen { start: self.start, at_ms: Arc::default() };
        last_seen.now();
        let handle = self.sessions.spawn(session(last_seen.clone()));
        self.present.push((handle, last_seen));
    }
}

/// One connection being served.
pub(super) type BoxedSession = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

/// The next connection to a listener that is allowed.
pub(super) async fn accepted(
    name: &'static str,
    listener: &TcpListener,
    allow: &Allow,
    handle: &Handle,
    connections: &mut Connections,
) -> io::Result<(TcpStream, SocketAddr)> {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) if allow.admits(peer.ip()) => {
                // Nagle's algorithm would delay the short answers; a failure to disable it is no reason not to serve.
                let _ = stream.set_nodelay(true);
                handle.report(Event::Connected { client: format!("{name} {peer}") });
                return Ok((stream, peer));
            }
            Ok((_, peer)) => handle.report(Event::Refused {
                client: format!("{name} {peer}"),
                reason: "its network is not allowed (--allow)".to_owned(),
            }),
            Err(error) if is_passing(&error) => {}
            Err(error) if is_exhausted(&error) => {
                connections.make_room();
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Serves connections to a listener, each in its own way, for as long as the listener works.
pub(super) async fn receive(
    name: &'static str,
    listener: TcpListener,
    allow: &Allow,
    handle: &Handle,
    session: impl Fn(TcpStream, SocketAddr, LastSeen) -> BoxedSession,
) -> io::Error {
    let mut connections = Connections::new();
    loop {
        match accepted(name, &listener, allow, handle, &mut connections).await {
            Ok((stream, peer)) => connections.spawn(|last_seen| session(stream, peer, last_seen)),
            Err(error) => return error,
        }
    }
}

/// Whether an error concerns one client and not the listener.
pub(super) fn is_passing(cause: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, WouldBlock};
    matches!(cause.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | WouldBlock)
}

/// Whether the process or the system has no more files to open.
fn is_exhausted(error: &io::Error) -> bool {
    // ENFILE and EMFILE, WSAEMFILE.
    matches!(error.raw_os_error(), Some(23 | 24 | 10_024))
}

/// Serves a client that sends lines of SCPI, to its end.
pub(super) async fn converse(
    name: &'static str,
    mut stream: TcpStream,
    peer: SocketAddr,
    last_seen: LastSeen,
    handle: &Handle,
    mut dialect: impl Dialect,
) {
    let (reader, mut writer) = stream.split();
    let mut lines = Lines::new(Prompt(reader));
    let mut status = Status::default();
    while let Ok(Some(line)) = lines.next().await {
        last_seen.now();
        let line = match line {
            Line::Whole(line) => line,
            Line::TooLong(bytes) => {
                status.push(ScpiError::InputBufferOverrun);
                handle.report(Event::Malformed { client: format!("{name} {peer}"), bytes });
                continue;
            }
        };
        let Some(answer) = answer(&line, peer, handle, &mut dialect, &mut status).await else { break };
        if !answer.is_empty() && !write(&mut writer, &dialect.framed(answer)).await {
            break;
        }
        last_seen.now();
    }
    handle.report(Event::Disconnected { client: format!("{name} {peer}") });
}

/// The answers to all queries of a line; none if the connection is to end.
async fn answer(
    line: &[u8],
    peer: SocketAddr,
    handle: &Handle,
    dialect: &mut impl Dialect,
    status: &mut Status,
) -> Option<Vec<u8>> {
    let mut answers: Vec<Vec<u8>> = Vec::new();
    let mut text = false;
    for message in messages(line) {
        let reply = match status.execute(&message) {
            Some(Common::Answer(answer)) => Reply::Text(answer),
            Some(Common::Done) => Reply::None,
            Some(Common::Reset) => {
                handle.set(peer, |settings| *settings = Settings::default());
                Reply::None
            }
            None => dialect.answer(&message).await,
        };
        let answer = match reply {
            Reply::None => continue,
            Reply::Text(answer) => answer.into_bytes(),
            Reply::Bytes(answer) => {
                answers.push(answer);
                text = false;
                continue;
            }
            Reply::Undefined => {
                status.push(ScpiError::UndefinedHeader);
                if !message.query {
                    continue;
                }
                // A query without an answer would be waited for.
                Vec::new()
            }
            Reply::HangUp => return None,
        };
        answers.push(answer);
        text = true;
    }
    let mut bytes = answers.join(&b';');
    // Data brings its own end.
    bytes.extend(text.then_some(b'\n'));
    Some(bytes)
}

/// A connection whose reads are acknowledged at once: clients that send several short commands wait for that before they send
/// the next (Nagle's algorithm), some 40 ms each otherwise.
struct Prompt<'s>(ReadHalf<'s>);

impl AsyncRead for Prompt<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.0).poll_read(context, buffer);
        // The system forgets it by itself. Without it answers are as right, and slower.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if read.is_ready() {
            let _ = rustix::net::sockopt::set_tcp_quickack(self.0.as_ref(), true);
        }
        read
    }
}

/// Writes an answer; false if the client does not read it in time, or has disconnected.
pub(super) async fn write(writer: &mut (impl AsyncWrite + Unpin), answer: &[u8]) -> bool {
    matches!(tokio::time::timeout(WRITE_TIMEOUT, writer.write_all(answer)).await, Ok(Ok(())))
}

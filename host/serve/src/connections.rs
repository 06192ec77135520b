//! Connections of clients: accepted up to a number, each served by its own task, a slow one without the
//! others.

use std::cmp::Reverse;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::ReadHalf;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::event::Event;
use super::handle::Handle;
use super::lines::{Line, LineReader};
use super::scpi::{Message, messages};
use super::scpi_status::{Common, ScpiError, Status};
use super::settings::Settings;

/// Connections at a time to one service.
pub(super) const MAX_CONNECTIONS: usize = 24;
/// How long a client that has sent a command may be silent before it makes room for another.
const IDLE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client that has just connected is left alone by addresses that have more connections: its first command is
/// under way.
const FIRST_COMMAND_TIMEOUT: Duration = Duration::from_secs(1);
/// By how many connections an address may exceed that of a newcomer, which takes the place of one of them.
const FAIR_SURPLUS: usize = 2;
/// Why a client is refused then.
pub(super) const ALL_IN_USE: &str = "all connections to this service are in use";
/// How long a client may take to read an answer.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

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

    /// All settings were reset: begins anew, without what was captured before.
    fn restart(&mut self);

    /// Puts an answer into what the transport wants around it.
    fn framed(&self, answer: Vec<u8>) -> Vec<u8> {
        answer
    }
}

/// When a client last sent a command or read an answer, in milliseconds from the start of its service; 0 if it never did.
#[derive(Debug, Clone)]
pub(super) struct LastSeen {
    start: Instant,
    at_ms: Arc<AtomicU64>,
}

impl LastSeen {
    /// It was seen now.
    pub(super) fn now(&self) {
        let passed = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.at_ms.store(passed.max(1), Ordering::Relaxed);
    }

    fn at(&self) -> Option<Instant> {
        let at_ms = self.at_ms.load(Ordering::Relaxed);
        (at_ms > 0).then(|| self.start + Duration::from_millis(at_ms))
    }
}

/// A connection being served, as the others see it.
#[derive(Debug)]
struct Present {
    task: AbortHandle,
    peer: IpAddr,
    since: Instant,
    last_seen: LastSeen,
}

/// The connections of one service.
#[derive(Debug)]
pub(super) struct Connections {
    start: Instant,
    sessions: JoinSet<()>,
    present: Vec<Present>,
}

impl Connections {
    pub(super) fn new() -> Self {
        Self { start: Instant::now(), sessions: JoinSet::new(), present: Vec::new() }
    }

    /// Makes room for a connection from an address, if need be by ending another and waiting for its end. False if all
    /// others are in use.
    pub(super) async fn make_room(&mut self, newcomer: IpAddr) -> bool {
        while self.sessions.try_join_next().is_some() {}
        self.present.retain(|present| !present.task.is_finished());
        if self.present.len() < MAX_CONNECTIONS {
            return true;
        }
        let Some(at) = self.least_worthy(Some(newcomer)) else { return false };
        self.end(at).await;
        true
    }

    /// Ends a connection over which nothing was ever asked, if there is one: the system has no more descriptors.
    pub(super) async fn shed(&mut self) {
        self.present.retain(|present| !present.task.is_finished());
        if let Some(at) = self.least_worthy(None) {
            self.end(at).await;
        }
    }

    /// The connection that makes room first: one that never sent a command, though it had time to or is of an address that
    /// has as many as the newcomer's; then one of an address that has many more; then one that is idle. Of several, one of
    /// the address that has most, and that is silent for longest.
    fn least_worthy(&self, newcomer: Option<IpAddr>) -> Option<usize> {
        let count = |of: IpAddr| self.present.iter().filter(|present| present.peer == of).count();
        let newcomers = newcomer.map(count);
        let rank = |present: &Present| match (present.last_seen.at(), newcomers) {
            (None, None) => Some(0),
            (None, Some(newcomers)) if count(present.peer) >= newcomers => Some(0),
            (None, Some(_)) if present.since.elapsed() >= FIRST_COMMAND_TIMEOUT => Some(0),
            (Some(_), Some(newcomers)) if count(present.peer) >= newcomers + FAIR_SURPLUS => Some(1),
            (Some(seen), Some(_)) if seen.elapsed() >= IDLE_TIMEOUT => Some(2),
            _ => None,
        };
        let ranked = self.present.iter().enumerate().filter_map(|(at, present)| {
            let silent_since = present.last_seen.at().unwrap_or(present.since);
            Some(((rank(present)?, Reverse(count(present.peer)), silent_since), at))
        });
        ranked.min().map(|(_, at)| at)
    }

    async fn end(&mut self, at: usize) {
        let Present { task, .. } = self.present.swap_remove(at);
        task.abort();
        while !task.is_finished() && self.sessions.join_next().await.is_some() {}
    }

    /// Starts to serve a connection, for which there is [room](Self::make_room).
    pub(super) fn spawn(&mut self, peer: IpAddr, session: impl FnOnce(LastSeen) -> BoxedSession) {
        let last_seen = LastSeen { start: self.start, at_ms: Arc::default() };
        let task = self.sessions.spawn(session(last_seen.clone()));
        self.present.push(Present { task, peer, since: Instant::now(), last_seen });
    }
}

/// One connection being served.
pub(super) type BoxedSession = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

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
    let mut lines = LineReader::new(Prompt(reader));
    let mut status = Status::default();
    while let Ok(Some(line)) = lines.next().await {
        let line = match line {
            Line::Whole(line) => line,
            Line::TooLong(bytes) => {
                status.push(ScpiError::InputBufferOverrun);
                handle.report(Event::Malformed { client: format!("{name} {peer}"), bytes });
                continue;
            }
            Line::Foreign(foreign) => {
                let client = format!("{name} {peer}");
                return handle.report(Event::Refused { client, reason: foreign.to_string() });
            }
        };
        last_seen.now();
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
                dialect.restart();
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

#[cfg(test)]
mod tests {
    use super::*;

    const OFTEN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const RARE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    /// Adds a connection that lasts; `speaks` if it has sent a command.
    async fn add(connections: &mut Connections, peer: IpAddr, speaks: bool) -> bool {
        let room = connections.make_room(peer).await;
        if room {
            connections.spawn(peer, |last_seen| {
                if speaks {
                    last_seen.now();
                }
                Box::pin(std::future::pending())
            });
        }
        room
    }

    #[tokio::test(start_paused = true)]
    async fn silent_ones_make_room_and_the_limit_holds() {
        let mut connections = Connections::new();
        assert!(add(&mut connections, RARE, true).await);
        for _ in 0..200 {
            assert!(add(&mut connections, OFTEN, false).await);
            assert!(connections.sessions.len() <= MAX_CONNECTIONS);
        }
        assert!(connections.present.iter().any(|present| present.peer == RARE));
    }

    #[tokio::test(start_paused = true)]
    async fn those_in_use_stay_and_newcomers_are_refused() {
        let mut connections = Connections::new();
        for _ in 0..MAX_CONNECTIONS {
            assert!(add(&mut connections, OFTEN, true).await);
        }
        assert!(!add(&mut connections, OFTEN, true).await);
        // Another address has a right to some of the places.
        assert!(add(&mut connections, RARE, true).await);
        tokio::time::advance(2 * IDLE_TIMEOUT).await;
        assert!(add(&mut connections, OFTEN, true).await);
        assert_eq!(connections.sessions.len(), MAX_CONNECTIONS);
    }

    #[tokio::test(start_paused = true)]
    async fn new_connection_may_send_its_first_command() {
        let mut connections = Connections::new();
        assert!(add(&mut connections, RARE, false).await);
        for _ in 1..MAX_CONNECTIONS {
            assert!(add(&mut connections, OFTEN, true).await);
        }
        assert!(!add(&mut connections, OFTEN, true).await);
        assert!(connections.present.iter().any(|present| present.peer == RARE));
        tokio::time::advance(FIRST_COMMAND_TIMEOUT).await;
        assert!(add(&mut connections, OFTEN, true).await);
        assert!(!connections.present.iter().any(|present| present.peer == RARE));
    }
}

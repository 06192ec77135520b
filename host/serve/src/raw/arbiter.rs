//! Arbitrates the device: which client has it, which wait for it, which are rejected; and buffers the session's output.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::{Client, Session};
use super::datagrams::lossy_network::{Delivered, LossyNetwork};
use super::datagrams::numbers::Numbers;
use super::datagrams::{Exchange, Received};
use super::sockets::Sockets;
use crate::event::Event;
use scopething::link::refusal;
use scopething_sim::Origin;
use scopething_sim::faults::Direction;

/// Datagrams that wait to be sent; repetitions beyond that are dropped.
const MAX_OUTPUT: usize = 256;

/// How often the port of a local UDP client is probed for having been closed, while others wait for the device.
const PORT_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How long a rejected client has to read why and to disconnect.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);
/// Rejected clients that have not disconnected; further ones are disconnected at once.
const MAX_LEAVING: usize = 64;

/// How the device is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// How long a client without a connection (UDP, pseudo-terminal) may be silent before it gives way to another.
    pub(crate) silence: Duration,
    /// The same for a TCP client; none: it stays until it disconnects.
    pub(crate) tcp_silence: Option<Duration>,
    /// How many clients may wait for the device; further ones are rejected.
    pub(crate) max_waiting: usize,
    /// How long a client may wait before it is rejected.
    pub(crate) queue_timeout: Duration,
    /// The same for a UDP client, which repeats its datagram and gives up sooner.
    pub(crate) udp_queue_timeout: Duration,
}

impl Rules {
    /// When a session gives way to others; none: never.
    fn stays_until(&self, session: &Session) -> Option<Instant> {
        let silence = match &session.client {
            Client::Tcp { .. } => self.tcp_silence?,
            Client::Udp { .. } | Client::Pty => self.silence,
        };
        session.last_heard.checked_add(silence)
    }

    fn let_go(&self, session: &Session) -> bool {
        let closed = matches!(&session.client, Client::Udp { peer, .. } if has_closed(*peer));
        closed || self.stays_until(session).is_some_and(|until| until <= Instant::now())
    }
}

/// Whether a UDP port is known to be closed: it is one of this machine's own, and free to be taken.
fn has_closed(peer: SocketAddr) -> bool {
    std::net::UdpSocket::bind(peer).is_ok()
}

/// A client that waits for the device.
#[derive(Debug)]
struct QueuedClient {
    client: Client,
    until: Option<Instant>,
    /// The last datagram that it has sent, to be executed when its turn comes.
    datagram: Vec<u8>,
}

/// The device's arbiter: one session at a time.
pub(crate) struct Arbiter<'a> {
    rules: Rules,
    session: Option<Session>,
    waiting: VecDeque<QueuedClient>,
    new_session: bool,
    numbers: Numbers,
    /// TCP clients that were rejected.
    leaving: JoinSet<()>,
    network: &'a mut LossyNetwork,
    report: &'a mut dyn FnMut(Event),
}

impl<'a> Arbiter<'a> {
    pub(crate) fn new(rules: Rules, report: &'a mut dyn FnMut(Event), network: &'a mut LossyNetwork) -> Self {
        Self {
            rules,
            session: None,
            waiting: VecDeque::new(),
            new_session: false,
            numbers: Numbers::default(),
            leaving: JoinSet::new(),
            network,
            report,
        }
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// Whether the session has changed since the last call.
    pub(crate) fn has_new_session(&mut self) -> bool {
        std::mem::take(&mut self.new_session)
    }

    pub(crate) fn report(&mut self, event: Event) {
        (self.report)(event);
    }

    /// The session's client, if it does not give way to another.
    fn in_the_way(&self) -> Option<String> {
        let stays = |session: &&Session| !self.rules.let_go(session);
        self.session.as_ref().filter(stays).map(|session| session.client.to_string())
    }

    fn acquire(&mut self, mut client: Client) {
        self.leave();
        if let Client::Udp { peer, exchange } = &mut client {
            *exchange = Exchange::new(self.numbers.start(*peer));
        }
        self.report(Event::Acquired { client: client.to_string() });
        self.new_session = true;
        self.session = Some(Session { client, last_heard: Instant::now(), output: VecDeque::new() });
    }

    /// Ends the session.
    pub(crate) fn leave(&mut self) {
        if let Some(session) = self.session.take() {
            if let Client::Udp { peer, exchange } = &session.client {
                self.numbers.end(*peer, exchange.next_seq());
            }
            self.report(Event::Disconnected { client: session.client.to_string() });
        }
    }

    /// The session's client has sent something.
    pub(crate) fn touch_session(&mut self) {
        if let Some(session) = &mut self.session {
            session.last_heard = Instant::now();
        }
    }

    /// When to poll next though nothing happens; `wanted`: others than the clients here
    /// wait for the device.
    pub(crate) fn deadline(&self, wanted: bool) -> Option<Instant> {
        let contested = wanted || !self.waiting.is_empty();
        let session = self.session.as_ref().filter(|_| contested);
        let poll_at =
            session.filter(|session| session.is_local_udp()).map(|_| Instant::now() + PORT_POLL_INTERVAL);
        let session = session.and_then(|session| self.rules.stays_until(session));
        session
            .into_iter()
            .chain(poll_at)
            .chain(self.waiting.iter().filter_map(|waiting| waiting.until))
            .min()
    }

    /// Ends a session that has been silent while others wait, rejects clients that have waited for too long, and
    /// starts the next session. None if the session is the same; otherwise the commands that the new one has
    /// brought along.
    pub(crate) fn poll(&mut self, wanted: bool, sent: Origin, sockets: &Sockets) -> Option<Vec<u8>> {
        let contested = wanted || !self.waiting.is_empty();
        if contested && self.session.as_ref().is_some_and(|session| self.rules.let_go(session)) {
            self.leave();
        }
        if self.session.is_none()
            && let Some(QueuedClient { client, datagram, .. }) = self.waiting.pop_front()
        {
            self.acquire(client);
            return Some(if datagram.is_empty() { Vec::new() } else { self.exchange(&datagram, sent) });
        }
        let now = Instant::now();
        let (waiting, expired) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| waiting.until.is_none_or(|until| until > now));
        self.waiting = waiting;
        for QueuedClient { client, datagram, .. } in expired {
            self.reject(client, &datagram, sockets);
        }
        self.session.is_none().then(Vec::new)
    }

    /// Sends a client the reason for its rejection, and drops it.
    fn reject(&mut self, client: Client, datagram: &[u8], sockets: &Sockets) {
        let name = client.to_string();
        let holder =
            self.session.as_ref().map_or_else(|| "another".to_owned(), |session| session.client.to_string());
        match client {
            Client::Tcp { stream, .. } => {
                // A new connection has room for a line; if not, closing it must do.
                let _ = stream.try_write(format!("{}\r\n", refusal::line(&holder)).as_bytes());
                while self.leaving.try_join_next().is_some() {}
                if self.leaving.len() < MAX_LEAVING {
                    self.leaving.spawn(drain(stream));
                }
            }
            Client::Udp { peer, .. } => {
                let data_seq = self.numbers.refusal(peer);
                sockets.reject(&Exchange::refusal(datagram, data_seq, &refusal::line(&holder)), peer);
            }
            Client::Pty => {}
        }
        self.report(Event::Refused { client: name, reason: refusal::reason(&holder) });
    }

    /// Queues a client, or rejects it if the queue is full.
    fn queue(&mut self, client: Client, datagram: &[u8], sockets: &Sockets) {
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.client.is(&client)) {
            datagram.clone_into(&mut waiting.datagram);
            return;
        }
        if self.waiting.len() >= self.rules.max_waiting {
            return self.reject(client, datagram, sockets);
        }
        let queue_timeout = match client {
            Client::Udp { .. } => self.rules.udp_queue_timeout,
            Client::Tcp { .. } | Client::Pty => self.rules.queue_timeout,
        };
        let until = Instant::now().checked_add(queue_timeout);
        self.waiting.push_back(QueuedClient { client, until, datagram: datagram.to_vec() });
    }

    /// Whether a client that connects now acquires the device.
    fn is_free(&self) -> bool {
        self.waiting.is_empty() && self.in_the_way().is_none()
    }

    /// A TCP client has connected: it acquires the device, and then this is true, is queued, or is rejected.
    /// has it.
    pub(crate) fn accept_tcp(&mut self, stream: TcpStream, peer: SocketAddr, sockets: &Sockets) -> bool {
        // Nagle's algorithm would delay the short answers; a failure to disable it is no reason not to serve.
        let _ = stream.set_nodelay(true);
        let client = Client::Tcp { stream, peer };
        let free = self.is_free();
        if free {
            self.acquire(client);
        } else {
            self.queue(client, &[], sockets);
        }
        free
    }

    /// Whether input from the pseudo-terminal is executed: its session has the device, or acquires it now.
    pub(crate) fn admit_pty(&mut self, sockets: &Sockets) -> bool {
        self.admit(Client::Pty, &[], sockets)
    }

    fn admit(&mut self, client: Client, datagram: &[u8], sockets: &Sockets) -> bool {
        if self.session.as_ref().is_some_and(|session| session.client.is(&client)) {
            self.touch_session();
            return true;
        }
        if !self.is_free() {
            self.queue(client, datagram, sockets);
            return false;
        }
        self.acquire(client);
        true
    }

    /// The commands in a datagram, and in one that it has overtaken, if they are to be executed.
    pub(crate) fn take_datagram(
        &mut self,
        datagram: &[u8],
        peer: SocketAddr,
        sent: Origin,
        sockets: &Sockets,
    ) -> Vec<u8> {
        let mut commands = Vec::new();
        for passed in self.network.pass(Direction::ToDevice, datagram.to_vec()) {
            let before = sent + commands.len() as Origin;
            if self.admit(Client::Udp { peer, exchange: Exchange::new(0) }, &passed.bytes, sockets) {
                commands.extend(self.exchange(&passed.bytes, before));
            }
        }
        commands
    }

    /// The commands in a datagram of the session's client.
    fn exchange(&mut self, datagram: &[u8], sent: Origin) -> Vec<u8> {
        let Self { session, network, .. } = self;
        let Some(Session { client: Client::Udp { exchange, peer }, output, .. }) = session else {
            return Vec::new();
        };
        match exchange.take(datagram, sent) {
            Received::Commands(commands) => commands,
            Received::Repeated(answers) => {
                if output.len() < MAX_OUTPUT {
                    let passed =
                        answers.into_iter().flat_map(|answer| network.pass(Direction::FromDevice, answer));
                    output.extend(passed);
                }
                Vec::new()
            }
            Received::Malformed => {
                let client = format!("udp {peer}");
                self.report(Event::Malformed { client, bytes: datagram.len() });
                Vec::new()
            }
        }
    }

    /// Bytes of the front of the output have been written.
    pub(crate) fn written(&mut self, count: usize) {
        let Some(session) = &mut self.session else { return };
        // Datagrams are also sent to a UDP client that has disappeared.
        if matches!(session.client, Client::Tcp { .. }) {
            session.last_heard = Instant::now();
        }
        let whole = session.output.front().is_some_and(|front| count >= front.bytes.len());
        if whole || matches!(session.client, Client::Udp { .. }) {
            session.output.pop_front();
        } else if let Some(front) = session.output.front_mut() {
            front.bytes.drain(..count);
        }
    }

    /// The device has answered; without a session the answer is dropped.
    pub(crate) fn answer(&mut self, answers: Vec<(Origin, u8)>) {
        let Some(session) = &mut self.session else { return };
        match &mut session.client {
            Client::Udp { exchange, .. } => {
                for datagram in exchange.pack(&answers) {
                    session.output.extend(self.network.pass(Direction::FromDevice, datagram));
                }
            }
            Client::Tcp { .. } | Client::Pty => {
                let bytes = answers.into_iter().map(|(_, byte)| byte).collect();
                session.output.push_back(Delivered { bytes, is_foreign: false });
            }
        }
    }
}

/// Waits until a rejected client has disconnected: to close a connection before all that came over it was read
/// makes it fail at the other end, and the last bytes sent may not be read there.
async fn drain(mut stream: TcpStream) {
    let mut rest = [0; 256];
    let _ = stream.shutdown().await;
    let until_closed = async { while matches!(stream.read(&mut rest).await, Ok(1..)) {} };
    // A client that does not disconnect in time is disconnected.
    let _ = tokio::time::timeout(LEAVE_TIMEOUT, until_closed).await;
}

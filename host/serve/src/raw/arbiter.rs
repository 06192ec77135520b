//! Arbitrates the device: which client has it, which wait for it, which are rejected; and buffers the session's output.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::{Client, Session};
use super::datagrams::lossy_network::{Delivered, LossyNetwork};
use super::datagrams::numbers::Numbers;
use super::datagrams::refusals::Refusals;
use super::datagrams::{Exchange, Received};
use super::sockets::Sockets;
use crate::event::Event;
use crate::foreign::is_stun;
use scopething::link::refusal;
use scopething_core::vm::Command;
use scopething_sim::Origin;
use scopething_sim::faults::Direction;

/// Datagrams that wait to be sent; repetitions beyond that are dropped.
const MAX_OUTPUT: usize = 256;

/// How often the port of a local UDP client is probed for having been closed, while others wait for the device.
const PORT_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// How long a rejected client has to read why and to disconnect.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(1);
/// Rejected clients that have not disconnected; further ones are disconnected at once.
pub(super) const MAX_LEAVING: usize = 16;
/// Addresses that are remembered to have had the device.
const MAX_SERVED: usize = 32;
/// By how many waiting clients an address may exceed that of a newcomer, which takes the place of one of them.
const FAIR_SURPLUS: usize = 2;

/// How the device is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rules {
    /// How long a client without a connection (UDP, pseudo-terminal) may be silent before it gives way to another.
    pub(crate) silence: Duration,
    /// The longest that a client has the device while others wait; none: until it disconnects.
    pub(crate) max_loan: Option<Duration>,
    /// How many clients may wait for the device; further ones are rejected.
    pub(crate) max_waiting: usize,
    /// How long a client may wait before it is rejected.
    pub(crate) queue_timeout: Duration,
    /// The same for a UDP client, which repeats its datagram and gives up sooner.
    pub(crate) udp_queue_timeout: Duration,
    /// Whether clients may write the EEPROM.
    pub(crate) eeprom_writes: bool,
}

impl Rules {
    /// When a session gives way to others; none: never.
    fn stays_until(&self, session: &Session) -> Option<Instant> {
        let silent_until = match &session.client {
            Client::Tcp { .. } => None,
            Client::Udp { .. } | Client::Pty => session.last_heard.checked_add(self.silence),
        };
        let loan_until = self.max_loan.and_then(|longest| session.since.checked_add(longest));
        silent_until.into_iter().chain(loan_until).min()
    }

    /// Who has the device, and for how long, as refusals report it.
    fn holder(&self, session: &Session) -> String {
        let Session { client, since, .. } = session;
        let Some(longest) = self.max_loan else { return client.to_string() };
        let (passed, left) = (since.elapsed(), longest.saturating_sub(since.elapsed()));
        format!("{client} (for {} s, and for {} s more at most)", passed.as_secs(), left.as_secs() + 1)
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
    /// The last datagram, or all bytes, that it has sent, to be executed when its turn comes.
    sent: Vec<u8>,
}

/// The device's arbiter: one session at a time.
pub(crate) struct Arbiter<'a> {
    rules: Rules,
    session: Option<Session>,
    waiting: VecDeque<QueuedClient>,
    /// The addresses that have had the device, the latest last.
    served: VecDeque<IpAddr>,
    new_session: bool,
    numbers: Numbers,
    refusals: Refusals,
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
            served: VecDeque::new(),
            new_session: false,
            numbers: Numbers::default(),
            refusals: Refusals::default(),
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

    fn acquire(&mut self, mut client: Client, sockets: &Sockets) {
        self.preempt(sockets);
        if let Client::Udp { peer, exchange } = &mut client {
            *exchange = Exchange::new(self.numbers.start(*peer));
        }
        self.report(Event::Acquired { client: client.to_string() });
        if let Some(address) = client.address() {
            self.served.retain(|served| *served != address);
            self.served.push_back(address);
            if self.served.len() > MAX_SERVED {
                self.served.pop_front();
            }
        }
        self.new_session = true;
        let now = Instant::now();
        self.session = Some(Session { client, since: now, last_heard: now, output: VecDeque::new() });
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
            self.preempt(sockets);
        }
        if self.session.is_none()
            && let Some(QueuedClient { client, sent: brought, .. }) = self.next_waiting()
        {
            let is_udp = matches!(client, Client::Udp { .. });
            self.acquire(client, sockets);
            let commands = if is_udp { self.exchange(&brought, sent, sockets) } else { brought };
            return Some(if is_udp { commands } else { self.permitted(commands, sockets) });
        }
        let now = Instant::now();
        let (waiting, expired) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|waiting| waiting.until.is_none_or(|until| until > now));
        self.waiting = waiting;
        for QueuedClient { client, sent, .. } in expired {
            self.reject(client, &sent, sockets);
        }
        self.session.is_none().then(Vec::new)
    }

    /// Takes the client out of the queue whose address had the device longest ago; of several, the one that waits longest.
    fn next_waiting(&mut self) -> Option<QueuedClient> {
        let turn = |waiting: &QueuedClient| {
            let address = waiting.client.address()?;
            self.served.iter().position(|served| *served == address)
        };
        let next = self.waiting.iter().enumerate().min_by_key(|(at, waiting)| (turn(waiting), *at));
        next.map(|(at, _)| at).and_then(|at| self.waiting.remove(at))
    }

    /// Ends the session, if there is one, since others wait, and gives its client the reason where loans have an end.
    fn preempt(&mut self, sockets: &Sockets) {
        let Some(session) = &self.session else { return };
        let is_gone = matches!(&session.client, Client::Udp { peer, .. } if has_closed(*peer));
        if is_gone || self.rules.max_loan.is_none() {
            return self.leave();
        }
        let held_s = session.since.elapsed().as_secs();
        let reason = format!("the device was given to others after {held_s} s");
        self.dismiss(&refusal::other(&reason), sockets);
    }

    /// Ends the session with a line for its client.
    pub(crate) fn dismiss(&mut self, line: &str, sockets: &Sockets) {
        let Some(session) = self.session.take() else { return };
        let name = session.client.to_string();
        match session.client {
            Client::Tcp { stream, .. } => self.hang_up(stream, line),
            Client::Udp { peer, exchange } => {
                let data_seq = exchange.next_seq();
                if self.refusals.may_go_to(peer) {
                    sockets.reject(&Exchange::refusal(&[exchange.last_id()], data_seq, line), peer);
                }
                self.numbers.end(peer, data_seq.wrapping_add(1));
            }
            Client::Pty => {}
        }
        self.report(Event::Dismissed { client: name, reason: line.to_owned() });
    }

    /// Sends a line, and lets the client read it and disconnect.
    fn hang_up(&mut self, stream: TcpStream, line: &str) {
        // A connection usually has room for a line; if not, closing it must do.
        let _ = stream.try_write(format!("{line}\r\n").as_bytes());
        while self.leaving.try_join_next().is_some() {}
        if self.leaving.len() < MAX_LEAVING {
            self.leaving.spawn(drain(stream));
        }
    }

    /// Sends a client the reason for its rejection, and drops it.
    fn reject(&mut self, client: Client, sent: &[u8], sockets: &Sockets) {
        let name = client.to_string();
        let holder =
            self.session.as_ref().map_or_else(|| "another".to_owned(), |session| self.rules.holder(session));
        let line = refusal::line(&holder);
        match client {
            Client::Tcp { stream, .. } => self.hang_up(stream, &line),
            Client::Udp { peer, .. } => {
                if !self.refusals.may_go_to(peer) {
                    return;
                }
                let data_seq = self.numbers.refusal(peer);
                sockets.reject(&Exchange::refusal(sent, data_seq, &line), peer);
            }
            Client::Pty => {}
        }
        self.report(Event::Refused { client: name, reason: refusal::reason(&holder) });
    }

    /// Queues a client with what it has sent, or rejects it if the queue is full.
    fn queue(&mut self, client: Client, sent: &[u8], sockets: &Sockets) {
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.client.is(&client)) {
            sent.clone_into(&mut waiting.sent);
            return;
        }
        if self.waiting.len() >= self.rules.max_waiting {
            let Some(at) = self.displaced_by(&client) else { return self.reject(client, sent, sockets) };
            if let Some(QueuedClient { client, sent, .. }) = self.waiting.remove(at) {
                self.reject(client, &sent, sockets);
            }
        }
        let queue_timeout = match client {
            Client::Udp { .. } => self.rules.udp_queue_timeout,
            Client::Tcp { .. } | Client::Pty => self.rules.queue_timeout,
        };
        let until = Instant::now().checked_add(queue_timeout);
        self.waiting.push_back(QueuedClient { client, until, sent: sent.to_vec() });
    }

    /// The place in a full queue that a newcomer takes: the last of the address that has most of them, if it has many more
    /// than the newcomer's.
    fn displaced_by(&self, newcomer: &Client) -> Option<usize> {
        let count =
            |of: Option<IpAddr>| self.waiting.iter().filter(|waiting| waiting.client.address() == of).count();
        let fair = count(newcomer.address()) + FAIR_SURPLUS;
        let addresses = self.waiting.iter().enumerate().map(|(at, waiting)| (waiting.client.address(), at));
        let counts = addresses.map(|(address, at)| (count(address), at));
        counts.max().filter(|(most, _)| *most >= fair).map(|(_, at)| at)
    }

    /// The commands that are executed: none if one of them is refused, which ends the session.
    pub(crate) fn permitted(&mut self, commands: Vec<u8>, sockets: &Sockets) -> Vec<u8> {
        if self.rules.eeprom_writes || !commands.contains(&Command::WriteEeprom.byte()) {
            return commands;
        }
        self.dismiss(&refusal::other("w writes the EEPROM: start serve with --allow-eeprom-writes"), sockets);
        Vec::new()
    }

    /// Whether a client that connects now acquires the device.
    fn is_free(&self) -> bool {
        self.waiting.is_empty() && self.in_the_way().is_none()
    }

    /// A TCP client has connected. It is rejected at once where it could not even wait, and otherwise returned: what it is
    /// to have depends on what it sends.
    pub(crate) fn welcome(
        &mut self,
        stream: TcpStream,
        peer: SocketAddr,
        sockets: &Sockets,
    ) -> Option<TcpStream> {
        let client = Client::Tcp { stream, peer };
        let is_full = self.waiting.len() >= self.rules.max_waiting && self.displaced_by(&client).is_none();
        match client {
            client if is_full && !self.is_free() => {
                self.reject(client, &[], sockets);
                None
            }
            Client::Tcp { stream, .. } => Some(stream),
            Client::Udp { .. } | Client::Pty => None,
        }
    }

    /// A TCP client has sent its first commands: it acquires the device, and then they are returned, is queued, or is
    /// rejected.
    pub(crate) fn arrive(
        &mut self,
        stream: TcpStream,
        peer: SocketAddr,
        commands: Vec<u8>,
        sockets: &Sockets,
    ) -> Option<Vec<u8>> {
        let client = Client::Tcp { stream, peer };
        if !self.is_free() {
            self.queue(client, &commands, sockets);
            return None;
        }
        self.acquire(client, sockets);
        Some(self.permitted(commands, sockets))
    }

    /// Whether input from the pseudo-terminal is executed: its session has the device, or acquires it now.
    pub(crate) fn admit_pty(&mut self, sockets: &Sockets) -> bool {
        self.admit(Client::Pty, &[], sockets)
    }

    fn admit(&mut self, client: Client, sent: &[u8], sockets: &Sockets) -> bool {
        if self.session.as_ref().is_some_and(|session| session.client.is(&client)) {
            self.touch_session();
            return true;
        }
        if !self.is_free() {
            self.queue(client, sent, sockets);
            return false;
        }
        self.acquire(client, sockets);
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
        if is_stun(datagram) {
            let client = format!("udp {peer}");
            self.report(Event::Malformed { client, bytes: datagram.len() });
            return commands;
        }
        for passed in self.network.pass(Direction::ToDevice, datagram.to_vec()) {
            let before = sent + commands.len() as Origin;
            if self.admit(Client::Udp { peer, exchange: Exchange::new(0) }, &passed.bytes, sockets) {
                commands.extend(self.exchange(&passed.bytes, before, sockets));
            }
        }
        commands
    }

    /// The commands in a datagram of the session's client.
    fn exchange(&mut self, datagram: &[u8], sent: Origin, sockets: &Sockets) -> Vec<u8> {
        let Self { session, network, .. } = self;
        let Some(Session { client: Client::Udp { exchange, peer }, output, .. }) = session else {
            return Vec::new();
        };
        match exchange.take(datagram, sent) {
            Received::Commands(commands) => self.permitted(commands, sockets),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::allow::Allow;

    fn sockets() -> Sockets {
        Sockets { udp: None, foreign_udp: None, pty: None, allow: Allow::default() }
    }

    const RULES: Rules = Rules {
        silence: Duration::from_secs(2),
        max_loan: Some(Duration::from_secs(5)),
        max_waiting: 3,
        queue_timeout: Duration::from_secs(100),
        udp_queue_timeout: Duration::from_secs(100),
        eeprom_writes: false,
    };

    /// Runs a test with an arbiter; returns the events.
    fn with_arbiter(rules: Rules, test: impl FnOnce(&mut Arbiter<'_>)) -> Vec<Event> {
        let mut events = Vec::new();
        let mut report = |event| events.push(event);
        let mut network = LossyNetwork::sound();
        test(&mut Arbiter::new(rules, &mut report, &mut network));
        events
    }

    fn peer(host: u8, port: u16) -> SocketAddr {
        ([10, 0, 0, host], port).into()
    }

    /// A client sends a datagram of its own.
    fn send(arbiter: &mut Arbiter<'_>, from: SocketAddr, id: u8, commands: &[u8]) -> Vec<u8> {
        arbiter.take_datagram(&[&[id], commands].concat(), from, 0, &sockets())
    }

    fn holder(arbiter: &Arbiter<'_>) -> Option<String> {
        arbiter.session().map(|session| session.client.to_string())
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_take_turns_however_many_clients_they_have() {
        with_arbiter(RULES, |arbiter| {
            assert_eq!(send(arbiter, peer(1, 1), 0, b"?"), b"?");
            for port in 2..=4 {
                assert_eq!(send(arbiter, peer(1, port), 0, b"?"), b"");
            }
            // The queue is full, of clients of one address.
            assert_eq!(send(arbiter, peer(2, 1), 0, b"?"), b"");
            assert_eq!(send(arbiter, peer(1, 5), 0, b"?"), b"");
            let mut turns = Vec::new();
            while arbiter.session().is_some() {
                arbiter.leave();
                arbiter.poll(false, 0, &sockets());
                turns.extend(holder(arbiter));
            }
            assert_eq!(turns, ["udp 10.0.0.2:1", "udp 10.0.0.1:2", "udp 10.0.0.1:3"]);
        });
    }

    #[tokio::test(start_paused = true)]
    async fn busy_client_gives_way_to_waiting_ones() {
        let mut arbiter_events = Vec::new();
        let mut report = |event| arbiter_events.push(event);
        let mut network = LossyNetwork::sound();
        let mut arbiter = Arbiter::new(RULES, &mut report, &mut network);
        let mut id = 0;
        let mut seconds_of = |arbiter: &mut Arbiter<'_>| {
            id += 1;
            send(arbiter, peer(1, 1), id, b"?");
            arbiter.poll(false, 0, &sockets());
            holder(arbiter)
        };
        for _ in 0..20 {
            assert_eq!(seconds_of(&mut arbiter).as_deref(), Some("udp 10.0.0.1:1"));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        // From now on it has had the device for longer than any loan.
        send(&mut arbiter, peer(2, 1), 0, b"?");
        arbiter.poll(false, 0, &sockets());
        assert_eq!(holder(&arbiter).as_deref(), Some("udp 10.0.0.2:1"));
        for second in 0..5 {
            send(&mut arbiter, peer(2, 1), second, b"!");
            assert_eq!(seconds_of(&mut arbiter).as_deref(), Some("udp 10.0.0.2:1"), "after {second} s");
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(seconds_of(&mut arbiter).as_deref(), Some("udp 10.0.0.1:1"));
    }

    #[tokio::test(start_paused = true)]
    async fn eeprom_write_ends_the_loan_unless_allowed() {
        for (allowed, executed) in [(true, &b"[5a]sw"[..]), (false, b"")] {
            let events = with_arbiter(Rules { eeprom_writes: allowed, ..RULES }, |arbiter| {
                assert_eq!(send(arbiter, peer(1, 1), 0, b"[5a]sw"), executed);
                assert_eq!(arbiter.session().is_some(), allowed);
            });
            let dismissed = events.iter().any(|event| matches!(event, Event::Dismissed { .. }));
            assert_eq!(dismissed, !allowed, "{events:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stun_requests_are_not_executed() {
        let events = with_arbiter(RULES, |arbiter| {
            let request = [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, b'!', b'w', b'?'];
            assert_eq!(arbiter.take_datagram(&request, peer(1, 1), 0, &sockets()), b"");
        });
        assert!(matches!(events.as_slice(), [Event::Malformed { .. }]), "{events:?}");
    }
}

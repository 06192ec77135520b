//! Who has the device, who is turned away, and how bytes get to the owner.

use std::collections::VecDeque;
use std::fmt;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::time::Instant;

use super::super::output::Origin;
use super::ServeEvent;
use super::mishap::{Network, Passed};
use super::pty::Pty;
use super::udp::{Exchange, Received};
use crate::faults::Direction;

/// A client that does not tell when it goes gives way to another after this long without a word.
const SILENCE: Duration = Duration::from_secs(2);

/// A client, by the way it came.
#[derive(Debug)]
pub(super) enum Client {
    Tcp { stream: TcpStream, peer: SocketAddr },
    Udp { peer: SocketAddr, exchange: Exchange },
    Pty,
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
pub(super) struct Owner {
    client: Client,
    last_heard: Instant,
    /// Bytes, or whole datagrams, that are still to be written.
    output: VecDeque<Passed>,
}

impl Owner {
    pub(super) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    fn gives_way(&self) -> bool {
        let silent = self.last_heard.elapsed() >= SILENCE;
        match &self.client {
            Client::Tcp { .. } => false,
            Client::Udp { peer, .. } => silent || has_closed(*peer),
            Client::Pty => silent,
        }
    }
}

/// Whether a UDP port is known to be closed: it is one of this machine's own, and free to be taken.
fn has_closed(peer: SocketAddr) -> bool {
    std::net::UdpSocket::bind(peer).is_ok()
}

/// The ways in.
#[derive(Debug)]
pub(super) struct Doors {
    pub(super) tcp: Option<TcpListener>,
    pub(super) udp: Option<UdpSocket>,
    /// Another socket, for datagrams that seem to come from elsewhere.
    pub(super) stranger: Option<UdpSocket>,
    pub(super) pty: Option<Pty>,
}

impl Doors {
    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        match &self.tcp {
            Some(listener) => listener.accept().await,
            None => pending().await,
        }
    }

    pub(super) async fn receive_datagram(&self, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        match &self.udp {
            Some(socket) => socket.recv_from(buffer).await,
            None => pending().await,
        }
    }

    pub(super) async fn read_pty(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.pty {
            Some(pty) => pty.read(buffer).await,
            None => pending().await,
        }
    }

    /// Reads from an owner that came by TCP.
    pub(super) async fn read_stream(&self, owner: Option<&Owner>, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(Client::Tcp { stream, .. }) = owner.map(|owner| &owner.client) else {
            return pending().await;
        };
        loop {
            stream.readable().await?;
            match stream.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    /// Writes from the front of the owner's output and tells how many bytes.
    pub(super) async fn write_to(&self, owner: Option<&Owner>) -> io::Result<usize> {
        let Some((client, Passed { bytes, from_stranger })) =
            owner.and_then(|owner| Some((&owner.client, owner.output.front()?)))
        else {
            return pending().await;
        };
        match client {
            Client::Tcp { stream, .. } => loop {
                stream.writable().await?;
                match stream.try_write(bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    result => return result,
                }
            },
            Client::Udp { peer, .. } => match if *from_stranger { &self.stranger } else { &self.udp } {
                Some(socket) => socket.send_to(bytes, peer).await,
                None => pending().await,
            },
            Client::Pty => match &self.pty {
                Some(pty) => pty.write(bytes).await,
                None => pending().await,
            },
        }
    }

    /// Tells a UDP client why it is not served; if that does not go out at once, it is as good as lost.
    fn turn_away(&self, datagram: &[u8], peer: SocketAddr) {
        if let Some(socket) = &self.udp {
            let _ = socket.try_send_to(datagram, peer);
        }
    }
}

/// The device's house: one owner at a time.
pub(super) struct House<'a> {
    owner: Option<Owner>,
    new_owner: bool,
    network: &'a mut Network,
    report: &'a mut dyn FnMut(ServeEvent),
}

impl<'a> House<'a> {
    pub(super) fn new(report: &'a mut dyn FnMut(ServeEvent), network: &'a mut Network) -> Self {
        Self { owner: None, new_owner: false, network, report }
    }

    pub(super) fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
    }

    /// Whether another client has the device than when this was asked before.
    pub(super) fn has_new_owner(&mut self) -> bool {
        std::mem::take(&mut self.new_owner)
    }

    pub(super) fn report(&mut self, event: ServeEvent) {
        (self.report)(event);
    }

    /// The owner, where it stands in the way of another client.
    fn in_the_way(&self) -> Option<String> {
        self.owner.as_ref().filter(|owner| !owner.gives_way()).map(|owner| owner.client.to_string())
    }

    fn move_in(&mut self, client: Client) {
        self.leave();
        self.report(ServeEvent::Connected { client: client.to_string() });
        self.new_owner = true;
        self.owner = Some(Owner { client, last_heard: Instant::now(), output: VecDeque::new() });
    }

    /// The owner has gone.
    pub(super) fn leave(&mut self) {
        if let Some(owner) = self.owner.take() {
            self.report(ServeEvent::Disconnected { client: owner.client.to_string() });
        }
    }

    /// A TCP client has connected: it gets the device, or is told who has it.
    pub(super) fn welcome(&mut self, stream: TcpStream, peer: SocketAddr) {
        if let Some(owner) = self.in_the_way() {
            let reason = format!("refused: {owner} has the device\r\n");
            // A new connection has room for a line; if not, closing it says enough.
            let _ = stream.try_write(reason.as_bytes());
            self.report(ServeEvent::Refused { client: format!("tcp {peer}"), owner });
            return;
        }
        // Without this the short answers wait for each other; serving goes on if the system will not.
        let _ = stream.set_nodelay(true);
        self.move_in(Client::Tcp { stream, peer });
    }

    /// Whether what came from a client of this kind is to be heard: it has the device, or gets it now.
    pub(super) fn admit(&mut self, client: Client) -> bool {
        if let Some(owner) = &mut self.owner
            && same(&owner.client, &client)
        {
            owner.last_heard = Instant::now();
            return true;
        }
        if let Some(owner) = self.in_the_way() {
            self.report(ServeEvent::Refused { client: client.to_string(), owner });
            return false;
        }
        self.move_in(client);
        true
    }

    /// The commands in a datagram, and in one that it has overtaken, if they are to be executed.
    pub(super) fn take_datagram(
        &mut self,
        datagram: &[u8],
        peer: SocketAddr,
        sent: Origin,
        doors: &Doors,
    ) -> Vec<u8> {
        let mut commands = Vec::new();
        for passed in self.network.pass(Direction::ToDevice, datagram.to_vec()) {
            let before = sent + commands.len() as Origin;
            commands.extend(self.take_passed(&passed.bytes, peer, before, doors));
        }
        commands
    }

    fn take_passed(&mut self, datagram: &[u8], peer: SocketAddr, sent: Origin, doors: &Doors) -> Vec<u8> {
        if !self.admit(Client::Udp { peer, exchange: Exchange::default() }) {
            if let Some(owner) = self.in_the_way() {
                let reason = format!("refused: {owner} has the device");
                doors.turn_away(&Exchange::refusal(datagram, &reason), peer);
            }
            return Vec::new();
        }
        let Self { owner, network, .. } = self;
        let Some(Owner { client: Client::Udp { exchange, .. }, output, .. }) = owner else {
            return Vec::new();
        };
        match exchange.take(datagram, sent) {
            Received::Commands(commands) => commands,
            Received::Repeated(answers) => {
                let passed =
                    answers.into_iter().flat_map(|answer| network.pass(Direction::FromDevice, answer));
                output.extend(passed);
                Vec::new()
            }
            Received::Malformed => {
                let client = format!("udp {peer}");
                self.report(ServeEvent::Malformed { client, bytes: datagram.len() });
                Vec::new()
            }
        }
    }

    /// Bytes of the front of the output have been written.
    pub(super) fn written(&mut self, count: usize) {
        let Some(owner) = &mut self.owner else { return };
        let whole = owner.output.front().is_some_and(|front| count >= front.bytes.len());
        if whole || matches!(owner.client, Client::Udp { .. }) {
            owner.output.pop_front();
        } else if let Some(front) = owner.output.front_mut() {
            front.bytes.drain(..count);
        }
    }

    /// The device has answered: to the owner, or to nobody.
    pub(super) fn answer(&mut self, answers: Vec<(Origin, u8)>) {
        let Some(owner) = &mut self.owner else { return };
        match &mut owner.client {
            Client::Udp { exchange, .. } => {
                for datagram in exchange.pack(&answers) {
                    owner.output.extend(self.network.pass(Direction::FromDevice, datagram));
                }
            }
            Client::Tcp { .. } | Client::Pty => {
                let bytes = answers.into_iter().map(|(_, byte)| byte).collect();
                owner.output.push_back(Passed { bytes, from_stranger: false });
            }
        }
    }
}

fn same(owner: &Client, client: &Client) -> bool {
    match (owner, client) {
        (Client::Udp { peer, .. }, Client::Udp { peer: other, .. }) => peer == other,
        (Client::Pty, Client::Pty) => true,
        _ => false,
    }
}

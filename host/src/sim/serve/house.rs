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
use super::pty::Pty;
use super::udp::{Exchange, Received};

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
    output: VecDeque<Vec<u8>>,
}

impl Owner {
    pub(super) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    fn gives_way(&self) -> bool {
        !matches!(self.client, Client::Tcp { .. }) && self.last_heard.elapsed() >= SILENCE
    }
}

/// The ways in.
#[derive(Debug)]
pub(super) struct Doors {
    pub(super) tcp: Option<TcpListener>,
    pub(super) udp: Option<UdpSocket>,
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
        let Some((client, bytes)) = owner.and_then(|owner| Some((&owner.client, owner.output.front()?)))
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
            Client::Udp { peer, .. } => match &self.udp {
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
    report: &'a mut dyn FnMut(ServeEvent),
}

impl<'a> House<'a> {
    pub(super) fn new(report: &'a mut dyn FnMut(ServeEvent)) -> Self {
        Self { owner: None, report }
    }

    pub(super) fn owner(&self) -> Option<&Owner> {
        self.owner.as_ref()
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

    /// The commands in a datagram, if it is to be executed.
    pub(super) fn take_datagram(
        &mut self,
        datagram: &[u8],
        peer: SocketAddr,
        sent: Origin,
        doors: &Doors,
    ) -> Vec<u8> {
        if !self.admit(Client::Udp { peer, exchange: Exchange::default() }) {
            if let Some(owner) = self.in_the_way() {
                let reason = format!("refused: {owner} has the device");
                doors.turn_away(&Exchange::refusal(datagram, &reason), peer);
            }
            return Vec::new();
        }
        let Some(Owner { client: Client::Udp { exchange, .. }, output, .. }) = &mut self.owner else {
            return Vec::new();
        };
        match exchange.take(datagram, sent) {
            Received::Commands(commands) => commands,
            Received::Repeated(answers) => {
                output.extend(answers);
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
        let whole = owner.output.front().is_some_and(|front| count >= front.len());
        if whole || matches!(owner.client, Client::Udp { .. }) {
            owner.output.pop_front();
        } else if let Some(front) = owner.output.front_mut() {
            front.drain(..count);
        }
    }

    /// The device has answered: to the owner, or to nobody.
    pub(super) fn answer(&mut self, answers: Vec<(Origin, u8)>) {
        let Some(owner) = &mut self.owner else { return };
        match &mut owner.client {
            Client::Udp { exchange, .. } => owner.output.extend(exchange.pack(&answers)),
            Client::Tcp { .. } | Client::Pty => {
                owner.output.push_back(answers.into_iter().map(|(_, byte)| byte).collect());
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

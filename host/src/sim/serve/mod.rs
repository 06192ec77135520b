//! One simulated device for the outside world: over TCP, as a bitscope-server over UDP, and over a
//! pseudo-terminal.
//!
//! One client owns the device at a time; others are refused with a reason: a TCP connection by a line of text
//! before it is closed, a UDP client by the same text as data. A TCP client owns the device until it
//! disconnects. UDP and a pseudo-terminal do not tell when a client goes, so that their clients give way to a
//! newcomer once they have been silent for two seconds; a UDP client on the same machine at once when its
//! port is closed.
//!
//! The device itself is as it was left when the next client comes, as a real one is: clients reset it with
//! `!`.
//!
//! ```
//! use scopething::sim::{ServeOptions, Server, SimConfig};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let options = ServeOptions { tcp: Some("127.0.0.1:0".to_owned()), ..ServeOptions::default() };
//! let server = Server::bind(&SimConfig::default(), &options).await?;
//! assert!(server.addresses().tcp.is_some_and(|address| address.port() > 0));
//! // server.run(|event| eprintln!("{event}")).await serves until it is dropped.
//! # Ok::<(), scopething::sim::ServeError>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

mod house;
mod mishap;
#[cfg(unix)]
mod pty;
#[cfg(not(unix))]
#[path = "no_pty.rs"]
mod pty;
mod udp;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::net::{TcpListener, TcpStream, UdpSocket};

use super::config::SimConfig;
use super::link::SimLink;
use super::note::Note;
use super::output::Origin;
use crate::faults::FaultKind;
use house::{Client, Doors, House, Owner};
use mishap::Network;
use pty::Pty;

/// Bytes handed from one side to the other at a time.
const CHUNK: usize = 4096;

/// Where the device is to be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServeOptions {
    /// Address and port of the TCP server; port 0 takes a free one.
    pub tcp: Option<String>,
    /// Address and port of the bitscope-server (UDP); port 0 takes a free one.
    pub bitscope_server: Option<String>,
    /// Whether to open a pseudo-terminal.
    pub pty: bool,
}

/// Where the device is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The TCP server.
    pub tcp: Option<SocketAddr>,
    /// The bitscope-server.
    pub bitscope_server: Option<SocketAddr>,
    /// The pseudo-terminal's device file.
    pub pty: Option<PathBuf>,
}

/// What happens while serving, for a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServeEvent {
    /// A client owns the device now.
    Connected {
        /// Where it comes from.
        client: String,
    },
    /// The owner has gone.
    Disconnected {
        /// Where it came from.
        client: String,
    },
    /// A client was turned away.
    Refused {
        /// Where it comes from.
        client: String,
        /// The owner at that time.
        owner: String,
    },
    /// A datagram that is none of a bitscope-server: not one identifier and 1 to 64 bytes of commands.
    Malformed {
        /// Where it comes from.
        client: String,
        /// Its length in bytes.
        bytes: usize,
    },
    /// The device has something to say about what its client did.
    Device(Note),
}

impl fmt::Display for ServeEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { client } => write!(f, "{client} has the device"),
            Self::Disconnected { client } => write!(f, "{client} has left"),
            Self::Refused { client, owner } => write!(f, "{client} was refused: {owner} has the device"),
            Self::Malformed { client, bytes } => {
                write!(f, "{client} sent {bytes} bytes, which are no identifier with 1 to 64 commands")
            }
            Self::Device(note) => note.fmt(f),
        }
    }
}

/// Why the device cannot be served.
#[derive(Debug)]
pub enum ServeError {
    /// An address cannot be listened on.
    Bind {
        /// What was asked for.
        address: String,
        /// What the system says.
        cause: io::Error,
    },
    /// A listener broke.
    Listen {
        /// What the system says.
        cause: io::Error,
    },
    /// There is nothing to serve on.
    Nowhere,
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { address, cause } => {
                write!(f, "cannot listen on {address}: {cause}; give an address such as 127.0.0.1:0")
            }
            Self::Listen { cause } => write!(f, "cannot serve any longer: {cause}"),
            Self::Nowhere => {
                write!(f, "there is nowhere to serve: ask for TCP, a bitscope-server or a pseudo-terminal")
            }
        }
    }
}

impl std::error::Error for ServeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Bind { cause, .. } | Self::Listen { cause } => Some(cause),
            Self::Nowhere => None,
        }
    }
}

/// A simulated device that is served.
#[derive(Debug)]
pub struct Server {
    link: SimLink,
    doors: Doors,
    network: Network,
}

/// What the server waits for.
enum Event {
    Accepted(io::Result<(TcpStream, SocketAddr)>),
    Datagram(io::Result<(usize, SocketAddr)>),
    FromPty(io::Result<usize>),
    FromOwner(io::Result<usize>),
    ToOwner(io::Result<usize>),
    ToDevice(usize),
    /// No bytes: a fault has closed the link.
    FromDevice(usize),
}

/// Bytes on their way while serving.
struct Buffers {
    /// Commands that the link has not taken yet.
    commands: Vec<u8>,
    /// Bytes the link has taken since the server started.
    sent: Origin,
    answers: Vec<(Origin, u8)>,
    datagram: Vec<u8>,
    typed: Vec<u8>,
    stream: Vec<u8>,
}

impl Server {
    /// Makes the device and listens wherever the options say.
    ///
    /// # Errors
    ///
    /// [`ServeError::Bind`] names the address that cannot be listened on.
    pub async fn bind(config: &SimConfig, options: &ServeOptions) -> Result<Self, ServeError> {
        let failed = |address: &str| {
            let address = address.to_owned();
            move |cause| ServeError::Bind { address, cause }
        };
        let tcp = match &options.tcp {
            Some(address) => Some(TcpListener::bind(address).await.map_err(failed(address))?),
            None => None,
        };
        let udp = match &options.bitscope_server {
            Some(address) => Some(UdpSocket::bind(address).await.map_err(failed(address))?),
            None => None,
        };
        let pty = if options.pty { Some(Pty::open().map_err(failed("a pseudo-terminal"))?) } else { None };
        if tcp.is_none() && udp.is_none() && pty.is_none() {
            return Err(ServeError::Nowhere);
        }
        let strange = config.faults.faults.iter().any(|fault| fault.kind == FaultKind::Stranger);
        let stranger = match &udp {
            Some(socket) if strange => {
                let address = socket.local_addr().map(|address| SocketAddr::new(address.ip(), 0));
                let address = address.map_err(failed("a second port"))?;
                Some(UdpSocket::bind(address).await.map_err(failed("a second port"))?)
            }
            _ => None,
        };
        let network = Network::new(&config.faults, config.seed);
        Ok(Self { link: SimLink::new(config), doors: Doors { tcp, udp, stranger, pty }, network })
    }

    /// Where the device is reached.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        Addresses {
            tcp: self.doors.tcp.as_ref().and_then(|listener| listener.local_addr().ok()),
            bitscope_server: self.doors.udp.as_ref().and_then(|socket| socket.local_addr().ok()),
            pty: self.doors.pty.as_ref().map(|pty| pty.path().to_owned()),
        }
    }

    /// Serves until the future is dropped; what happens is told to `report`.
    ///
    /// # Errors
    ///
    /// [`ServeError::Listen`] if a listener breaks.
    pub async fn run(mut self, mut report: impl FnMut(ServeEvent)) -> Result<Infallible, ServeError> {
        let mut house = House::new(&mut report, &mut self.network);
        let mut buffers = Buffers {
            commands: Vec::new(),
            sent: 0,
            answers: Vec::new(),
            datagram: vec![0; CHUNK],
            typed: vec![0; CHUNK],
            stream: vec![0; CHUNK],
        };
        loop {
            let event = next_event(&self.link, &self.doors, house.owner(), &mut buffers).await;
            handle(&self.link, &self.doors, event, &mut house, &mut buffers)?;
            if house.has_new_owner() {
                self.link.connect();
            }
            for note in self.link.take_notes() {
                house.report(ServeEvent::Device(note));
            }
        }
    }
}

async fn next_event(link: &SimLink, doors: &Doors, owner: Option<&Owner>, buffers: &mut Buffers) -> Event {
    // The next commands are taken when the link has the last ones, answers when the owner has the last ones.
    let idle = buffers.commands.is_empty();
    let full = owner.is_some_and(Owner::has_output);
    let Buffers { commands, answers, datagram, typed, stream, .. } = buffers;
    tokio::select! {
        biased;
        count = doors.write_to(owner), if full => Event::ToOwner(count),
        count = link.send(commands), if !idle => Event::ToDevice(count),
        count = link.receive(CHUNK, |origin, byte| answers.push((origin, byte))), if !full => {
            Event::FromDevice(count)
        }
        received = doors.receive_datagram(datagram), if idle => Event::Datagram(received),
        count = doors.read_pty(typed), if idle => Event::FromPty(count),
        count = doors.read_stream(owner, stream), if idle => Event::FromOwner(count),
        // Last: who hangs up and connects again must be seen to hang up first.
        accepted = doors.accept() => Event::Accepted(accepted),
    }
}

fn handle(
    link: &SimLink,
    doors: &Doors,
    event: Event,
    house: &mut House<'_>,
    buffers: &mut Buffers,
) -> Result<(), ServeError> {
    let taken = |buffer: &[u8], count: usize| buffer.get(..count).unwrap_or_default().to_vec();
    match event {
        Event::Accepted(Ok((stream, peer))) => house.welcome(stream, peer),
        Event::Accepted(Err(cause)) | Event::Datagram(Err(cause)) if is_passing(&cause) => {}
        Event::Accepted(Err(cause)) | Event::Datagram(Err(cause)) | Event::FromPty(Err(cause)) => {
            return Err(ServeError::Listen { cause });
        }
        Event::Datagram(Ok((count, peer))) => {
            let bytes = taken(&buffers.datagram, count);
            buffers.commands.extend(house.take_datagram(&bytes, peer, buffers.sent, doors));
        }
        Event::FromPty(Ok(count)) if house.admit(Client::Pty) => {
            buffers.commands.extend(taken(&buffers.typed, count));
        }
        Event::FromPty(Ok(_)) => {}
        Event::FromOwner(Ok(count)) if count > 0 => {
            buffers.commands.extend(taken(&buffers.stream, count));
        }
        Event::FromOwner(_) | Event::ToOwner(Err(_)) => house.leave(),
        Event::ToOwner(Ok(count)) => house.written(count),
        Event::ToDevice(0) | Event::FromDevice(0) => {
            buffers.commands.clear();
            link.mend();
            house.leave();
        }
        Event::ToDevice(count) => {
            buffers.commands.drain(..count.min(buffers.commands.len()));
            buffers.sent += count as Origin;
        }
        Event::FromDevice(_) => house.answer(std::mem::take(&mut buffers.answers)),
    }
    Ok(())
}
/// Whether an error concerns one client and not the listener.
fn is_passing(cause: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted, WouldBlock};
    matches!(cause.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted | WouldBlock)
}

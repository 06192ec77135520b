//! One simulated device for the outside world: over TCP, as a bitscope-server over UDP, and over a
//! pseudo-terminal.
//!
//! One client has the device at a time; others are rejected with a reason: a TCP connection by a line of text
//! before it is closed, a UDP client by the same text as data. A TCP client has the device until it
//! disconnects. UDP and a pseudo-terminal do not show when a client goes, so that their clients give way to a
//! new client once they have been silent for two seconds; a UDP client on the same machine at once when its
//! port is closed.
//!
//! The next client finds the device as the last one left it, like a real one: clients reset it with
//! `!`.
//!
//! ```
//! use scopething_serve::simulator::{ServeOptions, Server};
//! use scopething_sim::SimConfig;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let options = ServeOptions { tcp: Some("127.0.0.1:0".to_owned()), ..ServeOptions::default() };
//! let server = Server::bind(&SimConfig::default(), &options).await?;
//! assert!(server.addresses().tcp.is_some_and(|address| address.port() > 0));
//! // server.run(|event| eprintln!("{event}")).await serves until it is dropped.
//! # Ok::<(), scopething_serve::simulator::ServeError>(())
//! # }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;

use super::allow::Allow;
use super::event::Event;
use super::listen_error::ListenError;
use super::listeners::{Accepted, Listeners};
use super::network::{OpenToOthers, check_open};
use super::raw::{self, Device, LossyNetwork, Pty, Relayed, Rules, Sockets};
use scopething::link::TokioTimer;
use scopething_sim::faults::FaultKind;
use scopething_sim::{Note, Origin, SimConfig, SimLink};

/// Where the device is to be reached.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServeOptions {
    /// Address and port of the TCP server; port 0 takes a free one.
    pub tcp: Option<String>,
    /// Address and port of the bitscope-server (UDP); port 0 takes a free one.
    pub bitscope_server: Option<String>,
    /// Whether to open a pseudo-terminal.
    pub pty: bool,
    /// Who may connect from other machines.
    pub allow: Allow,
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

/// Why the device cannot be served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// An address or a pseudo-terminal.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The address is reached from other machines, and none is allowed.
    #[error(transparent)]
    Open(#[from] OpenToOthers),
    /// There is nothing to serve on.
    #[error("there is no address to serve on: ask for TCP, a bitscope-server or a pseudo-terminal")]
    Nowhere,
}

/// How the simulated device is shared: at once or not at all. UDP and pseudo-terminals do not show when a
/// client goes.
const RULES: Rules = Rules {
    silence: Duration::from_secs(2),
    max_loan: None,
    max_waiting: 0,
    queue_timeout: Duration::ZERO,
    udp_queue_timeout: Duration::ZERO,
    eeprom_writes: true,
};

/// Connections that wait to be looked at; further ones are dropped.
const MAX_ARRIVED: usize = 16;

/// A simulated device that is served.
#[derive(Debug)]
pub struct Server {
    link: SimLink,
    addresses: Addresses,
    listeners: Listeners<()>,
    sockets: Sockets,
    network: LossyNetwork,
}

impl Device for SimLink {
    async fn relay(&mut self, commands: &[u8], max: usize, answers: &mut Vec<(Origin, u8)>) -> Relayed {
        let closed_or = |count, relayed| if count == 0 { Relayed::Closed } else { relayed };
        tokio::select! {
            biased;
            count = self.send(commands), if !commands.is_empty() => closed_or(count, Relayed::Sent(count)),
            count = self.receive(max, |origin, byte| answers.push((origin, byte))), if max > 0 => {
                closed_or(count, Relayed::Answered)
            }
            else => std::future::pending().await,
        }
    }

    fn take_over(&mut self) {
        self.connect();
    }

    fn give_back(&mut self) {}

    fn reopen(&mut self) -> Option<&str> {
        SimLink::mend(self);
        None
    }

    fn is_wanted(&self) -> bool {
        false
    }

    fn notes(&mut self) -> Vec<Note> {
        self.take_notes()
    }
}

impl Server {
    /// Makes the device and listens wherever the options say.
    ///
    /// # Errors
    ///
    /// [`ListenError::Bind`] names the address that cannot be listened on, [`OpenToOthers`] one that other machines reach
    /// though none is allowed.
    pub async fn bind(config: &SimConfig, options: &ServeOptions) -> Result<Self, ServeError> {
        let tcp = match &options.tcp {
            Some(address) => Some(TcpListener::bind(address).await.map_err(ListenError::at(address))?),
            None => None,
        };
        let udp = match &options.bitscope_server {
            Some(address) => Some(UdpSocket::bind(address).await.map_err(ListenError::at(address))?),
            None => None,
        };
        let pty =
            if options.pty { Some(Pty::open().map_err(ListenError::at("a pseudo-terminal"))?) } else { None };
        let bound = tcp.iter().map(TcpListener::local_addr).chain(udp.iter().map(UdpSocket::local_addr));
        for address in bound {
            check_open(address.map_err(ListenError::at("a port"))?, &options.allow)?;
        }
        if tcp.is_none() && udp.is_none() && pty.is_none() {
            return Err(ServeError::Nowhere);
        }
        let strange = config.faults.faults.iter().any(|fault| fault.kind == FaultKind::ForeignDatagram);
        let foreign_udp = match &udp {
            Some(socket) if strange => {
                let address = socket.local_addr().map(|address| SocketAddr::new(address.ip(), 0));
                let address = address.map_err(ListenError::at("a second port"))?;
                Some(UdpSocket::bind(address).await.map_err(ListenError::at("a second port"))?)
            }
            _ => None,
        };
        let addresses = Addresses {
            tcp: tcp.as_ref().and_then(|listener| listener.local_addr().ok()),
            bitscope_server: udp.as_ref().and_then(|socket| socket.local_addr().ok()),
            pty: pty.as_ref().map(|pty| pty.path().to_owned()),
        };
        let network = LossyNetwork::new(&config.faults, config.seed);
        Ok(Self {
            link: SimLink::by_config(config, TokioTimer::start),
            addresses,
            listeners: Listeners::new([((), tcp)]),
            sockets: Sockets { udp, foreign_udp, pty, allow: options.allow.clone() },
            network,
        })
    }

    /// Where the device is reached.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses.clone()
    }

    /// Serves until the future is dropped; events are passed to `report`.
    ///
    /// # Errors
    ///
    /// [`ListenError::Broken`] if a listener breaks.
    pub async fn run(mut self, mut report: impl FnMut(Event)) -> Result<Infallible, ServeError> {
        let Self { link, listeners, sockets, network, .. } = &mut self;
        let (arrived, mut arriving) = mpsc::channel(MAX_ARRIVED);
        let allow = sockets.allow.clone();
        let accepted = async {
            loop {
                match listeners.accept().await {
                    Ok(Accepted::Connection((), stream, peer)) if allow.admits(peer.ip()) => {
                        // One too many is hung up at.
                        let _ = arrived.try_send((stream, peer));
                    }
                    Ok(_) => {}
                    Err(cause) => return cause,
                }
            }
        };
        let served = tokio::select! {
            served = raw::serve(link, sockets, &mut arriving, RULES, network, &mut report) => served,
            cause = accepted => Err(cause),
        };
        served.map_err(|cause| ListenError::Broken(cause).into())
    }
}

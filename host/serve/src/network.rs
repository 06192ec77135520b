//! The server: its listeners, and the instrument behind them.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use scopething_core::device::AnalogParameters;
use scopething_core::scope::{ScopeError, UnknownRevision};
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;

use super::allow::Allow;
use super::connections::{ALL_IN_USE, Connections, LastSeen, MAX_CONNECTIONS, converse};
use super::discovery::{Announcement, DiscoveryError};
use super::event::Event;
use super::handle::Handle;
use super::hmo::Hmo;
use super::listen_error::ListenError;
use super::listeners::{Accepted, Listeners};
use super::raw::{self, LentDevice, LossyNetwork, Rules, Sockets};
use super::rigol::Rigol;
use super::twinlan;
use super::web::{Browsers, Web, WebLinks};
use scopething::link::{LinkError, OpenError, OpenLink};
use scopething_instrument::calibration::KeepCalibration;
use scopething_instrument::{Instrument, Opened};

/// How many pairs of ports are tried where any will do.
const MAX_PAIRS: u8 = 100;
/// How raw clients share the device, among themselves and with emulated oscilloscopes. While others wait, a client over UDP
/// that is silent gives way, and any client after its longest loan: sooner than a client of an emulated oscilloscope gives
/// up ([12 s](super::hmo)). A waiting client is rejected before it gives up by itself: this program's driver does so after
/// three round trips of a [network](scopething_core::scope::LinkProfile::NETWORK), of 1 s each, over UDP after
/// [1.6 s](scopething::link::UdpLink::PROFILE); the refusal names who has the device and for how long, and it asks again.
const RULES: Rules = Rules {
    silence: Duration::from_secs(2),
    max_loan: Some(Duration::from_secs(5)),
    max_waiting: 8,
    queue_timeout: Duration::from_millis(2500),
    udp_queue_timeout: Duration::from_secs(1),
    eeprom_writes: false,
};
/// Connections to the raw service that wait to be looked at; further ones are dropped.
const MAX_ARRIVED: usize = 8;
/// Descriptors beside those of connections: standard streams, a socket for each service, the runtime, signals, the device, and
/// those of the announcement.
const OWN_DESCRIPTORS: usize = 28;
// At their limits all services together fit in the 256 descriptors that the least generous systems give a process; one more
// connection is accepted before there is room for it.
const _: () = {
    let instruments = Personality::ALL.len() * MAX_CONNECTIONS;
    let raw = MAX_ARRIVED + raw::max_connections(&RULES);
    let web = MAX_CONNECTIONS;
    assert!(instruments + twinlan::MAX_CONNECTIONS + raw + web + 1 + OWN_DESCRIPTORS <= 256);
};
/// How long the device may take to come to rest at the end.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the device is to be reached: address and port of each, where port 0 takes a free one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listen {
    /// The device itself as a bitscope-server (UDP).
    pub bitscope_server: Option<String>,
    /// The device itself (TCP).
    pub tcp: Option<String>,
    /// Emulated Hameg HMO1002.
    pub hmo: Option<String>,
    /// Emulated Rigol MSO2072A.
    pub rigol: Option<String>,
    /// The same with the length of each answer before it.
    pub rigol_framed: Option<String>,
    /// The two-socket protocol: control at this port, data at the next.
    pub twinlan: Option<String>,
    /// A page for browsers.
    pub web: Option<String>,
    /// Who may connect from other machines.
    pub allow: Allow,
    /// Whether raw clients may write the EEPROM, which holds the serial number.
    pub eeprom_writes: bool,
    /// Whether nothing is announced to the networks that are allowed.
    pub unannounced: bool,
}

impl Listen {
    /// Whether no address is given.
    #[must_use]
    pub fn is_nowhere(&self) -> bool {
        let raw = [&self.bitscope_server, &self.tcp];
        let viewed = [&self.hmo, &self.rigol, &self.rigol_framed, &self.twinlan, &self.web];
        raw.into_iter().chain(viewed).all(Option::is_none)
    }
}

/// Where the device is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// The device itself as a bitscope-server (UDP).
    pub bitscope_server: Option<SocketAddr>,
    /// The device itself (TCP).
    pub tcp: Option<SocketAddr>,
    /// Emulated Hameg HMO1002.
    pub hmo: Option<SocketAddr>,
    /// Emulated Rigol MSO2072A.
    pub rigol: Option<SocketAddr>,
    /// The same with the length of each answer before it.
    pub rigol_framed: Option<SocketAddr>,
    /// The two-socket protocol: the control port; data is at the next.
    pub twinlan: Option<SocketAddr>,
    /// The page for browsers.
    pub web: Option<SocketAddr>,
}

/// An address is reached from other machines, and none is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "{address} is reached from other machines: name the networks that may use the device, such as \
     192.168.1.0/24, or listen on 127.0.0.1"
)]
pub struct OpenToOthers {
    /// The address.
    pub address: SocketAddr,
}

/// Why the device is not, or no longer, served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// An address cannot be listened on, or no longer.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// There is nothing to serve on.
    #[error("there is no address to serve on: give at least one address")]
    Nowhere,
    /// The address is reached from other machines, and none is allowed.
    #[error(transparent)]
    Open(#[from] OpenToOthers),
    /// A protocol of two ports has no second one.
    #[error("{address} has no port after it, where data goes: give a port of at most 65534")]
    NoNextPort {
        /// The address.
        address: SocketAddr,
    },
    /// The device did not come to rest at the end.
    #[error("the device did not answer at the end: its generators may still run; unplug it to stop them")]
    NotAtRest,
    /// The device failed.
    #[error("{0}")]
    Device(#[source] ScopeError<LinkError>),
}

/// A device that is served.
pub struct Server {
    sockets: Sockets,
    listeners: Listeners<Service>,
    addresses: Addresses,
    rules: Rules,
    browsers: Browsers,
    web_links: Option<WebLinks>,
    allow: Allow,
    handle: Handle,
    events: mpsc::Receiver<Event>,
    instrument: Instrument,
    unknown_revision: Option<UnknownRevision>,
    announced: Result<Option<Announcement>, DiscoveryError>,
}

async fn listen(address: Option<&String>, allow: &Allow) -> Result<Option<TcpListener>, ServeError> {
    let Some(address) = address else { return Ok(None) };
    let failed = ListenError::at(address);
    let listener = TcpListener::bind(address).await.map_err(&failed)?;
    let bound = listener.local_addr().map_err(&failed)?;
    check_open(bound, allow)?;
    Ok(Some(listener))
}

/// Listens at a port and the next one; where any port will do, at the first pair that is free.
async fn listen_twice(
    address: Option<&String>,
    allow: &Allow,
) -> Result<Option<(TcpListener, TcpListener)>, ServeError> {
    let mut attempt = 0;
    loop {
        attempt += 1;
        let Some(control) = listen(address, allow).await? else { return Ok(None) };
        let asked = address.cloned().unwrap_or_default();
        let next_port = format!("the port after {asked}");
        let failed = ListenError::at(&next_port);
        let bound = control.local_addr().map_err(&failed)?;
        let Some(next) = bound.port().checked_add(1) else {
            if attempt < MAX_PAIRS && asked.ends_with(":0") {
                continue;
            }
            return Err(ServeError::NoNextPort { address: bound });
        };
        let next = SocketAddr::new(bound.ip(), next);
        match TcpListener::bind(next).await {
            Ok(data) => return Ok(Some((control, data))),
            Err(_) if attempt < MAX_PAIRS && asked.ends_with(":0") => {}
            Err(cause) => return Err(failed(cause).into()),
        }
    }
}

/// Refuses to be reached from other machines where none is allowed.
pub(super) fn check_open(bound: SocketAddr, allow: &Allow) -> Result<(), OpenToOthers> {
    if bound.ip().is_loopback() || !allow.is_local() { Ok(()) } else { Err(OpenToOthers { address: bound }) }
}

/// Listens for raw clients over UDP.
async fn listen_udp(address: Option<&String>, allow: &Allow) -> Result<Option<UdpSocket>, ServeError> {
    let Some(address) = address else { return Ok(None) };
    let failed = ListenError::at(address);
    let socket = UdpSocket::bind(address).await.map_err(&failed)?;
    check_open(socket.local_addr().map_err(&failed)?, allow)?;
    Ok(Some(socket))
}

/// Which clients a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    Raw,
    Instrument(Personality),
    TwinlanControl,
    TwinlanData,
    Web,
}

/// An emulated oscilloscope with lines of SCPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Personality {
    Hmo,
    Rigol,
    RigolFramed,
}

impl Personality {
    const ALL: [Self; 3] = [Self::Hmo, Self::Rigol, Self::RigolFramed];

    fn name(self) -> &'static str {
        match self {
            Self::Hmo => "hmo",
            Self::Rigol => "rigol",
            Self::RigolFramed => "rigol (framed)",
        }
    }
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Raw => "tcp",
            Self::Instrument(personality) => personality.name(),
            Self::TwinlanControl | Self::TwinlanData => "twinlan",
            Self::Web => "web",
        }
    }
}

/// The clients of all TCP services but the raw one's, which are handed on.
struct Clients {
    allow: Allow,
    handle: Handle,
    raw: mpsc::Sender<(TcpStream, SocketAddr)>,
    instruments: [(Personality, Connections); Personality::ALL.len()],
    twinlan: twinlan::Clients,
    browsers: Browsers,
    web: Connections,
}

impl Clients {
    fn new(
        allow: Allow,
        handle: Handle,
        raw: mpsc::Sender<(TcpStream, SocketAddr)>,
        browsers: Browsers,
    ) -> Self {
        let instruments = Personality::ALL.map(|personality| (personality, Connections::new()));
        let twinlan = twinlan::Clients::new(handle.clone());
        Self { allow, twinlan, handle, raw, instruments, browsers, web: Connections::new() }
    }

    /// Serves all that connect, for as long as the listeners work.
    async fn receive(&mut self, listeners: &mut Listeners<Service>) -> io::Error {
        loop {
            let accepted = tokio::select! {
                accepted = listeners.accept() => accepted,
                decided = self.twinlan.decided() => {
                    // Outside of the race: the pair would be lost while its place is made.
                    self.twinlan.take(decided).await;
                    continue;
                }
            };
            match accepted {
                Ok(Accepted::Connection(service, stream, peer)) => {
                    if service == Service::TwinlanData {
                        // A client connects to the control port first.
                        for _ in 0..twinlan::MAX_CONNECTIONS {
                            let earlier = Service::TwinlanControl;
                            let Some((stream, peer)) = listeners.accept_at_once(earlier) else { break };
                            self.take(earlier, stream, peer).await;
                        }
                    }
                    self.take(service, stream, peer).await;
                }
                Ok(Accepted::Exhausted) => {
                    for (_, connections) in &mut self.instruments {
                        connections.shed().await;
                    }
                    self.web.shed().await;
                    self.twinlan.shed().await;
                }
                Err(cause) => return cause,
            }
        }
    }

    async fn take(&mut self, service: Service, stream: TcpStream, peer: SocketAddr) {
        if !self.allow.admits(peer.ip()) {
            return self.refuse(service, peer, "its network is not allowed (--allow)");
        }
        match service {
            Service::Raw => {
                if self.raw.try_send((stream, peer)).is_err() {
                    self.refuse(service, peer, ALL_IN_USE);
                }
            }
            Service::Instrument(personality) => {
                let connections =
                    self.instruments.iter_mut().find(|(of, _)| *of == personality).map(|(_, of)| of);
                let Some(connections) = connections else { return };
                if !connections.make_room(peer.ip()).await {
                    // A new connection has room for a line.
                    let _ = stream.try_write(format!("refused: {ALL_IN_USE}\n").as_bytes());
                    return self.refuse(service, peer, ALL_IN_USE);
                }
                self.handle.report(Event::Connected { client: format!("{} {peer}", service.name()) });
                let handle = self.handle.clone();
                connections.spawn(peer.ip(), |last_seen| {
                    Box::pin(serve_instrument(personality, stream, peer, last_seen, handle))
                });
            }
            Service::TwinlanControl => {
                self.handle.report(Event::Connected { client: format!("{} {peer}", service.name()) });
                self.twinlan.control(stream, peer);
            }
            Service::TwinlanData => self.twinlan.data(stream, peer),
            Service::Web => {
                if !self.web.make_room(peer.ip()).await {
                    return self.refuse(service, peer, ALL_IN_USE);
                }
                self.handle.report(Event::Connected { client: format!("{} {peer}", service.name()) });
                let browsers = &self.browsers;
                self.web.spawn(peer.ip(), |last_seen| browsers.serve(stream, peer, last_seen));
            }
        }
    }

    fn refuse(&self, service: Service, peer: SocketAddr, reason: &str) {
        let client = format!("{} {peer}", service.name());
        self.handle.report(Event::Refused { client, reason: reason.to_owned() });
    }
}

async fn serve_instrument(
    personality: Personality,
    stream: TcpStream,
    peer: SocketAddr,
    last_seen: LastSeen,
    handle: Handle,
) {
    let (name, clients_handle) = (personality.name(), handle.clone());
    match personality {
        Personality::Hmo => {
            converse(name, stream, peer, last_seen, &handle, Hmo::new(clients_handle, peer)).await;
        }
        Personality::Rigol | Personality::RigolFramed => {
            let framed = personality == Personality::RigolFramed;
            converse(name, stream, peer, last_seen, &handle, Rigol::new(clients_handle, peer, framed)).await;
        }
    }
}

impl Server {
    /// Connects to the device behind a link, and listens at the requested addresses.
    ///
    /// `probe` maps volts to DAC codes (front-end calibration).
    ///
    /// # Errors
    ///
    /// All but [`ListenError::Broken`].
    pub async fn open(link: OpenLink, probe: AnalogParameters, places: &Listen) -> Result<Self, ServeError> {
        if places.is_nowhere() {
            return Err(ServeError::Nowhere);
        }
        let raw = listen(places.tcp.as_ref(), &places.allow).await?;
        let udp = listen_udp(places.bitscope_server.as_ref(), &places.allow).await?;
        let sockets = Sockets { udp, foreign_udp: None, pty: None, allow: places.allow.clone() };
        let hmo = listen(places.hmo.as_ref(), &places.allow).await?;
        let rigol = listen(places.rigol.as_ref(), &places.allow).await?;
        let rigol_framed = listen(places.rigol_framed.as_ref(), &places.allow).await?;
        let twinlan = listen_twice(places.twinlan.as_ref(), &places.allow).await?;
        let web = listen(places.web.as_ref(), &places.allow).await?;
        let page = web.as_ref().map(Web::new).transpose();
        let page = page.map_err(ListenError::at(places.web.as_deref().unwrap_or_default()))?;
        let Opened { instrument, handle, events, unknown_revision } =
            Instrument::open(link, probe).await.map_err(ServeError::Device)?;
        let address = |listener: &Option<TcpListener>| listener.as_ref()?.local_addr().ok();
        let addresses = Addresses {
            bitscope_server: sockets.udp.as_ref().and_then(|socket| socket.local_addr().ok()),
            tcp: address(&raw),
            hmo: address(&hmo),
            rigol: address(&rigol),
            rigol_framed: address(&rigol_framed),
            twinlan: twinlan.as_ref().and_then(|(control, _)| control.local_addr().ok()),
            web: address(&web),
        };
        let announced = if places.unannounced {
            Ok(None)
        } else {
            Announcement::of(&addresses, &handle.serial, &places.allow)
        };
        let web_links = page.as_ref().map(Web::links);
        let browsers = Browsers::new(page, &handle);
        let (control, data) = twinlan.unzip();
        let listeners = Listeners::new([
            (Service::Raw, raw),
            (Service::Instrument(Personality::Hmo), hmo),
            (Service::Instrument(Personality::Rigol), rigol),
            (Service::Instrument(Personality::RigolFramed), rigol_framed),
            (Service::TwinlanControl, control),
            (Service::TwinlanData, data),
            (Service::Web, web),
        ]);
        let rules = Rules { eeprom_writes: places.eeprom_writes, ..RULES };
        let allow = places.allow.clone();
        Ok(Self {
            sockets,
            listeners,
            addresses,
            rules,
            browsers,
            web_links,
            allow,
            handle,
            events,
            instrument,
            unknown_revision,
            announced,
        })
    }

    /// Has a device that is gone waited for, and its link opened by `reopen`, instead of ending. Clients stay connected.
    #[must_use]
    pub fn reconnecting<F>(mut self, mut reopen: impl FnMut() -> F + 'static) -> Self
    where
        F: Future<Output = Result<OpenLink, OpenError>> + 'static,
    {
        self.instrument.reconnect_by(Box::new(move || Box::pin(reopen())));
        self
    }

    /// Has what calibrations of the page find kept by `keep`, which returns where, or why it could not.
    #[must_use]
    pub fn keeping_calibrations(mut self, keep: KeepCalibration) -> Self {
        self.instrument.keep_calibrations_by(keep);
        self
    }

    /// What the user should know of the device's revision, if it is not the one that is known.
    #[must_use]
    pub fn unknown_revision(&self) -> Option<UnknownRevision> {
        self.unknown_revision
    }

    /// Why others in the local network do not find what they may use.
    #[must_use]
    pub fn not_announced(&self) -> Option<&DiscoveryError> {
        self.announced.as_ref().err()
    }

    /// Where the device is reached.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The links to the page for browsers, if it is served.
    #[must_use]
    pub fn web_links(&self) -> Option<WebLinks> {
        self.web_links.clone()
    }

    /// Serves until the future is dropped; events are passed to `report`. Dropped, it leaves the device as it is.
    ///
    /// # Errors
    ///
    /// [`ListenError::Broken`] if a listener breaks, [`ServeError::Device`] if the device does.
    pub async fn run(self, report: impl FnMut(Event)) -> Result<(), ServeError> {
        self.run_until(pending(), report).await
    }

    /// Serves until `stop` completes, then hangs up, stops generators and captures, and leaves the device as a reset does;
    /// events are passed to `report`.
    ///
    /// # Errors
    ///
    /// [`ListenError::Broken`] if a listener breaks, [`ServeError::Device`] if the device does.
    pub async fn run_until(
        self,
        stop: impl Future<Output = ()>,
        mut report: impl FnMut(Event),
    ) -> Result<(), ServeError> {
        let Self {
            sockets,
            mut listeners,
            rules,
            browsers,
            allow,
            handle,
            mut events,
            instrument,
            announced,
            ..
        } = self;
        // The trace buffer makes this future large.
        let mut instrument = Box::pin(instrument.run());
        {
            let (arrived, mut arriving) = mpsc::channel(MAX_ARRIVED);
            let mut device = LentDevice::new(handle.clone());
            let mut network = LossyNetwork::sound();
            let mut report_raw = |event| handle.report(event);
            // Its buffers of datagrams make this one large.
            let raw = raw::serve(&mut device, &sockets, &mut arriving, rules, &mut network, &mut report_raw);
            let raw = Box::pin(raw);
            let mut clients = Clients::new(allow, handle.clone(), arrived, browsers.clone());
            let reported = async {
                while let Some(event) = events.recv().await {
                    report(event);
                }
                pending::<()>().await;
            };
            tokio::select! {
                never = reported => never,
                () = stop => {}
                failed = &mut instrument => match failed {
                    Ok(never) => match never {},
                    Err(error) => {
                        browsers.close(error.to_string()).await;
                        return Err(ServeError::Device(error));
                    }
                },
                never = browsers.acquire() => match never {},
                served = raw => match served {
                    Ok(never) => match never {},
                    Err(cause) => return Err(ListenError::Broken(cause).into()),
                },
                cause = clients.receive(&mut listeners) => return Err(ListenError::Broken(cause).into()),
            }
        }
        // Farewells wait for the network, for half a second at most.
        let farewell = tokio::task::spawn_blocking(move || drop(announced));
        drop(listeners);
        // All clients have been hung up at: a loan comes back, and a capture ends.
        let ended = tokio::select! {
            () = handle.close() => Ok(()),
            failed = instrument => match failed {
                Ok(never) => match never {},
                Err(error) => Err(ServeError::Device(error)),
            },
            () = tokio::time::sleep(CLOSE_TIMEOUT) => Err(ServeError::NotAtRest),
        };
        // It cannot fail but by a panic of what it drops.
        let _ = farewell.await;
        ended
    }
}

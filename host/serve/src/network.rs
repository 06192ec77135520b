//! The server: its listeners, and the instrument behind them.

use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use scopething_core::device::AnalogParameters;
use scopething_core::scope::{ScopeError, UnknownRevision};
use thiserror::Error;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, watch};

use super::allow::Allow;
use super::connections::{Dialect, converse, receive};
use super::event::Event;
use super::handle::{Handle, SharedState};
use super::hmo::Hmo;
use super::instrument::Instrument;
use super::listen_error::ListenError;
use super::raw::{self, LentDevice, LossyNetwork, Rules, Sockets};
use super::rigol::Rigol;
use super::settings::Settings;
use super::twinlan;
use super::web::{self, Browsers, Web, WebLinks};
use scopething::link::{LinkError, OpenLink};

/// Events that wait to be reported; more are dropped.
const MAX_EVENTS: usize = 256;
/// Requests that wait for the instrument; senders of further ones wait.
const MAX_REQUESTS: usize = 64;

/// The serial number that `*IDN?` answers for a device that has none (IEEE 488.2, section 10.14).
const NO_SERIAL: &str = "0";

/// How many pairs of ports are tried where any will do.
const MAX_PAIRS: u8 = 100;
/// How raw clients share the device, among themselves and with emulated oscilloscopes: a silent one gives way when another
/// waits. A waiting client is rejected before it gives up by itself: this program's driver does so after three round
/// trips of a [network](scopething_core::scope::LinkProfile::NETWORK), of 1 s each, over UDP after
/// [1.6 s](scopething::link::UdpLink::PROFILE). Over TCP it waits for longer than a client of UDP may be silent.
const RULES: Rules = Rules {
    silence: Duration::from_secs(2),
    tcp_silence: Some(Duration::from_secs(10)),
    max_waiting: 8,
    queue_timeout: Duration::from_millis(2500),
    udp_queue_timeout: Duration::from_secs(1),
};

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
    #[error(
        "{address} is reached from other machines: name the networks that may use the device, such as \
         192.168.1.0/24, or listen on 127.0.0.1"
    )]
    Open {
        /// The address.
        address: SocketAddr,
    },
    /// The device failed.
    #[error("{0}")]
    Device(#[source] ScopeError<LinkError>),
}

/// A device that is served.
pub struct Server {
    sockets: Sockets,
    hmo: Option<TcpListener>,
    rigol: Option<TcpListener>,
    rigol_framed: Option<TcpListener>,
    /// Control and data.
    twinlan: Option<(TcpListener, TcpListener)>,
    web: Option<Web>,
    allow: Allow,
    handle: Handle,
    events: mpsc::Receiver<Event>,
    instrument: Instrument,
    unknown_revision: Option<UnknownRevision>,
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
        let next = SocketAddr::new(bound.ip(), bound.port().checked_add(1).unwrap_or(bound.port()));
        match TcpListener::bind(next).await {
            Ok(data) => return Ok(Some((control, data))),
            Err(_) if attempt < MAX_PAIRS && asked.ends_with(":0") => {}
            Err(cause) => return Err(failed(cause).into()),
        }
    }
}

/// Refuses to be reached from other machines where none is allowed.
fn check_open(bound: SocketAddr, allow: &Allow) -> Result<(), ServeError> {
    if bound.ip().is_loopback() || !allow.is_local() {
        Ok(())
    } else {
        Err(ServeError::Open { address: bound })
    }
}

/// Listens for raw clients.
async fn sockets(places: &Listen) -> Result<Sockets, ServeError> {
    let tcp = listen(places.tcp.as_ref(), &places.allow).await?;
    let udp = match &places.bitscope_server {
        Some(address) => {
            let failed = ListenError::at(address);
            let socket = UdpSocket::bind(address).await.map_err(&failed)?;
            check_open(socket.local_addr().map_err(&failed)?, &places.allow)?;
            Some(socket)
        }
        None => None,
    };
    Ok(Sockets { tcp, udp, foreign_udp: None, pty: None, allow: Some(places.allow.clone()) })
}

/// Serves all raw clients, for as long as their sockets work.
async fn raw_clients(sockets: &Sockets, handle: &Handle) -> io::Error {
    let mut device = LentDevice::new(handle.clone());
    let mut report = |event| handle.report(event);
    match raw::serve(&mut device, sockets, RULES, &mut LossyNetwork::sound(), &mut report).await {
        Ok(never) => match never {},
        Err(cause) => cause,
    }
}

/// Serves all clients of one emulated instrument, for as long as its listener works.
async fn instruments<D: Dialect + 'static>(
    name: &'static str,
    listener: Option<TcpListener>,
    allow: &Allow,
    handle: &Handle,
    dialect: impl Fn(Handle, SocketAddr) -> D,
) -> io::Error {
    let Some(listener) = listener else { return pending().await };
    receive(name, listener, allow, handle, |stream, peer, last_seen| {
        let (handle, dialect) = (handle.clone(), dialect(handle.clone(), peer));
        Box::pin(async move { converse(name, stream, peer, last_seen, &handle, dialect).await })
    })
    .await
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
        let sockets = sockets(places).await?;
        let hmo = listen(places.hmo.as_ref(), &places.allow).await?;
        let rigol = listen(places.rigol.as_ref(), &places.allow).await?;
        let rigol_framed = listen(places.rigol_framed.as_ref(), &places.allow).await?;
        let twinlan = listen_twice(places.twinlan.as_ref(), &places.allow).await?;
        let web = listen(places.web.as_ref(), &places.allow).await?.map(Web::new).transpose();
        let web = web.map_err(ListenError::at(places.web.as_deref().unwrap_or_default()))?;
        let (clock, profile) = (link.clock.clone(), link.profile);
        let mut scope = link.connect().await.map_err(ServeError::Device)?;
        let unknown_revision = scope.unknown_revision();
        let serial = scope.read_serial().await.map_err(ServeError::Device)?;
        let state = SharedState {
            settings: Settings::default(),
            changes: 0,
            driven: scope.driven(),
            generator: None,
        };
        let (requests, requested) = mpsc::channel(MAX_REQUESTS);
        let (events, happened) = mpsc::channel(MAX_EVENTS);
        let handle = Handle {
            state: Arc::new(watch::Sender::new(state)),
            requests,
            events,
            probe,
            serial: serial.map_or_else(|_| NO_SERIAL.to_owned(), |serial| serial.to_string()),
        };
        let instrument = Instrument::new(scope, clock, profile, handle.clone(), requested);
        let allow = places.allow.clone();
        Ok(Self {
            sockets,
            hmo,
            rigol,
            rigol_framed,
            twinlan,
            web,
            allow,
            handle,
            events: happened,
            instrument,
            unknown_revision,
        })
    }

    /// What the user should know of the device's revision, if it is not the one that is known.
    #[must_use]
    pub fn unknown_revision(&self) -> Option<UnknownRevision> {
        self.unknown_revision
    }

    /// Where the device is reached.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        let address = |listener: &Option<TcpListener>| listener.as_ref()?.local_addr().ok();
        Addresses {
            bitscope_server: self.sockets.udp.as_ref().and_then(|socket| socket.local_addr().ok()),
            tcp: address(&self.sockets.tcp),
            hmo: address(&self.hmo),
            rigol: address(&self.rigol),
            rigol_framed: address(&self.rigol_framed),
            twinlan: self.twinlan.as_ref().and_then(|(control, _)| control.local_addr().ok()),
            web: self.web.as_ref().map(Web::address),
        }
    }

    /// The links to the page for browsers, if it is served.
    #[must_use]
    pub fn web_links(&self) -> Option<WebLinks> {
        self.web.as_ref().map(Web::links)
    }

    /// Serves until the future is dropped; events are passed to `report`.
    ///
    /// # Errors
    ///
    /// [`ListenError::Broken`] if a listener breaks, [`ServeError::Device`] if the device does.
    pub async fn run(self, mut report: impl FnMut(Event)) -> Result<Infallible, ServeError> {
        let Self {
            sockets,
            hmo,
            rigol,
            rigol_framed,
            twinlan,
            web,
            allow,
            handle,
            mut events,
            instrument,
            ..
        } = self;
        let raw = raw_clients(&sockets, &handle);
        let hmo = instruments("hmo", hmo, &allow, &handle, Hmo::new);
        let rigol =
            instruments("rigol", rigol, &allow, &handle, |handle, peer| Rigol::new(handle, peer, false));
        let framed = |handle, peer| Rigol::new(handle, peer, true);
        let rigol_framed = instruments("rigol (framed)", rigol_framed, &allow, &handle, framed);
        let twinlan = async {
            match &twinlan {
                Some((control, data)) => twinlan::receive(control, data, &allow, &handle).await,
                None => pending().await,
            }
        };
        let browsers = Browsers::new(web.as_ref(), &handle);
        let web = web::serve(web, &browsers, &allow, &handle);
        let reported = async {
            while let Some(event) = events.recv().await {
                report(event);
            }
            pending().await
        };
        // The trace buffer makes this future large.
        let instrument = Box::pin(instrument.run());
        tokio::select! {
            never = reported => never,
            failed = instrument => match failed {
                Ok(never) => match never {},
                Err(error) => {
                    browsers.close(error.to_string()).await;
                    Err(ServeError::Device(error))
                }
            },
            cause = raw => Err(ListenError::Broken(cause).into()),
            cause = hmo => Err(ListenError::Broken(cause).into()),
            cause = rigol => Err(ListenError::Broken(cause).into()),
            cause = twinlan => Err(ListenError::Broken(cause).into()),
            cause = web => Err(ListenError::Broken(cause).into()),
            cause = rigol_framed => Err(ListenError::Broken(cause).into()),
        }
    }
}

//! Links to a BitScope: what a URL names is opened, and is a byte stream from then on.
//!
//! Every link is an [`embedded_io_async`] stream that the driver can use: reads and writes may be dropped at
//! any time without losing a byte, and a device that unplugs, closes or stays silent is an error, not an end
//! of file. What the bytes mean is not known here, except to the bitscope-server's client, which must count
//! echoes.
//!
//! A link whose URL asks for [faults](scopething_sim::faults) has them between it and the driver.
//!
//! Links need a tokio runtime with I/O and time enabled.
//!
//! ```no_run
//! use embedded_io_async::{Read as _, Write as _};
//! use scopething::link::{LinkUrl, open};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let url: LinkUrl = "socket://localhost:5025".parse()?;
//! let mut link = open(&url).await?;
//! link.stream.write_all(b"?").await?;
//! let mut revision = [0; 11];
//! link.stream.read_exact(&mut revision).await?;
//! assert_eq!(&revision, b"?\rBS000501\r");
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "bridge")]
mod bridge;
mod clock;
mod counter;
mod error;
mod port_settings;
mod ports;
pub mod refusal;
mod serial;
mod tcp;
mod tracer;
pub mod udp;
pub mod url;

use std::io;

use embedded_io_async::{ErrorType, Read, Write};
use scopething_core::scope::{LinkProfile, Pacing, Scope, ScopeError};
use scopething_core::time::{Clock, Instant};

#[cfg(feature = "bridge")]
pub use self::bridge::open_bridge;
pub use self::clock::HostClock;
#[cfg(feature = "sim")]
pub use self::clock::TokioTimer;
pub use self::counter::{CountReader, Counter, Counts};
pub use self::error::{DatagramError, LinkError, OpenError};
pub use self::ports::{Port, UsbDevice, list_ports};
pub use self::serial::SerialLink;
pub use self::tcp::TcpLink;
pub use self::tracer::{Chunk, Direction, Tracer};
pub use self::udp::UdpLink;
pub use self::url::{BridgePort, HostPort, LinkUrl, UrlError};
#[cfg(feature = "sim")]
use scopething_sim::faults::{FaultyStream, StreamFaults};
#[cfg(feature = "sim")]
use scopething_sim::{ReadPlayback, SimClock, SimConfig, SimLink, no_files};

/// A link that is open, and what the driver needs beside it.
#[derive(Debug)]
pub struct OpenLink {
    /// The stream.
    pub stream: Link,
    /// The clock that goes with it.
    pub clock: LinkClock,
    /// The worst round trip and rate to count with.
    pub profile: LinkProfile,
    /// How scripts are to be handed to the device.
    pub pacing: Pacing,
}

impl OpenLink {
    /// The same link, of which each chunk of bytes is shown.
    #[must_use]
    pub fn traced(self, show: fn(Chunk<'_>)) -> Self {
        let stream = Link::Traced(Box::new(Tracer::new(self.stream, self.clock.clone(), show)));
        Self { stream, ..self }
    }

    /// Connects to the BitScope behind the link.
    ///
    /// # Errors
    ///
    /// As [`Scope::connect`].
    pub async fn connect(self) -> Result<HostScope, ScopeError<LinkError>> {
        let mut scope = Scope::new(self.stream, self.clock, self.profile);
        scope.set_pacing(self.pacing);
        scope.open().await?;
        Ok(scope)
    }
}

/// A stream to a BitScope, of any kind.
#[derive(Debug)]
pub enum Link {
    /// A serial port.
    Serial(SerialLink),
    /// A TCP stream.
    Tcp(TcpLink),
    /// A bitscope-server.
    Udp(Box<UdpLink>),
    /// The simulated device.
    #[cfg(feature = "sim")]
    Sim(SimLink),
    /// Any of the others, with faults.
    #[cfg(feature = "sim")]
    Faulty(Box<FaultyStream<Link, LinkClock>>),
    /// Any of the others, watched.
    Traced(Box<TracedLink>),
}

/// A link whose bytes are shown.
type TracedLink = Tracer<Link, LinkClock, fn(Chunk<'_>)>;

/// The clock by which a link's device runs.
#[derive(Debug, Clone)]
pub enum LinkClock {
    /// The computer's.
    Host(HostClock),
    /// The simulated device's.
    #[cfg(feature = "sim")]
    Sim(SimClock),
}

/// A connected BitScope, whatever the link.
pub type HostScope = Scope<Link, LinkClock>;

/// Opens the link that `url` names.
///
/// # Errors
///
/// [`OpenError`], within some 5 s.
///
/// # Cancellation
///
/// Dropping the future opens nothing; a serial port that is being opened meanwhile is closed again.
pub async fn open(url: &LinkUrl) -> Result<OpenLink, OpenError> {
    let host = |stream, profile| OpenLink {
        stream,
        clock: LinkClock::Host(HostClock::new()),
        profile,
        pacing: Pacing::Whole,
    };
    match url {
        LinkUrl::FirstSerial => open_serial(None, SerialLink::open).await,
        LinkUrl::Serial { port } => open_serial(Some(port.clone()), SerialLink::open).await,
        LinkUrl::Socket(at) => Ok(host(Link::Tcp(TcpLink::connect(at).await?), LinkProfile::NETWORK)),
        LinkUrl::BitscopeServer(at) => {
            Ok(host(Link::Udp(Box::new(UdpLink::connect(at).await?)), UdpLink::PROFILE))
        }
        #[cfg(feature = "bridge")]
        LinkUrl::Bridge(port) => bridge::open_passed_through(port).await,
        #[cfg(feature = "sim")]
        LinkUrl::Sim { .. } | LinkUrl::Faulty { .. } => Box::pin(open_reading(url, no_files)).await,
        LinkUrl::Stepwise { link } => {
            Ok(OpenLink { pacing: Pacing::Stepwise, ..Box::pin(open(link)).await? })
        }
    }
}

/// As [`open`]; `read` is asked for the samples of a simulated signal that plays a file.
///
/// # Errors
///
/// As [`open`].
///
/// # Cancellation
///
/// As [`open`].
#[cfg(feature = "sim")]
pub async fn open_reading(url: &LinkUrl, read: ReadPlayback) -> Result<OpenLink, OpenError> {
    match url {
        LinkUrl::Sim { query } => open_sim(query, read),
        LinkUrl::Faulty { link, faults } => {
            Ok(with_faults(Box::pin(open_reading(link, read)).await?, faults))
        }
        hardware => open(hardware).await,
    }
}

#[cfg(feature = "sim")]
fn with_faults(sound: OpenLink, faults: &StreamFaults) -> OpenLink {
    let clock = sound.clock.clone();
    let stream = Link::Faulty(Box::new(FaultyStream::new(sound.stream, clock.clone(), faults)));
    OpenLink { stream, clock, ..sound }
}

/// Finds out which link is meant in the end: [`LinkUrl::FirstSerial`] becomes the port that it is now.
///
/// # Errors
///
/// [`OpenError::NoBitScope`] and [`OpenError::NoPortList`].
pub async fn resolve(url: &LinkUrl) -> Result<LinkUrl, OpenError> {
    if *url.as_paced_whole() != LinkUrl::FirstSerial {
        return Ok(url.clone());
    }
    let first = bitscope_ports().await?.into_iter().next().ok_or(OpenError::NoBitScope)?;
    Ok(LinkUrl::Serial { port: first.name }.with_pacing(url.pacing()))
}

/// The ports with a BitScope's USB id, sorted by name; none of them is opened.
///
/// # Errors
///
/// [`OpenError::NoBitScope`] if there is none, [`OpenError::NoPortList`] if the operating system does not list them.
pub async fn bitscope_ports() -> Result<Vec<Port>, OpenError> {
    let finding = tokio::task::spawn_blocking(ports::bitscopes);
    finding.await.unwrap_or_else(|error| Err(OpenError::NoPortList(io::Error::other(error))))
}

/// Setting a port up takes the operating system milliseconds, or seconds when the device does not answer.
async fn open_serial(
    port: Option<String>,
    open: impl FnOnce(&str) -> Result<SerialLink, OpenError> + Send + 'static,
) -> Result<OpenLink, OpenError> {
    let name = port.clone().unwrap_or_default();
    let opening = tokio::task::spawn_blocking(move || {
        let port = port.map_or_else(ports::first_bitscope, Ok)?;
        open(&port)
    });
    let interrupted = |error| Err(OpenError::Port { port: name, source: std::io::Error::other(error) });
    let link = opening.await.unwrap_or_else(interrupted)?;
    let profile = link.profile();
    let (stream, clock) = (Link::Serial(link), LinkClock::Host(HostClock::new()));
    Ok(OpenLink { stream, clock, profile, pacing: Pacing::Whole })
}

#[cfg(feature = "sim")]
fn open_sim(query: &str, read: ReadPlayback) -> Result<OpenLink, OpenError> {
    let config = SimConfig::from_query_reading(query, read)?;
    let link = SimLink::by_config(&config, TokioTimer::start);
    let (clock, profile) = (link.clock(), link.profile());
    Ok(OpenLink { stream: Link::Sim(link), clock: LinkClock::Sim(clock), profile, pacing: Pacing::Whole })
}

impl ErrorType for Link {
    type Error = LinkError;
}

impl Read for Link {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, LinkError> {
        match self {
            Self::Serial(link) => link.read(buf).await,
            Self::Tcp(link) => link.read(buf).await,
            Self::Udp(link) => link.read(buf).await,
            #[cfg(feature = "sim")]
            Self::Sim(link) => link.read(buf).await.map_err(LinkError::Simulated),
            // In a box, because it reads from a link in turn.
            #[cfg(feature = "sim")]
            Self::Faulty(link) => Ok(Box::pin(link.read(buf)).await?),
            Self::Traced(link) => Box::pin(link.read(buf)).await,
        }
    }
}

impl Write for Link {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, LinkError> {
        match self {
            Self::Serial(link) => link.write(buf).await,
            Self::Tcp(link) => link.write(buf).await,
            Self::Udp(link) => link.write(buf).await,
            #[cfg(feature = "sim")]
            Self::Sim(link) => link.write(buf).await.map_err(LinkError::Simulated),
            #[cfg(feature = "sim")]
            Self::Faulty(link) => Ok(Box::pin(link.write(buf)).await?),
            Self::Traced(link) => Box::pin(link.write(buf)).await,
        }
    }

    async fn flush(&mut self) -> Result<(), LinkError> {
        match self {
            Self::Serial(link) => link.flush().await,
            Self::Tcp(link) => link.flush().await,
            Self::Udp(link) => link.flush().await,
            #[cfg(feature = "sim")]
            Self::Sim(link) => link.flush().await.map_err(LinkError::Simulated),
            #[cfg(feature = "sim")]
            Self::Faulty(link) => Ok(Box::pin(link.flush()).await?),
            Self::Traced(link) => Box::pin(link.flush()).await,
        }
    }
}

impl Clock for LinkClock {
    fn now(&self) -> Instant {
        match self {
            Self::Host(clock) => clock.now(),
            #[cfg(feature = "sim")]
            Self::Sim(clock) => clock.now(),
        }
    }

    async fn until(&self, deadline: Instant) {
        match self {
            Self::Host(clock) => clock.until(deadline).await,
            #[cfg(feature = "sim")]
            Self::Sim(clock) => clock.until(deadline).await,
        }
    }
}

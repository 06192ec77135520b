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
#[cfg(not(target_family = "wasm"))]
mod open;
#[cfg(not(target_family = "wasm"))]
mod port_settings;
#[cfg(not(target_family = "wasm"))]
mod ports;
pub mod refusal;
#[cfg(target_family = "wasm")]
mod script_port;
#[cfg(not(target_family = "wasm"))]
mod search;
#[cfg(not(target_family = "wasm"))]
mod serial;
#[cfg(not(target_family = "wasm"))]
mod tcp;
mod tracer;
#[cfg(not(target_family = "wasm"))]
pub mod udp;
pub mod url;

#[cfg(not(target_family = "wasm"))]
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
#[cfg(all(feature = "sim", not(target_family = "wasm")))]
pub use self::open::open_reading;
#[cfg(not(target_family = "wasm"))]
pub use self::open::{open, resolve};
#[cfg(not(target_family = "wasm"))]
pub use self::ports::{Port, PortOfBridge, UsbDevice, list_ports};
#[cfg(target_family = "wasm")]
pub use self::script_port::{ScriptLink, ScriptPort, thrown};
#[cfg(not(target_family = "wasm"))]
pub use self::serial::SerialLink;
#[cfg(not(target_family = "wasm"))]
pub use self::tcp::TcpLink;
pub use self::tracer::{Chunk, Direction, Tracer};
#[cfg(not(target_family = "wasm"))]
pub use self::udp::UdpLink;
pub use self::url::{BridgePort, HostPort, LinkUrl, UrlError};
#[cfg(feature = "sim")]
use scopething_sim::faults::FaultyStream;
#[cfg(all(feature = "sim", not(target_family = "wasm")))]
use scopething_sim::faults::StreamFaults;
#[cfg(feature = "sim")]
use scopething_sim::{SimClock, SimConfig, SimLink};

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

    /// The simulated BitScope.
    #[cfg(feature = "sim")]
    #[must_use]
    pub fn simulated(config: &SimConfig) -> Self {
        let link = SimLink::by_config(config, TokioTimer::start);
        let (clock, profile) = (link.clock(), link.profile());
        Self { stream: Link::Sim(link), clock: LinkClock::Sim(clock), profile, pacing: Pacing::Whole }
    }

    /// A port that the scripts of a page have opened.
    #[cfg(target_family = "wasm")]
    #[must_use]
    pub fn of_script(port: ScriptPort) -> Self {
        let (stream, clock) = (Link::Script(ScriptLink::new(port)), LinkClock::Host(HostClock::new()));
        Self { stream, clock, profile: ScriptLink::PROFILE, pacing: Pacing::Whole }
    }

    /// Opens a serial port. Setting one up takes the operating system milliseconds, or seconds when the device does not answer.
    #[cfg(not(target_family = "wasm"))]
    async fn serial(
        port: String,
        open: impl FnOnce(&str) -> Result<SerialLink, OpenError> + Send + 'static,
    ) -> Result<Self, OpenError> {
        let name = port.clone();
        let opening = tokio::task::spawn_blocking(move || open(&port));
        let interrupted = |error| Err(OpenError::Port { port: name, source: std::io::Error::other(error) });
        let link = opening.await.unwrap_or_else(interrupted)?;
        let profile = link.profile();
        let (stream, clock) = (Link::Serial(link), LinkClock::Host(HostClock::new()));
        Ok(Self { stream, clock, profile, pacing: Pacing::Whole })
    }

    /// The same link with faults between it and the driver.
    #[cfg(all(feature = "sim", not(target_family = "wasm")))]
    fn with_faults(self, faults: &StreamFaults) -> Self {
        let clock = self.clock.clone();
        let stream = Link::Faulty(Box::new(FaultyStream::new(self.stream, clock.clone(), faults)));
        Self { stream, clock, ..self }
    }
}

/// A stream to a BitScope, of any kind.
#[derive(Debug)]
pub enum Link {
    /// A serial port.
    #[cfg(not(target_family = "wasm"))]
    Serial(SerialLink),
    /// A TCP stream.
    #[cfg(not(target_family = "wasm"))]
    Tcp(TcpLink),
    /// A bitscope-server.
    #[cfg(not(target_family = "wasm"))]
    Udp(Box<UdpLink>),
    /// What the scripts of a page have opened.
    #[cfg(target_family = "wasm")]
    Script(ScriptLink),
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

#[cfg(not(target_family = "wasm"))]
/// The ports with a BitScope's USB id, sorted by name; none of them is opened.
///
/// # Errors
///
/// [`OpenError::NoBitScope`] if there is none, [`OpenError::NoPortList`] if the operating system does not list them.
pub async fn bitscope_ports() -> Result<Vec<Port>, OpenError> {
    let finding = tokio::task::spawn_blocking(ports::bitscopes);
    finding.await.unwrap_or_else(|error| Err(OpenError::NoPortList(io::Error::other(error))))
}

impl ErrorType for Link {
    type Error = LinkError;
}

impl Read for Link {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, LinkError> {
        match self {
            #[cfg(not(target_family = "wasm"))]
            Self::Serial(link) => link.read(buf).await,
            #[cfg(not(target_family = "wasm"))]
            Self::Tcp(link) => link.read(buf).await,
            #[cfg(not(target_family = "wasm"))]
            Self::Udp(link) => link.read(buf).await,
            #[cfg(target_family = "wasm")]
            Self::Script(link) => link.read(buf).await,
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
            #[cfg(not(target_family = "wasm"))]
            Self::Serial(link) => link.write(buf).await,
            #[cfg(not(target_family = "wasm"))]
            Self::Tcp(link) => link.write(buf).await,
            #[cfg(not(target_family = "wasm"))]
            Self::Udp(link) => link.write(buf).await,
            #[cfg(target_family = "wasm")]
            Self::Script(link) => link.write(buf).await,
            #[cfg(feature = "sim")]
            Self::Sim(link) => link.write(buf).await.map_err(LinkError::Simulated),
            #[cfg(feature = "sim")]
            Self::Faulty(link) => Ok(Box::pin(link.write(buf)).await?),
            Self::Traced(link) => Box::pin(link.write(buf)).await,
        }
    }

    async fn flush(&mut self) -> Result<(), LinkError> {
        match self {
            #[cfg(not(target_family = "wasm"))]
            Self::Serial(link) => link.flush().await,
            #[cfg(not(target_family = "wasm"))]
            Self::Tcp(link) => link.flush().await,
            #[cfg(not(target_family = "wasm"))]
            Self::Udp(link) => link.flush().await,
            #[cfg(target_family = "wasm")]
            Self::Script(link) => link.flush().await,
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

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

#[cfg(target_family = "wasm")]
mod browser;
mod clock;
#[cfg(not(target_family = "wasm"))]
mod computer;
mod counter;
mod error;
pub mod refusal;
mod tracer;
pub mod url;

use embedded_io_async::{ErrorType, Read, Write};
use scopething_core::scope::{LinkProfile, Pacing, Scope, ScopeError};
use scopething_core::time::{Clock, Instant};

#[cfg(target_family = "wasm")]
pub use self::browser::{ScriptLink as DeviceLink, ScriptPort, thrown};
pub use self::clock::HostClock;
#[cfg(feature = "sim")]
pub use self::clock::TokioTimer;
#[cfg(not(target_family = "wasm"))]
pub use self::computer::*;
pub use self::counter::{CountReader, Counter, Counts};
pub use self::error::{DatagramError, LinkError, OpenError};
pub use self::tracer::{Chunk, Direction, Tracer};
pub use self::url::{BridgePort, HostPort, LinkUrl, UrlError};
#[cfg(feature = "sim")]
use scopething_sim::faults::FaultyStream;
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
}

/// A stream to a BitScope, of any kind.
#[derive(Debug)]
pub enum Link {
    /// A device: over a serial port or the network, or in a browser over what the scripts of a page have opened.
    Device(DeviceLink),
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

impl ErrorType for Link {
    type Error = LinkError;
}

impl Read for Link {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, LinkError> {
        match self {
            Self::Device(link) => link.read(buf).await,
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
            Self::Device(link) => link.write(buf).await,
            #[cfg(feature = "sim")]
            Self::Sim(link) => link.write(buf).await.map_err(LinkError::Simulated),
            #[cfg(feature = "sim")]
            Self::Faulty(link) => Ok(Box::pin(link.write(buf)).await?),
            Self::Traced(link) => Box::pin(link.write(buf)).await,
        }
    }

    async fn flush(&mut self) -> Result<(), LinkError> {
        match self {
            Self::Device(link) => link.flush().await,
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

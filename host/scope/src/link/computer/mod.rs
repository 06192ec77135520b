//! What a computer has a BitScope at: a serial port, or the network.

#[cfg(feature = "bridge")]
mod bridge;
mod open;
mod port_settings;
mod ports;
mod search;
mod serial;
mod tcp;
pub mod udp;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use embedded_io_async::{ErrorType, Read, Write};
use scopething_core::scope::Pacing;
use scopething_core::time::Micros;
#[cfg(feature = "sim")]
use scopething_sim::faults::{FaultyStream, StreamFaults};

#[cfg(feature = "bridge")]
pub use self::bridge::open_bridge;
#[cfg(feature = "sim")]
pub use self::open::open_reading;
pub use self::open::{open, resolve};
pub use self::ports::{Port, PortOfBridge, UsbDevice, list_ports};
pub use self::serial::SerialLink;
pub use self::tcp::TcpLink;
pub use self::udp::UdpLink;
use super::{HostClock, Link, LinkClock, LinkError, OpenError, OpenLink};

/// A stream to a device.
#[derive(Debug)]
pub enum DeviceLink {
    /// A serial port.
    Serial(SerialLink),
    /// A TCP stream.
    Tcp(TcpLink),
    /// A bitscope-server.
    Udp(Box<UdpLink>),
}

impl ErrorType for DeviceLink {
    type Error = LinkError;
}

impl Read for DeviceLink {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, LinkError> {
        match self {
            Self::Serial(link) => link.read(buf).await,
            Self::Tcp(link) => link.read(buf).await,
            Self::Udp(link) => link.read(buf).await,
        }
    }
}

impl Write for DeviceLink {
    async fn write(&mut self, buf: &[u8]) -> Result<usize, LinkError> {
        match self {
            Self::Serial(link) => link.write(buf).await,
            Self::Tcp(link) => link.write(buf).await,
            Self::Udp(link) => link.write(buf).await,
        }
    }

    async fn flush(&mut self) -> Result<(), LinkError> {
        match self {
            Self::Serial(link) => link.flush().await,
            Self::Tcp(link) => link.flush().await,
            Self::Udp(link) => link.flush().await,
        }
    }
}

impl OpenLink {
    /// Opens a serial port. Setting one up takes the operating system milliseconds, or seconds when the device does not answer.
    pub(super) async fn serial(
        port: String,
        open: impl FnOnce(&str) -> Result<SerialLink, OpenError> + Send + 'static,
    ) -> Result<Self, OpenError> {
        let name = port.clone();
        let opening = tokio::task::spawn_blocking(move || open(&port));
        let interrupted = |error| Err(OpenError::Port { port: name, source: io::Error::other(error) });
        let link = opening.await.unwrap_or_else(interrupted)?;
        let profile = link.profile();
        let (stream, clock) = (Link::Device(DeviceLink::Serial(link)), LinkClock::Host(HostClock::new()));
        Ok(Self { stream, clock, profile, pacing: Pacing::Whole })
    }

    /// The same link with faults between it and the driver.
    #[cfg(feature = "sim")]
    fn with_faults(self, faults: &StreamFaults) -> Self {
        let clock = self.clock.clone();
        let stream = Link::Faulty(Box::new(FaultyStream::new(self.stream, clock.clone(), faults)));
        Self { stream, clock, ..self }
    }
}

impl LinkError {
    /// A failure of an open socket. The user gets the same message whether the other end closes before or after it was
    /// last written to.
    fn network(error: io::Error) -> Self {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        match error.kind() {
            BrokenPipe | ConnectionAborted | ConnectionReset => Self::Closed,
            _ => Self::Network(Arc::new(error)),
        }
    }
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

/// A span as the standard library has it.
const fn duration(span: Micros) -> Duration {
    Duration::from_micros(span.0)
}

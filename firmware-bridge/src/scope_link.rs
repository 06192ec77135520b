//! The bytes to and from the BitScope, between the task that owns the USB bus and whoever uses the device.
//!
//! One side is fed by [`ftdi`](crate::ftdi); the other is [`ScopePort`], an `embedded-io-async` stream that ends with
//! an error when the BitScope is unplugged. Only one port is read at a time.

use core::fmt;

use embassy_futures::select::{Either, select};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_sync::watch::{Receiver, Watch};
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use scopething_core::link::bridge::UsbState;

use crate::job::ScopeStream;

/// Room for what the BitScope sends: several packets, so that the bus goes on while the reader is busy.
pub const INCOMING_BYTES: usize = 2048;
/// Room for what goes to it: more than the longest script of the driver, 183 bytes.
pub const OUTGOING_BYTES: usize = 256;
/// Ports that may exist at a time, and those who watch what is plugged in.
const MAX_PORTS: usize = 3;

/// What is plugged into the USB socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Plugged {
    /// Nothing that can be used.
    Not(UsbState),
    /// An FT232 that is ready, with the number of this connection: each time it is plugged in is another.
    Ready(u32),
}

type PluggedReceiver<'a> = Receiver<'a, CriticalSectionRawMutex, Plugged, MAX_PORTS>;

/// Both directions and what is plugged in.
pub struct ScopeLink {
    pub(crate) incoming: Pipe<CriticalSectionRawMutex, INCOMING_BYTES>,
    pub(crate) outgoing: Pipe<CriticalSectionRawMutex, OUTGOING_BYTES>,
    plugged: Watch<CriticalSectionRawMutex, Plugged, MAX_PORTS>,
}

impl Default for ScopeLink {
    fn default() -> Self {
        Self::new()
    }
}

impl ScopeLink {
    /// A line with nothing plugged in.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            incoming: Pipe::new(),
            outgoing: Pipe::new(),
            plugged: Watch::new_with(Plugged::Not(UsbState::Empty)),
        }
    }

    /// What is plugged in now.
    pub fn plugged(&self) -> Plugged {
        self.plugged.try_get().unwrap_or(Plugged::Not(UsbState::Empty))
    }

    /// What the USB socket has, for reports.
    pub fn usb_state(&self) -> UsbState {
        match self.plugged() {
            Plugged::Ready(_) => UsbState::Ready,
            Plugged::Not(state) => state,
        }
    }

    /// Reports what is plugged in from now on, and returns whether that is new. What is on its way to or from a device
    /// before is dropped.
    pub fn set_plugged(&self, plugged: Plugged) -> bool {
        if plugged == self.plugged() {
            return false;
        }
        self.plugged.sender().send(plugged);
        self.incoming.clear();
        self.outgoing.clear();
        true
    }

    /// Who wants to know when something else is plugged in. None if there are too many.
    pub fn watch(&self) -> Option<PlugWatch<'_>> {
        Some(PlugWatch(self.plugged.receiver()?))
    }

    /// The end of the line for the user of the BitScope. None if there are too many ports and watchers.
    pub fn port(&self) -> Option<ScopePort<'_>> {
        Some(ScopePort { line: self, connection: None, plugged: self.plugged.receiver()? })
    }
}

/// Sees what is plugged in.
pub struct PlugWatch<'a>(PluggedReceiver<'a>);

impl PlugWatch<'_> {
    /// Completes when something else is plugged in than was seen last.
    pub async fn changed(&mut self) -> Plugged {
        self.0.changed().await
    }
}

/// The BitScope was unplugged, or the bus failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Unplugged;

impl fmt::Display for Unplugged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the BitScope was unplugged: check its cable")
    }
}

impl core::error::Error for Unplugged {}

impl embedded_io_async::Error for Unplugged {
    fn kind(&self) -> ErrorKind {
        ErrorKind::NotConnected
    }
}

/// A byte stream to whatever BitScope is plugged in. After it was unplugged all fails until [`ScopeStream::attached`]
/// was waited for. Dropping a read or write that is pending loses no byte.
pub struct ScopePort<'a> {
    line: &'a ScopeLink,
    connection: Option<u32>,
    plugged: PluggedReceiver<'a>,
}

impl ScopeStream for ScopePort<'_> {
    async fn attached(&mut self) {
        let ready = |plugged: &Plugged| matches!(plugged, Plugged::Ready(_));
        if let Plugged::Ready(connection) = self.plugged.get_and(ready).await {
            self.connection = Some(connection);
        }
    }
}

impl ScopePort<'_> {
    async fn lost(plugged: &mut PluggedReceiver<'_>, connection: Option<u32>) -> Unplugged {
        let other = |plugged: &Plugged| !matches!(plugged, Plugged::Ready(now) if Some(*now) == connection);
        plugged.get_and(other).await;
        Unplugged
    }
}

impl ErrorType for ScopePort<'_> {
    type Error = Unplugged;
}

impl Read for ScopePort<'_> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Unplugged> {
        if bytes.is_empty() {
            return Ok(0);
        }
        match select(Self::lost(&mut self.plugged, self.connection), self.line.incoming.read(bytes)).await {
            Either::First(unplugged) => Err(unplugged),
            Either::Second(count) => Ok(count),
        }
    }
}

impl Write for ScopePort<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Unplugged> {
        match select(Self::lost(&mut self.plugged, self.connection), self.line.outgoing.write(bytes)).await {
            Either::First(unplugged) => Err(unplugged),
            Either::Second(count) => Ok(count),
        }
    }

    async fn flush(&mut self) -> Result<(), Unplugged> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use embassy_futures::block_on;

    fn read_once(port: &mut ScopePort<'_>, bytes: &mut [u8]) -> Poll<Result<usize, Unplugged>> {
        pin!(port.read(bytes)).poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn reads_fail_until_the_next_connection() {
        let line = ScopeLink::new();
        let mut port = line.port().unwrap();
        let mut bytes = [0; 8];
        assert_eq!(read_once(&mut port, &mut bytes), Poll::Ready(Err(Unplugged)));

        line.set_plugged(Plugged::Ready(1));
        block_on(port.attached());
        assert_eq!(read_once(&mut port, &mut bytes), Poll::Pending);
        assert_eq!(line.incoming.try_write(b"ab"), Ok(2));
        assert_eq!(read_once(&mut port, &mut bytes), Poll::Ready(Ok(2)));

        assert_eq!(line.incoming.try_write(b"lost"), Ok(4));
        line.set_plugged(Plugged::Not(UsbState::Empty));
        line.set_plugged(Plugged::Ready(2));
        assert_eq!(read_once(&mut port, &mut bytes), Poll::Ready(Err(Unplugged)), "another connection");
        block_on(port.attached());
        assert_eq!(read_once(&mut port, &mut bytes), Poll::Pending, "nothing of the connection before");
        assert_eq!(block_on(port.write(b"?")), Ok(1));
        line.set_plugged(Plugged::Not(UsbState::LowSpeed));
        assert_eq!(block_on(port.write(b"?")), Err(Unplugged));
    }

    #[test]
    fn ports_are_counted() {
        let line = ScopeLink::new();
        let ports: Vec<_> = std::iter::from_fn(|| line.port()).collect();
        assert_eq!(ports.len(), MAX_PORTS);
        drop(ports);
        assert!(line.port().is_some());
    }
}

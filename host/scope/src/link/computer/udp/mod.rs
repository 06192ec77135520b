//! A bitscope-server over UDP ([section 11 of the reference](scopething_core::vm#11-the-bitscope-server-protocol)) as a
//! byte stream.
//!
//! A write is cut into datagrams: at most 64 commands, only the last of which may take its time. One datagram
//! is outstanding at a time: each command is echoed, so a write waits until the datagram ahead of it was
//! answered by as many bytes as it has commands (and by the value, after `?`, `p` and `r`). How much follows
//! the echo of a dump or a trace is not known here; the next write shows that it was enough. `K` is written
//! while a trace runs: the trace then goes on under the number that started it, and its bytes follow the echo
//! of `K`.
//!
//! # What networks do
//!
//! - Reordered and repeated datagrams are put in order and dropped, by their `Data_Seq`, which runs on over all
//!   answers. Where it stands is learnt from the first one. A server that counts anew for each command, from 0
//!   or from 1, is known by two answers that begin with the same number; one that was started anew, by an
//!   answer that begins with 0 or 1 out of turn and with the right echo.
//! - Datagrams from other addresses are not received, those of another adaptor are ignored.
//! - A datagram that is missing ahead of an answer or in the middle of it is [`DatagramError::Lost`] after a
//!   quarter of a second, unless all that the answer can have is there without it; a dump that goes silent while it is read is [`DatagramError::Ended`] after 1.6 s. Bytes that
//!   follow a gap are never handed out. A trace may be silent for as long as it likes; since the report of its end may
//!   be what was lost, the driver ends such a trace with `K` now and then and starts it again
//!   ([`LinkProfile::check_interval`]).
//! - A server that serves another client reports it ([`DatagramError::Refused`]).
//! - No answer at all: the commands are sent again, or it is [`DatagramError::NoAnswer`] after 1.6 s.
//!
//! # What is sent again, and why not everything
//!
//! A lost command cannot be distinguished from a lost answer: what is sent again may execute twice. A server that
//! knows a `Cmd_ID` again could repeat its answer instead, but the protocol does not ask that of it, and an
//! adaptor that only passes bytes on will not. So only those datagrams are repeated that do no harm when they
//! execute twice: scripts that set R0 and R1 before they use them, and `>`, `U`, `?`, `p`, `r`, `!` and `K`.
//! A script that goes on from where the last one left R0 and R1 is sent once, and so is what starts a trace, a dump or a
//! generator. When their answer is lost, the error reports it, and a reset is the way on, as it is for the vendor's library; only a
//! dump is asked for again by the driver, since the device still has the trace.
//! The driver's own scripts set R1 anew so often that each datagram can
//! [begin with that](scopething_core::link::bitscope_server::datagram_len): networks repeat datagrams as well, and a server
//! that executes the repetition writes to no other registers than before.
//!
//! A repetition carries a `Cmd_ID` of its own, so that its answer cannot be mixed up with a late piece of an
//! earlier one, which may be cut elsewhere; only the answer to the last one counts. This relies on the
//! network not holding a datagram to the server back for longer than a round trip: the protocol gives a
//! client no means to notice that.

mod exchange;
#[cfg(test)]
mod exchange_tests;
#[cfg(test)]
mod lossy_driver;
#[cfg(test)]
mod lossy_network;
mod order;
mod pending;
mod repeat;

use std::io::{self, ErrorKind};

use embedded_io_async::{ErrorType, Read, Write};
use scopething_core::link::bitscope_server::datagram_len;
use scopething_core::scope::LinkProfile;
use scopething_core::time::{Clock as _, Instant, Micros};
use scopething_core::vm::Command;
use tokio::net::UdpSocket;

pub use self::exchange::Exchange;
use self::pending::ANSWER_LIMIT;
use super::duration;
use super::tcp::{CONNECT_LIMIT, not_opened, unknown_host};
use crate::link::HostClock;
use crate::link::HostPort;
use crate::link::{LinkError, OpenError};

#[cfg(doc)]
use crate::link::DatagramError;

/// The longest datagram that UDP can carry, so that none is cut short.
const MAX_DATAGRAM: usize = 65_535;

/// The receive buffer that the system is asked for, in bytes; it gives as much as it allows. Linux counts some 800 bytes for a
/// datagram of few, so that its usual 208 KiB hold no more than 270 of them (540 where they are asked for), and a server that
/// sends a byte in each loses the rest of a dump while the program does something else. The driver then asks for shorter dumps.
const RECEIVE_BUFFER: usize = 4 << 20;

/// The most datagrams that are taken at a time.
const MAX_BURST: usize = 256;

/// A deadline that has passed is still waited for so long: what has arrived meanwhile must have been looked
/// at.
const GRACE: Micros = Micros::from_millis(1);

/// A socket connected to one bitscope-server.
///
/// # Cancellation
///
/// Dropping a pending read or write loses no byte: what a dropped write had not accepted is not sent.
#[derive(Debug)]
pub struct UdpLink {
    socket: UdpSocket,
    clock: HostClock,
    exchange: Exchange,
    datagram: Box<[u8]>,
}

impl UdpLink {
    /// What to count with: an answer comes, or an error, within all repetitions of its datagram.
    pub const PROFILE: LinkProfile =
        LinkProfile { round_trip: Micros(ANSWER_LIMIT.0 + GRACE.0), is_lossy: true, ..LinkProfile::NETWORK };

    /// Makes a socket for the server. Sends nothing: whether one is there shows when it is first written to.
    ///
    /// # Errors
    ///
    /// [`OpenError::UnknownHost`], [`OpenError::NoAnswer`] of the look-up after 5 s, or
    /// [`OpenError::Unreachable`].
    pub async fn connect(at: &HostPort) -> Result<Self, OpenError> {
        let lookup = tokio::net::lookup_host((at.host.as_str(), at.port));
        let no_answer = |_| OpenError::NoAnswer { at: at.clone(), limit: CONNECT_LIMIT };
        let addresses = tokio::time::timeout(duration(CONNECT_LIMIT), lookup).await.map_err(no_answer)?;
        let address = addresses.map_err(|source| unknown_host(at, source))?.next();
        let no_address = || unknown_host(at, std::io::ErrorKind::NotFound.into());
        let address = address.ok_or_else(no_address)?;
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await.map_err(|source| not_opened(at, source))?;
        // With less the link works too.
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER);
        socket.connect(address).await.map_err(|source| not_opened(at, source))?;
        Ok(Self {
            socket,
            clock: HostClock::new(),
            exchange: Exchange::default(),
            datagram: vec![0; MAX_DATAGRAM].into(),
        })
    }

    /// Takes the datagram that has been received.
    fn take(&mut self, length: usize) -> Result<(), LinkError> {
        let datagram = self.datagram.get(..length).unwrap_or_default();
        Ok(self.exchange.receive(datagram, self.clock.now())?)
    }

    /// Waits for one thing to happen: datagrams, or a deadline.
    async fn step(&mut self) -> Result<(), LinkError> {
        let deadline = self.exchange.deadline().map(|deadline| deadline.max(self.clock.now() + GRACE));
        tokio::select! {
            biased;
            received = self.socket.recv(&mut self.datagram) => {
                self.take(received.map_err(failed)?)?;
                // What has come meanwhile is taken before the reader has its turn: the system keeps little of it.
                for _ in 1..MAX_BURST {
                    match self.socket.try_recv(&mut self.datagram) {
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        received => self.take(received.map_err(failed)?)?,
                    }
                }
                Ok(())
            }
            () = self.clock.until(deadline.unwrap_or(Instant(u64::MAX))) => {
                if let Some(again) = self.exchange.due(self.clock.now())? {
                    self.socket.send(&again).await.map_err(failed)?;
                    self.exchange.sent_again(self.clock.now());
                }
                Ok(())
            }
        }
    }
}

/// A failure of the socket.
fn failed(error: io::Error) -> LinkError {
    match error.kind() {
        // A datagram socket has no connection to reset: this is how Windows reports that nothing listens at the port.
        ErrorKind::ConnectionReset => LinkError::network(io::Error::new(ErrorKind::ConnectionRefused, error)),
        _ => LinkError::network(error),
    }
}

impl ErrorType for UdpLink {
    type Error = LinkError;
}

impl Read for UdpLink {
    async fn read(&mut self, buf: &mut [u8]) -> Result<usize, LinkError> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            match self.exchange.read(buf) {
                0 => self.step().await?,
                count => return Ok(count),
            }
        }
    }
}

impl Write for UdpLink {
    /// Accepts the commands of one datagram, when the one before it was answered.
    async fn write(&mut self, buf: &[u8]) -> Result<usize, LinkError> {
        let commands = buf.get(..datagram_len(buf)).unwrap_or_default();
        let Some(first) = commands.first() else { return Ok(0) };
        while !self.exchange.may_send(Command::from_byte(*first)) {
            self.step().await?;
        }
        self.socket.send(&self.exchange.datagram(commands)).await.map_err(failed)?;
        self.exchange.sent(commands, self.clock.now());
        Ok(commands.len())
    }

    /// Nothing is kept back: what was written was sent.
    async fn flush(&mut self) -> Result<(), LinkError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_a_port_where_nothing_listens() {
        let error = failed(ErrorKind::ConnectionReset.into());
        assert_eq!(embedded_io::Error::kind(&error), embedded_io::ErrorKind::ConnectionRefused, "{error}");
    }
}

//! What goes wrong with links: [`OpenError`] before there is one, [`LinkError`] after.

use std::io;
use std::sync::Arc;

use scopething_core::time::Micros;
use thiserror::Error;

use super::url::HostPort;
#[cfg(feature = "bridge")]
use crate::bridge::BridgeError;
#[cfg(feature = "sim")]
use scopething_sim::ConfigError;
#[cfg(feature = "sim")]
use scopething_sim::faults::FaultyError;

/// Why a link was not opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// No serial port has a BitScope's USB id.
    #[error(
        "no serial port with USB id 0403:6001 was found: plug a BitScope in, or name a link: /dev/ttyUSB0 or \
         COM3, socket://host:port, bitscope-server://host:port, or sim: for the simulated BitScope"
    )]
    NoBitScope,
    /// Several serial ports have a BitScope's USB id, and at none of them a BitScope answers.
    #[error(
        "several serial ports have a BitScope's USB id, 0403:6001, and a BitScope answers at none ({}): check its \
         cable, or name a link",
        ports.iter().map(|(port, reason)| format!("{port}: {reason}")).collect::<Vec<_>>().join("; ")
    )]
    NoneAnswers {
        /// Each port, and what came of asking it.
        ports: Vec<(String, String)>,
    },
    /// The operating system does not list its serial ports.
    #[error("the serial ports cannot be listed: name one, such as /dev/ttyUSB0 or COM3")]
    NoPortList(#[source] io::Error),
    /// There is no such serial port.
    #[error("there is no serial port {port}: check that the BitScope is plugged in, and the port's name")]
    NoPort {
        /// The port's name.
        port: String,
    },
    /// The user may not open the serial port.
    #[error(
        "the serial port {port} may not be opened: on Linux join the group that owns it (often dialout or \
         uucp) and log in again"
    )]
    PortForbidden {
        /// The port's name.
        port: String,
    },
    /// Another program holds the serial port, or, on Windows, it is not there.
    #[error(
        "the serial port {port} is in use: close the other program that has it, or check the port's name"
    )]
    PortInUse {
        /// The port's name.
        port: String,
    },
    /// The serial port was refused for another reason.
    #[error("{port} does not open as a serial port: check its name")]
    Port {
        /// The port's name.
        port: String,
        /// The operating system's error.
        source: io::Error,
    },
    /// The host's name has no address.
    #[error("the host {host} is not known: check its name, or give its address")]
    UnknownHost {
        /// The host's name.
        host: String,
        /// The resolver's error.
        source: io::Error,
    },
    /// Nothing listens there.
    #[error("{at} refuses the connection: check the port, and that the server runs")]
    Refused {
        /// Host and port.
        at: HostPort,
    },
    /// The host did not answer in time.
    #[error("{at} did not answer in {:.0} s: check the address, network and firewall", limit.seconds())]
    NoAnswer {
        /// Host and port.
        at: HostPort,
        /// How long was waited.
        limit: Micros,
    },
    /// The network failed in another way.
    #[error("{at} cannot be reached: check the address and the network")]
    Unreachable {
        /// Host and port.
        at: HostPort,
        /// The operating system's error.
        source: io::Error,
    },
    /// A bridge was to be spoken to, and the link is another one.
    #[error(
        "{url:?} is no bridge: name one as in bridge:///dev/ttyUSB0, bridge://COM3 or bridge://host:port"
    )]
    NotABridge {
        /// The link's text.
        url: String,
    },
    /// A bridge does not pass bytes through.
    #[cfg(feature = "bridge")]
    #[error(transparent)]
    Bridge(#[from] BridgeError<LinkError>),
    /// The simulated device cannot be set up so.
    #[cfg(feature = "sim")]
    #[error(transparent)]
    Sim(#[from] ConfigError),
}

/// Why an open link failed. The errors of a link that stays open are all [`Datagram`](Self::Datagram).
#[derive(Debug, Clone, Error)]
pub enum LinkError {
    /// The other end closed the stream.
    #[error("the other end closed the link: check that the device or server still runs, then connect again")]
    Closed,
    /// The other end serves another client, and closed the stream.
    #[error("the BitScope is in use: {owner} has it: close that program, or try again when it is done")]
    InUse {
        /// The other client, as the server names it: its transport and address.
        owner: Arc<str>,
    },
    /// The server has given the device to another client, or has refused a command.
    #[error("the server took the BitScope away: {reason}")]
    Dismissed {
        /// Why, as the server puts it.
        reason: Arc<str>,
    },
    /// The serial port is gone.
    #[error("the serial port {port} failed: check that the BitScope is still plugged in, then connect again")]
    Port {
        /// The port's name.
        port: Arc<str>,
        /// The operating system's error.
        source: Arc<io::Error>,
    },
    /// The network failed.
    #[error("the network link failed: check the network and the server, then connect again")]
    Network(#[source] Arc<io::Error>),
    /// The simulated link failed.
    #[error("the simulated link failed ({0:?}): connect again")]
    Simulated(embedded_io::ErrorKind),
    /// A bitscope-server's answer did not come, or not whole.
    #[error(transparent)]
    Datagram(#[from] DatagramError),
}

#[cfg(feature = "sim")]
impl From<FaultyError<LinkError>> for LinkError {
    fn from(error: FaultyError<LinkError>) -> Self {
        match error {
            FaultyError::Stream(error) => error,
            FaultyError::Closed => Self::Closed,
        }
    }
}

impl embedded_io::Error for LinkError {
    fn kind(&self) -> embedded_io::ErrorKind {
        match self {
            Self::Closed => embedded_io::ErrorKind::BrokenPipe,
            Self::Dismissed { .. } | Self::Datagram(DatagramError::Dismissed { .. }) => {
                embedded_io::ErrorKind::ConnectionAborted
            }
            Self::InUse { .. } | Self::Datagram(DatagramError::Refused { .. }) => {
                embedded_io::ErrorKind::ConnectionRefused
            }
            Self::Simulated(kind) => *kind,
            // A connection that timed out is as gone as any other.
            Self::Port { source, .. } | Self::Network(source) => match source.kind() {
                io::ErrorKind::TimedOut => embedded_io::ErrorKind::ConnectionAborted,
                kind => kind.into(),
            },
            Self::Datagram(DatagramError::NoAnswer { .. } | DatagramError::Ended { .. }) => {
                embedded_io::ErrorKind::TimedOut
            }
            Self::Datagram(DatagramError::Lost { .. }) => embedded_io::ErrorKind::InvalidData,
            Self::Datagram(DatagramError::Flooded { .. }) => embedded_io::ErrorKind::OutOfMemory,
        }
    }
}

/// Why an answer over UDP is missing or not whole. What came of it was thrown away, the link stays usable: a
/// reset (`!`) starts it afresh.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DatagramError {
    /// The server serves another client.
    #[error("the BitScope is in use: {owner} has it: close that program, or try again when it is done")]
    Refused {
        /// The other client, as the server names it: its transport and address.
        owner: String,
    },
    /// The server has given the device to another client, or has refused a command.
    #[error("the server took the BitScope away: {reason}")]
    Dismissed {
        /// Why, as the server puts it.
        reason: String,
    },
    /// Nothing, or too little, came back for commands.
    #[error(
        "no answer from the bitscope-server to {:?} (sent {sent} times): check that its BitScope is \
         connected and that no other program uses it",
        char::from(*.command)
    )]
    NoAnswer {
        /// The last command byte of the datagram.
        command: u8,
        /// How often the datagram was sent. Once, where a repetition might have executed twice.
        sent: u8,
    },
    /// A datagram ahead of an answer or in the middle of it did not arrive, though later ones did.
    #[error("the network lost datagram {data_seq} of an answer: try again, over a cable if it happens often")]
    Lost {
        /// Its `Data_Seq`.
        data_seq: u8,
    },
    /// A dump began and went silent.
    #[error(
        "the dump ended after {bytes} bytes, part of it was lost: try again, over a cable if it happens often"
    )]
    Ended {
        /// How many bytes came.
        bytes: usize,
    },
    /// More arrived than anyone asked for or read.
    #[error(
        "more than {limit} bytes wait to be read: another program drives this bitscope-server, or it is \
         faulty"
    )]
    Flooded {
        /// The most bytes that are kept.
        limit: usize,
    },
}

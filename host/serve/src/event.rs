//! What happens while serving, for a log.

use std::fmt;
use std::net::SocketAddr;

use scopething_sim::Note;

/// What happens while serving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A client has come.
    Connected {
        /// Where it comes from, and which way.
        client: String,
    },
    /// A raw client has the device now.
    Session {
        /// Where it comes from, and which way.
        client: String,
    },
    /// A client has gone, or was sent away.
    Disconnected {
        /// Where it came from.
        client: String,
    },
    /// A client was turned away.
    Refused {
        /// Where it comes from.
        client: String,
        /// Why.
        reason: String,
    },
    /// What a client sent is no command of its protocol, and was dropped.
    Malformed {
        /// Where it comes from.
        client: String,
        /// How long it is, in bytes.
        bytes: usize,
    },
    /// A client has changed what is set, for all.
    Set {
        /// Who.
        by: SocketAddr,
        /// What is set now.
        settings: String,
    },
    /// What was asked for is not, or not quite, what is done.
    Notice(String),
    /// The simulated device has something to say about what its client did.
    Device(Note),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { client } => write!(f, "{client} has come"),
            Self::Session { client } => write!(f, "{client} has the device"),
            Self::Disconnected { client } => write!(f, "{client} has left"),
            Self::Refused { client, reason } => write!(f, "{client} was refused: {reason}"),
            Self::Malformed { client, bytes } => {
                write!(f, "{client} sent {bytes} bytes that are no command: dropped")
            }
            Self::Set { by, settings } => write!(f, "{by} has set {settings}"),
            Self::Notice(text) => f.write_str(text),
            Self::Device(note) => note.fmt(f),
        }
    }
}

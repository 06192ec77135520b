//! Events while serving, for a log.

use std::fmt;

use scopething_sim::Note;

/// An event while serving.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A client has connected.
    Connected {
        /// Its address and transport.
        client: String,
    },
    /// A raw client has acquired the device.
    Acquired {
        /// Its address and transport.
        client: String,
    },
    /// A client has disconnected, or was disconnected.
    Disconnected {
        /// Its address and transport.
        client: String,
    },
    /// A client has had the device taken away.
    Dismissed {
        /// Its address and transport.
        client: String,
        /// What it was sent.
        reason: String,
    },
    /// A client was rejected.
    Refused {
        /// Its address and transport.
        client: String,
        /// Why.
        reason: String,
    },
    /// What a client sent is no command of its protocol, and was dropped.
    Malformed {
        /// Its address and transport.
        client: String,
        /// How long it is, in bytes.
        bytes: usize,
    },
    /// A client has changed the shared settings.
    Set {
        /// Who.
        by: String,
        /// What is set now.
        settings: String,
    },
    /// The device is gone: unplugged, or silent. Clients are served again when it is back.
    Lost {
        /// What failed.
        reason: String,
    },
    /// The device is back.
    Returned,
    /// A request was not met, or only approximately.
    Notice(String),
    /// A note of the simulated device about what its client did.
    Device(Note),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected { client } => write!(f, "{client} has connected"),
            Self::Acquired { client } => write!(f, "{client} has the device"),
            Self::Disconnected { client } => write!(f, "{client} has disconnected"),
            Self::Dismissed { client, reason } => write!(f, "{client} has lost the device: {reason}"),
            Self::Refused { client, reason } => write!(f, "{client} was refused: {reason}"),
            Self::Malformed { client, bytes } => {
                write!(f, "{client} sent {bytes} bytes that are not a command: dropped")
            }
            Self::Set { by, settings } => write!(f, "{by} has set {settings}"),
            Self::Lost { reason } => write!(f, "the BitScope is gone, and is waited for: {reason}"),
            Self::Returned => f.write_str("the BitScope is back; its generators are off"),
            Self::Notice(text) => f.write_str(text),
            Self::Device(note) => note.fmt(f),
        }
    }
}

//! Why a text names no link.

use scopething_core::link::bitscope_server::DEFAULT_PORT;
#[cfg(feature = "sim")]
use scopething_sim::faults::FaultError;
use thiserror::Error;

/// Why a text names no link.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UrlError {
    /// No scheme, and no serial port by its looks.
    #[error(
        "{text:?} names no link: give a serial port such as /dev/ttyUSB0 or COM3, socket://host:port, \
         bitscope-server://host:port, bridge://device-or-host:port or sim:"
    )]
    NotALink {
        /// The text.
        text: String,
    },
    /// A scheme that stands for no link.
    #[error("the scheme {scheme:?} is not known: use file, socket, bitscope-server, bridge or sim")]
    UnknownScheme {
        /// What stands before the colon.
        scheme: String,
    },
    /// `file:` without an absolute path.
    #[error(
        "file: must be followed by the absolute path of a serial port, as in file:///dev/ttyUSB0, not \
         {path:?}"
    )]
    NotAPath {
        /// What stands there.
        path: String,
    },
    /// Not `//host` behind a scheme that needs a host.
    #[error("{scheme} needs a host, as in {scheme}://192.168.1.5:{DEFAULT_PORT}")]
    NoHost {
        /// The scheme, in lower case.
        scheme: &'static str,
    },
    /// A host that can be neither a name nor an address.
    #[error(
        "{host:?} is neither a host name nor an address; an IPv6 address goes in brackets, as in \
         [::1]:{DEFAULT_PORT}"
    )]
    BadHost {
        /// What stands there.
        host: String,
    },
    /// No port, and the scheme has no usual one.
    #[error("{scheme} needs a port, as in {scheme}://{host}:{DEFAULT_PORT}")]
    NoPort {
        /// The scheme, in lower case.
        scheme: &'static str,
        /// The host, in brackets if it was.
        host: String,
    },
    /// A port that is no number from 1 to 65535.
    #[error("the port {port:?} must be a number from 1 to 65535")]
    BadPort {
        /// What stands there.
        port: String,
    },
    /// `sim:` with something other than a query behind it.
    #[error("sim: takes settings behind a question mark, as in sim:?A=sine,1kHz, not {rest:?}")]
    NotAQuery {
        /// What stands there.
        rest: String,
    },
    /// A line break or another control character where none can be.
    #[error("{text:?} holds a control character: type the link again")]
    ControlCharacter {
        /// The text.
        text: String,
    },
    /// A pacing that there is not.
    #[error("the pacing {text:?} is not known: use pacing=stepwise, or pacing=whole, which is the default")]
    Pacing {
        /// What stands there.
        text: String,
    },
    /// Faults that are not understood, or that this link cannot have.
    #[cfg(feature = "sim")]
    #[error(transparent)]
    Faults(#[from] FaultError),
    /// A link of a kind that this program was built without.
    #[error("this program was built without links of {scheme}: build it with that feature of scopething")]
    NotBuilt {
        /// The scheme, which is also the name of the feature.
        scheme: &'static str,
    },
}

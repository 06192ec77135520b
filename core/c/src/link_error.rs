//! Why a link of the caller's functions fails.

use core::fmt;

use embedded_io::{Error, ErrorKind};

/// Why the caller's functions do not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkError {
    /// Nothing has come, or there is no room yet: the driver's adapters wait on it.
    NotYet,
    Closed,
    LostBytes,
    /// A number that means nothing.
    Unknown(i32),
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYet => f.write_str("nothing has come"),
            Self::Closed => f.write_str("it is gone: open it anew"),
            Self::LostBytes => f.write_str("bytes were lost: try again"),
            Self::Unknown(returned) => {
                write!(f, "its function returned {returned}, which is neither a number of bytes nor an error")
            }
        }
    }
}

impl core::error::Error for LinkError {}

impl Error for LinkError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotYet => ErrorKind::TimedOut,
            Self::Closed => ErrorKind::BrokenPipe,
            Self::LostBytes => ErrorKind::InvalidData,
            Self::Unknown(_) => ErrorKind::Other,
        }
    }
}

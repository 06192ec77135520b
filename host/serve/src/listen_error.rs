//! Why an address cannot be listened on, or no longer.

use std::io;

use thiserror::Error;

/// Why clients cannot connect.
#[derive(Debug, Error)]
pub enum ListenError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {cause}; give an address such as 127.0.0.1:0")]
    Bind {
        /// The address requested.
        address: String,
        /// The system's error.
        #[source]
        cause: io::Error,
    },
    /// A listener broke.
    #[error("cannot serve any longer: {0}")]
    Broken(#[source] io::Error),
}

impl ListenError {
    /// Whether the address is none at all, rather than one that is taken or another machine's.
    #[must_use]
    pub fn is_of_form(&self) -> bool {
        matches!(self, Self::Bind { cause, .. } if cause.kind() == io::ErrorKind::InvalidInput)
    }

    /// What an address that cannot be listened on makes of the system's reason.
    pub(super) fn at(address: &str) -> impl Fn(io::Error) -> Self + '_ {
        move |cause| Self::Bind { address: address.to_owned(), cause }
    }
}

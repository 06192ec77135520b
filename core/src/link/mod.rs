//! Byte formats that a computer and a microcontroller share on their links to a BitScope: packets, not
//! sockets.
//!
//! [`bitscope_server`] is the vendor's protocol over UDP. What opens sockets and ports is the host's `link`
//! module.

pub mod bitscope_server;
#[cfg(feature = "bridge")]
pub mod bridge;

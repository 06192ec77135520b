//! The host and the port of a link.

use std::fmt;
use std::net::Ipv6Addr;

use super::UrlError;

/// A host and a port of it. Its text is `host:port`, or `[host]:port` for an IPv6 address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// The port, not 0.
    pub port: u16,
}

impl HostPort {
    /// What follows `scheme:`.
    pub(super) fn parse(scheme: &'static str, rest: &str, usual_port: Option<u16>) -> Result<Self, UrlError> {
        let authority = rest.strip_prefix("//").ok_or(UrlError::NoHost { scheme })?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = split_port(authority);
        if host.is_empty() {
            return Err(UrlError::NoHost { scheme });
        }
        let bare =
            host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).filter(|host| is_ipv6(host));
        let Some(bare) = bare.or_else(|| is_host_name(host).then_some(host)) else {
            return Err(UrlError::BadHost { host: host.to_owned() });
        };
        let port = match port {
            Some(port) => parse_port(port)?,
            None => usual_port.ok_or_else(|| UrlError::NoPort { scheme, host: host.to_owned() })?,
        };
        Ok(Self { host: bare.to_owned(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Host and port. Colons that are neither ahead of a port nor in brackets stay with the host, which they
/// spoil.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    let split = match authority.rfind(']') {
        Some(bracket) => authority.split_at(bracket + 1),
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    match split {
        (host, "") => (host, None),
        (host, behind) => match behind.strip_prefix(':').filter(|port| !port.contains(':')) {
            Some(port) => (host, Some(port)),
            None => (authority, None),
        },
    }
}

/// Letters of any script, digits, `-`, `_` and `.`: what resolvers take. A colon or a slash never is one.
fn is_host_name(text: &str) -> bool {
    text.chars().all(|char| char.is_alphanumeric() || "-_.".contains(char))
}

/// An IPv6 address, with an interface behind a percent sign if need be (`fe80::1%eth0`).
fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, "0"));
    address.parse::<Ipv6Addr>().is_ok() && !zone.is_empty() && is_host_name(zone)
}

fn parse_port(text: &str) -> Result<u16, UrlError> {
    let number = text.parse().ok().filter(|port| *port != 0 && !text.starts_with('+'));
    number.ok_or_else(|| UrlError::BadPort { port: text.to_owned() })
}

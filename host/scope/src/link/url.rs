//! The texts that name a link, as users type them after `--url`.
//!
//! | text | link |
//! | --- | --- |
//! | nothing | the first serial port with a BitScope's USB id |
//! | `/dev/ttyUSB0`, `COM3`, `file:///dev/ttyUSB0`, `socket:///dev/ttyUSB0` | that serial port |
//! | `socket://host:port` | a raw TCP stream to a device |
//! | `bitscope-server://host:port` | UDP, port 16385 if none is given |
//! | `bridge://host:port`, `bridge:///dev/ttyUSB0`, `bridge://COM3` | an RP2040 bridge, and the device behind it |
//! | `bridge:///dev/ttyUSB0@115200` | the same, whose firmware was built for another baud rate than 1 Mbaud |
//! | `sim:`, `sim:?A=sine,1kHz` | the simulated device |
//! | any of the others with `?faults=drop@120&seed=1` behind it | that link with [faults](scopething_sim::faults) |
//! | any of all these with `?pacing=stepwise` behind it, `&` where there is a `?` already | that link, with [careful pacing](Pacing) |
//!
//! Schemes are read in any case. An IPv6 address stands in brackets. Nothing but faults is percent-decoded: a path is
//! a path, and the simulator reads its own query.
//!
//! This module opens nothing and resolves no names: that is [`open`](super::open).
//!
//! ```
//! use scopething::link::{HostPort, LinkUrl};
//!
//! let url: LinkUrl = "bitscope-server://scope.lan".parse()?;
//! assert_eq!(url, LinkUrl::BitscopeServer(HostPort { host: "scope.lan".into(), port: 16385 }));
//! assert_eq!(url.to_string(), "bitscope-server://scope.lan:16385");
//! # Ok::<(), scopething::link::UrlError>(())
//! ```

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use scopething_core::link::bitscope_server::DEFAULT_PORT;
use scopething_core::scope::Pacing;
use thiserror::Error;

#[cfg(feature = "sim")]
use scopething_sim::faults::{FaultError, StreamFaults};

/// Which link to a BitScope is meant.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum LinkUrl {
    /// The first serial port with a BitScope's USB id. Its text is empty.
    #[default]
    FirstSerial,
    /// A serial port by the name that the operating system has for it.
    Serial {
        /// An absolute path, `COM3`, or `\\.\COM10`.
        port: String,
    },
    /// A raw TCP stream.
    Socket(HostPort),
    /// A bitscope-server over UDP.
    BitscopeServer(HostPort),
    /// The device behind an RP2040 bridge.
    #[cfg(feature = "bridge")]
    Bridge(BridgePort),
    /// The simulated device inside this process.
    #[cfg(feature = "sim")]
    Sim {
        /// What follows the `?`, as it was typed; empty for none.
        query: String,
    },
    /// Another link, with faults.
    #[cfg(feature = "sim")]
    Faulty {
        /// The link: neither a simulated one, which has faults of its own, nor one with faults already.
        link: Box<LinkUrl>,
        /// What goes wrong, and not nothing.
        faults: StreamFaults,
    },
    /// Another link, over which the echo of each command that is not simple is waited for ([`Pacing::Stepwise`]).
    Stepwise {
        /// The link, which is not paced so itself.
        link: Box<LinkUrl>,
    },
}

/// A host and a port of it. Its text is `host:port`, or `[host]:port` for an IPv6 address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A name, an IPv4 address, or an IPv6 address without brackets.
    pub host: String,
    /// The port, not 0.
    pub port: u16,
}

/// Where the uplink of an RP2040 bridge is. Its text is that of the port or of the host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum BridgePort {
    /// A serial port of this computer.
    Serial {
        /// The name that the operating system has for it.
        port: String,
        /// Bits a second, not 0.
        baud_rate: u32,
    },
    /// A TCP stream: a serial server, or an emulated bridge.
    Socket(HostPort),
}

/// The bits a second of a bridge's UART, if its firmware was not built for others.
pub const BRIDGE_BAUD_RATE: u32 = 1_000_000;

impl fmt::Display for BridgePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial { port, baud_rate: BRIDGE_BAUD_RATE } => f.write_str(port),
            Self::Serial { port, baud_rate } => write!(f, "{port}@{baud_rate}"),
            Self::Socket(at) => at.fmt(f),
        }
    }
}

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

impl LinkUrl {
    /// The link that `text` names.
    ///
    /// # Errors
    ///
    /// [`UrlError`] reports what is wrong and what would be right.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        match split_pacing(text) {
            None => Self::parse_paced_whole(text),
            Some((link, pacing)) => Ok(Self::parse_paced_whole(&link)?.with_pacing(parse_pacing(pacing)?)),
        }
    }

    /// How scripts are handed to the device.
    #[must_use]
    pub fn pacing(&self) -> Pacing {
        if let Self::Stepwise { .. } = self { Pacing::Stepwise } else { Pacing::Whole }
    }

    /// The same link with another pacing.
    #[must_use]
    pub fn with_pacing(self, pacing: Pacing) -> Self {
        match (self, pacing) {
            (Self::Stepwise { link }, Pacing::Whole) => *link,
            (link @ Self::Stepwise { .. }, Pacing::Stepwise) | (link, Pacing::Whole) => link,
            (link, Pacing::Stepwise) => Self::Stepwise { link: link.into() },
        }
    }

    /// The same link with the usual pacing.
    #[must_use]
    pub fn as_paced_whole(&self) -> &Self {
        if let Self::Stepwise { link } = self { link } else { self }
    }

    #[cfg(not(feature = "sim"))]
    fn parse_paced_whole(text: &str) -> Result<Self, UrlError> {
        Self::parse_sound(text)
    }

    #[cfg(feature = "sim")]
    fn parse_paced_whole(text: &str) -> Result<Self, UrlError> {
        let Some((link, query)) = split_query(text) else { return Self::parse_sound(text) };
        match Self::parse_sound(link) {
            Ok(Self::Sim { .. }) | Err(_) => Self::parse_sound(text),
            // The question mark is part of the path.
            Ok(Self::Serial { .. }) if !StreamFaults::is_query(query) => Self::parse_sound(text),
            Ok(link) => {
                let faults = StreamFaults::from_query(query)?;
                Ok(if faults.is_empty() { link } else { Self::Faulty { link: link.into(), faults } })
            }
        }
    }

    /// The link itself, without faults and with the usual pacing.
    #[must_use]
    pub fn sound(&self) -> &Self {
        match self {
            #[cfg(feature = "sim")]
            Self::Faulty { link, .. } => link.sound(),
            Self::Stepwise { link } => link.sound(),
            link => link,
        }
    }

    /// Whether the scope is behind an RP2040 bridge.
    #[must_use]
    pub fn is_bridge(&self) -> bool {
        #[cfg(feature = "bridge")]
        return matches!(self.sound(), Self::Bridge(_));
        #[cfg(not(feature = "bridge"))]
        false
    }

    fn parse_sound(text: &str) -> Result<Self, UrlError> {
        if text.is_empty() {
            return Ok(Self::FirstSerial);
        }
        if is_serial_port(text) {
            return serial(text);
        }
        let Some((scheme, rest)) = text.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) else {
            return Err(UrlError::NotALink { text: text.to_owned() });
        };
        match scheme.to_ascii_lowercase().as_str() {
            "file" => file(rest),
            "socket" => match rest.strip_prefix("//") {
                Some(path) if path.starts_with('/') => serial(path),
                _ => Ok(Self::Socket(HostPort::parse("socket", rest, None)?)),
            },
            "bitscope-server" => {
                Ok(Self::BitscopeServer(HostPort::parse("bitscope-server", rest, Some(DEFAULT_PORT))?))
            }
            #[cfg(feature = "bridge")]
            "bridge" => bridge(rest),
            #[cfg(not(feature = "bridge"))]
            "bridge" => Err(UrlError::NotBuilt { scheme: "bridge" }),
            #[cfg(feature = "sim")]
            "sim" => simulated(rest),
            #[cfg(not(feature = "sim"))]
            "sim" => Err(UrlError::NotBuilt { scheme: "sim" }),
            // `host:port` reads as a scheme and a rest: what is missing there is the scheme.
            _ if rest.starts_with("//") => Err(UrlError::UnknownScheme { scheme: scheme.to_owned() }),
            _ => Err(UrlError::NotALink { text: text.to_owned() }),
        }
    }
}

impl FromStr for LinkUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        Self::parse(text)
    }
}

impl fmt::Display for LinkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstSerial => Ok(()),
            Self::Serial { port } => f.write_str(port),
            Self::Socket(at) => write!(f, "socket://{at}"),
            Self::BitscopeServer(at) => write!(f, "bitscope-server://{at}"),
            #[cfg(feature = "bridge")]
            Self::Bridge(port) => write!(f, "bridge://{port}"),
            #[cfg(feature = "sim")]
            Self::Sim { query } if query.is_empty() => f.write_str("sim:"),
            #[cfg(feature = "sim")]
            Self::Sim { query } => write!(f, "sim:?{query}"),
            #[cfg(feature = "sim")]
            Self::Faulty { link, faults } => write!(f, "{link}?{faults}"),
            Self::Stepwise { link } => {
                let link = link.to_string();
                let joint = if link.contains('?') { '&' } else { '?' };
                write!(f, "{link}{joint}{PACING}stepwise")
            }
        }
    }
}

impl HostPort {
    /// What follows `scheme:`.
    fn parse(scheme: &'static str, rest: &str, usual_port: Option<u16>) -> Result<Self, UrlError> {
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

/// The setting of a link's query that selects how scripts are handed to the device.
const PACING: &str = "pacing=";

/// A link without its pacing, and the pacing, if it has one.
fn split_pacing(text: &str) -> Option<(String, &str)> {
    let query = text.find('?')? + 1;
    let is_joint = |at: usize| matches!(text.as_bytes().get(at.wrapping_sub(1)), Some(b'?' | b'&'));
    let found = |(at, _): (usize, &str)| (at >= query && is_joint(at)).then_some(at);
    let start = text.match_indices(PACING).find_map(found)?;
    let rest = &text[start..];
    let (pacing, behind) = rest.split_once('&').unwrap_or((rest, ""));
    let ahead = &text[..start];
    let link = if behind.is_empty() { ahead[..start - 1].to_owned() } else { format!("{ahead}{behind}") };
    Some((link, &pacing[PACING.len()..]))
}

fn parse_pacing(text: &str) -> Result<Pacing, UrlError> {
    match text {
        "whole" => Ok(Pacing::Whole),
        "stepwise" => Ok(Pacing::Stepwise),
        _ => Err(UrlError::Pacing { text: text.to_owned() }),
    }
}

/// A link and what stands behind its question mark: the first that faults follow, so that no fault is taken for part of
/// a path, or the first of all.
#[cfg(feature = "sim")]
fn split_query(text: &str) -> Option<(&str, &str)> {
    let splits = text.match_indices('?').map(|(at, _)| (&text[..at], &text[at + 1..]));
    splits.into_iter().find(|(_, query)| StreamFaults::is_query(query)).or_else(|| text.split_once('?'))
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

fn serial(port: &str) -> Result<LinkUrl, UrlError> {
    if port.contains(char::is_control) {
        return Err(UrlError::ControlCharacter { text: port.to_owned() });
    }
    Ok(LinkUrl::Serial { port: port.to_owned() })
}

#[cfg(feature = "bridge")]
fn bridge(rest: &str) -> Result<LinkUrl, UrlError> {
    let (name, baud_rate) = match rest.rsplit_once('@') {
        Some((name, rate)) if is_baud_rate(rate) => (name, rate.parse().unwrap_or(BRIDGE_BAUD_RATE)),
        _ => (rest, BRIDGE_BAUD_RATE),
    };
    let port = match name.strip_prefix("//") {
        Some(port) if is_serial_port(port) => match serial(port)? {
            LinkUrl::Serial { port } => BridgePort::Serial { port, baud_rate },
            other => return Ok(other),
        },
        _ => BridgePort::Socket(HostPort::parse("bridge", rest, None)?),
    };
    Ok(LinkUrl::Bridge(port))
}

fn file(rest: &str) -> Result<LinkUrl, UrlError> {
    let path = rest.strip_prefix("//").unwrap_or(rest);
    if !path.starts_with('/') {
        return Err(UrlError::NotAPath { path: path.to_owned() });
    }
    serial(path)
}

#[cfg(feature = "sim")]
fn simulated(rest: &str) -> Result<LinkUrl, UrlError> {
    let query = match rest {
        "" => "",
        _ => rest.strip_prefix('?').ok_or_else(|| UrlError::NotAQuery { rest: rest.to_owned() })?,
    };
    Ok(LinkUrl::Sim { query: query.to_owned() })
}

/// An absolute path, or a name of Windows: `COM3`, `\\.\COM10`.
fn is_serial_port(text: &str) -> bool {
    let com = |name: &str| {
        let number = name.get(..3).filter(|com| com.eq_ignore_ascii_case("COM")).and_then(|_| name.get(3..));
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit()))
    };
    text.starts_with('/') || com(text.strip_prefix(r"\\.\").unwrap_or(text))
}

#[cfg(feature = "bridge")]
fn is_baud_rate(text: &str) -> bool {
    text.bytes().all(|digit| digit.is_ascii_digit()) && text.parse::<u32>().is_ok_and(|rate| rate > 0)
}

/// RFC 3986 section 3.1.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::fixed_seed::fixed_seed;

    fn serial(port: &str) -> LinkUrl {
        LinkUrl::Serial { port: port.to_owned() }
    }

    fn at(host: &str, port: u16) -> HostPort {
        HostPort { host: host.to_owned(), port }
    }

    #[test]
    fn every_form_of_the_table_is_understood() {
        let sim = |query: &str| LinkUrl::Sim { query: query.to_owned() };
        let bridge = LinkUrl::Bridge;
        let port = |port: &str, baud_rate| BridgePort::Serial { port: port.to_owned(), baud_rate };
        let forms = [
            ("", LinkUrl::FirstSerial),
            ("/dev/ttyUSB0", serial("/dev/ttyUSB0")),
            ("COM3", serial("COM3")),
            (r"\\.\com12", serial(r"\\.\com12")),
            ("file:///dev/ttyUSB0", serial("/dev/ttyUSB0")),
            ("file:/dev/ttyUSB0", serial("/dev/ttyUSB0")),
            ("socket:///dev/ttyUSB0", serial("/dev/ttyUSB0")),
            ("socket://localhost:5025", LinkUrl::Socket(at("localhost", 5025))),
            ("SOCKET://10.0.0.7:80/", LinkUrl::Socket(at("10.0.0.7", 80))),
            ("socket://[::1]:5025", LinkUrl::Socket(at("::1", 5025))),
            ("socket://[fe80::1%eth0]:1", LinkUrl::Socket(at("fe80::1%eth0", 1))),
            ("bitscope-server://lab", LinkUrl::BitscopeServer(at("lab", 16385))),
            ("bitscope-server://lab:15500", LinkUrl::BitscopeServer(at("lab", 15500))),
            ("bitscope-server://[fd00::2]", LinkUrl::BitscopeServer(at("fd00::2", 16385))),
            ("bridge://localhost:5026", bridge(BridgePort::Socket(at("localhost", 5026)))),
            ("bridge:///dev/ttyUSB1", bridge(port("/dev/ttyUSB1", 1_000_000))),
            ("bridge://COM4@115200", bridge(port("COM4", 115_200))),
            ("bridge:///dev/by@id", bridge(port("/dev/by@id", 1_000_000))),
            ("sim:", sim("")),
            ("sim:?", sim("")),
            ("sim:?A=sine,1kHz&B=file:x.sr%23ana1", sim("A=sine,1kHz&B=file:x.sr%23ana1")),
            ("sim:?B=file:a?b.csv&faults=drop@3", sim("B=file:a?b.csv&faults=drop@3")),
            ("/dev/a?b", serial("/dev/a?b")),
            ("/dev/ttyUSB0?seed=1", serial("/dev/ttyUSB0")),
        ];
        for (text, url) in forms {
            assert_eq!(LinkUrl::parse(text), Ok(url), "{text}");
        }
    }

    #[test]
    fn errors_name_the_fault() {
        let owned = str::to_owned;
        let wrong = [
            ("ttyUSB0", UrlError::NotALink { text: owned("ttyUSB0") }),
            ("COM", UrlError::NotALink { text: owned("COM") }),
            ("localhost:5025", UrlError::NotALink { text: owned("localhost:5025") }),
            ("http://localhost", UrlError::UnknownScheme { scheme: owned("http") }),
            ("file://dev/ttyUSB0", UrlError::NotAPath { path: owned("dev/ttyUSB0") }),
            ("socket:localhost:1", UrlError::NoHost { scheme: "socket" }),
            ("socket://:80", UrlError::NoHost { scheme: "socket" }),
            ("socket://lab", UrlError::NoPort { scheme: "socket", host: owned("lab") }),
            ("socket://lab:", UrlError::BadPort { port: String::new() }),
            ("socket://lab:0", UrlError::BadPort { port: owned("0") }),
            ("socket://lab:+80", UrlError::BadPort { port: owned("+80") }),
            ("socket://lab:65536", UrlError::BadPort { port: owned("65536") }),
            ("socket://::1:80", UrlError::BadHost { host: owned("::1:80") }),
            ("socket://fe80::1:80", UrlError::BadHost { host: owned("fe80::1:80") }),
            ("socket://[::1", UrlError::BadHost { host: owned("[::1") }),
            ("socket://[lab]:80", UrlError::BadHost { host: owned("[lab]") }),
            ("socket://[::1]80", UrlError::BadHost { host: owned("[::1]80") }),
            ("socket://me@lab:80", UrlError::BadHost { host: owned("me@lab") }),
            ("bitscope-server:///dev/ttyUSB0", UrlError::BadHost { host: owned("/dev/ttyUSB0") }),
            ("bridge://lab", UrlError::NoPort { scheme: "bridge", host: owned("lab") }),
            ("bridge:COM4", UrlError::NoHost { scheme: "bridge" }),
            ("sim://", UrlError::NotAQuery { rest: owned("//") }),
            ("socket://lab:80?fault=drop@3", UrlError::Faults(FaultError::Key { text: owned("fault") })),
            ("COM3?faults=reboot@3", UrlError::Faults(FaultError::InDevice { name: "reboot" })),
            ("/dev/ttyUSB0?faults=lose@3", UrlError::Faults(FaultError::OfDatagrams { name: "lose" })),
            (
                "/dev/tty?faults=drop@3?faults=",
                UrlError::Faults(FaultError::When { text: owned("3?faults=") }),
            ),
            ("sim:?pacing=fast", UrlError::Pacing { text: owned("fast") }),
            ("/dev/ttyUSB0?pacing=", UrlError::Pacing { text: String::new() }),
            ("?seed=x", UrlError::Faults(FaultError::Seed { text: owned("x") })),
            ("/dev/tty\n", UrlError::ControlCharacter { text: owned("/dev/tty\n") }),
        ];
        for (text, error) in wrong {
            assert_eq!(LinkUrl::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn an_error_tells_what_would_be_right() {
        let error = LinkUrl::parse("socket://[::1]").unwrap_err();
        assert_eq!(error.to_string(), "socket needs a port, as in socket://[::1]:16385");
    }

    #[test]
    fn real_links_accept_stream_faults() {
        for text in
            ["", "/dev/ttyUSB0", "/dev/a?b", "COM3", "socket://lab:80", "bitscope-server://[::1]:15500"]
        {
            let faulty = format!("{text}?faults=corrupt@1%25;burst:40&seed=7");
            let url = LinkUrl::parse(&faulty).unwrap();
            assert_eq!((url.to_string(), url.sound().to_string()), (faulty, text.to_owned()));
            assert_eq!(LinkUrl::parse(&format!("{text}?seed=7&faults=corrupt@1%;burst:40")), Ok(url));
        }
    }

    #[test]
    fn any_link_is_paced_stepwise_by_its_query() {
        for (link, paced) in [
            ("", "?pacing=stepwise"),
            ("/dev/ttyUSB0", "/dev/ttyUSB0?pacing=stepwise"),
            ("/dev/a?b", "/dev/a?b&pacing=stepwise"),
            ("COM3", "COM3?pacing=stepwise"),
            ("socket://lab:80", "socket://lab:80?pacing=stepwise"),
            ("bitscope-server://[::1]:15500", "bitscope-server://[::1]:15500?pacing=stepwise"),
            ("bridge:///dev/ttyACM0@115200", "bridge:///dev/ttyACM0@115200?pacing=stepwise"),
            ("sim:", "sim:?pacing=stepwise"),
            ("sim:?A=dc,1V&seed=2", "sim:?A=dc,1V&seed=2&pacing=stepwise"),
            ("COM3?faults=drop@3&seed=7", "COM3?faults=drop@3&seed=7&pacing=stepwise"),
        ] {
            let url = LinkUrl::parse(paced).unwrap();
            assert_eq!(url.to_string(), paced);
            assert_eq!(url.pacing(), Pacing::Stepwise);
            assert_eq!(url.as_paced_whole(), &LinkUrl::parse(link).unwrap(), "{paced}");
        }
        let ahead = LinkUrl::parse("sim:?pacing=stepwise&A=dc,1V").unwrap();
        assert_eq!(ahead.to_string(), "sim:?A=dc,1V&pacing=stepwise");
        assert_eq!(LinkUrl::parse("COM3?pacing=whole"), LinkUrl::parse("COM3"));
        // Not behind a question mark: part of the path.
        assert_eq!(LinkUrl::parse("/dev/a&pacing=stepwise"), Ok(serial("/dev/a&pacing=stepwise")));
    }

    fn any_host_port() -> impl Strategy<Value = HostPort> {
        let ipv6 = any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).to_string());
        let host = prop_oneof!["[a-z0-9]([-a-z0-9_.]{0,20})", ipv6];
        (host, 1..=u16::MAX).prop_map(|(host, port)| HostPort { host, port })
    }

    fn any_url() -> impl Strategy<Value = LinkUrl> {
        prop_oneof![
            Just(LinkUrl::FirstSerial),
            "/[^\\pC]{0,30}|COM[0-9]{1,3}".prop_map(|port| LinkUrl::Serial { port }),
            any_host_port().prop_map(LinkUrl::Socket),
            any_host_port().prop_map(LinkUrl::BitscopeServer),
            any_host_port().prop_map(|at| LinkUrl::Bridge(BridgePort::Socket(at))),
            ("/[^\\pC?@]{0,30}", 1..=u32::MAX)
                .prop_map(|(port, baud_rate)| LinkUrl::Bridge(BridgePort::Serial { port, baud_rate })),
            "\\PC{0,40}".prop_map(|query| LinkUrl::Sim { query }),
        ]
    }

    proptest! {
        #![proptest_config(fixed_seed(1000))]

        #[test]
        fn a_link_is_read_back_from_its_text(url in any_url()) {
            prop_assert_eq!(LinkUrl::parse(&url.to_string()), Ok(url));
        }

        #[test]
        fn any_text_round_trips_or_is_refused(
            text in "(file|socket|bitscope-server|bridge|sim|COM|[a-z]*)?:?/{0,3}\\[?\\PC{0,20}\\]?(:[0-9]{0,6})?\
                |.{0,30}"
        ) {
            if let Ok(url) = LinkUrl::parse(&text) {
                prop_assert_eq!(LinkUrl::parse(&url.to_string()), Ok(url));
            }
        }
    }
}

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

mod error;
mod host_port;

use std::fmt;
use std::str::FromStr;

use scopething_core::link::bitscope_server::DEFAULT_PORT;
use scopething_core::scope::Pacing;

pub use self::error::UrlError;
pub use self::host_port::HostPort;
#[cfg(feature = "sim")]
use scopething_sim::faults::StreamFaults;

/// Which link to a BitScope is meant.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum LinkUrl {
    /// The first serial port with a BitScope's USB id; where several have it, as adaptors with an FT232 do, the first at which a
    /// BitScope answers. Its text is empty.
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

#[cfg(test)]
mod tests;

//! Who may connect: this machine always, others by their network.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use thiserror::Error;

/// The bits of an IPv6 address before the IPv4 address that it maps.
const MAPPED_BITS: u8 = 96;

/// A network whose clients are served: `192.168.1.0/24`, or a single address.
///
/// IPv4 addresses mapped into IPv6 (`::ffff:10.0.0.0/104`) are the IPv4 addresses that they map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

/// Why a text names no network.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NetworkError {
    /// It is neither a network nor an address.
    #[error(
        "{0:?} is no network: write it like 192.168.1.0/24, fd00::/8, or a single address such as 192.168.1.7"
    )]
    Text(String),
    /// Part of it are IPv4 addresses mapped into IPv6.
    #[error("{0} is in part IPv4 and in part IPv6: name each network by itself, IPv4 such as 10.0.0.0/8")]
    Mixed(IpNet),
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let single = || text.parse().map(|address: IpAddr| IpNet::from(address));
        let network: IpNet =
            text.parse().or_else(|_| single()).map_err(|_| NetworkError::Text(text.to_owned()))?;
        let IpNet::V6(wide) = network else { return Ok(Self(network)) };
        let mapped = wide.network().to_ipv4_mapped();
        match (mapped, wide.prefix_len().checked_sub(MAPPED_BITS)) {
            (Some(address), Some(length)) => Ipv4Net::new(address, length)
                .map(|narrow| Self(narrow.into()))
                .map_err(|_| NetworkError::Text(text.to_owned())),
            // What holds all of the mapped range beside others of its neighbourhood can only be a mistake.
            (_, None)
                if wide.prefix_len() > 0
                    && wide.contains(&std::net::Ipv4Addr::UNSPECIFIED.to_ipv6_mapped()) =>
            {
                Err(NetworkError::Mixed(network))
            }
            _ => Ok(Self(network)),
        }
    }
}

/// The networks whose clients are served, beside this machine.
///
/// ```
/// use scopething_serve::Allow;
///
/// let allow = Allow::new(vec!["192.168.1.0/24".parse()?]);
/// assert!(allow.admits([192, 168, 1, 7].into()) && allow.admits([127, 0, 0, 1].into()));
/// assert!(!allow.admits([192, 0, 2, 7].into()));
/// # Ok::<(), scopething_serve::NetworkError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow {
    networks: Vec<Network>,
}

impl Allow {
    /// These networks.
    #[must_use]
    pub fn new(networks: Vec<Network>) -> Self {
        Self { networks }
    }

    /// Whether a network has machines that are allowed.
    pub(crate) fn overlaps(&self, network: IpNet) -> bool {
        self.networks.iter().any(|Network(allowed)| allowed.contains(&network) || network.contains(allowed))
    }

    /// Whether only this machine is allowed.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.networks.is_empty()
    }

    /// Whether a client with this address is served.
    #[must_use]
    pub fn admits(&self, address: IpAddr) -> bool {
        // An IPv4 client of an IPv6 socket has its address in another form.
        let address = address.to_canonical();
        address.is_loopback()
            || self.networks.iter().any(|Network(network)| network.contains(&address))
            || is_own(address)
    }
}

/// Whether an address is one of this machine's: the way there then begins at the same address.
fn is_own(address: IpAddr) -> bool {
    let unspecified: IpAddr = if address.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let route = UdpSocket::bind(SocketAddr::new(unspecified, 0)).and_then(|socket| {
        // Nothing is sent: the system only looks up the route.
        socket.connect(SocketAddr::new(address, 9))?;
        socket.local_addr()
    });
    route.is_ok_and(|from| from.ip() == address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_addresses_are_the_ones_they_map() {
        let allow = Allow::new(vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]);
        for (address, admitted) in [
            ("::ffff:10.1.2.3", true),
            ("::ffff:127.0.0.1", true),
            ("::1", true),
            ("fd12::1", true),
            ("11.0.0.1", false),
            ("fe80::1", false),
        ] {
            assert_eq!(allow.admits(address.parse().unwrap()), admitted, "{address}");
        }
    }

    #[test]
    fn network_is_understood_or_refused() {
        for (text, inside, outside) in [
            ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
            ("::ffff:10.1.2.3", "10.1.2.3", "10.1.2.4"),
            ("::/0", "fd00::1", "10.1.2.3"),
        ] {
            let allow = Allow::new(vec![text.parse().unwrap()]);
            assert!(allow.admits(inside.parse().unwrap()), "{inside} is in {text}");
            assert!(!allow.admits(outside.parse().unwrap()), "{outside} is not in {text}");
        }
        assert!(matches!("::ffff:0:0/90".parse::<Network>(), Err(NetworkError::Mixed(_))));
        for text in ["", "10.0.0.0/33", "example.org", "10.0.0"] {
            assert_eq!(text.parse::<Network>(), Err(NetworkError::Text(text.to_owned())));
        }
    }

    #[test]
    fn own_addresses_are_this_machine() {
        assert!(is_own([127, 0, 0, 1].into()));
        // Kept for benchmarks (RFC 2544): nobody has it.
        assert!(!is_own([198, 18, 0, 1].into()));
    }
}

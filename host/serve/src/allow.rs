//! Who may connect: this machine always, others by their network.

use std::net::IpAddr;

use ipnet::IpNet;

/// The networks whose clients are served, beside this machine.
///
/// ```
/// use scopething_serve::Allow;
///
/// let allow = Allow::new(vec!["192.168.1.0/24".parse()?]);
/// assert!(allow.admits([192, 168, 1, 7].into()) && allow.admits([127, 0, 0, 1].into()));
/// assert!(!allow.admits([192, 168, 2, 7].into()));
/// # Ok::<(), ipnet::AddrParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Allow {
    networks: Vec<IpNet>,
}

impl Allow {
    /// These networks.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self { networks }
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
        address.is_loopback() || self.networks.iter().any(|network| network.contains(&address))
    }
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
}

//! Finding each other in the local network: multicast DNS (RFC 6762) with service discovery (RFC 6763).
//!
//! A [`Server`](crate::Server) that other machines may reach announces its services, at the interfaces of networks that are
//! allowed; [`find`] asks for those of others.
//!
//! | service | is announced as |
//! | --- | --- |
//! | emulated instruments with lines of SCPI | `_scpi-raw._tcp` |
//! | the page for browsers | `_http._tcp` |
//! | the device itself | `_bitscope._tcp`, `_bitscope._udp` (bitscope-server) |
//!
//! `_lxi._tcp` is not among them: LXI asks of a device that has it for VXI-11 and a page of identification.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use if_addrs::IfAddr;
use ipnet::IpNet;
use mdns_sd::{
    IfKind, IfPredicate, MDNS_PORT, Receiver, ResolvedService, ServiceDaemon, ServiceEvent, ServiceInfo,
};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use crate::allow::Allow;
use crate::network::Addresses;

/// How long the farewell of what was announced may take at the end.
const FAREWELL_TIMEOUT: Duration = Duration::from_millis(500);
/// Who announces: others have other values.
const PROGRAM: &str = "scopething";
/// The most services of a kind that are reported: a network that answers with more is no network of oscilloscopes.
const MAX_FOUND: usize = 256;

/// Why nothing can be announced or found.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("multicast DNS does not work here ({0}): others have to be given the address")]
pub struct DiscoveryError(String);

impl From<mdns_sd::Error> for DiscoveryError {
    fn from(error: mdns_sd::Error) -> Self {
        Self(error.to_string())
    }
}

/// A kind of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The device itself, over TCP.
    Tcp,
    /// The device itself, as a bitscope-server.
    BitscopeServer,
    /// A page for browsers.
    Page,
    /// An instrument with lines of SCPI.
    Scpi,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::BitscopeServer, Self::Page, Self::Scpi];

    /// The name of the service in DNS.
    fn domain(self) -> &'static str {
        match self {
            Self::Tcp => "_bitscope._tcp.local.",
            Self::BitscopeServer => "_bitscope._udp.local.",
            Self::Page => "_http._tcp.local.",
            Self::Scpi => "_scpi-raw._tcp.local.",
        }
    }
}

/// What an emulated or the real device answers for itself.
struct Identity {
    name: &'static str,
    manufacturer: &'static str,
    model: &'static str,
}

/// A service that is to be announced.
struct Service {
    kind: Kind,
    address: SocketAddr,
    identity: Identity,
}

/// What of these addresses other programs can use.
fn services(addresses: &Addresses) -> Vec<Service> {
    const BITSCOPE: (&str, &str) = ("BitScope Designs", "BitScope Micro");
    let own = |name| Identity { name, manufacturer: BITSCOPE.0, model: BITSCOPE.1 };
    let hameg = Identity { name: "hmo", manufacturer: "HAMEG", model: "HMO1002" };
    let rigol = Identity { name: "rigol", manufacturer: "RIGOL TECHNOLOGIES", model: "MSO2072A" };
    let all = [
        (Kind::Tcp, addresses.tcp, own("device")),
        (Kind::BitscopeServer, addresses.bitscope_server, own("bitscope-server")),
        (Kind::Page, addresses.web, own("page")),
        (Kind::Scpi, addresses.hmo, hameg),
        (Kind::Scpi, addresses.rigol, rigol),
    ];
    let given = all.into_iter().filter_map(|(kind, address, identity)| Some((kind, address?, identity)));
    given
        .filter(|(_, address, _)| !address.ip().is_loopback())
        .map(|(kind, address, identity)| Service { kind, address, identity })
        .collect()
}

/// What is announced, until it is dropped.
pub(crate) struct Announcement {
    daemon: ServiceDaemon,
}

impl Announcement {
    /// Announces the services that other machines reach, where their networks are allowed; none where there is no such service.
    pub(crate) fn of(
        addresses: &Addresses,
        serial: &str,
        allow: &Allow,
    ) -> Result<Option<Self>, DiscoveryError> {
        let services = services(addresses);
        if allow.is_local() || services.is_empty() {
            return Ok(None);
        }
        let daemon = ServiceDaemon::new()?;
        let allow = allow.clone();
        let is_allowed = move |address: &IfAddr| !address.ip().is_loopback() && is_at(address, &allow);
        Self::start(daemon, &services, serial, is_allowed).map(Some)
    }

    fn start(
        daemon: ServiceDaemon,
        services: &[Service],
        serial: &str,
        interfaces: impl Fn(&IfAddr) -> bool + Send + Sync + 'static,
    ) -> Result<Self, DiscoveryError> {
        daemon.disable_interface(IfKind::All)?;
        daemon.enable_interface(IfKind::Predicate(IfPredicate::new(move |interface| {
            interfaces(&interface.addr)
        })))?;
        let announcement = Self { daemon };
        for service in services {
            announcement.daemon.register(info(service, serial)?)?;
        }
        Ok(announcement)
    }
}

impl Drop for Announcement {
    fn drop(&mut self) {
        // Those who know of it learn that it is gone.
        if let Ok(ended) = self.daemon.shutdown() {
            let _ = ended.recv_timeout(FAREWELL_TIMEOUT);
        }
    }
}

/// Whether an interface is in a network that is allowed, or has one that is.
fn is_at(address: &IfAddr, allow: &Allow) -> bool {
    let length = match address {
        IfAddr::V4(address) => address.prefixlen,
        IfAddr::V6(address) => address.prefixlen,
    };
    IpNet::new(address.ip(), length).is_ok_and(|network| allow.overlaps(network))
}

fn info(service: &Service, serial: &str) -> Result<ServiceInfo, DiscoveryError> {
    let Identity { name, manufacturer, model } = service.identity;
    // The keys of LXI, with what `*IDN?` answers.
    let properties = [
        ("txtvers", "1"),
        ("Manufacturer", manufacturer),
        ("Model", model),
        ("SerialNumber", serial),
        ("program", PROGRAM),
        ("service", name),
        ("path", "/"),
    ];
    let is_page = service.kind == Kind::Page;
    let properties: Vec<(&str, &str)> =
        properties.into_iter().filter(|(key, _)| *key != "path" || is_page).collect();
    let label: String = serial.chars().filter(char::is_ascii_alphanumeric).collect();
    let host = format!("{PROGRAM}-{}.local.", label.to_ascii_lowercase());
    let instance = format!("BitScope {serial} ({name})");
    let ip = service.address.ip();
    let addresses: &[IpAddr] = if ip.is_unspecified() { &[] } else { &[ip] };
    let info = ServiceInfo::new(
        service.kind.domain(),
        &instance,
        &host,
        addresses,
        service.address.port(),
        properties.as_slice(),
    )?;
    Ok(if ip.is_unspecified() { info.enable_addr_auto() } else { info })
}

/// A service of this program that was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// What it is.
    pub kind: Kind,
    /// Where it is reached.
    pub address: SocketAddr,
    /// As what the device identifies itself there.
    pub model: String,
    /// The device's serial number.
    pub serial: String,
}

/// Asks the networks that this machine is in for services of this program, and collects what answers within a time.
///
/// # Errors
/// [`DiscoveryError`] where multicast is not possible.
pub async fn find(wait: Duration) -> Result<Vec<Found>, DiscoveryError> {
    find_by(&ServiceDaemon::new_with_port(MDNS_PORT)?, wait).await
}

async fn find_by(daemon: &ServiceDaemon, wait: Duration) -> Result<Vec<Found>, DiscoveryError> {
    let until = Instant::now() + wait;
    let mut browsed = Vec::new();
    for kind in Kind::ALL {
        browsed.push((kind, daemon.browse(kind.domain())?));
    }
    // All at once: a receiver that is not emptied is given up.
    let found = join_all(browsed.iter().map(|(kind, events)| collect(*kind, events, until))).await;
    let ended = daemon.shutdown()?;
    let _ = timeout_at(Instant::now() + FAREWELL_TIMEOUT, ended.recv_async()).await;
    let found: BTreeSet<Found> = found.into_iter().flatten().collect();
    Ok(found.into_iter().collect())
}

/// Takes what comes for a kind until a time.
async fn collect(kind: Kind, events: &Receiver<ServiceEvent>, until: Instant) -> BTreeSet<Found> {
    let mut found = BTreeSet::new();
    while let Ok(Ok(event)) = timeout_at(until, events.recv_async()).await {
        if let ServiceEvent::ServiceResolved(service) = event
            && found.len() < MAX_FOUND
        {
            found.extend(of_service(kind, &service));
        }
    }
    found
}

fn of_service(kind: Kind, service: &ResolvedService) -> Option<Found> {
    let text = |key: &str| service.get_property_val_str(key).unwrap_or_default().to_owned();
    if text("program") != PROGRAM {
        return None;
    }
    // Addresses of IPv6 that hold at one link alone cannot be written down for other programs.
    let is_usable = |ip: &IpAddr| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
    let ips = service.addresses.iter().map(mdns_sd::ScopedIp::to_ip_addr).filter(is_usable);
    let ip = ips.min_by_key(|ip| (ip.is_ipv6(), *ip))?;
    Some(Found {
        kind,
        address: SocketAddr::new(ip, service.port),
        model: text("Model"),
        serial: text("SerialNumber"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A port of its own: the real one belongs to the machine that tests run on.
    const PORT: u16 = 25_353;

    fn addresses(text: &str) -> Addresses {
        let at = |port| Some(SocketAddr::new(text.parse().unwrap(), port));
        Addresses {
            bitscope_server: at(1),
            tcp: at(2),
            hmo: at(3),
            rigol: at(4),
            rigol_framed: at(5),
            twinlan: at(6),
            web: at(7),
        }
    }

    #[test]
    fn only_what_others_reach_is_announced() {
        let ports =
            |text| services(&addresses(text)).iter().map(|one| one.address.port()).collect::<Vec<u16>>();
        assert_eq!(ports("0.0.0.0"), [2, 1, 7, 3, 4]);
        assert_eq!(ports("::"), [2, 1, 7, 3, 4]);
        assert!(ports("127.0.0.1").is_empty() && ports("::1").is_empty());
        let local = Announcement::of(&addresses("0.0.0.0"), "1", &Allow::default()).unwrap();
        assert!(local.is_none(), "nobody else is allowed");
    }

    #[test]
    fn interfaces_of_allowed_networks_are_used() {
        let allow = |text: &str| Allow::new(vec![text.parse().unwrap()]);
        let interface = |ip: [u8; 4], prefixlen: u8| {
            IfAddr::V4(if_addrs::Ifv4Addr {
                ip: ip.into(),
                netmask: ipnet::Ipv4Net::new(ip.into(), prefixlen).unwrap().netmask(),
                prefixlen,
                broadcast: None,
            })
        };
        let ours = interface([192, 168, 1, 5], 24);
        assert!(is_at(&ours, &allow("192.168.1.0/24")));
        assert!(is_at(&ours, &allow("192.168.1.77")), "one of its neighbours");
        assert!(is_at(&ours, &allow("192.168.0.0/16")));
        assert!(!is_at(&ours, &allow("10.0.0.0/8")));
        assert!(!is_at(&interface([203, 0, 113, 9], 24), &allow("192.168.1.0/24")));
    }

    /// Over the loopback interface, which every machine has.
    #[tokio::test]
    async fn what_is_announced_is_found() {
        let daemon = ServiceDaemon::new_with_port(PORT).unwrap();
        let services: Vec<Service> = services(&addresses("0.0.0.0"))
            .into_iter()
            .map(|service| Service {
                address: SocketAddr::new([127, 0, 0, 1].into(), service.address.port()),
                ..service
            })
            .collect();
        let announced = Announcement::start(daemon, &services, "BS001234", IfAddr::is_loopback).unwrap();
        let found = async {
            loop {
                let daemon = ServiceDaemon::new_with_port(PORT).unwrap();
                let found = find_by(&daemon, Duration::from_secs(1)).await.unwrap();
                if found.len() >= services.len() {
                    return found;
                }
            }
        };
        let found = tokio::time::timeout(Duration::from_secs(30), found).await.expect("what was announced");
        let expected = [
            (Kind::Tcp, 2, "BitScope Micro"),
            (Kind::BitscopeServer, 1, "BitScope Micro"),
            (Kind::Page, 7, "BitScope Micro"),
            (Kind::Scpi, 3, "HMO1002"),
            (Kind::Scpi, 4, "MSO2072A"),
        ];
        let expected = expected.map(|(kind, port, model)| Found {
            kind,
            address: SocketAddr::new([127, 0, 0, 1].into(), port),
            model: model.to_owned(),
            serial: "BS001234".to_owned(),
        });
        assert_eq!(found, expected);
        drop(announced);
    }
}

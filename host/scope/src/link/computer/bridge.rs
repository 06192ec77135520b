//! The device behind an RP2040 bridge: the bridge is asked to pass bytes through, and is a plain stream then.

use scopething_core::scope::{LinkProfile, Pacing};
use scopething_core::time::Micros;

use super::{DeviceLink, SerialLink, TcpLink};
use crate::bridge::Client;
use crate::link::{BridgePort, HostClock, Link, LinkClock, LinkUrl, OpenError, OpenLink};

/// Behind a bridge: its UART carries 100 kB/s at the most, and its BitScope answers within some milliseconds
/// more.
const PROFILE: LinkProfile = LinkProfile { round_trip: Micros::from_millis(500), ..LinkProfile::SERIAL };

/// Opens the link to a bridge itself, without a word to it. `url` is a `bridge:` one, with faults or without.
///
/// # Errors
///
/// As [`open`](super::open), and [`OpenError::NotABridge`].
///
/// # Cancellation
///
/// As [`open`](super::open).
pub async fn open_bridge(url: &LinkUrl) -> Result<OpenLink, OpenError> {
    match url {
        LinkUrl::Bridge(port) => open_port(port).await,
        #[cfg(feature = "sim")]
        LinkUrl::Faulty { link, faults } => Ok(Box::pin(open_bridge(link)).await?.with_faults(faults)),
        // The bridge itself is sent packets; how scripts are paced is its firmware's business.
        LinkUrl::Stepwise { link } => Box::pin(open_bridge(link)).await,
        other => Err(OpenError::NotABridge { url: other.to_string() }),
    }
}

async fn open_port(port: &BridgePort) -> Result<OpenLink, OpenError> {
    let link = match port {
        BridgePort::Serial { port, baud_rate } => {
            let baud_rate = *baud_rate;
            let opened = OpenLink::serial(port.clone(), move |port| SerialLink::open_at(port, baud_rate));
            let link = opened.await?;
            // Ten bits a byte, and a fifth for whatever the bridge does meanwhile.
            let bytes_per_second = (baud_rate / 10 / 5 * 4).min(PROFILE.bytes_per_second);
            let round_trip = link.profile.round_trip.max(PROFILE.round_trip);
            OpenLink { profile: LinkProfile { round_trip, bytes_per_second, ..PROFILE }, ..link }
        }
        BridgePort::Socket(at) => OpenLink {
            stream: Link::Device(DeviceLink::Tcp(TcpLink::connect(at).await?)),
            clock: LinkClock::Host(HostClock::new()),
            profile: LinkProfile { round_trip: LinkProfile::NETWORK.round_trip, ..PROFILE },
            pacing: Pacing::Whole,
        },
    };
    Ok(link)
}

/// Opens the link to the device behind a bridge.
pub(super) async fn open_passed_through(port: &BridgePort) -> Result<OpenLink, OpenError> {
    let OpenLink { stream, clock, profile, pacing } = open_port(port).await?;
    let mut client = Client::new(stream, clock.clone());
    client.pass_through(true).await?;
    Ok(OpenLink { stream: client.into_stream(), clock, profile, pacing })
}

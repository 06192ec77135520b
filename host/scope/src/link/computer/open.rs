//! Opening what a URL names.

use scopething_core::scope::{LinkProfile, Pacing};

#[cfg(feature = "bridge")]
use super::bridge;
use super::{DeviceLink, SerialLink, TcpLink, UdpLink, search};
use crate::link::{HostClock, Link, LinkClock, LinkUrl, OpenError, OpenLink};
#[cfg(feature = "sim")]
use scopething_sim::{ReadPlayback, SimConfig, no_files};

/// Opens the link that `url` names.
///
/// # Errors
///
/// [`OpenError`], within some 5 s; and 1.5 s for each port that is asked in vain whether it is the first BitScope, up to 4 s
/// where something talks without pause.
///
/// # Cancellation
///
/// Dropping the future opens nothing; a serial port that is being opened meanwhile is closed again.
pub async fn open(url: &LinkUrl) -> Result<OpenLink, OpenError> {
    let host = |device, profile| OpenLink {
        stream: Link::Device(device),
        clock: LinkClock::Host(HostClock::new()),
        profile,
        pacing: Pacing::Whole,
    };
    match url {
        LinkUrl::FirstSerial => OpenLink::serial(search::first_bitscope().await?, SerialLink::open).await,
        LinkUrl::Serial { port } => OpenLink::serial(port.clone(), SerialLink::open).await,
        LinkUrl::Socket(at) => Ok(host(DeviceLink::Tcp(TcpLink::connect(at).await?), LinkProfile::NETWORK)),
        LinkUrl::BitscopeServer(at) => {
            Ok(host(DeviceLink::Udp(Box::new(UdpLink::connect(at).await?)), UdpLink::PROFILE))
        }
        #[cfg(feature = "bridge")]
        LinkUrl::Bridge(port) => bridge::open_passed_through(port).await,
        #[cfg(feature = "sim")]
        LinkUrl::Sim { .. } | LinkUrl::Faulty { .. } => Box::pin(open_reading(url, no_files)).await,
        LinkUrl::Stepwise { link } => {
            Ok(OpenLink { pacing: Pacing::Stepwise, ..Box::pin(open(link)).await? })
        }
    }
}

/// As [`open`]; `read` is asked for the samples of a simulated signal that plays a file.
///
/// # Errors
///
/// As [`open`].
///
/// # Cancellation
///
/// As [`open`].
#[cfg(feature = "sim")]
pub async fn open_reading(url: &LinkUrl, read: ReadPlayback) -> Result<OpenLink, OpenError> {
    match url {
        LinkUrl::Sim { query } => open_sim(query, read),
        LinkUrl::Faulty { link, faults } => Ok(Box::pin(open_reading(link, read)).await?.with_faults(faults)),
        hardware => open(hardware).await,
    }
}

/// Finds out which link is meant in the end: [`LinkUrl::FirstSerial`] becomes the port that it is now. Where several ports have a
/// BitScope's USB id it connects to one after another, which resets a BitScope, until one answers.
///
/// # Errors
///
/// [`OpenError::NoBitScope`] and [`OpenError::NoPortList`]; where several ports were asked in vain, why one of them does not open,
/// or else [`OpenError::NoneAnswers`].
pub async fn resolve(url: &LinkUrl) -> Result<LinkUrl, OpenError> {
    if *url.as_paced_whole() != LinkUrl::FirstSerial {
        return Ok(url.clone());
    }
    let port = search::first_bitscope().await?;
    Ok(LinkUrl::Serial { port }.with_pacing(url.pacing()))
}

#[cfg(feature = "sim")]
fn open_sim(query: &str, read: ReadPlayback) -> Result<OpenLink, OpenError> {
    let config = SimConfig::from_query_reading(query, read)?;
    Ok(OpenLink::simulated(&config))
}

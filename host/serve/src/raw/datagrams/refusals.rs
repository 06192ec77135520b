//! Refusals of clients over UDP, bounded: a refusal is longer than the datagram that asks for it, and the address that a
//! datagram comes from can be forged.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::Instant;

/// How long a client is not refused again.
const INTERVAL: Duration = Duration::from_secs(1);
/// Refusals within that time to all clients together.
const MAX_REFUSALS: usize = 16;

/// The refusals of late.
#[derive(Debug, Default)]
pub(in crate::raw) struct Refusals {
    sent: VecDeque<(SocketAddr, Instant)>,
}

impl Refusals {
    /// Whether a client may be sent a refusal now, which then counts.
    pub(in crate::raw) fn may_go_to(&mut self, peer: SocketAddr) -> bool {
        self.sent.retain(|(_, at)| at.elapsed() < INTERVAL);
        let may = self.sent.len() < MAX_REFUSALS && self.sent.iter().all(|(of, _)| *of != peer);
        if may {
            self.sent.push_back((peer, Instant::now()));
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn refusals_are_limited_per_client_and_in_all() {
        let peer = |port| SocketAddr::from(([10, 0, 0, 1], port));
        let mut refusals = Refusals::default();
        assert_eq!((0..100).filter(|_| refusals.may_go_to(peer(1))).count(), 1);
        assert_eq!((0..1000).filter(|port| refusals.may_go_to(peer(*port))).count(), MAX_REFUSALS - 1);
        tokio::time::advance(INTERVAL).await;
        assert!(refusals.may_go_to(peer(1)));
    }
}

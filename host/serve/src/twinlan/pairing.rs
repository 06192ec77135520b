//! Pairs the two connections of a client: control and data connect to two ports, in either order.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// How long a connection waits for its other half.
const PAIRING_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that wait at a time; the oldest is dropped for a further one.
const MAX_WAITING: usize = 32;

/// Connections that wait for their other half, by peer address.
#[derive(Debug)]
pub(super) struct Pairing<C, D> {
    controls: VecDeque<(Instant, IpAddr, C)>,
    data: VecDeque<(Instant, IpAddr, D)>,
}

impl<C, D> Default for Pairing<C, D> {
    fn default() -> Self {
        Self { controls: VecDeque::new(), data: VecDeque::new() }
    }
}

fn wait_in<T>(queue: &mut VecDeque<(Instant, IpAddr, T)>, from: IpAddr, connection: T) {
    if queue.len() == MAX_WAITING {
        queue.pop_front();
    }
    queue.push_back((Instant::now(), from, connection));
}

fn take<T>(queue: &mut VecDeque<(Instant, IpAddr, T)>, from: IpAddr) -> Option<T> {
    queue.retain(|(since, ..)| since.elapsed() < PAIRING_TIMEOUT);
    let at = queue.iter().position(|(_, address, _)| *address == from)?;
    queue.remove(at).map(|(.., connection)| connection)
}

impl<C, D> Pairing<C, D> {
    /// Adds a control connection; returns the data connection that belongs to it, if it is present.
    pub(super) fn control(&mut self, from: IpAddr, control: C) -> Option<(C, D)> {
        if let Some(data) = take(&mut self.data, from) {
            return Some((control, data));
        }
        wait_in(&mut self.controls, from, control);
        None
    }

    /// Adds a data connection.
    pub(super) fn data(&mut self, from: IpAddr, data: D) -> Option<(C, D)> {
        if let Some(control) = take(&mut self.controls, from) {
            return Some((control, data));
        }
        wait_in(&mut self.data, from, data);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn halves_find_each_other_by_their_address() {
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([10, 0, 0, 1]));
        let mut pairing = Pairing::default();
        assert_eq!(pairing.control(one, 'a'), None);
        assert_eq!(pairing.data(other, 2), None);
        assert_eq!(pairing.data(one, 1), Some(('a', 1)));
        assert_eq!(pairing.control(other, 'b'), Some(('b', 2)));
        assert_eq!(pairing.control(one, 'c'), None);
        tokio::time::advance(PAIRING_TIMEOUT).await;
        assert_eq!(pairing.data(one, 3), None);
        for number in 0..100 {
            assert_eq!(pairing.data(other, number), None);
        }
        assert_eq!(pairing.control(other, 'd'), Some(('d', 68)));
    }
}

//! Pairs the two connections of a client, control and data, of which nothing but address and time shows that they belong
//! together.
//!
//! A client opens the control connection first and the data connection at once after it. So a data connection belongs to
//! a control connection that already waits at the same address, and the pair is made only after a moment in which no
//! third connection came from there. Where it is not clear which belong together, all are hung up at: nobody gets what
//! another asked for, and the clients connect again.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

/// How long a control connection waits for its data connection.
const PAIRING_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a further connection from the same address may come after the data connection and make it unclear which belong
/// together.
const SETTLE_TIME: Duration = Duration::from_millis(200);
/// Addresses that wait at a time; the oldest is dropped for a further one.
const MAX_WAITING: usize = 8;
/// Connections of each kind from one address: more are never paired.
const MAX_EACH: usize = 2;
/// Connections that wait at a time.
pub(super) const MAX_CONNECTIONS: usize = MAX_WAITING * 2 * MAX_EACH;

/// A connection that waits.
pub(super) trait Half {
    /// Whether the other end is there, and has sent nothing that it could not have sent yet.
    fn is_alive(&self) -> bool;
}

/// What has become of the connections of an address.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome<C, D> {
    Pair(C, D),
    /// They were hung up at.
    Refused {
        from: IpAddr,
        reason: &'static str,
    },
}

/// The connections of one address.
#[derive(Debug)]
struct Unpaired<C, D> {
    from: IpAddr,
    controls: Vec<C>,
    data: Vec<D>,
    /// When it is decided.
    decide_at: Instant,
}

/// Connections that wait for their other half, by peer address, the oldest first.
#[derive(Debug)]
pub(super) struct Pairing<C, D> {
    waiting: VecDeque<Unpaired<C, D>>,
}

impl<C, D> Default for Pairing<C, D> {
    fn default() -> Self {
        Self { waiting: VecDeque::new() }
    }
}

impl<C: Half, D: Half> Pairing<C, D> {
    /// Adds a control connection.
    pub(super) fn control(&mut self, from: IpAddr, control: C) {
        if let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.from == from) {
            // One that was left a moment ago must not keep a client from trying again.
            waiting.controls.retain(Half::is_alive);
            if waiting.controls.len() < MAX_EACH {
                waiting.controls.push(control);
            }
            return;
        }
        if self.waiting.len() == MAX_WAITING {
            self.waiting.pop_front();
        }
        let decide_at = Instant::now() + PAIRING_TIMEOUT;
        self.waiting.push_back(Unpaired { from, controls: vec![control], data: Vec::new(), decide_at });
    }

    /// Adds a data connection. False if no control connection waits for one: it is hung up at.
    pub(super) fn data(&mut self, from: IpAddr, data: D) -> bool {
        let Some(waiting) = self.waiting.iter_mut().find(|waiting| waiting.from == from) else {
            return false;
        };
        if waiting.data.is_empty() {
            waiting.decide_at = Instant::now() + SETTLE_TIME;
        }
        if waiting.data.len() < MAX_EACH {
            waiting.data.push(data);
        }
        true
    }

    /// Waits until it is decided about an address.
    ///
    /// # Cancellation
    ///
    /// Dropping the future loses nothing.
    pub(super) async fn decided(&mut self) -> Outcome<C, D> {
        let Some(first) = self.waiting.iter().map(|waiting| waiting.decide_at).min() else {
            return std::future::pending().await;
        };
        tokio::time::sleep_until(first).await;
        let due = self.waiting.iter().position(|waiting| waiting.decide_at == first);
        let Some(mut waiting) = due.and_then(|at| self.waiting.remove(at)) else {
            return std::future::pending().await;
        };
        waiting.controls.retain(Half::is_alive);
        waiting.data.retain(Half::is_alive);
        let from = waiting.from;
        match (waiting.controls.as_slice(), waiting.data.as_slice()) {
            ([_], [_]) => match (waiting.controls.pop(), waiting.data.pop()) {
                (Some(control), Some(data)) => Outcome::Pair(control, data),
                _ => Outcome::Refused { from, reason: "it has gone" },
            },
            ([], _) => Outcome::Refused { from, reason: "its control connection has gone" },
            (_, []) => Outcome::Refused { from, reason: "no data connection followed" },
            _ => Outcome::Refused {
                from,
                reason: "several connections came from its address at once, and which belong together is unknown",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Clone, Copy)]
    struct Connection(u8, bool);

    impl Half for Connection {
        fn is_alive(&self) -> bool {
            self.1
        }
    }

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));

    fn connection(name: u8) -> Connection {
        Connection(name, true)
    }

    #[tokio::test(start_paused = true)]
    async fn lone_halves_of_an_address_are_paired() {
        let mut pairing = Pairing::default();
        pairing.control(ONE, connection(1));
        pairing.control(OTHER, connection(2));
        assert!(pairing.data(OTHER, connection(20)) && pairing.data(ONE, connection(10)));
        assert_eq!(pairing.decided().await, Outcome::Pair(connection(1), connection(10)));
        assert_eq!(pairing.decided().await, Outcome::Pair(connection(2), connection(20)));
    }

    #[tokio::test(start_paused = true)]
    async fn data_that_was_there_before_is_nobodys() {
        let mut pairing: Pairing<Connection, _> = Pairing::default();
        assert!(!pairing.data(ONE, connection(10)));
        pairing.control(ONE, connection(1));
        assert!(!pairing.data(OTHER, connection(20)));
        assert!(matches!(pairing.decided().await, Outcome::Refused { from: ONE, .. }));
    }

    #[tokio::test(start_paused = true)]
    async fn third_connection_makes_it_unclear() {
        for third_is_data in [true, false] {
            let mut pairing = Pairing::default();
            pairing.control(ONE, connection(1));
            pairing.data(ONE, connection(10));
            tokio::time::advance(SETTLE_TIME / 2).await;
            if third_is_data {
                pairing.data(ONE, connection(11));
            } else {
                pairing.control(ONE, connection(2));
            }
            assert!(matches!(pairing.decided().await, Outcome::Refused { from: ONE, .. }));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn dead_are_not_paired() {
        let mut pairing = Pairing::default();
        pairing.control(ONE, Connection(1, false));
        pairing.control(ONE, connection(2));
        pairing.data(ONE, Connection(10, false));
        pairing.data(ONE, connection(11));
        assert_eq!(pairing.decided().await, Outcome::Pair(connection(2), connection(11)));
    }

    #[tokio::test(start_paused = true)]
    async fn few_wait() {
        let mut pairing: Pairing<Connection, Connection> = Pairing::default();
        for number in 0..100 {
            for _ in 0..10 {
                pairing.control([10, 0, 0, number].into(), connection(number));
                pairing.data([10, 0, 0, number].into(), connection(number));
            }
        }
        assert_eq!(pairing.waiting.len(), MAX_WAITING);
        assert!(
            pairing.waiting.iter().all(|waiting| waiting.controls.len() + waiting.data.len() <= 2 * MAX_EACH)
        );
    }
}

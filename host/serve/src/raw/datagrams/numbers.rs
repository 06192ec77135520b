//! Where the numbers of a bitscope-server stand: `Data_Seq` runs on from one client to the next, and no client is sent
//! two datagrams in a row with the same one (the vendor's library takes the second for a repetition).

use std::collections::VecDeque;
use std::net::SocketAddr;

/// Clients that are remembered. Of those that came before, one in 256 loses a datagram to chance when it returns.
const MAX_CLIENTS: usize = 64;

/// The numbers of a server.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    next: u8,
    /// The last number that each client was sent, the latest client last.
    last: VecDeque<(SocketAddr, u8)>,
}

impl Numbers {
    /// The first number for a client that gets the device.
    pub(crate) fn start(&self, peer: SocketAddr) -> u8 {
        if self.last_of(peer) == Some(self.next) { self.next.wrapping_add(1) } else { self.next }
    }

    /// A client has left; `next` would have been its next number.
    pub(crate) fn end(&mut self, peer: SocketAddr, next: u8) {
        self.next = next;
        self.note(peer, next.wrapping_sub(1));
    }

    /// The number for a client that is rejected. It is none of those of the client that has the device, which
    /// would miss it.
    pub(crate) fn refusal(&mut self, peer: SocketAddr) -> u8 {
        let number = self.last_of(peer).unwrap_or(self.next).wrapping_add(1);
        self.note(peer, number);
        number
    }

    fn last_of(&self, peer: SocketAddr) -> Option<u8> {
        self.last.iter().find(|(of, _)| *of == peer).map(|(_, last)| *last)
    }

    fn note(&mut self, peer: SocketAddr, last: u8) {
        self.last.retain(|(of, _)| *of != peer);
        if self.last.len() == MAX_CLIENTS {
            self.last.pop_front();
        }
        self.last.push_back((peer, last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_run_on_and_neighbours_differ() {
        let [one, other] = [1, 2].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut numbers = Numbers::default();
        assert_eq!(numbers.start(one), 0);
        let refused: Vec<u8> = (0..3).map(|_| numbers.refusal(other)).collect();
        assert_eq!(refused, [1, 2, 3]);
        numbers.end(one, 3);
        // The last that the other was sent was 3, too.
        assert_eq!((numbers.start(one), numbers.start(other)), (3, 4));
        // It goes once round: now 2 was the last of the first one.
        numbers.end(other, 2);
        assert_eq!((numbers.start(one), numbers.start(other)), (3, 2));
    }

    #[test]
    fn few_clients_are_remembered() {
        let mut numbers = Numbers::default();
        for port in 0..1000 {
            numbers.refusal(SocketAddr::from(([127, 0, 0, 1], port)));
        }
        assert_eq!(numbers.last.len(), MAX_CLIENTS);
    }
}

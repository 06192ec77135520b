//! A lossy network, on request: loses, duplicates and reorders datagrams, and injects foreign ones.

use scopething_sim::faults::{Direction, FaultKind, FaultPlan, Injector};

/// A datagram that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) bytes: Vec<u8>,
    /// It is to be sent from another socket.
    pub(crate) is_foreign: bool,
}

/// The network between server and client.
#[derive(Debug)]
pub(crate) struct LossyNetwork {
    injector: Injector,
    /// Datagrams that the next one overtakes: to the host, to the device.
    held: [Option<Vec<u8>>; 2],
}

impl LossyNetwork {
    pub(crate) fn new(plan: &FaultPlan, seed: u64) -> Self {
        Self { injector: Injector::new(plan, seed, true), held: [None, None] }
    }

    /// One that does nothing to them.
    pub(crate) fn sound() -> Self {
        Self::new(&FaultPlan::default(), 0)
    }

    /// What becomes of a datagram.
    pub(crate) fn pass(&mut self, direction: Direction, datagram: Vec<u8>) -> Vec<Delivered> {
        let fault = self.injector.next(direction);
        let held = &mut self.held[usize::from(direction == Direction::ToDevice)];
        let overtaken = held.take();
        let own = |bytes| Delivered { bytes, is_foreign: false };
        let mut passed = match fault {
            Some(FaultKind::Lose) => Vec::new(),
            Some(FaultKind::Resend) => vec![own(datagram.clone()), own(datagram)],
            Some(FaultKind::Swap) => {
                *held = Some(datagram);
                Vec::new()
            }
            Some(FaultKind::ForeignDatagram) => {
                let strange = datagram.iter().map(|byte| self.injector.corrupted(*byte)).collect();
                vec![own(datagram), Delivered { bytes: strange, is_foreign: true }]
            }
            _ => vec![own(datagram)],
        };
        passed.extend(overtaken.map(own));
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(plan: &str, count: u8) -> Vec<(u8, bool)> {
        let mut network = LossyNetwork::new(&plan.parse().unwrap(), 1);
        let datagrams = (0..count).flat_map(|n| network.pass(Direction::FromDevice, vec![n]));
        datagrams.map(|passed| (passed.bytes[0], passed.is_foreign)).collect()
    }

    #[test]
    fn datagrams_are_lost_doubled_swapped_and_mixed() {
        let plain = |numbers: &[u8]| numbers.iter().map(|n| (*n, false)).collect::<Vec<_>>();
        assert_eq!(through("lose@1", 4), plain(&[0, 2, 3]));
        assert_eq!(through("resend@1", 3), plain(&[0, 1, 1, 2]));
        assert_eq!(through("swap@1", 4), plain(&[0, 2, 1, 3]));
        let mixed = through("stranger@1", 3);
        assert_eq!(mixed.len(), 4);
        assert!(mixed[2].1 && mixed[2].0 != 1 && mixed[3] == (2, false));
        assert_eq!(through("drop@1;lose@w1", 3), plain(&[0, 1, 2]));
    }
}

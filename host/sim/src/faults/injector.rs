//! Chance and count: which byte a fault befalls.

use super::{Direction, Fault, FaultKind, FaultPlan, When};
use crate::random;

/// Decides, byte by byte or datagram by datagram, what goes wrong.
#[derive(Debug, Clone)]
pub struct Injector {
    faults: Vec<Fault>,
    seed: u64,
    passed: [u64; 2],
}

impl Injector {
    /// An injector of the plan's faults of bytes, or of datagrams.
    #[must_use]
    pub fn new(plan: &FaultPlan, seed: u64, of_datagrams: bool) -> Self {
        let mut faults = plan.faults.clone();
        faults.retain(|fault| fault.kind.of_datagrams() == of_datagrams);
        Self { faults, seed: random::mix(seed, 77 + u64::from(of_datagrams)), passed: [0; 2] }
    }

    /// What befalls the next byte or datagram in a direction, which then has passed.
    pub fn next(&mut self, direction: Direction) -> Option<FaultKind> {
        let fault = self.ahead(direction, 0);
        self.pass(direction, 1);
        fault
    }

    /// What will befall the byte or datagram that follows so many others in a direction.
    #[must_use]
    pub fn ahead(&self, direction: Direction, others: u64) -> Option<FaultKind> {
        let [read, written] = self.passed;
        let to_device = direction == Direction::ToDevice;
        let number = others + if to_device { written } else { read };
        let place = 2 * number + u64::from(to_device);
        let befalls = |(index, fault): &(usize, &Fault)| {
            let strikes = match fault.when {
                When::Number(wanted) => wanted == number,
                When::Chance(chance) => random::uniform(self.seed ^ (*index as u64) << 40, place) < chance,
            };
            fault.direction == direction && strikes && !matches!(fault.kind, FaultKind::Burst(_))
        };
        self.faults.iter().enumerate().find(befalls).map(|(_, fault)| fault.kind)
    }

    /// Counts bytes or datagrams that went on their way.
    pub fn pass(&mut self, direction: Direction, count: u64) {
        let [read, written] = &mut self.passed;
        *if direction == Direction::ToDevice { written } else { read } += count;
    }

    /// The stale bytes that arrive on connecting.
    pub fn burst(&self) -> impl Iterator<Item = u8> + '_ {
        let count = self.faults.iter().find_map(|fault| match fault.kind {
            FaultKind::Burst(count) => Some(count),
            _ => None,
        });
        (0..u64::from(count.unwrap_or(0))).map(|place| random::mix(self.seed ^ 0xb0, place) as u8)
    }

    /// The byte with some of its bits inverted.
    #[must_use]
    pub fn corrupted(&self, byte: u8) -> u8 {
        let [read, written] = self.passed;
        byte ^ (random::mix(self.seed, read << 32 ^ written) as u8).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_befall_their_byte_or_their_share() {
        let plan: FaultPlan = "drop@2;corrupt@w10%".parse().unwrap();
        let mut injector = Injector::new(&plan, 1, false);
        let from: Vec<_> = (0..4).map(|_| injector.next(Direction::FromDevice)).collect();
        assert_eq!(from, [None, None, Some(FaultKind::Drop), None]);
        let hits = (0..10_000).filter(|_| injector.next(Direction::ToDevice).is_some()).count();
        // Four deviations of a share of 10 % in 10000.
        assert!(hits.abs_diff(1000) < 120, "{hits}");
        assert!((0..=255).all(|byte| injector.corrupted(byte) != byte));
        let mut datagrams = Injector::new(&plan, 1, true);
        assert!((0..100).all(|_| datagrams.next(Direction::ToDevice).is_none()));
    }
}

//! Puts the datagrams of a server in order, by their `Data_Seq`.

use scopething_core::link::bitscope_server::AnswerRepr;
use scopething_core::time::{Instant, Micros};

/// How many datagrams ahead of the one that is due are kept. Networks that reorder by more are as good as
/// lossy; what lies further away is a repetition of something old, since `Data_Seq` wraps.
pub(super) const WINDOW: u8 = 32;

/// How long a missing datagram may lag behind later ones. Networks reorder by milliseconds.
pub(super) const GAP_TIMEOUT: Micros = Micros::from_millis(250);

/// A datagram that came before its turn.
#[derive(Debug)]
struct Early {
    data_seq: u8,
    cmd_id: u8,
    data: Vec<u8>,
}

/// A row of numbers, and what has come of it.
#[derive(Debug)]
pub(super) struct Order {
    /// `Data_Seq` of the datagram that is due.
    due: u8,
    /// Fewer than [`WINDOW`].
    early: Vec<Early>,
    /// Since when the due datagram is missing.
    gap_since: Option<Instant>,
}

impl Order {
    pub(super) fn new(due: u8) -> Self {
        Self { due, early: Vec::new(), gap_since: None }
    }

    pub(super) fn due(&self) -> u8 {
        self.due
    }

    /// Whether a number lies ahead of the one that is due, near enough to be waited for.
    pub(super) fn is_ahead(&self, data_seq: u8) -> bool {
        (1..WINDOW).contains(&data_seq.wrapping_sub(self.due))
    }

    /// Takes a datagram; hands what now is in order to `deliver`, `Cmd_ID` and data. Repetitions are ignored.
    pub(super) fn accept(
        &mut self,
        packet: &AnswerRepr<'_>,
        now: Instant,
        mut deliver: impl FnMut(u8, &[u8]),
    ) {
        let data_seq = packet.data_seq;
        if data_seq == self.due {
            deliver(packet.cmd_id, packet.data);
            self.due = self.due.wrapping_add(1);
            self.deliver_early(&mut deliver);
            self.gap_since = (!self.early.is_empty()).then_some(now);
        } else if self.is_ahead(data_seq) && self.early.iter().all(|early| early.data_seq != data_seq) {
            self.early.push(Early { data_seq, cmd_id: packet.cmd_id, data: packet.data.to_vec() });
            self.gap_since.get_or_insert(now);
        }
    }

    fn deliver_early(&mut self, deliver: &mut impl FnMut(u8, &[u8])) {
        while let Some(index) = self.early.iter().position(|early| early.data_seq == self.due) {
            let Early { cmd_id, data, .. } = self.early.swap_remove(index);
            deliver(cmd_id, &data);
            self.due = self.due.wrapping_add(1);
        }
    }

    /// Goes on behind the gaps: nothing that is missing is wanted.
    pub(super) fn skip_gaps(&mut self, mut deliver: impl FnMut(u8, &[u8])) {
        while let Some(next) = self.early.iter().map(|early| early.data_seq.wrapping_sub(self.due)).min() {
            self.due = self.due.wrapping_add(next);
            self.deliver_early(&mut deliver);
        }
        self.gap_since = None;
    }

    /// Forgets what came early.
    pub(super) fn clear(&mut self) {
        self.skip_gaps(|_, _| ());
    }

    /// Bytes that came early.
    pub(super) fn early_bytes(&self) -> usize {
        self.early.iter().map(|early| early.data.len()).sum()
    }

    /// What came early of the answer to one command.
    pub(super) fn early_of(&self, cmd_id: u8) -> impl Iterator<Item = &[u8]> {
        self.early.iter().filter(move |early| early.cmd_id == cmd_id).map(|early| early.data.as_slice())
    }

    /// When the missing datagram must be taken for lost, and its `Data_Seq`.
    pub(super) fn gap(&self) -> Option<(Instant, u8)> {
        self.gap_since.map(|since| (since + GAP_TIMEOUT, self.due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(order: &mut Order, data_seq: u8, now: Instant) -> Vec<u8> {
        let mut in_order = Vec::new();
        let data = [data_seq];
        let packet = AnswerRepr { adaptor_id: [0; 2], cmd_id: 0, data_seq, data: &data };
        order.accept(&packet, now, |_, data| in_order.extend_from_slice(data));
        in_order
    }

    #[test]
    fn datagrams_come_out_in_order_and_once() {
        let mut order = Order::new(254);
        assert_eq!(accepted(&mut order, 255, Instant(10)), [0_u8; 0]);
        assert_eq!(accepted(&mut order, 1, Instant(20)), [0_u8; 0]);
        assert_eq!(accepted(&mut order, 255, Instant(30)), [0_u8; 0]);
        assert_eq!(order.gap(), Some((Instant(10) + GAP_TIMEOUT, 254)));
        assert_eq!(accepted(&mut order, 254, Instant(40)), [254, 255]);
        assert_eq!(accepted(&mut order, 254, Instant(50)), [0_u8; 0]);
        assert_eq!(order.gap(), Some((Instant(40) + GAP_TIMEOUT, 0)));
        assert_eq!(accepted(&mut order, 0, Instant(60)), [0, 1]);
        assert_eq!((order.gap(), order.early_bytes()), (None, 0));
    }

    #[test]
    fn numbers_wrap_and_old_ones_stay_old() {
        let mut order = Order::new(0);
        for seq in (0..=255).chain(0..=9) {
            assert_eq!(accepted(&mut order, seq, Instant(0)), [seq]);
            assert_eq!(accepted(&mut order, seq, Instant(0)), [0_u8; 0]);
        }
        assert_eq!(accepted(&mut order, 100, Instant(0)), [0_u8; 0]);
        assert_eq!(order.gap(), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut order = Order::new(0);
        for seq in 1..=255 {
            assert_eq!(accepted(&mut order, seq, Instant(0)), [0_u8; 0]);
        }
        assert_eq!(order.early_bytes(), usize::from(WINDOW) - 1);
    }

    #[test]
    fn gaps_that_do_not_matter_are_skipped() {
        let mut order = Order::new(7);
        assert_eq!(accepted(&mut order, 12, Instant(0)), [0_u8; 0]);
        assert_eq!(accepted(&mut order, 9, Instant(0)), [0_u8; 0]);
        let mut in_order = Vec::new();
        order.skip_gaps(|_, data| in_order.extend_from_slice(data));
        assert_eq!((in_order, order.due(), order.gap()), (vec![9, 12], 13, None));
    }
}

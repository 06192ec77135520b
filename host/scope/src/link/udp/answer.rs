//! Puts the datagrams of one answer in order.

use scopething_core::link::bitscope_server::AnswerRepr;
use scopething_core::time::{Instant, Micros};

/// How many datagrams ahead of the one that is due are kept. Networks that reorder by more are as good as
/// lossy; what lies further away is a repetition of something old, since `Data_Seq` wraps.
const WINDOW: u8 = 32;

/// How long a missing datagram may lag behind later ones. Networks reorder by milliseconds.
const GAP_LIMIT: Micros = Micros::from_millis(250);

/// The answer to one datagram of commands, as far as it has come.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) cmd_id: u8,
    /// `Data_Seq` of the datagram that is due.
    due_seq: u8,
    /// Datagrams that came before it, by their `Data_Seq`. Fewer than [`WINDOW`].
    early: Vec<(u8, Vec<u8>)>,
    /// Since when the due datagram is missing.
    gap_since: Option<Instant>,
}

impl Answer {
    pub(super) fn new(cmd_id: u8) -> Self {
        Self { cmd_id, due_seq: 0, early: Vec::new(), gap_since: None }
    }

    /// Takes a datagram of this answer; appends what now is in order to `in_order`. Repetitions are ignored.
    pub(super) fn accept(&mut self, packet: &AnswerRepr<'_>, now: Instant, in_order: &mut Vec<u8>) {
        match packet.data_seq.wrapping_sub(self.due_seq) {
            0 => {
                in_order.extend_from_slice(packet.data);
                self.due_seq = self.due_seq.wrapping_add(1);
                self.append_early(in_order);
                self.gap_since = (!self.early.is_empty()).then_some(now);
            }
            ahead if ahead < WINDOW && self.early.iter().all(|(seq, _)| *seq != packet.data_seq) => {
                self.early.push((packet.data_seq, packet.data.to_vec()));
                self.gap_since.get_or_insert(now);
            }
            _ => {}
        }
    }

    fn append_early(&mut self, in_order: &mut Vec<u8>) {
        while let Some(index) = self.early.iter().position(|(seq, _)| *seq == self.due_seq) {
            let (_, data) = self.early.swap_remove(index);
            in_order.extend_from_slice(&data);
            self.due_seq = self.due_seq.wrapping_add(1);
        }
    }

    /// Bytes that came early.
    pub(super) fn early_bytes(&self) -> usize {
        self.early.iter().map(|(_, data)| data.len()).sum()
    }

    /// When the missing datagram must be taken for lost, and its `Data_Seq`.
    pub(super) fn gap(&self) -> Option<(Instant, u8)> {
        self.gap_since.map(|since| (since + GAP_LIMIT, self.due_seq))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(answer: &mut Answer, data_seq: u8, now: Instant) -> Vec<u8> {
        let mut in_order = Vec::new();
        let data = [data_seq];
        answer.accept(
            &AnswerRepr { adaptor_id: [0; 2], data_seq, cmd_id: 0, data: &data },
            now,
            &mut in_order,
        );
        in_order
    }

    #[test]
    fn datagrams_come_out_in_order_and_once() {
        let mut answer = Answer::new(0);
        assert_eq!(accepted(&mut answer, 1, Instant(10)), [0_u8; 0]);
        assert_eq!(accepted(&mut answer, 3, Instant(20)), [0_u8; 0]);
        assert_eq!(accepted(&mut answer, 1, Instant(30)), [0_u8; 0]);
        assert_eq!(answer.gap(), Some((Instant(10) + GAP_LIMIT, 0)));
        assert_eq!(accepted(&mut answer, 0, Instant(40)), [0, 1]);
        assert_eq!(accepted(&mut answer, 0, Instant(50)), [0_u8; 0]);
        assert_eq!(answer.gap(), Some((Instant(40) + GAP_LIMIT, 2)));
        assert_eq!(accepted(&mut answer, 2, Instant(60)), [2, 3]);
        assert_eq!((answer.gap(), answer.early_bytes()), (None, 0));
    }

    #[test]
    fn numbers_wrap_and_old_ones_stay_old() {
        let mut answer = Answer::new(0);
        for seq in (0..=255).chain(0..=9) {
            assert_eq!(accepted(&mut answer, seq, Instant(0)), [seq]);
            assert_eq!(accepted(&mut answer, seq, Instant(0)), [0_u8; 0]);
        }
        assert_eq!(accepted(&mut answer, 100, Instant(0)), [0_u8; 0]);
        assert_eq!(answer.gap(), None);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut answer = Answer::new(0);
        for seq in 1..=255 {
            assert_eq!(accepted(&mut answer, seq, Instant(0)), [0_u8; 0]);
        }
        assert_eq!(answer.early_bytes(), usize::from(WINDOW) - 1);
    }
}

//! The traces that can be shown again: the last ones, those of some time ago, and those that were pinned.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use scopething::timer::Instant;

use super::acquire::Listing;

/// Traces that are listed, beside those that were pinned.
pub(crate) const MAX_LISTED: usize = 32;
/// Traces that can be pinned.
pub(crate) const MAX_PINNED: usize = 16;
/// The last traces, of which each can be saved or pinned by whoever still sees it.
const MAX_RECENT: usize = 32;
/// Of traces that follow one another faster than this only the first is listed, so that the list reaches back for so long
/// times [`MAX_LISTED`] and not for a third of a second.
const LISTED_INTERVAL: Duration = Duration::from_millis(500);

/// A trace of the list.
#[derive(Debug)]
pub(crate) struct Listed<T> {
    pub(crate) seq: u64,
    pub(crate) trace: Arc<T>,
    /// The name that it was pinned by.
    pub(crate) name: Option<String>,
}

#[derive(Debug)]
pub(crate) struct History<T> {
    recent: VecDeque<(u64, Arc<T>)>,
    /// In the order of their numbers.
    listed: VecDeque<Listed<T>>,
    /// When the last one was listed.
    listed_at: Option<Instant>,
}

/// Why a trace was not pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotPinned {
    NoSuchTrace,
    TooMany,
}

impl<T> Default for History<T> {
    fn default() -> Self {
        Self { recent: VecDeque::new(), listed: VecDeque::new(), listed_at: None }
    }
}

impl<T> History<T> {
    /// Adds the last trace. One that was asked for by itself is listed in any case.
    pub(crate) fn add(&mut self, seq: u64, trace: Arc<T>, listing: Listing, now: Instant) {
        self.recent.push_back((seq, trace));
        if self.recent.len() > MAX_RECENT {
            self.recent.pop_front();
        }
        let is_due = || self.listed_at.is_none_or(|last| now - last >= LISTED_INTERVAL);
        if listing == Listing::Listed || listing == Listing::NowAndThen && is_due() {
            self.listed_at = Some(now);
            self.list_one(seq);
        }
    }

    /// The list, the last trace first. What was listed stays, so that it can be chosen from what a browser shows.
    pub(crate) fn list(&mut self) -> impl Iterator<Item = &Listed<T>> {
        if let Some(&(seq, _)) = self.recent.back() {
            self.list_one(seq);
        }
        self.listed.iter().rev()
    }

    pub(crate) fn find(&self, seq: u64) -> Option<Arc<T>> {
        let listed = self.listed.iter().find(|listed| listed.seq == seq).map(|listed| &listed.trace);
        let recent = || self.recent.iter().find(|recent| recent.0 == seq).map(|recent| &recent.1);
        listed.or_else(recent).cloned()
    }

    /// Keeps a trace by a name; without one it is kept no longer than others.
    ///
    /// # Errors
    /// It is there no more, or [`MAX_PINNED`] others are pinned.
    pub(crate) fn pin(&mut self, seq: u64, name: Option<String>) -> Result<(), NotPinned> {
        let others = self.listed.iter().filter(|listed| listed.name.is_some() && listed.seq != seq).count();
        if name.is_some() && others >= MAX_PINNED {
            return Err(NotPinned::TooMany);
        }
        self.list_one(seq);
        let listed = self.listed.iter_mut().find(|listed| listed.seq == seq);
        listed.ok_or(NotPinned::NoSuchTrace)?.name = name;
        self.drop_oldest();
        Ok(())
    }

    /// Whether it was there.
    pub(crate) fn remove(&mut self, seq: u64) -> bool {
        let before = self.listed.len() + self.recent.len();
        self.listed.retain(|listed| listed.seq != seq);
        self.recent.retain(|recent| recent.0 != seq);
        before > self.listed.len() + self.recent.len()
    }

    fn list_one(&mut self, seq: u64) {
        let recent = self.recent.iter().find(|recent| recent.0 == seq);
        let place = self.listed.partition_point(|listed| listed.seq < seq);
        let is_listed = self.listed.get(place).is_some_and(|listed| listed.seq == seq);
        let Some((_, trace)) = recent.filter(|_| !is_listed) else { return };
        self.listed.insert(place, Listed { seq, trace: Arc::clone(trace), name: None });
        self.drop_oldest();
    }

    fn drop_oldest(&mut self) {
        while self.listed.iter().filter(|listed| listed.name.is_none()).count() > MAX_LISTED {
            let oldest = self.listed.iter().position(|listed| listed.name.is_none());
            oldest.and_then(|oldest| self.listed.remove(oldest));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(10);

    /// One that got traces 1 to `count`, a hundred a second.
    fn history(count: u64) -> History<u64> {
        let mut history = History::default();
        let started = Instant::now();
        for seq in 1..=count {
            history.add(
                seq,
                Arc::new(seq),
                Listing::NowAndThen,
                started + INTERVAL * u32::try_from(seq).unwrap(),
            );
        }
        history
    }

    fn numbers(history: &mut History<u64>) -> Vec<u64> {
        history.list().map(|listed| listed.seq).collect()
    }

    #[test]
    fn lists_two_traces_a_second_and_the_last() {
        assert_eq!(numbers(&mut history(160)), [160, 151, 101, 51, 1]);
        assert_eq!(numbers(&mut history(0)), [0; 0]);
    }

    #[test]
    fn keeps_what_was_listed_while_traces_go_on() {
        let mut history = history(160);
        let listed = numbers(&mut history);
        for seq in 161..=260 {
            history.add(seq, Arc::new(seq), Listing::NowAndThen, Instant::now());
        }
        for seq in listed {
            assert_eq!(history.find(seq).as_deref(), Some(&seq));
            assert_eq!(history.pin(seq, Some("kept".to_owned())), Ok(()));
        }
    }

    #[test]
    fn finds_any_of_the_last_traces() {
        let mut history = history(100);
        for seq in 69..=100 {
            assert_eq!(history.find(seq).as_deref(), Some(&seq));
        }
        assert_eq!(history.find(68), None);
        assert_eq!(history.pin(68, Some("late".to_owned())), Err(NotPinned::NoSuchTrace));
        assert_eq!(history.pin(70, Some("the one on the screen".to_owned())), Ok(()));
        assert_eq!(numbers(&mut history), [100, 70, 51, 1]);
    }

    #[test]
    fn keeps_pinned_traces_beside_the_latest() {
        let mut history = history(1);
        assert_eq!(history.pin(1, Some("first".to_owned())), Ok(()));
        for seq in 2..=40 {
            history.add(seq, Arc::new(seq), Listing::Listed, Instant::now());
        }
        assert_eq!(numbers(&mut history), (9..=40).rev().chain([1]).collect::<Vec<_>>());
        assert_eq!(history.pin(1, None), Ok(()));
        assert_eq!(numbers(&mut history), (9..=40).rev().collect::<Vec<_>>());
    }

    #[test]
    fn pins_a_bounded_number() {
        let mut history = history(32);
        for seq in 1..=16 {
            assert_eq!(history.pin(seq, Some(seq.to_string())), Ok(()));
        }
        assert_eq!(history.pin(17, Some("one more".to_owned())), Err(NotPinned::TooMany));
        assert_eq!(history.pin(16, Some("another name".to_owned())), Ok(()));
    }

    #[test]
    fn removes_a_trace_from_everywhere() {
        let mut history = history(10);
        assert!(history.remove(1) && history.remove(7));
        assert!(!history.remove(1) && history.find(7).is_none());
        assert_eq!(numbers(&mut history), [10]);
    }
}

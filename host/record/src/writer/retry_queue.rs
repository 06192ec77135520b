//! Traces that the disk does not take are kept in memory, to a stated bound, until it does.

use std::collections::VecDeque;

use scopething_core::time::{Instant, Micros};

use super::store::{Content, Disk, Entry, Store, StoreError};
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::waveform::Gap;

/// How often a disk that took nothing is tried again.
const RETRY: Micros = Micros::from_millis(1000);

/// A store, and the newest traces that it does not take.
#[derive(Debug)]
pub struct RetryQueue<D> {
    store: Store<D>,
    held: VecDeque<Entry>,
    held_bytes: u64,
    max_bytes: u64,
    retry_at: Option<Instant>,
}

/// The outcome of a flush.
#[derive(Debug, Default)]
pub struct Put {
    /// How many are on the disk now that were not before.
    pub written: u64,
    /// How many were dropped: the oldest in memory.
    pub dropped: u64,
    /// Why the disk took nothing.
    pub refused: Option<StoreError>,
}

impl<D: Disk> RetryQueue<D> {
    /// Holds at most `max_bytes` bytes in memory; a single trace may be longer.
    #[must_use]
    pub fn new(store: Store<D>, max_bytes: u64) -> Self {
        Self { store, held: VecDeque::new(), held_bytes: 0, max_bytes, retry_at: None }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store<D> {
        &self.store
    }

    /// How many traces wait in memory.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.held.len() as u64
    }

    /// Takes a trace, which the next [`flush`](Self::flush) writes.
    pub fn put(&mut self, entry: Entry) {
        self.held_bytes += entry.bytes();
        self.held.push_back(entry);
    }

    /// Writes the traces held, if a retry is due. Traces that the disk does not take are held up to the bound.
    pub fn flush(&mut self, now: Instant, clock: UnixMicros) -> Put {
        let mut put = self.write(now, clock);
        while self.held_bytes > self.max_bytes && self.held.len() > 1 {
            self.pop();
            self.mark_oldest();
            put.dropped += 1;
        }
        put
    }

    /// Traces before the oldest one that is held were dropped. A whole file shows that by its number alone.
    fn mark_oldest(&mut self) {
        let Some(oldest) = self.held.front_mut() else { return };
        let before = oldest.bytes();
        if let Content::Text(text) = &mut oldest.content {
            text.mark(Gap::NoRoom);
        }
        self.held_bytes = self.held_bytes.saturating_add(oldest.bytes()).saturating_sub(before);
    }

    fn write(&mut self, now: Instant, clock: UnixMicros) -> Put {
        let mut put = Put::default();
        if self.retry_at.is_some_and(|retry_at| now < retry_at) {
            return put;
        }
        self.retry_at = None;
        loop {
            match self.store.append(self.held.make_contiguous(), clock) {
                Ok(0) => return put,
                Ok(count) => {
                    (0..count).for_each(|_| self.pop());
                    put.written += count as u64;
                }
                Err(refused) => {
                    put.refused = Some(refused);
                    self.retry_at = Some(now + RETRY);
                    return put;
                }
            }
        }
    }

    fn pop(&mut self) {
        if let Some(entry) = self.held.pop_front() {
            self.held_bytes = self.held_bytes.saturating_sub(entry.bytes());
        }
    }

    /// Writes what is held, if the disk takes it, and syncs all to disk. Returns how many traces are lost.
    ///
    /// # Errors
    /// Why the disk took nothing.
    pub fn close(&mut self, now: Instant, clock: UnixMicros) -> Result<(), (u64, StoreError)> {
        self.retry_at = None;
        if let Some(refused) = self.write(now, clock).refused {
            return Err((self.held(), refused));
        }
        self.store.sync().map_err(|error| (0, error))
    }
}

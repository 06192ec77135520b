//! The newest traces in memory: a ring of bytes, which wears out nothing and is lost when power goes.

use heapless::Deque;
use scopething_core::link::bridge::{StoredTrace, TraceId};
use scopething_core::trace::Trace;

use super::error::StoreError;

/// The most traces in memory, however short.
const MAX_TRACES: usize = 128;
/// Room for a record: it fits a page of flash as well.
pub(super) const RECORD_BYTES: usize = 256;

/// Where a trace is among the bytes: its record, then its samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    id: TraceId,
    start: usize,
    record_bytes: usize,
    sample_bytes: usize,
}

impl Slot {
    const fn bytes(self) -> usize {
        self.record_bytes + self.sample_bytes
    }
}

/// Where the traces are among the bytes, the oldest first.
pub(super) type Slots = Deque<Slot, MAX_TRACES>;

/// The ring, and what is in it.
#[derive(Debug)]
pub(super) struct Memory {
    bytes: &'static mut [u8],
    slots: &'static mut Slots,
    /// Where the next trace goes.
    next: usize,
}

impl Memory {
    pub(super) const fn new(bytes: &'static mut [u8], slots: &'static mut Slots) -> Self {
        Self { bytes, slots, next: 0 }
    }

    /// Whether a trace of so many bytes fits once the others have gone.
    pub(super) fn fits(&self, sample_bytes: usize) -> bool {
        RECORD_BYTES + sample_bytes <= self.bytes.len()
    }

    pub(super) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn used_bytes(&self) -> usize {
        self.slots.iter().map(|slot| slot.bytes()).sum()
    }

    pub(super) fn count(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = TraceId> {
        self.slots.iter().map(|slot| slot.id)
    }

    pub(super) fn drop_oldest(&mut self) {
        self.slots.pop_front();
    }

    /// Appends a trace, whose number is above all others; the oldest go to make room.
    ///
    /// # Errors
    /// [`StoreError::Full`] if there is less memory than the trace takes.
    pub(super) fn push(&mut self, record: &StoredTrace, trace: &Trace<'_>) -> Result<(), StoreError> {
        let mut head = [0; RECORD_BYTES];
        let head = postcard::to_slice(record, &mut head).map_err(|_| StoreError::Full)?;
        let slot = Slot {
            id: record.id,
            start: self.next,
            record_bytes: head.len(),
            sample_bytes: record.stored_bytes.into(),
        };
        if slot.bytes() > self.bytes.len() {
            return Err(StoreError::Full);
        }
        while self.slots.is_full() || self.used_bytes() + slot.bytes() > self.bytes.len() {
            self.slots.pop_front();
        }
        for byte in head.iter().copied().chain(record.stored_form(trace)).take(slot.bytes()) {
            if let Some(place) = self.bytes.get_mut(self.next) {
                *place = byte;
            }
            self.next = if self.next + 1 == self.bytes.len() { 0 } else { self.next + 1 };
        }
        // There is room for one now.
        let _ = self.slots.push_back(slot);
        Ok(())
    }

    fn slot(&self, id: TraceId) -> Option<Slot> {
        self.slots.iter().find(|slot| slot.id == id).copied()
    }

    /// Bytes of a slot, from `offset` on.
    fn copy(&self, slot: Slot, offset: usize, bytes: &mut [u8]) {
        for (at, byte) in (slot.start + offset..).zip(bytes) {
            *byte = self.bytes.get(at % self.bytes.len()).copied().unwrap_or(0);
        }
    }

    /// The record of a trace. None if it is not here.
    pub(super) fn record(&self, id: TraceId) -> Option<StoredTrace> {
        let slot = self.slot(id)?;
        let mut bytes = [0; RECORD_BYTES];
        let bytes = bytes.get_mut(..slot.record_bytes)?;
        self.copy(slot, 0, bytes);
        postcard::from_bytes(bytes).ok()
    }

    /// Reads bytes of a trace's samples. None if it is not here, else how many there were.
    pub(super) fn read(
        &self,
        id: TraceId,
        offset: u16,
        bytes: &mut [u8],
    ) -> Option<Result<usize, StoreError>> {
        let slot = self.slot(id)?;
        let Some(left) = slot.sample_bytes.checked_sub(offset.into()) else {
            return Some(Err(StoreError::Offset));
        };
        let length = bytes.len().min(left);
        let bytes = bytes.get_mut(..length).unwrap_or_default();
        self.copy(slot, slot.record_bytes + usize::from(offset), bytes);
        Some(Ok(length))
    }
}

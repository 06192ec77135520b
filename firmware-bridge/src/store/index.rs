//! Which traces there are: a queue of small items in flash, and a copy of it in memory.

use core::ops::Range;

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use heapless::Deque;
use scopething_core::link::bridge::{RECORD_VERSION, TraceId};
use sequential_storage::Error;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::queue::{QueueConfig, QueueStorage};
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::layout::{PAGE_BYTES, StoreLayout};

/// The most traces that are kept, whatever room there is: a copy of the index is in memory. `bridge status` reports it.
const MAX_TRACES: usize = 2000;
/// Pages of the shortest trace.
const MIN_PAGES: u16 = 2;

/// Where a trace is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Its number.
    pub(super) id: TraceId,
    /// Its first page, which holds its record.
    pub(super) page: u16,
    /// Bytes of its samples as they are stored.
    pub(super) bytes: u16,
}

impl Entry {
    /// How many pages it takes.
    pub(super) const fn pages(self) -> u16 {
        1 + self.bytes.div_ceil(PAGE_BYTES as u16)
    }
}

/// An item of the queue.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Item {
    /// A trace is there whose record has the form of the protocol's first version.
    First(Entry),
    /// No trace is left of those before: what comes next.
    Place { id: TraceId, page: u16 },
    /// A trace is there, whose record has the form of version 3 or an earlier one.
    Trace { version: u8, entry: Entry },
    /// A trace is there, whose record has the form of this version. Each sector was erased `laps` times by then.
    Lapped { version: u8, laps: u32, entry: Entry },
    /// As `Place`, with the laps.
    LappedPlace { laps: u32, id: TraceId, page: u16 },
}

/// Bytes of an item at the most.
const ITEM_BYTES: usize = 24;

type Queue<'a, F> = QueueStorage<&'a mut F, Cache<Uncached, Uncached, Uncached>>;

/// The traces that there are, the oldest first.
pub(super) type Entries = Deque<Entry, MAX_TRACES>;

/// The traces that there are, and where the next one goes.
#[derive(Debug)]
pub(super) struct Index<'e> {
    range: Range<u32>,
    trace_pages: u16,
    entries: &'e mut Entries,
    next_id: TraceId,
    next_page: u16,
    /// How often the ring has gone round.
    laps: u32,
    /// Where the trace before began.
    last_page: u16,
    /// Items of traces whose record has the form of another version.
    unreadable: u32,
}

fn queue<'a, F: MultiwriteNorFlash>(
    flash: &'a mut F,
    range: &Range<u32>,
) -> Result<Queue<'a, F>, StoreError> {
    let config = QueueConfig::try_new(range.clone()).map_err(|_| StoreError::Flash)?;
    Ok(QueueStorage::new(flash, config, Cache::new_uncached()))
}

pub(super) async fn is_erased<F: MultiwriteNorFlash>(
    flash: &mut F,
    range: &Range<u32>,
) -> Result<bool, StoreError> {
    let mut bytes = [0; PAGE_BYTES as usize];
    for at in range.clone().step_by(bytes.len()) {
        flash.read(at, &mut bytes).await.map_err(|_| StoreError::Flash)?;
        if bytes.iter().any(|&byte| byte != 0xff) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl<'e> Index<'e> {
    /// Reads the queue. One in which nothing is found is erased, since the flash may have held something
    /// else.
    pub(super) async fn open<F: MultiwriteNorFlash>(
        flash: &mut F,
        layout: &StoreLayout,
        entries: &'e mut Entries,
    ) -> Result<Self, StoreError> {
        let mut index = Self::empty(layout, entries);
        match index.read(flash).await {
            Ok(true) => Ok(index),
            Err(Error::Storage { .. }) => Err(StoreError::Flash),
            Ok(false) | Err(_) => {
                if !is_erased(flash, &layout.index).await? {
                    let mut queue = queue(flash, &layout.index)?;
                    queue.erase_all().await.map_err(|_| StoreError::Flash)?;
                }
                Ok(Self::empty(layout, index.entries))
            }
        }
    }

    fn empty(layout: &StoreLayout, entries: &'e mut Entries) -> Self {
        entries.clear();
        Self {
            range: layout.index.clone(),
            trace_pages: layout.trace_pages(),
            entries,
            next_id: TraceId::FIRST,
            next_page: 0,
            laps: 0,
            last_page: 0,
            unreadable: 0,
        }
    }

    /// Reads the queue; returns whether there was anything in it.
    async fn read<F: MultiwriteNorFlash>(&mut self, flash: &mut F) -> Result<bool, Error<F::Error>> {
        let mut found = false;
        let range = self.range.clone();
        let Ok(mut queue) = queue(flash, &range) else { return Err(Error::BufferTooBig) };
        let mut buffer = [0; ITEM_BYTES];
        let mut items = queue.iter().await?;
        while let Some(item) = items.next(&mut buffer).await? {
            found = true;
            match postcard::from_bytes(&item) {
                Ok(Item::Lapped { version, laps, entry }) if entry.page < self.trace_pages => {
                    if version == RECORD_VERSION {
                        self.add(entry);
                    } else {
                        self.forget_before(entry);
                    }
                    self.laps = laps;
                }
                Ok(Item::First(entry) | Item::Trace { entry, .. }) if entry.page < self.trace_pages => {
                    self.forget_before(entry);
                }
                Ok(Item::Place { id, page }) if page < self.trace_pages => {
                    (self.next_id, self.next_page, self.last_page) = (id, page, page);
                }
                Ok(Item::LappedPlace { laps, id, page }) if page < self.trace_pages => {
                    (self.next_id, self.next_page, self.last_page) = (id, page, page);
                    self.laps = laps;
                }
                // Somebody else's.
                _ => {}
            }
        }
        Ok(found)
    }

    /// The record of this entry cannot be read: only its number and its place count. What stands before it is forgotten as
    /// well, since what is kept has no gaps.
    fn forget_before(&mut self, entry: Entry) {
        self.unreadable += 1 + self.entries.len() as u32;
        self.entries.clear();
        self.go_on_after(entry);
    }

    fn add(&mut self, entry: Entry) {
        if self.entries.is_full() {
            self.entries.pop_front();
        }
        // There is room for one now.
        let _ = self.entries.push_back(entry);
        self.go_on_after(entry);
    }

    fn go_on_after(&mut self, entry: Entry) {
        self.laps = self.laps_at(entry.page);
        self.last_page = entry.page;
        self.next_id = entry.id.next();
        let next = u32::from(entry.page) + u32::from(entry.pages());
        self.next_page = (next % u32::from(self.trace_pages.max(1))) as u16;
    }

    /// The laps when a trace is written there next.
    fn laps_at(&self, page: u16) -> u32 {
        self.laps.saturating_add(u32::from(page < self.last_page))
    }

    /// How often each sector for traces was erased.
    pub(super) fn laps(&self) -> u32 {
        self.laps
    }

    /// How many traces another version has stored, of which none was dropped yet.
    pub(super) fn unreadable(&self) -> u32 {
        self.unreadable
    }

    /// The most traces that can be kept, however short.
    pub(super) fn max_traces(&self) -> usize {
        MAX_TRACES.min((self.trace_pages / MIN_PAGES).into())
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.entries.iter().copied()
    }

    pub(super) fn oldest(&self) -> Option<&Entry> {
        self.entries.front()
    }

    /// The number of the next trace.
    pub(super) fn next_id(&self) -> TraceId {
        self.next_id
    }

    /// The page behind the newest trace.
    pub(super) fn next_page(&self) -> u16 {
        self.next_page
    }

    /// Whether no more traces may be kept, of so many or of those that can be counted.
    pub(super) fn is_full(&self, keep: Option<u16>) -> bool {
        let most = self.max_traces();
        self.entries.len() >= keep.map_or(most, |keep| most.min(keep.max(1).into()))
    }

    /// Adds a trace whose pages are written; false if the queue has no room.
    pub(super) async fn push<F: MultiwriteNorFlash>(
        &mut self,
        flash: &mut F,
        entry: &Entry,
    ) -> Result<bool, StoreError> {
        if !self
            .push_item(
                flash,
                &Item::Lapped { version: RECORD_VERSION, laps: self.laps_at(entry.page), entry: *entry },
            )
            .await?
        {
            return Ok(false);
        }
        self.add(*entry);
        Ok(true)
    }

    /// The index of a store without traces in another layout: numbers and laps go on, the places begin anew.
    pub(super) fn moved_to(self, layout: &StoreLayout) -> Self {
        let (next_id, laps) = (self.next_id, self.laps);
        Self { next_id, laps, ..Self::empty(layout, self.entries) }
    }

    /// Notes what comes next, for when no trace is left to give it.
    pub(super) async fn remember_place<F: MultiwriteNorFlash>(
        &mut self,
        flash: &mut F,
    ) -> Result<(), StoreError> {
        let place = Item::LappedPlace { laps: self.laps, id: self.next_id, page: self.next_page };
        // Without room it is done without: numbers and places then begin anew, which loses no trace.
        self.push_item(flash, &place).await.map(drop)
    }

    async fn push_item<F: MultiwriteNorFlash>(
        &mut self,
        flash: &mut F,
        item: &Item,
    ) -> Result<bool, StoreError> {
        let mut buffer = [0; ITEM_BYTES];
        let bytes = postcard::to_slice(item, &mut buffer).map_err(|_| StoreError::Flash)?;
        match queue(flash, &self.range)?.push(bytes, false).await {
            Ok(()) => Ok(true),
            Err(Error::FullStorage) => Ok(false),
            Err(_) => Err(StoreError::Flash),
        }
    }

    /// Forgets the oldest trace, so that its pages may be written again.
    pub(super) async fn drop_oldest<F: MultiwriteNorFlash>(
        &mut self,
        flash: &mut F,
    ) -> Result<(), StoreError> {
        let Some(oldest) = self.entries.front().copied() else { return Ok(()) };
        if self.entries.len() == 1 {
            self.remember_place(flash).await?;
        }
        self.unreadable = 0;
        let mut queue = queue(flash, &self.range)?;
        let mut buffer = [0; ITEM_BYTES];
        // What stands ahead of it is of no use any more.
        loop {
            let popped = queue.pop(&mut buffer).await.map_err(|_| StoreError::Flash)?;
            let is_oldest = popped.is_none_or(
                |item| matches!(postcard::from_bytes(item), Ok(Item::Lapped { entry, .. }) if entry.id >= oldest.id),
            );
            if is_oldest {
                break;
            }
        }
        self.entries.pop_front();
        Ok(())
    }
}

//! Traces and the job in flash, whatever moment power fails at.
//!
//! A trace goes to the next free pages of a ring: a page with its record, then its samples. When all of them
//! are written and were read back, one small item goes into a queue (`sequential-storage`), and only then the
//! trace counts as stored. Traces whose pages are needed again leave the queue before their pages are erased.
//! So every item in the queue stands for pages that are whole, and what was being written when power failed
//! is in no item. The ring and the queue wear all their sectors alike.
//!
//! What need not outlast power goes to a ring in memory instead, which does not wear. Its numbers are not used again after
//! a power failure: they are reserved in flash, many at a time.
//!
//! The job is kept in two maps of their own, written one after the other.
//!
//! None of this knows what a trace means: it keeps [`StoredTrace`]s, and does not capture.
//!
//! Dropping the future of a method that writes is like a power failure: call [`Store::open`] again before
//! anything else.
//!
//! ```
//! use scopething_bridge::fake::FakeFlash;
//! use scopething_bridge::store::{Store, StoreLayout, StoreMemory};
//! use scopething_core::link::bridge::TraceId;
//!
//! # embassy_futures::block_on(async {
//! let layout = StoreLayout::of(0..64 * 4096)?;
//! let memory = Box::leak(Box::new(StoreMemory::<0>::new()));
//! let mut store = Store::open(FakeFlash::new(64), layout, memory).await?;
//! assert_eq!(store.status().traces, 0);
//! assert_eq!(store.record_from(TraceId::FIRST).await?, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```

mod error;
mod fit;
mod index;
mod layout;
mod memory;
mod ring;
mod settings;

use embedded_storage_async::nor_flash::MultiwriteNorFlash;
use scopething_core::device::AnalogParameters;
use scopething_core::link::bridge::frame::CRC;
use scopething_core::link::bridge::{BoardSettings, Ended, Job, StoreStatus, StoredTrace, TraceId, WhenFull};
use scopething_core::plan::CaptureRequest;
use scopething_core::scope::SerialNumber;
use scopething_core::trace::Trace;

pub use error::StoreError;
pub use fit::fit_layout;
use index::{Entries, Entry, Index};
pub use layout::{LayoutError, PAGE_BYTES, SECTOR_BYTES, StoreLayout};
use memory::{Memory, Slots};
use ring::Ring;
pub use settings::StoredJob;

/// How many traces to keep, and what happens when so many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Keep {
    /// At the most so many; none: as many as there is room for.
    pub traces: Option<u16>,
    /// What happens then.
    pub when_full: WhenFull,
}

impl Keep {
    /// The storage settings of a job.
    #[must_use]
    pub const fn of_job(job: &Job) -> Self {
        Self { traces: job.keep, when_full: job.when_full }
    }
}

/// Where a trace goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Place {
    /// Flash: it outlasts power failures.
    Flash,
    /// Memory: it wears out nothing, and the oldest go when there is no more room.
    Memory,
}

/// What is known of a trace beside the trace itself.
#[derive(Debug, Clone, Copy)]
pub struct TraceContext<'a> {
    /// What was asked for.
    pub request: &'a CaptureRequest,
    /// The probe it was planned with.
    pub probe: &'a AnalogParameters,
    /// The BitScope.
    pub scope: Option<SerialNumber>,
    /// When it ended.
    pub ended: Ended,
}

/// What a store needs of memory, `TRACE_BYTES` of it for traces that need not outlast power. On a microcontroller it is
/// static: it holds a list of all traces, and is too large to be moved.
#[derive(Debug)]
pub struct StoreMemory<const TRACE_BYTES: usize> {
    entries: Entries,
    slots: Slots,
    traces: [u8; TRACE_BYTES],
}

impl<const TRACE_BYTES: usize> StoreMemory<TRACE_BYTES> {
    /// Memory for one store.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: Entries::new(), slots: Slots::new(), traces: [0; TRACE_BYTES] }
    }
}

impl<const TRACE_BYTES: usize> Default for StoreMemory<TRACE_BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

/// How often a trace is written elsewhere when the flash does not keep it.
const WRITE_ATTEMPTS: u8 = 3;
/// So many numbers of traces in memory are reserved at once. Each time that writes 24 bytes; after each start that
/// stores in memory as many numbers are left out at the most.
const RESERVED_IDS: u32 = 4096;

/// The traces and the job in a range of flash.
#[derive(Debug)]
pub struct Store<F> {
    flash: F,
    layout: StoreLayout,
    index: Index<'static>,
    /// What was found last, since a trace is read in many pieces.
    found: Option<(Entry, StoredTrace)>,
    boot: u32,
    /// Bytes of traces that were written since it was opened.
    written_bytes: u32,
    memory: Memory,
    /// The number of the next trace, unless the index has a higher one.
    next_id: TraceId,
    /// The lowest number that no trace in memory has after the next start.
    reserved: TraceId,
}

impl<F> Store<F> {
    /// How often the bridge was started, this time included; 1 as long as that was not counted.
    pub(crate) fn boot(&self) -> u32 {
        self.boot
    }
}

impl<F: MultiwriteNorFlash> Store<F> {
    /// Finds what a range of flash holds. Flash that holds something else is taken for empty. Without memory for traces those
    /// that need not outlast power are refused as [`StoreError::Full`].
    ///
    /// # Errors
    /// [`StoreError::Flash`].
    pub async fn open<const TRACE_BYTES: usize>(
        mut flash: F,
        layout: StoreLayout,
        memory: &'static mut StoreMemory<TRACE_BYTES>,
    ) -> Result<Self, StoreError> {
        layout::check_flash(&flash, &layout)?;
        settings::repair(&mut flash, &layout).await?;
        let StoreMemory { entries, slots, traces } = memory;
        let index = Index::open(&mut flash, &layout, entries).await?;
        let reserved = settings::reserved(&mut flash, &layout).await?;
        let memory = Memory::new(traces, slots);
        Ok(Self {
            flash,
            layout,
            index,
            found: None,
            boot: 1,
            written_bytes: 0,
            memory,
            next_id: reserved,
            reserved,
        })
    }

    /// The number of the next trace.
    fn next_id(&self) -> TraceId {
        self.index.next_id().max(self.next_id)
    }

    /// The numbers of all traces, in flash and in memory, in no order.
    fn ids(&self) -> impl Iterator<Item = TraceId> {
        self.index.entries().map(|entry| entry.id).chain(self.memory.ids())
    }

    /// What the flash holds.
    #[must_use]
    pub fn status(&self) -> StoreStatus {
        let bytes = |entry: Entry| u32::from(entry.pages()) * PAGE_BYTES;
        StoreStatus {
            traces: self.index.entries().count() as u32,
            oldest: self.ids().min(),
            newest: self.ids().max(),
            used_bytes: self.index.entries().map(bytes).sum(),
            capacity_bytes: self.layout.trace_bytes(),
            erasures: self.index.laps(),
            written_bytes: self.written_bytes,
            max_traces: self.index.max_traces() as u16,
            unreadable: self.index.unreadable(),
            memory_traces: self.memory.count() as u32,
            memory_used_bytes: self.memory.used_bytes() as u32,
            memory_bytes: self.memory.capacity() as u32,
        }
    }

    /// Whether a trace of up to so many bytes can be stored now. What that needs to drop stays until it is
    /// stored.
    #[must_use]
    pub fn has_room(&self, bytes: usize, keep: Keep, place: Place) -> bool {
        let Ok(bytes) = u16::try_from(bytes) else { return false };
        if place == Place::Memory {
            return self.memory.fits(bytes.into());
        }
        let entry = Entry { id: self.next_id(), page: self.index.next_page(), bytes };
        // At the worst the rest of a sector and what the flash does not keep are left out.
        let pages = entry.pages().saturating_add(2 * layout::SECTOR_PAGES);
        if pages > self.layout.trace_pages() {
            return false;
        }
        keep.when_full == WhenFull::DropOldest
            || !(self.index.is_full(keep.traces)
                || self.index.entries().any(|kept| self.ring().overlap(entry.page, pages, kept)))
    }

    /// Where in flash the store ends, in bytes from the flash's beginning.
    pub(crate) fn end(&self) -> u32 {
        self.layout.end
    }

    fn ring(&self) -> Ring {
        Ring::new(&self.layout)
    }

    /// Stores a trace. Once this returns, one in flash outlasts power failures. In memory the oldest go to make room,
    /// whatever `keep` asks for.
    ///
    /// # Errors
    /// [`StoreError::Full`] and [`StoreError::Flash`]; the trace is not stored then.
    pub async fn append(
        &mut self,
        trace: &Trace<'_>,
        origin: TraceContext<'_>,
        keep: Keep,
        place: Place,
    ) -> Result<TraceId, StoreError> {
        let id = self.next_id();
        let TraceContext { request, probe, scope, ended } = origin;
        let record = StoredTrace::of_trace(id, trace, request, probe, scope, ended);
        if place == Place::Memory {
            self.remember(&record, trace, keep).await?;
            return Ok(id);
        }
        self.make_room(keep).await?;
        let mut page = self.index.next_page();
        for _ in 0..WRITE_ATTEMPTS {
            page = self.ring().usable_page(&mut self.flash, page).await?;
            let entry = Entry { id, page, bytes: record.stored_bytes };
            self.free(&entry, keep).await?;
            if self.write(&entry, &record, trace).await? {
                self.written_bytes = self.written_bytes.wrapping_add(u32::from(entry.pages()) * PAGE_BYTES);
                self.commit(&entry, keep).await?;
                return Ok(id);
            }
            // The flash did not keep it: the sectors that were written are left out this time.
            page = self.ring().sector_behind(page, entry.pages());
        }
        Err(StoreError::Flash)
    }

    /// Keeps a trace in memory.
    async fn remember(
        &mut self,
        record: &StoredTrace,
        trace: &Trace<'_>,
        keep: Keep,
    ) -> Result<(), StoreError> {
        let id = record.id;
        if id >= self.reserved {
            let below = TraceId(id.0.saturating_add(RESERVED_IDS));
            settings::reserve(&mut self.flash, &self.layout, below).await?;
            self.reserved = below;
        }
        while keep.traces.is_some_and(|most| self.memory.count() >= usize::from(most.max(1))) {
            self.memory.drop_oldest();
        }
        self.memory.push(record, trace)?;
        self.next_id = id.next();
        Ok(())
    }

    /// Drops traces until there may be one more.
    async fn make_room(&mut self, keep: Keep) -> Result<(), StoreError> {
        while self.index.is_full(keep.traces) {
            self.drop_oldest(keep).await?;
        }
        Ok(())
    }

    async fn drop_oldest(&mut self, keep: Keep) -> Result<(), StoreError> {
        if keep.when_full == WhenFull::Stop || self.index.oldest().is_none() {
            return Err(StoreError::Full);
        }
        self.found = None;
        self.index.drop_oldest(&mut self.flash).await
    }

    /// Drops the traces whose sectors the entry needs.
    async fn free(&mut self, entry: &Entry, keep: Keep) -> Result<(), StoreError> {
        let ring = self.ring();
        if entry.pages() + layout::SECTOR_PAGES > self.layout.trace_pages() {
            return Err(StoreError::Full);
        }
        while self.index.entries().any(|kept| ring.overlap(entry.page, entry.pages(), kept)) {
            self.drop_oldest(keep).await?;
        }
        Ok(())
    }

    /// Writes record and samples. Returns whether they read back the same.
    async fn write(
        &mut self,
        entry: &Entry,
        record: &StoredTrace,
        trace: &Trace<'_>,
    ) -> Result<bool, StoreError> {
        let ring = self.ring();
        let head = ring::head_page(record).ok_or(StoreError::Flash)?;
        let mut samples = record.stored_form(trace);
        let mut page = [0; PAGE_BYTES as usize];
        for number in 0..entry.pages() {
            if number == 0 {
                page = head;
            } else {
                page.fill_with(|| samples.next().unwrap_or(0xff));
            }
            ring.write(&mut self.flash, ring.page_after(entry.page, number), &page).await?;
        }
        let mut digest = CRC.digest();
        let mut left = usize::from(entry.bytes);
        for number in 0..entry.pages() {
            ring.read(&mut self.flash, ring.page_after(entry.page, number), 0, &mut page).await?;
            if number == 0 {
                if page != head {
                    return Ok(false);
                }
            } else {
                let part = page.get(..left.min(page.len())).unwrap_or_default();
                digest.update(part);
                left -= part.len();
            }
        }
        Ok(digest.finalize() == record.checksum)
    }

    async fn commit(&mut self, entry: &Entry, keep: Keep) -> Result<(), StoreError> {
        while !self.index.push(&mut self.flash, entry).await? {
            self.drop_oldest(keep).await?;
        }
        Ok(())
    }

    /// The number of the first trace with this number or a higher one.
    #[must_use]
    pub fn id_from(&self, from: TraceId) -> Option<TraceId> {
        self.ids().filter(|&id| id >= from).min()
    }

    /// Whether a trace is in memory alone.
    #[must_use]
    pub fn is_in_memory(&self, id: TraceId) -> bool {
        self.memory.ids().any(|kept| kept == id)
    }

    /// The record of the first trace with this number or a higher one.
    ///
    /// # Errors
    /// [`StoreError::Flash`].
    pub async fn record_from(&mut self, from: TraceId) -> Result<Option<StoredTrace>, StoreError> {
        let Some(id) = self.id_from(from) else { return Ok(None) };
        if let Some(record) = self.memory.record(id) {
            return Ok(Some(record));
        }
        let Some(entry) = self.index.entries().find(|entry| entry.id == id) else {
            return Ok(None);
        };
        if let Some((found, record)) = self.found
            && found == entry
        {
            return Ok(Some(record));
        }
        let mut page = [0; PAGE_BYTES as usize];
        self.ring().read(&mut self.flash, entry.page, 0, &mut page).await?;
        let record = ring::record_of(&page).filter(|record| record.id == entry.id);
        let record = record.ok_or(StoreError::Flash)?;
        self.found = Some((entry, record));
        Ok(Some(record))
    }

    /// Reads stored bytes of a trace into `bytes`, from `offset` on. Gives how many there were.
    ///
    /// # Errors
    /// [`StoreError::NoTrace`], [`StoreError::Offset`] beyond the end, [`StoreError::Flash`].
    pub async fn read(&mut self, id: TraceId, offset: u16, bytes: &mut [u8]) -> Result<usize, StoreError> {
        if let Some(read) = self.memory.read(id, offset, bytes) {
            return read;
        }
        let entry = self.index.entries().find(|entry| entry.id == id);
        let entry = entry.ok_or(StoreError::NoTrace)?;
        let left = entry.bytes.checked_sub(offset).ok_or(StoreError::Offset)?;
        let length = bytes.len().min(left.into());
        let bytes = bytes.get_mut(..length).unwrap_or_default();
        let ring = self.ring();
        let mut at = u32::from(offset);
        let mut rest = &mut *bytes;
        while !rest.is_empty() {
            let (page, within) = (at / PAGE_BYTES, at % PAGE_BYTES);
            let here = rest.len().min((PAGE_BYTES - within) as usize);
            let (part, behind) = rest.split_at_mut(here);
            let page = ring.page_after(entry.page, 1 + page as u16);
            ring.read(&mut self.flash, page, within, part).await?;
            at += here as u32;
            rest = behind;
        }
        Ok(length)
    }

    /// Erases the traces up to this number. Their numbers are not used again.
    ///
    /// # Errors
    /// [`StoreError::Flash`]; some of them may be erased then.
    pub async fn erase_through(&mut self, through: TraceId) -> Result<(), StoreError> {
        self.found = None;
        while self.memory.ids().next().is_some_and(|oldest| oldest <= through) {
            self.memory.drop_oldest();
        }
        while self.index.oldest().is_some_and(|oldest| oldest.id <= through) {
            self.index.drop_oldest(&mut self.flash).await?;
        }
        Ok(())
    }

    /// Counts one more start of the bridge, and gives how many there were with it. To be called once after opening.
    ///
    /// # Errors
    /// [`StoreError::Flash`].
    pub async fn count_start(&mut self) -> Result<u32, StoreError> {
        self.boot = settings::count_start(&mut self.flash, &self.layout).await?;
        Ok(self.boot)
    }

    /// The settings of the board: those of a Pico if none were stored.
    ///
    /// # Errors
    /// [`StoreError::Flash`].
    pub async fn board(&mut self) -> Result<BoardSettings, StoreError> {
        Ok(settings::board(&mut self.flash, &self.layout).await?.unwrap_or_default())
    }

    /// Stores settings of the board.
    ///
    /// # Errors
    /// [`StoreError::Flash`].
    pub async fn set_board(&mut self, board: &BoardSettings) -> Result<(), StoreError> {
        settings::set_board(&mut self.flash, &self.layout, board).await
    }

    /// Keeps that this start was caused by the firmware itself, by what `cause` reports; of a longer one than 200 bytes
    /// the beginning. To be called after [`count_start`](Self::count_start).
    ///
    /// # Errors
    /// [`StoreError::Flash`].
    pub async fn set_failure(&mut self, cause: &[u8]) -> Result<(), StoreError> {
        settings::set_failure(&mut self.flash, &self.layout, self.boot, cause).await
    }

    /// The number and the cause of the last start that the firmware itself had caused, if there was one. The cause goes
    /// into `buffer`, of 320 bytes at the least.
    ///
    /// # Errors
    /// [`StoreError::Flash`].
    pub async fn failure<'b>(&mut self, buffer: &'b mut [u8]) -> Result<Option<(u32, &'b [u8])>, StoreError> {
        settings::failure(&mut self.flash, &self.layout, buffer).await
    }

    /// The stored job, if there is one.
    ///
    /// # Errors
    /// [`StoreError::Flash`].
    pub async fn job(&mut self) -> Result<Option<StoredJob>, StoreError> {
        settings::read(&mut self.flash, &self.layout).await
    }

    /// Stores a job in place of the one before. Until this returns it is the one or the other.
    ///
    /// # Errors
    /// [`StoreError::Flash`].
    pub async fn set_job(&mut self, job: &StoredJob) -> Result<(), StoreError> {
        settings::write(&mut self.flash, &self.layout, job).await
    }

    /// The flash, for looking at it.
    pub fn flash(&mut self) -> &mut F {
        &mut self.flash
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.flash
    }
}

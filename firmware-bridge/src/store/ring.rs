//! The pages of the traces, as a ring: the one after the last is the first.

use embedded_storage_async::nor_flash::NorFlash;
use scopething_core::link::bridge::RECORD_VERSION;
use scopething_core::link::bridge::StoredTrace;
use scopething_core::link::bridge::frame::CRC;

use super::error::StoreError;
use super::index::Entry;
use super::layout::{PAGE_BYTES, SECTOR_BYTES, SECTOR_PAGES, StoreLayout};

/// A page of bytes.
pub(super) type Page = [u8; PAGE_BYTES as usize];

/// Bytes of the checksum at the end of a head page.
const CHECKSUM_BYTES: usize = 4;

/// The page that stands ahead of a trace's samples. None if the record does not fit, which the tests exclude.
pub(super) fn head_page(record: &StoredTrace) -> Option<Page> {
    let mut page = [0xff; PAGE_BYTES as usize];
    let (body, checksum) = page.split_last_chunk_mut::<CHECKSUM_BYTES>()?;
    postcard::to_slice(record, body).ok()?;
    *checksum = checksum_of(body).to_le_bytes();
    Some(page)
}

/// The checksum of a record: that of its bytes and of the version of their form, so that a record of another version is
/// none.
fn checksum_of(body: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(body);
    digest.update(&[RECORD_VERSION]);
    digest.finalize()
}

/// The record in a head page, if it is one.
pub(super) fn record_of(page: &Page) -> Option<StoredTrace> {
    let (body, checksum) = page.split_last_chunk::<CHECKSUM_BYTES>()?;
    if checksum_of(body) != u32::from_le_bytes(*checksum) {
        return None;
    }
    postcard::take_from_bytes(body).ok().map(|(record, _)| record)
}

/// The numbers of the pages and what they mean in flash.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ring {
    start: u32,
    pages: u16,
}

impl Ring {
    pub(super) fn new(layout: &StoreLayout) -> Self {
        Self { start: layout.traces.start, pages: layout.trace_pages() }
    }

    /// The page that comes so many after another.
    pub(super) fn page_after(self, page: u16, count: u16) -> u16 {
        let sum = u32::from(page) + u32::from(count);
        (sum % u32::from(self.pages.max(1))) as u16
    }

    /// How many pages lie from one to another, going forward.
    fn distance(self, from: u16, to: u16) -> u16 {
        if to >= from { to - from } else { self.pages - from + to }
    }

    /// The first page of the sector behind those that hold these pages.
    pub(super) fn sector_behind(self, page: u16, count: u16) -> u16 {
        let last = self.page_after(page, count.saturating_sub(1));
        self.page_after(last - last % SECTOR_PAGES, SECTOR_PAGES)
    }

    /// Whether writing these pages erases some of a kept trace: writing goes on to the end of the last
    /// sector.
    pub(super) fn overlap(self, page: u16, count: u16, kept: Entry) -> bool {
        let end = self.distance(page, self.sector_behind(page, count));
        let to_kept = self.distance(page, kept.page);
        let from_kept = self.distance(kept.page, page);
        to_kept < end || from_kept < kept.pages()
    }

    /// The page itself if it begins a sector, or if nothing was written from it to the end of its sector.
    /// Otherwise the first page of the next sector.
    pub(super) async fn usable_page<F: NorFlash>(self, flash: &mut F, page: u16) -> Result<u16, StoreError> {
        let mut bytes = [0; PAGE_BYTES as usize];
        let mut each = page;
        while !each.is_multiple_of(SECTOR_PAGES) {
            self.read(flash, each, 0, &mut bytes).await?;
            if bytes.iter().any(|&byte| byte != 0xff) {
                return Ok(self.sector_behind(page, 1));
            }
            each = self.page_after(each, 1);
        }
        Ok(page)
    }

    /// Writes a page. The first page of a sector erases the sector.
    pub(super) async fn write<F: NorFlash>(
        self,
        flash: &mut F,
        page: u16,
        bytes: &Page,
    ) -> Result<(), StoreError> {
        let at = self.start + u32::from(page) * PAGE_BYTES;
        if page.is_multiple_of(SECTOR_PAGES) {
            flash.erase(at, at + SECTOR_BYTES).await.map_err(|_| StoreError::Flash)?;
        }
        flash.write(at, bytes).await.map_err(|_| StoreError::Flash)
    }

    /// Reads bytes of a page.
    pub(super) async fn read<F: NorFlash>(
        self,
        flash: &mut F,
        page: u16,
        offset: u32,
        bytes: &mut [u8],
    ) -> Result<(), StoreError> {
        let at = self.start + u32::from(page) * PAGE_BYTES + offset;
        let aligned = at.is_multiple_of(F::READ_SIZE as u32) && bytes.len().is_multiple_of(F::READ_SIZE);
        if aligned {
            return flash.read(at, bytes).await.map_err(|_| StoreError::Flash);
        }
        let mut whole = [0; PAGE_BYTES as usize];
        flash.read(at - offset, &mut whole).await.map_err(|_| StoreError::Flash)?;
        let part = whole.get(offset as usize..).and_then(|part| part.get(..bytes.len()));
        bytes.copy_from_slice(part.ok_or(StoreError::Offset)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scopething_core::link::bridge::TraceId;

    fn entry(page: u16, pages: u16) -> Entry {
        Entry { id: TraceId(1), page, bytes: (pages - 1) * PAGE_BYTES as u16 }
    }

    #[test]
    fn record_of_another_version_is_none() {
        use scopething_core::device::BS05;
        use scopething_core::link::bridge::Ended;
        use scopething_core::plan::{BusyOutputs, CaptureRequest, plan_capture};
        use scopething_core::time::Instant;
        use scopething_core::trace::{EndReason, Trace, TraceBuffer};

        let request = CaptureRequest::new(scopething_core::plan::Channel::A);
        let plan = plan_capture(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING).unwrap();
        let buffer = TraceBuffer::new();
        let trace = Trace::new(&plan, &buffer, 100, EndReason::Trigger, 0);
        let record =
            StoredTrace::of_trace(TraceId(2), &trace, &request, &BS05.analog, None, Ended::at(Instant(0)));
        let mut page = head_page(&record).unwrap();
        assert_eq!(record_of(&page), Some(record));
        // The first version's checksum was that of the bytes alone.
        let (body, checksum) = page.split_last_chunk_mut::<CHECKSUM_BYTES>().unwrap();
        *checksum = CRC.checksum(body).to_le_bytes();
        assert_eq!(record_of(&page), None);
    }

    #[test]
    fn overlap_covers_erased_sectors() {
        let ring = Ring { start: 0, pages: 64 };
        // Pages 10 to 20 take the sector from 16 to 31 with them.
        for (kept, overlaps) in [
            (entry(8, 2), false),
            (entry(8, 3), true),
            (entry(10, 1), true),
            (entry(31, 1), true),
            (entry(32, 4), false),
            // From the end of the ring to its beginning.
            (entry(60, 14), false),
            (entry(60, 15), true),
        ] {
            assert_eq!(ring.overlap(10, 11, kept), overlaps, "{kept:?}");
        }
        // Pages 60 to 65, which are 60 to 63 and 0 to 1, take the first sector.
        assert!(ring.overlap(60, 6, entry(15, 1)));
        assert!(!ring.overlap(60, 6, entry(16, 1)));
        assert!(!ring.overlap(60, 4, entry(0, 1)));
    }
}

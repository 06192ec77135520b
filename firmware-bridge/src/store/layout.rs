//! What lies where in the flash that the store has.

use core::fmt;
use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;

use super::error::StoreError;

/// What is erased at once, in bytes: a sector of the W25Q flash of a Pico.
pub const SECTOR_BYTES: u32 = 4096;
/// What is written at once, in bytes: a page of that flash.
pub const PAGE_BYTES: u32 = 256;
/// Pages of a sector.
pub(super) const SECTOR_PAGES: u16 = (SECTOR_BYTES / PAGE_BYTES) as u16;

/// Sectors of each copy of the settings.
const SETTINGS_SECTORS: u32 = 2;
/// The fewest sectors of the index.
const MIN_INDEX_SECTORS: u32 = 4;
/// Sectors for traces that a sector of the index serves: eight of the shortest traces fill one, and 150 items of the
/// index the other. So the index wears no faster than the traces, and one sector of it may be empty.
const SERVED_SECTORS: u32 = 18;
/// The fewest sectors for traces: the longest trace starts anywhere in a sector, and may have to be written
/// twice.
const MIN_TRACE_SECTORS: u32 = 8;
/// The most sectors for traces: their pages are numbered in 16 bits.
const MAX_TRACE_SECTORS: u32 = 65_536 / SECTOR_PAGES as u32 - 1;

/// Where in flash the store keeps what, in bytes from the flash's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreLayout {
    pub(super) settings: [Range<u32>; 2],
    pub(super) index: Range<u32>,
    pub(super) traces: Range<u32>,
    /// The end of the range that was given, of which the end of `traces` may fall short.
    pub(super) end: u32,
}

/// A range of flash that no store can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LayoutError {
    /// It does not begin and end with a sector.
    Sectors,
    /// It is too small.
    Small {
        /// The fewest bytes.
        least: u32,
    },
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sectors => write!(f, "give a range of whole sectors of {SECTOR_BYTES} bytes"),
            Self::Small { least } => write!(f, "give a range of at least {least} bytes"),
        }
    }
}

impl core::error::Error for LayoutError {}

impl StoreLayout {
    /// The layout of a store that has this range of flash to itself. What is beyond 16 MiB is not used.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub const fn of(range: Range<u32>) -> Result<Self, LayoutError> {
        if !range.start.is_multiple_of(SECTOR_BYTES) || !range.end.is_multiple_of(SECTOR_BYTES) {
            return Err(LayoutError::Sectors);
        }
        let ahead = (2 * SETTINGS_SECTORS + MIN_INDEX_SECTORS) * SECTOR_BYTES;
        let least = ahead + MIN_TRACE_SECTORS * SECTOR_BYTES;
        if range.end.saturating_sub(range.start) < least {
            return Err(LayoutError::Small { least });
        }
        let second = range.start + SETTINGS_SECTORS * SECTOR_BYTES;
        let index = second + SETTINGS_SECTORS * SECTOR_BYTES;
        let sectors = (range.end - index) / SECTOR_BYTES;
        let spread = sectors.div_ceil(SERVED_SECTORS + 1) + 1;
        let index_sectors = if spread > MIN_INDEX_SECTORS { spread } else { MIN_INDEX_SECTORS };
        let traces = index + index_sectors * SECTOR_BYTES;
        let most = MAX_TRACE_SECTORS * SECTOR_BYTES;
        let end = if range.end - traces > most { traces + most } else { range.end };
        Ok(Self {
            settings: [range.start..second, second..index],
            index: index..traces,
            traces: traces..end,
            end: range.end,
        })
    }

    /// Bytes for traces.
    pub(super) const fn trace_bytes(&self) -> u32 {
        self.traces.end - self.traces.start
    }

    /// Pages for traces.
    pub(super) const fn trace_pages(&self) -> u16 {
        (self.trace_bytes() / PAGE_BYTES) as u16
    }
}

/// Whether the flash is one that the store can use.
pub(super) fn check_flash<F: NorFlash>(flash: &F, layout: &StoreLayout) -> Result<(), StoreError> {
    let fits = layout.traces.end as usize <= flash.capacity();
    // Pages are read from any multiple of 4 on.
    let alike = F::ERASE_SIZE == SECTOR_BYTES as usize && F::WRITE_SIZE <= 4 && F::READ_SIZE <= 4;
    if fits && alike { Ok(()) } else { Err(StoreError::Flash) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_parts_do_not_overlap() {
        let layout = StoreLayout::of(0x2_8000..0x20_0000).unwrap();
        let [one, other] = &layout.settings;
        assert_eq!((one.start, one.end), (0x2_8000, other.start));
        assert_eq!((other.end, layout.index.end), (layout.index.start, layout.traces.start));
        assert_eq!(layout.traces.end, 0x20_0000);
        assert!(one.end - one.start >= 2 * SECTOR_BYTES, "a map needs two sectors");
    }

    #[test]
    fn invalid_layout_is_refused() {
        assert_eq!(StoreLayout::of(100..65_536), Err(LayoutError::Sectors));
        assert_eq!(StoreLayout::of(0..15 * 4096), Err(LayoutError::Small { least: 16 * 4096 }));
        assert!(StoreLayout::of(0..16 * 4096).is_ok());
        let large = StoreLayout::of(0..32 << 20).unwrap();
        assert!(large.trace_bytes() / PAGE_BYTES < 65_536);
    }
}

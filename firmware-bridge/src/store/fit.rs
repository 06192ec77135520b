//! How much of the flash the store has: what it had when it was first used, until no trace is left in it.
//!
//! Where the store's parts lie depends on its size. One that holds traces stays as it is when firmware finds that the flash
//! is larger than the firmware before had known.

use embedded_storage_async::nor_flash::MultiwriteNorFlash;

use super::StoreMemory;
use super::error::StoreError;
use super::index::Index;
use super::layout::{SECTOR_BYTES, StoreLayout};
use super::settings;

/// Where the stores of firmware ended that did not ask for the size of the flash.
const FIRST_END: u32 = 2 << 20;

/// The layout of the store from `start` on in a flash that ends at `end`, in bytes; a size that is not certain gives way to
/// the one with which the store was made. A store without traces is extended to
/// the end of the flash, where one with traces stays as it is; numbers of traces and the count of erasures go on. To be
/// called ahead of [`Store::open`](super::Store::open).
///
/// # Errors
/// [`StoreError::Flash`], and [`StoreError::Full`] if there is no room for a store.
pub async fn fit_layout<F: MultiwriteNorFlash, const TRACE_BYTES: usize>(
    flash: &mut F,
    start: u32,
    end: u32,
    is_certain: bool,
    memory: &mut StoreMemory<TRACE_BYTES>,
) -> Result<StoreLayout, StoreError> {
    let layout_to = |end| StoreLayout::of(start..end).map_err(|_| StoreError::Full);
    let whole = layout_to(end)?;
    let used = match settings::end(flash, &whole).await? {
        Some(used) => used,
        None if settings::is_unused(flash, &whole).await? => end,
        None => FIRST_END,
    };
    if used > end && !is_certain {
        return layout_to(used);
    }
    if used < end {
        let layout = layout_to(used)?;
        let index = Index::open(flash, &layout, &mut memory.entries).await?;
        if index.oldest().is_some() || index.unreadable() > 0 {
            return Ok(layout);
        }
        extend(flash, &layout, &whole, index).await?;
    }
    if settings::end(flash, &whole).await?.unwrap_or(FIRST_END) != end {
        settings::set_end(flash, &whole, end).await?;
    }
    Ok(whole)
}

/// Makes the index of a store without traces that of a larger one. When power fails, what is there is an empty store of
/// either size.
async fn extend<F: MultiwriteNorFlash>(
    flash: &mut F,
    layout: &StoreLayout,
    whole: &StoreLayout,
    index: Index<'_>,
) -> Result<(), StoreError> {
    if index.next_id() > settings::reserved(flash, layout).await? {
        settings::reserve(flash, layout, index.next_id()).await?;
    }
    for sector in whole.index.clone().step_by(SECTOR_BYTES as usize) {
        let sector = sector..sector + SECTOR_BYTES;
        if !super::index::is_erased(flash, &sector).await? {
            flash.erase(sector.start, sector.end).await.map_err(|_| StoreError::Flash)?;
        }
    }
    index.moved_to(whole).remember_place(flash).await
}

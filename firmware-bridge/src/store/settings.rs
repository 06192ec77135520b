//! The job, in two copies: maps of their own, written one after the other.

use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use scopething_core::link::bridge::{Job, frame};
use sequential_storage::Error;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage};
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::layout::StoreLayout;

/// The job as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, defmt::Format)]
pub struct StoredJob {
    /// The job.
    pub job: Job,
    /// Whether it starts at power-up.
    pub armed: bool,
}

/// The key of the job in the maps: a job that firmware of another version has stored has another form, and counts as none.
const JOB: u8 = frame::VERSION;
/// The key of the number of starts.
const STARTS: u8 = 0xb0;
/// Room for the job and its key.
const JOB_BYTES: usize = 320;

type Map<'a, F> = MapStorage<u8, &'a mut F, Cache<Uncached, Uncached, Uncached, u8>>;

fn map<'a, F: NorFlash>(flash: &'a mut F, range: &Range<u32>) -> Result<Map<'a, F>, StoreError> {
    let config = MapConfig::try_new(range.clone()).map_err(|_| StoreError::Flash)?;
    Ok(MapStorage::new(flash, config, Cache::new_uncached()))
}

/// The job in one copy. What cannot be read counts as none.
async fn read_copy<F: NorFlash>(flash: &mut F, range: &Range<u32>) -> Result<Option<StoredJob>, StoreError> {
    let mut buffer = [0; JOB_BYTES];
    match map(flash, range)?.fetch_item::<&[u8]>(&mut buffer, &JOB).await {
        Ok(bytes) => Ok(bytes.and_then(|bytes| postcard::from_bytes(bytes).ok())),
        Err(Error::Storage { .. }) => Err(StoreError::Flash),
        Err(_) => Ok(None),
    }
}

async fn write_copy<F: NorFlash>(
    flash: &mut F,
    range: &Range<u32>,
    job: &StoredJob,
) -> Result<(), StoreError> {
    let mut item = [0; JOB_BYTES];
    let item: &[u8] = postcard::to_slice(job, &mut item).map_err(|_| StoreError::Flash)?;
    let mut buffer = [0; JOB_BYTES];
    let mut map = map(flash, range)?;
    match map.store_item(&mut buffer, &JOB, &item).await {
        Ok(()) => return Ok(()),
        Err(Error::Storage { .. }) => return Err(StoreError::Flash),
        // The flash held something else.
        Err(_) => map.erase_all().await.map_err(|_| StoreError::Flash)?,
    }
    map.store_item(&mut buffer, &JOB, &item).await.map_err(|_| StoreError::Flash)
}

pub(super) async fn read<F: NorFlash>(
    flash: &mut F,
    layout: &StoreLayout,
) -> Result<Option<StoredJob>, StoreError> {
    let [one, other] = &layout.settings;
    match read_copy(flash, one).await? {
        Some(job) => Ok(Some(job)),
        None => read_copy(flash, other).await,
    }
}

pub(super) async fn write<F: NorFlash>(
    flash: &mut F,
    layout: &StoreLayout,
    job: &StoredJob,
) -> Result<(), StoreError> {
    for range in &layout.settings {
        write_copy(flash, range, job).await?;
    }
    Ok(())
}

/// Makes the copies the same again after power failed between them.
pub(super) async fn repair<F: NorFlash>(flash: &mut F, layout: &StoreLayout) -> Result<(), StoreError> {
    let [one, other] = &layout.settings;
    let copies = (read_copy(flash, one).await?, read_copy(flash, other).await?);
    match copies {
        (Some(job), found) if found != Some(job) => write_copy(flash, other, &job).await,
        (None, Some(job)) => write_copy(flash, one, &job).await,
        _ => Ok(()),
    }
}

async fn read_starts<F: NorFlash>(flash: &mut F, range: &Range<u32>) -> Result<u32, StoreError> {
    let mut buffer = [0; JOB_BYTES];
    match map(flash, range)?.fetch_item::<u32>(&mut buffer, &STARTS).await {
        Ok(starts) => Ok(starts.unwrap_or(0)),
        Err(Error::Storage { .. }) => Err(StoreError::Flash),
        Err(_) => Ok(0),
    }
}

/// Counts one more start. Where the flash holds something else it begins anew.
pub(super) async fn count_start<F: NorFlash>(flash: &mut F, layout: &StoreLayout) -> Result<u32, StoreError> {
    let mut starts = 0;
    for range in &layout.settings {
        starts = read_starts(flash, range).await?.max(starts);
    }
    starts = starts.saturating_add(1);
    let mut buffer = [0; JOB_BYTES];
    for range in &layout.settings {
        let mut map = map(flash, range)?;
        match map.store_item(&mut buffer, &STARTS, &starts).await {
            Ok(()) => continue,
            Err(Error::Storage { .. }) => return Err(StoreError::Flash),
            Err(_) => map.erase_all().await.map_err(|_| StoreError::Flash)?,
        }
        map.store_item(&mut buffer, &STARTS, &starts).await.map_err(|_| StoreError::Flash)?;
    }
    Ok(starts)
}

//! The job, in two copies: maps of their own, written one after the other.

use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use scopething_core::device::AnalogParameters;
use scopething_core::link::bridge::{BoardSettings, Job, Repeat, ToFlash, TraceId, WhenFull, frame};
use scopething_core::plan::CaptureRequest;
use scopething_core::time::Micros;
use sequential_storage::Error;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage, Value};
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

/// The key of the job in the maps: what firmware of another version has stored has another form. That of version 4 is still
/// read, an older one counts as none.
const JOB: u8 = frame::VERSION;
/// The key of the job as firmware of version 4 has stored it.
const JOB_4: u8 = 4;
/// The key of the number of starts.
const STARTS: u8 = 0xb0;
/// The key of the number below which those of traces may be in use.
const RESERVED: u8 = 0xb1;
/// The key of the last start that the firmware had caused: its number, then its cause in text.
const FAILURE: u8 = 0xb2;
/// The key of the settings of the board.
const BOARD: u8 = 0xb3;
/// Room for the job and its key, and for a failure.
const JOB_BYTES: usize = 320;
/// The most bytes of a failure that are kept.
pub(super) const CAUSE_BYTES: usize = 200;

/// The job in the form of version 4: each trace goes to flash.
#[derive(Deserialize)]
struct StoredJob4 {
    job: Job4,
    armed: bool,
}

#[derive(Deserialize)]
struct Job4 {
    request: CaptureRequest,
    probe: AnalogParameters,
    repeat: Repeat,
    spacing: Micros,
    keep: Option<u16>,
    when_full: WhenFull,
}

impl From<StoredJob4> for StoredJob {
    fn from(StoredJob4 { job, armed }: StoredJob4) -> Self {
        let Job4 { request, probe, repeat, spacing, keep, when_full } = job;
        Self { job: Job { request, probe, repeat, spacing, keep, when_full, flash: ToFlash::Each }, armed }
    }
}

type Map<'a, F> = MapStorage<u8, &'a mut F, Cache<Uncached, Uncached, Uncached, u8>>;

fn map<'a, F: NorFlash>(flash: &'a mut F, range: &Range<u32>) -> Result<Map<'a, F>, StoreError> {
    let config = MapConfig::try_new(range.clone()).map_err(|_| StoreError::Flash)?;
    Ok(MapStorage::new(flash, config, Cache::new_uncached()))
}

/// The job in one copy. What cannot be read counts as none.
async fn read_copy<F: NorFlash>(flash: &mut F, range: &Range<u32>) -> Result<Option<StoredJob>, StoreError> {
    let mut buffer = [0; JOB_BYTES];
    if let Some(bytes) = fetch(flash, range, JOB, &mut buffer).await? {
        return Ok(postcard::from_bytes(bytes).ok());
    }
    let bytes = fetch(flash, range, JOB_4, &mut buffer).await?;
    Ok(bytes.and_then(|bytes| postcard::from_bytes::<StoredJob4>(bytes).ok()).map(StoredJob::from))
}

/// The bytes under a key. What cannot be read counts as none.
async fn fetch<'b, F: NorFlash>(
    flash: &mut F,
    range: &Range<u32>,
    key: u8,
    buffer: &'b mut [u8],
) -> Result<Option<&'b [u8]>, StoreError> {
    match map(flash, range)?.fetch_item::<&[u8]>(buffer, &key).await {
        Ok(bytes) => Ok(bytes),
        Err(Error::Storage { .. }) => Err(StoreError::Flash),
        Err(_) => Ok(None),
    }
}

/// Stores a value under a key in both copies. Where the flash holds something else it begins anew.
async fn store_in_both<'v, F: NorFlash, V: Value<'v>>(
    flash: &mut F,
    layout: &StoreLayout,
    key: u8,
    value: &V,
) -> Result<(), StoreError> {
    let mut buffer = [0; JOB_BYTES];
    for range in &layout.settings {
        let mut map = map(flash, range)?;
        match map.store_item(&mut buffer, &key, value).await {
            Ok(()) => continue,
            Err(Error::Storage { .. }) => return Err(StoreError::Flash),
            Err(_) => map.erase_all().await.map_err(|_| StoreError::Flash)?,
        }
        map.store_item(&mut buffer, &key, value).await.map_err(|_| StoreError::Flash)?;
    }
    Ok(())
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

/// The settings of the board. What cannot be read, or is not to be used, counts as none.
pub(super) async fn board<F: NorFlash>(
    flash: &mut F,
    layout: &StoreLayout,
) -> Result<Option<BoardSettings>, StoreError> {
    let mut buffer = [0; JOB_BYTES];
    for range in &layout.settings {
        let bytes = fetch(flash, range, BOARD, &mut buffer).await?;
        let found = bytes.and_then(|bytes| postcard::from_bytes::<BoardSettings>(bytes).ok());
        if let Some(settings) = found.filter(|settings| settings.check().is_ok()) {
            return Ok(Some(settings));
        }
    }
    Ok(None)
}

/// Keeps the settings of the board.
pub(super) async fn set_board<F: NorFlash>(
    flash: &mut F,
    layout: &StoreLayout,
    settings: &BoardSettings,
) -> Result<(), StoreError> {
    let mut bytes = [0; 16];
    let bytes: &[u8] = postcard::to_slice(settings, &mut bytes).map_err(|_| StoreError::Flash)?;
    store_in_both(flash, layout, BOARD, &bytes).await
}

/// The highest number under a key in the copies; 0 without any.
async fn read_number<F: NorFlash>(flash: &mut F, layout: &StoreLayout, key: u8) -> Result<u32, StoreError> {
    let mut highest = 0;
    for range in &layout.settings {
        let mut buffer = [0; JOB_BYTES];
        match map(flash, range)?.fetch_item::<u32>(&mut buffer, &key).await {
            Ok(number) => highest = number.unwrap_or(0).max(highest),
            Err(Error::Storage { .. }) => return Err(StoreError::Flash),
            Err(_) => {}
        }
    }
    Ok(highest)
}

/// Counts one more start.
pub(super) async fn count_start<F: NorFlash>(flash: &mut F, layout: &StoreLayout) -> Result<u32, StoreError> {
    let starts = read_number(flash, layout, STARTS).await?.saturating_add(1);
    store_in_both(flash, layout, STARTS, &starts).await?;
    Ok(starts)
}

/// The lowest number that no trace in memory ever had.
pub(super) async fn reserved<F: NorFlash>(
    flash: &mut F,
    layout: &StoreLayout,
) -> Result<TraceId, StoreError> {
    Ok(TraceId(read_number(flash, layout, RESERVED).await?))
}

/// Has the numbers below this one count as used at the next start.
pub(super) async fn reserve<F: NorFlash>(
    flash: &mut F,
    layout: &StoreLayout,
    below: TraceId,
) -> Result<(), StoreError> {
    store_in_both(flash, layout, RESERVED, &below.0).await
}

/// The last start that the firmware had caused: its number and cause.
pub(super) async fn failure<'b, F: NorFlash>(
    flash: &mut F,
    layout: &StoreLayout,
    buffer: &'b mut [u8],
) -> Result<Option<(u32, &'b [u8])>, StoreError> {
    let [one, other] = &layout.settings;
    let found = match fetch(flash, one, FAILURE, &mut [0; JOB_BYTES]).await? {
        Some(_) => one,
        None => other,
    };
    let bytes = fetch(flash, found, FAILURE, buffer).await?;
    Ok(bytes
        .and_then(|bytes| bytes.split_first_chunk())
        .map(|(boot, cause)| (u32::from_le_bytes(*boot), cause)))
}

/// Keeps the number and the cause of a start that the firmware had caused. A longer cause is cut.
pub(super) async fn set_failure<F: NorFlash>(
    flash: &mut F,
    layout: &StoreLayout,
    boot: u32,
    cause: &[u8],
) -> Result<(), StoreError> {
    let mut bytes = [0; 4 + CAUSE_BYTES];
    let length = cause.len().min(CAUSE_BYTES);
    let (number, rest) = bytes.split_at_mut(4);
    number.copy_from_slice(&boot.to_le_bytes());
    for (place, &byte) in rest.iter_mut().zip(cause) {
        *place = byte;
    }
    let bytes = bytes.get(..4 + length).unwrap_or_default();
    store_in_both(flash, layout, FAILURE, &bytes).await
}

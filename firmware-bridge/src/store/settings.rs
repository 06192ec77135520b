//! The job, in two copies: maps of their own, written one after the other.

use core::ops::Range;

use embedded_storage_async::nor_flash::NorFlash;
use scopething_core::device::AnalogParameters;
use scopething_core::link::bridge::{Bands, BoardSettings, Job, Repeat, ToFlash, TraceId, WhenFull, frame};
use scopething_core::plan::CaptureRequest;
use scopething_core::time::Micros;
use sequential_storage::Error;
use sequential_storage::cache::{Cache, Uncached};
use sequential_storage::map::{MapConfig, MapStorage, Value};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::StoreError;
use super::layout::StoreLayout;

/// The job as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StoredJob {
    /// The job.
    pub job: Job,
    /// Whether it starts at power-up.
    pub armed: bool,
}

/// The key of the job in the maps: what firmware of another version has stored has another form. Those of versions 5 and 4
/// are still read, older ones count as none.
const JOB: u8 = frame::VERSION;
const JOB_5: u8 = 5;
const JOB_4: u8 = 4;
/// The key of the number of starts.
const STARTS: u8 = 0xb0;
/// The key of the number below which those of traces may be in use.
const RESERVED: u8 = 0xb1;
/// The key of the last start that the firmware had caused: its number, then its cause in text.
const FAILURE: u8 = 0xb2;
/// The key of the settings of the board.
const BOARD: u8 = 0xb3;
/// The key of where the store ends.
const END: u8 = 0xb4;
/// Room for the job and its key, and for a failure.
const JOB_BYTES: usize = 448;
/// Room for the settings of the board.
const BOARD_BYTES: usize = 16;
/// The most bytes of a failure that are kept.
pub(super) const CAUSE_BYTES: usize = 200;

/// The job in the form of another version.
#[derive(Deserialize)]
struct Earlier<J> {
    job: J,
    armed: bool,
}

/// Version 4: each trace goes to flash.
#[derive(Deserialize)]
struct Job4 {
    request: CaptureRequest,
    probe: AnalogParameters,
    repeat: Repeat,
    spacing: Micros,
    keep: Option<u16>,
    when_full: WhenFull,
}

/// Version 5: each trace is kept.
#[derive(Deserialize)]
struct Job5 {
    start: Job4,
    flash: ToFlash,
}

impl From<Job4> for Job {
    fn from(start: Job4) -> Self {
        Job5 { start, flash: ToFlash::Each }.into()
    }
}

impl From<Job5> for Job {
    fn from(Job5 { start, flash }: Job5) -> Self {
        let Job4 { request, probe, repeat, spacing, keep, when_full } = start;
        Self { request, probe, repeat, spacing, keep, when_full, flash, bands: Bands::NONE }
    }
}

fn earlier<J: DeserializeOwned + Into<Job>>(bytes: &[u8]) -> Option<StoredJob> {
    let Earlier { job, armed } = postcard::from_bytes::<Earlier<J>>(bytes).ok()?;
    Some(StoredJob { job: job.into(), armed })
}

/// A form of the job: its key, and what reads it.
type Form = (u8, fn(&[u8]) -> Option<StoredJob>);

/// The forms of the job that are read, the newest first.
const FORMS: [Form; 3] =
    [(JOB, |bytes| postcard::from_bytes(bytes).ok()), (JOB_5, earlier::<Job5>), (JOB_4, earlier::<Job4>)];

type Map<'a, F> = MapStorage<u8, &'a mut F, Cache<Uncached, Uncached, Uncached, u8>>;

fn map<'a, F: NorFlash>(flash: &'a mut F, range: &Range<u32>) -> Result<Map<'a, F>, StoreError> {
    let config = MapConfig::try_new(range.clone()).map_err(|_| StoreError::Flash)?;
    Ok(MapStorage::new(flash, config, Cache::new_uncached()))
}

/// The job in one copy. What cannot be read counts as none.
async fn read_copy<F: NorFlash>(flash: &mut F, range: &Range<u32>) -> Result<Option<StoredJob>, StoreError> {
    let mut buffer = [0; JOB_BYTES];
    for (key, read) in FORMS {
        if let Some(bytes) = fetch(flash, range, key, &mut buffer).await? {
            return Ok(read(bytes));
        }
    }
    Ok(None)
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
        let found = bytes.and_then(board_of);
        if let Some(settings) = found.filter(|settings| settings.check().is_ok()) {
            return Ok(Some(settings));
        }
    }
    Ok(None)
}

/// The settings in these bytes. Those that were stored by earlier firmware lack the last pins, which then are none: a byte
/// of 0.
fn board_of(bytes: &[u8]) -> Option<BoardSettings> {
    let mut whole = [0; BOARD_BYTES];
    whole.get_mut(..bytes.len())?.copy_from_slice(bytes);
    postcard::take_from_bytes(&whole).ok().map(|(settings, _)| settings)
}

/// Keeps the settings of the board.
pub(super) async fn set_board<F: NorFlash>(
    flash: &mut F,
    layout: &StoreLayout,
    settings: &BoardSettings,
) -> Result<(), StoreError> {
    let mut bytes = [0; BOARD_BYTES];
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

/// Where the store ends, if that was noted.
pub(super) async fn end<F: NorFlash>(flash: &mut F, layout: &StoreLayout) -> Result<Option<u32>, StoreError> {
    Ok(Some(read_number(flash, layout, END).await?).filter(|&end| end > 0))
}

/// Notes where the store ends.
pub(super) async fn set_end<F: NorFlash>(
    flash: &mut F,
    layout: &StoreLayout,
    end: u32,
) -> Result<(), StoreError> {
    store_in_both(flash, layout, END, &end).await
}

/// Whether no firmware has started with this flash yet.
pub(super) async fn is_unused<F: NorFlash>(flash: &mut F, layout: &StoreLayout) -> Result<bool, StoreError> {
    Ok(read_number(flash, layout, STARTS).await? == 0 && read(flash, layout).await?.is_none())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeFlash;
    use embassy_futures::block_on;
    use scopething_core::device::BS05;
    use scopething_core::link::bridge::Led;
    use scopething_core::plan::Channel;

    fn layout() -> StoreLayout {
        StoreLayout::of(0..16 * 4096).unwrap()
    }

    #[test]
    fn job_of_version_5_is_read_and_keeps_every_trace() {
        let request = CaptureRequest::new(Channel::A);
        let (repeat, spacing, flash) = (Repeat::Times(7), Micros(9), ToFlash::Spaced(Micros(11)));
        // As that version had stored it: the parts in this order.
        let stored = (request, BS05.analog, repeat, spacing, Some(3_u16), WhenFull::Stop, flash, true);
        let mut bytes = [0; JOB_BYTES];
        let bytes: &[u8] = postcard::to_slice(&stored, &mut bytes).unwrap();
        block_on(async {
            let mut chip = FakeFlash::new(16);
            store_in_both(&mut chip, &layout(), 5, &bytes).await.unwrap();
            let job = read(&mut chip, &layout()).await.unwrap();
            let (probe, keep, when_full) = (BS05.analog, Some(3), WhenFull::Stop);
            let expected =
                Job { request, probe, repeat, spacing, keep, when_full, flash, bands: Bands::NONE };
            assert_eq!(job, Some(StoredJob { job: expected, armed: true }));
        });
    }

    #[test]
    fn settings_of_a_board_without_a_trigger_input_are_read() {
        // As earlier firmware had stored them: rate, LED, trigger output.
        let mut bytes = [0; 16];
        let bytes: &[u8] = postcard::to_slice(&(115_200_u32, Some(22_u8), Some(6_u8)), &mut bytes).unwrap();
        block_on(async {
            let mut chip = FakeFlash::new(16);
            store_in_both(&mut chip, &layout(), BOARD, &bytes).await.unwrap();
            let settings = board(&mut chip, &layout()).await.unwrap();
            let expected =
                BoardSettings { baud: 115_200, led: Led::Pin(22), trigger_out: Some(6), trigger_in: None };
            assert_eq!(settings, Some(expected));
            let with_input = BoardSettings { trigger_in: Some(7), ..expected };
            set_board(&mut chip, &layout(), &with_input).await.unwrap();
            assert_eq!(board(&mut chip, &layout()).await.unwrap(), Some(with_input));
            let with_radio = BoardSettings { led: Led::Radio, ..with_input };
            set_board(&mut chip, &layout(), &with_radio).await.unwrap();
            assert_eq!(board(&mut chip, &layout()).await.unwrap(), Some(with_radio));
        });
    }
}

//! Power fails at every flash operation of a run that fills the ring and goes round it: what was reported stored is
//! there afterwards, whole, and nothing else is.

use std::collections::BTreeMap;

use embassy_futures::block_on;
use scopething_bridge::fake::FakeFlash;
use scopething_bridge::store::{
    Keep, Place, Store, StoreError, StoreLayout, StoreMemory, StoredJob, TraceContext, fit_layout,
};
use scopething_core::device::BS05;
use scopething_core::link::bridge::wear;
use scopething_core::link::bridge::{Bands, Ended, Job, Repeat, ToFlash, TraceId, WhenFull};
use scopething_core::plan::{BusyOutputs, CaptureRequest, ChannelSet, plan_capture};
use scopething_core::time::{Instant, Micros};
use scopething_core::trace::{DumpChannel, EndReason, Trace, TraceBuffer};
use sequential_storage::cache::Cache;
use sequential_storage::queue::{QueueConfig, QueueStorage};

/// The smallest flash that a store fits: eight sectors of traces.
const SECTORS: usize = 16;
const TRACES: u32 = 14;
const KEEP: Keep = Keep { traces: None, when_full: WhenFull::DropOldest };

fn layout() -> StoreLayout {
    StoreLayout::of(0..SECTORS as u32 * 4096).unwrap()
}

/// Memory for one store, with so many bytes for traces.
fn memory<const TRACE_BYTES: usize>() -> &'static mut StoreMemory<TRACE_BYTES> {
    Box::leak(Box::default())
}

fn no_memory() -> &'static mut StoreMemory<0> {
    memory()
}

fn request(channels: &str, samples: u32) -> CaptureRequest {
    CaptureRequest { samples, ..CaptureRequest::new(channels.parse::<ChannelSet>().unwrap()) }
}

/// The trace that is stored as number `id`: noise, so that it cannot be packed, of a length that depends on the number.
fn raw(id: u32) -> Vec<u8> {
    let length = [300, 5000, 12_288, 256, 9000][id as usize % 5];
    let mut seed = fastrand::Rng::with_seed(id.into());
    (0..length).map(|_| seed.u8(..)).collect()
}

struct Kept {
    request: CaptureRequest,
    raw: Vec<u8>,
}

fn kept(id: u32) -> Kept {
    let raw = raw(id);
    // 100 ns a sample: the logic lines as bytes, of any number up to the whole buffer.
    let request =
        CaptureRequest { period_s: f64::from(raw.len() as u32) * 1e-6, ..request("L", raw.len() as u32) };
    Kept { request, raw }
}

async fn append(store: &mut Store<FakeFlash>, id: u32, keep: Keep) -> Result<TraceId, StoreError> {
    append_to(store, id, keep, Place::Flash).await
}

async fn append_to(
    store: &mut Store<FakeFlash>,
    id: u32,
    keep: Keep,
    place: Place,
) -> Result<TraceId, StoreError> {
    let Kept { request, raw } = kept(id);
    let plan = plan_capture(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING).unwrap();
    assert_eq!(usize::from(plan.timebase.samples), raw.len());
    let mut buffer = TraceBuffer::new();
    buffer.region_mut(0..raw.len()).copy_from_slice(&raw);
    let trace = Trace::new(&plan, &buffer, plan.timebase.samples, EndReason::Trigger, u64::from(id) << 32);
    let origin = TraceContext {
        request: &request,
        probe: &BS05.analog,
        scope: None,
        ended: Ended::at(Instant(id.into())),
    };
    store.append(&trace, origin, keep, place).await
}

/// Everything that the store reports to hold, each trace compared with what was captured.
async fn check_all(store: &mut Store<FakeFlash>) -> Vec<u32> {
    let mut found = Vec::new();
    let mut from = TraceId::FIRST;
    while let Some(record) = store.record_from(from).await.unwrap() {
        let kept = kept(record.id.0);
        assert_eq!(record.request, kept.request);
        let mut stored = vec![0; usize::from(record.stored_bytes)];
        // In pieces that are no pages.
        for offset in (0..stored.len()).step_by(999) {
            let end = stored.len().min(offset + 999);
            let read = store.read(record.id, offset as u16, &mut stored[offset..end]).await;
            assert_eq!(read, Ok(end - offset));
        }
        let plan = record.plan().unwrap();
        let mut buffer = TraceBuffer::new();
        let trace = record.restore(&plan, &stored, &mut buffer).unwrap();
        assert_eq!(trace.raw(DumpChannel::Logic), kept.raw, "trace {}", record.id);
        found.push(record.id.0);
        from = record.id.next();
    }
    let status = store.status();
    assert_eq!((status.traces + status.memory_traces) as usize, found.len());
    found
}

fn job(number: u32) -> StoredJob {
    let job = Job {
        request: request("A", 100 + number),
        probe: BS05.analog,
        repeat: Repeat::Times(number),
        spacing: Micros(number.into()),
        keep: None,
        when_full: WhenFull::Stop,
        flash: ToFlash::Each,
        bands: Bands::NONE,
    };
    StoredJob { job, armed: number.is_multiple_of(2) }
}

/// What was reported before the power failed.
#[derive(Default)]
struct Reported {
    job: Option<u32>,
    /// The newest that was stored.
    stored: u32,
    /// Erased through this.
    erased: u32,
}

/// Fills the ring, goes round it, erases, changes the job. Ends when the power does.
async fn run(flash: FakeFlash) -> (FakeFlash, Reported) {
    let mut reported = Reported::default();
    let mut store = match Store::open(flash, layout(), no_memory()).await {
        Ok(store) => store,
        Err(error) => panic!("{error}"),
    };
    for id in 1..=TRACES {
        match append(&mut store, id, KEEP).await {
            Ok(stored) => {
                assert_eq!(stored, TraceId(id));
                reported.stored = id;
            }
            Err(error) => {
                assert_eq!(error, StoreError::Flash);
                break;
            }
        }
        if id % 3 == 0 {
            if store.set_job(&job(id)).await.is_err() {
                break;
            }
            reported.job = Some(id);
        }
        if id == 7 || id == 11 {
            // The eleventh is the newest: nothing is left then.
            let through = if id == 11 { 11 } else { 6 };
            if store.erase_through(TraceId(through)).await.is_err() {
                break;
            }
            reported.erased = through;
        }
    }
    (store.into_flash(), reported)
}

#[test]
fn stored_traces_survive_power_failure() {
    block_on(async {
        let (whole, _) = Box::pin(run(FakeFlash::new(SECTORS))).await;
        assert!(whole.is_powered());
        let mut intact = BTreeMap::new();
        for operation in 0..whole.operations() {
            let mut flash = FakeFlash::new(SECTORS);
            flash.cut_power_at(operation, 0x5c09_e000 + u64::from(operation) * 0x9e37);
            let (mut flash, reported) = Box::pin(run(flash)).await;
            assert!(!flash.is_powered(), "operation {operation}");
            flash.power_up();
            let mut store = Store::open(flash, layout(), no_memory()).await.unwrap();
            let found = check_all(&mut store).await;
            let context = format!("operation {operation}: {found:?}");
            // They are the newest, without a gap; the one that was being written may have been finished.
            for pair in found.windows(2) {
                assert_eq!(pair[0] + 1, pair[1], "{context}");
            }
            let newest = found.last().copied();
            if reported.stored > reported.erased && reported.stored != 11 {
                let finished = newest == Some(reported.stored) || newest == Some(reported.stored + 1);
                assert!(finished, "{context}, {} was stored", reported.stored);
            }
            assert!(found.iter().all(|&id| id > reported.erased), "{context}, {} erased", reported.erased);
            // The job is the one that was reported, or the one that was being stored.
            let stored = store.job().await.unwrap();
            let before = reported.job.map(job);
            let next = job(reported.job.unwrap_or(0) + 3);
            assert!(stored == before || stored == Some(next), "{context}: {stored:?}");
            // And it goes on from there: no number comes twice, unless the first was never reported.
            let next = newest.unwrap_or(reported.stored) + 1;
            assert_eq!(append(&mut store, next, KEEP).await, Ok(TraceId(next)), "{context}");
            assert_eq!(check_all(&mut store).await.last(), Some(&next), "{context}");
            *intact.entry(found.len()).or_insert(0) += 1;
        }
        println!("{} operations; traces kept and how often: {intact:?}", whole.operations());
    });
}

#[test]
fn all_sectors_wear_alike() {
    block_on(async {
        let mut store = Store::open(FakeFlash::new(SECTORS), layout(), no_memory()).await.unwrap();
        for id in 1..=400 {
            assert_eq!(append(&mut store, id, KEEP).await, Ok(TraceId(id)));
        }
        // Behind eight sectors of settings and index.
        let flash = store.into_flash();
        let traces = &flash.erasures()[8..];
        let (least, most) = (traces.iter().min().unwrap(), traces.iter().max().unwrap());
        assert!(most - least <= 1, "{traces:?}");
        let written: usize = (1..=400).map(|id| kept(id).raw.len()).sum();
        assert!(*least as usize >= written / (8 * 4096), "{traces:?}");
        let index = &flash.erasures()[4..8];
        assert!(index.iter().max().unwrap() - index.iter().min().unwrap() <= 1, "{index:?}");
        let all: u32 = flash.erasures().iter().sum();
        println!("{all} erasures for 400 traces");
    });
}

#[test]
fn full_store_is_reported_and_keeps_its_traces() {
    block_on(async {
        let keep = Keep { traces: Some(3), when_full: WhenFull::Stop };
        let mut store = Store::open(FakeFlash::new(SECTORS), layout(), no_memory()).await.unwrap();
        for id in 1..=3 {
            assert!(store.has_room(300, keep, Place::Flash));
            assert_eq!(append(&mut store, id, keep).await, Ok(TraceId(id)));
        }
        assert!(!store.has_room(300, keep, Place::Flash));
        assert_eq!(append(&mut store, 4, keep).await, Err(StoreError::Full));
        assert_eq!(check_all(&mut store).await, [1, 2, 3]);
        store.erase_through(TraceId(1)).await.unwrap();
        assert!(store.has_room(300, keep, Place::Flash));
        assert_eq!(append(&mut store, 4, keep).await, Ok(TraceId(4)));
        // By room instead of by number.
        let keep = Keep { traces: None, when_full: WhenFull::Stop };
        let mut next = 5;
        while append(&mut store, next, keep).await.is_ok() {
            next += 1;
        }
        assert!(!store.has_room(kept(next).raw.len(), keep, Place::Flash));
        assert_eq!(check_all(&mut store).await, (2..next).collect::<Vec<_>>());
        // 50000 bytes of traces must at least fit in 32 KiB less what is left free at the ends.
        let bytes: usize = (2..next).map(|id| kept(id).raw.len()).sum();
        assert!(bytes > 16 * 1024, "{bytes}");
    });
}

#[test]
fn foreign_flash_is_treated_as_empty() {
    block_on(async {
        for seed in 0..20 {
            let mut flash = FakeFlash::new(SECTORS);
            fastrand::Rng::with_seed(seed).fill(flash.bytes_mut());
            let mut store = Store::open(flash, layout(), no_memory()).await.unwrap();
            assert_eq!(check_all(&mut store).await, [] as [u32; 0]);
            assert_eq!(store.job().await, Ok(None));
            assert_eq!(append(&mut store, 1, KEEP).await, Ok(TraceId(1)), "seed {seed}");
            store.set_job(&job(3)).await.unwrap();
            let mut store = Store::open(store.into_flash(), layout(), no_memory()).await.unwrap();
            assert_eq!(check_all(&mut store).await, [1]);
            assert_eq!(store.job().await, Ok(Some(job(3))));
        }
    });
}

#[test]
fn one_copy_of_the_job_is_enough() {
    block_on(async {
        for copy in [0, 1] {
            let mut store = Store::open(FakeFlash::new(SECTORS), layout(), no_memory()).await.unwrap();
            store.set_job(&job(6)).await.unwrap();
            let mut flash = store.into_flash();
            flash.bytes_mut()[copy * 2 * 4096..][..2 * 4096].fill(0x5a);
            let mut store = Store::open(flash, layout(), no_memory()).await.unwrap();
            assert_eq!(store.job().await, Ok(Some(job(6))), "copy {copy}");
        }
    });
}

#[test]
fn trace_whose_flash_fails_is_not_reported() {
    block_on(async {
        let mut store = Store::open(FakeFlash::new(SECTORS), layout(), no_memory()).await.unwrap();
        append(&mut store, 1, KEEP).await.unwrap();
        // A byte of the record, behind the eight sectors of settings and index.
        store.flash().bytes_mut()[8 * 4096 + 5] ^= 1;
        let mut store = Store::open(store.into_flash(), layout(), no_memory()).await.unwrap();
        assert_eq!(store.record_from(TraceId::FIRST).await, Err(StoreError::Flash));
    });
}

#[test]
fn foreign_traces_are_hidden_and_their_ids_skipped() {
    let mut flash = FakeFlash::new(SECTORS);
    block_on(async {
        // The index of the protocol's first version: the kind of item, the trace's number, page and bytes.
        let config = QueueConfig::try_new(4 * 4096..8 * 4096).unwrap();
        let mut queue = QueueStorage::new(&mut flash, config, Cache::new_uncached());
        for item in [[0, 1, 0, 100], [0, 2, 2, 100]] {
            queue.push(&item, false).await.unwrap();
        }
    });
    block_on(async {
        let mut store = Store::open(flash, layout(), no_memory()).await.unwrap();
        assert_eq!(store.status().traces, 0);
        assert_eq!(store.record_from(TraceId::FIRST).await, Ok(None));
        assert_eq!(append(&mut store, 3, KEEP).await, Ok(TraceId(3)));
        assert_eq!(check_all(&mut store).await, [3]);
    });
}

#[test]
fn flash_of_version_4_stays_readable() {
    let mut flash = FakeFlash::new(SECTORS);
    for line in include_str!("data/store_version_4.txt").lines().filter(|line| !line.starts_with('#')) {
        let (offset, bytes) = line.split_once(' ').unwrap();
        let at = usize::from_str_radix(offset, 16).unwrap();
        for place in 0..bytes.len() / 2 {
            let byte = u8::from_str_radix(&bytes[2 * place..][..2], 16).unwrap();
            flash.bytes_mut()[at + place] = byte;
        }
    }
    block_on(async {
        let mut store = Store::open(flash, layout(), no_memory()).await.unwrap();
        assert_eq!(check_all(&mut store).await, [3]);
        assert_eq!(store.status().unreadable, 0);
        assert_eq!(store.job().await, Ok(Some(job(6))));
        assert_eq!(store.count_start().await, Ok(3));
        assert_eq!(append(&mut store, 4, KEEP).await, Ok(TraceId(4)));
        store.set_job(&job(9)).await.unwrap();
        let mut store = Store::open(store.into_flash(), layout(), no_memory()).await.unwrap();
        assert_eq!(check_all(&mut store).await, [3, 4]);
        assert_eq!(store.job().await, Ok(Some(job(9))), "the newer form counts");
    });
}

#[test]
fn flash_of_older_versions_is_reported_unreadable() {
    let mut flash = FakeFlash::new(SECTORS);
    block_on(async {
        let config = QueueConfig::try_new(4 * 4096..8 * 4096).unwrap();
        let mut queue = QueueStorage::new(&mut flash, config, Cache::new_uncached());
        // Each kind of item: the first version's trace, a place, one of version 3, one with laps of a version to come.
        for item in [&[0, 1, 0, 100][..], &[1, 2, 2], &[2, 3, 2, 2, 100], &[3, 9, 7, 3, 4, 100]] {
            queue.push(item, false).await.unwrap();
        }
        let mut store = Store::open(flash, layout(), no_memory()).await.unwrap();
        let status = store.status();
        assert_eq!((status.traces, status.unreadable, status.erasures), (0, 3, 7));
        assert_eq!(append(&mut store, 4, KEEP).await, Ok(TraceId(4)));
        assert_eq!(check_all(&mut store).await, [4]);
    });
}

#[test]
fn traces_in_memory_wear_out_nothing_and_keep_their_numbers() {
    block_on(async {
        let memory = memory::<20_000>;
        let mut store = Store::open(FakeFlash::new(SECTORS), layout(), memory()).await.unwrap();
        assert_eq!(append(&mut store, 1, KEEP).await, Ok(TraceId(1)));
        for id in 2..=9 {
            assert_eq!(append_to(&mut store, id, KEEP, Place::Memory).await, Ok(TraceId(id)));
        }
        // Of 12288, 256, 9000, 300, 5000, 12288, 256 and 9000 bytes the newest are kept, round the end of the ring.
        assert_eq!(check_all(&mut store).await, [1, 8, 9]);
        assert!(!store.is_in_memory(TraceId(1)) && store.is_in_memory(TraceId(9)));
        let status = store.status();
        assert_eq!((status.traces, status.oldest, status.newest), (1, Some(TraceId(1)), Some(TraceId(9))));
        assert!(status.memory_used_bytes > 256 + 9000 && status.memory_used_bytes <= status.memory_bytes);
        // One goes to flash between them.
        assert_eq!(append(&mut store, 10, KEEP).await, Ok(TraceId(10)));
        assert_eq!(append_to(&mut store, 11, KEEP, Place::Memory).await, Ok(TraceId(11)));
        let found = check_all(&mut store).await;
        assert!(found.ends_with(&[9, 10]) || found.ends_with(&[10, 11]), "{found:?}");
        let few = Keep { traces: Some(1), ..KEEP };
        let operations = store.flash().operations();
        append_to(&mut store, 12, few, Place::Memory).await.unwrap();
        assert_eq!(store.flash().operations(), operations, "its number was reserved");
        assert_eq!(check_all(&mut store).await, [1, 10, 12]);
        // Power goes, and with it what was in memory, but for its numbers.
        let mut store = Store::open(store.into_flash(), layout(), memory()).await.unwrap();
        assert_eq!(check_all(&mut store).await, [1, 10]);
        let next = append(&mut store, 4098, KEEP).await.unwrap();
        assert_eq!(next, TraceId(4098));
        store.erase_through(TraceId(10)).await.unwrap();
        assert_eq!(check_all(&mut store).await, [4098]);
        assert!(!store.has_room(20_000, KEEP, Place::Memory) && store.has_room(12_288, KEEP, Place::Memory));
    });
}

/// A five-hundredth of a year with the real storage code: the simulated job captures as fast as it goes, stores each trace that
/// is due in flash, and the others in memory. The sectors are gone through in a fixed order, so that a year is five
/// hundred times that.
#[test]
fn default_spacing_keeps_every_sector_for_five_years() {
    const SPAN_S: f64 = 365.25 * 86_400.0 / 500.0;
    /// Erasures that a sector has in the span if it lasts five years.
    const MAX_ERASURES: u32 = wear::MAX_ERASURES / 2500;
    /// Traces a second that the emulated bridge captures at the most.
    const CAPTURES_PER_S: f64 = 18.8;
    /// So many numbers of traces in memory are reserved at once.
    const RESERVED: f64 = 4096.0;
    block_on(async {
        let mut store = Store::open(FakeFlash::new(SECTORS), layout(), no_memory()).await.unwrap();
        // 256 bytes: the shortest trace, with which the index wears the most.
        let shortest = 3;
        let spacing_s = wear::default_spacing_s(store.status().capacity_bytes, 256);
        let (mut now_s, mut captured) = (0.0, 0.0);
        while now_s < SPAN_S {
            append(&mut store, shortest, KEEP).await.unwrap();
            captured += spacing_s * CAPTURES_PER_S;
            while captured >= RESERVED {
                captured -= RESERVED;
                // A start reserves as so many traces do.
                store = Store::open(store.into_flash(), layout(), memory::<1024>()).await.unwrap();
                append_to(&mut store, shortest, KEEP, Place::Memory).await.unwrap();
            }
            now_s += spacing_s;
        }
        let reported = store.status().erasures;
        let flash = store.into_flash();
        let (settings, rest) = flash.erasures().split_at(4);
        let (index, traces) = rest.split_at(4);
        println!("erasures of a sector in a five-hundredth of a year: {settings:?} {index:?} {traces:?}");
        let most = *flash.erasures().iter().max().unwrap();
        assert!(most <= MAX_ERASURES + 1, "{settings:?} {index:?} {traces:?}");
        // What is there to be used up is used, and reported.
        assert!(traces.iter().all(|&count| count + 2 >= MAX_ERASURES), "{traces:?}");
        assert!(reported.abs_diff(traces[0]) <= 1, "{reported}, {traces:?}");
    });
}

const MIB: u32 = 1 << 20;

/// A store from the beginning of a flash that has so many bytes, opened as the firmware does.
async fn open_fitted(mut flash: FakeFlash, bytes: u32, is_certain: bool) -> Store<FakeFlash> {
    let layout = fit_layout(&mut flash, 0, bytes, is_certain, no_memory()).await.unwrap();
    Store::open(flash, layout, no_memory()).await.unwrap()
}

/// A flash of 4 MiB with the store of firmware that took it for one of 2, which has stored so many traces.
async fn flash_of_small_store(traces: u32) -> FakeFlash {
    let layout = StoreLayout::of(0..2 * MIB).unwrap();
    let mut store = Store::open(FakeFlash::new(1024), layout, no_memory()).await.unwrap();
    store.count_start().await.unwrap();
    for id in 1..=traces {
        append(&mut store, id, KEEP).await.unwrap();
    }
    store.into_flash()
}

#[test]
fn new_flash_is_used_as_far_as_it_goes() {
    block_on(async {
        for bytes in [2 * MIB, 4 * MIB] {
            let mut store = open_fitted(FakeFlash::new(1024), bytes, true).await;
            let capacity = store.status().capacity_bytes;
            assert!(capacity > bytes / 100 * 92 && capacity < bytes, "{capacity}");
            store.count_start().await.unwrap();
            append(&mut store, 1, KEEP).await.unwrap();
            let mut store = open_fitted(store.into_flash(), bytes, true).await;
            assert_eq!((check_all(&mut store).await, store.status().capacity_bytes), (vec![1], capacity));
            // A chip that does not answer this time is taken for one of 2 MiB.
            let mut store = open_fitted(store.into_flash(), 2 * MIB, false).await;
            assert_eq!((check_all(&mut store).await, store.status().capacity_bytes), (vec![1], capacity));
        }
        let no_room = fit_layout(&mut FakeFlash::new(16), 8 * 4096, 16 * 4096, true, no_memory()).await;
        assert_eq!(no_room, Err(StoreError::Full));
    });
}

#[test]
fn store_with_traces_stays_as_it_is_and_grows_once_they_are_erased() {
    block_on(async {
        let mut store = open_fitted(flash_of_small_store(9).await, 4 * MIB, true).await;
        let small = store.status().capacity_bytes;
        assert_eq!(check_all(&mut store).await, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert!(small < 2 * MIB);
        store.erase_through(TraceId(9)).await.unwrap();
        let mut store = open_fitted(store.into_flash(), 4 * MIB, true).await;
        assert!(store.status().capacity_bytes > 2 * small);
        assert_eq!(append(&mut store, 10, KEEP).await, Ok(TraceId(10)));
        let mut store = open_fitted(store.into_flash(), 4 * MIB, true).await;
        assert_eq!(check_all(&mut store).await, [10]);
        assert_eq!(store.count_start().await, Ok(2), "settings and counters are where they were");
    });
}

#[test]
fn power_cut_while_the_store_grows_leaves_one_that_works() {
    block_on(async {
        let mut store =
            Store::open(flash_of_small_store(5).await, StoreLayout::of(0..2 * MIB).unwrap(), no_memory())
                .await
                .unwrap();
        store.erase_through(TraceId(5)).await.unwrap();
        let flash = store.into_flash();
        let mut whole = flash.clone();
        let before = whole.operations();
        fit_layout(&mut whole, 0, 4 * MIB, true, no_memory()).await.unwrap();
        let operations = whole.operations() - before;
        assert!(operations > 10, "{operations}");
        for operation in 0..operations {
            let mut flash = flash.clone();
            flash.cut_power_at(before + operation, 7 + u64::from(operation));
            assert!(
                fit_layout(&mut flash, 0, 4 * MIB, true, no_memory()).await.is_err(),
                "operation {operation}"
            );
            flash.power_up();
            let mut store = open_fitted(flash, 4 * MIB, true).await;
            assert!(store.status().capacity_bytes > 3 * MIB, "operation {operation}");
            assert_eq!(append(&mut store, 6, KEEP).await, Ok(TraceId(6)), "operation {operation}");
            let mut store = open_fitted(store.into_flash(), 4 * MIB, true).await;
            assert_eq!(check_all(&mut store).await, [6], "operation {operation}");
        }
    });
}

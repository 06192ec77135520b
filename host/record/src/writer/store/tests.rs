use super::*;
use scopething_files::Format;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const HOUR_S: f64 = 3600.0;
const START: UnixMicros = UnixMicros(1_795_392_000_000_000);

/// A disk of a fixed size, of which only the given directory's files take room.
#[derive(Clone)]
struct SmallDisk {
    size: Arc<AtomicU64>,
}

impl SmallDisk {
    fn new(size: u64) -> Self {
        Self { size: Arc::new(AtomicU64::new(size)) }
    }
}

impl Disk for SmallDisk {
    fn free_bytes(&self, directory: &Path) -> io::Result<u64> {
        let used: u64 = fs::read_dir(directory)?.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
        Ok(self.size.load(Ordering::Relaxed).saturating_sub(used))
    }
}

fn huge() -> SmallDisk {
    SmallDisk::new(1 << 40)
}

fn naming(directory: &Path, format: Format) -> Naming {
    Naming { directory: directory.to_owned(), name: "t".to_owned(), format }
}

fn opened(directory: &Path, limits: Limits, disk: SmallDisk) -> Store<SmallDisk> {
    Store::open(naming(directory, Format::Json), limits, 1, disk).unwrap().0
}

fn entry(number: u64, clock: UnixMicros, bytes: usize) -> Entry {
    let mut body = format!("{{\"trace\":{number},\"x\":\"");
    body.push_str(&"x".repeat(bytes.saturating_sub(body.len() + 3)));
    body.push_str("\"}\n");
    Entry {
        number,
        clock,
        content: Content::Text(Text { header: None, body: body.into_bytes(), no_gap: None }),
    }
}

/// The first number and the length of each file.
fn files(directory: &Path) -> Vec<(u64, u64)> {
    let listed = |entry: io::Result<fs::DirEntry>| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name.split('-').nth(1).unwrap().parse().unwrap(), entry.metadata().unwrap().len())
    };
    let hidden = |entry: &io::Result<fs::DirEntry>| {
        entry.as_ref().unwrap().file_name().to_string_lossy().starts_with('.')
    };
    let mut files: Vec<_> =
        fs::read_dir(directory).unwrap().filter(|entry| !hidden(entry)).map(listed).collect();
    files.sort_unstable();
    files
}

#[test]
fn new_file_before_size_limit() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { file_bytes: Some(1000), ..Limits::default() };
    let mut store = opened(directory.path(), limits, huge());
    for number in 1..=7 {
        store.append(&[entry(number, START, 400)], START).unwrap();
    }
    assert_eq!(files(directory.path()), [(1, 800), (3, 800), (5, 800), (7, 400)]);
    // One that is too long by itself has a file of its own.
    store.append(&[entry(8, START, 5000)], START).unwrap();
    store.append(&[entry(9, START, 100)], START).unwrap();
    assert_eq!(files(directory.path())[4..], [(8, 5000), (9, 100)]);
    assert_eq!(store.total_bytes(), 2800 + 5100);
    assert_eq!(store.file_count(), 6);
}

#[test]
fn new_file_at_each_hour() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { file_seconds: Some(HOUR_S), ..Limits::default() };
    let mut store = opened(directory.path(), limits, huge());
    let minutes = [0.0, 59.0, 60.0, 61.0, 119.9, 120.0, 60.5, 61.0];
    for (number, minute) in (1..).zip(minutes) {
        let clock = START.plus_seconds(minute * 60.0);
        store.append(&[entry(number, clock, 100)], clock).unwrap();
    }
    assert_eq!(files(directory.path()), [(1, 200), (3, 300), (6, 100), (7, 200)]);
}

#[test]
fn expired_files_are_removed() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { file_seconds: Some(HOUR_S), age_seconds: Some(2.0 * HOUR_S), ..Limits::default() };
    let mut store = opened(directory.path(), limits, huge());
    for half_hours in 0..10_u32 {
        let clock = START.plus_seconds(f64::from(half_hours) * HOUR_S / 2.0);
        store.append(&[entry(u64::from(half_hours) + 1, clock, 100)], clock).unwrap();
    }
    // It is half past four: what was written until half past two is in the files of one and before.
    assert_eq!(files(directory.path()), [(5, 200), (7, 200), (9, 200)]);
    assert_eq!(store.removed_files(), 2);
}

#[test]
fn oldest_files_make_room_for_the_newest() {
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { file_bytes: Some(1000), total_bytes: Some(2500), ..Limits::default() };
    let mut store = opened(directory.path(), limits, huge());
    for number in 1..=20 {
        store.append(&[entry(number, START, 500)], START).unwrap();
        assert!(store.total_bytes() <= 2500);
    }
    assert_eq!(files(directory.path()), [(17, 1000), (19, 1000)]);
    // The newest file stays, however long it is.
    store.append(&[entry(21, START, 5000)], START).unwrap();
    assert_eq!(files(directory.path()), [(19, 1000), (21, 5000)]);
}

#[test]
fn free_space_limit_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let reserve = 10_000;
    let limits = Limits { file_bytes: Some(1000), free_bytes: Some(reserve), ..Limits::default() };
    let disk = SmallDisk::new(reserve + MARGIN_BYTES + 3000);
    let mut store = opened(directory.path(), limits, disk.clone());
    for number in 1..=20 {
        store.append(&[entry(number, START, 500)], START).unwrap();
        assert!(disk.free_bytes(directory.path()).unwrap() >= reserve + MARGIN_BYTES);
    }
    assert_eq!(files(directory.path()), [(15, 1000), (17, 1000), (19, 1000)]);
}

#[test]
fn full_disk_writes_resume_with_room() {
    let directory = tempfile::tempdir().unwrap();
    let disk = SmallDisk::new(MARGIN_BYTES + 1000);
    let mut store = opened(directory.path(), Limits::default(), disk.clone());
    store.append(&[entry(1, START, 800)], START).unwrap();
    let refused = store.append(&[entry(2, START, 800)], START);
    assert!(matches!(refused, Err(StoreError::Full { free, .. }) if free == MARGIN_BYTES + 200));
    assert_eq!(files(directory.path()), [(1, 800)]);
    assert_eq!(store.next_number(), 2);
    disk.size.fetch_add(1000, Ordering::Relaxed);
    store.append(&[entry(2, START, 800)], START).unwrap();
    assert_eq!(files(directory.path()), [(1, 1600)]);
}

#[test]
fn reopened_store_continues_after_cut() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = opened(directory.path(), Limits::default(), huge());
    for number in 1..=3 {
        store.append(&[entry(number, START, 100)], START).unwrap();
    }
    drop(store);
    let path = naming(directory.path(), Format::Json).path(1, START);
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(250).unwrap();
    let (mut store, repair) =
        Store::open(naming(directory.path(), Format::Json), Limits::default(), 1, huge()).unwrap();
    assert_eq!((repair.survey.traces, repair.survey.torn_bytes), (2, 50));
    assert_eq!(store.next_number(), 3);
    store.append(&[entry(3, START, 100)], START).unwrap();
    assert_eq!(files(directory.path()), [(1, 300)]);
    // After a finished file the numbers go on as well.
    store.finish().unwrap();
    drop(store);
    assert_eq!(opened(directory.path(), Limits::default(), huge()).next_number(), 4);
}

#[test]
fn trace_files_are_atomic_and_numbered() {
    let directory = tempfile::tempdir().unwrap();
    let naming = naming(directory.path(), Format::Npz);
    let limits = Limits { total_bytes: Some(250), ..Limits::default() };
    let file = |number| Entry { number, clock: START, content: Content::File(vec![7; 100]) };
    let mut store = Store::open(naming.clone(), limits, 1, huge()).unwrap().0;
    for number in 1..=4 {
        store.append(&[file(number)], START).unwrap();
    }
    assert_eq!(files(directory.path()), [(3, 100), (4, 100)]);
    // What a write that was cut short leaves behind is removed.
    let leftover = directory.path().join(".t-000000005-20261123T000000Z.npzAbCdEf.part");
    fs::write(&leftover, "half").unwrap();
    drop(store);
    let store = Store::open(naming, limits, 1, huge()).unwrap().0;
    assert!(!leftover.exists());
    assert_eq!(store.next_number(), 5);
}

#[test]
fn damaged_file_is_kept_and_numbers_not_reused() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = opened(directory.path(), Limits::default(), huge());
    for number in 1..=5 {
        store.append(&[entry(number, START, 100)], START).unwrap();
    }
    drop(store);
    let path = naming(directory.path(), Format::Json).path(1, START);
    let mut bytes = fs::read(&path).unwrap();
    bytes[120] = b'\n';
    fs::write(&path, &bytes).unwrap();
    let (mut store, repair) =
        Store::open(naming(directory.path(), Format::Json), Limits::default(), 1, huge()).unwrap();
    assert!(repair.survey.damaged);
    assert!(store.next_number() > 5);
    store.append(&[entry(store.next_number(), START, 100)], START).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(store.file_count(), 2);
}

#[test]
fn two_recordings_cannot_share_files() {
    let directory = tempfile::tempdir().unwrap();
    let store = opened(directory.path(), Limits::default(), huge());
    let second = Store::open(naming(directory.path(), Format::Json), Limits::default(), 1, huge());
    assert!(matches!(second, Err(StoreError::Taken { .. })));
    drop(store);
    opened(directory.path(), Limits::default(), huge());
}

/// Several traces at once lie in the files as they do one at a time.
#[test]
fn batched_traces_share_files() {
    let limits = Limits { file_bytes: Some(1000), file_seconds: Some(HOUR_S), ..Limits::default() };
    let mut random = fastrand::Rng::with_seed(1);
    let mut minute = 0;
    let entries: Vec<Entry> = (1..=60)
        .map(|number| {
            minute += random.u32(0..15);
            let clock = START.plus_seconds(f64::from(minute) * 60.0);
            let mut entry = entry(number, clock, random.usize(50..400));
            if let Content::Text(text) = &mut entry.content {
                text.header = Some(if number < 30 { "one" } else { "other" }.to_owned());
            }
            entry
        })
        .collect();
    let written = |most: usize| {
        let directory = tempfile::tempdir().unwrap();
        let mut store = opened(directory.path(), limits, huge());
        let mut rest = &entries[..];
        while !rest.is_empty() {
            let count = store.append(&rest[..most.min(rest.len())], START).unwrap();
            assert!((1..=most).contains(&count));
            rest = &rest[count..];
        }
        assert_eq!((store.next_number(), store.append(&[], START).unwrap()), (61, 0));
        let paths = files(directory.path()).len();
        let text = |entry: io::Result<fs::DirEntry>| {
            let entry = entry.unwrap();
            (entry.file_name(), fs::read_to_string(entry.path()).unwrap())
        };
        let mut texts: Vec<_> = fs::read_dir(directory.path()).unwrap().map(text).collect();
        texts.sort();
        (paths, texts)
    };
    let one_at_a_time = written(1);
    assert!(one_at_a_time.0 > 10);
    for most in [2, 7, 60] {
        assert_eq!(written(most), one_at_a_time, "{most} at once");
    }
}

#[test]
fn first_traces_written_when_space_is_short() {
    let directory = tempfile::tempdir().unwrap();
    let mut store = opened(directory.path(), Limits::default(), SmallDisk::new(MARGIN_BYTES + 1000));
    let entries: Vec<Entry> = (1..=3).map(|number| entry(number, START, 450)).collect();
    assert_eq!(store.append(&entries, START).unwrap(), 1);
    assert_eq!(store.append(&entries[1..], START).unwrap(), 1);
    assert!(matches!(store.append(&entries[2..], START), Err(StoreError::Full { .. })));
    assert_eq!(files(directory.path()), [(1, 900)]);
}

//! Recordings on simulated time, disk and links: what is reported of each condition, and what is in the files after it.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use scopething::link::{self, LinkClock, LinkUrl};
use scopething_core::device::{Attenuation, BS05};
use scopething_core::time::Instant;
use scopething_record::Disk;
use scopething_record::job::Job;
use scopething_record::{
    ConnectError, LinkTime, Opened, Opener, Place, Recorder, Status, StatusObserver, Timekeeper,
};
use scopething_sim::{SimConfig, SimLink};
use scopething_waveform::moment::UnixMicros;

/// 2026-11-23, midnight.
const START: UnixMicros = UnixMicros(1_795_392_000_000_000);
const SCOPE: &str = "sim:?A=sine,1kHz,0..3V&clock=fast";

/// Simulated time, and a computer's clock that may be set at some moment.
#[derive(Clone)]
struct SetTime {
    time: LinkTime,
    set_at: Instant,
    set_by_us: i64,
}

impl SetTime {
    fn new() -> Self {
        Self::set(Instant(u64::MAX), 0)
    }

    fn set(set_at: Instant, set_by_us: i64) -> Self {
        let clock = SimLink::new(&SimConfig::from_query("clock=fast").unwrap()).clock();
        Self { time: LinkTime::new(LinkClock::Sim(clock), true), set_at, set_by_us }
    }
}

impl Timekeeper for SetTime {
    fn now(&self) -> Instant {
        self.time.now()
    }

    fn wall(&self) -> UnixMicros {
        let set_by_us = if self.now() >= self.set_at { self.set_by_us } else { 0 };
        UnixMicros(START.0.saturating_add_unsigned(self.now().0) + set_by_us)
    }

    async fn until(&self, deadline: Instant) {
        self.time.until(deadline).await;
    }

    fn follow(&self, clock: LinkClock) {
        self.time.follow(clock);
    }
}

/// What is plugged in each time that the scope is looked for, the last time's from then on.
struct Plugs {
    looks: Vec<Vec<&'static str>>,
    left_alone: Vec<(String, String)>,
    opened: Arc<Mutex<Vec<String>>>,
}

impl Opener for Plugs {
    async fn places(&mut self, _: &LinkUrl, _: Option<&str>) -> Result<Vec<Place>, ConnectError> {
        let look = if self.looks.len() > 1 { self.looks.remove(0) } else { self.looks[0].clone() };
        let other = |url: &str| {
            self.left_alone.iter().find(|(other, _)| other == url).map(|(_, serial)| serial.clone())
        };
        Ok(look.into_iter().map(|url| Place { url: url.parse().unwrap(), other: other(url) }).collect())
    }

    async fn open(
        &mut self,
        url: &LinkUrl,
        _: &str,
        attenuation: Option<Attenuation>,
    ) -> Result<Opened, ConnectError> {
        self.opened.lock().unwrap().push(url.to_string());
        Ok(Opened {
            link: link::open(url).await?,
            probe: BS05.analog.attenuated(attenuation.unwrap_or_default()),
        })
    }

    fn leave_alone(&mut self, url: &LinkUrl, serial: &str) {
        self.left_alone.push((url.to_string(), serial.to_owned()));
    }
}

/// A disk of so many bytes, of which the traces take some.
#[derive(Clone)]
struct Room(Arc<AtomicU64>);

impl Room {
    fn plenty() -> Self {
        Self(Arc::new(AtomicU64::new(1 << 40)))
    }
}

impl Disk for Room {
    fn free_bytes(&self, directory: &Path) -> io::Result<u64> {
        let used = files(directory).iter().map(|(_, path)| fs::metadata(path).unwrap().len()).sum();
        Ok(self.0.load(Ordering::Relaxed).saturating_sub(used))
    }
}

/// Keeps the conditions reported, and runs a closure at each status.
struct Looker<F> {
    conditions: Arc<Mutex<Vec<String>>>,
    act: F,
}

impl<F: FnMut(&Status) + Send> StatusObserver for Looker<F> {
    fn watch(&mut self, status: &Status) {
        let mut reported = self.conditions.lock().unwrap();
        for condition in &status.conditions {
            let text = format!("{} {:?}", condition.since, condition.kind);
            if reported.last() != Some(&text) && !reported.contains(&text) {
                reported.push(text);
            }
        }
        drop(reported);
        (self.act)(status);
    }
}

/// How a recording went.
struct Recorded {
    status: Status,
    /// The kinds of condition in the order in which they were met.
    conditions: Vec<String>,
    /// The links that were opened.
    opened: Vec<String>,
}

/// Records a job whose files are in `directory`.
async fn record(
    directory: &Path,
    job: &str,
    looks: Vec<Vec<&'static str>>,
    time: SetTime,
    room: Room,
    act: impl FnMut(&Status) + Send + 'static,
) -> Recorded {
    let job = format!("files.directory = '{}'\n{job}", directory.display());
    let job = Job::parse(&job).unwrap();
    let (conditions, opened) = (Arc::default(), Arc::default());
    let looker = Looker { conditions: Arc::clone(&conditions), act };
    let plugs = Plugs { looks, left_alone: Vec::new(), opened: Arc::clone(&opened) };
    let recorder = Recorder::start(job, plugs, time, room, looker).unwrap();
    let status = recorder.run(std::future::pending()).await.unwrap();
    let conditions =
        conditions.lock().unwrap().iter().map(|text| text.split(' ').nth(1).unwrap().to_owned()).collect();
    let opened = opened.lock().unwrap().clone();
    Recorded { status, conditions, opened }
}

/// Records a job of a scope that stays plugged in, with room on the disk.
async fn record_plugged_in(directory: &Path, job: &str, scope: &'static str) -> Recorded {
    record(directory, job, vec![vec![scope]], SetTime::new(), Room::plenty(), |_| {}).await
}

/// Number, moment and gap of each trace in CSV files, in the order of the files.
fn traces(directory: &Path) -> Vec<(u64, UnixMicros, String)> {
    let mut traces = Vec::new();
    for (_, path) in files(directory) {
        let text = fs::read_to_string(path).unwrap();
        for line in text.lines().skip(1) {
            let fields: Vec<_> = line.split(',').collect();
            if !fields[4].is_empty() {
                traces.push((fields[0].parse().unwrap(), fields[1].parse().unwrap(), fields[3].to_owned()));
            }
        }
    }
    traces
}

/// The files of a job, by the number of their first trace.
fn files(directory: &Path) -> Vec<(u64, std::path::PathBuf)> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let number =
        |path: &Path| path.file_name()?.to_str()?.strip_prefix("trace-")?.split('-').next()?.parse().ok();
    let mut files: Vec<_> = paths.filter_map(|path| Some((number(&path)?, path))).collect();
    files.sort();
    files
}

#[tokio::test]
async fn unplugged_scope_is_awaited() {
    const OTHER: &str = "sim:?A=sine,1kHz,0..3V&clock=fast&serial=XX000001";
    let directory = tempfile::tempdir().unwrap();
    // It closes after some traces; a minute later another scope is there, and five seconds later the first one too.
    let mut looks = vec![vec!["sim:?A=sine,1kHz,0..3V&clock=fast&faults=close@20000"]];
    looks.extend(vec![vec![]; 60]);
    looks.extend(vec![vec![OTHER]; 5]);
    looks.push(vec![OTHER, SCOPE]);
    let job = "when.every = '100ms'\nwhen.for = '90s'\nkeep.what = 'summary'";
    let recorded = record(directory.path(), job, looks, SetTime::new(), Room::plenty(), |_| {}).await;
    let status = recorded.status;
    assert_eq!(recorded.conditions, ["Away", "OtherScope"]);
    assert_eq!((status.connections, status.serial.as_deref()), (2, Some("DB98TI79")));
    let other = recorded.opened.iter().filter(|url| url.contains("XX000001")).count();
    assert_eq!(other, 1, "the other scope is left alone once it is known: {:?}", recorded.opened);
    // The trace under way, and sixty looks.
    assert_eq!((status.link_errors, status.bad_traces), (61, 0));
    let traces = traces(directory.path());
    assert_eq!(traces.len() as u64, status.written);
    assert!(traces.iter().map(|trace| trace.0).eq(1..=status.written), "numbers go on");
    let marked: Vec<_> = traces.iter().filter(|trace| !trace.2.is_empty()).collect();
    assert_eq!(marked.iter().map(|trace| trace.2.as_str()).collect::<Vec<_>>(), ["start", "link"]);
    let back = marked[1];
    let before = &traces[usize::try_from(back.0).unwrap() - 2];
    let away_s = back.1.seconds_since(before.1);
    assert!((65.0..70.0).contains(&away_s), "{away_s} s");
}

#[tokio::test]
async fn scope_is_found_behind_silent_ports() {
    // An adapter that is no scope: of what is sent to it, nothing arrives.
    const SILENT: &str = "sim:?clock=fast&faults=stall@0";
    let directory = tempfile::tempdir().unwrap();
    let looks = vec![vec![SILENT, SCOPE]];
    let job = "serial = 'DB98TI79'\nwhen.count = 3";
    let recorded = record(directory.path(), job, looks, SetTime::new(), Room::plenty(), |_| {}).await;
    assert_eq!((recorded.status.written, recorded.conditions.len()), (3, 0));
    assert_eq!(recorded.opened, [SILENT, SCOPE]);
}

#[tokio::test]
async fn bad_traces_are_dropped_and_logged_once() {
    let directory = tempfile::tempdir().unwrap();
    let job = "when.every = '1s'\nwhen.count = 40\nkeep.what = 'summary'";
    let scope = "sim:?A=sine,1kHz,0..3V&clock=fast&faults=reboot@15000";
    let Recorded { status, conditions, .. } = record_plugged_in(directory.path(), job, scope).await;
    assert_eq!((status.captures, status.written), (40, 40), "{status:?}");
    assert!(status.bad_traces + status.link_errors >= 1, "{status:?}");
    assert_eq!(conditions.len(), 1, "{conditions:?}");
    let marked = traces(directory.path()).into_iter().filter(|trace| !trace.2.is_empty()).count();
    assert_eq!(marked, 2);
}

#[tokio::test]
async fn verifying_job_drops_corrupted_traces() {
    let scope = "sim:?A=dc,1V&clock=fast&faults=corrupt@0.01%&seed=3";
    let wrong_traces = async |verify: bool| {
        let directory = tempfile::tempdir().unwrap();
        let job =
            format!("verify = {verify}\nwhen.count = 60\nkeep.what = 'summary'\ncapture.timeout = '0s'");
        let recorded = record_plugged_in(directory.path(), &job, scope).await;
        assert_eq!(recorded.status.written, 60);
        let (_, path) = files(directory.path()).remove(0);
        let text = fs::read_to_string(path).unwrap();
        let column = |name: &str| text.lines().next().unwrap().split(',').position(|column| column == name);
        let (min, max) = (column("A_min").unwrap(), column("A_max").unwrap());
        let wrong = |line: &&str| {
            let fields: Vec<_> = line.split(',').collect();
            // A thousandth of the range is far more than the resolution, and far less than a bit that counts.
            [min, max].iter().any(|&field| (fields[field].parse::<f64>().unwrap() - 1.0).abs() > 0.0135)
        };
        text.lines().skip(1).filter(wrong).count()
    };
    assert_eq!(wrong_traces(true).await, 0);
    assert!(wrong_traces(false).await > 0, "such a link changes samples");
}

#[tokio::test]
async fn full_disk_drops_oldest_traces() {
    // Room for some rows, beside what has to stay free.
    const ROOM_BYTES: u64 = 3000;
    let directory = tempfile::tempdir().unwrap();
    let room = Room(Arc::new(AtomicU64::new((64 << 10) + ROOM_BYTES)));
    let (disk, room_made_at) = (Arc::clone(&room.0), Arc::new(AtomicU64::new(0)));
    let made_at = Arc::clone(&room_made_at);
    let act = move |status: &Status| {
        if status.captures >= 100 && made_at.load(Ordering::Relaxed) == 0 {
            made_at.store(status.captures, Ordering::Relaxed);
            disk.store(1 << 40, Ordering::Relaxed);
        }
    };
    let job = "when.every = '1s'\nwhen.count = 150\nkeep.what = 'summary'\nfiles.hold = '2kB'";
    let looks = vec![vec![SCOPE]];
    let Recorded { status, conditions, .. } =
        record(directory.path(), job, looks, SetTime::new(), room, act).await;
    assert_eq!(conditions, ["DiskRefuses", "MemoryFull"]);
    let traces = traces(directory.path());
    let numbers: Vec<u64> = traces.iter().map(|trace| trace.0).collect();
    assert_eq!((status.captures, status.kept), (150, 150));
    assert_eq!((status.written + status.dropped, status.held), (150, 0));
    assert_eq!(numbers.len() as u64, status.written);
    let text = fs::read_to_string(&files(directory.path())[0].1).unwrap();
    let row_bytes = text.len() as u64 / status.written;
    // One stretch is missing, from where there was no room, and what was held when there was room again is there.
    let missing: Vec<u64> = (1..=150).filter(|number| !numbers.contains(number)).collect();
    assert_eq!(missing.len() as u64, status.dropped);
    assert_eq!(missing.last().unwrap() - missing[0] + 1, status.dropped);
    let before: usize =
        text.split_inclusive('\n').take(usize::try_from(missing[0]).unwrap()).map(str::len).sum();
    assert!((ROOM_BYTES - row_bytes - 20..=ROOM_BYTES).contains(&(before as u64)), "{before} bytes");
    let marked = traces.iter().filter(|trace| !trace.2.is_empty());
    let after = missing.last().unwrap() + 1;
    assert_eq!(
        marked.map(|trace| (trace.0, trace.2.as_str())).collect::<Vec<_>>(),
        [(1, "start"), (after, "no room")]
    );
    let held = room_made_at.load(Ordering::Relaxed) - missing.last().unwrap();
    assert!((held as f64 - 2000.0 / row_bytes as f64).abs() <= 3.0, "{held} of {row_bytes} bytes");
}

#[tokio::test]
async fn clock_set_back_is_marked() {
    let directory = tempfile::tempdir().unwrap();
    // Half a minute before the 31st trace.
    let time = SetTime::set(Instant(1_770_000_000), -3_600_000_000);
    let job = "when.every = '1min'\nwhen.count = 60\nkeep.what = 'summary'\nfiles.new-after = '1h'";
    let looks = vec![vec![SCOPE]];
    let Recorded { status, conditions, .. } =
        record(directory.path(), job, looks, time, Room::plenty(), |_| {}).await;
    assert_eq!((status.clock_steps, status.written, conditions.len()), (1, 60, 0));
    let traces = traces(directory.path());
    assert!(traces.iter().map(|trace| trace.0).eq(1..=60));
    let steps: Vec<f64> = traces.windows(2).map(|pair| pair[1].1.seconds_since(pair[0].1)).collect();
    let marked = traces.iter().position(|trace| trace.2 == "clock set").unwrap();
    assert_eq!(marked, 30);
    for (index, step_s) in (1..).zip(steps) {
        let expected_s = if index == marked { 60.0 - 3600.0 } else { 60.0 };
        assert!((step_s - expected_s).abs() < 0.1, "{step_s} s before trace {}", index + 1);
    }
    // The hour before midnight has a file of its own, after the one of midnight.
    assert_eq!(files(directory.path()).iter().map(|file| file.0).collect::<Vec<_>>(), [1, marked as u64 + 1]);
}

#[tokio::test]
async fn files_after_a_simulated_day() {
    let directory = tempfile::tempdir().unwrap();
    let job = "when.every = '1min'\nwhen.for = '1d'\nkeep.what = 'summary'\nfiles.new-after = '1h'\n\
               files.keep-for = '6h'\nfiles.sync-every = 100";
    let Recorded { status, .. } = record_plugged_in(directory.path(), job, SCOPE).await;
    assert_eq!((status.captures, status.written), (24 * 60, 24 * 60));
    // The last trace is of 23:59: what is older than 17:59 is gone, but for what shares an hour with what is not.
    let firsts: Vec<u64> = files(directory.path()).iter().map(|file| file.0).collect();
    assert_eq!(firsts, (17..24).map(|hour| hour * 60 + 1).collect::<Vec<_>>());
    assert_eq!((status.files, status.removed_files), (7, 17));
    let numbers = traces(directory.path()).into_iter().map(|trace| trace.0);
    assert!(numbers.eq(17 * 60 + 1..=24 * 60));
}

#[tokio::test]
async fn only_traces_outside_their_band_are_kept() {
    let directory = tempfile::tempdir().unwrap();
    let job = |band: &str| {
        format!(
            "when.count = 5\nkeep.what = 'outside'\nkeep.bands = [{{ channel = 'A', measure = 'mean', {band} }}]"
        )
    };
    // The mean of a sine of 0 to 3 V over whole periods is 1.5 V.
    for (band, kept) in [("low = '1.4V', high = '1.6V'", 0), ("low = '2V'", 5)] {
        let Recorded { status, .. } = record_plugged_in(directory.path(), &job(band), SCOPE).await;
        assert_eq!((status.captures, status.written, status.inside), (5, kept, 5 - kept), "{band}");
    }
}

#[tokio::test]
async fn one_file_per_trace() {
    for format in ["npz", "parquet", "sr", "vcd", "wav", "png"] {
        let directory = tempfile::tempdir().unwrap();
        let job = format!("when.count = 3\nfiles.format = '{format}'\ncapture.channels = ['A', 'L1']");
        let Recorded { status, conditions, .. } = record_plugged_in(directory.path(), &job, SCOPE).await;
        assert_eq!((status.written, conditions.len()), (3, 0), "{format}");
        let files = files(directory.path());
        assert_eq!(files.iter().map(|file| file.0).collect::<Vec<_>>(), [1, 2, 3], "{format}");
        assert!(files.iter().all(|(_, path)| path.extension().is_some_and(|ending| ending == format)));
    }
}

#[tokio::test]
async fn stream_recording_survives_unplugging() {
    let directory = tempfile::tempdir().unwrap();
    // It closes within the seventh second: 16 kB come in a second.
    let looks =
        vec![vec!["sim:?A=ramp,1kHz,0..3V&clock=fast&faults=close@100000"], vec![], vec![], vec![SCOPE]];
    let job =
        "when.count = 12\nfiles.new-after = '10s'\n[capture]\nwhat = 'stream'\nrate = '1kHz'\neach = '1s'";
    let recorded = record(directory.path(), job, looks, SetTime::new(), Room::plenty(), |_| {}).await;
    let status = recorded.status;
    assert_eq!((status.captures, status.written, status.connections), (12, 12, 2));
    assert_eq!((status.lost_frames, &recorded.conditions[..]), (0, &["Away".to_owned()][..]));
    let traces = traces(directory.path());
    let gaps: Vec<&str> = traces.iter().map(|(_, _, gap)| gap.as_str()).collect();
    // Six whole seconds and a part of the next, then a stream that restarts.
    assert_eq!(gaps, ["start", "", "", "", "", "", "", "link", "", "", "", ""]);
    assert!(files(directory.path()).len() > 1, "a new file each ten seconds");
    for (at, pair) in traces.windows(2).enumerate() {
        let apart_s = pair[1].1.seconds_since(pair[0].1);
        let is_whole = (apart_s - 1.0).abs() < 1e-3;
        // The part of a second that was left when it closed, and the looks for the scope.
        assert!(is_whole || (at == 6 && apart_s > 2.0), "{at}: {apart_s} s");
    }
}

#[tokio::test]
async fn lost_stream_frames_are_marked() {
    let directory = tempfile::tempdir().unwrap();
    // The stream needs 160 kbit/s.
    let scope = "sim:?A=dc,1V&clock=fast&rate=140kbps";
    let job = "when.for = '5s'\n[capture]\nwhat = 'stream'\nchannels = ['A']";
    let recorded = record_plugged_in(directory.path(), job, scope).await;
    assert_eq!(recorded.conditions, ["LostFrames"]);
    let status = recorded.status;
    // An eighth of 20 000 frames.
    assert!((2000..3000).contains(&status.lost_frames), "{status:?}");
    let traces = traces(directory.path());
    assert!(traces.len() > 100 && traces[0].2 == "start");
    assert!(traces[1..].iter().all(|(_, _, gap)| gap == "lost frames"), "{:?}", &traces[..10]);
}

/// What is waited for is in the status, with what the signal does, and one trace later it is not.
#[tokio::test]
async fn wait_for_the_trigger_is_explained() {
    let directory = tempfile::tempdir().unwrap();
    // 0 V, but for a second from 20 s on.
    let scope = "sim:?A=pulse,0.04Hz,1s,0..3V,phase=20%&clock=fast";
    let waits = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&waits);
    let watch = move |status: &Status| {
        let text = status.waiting.as_ref().map(|waiting| waiting.text.clone());
        let mut seen = seen.lock().unwrap();
        if seen.last() != Some(&text) {
            seen.push(text);
        }
    };
    let job = "when.count = 1\ncapture.period = '5ms'";
    let recorded =
        record(directory.path(), job, vec![vec![scope]], SetTime::new(), Room::plenty(), watch).await;
    let why = "waiting for A rising through 1.25 V: A stays at 0.00 V, the trigger is at 1.25 V: set another level, or \
               trigger-mode = \"auto\"";
    assert_eq!(*waits.lock().unwrap(), [None, Some(why.to_owned()), None]);
    assert_eq!((recorded.status.captures, &recorded.status.waiting), (1, &None));
    assert!(recorded.status.last_trigger.is_some(), "{:?}", recorded.status);
    assert!(recorded.conditions.is_empty(), "it is no fault: {:?}", recorded.conditions);
}

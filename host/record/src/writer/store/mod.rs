//! The files of a job: appended to, changed by size and time, and removed by age, size and free space.
//!
//! In CSV and JSON a file grows by a trace at a time; in the other formats each trace is a file of its own, which
//! appears complete or not at all. Opening a store repairs what a loss of power has left behind, and continues with the
//! numbers. The newest file is never removed, so that the numbers continue after it.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::growing::{GrowingFile, Survey, survey};
use super::listing::{Listed, Listing, Naming};
use super::text::Text;
use scopething::atomic::{AtomicError, AtomicFile};
use scopething::regular;
use scopething_waveform::moment::UnixMicros;

/// Room that is left on the disk for what a file needs beside its bytes.
const MARGIN_BYTES: u64 = 64 << 10;

/// Batched traces are assembled in memory up to this size, in bytes.
const MAX_RUN_BYTES: u64 = 1 << 20;

/// When a growing file is full, and how much is kept of the finished ones.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// A new file is started before one would be longer than this.
    pub file_bytes: Option<u64>,
    /// A new file is started at each whole multiple of this many seconds since 1970.
    pub file_seconds: Option<f64>,
    /// Files whose traces are all older than this are removed.
    pub age_seconds: Option<f64>,
    /// The oldest files are removed before all are longer than this together.
    pub total_bytes: Option<u64>,
    /// The oldest files are removed before less than this is free on the disk.
    pub free_bytes: Option<u64>,
}

/// The disk's free space.
pub trait Disk: Send {
    /// How many bytes an unprivileged program may still write below a directory.
    ///
    /// # Errors
    /// If the system does not report it.
    fn free_bytes(&self, directory: &Path) -> io::Result<u64>;
}

/// The file system that a directory is on.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn free_bytes(&self, directory: &Path) -> io::Result<u64> {
        fs4::available_space(directory)
    }
}

/// What a trace is on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Text for a growing file.
    Text(Text),
    /// A whole file.
    File(Vec<u8>),
}

/// A trace on its way to the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number.
    pub number: u64,
    /// When it was captured.
    pub clock: UnixMicros,
    /// What is written.
    pub content: Content,
}

impl Entry {
    /// How many bytes are written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        match &self.content {
            Content::Text(text) => text.body.len() as u64,
            Content::File(bytes) => bytes.len() as u64,
        }
    }
}

/// Why a trace was not written.
#[derive(Debug, Error)]
pub enum StoreError {
    /// There is no room, and nothing that may be removed makes any.
    #[error("{} has {free} bytes free and {needed} are needed; make room", directory.display())]
    Full {
        /// Where the files are.
        directory: PathBuf,
        /// What is free.
        free: u64,
        /// What is needed.
        needed: u64,
    },
    /// The system fails.
    #[error("{} cannot be written: {source}; check the disk", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Another recording writes to the same files.
    #[error(
        "another recording writes to these files, {} is locked: end it, or give this job another `files.name`",
        lock.display()
    )]
    Taken {
        /// The file that is locked while files are written.
        lock: PathBuf,
    },
    /// A whole file cannot be written.
    #[error(transparent)]
    Atomic(#[from] AtomicError),
}

/// What was found when a store was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Repair {
    /// The newest file, if there is any.
    pub newest: Option<PathBuf>,
    /// What is in it, in a format that grows.
    pub survey: Survey,
}

/// The files of a job.
#[derive(Debug)]
pub struct Store<D> {
    naming: Naming,
    limits: Limits,
    /// How many traces are written before they are synced to disk.
    sync_every: u32,
    unsynced: u32,
    disk: D,
    growing: Option<(Listed, GrowingFile)>,
    finished: Listing,
    next_number: u64,
    removed_files: u64,
    /// Held for as long as files are written.
    _lock: fs::File,
}

impl<D: Disk> Store<D> {
    /// Makes the directory if it is not there, and repairs the newest file.
    ///
    /// # Errors
    /// If the directory cannot be made or read, or the newest file is none that grew here.
    pub fn open(
        naming: Naming,
        limits: Limits,
        sync_every: u32,
        disk: D,
    ) -> Result<(Self, Repair), StoreError> {
        let directory = naming.directory.clone();
        let failed = |source| StoreError::Io { path: directory.clone(), source };
        fs::create_dir_all(&naming.directory).map_err(failed)?;
        let lock = lock(&naming)?;
        naming.remove_leftovers().map_err(failed)?;
        let finished = Listing::read(&naming).map_err(failed)?;
        let newest = Listing::newest(&naming).map_err(failed)?;
        let next_number = newest.map_or(1, |newest| newest.number + 1);
        let mut store = Self {
            naming,
            limits,
            sync_every: sync_every.max(1),
            unsynced: 0,
            disk,
            growing: None,
            finished,
            next_number,
            removed_files: 0,
            _lock: lock,
        };
        let mut repair = Repair::default();
        if let Some(newest) = newest {
            let path = store.naming.path(newest.number, newest.made);
            if store.naming.format.holds_several() {
                repair.survey = survey(&path, store.naming.format).map_err(failed_at(&path))?;
                store.go_on_with(newest, &path, &repair.survey)?;
            }
            repair.newest = Some(path);
        }
        Ok((store, repair))
    }

    /// Continues with the newest file, or after it if it is damaged.
    fn go_on_with(&mut self, newest: Listed, path: &Path, survey: &Survey) -> Result<(), StoreError> {
        if survey.damaged {
            // Numbers after the damage are not known: there is at most one a byte.
            self.next_number = newest.number + survey.traces + survey.torn_bytes;
            return Ok(());
        }
        let file = GrowingFile::reopen(path, survey).map_err(failed_at(path))?;
        self.next_number = survey.last_number.map_or(newest.number, |last| last + 1);
        self.finished.pop_newest(newest);
        self.growing = Some((newest, file));
        Ok(())
    }

    /// The number of the next trace.
    #[must_use]
    pub fn next_number(&self) -> u64 {
        self.next_number
    }

    /// How many files there are.
    #[must_use]
    pub fn file_count(&self) -> u64 {
        self.finished.count() + u64::from(self.growing.is_some())
    }

    /// How long they are together.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.finished.bytes() + self.growing.as_ref().map_or(0, |(_, file)| file.len())
    }

    /// How many files were removed since the store was opened.
    #[must_use]
    pub fn removed_files(&self) -> u64 {
        self.removed_files
    }

    /// What is free on the disk; `None` if the system does not report it.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        self.disk.free_bytes(&self.naming.directory).ok()
    }

    /// Writes the first of some traces, and with it those that follow it into the same file: the disk is waited for once.
    /// Returns how many were written, which is 0 only if there are none. `now` decides what is old.
    ///
    /// # Errors
    /// If there is no room, or the disk fails. What was written before stays as it was.
    pub fn append(&mut self, entries: &[Entry], now: UnixMicros) -> Result<usize, StoreError> {
        let Some(first) = entries.first() else { return Ok(0) };
        if self.must_change(first) {
            self.finish()?;
        }
        let run = self.run(entries);
        let run = match self.make_room(bytes_of(run), now) {
            Err(StoreError::Full { .. }) if run.len() > 1 => {
                self.make_room(first.bytes(), now)?;
                std::slice::from_ref(first)
            }
            made => made.map(|()| run)?,
        };
        match &first.content {
            Content::Text(text) => self.append_text(first, text, run)?,
            Content::File(bytes) => self.write_file(first, bytes)?,
        }
        self.next_number = run.last().map_or(first.number, |last| last.number) + 1;
        Ok(run.len())
    }

    fn must_change(&self, entry: &Entry) -> bool {
        let Some((listed, file)) = &self.growing else { return false };
        if file.is_empty() {
            return false;
        }
        let other_columns = matches!(&entry.content, Content::Text(text) if !file.suits(text));
        other_columns || self.is_over(listed.made, file.len() + entry.bytes(), entry.clock)
    }

    /// Whether a file that was made then must not be so long, or must not hold a trace of that moment.
    fn is_over(&self, made: UnixMicros, length: u64, clock: UnixMicros) -> bool {
        let too_long = self.limits.file_bytes.is_some_and(|most| length > most);
        let next_period = self.limits.file_seconds.is_some_and(|seconds| {
            let period = |moment: UnixMicros| (moment.0 as f64 * 1e-6 / seconds).floor();
            period(made) != period(clock)
        });
        too_long || next_period
    }

    /// Those at the beginning of some traces that go into one file, one behind the other.
    fn run<'e>(&self, entries: &'e [Entry]) -> &'e [Entry] {
        let Some((first, others)) = entries.split_first() else { return entries };
        let Content::Text(text) = &first.content else { return std::slice::from_ref(first) };
        let (made, begin) = match &self.growing {
            Some((listed, file)) if !file.is_empty() => (listed.made, file.len()),
            growing => {
                let made = growing.as_ref().map_or(whole_second(first.clock), |(listed, _)| listed.made);
                (made, text.header.as_ref().map_or(0, |header| header.len() as u64 + 1))
            }
        };
        let mut bytes = first.bytes();
        let goes_along = |entry: &&Entry| {
            bytes += entry.bytes();
            let same_columns = matches!(&entry.content, Content::Text(other) if other.header == text.header);
            same_columns && bytes <= MAX_RUN_BYTES && !self.is_over(made, begin + bytes, entry.clock)
        };
        let count = 1 + others.iter().take_while(goes_along).count();
        entries.get(..count).unwrap_or(entries)
    }

    fn append_text(&mut self, first: &Entry, text: &Text, run: &[Entry]) -> Result<(), StoreError> {
        if self.growing.is_none() {
            let listed = Listed { number: first.number, made: whole_second(first.clock), bytes: 0 };
            let path = self.naming.path(listed.number, listed.made);
            let file = GrowingFile::create(&path).map_err(failed_at(&path))?;
            self.growing = Some((listed, file));
        }
        let Some((listed, file)) = &mut self.growing else { return Ok(()) };
        let unsynced = self.unsynced.saturating_add(u32::try_from(run.len()).unwrap_or(u32::MAX));
        let sync = unsynced >= self.sync_every;
        let written = match run {
            [_] => file.append(text, sync),
            _ => file.append(&joined(text, run), sync),
        };
        written.map_err(failed_at(&self.naming.path(listed.number, listed.made)))?;
        self.unsynced = if sync { 0 } else { unsynced };
        Ok(())
    }

    fn write_file(&mut self, entry: &Entry, bytes: &[u8]) -> Result<(), StoreError> {
        let made = whole_second(entry.clock);
        let path = self.naming.path(entry.number, made);
        let mut file = AtomicFile::create(&path)?;
        file.write_all(bytes).map_err(failed_at(&path))?;
        file.commit()?;
        self.finished.push(Listed { number: entry.number, made, bytes: bytes.len() as u64 });
        Ok(())
    }

    /// Removes files that are too old or too many, until there is room for `needed` more bytes.
    fn make_room(&mut self, needed: u64, now: UnixMicros) -> Result<(), StoreError> {
        let directory = self.naming.directory.clone();
        let open_since = self.growing.as_ref().map(|(listed, _)| listed.made);
        loop {
            let free = self.disk.free_bytes(&directory).map_err(failed_at(&directory))?;
            let wanted = self.limits.free_bytes.unwrap_or(0).saturating_add(needed + MARGIN_BYTES);
            let oldest = self.finished.oldest(&self.naming).map_err(failed_at(&directory))?;
            let removable = oldest.and_then(|(oldest, next)| Some((oldest, next.or(open_since)?)));
            let too_much = self.limits.total_bytes.is_some_and(|most| self.total_bytes() + needed > most);
            let too_old = |until: UnixMicros| {
                self.limits.age_seconds.is_some_and(|age_s| now.seconds_since(until) > age_s)
            };
            match removable {
                Some((_, until)) if too_old(until) || too_much || self.lacks_reserve(free, wanted) => {
                    self.finished.remove_oldest(&self.naming).map_err(failed_at(&directory))?;
                    self.removed_files += 1;
                }
                _ if free < wanted => return Err(StoreError::Full { directory, free, needed: wanted }),
                _ => return Ok(()),
            }
        }
    }

    /// Files are only removed for the sake of free space if the job specifies how much.
    fn lacks_reserve(&self, free: u64, wanted: u64) -> bool {
        self.limits.free_bytes.is_some() && free < wanted
    }

    /// Finishes the file that grows, if there is one: the next trace begins a new file.
    ///
    /// # Errors
    /// If it cannot be synced to disk; the file then stays the one that grows.
    pub fn finish(&mut self) -> Result<(), StoreError> {
        let Some((listed, file)) = &self.growing else { return Ok(()) };
        let listed = Listed { bytes: file.len(), ..*listed };
        if let Err(source) = file.sync() {
            return Err(StoreError::Io { path: self.naming.path(listed.number, listed.made), source });
        }
        self.unsynced = 0;
        self.growing = None;
        self.finished.push(listed);
        Ok(())
    }

    /// Syncs what was written to disk.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        let Some((listed, file)) = &self.growing else { return Ok(()) };
        self.unsynced = 0;
        let path = self.naming.path(listed.number, listed.made);
        file.sync().map_err(|source| StoreError::Io { path, source })
    }
}

fn bytes_of(entries: &[Entry]) -> u64 {
    entries.iter().map(Entry::bytes).sum()
}

/// The text of several traces with the same columns, of which this is the first one's.
fn joined(first: &Text, run: &[Entry]) -> Text {
    let bodies = run.iter().filter_map(|entry| match &entry.content {
        Content::Text(text) => Some(text.body.as_slice()),
        Content::File(_) => None,
    });
    Text { header: first.header.clone(), body: bodies.collect::<Vec<_>>().concat(), no_gap: None }
}

fn failed_at(path: &Path) -> impl Fn(io::Error) -> StoreError + use<> {
    let path = path.to_owned();
    move |source| StoreError::Io { path: path.clone(), source }
}

/// Keeps other recordings from the same files; the system releases it whatever ends the program.
fn lock(naming: &Naming) -> Result<fs::File, StoreError> {
    let path = naming.directory.join(format!(".{}.lock", naming.name));
    let opened = regular::open(fs::OpenOptions::new().create(true).append(true), &path);
    let file = opened.map_err(|source| StoreError::Io { path: path.clone(), source })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(StoreError::Taken { lock: path }),
        Err(fs::TryLockError::Error(source)) => Err(StoreError::Io { path, source }),
    }
}

/// A moment as a file name shows it.
fn whole_second(moment: UnixMicros) -> UnixMicros {
    UnixMicros(moment.0.div_euclid(1_000_000) * 1_000_000)
}

#[cfg(test)]
mod tests;

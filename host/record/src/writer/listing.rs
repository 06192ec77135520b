//! The files of a job in its directory, by their names: `NAME-000000123-20261123T032100Z.csv`.
//!
//! The number is that of the first trace in the file, the time when it was made. Numbers order the files, also when
//! the computer's clock was set back.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use scopething_files::Format;
use scopething_waveform::moment::UnixMicros;

/// The most files that are remembered; for more the directory is read again.
const MAX_REMEMBERED: usize = 4096;

/// How the files of a job are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// Where they are.
    pub directory: PathBuf,
    /// What their names begin with.
    pub name: String,
    /// What is in them, which is also their ending.
    pub format: Format,
}

/// A file of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The number of its first trace.
    pub number: u64,
    /// When it was made.
    pub made: UnixMicros,
    /// Its length.
    pub bytes: u64,
}

impl Naming {
    /// The path of a file.
    #[must_use]
    pub fn path(&self, number: u64, made: UnixMicros) -> PathBuf {
        self.directory.join(format!("{}-{number:09}-{}.{}", self.name, made.compact(), self.format))
    }

    /// A parsed file name, if it is one of this job's.
    #[must_use]
    pub fn parse(&self, file_name: &str) -> Option<(u64, UnixMicros)> {
        let rest = file_name.strip_prefix(&self.name)?.strip_prefix('-')?;
        let (number, made) = rest.strip_suffix(self.format.name())?.strip_suffix('.')?.split_once('-')?;
        let digits = number.len() >= 9 && number.bytes().all(|byte| byte.is_ascii_digit());
        Some((number.parse().ok().filter(|_| digits)?, UnixMicros::from_compact(made).ok()?))
    }

    fn list(&self) -> io::Result<Vec<Listed>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            if let Some((number, made)) = entry.file_name().to_str().and_then(|name| self.parse(name)) {
                files.push(Listed { number, made, bytes: entry.metadata()?.len() });
            }
        }
        files.sort_by_key(|file| file.number);
        Ok(files)
    }

    /// Removes what atomic writes that were cut short have left behind.
    ///
    /// # Errors
    /// If the directory cannot be read or a file not removed.
    pub fn remove_leftovers(&self) -> io::Result<()> {
        let prefix = format!(".{}-", self.name);
        for entry in fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(&prefix) && path.extension().is_some_and(|ending| ending == "part") {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// The finished files of a job, the oldest first. Of very many only the oldest are remembered.
#[derive(Debug)]
pub struct Listing {
    oldest: std::collections::VecDeque<Listed>,
    count: u64,
    bytes: u64,
}

impl Listing {
    /// Reads the directory.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(naming: &Naming) -> io::Result<Self> {
        let mut files = naming.list()?;
        let (count, bytes) = (files.len() as u64, files.iter().map(|file| file.bytes).sum());
        files.truncate(MAX_REMEMBERED);
        files.shrink_to_fit();
        Ok(Self { oldest: files.into(), count, bytes })
    }

    /// The newest file of a directory.
    ///
    /// # Errors
    /// If the directory cannot be read.
    pub fn newest(naming: &Naming) -> io::Result<Option<Listed>> {
        Ok(naming.list()?.pop())
    }

    /// Adds a file that is newer than all.
    pub fn push(&mut self, file: Listed) {
        if self.count == self.oldest.len() as u64 && self.oldest.len() < MAX_REMEMBERED {
            self.oldest.push_back(file);
        }
        self.count += 1;
        self.bytes += file.bytes;
    }

    /// Takes out the newest file, to go on writing to it.
    pub fn pop_newest(&mut self, file: Listed) {
        if self.oldest.back() == Some(&file) {
            self.oldest.pop_back();
        }
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(file.bytes);
    }

    /// How many files there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How long they are together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The oldest file and when the one after it was made, if there is one.
    ///
    /// # Errors
    /// If the directory has to be read again and cannot be.
    pub fn oldest(&mut self, naming: &Naming) -> io::Result<Option<(Listed, Option<UnixMicros>)>> {
        if self.oldest.len() < 2 && self.count > self.oldest.len() as u64 {
            *self = Self::read(naming)?;
        }
        let next = self.oldest.get(1).map(|next| next.made);
        Ok(self.oldest.front().map(|&oldest| (oldest, next)))
    }

    /// Removes the oldest file.
    ///
    /// # Errors
    /// If it cannot be removed. A file that does not exist any more is no error.
    pub fn remove_oldest(&mut self, naming: &Naming) -> io::Result<()> {
        let Some(&oldest) = self.oldest.front() else { return Ok(()) };
        let path: &Path = &naming.path(oldest.number, oldest.made);
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.oldest.pop_front();
        self.count = self.count.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(oldest.bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_given() {
        let naming = Naming { directory: "d".into(), name: "a-b".to_owned(), format: Format::Csv };
        let made = UnixMicros(1_795_404_060_000_000);
        for number in [1, 123_456_789, 12_345_678_901] {
            let path = naming.path(number, made);
            let name = path.file_name().unwrap().to_str().unwrap();
            assert_eq!(naming.parse(name), Some((number, made)), "{name}");
        }
        for other in [
            "a-b.csv",
            "a-b-1-20261123T032100Z.csv",
            "a-b-000000001-20261123T032100Z.json",
            "a-b-+00000001-20261123T032100Z.csv",
            "a-000000001-20261123T032100Z.csv",
            ".a-b-000000001-20261123T032100Z.csv",
        ] {
            assert_eq!(naming.parse(other), None, "{other}");
        }
    }
}

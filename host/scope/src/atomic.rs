//! Files that appear complete or not at all.
//!
//! An [`AtomicFile`] is written beside its target under another name, brought to the disk, and then renamed
//! over the target. Whatever goes wrong before that, a full disk, a lost directory, a crash, the target is
//! what it was: the old file or none. It is no lock: of two writers of one target the later one wins.
//!
//! A target that is no regular file, such as a terminal or a pipe that is read, is written to as it is. A pipe that nobody
//! reads is refused at once, and so are disks.
//!
//! ```
//! use std::io::Write;
//!
//! use scopething::atomic::AtomicFile;
//!
//! let directory = tempfile::tempdir()?;
//! let target = directory.path().join("trace.csv");
//! let mut file = AtomicFile::create(&target)?;
//! file.write_all(b"time,A\n")?;
//! assert!(!target.exists());
//! file.commit()?;
//! assert_eq!(std::fs::read(&target)?, b"time,A\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};
use thiserror::Error;

/// Why a file was not written.
#[derive(Debug, Error)]
pub enum AtomicError {
    /// The target is a directory.
    #[error("{} is a directory; name a file in it", path.display())]
    Directory {
        /// The target.
        path: PathBuf,
    },
    /// The target is a device, or a pipe that nobody reads.
    #[error(
        "{} is a pipe that nobody reads, or a device that holds no files; name a file, or start the reader first",
        path.display()
    )]
    NotAFile {
        /// The target.
        path: PathBuf,
    },
    /// The target may not be written.
    #[error(
        "{} is write-protected and was left as it was; name another file, or allow writing to it",
        path.display()
    )]
    ReadOnly {
        /// The target.
        path: PathBuf,
    },
    /// No file could be made beside the target.
    #[error("no file can be made in {}: {source}; name another directory", directory.display())]
    Create {
        /// The directory of the target.
        directory: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// What was written could not be brought to the disk.
    #[error(
        "{} was left as it was, because writing failed: {source}; make room, or name another place",
        path.display()
    )]
    Write {
        /// The target.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The written file could not take the target's name.
    #[error("{} could not be replaced and was left as it was: {source}; name another file", path.display())]
    Replace {
        /// The target.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The new file is in place, but might not outlive a loss of power.
    #[error(
        "{} is written, but its directory could not be brought to the disk: {source}; check the disk",
        path.display()
    )]
    DirectorySync {
        /// The target.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// A file under way to its target.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    destination: Destination,
}

#[derive(Debug)]
enum Destination {
    /// A file under another name, which is removed when the name is dropped.
    Beside(BufWriter<File>, TempPath),
    /// A pipe, a terminal or a device.
    Through(BufWriter<File>),
}

impl AtomicFile {
    /// Starts a file that shall replace, or become, the one at `path`. A symbolic link to a file is followed.
    ///
    /// The new file has the permissions of the old one, or those that any new file has.
    ///
    /// # Errors
    /// If the target is a directory or write-protected, or no file can be made beside it.
    pub fn create(path: &Path) -> Result<Self, AtomicError> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let existing = fs::metadata(&path).ok();
        if let Some(existing) = &existing {
            if existing.is_dir() {
                return Err(AtomicError::Directory { path });
            }
            if existing.permissions().readonly() {
                return Err(AtomicError::ReadOnly { path });
            }
            if !existing.is_file() {
                return Self::through(path);
            }
        }
        let directory = directory_of(&path);
        let temporary = temporary_file(&path, directory, existing.map(|existing| existing.permissions()))
            .map_err(|source| AtomicError::Create { directory: directory.to_owned(), source })?;
        let (file, name) = temporary.into_parts();
        Ok(Self { destination: Destination::Beside(BufWriter::new(file), name), path })
    }

    /// Writes to the standard output of the process, whatever it is.
    ///
    /// # Errors
    /// If the process has none.
    pub fn standard_output() -> Result<Self, AtomicError> {
        let path = PathBuf::from("standard output");
        #[cfg(unix)]
        let stdout = std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned();
        #[cfg(windows)]
        let stdout = std::os::windows::io::AsHandle::as_handle(&io::stdout()).try_clone_to_owned();
        match stdout {
            Ok(stdout) => {
                Ok(Self { path, destination: Destination::Through(BufWriter::new(File::from(stdout))) })
            }
            Err(source) => Err(AtomicError::Write { path, source }),
        }
    }

    fn through(path: PathBuf) -> Result<Self, AtomicError> {
        match open_stream(&path) {
            Ok(Some(file)) => Ok(Self { path, destination: Destination::Through(BufWriter::new(file)) }),
            Ok(None) => Err(AtomicError::NotAFile { path }),
            Err(source) => Err(AtomicError::Replace { path, source }),
        }
    }

    /// The target.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes have been handed to the system; `None` if they are in a pipe or a device for good.
    ///
    /// # Errors
    /// If what was written cannot be handed over, or the system does not report it.
    pub fn handed_over(&mut self) -> io::Result<Option<u64>> {
        self.flush()?;
        match &self.destination {
            Destination::Beside(file, _) => Ok(Some(file.get_ref().metadata()?.len())),
            Destination::Through(_) => Ok(None),
        }
    }

    /// Takes back what was written after the first `length` bytes, after a failure. What went into a pipe or a
    /// device stays there.
    ///
    /// # Errors
    /// If the system fails.
    pub fn cut_back(&mut self, length: u64) -> io::Result<()> {
        let Destination::Beside(writer, _) = &mut self.destination else { return Ok(()) };
        let again = BufWriter::new(writer.get_ref().try_clone()?);
        // Dropped as it is, the writer would try again to write what failed.
        let (mut file, _unwritten) = std::mem::replace(writer, again).into_parts();
        file.set_len(length)?;
        file.seek(SeekFrom::Start(length))?;
        Ok(())
    }

    /// Brings what was written to the disk and puts it in the target's place.
    ///
    /// # Errors
    /// If that fails; the error states whether the target is the old file or the new one.
    pub fn commit(self) -> Result<(), AtomicError> {
        self.put_in_place().map_err(|(error, _)| error)
    }

    /// As [`commit`](Self::commit), but what cannot take the target's place stays beside it.
    ///
    /// # Errors
    /// As [`commit`](Self::commit), and where what was written is now, if it is not lost.
    pub fn commit_or_keep(self) -> Result<(), (AtomicError, Option<PathBuf>)> {
        self.put_in_place().map_err(|(error, beside)| (error, beside.and_then(|name| name.keep().ok())))
    }

    fn put_in_place(self) -> Result<(), (AtomicError, Option<TempPath>)> {
        let Self { path, destination } = self;
        let (file, name) = match destination {
            Destination::Through(mut stream) => {
                return stream.flush().map_err(|source| (AtomicError::Write { path, source }, None));
            }
            Destination::Beside(file, name) => (file, name),
        };
        let file = file.into_inner().map_err(io::IntoInnerError::into_error);
        if let Err(source) = file.and_then(|file| file.sync_all()) {
            return Err((AtomicError::Write { path, source }, Some(name)));
        }
        if let Err(refused) = name.persist(&path) {
            return Err((AtomicError::Replace { path, source: refused.error }, Some(refused.path)));
        }
        sync_directory(directory_of(&path))
            .map_err(|source| (AtomicError::DirectorySync { path, source }, None))
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.destination {
            Destination::Beside(file, _) => file.write(bytes),
            Destination::Through(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.destination {
            Destination::Beside(file, _) => file.flush(),
            Destination::Through(stream) => stream.flush(),
        }
    }
}

/// What went into a pipe or a device cannot be gone back to.
impl Seek for AtomicFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.destination {
            Destination::Beside(file, _) => file.seek(to),
            Destination::Through(_) => Err(io::Error::new(
                io::ErrorKind::NotSeekable,
                "this format needs a regular file, and not a pipe or a device",
            )),
        }
    }
}

/// The directory that a path is in: `.` for a bare name.
#[must_use]
pub fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Opens a pipe, a terminal or a device of characters to write to it; none if it is a disk, or a pipe that nobody reads.
#[cfg(unix)]
fn open_stream(path: &Path) -> io::Result<Option<File>> {
    use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};

    use rustix::fs::OFlags;

    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = match OpenOptions::new().write(true).custom_flags(flags).open(path) {
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => return Ok(None),
        opened => opened?,
    };
    if file.metadata()?.file_type().is_block_device() {
        return Ok(None);
    }
    // Only opening was not to wait: a reader that is slow is waited for.
    let flags = rustix::fs::fcntl_getfl(&file)?;
    rustix::fs::fcntl_setfl(&file, flags - OFlags::NONBLOCK)?;
    Ok(Some(file))
}

#[cfg(not(unix))]
fn open_stream(path: &Path) -> io::Result<Option<File>> {
    OpenOptions::new().write(true).open(path).map(Some)
}

fn temporary_file(path: &Path, directory: &Path, old: Option<Permissions>) -> io::Result<NamedTempFile> {
    let mut prefix = std::ffi::OsString::from(".");
    prefix.push(path.file_name().unwrap_or_default());
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".part");
    #[cfg(unix)]
    let usual = <Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o666);
    #[cfg(unix)]
    builder.permissions(usual);
    let temporary = builder.tempfile_in(directory)?;
    if let Some(old) = old {
        temporary.as_file().set_permissions(old)?;
    }
    Ok(temporary)
}

/// Makes the names in a directory last. Only Unix has a way to, and not on every file system.
#[cfg(unix)]
///
/// # Errors
///
/// If the file system has a way and fails.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        Err(error) if cannot_sync(error.kind()) => Ok(()),
        result => result,
    }
}

#[cfg(unix)]
fn cannot_sync(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    matches!(kind, InvalidInput | PermissionDenied | Unsupported)
}

/// As on Unix: nothing can be done here.
///
/// # Errors
///
/// None.
#[cfg(not(unix))]
pub fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn write(path: &Path, text: &str) -> Result<(), AtomicError> {
        let mut file = AtomicFile::create(path)?;
        file.write_all(text.as_bytes()).unwrap();
        file.commit()
    }

    #[test]
    fn commit_replaces_the_old_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.csv");
        for text in ["one", "two"] {
            write(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(names(directory.path()), ["x.csv"]);
        }
    }

    #[test]
    fn drop_leaves_the_old_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.csv");
        write(&path, "old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(&vec![b'n'; 100_000]).unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(names(directory.path()), ["x.csv"]);
    }

    #[test]
    fn directory_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(write(directory.path(), "x"), Err(AtomicError::Directory { .. })));
    }

    #[test]
    fn directory_that_is_not_there_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        let refused = write(&missing.join("x.csv"), "x").unwrap_err();
        assert!(
            matches!(&refused, AtomicError::Create { directory, .. } if *directory == missing),
            "{refused}"
        );
    }

    #[test]
    fn directory_lost_while_writing_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let lost = directory.path().join("lost");
        fs::create_dir(&lost).unwrap();
        let mut file = AtomicFile::create(&lost.join("x.csv")).unwrap();
        file.write_all(b"x").unwrap();
        fs::remove_dir_all(&lost).unwrap();
        assert!(matches!(file.commit(), Err(AtomicError::Replace { .. })));
    }

    #[test]
    fn directory_target_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.csv");
        let file = AtomicFile::create(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(file.commit(), Err(AtomicError::Replace { .. })));
        assert_eq!(names(directory.path()), ["x.csv"]);
    }

    #[test]
    fn retracted_bytes_are_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.csv");
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"kept").unwrap();
        assert_eq!(file.handed_over().unwrap(), Some(4));
        file.write_all(&vec![b'x'; 100_000]).unwrap();
        file.write_all(b"still in memory").unwrap();
        file.cut_back(4).unwrap();
        file.write_all(b" too").unwrap();
        file.commit().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept too");
    }

    #[test]
    fn failed_replacement_can_be_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.csv");
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"kept").unwrap();
        fs::create_dir(&path).unwrap();
        let (error, beside) = file.commit_or_keep().unwrap_err();
        assert!(matches!(error, AtomicError::Replace { .. }));
        assert_eq!(fs::read_to_string(beside.unwrap()).unwrap(), "kept");
    }

    #[test]
    fn write_protected_file_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.csv");
        write(&path, "old").unwrap();
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
        assert!(matches!(write(&path, "new"), Err(AtomicError::ReadOnly { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_are_preserved() {
        use std::os::unix::fs::PermissionsExt;

        let directory = tempfile::tempdir().unwrap();
        let mode =
            |name: &str| fs::metadata(directory.path().join(name)).unwrap().permissions().mode() & 0o777;
        fs::write(directory.path().join("usual"), "").unwrap();
        write(&directory.path().join("new"), "x").unwrap();
        assert_eq!(mode("new"), mode("usual"));
        let private = directory.path().join("private");
        fs::write(&private, "old").unwrap();
        fs::set_permissions(&private, Permissions::from_mode(0o640)).unwrap();
        write(&private, "new").unwrap();
        assert_eq!(mode("private"), 0o640);
    }

    #[cfg(unix)]
    #[test]
    fn link_to_a_file_stays_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        write(&link, "new").unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), file);
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn device_is_written_to_and_not_replaced() {
        use std::os::unix::fs::FileTypeExt;

        write(Path::new("/dev/null"), "x").unwrap();
        assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
        let full = write(Path::new("/dev/full"), "x").unwrap_err();
        assert!(
            matches!(&full, AtomicError::Write { source, .. } if source.kind() == io::ErrorKind::StorageFull)
        );
    }
}

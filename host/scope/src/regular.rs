//! Files of settings and state: opened only if they are regular files, so that a pipe or a device in their place is refused
//! at once instead of waited for, and read only up to a length.
//!
//! ```
//! use scopething::regular;
//!
//! let directory = tempfile::tempdir()?;
//! let path = directory.path().join("job.toml");
//! std::fs::write(&path, "url = 'sim:'\n")?;
//! assert_eq!(regular::read_to_string(&path, 100)?, "url = 'sim:'\n");
//! assert!(regular::read_to_string(&path, 5).is_err());
//! assert!(regular::read_to_string(directory.path(), 100).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

/// Opens a file with these options, if it is a regular one.
///
/// # Errors
///
/// The system's, or [`InvalidInput`](io::ErrorKind::InvalidInput) for anything but a regular file.
pub fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    // To open a pipe would otherwise wait for its other end.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, libc::O_NONBLOCK);
    let opened = options.open(path);
    let is_other = match &opened {
        Ok(file) => !file.metadata()?.is_file(),
        // A directory, or a pipe that nobody reads.
        Err(_) => path.metadata().is_ok_and(|metadata| !metadata.is_file()),
    };
    if is_other {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is no regular file but a directory, a pipe or a device; name a file",
        ));
    }
    opened
}

/// Refuses what is there and is no regular file.
///
/// # Errors
///
/// [`InvalidInput`](io::ErrorKind::InvalidInput), or the system's.
pub fn check(path: &Path) -> io::Result<()> {
    match open(OpenOptions::new().read(true), path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map(drop),
    }
}

/// Reads a regular file of at most `max` bytes.
///
/// # Errors
///
/// As [`open`]; [`FileTooLarge`](io::ErrorKind::FileTooLarge) if it is longer.
pub fn read(path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let file = open(OpenOptions::new().read(true), path)?;
    let mut bytes = Vec::new();
    if file.take(max + 1).read_to_end(&mut bytes)? as u64 > max {
        let reason = format!("it is longer than {max} bytes, which no such file is");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
    }
    Ok(bytes)
}

/// Reads a regular file of at most `max` bytes of text.
///
/// # Errors
///
/// As [`read`]; [`InvalidData`](io::ErrorKind::InvalidData) if it is no text.
pub fn read_to_string(path: &Path, max: u64) -> io::Result<String> {
    String::from_utf8(read(path, max)?)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error.utf8_error()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn refused(path: &Path) {
        let error = read(path, 100).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
        let error = open(OpenOptions::new().append(true).create(true), path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    }

    #[test]
    fn pipes_and_devices_are_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0)
            .unwrap();
        refused(&fifo);
        refused(Path::new("/dev/zero"));
        refused(directory.path());
        assert!(check(&directory.path().join("none")).is_ok());
    }
}

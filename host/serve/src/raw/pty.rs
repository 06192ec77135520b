//! A pseudo-terminal, the device at its master side.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;
use tokio::net::unix::pipe::{Receiver, Sender};

/// A pseudo-terminal in raw mode.
#[derive(Debug)]
pub(crate) struct Pty {
    /// The two directions of the master. It is no pipe, but is polled, read and written as one.
    from_client: Receiver,
    to_client: Sender,
    /// Kept open: otherwise the master would be disconnected whenever no client has the other side.
    _slave: OwnedFd,
    path: PathBuf,
}

impl Pty {
    pub(crate) fn open() -> io::Result<Self> {
        let master = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY)?;
        rustix::pty::grantpt(&master)?;
        rustix::pty::unlockpt(&master)?;
        let path = PathBuf::from(std::ffi::OsString::from_vec(
            rustix::pty::ptsname(&master, Vec::new())?.into_bytes(),
        ));
        let slave = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        let mut settings = rustix::termios::tcgetattr(&slave)?;
        settings.make_raw();
        rustix::termios::tcsetattr(&slave, OptionalActions::Now, &settings)?;
        let flags = rustix::fs::fcntl_getfl(&master)?;
        rustix::fs::fcntl_setfl(&master, flags | OFlags::NONBLOCK)?;
        let from_client = Receiver::from_file_unchecked(master.try_clone()?.into())?;
        let to_client = Sender::from_file_unchecked(master.into())?;
        Ok(Self { from_client, to_client, _slave: slave, path })
    }

    /// The device file that clients open.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Waits for what a client has written.
    pub(crate) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.from_client.readable().await?;
            match self.from_client.try_read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }

    /// Writes to the client, once there is room.
    pub(crate) async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.to_client.writable().await?;
            match self.to_client.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
        }
    }
}

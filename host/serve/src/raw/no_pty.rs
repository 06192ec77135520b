//! There are no pseudo-terminals on this system.

use std::convert::Infallible;
use std::io;
use std::path::Path;

/// None of these exists.
#[derive(Debug)]
pub(crate) struct Pty(Infallible);

impl Pty {
    pub(crate) fn open() -> io::Result<Self> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no pseudo-terminals"))
    }

    pub(crate) fn path(&self) -> &Path {
        match self.0 {}
    }

    #[expect(clippy::unused_async, reason = "the same shape as where there are pseudo-terminals")]
    pub(crate) async fn read(&self, _: &mut [u8]) -> io::Result<usize> {
        match self.0 {}
    }

    #[expect(clippy::unused_async, reason = "the same shape as where there are pseudo-terminals")]
    pub(crate) async fn write(&self, _: &[u8]) -> io::Result<usize> {
        match self.0 {}
    }
}

//! The computer's disk.

use std::io;
use std::path::Path;

use super::store::Disk;

/// The file system that a directory is on.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn free_bytes(&self, directory: &Path) -> io::Result<u64> {
        fs4::available_space(directory)
    }
}

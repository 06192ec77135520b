//! Bytes on their way from an encoder that keeps what it writes to, to whoever wants them.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// Takes the bytes of the encoder, which does not give back what it writes to.
#[derive(Clone, Default)]
pub(super) struct Handover(Arc<Mutex<Vec<u8>>>);

impl Handover {
    /// Writes what came since the last time.
    pub(super) fn pass_on(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(&bytes)?;
        bytes.clear();
        Ok(())
    }
}

impl Write for Handover {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

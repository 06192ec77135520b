//! The last bytes of the firmware's log, each with its place counted from power-up.

/// Keeps the last `BYTES` bytes that were logged; a power of two, so that places roll over well.
#[derive(Debug)]
pub struct LogRing<const BYTES: usize> {
    bytes: [u8; BYTES],
    /// The place of the next byte.
    end: u32,
}

impl<const BYTES: usize> Default for LogRing<BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const BYTES: usize> LogRing<BYTES> {
    /// An empty log.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(BYTES.is_power_of_two() && BYTES <= 1 << 16) };
        Self { bytes: [0; BYTES], end: 0 }
    }

    /// Appends bytes; the oldest go.
    pub fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if let Some(slot) = self.bytes.get_mut(self.end as usize % BYTES) {
                *slot = byte;
            }
            self.end = self.end.wrapping_add(1);
        }
    }

    /// Copies bytes from place `from` on. Gives the place of the first of them, later than `from` if that is lost, and how
    /// many there are. A place that is yet to come counts as the end.
    pub fn read(&self, from: u32, bytes: &mut [u8]) -> (u32, usize) {
        let kept = self.end.min(BYTES as u32);
        let behind = self.end.wrapping_sub(from);
        // A place ahead of the end is behind it by nearly the whole circle.
        let left = if behind > u32::MAX / 2 { 0 } else { behind.min(kept) };
        let first = self.end.wrapping_sub(left);
        let count = bytes.len().min(left as usize);
        for (place, byte) in (first..).zip(bytes.iter_mut().take(count)) {
            *byte = self.bytes.get(place as usize % BYTES).copied().unwrap_or(0);
        }
        (first, count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_log_bytes_show_in_the_position() {
        let mut log = LogRing::<8>::new();
        let mut bytes = [0; 16];
        log.push(b"abcde");
        assert_eq!(log.read(0, &mut bytes), (0, 5));
        assert_eq!(&bytes[..5], b"abcde");
        log.push(b"fghijk");
        assert_eq!(log.read(0, &mut bytes), (3, 8));
        assert_eq!(&bytes[..8], b"defghijk");
        assert_eq!(log.read(9, &mut bytes[..1]), (9, 1));
        assert_eq!(bytes[0], b'j');
        assert_eq!(log.read(11, &mut bytes), (11, 0));
        assert_eq!(log.read(40, &mut bytes), (11, 0));
    }
}

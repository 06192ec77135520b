//! Cuts a stream at its zero bytes.

/// Collects what lies between two zero bytes, up to `N` bytes of it.
///
/// Bytes ahead of the first zero byte are not collected. What is longer than `N` is dropped up to the next
/// zero byte.
#[derive(Debug, Clone)]
pub struct Deframer<const N: usize> {
    bytes: [u8; N],
    length: usize,
    open: bool,
    /// The frame was handed out: its zero byte also opens the next.
    complete: bool,
}

impl<const N: usize> Deframer<N> {
    /// One that waits for a zero byte.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; N], length: 0, open: false, complete: false }
    }

    /// Whether a zero byte has come, so that the next byte belongs to a frame.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.open
    }

    /// Whether bytes of a frame have come that is not complete.
    #[must_use]
    pub const fn is_within(&self) -> bool {
        self.open && self.length > 0 && !self.complete
    }

    /// Forgets what was collected, and waits for a zero byte.
    pub const fn reset(&mut self) {
        self.open = false;
        self.length = 0;
        self.complete = false;
    }

    /// Takes one byte. Gives what lay between the last two zero bytes, if it is that and not nothing.
    pub fn push(&mut self, byte: u8) -> Option<&mut [u8]> {
        if self.complete {
            self.complete = false;
            self.length = 0;
        }
        if byte == 0 {
            let length = self.length;
            self.length = 0;
            if !self.open || length == 0 || length > N {
                self.open = true;
                return None;
            }
            self.length = length;
            self.complete = true;
            return self.bytes.get_mut(..length);
        }
        if self.open {
            if let Some(place) = self.bytes.get_mut(self.length) {
                *place = byte;
            }
            self.length = (self.length + 1).min(N + 1);
        }
        None
    }
}

impl<const N: usize> Default for Deframer<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn cut(stream: &[u8]) -> Vec<Vec<u8>> {
        let mut deframer = Deframer::<4>::new();
        let mut frames = Vec::new();
        for &byte in stream {
            frames.extend(deframer.push(byte).map(|frame| frame.to_vec()));
        }
        frames
    }

    #[test]
    fn frames_lie_between_zero_bytes() {
        let none: [Vec<u8>; 0] = [];
        assert_eq!(cut(&[1, 2, 0, 3, 4, 0, 0, 5, 0]), [[3, 4].to_vec(), [5].to_vec()]);
        assert_eq!(cut(&[1, 2, 3]), none);
        assert_eq!(cut(&[0, 0, 0]), none);
    }

    #[test]
    fn what_is_too_long_is_dropped() {
        assert_eq!(cut(&[0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 0, 9, 0]), [[1, 2, 3, 4].to_vec(), [9].to_vec()]);
    }
}

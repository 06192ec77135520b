//! The capture buffer: 12288 bytes, laid out by the buffer mode
//! ([section 5 of the reference](scopething_core::vm#5-trace-modes)).

use std::sync::Arc;

/// Bytes of the capture buffer.
pub(super) const BUFFER_BYTES: u32 = 12288;
/// Where the logic bytes begin in the two dual layouts.
const LOGIC_BASE: u32 = 6144;

/// How the capture buffer is laid out: which byte holds which sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// 12 k samples of one kind.
    Single,
    /// 6 k of A, 6 k of B.
    Chop,
    /// 6 k analog, 6 k logic.
    Dual,
    /// 3 k of A, 3 k of B, 6 k logic.
    ChopDual,
    /// 6 k words.
    Macro,
    /// 3 k words of A, 3 k words of B.
    MacroChop,
}

impl Layout {
    /// The layout of a `BufferMode`; numbers without a meaning count as Single.
    pub(super) fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Chop,
            2 => Self::Dual,
            3 => Self::ChopDual,
            4 => Self::Macro,
            5 => Self::MacroChop,
            _ => Self::Single,
        }
    }

    /// Samples until addresses wrap; those of two channels are counted together.
    pub(super) fn width(self) -> u32 {
        match self {
            Self::Single | Self::Chop => BUFFER_BYTES,
            Self::Dual | Self::ChopDual | Self::Macro | Self::MacroChop => BUFFER_BYTES / 2,
        }
    }

    pub(super) fn wide(self) -> bool {
        matches!(self, Self::Macro | Self::MacroChop)
    }

    pub(super) fn two_channels(self) -> bool {
        matches!(self, Self::Chop | Self::ChopDual | Self::MacroChop)
    }

    fn has_logic(self) -> bool {
        matches!(self, Self::Dual | Self::ChopDual)
    }

    /// Bytes from the start of A's part to the start of B's.
    fn channel_bytes(self) -> u32 {
        match self {
            Self::Chop | Self::MacroChop => BUFFER_BYTES / 2,
            Self::ChopDual => BUFFER_BYTES / 4,
            Self::Single | Self::Dual | Self::Macro => 0,
        }
    }

    /// The first byte of a channel's analog sample, where samples are counted a channel.
    fn analog_byte(self, channel: u32, sample: u32) -> u32 {
        let bytes = if self.wide() { 2 } else { 1 };
        if self.two_channels() {
            (channel & 1) * self.channel_bytes() + (sample % (self.width() / 2)) * bytes
        } else {
            (sample % self.width()) * bytes
        }
    }

    /// The byte of a logic sample: in its own part where there is one, otherwise among the samples.
    fn logic_byte(self, sample: u32) -> u32 {
        if self.has_logic() { LOGIC_BASE + sample % self.width() } else { sample % BUFFER_BYTES }
    }
}

/// The samples of the last trace, shared with the dumps that are being sent.
#[derive(Debug, Clone)]
pub(super) struct CaptureBuffer {
    bytes: Arc<Vec<u8>>,
}

impl CaptureBuffer {
    pub(super) fn new() -> Self {
        Self { bytes: Arc::new(vec![0; BUFFER_BYTES as usize]) }
    }

    /// Fills the buffer before a trace: with the low byte of `prelude`, or with the whole of it in word
    /// layouts.
    pub(super) fn fill(&mut self, layout: Layout, prelude: u16) {
        let [high, low] = prelude.to_be_bytes();
        let first = if layout.wide() { high } else { low };
        for pair in Arc::make_mut(&mut self.bytes).chunks_exact_mut(2) {
            pair.copy_from_slice(&[first, low]);
        }
    }

    fn put(&mut self, at: u32, value: u8) {
        if let Some(byte) = Arc::make_mut(&mut self.bytes).get_mut(at as usize) {
            *byte = value;
        }
    }

    fn get(&self, at: u32) -> u8 {
        self.bytes.get(at as usize).copied().unwrap_or(0)
    }

    /// Writes the analog sample at an address counted over both channels; narrow layouts keep the high byte.
    pub(super) fn put_analog(&mut self, layout: Layout, address: u32, value: u16) {
        let (channel, sample) = if layout.two_channels() { (address & 1, address / 2) } else { (0, address) };
        let at = layout.analog_byte(channel, sample);
        let [high, low] = value.to_be_bytes();
        self.put(at, high);
        if layout.wide() {
            self.put(at + 1, low);
        }
    }

    pub(super) fn put_logic(&mut self, layout: Layout, address: u32, value: u8) {
        self.put(layout.logic_byte(address), value);
    }

    /// A channel's analog sample as stored: a byte, or a word in word layouts.
    pub(super) fn analog(&self, layout: Layout, channel: u32, sample: u32) -> u16 {
        let at = layout.analog_byte(channel, sample);
        let high = self.get(at);
        if layout.wide() { u16::from_be_bytes([high, self.get(at + 1)]) } else { u16::from(high) }
    }

    pub(super) fn logic(&self, layout: Layout, sample: u32) -> u8 {
        self.get(layout.logic_byte(sample))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUTS: [Layout; 6] =
        [Layout::Single, Layout::Chop, Layout::Dual, Layout::ChopDual, Layout::Macro, Layout::MacroChop];

    #[test]
    fn layout_samples_have_distinct_places() {
        for layout in LAYOUTS {
            let mut owners = vec![0_u8; BUFFER_BYTES as usize];
            for address in 0..layout.width() {
                let (channel, sample) =
                    if layout.two_channels() { (address & 1, address / 2) } else { (0, address) };
                let at = layout.analog_byte(channel, sample) as usize;
                owners[at] += 1;
                if layout.wide() {
                    owners[at + 1] += 1;
                }
                if layout.has_logic() {
                    owners[layout.logic_byte(address) as usize] += 1;
                }
            }
            assert!(owners.iter().all(|&count| count == 1), "{layout:?}");
        }
    }

    #[test]
    fn channels_are_apart_and_addresses_wrap() {
        let mut buffer = CaptureBuffer::new();
        buffer.put_analog(Layout::Chop, 12288 + 2, 0x1100);
        buffer.put_analog(Layout::Chop, 3, 0x2200);
        assert_eq!(buffer.analog(Layout::Chop, 0, 1), 0x11);
        assert_eq!(buffer.analog(Layout::Chop, 1, 6144 + 1), 0x22);
        assert_eq!(buffer.get(6145), 0x22);
    }

    #[test]
    fn prelude_fills_bytes_and_words() {
        let mut buffer = CaptureBuffer::new();
        buffer.fill(Layout::Single, 0x1234);
        assert_eq!(buffer.analog(Layout::Single, 0, 12287), 0x34);
        buffer.fill(Layout::MacroChop, 0x1234);
        assert_eq!(buffer.analog(Layout::MacroChop, 1, 3071), 0x1234);
    }
}

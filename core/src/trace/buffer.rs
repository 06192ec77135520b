//! Where the raw samples of a capture are kept.

use core::ops::Range;

use crate::device::BUFFER_BYTES;
use crate::plan::{AnalogChannel, CapturePlan};

/// What one dump of the device's buffer reads: an analog channel, or all logic lines together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DumpChannel {
    /// An analog channel.
    Analog(AnalogChannel),
    /// The logic lines, a bit each.
    Logic,
}

impl DumpChannel {
    /// In the order in which they are dumped and kept.
    pub const ALL: [Self; 3] = [Self::Analog(AnalogChannel::A), Self::Analog(AnalogChannel::B), Self::Logic];

    /// The value of register `DumpChan` ([section 3 of the reference](crate::vm#3-registers)).
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Analog(AnalogChannel::A) => 0,
            Self::Analog(AnalogChannel::B) => 1,
            Self::Logic => 128,
        }
    }
}

/// The raw samples of a capture: as many bytes as the device's own buffer has, so that any capture fits.
///
/// It belongs to the caller, who may keep it in a static on a microcontroller. The channels lie one after the other, A,
/// B, logic, as the dumps sent them.
#[derive(Debug, Clone)]
pub struct TraceBuffer {
    bytes: [u8; BUFFER_BYTES],
}

impl TraceBuffer {
    /// A buffer of zeros.
    #[must_use]
    pub const fn new() -> Self {
        Self { bytes: [0; BUFFER_BYTES] }
    }

    /// The bytes of a region; empty if it lies outside.
    #[must_use]
    pub fn region(&self, region: Range<usize>) -> &[u8] {
        self.bytes.get(region).unwrap_or_default()
    }

    /// The bytes of a region, to be filled; empty if it lies outside.
    pub fn region_mut(&mut self, region: Range<usize>) -> &mut [u8] {
        self.bytes.get_mut(region).unwrap_or_default()
    }
}

impl Default for TraceBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// Where in a [`TraceBuffer`] each channel of a capture lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BufferLayout {
    analog: u8,
    logic: bool,
    analog_samples: u16,
    logic_samples: u16,
    sample_bytes: u8,
}

impl BufferLayout {
    /// The layout of the first or last `samples` samples (all channels interleaved) of a planned capture.
    #[must_use]
    pub fn new(plan: &CapturePlan, samples: u16) -> Self {
        let analog = plan.channels.analog();
        Self {
            analog,
            logic: plan.channels.logic() != 0,
            analog_samples: if analog == 3 { samples / 2 } else { samples },
            logic_samples: samples,
            sample_bytes: plan.mode.sample_bytes,
        }
    }

    /// How many samples of a channel there are; 0 if it is not captured.
    #[must_use]
    pub fn samples(&self, channel: DumpChannel) -> u16 {
        match channel {
            DumpChannel::Analog(analog) if self.analog & analog.bit() != 0 => self.analog_samples,
            DumpChannel::Logic if self.logic => self.logic_samples,
            _ => 0,
        }
    }

    /// Bytes a sample of a channel, 1 or 2.
    #[must_use]
    pub const fn sample_bytes(&self, channel: DumpChannel) -> u8 {
        match channel {
            DumpChannel::Analog(_) => self.sample_bytes,
            DumpChannel::Logic => 1,
        }
    }

    /// How many bytes all channels take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.region(DumpChannel::Logic).end
    }

    /// The bytes of the buffer in which a channel lies.
    #[must_use]
    pub fn region(&self, channel: DumpChannel) -> Range<usize> {
        let mut start = 0;
        for each in DumpChannel::ALL {
            let length = usize::from(self.samples(each)) * usize::from(self.sample_bytes(each));
            if each == channel {
                return start..start + length;
            }
            start += length;
        }
        start..start
    }
}

//! Views of the raw samples: volts, fractions and logic levels, computed as they are read.

use crate::plan::{AnalogChannel, LogicLine, SampleRange};

/// When the samples of a channel were taken, from the first sample of the capture on.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SampleTimes {
    /// The time of the channel's first sample, in seconds.
    pub start_s: f64,
    /// The time from one sample of the channel to the next, in seconds.
    pub period_s: f64,
}

impl SampleTimes {
    /// When sample `index` was taken, in seconds.
    #[must_use]
    pub fn time_s(&self, index: usize) -> f64 {
        self.start_s + index as f64 * self.period_s
    }

    /// Samples a second, in hertz.
    #[must_use]
    pub fn sample_rate_hz(&self) -> f64 {
        1.0 / self.period_s
    }
}

/// The samples of a channel, without their values.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Series {
    /// How many there are.
    pub count: usize,
    /// When they were taken.
    pub times: SampleTimes,
    /// The smallest difference that they show, in volts (or as a fraction of the range in a raw capture); 1 for a logic line.
    pub resolution: f64,
}

/// Fills a slice with values from the first on, and returns how many there were and there was room for.
pub fn fill<T>(room: &mut [T], values: impl Iterator<Item = T>) -> usize {
    let mut count = 0;
    for (place, value) in room.iter_mut().zip(values) {
        *place = value;
        count += 1;
    }
    count
}

/// How raw samples turn into values: `low + raw x step`, in double precision, rounded once to `f32`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct StepScale {
    low: f64,
    step: f64,
}

impl StepScale {
    /// The values of a channel's samples of one byte.
    #[must_use]
    pub fn of_bytes(range: SampleRange, channel: AnalogChannel) -> Self {
        Self::new(range, channel, 1)
    }

    fn new(range: SampleRange, channel: AnalogChannel, sample_bytes: u8) -> Self {
        // Half of what A reads above B is taken from A and added to B.
        let offset_share = match channel {
            AnalogChannel::A => -0.5,
            AnalogChannel::B => 0.5,
        };
        let (low, span) = match range {
            SampleRange::Volts { low, high, ab_offset, attenuation } => {
                let factor = attenuation.of(channel);
                ((low + offset_share * ab_offset) * factor, (high - low) * factor)
            }
            SampleRange::Fractions => (0.0, 1.0),
        };
        // A byte counts 256 steps over the range, a 16-bit sample 65536 (reference.md#6-dumps).
        let steps = if sample_bytes == 2 { 65536.0 } else { 256.0 };
        Self { low, step: span / steps }
    }

    /// The value so many steps above the bottom of the range, in volts or as a fraction of it. Between two steps, as means
    /// are, it lies between their values.
    #[must_use]
    pub fn value(&self, steps: f64) -> f32 {
        (self.low + steps * self.step) as f32
    }
}

/// The samples of an analog channel.
#[derive(Debug, Clone, Copy)]
pub struct AnalogView<'a> {
    raw: &'a [u8],
    sample_bytes: u8,
    scale: StepScale,
    /// When the samples were taken.
    pub times: SampleTimes,
}

impl<'a> AnalogView<'a> {
    pub(super) fn new(
        raw: &'a [u8],
        sample_bytes: u8,
        range: SampleRange,
        channel: AnalogChannel,
        times: SampleTimes,
    ) -> Self {
        Self { raw, sample_bytes, scale: StepScale::new(range, channel, sample_bytes), times }
    }

    /// How many samples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.len() / usize::from(self.sample_bytes.max(1))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The smallest difference that the samples show, in volts (or as a fraction of the range in a raw capture).
    #[must_use]
    pub fn resolution(&self) -> f64 {
        self.scale.step
    }

    /// The value so many steps above the bottom of the range, in volts (or as a fraction of the range in a raw capture).
    pub(crate) fn value(&self, steps: f64) -> f64 {
        self.scale.low + steps * self.scale.step
    }

    /// The samples as steps above the bottom of the range: 0 to 255, or 0 to 65535 of a 16-bit capture.
    pub fn steps(&self) -> impl Iterator<Item = u16> + Clone + use<'a> {
        let wide = self.sample_bytes == 2;
        self.raw.chunks_exact(if wide { 2 } else { 1 }).map(move |sample| match *sample {
            [high, low] => steps_of_wide([high, low]),
            [byte] => u16::from(byte),
            _ => 0,
        })
    }

    /// The samples in volts, or as fractions of the range if the capture was raw.
    pub fn values(&self) -> impl Iterator<Item = f32> + Clone + use<'a> {
        let scale = self.scale;
        self.steps().map(move |steps| scale.value(steps.into()))
    }

    /// Fills a slice with samples in volts (fractions if the capture was raw), from the first on. Gives how many
    /// there were room for.
    pub fn read_values(&self, values: &mut [f32]) -> usize {
        let scale = self.scale;
        // A loop for each width, which the compiler can unroll.
        if self.sample_bytes == 2 {
            for (place, sample) in values.iter_mut().zip(self.raw.chunks_exact(2)) {
                if let &[high, low] = sample {
                    *place = scale.value(steps_of_wide([high, low]).into());
                }
            }
        } else {
            for (place, &byte) in values.iter_mut().zip(self.raw) {
                *place = scale.value(byte.into());
            }
        }
        self.len().min(values.len())
    }
}

/// A 16-bit sample as steps above the bottom of the range. Signed and high byte first (reference.md#6-dumps): turning the sign
/// bit over counts from the bottom.
fn steps_of_wide([high, low]: [u8; 2]) -> u16 {
    u16::from_be_bytes([high ^ 0x80, low])
}

/// The samples of the logic lines.
#[derive(Debug, Clone, Copy)]
pub struct LogicView<'a> {
    raw: &'a [u8],
    lines: u8,
    /// When the samples were taken.
    pub times: SampleTimes,
}

impl<'a> LogicView<'a> {
    pub(super) fn new(raw: &'a [u8], lines: u8, times: SampleTimes) -> Self {
        Self { raw, lines, times }
    }

    /// How many samples there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// The captured lines, a bit each.
    #[must_use]
    pub fn lines(&self) -> u8 {
        self.lines
    }

    /// The samples as bytes, bit n for line n; lines that were not captured are 0.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + use<'a> {
        let lines = self.lines;
        self.raw.iter().map(move |byte| byte & lines)
    }

    /// The levels of one line; none at all if it was not captured.
    pub fn levels(&self, line: LogicLine) -> impl Iterator<Item = bool> + Clone + use<'a> {
        let raw = if self.lines & line.bit() == 0 { &[] } else { self.raw };
        raw.iter().map(move |byte| byte & line.bit() != 0)
    }
}

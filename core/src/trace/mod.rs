//! A captured trace: raw samples in one buffer, and views of them in volts, fractions and logic levels.
//!
//! Nothing is decoded before it is read, and nothing is allocated.
//!
//! ```
//! use scopething_core::device::BS05;
//! use scopething_core::plan::{AnalogChannel, CaptureRequest, Channel, BusyOutputs, plan_capture};
//! use scopething_core::trace::{EndReason, Trace, TraceBuffer};
//!
//! let request = CaptureRequest { period_s: 20e-6, samples: 100, ..CaptureRequest::new(Channel::A) };
//! let plan = plan_capture(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING)?;
//! let buffer = TraceBuffer::new();
//! let trace = Trace::new(&plan, &buffer, 100, EndReason::Trigger, 4000);
//! let view = trace.analog(AnalogChannel::A).ok_or("channel A was captured")?;
//! assert_eq!(view.values().next(), Some(-5.5));
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

mod buffer;
mod device_time;
mod trigger_report;
mod view;

use core::fmt;

pub use buffer::{BufferLayout, DumpChannel, TraceBuffer};
pub use device_time::DeviceTime;
pub use trigger_report::{Finding, Run, Seen, TriggerReport};
pub use view::{AnalogView, LogicView, SampleTimes, Series, StepScale, fill};

use crate::device::BUFFER_BYTES;
use crate::plan::{AnalogChannel, CapturePlan, Channel, TriggerSource, TriggerType};

/// Why a trace ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum EndReason {
    /// The trigger came, and the trace is complete.
    Trigger,
    /// The trigger did not come in time.
    Timeout,
    /// The user cancelled the wait for the trigger.
    Cancel,
}

impl EndReason {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Trigger, Self::Timeout, Self::Cancel];

    /// Its name, which is also how it is displayed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trigger => "trigger",
            Self::Timeout => "timeout",
            Self::Cancel => "cancel",
        }
    }

    /// The one of this [`name`](Self::name).
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.name() == name)
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Where a trace triggered.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TriggerPoint {
    /// The time from the first sample of the trace, in seconds; below 0 if it lies ahead of it.
    pub time_s: f64,
    /// The level, in volts, or as a fraction of the input span in a raw capture.
    pub level: f64,
    /// What was watched.
    pub source: TriggerSource,
    /// How it had to behave.
    pub trigger_type: TriggerType,
}

/// A captured trace: the plan, the raw samples, and why and when it ended.
#[derive(Debug, Clone, Copy)]
pub struct Trace<'a> {
    plan: &'a CapturePlan,
    bytes: &'a [u8],
    layout: BufferLayout,
    samples: u16,
    cause: EndReason,
    end_ticks: u64,
}

impl<'a> Trace<'a> {
    /// A trace of the last `samples` samples (all channels interleaved) of a planned capture, whose raw samples lie in
    /// `buffer` as [`BufferLayout`] specifies. `end_ticks` is the device time of its end in ticks, unwrapped to 64
    /// bits.
    #[must_use]
    pub fn new(
        plan: &'a CapturePlan,
        buffer: &'a TraceBuffer,
        samples: u16,
        cause: EndReason,
        end_ticks: u64,
    ) -> Self {
        Self::of_bytes(plan, buffer.region(0..BUFFER_BYTES), samples, cause, end_ticks)
    }

    /// The same trace, its raw samples in a copy of its [`bytes`](Self::bytes): a program that keeps many traces need not keep
    /// a whole [`TraceBuffer`] of each. A channel whose bytes are not all there has no samples.
    #[must_use]
    pub fn of_bytes(
        plan: &'a CapturePlan,
        bytes: &'a [u8],
        samples: u16,
        cause: EndReason,
        end_ticks: u64,
    ) -> Self {
        Self { plan, bytes, layout: BufferLayout::new(plan, samples), samples, cause, end_ticks }
    }

    /// The raw samples of all its channels, as [`BufferLayout`] specifies.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes.get(..self.layout.bytes()).unwrap_or(self.bytes)
    }

    /// The plan that was captured.
    #[must_use]
    pub fn plan(&self) -> &'a CapturePlan {
        self.plan
    }

    /// Why the trace ended.
    #[must_use]
    pub fn end_reason(&self) -> EndReason {
        self.cause
    }

    /// Samples in all, counted over the interleaved analog channels: those planned, or fewer if it was cancelled early
    /// or fills the buffer ([`CapturePlan::readable`]).
    #[must_use]
    pub fn samples(&self) -> u16 {
        self.samples
    }

    /// The device time of the trace's end, in ticks of the device's clock, unwrapped to 64 bits.
    #[must_use]
    pub fn end_ticks(&self) -> u64 {
        self.end_ticks
    }

    /// The raw samples of a channel, or of all logic lines together; none if it was not captured.
    #[must_use]
    pub fn raw(&self, channel: DumpChannel) -> &'a [u8] {
        self.bytes.get(self.layout.region(channel)).unwrap_or_default()
    }

    /// When the first sample was taken, in seconds of device time. The device's time starts anywhere.
    #[must_use]
    pub fn capture_start_s(&self) -> f64 {
        let length = u64::from(self.samples) * u64::from(self.plan.timebase.ticks_per_sample());
        self.end_ticks.saturating_sub(length) as f64 / self.plan.clock_hz
    }

    /// Where the trace triggered, if that ended it. That may be ahead of the first sample: by a sample if it fills the
    /// buffer, by more with a delay.
    #[must_use]
    pub fn trigger(&self) -> Option<TriggerPoint> {
        let left_out = self.plan.timebase.samples.saturating_sub(self.samples);
        let left_out_s = f64::from(left_out) * self.plan.tick_period_s();
        (self.cause == EndReason::Trigger).then(|| TriggerPoint {
            time_s: self.plan.trigger_time_s() - left_out_s,
            level: self.plan.level,
            source: self.plan.trigger,
            trigger_type: self.plan.trigger_type,
        })
    }

    /// The samples of an analog channel, if it was captured.
    #[must_use]
    pub fn analog(&self, channel: AnalogChannel) -> Option<AnalogView<'a>> {
        let dump = DumpChannel::Analog(channel);
        let pair = self.plan.mode.analog_channels == 2;
        let tick_s = self.plan.tick_period_s();
        let turn = if pair && channel == AnalogChannel::B { tick_s } else { 0.0 };
        let times = SampleTimes { start_s: turn, period_s: if pair { 2.0 * tick_s } else { tick_s } };
        self.plan.channels.contains(channel.into()).then(|| {
            AnalogView::new(self.raw(dump), self.layout.sample_bytes(dump), self.plan.range, channel, times)
        })
    }

    /// The samples of the logic lines, if any was captured.
    #[must_use]
    pub fn logic(&self) -> Option<LogicView<'a>> {
        let lines = self.plan.channels.logic();
        let times = SampleTimes { start_s: 0.0, period_s: self.plan.tick_period_s() };
        let raw = self.raw(DumpChannel::Logic);
        (lines != 0).then(|| LogicView::new(raw, lines, times))
    }

    /// How many samples of a channel there are and when they were taken, if it was captured.
    #[must_use]
    pub fn series(&self, channel: Channel) -> Option<Series> {
        match channel {
            Channel::Analog(analog) => self.analog(analog).map(|view| Series {
                count: view.len(),
                times: view.times,
                resolution: view.resolution(),
            }),
            Channel::Logic(line) => {
                let captured = self.logic().filter(|view| view.lines() & line.bit() != 0);
                captured.map(|view| Series { count: view.len(), times: view.times, resolution: 1.0 })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Attenuation, BS05};
    use crate::plan::{BusyOutputs, CaptureRequest, ChannelSet, LogicLine, SampleRange, plan_capture};
    use std::vec::Vec;

    fn plan(channels: &str, period_s: f64, samples: u32) -> CapturePlan {
        let request = CaptureRequest {
            period_s,
            samples,
            low: Some(-2.0),
            high: Some(6.0),
            ..CaptureRequest::new(channels.parse::<ChannelSet>().unwrap())
        };
        plan_capture(&BS05, &BS05.analog, &request, BusyOutputs::NOTHING).unwrap()
    }

    fn filled(bytes: &[u8]) -> TraceBuffer {
        let mut buffer = TraceBuffer::new();
        buffer.region_mut(0..bytes.len()).copy_from_slice(bytes);
        buffer
    }

    #[test]
    fn bytes_are_256ths_of_the_range() {
        let plan = plan("A", 4e-6, 8);
        assert_eq!(plan.mode.sample_bytes, 1);
        let buffer = filled(&[0, 1, 128, 255]);
        let trace = Trace::new(&plan, &buffer, 4, EndReason::Cancel, 1000);
        let values: Vec<f32> = trace.analog(AnalogChannel::A).unwrap().values().collect();
        assert_eq!(values, [-2.0, -2.0 + 8.0 / 256.0, 2.0, 6.0 - 8.0 / 256.0]);
        assert_eq!(trace.bytes(), [0, 1, 128, 255]);
        let kept = Trace::of_bytes(&plan, &[0, 1, 128, 255], 4, EndReason::Cancel, 1000);
        assert_eq!(kept.analog(AnalogChannel::A).unwrap().values().collect::<Vec<_>>(), values);
        // Of bytes that are not all there, there are no samples.
        let cut = Trace::of_bytes(&plan, &[0, 1, 128], 4, EndReason::Cancel, 1000);
        assert_eq!(cut.analog(AnalogChannel::A).unwrap().len(), 0);
    }

    #[test]
    fn wide_samples_are_signed_and_high_byte_first() {
        let plan = plan("A", 1e-3, 4);
        assert_eq!(plan.mode.name, "Macro");
        let buffer = filled(&[0x80, 0x00, 0x00, 0x00, 0x7f, 0xff, 0x80, 0x01]);
        let trace = Trace::new(&plan, &buffer, 4, EndReason::Trigger, 1_000_000);
        let view = trace.analog(AnalogChannel::A).unwrap();
        let step = 8.0 / 65536.0;
        let values: Vec<f32> = view.values().collect();
        assert_eq!(values, [-2.0, 2.0, (6.0 - step) as f32, (-2.0 + step) as f32]);
        let mut few = [0.0; 3];
        assert_eq!(view.read_values(&mut few), 3);
        assert_eq!(few, values[..3]);
    }

    #[test]
    fn chopped_pairs_are_interleaved() {
        let mut plan = plan("A,B,L1", 8e-6, 8);
        plan.range =
            SampleRange::Volts { low: 0.0, high: 256.0, ab_offset: 2.0, attenuation: Attenuation::NONE };
        assert_eq!((plan.mode.analog_channels, plan.timebase.samples), (2, 8));
        let buffer = filled(&[10, 11, 12, 13, 20, 21, 22, 23, 0, 2, 0xff, 0xfd, 0, 0, 0, 2]);
        let trace = Trace::new(&plan, &buffer, 8, EndReason::Timeout, 0);
        let a = trace.analog(AnalogChannel::A).unwrap();
        let b = trace.analog(AnalogChannel::B).unwrap();
        assert_eq!(a.values().collect::<Vec<_>>(), [9.0, 10.0, 11.0, 12.0]);
        assert_eq!(b.values().collect::<Vec<_>>(), [21.0, 22.0, 23.0, 24.0]);
        let tick = plan.tick_period_s();
        assert_eq!((a.times.time_s(1), b.times.time_s(1)), (2.0 * tick, 3.0 * tick));
        let logic = trace.logic().unwrap();
        let line = LogicLine::new(1).unwrap();
        let levels: Vec<bool> = logic.levels(line).collect();
        assert_eq!(levels, [false, true, true, false, false, false, false, true]);
        assert_eq!(logic.levels(LogicLine::new(2).unwrap()).count(), 0);
        let series = [Channel::B, Channel::L[1], Channel::L[2]].map(|channel| trace.series(channel));
        let steps = Series { count: 4, times: b.times, resolution: 1.0 };
        assert_eq!(series, [Some(steps), Some(Series { count: 8, times: logic.times, ..steps }), None]);
        assert_eq!(trace.trigger(), None);
    }

    #[test]
    fn start_is_the_end_less_the_length() {
        let plan = plan("A", 1e-3, 1000);
        let buffer = TraceBuffer::new();
        let trace = Trace::new(&plan, &buffer, 1000, EndReason::Trigger, 80_000_000);
        assert!((trace.capture_start_s() - (2.0 - 1e-3)).abs() < 1e-12);
        let trigger = trace.trigger().unwrap();
        assert!((trigger.time_s - 0.25e-3).abs() < 1e-12);
        assert_eq!(trigger.level, 2.0);
    }
}

//! Samples as the interface has them: volts, with the offset added to the signal, and 0 V or 5 V for logic.

use scopething_core::plan::{CapturePlan, SampleRange, StreamPlan};
use scopething_core::scope::StreamFrame;
use scopething_core::trace::{DumpChannel, Trace, fill};

use crate::request::{CHANNELS, Shown};
use crate::settings::{CAPTURED_CHANNELS, LOGIC_HIGH_V, Selected};

/// What a trace has captured.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Samples {
    /// Of each analog channel, in volts.
    analog: [Vec<f64>; CAPTURED_CHANNELS],
    /// A bit a line.
    logic: Vec<u8>,
}

/// From a sample's steps to volts.
#[derive(Debug, Clone, Copy)]
struct Volts {
    bottom: f64,
    step: f64,
}

impl Volts {
    fn new(range: SampleRange, channel: usize, offset_v: f64) -> Self {
        let channel = CHANNELS.get(channel).copied().unwrap_or(CHANNELS[0]);
        let (low, high) = range.of_channel(channel).unwrap_or((0.0, 1.0));
        Self { bottom: low + offset_v, step: (high - low) / 256.0 }
    }

    fn of(self, steps: u8) -> f64 {
        self.bottom + f64::from(steps) * self.step
    }
}

impl Samples {
    pub(crate) fn of_trace(trace: &Trace<'_>, shown: &Shown) -> Self {
        let mut samples = Self::default();
        for (channel, (to, offset_v)) in samples.analog.iter_mut().zip(shown.analog).enumerate() {
            let Some((offset_v, driver)) = offset_v.zip(CHANNELS.get(channel)) else { continue };
            let volts = Volts::new(trace.plan().range, channel, offset_v);
            *to = trace.raw(DumpChannel::Analog(*driver)).iter().map(|&steps| volts.of(steps)).collect();
        }
        if shown.logic {
            samples.logic = trace.raw(DumpChannel::Logic).to_vec();
        }
        if shown.full_buffer {
            samples.repeat_first(lost(trace.plan(), trace.samples()));
        }
        if shown.midpoints {
            samples.analog.iter_mut().for_each(|values| *values = with_midpoints(values));
        }
        samples.shorten(shown.size);
        samples
    }

    pub(crate) fn of_stream(frames: &[StreamFrame], plan: &StreamPlan, shown: &Shown) -> Self {
        let mut samples = Self::default();
        let place = |at: usize| move |frame: &StreamFrame| frame.samples.get(at).copied().unwrap_or(0);
        for (channel, (to, offset_v)) in samples.analog.iter_mut().zip(shown.analog).enumerate() {
            let Some((offset_v, driver)) = offset_v.zip(CHANNELS.get(channel)) else { continue };
            let Some(at) = plan.place((*driver).into()) else { continue };
            let volts = Volts::new(plan.range, channel, offset_v);
            *to = frames.iter().map(place(at)).map(|steps| volts.of(steps)).collect();
        }
        if shown.logic {
            // Behind the analog samples.
            let at = usize::from(plan.channels.analog_count());
            samples.logic = frames.iter().map(place(at)).collect();
        }
        samples
    }

    /// Of `lost` samples over all channels each analog one has its part, and the logic lines have all.
    fn repeat_first(&mut self, lost: usize) {
        let captured = self.analog.iter().filter(|values| !values.is_empty()).count();
        for values in &mut self.analog {
            repeat(values, lost / captured.max(1));
        }
        repeat(&mut self.logic, lost);
    }

    fn shorten(&mut self, size: usize) {
        self.analog.iter_mut().for_each(|values| values.truncate(size));
        self.logic.truncate(size);
    }

    /// Copies the samples of a channel from one of them on, as many as there are and there is room for, and counts them.
    pub(crate) fn copy(&self, channel: Selected, index: usize, to: &mut [f64]) -> usize {
        match channel {
            Selected::Analog(channel) => {
                let values = self.analog.get(channel).and_then(|values| values.get(index..));
                fill(to, values.unwrap_or_default().iter().copied())
            }
            Selected::Logic(line) => {
                let bytes = self.logic.get(index..).unwrap_or_default().iter();
                fill(to, bytes.map(|byte| if byte >> line & 1 == 1 { LOGIC_HIGH_V } else { 0.0 }))
            }
            Selected::Absent => 0,
        }
    }
}

/// Repeats the first value so many times more.
fn repeat<T: Copy>(values: &mut Vec<T>, more: usize) {
    if let Some(&first) = values.first() {
        values.splice(0..0, std::iter::repeat_n(first, more));
    }
}

/// How many samples, over all channels, the device has written over at the beginning of a trace.
fn lost(plan: &CapturePlan, samples: u16) -> usize {
    let planned = plan.timebase.samples;
    let readable = plan.readable(planned);
    if samples == readable { (planned - readable).into() } else { 0 }
}

/// Each value with the midpoint to its next behind it, the last one twice.
fn with_midpoints(values: &[f64]) -> Vec<f64> {
    let next = values.iter().skip(1).chain(values.last());
    values.iter().zip(next).flat_map(|(&value, &next)| [value, f64::midpoint(value, next)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quirks::Quirks;
    use crate::request::TraceRequest;
    use crate::settings::Settings;
    use scopething_core::device::BS05;
    use scopething_core::plan::{BusyOutputs, plan_capture_at};
    use scopething_core::trace::{BufferLayout, EndReason, TraceBuffer};

    /// A capture of rising bytes, as the settings show it.
    fn captured(settings: &mut Settings, quirks: Quirks) -> Samples {
        let TraceRequest { capture, timebase, pre_trigger, mut shown } = TraceRequest::new(settings, 0.0);
        shown.full_buffer = quirks.full_buffer;
        let plan =
            plan_capture_at(&BS05, &BS05.analog, &capture, BusyOutputs::NOTHING, timebase, pre_trigger)
                .unwrap();
        let count = plan.readable(plan.timebase.samples);
        let mut buffer = TraceBuffer::new();
        let layout = BufferLayout::new(&plan, count);
        for channel in DumpChannel::ALL {
            let region = buffer.region_mut(layout.region(channel));
            region.iter_mut().zip(0..).for_each(|(byte, at)| *byte = (at as u32 % 251) as u8);
        }
        Samples::of_trace(&Trace::new(&plan, &buffer, count, EndReason::Trigger, 0), &shown)
    }

    fn copied(samples: &Samples, channel: Selected, index: usize, room: usize) -> Vec<f64> {
        let mut to = vec![-99.0; room];
        let count = samples.copy(channel, index, &mut to);
        assert!(to.iter().skip(count).all(|&value| value == -99.0));
        to.truncate(count);
        to
    }

    #[test]
    fn volts_are_of_the_range_without_its_offset() {
        for offset_v in [0.0, 1.0, -2.5] {
            let mut settings = Settings::new(Quirks::default());
            settings.set_size(10);
            settings.set_range(3);
            settings.set_offset(offset_v);
            let samples = captured(&mut settings, Quirks::default());
            let volts = copied(&samples, Selected::Analog(0), 2, 100);
            assert_eq!(volts.len(), 8);
            for (at, value) in volts.into_iter().enumerate() {
                let steps = (at + 2) as f64;
                assert!((value - (steps / 256.0 - 0.5) * 9.2).abs() < 1e-12, "{at} {value}");
            }
        }
    }

    #[test]
    fn channels_not_captured_have_no_samples() {
        let mut settings = Settings::new(Quirks::default());
        settings.set_size(10);
        let samples = captured(&mut settings, Quirks::default());
        for channel in [Selected::Analog(1), Selected::Absent, Selected::Logic(3)] {
            assert!(copied(&samples, channel, 0, 10).is_empty());
        }
        assert!(copied(&samples, Selected::Analog(0), 10, 10).is_empty());
        assert!(copied(&samples, Selected::Analog(0), usize::MAX, 10).is_empty());
    }

    #[test]
    fn logic_is_0_or_5_volts() {
        let mut settings = Settings::new(Quirks::default());
        settings.set_mode(3);
        settings.set_size(8);
        let samples = captured(&mut settings, Quirks::default());
        assert_eq!(copied(&samples, Selected::Logic(1), 0, 9), [0.0, 0.0, 5.0, 5.0, 0.0, 0.0, 5.0, 5.0]);
    }

    #[test]
    fn both_channels_have_midpoints_in_mixed() {
        let both = |midpoints| {
            let quirks = Quirks { midpoints, ..Quirks::default() };
            let mut settings = Settings::new(quirks);
            settings.set_mode(2);
            settings.enable(true);
            settings.select_channel(1);
            settings.enable(true);
            settings.set_range(3);
            settings.set_rate(1e6);
            settings.set_size(10);
            let samples = captured(&mut settings, quirks);
            copied(&samples, Selected::Analog(0), 0, 20)
        };
        let step = 9.2 / 256.0;
        let (shown, taken) = (both(true), both(false));
        assert_eq!((shown.len(), taken.len()), (10, 5));
        for (at, value) in shown.iter().enumerate() {
            // A step a sample, and the last one once more.
            let expected = taken[0] + step * (at as f64 / 2.0).min(4.0);
            assert!((value - expected).abs() < 1e-12, "{at} {value} {expected}");
        }
    }

    #[test]
    fn full_buffer_of_both_channels_shows_all_samples() {
        let mut settings = Settings::new(Quirks::default());
        settings.set_mode(2);
        settings.enable(true);
        settings.select_channel(1);
        settings.enable(true);
        settings.set_rate(1e6);
        settings.set_size(0);
        let samples = captured(&mut settings, Quirks::default());
        for channel in [Selected::Analog(0), Selected::Analog(1), Selected::Logic(0)] {
            assert_eq!(copied(&samples, channel, 0, 20_000).len(), 6144);
        }
    }

    #[test]
    fn full_buffer_shows_all_samples_unless_switched_off() {
        for (mode, size) in [(0, 12_288), (1, 6144), (2, 6144), (3, 12_288)] {
            let count = |full_buffer| {
                let mut settings = Settings::new(Quirks::default());
                settings.set_mode(mode);
                settings.set_rate(1e6);
                settings.set_size(0);
                let samples = captured(&mut settings, Quirks { full_buffer, ..Quirks::default() });
                let channel = if mode == 3 { Selected::Logic(0) } else { Selected::Analog(0) };
                copied(&samples, channel, 0, 20_000).len()
            };
            assert_eq!((count(true), count(false)), (size, size - 1), "mode {mode}");
        }
    }
}

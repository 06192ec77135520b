//! A capture as it will be programmed.

use super::notice::Notices;
use super::{
    AnalogChannel, Channel, ChannelSet, LogicLine, LogicPattern, SampleRange, Timebase, TriggerSource,
    TriggerType,
};
use crate::device::TraceMode;
use crate::time::Micros;
use crate::vm::Register;

/// What the generators drive while a capture runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BusyOutputs {
    /// The waveform generator plays: its output stays on during the capture.
    pub waveform: bool,
    /// Logic lines that a generator drives or that are outputs, a bit each.
    pub lines: u8,
}

impl BusyOutputs {
    /// No generator runs.
    pub const NOTHING: Self = Self { waveform: false, lines: 0 };
    /// The waveform generator plays, and shows on L4.
    pub const WAVEFORM: Self = Self { waveform: true, lines: LogicLine::WAVEFORM.bit() };
    /// The clock runs on L5.
    pub const CLOCK: Self = Self { waveform: false, lines: LogicLine::CLOCK.bit() };
}

/// What ends a trace that does not trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TraceEnd {
    /// Nothing: it waits for its trigger for ever.
    Trigger,
    /// The device, by register `Timeout`: so many units of 256 clock ticks.
    DeviceTimeout(u16),
    /// The host, by `K`, this long after the start.
    HostTimeout(Micros),
}

/// A capture as it will be programmed.
///
/// Made by [`plan_capture`](super::plan_capture); the fields belong together and are for reading.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CapturePlan {
    /// The trace mode.
    pub mode: &'static TraceMode,
    /// How many samples the buffer holds in this mode.
    pub width: u16,
    /// The primary clock, in hertz.
    pub clock_hz: f64,
    /// Sample clock and number of samples.
    pub timebase: Timebase,
    /// What is captured.
    pub channels: ChannelSet,
    /// What the samples span.
    pub range: SampleRange,
    /// What the trigger watches.
    pub trigger: TriggerSource,
    /// How the trigger source must behave.
    pub trigger_type: TriggerType,
    /// The trigger level: volts, or a fraction of the input span in a raw capture.
    pub level: f64,
    /// Samples before the trigger.
    pub pre_trigger: u16,
    /// The time from the trigger to the first sample, in microseconds. With one there are no samples before the trigger.
    pub delay_us: u32,
    /// What ends the trace if the trigger does not come.
    pub end: TraceEnd,
    /// What is done otherwise than asked, and what the user should know.
    pub notices: Notices,
    pub(super) registers: TriggerRegisters,
}

/// Register values that no other field of the plan holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct TriggerRegisters {
    pub(super) converter_low: u16,
    pub(super) converter_high: u16,
    pub(super) trigger_level: u16,
    pub(super) trigger_intro: u16,
    pub(super) trigger_outro: u16,
    pub(super) kitchen_sink_b: u8,
}

/// Register `KitchenSinkB`: analog filter on ([section 3 of the reference](crate::vm#3-registers)).
pub(super) const ANALOG_FILTER: u8 = 0x80;
/// Bit of register `KitchenSinkB`: waveform output on ([section 3 of the reference](crate::vm#3-registers)).
pub const WAVEFORM_OUTPUT: u8 = 0x40;
/// Register `SpockOption`: comparator trigger ([section 3 of the reference](crate::vm#3-registers)).
const COMPARATOR_TRIGGER: u8 = 0x01;
/// Register `SpockOption`: the trigger source is B.
const TRIGGER_SOURCE_B: u8 = 0x04;
/// Register `SpockOption`: true and false change places.
const TRIGGER_INVERT: u8 = 0x40;
/// Ticks of the primary clock in a unit of register `Timeout` ([section 3 of the reference](crate::vm#3-registers)).
pub(super) const TIMEOUT_TICKS: f64 = 256.0;

impl CapturePlan {
    /// The number of registers a capture writes.
    pub const REGISTERS: usize = 22;

    /// Every register of the capture with its value, in order of address. `SampleAddress` must be written before
    /// each trace, since the device moves it.
    #[must_use]
    pub fn registers(&self) -> [(Register, u32); Self::REGISTERS] {
        let timeout = match self.end {
            TraceEnd::DeviceTimeout(units) => units,
            TraceEnd::Trigger | TraceEnd::HostTimeout(_) => 0,
        };
        let (logic, mask, spock_option) = self.trigger_registers();
        let values = &self.registers;
        let filters = (values.trigger_intro, values.trigger_outro);
        let post_trigger = self.timebase.samples.saturating_sub(self.pre_trigger);
        // The samples that end the trigger's filter come before a delay: the trace is made of those after it.
        let shown = if self.delay_us == 0 { filters.1 } else { 0 };
        [
            (Register::TriggerLogic, logic.into()),
            (Register::TriggerMask, mask.into()),
            (Register::SpockOption, spock_option.into()),
            (Register::SampleAddress, 0),
            (Register::ClockScale, self.timebase.scale.into()),
            (Register::TraceMode, self.mode.number.into()),
            (Register::TraceDelay, self.delay_us),
            (Register::TraceIntro, self.pre_trigger.saturating_sub(filters.0).into()),
            (Register::TraceOutro, post_trigger.saturating_sub(shown).into()),
            (Register::Timeout, timeout.into()),
            (Register::ClockTicks, self.timebase.ticks.into()),
            (Register::BufferMode, self.mode.buffer as u32),
            (Register::TriggerIntro, (filters.0 / 2).into()),
            (Register::TriggerOutro, (filters.1 / 2).into()),
            (Register::AnalogEnable, self.channels.analog().into()),
            (Register::DigitalEnable, self.channels.logic().into()),
            (Register::Prelude, 0),
            (Register::ConverterLo, values.converter_low.into()),
            (Register::ConverterHi, values.converter_high.into()),
            (Register::TriggerLevel, values.trigger_level.into()),
            (Register::KitchenSinkA, self.comparators().into()),
            (Register::KitchenSinkB, values.kitchen_sink_b.into()),
        ]
    }

    /// `TriggerLogic`, `TriggerMask` and `SpockOption`.
    fn trigger_registers(&self) -> (u8, u8, u8) {
        let mut option = COMPARATOR_TRIGGER;
        if self.trigger_type.is_inverted() {
            option |= TRIGGER_INVERT;
        }
        match self.trigger {
            TriggerSource::Analog(channel) => {
                if channel == AnalogChannel::B {
                    option |= TRIGGER_SOURCE_B;
                }
                let line = channel.comparator_line().bit();
                (line, !line, option)
            }
            TriggerSource::Logic(LogicPattern { care, high }) => (high & care, !care, option),
        }
    }

    fn comparators(&self) -> u8 {
        let on = |channel: AnalogChannel| {
            self.trigger == TriggerSource::Analog(channel)
                || self.channels.logic() & channel.comparator_line().bit() != 0
        };
        let used = AnalogChannel::ALL.into_iter().filter(|&channel| on(channel));
        used.fold(0, |bits, channel| bits | channel.comparator_bit())
    }

    /// The sample at which the trigger source crosses its level, counted from the first sample of the capture.
    ///
    /// This is the number of samples before the trigger, unless too few are left after it for the trigger filter.
    #[must_use]
    pub fn trigger_sample(&self) -> u16 {
        self.pre_trigger.min(self.timebase.samples.saturating_sub(self.registers.trigger_outro))
    }

    /// The time from the first sample of the capture to where the trigger source crosses its level, in seconds; below 0
    /// with a delay.
    #[must_use]
    pub fn trigger_time_s(&self) -> f64 {
        let before_s = match self.delay_us {
            0 => 0.0,
            delay_us => {
                f64::from(delay_us) * 1e-6 + f64::from(self.registers.trigger_outro) * self.tick_period_s()
            }
        };
        f64::from(self.trigger_sample()) * self.tick_period_s() - before_s
    }

    /// How many samples the trigger filter asks for without the trigger's condition, then with it.
    #[must_use]
    pub const fn trigger_filters(&self) -> (u16, u16) {
        (self.registers.trigger_intro, self.registers.trigger_outro)
    }

    /// How many of this many samples there are to read, counted over the interleaved analog channels.
    ///
    /// What fills the buffer to its last sample has been written over at the address where it ends, which is that of
    /// its first sample: there one sample less of each channel is left.
    #[must_use]
    pub fn readable(&self, samples: u16) -> u16 {
        let lost = if samples >= self.width { u16::from(self.mode.analog_channels.max(1)) } else { 0 };
        samples.saturating_sub(lost)
    }

    /// The time from one sample to the next of all channels together, in seconds.
    #[must_use]
    pub fn tick_period_s(&self) -> f64 {
        f64::from(self.timebase.ticks_per_sample()) / self.clock_hz
    }

    /// Samples a second over the interleaved analog channels, in hertz: see
    /// [`channel_sample_rate_hz`](Self::channel_sample_rate_hz).
    #[must_use]
    pub fn sample_rate_hz(&self) -> f64 {
        self.clock_hz / f64::from(self.timebase.ticks_per_sample())
    }

    /// Samples of one channel a second, in hertz: half of [`sample_rate_hz`](Self::sample_rate_hz) for each channel of an
    /// interleaved pair.
    #[must_use]
    pub fn channel_sample_rate_hz(&self, channel: Channel) -> f64 {
        let interleaved = channel.is_analog() && self.mode.analog_channels == 2;
        if interleaved { 0.5 * self.sample_rate_hz() } else { self.sample_rate_hz() }
    }

    /// The time span of the capture, in seconds.
    #[must_use]
    pub fn duration_s(&self) -> f64 {
        f64::from(self.timebase.samples) * self.tick_period_s()
    }

    /// The bytes that the dumps of all channels send.
    #[must_use]
    pub fn dump_bytes(&self) -> usize {
        let samples = usize::from(self.readable(self.timebase.samples));
        let analog =
            if self.channels.analog() == 0 { 0 } else { samples * usize::from(self.mode.sample_bytes) };
        let logic = if self.channels.logic() == 0 { 0 } else { samples };
        analog + logic
    }

    /// The longest that the device can take from the start of the trace to its end. None when only a trigger ends it.
    #[must_use]
    pub fn longest_trace(&self) -> Option<Micros> {
        let capture = Micros::from_seconds(self.duration_s()) + Micros(self.delay_us.into());
        match self.end {
            TraceEnd::Trigger => None,
            TraceEnd::DeviceTimeout(units) => {
                let wait_s = f64::from(units) * TIMEOUT_TICKS / self.clock_hz;
                Some(capture + Micros::from_seconds(wait_s) + capture)
            }
            TraceEnd::HostTimeout(wait) => Some(wait),
        }
    }
}

//! Finds `ClockTicks`, `ClockScale` and the number of samples for a time span, in one trace mode or in the best one.

use libm::{ceil, rint};

use super::{ChannelSet, Resolution};
use crate::device::{Model, TraceMode};

/// The sample clock of a capture and how many samples it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Timebase {
    /// Register `ClockTicks`.
    pub ticks: u16,
    /// Register `ClockScale`.
    pub scale: u16,
    /// Samples in all, counted over the interleaved analog channels.
    pub samples: u16,
}

impl Timebase {
    /// Ticks of the primary clock from one sample to the next.
    #[must_use]
    pub const fn ticks_per_sample(&self) -> u32 {
        self.ticks as u32 * self.scale as u32
    }
}

/// Whether a trace mode can do what is asked, and if not, why.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ModeFit {
    /// It can, so.
    Fits(Timebase),
    /// It captures other channels.
    OtherChannels,
    /// Its samples are finer than asked for.
    TooFine,
    /// The mode's clock is too slow: its fastest sample rate, in hertz.
    TooSlow {
        /// The mode's fastest sample rate, in hertz.
        fastest_hz: f64,
    },
    /// The samples do not fit the buffer.
    TooManySamples {
        /// How many samples it would take at the slowest clock that is fast enough.
        samples: u32,
        /// How many the buffer holds in this mode.
        width: u16,
    },
    /// The time span is shorter than one sample of each channel.
    NoSample,
}

/// What a mode is asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) channels: ChannelSet,
    pub(super) period_s: f64,
    pub(super) samples: u32,
    pub(super) resolution: Resolution,
}

impl Span {
    fn suits(&self, mode: &TraceMode) -> bool {
        self.has_channels(mode) && self.is_coarse_enough(mode)
    }

    fn has_channels(&self, mode: &TraceMode) -> bool {
        mode.analog_channels == self.channels.analog_count() && mode.logic == (self.channels.logic() != 0)
    }

    fn is_coarse_enough(&self, mode: &TraceMode) -> bool {
        mode.sample_bytes <= self.resolution.max_sample_bytes()
    }

    /// Tries one mode, as the planner does in the order of the table.
    pub(super) fn fit(&self, model: &Model, mode: &TraceMode) -> ModeFit {
        if !self.has_channels(mode) {
            return ModeFit::OtherChannels;
        }
        if !self.is_coarse_enough(mode) {
            return ModeFit::TooFine;
        }
        let tick_s = 1.0 / model.clock_hz;
        let wanted = self.period_s / tick_s / f64::from(self.samples);
        let (low, high) = (f64::from(mode.ticks_low), f64::from(mode.ticks_high));
        let mut ticks = rint(wanted);
        let mut scale = 1.0;
        let fast_enough = if ticks > high && mode.scale_high > 1 {
            scale = ceil(wanted / high).min(f64::from(mode.scale_high));
            ticks = rint(wanted / scale);
            ticks > low
        } else {
            ticks >= low
        };
        if !fast_enough {
            return ModeFit::TooSlow { fastest_hz: model.clock_hz / low };
        }
        let ticks = ticks.min(high);
        self.with_clock(model, mode, ticks, scale)
    }

    /// Whether a mode captures these channels with this clock, and has room for the samples.
    pub(super) fn takes(&self, model: &Model, mode: &TraceMode, timebase: Timebase) -> bool {
        let Timebase { ticks, scale, samples } = timebase;
        let whole_pairs = mode.analog_channels != 2 || samples % 2 == 0;
        self.suits(mode)
            && (mode.ticks_low..=mode.ticks_high).contains(&ticks)
            && (1..=mode.scale_high).contains(&scale)
            && (1..=model.width(mode)).contains(&samples)
            && whole_pairs
    }

    /// The most samples that a mode takes over the time span.
    pub(super) fn nearest(&self, model: &Model, mode: &TraceMode) -> Option<Timebase> {
        if !self.suits(mode) {
            return None;
        }
        let least = ceil(self.period_s * model.clock_hz / f64::from(model.width(mode)));
        let (low, high) = (f64::from(mode.ticks_low), f64::from(mode.ticks_high));
        let scale = ceil(least / high).max(1.0);
        let ticks = ceil(least / scale).max(low);
        if scale > f64::from(mode.scale_high) || ticks > high {
            return None;
        }
        match self.with_clock(model, mode, ticks, scale) {
            ModeFit::Fits(timebase) => Some(timebase),
            _ => None,
        }
    }

    fn with_clock(&self, model: &Model, mode: &TraceMode, ticks: f64, scale: f64) -> ModeFit {
        let tick_s = 1.0 / model.clock_hz;
        let mut samples = rint(self.period_s / tick_s / ticks / scale) as u32;
        if mode.analog_channels == 2 {
            samples &= !1;
        }
        let width = model.width(mode);
        match u16::try_from(samples) {
            Ok(0) => ModeFit::NoSample,
            Ok(samples) if samples <= width => {
                ModeFit::Fits(Timebase { ticks: ticks as u16, scale: scale as u16, samples })
            }
            _ => ModeFit::TooManySamples { samples, width },
        }
    }

    /// The longest time span, in seconds, and the fastest sample rate, in hertz, of any mode for these channels.
    pub(super) fn limits(&self, model: &Model) -> Option<(f64, f64)> {
        let modes = model.modes.iter().filter(|mode| self.suits(mode));
        modes
            .map(|mode| {
                let slowest = f64::from(mode.ticks_high) * f64::from(mode.scale_high);
                let longest_s = slowest * f64::from(model.width(mode)) / model.clock_hz;
                (longest_s, model.clock_hz / f64::from(mode.ticks_low))
            })
            .reduce(|one, other| (one.0.max(other.0), one.1.max(other.1)))
    }
}

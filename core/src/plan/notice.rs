//! What a user should know of a plan that does not do exactly what was asked.

use core::fmt;

use super::ChannelSet;
use super::si::Si;
use crate::device::Attenuation;
use crate::list::list;

/// Something that a plan does otherwise than asked, or that the user should know. Its numbers are for reading, in
/// single precision.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum Notice {
    /// So many samples do not fit the time span with these channels.
    FewerSamples {
        /// What was asked for.
        asked: u32,
        /// What it will be.
        given: u16,
    },
    /// The timeout is longer than the device can time: the host ends the trace.
    HostTimeout {
        /// The timeout asked for, in seconds.
        timeout_s: f32,
    },
    /// At this sample rate nothing is kept from before the trigger.
    NoPreTrigger {
        /// The sample rate, in hertz.
        sample_rate_hz: f32,
    },
    /// The range leaves what is measured well.
    UnsafeRange {
        /// The safe bottom, in volts.
        safe_low: f32,
        /// The safe top, in volts.
        safe_high: f32,
    },
    /// The converters cannot set the range that was asked for: it is this one.
    RangeLimited {
        /// The bottom, in volts.
        low: f32,
        /// The top, in volts.
        high: f32,
    },
    /// The converters cannot set the raw range that was asked for: it is this one.
    RawRangeLimited {
        /// The setting of the lower converter, 0 to 1.
        low: f32,
        /// The setting of the upper converter, 0 to 1.
        high: f32,
    },
    /// The trigger level is outside the input span: the nearest is taken.
    LevelLimited {
        /// The level that was asked for, in volts or as a fraction.
        asked: f32,
        /// The level that is set, likewise.
        set: f32,
    },
    /// The capture fills the buffer, so that its first sample is written over and left out.
    FullBuffer {
        /// How many samples are captured, over the interleaved analog channels.
        samples: u16,
    },
    /// Logic lines that were asked for are not captured.
    LinesLeftOut {
        /// Those that a generator drives, a bit each.
        driven: u8,
        /// Those whose comparator a captured analog channel has, a bit each.
        shared: u8,
    },
    /// The samples of a stream come at a rate near the one that was asked for.
    OtherRate {
        /// What was asked for, in hertz.
        asked_hz: f32,
        /// What it will be, in hertz.
        given_hz: f32,
    },
    /// The samples of a stream come without frames.
    Unframed,
}

impl Notice {
    /// Whether the request is met only nearly; otherwise the notice is a warning.
    #[must_use]
    pub const fn is_adjustment(&self) -> bool {
        matches!(self, Self::FewerSamples { .. } | Self::HostTimeout { .. } | Self::OtherRate { .. })
    }

    /// Whether it matters to the user. Who times a capture that waits for nothing makes no difference to its
    /// trace.
    #[must_use]
    pub const fn matters_to_user(&self) -> bool {
        !matches!(self, Self::HostTimeout { timeout_s } if *timeout_s == 0.0)
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FewerSamples { asked, given } => write!(
                f,
                "{given} samples instead of {asked}: no trace mode for these channels holds or reaches more over this period"
            ),
            Self::HostTimeout { timeout_s } => write!(
                f,
                "the timeout of {} is timed by the host: the device cannot wait so long by itself",
                Si((*timeout_s).into(), "s")
            ),
            Self::NoPreTrigger { sample_rate_hz } => write!(
                f,
                "nothing is kept from before the trigger at {}: ask for fewer samples or a longer period",
                Si((*sample_rate_hz).into(), "S/s")
            ),
            Self::UnsafeRange { safe_low, safe_high } => write!(
                f,
                "the range leaves {} to {}, what this probe measures well: readings there may be off",
                Si((*safe_low).into(), "V"),
                Si((*safe_high).into(), "V")
            ),
            Self::RangeLimited { low, high } => {
                let (low, high) = (Si((*low).into(), "V"), Si((*high).into(), "V"));
                write!(f, "the converters limit the range to {low} to {high}")
            }
            Self::RawRangeLimited { low, high } => {
                write!(f, "a raw range is two fractions from 0 to 1: it is set to {low:.3} to {high:.3}")
            }
            Self::LevelLimited { asked, set } => {
                write!(f, "the trigger level {asked} lies outside the input span: it is set to {set:.3}")
            }
            Self::FullBuffer { samples } => write!(
                f,
                "{samples} samples fill the buffer, where the device writes over the first: it is left out, ask for fewer to \
                 have all"
            ),
            Self::LinesLeftOut { driven, shared } => {
                write!(f, "not captured: {}", ChannelSet::of_lines(driven | shared))?;
                if *driven != 0 {
                    write!(f, "; a generator drives {}", ChannelSet::of_lines(*driven))?;
                }
                if *shared != 0 {
                    f.write_str("; channel A has the comparator of L7, and B that of L6")?;
                }
                Ok(())
            }
            Self::OtherRate { asked_hz, given_hz } => write!(
                f,
                "{} instead of {}: the device divides its clock by whole numbers",
                Si::exact((*given_hz).into(), "S/s"),
                Si::exact((*asked_hz).into(), "S/s")
            ),
            Self::Unframed => f.write_str(
                "samples come without frames: nothing shows when some are lost on the way, and times are then wrong",
            ),
        }
    }
}

// Every plan has room for eight of them.
const _: () = assert!(size_of::<Notice>() <= 12);

list! {
    /// The notices of one plan, as a slice: at most one of each kind that a capture can have, whose range is limited in
    /// volts or raw; a stream has fewer.
    pub(super) Notices of Notice, at most 8
}

/// A request that cannot be planned, not even nearly.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PlanError {
    /// No channel was asked for.
    NoChannel,
    /// Every channel asked for is driven by a generator or shares its comparator.
    NoChannelLeft,
    /// The period is not a positive number of seconds.
    Period(f64),
    /// No samples were asked for.
    NoSamples,
    /// The range is not a bottom below a top.
    Range {
        /// The bottom asked for.
        low: f64,
        /// The top asked for.
        high: f64,
    },
    /// The trigger level is not a number.
    Level(f64),
    /// No probe has this attenuation.
    Attenuation(Attenuation),
    /// The trigger position is not between 0 and 1.
    Position(f64),
    /// The timeout is not a number of seconds, or below 0.
    Timeout(f64),
    /// The delay is not one that the device can time.
    Delay(f64),
    /// A trigger pattern that names no line.
    EmptyPattern,
    /// The period is longer than any trace mode for these channels.
    PeriodTooLong {
        /// The period asked for, in seconds.
        period_s: f64,
        /// The longest period for these channels, in seconds.
        longest_s: f64,
        /// The fastest sample rate for these channels, in hertz.
        fastest_hz: f64,
    },
    /// The period is shorter than a sample of any trace mode for these channels.
    PeriodTooShort {
        /// The period asked for, in seconds.
        period_s: f64,
        /// The longest period for these channels, in seconds.
        longest_s: f64,
        /// The fastest sample rate for these channels, in hertz.
        fastest_hz: f64,
    },
    /// No trace mode for these channels has this sample clock and room for the samples.
    Timebase {
        /// Ticks of the primary clock from one sample to the next, before scaling.
        ticks: u16,
        /// What they are multiplied by.
        scale: u16,
        /// Samples, over the interleaved analog channels.
        samples: u16,
    },
    /// This model captures no such combination of channels.
    NoMode,
    /// No stream has this rate.
    StreamRate {
        /// The rate asked for, in hertz.
        rate_hz: f64,
        /// The fewest frames a second that the device sends.
        slowest_frames_hz: f64,
        /// The most frames a second that the device sends.
        fastest_hz: f64,
    },
    /// Only one channel, or the logic lines alone, can be streamed without frames.
    UnframedChannels,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoChannel => f.write_str("no channel to capture: name at least one of A, B, L, L0 to L7"),
            Self::NoChannelLeft => f.write_str(
                "no channel left to capture: every line asked for is held or driven by a generator, stop it or name others",
            ),
            Self::Period(period) => write!(f, "the period {period} s is not a time span: give more than 0 s"),
            Self::NoSamples => f.write_str("0 samples were asked for: ask for at least one"),
            Self::Range { low, high } => {
                write!(f, "{low} to {high} is not a range: give a low below the high")
            }
            Self::Level(level) => write!(f, "the trigger level {level} is not a number of volts"),
            Self::Attenuation(attenuation) => write!(
                f,
                "an attenuation of {attenuation} is not possible: give factors from 0.000001 to 1000000"
            ),
            Self::Position(position) => {
                write!(f, "the trigger position {position} is not a part of the period: give 0 to 1")
            }
            Self::Timeout(timeout) => {
                write!(f, "the timeout {timeout} s is not a time: give 0 s or more, or none to wait for ever")
            }
            Self::Delay(delay) => {
                write!(f, "a delay of {delay} s is not possible: give 0, or 1 us to 4294 s in whole microseconds")
            }
            Self::EmptyPattern => {
                f.write_str("the trigger pattern names no line: give levels such as L3=1,L5=0")
            }
            Self::PeriodTooLong { period_s, longest_s, fastest_hz } => write!(
                f,
                "a period of {} is too long for these channels: at most {} (and at most {})",
                Si(*period_s, "s"),
                Si::limit(*longest_s, "s"),
                Si(*fastest_hz, "S/s")
            ),
            Self::PeriodTooShort { period_s, longest_s, fastest_hz } => write!(
                f,
                "a period of {} is shorter than a sample: these channels reach {} (and at most {})",
                Si(*period_s, "s"),
                Si(*fastest_hz, "S/s"),
                Si::limit(*longest_s, "s")
            ),
            Self::StreamRate { rate_hz, slowest_frames_hz, fastest_hz } => write!(
                f,
                "a stream cannot have a rate of {}: the device sends frames at {} to {}, and a rate below that is thinned out \
                 of them",
                Si(*rate_hz, "Hz"),
                Si(*slowest_frames_hz, "Hz"),
                Si(*fastest_hz, "Hz")
            ),
            Self::UnframedChannels => f.write_str(
                "several channels need frames to be distinguished: stream one analog channel or logic lines alone, or with frames",
            ),
            Self::Timebase { ticks, scale, samples } => write!(
                f,
                "no trace mode for these channels takes {samples} samples of {ticks} x {scale} clock ticks: choose another \
                 rate, or fewer samples"
            ),
            Self::NoMode => {
                f.write_str("this model has no trace mode for these channels: capture fewer at once")
            }
        }
    }
}

impl core::error::Error for PlanError {}

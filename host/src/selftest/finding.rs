//! What a device can do otherwise than ScopeThing assumes.

use std::fmt;

/// Something that a device does otherwise than assumed.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// `!` is answered later than within 0.2 s.
    SlowReset {
        /// How long it took, in milliseconds.
        millis: f64,
    },
    /// `!` does not leave the registers as they are.
    ResetClearsRegisters,
    /// `r` is echoed and nothing follows.
    SilentEeprom,
    /// The serial number is not eight letters and digits.
    UnreadableSerial {
        /// Its form: `A` for a letter, `9` for a digit, the rest in hex.
        form: String,
    },
    /// It is no `BS0005..`.
    OtherRevision {
        /// What it calls itself.
        revision: String,
    },
    /// Captures of the same input differ.
    CapturesDiffer {
        /// The greatest distance of a capture's mean from that of most, in volts.
        volts: f64,
    },
    /// The first sample of captures is out of line.
    FirstSampleOff {
        /// By how many volts.
        volts: f64,
    },
    /// Samples of 16 bits make sense in another order of their bytes, or without a sign.
    SampleFormat {
        /// The form that fits.
        form: &'static str,
    },
    /// Volts come out otherwise than they went in.
    VoltageScale {
        /// Volts measured a volt at the input.
        gain: f64,
        /// Volts measured at 0 V.
        offset: f64,
    },
    /// What is dumped begins this many samples earlier than where the capture begins.
    EarlyWindow {
        /// How many.
        samples: i64,
    },
    /// What is dumped begins this many samples later.
    LateWindow {
        /// How many.
        samples: i64,
    },
    /// The trigger point is elsewhere in the capture.
    TriggerElsewhere {
        /// Samples from where it should be, later is above 0.
        samples: i64,
    },
    /// `TriggerLevel` counts twice: the comparator switches at twice the voltage written.
    HalfTriggerLevel {
        /// Volts at the trigger a volt written.
        gain: f64,
    },
    /// The comparator switches at another voltage than the one written.
    TriggerLevelScale {
        /// Volts at the trigger a volt written.
        gain: f64,
        /// Volts at the trigger where 0 V are written.
        offset: f64,
    },
    /// Nothing is written at the end address: a full buffer's first sample is in line.
    CleanEndAddress,
    /// `Map` registers take effect when they are written, without `U`.
    MapAtOnce,
    /// The clock is still on its line after it was stopped.
    ClockStays,
    /// The clock has another frequency.
    ClockFrequency {
        /// In hertz.
        hertz: f64,
    },
    /// A 1 bit of `TriggerMask` is a line that matters.
    InvertedMask,
    /// An edge trigger fires on a pattern that is there all the time.
    SteadyLevelFires,
    /// A wait for the trigger ends otherwise than asked for.
    WaitEnds {
        /// Which, and how.
        how: String,
    },
    /// A line that is held does not have the level asked for.
    HeldLevel {
        /// Which level, and what was seen.
        how: String,
    },
    /// A stream does not have the form assumed.
    StreamForm {
        /// What was seen.
        how: String,
    },
    /// The link carries another rate than 1 Mbit/s.
    LinkRate {
        /// In bits a second, ten to a byte.
        bits_per_second: f64,
    },
}

impl Finding {
    /// The name that reports have it by.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SlowReset { .. } => "slow-reset",
            Self::ResetClearsRegisters => "reset-clears-registers",
            Self::SilentEeprom => "silent-eeprom",
            Self::UnreadableSerial { .. } => "unreadable-serial",
            Self::OtherRevision { .. } => "other-revision",
            Self::CapturesDiffer { .. } => "captures-differ",
            Self::FirstSampleOff { .. } => "first-sample-off",
            Self::SampleFormat { .. } => "sample-format",
            Self::VoltageScale { .. } => "voltage-scale",
            Self::EarlyWindow { .. } => "early-window",
            Self::LateWindow { .. } => "late-window",
            Self::TriggerElsewhere { .. } => "trigger-elsewhere",
            Self::HalfTriggerLevel { .. } => "half-trigger-level",
            Self::TriggerLevelScale { .. } => "trigger-level-scale",
            Self::CleanEndAddress => "clean-end-address",
            Self::MapAtOnce => "map-at-once",
            Self::ClockStays => "clock-stays",
            Self::ClockFrequency { .. } => "clock-frequency",
            Self::InvertedMask => "inverted-mask",
            Self::SteadyLevelFires => "steady-level-fires",
            Self::WaitEnds { .. } => "wait-ends-otherwise",
            Self::HeldLevel { .. } => "held-level",
            Self::StreamForm { .. } => "stream-form",
            Self::LinkRate { .. } => "link-rate",
        }
    }
}

/// What was seen, in a sentence that can stand alone.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SlowReset { millis } => {
                write!(f, "`!` took {millis:.0} ms to be answered, 200 ms were assumed")
            }
            Self::ResetClearsRegisters => f.write_str("`!` changes registers, it was assumed to keep them"),
            Self::SilentEeprom => f.write_str("the EEPROM is not read: `r` is echoed and nothing follows"),
            Self::UnreadableSerial { form } => {
                write!(f, "the serial number is not eight letters and digits: {form}")
            }
            Self::OtherRevision { revision } => write!(f, "the device calls itself {revision}"),
            Self::CapturesDiffer { volts } => {
                write!(f, "captures of the same input differ by {volts:.2} V in their mean")
            }
            Self::FirstSampleOff { volts } => {
                write!(f, "the first sample of most captures lies {volts:.2} V away from the second")
            }
            Self::SampleFormat { form } => write!(f, "samples of 16 bits make sense as {form} only"),
            Self::VoltageScale { gain, offset } => {
                write!(f, "1 V is measured as {gain:.3} V, and 0 V as {offset:.3} V")
            }
            Self::EarlyWindow { samples } => {
                write!(f, "dumps counted back from the end address begin {samples} sample(s) too early")
            }
            Self::LateWindow { samples } => {
                write!(f, "dumps counted back from the end address begin {samples} sample(s) too late")
            }
            Self::TriggerElsewhere { samples } => {
                write!(f, "the trigger point lies {samples:+} sample(s) from where it was assumed")
            }
            Self::HalfTriggerLevel { gain } => write!(
                f,
                "the comparator switches at {gain:.2} times the voltage written: half of it must be written"
            ),
            Self::TriggerLevelScale { gain, offset } => write!(
                f,
                "the comparator switches at {gain:.3} times the voltage written, and {offset:+.3} V"
            ),
            Self::CleanEndAddress => f.write_str(
                "the first sample of a full buffer is in line: nothing is written at the end address",
            ),
            Self::MapAtOnce => f.write_str("the clock was on its line before `U`: Map takes effect at once"),
            Self::ClockStays => f.write_str("the clock is still on its line after it was stopped"),
            Self::ClockFrequency { hertz } => write!(f, "a clock of 10 kHz has {hertz:.1} Hz"),
            Self::InvertedMask => {
                f.write_str("a 1 bit of TriggerMask is a line that matters, not one that does not")
            }
            Self::SteadyLevelFires => {
                f.write_str("an edge trigger fires on a pattern that is there all the time")
            }
            Self::WaitEnds { how } | Self::HeldLevel { how } | Self::StreamForm { how } => f.write_str(how),
            Self::LinkRate { bits_per_second } => {
                write!(f, "the link carries {:.3} Mbit/s, 1 Mbit/s was assumed", bits_per_second / 1e6)
            }
        }
    }
}

//! What a model of BitScope is: its clock, its buffer, its trace modes and limits. A second model is a second value.
//!
//! ```
//! use scopething_core::device::BS05;
//!
//! assert_eq!(BS05.modes.len(), 17);
//! assert_eq!(BS05.modes[0].name, "Macro");
//! ```

use core::fmt;
use core::str::FromStr;

use crate::vm::Revision;

/// How captured samples lie in the device's buffer ([section 5 of the reference](crate::vm#5-trace-modes)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum BufferMode {
    /// One channel, 12k.
    Single = 0,
    /// Two analog channels, 6k each.
    Chop = 1,
    /// One analog channel and logic, 6k each.
    Dual = 2,
    /// Two analog channels of 3k each and 6k of logic.
    ChopDual = 3,
    /// One analog channel, 6k of 16 bits.
    Macro = 4,
    /// Two analog channels, 3k of 16 bits each.
    MacroChop = 5,
}

/// One row of the table of trace modes ([section 5 of the reference](crate::vm#5-trace-modes)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TraceMode {
    /// The name in the VM reference.
    pub name: &'static str,
    /// The value of register `TraceMode`.
    pub number: u8,
    /// The value of register `BufferMode`.
    pub buffer: BufferMode,
    /// The least `ClockTicks`.
    pub ticks_low: u16,
    /// The most `ClockTicks`.
    pub ticks_high: u16,
    /// The most `ClockScale`; 1 where the clock cannot be scaled.
    pub scale_high: u16,
    /// How many analog channels it captures: 0, 1 or 2.
    pub analog_channels: u8,
    /// Whether it captures the logic lines.
    pub logic: bool,
    /// Bytes an analog sample; logic samples are always one byte.
    pub sample_bytes: u8,
}

/// Front-end calibration: maps volts to DAC codes for one kind of probe
/// ([section 7 of the reference](crate::vm#7-voltages)).
///
/// With `lo` and `hi` the wanted bottom and top of the range as fractions of the span, the DACs are set to
/// `la lo + lb hi + lc` and `ha hi + hb lo + hc`.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AnalogParameters {
    /// Share of the bottom in the low DAC.
    pub la: f64,
    /// Share of the top in the low DAC.
    pub lb: f64,
    /// Constant of the low DAC.
    pub lc: f64,
    /// Share of the top in the high DAC.
    pub ha: f64,
    /// Share of the bottom in the high DAC.
    pub hb: f64,
    /// Constant of the high DAC.
    pub hc: f64,
    /// The whole input span, in volts.
    pub scale: f64,
    /// The bottom of the input span, in volts.
    pub offset: f64,
    /// The lowest range that is measured well, in volts.
    pub safe_low: f64,
    /// The highest range that is measured well, in volts.
    pub safe_high: f64,
    /// What channel A reads above channel B, in volts.
    pub ab_offset: f64,
    /// What these volts are multiplied by, for probes that were not calibrated.
    pub attenuation: Attenuation,
}

/// How many volts there are at the tip of each channel's probe for a volt that [`AnalogParameters`] count without it.
///
/// A divider of ten to one in front of a channel has the factor 10. The range that a capture asks for, its samples and its
/// trigger level are then volts at the tip.
///
/// ```
/// use scopething_core::device::Attenuation;
///
/// assert_eq!("10".parse(), Ok(Attenuation::both(10.0)));
/// assert_eq!("A=10,B=1".parse(), Ok(Attenuation { a: 10.0, b: 1.0 }));
/// assert_eq!("B=0.5".parse(), Ok(Attenuation { a: 1.0, b: 0.5 }));
/// assert_eq!("x10".parse(), Ok(Attenuation::both(10.0)));
/// assert!("A=0".parse::<Attenuation>().is_err());
/// assert!("xx10".parse::<Attenuation>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Attenuation {
    /// The factor of channel A.
    pub a: f64,
    /// The factor of channel B.
    pub b: f64,
}

impl Attenuation {
    /// Probes that divide by nothing but what they are calibrated for.
    pub const NONE: Self = Self::both(1.0);
    /// The least and the greatest factor.
    pub const FACTORS: (f64, f64) = (1e-6, 1e6);

    /// The same factor for both channels.
    #[must_use]
    pub const fn both(factor: f64) -> Self {
        Self { a: factor, b: factor }
    }

    /// Whether both factors are within [`FACTORS`](Self::FACTORS).
    #[must_use]
    pub fn is_possible(self) -> bool {
        let (least, greatest) = Self::FACTORS;
        [self.a, self.b].into_iter().all(|factor| (least..=greatest).contains(&factor))
    }
}

impl Default for Attenuation {
    fn default() -> Self {
        Self::NONE
    }
}

impl fmt::Display for Attenuation {
    /// As it is read: `10`, or `A=10,B=1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { a, b } = self;
        if a == b { write!(f, "{a}") } else { write!(f, "A={a},B={b}") }
    }
}

/// A text that is no attenuation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnknownAttenuation;

impl fmt::Display for UnknownAttenuation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an attenuation: give a factor from 0.000001 to 1000000 such as 10, or A=10,B=1")
    }
}

impl core::error::Error for UnknownAttenuation {}

impl FromStr for Attenuation {
    type Err = UnknownAttenuation;

    /// Reads `10` or `x10`, which is of both channels, or `A=10,B=1`; a channel that is not named has the factor 1.
    fn from_str(text: &str) -> Result<Self, UnknownAttenuation> {
        let number = |text: &str| {
            let text = text.trim();
            text.strip_prefix(['x', 'X']).unwrap_or(text).parse().map_err(|_| UnknownAttenuation)
        };
        if !text.contains('=') {
            let both = Self::both(number(text)?);
            return if both.is_possible() { Ok(both) } else { Err(UnknownAttenuation) };
        }
        let (mut a, mut b) = (None, None);
        for term in text.split(',') {
            let (channel, factor) = term.split_once('=').ok_or(UnknownAttenuation)?;
            let place = match channel.trim() {
                "A" | "a" => &mut a,
                "B" | "b" => &mut b,
                _ => return Err(UnknownAttenuation),
            };
            if place.replace(number(factor)?).is_some() {
                return Err(UnknownAttenuation);
            }
        }
        let read = Self { a: a.unwrap_or(1.0), b: b.unwrap_or(1.0) };
        if read.is_possible() { Ok(read) } else { Err(UnknownAttenuation) }
    }
}

impl AnalogParameters {
    /// A x1 probe on an uncalibrated device ([section 7 of the reference](crate::vm#7-voltages)).
    pub const NOMINAL_X1: Self = Self {
        la: 1.1,
        lb: -0.05,
        lc: 0.0,
        ha: 1.1,
        hb: -0.05,
        hc: -0.05,
        scale: 18.333,
        offset: -7.517,
        safe_low: -5.5,
        safe_high: 8.0,
        ab_offset: 0.0,
        attenuation: Attenuation::NONE,
    };

    /// The same front end behind probes that divide by these factors more.
    #[must_use]
    pub fn attenuated(self, by: Attenuation) -> Self {
        let Attenuation { a, b } = self.attenuation;
        Self { attenuation: Attenuation { a: a * by.a, b: b * by.b }, ..self }
    }

    /// The fraction of the input span that a voltage lies at.
    #[must_use]
    pub fn span_fraction(&self, volts: f64) -> f64 {
        (volts - self.offset) / self.scale
    }

    /// The voltage at a fraction of the input span.
    #[must_use]
    pub fn span_volts(&self, fraction: f64) -> f64 {
        fraction * self.scale + self.offset
    }

    /// The DAC fractions (low, high) that set a range from `lo` to `hi`, fractions of the span.
    #[must_use]
    pub fn converters(&self, lo: f64, hi: f64) -> (f64, f64) {
        (self.la * lo + self.lb * hi + self.lc, self.ha * hi + self.hb * lo + self.hc)
    }

    /// The range (lo, hi), in fractions of the span, that DAC fractions set: the inverse of
    /// [`Self::converters`]. NaN where the parameters have no inverse.
    #[must_use]
    pub fn range_of_converters(&self, low_dac: f64, high_dac: f64) -> (f64, f64) {
        let (low, high) = (low_dac - self.lc, high_dac - self.hc);
        let determinant = self.la * self.ha - self.lb * self.hb;
        ((self.ha * low - self.lb * high) / determinant, (self.la * high - self.hb * low) / determinant)
    }
}

/// What the waveform generator and the clock outputs can do ([section 9 of the reference](crate::vm#9-generators)).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct GeneratorLimits {
    /// Samples of the waveform table, and the most that the play buffer holds.
    pub table_samples: u16,
    /// The fewest and the most ticks from one sample of a waveform to the next.
    pub sample_ticks: (u16, u16),
    /// The fewest and the most ticks in a period of the clock outputs.
    pub clock_ticks: (u16, u16),
    /// The highest output, of waveform and clocks alike, in volts; the lowest is 0 V.
    pub full_scale_volts: f64,
}

/// A model of BitScope.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Model {
    /// What users call it.
    pub name: &'static str,
    /// What it answers to `?`.
    pub revision: Revision,
    /// The primary clock, in hertz.
    pub clock_hz: f64,
    /// The capture buffer, in bytes.
    pub buffer_bytes: u16,
    /// The trace modes in order of preference: best resolution first.
    pub modes: &'static [TraceMode],
    /// The fastest sample rate that keeps samples from before the trigger, in hertz
    /// ([section 4 of the reference](crate::vm#4-a-trace)).
    pub pre_trigger_limit_hz: f64,
    /// The range of the DACs in which they are linear ([section 7 of the reference](crate::vm#7-voltages)).
    pub converter_linear: (f64, f64),
    /// The low and high level of a logic input, in volts ([section 7 of the reference](crate::vm#7-voltages)).
    pub logic_levels_volts: (f64, f64),
    /// The parameters of an uncalibrated device with a x1 probe.
    pub analog: AnalogParameters,
    /// What its generators can do.
    pub generator: GeneratorLimits,
}

/// Length of the BS05's capture buffer, in bytes ([section 5 of the reference](crate::vm#5-trace-modes)).
pub const BUFFER_BYTES: usize = 12_288;

macro_rules! bs05_modes {
    ($($name:ident $number:literal $buffer:ident, $low:literal..$high:literal / $scale:literal,
        $analog:literal x $bytes:literal, $logic:literal;)+) => {
        &[$(TraceMode {
            name: stringify!($name),
            number: $number,
            buffer: BufferMode::$buffer,
            ticks_low: $low,
            ticks_high: $high,
            scale_high: $scale,
            analog_channels: $analog,
            sample_bytes: $bytes,
            logic: $logic,
        },)+]
    };
}

/// The BitScope Micro (sections [1](crate::vm#1-the-link), [5](crate::vm#5-trace-modes), [7](crate::vm#7-voltages) and
/// [9](crate::vm#9-generators) of the reference).
pub const BS05: Model = Model {
    name: "BitScope Micro",
    revision: Revision(*b"BS000501"),
    clock_hz: 40e6,
    buffer_bytes: BUFFER_BYTES as u16,
    modes: bs05_modes! {
        Macro 18 Macro, 40..16384 / 1, 1 x 2, false;
        MacroChop 19 MacroChop, 40..16384 / 1, 2 x 2, false;
        Analog 0 Single, 15..40 / 16383, 1 x 1, false;
        AnalogChop 2 Chop, 13..40 / 16383, 2 x 1, false;
        AnalogFast 4 Single, 8..14 / 1, 1 x 1, false;
        AnalogFastChop 6 Chop, 8..40 / 1, 2 x 1, false;
        AnalogShot 11 Single, 2..5 / 1, 1 x 1, false;
        AnalogShotChop 16 Chop, 4..5 / 1, 2 x 1, false;
        Logic 14 Single, 5..16384 / 1, 0 x 1, true;
        LogicFast 15 Single, 4..4 / 1, 0 x 1, true;
        LogicShot 13 Single, 1..3 / 1, 0 x 1, true;
        Mixed 1 Dual, 15..40 / 16383, 1 x 1, true;
        MixedChop 3 ChopDual, 13..40 / 16383, 2 x 1, true;
        MixedFast 5 Dual, 8..14 / 1, 1 x 1, true;
        MixedFastChop 7 ChopDual, 8..40 / 1, 2 x 1, true;
        MixedShot 12 Dual, 2..5 / 1, 1 x 1, true;
        MixedShotChop 17 ChopDual, 4..5 / 1, 2 x 1, true;
    },
    pre_trigger_limit_hz: 5e6,
    converter_linear: (0.07, 0.88),
    logic_levels_volts: (0.0, 3.3),
    analog: AnalogParameters::NOMINAL_X1,
    generator: GeneratorLimits {
        table_samples: 1024,
        sample_ticks: (33, 65_535),
        clock_ticks: (2, 65_535),
        full_scale_volts: 3.3,
    },
};

impl Model {
    /// How many samples, counted over the interleaved analog channels, the buffer holds in a mode.
    #[must_use]
    pub const fn width(&self, mode: &TraceMode) -> u16 {
        let samples = match mode.sample_bytes {
            2 => self.buffer_bytes / 2,
            _ => self.buffer_bytes,
        };
        if mode.logic && mode.analog_channels > 0 { samples / 2 } else { samples }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_those_of_the_layouts() {
        for (mode, width) in [("Macro", 6144), ("Analog", 12_288), ("Mixed", 6144), ("MixedChop", 6144)] {
            let mode = BS05.modes.iter().find(|row| row.name == mode).unwrap();
            assert_eq!(BS05.width(mode), width, "{}", mode.name);
        }
    }

    #[test]
    fn converters_agree_with_the_vendors_settings() {
        let analog = AnalogParameters::NOMINAL_X1;
        for (volts, low, high) in [(4.6, 0x226a, 0xab95), (0.55, 0x65d6, 0x69bc)] {
            let lo = analog.span_fraction(-volts);
            let hi = analog.span_fraction(volts);
            let (low_dac, high_dac) = analog.converters(lo, hi);
            // The vendor's settings are those of one calibrated device: they agree to within 1 % of the span.
            assert!((low_dac - f64::from(low) / 65536.0).abs() < 0.01, "{low_dac}");
            assert!((high_dac - f64::from(high) / 65536.0).abs() < 0.01, "{high_dac}");
        }
    }

    #[test]
    fn converters_and_ranges_are_inverse() {
        let analog = AnalogParameters { la: 1.07, hb: -0.06, lc: 0.01, ..AnalogParameters::NOMINAL_X1 };
        let (low_dac, high_dac) = analog.converters(0.2, 0.7);
        let (lo, hi) = analog.range_of_converters(low_dac, high_dac);
        assert!((lo - 0.2).abs() < 1e-12 && (hi - 0.7).abs() < 1e-12, "{lo} {hi}");
    }
}

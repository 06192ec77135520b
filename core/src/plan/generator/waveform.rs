//! The planner of waveforms.

use core::{fmt, str::FromStr};

use libm::{fabs, rint};

use super::Values;
use super::timing::{WaveTiming, nearest};
use crate::device::Model;
use crate::vm::Register;

/// What one period of a waveform looks like.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum WaveShape<'t> {
    /// A sine.
    Sine,
    /// A ramp up and down; a sawtooth at the ends of the symmetry.
    Triangle,
    /// An exponential rise and fall.
    Exponential,
    /// High, then low.
    Square,
    /// Samples of the caller's: as many as the table has (1024), 0 at the low end to 1 at the high end. A
    /// table byte holds 256ths, so 1 is met by 255 of them.
    Own(&'t [f32]),
}

impl WaveShape<'_> {
    /// The shapes that the device makes by itself, with their names.
    pub const BUILT_IN: [(WaveShape<'static>, &'static str); 4] = [
        (WaveShape::Sine, "sine"),
        (WaveShape::Triangle, "triangle"),
        (WaveShape::Exponential, "exponential"),
        (WaveShape::Square, "square"),
    ];

    /// Register `Mode` of a synthesize ([section 9 of the reference](crate::vm#9-generators)). None for the caller's
    /// own samples.
    const fn synthesize_mode(&self) -> Option<u32> {
        match self {
            Self::Sine => Some(0),
            Self::Triangle => Some(1),
            Self::Exponential => Some(2),
            Self::Square => Some(3),
            Self::Own(_) => None,
        }
    }
}

impl fmt::Display for WaveShape<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sine => "sine",
            Self::Triangle => "triangle",
            Self::Exponential => "exponential",
            Self::Square => "square",
            Self::Own(_) => "own samples",
        })
    }
}

/// A text that names no shape of waveform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnknownWaveShape;

impl fmt::Display for UnknownWaveShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a waveform: give sine, triangle, exponential or square")
    }
}

impl core::error::Error for UnknownWaveShape {}

impl FromStr for WaveShape<'_> {
    type Err = UnknownWaveShape;

    fn from_str(text: &str) -> Result<Self, UnknownWaveShape> {
        let found = WaveShape::BUILT_IN.into_iter().find(|&(_, name)| name == text);
        found.map(|(shape, _)| shape).ok_or(UnknownWaveShape)
    }
}

/// What a user asks of the waveform generator. Everything but frequency and shape has a default.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WaveformRequest<'t> {
    /// The frequency, in hertz.
    pub frequency_hz: f64,
    /// One period of the waveform.
    pub shape: WaveShape<'t>,
    /// The part of the period spent rising, or high, 0 to 1. The caller's own samples have none.
    pub symmetry: f64,
    /// The lowest output, in volts.
    pub low: f64,
    /// The highest output, in volts.
    pub high: f64,
    /// The fewest samples in a period, 2 to 1024.
    pub min_samples: u16,
    /// How far the frequency may be off, as a part of it.
    pub max_error: f64,
}

impl<'t> WaveformRequest<'t> {
    /// A waveform with every default: symmetry 0.5, 0 to 3.3 V, at least 50 samples a period, an error of at
    /// most 1e-4.
    #[must_use]
    pub const fn new(frequency_hz: f64, shape: WaveShape<'t>) -> Self {
        Self { frequency_hz, shape, symmetry: 0.5, low: 0.0, high: 3.3, min_samples: 50, max_error: 1e-4 }
    }
}

/// How often a waveform is played: the values of register `Mode`
/// ([section 9 of the reference](crate::vm#9-generators)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[repr(u8)]
pub enum PlayMode {
    /// Over and over.
    #[default]
    Repeat = 0,
    /// Once: the play buffer from its beginning to its end.
    Once = 2,
}

/// A waveform as it will be programmed, and what will come out.
///
/// Made by [`plan_waveform`]; the fields belong together and are for reading. The steps follow each other as
/// [`Self::synthesize`] or, for the caller's own samples, [`Self::table_start`] and [`Self::table`], then
/// [`Self::translate`], [`Self::play`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WaveformPlan<'t> {
    /// One period of the waveform.
    pub shape: WaveShape<'t>,
    /// Table length, waves and sample clock.
    pub timing: WaveTiming,
    /// The frequency that comes out, in hertz.
    pub frequency_hz: f64,
    /// How far that is from the frequency asked for, as a part of it; above 0 where it is higher.
    pub error: f64,
    /// Samples in a period, not necessarily a whole number.
    pub samples_per_period: f64,
    /// The 8-bit steps of the output that lie between low and high: at most 255.
    pub amplitude_steps: u16,
    /// Register `Ratio` of a synthesize.
    symmetry: u16,
    /// Register `Level`.
    level: u16,
    /// Register `Offset`.
    offset: i16,
}

/// Registers `Mark`, `Space`, `Rest` and `Option` of a waveform, as all known users write them
/// ([section 9 of the reference](crate::vm#9-generators)).
const PLAY_FIXED: Values<4> =
    [(Register::Mark, 10), (Register::Space, 1), (Register::Rest, 0x7f00), (Register::Option, 0x8004)];

impl WaveformPlan<'_> {
    /// The registers of `Y`, which makes the table. None for the caller's own samples.
    #[must_use]
    pub fn synthesize(&self) -> Option<[(Register, u32); 3]> {
        let mode = self.shape.synthesize_mode()?;
        Some([(Register::Cmd, 0), (Register::Mode, mode), (Register::Ratio, self.symmetry.into())])
    }

    /// The registers to write before the bytes of [`Self::table`], each of which is entered and followed by
    /// `W`.
    #[must_use]
    pub fn table_start(&self) -> [(Register, u32); 4] {
        [(Register::Cmd, 0), (Register::Mode, 1), (Register::Size, 1), (Register::Address, 0)]
    }

    /// The bytes of the caller's own samples; none for a shape that the device makes by itself.
    pub fn table(&self) -> impl Iterator<Item = u8> {
        let samples = if let WaveShape::Own(samples) = self.shape { samples } else { &[] };
        samples.iter().map(|&sample| rint(f64::from(sample) * 256.0).clamp(0.0, 255.0) as u8)
    }

    /// The registers of `X`, which plays the table into the play buffer.
    #[must_use]
    pub fn translate(&self) -> [(Register, u32); 8] {
        let WaveTiming { size, waves, .. } = self.timing;
        let ratio = rint(f64::from(waves) * 1024.0 / f64::from(size) * 65536.0);
        [
            (Register::Cmd, 0),
            (Register::Mode, 0),
            (Register::Level, self.level.into()),
            (Register::Offset, self.offset.cast_unsigned().into()),
            (Register::Ratio, ratio as u32),
            (Register::Index, 0),
            (Register::Address, 0),
            (Register::Size, size.into()),
        ]
    }

    /// The registers of `Z`, which plays the play buffer.
    #[must_use]
    pub fn play(&self, mode: PlayMode) -> [(Register, u32); 8] {
        let [mark, space, rest, option] = PLAY_FIXED;
        [
            (Register::Cmd, 2),
            (Register::Mode, mode as u32),
            (Register::Clock, self.timing.ticks.into()),
            (Register::Modulo, self.timing.size.into()),
            mark,
            space,
            rest,
            option,
        ]
    }
}

/// A waveform that cannot be generated.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum WaveformError {
    /// The frequency is not a positive number of hertz.
    Frequency(f64),
    /// The symmetry is not between 0 and 1.
    Symmetry(f64),
    /// The levels are not a low below a high within the output's reach.
    Levels {
        /// The lowest output asked for, in volts.
        low: f64,
        /// The highest output asked for, in volts.
        high: f64,
        /// The highest that the output reaches, in volts.
        full_scale: f64,
    },
    /// So few samples a period are no waveform, or so many do not fit the table.
    MinSamples {
        /// What was asked for.
        asked: u16,
        /// Samples of the table.
        table_samples: u16,
    },
    /// The largest error is not a number from 0 on.
    MaxError(f64),
    /// The caller's own samples are too few or too many.
    TableLength {
        /// How many there are.
        given: usize,
        /// Samples of the table.
        table_samples: u16,
    },
    /// One of the caller's own samples is not between 0 and 1.
    TableSample {
        /// Which one, from 0 on.
        index: usize,
        /// Its value.
        value: f32,
    },
    /// No table length, number of waves and sample clock come near enough.
    Unreachable {
        /// The frequency asked for, in hertz.
        frequency_hz: f64,
        /// The error allowed.
        max_error: f64,
        /// The fewest samples a period allowed.
        min_samples: u16,
        /// The nearest frequency that can be met with that many samples a period, in hertz.
        nearest_hz: f64,
        /// How far it is off, as a part of the frequency asked for; above 0 where it is higher.
        nearest_error: f64,
    },
}

impl fmt::Display for WaveformError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Frequency(frequency) => {
                write!(f, "the frequency {frequency} Hz is not one: give more than 0 Hz")
            }
            Self::Symmetry(symmetry) => {
                write!(f, "the symmetry {symmetry} is not a part of the period: give 0 to 1")
            }
            Self::Levels { low, high, full_scale } => write!(
                f,
                "{low} V to {high} V is not what the output can do: give a low below the high, \
                 from 0 V to {full_scale} V"
            ),
            Self::MinSamples { asked, table_samples } => {
                write!(f, "{asked} samples a period cannot be: ask for at least 2 to {table_samples}")
            }
            Self::MaxError(error) => {
                write!(f, "the largest error {error} is not a part of the frequency: give 0 or more")
            }
            Self::TableLength { given, table_samples } => {
                write!(f, "{given} samples are not a waveform table: give {table_samples}")
            }
            Self::TableSample { index, value } => {
                write!(
                    f,
                    "sample {index} of the waveform is {value}: give 0 for the low to 1 for the high end"
                )
            }
            Self::Unreachable { frequency_hz, max_error, min_samples, nearest_hz, nearest_error } => write!(
                f,
                "{frequency_hz} Hz cannot be met within {max_error:e} at {min_samples} samples a period or \
                 more: ask for {nearest_hz} Hz, the nearest that can, or allow an error of \
                 {:.1e} or fewer samples",
                super::to_allow(*nearest_error)
            ),
        }
    }
}

impl core::error::Error for WaveformError {}

/// Plans a waveform: the timing nearest to the frequency, and the levels.
///
/// The work is bounded whatever is asked: at most 512 continued fractions of at most 15 terms.
///
/// # Errors
/// [`WaveformError`] for numbers that make no sense, and with the nearest frequency where none is near
/// enough.
pub fn plan_waveform<'t>(
    model: &Model,
    request: &WaveformRequest<'t>,
) -> Result<WaveformPlan<'t>, WaveformError> {
    check(model, request)?;
    let WaveformRequest { frequency_hz, min_samples, max_error, low, high, .. } = *request;
    let timing = nearest(model, frequency_hz, min_samples);
    let nearest_hz = timing.frequency_hz(model.clock_hz);
    let error = (nearest_hz - frequency_hz) / frequency_hz;
    if fabs(error) > max_error {
        return Err(WaveformError::Unreachable {
            frequency_hz,
            max_error,
            min_samples,
            nearest_hz,
            nearest_error: error,
        });
    }
    let full_scale = model.generator.full_scale_volts;
    let amplitude = (high - low) / full_scale;
    let middle = f64::midpoint(low, high) / full_scale - 0.5;
    Ok(WaveformPlan {
        shape: request.shape,
        timing,
        frequency_hz: nearest_hz,
        error,
        samples_per_period: timing.samples_per_period(),
        amplitude_steps: rint(amplitude * 256.0).clamp(0.0, 255.0) as u16,
        symmetry: rint(request.symmetry * 65536.0).clamp(0.0, 65535.0) as u16,
        level: rint(amplitude * 65536.0).clamp(0.0, 65535.0) as u16,
        offset: rint(middle * 65536.0).clamp(-32768.0, 32767.0) as i16,
    })
}

fn check(model: &Model, request: &WaveformRequest) -> Result<(), WaveformError> {
    let WaveformRequest { frequency_hz, symmetry, low, high, min_samples, max_error, .. } = *request;
    if !(frequency_hz > 0.0 && frequency_hz.is_finite()) {
        return Err(WaveformError::Frequency(frequency_hz));
    }
    if !(0.0..=1.0).contains(&symmetry) {
        return Err(WaveformError::Symmetry(symmetry));
    }
    let full_scale = model.generator.full_scale_volts;
    if !(low >= 0.0 && low < high && high <= full_scale) {
        return Err(WaveformError::Levels { low, high, full_scale });
    }
    let table_samples = model.generator.table_samples;
    if !(2..=table_samples).contains(&min_samples) {
        return Err(WaveformError::MinSamples { asked: min_samples, table_samples });
    }
    if !(max_error >= 0.0 && max_error.is_finite()) {
        return Err(WaveformError::MaxError(max_error));
    }
    let WaveShape::Own(samples) = request.shape else { return Ok(()) };
    if samples.len() != usize::from(table_samples) {
        return Err(WaveformError::TableLength { given: samples.len(), table_samples });
    }
    match samples.iter().enumerate().find(|(_, value)| !(0.0..=1.0).contains(*value)) {
        Some((index, &value)) => Err(WaveformError::TableSample { index, value }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::BS05;
    use std::string::ToString;
    use std::vec::Vec;

    fn sine() -> WaveformRequest<'static> {
        WaveformRequest::new(1000.0, WaveShape::Sine)
    }

    fn register(values: &[(Register, u32)], wanted: Register) -> u32 {
        values.iter().find(|(register, _)| *register == wanted).unwrap().1
    }

    #[test]
    fn levels_are_fractions_of_the_output() {
        let plan = plan_waveform(&BS05, &WaveformRequest { low: 0.825, high: 1.65, ..sine() }).unwrap();
        let translate = plan.translate();
        // A quarter of 3.3 V about 1.2375 V, an eighth of 3.3 V below the middle.
        assert_eq!(register(&translate, Register::Level), 0x4000);
        assert_eq!(register(&translate, Register::Offset), 0x1_0000 - 0x2000);
        assert_eq!(plan.amplitude_steps, 64);
        assert_eq!(plan_waveform(&BS05, &sine()).unwrap().amplitude_steps, 255);
    }

    #[test]
    fn own_samples_are_written_as_bytes() {
        let mut samples = [0.5; 1024];
        samples[..4].copy_from_slice(&[0.0, 1.0, 0.25, 0.999]);
        let shape = WaveShape::Own(&samples);
        let plan = plan_waveform(&BS05, &WaveformRequest { shape, ..sine() }).unwrap();
        assert_eq!(plan.synthesize(), None);
        let table: Vec<u8> = plan.table().collect();
        assert_eq!((table.len(), &table[..5]), (1024, &[0, 255, 64, 255, 128][..]));
        assert_eq!(plan_waveform(&BS05, &sine()).unwrap().table().count(), 0);
    }

    #[test]
    fn what_cannot_be_met_names_what_can() {
        let refused = plan_waveform(&BS05, &WaveformRequest { frequency_hz: 30e3, ..sine() }).unwrap_err();
        // The shortest sample clock and the fewest samples: 40 MHz / (33 x 50).
        let highest = 40e6 / 1650.0;
        match refused {
            WaveformError::Unreachable { nearest_hz, nearest_error, .. } => {
                assert_eq!(nearest_hz, highest);
                assert!((nearest_error - (highest / 30e3 - 1.0)).abs() < 1e-12);
            }
            other => panic!("{other:?}"),
        }
        assert!(refused.to_string().contains("24242.4242"), "{refused}");
        let nearest = plan_waveform(&BS05, &WaveformRequest { frequency_hz: highest, ..sine() }).unwrap();
        assert_eq!((nearest.error, nearest.samples_per_period), (0.0, 50.0));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let refused = |request: WaveformRequest| plan_waveform(&BS05, &request).unwrap_err();
        for frequency_hz in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = refused(WaveformRequest { frequency_hz, ..sine() });
            assert!(matches!(error, WaveformError::Frequency(_)), "{error}");
        }
        for symmetry in [-0.1, 1.1, f64::NAN] {
            let error = refused(WaveformRequest { symmetry, ..sine() });
            assert!(matches!(error, WaveformError::Symmetry(_)), "{error}");
        }
        for (low, high) in [(1.0, 1.0), (2.0, 1.0), (-0.1, 1.0), (0.0, 3.4), (f64::NAN, 1.0), (0.0, f64::NAN)]
        {
            let error = refused(WaveformRequest { low, high, ..sine() });
            assert!(matches!(error, WaveformError::Levels { .. }), "{error}");
        }
        for min_samples in [0, 1, 1025] {
            let error = refused(WaveformRequest { min_samples, ..sine() });
            assert!(matches!(error, WaveformError::MinSamples { .. }), "{error}");
        }
        for max_error in [-1e-4, f64::NAN] {
            let error = refused(WaveformRequest { max_error, ..sine() });
            assert!(matches!(error, WaveformError::MaxError(_)), "{error}");
        }
        let mut samples = [0.5; 1024];
        let short = WaveShape::Own(&samples[1..]);
        let error = refused(WaveformRequest { shape: short, ..sine() });
        assert_eq!(error, WaveformError::TableLength { given: 1023, table_samples: 1024 });
        samples[7] = 1.5;
        let error = refused(WaveformRequest { shape: WaveShape::Own(&samples), ..sine() });
        assert_eq!(error, WaveformError::TableSample { index: 7, value: 1.5 });
    }

    #[test]
    fn shapes_read_back() {
        for (shape, name) in WaveShape::BUILT_IN {
            assert_eq!(shape.to_string(), name);
            assert_eq!(name.parse(), Ok(shape));
        }
        assert_eq!("own samples".parse::<WaveShape>(), Err(UnknownWaveShape));
    }
}

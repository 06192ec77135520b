//! The voltage range of a capture: converter DACs, trigger level, and what samples then mean.

use libm::rint;

use super::{CaptureRequest, Notice, PlanError};
use crate::device::{AnalogParameters, Model};

/// What the samples of a capture span.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SampleRange {
    /// Samples are volts from `low` to `high`.
    Volts {
        /// The voltage of the lowest sample.
        low: f64,
        /// The voltage just above the highest sample.
        high: f64,
        /// What channel A reads above channel B; half of it is taken from A and added to B.
        ab_offset: f64,
    },
    /// Samples are fractions of whatever range the DACs were set to.
    Fractions,
}

/// The converter and trigger level settings of a capture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RangePlan {
    pub(super) converter_low: u16,
    pub(super) converter_high: u16,
    pub(super) trigger_level: u16,
    pub(super) level: f64,
    pub(super) samples: SampleRange,
    pub(super) unsafe_range: Option<Notice>,
    pub(super) range_limited: Option<Notice>,
    pub(super) level_limited: Option<Notice>,
}

/// A fraction as a U0.16 register value, rounded half to even and cut to the register's limits.
fn unsigned_fraction(fraction: f64) -> u16 {
    rint(fraction * 65536.0).clamp(0.0, 65535.0) as u16
}

fn is_cut(fraction: f64) -> bool {
    let steps = rint(fraction * 65536.0);
    !(0.0..=65535.0).contains(&steps)
}

/// The range that a request asks for or leaves to the default, bottom and top.
fn asked_range(model: &Model, probe: &AnalogParameters, request: &CaptureRequest) -> (f64, f64) {
    let (low, high) = if request.channels.analog() == 0 {
        model.logic_levels_volts
    } else {
        (probe.safe_low, probe.safe_high)
    };
    let (low, high) = if request.raw {
        probe.converters(probe.span_fraction(low), probe.span_fraction(high))
    } else {
        (low, high)
    };
    (request.low.unwrap_or(low), request.high.unwrap_or(high))
}

pub(super) fn plan_range(
    model: &Model,
    probe: &AnalogParameters,
    request: &CaptureRequest,
) -> Result<RangePlan, PlanError> {
    let (low, high) = asked_range(model, probe, request);
    let finite = low.is_finite() && high.is_finite();
    // A raw range is two DAC settings: close to one another the low DAC stands above the high one.
    if !finite || (low >= high && !request.raw) || (low == high) {
        return Err(PlanError::Range { low, high });
    }
    let level = request.level.unwrap_or(f64::midpoint(low, high));
    if !level.is_finite() {
        return Err(PlanError::Level(level));
    }
    let (lo, hi) = (probe.span_fraction(low), probe.span_fraction(high));
    let (low_dac, high_dac) = if request.raw { (low, high) } else { probe.converters(lo, hi) };
    let level_fraction = if request.raw { level } else { probe.span_fraction(level) };
    let cut = is_cut(low_dac) || is_cut(high_dac);
    let set = if cut {
        let (lo, hi) = probe.range_of_converters(low_dac.clamp(0.0, 1.0), high_dac.clamp(0.0, 1.0));
        (probe.span_volts(lo), probe.span_volts(hi))
    } else {
        (low, high)
    };
    if cut && !request.raw && (set.0 >= set.1 || !set.0.is_finite() || !set.1.is_finite()) {
        return Err(PlanError::Range { low, high });
    }
    let analog_volts = request.channels.analog() != 0 && !request.raw;
    let leaves_safe = low < probe.safe_low || high > probe.safe_high;
    Ok(RangePlan {
        converter_low: unsigned_fraction(low_dac),
        converter_high: unsigned_fraction(high_dac),
        trigger_level: unsigned_fraction(level_fraction),
        level,
        samples: if request.raw {
            SampleRange::Fractions
        } else {
            SampleRange::Volts { low: set.0, high: set.1, ab_offset: probe.ab_offset }
        },
        unsafe_range: (analog_volts && leaves_safe).then_some(Notice::UnsafeRange {
            safe_low: probe.safe_low as f32,
            safe_high: probe.safe_high as f32,
        }),
        range_limited: if analog_volts && cut {
            Some(Notice::RangeLimited { low: set.0 as f32, high: set.1 as f32 })
        } else if request.raw && cut && request.channels.analog() != 0 {
            let [low, high] = [low, high].map(|fraction| fraction.clamp(0.0, 1.0) as f32);
            Some(Notice::RawRangeLimited { low, high })
        } else {
            None
        },
        level_limited: is_cut(level_fraction).then_some(Notice::LevelLimited { level: level as f32 }),
    })
}

//! The voltage range of a capture: converter DACs, trigger level, and what samples then mean.

use libm::rint;

use super::{AnalogChannel, CaptureRequest, Channel, ChannelSet, Notice, PlanError, TriggerSource};
use crate::device::{AnalogParameters, Attenuation, Model};

/// What the samples of a capture span.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SampleRange {
    /// Samples are volts from `low` to `high`, times the attenuation of their channel: see [`of_channel`](Self::of_channel).
    Volts {
        /// The voltage of the lowest sample.
        low: f64,
        /// The voltage just above the highest sample.
        high: f64,
        /// What channel A reads above channel B; half of it is taken from A and added to B.
        ab_offset: f64,
        /// What the volts of each channel are multiplied by.
        attenuation: Attenuation,
    },
    /// Samples are fractions of whatever range the DACs were set to.
    Fractions,
}

impl SampleRange {
    /// The range of a channel at the tip of its probe, bottom and top, in volts. None of fractions.
    #[must_use]
    pub fn of_channel(self, channel: AnalogChannel) -> Option<(f64, f64)> {
        let Self::Volts { low, high, attenuation, .. } = self else { return None };
        let factor = attenuation.of(channel);
        Some((low * factor, high * factor))
    }

    /// The range that spans those of all analog channels among these, in volts. None of fractions, and of logic lines
    /// alone.
    #[must_use]
    pub fn of_channels(self, channels: ChannelSet) -> Option<(f64, f64)> {
        let captured = AnalogChannel::ALL.into_iter().filter(|&channel| channels.contains(channel.into()));
        let ranges = captured.filter_map(|channel| self.of_channel(channel));
        ranges.reduce(|(low, high), (other_low, other_high)| (low.min(other_low), high.max(other_high)))
    }
}

impl Attenuation {
    /// The factor of a channel.
    #[must_use]
    pub const fn of(self, channel: AnalogChannel) -> f64 {
        match channel {
            AnalogChannel::A => self.a,
            AnalogChannel::B => self.b,
        }
    }
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
    // The whole is a step more than a register holds, which cannot be distinguished from it.
    let steps = rint(fraction * 65536.0);
    !(0.0..=65536.0).contains(&steps)
}

/// The analog channel whose volts a request counts its range in: the first that is asked for.
fn range_channel(channels: ChannelSet) -> Option<AnalogChannel> {
    match channels.first() {
        Some(Channel::Analog(first)) => Some(first),
        _ => AnalogChannel::ALL.into_iter().find(|&channel| channels.contains(channel.into())),
    }
}

/// The range that a request asks for or leaves to the default, bottom and top, without attenuation.
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
    let factor = factor(probe, request, range_channel(request.channels));
    (request.low.map_or(low, |low| low / factor), request.high.map_or(high, |high| high / factor))
}

/// What volts that a request gives of a channel are divided by; numbers of raw captures are no volts.
fn factor(probe: &AnalogParameters, request: &CaptureRequest, channel: Option<AnalogChannel>) -> f64 {
    channel.filter(|_| !request.raw).map_or(1.0, |channel| probe.attenuation.of(channel))
}

/// `trigger` is what the capture triggers on, if it does.
pub(super) fn plan_range(
    model: &Model,
    probe: &AnalogParameters,
    request: &CaptureRequest,
    trigger: Option<TriggerSource>,
) -> Result<RangePlan, PlanError> {
    if !probe.attenuation.is_possible() {
        return Err(PlanError::Attenuation(probe.attenuation));
    }
    let range_factor = factor(probe, request, range_channel(request.channels));
    let level_factor = match trigger {
        Some(TriggerSource::Analog(channel)) => factor(probe, request, Some(channel)),
        Some(TriggerSource::Logic(_)) | None => 1.0,
    };
    let (low, high) = asked_range(model, probe, request);
    let finite = low.is_finite() && high.is_finite();
    // A raw range is two DAC settings: close to one another the low DAC stands above the high one.
    if !finite || (low >= high && !request.raw) || (low == high) {
        return Err(PlanError::Range { low: low * range_factor, high: high * range_factor });
    }
    let level = request.level.map_or(f64::midpoint(low, high), |level| level / level_factor);
    if !level.is_finite() {
        return Err(PlanError::Level(level * level_factor));
    }
    let (lo, hi) = (probe.span_fraction(low), probe.span_fraction(high));
    let (low_dac, high_dac) = if request.raw { (low, high) } else { probe.converters(lo, hi) };
    let level_fraction = if request.raw { level } else { probe.span_fraction(level) };
    let level_limited = is_cut(level_fraction);
    let set_level = match level_fraction.clamp(0.0, 1.0) {
        _ if !level_limited => level,
        fraction if request.raw => fraction,
        fraction => probe.span_volts(fraction),
    };
    let cut = is_cut(low_dac) || is_cut(high_dac);
    let set = if cut {
        let (lo, hi) = probe.range_of_converters(low_dac.clamp(0.0, 1.0), high_dac.clamp(0.0, 1.0));
        (probe.span_volts(lo), probe.span_volts(hi))
    } else {
        (low, high)
    };
    if cut && !request.raw && (set.0 >= set.1 || !set.0.is_finite() || !set.1.is_finite()) {
        return Err(PlanError::Range { low: low * range_factor, high: high * range_factor });
    }
    let analog_volts = request.channels.analog() != 0 && !request.raw;
    let leaves_safe = low < probe.safe_low || high > probe.safe_high;
    Ok(RangePlan {
        converter_low: unsigned_fraction(low_dac),
        converter_high: unsigned_fraction(high_dac),
        trigger_level: unsigned_fraction(level_fraction),
        level: set_level * level_factor,
        samples: if request.raw {
            SampleRange::Fractions
        } else {
            SampleRange::Volts {
                low: set.0,
                high: set.1,
                ab_offset: probe.ab_offset,
                attenuation: probe.attenuation,
            }
        },
        unsafe_range: (analog_volts && leaves_safe).then_some(Notice::UnsafeRange {
            safe_low: (probe.safe_low * range_factor) as f32,
            safe_high: (probe.safe_high * range_factor) as f32,
        }),
        range_limited: if analog_volts && cut {
            Some(Notice::RangeLimited {
                low: (set.0 * range_factor) as f32,
                high: (set.1 * range_factor) as f32,
            })
        } else if request.raw && cut && request.channels.analog() != 0 {
            let [low, high] = [low, high].map(|fraction| fraction.clamp(0.0, 1.0) as f32);
            Some(Notice::RawRangeLimited { low, high })
        } else {
            None
        },
        level_limited: level_limited.then_some(Notice::LevelLimited {
            asked: (level * level_factor) as f32,
            set: (set_level * level_factor) as f32,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::BS05;
    use crate::plan::{BusyOutputs, plan_capture};
    use crate::trace::StepScale;

    /// One more than the last byte stands for, at the tip of a channel's probe.
    fn top(range: SampleRange, channel: AnalogChannel) -> f64 {
        StepScale::of_bytes(range, channel).value(256.0).into()
    }

    /// What the converters and the comparator are set to does not depend on where volts are counted.
    #[test]
    fn tip_volts_are_input_volts_times_attenuation() {
        let probe = BS05.analog.attenuated("A=10,B=2".parse().unwrap());
        let range = |channels: &str, low, high, level| CaptureRequest {
            low: Some(low),
            high: Some(high),
            level: Some(level),
            ..CaptureRequest::new(channels.parse::<ChannelSet>().unwrap())
        };
        let plan = |probe, request| plan_capture(&BS05, probe, &request, BusyOutputs::NOTHING).unwrap();
        for (channels, factor) in [("A,B", 10.0), ("B,A", 2.0), ("L0,B", 2.0), ("A", 10.0)] {
            let mut at_tip = range(channels, -2.0 * factor, 4.0 * factor, 1.0);
            let mut at_input = range(channels, -2.0, 4.0, 1.0);
            for (source, level_factor) in [("A", 10.0), ("B", 2.0)] {
                (at_tip.trigger, at_input.trigger) = (source.parse().ok(), source.parse().ok());
                at_tip.level = Some(level_factor);
                let (tip, input) = (plan(&probe, at_tip), plan(&BS05.analog, at_input));
                assert_eq!(tip.registers(), input.registers(), "{channels} {source}");
                assert_eq!((tip.level, input.level), (level_factor, 1.0));
                assert!((top(tip.range, AnalogChannel::A) - 40.0).abs() < 1e-5);
                assert!((top(tip.range, AnalogChannel::B) - 8.0).abs() < 1e-5);
            }
        }
    }

    /// The plan has the level that the comparator is set to, not the one that was asked for.
    #[test]
    fn level_out_of_reach_is_the_nearest() {
        let request = |level| CaptureRequest { level: Some(level), ..CaptureRequest::new(Channel::A) };
        let plan = |level| plan_capture(&BS05, &BS05.analog, &request(level), BusyOutputs::NOTHING).unwrap();
        let (low, high) = (BS05.analog.span_volts(0.0), BS05.analog.span_volts(1.0));
        for (asked, set) in [(1e3, high), (-1e3, low)] {
            let plan = plan(asked);
            assert_eq!(plan.level, set);
            let (asked, set) = (asked as f32, set as f32);
            assert_eq!(plan.notices[..], [Notice::LevelLimited { asked, set }]);
        }
        assert_eq!((plan(high).level, plan(high).notices.len()), (high, 0));
    }

    #[test]
    fn whole_raw_range_is_no_limit() {
        let whole =
            CaptureRequest { raw: true, low: Some(0.0), high: Some(1.0), ..CaptureRequest::new(Channel::A) };
        let plan = plan_capture(&BS05, &BS05.analog, &whole, BusyOutputs::NOTHING).unwrap();
        assert_eq!(plan.notices.len(), 0, "{:?}", plan.notices);
    }

    #[test]
    fn default_range_and_level_are_scaled() {
        let request = CaptureRequest::new(Channel::B);
        let probe = BS05.analog.attenuated(Attenuation { a: 1.0, b: 100.0 });
        let plan = plan_capture(&BS05, &probe, &request, BusyOutputs::NOTHING).unwrap();
        assert_eq!(plan.range.of_channels(plan.channels), Some((-550.0, 800.0)));
        assert_eq!((plan.level, plan.notices.len()), (125.0, 0));
        // Fractions of the converters are no volts.
        let raw = CaptureRequest { raw: true, low: Some(0.1), high: Some(0.9), ..request };
        let scaled = plan_capture(&BS05, &probe, &raw, BusyOutputs::NOTHING).unwrap();
        let plain = plan_capture(&BS05, &BS05.analog, &raw, BusyOutputs::NOTHING).unwrap();
        assert_eq!(scaled, plain);
    }

    #[test]
    fn messages_give_volts_at_the_tip() {
        let probe = BS05.analog.attenuated(Attenuation::both(10.0));
        let request =
            CaptureRequest { low: Some(-75.0), high: Some(108.0), ..CaptureRequest::new(Channel::A) };
        let plan = plan_capture(&BS05, &probe, &request, BusyOutputs::NOTHING).unwrap();
        assert!(plan.notices.contains(&Notice::UnsafeRange { safe_low: -55.0, safe_high: 80.0 }));
        let range = CaptureRequest { low: Some(30.0), high: Some(20.0), ..request };
        assert_eq!(
            plan_capture(&BS05, &probe, &range, BusyOutputs::NOTHING),
            Err(PlanError::Range { low: 30.0, high: 20.0 })
        );
        for factor in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let probe = BS05.analog.attenuated(Attenuation { a: 1.0, b: factor });
            let refused = plan_capture(&BS05, &probe, &CaptureRequest::new(Channel::A), BusyOutputs::NOTHING);
            assert!(matches!(refused, Err(PlanError::Attenuation(_))), "{factor} {refused:?}");
        }
    }
}

//! The settings of the instrument: one set for all clients, as on a scope that
//! several people share.

use scopething_waveform::quantity_text::quantity;
use std::fmt;

use scopething::trigger_hint::{Remedy, TriggerHint};
use scopething_core::device::{AnalogParameters, BS05};
use scopething_core::plan::{
    AnalogChannel, BusyOutputs, CapturePlan, CaptureRequest, Channel, ChannelSet, PlanError, Resolution,
    TriggerMode, TriggerSource, TriggerType, plan_capture,
};

/// Divisions of the screen from bottom to top, of every instrument that is emulated.
pub const VERTICAL_DIVISIONS: f64 = 8.0;
/// As many samples as the device's buffer holds.
pub(crate) const MAX_SAMPLES: u32 = 12_288;
/// The fewest samples that a very short span is stretched to.
const MIN_SAMPLES: f64 = 16.0;

/// How an analog channel is looked at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vertical {
    /// Whether it is captured.
    pub shown: bool,
    /// The height of the screen, in volts.
    pub span_v: f64,
    /// The voltage at the middle of the screen.
    pub middle_v: f64,
}

impl Vertical {
    /// The height of the screen is kept within what the converters can do something about: 8 mV to 40 V.
    pub fn set_span(&mut self, span_v: f64) {
        if span_v > 0.0 {
            self.span_v = span_v.clamp(8e-3, 40.0);
        }
    }
}

/// Everything that clients can set. Some of it may be beyond the device: [`Settings::plan`] returns the actual
/// values.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Channels A and B.
    pub analog: [Vertical; 2],
    /// The logic lines that are captured, a bit each.
    pub lines: u8,
    /// The width of the screen, in seconds.
    pub span_s: f64,
    /// The most samples over that width.
    pub samples: u32,
    /// The part of the width that lies before the trigger, 0 to 1.
    pub position: f64,
    /// What the trigger watches.
    pub trigger: TriggerSource,
    /// How it must behave.
    pub trigger_type: TriggerType,
    /// Whether 4 samples are enough for the trigger, where it wants 8 otherwise.
    pub hair_trigger: bool,
    /// The trigger level, in volts. None: the middle of the screen of its channel.
    pub level_v: Option<f64>,
    /// What happens to a capture whose trigger does not come. Clients that wait no longer than so long, and those that
    /// ask for a single trigger, have their way.
    pub trigger_mode: TriggerMode,
    /// How finely analog samples are resolved.
    pub resolution: Resolution,
}

impl Default for Settings {
    /// All channels at 1 V a division around 0 V, 6 ms, a rising edge of A in the middle of the screen, and a
    /// capture without one where it does not come: so a new oscilloscope shows what is there.
    fn default() -> Self {
        let vertical = Vertical { shown: true, span_v: VERTICAL_DIVISIONS, middle_v: 0.0 };
        Self {
            analog: [vertical; 2],
            lines: 0xff,
            span_s: 6e-3,
            samples: MAX_SAMPLES,
            position: 0.5,
            trigger: TriggerSource::Analog(AnalogChannel::A),
            trigger_type: TriggerType::Rising,
            hair_trigger: false,
            level_v: None,
            trigger_mode: TriggerMode::Auto,
            resolution: Resolution::Best,
        }
    }
}

impl Settings {
    /// The settings of an analog channel, by its number from 1 on.
    pub fn analog_mut(&mut self, number: Option<u8>) -> Option<&mut Vertical> {
        self.analog.get_mut(usize::from(number?).checked_sub(1)?)
    }

    /// Sets the width of the screen, in seconds, and as many samples as fit it.
    pub fn set_span(&mut self, span_s: f64) {
        if span_s > 0.0 && span_s.is_finite() {
            self.span_s = span_s;
            self.samples = MAX_SAMPLES;
        }
    }

    /// Sets samples a second, in hertz, and how many.
    pub fn set_rate(&mut self, rate_hz: f64, samples: u32) {
        let samples = samples.clamp(2, MAX_SAMPLES);
        let span_s = f64::from(samples) / rate_hz;
        if span_s > 0.0 && span_s.is_finite() {
            (self.samples, self.span_s) = (samples, span_s);
        }
    }

    /// Shows or hides a logic line, 0 to 7.
    pub fn show_line(&mut self, line: Option<u8>, shown: bool) {
        if let Some(bit) = line.and_then(|line| 1_u8.checked_shl(line.into())) {
            self.lines = if shown { self.lines | bit } else { self.lines & !bit };
        }
    }

    /// The channels that are shown.
    #[must_use]
    pub fn channels(&self) -> ChannelSet {
        let shown = AnalogChannel::ALL.into_iter().zip(&self.analog).filter(|(_, vertical)| vertical.shown);
        let analog = shown.fold(ChannelSet::EMPTY, |set, (channel, _)| set.with(Channel::Analog(channel)));
        analog.union(ChannelSet::of_lines(self.lines))
    }

    pub(crate) fn request(&self) -> CaptureRequest {
        let shown = || self.analog.iter().filter(|vertical| vertical.shown);
        // Both channels share the converters: the range is what shows all of either.
        let low = shown().map(|vertical| vertical.middle_v - vertical.span_v / 2.0).reduce(f64::min);
        let high = shown().map(|vertical| vertical.middle_v + vertical.span_v / 2.0).reduce(f64::max);
        let middle_v = match self.trigger {
            TriggerSource::Analog(AnalogChannel::A) => self.analog.first(),
            TriggerSource::Analog(AnalogChannel::B) => self.analog.last(),
            TriggerSource::Logic(_) => None,
        };
        let channels = self.channels();
        let interleaved = u32::from(channels.analog_count().max(1));
        CaptureRequest {
            period_s: self.span_s,
            samples: self.samples.saturating_mul(interleaved),
            low,
            high,
            trigger: Some(self.trigger),
            level: self.level_v.or(middle_v.map(|vertical| vertical.middle_v)),
            trigger_type: self.trigger_type,
            hair_trigger: self.hair_trigger,
            position: self.position.clamp(0.0, 1.0),
            resolution: self.resolution,
            ..CaptureRequest::new(channels)
        }
    }

    /// What is captured with these settings. A span that the device cannot capture becomes the nearest that
    /// it can.
    ///
    /// # Errors
    /// [`PlanError`] where nothing is left to capture, or the numbers make no sense.
    pub fn plan(&self, probe: &AnalogParameters, driven: BusyOutputs) -> Result<CapturePlan, PlanError> {
        self.plan_within(probe, driven, None)
    }

    /// As [`Self::plan`], for a capture that waits no longer than `timeout_s` seconds for its trigger.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub fn plan_within(
        &self,
        probe: &AnalogParameters,
        driven: BusyOutputs,
        timeout_s: Option<f64>,
    ) -> Result<CapturePlan, PlanError> {
        let request = CaptureRequest { timeout_s, ..self.request() };
        let planned = |request| plan_capture(&BS05, probe, request, driven);
        match planned(&request) {
            Err(PlanError::PeriodTooLong { longest_s, .. }) => {
                planned(&CaptureRequest { period_s: longest_s * (1.0 - 1e-9), ..request })
            }
            Err(PlanError::PeriodTooShort { fastest_hz, .. }) => {
                planned(&CaptureRequest { period_s: MIN_SAMPLES / fastest_hz, ..request })
            }
            // A screen that lies beyond the converters' reach: what there is to see is seen with the range
            // that is safe.
            Err(PlanError::Range { .. }) => planned(&CaptureRequest { low: None, high: None, ..request }),
            Ok(plan) if f64::from(plan.timebase.samples) < MIN_SAMPLES => {
                planned(&CaptureRequest { period_s: MIN_SAMPLES * plan.tick_period_s(), ..request })
            }
            result => result,
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { span_s, position, trigger, trigger_type, trigger_mode, resolution, .. } = self;
        let volts = |volts: f64| quantity(volts, "V", 4);
        let span = quantity(*span_s, "s", 4);
        write!(f, "{} over {span}, trigger {trigger} {trigger_type} at {position}", self.channels())?;
        if *trigger_mode != Self::default().trigger_mode {
            write!(f, ", {trigger_mode}")?;
        }
        if *resolution != Resolution::default() {
            write!(f, ", {resolution} bits")?;
        }
        for (name, vertical) in ["A", "B"].iter().zip(&self.analog).filter(|(_, vertical)| vertical.shown) {
            write!(f, ", {name} {} around {}", volts(vertical.span_v), volts(vertical.middle_v))?;
        }
        match self.level_v {
            Some(level_v) => write!(f, ", level {}", volts(level_v)),
            None => Ok(()),
        }
    }
}

/// Why the trigger does not come, and what clients can set.
#[must_use]
pub fn advice(hint: &TriggerHint) -> String {
    let setting = match hint.remedy() {
        Remedy::MoreSamples => "set a shorter time a division",
        Remedy::HairTrigger => "set the hair trigger, or a shorter time a division",
        Remedy::Level => "set another level, or trigger mode auto",
        Remedy::Pattern => "set another pattern, or trigger mode auto",
    };
    format!("{hint}: {setting}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use scopething_core::plan::SampleRange;

    fn plan(settings: &Settings) -> CapturePlan {
        settings.plan(&BS05.analog, BusyOutputs::NOTHING).unwrap()
    }

    #[test]
    fn range_shows_all_of_either_channel() {
        let mut settings = Settings::default();
        settings.analog[0] = Vertical { shown: true, span_v: 2.0, middle_v: 3.0 };
        settings.analog[1].span_v = 4.0;
        let SampleRange::Volts { low, high, .. } = plan(&settings).range else { panic!("volts") };
        assert_eq!((low, high), (-2.0, 4.0));
        settings.analog[0].shown = false;
        let SampleRange::Volts { low, high, .. } = plan(&settings).range else { panic!("volts") };
        assert_eq!((low, high), (-2.0, 2.0));
    }

    #[test]
    fn spans_beyond_the_device_become_the_nearest() {
        for span_s in [1e-12, 1e-9, 1e-3, 1e3, 1e12] {
            for (analog, lines) in [(0, 0xff), (1, 0), (2, 0), (1, 0xff), (2, 0xff)] {
                let mut settings = Settings { lines, ..Settings::default() };
                for (index, vertical) in settings.analog.iter_mut().enumerate() {
                    vertical.shown = index < analog;
                }
                settings.set_span(span_s);
                assert!(plan(&settings).timebase.samples >= 14, "{span_s} {analog} {lines}");
            }
        }
    }

    #[test]
    fn default_capture_is_6ms_at_1mhz() {
        // Both channels and logic: 6144 samples at most, 40 ticks of 25 ns.
        let plan = plan(&Settings::default());
        assert_eq!((plan.mode.name, plan.sample_rate_hz(), plan.timebase.samples), ("MixedChop", 1e6, 6000));
    }

    proptest! {
        #![proptest_config(crate::fixed_seed::fixed_seed(256))]

        #[test]
        fn whatever_is_set_can_be_captured(
            span_s in prop::num::f64::ANY, span_v in prop::num::f64::ANY, middle_v in prop::num::f64::NORMAL,
            position in -1.0..2.0_f64, samples in any::<u32>(), rate in prop::num::f64::ANY,
        ) {
            let mut settings = Settings { position, ..Settings::default() };
            settings.set_span(span_s);
            settings.analog[1].set_span(span_v);
            settings.analog[1].middle_v = middle_v;
            prop_assert!(settings.plan(&BS05.analog, BusyOutputs::NOTHING).is_ok());
            settings.set_rate(rate, samples);
            prop_assert!(settings.plan(&BS05.analog, BusyOutputs::NOTHING).is_ok());
        }
    }
}

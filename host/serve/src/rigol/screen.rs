//! Captures as blocks of the instrument's screen: its moments, and bytes for volts.

use scopething_core::plan::{CapturePlan, SampleRange};

use crate::capture::Capture;

/// Divisions of the screen from left to right, and samples a division.
pub(super) const DIVISIONS: f64 = 14.0;
pub(super) const SAMPLES_PER_DIVISION: f64 = 100.0;

/// The scale from bytes of an analog block to volts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ByteScale {
    pub(super) bottom_v: f64,
    pub(super) step_v: f64,
}

impl ByteScale {
    /// The steps of an 8-bit capture with a plan.
    pub(super) fn of(plan: &CapturePlan, channel: usize) -> Option<Self> {
        let SampleRange::Volts { low, high, ab_offset, attenuation } = plan.range else { return None };
        let (share, factor) = if channel == 0 { (-0.5, attenuation.a) } else { (0.5, attenuation.b) };
        Some(Self { bottom_v: (low + share * ab_offset) * factor, step_v: (high - low) * factor / 256.0 })
    }

    /// The byte for a voltage, cut to the range.
    pub(super) fn byte(&self, volts: f32) -> u8 {
        ((f64::from(volts) - self.bottom_v) / self.step_v).round().clamp(0.0, 255.0) as u8
    }
}

/// Which samples of a capture stand for the moments of a screen; the driver shows 100 a division.
pub(super) fn screen(
    capture: &Capture,
    division_s: f64,
    count: usize,
) -> impl Iterator<Item = usize> + use<> {
    let moment_s = division_s / SAMPLES_PER_DIVISION;
    let (rate_hz, last) = (capture.rate_hz, capture.count.saturating_sub(1));
    let share = capture.trigger_s * rate_hz / capture.count.max(1) as f64;
    // A capture that is longer than the screen is shown about its trigger.
    let left_s = (capture.trigger_s - share * DIVISIONS * division_s).max(0.0);
    (0..count).map(move |index| {
        let sample = (left_s + index as f64 * moment_s) * rate_hz;
        ((sample + 1e-6).floor().max(0.0) as usize).min(last)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use scopething_core::device::BS05;
    use scopething_core::plan::BusyOutputs;
    use scopething_core::trace::EndReason;

    #[test]
    fn screen_shows_the_sample_before_each_moment() {
        let capture = |rate_hz: f64, count, trigger_s| Capture {
            rate_hz,
            count,
            analog: [None, None],
            logic: None,
            trigger_s,
            cause: EndReason::Trigger,
            waveform: crate::any_waveform(),
            settings: crate::settings::Settings::default(),
            changes: 0,
        };
        // 1 ms a division is 100 kHz: every second of 200 kHz.
        let drawn: Vec<_> = screen(&capture(200e3, 2800, 7e-3), 1e-3, 1400).collect();
        assert!(drawn.iter().copied().eq((0..2800).step_by(2)));
        // 16 samples at 10 MHz are 1.6 us; a screen of 70 ns in their middle shows one or two of them.
        let drawn: Vec<_> = screen(&capture(10e6, 16, 0.8e-6), 5e-9, 1400).collect();
        assert_eq!((drawn[0], drawn[1399]), (7, 8));
        // Too short a capture is padded with its last sample.
        let drawn: Vec<_> = screen(&capture(100e3, 700, 0.0), 1e-3, 1400).collect();
        assert_eq!((drawn[699], drawn[700], drawn[1399]), (699, 699, 699));
    }

    #[test]
    fn bytes_are_steps_of_the_range() {
        let plan = Settings::default().plan(&BS05.analog, BusyOutputs::NOTHING).unwrap();
        let scale = ByteScale::of(&plan, 0).unwrap();
        // 8 V around 0 V.
        assert_eq!(scale, ByteScale { bottom_v: -4.0, step_v: 8.0 / 256.0 });
        assert_eq!([-5.0, -4.0, 0.0, 3.98, 9.0].map(|volts| scale.byte(volts)), [0, 0, 128, 255, 255]);
    }
}

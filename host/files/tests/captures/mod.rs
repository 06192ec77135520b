//! Random captures, for tests that write and read them back.

use proptest::prelude::*;
use scopething_waveform::waveform::{Channel, Details, Samples, Series, Waveform};

/// Captures as the device makes them: at least two samples a channel, a pair chopped, logic at the rate of
/// the clock.
pub(crate) fn captures() -> impl Strategy<Value = Waveform> {
    let volts = || prop::num::f32::NORMAL | prop::num::f32::ZERO | prop::num::f32::SUBNORMAL;
    let analog = prop::collection::vec(volts(), 8..80);
    (1..=16384_u32, analog, 0..=2_usize, 0..=255_u8).prop_filter_map(
        "no channel",
        |(ticks, volts, analog_count, logic)| {
            let clock_s = f64::from(ticks) * 25e-9;
            let pair = analog_count == 2;
            let even: Vec<f32> = volts.iter().copied().step_by(if pair { 2 } else { 1 }).collect();
            let odd: Vec<f32> = volts.iter().copied().skip(1).step_by(2).collect();
            let period_s = if pair { 2.0 * clock_s } else { clock_s };
            let mut channels = Vec::new();
            if analog_count > 0 {
                channels.push(Series::new(Channel::A, 0.0, period_s, Samples::Volts(even)));
            }
            if pair {
                channels.push(Series::new(Channel::B, clock_s, period_s, Samples::Volts(odd)));
            }
            for line in (0..8).filter(|line| logic >> line & 1 == 1) {
                let levels = volts.iter().map(|volts| (volts.to_bits() >> line & 1) as u8).collect();
                channels.push(Series::new(Channel::L[line], 0.0, clock_s, Samples::Levels(levels)));
            }
            Waveform::new(clock_s.recip(), channels, Details::default()).ok()
        },
    )
}

/// What is read back has the samples that were written, at the same times.
pub(crate) fn assert_same_samples(back: &Waveform, written: &Waveform) -> Result<(), TestCaseError> {
    prop_assert_eq!(back.channels().len(), written.channels().len());
    for (back, written) in back.channels().iter().zip(written.channels()) {
        prop_assert_eq!(&back.samples, &written.samples);
        prop_assert!(back.timestamps().eq(written.timestamps()));
    }
    Ok(())
}

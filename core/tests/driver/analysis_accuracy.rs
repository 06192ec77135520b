//! How often the analysis finds shape and frequency of series drawn from seeds, and what it makes of any samples.

use crate::seeded_series::{Drawn, SHAPES, analysed, frequency_error, is_same_shape, start_error};
use fastrand::Rng;
use proptest::prelude::*;
use scopething_core::analysis::{
    Analysis, EdgeMeasurements, Levels, Shape, TransitionTimes, analyse, scratch_length,
};
use scopething_core::trace::SampleTimes;

/// Samples of a capture that asks for no other number.
const SAMPLES: usize = 1000;

#[test]
fn shapes_of_2000_series_are_right() {
    // The example `analysis_accuracy` counts over 10 000.
    const SERIES: u64 = 2000;
    let wrong = |seeds: std::ops::Range<u64>| {
        let mut scratch = Vec::new();
        seeds
            .filter(|&seed| {
                let mut rng = Rng::with_seed(seed);
                let drawn = Drawn::any(&mut rng);
                let found = analysed(&drawn.samples(&mut rng, SAMPLES), &mut scratch);
                let start = start_error(&drawn, &found);
                let placed = start < f64::max(0.02, 1.5 * drawn.periods / SAMPLES as f64);
                !(is_same_shape(&drawn, &found, SAMPLES) && frequency_error(&drawn, &found) < 0.01 && placed)
            })
            .collect::<Vec<u64>>()
    };
    let (first, second) = std::thread::scope(|scope| {
        let second = scope.spawn(|| wrong(SERIES / 2..SERIES));
        (wrong(0..SERIES / 2), second.join().unwrap())
    });
    let wrong = first.len() + second.len();
    assert!(wrong <= SERIES as usize / 100, "{wrong} of {SERIES}, with the seeds {first:?} {second:?}");
}

#[test]
fn frequency_error_is_below_a_thousandth() {
    let mut scratch = Vec::new();
    for (name, seed) in SHAPES.iter().flat_map(|name| (0..100).map(move |seed| (name, seed))) {
        let mut rng = Rng::with_seed(seed);
        // Whole numbers of samples a period and others: a jump is timed better if it does not always fall alike.
        let periods = if seed == 0 { 10.0 } else { 10.0 + rng.f64() };
        let drawn = Drawn::with(&mut rng, name, periods, 0.02);
        let found = analysed(&drawn.samples(&mut rng, SAMPLES), &mut scratch);
        let error = frequency_error(&drawn, &found);
        assert!(error < 1e-3, "{drawn:?}: off by {error}");
    }
}

#[test]
fn amplitude_and_offset_come_back() {
    let mut scratch = Vec::new();
    for (name, seed) in SHAPES.iter().flat_map(|name| (0..40).map(move |seed| (name, seed))) {
        let mut rng = Rng::with_seed(seed);
        let drawn = Drawn::with(&mut rng, name, 12.3, 0.02);
        let found = analysed(&drawn.samples(&mut rng, SAMPLES), &mut scratch);
        let wave = found.wave.unwrap();
        let near = |value: f64, expected: f64| (value - expected).abs() < 0.015 * drawn.peak_to_peak;
        assert!(near(wave.amplitude().unwrap(), 0.5 * drawn.peak_to_peak), "{drawn:?}: {wave:?}");
        assert!(near(wave.offset().unwrap(), drawn.low + 0.5 * drawn.peak_to_peak), "{drawn:?}: {wave:?}");
        assert!(wave.count == 11 || wave.count == 12, "{drawn:?}: {wave:?}");
    }
}

#[test]
fn other_waves_have_an_unknown_shape() {
    // Charged fast, discharged slowly.
    let charge = |phase: f64| {
        if phase < 0.2 { 1.0 - (-20.0 * phase).exp() } else { (-5.0 * (phase - 0.2)).exp() }
    };
    let ramp = |phase: f64| if phase < 0.7 { phase / 0.7 } else { (1.0 - phase) / 0.3 };
    let half_sine = |phase: f64| (std::f64::consts::TAU * phase).sin().max(0.0);
    let two_pulses = |phase: f64| [1.0, 0.0, 0.6, 0.0][(4.0 * phase) as usize % 4];
    let waves: [&dyn Fn(f64) -> f64; 4] = [&charge, &ramp, &half_sine, &two_pulses];
    for (index, wave) in waves.iter().enumerate() {
        for periods in [3.3, 20.7] {
            let samples: Vec<f32> =
                (0..SAMPLES).map(|i| wave((i as f64 * periods / 1000.0).fract()) as f32).collect();
            let found = analysed(&samples, &mut Vec::new()).wave.unwrap();
            assert!((found.frequency_hz / periods - 1.0).abs() < 1e-3, "wave {index}: {found:?}");
            assert_eq!(found.shape, Shape::Unknown, "wave {index}: {found:?}");
        }
    }
}

#[test]
fn needle_is_a_square_of_its_duty() {
    // From five samples to one; of narrower ones some would be missed.
    for periods in [3.3, 14.7] {
        let needle = |i: usize| if (i as f64 * periods / SAMPLES as f64).fract() < 0.015 { 1.0 } else { 0.0 };
        let samples: Vec<f32> = (0..SAMPLES).map(needle).collect();
        let wave = analysed(&samples, &mut Vec::new()).wave.unwrap();
        let Shape::Square { duty } = wave.shape else { panic!("{periods}: {wave:?}") };
        // To a sample of a period.
        assert!((duty - 0.015).abs() < periods / SAMPLES as f64, "{periods}: {wave:?}");
        assert!((wave.frequency_hz / periods - 1.0).abs() < 2e-3, "{periods}: {wave:?}");
    }
}

#[test]
fn noise_has_no_period_and_no_frequency() {
    let mut scratch = Vec::new();
    for seed in 0..100 {
        let mut rng = Rng::with_seed(seed);
        let samples: Vec<f32> = (0..SAMPLES).map(|_| rng.f32() - 0.5).collect();
        let found = analysed(&samples, &mut scratch);
        assert_eq!((found.wave, found.edges.frequency_hz), (None, None), "seed {seed}");
    }
}

#[test]
fn normal_noise_is_known_to_a_fifth() {
    for seed in 0..100 {
        let mut rng = Rng::with_seed(seed);
        // A sum of twelve is as good as normal, with a standard deviation of 1.
        let samples: Vec<f32> = (0..SAMPLES).map(|_| (0..12).map(|_| rng.f32()).sum::<f32>() - 6.0).collect();
        let found = analysed(&samples, &mut Vec::new());
        let noise = found.levels.unwrap().noise();
        assert!(noise.is_some_and(|noise| (noise - 1.0).abs() < 0.2), "seed {seed}: {noise:?}");
        assert_eq!((found.wave, found.counted_edges()), (None, Some((0, 0))), "seed {seed}");
    }
}

/// Any 32 bits as a sample, or numbers in the order of volts, some of them alike.
fn any_samples() -> impl Strategy<Value = Vec<f32>> {
    let few_levels = prop::sample::select(vec![0.0_f32, 1.0, 3.3, -5.5]);
    prop_oneof![
        prop::collection::vec(any::<u32>().prop_map(f32::from_bits), 0..40),
        prop::collection::vec(-10.0_f32..10.0, 0..300),
        prop::collection::vec(few_levels, 0..300),
        prop::collection::vec(any::<f32>().prop_filter("numbers", |sample| sample.is_finite()), 0..100),
    ]
}

fn numbers_of(analysis: &Analysis) -> Vec<f64> {
    let mut numbers = Vec::new();
    if let Some(levels) = analysis.levels {
        let Levels { mean, rms, ac_rms, min, max, peak_to_peak, overshoot, undershoot, .. } = levels;
        numbers.extend([mean, rms, ac_rms, min, max, peak_to_peak]);
        numbers.extend([levels.top(), levels.base(), levels.noise()].into_iter().flatten());
        numbers.extend(overshoot.into_iter().chain(undershoot));
    }
    let EdgeMeasurements { frequency_hz, duty, .. } = analysis.edges;
    let TransitionTimes { rise_s, fall_s } = analysis.transitions;
    numbers.extend([frequency_hz, duty, rise_s, fall_s].into_iter().flatten());
    if let Some(wave) = analysis.wave {
        numbers.extend([wave.period_s, wave.frequency_hz, wave.start_s]);
        numbers.extend([wave.amplitude(), wave.offset()].into_iter().flatten());
        numbers.extend(wave.shape_error);
    }
    numbers
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_are_always_finite(
        samples in any_samples(),
        period_s in prop_oneof![Just(1e-6), any::<f64>()],
        wave_length in 0_usize..70,
    ) {
        let times = SampleTimes { start_s: 0.0, period_s };
        let mut scratch = vec![0; scratch_length(samples.len())];
        let analysis = analyse(&samples, times, &mut scratch).unwrap();
        prop_assert!(numbers_of(&analysis).iter().all(|number| number.is_finite()), "{analysis:?}");
        let plain = samples.iter().all(|sample| sample.is_finite()) && !samples.is_empty();
        prop_assert_eq!(analysis.levels.is_some(), plain);
        if let Some(levels) = analysis.levels {
            prop_assert_eq!(levels.top().is_some(), levels.base().is_some());
            // A shape that does not stay at its extremes passes beyond samples that miss them.
            let passes = |shape| matches!(shape, Shape::Sine | Shape::Triangle | Shape::Sawtooth { .. });
            let (min, max) = match &analysis.wave {
                Some(wave) if passes(wave.shape) => (f64::NEG_INFINITY, f64::INFINITY),
                _ => (levels.min, levels.max),
            };
            if let (Some(base), Some(top)) = (levels.base(), levels.top()) {
                prop_assert!(min <= base && base <= top && top <= max, "{:?}", analysis);
            }
        }
        if let Some(wave) = analysis.wave {
            prop_assert!(wave.count >= 1 && wave.frequency_hz > 0.0);
            let mut average = vec![0.0; wave_length];
            let averaged = wave.average(&samples, times, &mut average);
            prop_assert_eq!(averaged, wave_length > 0);
            prop_assert!(average.iter().all(|point| point.is_finite()));
        }
    }

    #[test]
    fn memory_that_is_too_short_is_refused(samples in any_samples(), missing in 1_usize..10) {
        let needed = scratch_length(samples.len());
        let mut scratch = vec![0; needed.saturating_sub(missing)];
        let times = SampleTimes { start_s: 0.0, period_s: 1e-6 };
        let refused = analyse(&samples, times, &mut scratch).is_err();
        prop_assert_eq!(refused, needed > 0);
    }
}

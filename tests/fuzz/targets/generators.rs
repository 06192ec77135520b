//! Waveforms and clocks in words and as JSON: a plan within the error that was allowed, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething::generate::{ClockSpec, GeneratorKind, JsonGeneratorRequest, WaveSpec};
use scopething_core::device::BS05;
use scopething_core::plan::{plan_clocks, plan_waveform};

fuzz_target!(|text: &str| {
    match text.parse() {
        Ok(words) => wave(&words),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match text.parse() {
        Ok(words) => clocks(&words),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    match JsonGeneratorRequest::parse(text, GeneratorKind::Waveform) {
        Ok(JsonGeneratorRequest::Waveform(words)) => wave(&words),
        Ok(JsonGeneratorRequest::Clock(words)) => clocks(&words),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});

fn wave(words: &WaveSpec) {
    let Ok(request) = words.request(&[]) else { return };
    match plan_waveform(&BS05, &request) {
        Ok(plan) => {
            let ticks = f64::from(plan.timing.size) * f64::from(plan.timing.ticks);
            let real_hz = BS05.clock_hz * f64::from(plan.timing.waves) / ticks;
            assert!((real_hz / plan.frequency_hz - 1.0).abs() < 1e-12, "{request:?}: {plan:?}");
            assert!(plan.error.abs() <= request.max_error, "{request:?}: {plan:?}");
            assert!(plan.samples_per_period >= f64::from(request.min_samples), "{request:?}: {plan:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn clocks(words: &ClockSpec) {
    let Ok(request) = words.request() else { return };
    match plan_clocks(&BS05, &request) {
        Ok(plan) => {
            assert!(plan.error.abs() <= request.max_error, "{request:?}: {plan:?}");
            assert_eq!(plan.outputs.len(), request.outputs.len());
            for output in &plan.outputs {
                let within = (0.0..1.0).contains(&output.phase) && (0.0..=1.0).contains(&output.duty);
                assert!(within, "{request:?}: {output:?}");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

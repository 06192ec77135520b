//! Lines sent to the emulated oscilloscopes: whatever is set can be captured and reported, or is refused with a
//! reason.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething_core::device::BS05;
use scopething_core::plan::BusyOutputs;
use scopething_instrument::handle::SharedState;
use scopething_instrument::settings::Settings;
use scopething_serve::scpi::messages;
use scopething_serve::{hmo, rigol};

const QUESTIONS: [&[u8]; 2] = [
    b":CHAN1:SCAL?;:CHAN2:STAT?;:LOG7:STAT?;:TIM:SCAL?;:TIM:POS?;:TRIG:A:SOUR?;:TRIG:A:PATT:SOUR?;:ACQ:SRAT?",
    b":CHAN1:SCAL?;:CHAN2:OFFS?;:LA:DIG7:DISP?;:TIM:SCAL?;:TIM:OFFS?;:TRIG:EDGE:SOUR?;:TRIG:EDGE:LEV?",
];

fn state(settings: Settings) -> SharedState {
    let driven = BusyOutputs::NOTHING;
    SharedState { settings, changes: 0, driven, generator: None, probe: BS05.analog }
}

fuzz_target!(|bytes: &[u8]| {
    let mut settings = Settings::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        for message in messages(line) {
            hmo::set(&mut settings, &message);
            rigol::set(&mut settings, &message);
            let state = state(settings.clone());
            for answer in [hmo::query(&state, None, &message), rigol::query(&state, None, &message)] {
                assert!(answer.is_none_or(|answer| !answer.is_empty() && !answer.contains('\n')));
            }
        }
    }
    let plan = settings.plan(&BS05.analog, BusyOutputs::NOTHING);
    match &plan {
        Ok(plan) => assert!(plan.timebase.samples >= 14, "{plan:?}"),
        Err(error) => assert!(settings.channels().is_empty() || !error.to_string().is_empty()),
    }
    let state = state(settings);
    let plan = plan.ok();
    for message in messages(QUESTIONS[0]) {
        assert!(hmo::query(&state, plan.as_ref(), &message).is_some(), "{message:?}");
    }
    for message in messages(QUESTIONS[1]) {
        assert!(rigol::query(&state, plan.as_ref(), &message).is_some(), "{message:?}");
    }
});

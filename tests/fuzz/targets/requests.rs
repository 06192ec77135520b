//! Capture requests as JSON, as `plan --batch` and servers take them: a plan that the device can carry out, or an error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use scopething::request::JsonRequest;
use scopething_core::device::{BS05, BUFFER_BYTES};
use scopething_core::plan::plan_capture;

fuzz_target!(|line: &str| {
    let resolved = JsonRequest::parse(line).and_then(|request| request.resolve());
    let (request, driven) = match resolved {
        Ok(resolved) => resolved,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let plan = match plan_capture(&BS05, &BS05.analog, &request, driven) {
        Ok(plan) => plan,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let (timebase, mode) = (plan.timebase, plan.mode);
    assert!(timebase.samples >= 1 && timebase.samples <= plan.width, "{request:?}: {timebase:?}");
    assert!(plan.pre_trigger <= timebase.samples, "{request:?}: {}", plan.pre_trigger);
    assert!(usize::try_from(plan.dump_bytes()).is_ok_and(|bytes| bytes <= BUFFER_BYTES), "{request:?}");
    assert!(plan.sample_rate_hz().is_finite() && plan.duration_s().is_finite(), "{request:?}");
    for (register, value) in plan.registers() {
        assert!(
            value <= register.kind().max(),
            "{request:?}: {} is {value:x} in {}",
            register.name(),
            mode.name
        );
    }
    for notice in &plan.notices {
        assert!(!notice.to_string().is_empty());
    }
});

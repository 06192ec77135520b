//! What a capture would be like.

use std::ffi::c_char;

use host::blocking::probe_of_user;
use host::link::LinkUrl;
use scopething_core::device::{AnalogParameters, BS05};
use scopething_core::plan::{BusyOutputs, CapturePlan, plan_capture};

use crate::call::call;
use crate::memory::{Out, field};
use crate::request::{self, ScopethingCaptureRequest};
use crate::scope::{Scope, scopething_scope};
use crate::status::{ScopethingError, ScopethingStatus, Stop};
use crate::table;

/// How a capture is made.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ScopethingPlan {
    /// The trace mode, such as "Macro".
    pub mode: [c_char; 32],
    /// What is done otherwise than asked, and what else should be known: sentences, a line each. Empty if there is nothing.
    pub notices: [c_char; 1024],
    /// Samples a second, of both analog channels together.
    pub sample_rate_hz: f64,
    /// The time span.
    pub period_s: f64,
    /// The time from the trigger to the first sample.
    pub delay_s: f64,
    /// Samples of a trace, of both analog channels together.
    pub samples: u32,
    /// How many of them lie before the trigger.
    pub pre_trigger_samples: u32,
    /// Bytes of an analog sample: 1 or 2.
    pub sample_bytes: u32,
    /// Bytes that are read from the device.
    pub dump_bytes: u32,
}

pub(crate) fn report(plan: &CapturePlan) -> ScopethingPlan {
    let notices: Vec<String> = plan.notices.iter().map(ToString::to_string).collect();
    ScopethingPlan {
        mode: field(plan.mode.name),
        notices: field(&notices.join("\n")),
        sample_rate_hz: plan.sample_rate_hz(),
        period_s: plan.duration_s(),
        delay_s: f64::from(plan.delay_us) * 1e-6,
        samples: plan.timebase.samples.into(),
        pre_trigger_samples: plan.pre_trigger.into(),
        sample_bytes: plan.mode.sample_bytes.into(),
        dump_bytes: plan.dump_bytes() as u32,
    }
}

/// Plans a capture without making it: with the scope's generators as they are, or without a scope, if `scope` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn scopething_plan(
    scope: scopething_scope,
    request: *const ScopethingCaptureRequest,
    plan: *mut ScopethingPlan,
    error: *mut ScopethingError,
) -> ScopethingStatus {
    call(error, || {
        // SAFETY: the contract of the interface.
        let (request, mut out) = unsafe { (request::read(request)?, Out::new(plan, "plan")?) };
        let plan = if scope == 0 {
            let probe = probe_of_user(&LinkUrl::FirstSerial, request.probe.unwrap_or("x1"))?;
            let attenuation = request.attenuation.unwrap_or(probe.attenuation);
            let probe = AnalogParameters { attenuation, ..probe };
            plan_capture(&BS05, &probe, &request.capture, BusyOutputs::NOTHING)?
        } else {
            let mut lease = table::get::<Scope>(scope)?.lease("planning")?;
            lease.use_probe(request.probe, request.attenuation)?;
            lease.parts().0.scope.plan(&request.capture).map_err(Stop::from)?
        };
        out.set(report(&plan));
        Ok(())
    })
}

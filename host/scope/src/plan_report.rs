//! Plans of captures as JSON: what would be programmed, what is done otherwise than asked, and why not in another mode.

use scopething_core::device::{BS05, TraceMode};
use scopething_core::plan::{
    BusyOutputs, CapturePlan, CaptureRequest, ModeFit, Notice, PlanError, mode_fits,
};
use serde_json::{Value, json};

use scopething_waveform::quantity_text::quantity;

/// The registers of a capture by name, in the order of their addresses.
#[must_use]
pub fn registers(plan: &CapturePlan) -> Value {
    plan.registers().iter().map(|(register, value)| (register.name(), Value::from(*value))).collect()
}

/// The notices of a plan that are wanted, a sentence each.
pub fn texts(plan: &CapturePlan, wanted: impl Fn(&Notice) -> bool) -> Vec<String> {
    plan.notices.iter().filter(|notice| wanted(notice)).map(ToString::to_string).collect()
}

/// A mode, and why it is not taken.
pub type Refusal = (&'static TraceMode, String);

/// The modes that were refused before one fitted, or all if the request is met only nearly.
///
/// # Errors
/// If the request cannot be planned.
pub fn refusals(
    plan: &CapturePlan,
    request: &CaptureRequest,
    driven: BusyOutputs,
) -> Result<Vec<Refusal>, PlanError> {
    let mut refused = Vec::new();
    for (mode, fit) in mode_fits(&BS05, request, driven)? {
        match why_not(&fit) {
            Some(why) => refused.push((mode, why)),
            None if mode == plan.mode => break,
            None => {}
        }
    }
    Ok(refused)
}

fn why_not(fit: &ModeFit) -> Option<String> {
    Some(match fit {
        ModeFit::Fits(_) => return None,
        ModeFit::OtherChannels => "captures other channels".to_owned(),
        ModeFit::TooFine => "takes 16 bits a sample".to_owned(),
        ModeFit::TooSlow { fastest_hz } => format!("reaches {} at most", quantity(*fastest_hz, "S/s", 4)),
        ModeFit::TooManySamples { samples, width } => {
            format!("would take {samples} samples, the buffer holds {width}")
        }
        ModeFit::NoSample => "the period is shorter than a sample".to_owned(),
    })
}

fn channel_sample_rates(plan: &CapturePlan) -> Value {
    let rates = plan
        .channels
        .iter()
        .map(|channel| (channel.to_string(), json!(plan.channel_sample_rate_hz(channel))));
    Value::Object(rates.collect())
}

/// The plan as an object for programs.
#[must_use]
pub fn to_json(plan: &CapturePlan, refused: &[Refusal]) -> Value {
    let refused: Vec<Value> =
        refused.iter().map(|(mode, why)| json!({"mode": mode.name, "why": why})).collect();
    json!({
        "mode": plan.mode.name,
        "sample_rate": plan.sample_rate_hz(),
        "interleaved_sample_rate": plan.sample_rate_hz(),
        "channel_sample_rates": channel_sample_rates(plan),
        "samples": plan.timebase.samples,
        "period": plan.duration_s(),
        "pre_trigger_samples": plan.pre_trigger,
        "delay": f64::from(plan.delay_us) * 1e-6,
        "dump_bytes": plan.dump_bytes(),
        "registers": registers(plan),
        "adjusted": texts(plan, Notice::is_adjustment),
        "warnings": texts(plan, |notice| !notice.is_adjustment()),
        "refused": refused,
    })
}

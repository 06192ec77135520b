//! `scopething plan`: what a capture would program. Needs no device.

use std::io::{self, Write};

use clap::Args;
use scopething_core::device::{BS05, TraceMode};
use scopething_core::plan::{
    BusyOutputs, CapturePlan, CaptureRequest, ModeFit, Notice, PlanError, TraceEnd, mode_fits, plan_capture,
};
use serde_json::{Map, Value, json};

use super::batch::{answer_lines, malformed, refused};
use super::capture_arguments::{CaptureArguments, UrlArgument};
use super::failure::Failure;
use super::live::print_notices;
use super::meanwhile::MeanwhileArguments;
use super::session::Session;
use scopething::generate::{GeneratorPlan, GeneratorRequest};
use scopething::request::JsonRequest;
use scopething_waveform::quantity_text::quantity;

const EXAMPLES: &str = "\
Examples:
  scopething plan A B --period 20ms --samples 6000
      Which trace mode, sample rate, converter and trigger settings, and why not another mode
  scopething plan L --period 1s --json
      The same for programs
  scopething plan --batch < requests.jsonl
      A plan for each line, such as {\"args\": {\"channels\": [\"A\"], \"period\": 0.001, \"nsamples\": 1000}}";

/// Tell what a capture would program, without a device
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    url: UrlArgument,
    #[command(flatten)]
    capture: CaptureArguments,
    #[command(flatten)]
    meanwhile: MeanwhileArguments,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// Read requests as JSON lines from standard input, and print a JSON object for each
    #[arg(long)]
    batch: bool,
}

impl Arguments {
    pub(super) fn run(&self, session: &Session) -> Result<(), Failure> {
        if self.batch {
            return answer_lines(session, answer);
        }
        let generator_request = self.meanwhile.request()?;
        let generator =
            generator_request.as_ref().map(GeneratorRequest::plan).transpose().map_err(Failure::usage)?;
        let driven = generator.as_ref().map_or(BusyOutputs::NOTHING, GeneratorPlan::driven);
        let request = self.capture.request();
        let probe = self.capture.probe(&self.url.parse()?.unwrap_or_default())?;
        let plan = plan_capture(&BS05, &probe, &request, driven)?;
        let refused = refusals(&plan, &request, driven)?;
        let mut out = io::stdout().lock();
        if self.json {
            let mut object = to_json(&plan, &refused);
            if let (Some(generator), Value::Object(object)) = (&generator, &mut object) {
                object.insert("generator".to_owned(), generator.to_json());
            }
            writeln!(out, "{object}")?;
        } else {
            let generator = generator.as_ref().map(GeneratorPlan::to_text).unwrap_or_default();
            write!(out, "{generator}{}", to_text(&plan, &refused))?;
            print_notices(&plan);
        }
        Ok(())
    }
}

/// The answer to one line of a batch.
fn answer(line: &str) -> Value {
    let resolved = JsonRequest::parse(line).and_then(|request| request.resolve());
    let planned = match resolved {
        Ok((request, driven)) => plan_capture(&BS05, &BS05.analog, &request, driven),
        Err(error) => return malformed(&error),
    };
    match planned {
        Ok(plan) => {
            let mut answer = Map::new();
            answer.insert("registers".to_owned(), registers(&plan));
            let adjusted = texts(&plan, Notice::is_adjustment);
            if !adjusted.is_empty() {
                answer.insert("adjusted".to_owned(), adjusted.join("; ").into());
            }
            Value::Object(answer)
        }
        Err(error) => refused(&error),
    }
}

fn registers(plan: &CapturePlan) -> Value {
    plan.registers().iter().map(|(register, value)| (register.name(), Value::from(*value))).collect()
}

fn texts(plan: &CapturePlan, wanted: impl Fn(&Notice) -> bool) -> Vec<String> {
    plan.notices.iter().filter(|notice| wanted(notice)).map(ToString::to_string).collect()
}

/// A mode, and why it is not taken.
type Refusal = (&'static TraceMode, String);

/// The modes that were refused before one fitted, or all if the request is met only nearly.
fn refusals(
    plan: &CapturePlan,
    request: &CaptureRequest,
    driven: BusyOutputs,
) -> Result<Vec<Refusal>, PlanError> {
    let mut refused = Vec::new();
    for (mode, verdict) in mode_fits(&BS05, request, driven)? {
        match why_not(&verdict) {
            Some(why) => refused.push((mode, why)),
            None if mode == plan.mode => break,
            None => {}
        }
    }
    Ok(refused)
}

fn why_not(verdict: &ModeFit) -> Option<String> {
    Some(match verdict {
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

fn timeout_text(plan: &CapturePlan) -> String {
    match plan.end {
        TraceEnd::Trigger => "none: waits for the trigger".to_owned(),
        TraceEnd::DeviceTimeout(units) => format!("{units} x 6.4 us, timed by the device"),
        TraceEnd::HostTimeout(wait) => format!("{} s, timed by the host", wait.seconds()),
    }
}

fn channel_sample_rates(plan: &CapturePlan) -> Value {
    let rates = plan
        .channels
        .iter()
        .map(|channel| (channel.to_string(), json!(plan.channel_sample_rate_hz(channel))));
    Value::Object(rates.collect())
}

fn sample_rate_text(plan: &CapturePlan) -> String {
    let rate = quantity(plan.sample_rate_hz(), "S/s", 7);
    if plan.mode.analog_channels < 2 {
        return rate;
    }
    format!("{rate} of A and B in turn, {} each", quantity(0.5 * plan.sample_rate_hz(), "S/s", 7))
}

fn to_json(plan: &CapturePlan, refused: &[Refusal]) -> Value {
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
        "dump_bytes": plan.dump_bytes(),
        "registers": registers(plan),
        "adjusted": texts(plan, Notice::is_adjustment),
        "warnings": texts(plan, |notice| !notice.is_adjustment()),
        "refused": refused,
    })
}

fn to_text(plan: &CapturePlan, refused: &[Refusal]) -> String {
    let mut lines = vec![
        format!("mode         {}", plan.mode.name),
        format!("channels     {}", plan.channels),
        format!("sample rate  {}", sample_rate_text(plan)),
        format!("samples      {} over {}", plan.timebase.samples, quantity(plan.duration_s(), "s", 7)),
        format!(
            "trigger      {} {}, {} samples before it",
            plan.trigger, plan.trigger_type, plan.pre_trigger
        ),
        format!("timeout      {}", timeout_text(plan)),
        format!("to read      {} bytes", plan.dump_bytes()),
        "registers".to_owned(),
    ];
    for (register, value) in plan.registers() {
        let digits = usize::from(register.width()) * 2;
        lines.push(format!("  {:02x} {:<14} {value:0digits$x}", register.address(), register.name()));
    }
    if !refused.is_empty() {
        lines.push("modes refused".to_owned());
        lines.extend(refused.iter().map(|(mode, why)| format!("  {:<14} {why}", mode.name)));
    }
    lines.push(String::new());
    lines.join("\n")
}

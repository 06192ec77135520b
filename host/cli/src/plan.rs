//! `scopething plan`: what a capture would program. Needs no device.

use std::io::Write;

use clap::Args;
use scopething_core::device::BS05;
use scopething_core::plan::{BusyOutputs, CapturePlan, Notice, TraceEnd, plan_capture};
use scopething_core::vm::Register;
use serde_json::{Map, Value};

use super::batch::{answer_lines, malformed, refused};
use super::capture_arguments::{CaptureArguments, UrlArgument};
use super::failure::Failure;
use super::generator;
use super::like_arguments::LikeArguments;
use super::live::print_notices;
use super::meanwhile::MeanwhileArguments;
use super::session::Session;
use super::table::Table;
use scopething::generate::{GeneratorPlan, GeneratorRequest};
use scopething::plan_report::{Refusal, refusals, registers, texts, to_json};
use scopething::request::JsonRequest;
use scopething_waveform::quantity_text::quantity;

const EXAMPLES: &str = "\
Examples:
  scopething plan A B --period 20ms --samples 6000
      Which trace mode, sample rate, converter and trigger settings, and why not another mode
  scopething plan L --period 1s --json
      The same for programs
  scopething plan --like trace.csv --samples 12000
      What would repeat the capture in a file, with more samples
  scopething plan --batch < requests.jsonl
      A plan for each line, such as {\"args\": {\"channels\": [\"A\"], \"period\": 0.001, \"nsamples\": 1000}}";

/// Print what a capture would program, without a device
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    url: UrlArgument,
    #[command(flatten)]
    like: LikeArguments,
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
        let (request, attenuation) = self.like.request(&self.capture, None)?;
        let probe = self.capture.probe(&self.url.parse()?.unwrap_or_default(), attenuation)?;
        let plan = plan_capture(&BS05, &probe, &request, driven)?;
        let refused = refusals(&plan, &request, driven)?;
        let mut out = crate::terminal::stdout();
        if self.json {
            let mut object = to_json(&plan, &refused);
            if let (Some(generator), Value::Object(object)) = (&generator, &mut object) {
                object.insert("generator".to_owned(), generator.to_json());
            }
            writeln!(out, "{object}")?;
        } else {
            let generator = generator.as_ref().map(generator::to_text).unwrap_or_default();
            write!(out, "{generator}{}", to_text(&plan, &refused))?;
            print_notices(&plan, request.channels);
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

fn timeout_text(plan: &CapturePlan) -> String {
    match plan.end {
        TraceEnd::Trigger => "none: waits for the trigger".to_owned(),
        TraceEnd::DeviceTimeout(units) => format!("{units} x 6.4 us, timed by the device"),
        TraceEnd::HostTimeout(wait) => format!("{} s, timed by the host", wait.seconds()),
    }
}

/// Where the samples lie about the trigger.
fn position_text(plan: &CapturePlan) -> String {
    match plan.delay_us {
        0 => format!("{} samples before it", plan.pre_trigger),
        delay_us => format!("samples from {} after it", quantity(f64::from(delay_us) * 1e-6, "s", 10)),
    }
}

fn sample_rate_text(plan: &CapturePlan) -> String {
    let rate = quantity(plan.sample_rate_hz(), "S/s", 7);
    if plan.mode.analog_channels < 2 {
        return rate;
    }
    format!("{rate} of A and B in turn, {} each", quantity(0.5 * plan.sample_rate_hz(), "S/s", 7))
}

fn to_text(plan: &CapturePlan, refused: &[Refusal]) -> String {
    let span = quantity(plan.duration_s(), "s", 7);
    let mut rows = vec![
        ("mode", plan.mode.name.to_owned()),
        ("channels", plan.channels.to_string()),
        ("sample rate", sample_rate_text(plan)),
        ("samples", format!("{} over {span}", plan.timebase.samples)),
        ("trigger", format!("{} {}, {}", plan.trigger, plan.trigger_type, position_text(plan))),
        ("timeout", timeout_text(plan)),
        ("to read", format!("{} bytes", plan.dump_bytes())),
    ];
    let left_out = plan.notices.iter().filter(|notice| matches!(notice, Notice::LinesLeftOut { .. }));
    rows.extend(left_out.map(|notice| ("channels", notice.to_string())));
    let text = format!("{}registers\n{}", Table::named(rows), register_table(&plan.registers()));
    if refused.is_empty() {
        return text;
    }
    let modes = refused.iter().map(|(mode, why)| (mode.name, why.clone()));
    format!("{text}modes refused\n{}", Table::named(modes).indent(2))
}

/// What registers are set to: address, name and value.
pub(super) fn register_table(registers: &[(Register, u32)]) -> Table {
    let row = |&(register, value): &(Register, u32)| {
        let digits = usize::from(register.width()) * 2;
        [format!("{:02x}", register.address()), register.name().to_owned(), format!("{value:0digits$x}")]
    };
    Table::new(registers.iter().map(row)).indent(2)
}

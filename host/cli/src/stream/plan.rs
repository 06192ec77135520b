//! `scopething stream --plan`: what a stream would program.

use std::io::Write as _;

use scopething_core::device::BS05;
use scopething_core::plan::{BusyOutputs, ChannelSet, StreamPlan, plan_stream};
use scopething_core::scope::LinkProfile;
use serde_json::{Value, json};

use super::super::live::print_notice_list;
use super::super::plan::register_table;
use super::super::table::Table;
use super::{Arguments, Failure};
use scopething::generate::{GeneratorPlan, GeneratorRequest};
use scopething_waveform::quantity_text::quantity;

/// What the link must carry, and what it is counted on for.
pub(super) fn need(plan: &StreamPlan, profile: LinkProfile) -> String {
    format!(
        "the stream takes {}, and the link is only counted on for {}: what it cannot carry is reported as gaps",
        quantity(plan.bytes_per_second(), "B/s", 3),
        quantity(profile.bytes_per_second.into(), "B/s", 3)
    )
}

impl Arguments {
    pub(super) fn show_plan(&self) -> Result<(), Failure> {
        let probe = self.probe.parameters(&self.url.parse()?.unwrap_or_default(), None)?;
        let generator_request = self.meanwhile.request()?;
        let generator =
            generator_request.as_ref().map(GeneratorRequest::plan).transpose().map_err(Failure::usage)?;
        let driven = generator.as_ref().map_or(BusyOutputs::NOTHING, GeneratorPlan::driven);
        let request = self.request()?;
        let plan = plan_stream(&BS05, &probe, &request, driven)?;
        let mut out = crate::terminal::stdout();
        if self.show.json {
            writeln!(out, "{}", to_json(&plan))?;
        } else {
            write!(out, "{}", to_text(&plan))?;
            print_notice_list(&plan.notices, ChannelSet::EMPTY);
        }
        Ok(())
    }
}

fn to_json(plan: &StreamPlan) -> Value {
    let texts = |wanted: bool| -> Vec<String> {
        let notices = plan.notices.iter().filter(|notice| notice.is_adjustment() == wanted);
        notices.map(ToString::to_string).collect()
    };
    let registers = plan.registers();
    let registers = registers.iter().map(|(register, value)| (register.name(), Value::from(*value)));
    json!({
        "sample_rate": plan.rate_hz(),
        "frame_rate": plan.frame_rate_hz(),
        "thinning": plan.thinning,
        "frame_bytes": plan.frame_bytes(),
        "bytes_per_second": plan.bytes_per_second(),
        "framed": !plan.unframed,
        "registers": registers.collect::<Value>(),
        "adjusted": texts(true),
        "warnings": texts(false),
    })
}

fn to_text(plan: &StreamPlan) -> String {
    let serial = LinkProfile::SERIAL.bytes_per_second;
    let rows = [
        ("channels", plan.channels.to_string()),
        ("sample rate", quantity(plan.rate_hz(), "S/s", 7)),
        (
            "frames",
            format!(
                "{} a second of {} bytes, {} to a sample",
                quantity(plan.frame_rate_hz(), "", 7),
                plan.frame_bytes(),
                plan.thinning
            ),
        ),
        ("link", format!("must carry {}", quantity(plan.bytes_per_second(), "B/s", 4))),
        (
            "",
            format!(
                "carries {} frames a second if it is a serial line of {}",
                quantity(plan.frame_rate_limit_hz(serial.into()), "", 4),
                quantity(serial.into(), "B/s", 3)
            ),
        ),
    ];
    format!("{}registers\n{}", Table::named(rows), register_table(&plan.registers()))
}

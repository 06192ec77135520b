//! What `wave` and `clock` have in common: whether to generate, for how long, and what to print.

use std::time::Duration;

use clap::Args;
use scopething_core::device::BS05;
use scopething_core::plan::{PlayMode, plan_clocks, plan_waveform};
use serde_json::Value;

use super::batch::{answer_lines, malformed, refused};
use super::capture_arguments::{UrlArgument, seconds};
use super::failure::Failure;
use super::generator::{Lasting, generate, solve};
use super::session::Session;
use scopething::generate::{GeneratorKind, JsonGeneratorRequest};
use scopething::generate::{GeneratorPlan, GeneratorRequest};

/// Whether to generate, for how long, and what to print.
#[derive(Debug, Args)]
pub(super) struct GenerateArguments {
    /// Only print what would be generated, without a device
    #[arg(long)]
    solve: bool,
    /// Read requests as JSON lines from standard input, and print a JSON object for each, without a device
    #[arg(long)]
    pub(super) batch: bool,
    /// Generate for this long [default: until Ctrl-C]
    #[arg(long = "for", value_name = "T", value_parser = lasting, allow_hyphen_values = true)]
    lasts: Option<Duration>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

impl GenerateArguments {
    /// Prints what would be generated, or generates it.
    pub(super) async fn run(
        &self,
        session: &mut Session,
        url: &UrlArgument,
        request: &GeneratorRequest,
    ) -> Result<(), Failure> {
        if self.solve {
            return solve(request, self.json);
        }
        generate(session, url, request, Lasting { json: self.json, lasts: self.lasts }).await
    }
}

/// Answers requests on standard input; those that do not name a generator are for this one.
pub(super) fn answer_batch(session: &Session, kind: GeneratorKind) -> Result<(), Failure> {
    answer_lines(session, |line| answer(line, kind).unwrap_or_else(|refusal| refusal))
}

/// The answer to one line of a batch, or to one that cannot be met.
fn answer(line: &str, kind: GeneratorKind) -> Result<Value, Value> {
    let generator = match JsonGeneratorRequest::parse(line, kind).map_err(|error| malformed(&error))? {
        JsonGeneratorRequest::Waveform(spec) => {
            let request = spec.request(&[]).map_err(|error| malformed(&error))?;
            let plan = plan_waveform(&BS05, &request).map_err(|error| refused(&error))?;
            GeneratorPlan::Wave(plan, PlayMode::Repeat)
        }
        JsonGeneratorRequest::Clock(spec) => {
            let request = spec.request().map_err(|error| malformed(&error))?;
            GeneratorPlan::Clocks(plan_clocks(&BS05, &request).map_err(|error| refused(&error))?)
        }
    };
    Ok(generator.to_json())
}

/// A time span that can be waited for.
pub(super) fn lasting(text: &str) -> Result<Duration, String> {
    let span_s = seconds(text).map_err(|error| error.to_string())?;
    Duration::try_from_secs_f64(span_s).map_err(|_| format!("{text} is not a time to wait: give 0 s or more"))
}

//! `scopething capture`: captures traces, shows and saves them.

use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use scopething_core::plan::{CapturePlan, Notice};
use scopething_core::scope::Scope;
use scopething_core::trace::TraceBuffer;

use super::capture_arguments::{CaptureArguments, UrlArgument};
use super::failure::Failure;
use super::interrupt::Interrupts;
use super::output_arguments::OutputArguments;
use super::results::{Results, Show};
use crate::link::{self, Link, LinkClock, LinkUrl};
use crate::recording::Recording;

const EXAMPLES: &str = "\
Examples:
  scopething capture --url 'sim:?A=sine,1kHz,0..3V' --plot
      One trace of channel A of the simulated BitScope, drawn in the terminal
  scopething capture A B L --period 20ms --samples 6000 --low 0V --high 5V -o trace.sr
      Both analog channels and the logic lines, for PulseView
  scopething capture --trigger A --level 1.5V --type falling --timeout 2s --json
      Wait at most 2 s for channel A to fall through 1.5 V
  scopething capture L --trigger L3=1,L5=0 --period 1ms -n 10 -o trace.csv
      Ten captures of the logic lines

Ctrl-C while it waits for the trigger captures around that moment; Ctrl-C again gives up.";

/// How long something may take before it is said that it does.
const PATIENCE: Duration = Duration::from_millis(500);

/// Capture traces, and show or save them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    url: UrlArgument,
    #[command(flatten)]
    capture: CaptureArguments,
    /// How many captures; 0 captures until Ctrl-C
    #[arg(short = 'n', value_name = "COUNT", default_value_t = 1)]
    count: u32,
    #[command(flatten)]
    output: OutputArguments,
    /// Print each capture as a JSON object on a line
    #[arg(long)]
    json: bool,
    /// Draw each capture in the terminal
    #[arg(long)]
    plot: bool,
}

/// A connected BitScope, whatever the link.
pub(super) type HostScope = Scope<Link, LinkClock>;

impl Arguments {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        let interrupts = Interrupts::watch();
        let url = self.url.parse()?;
        let request = self.capture.request();
        let show = Show { json: self.json, plot: self.plot };
        let mut results = Results::create(&self.output, show, self.count != 1)?;
        let probe = self.capture.probe(&url)?;
        let mut scope = connect(&url, &interrupts).await?;
        let plan = scope.plan(&probe, &request)?;
        tell_notices(&plan);
        // The trace buffer makes this future large.
        let captured = Box::pin(self.capture_all(&mut scope, &plan, &mut results, &interrupts)).await;
        // What was captured is kept, however it ended.
        let kept = results.commit();
        match captured {
            Ok(0) => kept.and(Err(Failure::Cancelled)),
            Ok(_) => kept,
            Err(failure) => {
                if let Err(lost) = kept {
                    lost.report();
                }
                Err(failure)
            }
        }
    }

    /// Captures as often as was asked for, or until Ctrl-C. Gives how often there was something to show.
    async fn capture_all(
        &self,
        scope: &mut HostScope,
        plan: &CapturePlan,
        results: &mut Results,
        interrupts: &Interrupts,
    ) -> Result<u32, Failure> {
        // On the heap, so that the future stays small.
        let mut buffer = Box::new(TraceBuffer::new());
        let mut captured = 0;
        while self.count == 0 || captured < self.count {
            let Some(recording) = capture(scope, plan, &mut buffer, interrupts).await? else { break };
            captured += 1;
            results.take(recording)?;
            // It may have come too late for the capture to be ended by it.
            if interrupts.count() > 0 {
                break;
            }
        }
        Ok(captured)
    }
}

/// Opens a link and connects to the BitScope behind it.
pub(super) async fn connect(url: &LinkUrl, interrupts: &Interrupts) -> Result<HostScope, Failure> {
    let connecting = async {
        let link = link::open(url).await?;
        Ok(Scope::connect(link.stream, link.clock, link.profile).await?)
    };
    tokio::select! {
        connected = with_progress(connecting, "connecting") => connected,
        () = interrupts.reached(1) => Err(Failure::Cancelled),
    }
}

/// Runs one capture. None if it was cancelled before the first sample.
async fn capture(
    scope: &mut HostScope,
    plan: &CapturePlan,
    buffer: &mut TraceBuffer,
    interrupts: &Interrupts,
) -> Result<Option<Recording>, Failure> {
    let capturing = scope.capture_until(plan, buffer, interrupts.reached(1));
    let waiting = format!("waiting for {} on {} (Ctrl-C captures now)", plan.trigger_type, plan.trigger);
    let trace = tokio::select! {
        trace = with_progress(capturing, &waiting) => trace?,
        () = interrupts.reached(2) => return Err(Failure::Cancelled),
    };
    if trace.samples() == 0 {
        return Ok(None);
    }
    Recording::of_trace(&trace).map(Some).map_err(Failure::failed)
}

/// Says on standard error what is going on, if it goes on for long.
async fn with_progress<T>(work: impl Future<Output = T>, what: &str) -> T {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = tokio::time::sleep(PATIENCE) => {}
    }
    let spinner = ProgressBar::new_spinner().with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        spinner.set_style(style);
    }
    if spinner.is_hidden() {
        anstream::eprintln!("{what}");
    }
    spinner.enable_steady_tick(PATIENCE / 4);
    let done = work.await;
    spinner.finish_and_clear();
    done
}

/// Tells what a plan does otherwise than asked.
pub(super) fn tell_notices(plan: &CapturePlan) {
    for notice in &plan.notices {
        let kind = if Notice::is_adjustment(notice) { "note" } else { "warning" };
        anstream::eprintln!("{kind}: {notice}");
    }
}

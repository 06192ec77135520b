//! `scopething capture`: captures traces, shows and saves them.

use clap::Args;
use scopething_core::plan::{CapturePlan, Notice};
use scopething_core::trace::TraceBuffer;

use super::capture_arguments::{CaptureArguments, UrlArgument};
use super::failure::Failure;
use super::generation::Wanted;
use super::interrupt::Interrupts;
use super::meanwhile::MeanwhileArguments;
use super::output_arguments::OutputArguments;
use super::progress::with_progress;
use super::results::{Results, Show};
use super::session::{HostScope, Session};
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
  scopething capture A --wave 'triangle 1kHz 0..3V' --period 5ms -o triangle.png
      What comes in while the waveform generator plays

Ctrl-C while it waits for the trigger captures around that moment; Ctrl-C again gives up.";

/// Capture traces, and show or save them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    url: UrlArgument,
    #[command(flatten)]
    capture: CaptureArguments,
    #[command(flatten)]
    meanwhile: MeanwhileArguments,
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

impl Arguments {
    pub(super) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let interrupts = session.interrupts();
        let url = session.url(&self.url)?;
        let wanted = self.meanwhile.wanted()?;
        let generation = wanted.as_ref().map(Wanted::plan).transpose()?;
        let request = self.capture.request();
        let show = Show { json: self.json, plot: self.plot };
        let mut results = Results::create(&self.output, show, self.count != 1)?;
        let target = session.resolve(url).await?;
        let probe = self.capture.probe(&target.url)?;
        let scope = session.connect(&target).await?;
        if let Some(generation) = &generation {
            generation.start(scope).await?;
            anstream::eprintln!("note: {}", generation.summary());
        }
        let plan = scope.plan(&probe, &request)?;
        tell_notices(&plan);
        // The trace buffer makes this future large.
        let captured = Box::pin(self.capture_all(scope, &plan, &mut results, &interrupts)).await;
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

/// Tells what a plan does otherwise than asked.
pub(super) fn tell_notices(plan: &CapturePlan) {
    for notice in &plan.notices {
        let kind = if Notice::is_adjustment(notice) { "note" } else { "warning" };
        anstream::eprintln!("{kind}: {notice}");
    }
}

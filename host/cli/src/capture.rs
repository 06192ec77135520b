//! `scopething capture`: captures traces, shows and saves them.

use clap::Args;

use super::failure::Failure;
use super::like_arguments::LikeArguments;
use super::live::{Live, LiveArguments};
use super::results::{ResultArguments, Results};
use super::session::Session;

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
  scopething capture --url socket://lab.example:5025 --verify
      Over a link that may change bytes: all is read twice and compared
  scopething capture --like trace.csv --period 1ms
      As the capture in the file was made, but for its time span
  scopething capture A --wave 'triangle 1kHz 0..3V' --period 5ms -o triangle.png
      What comes in while the waveform generator plays

Ctrl-C while it waits for the trigger captures around that moment; Ctrl-C again gives up.";

/// Capture traces, and show or save them
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    #[command(flatten)]
    like: LikeArguments,
    #[command(flatten)]
    live: LiveArguments,
    /// How many captures; 0 captures until Ctrl-C
    #[arg(short = 'n', value_name = "COUNT", default_value_t = 1)]
    count: u32,
    #[command(flatten)]
    results: ResultArguments,
}

impl Arguments {
    pub(super) async fn run(&self, session: &mut Session) -> Result<(), Failure> {
        let mut results = self.results.results(self.count != 1)?;
        let (request, attenuation) = self.like.request(&self.live.capture, None)?;
        results.check_channels(request.channels)?;
        let mut live = self.live.prepare(session, &request, attenuation).await?;
        if results.are_saved() {
            live.name_serial();
        }
        let captured = match self.capture_all(&mut live, &mut results).await {
            Ok(0) => Err(Failure::Cancelled),
            captured => captured.map(drop),
        };
        results.commit_after(captured)
    }

    /// Captures as often as was asked for, or until Ctrl-C. Returns how often there was something to show.
    async fn capture_all(&self, live: &mut Live<'_>, results: &mut Results) -> Result<u32, Failure> {
        let mut captured = 0;
        while self.count == 0 || captured < self.count {
            let Some(waveform) = live.next().await? else { break };
            captured += 1;
            results.take(waveform)?;
            // It may have come too late for the capture to be ended by it.
            if live.is_interrupted() {
                break;
            }
        }
        Ok(captured)
    }
}

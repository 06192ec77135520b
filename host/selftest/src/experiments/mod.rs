//! The experiments. Each starts on a device with nothing running.

mod captures;
mod identity;
mod link_rate;
mod outputs;
mod streaming;
mod trigger;
mod voltages;
mod waiting;
mod window;

use super::bench::Bench;
use super::outcome::Notes;
use super::stop::Stop;
use super::{Experiment, Operator, Outcome};

/// Carries out an experiment.
async fn carry_out(
    experiment: Experiment,
    bench: &mut Bench,
    operator: &mut impl Operator,
    notes: &mut Notes,
) -> Result<(), Stop> {
    match experiment {
        Experiment::Identity => identity::run(bench, notes).await,
        Experiment::Captures => captures::run(bench, operator, notes).await,
        Experiment::Voltages => voltages::run(bench, operator, notes).await,
        Experiment::Edge => window::edge(bench, operator, notes).await,
        Experiment::Level => trigger::level(bench, operator, notes).await,
        Experiment::FullBuffer => window::full_buffer(bench, operator, notes).await,
        Experiment::Clock => outputs::clock(bench, operator, notes).await,
        Experiment::Pattern => trigger::pattern(bench, operator, notes).await,
        Experiment::Waiting => waiting::run(bench, notes).await,
        Experiment::Hold => outputs::hold(bench, operator, notes).await,
        Experiment::Streaming => streaming::run(bench, notes).await,
        Experiment::LinkRate => link_rate::run(bench, notes).await,
    }
}

impl Bench {
    /// Carries out an experiment, and leaves the device with nothing running.
    ///
    /// # Cancellation
    ///
    /// Dropping the future leaves the device as it is at that moment; the next experiment resets it.
    pub async fn run(&mut self, experiment: Experiment, operator: &mut impl Operator) -> Outcome {
        // What a cancelled experiment has exchanged belongs to no other.
        self.take_exchanges();
        let mut notes = Notes::default();
        let mut ended = match self.rest().await {
            Ok(()) => carry_out(experiment, self, operator, &mut notes).await,
            Err(stop) => Err(stop),
        };
        if !matches!(ended, Err(Stop::LinkLost(_))) {
            let rested = self.rest().await;
            ended = ended.and(rested);
        }
        Outcome::new(experiment, notes, ended, self.take_exchanges())
    }

    /// Stops what an experiment that was cancelled has left running.
    ///
    /// # Errors
    ///
    /// Why the device could not be stopped.
    pub async fn stop(&mut self) -> Result<(), String> {
        self.rest().await.map_err(|stop| match stop {
            Stop::Failed(why) | Stop::LinkLost(why) | Stop::Skipped(why) | Stop::Inconclusive(why) => why,
        })
    }
}

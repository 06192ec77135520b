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

use super::bench::{Bench, Capture, Wave};
use super::raw::RawDevice;
use super::stop::Stop;
use super::{Experiment, Notes, Operator, Reply, analysis};

/// Carries out an experiment.
pub(super) async fn carry_out(
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

/// Has something wired that the experiment cannot do without.
async fn wire(operator: &mut impl Operator, instruction: &str) -> Result<(), Stop> {
    match operator.wire(instruction).await {
        Reply::Done => Ok(()),
        Reply::Skip => Err(Stop::Skipped("not wired".to_owned())),
    }
}

/// Starts a waveform and makes sure that A sees it swing over most of its range.
async fn start_seen(raw: &mut RawDevice<'_>, wave: Wave, notes: &mut Notes) -> Result<(), Stop> {
    wave.start(raw).await?;
    // 6000 samples over 24 ms: the slowest waveform here has 100 Hz.
    let look = Capture { samples: 6000, ticks: 160, waveform: true, ..Capture::LOOK };
    let (_, volts) = look.volts(raw).await?;
    let (low, high) = analysis::extremes(&volts);
    notes.measured_numbers("A lies between (V)", &[low, high]);
    if high - low >= 0.6 * (wave.high - wave.low) {
        return Ok(());
    }
    Err(Stop::inconclusive(format!(
        "A stays between {low:.2} V and {high:.2} V while the generator plays from {:.1} V to {:.1} V: is L4 joined to A?",
        wave.low, wave.high
    )))
}

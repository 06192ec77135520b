//! A capture as the clients of emulated instruments know it: all channels at the same moments.

use scopething_core::plan::{AnalogChannel, CapturePlan};
use scopething_core::trace::{EndReason, Trace};

use crate::settings::Settings;
use scopething_waveform::grid::Grid;
use scopething_waveform::waveform::{Channel, InvalidWaveform, Samples, Series, Waveform};

/// The samples of an analog channel, in volts, and the steps that they come in.
#[derive(Debug, Clone, PartialEq)]
pub struct AnalogSamples {
    /// One for each moment.
    pub volts: Vec<f32>,
    /// The lowest voltage that can be captured with this range.
    pub bottom_v: f64,
    /// The smallest difference in volts.
    pub step_v: f64,
}

/// What was captured. A channel that the device sampled at half the rate, as it does with pairs beside logic,
/// holds each sample until its next.
#[derive(Debug, Clone, PartialEq)]
pub struct Capture {
    /// Moments a second, in hertz.
    pub rate_hz: f64,
    /// How many moments there are.
    pub count: usize,
    /// Channels A and B, where they were captured.
    pub analog: [Option<AnalogSamples>; 2],
    /// The logic lines, a bit each, if any was captured.
    pub logic: Option<Vec<u8>>,
    /// The time from the first moment to where the trigger is, or would be, in seconds.
    pub trigger_s: f64,
    /// Why it ended.
    pub cause: EndReason,
    /// The same as it was captured, each channel at its own times, for files and measurements.
    pub waveform: Waveform,
    /// What was set when it began, which may have changed since.
    pub settings: Settings,
    /// How often the settings had been changed until then.
    pub changes: u64,
}

/// How many moments a second a plan's capture will have, in hertz.
#[must_use]
pub fn planned_rate_hz(plan: &CapturePlan) -> f64 {
    let pair_alone = plan.channels.analog_count() == 2 && plan.channels.logic() == 0;
    if pair_alone { plan.sample_rate_hz() / 2.0 } else { plan.sample_rate_hz() }
}

impl Capture {
    /// Takes the samples out of a trace, which was captured with these settings, after so many changes of them.
    ///
    /// # Errors
    /// [`InvalidWaveform::Empty`] if the trace was cancelled before anything was captured.
    pub fn of_trace(trace: &Trace<'_>, settings: &Settings, changes: u64) -> Result<Self, InvalidWaveform> {
        let recording = Waveform::of_trace(trace)?;
        let grid = Grid::from(&recording);
        let plan = trace.plan();
        let planned_s = f64::from(plan.trigger_sample().min(trace.samples())) * plan.tick_period_s();
        Ok(Self {
            rate_hz: grid.rate_hz(),
            count: grid.count,
            analog: AnalogChannel::ALL.map(|channel| analog(trace, channel, &recording, &grid)),
            logic: logic(&recording, &grid),
            trigger_s: trace.trigger().map_or(planned_s, |trigger| trigger.time_s),
            cause: trace.end_reason(),
            waveform: recording,
            settings: settings.clone(),
            changes,
        })
    }
}

fn analog(
    trace: &Trace<'_>,
    channel: AnalogChannel,
    recording: &Waveform,
    grid: &Grid,
) -> Option<AnalogSamples> {
    let view = trace.analog(channel)?;
    let series = recording.channel(channel.into())?;
    let Samples::Volts(volts) = &series.samples else { return None };
    let step_v = view.resolution();
    let (first, steps) = (volts.first()?, view.steps().next()?);
    Some(AnalogSamples {
        volts: grid.indices(series).filter_map(|index| volts.get(index).copied()).collect(),
        bottom_v: f64::from(*first) - f64::from(steps) * step_v,
        step_v,
    })
}

fn logic(recording: &Waveform, grid: &Grid) -> Option<Vec<u8>> {
    let mut bytes: Option<Vec<u8>> = None;
    for (line, channel) in Channel::L.into_iter().enumerate() {
        let Some(Series { samples: Samples::Levels(levels), .. }) = recording.channel(channel) else {
            continue;
        };
        let Some(series) = recording.channel(channel) else { continue };
        let bytes = bytes.get_or_insert_with(|| vec![0; grid.count]);
        for (byte, index) in bytes.iter_mut().zip(grid.indices(series)) {
            *byte |= levels.get(index).copied().unwrap_or(0) << line;
        }
    }
    bytes
}

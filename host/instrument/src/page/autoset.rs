//! Settings that show what is there.

use std::sync::Arc;
use std::time::Duration;

use scopething_core::device::BS05;
use scopething_core::plan::{
    AnalogChannel, Channel, LogicLine, LogicPattern, TriggerMode, TriggerSource, TriggerType,
};
use scopething_waveform::measure::{Measurements, WaveformAnalysis};
use scopething_waveform::waveform::{Samples, Waveform};

use super::acquire::Shared;
use super::panel::Run;
use super::panel::{self, HORIZONTAL_DIVISIONS};
use crate::capture::Capture;
use crate::handle::TriggerTimeout;
use crate::settings::{Settings, VERTICAL_DIVISIONS};
use crate::steps::{nearest_step, step_at_least};

/// Time spans that are looked at, in seconds, until one shows some periods: from 10 Hz to what 12288 samples of 20 MS/s
/// resolve.
const SPANS_S: [f64; 4] = [100e-3, 10e-3, 1e-3, 100e-6];
/// Edges that a signal must show in a span to be measured there.
const MIN_EDGES: usize = 4;
/// Edges from which on a shorter span is better.
const MAX_EDGES: usize = 400;
/// Periods that are shown.
const PERIODS: f64 = 3.0;
/// Peak to peak below this is no signal, in volts: some steps of 8 bits of the whole range.
const MIN_SIGNAL_V: f64 = 0.12;
/// The part of the height that a signal fills at most.
const FILL: f64 = 0.8;

/// Shows both channels and all lines over a range of time spans, and sets what fits what is there.
///
/// # Errors
/// If the device cannot capture, or nothing moves.
pub(crate) async fn autoset(shared: &Arc<Shared>, by: &str) -> Result<(), String> {
    let before = shared.handle.state().settings;
    let mut seen = None;
    for span_s in SPANS_S {
        let capture = look(shared, by, span_s).await.inspect_err(|_| restore(shared, by, &before))?;
        let found = Found::of(&capture.waveform);
        let edges = found.best.map_or(0, |best| best.edges);
        if edges >= MIN_EDGES || seen.is_none() {
            seen = Some(found);
        }
        if edges < MAX_EDGES {
            break;
        }
    }
    let Some(found) = seen.filter(Found::is_something) else {
        restore(shared, by, &before);
        return Err("nothing moves on any channel: connect a signal, or turn the knobs by hand".to_owned());
    };
    shared.set_controls(|controls| {
        shared.handle.set(by, |settings| {
            found.apply(settings);
            panel::set_samples(settings, controls);
        });
        controls.run = Run::Continuous;
    });
    Ok(())
}

fn restore(shared: &Shared, by: &str, before: &Settings) {
    shared.handle.set(by, |settings| *settings = before.clone());
}

/// One capture of everything.
async fn look(shared: &Shared, by: &str, span_s: f64) -> Result<Arc<Capture>, String> {
    let (low, high) = (BS05.analog.safe_low, BS05.analog.safe_high);
    shared.handle.set(by, |settings| {
        for vertical in &mut settings.analog {
            vertical.shown = true;
            vertical.set_span(high - low);
            vertical.middle_v = f64::midpoint(low, high);
        }
        settings.lines = 0xff;
        settings.set_span(span_s);
    });
    let capture = shared.handle.capture(TriggerTimeout::AtMost(Duration::ZERO)).await;
    let mut pending = capture.map_err(|error| error.to_string())?;
    pending.ready().await.map_err(|error| error.to_string())
}

/// A signal that repeats.
#[derive(Debug, Clone, Copy)]
struct Repeating {
    channel: Channel,
    edges: usize,
    frequency_hz: f64,
}

#[derive(Debug)]
struct Found {
    /// The lowest and highest voltage of each channel.
    extents: [Option<(f64, f64)>; 2],
    /// Lines that move, a bit each.
    lines: u8,
    /// What to trigger on, and to show some periods of.
    best: Option<Repeating>,
}

impl Found {
    fn of(waveform: &Waveform) -> Self {
        let analysis = WaveformAnalysis::of(waveform);
        let mut repeating = Vec::new();
        let mut found = Self { extents: [None; 2], lines: 0, best: None };
        for (measured, series) in analysis.channels.iter().zip(waveform.channels()) {
            let edges = match &measured.measurements {
                Measurements::Analog(analog) => &analog.analysis.edges,
                Measurements::Logic(logic) => &logic.edges,
            };
            let moves = match (&series.samples, series.channel) {
                (Samples::Levels(_), Channel::Logic(line)) => {
                    let moves = edges.rising + edges.falling > 0;
                    found.lines |= if moves { line.bit() } else { 0 };
                    moves
                }
                (samples, Channel::Analog(channel)) => {
                    let extent = samples.extent().map(|(low, high)| (f64::from(low), f64::from(high)));
                    let place = &mut found.extents[usize::from(channel == AnalogChannel::B)];
                    *place = extent.filter(|(low, high)| high - low >= MIN_SIGNAL_V);
                    place.is_some()
                }
                _ => false,
            };
            if let (true, Some(frequency_hz)) = (moves, edges.frequency_hz) {
                let edges = edges.rising + edges.falling;
                repeating.push(Repeating { channel: series.channel, edges, frequency_hz });
            }
        }
        // Analog channels come first, the first of them is what the user most likely looks at.
        found.best = repeating.first().copied();
        found
    }

    fn is_something(&self) -> bool {
        self.extents.iter().any(Option::is_some) || self.lines != 0
    }

    fn apply(&self, settings: &mut Settings) {
        let any_analog = self.extents.iter().any(Option::is_some);
        for (vertical, extent) in settings.analog.iter_mut().zip(self.extents) {
            vertical.shown = extent.is_some();
            if let Some((low, high)) = extent {
                let scale_v = step_at_least((high - low) / (VERTICAL_DIVISIONS * FILL), 1e-3, 5.0);
                vertical.set_span(scale_v * VERTICAL_DIVISIONS);
                // To a tenth of a division, so that the number is one that can be read.
                let step_v = scale_v / 10.0;
                // Zero is added to have no negative one.
                vertical.middle_v = (f64::midpoint(low, high) / step_v).round() * step_v + 0.0;
            }
        }
        settings.lines = self.lines;
        if let Some(best) = self.best {
            let division_s = PERIODS / best.frequency_hz / HORIZONTAL_DIVISIONS;
            settings.set_span(nearest_step(division_s, 1e-9, 10.0) * HORIZONTAL_DIVISIONS);
            settings.trigger = TriggerSource::of_channel(best.channel);
        } else if !any_analog && let Some(line) = LogicLine::all().find(|line| self.lines & line.bit() != 0) {
            settings.trigger = TriggerSource::Logic(LogicPattern::line(line, true));
        }
        settings.trigger_type = TriggerType::Rising;
        settings.trigger_mode = TriggerMode::Auto;
        settings.position = 0.5;
        settings.level_v = match settings.trigger {
            TriggerSource::Analog(channel) => {
                let extent = self.extents[usize::from(channel == AnalogChannel::B)];
                extent.map(|(low, high)| f64::midpoint(low, high))
            }
            TriggerSource::Logic(_) => None,
        };
    }
}

/// Puts the trigger level halfway between the lowest and the highest voltage of the last trace.
///
/// # Errors
/// If there is no such trace.
pub(crate) fn level(shared: &Shared, by: &str) -> Result<(), String> {
    let TriggerSource::Analog(channel) = shared.handle.state().settings.trigger else {
        return Err("the trigger watches logic lines, which have no level".to_owned());
    };
    let latest = shared.latest.borrow().clone();
    let extent = latest.and_then(|latest| latest.capture.waveform.channel(channel.into())?.samples.extent());
    let Some((low, high)) = extent else {
        return Err(format!("there is no trace of {channel} to take the level from"));
    };
    shared.handle.set(by, |settings| settings.level_v = Some(f64::midpoint(f64::from(low), f64::from(high))));
    Ok(())
}

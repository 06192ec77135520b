//! What browsers and programs can have done, as JSON: over the WebSocket, and posted.

use std::sync::Arc;

use scopething::generate::{ClockSpec, GeneratorRequest, SpecError, WaveSpec, parse_levels};
use scopething_core::calibration::{CalibrationError, CalibrationRequest};
use scopething_core::device::Attenuation;
use scopething_core::plan::{AnalogChannel, Channel, ChannelSet, PlayMode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::acquire::Shared;
use super::autoset;
use super::history::{MAX_PINNED, NotPinned};
use super::panel::{self, Controls, Patch, Run};
use super::roll;
use super::session::Role;
use crate::handle::{GeneratorChange, SharedState};

/// The version of the interface, in its addresses as well.
const VERSION: u32 = 1;
/// Browsers and programs that look at the same time: listeners have more connections than that for their
/// requests.
pub const MAX_CLIENTS: usize = 16;

/// A command.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub enum Command {
    /// Turn knobs.
    Set {
        /// Which.
        settings: Box<Patch>,
    },
    /// Start, stop, or capture once.
    Run {
        /// What is to follow.
        run: Run,
    },
    /// End the present capture now, without its trigger.
    Force {},
    /// Find settings that show the signals.
    Autoset {},
    /// Put the trigger level halfway between the lowest and the highest voltage of the last trace.
    Level {},
    /// Play a waveform such as `sine 1kHz 0..3.3V`, run clocks such as `1MHz L5`, or hold lines such as `L3=1`; without any of
    /// these: stop.
    Generate {
        /// A waveform.
        wave: Option<String>,
        /// Clocks.
        clock: Option<String>,
        /// Levels of lines.
        hold: Option<String>,
    },
    /// Find the parameters of the probes by the device's own clock on L5, which they must be connected to.
    Calibrate {
        /// The channels whose probes are; none are both.
        #[serde(default)]
        channels: Vec<String>,
        /// Converter settings a side of the grid.
        grid: Option<u16>,
    },
    /// Give up the calibration that is being done.
    #[serde(rename = "cancel-calibration")]
    CancelCalibration {},
    /// Keep a trace of the history by a name; null gives it up.
    Pin {
        /// The number of the trace.
        seq: u64,
        /// Its name.
        name: Option<String>,
    },
    /// Drop a trace of the history.
    Drop {
        /// The number of the trace.
        seq: u64,
    },
}

/// The longest name of a trace, in bytes.
const MAX_NAME_BYTES: usize = 80;

impl Command {
    /// Executes it; what it sets is reported under the name of who wants it.
    ///
    /// # Errors
    /// Why it cannot be done, and what could be.
    pub async fn execute(self, shared: &Arc<Shared>, by: &str) -> Result<(), String> {
        match self {
            Self::Set { settings } => set(shared, by, &settings)?,
            Self::Run { run } => shared.set_controls(|controls| controls.run = run),
            Self::Force {} => shared.set_controls(|controls| {
                controls.forced += 1;
                if controls.run == Run::Stop {
                    controls.run = Run::Single;
                }
            }),
            Self::Autoset {} => autoset::autoset(shared, by).await?,
            Self::Level {} => autoset::level(shared, by)?,
            Self::Generate { wave, clock, hold } => {
                let change = generation(wave.as_deref(), clock.as_deref(), hold.as_deref())?;
                shared.handle.change_generator(change).await?;
            }
            Self::Calibrate { channels, grid } => {
                let request = calibration(shared, &channels, grid)?;
                shared.handle.calibrate(request).await?;
            }
            Self::CancelCalibration {} => shared.handle.cancel_calibration(),
            Self::Pin { seq, name } => pin(shared, seq, name)?,
            Self::Drop { seq } => drop_trace(shared, seq)?,
        }
        Ok(())
    }
}

fn set(shared: &Shared, by: &str, patch: &Patch) -> Result<(), String> {
    let mut result = Ok(());
    shared.set_controls(|controls| {
        shared.handle.set(by, |settings| result = patch.apply(settings, controls));
    });
    result
}

/// What is to be calibrated. What cannot be is refused before the device is asked.
fn calibration(shared: &Shared, names: &[String], grid: Option<u16>) -> Result<CalibrationRequest, String> {
    let probe = shared.handle.state().probe;
    if probe.attenuation != Attenuation::NONE {
        return Err(
            "the probes have an attenuation, which a calibration finds itself: start without --attenuation, \
                    and without the line in analog.conf"
                .to_owned(),
        );
    }
    let new = CalibrationRequest::new(probe);
    let mut channels = ChannelSet::EMPTY;
    for name in names {
        let named = name.parse::<ChannelSet>().map_err(|error| format!("the channel {name:?}: {error}"))?;
        channels = channels.union(named);
    }
    if channels.logic() != 0 {
        return Err(CalibrationError::NoChannel.to_string());
    }
    let channels = if channels.is_empty() { new.channels } else { channels };
    let factors = shared.controls.borrow().attenuation;
    for (channel, factor) in AnalogChannel::ALL.into_iter().zip(factors) {
        if factor != 1.0 && channels.contains(Channel::Analog(channel)) {
            return Err(format!(
                "the probe of channel {channel} is set to {factor}, which a calibration finds itself: set it to 1"
            ));
        }
    }
    let grid = grid.unwrap_or(new.grid);
    if !(CalibrationRequest::MIN_GRID..=CalibrationRequest::MAX_GRID).contains(&grid) {
        return Err(CalibrationError::Grid(grid).to_string());
    }
    Ok(CalibrationRequest { channels, grid, ..new })
}

/// What the generator is to do. What cannot be planned is refused before the device is asked.
fn generation(
    wave: Option<&str>,
    clock: Option<&str>,
    hold: Option<&str>,
) -> Result<GeneratorChange, String> {
    let request = match (wave, clock, hold) {
        (None, None, None) => return Ok(GeneratorChange::Stop),
        (Some(text), None, None) => {
            let spec: WaveSpec = text.parse().map_err(|error: SpecError| error.to_string())?;
            if spec.file().is_some() {
                return Err("files are not read for others: give a shape".to_owned());
            }
            GeneratorRequest::wave(spec, PlayMode::Repeat).map_err(|error| error.to_string())?
        }
        (None, Some(text), None) => {
            let clocks = text.parse::<ClockSpec>().and_then(|spec| spec.request());
            GeneratorRequest::Clocks(clocks.map_err(|error| error.to_string())?)
        }
        (None, None, Some(text)) => GeneratorRequest::Levels(parse_levels(text)?),
        _ => return Err("the generator does one thing at a time: give wave, clock or hold".to_owned()),
    };
    request.plan().map_err(|error| error.to_string())?;
    Ok(GeneratorChange::Start(Arc::new(request)))
}

fn unknown_trace(seq: u64) -> String {
    format!("trace {seq} is no longer kept: see /api/v1/traces for those that are")
}

fn pin(shared: &Shared, seq: u64, name: Option<String>) -> Result<(), String> {
    if name.as_ref().is_some_and(|name| name.len() > MAX_NAME_BYTES) {
        return Err(format!("a name has at most {MAX_NAME_BYTES} bytes"));
    }
    shared.history().pin(seq, name).map_err(|reason| match reason {
        NotPinned::NoSuchTrace => unknown_trace(seq),
        NotPinned::TooMany => format!("{MAX_PINNED} traces are pinned already: give up one of them"),
    })
}

fn drop_trace(shared: &Shared, seq: u64) -> Result<(), String> {
    if shared.history().remove(seq) { Ok(()) } else { Err(unknown_trace(seq)) }
}

/// The traces that are kept, the last one first.
#[must_use]
pub fn traces_json(shared: &Shared) -> Value {
    let mut history = shared.history();
    let traces = history.list().map(|listed| {
        let mut trace = serde_json::to_value(&listed.trace.about).unwrap_or_default();
        if let Some(object) = trace.as_object_mut() {
            object.insert("name".to_owned(), listed.name.clone().into());
        }
        trace
    });
    Value::Array(traces.collect())
}

/// What becomes of the settings.
fn actual(shared: &Shared, state: &SharedState, controls: &Controls) -> Value {
    if shared.is_rolling()
        && let Ok(plan) =
            shared.handle.plan_stream(&roll::request(&state.settings, shared.handle.bytes_per_second))
    {
        return panel::stream_json(&plan, &state.settings);
    }
    let mut actual = match shared.handle.plan() {
        Ok(plan) => panel::plan_json(&plan, &state.settings, controls),
        Err(error) => return json!({"error": error.to_string()}),
    };
    let notices = actual.get_mut("notices").and_then(Value::as_array_mut);
    if let (Some(notices), Some((at, reason))) = (notices, &*shared.not_rolling.borrow())
        && *at == state.changes + controls.changes
    {
        notices.push(format!("it does not roll: {reason}").into());
    }
    actual
}

/// Everything that the knobs and lamps show.
#[must_use]
pub fn state_json(shared: &Shared, role: Role) -> Value {
    let state = shared.handle.state();
    let controls = shared.controls.borrow().clone();
    let actual = actual(shared, &state, &controls);
    json!({
        "type": "state",
        "version": VERSION,
        "role": role.name(),
        "changes": state.changes + controls.changes,
        "run": controls.run,
        "settings": panel::settings_json(&state.settings, &controls),
        "actual": actual,
        "limits": panel::limits_json(),
        "calibration": shared.handle.calibration(),
        "generator": {"waveform": state.driven.waveform, "lines": state.driven.lines, "text": state.generator},
        "device": {
            "serial": shared.handle.serial, "program": env!("CARGO_PKG_VERSION"),
            "lost": *shared.handle.lost.borrow(),
        },
        "clients": shared.client_count(),
        "max_clients": MAX_CLIENTS,
    })
}

#[cfg(test)]
mod tests {
    use scopething_core::device::{AnalogParameters, BS05};

    use super::*;
    use crate::{Instrument, Opened};

    /// What becomes of a calibration of these channels, by the device's parameters and the page's factors.
    async fn calibrated(probe: AnalogParameters, factors: [f64; 2], names: &[&str]) -> Result<(), String> {
        let link = scopething::link::open(&"sim:".parse().unwrap()).await.unwrap();
        // The request is taken, though nothing serves it.
        let Opened { instrument: _instrument, handle, .. } = Instrument::open(link, probe).await.unwrap();
        let shared = Shared::new(handle);
        shared.set_controls(|controls| controls.attenuation = factors);
        let channels = names.iter().map(|name| (*name).to_owned()).collect();
        let result = Command::Calibrate { channels, grid: None }.execute(&shared, "test").await;
        assert_eq!(shared.handle.calibration().is_running(), result.is_ok());
        result
    }

    #[tokio::test]
    async fn what_divides_already_is_not_calibrated_as_well() {
        let divided = BS05.analog.attenuated(Attenuation { a: 1.0, b: 10.0 });
        let refused = calibrated(divided, [1.0; 2], &[]).await.unwrap_err();
        assert!(refused.contains("without --attenuation"), "{refused}");
        for (names, is_refused) in [(&[][..], true), (&["A"], true), (&["B"], false), (&["A", "B"], true)] {
            let result = calibrated(BS05.analog, [10.0, 1.0], names).await;
            assert_eq!(result.is_err(), is_refused, "{names:?} {result:?}");
            if let Err(refused) = result {
                assert!(refused.contains("channel A is set to 10"), "{refused}");
            }
        }
        assert_eq!(calibrated(BS05.analog, [1.0; 2], &[]).await, Ok(()));
    }
}

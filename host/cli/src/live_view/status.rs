//! What is going on, in words.

use std::time::Duration;

use scopething_serve::client::{CalibrationState, Run, Status};
use scopething_waveform::quantity_text::quantity;

use super::model::{Connection, Lamp, Model};

/// How long a wait must last to be shown as one, so that the line does not flicker with each trace.
const WAIT_SHOWN: Duration = Duration::from_millis(350);
/// How often figures are made of what was counted.
pub(super) const FIGURES_INTERVAL: Duration = Duration::from_millis(500);

impl Model {
    /// What is going on.
    pub(super) fn status_line(&self) -> (Lamp, String) {
        let run = self.state.as_ref().map_or(Run::Stop, |state| state.run);
        let long = self.status_since.elapsed() > WAIT_SHOWN;
        let calibration = self.state.as_ref().and_then(|state| progress(&state.calibration));
        match (&self.connection, &self.status) {
            (Connection::Lost(reason), _) => (Lamp::Bad, format!("No connection: {reason}. Trying again.")),
            (_, Status::Closed { reason }) => (Lamp::Bad, format!("The oscilloscope is gone: {reason}")),
            (_, Status::Lost { reason }) => (
                Lamp::Bad,
                format!("The oscilloscope is unplugged: {reason}. Plug it in: this goes on by itself."),
            ),
            (_, Status::Refused { reason }) => (Lamp::Bad, reason.clone()),
            _ if self.state.is_none() => (Lamp::Wait, "Connecting".to_owned()),
            _ if calibration.is_some() => (Lamp::Wait, calibration.unwrap_or_default()),
            _ if self.kept.is_some() => {
                let seq = self.kept.as_ref().map_or(0, |(frame, _)| frame.about.seq);
                (Lamp::Wait, format!("Trace {seq} of the history. Esc: back to live"))
            }
            _ if run == Run::Stop => (Lamp::Off, "Stopped".to_owned()),
            (_, Status::Waiting { hint: Some(hint), .. }) => {
                (Lamp::Wait, format!("Waiting: {hint}, or press F"))
            }
            (_, Status::Waiting { until, .. }) if long || run == Run::Single => {
                (Lamp::Wait, format!("Waiting for {until}"))
            }
            (_, Status::Rolling) => (Lamp::Good, "Rolling".to_owned()),
            _ => (Lamp::Good, "Running".to_owned()),
        }
    }

    /// How long until the screen changes by itself.
    pub(super) fn next_change(&self) -> Duration {
        if self.status_since.elapsed() < WAIT_SHOWN { WAIT_SHOWN } else { FIGURES_INTERVAL }
    }
}

fn progress(calibration: &CalibrationState) -> Option<String> {
    let CalibrationState::Running { done, left } = calibration else { return None };
    let all = u32::from(*done) + u32::from(*left);
    Some(format!("Calibrating: {done} of {all} points. :calibrate cancel gives it up"))
}

/// What a calibration has come to, when it has ended.
pub(super) fn calibrated(before: &CalibrationState, now: &CalibrationState) -> Option<(Lamp, String)> {
    if before == now {
        return None;
    }
    match now {
        CalibrationState::None | CalibrationState::Running { .. } => None,
        CalibrationState::Cancelled => Some((Lamp::Wait, "Cancelled: the old parameters stay.".to_owned())),
        CalibrationState::Failed { reason } => Some((Lamp::Bad, format!("Not calibrated: {reason}."))),
        CalibrationState::Done { residual_volts, kept, not_kept, .. } => {
            let residual = quantity(*residual_volts, "V", 3);
            let place = match (kept, not_kept) {
                (Some(place), _) => format!("kept as {place}"),
                (None, reason) => format!(
                    "kept until this ends only: {}",
                    reason.as_deref().unwrap_or("nowhere to keep it")
                ),
            };
            Some((Lamp::Good, format!("Calibrated: levels are met within {residual} rms, {place}.")))
        }
    }
}

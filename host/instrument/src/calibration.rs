//! The calibration of the probes, with its progress, for all clients to see.

use std::ops::ControlFlow;
use std::time::Duration;

use scopething::link::{HostScope, LinkError};
use scopething::timer::Instant;
use scopething_core::calibration::{Calibration, CalibrationRequest};
use scopething_core::device::AnalogParameters;
use scopething_core::scope::{CalibrateError, CalibrationProgress};
use scopething_core::trace::TraceBuffer;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// How often the progress is shown.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Keeps the parameters of the probes for later, where the next program finds them; returns where that is.
pub type KeepCalibration = Box<dyn FnMut(&AnalogParameters) -> Result<String, String>>;

/// What has become of the calibration that was asked for last.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum CalibrationState {
    /// None was asked for.
    #[default]
    None,
    /// It is being done.
    Running {
        /// Points of the grid that were measured.
        done: u16,
        /// Points that are left.
        left: u16,
    },
    /// It is done: captures use its parameters.
    Done {
        /// What the levels of the clock were off from those that the parameters make of them, in volts rms.
        residual_volts: f64,
        /// The same as a part of the range of the converter.
        residual_of_range: f64,
        /// How many levels were used.
        used: u32,
        /// How many were too far off.
        rejected: u32,
        /// The height of the converter's range with both DACs at rest, in volts, before.
        scale_before: f64,
        /// The same now.
        scale: f64,
        /// The bottom of that range, in volts, before.
        offset_before: f64,
        /// The same now.
        offset: f64,
        /// Where they are kept; none: nowhere, for the reason in `not_kept`.
        kept: Option<String>,
        /// Why they are not kept for the next time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_kept: Option<String>,
    },
    /// It failed: the old parameters stay.
    Failed {
        /// Why, and what to do.
        reason: String,
    },
    /// It was cancelled: the old parameters stay.
    Cancelled,
}

impl CalibrationState {
    /// Whether it is being done.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        matches!(self, Self::Running { .. })
    }
}

/// Calibrates, and shows how far it has come, until whoever wants it sets `cancelled`.
pub(crate) async fn run(
    scope: &mut HostScope,
    request: &CalibrationRequest,
    buffer: &mut TraceBuffer,
    state: &watch::Sender<CalibrationState>,
    cancelled: &watch::Receiver<bool>,
) -> Result<Calibration, CalibrateError<LinkError>> {
    let mut shown: Option<Instant> = None;
    let progress = |at: CalibrationProgress| {
        if shown.is_none_or(|shown| shown.elapsed() >= PROGRESS_INTERVAL) {
            shown = Some(Instant::now());
            state.send_replace(CalibrationState::Running { done: at.done, left: at.left });
        }
        if *cancelled.borrow() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    scope.calibrate(request, buffer, progress).await
}

/// What clients see of one that is done.
pub(crate) fn done(
    before: &AnalogParameters,
    calibration: &Calibration,
    kept: Result<String, String>,
) -> CalibrationState {
    let Calibration { parameters, residual_volts, residual_of_range, used, rejected, .. } = *calibration;
    let (kept, not_kept) = match kept {
        Ok(place) => (Some(place), None),
        Err(reason) => (None, Some(reason)),
    };
    CalibrationState::Done {
        residual_volts,
        residual_of_range,
        used,
        rejected,
        scale_before: before.scale,
        scale: parameters.scale,
        offset_before: before.offset,
        offset: parameters.offset,
        kept,
        not_kept,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use scopething::timer;
    use scopething_core::device::BS05;
    use scopething_core::plan::WaveShape;

    use super::*;
    use crate::handle::{GeneratorWaveform, Handle};
    use crate::{Instrument, Opened};

    /// Does something with an instrument whose probes see the clock, or `signals`, and gives what was kept.
    async fn with_instrument(signals: &str, test: impl AsyncFnOnce(Handle)) -> Vec<AnalogParameters> {
        let url = format!("sim:?clock=fast{signals}").parse().unwrap();
        let link = scopething::link::open(&url).await.unwrap();
        let Opened { mut instrument, handle, .. } = Instrument::open(link, BS05.analog).await.unwrap();
        let kept = Rc::new(RefCell::new(Vec::new()));
        let keep = Rc::clone(&kept);
        instrument.keep_calibrations_by(Box::new(move |parameters| {
            keep.borrow_mut().push(*parameters);
            Ok("here".to_owned())
        }));
        tokio::select! {
            failed = Box::pin(instrument.run()) => panic!("{failed:?}"),
            () = Box::pin(test(handle)) => {}
        }
        kept.take()
    }

    fn request() -> CalibrationRequest {
        CalibrationRequest { grid: CalibrationRequest::MIN_GRID, ..CalibrationRequest::new(BS05.analog) }
    }

    async fn ended(handle: &Handle) -> CalibrationState {
        handle.calibration.subscribe().wait_for(|state| !state.is_running()).await.unwrap().clone()
    }

    #[tokio::test]
    async fn all_clients_see_what_is_found_and_generators_go_on() {
        let kept = with_instrument("", async |handle| {
            let sine = GeneratorWaveform {
                frequency_hz: 1e3,
                shape: WaveShape::Sine,
                symmetry: 0.5,
                low_v: 0.0,
                high_v: 3.0,
            };
            handle.generate(Some(sine)).await;
            let changes = handle.state().changes;
            handle.calibrate(request()).await.unwrap();
            assert!(handle.calibrate(request()).await.is_err_and(|reason| reason.contains("already")));
            let CalibrationState::Done { scale, kept, used, .. } = ended(&handle).await else {
                panic!("{:?}", handle.calibration());
            };
            assert!((scale - BS05.analog.scale).abs() < 0.1 && used > 100, "{scale} {used}");
            assert_eq!(kept.as_deref(), Some("here"));
            assert_eq!((handle.state().probe.scale, handle.state().changes), (scale, changes + 1));
            let mut state = handle.state.subscribe();
            let goes_on = state.wait_for(|state| state.generator.is_some() && state.driven.waveform);
            timer::timeout(Duration::from_secs(10), goes_on).await.unwrap().unwrap();
        })
        .await;
        assert_eq!(kept.len(), 1);
    }

    #[tokio::test]
    async fn one_that_is_cancelled_or_fails_changes_nothing() {
        let kept = with_instrument("", async |handle| {
            handle.calibrate(CalibrationRequest { grid: 64, ..request() }).await.unwrap();
            handle
                .calibration
                .subscribe()
                .wait_for(|state| matches!(state, CalibrationState::Running { done, .. } if *done > 0))
                .await
                .unwrap();
            handle.cancel_calibration();
            assert_eq!(ended(&handle).await, CalibrationState::Cancelled);
            assert_eq!(handle.state().probe, BS05.analog);
        })
        .await;
        assert_eq!(kept, []);
        let kept = with_instrument("&A=dc,1V", async |handle| {
            handle.calibrate(request()).await.unwrap();
            let CalibrationState::Failed { reason } = ended(&handle).await else {
                panic!("{:?}", handle.calibration());
            };
            assert!(reason.contains("channel A does not see the clock"), "{reason}");
            assert_eq!(handle.state().probe, BS05.analog);
        })
        .await;
        assert_eq!(kept, []);
    }
}

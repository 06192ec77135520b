//! Captures with a connected scope, and what ends them.

use std::time::{Duration, Instant};

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use scopething_core::scope::CaptureOptions;
use scopething_core::trace::Trace;

use crate::connection::{Connection, Device, request_of, run};
use crate::failure::Failure;
use crate::gate::lock;
use crate::probes::attenuation_of;
use crate::recording::Recording;

/// A second press of Ctrl-C within this time is for the program, and not for the next capture.
const DOUBLE_PRESS: Duration = Duration::from_secs(1);

#[pymethods]
impl Connection {
    /// Captures a trace. None if it was cancelled before the first sample.
    fn capture(
        &self,
        py: Python<'_>,
        arguments: &Bound<'_, PyDict>,
        probe: &str,
        attenuation: Option<&str>,
        verify: bool,
    ) -> PyResult<Option<Recording>> {
        let request = request_of(py, arguments)?;
        let attenuation = attenuation_of(py, attenuation)?;
        let mut is_by_signal = false;
        let recording = self.with(py, |device| {
            let probe = self.probe(device, probe, attenuation)?;
            let by_signal = &mut is_by_signal;
            let Device { runtime, scope, buffer, .. } = device;
            let device = format!("{} {}", scope.model().name, self.revision());
            scope.set_probe(probe);
            let driven = scope.driven();
            let plan = scope.plan(&request).map_err(Failure::from)?;
            let mut cancels = self.shared.cancels.subscribe();
            cancels.mark_unchanged();
            let cancelled = async move {
                if cancels.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let capturing = async {
                let options = CaptureOptions::new().cancelled_by(cancelled);
                let trace: Trace<'_> = if verify {
                    scope.capture_with(&plan, buffer, options.verified()).await.map_err(Failure::from)?
                } else {
                    scope.capture_with(&plan, buffer, options).await.map_err(Failure::from)?
                };
                if trace.samples() == 0 {
                    return Ok(None);
                }
                Recording::of_trace(&trace, request, driven, device).map(Some)
            };
            run(runtime, &self.shared, capturing, || self.keep_interrupt(by_signal))
        })?;
        if recording.is_none() && is_by_signal {
            return Err(PyKeyboardInterrupt::new_err(()));
        }
        Ok(recording)
    }

    /// Ends the capture that runs: it gives the trace around this moment.
    fn cancel(&self) {
        self.shared.cancels.send_modify(|cancels| *cancels += 1);
    }
}

impl Connection {
    /// Whether a press of Ctrl-C ends the capture instead of the program: the first one does.
    fn keep_interrupt(&self, kept: &mut bool) -> bool {
        let mut last = lock(&self.shared.interrupted);
        let is_double = last.is_some_and(|last| last.elapsed() < DOUBLE_PRESS);
        if *kept || is_double {
            *last = None;
            return false;
        }
        *last = Some(Instant::now());
        *kept = true;
        self.cancel();
        true
    }
}

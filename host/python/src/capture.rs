//! Captures with a connected scope, and what ends them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use scopething::link::HostScope;
use scopething::trigger_hint::awaited;
use scopething::watched::WatchedCapture;
use scopething_core::device::AnalogParameters;
use scopething_core::plan::CaptureRequest;
use scopething_core::trace::EndReason;

use crate::captured::{Captured, Planned};
use crate::connection::{Connection, Device, Request, run};
use crate::failure::Failure;
use crate::gate::lock;
use crate::probes::attenuation_of;
use crate::recording::Recording;

/// A second press of Ctrl-C within this time is for the program, and not for the next capture.
const DOUBLE_PRESS: Duration = Duration::from_secs(1);

/// A capture that was planned. Those that ask for the same run by this plan too, and look for the reason of a trigger that does
/// not come once in all.
pub(crate) struct PlannedCapture {
    planned: Arc<Planned>,
    probe: AnalogParameters,
    /// What it waits for, in words.
    awaited: String,
    capture: WatchedCapture,
}

impl PlannedCapture {
    /// The last one, if nothing has changed since, or a new one in its place.
    fn of<'a>(
        last: &'a mut Option<Self>,
        scope: &mut HostScope,
        request: &CaptureRequest,
        probe: AnalogParameters,
        revision: &str,
    ) -> Result<&'a mut Self, Failure> {
        let driven = scope.driven();
        let is_same = |Self { planned, probe: last, .. }: &Self| {
            planned.request == *request && *last == probe && planned.driven == driven
        };
        let same = last.take().filter(is_same);
        Ok(last.insert(match same {
            Some(same) => same,
            None => {
                scope.set_probe(probe);
                let plan = scope.plan(request)?;
                let awaited = awaited(&plan);
                let device = format!("{} {revision}", scope.model().name);
                let rows = PyOnceLock::new();
                let planned = Planned { plan: plan.clone(), request: *request, driven, device, rows };
                let capture = WatchedCapture::new(scope, request, plan);
                Self { planned: Arc::new(planned), probe, awaited, capture }
            }
        }))
    }
}

#[pymethods]
impl Connection {
    /// Captures a trace. None if it was cancelled before the first sample.
    fn capture(
        &self,
        py: Python<'_>,
        request: &Request,
        probe: &str,
        attenuation: Option<&str>,
        verify: bool,
    ) -> PyResult<Option<Recording>> {
        let request = request.0;
        let attenuation = attenuation_of(py, attenuation)?;
        let mut is_by_signal = false;
        let captured = self.with(py, |device| {
            let probe = self.probe(device, probe, attenuation)?;
            let by_signal = &mut is_by_signal;
            let Device { runtime, scope, buffer, planned, .. } = device;
            let revision = self.revision();
            let PlannedCapture { capture, planned: shared, awaited, .. } =
                PlannedCapture::of(planned, scope, &request, probe, revision)?;
            capture.verify = verify;
            let mut cancels = self.shared.cancels.subscribe();
            cancels.mark_unchanged();
            let cancelled = async move {
                if cancels.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let report = |hint| self.shared.waiting.is_for(awaited, Option::as_ref(&hint));
            let capturing = async {
                let trace = capture.capture(scope, buffer, cancelled, report).await.map_err(Failure::from)?;
                let is_cancelled = trace.end_reason() == EndReason::Cancel;
                let captured = (trace.samples() > 0).then(|| Captured::of_trace(&trace, shared));
                Ok((captured, is_cancelled))
            };
            let captured = run(runtime, &self.shared, capturing, || self.keep_interrupt(by_signal));
            self.shared.waiting.end();
            let (captured, is_cancelled) = captured?;
            if is_cancelled {
                // Whoever has changed something since wants to know again why the trigger does not come.
                *planned = None;
            }
            Ok(captured)
        })?;
        let recording = captured.map(Recording::of_capture);
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

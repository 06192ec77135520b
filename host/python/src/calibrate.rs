//! Calibrating the probes of a connected scope.

use std::ops::ControlFlow;
use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use scopething::bindings::run_asking;
use scopething::calibration_file::CalibrationFile;
use scopething_core::calibration::CalibrationRequest;
use scopething_core::device::BS05;
use scopething_core::plan::ChannelSet;

use crate::connection::{Connection, Device};
use crate::failure::{Failure, Raise, Stop};
use crate::gate;
use crate::probes::calibration_object;

/// What is calibrated, and where the result is kept, by name.
#[derive(Debug, FromPyObject)]
#[pyo3(from_item_all)]
struct Arguments {
    probe: String,
    channels: String,
    grid: u16,
    save: bool,
    file: Option<PathBuf>,
}

#[pymethods]
impl Connection {
    /// Calibrates a probe. `progress` is called with the points measured and those in all.
    fn calibrate<'py>(
        &self,
        py: Python<'py>,
        arguments: Arguments,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let Arguments { probe, channels, grid, save, file } = arguments;
        let channels: ChannelSet =
            channels.parse().map_err(|error| Failure::usage(format!("{channels:?} is {error}")).raise(py))?;
        let file = match file {
            Some(path) => Some(CalibrationFile::new(path)),
            None => CalibrationFile::of_user(),
        };
        if save {
            // Not only when it is found.
            let kept = CalibrationFile::check(self.section(), &probe);
            kept.map_err(|error| Failure::from(error).raise(py))?;
        }
        // This connection multiplies by the user's file, whichever file the result goes to.
        for file in file.iter().chain(&CalibrationFile::of_user()) {
            let unmultiplied = file.check_unmultiplied(self.section(), &probe);
            unmultiplied.map_err(|error| Failure::from(error).raise(py))?;
        }
        let (before, calibration) = self.with(py, |device| {
            let known = match &file {
                Some(file) => file.read(self.section(), &probe).ok().flatten(),
                None => None,
            };
            let before = known.unwrap_or(BS05.analog);
            let request = CalibrationRequest { channels, grid, ..CalibrationRequest::new(before) };
            let Device { runtime, scope, buffer, .. } = device;
            let mut raised = None;
            let work = |ask: &mut dyn FnMut((u16, u16)) -> Option<bool>| {
                let calibrating = async {
                    scope
                        .calibrate(&request, buffer, |at| match ask((at.done, at.left)) {
                            Some(true) => ControlFlow::Continue(()),
                            Some(false) | None => ControlFlow::Break(()),
                        })
                        .await
                        .map_err(Failure::from)
                        .map_err(Stop::from)
                };
                runtime.block_on(async {
                    tokio::select! {
                        biased;
                        calibrated = calibrating => calibrated,
                        () = self.shared.is_closed() => Err(Failure::closed().into()),
                        () = gate::shutting() => Err(Failure::closed().into()),
                    }
                })
            };
            let calibrated = run_asking(work, |(done, left)| match report(progress.as_ref(), done, left) {
                Ok(()) => true,
                Err(error) => {
                    raised = Some(error);
                    false
                }
            });
            if let Some(error) = raised {
                return Err(Stop::Raised(error));
            }
            let calibration = calibrated.map_err(Stop::from)??;
            self.take_probe(device, &probe, calibration.parameters);
            Ok((before, calibration))
        })?;
        if save {
            let file = file.ok_or_else(|| {
                Failure::usage("there is no home directory to keep calibrations in: name a file").raise(py)
            })?;
            let written = file.write(self.section(), &probe, &calibration.parameters);
            written.map_err(|error| Failure::from(error).raise(py))?;
        }
        calibration_object(py, &before, &calibration)
    }
}

/// Calls `progress`, and runs the handlers of signals.
fn report(progress: Option<&Py<PyAny>>, done: u16, left: u16) -> PyResult<()> {
    Python::attach(|py| {
        py.check_signals()?;
        match progress {
            Some(progress) => progress.call1(py, (done, done + left)).map(drop),
            None => Ok(()),
        }
    })
}

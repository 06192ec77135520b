//! Parameters of probes: from the file of calibrations, by name for Python, and in the order of the file.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use scopething::blocking::probe_of_user;
use scopething::calibration_file::{self, CalibrationFile};
use scopething::link::LinkUrl;
use scopething_core::calibration::Calibration;
use scopething_core::device::{AnalogParameters, Attenuation};

use crate::failure::{Failure, Raise as _};

/// The same front end, behind this attenuation instead of its own.
pub(crate) fn behind(probe: AnalogParameters, attenuation: Option<Attenuation>) -> AnalogParameters {
    AnalogParameters { attenuation: attenuation.unwrap_or(probe.attenuation), ..probe }
}

pub(crate) fn attenuation_of(py: Python<'_>, text: Option<&str>) -> PyResult<Option<Attenuation>> {
    let read = text.map(|text| {
        text.parse().map_err(|error| Failure::usage(format!("attenuation: {text:?} is {error}")).raise(py))
    });
    read.transpose()
}

fn parameters<'py>(py: Python<'py>, parameters: &AnalogParameters) -> PyResult<Bound<'py, PyDict>> {
    let object = PyDict::new(py);
    for (name, value) in calibration_file::NUMBERS.into_iter().zip(calibration_file::to_numbers(parameters)) {
        object.set_item(name, value)?;
    }
    Ok(object)
}

pub(crate) fn calibration_object<'py>(
    py: Python<'py>,
    before: &AnalogParameters,
    calibration: &Calibration,
) -> PyResult<Bound<'py, PyDict>> {
    let object = PyDict::new(py);
    object.set_item("before", parameters(py, before)?)?;
    object.set_item("after", parameters(py, &calibration.parameters)?)?;
    object.set_item("residual_volts", calibration.residual_volts)?;
    object.set_item("residual_of_range", calibration.residual_of_range)?;
    object.set_item("used", calibration.used)?;
    object.set_item("rejected", calibration.rejected)?;
    Ok(object)
}

/// The parameters of a probe by name, as a dictionary.
#[pyfunction]
pub(crate) fn probe<'py>(py: Python<'py>, url: &str, name: &str) -> PyResult<Bound<'py, PyDict>> {
    let url: LinkUrl = url.parse().map_err(|error| Failure::from(error).raise(py))?;
    let probe = probe_of_user(&url, name).map_err(|failure| failure.raise(py))?;
    parameters(py, &probe)
}

/// Keeps the parameters of a probe in the user's file of calibrations.
#[pyfunction]
pub(crate) fn save_probe(py: Python<'_>, url: &str, name: &str, numbers: [f64; 11]) -> PyResult<()> {
    let url: LinkUrl = url.parse().map_err(|error| Failure::from(error).raise(py))?;
    let file = CalibrationFile::of_user()
        .ok_or_else(|| Failure::usage("there is no home directory to keep calibrations in").raise(py))?;
    let written =
        file.write(&CalibrationFile::section_of(url.sound()), name, &calibration_file::of_numbers(numbers));
    written.map_err(|error| Failure::from(error).raise(py))
}

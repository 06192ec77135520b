//! The compiled part of the Python package `scopething`. What users see is in `python/scopething`, which this serves.

mod calibrate;
mod capture;
mod captured;
mod connection;
mod failure;
mod gate;
mod generators;
mod ports;
mod probes;
mod recording;
mod simulate;
mod stream;
mod turn;
mod waiting;

use pyo3::prelude::*;
use scopething::blocking::probe_of_user;
use scopething::link::LinkUrl;
use scopething_core::device::BS05;
use scopething_core::plan::{BusyOutputs, plan_capture};
use scopething_waveform::quantity::{self, Unit};
use scopething_waveform::quantity_text;

use crate::failure::{Failure, Raise as _};

/// A number with an SI prefix and a unit, as the program reads them.
#[pyfunction]
fn parse_quantity(py: Python<'_>, text: &str, unit: &str) -> PyResult<f64> {
    let unit = match unit {
        "s" => Unit::Seconds,
        "Hz" => Unit::Hertz,
        "V" => Unit::Volts,
        "part" => Unit::Fraction,
        _ => Unit::Count,
    };
    quantity::parse(text, unit).map_err(|error| Failure::usage(error.to_string()).raise(py))
}

/// A number with an SI prefix and a unit, as the program writes them.
#[pyfunction]
fn format_quantity(value: f64, unit: &str, digits: usize) -> String {
    quantity_text::quantity(value, unit, digits)
}

/// A phase such as `90deg`, `25%` or `0.25`, as a part of the period.
#[pyfunction]
fn parse_phase(py: Python<'_>, text: &str) -> PyResult<f64> {
    scopething::generate::phase(text).map_err(|error| Failure::usage(error.to_string()).raise(py))
}

/// Plans a capture without a device.
#[pyfunction]
fn plan<'py>(
    py: Python<'py>,
    request: &connection::Request,
    url: &str,
    probe: &str,
    attenuation: Option<&str>,
    waveform: bool,
    clock: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let request = request.0;
    let url: LinkUrl = url.parse().map_err(|error| Failure::from(error).raise(py))?;
    let attenuation = probes::attenuation_of(py, attenuation)?;
    let probe = probe_of_user(&url, probe).map_err(|failure| failure.raise(py))?;
    let probe = probes::behind(probe, attenuation);
    let driven = match (waveform, clock) {
        (true, _) => BusyOutputs::WAVEFORM,
        (false, true) => BusyOutputs::CLOCK,
        (false, false) => BusyOutputs::NOTHING,
    };
    let plan =
        plan_capture(&BS05, &probe, &request, driven).map_err(|error| Failure::from(error).raise(py))?;
    recording::plan_object(py, &plan, &request, driven)
}

/// The compiled part of `scopething`.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<connection::Connection>()?;
    module.add_class::<connection::Request>()?;
    module.add_class::<recording::Recording>()?;
    module.add_class::<stream::Reader>()?;
    module.add_class::<simulate::Served>()?;
    module.add_function(wrap_pyfunction!(ports::ports, module)?)?;
    module.add_function(wrap_pyfunction!(connection::are_same, module)?)?;
    module.add_function(wrap_pyfunction!(probes::probe, module)?)?;
    module.add_function(wrap_pyfunction!(probes::save_probe, module)?)?;
    module.add_function(wrap_pyfunction!(gate::shut, module)?)?;
    module.add_function(wrap_pyfunction!(gate::forget_threads, module)?)?;
    module.add_function(wrap_pyfunction!(recording::read, module)?)?;
    module.add_function(wrap_pyfunction!(simulate::simulate, module)?)?;
    module.add_function(wrap_pyfunction!(simulate::serve, module)?)?;
    module.add_function(wrap_pyfunction!(parse_quantity, module)?)?;
    module.add_function(wrap_pyfunction!(format_quantity, module)?)?;
    module.add_function(wrap_pyfunction!(parse_phase, module)?)?;
    module.add_function(wrap_pyfunction!(plan, module)?)?;
    Ok(())
}

//! The serial ports of this computer.

use pyo3::prelude::*;
use scopething::link;

use crate::failure::Failure;
use crate::gate;

/// The serial ports: name, USB id, whether it is a BitScope's, and why it cannot be used.
#[pyfunction]
#[allow(clippy::type_complexity, reason = "a row of a table, which Python names")]
pub(crate) fn ports(py: Python<'_>) -> PyResult<Vec<(String, Option<String>, bool, Option<String>)>> {
    let ports = gate::outside(py, || Ok(link::list_ports().map_err(Failure::from)?))?;
    let row = |port: link::Port| {
        let is_bitscope = port.is_bitscope();
        let usb = port.usb.as_ref().map(ToString::to_string);
        (port.name, usb, is_bitscope, port.obstacle.as_ref().map(ToString::to_string))
    };
    Ok(ports.into_iter().map(row).collect())
}

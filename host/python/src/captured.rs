//! What a capture gave, as the device sent it: most of what can be known of a trace nobody asks for, and it is made when
//! somebody does.

use std::sync::Arc;

use numpy::npyffi::{_PyArray_GET_ITEM_DATA, NPY_ARRAY_WRITEABLE};
use numpy::{Element, PyArray1, PyUntypedArrayMethods as _};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyTuple;
use scopething_core::plan::{BusyOutputs, CapturePlan, CaptureRequest, Channel};
use scopething_core::trace::{EndReason, Trace};
use scopething_waveform::moment::UnixMicros;
use scopething_waveform::waveform::{InvalidWaveform, Waveform};

/// How a capture was planned: the same for all that repeat it.
pub(crate) struct Planned {
    pub(crate) plan: CapturePlan,
    pub(crate) request: CaptureRequest,
    pub(crate) driven: BusyOutputs,
    /// The model and revision of the device.
    pub(crate) device: String,
    /// What Python knows of the channels.
    pub(crate) rows: PyOnceLock<Py<PyTuple>>,
}

/// One captured trace.
pub(crate) struct Captured {
    pub(crate) planned: Arc<Planned>,
    bytes: Box<[u8]>,
    samples: u16,
    cause: EndReason,
    end_ticks: u64,
    /// When it was read, by the computer's clock.
    pub(crate) read_at: UnixMicros,
}

impl Captured {
    pub(crate) fn of_trace(trace: &Trace<'_>, planned: &Arc<Planned>) -> Self {
        Self {
            planned: Arc::clone(planned),
            bytes: trace.bytes().into(),
            samples: trace.samples(),
            cause: trace.end_reason(),
            end_ticks: trace.end_ticks(),
            read_at: UnixMicros::now(),
        }
    }

    fn trace(&self) -> Trace<'_> {
        Trace::of_bytes(&self.planned.plan, &self.bytes, self.samples, self.cause, self.end_ticks)
    }

    /// All that is known of it.
    pub(crate) fn waveform(&self) -> Result<Waveform, InvalidWaveform> {
        Waveform::of_trace(&self.trace())
    }

    /// The samples of a channel, by its place among those that were captured.
    pub(crate) fn samples<'py>(&self, py: Python<'py>, index: usize) -> Option<Bound<'py, PyAny>> {
        Some(match self.planned.plan.channels.iter().nth(index)? {
            Channel::Analog(channel) => {
                let view = self.trace().analog(channel)?;
                let mut values = vec![0.0; view.len()];
                view.read_values(&mut values);
                read_only(py, values)
            }
            Channel::Logic(line) => read_only(py, self.trace().logic()?.levels(line).map(u8::from).collect()),
        })
    }
}

/// An array that nobody can write to.
fn read_only<T: Element>(py: Python<'_>, values: Vec<T>) -> Bound<'_, PyAny> {
    let array = PyArray1::from_vec(py, values);
    // `make_nonwriteable` of the crate does the same, after it has kept a list of who writes to which array.
    // SAFETY: the array is new, so that nobody reads or writes it while its flags change.
    unsafe { (*_PyArray_GET_ITEM_DATA(array.as_array_ptr())).flags &= !NPY_ARRAY_WRITEABLE };
    array.into_any()
}

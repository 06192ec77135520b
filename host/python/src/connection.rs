//! A connected scope: each operation runs to its end on the thread that asks for it, without the interpreter's lock.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use pythonize::depythonize;
use scopething::blocking::{self, probe_of_user};
use scopething::calibration_file::{self, CalibrationFile};
use scopething::link::{HostScope, LinkUrl, OpenLink};
use scopething::request::CaptureSpec;
use scopething_core::device::{AnalogParameters, Attenuation, BS05};
use scopething_core::plan::CaptureRequest;
use scopething_core::scope::Generators;
use scopething_core::trace::TraceBuffer;
use scopething_files::playback;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::capture::PlannedCapture;
use crate::failure::{Failure, Raise as _, Stop};
use crate::gate::{self, Process, lock};
use crate::probes::{attenuation_of, behind};
use crate::turn::Turns;
use crate::waiting::Waiting;

/// What an operation needs.
pub(crate) struct Device {
    pub(crate) runtime: Runtime,
    pub(crate) scope: HostScope,
    pub(crate) buffer: Box<TraceBuffer>,
    /// What was read from the file of calibrations, or found since.
    probes: HashMap<String, AnalogParameters>,
    /// How the last capture was planned.
    pub(crate) planned: Option<PlannedCapture>,
    /// An operation was given up: what the device does is not known.
    pub(crate) is_disturbed: bool,
}

/// What threads share, also while one has the device.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Counts the calls of `cancel`.
    pub(crate) cancels: watch::Sender<u64>,
    pub(crate) closed: watch::Sender<bool>,
    /// When Ctrl-C last ended a capture.
    pub(crate) interrupted: Mutex<Option<Instant>>,
    generators: Mutex<Generators>,
    /// What the capture that runs waits for.
    pub(crate) waiting: Waiting,
    /// What functions that are simulated signals raised.
    pub(crate) raised: Arc<Mutex<Option<PyErr>>>,
    pub(crate) process: Process,
}

impl Shared {
    /// Completes when it is closed.
    pub(crate) async fn is_closed(&self) {
        let mut closed = self.closed.subscribe();
        if closed.wait_for(|&closed| closed).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// A connected scope.
#[pyclass(frozen, module = "scopething._core")]
pub(crate) struct Connection {
    pub(crate) turns: Arc<Turns<Box<Device>>>,
    pub(crate) shared: Arc<Shared>,
    url: LinkUrl,
    /// The link in the file of calibrations.
    section: String,
    revision: String,
}

/// Runs a future to its end, unless a signal, the end of the interpreter or closing comes first. `take` may keep a press of
/// Ctrl-C for itself.
pub(crate) fn run<T>(
    runtime: &Runtime,
    shared: &Shared,
    work: impl Future<Output = Result<T, Stop>>,
    take: impl FnMut() -> bool,
) -> Result<T, Stop> {
    let result = runtime.block_on(async {
        tokio::select! {
            biased;
            result = work => result,
            stop = gate::visits(|| *shared.closed.borrow(), |py| shared.waiting.log(py), take) => Err(stop),
        }
    });
    match lock(&shared.raised).take() {
        Some(error) => Err(Stop::Raised(error)),
        None => result,
    }
}

impl Connection {
    fn open(
        url: LinkUrl,
        raised: Arc<Mutex<Option<PyErr>>>,
        opened: Option<Box<dyn FnOnce() -> OpenLink + Send>>,
    ) -> Result<Self, Stop> {
        let shared = Shared {
            cancels: watch::Sender::new(0),
            closed: watch::Sender::new(false),
            interrupted: Mutex::new(None),
            generators: Mutex::new(Generators::Off),
            waiting: Waiting::default(),
            raised,
            process: Process::current(),
        };
        let runtime = blocking::runtime()?;
        let connecting = async {
            let (url, link) = match opened {
                Some(open) => (url, open()),
                None => return Ok(blocking::connect(&url, playback::read).await?),
            };
            let scope = link.connect().await.map_err(Failure::connecting)?;
            Ok((url, scope))
        };
        let (url, scope) = run(&runtime, &shared, connecting, || false)?;
        let section = CalibrationFile::section_of(url.sound());
        let revision = scope.revision().to_string();
        let device = Device {
            runtime,
            scope,
            buffer: Box::new(TraceBuffer::new()),
            probes: HashMap::new(),
            planned: None,
            is_disturbed: false,
        };
        let turns = Arc::new(Turns::new(Box::new(device)));
        Ok(Self { turns, shared: Arc::new(shared), url, section, revision })
    }

    /// A scope behind a link that the caller opens within a runtime.
    pub(crate) fn of_simulator(
        query: String,
        raised: Arc<Mutex<Option<PyErr>>>,
        open: impl FnOnce() -> OpenLink + Send + 'static,
    ) -> Result<Self, Stop> {
        Self::open(LinkUrl::Sim { query }, raised, Some(Box::new(open)))
    }

    /// Runs an operation when its turn has come.
    pub(crate) fn with<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut Device) -> Result<T, Stop> + Send,
    ) -> PyResult<T> {
        self.shared.process.check().map_err(|failure| failure.raise(py))?;
        gate::outside(py, || {
            let mut device = self.turns.take()?;
            let result = work(&mut device);
            if matches!(result, Err(Stop::Raised(_))) || *self.shared.closed.borrow() || gate::is_shut() {
                device.is_disturbed = true;
            }
            *lock(&self.shared.generators) = device.scope.generators();
            if let Some(device) = self.turns.give_back(device) {
                self.leave(device);
            }
            result
        })
    }

    /// Stops what a device that was closed generates, and closes the link.
    pub(crate) fn leave(&self, mut device: Box<Device>) {
        let Device { runtime, scope, is_disturbed, .. } = &mut *device;
        blocking::leave(runtime, scope, *is_disturbed);
        *lock(&self.shared.generators) = Generators::Off;
    }

    /// The link in the file of calibrations.
    pub(crate) fn section(&self) -> &str {
        &self.section
    }

    pub(crate) fn is_bridge(&self) -> bool {
        self.url.is_bridge()
    }

    /// The parameters of a probe on this connection, behind this attenuation instead of the usual one.
    pub(crate) fn probe(
        &self,
        device: &mut Device,
        name: &str,
        attenuation: Option<Attenuation>,
    ) -> Result<AnalogParameters, Failure> {
        let known = match device.probes.get(name) {
            Some(known) => *known,
            None => {
                let probe = probe_of_user(&self.url, name)?;
                device.probes.insert(name.to_owned(), probe);
                probe
            }
        };
        Ok(behind(known, attenuation))
    }

    /// Takes other parameters for a probe, whose usual attenuation stays.
    pub(crate) fn take_probe(&self, device: &mut Device, name: &str, parameters: AnalogParameters) {
        // A probe that is new has none.
        let usual = self.probe(device, name, None).map_or(Attenuation::NONE, |known| known.attenuation);
        device.probes.insert(name.to_owned(), AnalogParameters { attenuation: usual, ..parameters });
    }
}

/// A capture that is asked for, with all its arguments read.
#[pyclass(frozen, module = "scopething._core")]
pub(crate) struct Request(pub(crate) CaptureRequest);

#[pymethods]
impl Request {
    #[new]
    fn new(py: Python<'_>, arguments: &Bound<'_, PyDict>) -> PyResult<Self> {
        let spec: Result<CaptureSpec, _> = depythonize(arguments.as_any());
        let spec = spec.map_err(|error| Failure::usage(plain(&error.to_string())).raise(py))?;
        spec.request().map(Self).map_err(|error| Failure::from(error).raise(py))
    }
}

/// Whether the arguments of a capture, the channels and the rest, are those very objects that `last` has.
#[pyfunction]
pub(crate) fn are_same(
    last: &Bound<'_, PyTuple>,
    channels: &Bound<'_, PyAny>,
    given: &Bound<'_, PyTuple>,
) -> bool {
    let is_same = |(one, other): (Bound<'_, PyAny>, Bound<'_, PyAny>)| one.is(&other);
    let Ok(last_channels) = last.get_item(0) else { return false };
    let are_same_channels = match (last_channels.cast_exact::<PyTuple>(), channels.cast_exact::<PyList>()) {
        (Ok(names), Ok(list)) => names.len() == list.len() && names.iter().zip(list.iter()).all(is_same),
        _ => last_channels.is(channels),
    };
    are_same_channels && last.len() == given.len() + 1 && last.iter().skip(1).zip(given.iter()).all(is_same)
}

/// What was wrong with an argument, without the words of the converter.
fn plain(text: &str) -> String {
    text.trim_start_matches("deserialize error: ").to_owned()
}

#[pymethods]
impl Connection {
    /// Connects to the scope at a URL.
    #[staticmethod]
    fn connect(py: Python<'_>, url: &str) -> PyResult<Self> {
        let url: LinkUrl = url.parse().map_err(|error| Failure::from(error).raise(py))?;
        gate::outside(py, || Self::open(url, Arc::new(Mutex::new(None)), None))
    }

    #[getter]
    fn url(&self) -> String {
        self.url.to_string()
    }

    #[getter]
    pub(crate) fn revision(&self) -> &str {
        &self.revision
    }

    #[getter]
    fn model(&self) -> &'static str {
        BS05.name
    }

    #[getter]
    fn is_closed(&self) -> bool {
        *self.shared.closed.borrow()
    }

    /// How many operations wait for their turn.
    #[getter]
    fn queued(&self) -> usize {
        self.turns.waiting()
    }

    /// What the capture that runs has waited for for some seconds, and why it does not come, where that is known.
    #[getter]
    fn waiting(&self) -> Option<String> {
        self.shared.waiting.text()
    }

    #[getter]
    fn generators(&self) -> &'static str {
        match *lock(&self.shared.generators) {
            Generators::Off => "off",
            Generators::Waveform { .. } => "waveform",
            Generators::Clocks { .. } => "clocks",
            Generators::Levels { .. } => "levels",
        }
    }

    /// The serial number, or why there is none.
    fn serial(&self, py: Python<'_>) -> PyResult<(Option<String>, Option<String>)> {
        let serial = self.with(py, |device| {
            let Device { runtime, scope, .. } = device;
            let read = async { Ok(scope.read_serial().await.map_err(Failure::from)?) };
            run(runtime, &self.shared, read, || false)
        })?;
        Ok((serial.as_ref().ok().map(ToString::to_string), serial.as_ref().err().map(ToString::to_string)))
    }

    /// Plans a capture for this scope: with its generators as they are and a probe's calibration.
    fn plan<'py>(
        &self,
        py: Python<'py>,
        request: &Request,
        probe: &str,
        attenuation: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let request = request.0;
        let attenuation = attenuation_of(py, attenuation)?;
        let (plan, driven) = self.with(py, |device| {
            let probe = self.probe(device, probe, attenuation)?;
            device.scope.set_probe(probe);
            Ok((device.scope.plan(&request).map_err(Failure::from)?, device.scope.driven()))
        })?;
        crate::recording::plan_object(py, &plan, &request, driven)
    }

    /// Takes other parameters for a probe, the eleven numbers of the file of calibrations, for captures of this connection.
    fn set_probe(&self, py: Python<'_>, name: &str, numbers: [f64; 11]) -> PyResult<()> {
        self.with(py, |device| {
            self.take_probe(device, name, calibration_file::of_numbers(numbers));
            Ok(())
        })
    }

    /// Takes the parameters of probes from the file of calibrations again.
    fn forget_probes(&self, py: Python<'_>) -> PyResult<()> {
        self.with(py, |device| {
            device.probes.clear();
            Ok(())
        })
    }

    /// Stops what is generated and closes the link; what runs in other threads ends. Called in the middle of an operation of
    /// the same thread, as by a handler of signals, it takes effect when that has ended. Twice does no harm.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.shared.process.is_left() || self.shared.closed.send_replace(true) {
            return Ok(());
        }
        gate::outside_to_the_last(py, || {
            if let Some(device) = self.turns.take_to_close() {
                self.leave(device);
            }
            Ok(())
        })
    }
}

/// A child process must not touch what it shares with its parent.
impl Drop for Connection {
    fn drop(&mut self) {
        if self.shared.process.is_left() {
            std::mem::forget(Arc::clone(&self.turns));
        }
    }
}

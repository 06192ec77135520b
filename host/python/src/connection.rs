//! A connected scope: each operation runs to its end on the thread that asks for it, without the interpreter's lock.

use std::collections::HashMap;
use std::future::Future;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pythonize::depythonize;
use scopething::calibration_file::{self, CalibrationFile};
use scopething::generate::{GeneratorPlan, WaveTable, parse_levels, stop};
use scopething::link::{self, Link, LinkClock, LinkUrl, OpenLink};
use scopething::request::CaptureSpec;
use scopething_core::calibration::CalibrationRequest;
use scopething_core::device::{AnalogParameters, Attenuation, BS05};
use scopething_core::plan::{
    CaptureRequest, ChannelSet, ClockOutput, ClockRequest, LogicLine, LogicPattern, PlayMode, WaveShape,
    WaveformRequest, plan_clocks, plan_levels, plan_waveform,
};
use scopething_core::scope::{CaptureOptions, Generators, Scope};
use scopething_core::trace::{Trace, TraceBuffer};
use scopething_files::playback;
use tokio::runtime::{self, Runtime};
use tokio::sync::watch;

use crate::failure::{Failure, Kind, Raise as _, Stop};
use crate::gate::{self, Process, lock, signals};
use crate::probes::{attenuation_of, behind, calibration_object, probe_of_user};
use crate::recording::Recording;
use crate::stream::Reader;
use crate::turn::Turns;

/// A second press of Ctrl-C within this time is for the program, and not for the next capture.
const DOUBLE_PRESS: Duration = Duration::from_secs(1);
/// How long closing may take: a device that answers takes some milliseconds.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) type HostScope = Scope<Link, LinkClock>;

/// What an operation needs.
pub(crate) struct Device {
    pub(crate) runtime: Runtime,
    pub(crate) scope: HostScope,
    buffer: Box<TraceBuffer>,
    /// What was read from the file of calibrations, or found since.
    probes: HashMap<String, AnalogParameters>,
    /// An operation was given up: what the device does is not known.
    pub(crate) is_disturbed: bool,
}

/// What threads share, also while one has the device.
#[derive(Debug)]
pub(crate) struct Shared {
    /// Counts the calls of `cancel`.
    cancels: watch::Sender<u64>,
    closed: watch::Sender<bool>,
    /// When Ctrl-C last ended a capture.
    interrupted: Mutex<Option<Instant>>,
    generators: Mutex<Generators>,
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

pub(crate) fn runtime() -> Result<Runtime, Stop> {
    let built = runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Failure::of(Kind::LinkLost, &error).into())
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
            error = signals(take) => Err(Stop::Raised(error)),
            () = shared.is_closed() => Err(Failure::closed().into()),
            () = gate::shutting() => Err(Failure::closed().into()),
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
            raised,
            process: Process::current(),
        };
        let runtime = runtime()?;
        let connecting = async {
            let (url, link) = match opened {
                Some(open) => (url, open()),
                None => {
                    let url = link::resolve(&url).await.map_err(Failure::from)?;
                    let link = link::open_reading(&url, playback::read).await.map_err(Failure::from)?;
                    (url, link)
                }
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
    fn leave(&self, mut device: Box<Device>) {
        let Device { runtime, scope, is_disturbed, .. } = &mut *device;
        let leaving = async {
            if *is_disturbed {
                // Which resets it.
                scope.check_presence().await.ok();
            }
            stop(scope).await.ok();
        };
        // A device that does not answer any more cannot be helped.
        let _ = runtime.block_on(async { tokio::time::timeout(CLOSE_TIMEOUT, leaving).await });
        *lock(&self.shared.generators) = Generators::Off;
    }

    /// The parameters of a probe on this connection, behind this attenuation instead of the usual one.
    fn probe(
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
    fn take_probe(&self, device: &mut Device, name: &str, parameters: AnalogParameters) {
        // A probe that is new has none.
        let usual = self.probe(device, name, None).map_or(Attenuation::NONE, |known| known.attenuation);
        device.probes.insert(name.to_owned(), AnalogParameters { attenuation: usual, ..parameters });
    }

    fn start(&self, py: Python<'_>, plan: &GeneratorPlan<'_>) -> PyResult<()> {
        self.with(py, |device| {
            let Device { runtime, scope, .. } = device;
            run(runtime, &self.shared, async { Ok(plan.start(scope).await.map_err(Failure::from)?) }, || {
                false
            })
        })
    }
}

pub(crate) fn request_of(py: Python<'_>, arguments: &Bound<'_, PyDict>) -> PyResult<CaptureRequest> {
    let spec: Result<CaptureSpec, _> = depythonize(arguments.as_any());
    let spec = spec.map_err(|error| Failure::usage(plain(&error.to_string())).raise(py))?;
    spec.request().map_err(|error| Failure::from(error).raise(py))
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
    fn revision(&self) -> &str {
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
            let device = format!("{} {}", scope.model().name, self.revision);
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

    /// Plans a capture for this scope: with its generators as they are and a probe's calibration.
    fn plan<'py>(
        &self,
        py: Python<'py>,
        arguments: &Bound<'py, PyDict>,
        probe: &str,
        attenuation: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let request = request_of(py, arguments)?;
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

    /// Plays a waveform: a shape by name, or the samples of a period from 0 to 1. Returns the real frequency.
    #[expect(clippy::too_many_arguments, reason = "those of the Python method")]
    fn start_waveform(
        &self,
        py: Python<'_>,
        frequency: f64,
        shape: &str,
        table: Option<Vec<f32>>,
        symmetry: f64,
        low: f64,
        high: f64,
        min_samples: u16,
        max_error: f64,
        once: bool,
    ) -> PyResult<f64> {
        let table = match table {
            None => None,
            Some(samples) => Some(WaveTable::stairs(&samples).ok_or_else(|| {
                let count = samples.len();
                Failure::usage(format!("{count} samples are no waveform: give 2 to 1024")).raise(py)
            })?),
        };
        let shape = match &table {
            Some(table) => WaveShape::Own(table.samples()),
            None => {
                shape.parse().map_err(|error| Failure::usage(format!("{shape:?} is {error}")).raise(py))?
            }
        };
        let request = WaveformRequest {
            symmetry,
            low,
            high,
            min_samples,
            max_error,
            ..WaveformRequest::new(frequency, shape)
        };
        let plan =
            plan_waveform(&BS05, &request).map_err(|error| Failure::of(Kind::PlanError, &error).raise(py))?;
        let frequency = plan.frequency_hz;
        let mode = if once { PlayMode::Once } else { PlayMode::Repeat };
        self.start(py, &GeneratorPlan::Wave(plan, mode))?;
        Ok(frequency)
    }

    /// Runs clocks on logic lines: line, duty and phase of each. Returns the real frequency and duties.
    fn start_clocks(
        &self,
        py: Python<'_>,
        frequency: f64,
        outputs: Vec<(u8, f64, f64)>,
        max_error: f64,
    ) -> PyResult<(f64, Vec<f64>)> {
        let output = |&(line, duty, phase): &(u8, f64, f64)| {
            let line = LogicLine::new(line)?;
            Some(ClockOutput { duty, phase, ..ClockOutput::new(line) })
        };
        let outputs: Option<Vec<ClockOutput>> = outputs.iter().map(output).collect();
        let outputs =
            outputs.ok_or_else(|| Failure::usage("a clock needs a line: give L0 to L7").raise(py))?;
        let refused = |error| Failure::of(Kind::PlanError, &error).raise(py);
        let mut request = ClockRequest::new(frequency, &outputs).map_err(refused)?;
        request.max_error = max_error;
        let plan = plan_clocks(&BS05, &request).map_err(refused)?;
        let real = (plan.frequency_hz, plan.outputs.iter().map(|output| output.duty).collect());
        self.start(py, &GeneratorPlan::Clocks(plan))?;
        Ok(real)
    }

    /// Holds logic lines, such as `L3=1,L5=0`.
    fn hold(&self, py: Python<'_>, levels: &str) -> PyResult<()> {
        let levels: LogicPattern = parse_levels(levels).map_err(|error| Failure::usage(error).raise(py))?;
        let plan = plan_levels(&BS05, levels);
        let plan = plan.map_err(|error| Failure::of(Kind::PlanError, &error).raise(py))?;
        self.start(py, &GeneratorPlan::Levels(levels, plan))
    }

    /// Stops the waveform, the clocks, the held lines, or whatever runs.
    fn stop(&self, py: Python<'_>, what: &str) -> PyResult<()> {
        let what = what.to_owned();
        self.with(py, move |device| {
            let Device { runtime, scope, .. } = device;
            let stopping = async {
                match what.as_str() {
                    "waveform" => scope.stop_waveform().await,
                    "clocks" => scope.stop_clocks().await,
                    "levels" => scope.release_logic_outputs().await,
                    _ => stop(scope).await,
                }
                .map_err(Failure::from)?;
                Ok(())
            };
            run(runtime, &self.shared, stopping, || false)
        })
    }

    /// Calibrates a probe. `progress` is called with the points measured and those in all.
    #[expect(clippy::too_many_arguments, reason = "those of the Python method")]
    fn calibrate<'py>(
        &self,
        py: Python<'py>,
        probe: &str,
        channels: &str,
        grid: u16,
        save: bool,
        file: Option<PathBuf>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let channels: ChannelSet =
            channels.parse().map_err(|error| Failure::usage(format!("{channels:?} is {error}")).raise(py))?;
        let file = match file {
            Some(path) => Some(CalibrationFile::new(path)),
            None => CalibrationFile::of_user(),
        };
        let (before, calibration) = self.with(py, |device| {
            let known = match &file {
                Some(file) => file.read(&self.section, probe).ok().flatten(),
                None => None,
            };
            let before = known.unwrap_or(BS05.analog);
            let request = CalibrationRequest { channels, grid, ..CalibrationRequest::new(before) };
            let Device { runtime, scope, buffer, .. } = device;
            let mut raised = None;
            let calibrating = async {
                scope
                    .calibrate(&request, buffer, |at| match report(progress.as_ref(), at.done, at.left) {
                        Ok(()) => ControlFlow::Continue(()),
                        Err(error) => {
                            raised = Some(error);
                            ControlFlow::Break(())
                        }
                    })
                    .await
                    .map_err(Failure::from)
                    .map_err(Stop::from)
            };
            let calibrated = runtime.block_on(async {
                tokio::select! {
                    biased;
                    calibrated = calibrating => calibrated,
                    () = self.shared.is_closed() => Err(Failure::closed().into()),
                    () = gate::shutting() => Err(Failure::closed().into()),
                }
            });
            if let Some(error) = raised {
                return Err(Stop::Raised(error));
            }
            let calibration = calibrated?;
            self.take_probe(device, probe, calibration.parameters);
            Ok((before, calibration))
        })?;
        if save {
            let file = file.ok_or_else(|| {
                Failure::usage("there is no home directory to keep calibrations in: name a file").raise(py)
            })?;
            let written = file.write(&self.section, probe, &calibration.parameters);
            written.map_err(|error| Failure::from(error).raise(py))?;
        }
        calibration_object(py, &before, &calibration)
    }

    /// Starts a stream, which has the scope until it is closed.
    fn stream(
        &self,
        py: Python<'_>,
        arguments: crate::stream::Arguments,
        probe: &str,
        attenuation: Option<&str>,
    ) -> PyResult<Reader> {
        self.shared.process.check().map_err(|failure| failure.raise(py))?;
        let attenuation = attenuation_of(py, attenuation)?;
        let request = arguments.request(py)?;
        if self.url.is_bridge() {
            let why = "a stream cannot be taken through a bridge: plug the BitScope into a computer";
            return Err(Failure::usage(why).raise(py));
        }
        gate::outside(py, || {
            let mut device = self.turns.take()?;
            let planned = self.probe(&mut device, probe, attenuation).and_then(|probe| {
                device.scope.set_probe(probe);
                device.scope.plan_stream(&request).map_err(Failure::from)
            });
            match planned {
                Ok(plan) => Ok(Reader::start(
                    device,
                    Arc::clone(&self.turns),
                    Arc::clone(&self.shared),
                    plan,
                    &arguments,
                )),
                Err(failure) => {
                    if let Some(device) = self.turns.give_back(device) {
                        self.leave(device);
                    }
                    Err(failure.into())
                }
            }
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

/// A child process must not touch what it shares with its parent.
impl Drop for Connection {
    fn drop(&mut self) {
        if self.shared.process.is_left() {
            std::mem::forget(Arc::clone(&self.turns));
        }
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

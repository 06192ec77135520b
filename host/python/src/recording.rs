//! Recorded traces as arrays: of what was read or captured, only what is asked for is made.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use numpy::ndarray::ArrayView1;
use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1};
use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyTuple};
use scopething::{plan_report, settings};
use scopething_core::plan::{BusyOutputs, CapturePlan, CaptureRequest};
use scopething_files::plot::{PictureSize, svg};
use scopething_files::{ColumnChoice, Format, ReadError, ReadOptions, SaveError, TraceFile};
use scopething_waveform::clipping::Clipping;
use scopething_waveform::measure::{WaveformAnalysis, Window};
use scopething_waveform::waveform::{
    Channel, Details, Gap, Range, Samples, Series, Settings, Stamp, Trigger, Waveform,
};

use crate::captured::Captured;
use crate::failure::{Failure, Kind, Raise as _};
use crate::gate;

/// One recorded trace.
#[pyclass(frozen, module = "scopething._core")]
pub(crate) struct Recording {
    source: Source,
    /// What is known of it besides its samples, once somebody has asked.
    details: PyOnceLock<Py<PyDict>>,
}

/// Where a trace comes from.
enum Source {
    /// A file, or arrays.
    Elsewhere(Arc<Waveform>),
    /// A capture, and all that is known of it once somebody has asked.
    Capture(Captured, OnceLock<Arc<Waveform>>),
}

impl Recording {
    pub(crate) fn of_capture(captured: Captured) -> Self {
        Self { source: Source::Capture(captured, OnceLock::new()), details: PyOnceLock::new() }
    }

    pub(crate) fn of_file(waveform: Waveform) -> Self {
        Self { source: Source::Elsewhere(Arc::new(waveform)), details: PyOnceLock::new() }
    }

    fn captured(&self) -> Option<&Captured> {
        match &self.source {
            Source::Elsewhere(_) => None,
            Source::Capture(captured, _) => Some(captured),
        }
    }

    /// All that is known of it.
    fn waveform(&self, py: Python<'_>) -> PyResult<&Arc<Waveform>> {
        let (captured, known) = match &self.source {
            Source::Elsewhere(waveform) => return Ok(waveform),
            Source::Capture(captured, known) => (captured, known),
        };
        if let Some(waveform) = known.get() {
            return Ok(waveform);
        }
        let made = captured.waveform().map_err(|error| Failure::of(Kind::BadAnswer, &error).raise(py))?;
        Ok(known.get_or_init(|| Arc::new(made)))
    }

    /// The waveform as it goes into a file: with what is needed to repeat the capture.
    fn for_file(&self, py: Python<'_>) -> PyResult<Arc<Waveform>> {
        let waveform = self.waveform(py)?;
        let Some(Captured { planned, read_at, .. }) = self.captured() else {
            return Ok(Arc::clone(waveform));
        };
        let settings = Settings {
            program: Some(concat!("scopething for Python ", env!("CARGO_PKG_VERSION")).to_owned()),
            device: Some(planned.device.clone()),
            wall_time: Some(read_at.to_string()),
            ..settings::of_capture(&planned.request, &planned.plan)
        };
        Ok(Arc::new(Waveform::clone(waveform).with_settings(settings)))
    }

    fn make_details<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let waveform = self.waveform(py)?;
        let Details { capture_start_s, cause, trigger, range, mode, warnings, stamp, ranges: _, settings: _ } =
            waveform.details();
        let details = PyDict::new(py);
        details.set_item("sample_rate", waveform.sample_rate_hz())?;
        details.set_item("capture_start", capture_start_s)?;
        details.set_item("cause", cause.map(|cause| cause.to_string()))?;
        details.set_item("range", range.map(|range| (range.low, range.high)))?;
        details.set_item("mode", mode)?;
        details.set_item("warnings", warnings)?;
        if let Some(Trigger { time_s, level, kind, source }) = trigger {
            details.set_item("trigger", (time_s, level, kind.to_string(), source))?;
        }
        if let Some(Stamp { number, clock, gap }) = stamp {
            details.set_item("stamp", (number, clock.to_string(), gap.map(Gap::name)))?;
        }
        Ok(details)
    }

    fn series(&self, py: Python<'_>, index: usize) -> PyResult<&Series> {
        self.waveform(py)?.channels().get(index).ok_or_else(no_such_channel)
    }
}

fn no_such_channel() -> PyErr {
    PyIndexError::new_err("no such channel")
}

/// Of each channel: name, label, start, period, rate, and unit.
fn rows<'py>(py: Python<'py>, waveform: &Waveform) -> PyResult<Bound<'py, PyTuple>> {
    let row = |series: &Series| {
        let unit = match series.samples {
            Samples::Volts(_) => "V",
            Samples::Fractions(_) => "range",
            Samples::Levels(_) => "",
        };
        let (name, rate_hz) = (series.channel.to_string(), series.sample_rate_hz());
        (name, series.label.clone(), series.start_s, series.period_s, rate_hz, unit)
    };
    PyTuple::new(py, waveform.channels().iter().map(row))
}

fn usage(py: Python<'_>, message: String) -> PyErr {
    Failure::usage(message).raise(py)
}

#[pymethods]
impl Recording {
    /// A waveform of arrays. Each channel is `(name, start, period, samples, is_raw)`.
    #[staticmethod]
    fn of_arrays(
        py: Python<'_>,
        sample_rate: f64,
        channels: &Bound<'_, PyList>,
        range: Option<(f64, f64)>,
        capture_start: Option<f64>,
    ) -> PyResult<Self> {
        let mut series = Vec::new();
        for channel in channels {
            let (name, start_s, period_s, samples, is_raw): (String, f64, f64, Bound<'_, PyAny>, bool) =
                channel.extract()?;
            let channel: Channel = name.parse().map_err(|error| usage(py, format!("{name:?} is {error}")))?;
            let samples = if channel.is_analog() {
                let values = samples.extract::<PyReadonlyArray1<'_, f32>>()?.as_array().to_vec();
                if is_raw { Samples::Fractions(values) } else { Samples::Volts(values) }
            } else {
                Samples::Levels(samples.extract::<PyReadonlyArray1<'_, u8>>()?.as_array().to_vec())
            };
            series.push(Series::new(channel, start_s, period_s, samples));
        }
        let details = Details {
            range: range.map(|(low, high)| Range { low, high }),
            capture_start_s: capture_start,
            ..Details::default()
        };
        let waveform = Waveform::new(sample_rate, series, details);
        let waveform = waveform.map_err(|error| Failure::of(Kind::Usage, &error).raise(py))?;
        Ok(Self::of_file(waveform))
    }

    /// The channels in their order.
    fn channels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let Some(captured) = self.captured() else { return rows(py, self.waveform(py)?) };
        let made = captured.planned.rows.get_or_try_init(py, || {
            let rows = rows(py, self.waveform(py)?)?;
            Ok::<_, PyErr>(rows.unbind())
        })?;
        Ok(made.bind(py).clone())
    }

    /// Whether samples of a channel lie at the ends of its range; none of logic lines, and where the range is not known.
    fn clipped(&self, py: Python<'_>, index: usize) -> PyResult<Option<bool>> {
        let series = self.series(py, index)?;
        Ok(self.waveform(py)?.clipping(series).map(Clipping::is_any))
    }

    /// The samples of a channel, which nobody can write to.
    fn samples<'py>(this: &Bound<'py, Self>, index: usize) -> PyResult<Bound<'py, PyAny>> {
        let (py, recording) = (this.py(), this.get());
        if let Some(captured) = recording.captured() {
            return captured.samples(py, index).ok_or_else(no_such_channel);
        }
        let owner = this.clone().into_any();
        Ok(match &recording.series(py, index)?.samples {
            Samples::Volts(samples) | Samples::Fractions(samples) => {
                // SAFETY: the samples live as long as `owner`, which the array keeps, and are never changed or moved.
                let array =
                    unsafe { PyArray1::borrow_from_array(&ArrayView1::from(samples.as_slice()), owner) };
                array.readwrite().make_nonwriteable();
                array.into_any()
            }
            Samples::Levels(levels) => {
                // SAFETY: as above.
                let array =
                    unsafe { PyArray1::borrow_from_array(&ArrayView1::from(levels.as_slice()), owner) };
                array.readwrite().make_nonwriteable();
                array.into_any()
            }
        })
    }

    /// The times of a channel's samples, in seconds.
    fn timestamps<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let array = PyArray1::from_vec(py, self.series(py, index)?.timestamps().collect());
        array.readwrite().make_nonwriteable();
        Ok(array)
    }

    /// What is known of the capture besides its samples, by name: the same dictionary each time.
    #[getter]
    fn details<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let made = self.details.get_or_try_init(py, || Ok::<_, PyErr>(self.make_details(py)?.unbind()))?;
        Ok(made.bind(py).clone())
    }

    /// The plan of the capture, as the program's `plan --json` prints it; none of a file.
    fn plan<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(Captured { planned, .. }) = self.captured() else { return Ok(None) };
        plan_object(py, &planned.plan, &planned.request, planned.driven).map(Some)
    }

    /// Writes a file in the format of its ending, or in the one that is named.
    fn save(&self, py: Python<'_>, path: std::path::PathBuf, format: Option<&str>) -> PyResult<()> {
        let format = match format {
            Some(name) => name.parse(),
            None => Format::of_path(&path),
        };
        let format = format.map_err(|error| Failure::of(Kind::Usage, &error).raise(py))?;
        let waveform = self.for_file(py)?;
        gate::outside(py, move || {
            write(&path, format, &waveform).map_err(|error| Failure::of(Kind::FileError, &error).into())
        })
    }

    /// The picture of the trace.
    fn svg(&self, py: Python<'_>, width: u32, height: u32) -> PyResult<String> {
        let size = PictureSize::new(width, height);
        let size = size.map_err(|error| Failure::of(Kind::Usage, &error).raise(py))?;
        let waveform = Arc::clone(self.waveform(py)?);
        gate::outside(py, move || Ok(svg::draw(&waveform, size)))
    }

    /// Everything that is measured of it, as the program's `analyse --json` prints it.
    fn analyse<'py>(&self, py: Python<'py>, window: Option<&str>) -> PyResult<Bound<'py, PyAny>> {
        let window = window.map(str::parse::<Window>).transpose();
        let window = window.map_err(|error| usage(py, error.to_string()))?;
        let waveform = Arc::clone(self.waveform(py)?);
        let analysis = gate::outside(py, move || {
            let analysis = WaveformAnalysis::of(&waveform);
            Ok(match window {
                Some(window) => analysis.with_spectra(&waveform, window),
                None => analysis,
            })
        })?;
        Ok(pythonize::pythonize(py, &analysis)?)
    }
}

fn write(path: &Path, format: Format, waveform: &Waveform) -> Result<(), SaveError> {
    let mut file = TraceFile::create(path, format)?;
    file.write(waveform)?;
    file.commit()
}

/// A plan, as the program's `plan --json` prints it.
pub(crate) fn plan_object<'py>(
    py: Python<'py>,
    plan: &CapturePlan,
    request: &CaptureRequest,
    driven: BusyOutputs,
) -> PyResult<Bound<'py, PyAny>> {
    let refused =
        plan_report::refusals(plan, request, driven).map_err(|error| Failure::from(error).raise(py))?;
    Ok(pythonize::pythonize(py, &plan_report::to_json(plan, &refused))?)
}

/// What to read of a file, by name.
#[derive(Debug, FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct ReadArguments {
    format: Option<String>,
    channels: Vec<String>,
    columns: Option<String>,
    rate: Option<f64>,
    skip: u64,
    start: Option<f64>,
    duration: Option<f64>,
}

impl ReadArguments {
    fn options(self) -> Result<ReadOptions, Failure> {
        let Self { format: _, channels, columns, rate, skip, start, duration } = self;
        let columns = columns.map(|text| text.parse::<ColumnChoice>()).transpose();
        let columns = columns.map_err(|error| Failure::usage(format!("columns: {error}")))?;
        Ok(ReadOptions { channels, columns, rate_hz: rate, skip_lines: skip, from_s: start, for_s: duration })
    }
}

fn unread(path: &Path, error: &ReadError) -> Failure {
    let kind = match error {
        // The file is as good as before: it was asked for what it does not have.
        ReadError::NoChannel { .. } | ReadError::TooManyChannels => Kind::Usage,
        _ => Kind::FileError,
    };
    Failure::new(kind, format!("{}: {error}", path.display()))
}

/// Reads every trace of a file.
#[pyfunction]
pub(crate) fn read(
    py: Python<'_>,
    path: std::path::PathBuf,
    arguments: ReadArguments,
) -> PyResult<Vec<Recording>> {
    let format = match &arguments.format {
        Some(name) => name.parse(),
        None => Format::of_path(&path),
    };
    let format = format.map_err(|error| Failure::of(Kind::Usage, &error).raise(py))?;
    let options = arguments.options().map_err(|failure| failure.raise(py))?;
    gate::outside(py, move || {
        let mut reader = scopething_files::open_with(&path, format, &options)
            .map_err(|error| Failure::of(Kind::FileError, &error))?;
        let mut traces = Vec::new();
        while let Some(waveform) = reader.read().map_err(|error| unread(&path, &error))? {
            traces.push(Recording::of_file(waveform.with_warnings(reader.warnings())));
        }
        Ok(traces)
    })
}

//! What a connected scope generates: waveforms, clocks and levels of logic lines.

use pyo3::prelude::*;
use scopething::generate::{GeneratorPlan, WaveTable, parse_levels, stop};
use scopething_core::device::BS05;
use scopething_core::plan::{
    ClockOutput, ClockRequest, LogicLine, LogicPattern, PlayMode, WaveShape, WaveformRequest, plan_clocks,
    plan_levels, plan_waveform,
};

use crate::connection::{Connection, Device, run};
use crate::failure::{Failure, Kind};

/// What is asked of the waveform generator, by name.
#[derive(Debug, FromPyObject)]
#[pyo3(from_item_all)]
struct WaveformArguments {
    frequency: f64,
    shape: String,
    /// The samples of a period from 0 to 1, instead of the shape.
    table: Option<Vec<f32>>,
    ratio: f64,
    low: f64,
    high: f64,
    min_samples: u16,
    max_error: f64,
    once: bool,
}

impl Connection {
    fn start(&self, py: Python<'_>, plan: &GeneratorPlan<'_>) -> PyResult<()> {
        self.with(py, |device| {
            let Device { runtime, scope, .. } = device;
            run(runtime, &self.shared, async { Ok(plan.start(scope).await.map_err(Failure::from)?) }, || {
                false
            })
        })
    }
}

#[pymethods]
impl Connection {
    /// Plays a waveform. Returns the real frequency.
    fn start_waveform(&self, py: Python<'_>, arguments: WaveformArguments) -> PyResult<f64> {
        let WaveformArguments { frequency, shape, table, ratio, low, high, min_samples, max_error, once } =
            arguments;
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
            symmetry: ratio,
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
}

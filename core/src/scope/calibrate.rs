//! Calibrating a probe with the device's own clock.

use core::fmt;
use core::ops::ControlFlow;

use embedded_io_async::{Read, Write};

use super::{GenerateError, Generators, Scope, ScopeError};
use crate::calibration::{
    Calibration, CalibrationError, CalibrationRequest, Calibrator, GridPoint, SquareLevels,
};
use crate::plan::{
    AnalogChannel, CaptureRequest, Channel, ChannelSet, ClockError, ClockOutput, ClockRequest, LogicLine,
    PlanError, plan_capture, plan_clocks,
};
use crate::time::Clock;
use crate::trace::TraceBuffer;

/// The clock that is measured, on L5.
const CLOCK_HZ: f64 = 2000.0;
/// A trace of four periods of the clock in 16 bits: 2 us a sample are slow enough for the macro modes.
const WIDE_TRACE: (f64, u32) = (2e-3, 1000);
/// A trace of two periods in 8 bits: 0.9 us a sample are too fast for the macro modes.
const NARROW_TRACE: (f64, u32) = (1e-3, 1100);

/// How far a calibration has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct CalibrationProgress {
    /// Points that were measured.
    pub done: u16,
    /// Points that are left.
    pub left: u16,
}

/// A calibration that gives no parameters; the old ones stay. `E` is the error of the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CalibrateError<E> {
    /// It was cancelled.
    Cancelled,
    /// What was measured gives no parameters.
    Calibration(CalibrationError),
    /// The clock was not started or stopped.
    Generate(GenerateError<E>),
    /// The clock cannot be planned on this model.
    Clock(ClockError),
    /// The traces cannot be planned on this model.
    Plan(PlanError),
    /// The link or the device failed.
    Scope(ScopeError<E>),
}

impl<E: fmt::Display> fmt::Display for CalibrateError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("the calibration was cancelled, the old parameters stay"),
            Self::Calibration(error) => error.fmt(f),
            Self::Generate(error) => error.fmt(f),
            Self::Clock(error) => error.fmt(f),
            Self::Plan(error) => error.fmt(f),
            Self::Scope(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for CalibrateError<E> {}

impl<E> From<CalibrationError> for CalibrateError<E> {
    fn from(error: CalibrationError) -> Self {
        Self::Calibration(error)
    }
}

impl<E> From<GenerateError<E>> for CalibrateError<E> {
    fn from(error: GenerateError<E>) -> Self {
        Self::Generate(error)
    }
}

impl<E> From<ScopeError<E>> for CalibrateError<E> {
    fn from(error: ScopeError<E>) -> Self {
        Self::Scope(error)
    }
}

impl<S: Read + Write, C: Clock> Scope<S, C> {
    /// Calibrates: runs a clock of 2 kHz on L5, which the probes of the channels must be connected to,
    /// measures it over the grid of the request and fits the parameters. See [`crate::calibration`] for how.
    ///
    /// `buffer` is used for the traces. `progress` is called before each point and ends the calibration by
    /// [`ControlFlow::Break`]; it takes at most one trace until then. Nothing is kept here: captures use
    /// whatever parameters they are planned with.
    ///
    /// # Errors
    /// [`CalibrateError`]. Whatever happens, the clock is stopped.
    ///
    /// # Cancellation
    /// After dropping the future the next operation resets the device, which stops the clock.
    pub async fn calibrate(
        &mut self,
        request: &CalibrationRequest,
        buffer: &mut TraceBuffer,
        progress: impl FnMut(CalibrationProgress) -> ControlFlow<()>,
    ) -> Result<Calibration, CalibrateError<S::Error>> {
        let calibrator = Calibrator::new(self.model, request)?;
        let outputs = [ClockOutput::new(LogicLine::CLOCK)];
        let clock = ClockRequest::new(CLOCK_HZ, &outputs)
            .and_then(|request| plan_clocks(self.model, &request))
            .map_err(CalibrateError::Clock)?;
        if let running @ Generators::Clocks { .. } = self.generators {
            // The user's own clocks are not the calibration's to replace.
            return Err(GenerateError::Busy(running).into());
        }
        self.start_clocks(&clock).await?;
        let result = self.measure_grid(request, calibrator, buffer, progress).await;
        let stopped = self.stop_clocks().await;
        let calibration = result?;
        stopped?;
        Ok(calibration)
    }

    async fn measure_grid(
        &mut self,
        request: &CalibrationRequest,
        mut calibrator: Calibrator,
        buffer: &mut TraceBuffer,
        mut progress: impl FnMut(CalibrationProgress) -> ControlFlow<()>,
    ) -> Result<Calibration, CalibrateError<S::Error>> {
        let neutral = self.measure(request, GridPoint::NEUTRAL, buffer).await?;
        for channel in analog_channels(request) {
            if levels_of(&neutral, channel).is_none() {
                return Err(CalibrationError::NoSignal(channel).into());
            }
        }
        let mut done = 0;
        while let Some(point) = calibrator.point() {
            let left = calibrator.points_left();
            if progress(CalibrationProgress { done, left }).is_break() {
                return Err(CalibrateError::Cancelled);
            }
            let levels = self.measure(request, point, buffer).await?;
            for channel in analog_channels(request) {
                if let Some(levels) = levels_of(&levels, channel) {
                    calibrator.measured(channel, levels);
                }
            }
            calibrator.advance()?;
            done += 1;
        }
        Ok(calibrator.finish()?)
    }

    /// The levels of the clock that the channels see with the DACs at a point.
    async fn measure(
        &mut self,
        request: &CalibrationRequest,
        point: GridPoint,
        buffer: &mut TraceBuffer,
    ) -> Result<[Option<SquareLevels>; 2], CalibrateError<S::Error>> {
        let trace = trace_request(request, point);
        let plan = plan_capture(self.model, &request.before, &trace, self.driven());
        let plan = plan.map_err(CalibrateError::Plan)?;
        let trace = self.capture(&plan, buffer).await?;
        Ok(AnalogChannel::ALL.map(|channel| {
            let view = trace.analog(channel)?;
            SquareLevels::find(|| view.values())
        }))
    }
}

fn analog_channels(request: &CalibrationRequest) -> impl Iterator<Item = AnalogChannel> + use<> {
    let channels = request.channels;
    AnalogChannel::ALL.into_iter().filter(move |&channel| channels.contains(channel.into()))
}

fn levels_of(levels: &[Option<SquareLevels>; 2], channel: AnalogChannel) -> Option<SquareLevels> {
    let [a, b] = *levels;
    match channel {
        AnalogChannel::A => a,
        AnalogChannel::B => b,
    }
}

/// A raw capture that waits for no trigger.
fn trace_request(request: &CalibrationRequest, point: GridPoint) -> CaptureRequest {
    let channels = analog_channels(request).map(Channel::Analog).fold(ChannelSet::EMPTY, ChannelSet::with);
    let (period_s, samples) = if point.wide { WIDE_TRACE } else { NARROW_TRACE };
    CaptureRequest {
        period_s,
        samples,
        low: Some(point.low_dac),
        high: Some(point.high_dac),
        timeout_s: Some(0.0),
        raw: true,
        ..CaptureRequest::new(channels)
    }
}

//! Experiment 2: captures of the same input repeat.

use scopething_core::plan::{AnalogChannel, CaptureRequest, ChannelSet};
use scopething_core::trace::TraceBuffer;

use crate::analysis::{mean, median};
use crate::bench::Bench;
use crate::outcome::Notes;
use crate::stop::Stop;
use crate::{Finding, Operator};

const CAPTURES: usize = 20;
/// Whole periods of mains of 50 Hz and 60 Hz, which an open input picks up.
const PERIOD_S: f64 = 0.1;
/// How far the means of captures may lie apart, in volts.
const MAX_DIFFERENCE_V: f64 = 0.25;
/// A first sample is out of line where it is this many times as far from the second as others are from their
/// neighbours, and further than this many volts.
const OUT_OF_LINE: f64 = 5.0;
const MIN_OUT_OF_LINE_V: f64 = 0.05;

pub(super) async fn run(
    bench: &mut Bench,
    operator: &mut impl Operator,
    notes: &mut Notes,
) -> Result<(), Stop> {
    // Without an operator the input is what it is.
    operator.wire("Leave A open: nothing on it.").await;
    let request = CaptureRequest {
        period_s: PERIOD_S,
        timeout_s: Some(0.0),
        ..CaptureRequest::new(ChannelSet::EMPTY.with(AnalogChannel::A.into()))
    };
    let plan = bench.scope.plan(&request).map_err(|error| Stop::failed(error.to_string()))?;
    let mut buffer = Box::new(TraceBuffer::new());
    let (mut means, mut first_steps) = (Vec::new(), Vec::new());
    let mut out_of_line = 0;
    for _ in 0..CAPTURES {
        let trace = bench.scope.capture(&plan, &mut buffer).await?;
        let view = trace.analog(AnalogChannel::A).ok_or_else(|| Stop::failed("A was not captured"))?;
        let volts: Vec<f64> = view.values().map(f64::from).collect();
        means.push(mean(&volts));
        let steps: Vec<f64> = volts.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
        let first = steps.first().copied().unwrap_or(0.0);
        first_steps.push(first);
        let usual = steps.iter().copied().skip(1).fold(0.0, f64::max);
        out_of_line += usize::from(first > OUT_OF_LINE * usual && first > MIN_OUT_OF_LINE_V);
    }
    notes.measured_numbers("mean of A in each capture (V)", &means);
    notes.measured_numbers("step from the first sample to the second (V)", &first_steps);
    let middle = median(&means);
    let difference = means.iter().map(|mean| (mean - middle).abs()).fold(0.0, f64::max);
    if difference > MAX_DIFFERENCE_V {
        notes.found(Finding::CapturesDiffer { volts: difference });
    }
    if out_of_line > CAPTURES / 2 {
        notes.found(Finding::FirstSampleOff { volts: median(&first_steps) });
    }
    Ok(())
}

//! What an RP2040 computes by itself: the analysis of a full trace buffer, the timing of a waveform, the fit of a
//! calibration. It exists to be linked and measured, to show that nothing in it can panic, and to have its instructions
//! counted by `count-instructions`, which calls the functions below with values of its own.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::panic::PanicInfo;

use rp2040_pac as _;
use scopething_core::analysis::{Analysis, analyse, scratch_length};
use scopething_core::calibration::{CalibrationRequest, Calibrator, SquareLevels};
use scopething_core::device::{AnalogParameters, BS05};
use scopething_core::plan::{AnalogChannel, WaveShape, WaveformRequest, plan_waveform};
use scopething_core::trace::SampleTimes;

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    loop {
        core::hint::spin_loop();
    }
}

/// As many samples as the trace buffer holds.
const SAMPLES: usize = 12_288;

/// A series over one second, with the memory to analyse it.
#[repr(C)]
pub struct Series {
    samples: [f32; SAMPLES],
    scratch: [i16; scratch_length(SAMPLES)],
}

#[inline(never)]
fn analysed(series: &mut Series) -> Option<Analysis> {
    let times = SampleTimes { start_s: 0.0, period_s: 1.0 / SAMPLES as f64 };
    analyse(&series.samples, times, &mut series.scratch).ok()
}

// SAFETY of the names: nothing else that is linked has one of them.

/// The frequency of a series, in hertz; 0 if it has none.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn analyse_series(series: &mut Series) -> f64 {
    let analysis = black_box(analysed(series));
    analysis.and_then(|analysis| analysis.wave).map_or(0.0, |wave| wave.frequency_hz)
}

/// The frequency that a waveform will have, in hertz; 0 if it is refused.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn solve_waveform(frequency_hz: f64, min_samples: u16) -> f64 {
    let request = WaveformRequest { min_samples, ..WaveformRequest::new(frequency_hz, WaveShape::Sine) };
    plan_waveform(&BS05, &request).map_or(0.0, |plan| plan.frequency_hz)
}

/// The span that a calibration of both channels over the whole grid finds, in volts, where each trace shows what the
/// parameters specify; 0 if it fails.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn fit_calibration(device: &AnalogParameters) -> f64 {
    fitted_scale(device).unwrap_or(0.0)
}

fn fitted_scale(device: &AnalogParameters) -> Option<f64> {
    let mut calibrator = Calibrator::new(&BS05, &CalibrationRequest::new(*device)).ok()?;
    while let Some(point) = calibrator.point() {
        let (low, high) = device.range_of_converters(point.low_dac, point.high_dac);
        let seen = |volts| (device.span_fraction(volts) - low) / (high - low);
        let levels = SquareLevels::new(seen(0.0), seen(3.3));
        for channel in AnalogChannel::ALL {
            calibrator.measured(channel, levels);
        }
        calibrator.advance().ok()?;
    }
    Some(calibrator.finish().ok()?.parameters.scale)
}

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut SERIES: Series = Series { samples: [0.0; SAMPLES], scratch: [0; scratch_length(SAMPLES)] };
    loop {
        black_box(analyse_series(black_box(SERIES)));
        black_box(solve_waveform(black_box(1e3), black_box(50)));
        black_box(fit_calibration(black_box(&AnalogParameters::NOMINAL_X1)));
    }
}

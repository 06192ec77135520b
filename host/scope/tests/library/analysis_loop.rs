//! The loop from the generator through the simulated device and a capture to the analysis: shape and frequency come
//! back.

use scopething_core::analysis::{Shape, Wave};
use scopething_core::device::BS05;
use scopething_core::plan::{
    CaptureRequest, ChannelSet, PlayMode, WaveShape, WaveformRequest, plan_waveform,
};
use scopething_core::scope::Scope;
use scopething_core::trace::TraceBuffer;
use scopething_sim::{SimClock, SimConfig, SimLink};
use scopething_waveform::measure::{Measurements, WaveformAnalysis, Window};
use scopething_waveform::waveform::Waveform;

type SimScope = Scope<SimLink, SimClock>;

const FREQUENCIES_HZ: [f64; 5] = [5.0, 123.4, 1e3, 7777.0, 20e3];

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test)
}

async fn connect() -> SimScope {
    let link = SimLink::new(&SimConfig::from_query("clock=fast&noise=5mV").unwrap());
    let (clock, profile) = (link.clock(), link.profile());
    Scope::connect(link, clock, profile).await.unwrap()
}

/// Generates a waveform and captures ten periods of it. Gives the frequency that was planned, too.
async fn captured(scope: &mut SimScope, request: &WaveformRequest<'_>) -> (f64, Waveform) {
    let planned = plan_waveform(&BS05, request).unwrap();
    scope.start_waveform(&planned, PlayMode::Repeat).await.unwrap();
    let request = CaptureRequest {
        period_s: 10.0 / planned.frequency_hz,
        samples: 4000,
        timeout_s: Some(0.0),
        ..CaptureRequest::new("A".parse::<ChannelSet>().unwrap())
    };
    let plan = scope.plan(&request).unwrap();
    let mut buffer = Box::new(TraceBuffer::new());
    let recording = Waveform::of_trace(&scope.capture(&plan, &mut buffer).await.unwrap()).unwrap();
    (planned.frequency_hz, recording)
}

fn wave(recording: &Waveform) -> Wave {
    let analysis = WaveformAnalysis::of(recording);
    let Measurements::Analog(analog) = &analysis.channels[0].measurements else { panic!("channel A") };
    analog.analysis.wave.unwrap()
}

#[test]
fn generated_shape_frequency_and_levels_are_measured() {
    run(async {
        let mut scope = connect().await;
        for frequency_hz in FREQUENCIES_HZ {
            for (shape, expected) in [
                (WaveShape::Sine, Shape::Sine),
                (WaveShape::Triangle, Shape::Triangle),
                (WaveShape::Exponential, Shape::Exponential),
            ] {
                let request =
                    WaveformRequest { low: 0.5, high: 2.5, ..WaveformRequest::new(frequency_hz, shape) };
                let (planned_hz, recording) = captured(&mut scope, &request).await;
                let wave = wave(&recording);
                assert_eq!(wave.shape, expected, "{frequency_hz} Hz: {wave:?}");
                assert_generated(&wave, planned_hz);
            }
        }
        scope.stop_waveform().await.unwrap();
    });
}

#[test]
fn square_duty_is_the_requested_symmetry() {
    run(async {
        let mut scope = connect().await;
        for frequency_hz in FREQUENCIES_HZ {
            for symmetry in [0.2, 0.5, 0.75] {
                let request = WaveformRequest {
                    symmetry,
                    low: 0.5,
                    high: 2.5,
                    ..WaveformRequest::new(frequency_hz, WaveShape::Square)
                };
                let (planned_hz, recording) = captured(&mut scope, &request).await;
                let wave = wave(&recording);
                let Shape::Square { duty } = wave.shape else { panic!("{frequency_hz} Hz: {wave:?}") };
                // A period has 50 samples of the generator or more.
                assert!((duty - symmetry).abs() <= 0.02, "{frequency_hz} Hz, {symmetry}: {wave:?}");
                assert_generated(&wave, planned_hz);
            }
        }
    });
}

/// Ten periods are ten of the frequency to a thousandth; a step of the capture is 53 mV of the range of 13.5 V.
#[track_caller]
fn assert_generated(wave: &Wave, planned_hz: f64) {
    let off = (wave.frequency_hz / planned_hz - 1.0).abs();
    assert!(off < 1e-3, "{planned_hz} Hz is {off} off: {wave:?}");
    let (amplitude, offset) = (wave.amplitude().unwrap(), wave.offset().unwrap());
    assert!((amplitude - 1.0).abs() < 0.06 && (offset - 1.5).abs() < 0.06, "{wave:?}");
    // Where the trace begins on an edge, the period at either end is not whole.
    assert!((8..=10).contains(&wave.count), "{wave:?}");
}

#[test]
fn sine_distortion_is_that_of_its_steps() {
    run(async {
        let mut scope = connect().await;
        let (planned_hz, recording) = captured(&mut scope, &WaveformRequest::new(1e3, WaveShape::Sine)).await;
        let analysis = WaveformAnalysis::of(&recording).with_spectra(&recording, Window::BlackmanHarris);
        let spectrum = analysis.channels[0].spectrum.clone().unwrap().unwrap();
        let fundamental = spectrum.peaks[0];
        assert!((fundamental.frequency_hz / planned_hz - 1.0).abs() < 2e-3, "{spectrum:?}");
        assert!((fundamental.amplitude - 1.65).abs() < 0.01, "{spectrum:?}");
        assert!(spectrum.thd.unwrap() < 0.01, "{spectrum:?}");
        // 3.3 V of 8-bit steps of 13.5 V / 255: 6.02 dB for each of log2(3.3 / 13.5 x 255) bits, and 1.76 dB.
        let bits = (3.3_f64 / 13.5 * 255.0).log2();
        assert!(spectrum.sinad_db.unwrap() > 6.02 * bits + 1.76 - 3.0, "{spectrum:?}");
    });
}

//! The generators against the simulated device: what was asked for is what a capture shows.

use scopething_core::device::BS05;
use scopething_core::plan::{
    AnalogChannel, CaptureRequest, ChannelSet, ClockOutput, ClockRequest, LogicLine, LogicPattern, PlayMode,
    WaveShape, WaveformRequest, plan_clocks, plan_waveform,
};
use scopething_core::scope::{Generators, Scope};
use scopething_core::trace::TraceBuffer;
use scopething_sim::{SimClock, SimConfig, SimLink};

type SimScope = Scope<SimLink, SimClock>;

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test)
}

async fn connect() -> SimScope {
    let link = SimLink::new(&SimConfig::from_query("clock=fast").unwrap());
    let (clock, profile) = (link.clock(), link.profile());
    Scope::connect(link, clock, profile).await.unwrap()
}

fn line(number: u8) -> LogicLine {
    LogicLine::new(number).unwrap()
}

fn at_once(channels: &str, period_s: f64, samples: u32) -> CaptureRequest {
    CaptureRequest {
        period_s,
        samples,
        timeout_s: Some(0.0),
        ..CaptureRequest::new(channels.parse::<ChannelSet>().unwrap())
    }
}

/// Volts of channel A over a time span.
async fn channel_a(scope: &mut SimScope, period_s: f64, samples: u32) -> (Vec<f32>, f64) {
    let plan = scope.plan(&at_once("A", period_s, samples)).unwrap();
    let mut buffer = TraceBuffer::new();
    let trace = scope.capture(&plan, &mut buffer).await.unwrap();
    let view = trace.analog(AnalogChannel::A).unwrap();
    (view.values().collect(), view.times.period_s)
}

/// The frequency from the first to the last rise through a level, between the samples.
fn frequency(volts: &[f32], sample_s: f64, level: f32) -> f64 {
    let rises: Vec<f64> = volts
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[0] < level && pair[1] >= level)
        .map(|(index, pair)| index as f64 + f64::from((level - pair[0]) / (pair[1] - pair[0])))
        .collect();
    (rises.len() - 1) as f64 / ((rises.last().unwrap() - rises[0]) * sample_s)
}

#[test]
fn shapes_have_their_frequency_and_levels() {
    run(async {
        let mut scope = connect().await;
        for (shape, _) in WaveShape::BUILT_IN {
            for frequency_hz in [5.0, 123.4, 1e3, 7777.0, 20e3] {
                let request =
                    WaveformRequest { low: 0.5, high: 2.5, ..WaveformRequest::new(frequency_hz, shape) };
                let planned = plan_waveform(&BS05, &request).unwrap();
                scope.start_waveform(&planned, PlayMode::Repeat).await.unwrap();
                let (volts, sample_s) = channel_a(&mut scope, 10.0 / frequency_hz, 4000).await;
                let found = frequency(&volts, sample_s, 1.5);
                // A sample of 8 bits at the edge of a square is all there is to go by: 1 / 4000 of the trace
                // on either side.
                let off = (found / planned.frequency_hz - 1.0).abs();
                assert!(off < 2.5e-3, "{shape} of {frequency_hz} Hz is {found} Hz");
                let (low, high) =
                    volts.iter().fold((9.0_f32, -9.0_f32), |(low, high), &v| (low.min(v), high.max(v)));
                // The table has 256 steps, the plan 50 samples a period or more, the capture 8 bits of 13.5
                // V.
                assert!((low - 0.5).abs() < 0.08 && (high - 2.5).abs() < 0.08, "{shape}: {low} to {high}");
            }
        }
        scope.stop_waveform().await.unwrap();
        assert_eq!(scope.generators(), Generators::Off);
    });
}

#[test]
fn own_samples_come_out_in_their_order() {
    run(async {
        let mut scope = connect().await;
        // Four steps of a staircase.
        let samples: Vec<f32> = (0..1024_u16).map(|index| f32::from(index / 256) / 4.0 + 0.125).collect();
        let request = WaveformRequest::new(100.0, WaveShape::Own(&samples));
        let planned = plan_waveform(&BS05, &request).unwrap();
        scope.start_waveform(&planned, PlayMode::Repeat).await.unwrap();
        let (volts, _) = channel_a(&mut scope, 20e-3, 2000).await;
        let step = |volts: f32| (volts / 3.3 * 4.0).floor() as i32;
        let order: Vec<i32> = volts.iter().map(|&v| step(v)).fold(Vec::new(), |mut order, step| {
            if order.last() != Some(&step) {
                order.push(step);
            }
            order
        });
        assert!(order.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 4), "{order:?}");
        assert!((8..=9).contains(&order.len()), "{order:?}");
    });
}

#[test]
fn pause_holds_and_one_shot_rests() {
    run(async {
        let mut scope = connect().await;
        let planned = plan_waveform(&BS05, &WaveformRequest::new(1e3, WaveShape::Triangle)).unwrap();
        scope.start_waveform(&planned, PlayMode::Repeat).await.unwrap();
        scope.pause_waveform().await.unwrap();
        let spread = |volts: &[f32]| {
            let lowest = volts.iter().copied().fold(f32::INFINITY, f32::min);
            volts.iter().copied().fold(f32::NEG_INFINITY, f32::max) - lowest
        };
        // A step of 8 bits over 13.5 V either way.
        assert!(spread(&channel_a(&mut scope, 10e-3, 1000).await.0) < 0.11);
        scope.resume_waveform().await.unwrap();
        let (volts, sample_s) = channel_a(&mut scope, 10e-3, 1000).await;
        assert!((frequency(&volts, sample_s, 1.65) - 1e3).abs() < 10.0);
        scope.stop_waveform().await.unwrap();
        // It is over long before a capture of an eleventh of the frequency's period a sample has begun.
        scope.start_waveform(&planned, PlayMode::Once).await.unwrap();
        let (volts, _) = channel_a(&mut scope, 1.0, 100).await;
        assert!(spread(&volts[10..]) < 0.11, "{volts:?}");
    });
}

#[test]
fn quadrature_is_a_quarter_of_a_period_apart() {
    run(async {
        let mut scope = connect().await;
        // Planned while nothing runs, so that the lines are captured that the clocks drive.
        let plan = scope.plan(&at_once("L", 1e-3, 4000)).unwrap();
        let outputs = [ClockOutput::new(line(5)), ClockOutput { phase: 0.25, ..ClockOutput::new(line(2)) }];
        let clocks = plan_clocks(&BS05, &ClockRequest::new(10e3, &outputs).unwrap()).unwrap();
        scope.start_clocks(&clocks).await.unwrap();
        let mut buffer = TraceBuffer::new();
        let trace = scope.capture(&plan, &mut buffer).await.unwrap();
        let logic = trace.logic().unwrap();
        let rises = |number| {
            let levels: Vec<bool> = logic.levels(line(number)).collect();
            let pairs = levels.windows(2).enumerate();
            pairs.filter(|(_, pair)| !pair[0] && pair[1]).map(|(index, _)| index).collect::<Vec<_>>()
        };
        let (first, second) = (rises(5), rises(2));
        let period = plan.sample_rate_hz() / 10e3;
        assert_eq!(period, 400.0);
        assert!((9..=10).contains(&first.len()), "{first:?}");
        for &rise in &first[..8] {
            let next = second.iter().find(|&&other| other > rise).unwrap();
            let phase = (next - rise) as f64 / period;
            assert!((phase - 0.25).abs() <= 1.0 / period, "{phase}");
        }
    });
}

#[test]
fn held_lines_show_their_levels() {
    run(async {
        let mut scope = connect().await;
        let plan = scope.plan(&at_once("L", 1e-3, 100)).unwrap();
        for high in [0b0010, 0b1000, 0b1010, 0] {
            scope.set_logic_outputs(LogicPattern { care: 0b1010, high }).await.unwrap();
            let mut buffer = TraceBuffer::new();
            let trace = scope.capture(&plan, &mut buffer).await.unwrap();
            let bytes = trace.logic().unwrap().bytes();
            assert!(bytes.into_iter().all(|byte| byte & 0b1010 == high), "{high:04b}");
        }
        scope.release_logic_outputs().await.unwrap();
    });
}

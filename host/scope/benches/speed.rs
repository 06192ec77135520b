//! How fast it is: planning, decoding and analysing samples, capturing and connecting without a link to wait for.
//!
//! `cargo bench -p scopething --bench speed`, with criterion's arguments after `--`. `benches/compare.py`
//! prints how an earlier commit compares.

mod null_device;

use std::error::Error;
use std::f64::consts::TAU;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, SamplingMode, Throughput};
use embedded_io_async::{Read, Write};
use null_device::NullDevice;
use scopething::request::JsonRequest;
use scopething_core::analysis::{analyse, scratch_length};
use scopething_core::device::BS05;
use scopething_core::plan::{
    AnalogChannel, BusyOutputs, CapturePlan, CaptureRequest, ChannelSet, Notice, PlanError, TriggerType,
    plan_capture,
};
use scopething_core::scope::{LinkProfile, Scope};
use scopething_core::time::Clock;
use scopething_core::trace::{EndReason, SampleTimes, Trace, TraceBuffer};
use scopething_sim::{SimConfig, SimLink};
use scopething_waveform::measure::{Spectrum, Window};
use tokio::runtime::Runtime;

type Outcome = Result<(), Box<dyn Error>>;

/// Capture requests as users make them.
const REQUESTS: &str = include_str!("../../../tests/data/plan.jsonl");

/// A simulated device without delays, and an input that is above the trigger level from the beginning on.
const IDEAL_LINK: &str = "clock=fast&A=dc,3V";

fn main() -> Outcome {
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    plan(&mut criterion)?;
    decode(&mut criterion)?;
    analyse_series(&mut criterion)?;
    capture(&mut criterion, &runtime)?;
    connect(&mut criterion, &runtime)?;
    criterion.final_summary();
    Ok(())
}

fn plan_nominal(request: &CaptureRequest, driven: BusyOutputs) -> Result<CapturePlan, PlanError> {
    plan_capture(&BS05, &BS05.analog, request, driven)
}

/// One channel from the beginning of the buffer on, triggered at once.
fn triggered_at_once(samples: u32, period_s: f64) -> Result<CapturePlan, Box<dyn Error>> {
    let request = CaptureRequest {
        period_s,
        samples,
        level: Some(0.0),
        trigger_type: TriggerType::Above,
        ..CaptureRequest::new("A".parse::<ChannelSet>()?)
    };
    Ok(plan_nominal(&request, BusyOutputs::NOTHING)?)
}

/// The time to plan one request: one after the other from a spread of them, and the one that goes through
/// all trace modes twice.
fn plan(criterion: &mut Criterion) -> Outcome {
    let mut requests = Vec::new();
    for line in REQUESTS.lines() {
        requests.push(JsonRequest::parse(line)?.resolve()?);
    }
    let mut group = criterion.benchmark_group("plan");
    group.bench_function("plan.jsonl, each in turn", |bencher| {
        let mut turn = requests.iter().cycle();
        bencher.iter(|| turn.next().map(|(request, driven)| plan_nominal(black_box(request), *driven)));
    });
    let too_many = CaptureRequest { samples: 100_000, ..CaptureRequest::new("A,B,L".parse::<ChannelSet>()?) };
    if !plan_nominal(&too_many, BusyOutputs::NOTHING)?.notices.iter().any(Notice::is_adjustment) {
        return Err("the request for too many samples was met as it is".into());
    }
    group.bench_function("met only nearly", |bencher| {
        bencher.iter(|| plan_nominal(black_box(&too_many), BusyOutputs::NOTHING));
    });
    group.finish();
    Ok(())
}

/// Samples a second from raw bytes to volts.
fn decode(criterion: &mut Criterion) -> Outcome {
    let mut buffer = TraceBuffer::new();
    let mut values = vec![0.0; 12_288];
    for (place, byte) in buffer.region_mut(0..12_288).iter_mut().zip((0..=u8::MAX).cycle()) {
        *place = byte;
    }
    let mut group = criterion.benchmark_group("decode");
    for (name, samples, sample_bytes) in [("8 bit", 12_288, 1), ("16 bit", 6144, 2)] {
        let plan = triggered_at_once(samples, f64::from(samples) * 1e-6)?;
        if (u32::from(plan.timebase.samples), plan.mode.sample_bytes) != (samples, sample_bytes) {
            return Err(format!("{name}: planned otherwise, {plan:?}").into());
        }
        let trace = Trace::new(&plan, &buffer, plan.timebase.samples, EndReason::Trigger, 0);
        let view = trace.analog(AnalogChannel::A).ok_or("channel A was not captured")?;
        group.throughput(Throughput::Elements(samples.into()));
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(&view).read_values(black_box(&mut values)));
        });
    }
    group.finish();
    Ok(())
}

/// The time to measure a full trace buffer, and to take its spectrum.
fn analyse_series(criterion: &mut Criterion) -> Outcome {
    const SAMPLES: usize = 12_288;
    let times = SampleTimes { start_s: 0.0, period_s: 1e-6 };
    let mut scratch = vec![0; scratch_length(SAMPLES)];
    let mut group = criterion.benchmark_group("analyse");
    group.throughput(Throughput::Elements(SAMPLES as u64));
    for periods in [2.5, 20.0, 200.0] {
        let phase = |index: usize| periods * index as f64 / SAMPLES as f64;
        let sine: Vec<f32> = (0..SAMPLES).map(|index| (TAU * phase(index)).sin() as f32).collect();
        let sawtooth: Vec<f32> = (0..SAMPLES).map(|index| phase(index).fract() as f32).collect();
        for (name, samples) in [("sine", &sine), ("sawtooth", &sawtooth)] {
            if analyse(samples, times, &mut scratch)?.wave.is_none_or(|wave| wave.shape.to_string() != name) {
                return Err(format!("the {name} of {periods} periods is not known again").into());
            }
            group.bench_function(format!("{name}, {periods} periods"), |bencher| {
                bencher.iter(|| analyse(black_box(samples), times, &mut scratch));
            });
        }
    }
    let ramp: Vec<f32> = (0..SAMPLES).map(|index| (index % 97) as f32).collect();
    group.bench_function("spectrum", |bencher| {
        bencher.iter(|| Spectrum::of(black_box(&ramp), times.period_s, Window::Hann, None));
    });
    group.finish();
    Ok(())
}

/// Captures a second: on the simulated device, whose own work is most of it, and on one that does no work.
fn capture(criterion: &mut Criterion, runtime: &Runtime) -> Outcome {
    let mut group = criterion.benchmark_group("capture");
    group.throughput(Throughput::Elements(1)).sampling_mode(SamplingMode::Flat);
    for (samples, period_s) in [(1000, 1e-3), (12_288, 12.288e-3)] {
        let plan = triggered_at_once(samples, period_s)?;
        let link = SimLink::new(&SimConfig::from_query(IDEAL_LINK)?);
        let (clock, profile) = (link.clock(), link.profile());
        let mut scope = runtime.block_on(Scope::connect(link, clock, profile))?;
        group.bench_function(format!("{samples} samples, simulated device"), |bencher| {
            bencher.iter(|| runtime.block_on(one_capture(&mut scope, &plan)));
        });
        // A dump begins a sample early: the first can be stale.
        let dump_bytes = plan.dump_bytes() + usize::from(plan.mode.sample_bytes);
        let (device, clock) = NullDevice::new((1e6 * period_s).round() as u64, dump_bytes);
        let mut scope = runtime.block_on(Scope::connect(device, clock, LinkProfile::SERIAL))?;
        group.bench_function(format!("{samples} samples, null device"), |bencher| {
            bencher.iter(|| runtime.block_on(one_capture(&mut scope, &plan)));
        });
    }
    group.finish();
    Ok(())
}

/// Captures once into a buffer that stays in place. Stops the benchmark if that fails.
async fn one_capture<S, C>(scope: &mut Scope<S, C>, plan: &CapturePlan) -> EndReason
where
    S: Read + Write,
    C: Clock,
{
    let mut buffer = TraceBuffer::new();
    let cause = scope.capture(plan, &mut buffer).await.expect("a capture").end_reason();
    black_box(&buffer);
    cause
}

/// The time from a stream to a driver that is ready: reset, revision and serial number.
fn connect(criterion: &mut Criterion, runtime: &Runtime) -> Outcome {
    let config = SimConfig::from_query(IDEAL_LINK)?;
    let mut group = criterion.benchmark_group("connect");
    group.bench_function("simulated device", |bencher| {
        let connect = |link: SimLink| {
            let (clock, profile) = (link.clock(), link.profile());
            runtime.block_on(Scope::connect(link, clock, profile)).expect("a connection")
        };
        bencher.iter_batched(|| SimLink::new(&config), connect, BatchSize::SmallInput);
    });
    group.bench_function("null device", |bencher| {
        let connect = |(device, clock)| {
            runtime.block_on(Scope::connect(device, clock, LinkProfile::SERIAL)).expect("a connection")
        };
        bencher.iter_batched(|| NullDevice::new(0, 0), connect, BatchSize::SmallInput);
    });
    group.finish();
    Ok(())
}

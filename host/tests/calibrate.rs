//! Calibrating simulated devices from end to end: what a user sees before and after.

use std::ops::ControlFlow;

use embedded_io_async::ErrorKind;
use scopething::sim::{FrontEnd, SimClock, SimConfig, SimLink};
use scopething_core::calibration::{Calibration, CalibrationError, CalibrationRequest};
use scopething_core::device::{AnalogParameters, BS05};
use scopething_core::plan::{
    AnalogChannel, CaptureRequest, ClockOutput, ClockRequest, LogicLine, plan_clocks,
};
use scopething_core::scope::{CalibrateError, GenerateError, Generators, Scope};
use scopething_core::trace::TraceBuffer;

type SimScope = Scope<SimLink, SimClock>;

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test)
}

/// A front end with each parameter up to 10 % off nominal, chosen by the bits of a number.
fn off_nominal(seed: u32) -> FrontEnd {
    let nominal = FrontEnd::default();
    let off = |value: f64, place: u32| {
        // Knuth's multiplicative hash, for a number between -1 and 1.
        let hash = (seed * 16 + place + 1).wrapping_mul(2_654_435_769);
        value * (1.0 + 0.1 * (f64::from(hash) / f64::from(u32::MAX) * 2.0 - 1.0))
    };
    FrontEnd {
        la: off(nominal.la, 0),
        lb: off(nominal.lb, 1),
        ha: off(nominal.ha, 2),
        hb: off(nominal.hb, 3),
        hc: off(nominal.hc, 4),
        scale: off(nominal.scale, 5),
        offset: off(nominal.offset, 6),
        lc: off(0.1, 7) - 0.1,
        ab_offset: off(0.2, 8) - 0.2,
        ..nominal
    }
}

async fn connect(front_end: FrontEnd, query: &str) -> SimScope {
    let mut config = SimConfig::from_query(query).unwrap();
    config.front_end = front_end;
    let link = SimLink::new(&config);
    let (clock, profile) = (link.clock(), link.profile());
    Scope::connect(link, clock, profile).await.unwrap()
}

async fn calibrate(scope: &mut SimScope, grid: u16) -> Result<Calibration, CalibrateError<ErrorKind>> {
    let request = CalibrationRequest { grid, ..CalibrationRequest::new(BS05.analog) };
    let mut buffer = TraceBuffer::new();
    scope.calibrate(&request, &mut buffer, |_| ControlFlow::Continue(())).await
}

/// How far the mean of a trace of a known voltage is off, as a part of the range; the worse of A and B.
async fn misread(front_end: FrontEnd, probe: &AnalogParameters, volts: f64, fast: bool) -> f64 {
    let mut scope = connect(front_end, &format!("A=dc,{volts}V&B=dc,{volts}V&noise=5mV&clock=fast")).await;
    let (period_s, samples) = if fast { (1e-3, 1100) } else { (2e-3, 1000) };
    let request = CaptureRequest {
        period_s,
        samples,
        timeout_s: Some(0.0),
        ..CaptureRequest::new("A,B".parse().unwrap())
    };
    let plan = scope.plan(probe, &request).unwrap();
    assert_eq!(plan.mode.sample_bytes, if fast { 1 } else { 2 });
    let mut buffer = TraceBuffer::new();
    let trace = scope.capture(&plan, &mut buffer).await.unwrap();
    let off = AnalogChannel::ALL.map(|channel| {
        let view = trace.analog(channel).unwrap();
        let mean = view.values().map(f64::from).sum::<f64>() / view.len() as f64;
        (mean - volts).abs() / (probe.safe_high - probe.safe_low)
    });
    off[0].max(off[1])
}

#[test]
fn a_calibrated_device_reads_known_voltages_over_its_safe_range() {
    run(async {
        for seed in 0..4 {
            let front_end = off_nominal(seed);
            let mut scope = connect(front_end, &format!("noise=5mV&clock=fast&seed={seed}")).await;
            let found = calibrate(&mut scope, 32).await.unwrap();
            assert_eq!(scope.generators(), Generators::Off);
            let probe = found.parameters;
            let mut worst = 0.0_f64;
            for place in 1..20 {
                let volts = probe.safe_low + (probe.safe_high - probe.safe_low) * 0.05 * f64::from(place);
                let volts = (volts * 1e3).round() / 1e3;
                for fast in [false, true] {
                    worst = worst.max(misread(front_end, &probe, volts, fast).await);
                }
            }
            println!("seed {seed}: {worst:.5} of the range, {found:?}");
            assert!(worst <= 0.005, "seed {seed}: {worst} of the range");
        }
        let before = misread(off_nominal(0), &BS05.analog, 3.0, false).await;
        assert!(before > 0.005, "{before} of the range without calibration");
    });
}

#[test]
fn cancelling_stops_the_clock() {
    run(async {
        let mut scope = connect(FrontEnd::default(), "clock=fast").await;
        let mut buffer = TraceBuffer::new();
        let mut last = None;
        let request = CalibrationRequest::new(BS05.analog);
        let cancelled = scope
            .calibrate(&request, &mut buffer, |progress| {
                last = Some((progress.done, progress.left));
                if progress.done == 10 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .await;
        assert_eq!(cancelled, Err(CalibrateError::Cancelled));
        assert_eq!((last, scope.generators()), (Some((10, 1014)), Generators::Off));
    });
}

#[test]
fn a_probe_that_does_not_see_the_clock_is_named() {
    run(async {
        for (query, channel) in [("A=dc,1V", AnalogChannel::A), ("B=dc,1V", AnalogChannel::B)] {
            let mut scope = connect(FrontEnd::default(), &format!("{query}&clock=fast&noise=5mV")).await;
            let refused = calibrate(&mut scope, 8).await;
            assert_eq!(refused, Err(CalibrateError::Calibration(CalibrationError::NoSignal(channel))));
            assert_eq!(scope.generators(), Generators::Off);
        }
    });
}

#[test]
fn clocks_of_the_users_are_not_replaced() {
    run(async {
        let mut scope = connect(FrontEnd::default(), "clock=fast").await;
        let clocks = ClockRequest::new(1e3, &[ClockOutput::new(LogicLine::CLOCK)]).unwrap();
        scope.start_clocks(&plan_clocks(&BS05, &clocks).unwrap()).await.unwrap();
        let request = CalibrationRequest::new(BS05.analog);
        let refused = scope.calibrate(&request, &mut TraceBuffer::new(), |_| ControlFlow::Continue(())).await;
        let running = Generators::Clocks { lines: 0x20 };
        assert_eq!(refused, Err(CalibrateError::Generate(GenerateError::Busy(running))));
        assert_eq!(scope.generators(), running);
    });
}

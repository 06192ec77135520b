//! Calibrating simulated devices from end to end: what a user sees before and after.

use std::ops::ControlFlow;

use crate::off_nominal::{Device, LIMIT, calibrate, connect};
use scopething_core::calibration::{CalibrationError, CalibrationRequest};
use scopething_core::device::BS05;
use scopething_core::plan::{AnalogChannel, ClockOutput, ClockRequest, LogicLine, plan_clocks};
use scopething_core::scope::{CalibrateError, GenerateError, Generators};
use scopething_core::trace::TraceBuffer;
use scopething_sim::FrontEnd;

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(test)
}

#[test]
fn calibrated_device_reads_known_voltages() {
    run(async {
        for seed in 0..4 {
            let device = Device::new(seed);
            let found = Box::pin(device.calibrate(32)).await.unwrap();
            let worst = device.worst_misread(&found.parameters).await;
            println!("seed {seed}: {worst:.5} of the range, {found:?}");
            assert!(worst <= LIMIT, "seed {seed}: {worst} of the range");
        }
        let device = Device::new(0);
        let before = device.misread(&BS05.analog, 3.0, false).await;
        assert!(before > LIMIT, "{before} of the range without calibration");
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
fn probe_without_the_clock_is_named() {
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

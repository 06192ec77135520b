//! Simulated devices whose front end is off nominal, and how far they are read off.

#![allow(dead_code, reason = "the tests and the bench each use their own part")]

use std::ops::ControlFlow;

use embedded_io_async::ErrorKind;
use scopething_core::calibration::{Calibration, CalibrationRequest};
use scopething_core::device::{AnalogParameters, BS05};
use scopething_core::plan::{AnalogChannel, CaptureRequest, ChannelSet};
use scopething_core::scope::{CalibrateError, Generators, Scope};
use scopething_core::trace::TraceBuffer;
use scopething_sim::{FrontEnd, SimClock, SimConfig, SimLink};

pub(crate) type SimScope = Scope<SimLink, SimClock>;

/// How far a known voltage may be read off after a calibration, as a part of the range.
pub(crate) const LIMIT: f64 = 0.005;

/// A device with each parameter up to 10 % off nominal, chosen by the bits of a seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Device {
    seed: u32,
    front_end: FrontEnd,
}

/// A device behind a link that simulates time.
pub(crate) async fn connect(front_end: FrontEnd, query: &str) -> SimScope {
    let mut config = SimConfig::from_query(query).expect("a query");
    config.front_end = front_end;
    let link = SimLink::new(&config);
    let (clock, profile) = (link.clock(), link.profile());
    Scope::connect(link, clock, profile).await.expect("a device")
}

/// Calibrates both channels from nominal parameters on.
pub(crate) async fn calibrate(
    scope: &mut SimScope,
    grid: u16,
) -> Result<Calibration, CalibrateError<ErrorKind>> {
    let request = CalibrationRequest { grid, ..CalibrationRequest::new(BS05.analog) };
    let mut buffer = TraceBuffer::new();
    scope.calibrate(&request, &mut buffer, |_| ControlFlow::Continue(())).await
}

impl Device {
    pub(crate) fn new(seed: u32) -> Self {
        Self { seed, front_end: off_nominal(seed) }
    }

    /// Calibrates it, and leaves no generator on.
    pub(crate) async fn calibrate(&self, grid: u16) -> Result<Calibration, CalibrateError<ErrorKind>> {
        let query = format!("noise=5mV&clock=fast&seed={}", self.seed);
        let mut scope = connect(self.front_end, &query).await;
        let found = calibrate(&mut scope, grid).await;
        assert_eq!(scope.generators(), Generators::Off);
        found
    }

    /// How far known voltages over the safe range are read off at the worst, with 16 bits a sample and with
    /// 8, as a part of the range.
    pub(crate) async fn worst_misread(&self, probe: &AnalogParameters) -> f64 {
        let mut worst = 0.0_f64;
        for place in 1..20 {
            let volts = probe.safe_low + (probe.safe_high - probe.safe_low) * 0.05 * f64::from(place);
            let volts = (volts * 1e3).round() / 1e3;
            for fast in [false, true] {
                worst = worst.max(self.misread(probe, volts, fast).await);
            }
        }
        worst
    }

    /// How far the mean of a trace of a known voltage is off, as a part of the range; the worse of A and B.
    pub(crate) async fn misread(&self, probe: &AnalogParameters, volts: f64, fast: bool) -> f64 {
        let query = format!("A=dc,{volts}V&B=dc,{volts}V&noise=5mV&clock=fast");
        let mut scope = connect(self.front_end, &query).await;
        let (period_s, samples) = if fast { (1e-3, 1100) } else { (2e-3, 1000) };
        let request = CaptureRequest {
            period_s,
            samples,
            timeout_s: Some(0.0),
            ..CaptureRequest::new("A,B".parse::<ChannelSet>().expect("channels"))
        };
        scope.set_probe(*probe);
        let plan = scope.plan(&request).expect("a plan");
        assert_eq!(plan.mode.sample_bytes, if fast { 1 } else { 2 });
        let mut buffer = TraceBuffer::new();
        let trace = scope.capture(&plan, &mut buffer).await.expect("a trace");
        let off = AnalogChannel::ALL.map(|channel| {
            let view = trace.analog(channel).expect("its samples");
            let mean = view.values().map(f64::from).sum::<f64>() / view.len() as f64;
            (mean - volts).abs() / (probe.safe_high - probe.safe_low)
        });
        off[0].max(off[1])
    }
}

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

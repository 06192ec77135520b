//! Calibrations of synthetic front ends: whatever their parameters, voltages are read right afterwards.
//!
//! The front end here is written from reference.md#7-voltages and shares nothing with the fit.

use scopething_core::calibration::{
    Calibration, CalibrationError, CalibrationRequest, Calibrator, GridPoint, SquareLevels,
};
use scopething_core::device::{AnalogParameters, BS05};
use scopething_core::plan::{
    AnalogChannel, BusyOutputs, CaptureRequest, Channel, ChannelSet, SampleRange, plan_capture,
};
use scopething_core::vm::Register;

const CLOCK_VOLTS: f64 = 3.3;
/// Samples of a channel in a trace, over two periods of the clock.
const SAMPLES: u32 = 64;

/// A reproducible source of numbers (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Evenly from 0 to 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.fraction()
    }

    /// Bell-shaped with a standard deviation of 1: four even numbers with a variance of 1/12 each.
    fn bell(&mut self) -> f64 {
        let bits = self.next();
        let sum: f64 = (0..4).map(|part| f64::from((bits >> (16 * part)) as u16) / 65535.0 - 0.5).sum();
        sum * 3_f64.sqrt()
    }
}

/// How a converter rounds.
#[derive(Clone, Copy)]
enum Rounding {
    Down,
    Nearest,
}

struct FrontEnd {
    planes: AnalogParameters,
    noise_volts: f64,
    rounding: Rounding,
    random: Random,
}

impl FrontEnd {
    /// Each parameter up to 10 % off nominal; what is nominally 0, by some hundredths or hundredths of a
    /// volt.
    fn off_nominal(seed: u64) -> Self {
        let mut random = Random(seed);
        let nominal = AnalogParameters::NOMINAL_X1;
        let mut off = |value: f64| value * random.between(0.9, 1.1);
        let planes = AnalogParameters {
            la: off(nominal.la),
            lb: off(nominal.lb),
            ha: off(nominal.ha),
            hb: off(nominal.hb),
            hc: off(nominal.hc),
            scale: off(nominal.scale),
            offset: off(nominal.offset),
            lc: random.between(-0.01, 0.01),
            ab_offset: random.between(-0.05, 0.05),
            ..nominal
        };
        let rounding = if seed.is_multiple_of(2) { Rounding::Down } else { Rounding::Nearest };
        Self { planes, noise_volts: 5e-3, rounding, random }
    }

    /// One sample: what part of the range a voltage is seen at, in so many steps.
    fn sample(&mut self, dacs: (f64, f64), channel: AnalogChannel, volts: f64, steps: f64) -> f32 {
        let planes = &self.planes;
        // low DAC = la lo + lb hi + lc and high DAC = ha hi + hb lo + hc, by Cramer's rule.
        let (low, high) = (dacs.0 - planes.lc, dacs.1 - planes.hc);
        let determinant = planes.la * planes.ha - planes.lb * planes.hb;
        let lo = (low * planes.ha - planes.lb * high) / determinant;
        let hi = (planes.la * high - low * planes.hb) / determinant;
        let side = if channel == AnalogChannel::A { 0.5 } else { -0.5 };
        let seen = volts + side * planes.ab_offset + self.noise_volts * self.random.bell();
        let fraction = ((seen - planes.offset) / planes.scale - lo) / (hi - lo) * steps;
        let step = match self.rounding {
            Rounding::Down => fraction.floor(),
            Rounding::Nearest => fraction.round(),
        };
        (step.clamp(0.0, steps - 1.0) / steps) as f32
    }

    /// A trace of the clock in 8-bit steps.
    fn clock(&mut self, point: GridPoint, channel: AnalogChannel) -> Vec<f32> {
        let phase = self.random.next() as u32 % SAMPLES;
        let dacs = (point.low_dac, point.high_dac);
        let volts = |index: u32| f64::from((index + phase) / (SAMPLES / 4) % 2) * CLOCK_VOLTS;
        (0..SAMPLES).map(|index| self.sample(dacs, channel, volts(index), 256.0)).collect()
    }
}

fn find(samples: &[f32]) -> Option<SquareLevels> {
    SquareLevels::find(|| samples.iter().copied())
}

/// Calibrates; `disturb` may change the levels of a point.
fn calibrate(
    front: &mut FrontEnd,
    request: &CalibrationRequest,
    mut disturb: impl FnMut(&mut Random, SquareLevels) -> SquareLevels,
) -> Result<Calibration, CalibrationError> {
    let mut calibrator = Calibrator::new(&BS05, request)?;
    let mut points = 0;
    let all = calibrator.points_left();
    assert_eq!(all, request.grid * request.grid);
    while let Some(point) = calibrator.point() {
        for channel in AnalogChannel::ALL {
            if !request.channels.contains(channel.into()) {
                continue;
            }
            if let Some(levels) = find(&front.clock(point, channel)) {
                let levels = disturb(&mut front.random, levels);
                calibrator.measured(channel, levels);
            }
        }
        calibrator.advance()?;
        points += 1;
        assert_eq!(calibrator.points_left(), all - points);
    }
    calibrator.finish()
}

fn undisturbed(_: &mut Random, levels: SquareLevels) -> SquareLevels {
    levels
}

/// The worst reading of known voltages over several ranges, as a part of the range.
fn worst_reading(front: &mut FrontEnd, found: &AnalogParameters, channel: AnalogChannel) -> f64 {
    let (safe_low, safe_high) = (found.safe_low, found.safe_high);
    let mut worst = 0.0_f64;
    for turn in 0..8 {
        let (low, high) = if turn == 0 {
            (safe_low, safe_high)
        } else {
            // From about 1 V of a x1 probe on.
            let width = front.random.between(0.075, 1.0) * (safe_high - safe_low);
            let low = front.random.between(safe_low, safe_high - width);
            (low, low + width)
        };
        let request = CaptureRequest {
            low: Some(low),
            high: Some(high),
            ..CaptureRequest::new(ChannelSet::EMPTY.with(channel.into()))
        };
        let plan = plan_capture(&BS05, found, &request, BusyOutputs::NOTHING).unwrap();
        let register = |wanted| {
            let found = plan.registers().into_iter().find(|(register, _)| *register == wanted);
            f64::from(found.unwrap().1) / 65536.0
        };
        let dacs = (register(Register::ConverterLo), register(Register::ConverterHi));
        let SampleRange::Volts { low: bottom, high: top, ab_offset, .. } = plan.range else {
            panic!("{:?}", plan.range)
        };
        // A range ends where it ends: what noise and half of the A-B offset carry beyond cannot be read.
        let margin = found.ab_offset.abs() / 2.0 + 4.0 * front.noise_volts;
        for place in 0..=20 {
            let volts = low + margin + (high - low - 2.0 * margin) * 0.05 * f64::from(place);
            let samples = 32;
            let mean: f64 =
                (0..samples).map(|_| f64::from(front.sample(dacs, channel, volts, 256.0))).sum::<f64>()
                    / f64::from(samples);
            let side = if channel == AnalogChannel::A { -0.5 } else { 0.5 };
            let read = bottom + mean * (top - bottom) + side * ab_offset;
            worst = worst.max((read - volts).abs() / (high - low));
        }
    }
    worst
}

#[test]
fn hundred_front_ends_calibrate_within_half_a_percent() {
    let mut worst = 0.0_f64;
    for seed in 0..100 {
        let mut front = FrontEnd::off_nominal(seed);
        let request = CalibrationRequest::new(BS05.analog);
        let found = calibrate(&mut front, &request, undisturbed).unwrap();
        assert!(found.residual_of_range < 0.004, "seed {seed}: {found:?}");
        for channel in AnalogChannel::ALL {
            let reading = worst_reading(&mut front, &found.parameters, channel);
            assert!(reading <= 0.005, "seed {seed}, {channel}: {reading} of the range, {:?}", front.planes);
            worst = worst.max(reading);
        }
    }
    let mut front = FrontEnd::off_nominal(0);
    let without = worst_reading(&mut front, &BS05.analog, AnalogChannel::A);
    assert!(without > 0.05, "{without} of the range without calibration");
    println!("100 of 100 seeds, the worst reading {:.3} % of the range off", worst * 100.0);
}

#[test]
fn disturbed_traces_are_left_out() {
    for seed in 1000..1010 {
        let mut front = FrontEnd::off_nominal(seed);
        let request = CalibrationRequest { grid: 24, ..CalibrationRequest::new(BS05.analog) };
        // Every twentieth trace is off by up to a fifth of the range.
        let found = calibrate(&mut front, &request, |random, levels| {
            if random.next() % 20 > 0 {
                return levels;
            }
            let off = random.between(-0.2, 0.2);
            SquareLevels { low: levels.low.map(|low| low + off), high: levels.high.map(|high| high - off) }
        })
        .unwrap();
        assert!(found.rejected > found.used / 50, "{found:?}");
        for channel in AnalogChannel::ALL {
            let reading = worst_reading(&mut front, &found.parameters, channel);
            assert!(reading <= 0.005, "seed {seed}, {channel}: {reading} of the range");
        }
    }
}

#[test]
fn one_channel_keeps_the_offset_between_both() {
    for channel in AnalogChannel::ALL {
        let mut front = FrontEnd::off_nominal(7);
        let before = AnalogParameters { ab_offset: front.planes.ab_offset, ..BS05.analog };
        let channels = ChannelSet::EMPTY.with(Channel::Analog(channel));
        let request = CalibrationRequest { channels, grid: 16, before };
        let found = calibrate(&mut front, &request, undisturbed).unwrap();
        assert!((found.parameters.ab_offset - before.ab_offset).abs() < 1e-9);
        for channel in AnalogChannel::ALL {
            let reading = worst_reading(&mut front, &found.parameters, channel);
            assert!(reading <= 0.005, "{channel}: {reading} of the range");
        }
    }
}

#[test]
fn ten_to_one_probe_is_calibrated() {
    for seed in 2000..2005 {
        let mut front = FrontEnd::off_nominal(seed);
        front.planes.scale *= 10.0;
        front.planes.offset *= 10.0;
        front.planes.ab_offset *= 10.0;
        front.noise_volts *= 10.0;
        let found = calibrate(&mut front, &CalibrationRequest::new(BS05.analog), undisturbed).unwrap();
        let reading = worst_reading(&mut front, &found.parameters, AnalogChannel::A);
        assert!(reading <= 0.005, "seed {seed}: {reading} of the range");
    }
}

#[test]
fn what_cannot_be_calibrated_is_refused() {
    let request = CalibrationRequest::new(BS05.analog);
    for grid in [0, 7, 65, u16::MAX] {
        let refused = Calibrator::new(&BS05, &CalibrationRequest { grid, ..request });
        assert_eq!(refused.unwrap_err(), CalibrationError::Grid(grid));
    }
    let none = Calibrator::new(&BS05, &CalibrationRequest { channels: ChannelSet::ALL_LOGIC, ..request });
    assert_eq!(none.unwrap_err(), CalibrationError::NoChannel);
    let mut blind = Calibrator::new(&BS05, &request).unwrap();
    let refused = loop {
        if let Err(refused) = blind.advance() {
            break refused;
        }
    };
    assert_eq!(refused, CalibrationError::TooFewPoints { used: 0 });
    assert!(matches!(
        Calibrator::new(&BS05, &request).unwrap().finish(),
        Err(CalibrationError::TooFewPoints { used: 0 })
    ));
}

#[test]
fn levels_that_fit_to_nothing_are_refused() {
    let mut front = FrontEnd::off_nominal(3);
    let request = CalibrationRequest { grid: 16, ..CalibrationRequest::new(BS05.analog) };
    // The first 96 points are pilots; of the other 160 the probe comes off after 50.
    let mut seen = 0;
    let refused = calibrate(&mut front, &request, |random, levels| {
        seen += 1;
        if seen < 2 * (96 + 50) {
            levels
        } else {
            SquareLevels::new(random.between(0.1, 0.4), random.between(0.6, 0.9))
        }
    });
    assert!(matches!(refused, Err(CalibrationError::Unsteady { .. })), "{refused:?}");
    let upside_down =
        calibrate(&mut front, &request, |_, levels| SquareLevels { low: levels.high, high: levels.low });
    assert!(upside_down.is_err(), "{upside_down:?}");
}

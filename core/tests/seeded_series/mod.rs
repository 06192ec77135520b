//! Series of known shape, frequency and noise, drawn from a seed.

use std::f64::consts::TAU;

use fastrand::Rng;
use scopething_core::analysis::{Analysis, Shape, analyse, scratch_length};
use scopething_core::trace::SampleTimes;

/// What a series is drawn from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Drawn {
    pub(crate) shape: Shape,
    pub(crate) periods: f64,
    /// Standard deviation of the normal noise, as a fraction of the peak to peak of the shape.
    pub(crate) noise: f64,
    pub(crate) peak_to_peak: f64,
    pub(crate) low: f64,
    /// Where in the period the first sample lies, 0 to 1.
    pub(crate) turn: f64,
}

pub(crate) const SHAPES: [&str; 6] =
    ["sine", "triangle", "exponential", "sawtooth up", "sawtooth down", "square"];

/// A number between two positive limits, each octave as likely as any other.
fn log_uniform(rng: &mut Rng, low: f64, high: f64) -> f64 {
    low * (high / low).powf(rng.f64())
}

pub(crate) fn shape(rng: &mut Rng, name: &str) -> Shape {
    match name {
        "sine" => Shape::Sine,
        "triangle" => Shape::Triangle,
        "exponential" => Shape::Exponential,
        "sawtooth up" => Shape::Sawtooth { rising: true },
        "sawtooth down" => Shape::Sawtooth { rising: false },
        _ => Shape::Square { duty: 0.1 + 0.8 * rng.f64() },
    }
}

impl Drawn {
    /// Any shape, 2.5 to 200 periods, noise to 5 % of the peak to peak, 10 mV to 10 V, offset to five times that.
    pub(crate) fn any(rng: &mut Rng) -> Self {
        let name = SHAPES[rng.usize(..SHAPES.len())];
        let periods = log_uniform(rng, 2.5, 200.0);
        let noise = 0.05 * rng.f64();
        Self::with(rng, name, periods, noise)
    }

    pub(crate) fn with(rng: &mut Rng, name: &str, periods: f64, noise: f64) -> Self {
        let shape = shape(rng, name);
        let peak_to_peak = log_uniform(rng, 0.01, 10.0);
        let low = peak_to_peak * (10.0 * rng.f64() - 5.0);
        Self { shape, periods, noise, peak_to_peak, low, turn: rng.f64() }
    }

    /// The height of the shape at a phase, 0 to 1, both.
    fn height(&self, phase: f64) -> f64 {
        match self.shape {
            Shape::Sine => 0.5 + 0.5 * (TAU * phase).sin(),
            Shape::Triangle => 1.0 - (2.0 * phase - 1.0).abs(),
            Shape::Exponential => {
                // Five time constants each way.
                let charged = |part: f64| (1.0 - (-5.0 * part).exp()) / (1.0 - (-5.0_f64).exp());
                if phase < 0.5 { charged(2.0 * phase) } else { 1.0 - charged(2.0 * phase - 1.0) }
            }
            Shape::Sawtooth { rising } => {
                if rising {
                    phase
                } else {
                    1.0 - phase
                }
            }
            Shape::Square { duty } => f64::from(u8::from(phase < duty)),
            Shape::Unknown => 0.0,
        }
    }

    pub(crate) fn samples(&self, rng: &mut Rng, count: usize) -> Vec<f32> {
        let step = self.periods / count as f64;
        (0..count)
            .map(|index| {
                let height = self.height((self.turn + index as f64 * step).fract());
                (self.low + self.peak_to_peak * (height + self.noise * normal(rng))) as f32
            })
            .collect()
    }
}

/// A draw from the standard normal distribution (Box and Muller).
fn normal(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (TAU * rng.f64()).cos()
}

/// Of a series over one second: the analysis with samples so many to the second.
pub(crate) fn analysed(samples: &[f32], scratch: &mut Vec<i16>) -> Analysis {
    scratch.resize(scratch_length(samples.len()), 0);
    let times = SampleTimes { start_s: 0.0, period_s: 1.0 / samples.len() as f64 };
    analyse(samples, times, scratch).expect("the memory is as long as asked for")
}

/// Whether an analysis found the shape that was drawn, a square's duty within 0.02 or a sample.
pub(crate) fn is_same_shape(drawn: &Drawn, found: &Analysis, samples: usize) -> bool {
    let Some(wave) = found.wave else { return false };
    match (drawn.shape, wave.shape) {
        (Shape::Square { duty }, Shape::Square { duty: found }) => {
            (duty - found).abs() < (drawn.periods / samples as f64).max(0.02)
        }
        (drawn, found) => drawn == found,
    }
}

/// By how much the frequency is off, as a fraction; infinite if there is none.
pub(crate) fn frequency_error(drawn: &Drawn, found: &Analysis) -> f64 {
    found.wave.map_or(f64::INFINITY, |wave| (wave.frequency_hz / drawn.periods - 1.0).abs())
}

/// By how much the start of the wave is off, in periods; infinite if there is none.
pub(crate) fn start_error(drawn: &Drawn, found: &Analysis) -> f64 {
    let rise = match drawn.shape {
        Shape::Triangle => 0.25,
        // Half charged, after this part of the half period.
        Shape::Exponential => 0.5 * (2.0 / (1.0 + (-5.0_f64).exp())).ln() / 5.0,
        Shape::Sawtooth { rising: true } => 0.5,
        _ => 0.0,
    };
    let start = (rise - drawn.turn).rem_euclid(1.0);
    let found = found.wave.map_or(f64::INFINITY, |wave| wave.start_s * drawn.periods);
    (found - start - (found - start).round()).abs()
}

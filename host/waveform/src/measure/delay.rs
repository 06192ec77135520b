//! How much later one analog channel is than another of the same frequency, by all samples of both.

use std::borrow::Cow;
use std::f64::consts::{PI, TAU};
use std::fmt;

use scopething_core::analysis::{ChannelDelay, Shape, Wave};

use crate::quantity_text::quantity;
use crate::waveform::Channel;

use super::harmonics::{Harmonics, count_below_nyquist};

/// The most harmonics that are compared.
const MAX_HARMONICS: usize = 15;

/// Two frequencies that differ by less, as a fraction, are one.
const SAME_FREQUENCY: f64 = 0.02;

/// Two squares whose duties differ by less have one shape.
const SAME_DUTY: f64 = 0.02;

/// A harmonic whose phase is off by more, in radians, is noise, or not shared by both channels.
const MAX_OFF: f64 = 1.0;

/// Why the delay between two channels is not known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum DelayUnknown {
    /// The channel has no frequency: its edges are too few, or come irregularly.
    NoFrequency(Channel),
    /// The frequencies differ, so that the delay changes all the time.
    OtherFrequency {
        /// That of the channel from which is counted, in hertz.
        from_hz: f64,
        /// That of the other one, in hertz.
        to_hz: f64,
    },
    /// The delay changes by more than a quarter of a period.
    Wanders,
}

impl DelayUnknown {
    /// Why the edges of two channels have no common delay, by the frequencies of both in hertz.
    pub(super) fn of(from: (Channel, Option<f64>), to: (Channel, Option<f64>)) -> Self {
        match (from, to) {
            ((channel, None), _) | (_, (channel, None)) => Self::NoFrequency(channel),
            ((_, Some(from_hz)), (_, Some(to_hz))) if !ChannelDelay::is_common(from_hz, to_hz) => {
                Self::OtherFrequency { from_hz, to_hz }
            }
            _ => Self::Wanders,
        }
    }
}

impl fmt::Display for DelayUnknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFrequency(channel) => write!(f, "{channel} has no frequency by its edges"),
            Self::OtherFrequency { from_hz, to_hz } => {
                let [from, to] = [from_hz, to_hz].map(|hertz| quantity(*hertz, "Hz", 5));
                write!(f, "one has {from} and the other {to}")
            }
            Self::Wanders => f.write_str("it changes by more than a quarter of a period"),
        }
    }
}

impl std::error::Error for DelayUnknown {}

/// A channel, and the wave in it.
#[derive(Clone)]
pub(super) struct WaveOf<'a> {
    pub(super) samples: Cow<'a, [f32]>,
    pub(super) start_s: f64,
    pub(super) period_s: f64,
    pub(super) wave: &'a Wave,
}

impl WaveOf<'_> {
    fn harmonics(&self, frequency_hz: f64) -> Harmonics {
        let frequency = frequency_hz * self.period_s;
        let count = count_below_nyquist(frequency, self.samples.len()).clamp(1, MAX_HARMONICS);
        Harmonics::of(&self.samples, frequency, count)
    }
}

/// The delay that lays two waves of one shape best over each other: each harmonic's difference of phase counts as much as
/// noise leaves of it. `None` if their shapes or frequencies differ.
pub(super) fn between(first: &WaveOf<'_>, second: &WaveOf<'_>) -> Option<ChannelDelay> {
    let frequencies = [first.wave.frequency_hz, second.wave.frequency_hz];
    let frequency_hz = f64::midpoint(frequencies[0], frequencies[1]);
    let is_common = (frequencies[0] - frequencies[1]).abs() <= SAME_FREQUENCY * frequency_hz;
    let is_seen = [first, second].iter().all(|channel| frequency_hz * channel.period_s < 0.5);
    if !is_common || !is_seen || !is_same(first.wave.shape, second.wave.shape) {
        return None;
    }
    let (one, other) = (first.harmonics(frequency_hz), second.harmonics(frequency_hz));
    let late_s = second.start_s - first.start_s;
    let mut sums = (0.0, 0.0);
    for (number, (one, other)) in (1_u32..).zip(one.harmonics.iter().zip(&other.harmonics)) {
        let turn = TAU * f64::from(number) * frequency_hz;
        let weight = one.power() * other.power() / (one.power() + other.power());
        if !weight.is_finite() || weight <= 0.0 {
            continue;
        }
        let late = one.angle() - other.angle() + turn * late_s;
        let delay_s = if number == 1 { 0.0 } else { sums.0 / sums.1 };
        let off = wrapped(late - turn * delay_s);
        if number > 1 && off.abs() > MAX_OFF {
            continue;
        }
        sums.0 += weight * turn * (off + turn * delay_s);
        sums.1 += weight * turn * turn;
    }
    (sums.1 > 0.0).then(|| ChannelDelay::of(sums.0 / sums.1, frequency_hz))
}

fn is_same(one: Shape, other: Shape) -> bool {
    match (one, other) {
        (Shape::Square { duty: one }, Shape::Square { duty: other }) => (one - other).abs() < SAME_DUTY,
        (one, other) => one == other,
    }
}

/// An angle brought to at most half a turn.
fn wrapped(angle: f64) -> f64 {
    angle - TAU * ((angle + PI) / TAU).floor()
}

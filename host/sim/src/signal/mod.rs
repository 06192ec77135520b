//! What is connected to the simulated inputs: volts as a function of simulated time.
//!
//! A signal is described by a short text, its parts separated by commas or spaces: `sine 1kHz 0..3V` on a
//! command line, `sine,1kHz,0..3V` in a URL. The kinds, with what may be left out in brackets (a range left
//! out is 0..3.3V):
//!
//! ```text
//! dc 1.5V                                   ramp 1kHz [0..3V] [phase=25%]        (also called sawtooth)
//! sine 1kHz [0..3V] [phase=25%]             exponential 1kHz [0..3V] [50%] [phase=25%]
//! triangle 1kHz [0..3V] [50%] [phase=25%]   pulse 1kHz 10us [0..3V] [count=3 spacing=50us] [phase=25%]
//! square 1kHz [0..3V] [50%] [phase=25%]     noise [0..3V]
//! uart 9600bps text=Hello [gap=1ms]         i2c scl|sda 100kHz address=0x50 data=0102 [gap=1ms]
//! spi clk|mosi|miso|cs 1MHz data=0102 [gap=1ms]
//! file:capture.csv#A                        file:capture.sr#ana1
//! ```
//!
//! The percentage is the part of the period spent high (square) or rising (triangle, exponential). A range
//! may run downwards (`3..0V`). Files are played over and over, at the volts and the rate they hold.
//!
//! ```
//! use scopething_sim::{Signal, SimTime};
//!
//! let signal: Signal = "square 1kHz 0..3V 25%".parse()?;
//! assert_eq!(signal.volts(SimTime::from_micros(200)), 3.0);
//! assert_eq!(signal.volts(SimTime::from_micros(300)), 0.0);
//! assert_eq!(signal.next_crossing(1.5, SimTime::from_micros(300)).is_some(), true);
//! # Ok::<(), scopething_sim::SignalError>(())
//! ```

mod function;
mod playback;
mod shape;
mod text;
mod traffic;

pub use function::Function;
pub use playback::{Playback, PlaybackError, ReadPlayback, no_files};
pub use shape::{Periodic, Shape};
pub use text::SignalError;
pub use traffic::{BusLine, Traffic};

use super::time::SimTime;
use crate::random;

/// Volts of a 3.3 V logic line that is high.
pub(super) const LOGIC_HIGH_V: f64 = 3.3;

/// Volts as a function of simulated time.
#[derive(Debug, Clone, PartialEq)]
pub enum Signal {
    /// The same voltage for ever.
    Dc {
        /// That voltage.
        volts: f64,
    },
    /// A waveform that repeats.
    Periodic(Periodic),
    /// A new voltage every 25 ns, anywhere in the range with the same chance.
    Noise {
        /// The lowest voltage.
        low: f64,
        /// The highest voltage.
        high: f64,
        /// Chooses the voltages.
        seed: u64,
    },
    /// A recorded waveform, played over and over.
    Playback(Playback),
    /// A line of a bus.
    Traffic(Traffic),
    /// Whatever the program that runs the device computes.
    Function(Function),
}

impl Signal {
    /// The voltage at a moment.
    #[must_use]
    pub fn volts(&self, at: SimTime) -> f64 {
        match self {
            Self::Dc { volts } => *volts,
            Self::Periodic(periodic) => periodic.volts(at),
            Self::Noise { low, high, seed } => low + random::uniform(*seed, at.ticks()) * (high - low),
            Self::Playback(playback) => playback.volts(at),
            Self::Traffic(traffic) => traffic.volts(at),
            Self::Function(function) => function.volts(at),
        }
    }

    /// A moment up to which the signal stays on the side of `level` volts where it is at `after` (at or above
    /// it, or below it): the moment it changes sides, or a little or much earlier. None if it never changes
    /// sides again.
    ///
    /// The answer always lies after `after`, so that a search by repeated calls comes to an end.
    #[must_use]
    pub fn next_crossing(&self, level: f64, after: SimTime) -> Option<SimTime> {
        match self {
            Self::Dc { .. } => None,
            Self::Periodic(periodic) => periodic.next_crossing(level, after),
            Self::Noise { low, high, .. } => {
                (level > low.min(*high) && level <= low.max(*high)).then(|| after + SimTime(1))
            }
            Self::Playback(playback) => playback.next_crossing(level, after),
            Self::Traffic(traffic) => traffic.next_crossing(level, after),
            // Nothing is known of it: it is looked at for each sample.
            Self::Function(_) => Some(after + SimTime(1)),
        }
    }

    /// The text with commas in place of spaces, for a URL; a file's name stays as it is.
    pub(super) fn url_text(&self) -> String {
        match self {
            Self::Playback(_) => self.to_string(),
            _ => self.to_string().replace(' ', ","),
        }
    }

    /// The same signal with its random part chosen by `seed`.
    pub(super) fn seeded(self, seed: u64) -> Self {
        match self {
            Self::Noise { low, high, .. } => Self::Noise { low, high, seed },
            other => other,
        }
    }

    /// Line `line` of an eight-bit counter that moves on every `step_s` seconds, as a 3.3 V logic level.
    pub(super) fn counter_line(line: u32, step_s: f64) -> Self {
        Self::Periodic(Periodic {
            shape: Shape::Square { duty: 0.5 },
            frequency_hz: 1.0 / (step_s * f64::from(1_u32 << (line + 1))),
            low: 0.0,
            high: LOGIC_HIGH_V,
            phase: 0.5,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_counts() {
        let lines: Vec<Signal> = (0..8).map(|line| Signal::counter_line(line, 10e-6)).collect();
        for step in [0_u64, 1, 2, 3, 127, 128, 255, 256] {
            let middle = SimTime(step * 10_000 + 5_000);
            let value =
                lines.iter().rev().fold(0, |value, line| value << 1 | u64::from(line.volts(middle) > 1.65));
            assert_eq!(value, step % 256);
        }
    }

    #[test]
    fn noise_stays_in_its_range_and_is_repeatable() {
        let noise = |seed| "noise -1..2V".parse::<Signal>().unwrap().seeded(seed);
        let values = |seed| (0..1000).map(|tick| noise(seed).volts(SimTime(25 * tick))).collect::<Vec<_>>();
        assert!(values(1).iter().all(|volts| (-1.0..2.0).contains(volts)));
        assert_eq!(values(1), values(1));
        assert_ne!(values(1), values(2));
        assert_eq!(noise(1).next_crossing(2.1, SimTime(0)), None);
    }
}

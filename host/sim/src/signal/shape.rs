//! Periodic shapes: sine, triangle and ramp, square, exponential, pulse trains.

use super::super::time::SimTime;

/// How many time constants an exponential rises or falls for.
const EXPONENTIAL_CONSTANTS: f64 = 5.0;
/// Moments closer than this to a crossing are looked at one by one.
const NEAR_NS: f64 = 2.0;

/// One period of a waveform that runs from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// A sine that starts at its middle and rises.
    Sine,
    /// A triangle that rises for this part of the period, then falls: 1 is a rising ramp, 0 a falling one.
    Triangle {
        /// The rising part of the period, 0 to 1.
        symmetry: f64,
    },
    /// High for this part of the period, then low.
    Square {
        /// The high part of the period, 0 to 1.
        duty: f64,
    },
    /// A capacitor charged for this part of the period, then discharged, five time constants each.
    Exponential {
        /// The charging part of the period, 0 to 1.
        symmetry: f64,
    },
    /// A train of pulses at the start of the period, low for the rest.
    Pulses {
        /// The high part of one pulse, as a part of the period.
        width: f64,
        /// From one pulse to the next, as a part of the period.
        spacing: f64,
        /// Pulses in the train.
        count: u16,
    },
}

impl Shape {
    /// The value, 0 to 1, at a phase of 0 to 1.
    #[must_use]
    pub fn value(self, phase: f64) -> f64 {
        match self {
            Self::Sine => 0.5 + 0.5 * (std::f64::consts::TAU * phase).sin(),
            Self::Triangle { symmetry } => {
                if phase < symmetry {
                    phase / symmetry
                } else {
                    (1.0 - phase) / (1.0 - symmetry)
                }
            }
            Self::Square { duty } => f64::from(u8::from(phase < duty)),
            Self::Exponential { symmetry } => {
                if phase < symmetry {
                    charged(phase / symmetry)
                } else {
                    1.0 - charged((phase - symmetry) / (1.0 - symmetry))
                }
            }
            Self::Pulses { width, spacing, count } => {
                let pulse = (phase / spacing).floor();
                f64::from(u8::from(pulse < f64::from(count) && phase - pulse * spacing < width))
            }
        }
    }

    /// Calls `found` with each phase at which the value passes `level` (above 0, at most 1).
    fn each_crossing(self, level: f64, mut found: impl FnMut(f64)) {
        match self {
            Self::Sine => {
                let rising = (2.0 * level - 1.0).asin() / std::f64::consts::TAU;
                found(rising);
                found(0.5 - rising);
            }
            Self::Triangle { symmetry } => {
                found(level * symmetry);
                found(1.0 - level * (1.0 - symmetry));
                // A ramp has its jump here.
                found(0.0);
            }
            Self::Square { duty } => {
                found(0.0);
                found(duty);
            }
            Self::Exponential { symmetry } => {
                found(symmetry * charging_time(level));
                found(symmetry + (1.0 - symmetry) * charging_time(1.0 - level));
                found(0.0);
                found(symmetry);
            }
            Self::Pulses { width, spacing, count } => {
                for pulse in 0..count {
                    found(f64::from(pulse) * spacing);
                    found(f64::from(pulse) * spacing + width);
                }
            }
        }
    }
}

/// How far a capacitor is charged after a part of its charging time.
fn charged(part: f64) -> f64 {
    (1.0 - (-EXPONENTIAL_CONSTANTS * part).exp()) / (1.0 - (-EXPONENTIAL_CONSTANTS).exp())
}

/// The inverse of [`charged`].
fn charging_time(level: f64) -> f64 {
    -(1.0 - level * (1.0 - (-EXPONENTIAL_CONSTANTS).exp())).ln() / EXPONENTIAL_CONSTANTS
}

/// A shape that repeats for ever between two voltages.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Periodic {
    /// The shape of one period.
    pub shape: Shape,
    /// Periods a second, above 0.
    pub frequency_hz: f64,
    /// Volts where the shape is 0.
    pub low: f64,
    /// Volts where the shape is 1; may lie below `low`, which turns the shape over.
    pub high: f64,
    /// The part of the period that has passed at time 0.
    pub phase: f64,
}

impl Periodic {
    fn phase_at(&self, at: SimTime) -> f64 {
        let period_ns = 1e9 / self.frequency_hz;
        let whole_ns = period_ns.round();
        // Whole nanoseconds are reckoned in whole numbers: edges then lie where they should for ever.
        let passed = if (1.0..1e15).contains(&whole_ns) && (whole_ns - period_ns).abs() < 1e-12 * period_ns {
            (at.0 % whole_ns as u64) as f64 / whole_ns
        } else {
            at.seconds() * self.frequency_hz
        };
        let turns = passed + self.phase;
        // The exact remainder, as `rem_euclid` has it, which takes the time of some ten of these.
        let phase = turns - turns.floor();
        if phase < 1.0 { phase } else { 0.0 }
    }

    pub(in super::super) fn volts(&self, at: SimTime) -> f64 {
        self.low + self.shape.value(self.phase_at(at)) * (self.high - self.low)
    }

    /// See [`Signal::next_crossing`](super::Signal::next_crossing).
    pub(in super::super) fn next_crossing(&self, level: f64, after: SimTime) -> Option<SimTime> {
        let level = (level - self.low) / (self.high - self.low);
        // Outside, and at either end where the shape touches but does not cross, a square still jumps.
        if !(0.0..=1.0).contains(&level) {
            return None;
        }
        let phase = self.phase_at(after);
        let period_ns = 1e9 / self.frequency_hz;
        let near = NEAR_NS / period_ns;
        let mut wait = f64::INFINITY;
        self.shape.each_crossing(level, |crossing| {
            let ahead = (crossing - phase).rem_euclid(1.0);
            // Just passed or just to come: rounding hides which, so the next nanosecond is looked at.
            let ahead = if ahead < near || ahead > 1.0 - near { 0.0 } else { ahead };
            wait = wait.min(ahead);
        });
        let step = (wait * period_ns - NEAR_NS).max(1.0);
        Some(after + SimTime(step as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    fn shapes() -> impl Strategy<Value = Shape> {
        prop_oneof![
            Just(Shape::Sine),
            prop_oneof![Just(0.0), Just(1.0), 0.0..=1.0].prop_map(|symmetry| Shape::Triangle { symmetry }),
            (0.01..0.99).prop_map(|duty| Shape::Square { duty }),
            (0.05..0.95).prop_map(|symmetry| Shape::Exponential { symmetry }),
            (0.01..0.1, 1_u16..5).prop_map(|(width, count)| Shape::Pulses {
                width,
                spacing: 2.0 * width,
                count
            }),
        ]
    }

    #[test]
    fn shapes_have_the_values_of_their_names() {
        let quarter = |shape: Shape| [0.0, 0.25, 0.5, 0.75].map(|phase| shape.value(phase));
        let near =
            |left: [f64; 4], right: [f64; 4]| left.iter().zip(right).all(|(l, r)| (l - r).abs() < 1e-12);
        assert!(near(quarter(Shape::Sine), [0.5, 1.0, 0.5, 0.0]));
        assert!(near(quarter(Shape::Triangle { symmetry: 0.5 }), [0.0, 0.5, 1.0, 0.5]));
        assert!(near(quarter(Shape::Triangle { symmetry: 1.0 }), [0.0, 0.25, 0.5, 0.75]));
        assert!(near(quarter(Shape::Triangle { symmetry: 0.0 }), [1.0, 0.75, 0.5, 0.25]));
        assert!(near(quarter(Shape::Square { duty: 0.3 }), [1.0, 1.0, 0.0, 0.0]));
        assert!(near(quarter(Shape::Pulses { width: 0.1, spacing: 0.25, count: 2 }), [1.0, 1.0, 0.0, 0.0]));
        let exponential = Shape::Exponential { symmetry: 0.5 };
        assert!(exponential.value(0.0).abs() < 1e-12 && (exponential.value(0.5) - 1.0).abs() < 1e-12);
        // A tenth of the charging time is half a time constant.
        let expected = (1.0 - (-0.5_f64).exp()) / (1.0 - (-5.0_f64).exp());
        assert!((exponential.value(0.05) - expected).abs() < 1e-12);
    }

    proptest! {
        #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(1), ..ProptestConfig::default() })]

        /// Whatever is skipped on the way to a crossing lies on one side of the level.
        #[test]
        fn no_crossing_is_passed_over(
            shape in shapes(), frequency_hz in 1e3..1e6, level in -0.2..1.2, phase in 0.0..1.0,
            start in 0_u64..1_000_000
        ) {
            let signal = Periodic { shape, frequency_hz, low: 0.0, high: 1.0, phase };
            let mut at = SimTime(start);
            for _ in 0..20 {
                let side = signal.volts(at) >= level;
                let next = signal.next_crossing(level, at);
                let end = next.unwrap_or(at + SimTime::from_seconds(2.0 / frequency_hz));
                prop_assert!(end > at);
                let steps = 50.min(end.0 - at.0);
                for step in 0..steps {
                    let between = SimTime(at.0 + (end.0 - at.0) * step / steps);
                    let high = signal.volts(between) >= level;
                    prop_assert_eq!(high, side, "{:?} of {:?}..{:?}", between, at, end);
                }
                at = end;
            }
        }
    }
}

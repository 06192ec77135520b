//! Finds the table length, the number of waves in it and the sample clock that come nearest to a frequency.
//!
//! A waveform of `waves` periods in `size` samples, one every `ticks` ticks, has the frequency
//! `clock x waves / (size x ticks)`. The period wanted is `T` ticks, so `size x ticks / waves` must come near to `T`:
//! three bounded whole numbers. Once one of them is chosen the other two are a fraction, and the fractions nearest to a
//! number from below and from above, among all with bounded numerator and denominator, are the ends of the last
//! interval of the Stern-Brocot tree that holds the number. They are its last continued-fraction convergent within
//! the bounds and the last semiconvergent on the other side, which takes a handful of divisions. No fraction within the
//! bounds lies between the two, and the frequency error grows with the distance on either side, so that the nearest
//! of all is among them.
//!
//! What is chosen is whatever leaves few choices:
//!
//! - Each number of `ticks`, where the samples a period asked for allow at most half a table of them: then
//!   `size / waves` must come near to `T / ticks`. A fraction with too few samples a period is dropped, and as `T /
//!   ticks` itself has enough, the one on the other side is then the nearest; one more number of ticks is tried with the
//!   fewest samples a period, the nearest of all that are too slow.
//! - Each `size` otherwise: then `ticks / waves` must come near to `T / size`. The samples a period asked for only
//!   bound the waves. Sizes up to half a table need no look, as twice their size and waves gives the same. Ticks
//!   below the least are a fraction that can be multiplied out, since that many waves take at most a quarter of those
//!   that fit where `ticks` reaches beyond half a table.
//!
//! Either way there are at most half a table of choices, 512, of one continued fraction each. `T` is cut to 30 bits for
//! them: two different fractions within the bounds are at least one part in 2^26 apart, so that the cut can move `T`
//! past the one fraction that is nearest in any case, and that one stays an end of the interval. The ends are compared
//! by the distance that the continued fraction leaves over, and by the frequency itself wherever that is not enough.

use crate::device::Model;

/// A waveform's place in the play buffer, and its sample clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WaveTiming {
    /// Samples of the play buffer that are played.
    pub size: u16,
    /// Periods of the waveform in them.
    pub waves: u16,
    /// Ticks of the primary clock from one sample to the next.
    pub ticks: u16,
}

impl WaveTiming {
    /// The frequency of the waveform, in hertz, by a primary clock in hertz.
    #[must_use]
    pub fn frequency_hz(&self, clock_hz: f64) -> f64 {
        clock_hz * f64::from(self.waves) / f64::from(self.length_ticks())
    }

    /// Samples in a period of the waveform, not necessarily a whole number.
    #[must_use]
    pub fn samples_per_period(&self) -> f64 {
        f64::from(self.size) / f64::from(self.waves)
    }

    /// Ticks of all waves together.
    fn length_ticks(self) -> u32 {
        u32::from(self.size) * u32::from(self.ticks)
    }

    /// The same waveform with as many waves as the table holds.
    fn filling(self, table_samples: u16) -> Self {
        let (mut common, mut rest) = (self.size, self.waves);
        while rest != 0 {
            (common, rest) = (rest, common % rest);
        }
        let (size, waves) = (self.size / common.max(1), self.waves / common.max(1));
        let times = table_samples / size.max(1);
        Self { size: size * times, waves: waves * times, ticks: self.ticks }
    }
}

/// The timing nearest to a frequency with at least `min_samples` samples a period; of several equally near the one with
/// the most samples a period. `frequency_hz` must be above 0 and finite, and `min_samples` at least 2 and at most the table.
pub(super) fn nearest(model: &Model, frequency_hz: f64, min_samples: u16) -> WaveTiming {
    let limits = &model.generator;
    let (ticks_low, ticks_high) = limits.sample_ticks;
    let table = limits.table_samples;
    let shortest = f64::from(ticks_low) * f64::from(min_samples);
    let longest = f64::from(ticks_high) * f64::from(table);
    let period = (model.clock_hz / frequency_hz).clamp(shortest, longest);
    let most_ticks = period / f64::from(min_samples);
    let mut search = Search {
        clock_hz: model.clock_hz,
        frequency_hz,
        best: WaveTiming { size: table, waves: 1, ticks: ticks_high },
        best_distance_hz: f64::INFINITY,
        best_left_over: u64::MAX,
    };
    let period = ScaledPeriod::new(period);
    if most_ticks <= f64::from(table / 2) {
        let slower = libm::ceil(most_ticks) as u16;
        search.try_ticks(&period, (ticks_low, most_ticks as u16), table, min_samples);
        search.consider(WaveTiming { size: min_samples, waves: 1, ticks: slower }, None);
    } else {
        search.try_sizes(&period, (ticks_low, ticks_high), table, min_samples);
    }
    search.best.filling(table)
}

/// A period in ticks, cut to 30 bits: `mantissa / 2^shift`.
struct ScaledPeriod {
    mantissa: u32,
    shift: u32,
}

impl ScaledPeriod {
    const BITS: i32 = 30;

    /// The period must be at least 1 and below 2^30.
    fn new(ticks: f64) -> Self {
        let (_, exponent) = libm::frexp(ticks);
        let shift = (Self::BITS - exponent).clamp(0, Self::BITS);
        Self { mantissa: libm::scalbn(ticks, shift) as u32, shift: shift as u32 }
    }
}

struct Search {
    clock_hz: f64,
    frequency_hz: f64,
    best: WaveTiming,
    best_distance_hz: f64,
    /// What the continued fraction left over for the best, if it came from one.
    best_left_over: u64,
}

impl Search {
    fn try_ticks(&mut self, period: &ScaledPeriod, range: (u16, u16), table: u16, min_samples: u16) {
        for ticks in range.0..=range.1 {
            let unit = u32::from(ticks) << period.shift;
            for end in neighbours(period.mantissa, unit, table, table) {
                let Fraction { numerator: size, denominator: waves, left_over } = end;
                if waves > 0 && u32::from(size) >= u32::from(waves) * u32::from(min_samples) {
                    self.consider(WaveTiming { size, waves, ticks }, Some(left_over.into()));
                }
            }
        }
    }

    fn try_sizes(&mut self, period: &ScaledPeriod, range: (u16, u16), table: u16, min_samples: u16) {
        for size in (table / 2 + 1).max(min_samples)..=table {
            let most_waves = size / min_samples.max(1);
            let unit = u32::from(size) << period.shift;
            for end in neighbours(period.mantissa, unit, range.1, most_waves) {
                let Fraction { numerator: ticks, denominator: waves, left_over } = end;
                if waves == 0 || ticks == 0 {
                    continue;
                }
                let times = if ticks < range.0 { range.0.div_ceil(ticks) } else { 1 };
                let multiplied = waves.checked_mul(times).zip(ticks.checked_mul(times));
                if let Some((waves, ticks)) = multiplied.filter(|&(waves, _)| waves <= most_waves) {
                    let left_over = u64::from(left_over) * u64::from(times);
                    self.consider(WaveTiming { size, waves, ticks }, Some(left_over));
                }
            }
        }
    }

    /// Takes a timing if it is nearer, or equally near with more samples a period.
    fn consider(&mut self, timing: WaveTiming, left_over: Option<u64>) {
        let (length, best_length) = (u64::from(timing.length_ticks()), u64::from(self.best.length_ticks()));
        if let Some(left_over) = left_over
            && self.best_left_over != u64::MAX
        {
            // What is left over is off by less than one for each wave, from the cut of the period.
            let least = left_over.saturating_sub(timing.waves.into());
            let best_most = self.best_left_over + u64::from(self.best.waves);
            if least.saturating_mul(best_length) > best_most.saturating_mul(length) {
                return;
            }
        }
        let same = u64::from(timing.waves) * best_length == u64::from(self.best.waves) * length;
        let distance_hz = if same && self.best_distance_hz.is_finite() {
            self.best_distance_hz
        } else {
            (timing.frequency_hz(self.clock_hz) - self.frequency_hz).abs()
        };
        let as_near = distance_hz == self.best_distance_hz;
        if distance_hz < self.best_distance_hz || (as_near && timing.ticks < self.best.ticks) {
            self.best = timing;
            self.best_distance_hz = distance_hz;
            self.best_left_over = left_over.unwrap_or(u64::MAX);
        }
    }
}

/// A fraction near to `a / b`, and how far `a x denominator` and `b x numerator` are apart.
#[derive(Clone, Copy)]
struct Fraction {
    numerator: u16,
    denominator: u16,
    left_over: u32,
}

/// The fractions nearest to `a / b` from either side with a numerator of at most `most_numerator` and a denominator of at
/// most `most_denominator`; twice the same if one is `a / b` itself. A denominator of 0 stands for infinity.
fn neighbours(a: u32, b: u32, most_numerator: u16, most_denominator: u16) -> [Fraction; 2] {
    let mut before = Fraction { numerator: 0, denominator: 1, left_over: a };
    let mut last = Fraction { numerator: 1, denominator: 0, left_over: b };
    // With each round the fractions grow as fast as Fibonacci numbers at the least, so 16 bits last for 24 rounds.
    while let Some(quotient) = before.left_over.checked_div(last.left_over) {
        let next = step(before, last, quotient, most_numerator, most_denominator);
        let Some(next) = next else {
            let room = |most: u16, start: u16, step: u16| most.saturating_sub(start).checked_div(step);
            let by_numerator = room(most_numerator, before.numerator, last.numerator).unwrap_or(u16::MAX);
            let by_denominator =
                room(most_denominator, before.denominator, last.denominator).unwrap_or(u16::MAX);
            let times = by_numerator.min(by_denominator).into();
            let semi = step(before, last, times, most_numerator, most_denominator).unwrap_or(before);
            return [last, semi];
        };
        (before, last) = (last, next);
    }
    [last, last]
}

/// `before` moved on by so many times `last`. None beyond the bounds.
fn step(
    before: Fraction,
    last: Fraction,
    times: u32,
    most_numerator: u16,
    most_denominator: u16,
) -> Option<Fraction> {
    let times_16 = u16::try_from(times).ok()?;
    let numerator = last.numerator.checked_mul(times_16)?.checked_add(before.numerator)?;
    let denominator = last.denominator.checked_mul(times_16)?.checked_add(before.denominator)?;
    (numerator <= most_numerator && denominator <= most_denominator).then_some(Fraction {
        numerator,
        denominator,
        left_over: before.left_over.wrapping_sub(times.wrapping_mul(last.left_over)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::BS05;
    use proptest::prelude::*;

    fn distance(timing: WaveTiming, frequency_hz: f64) -> f64 {
        (timing.frequency_hz(BS05.clock_hz) - frequency_hz).abs()
    }

    /// The least distance over every size and number of waves, in hertz, and among those as near the fewest ticks.
    fn exhaustive(frequency_hz: f64, min_samples: u16) -> (f64, u16) {
        let period = BS05.clock_hz / frequency_hz;
        let mut best = (f64::INFINITY, u16::MAX);
        for size in 1..=1024_u16 {
            for waves in 1..=size / min_samples {
                let below = (period * f64::from(waves) / f64::from(size)).floor();
                for ticks in [below, below + 1.0] {
                    let ticks = ticks.clamp(33.0, 65_535.0) as u16;
                    let distance = distance(WaveTiming { size, waves, ticks }, frequency_hz);
                    if distance < best.0 || (distance == best.0 && ticks < best.1) {
                        best = (distance, ticks);
                    }
                }
            }
        }
        best
    }

    fn assert_nearest(frequency_hz: f64, min_samples: u16) {
        let found = nearest(&BS05, frequency_hz, min_samples);
        assert!(found.size <= 1024 && found.waves >= 1 && found.ticks >= 33, "{found:?}");
        assert!(u32::from(found.size) >= u32::from(found.waves) * u32::from(min_samples), "{found:?}");
        let best = exhaustive(frequency_hz, min_samples);
        assert_eq!(
            (distance(found, frequency_hz), found.ticks),
            best,
            "{frequency_hz} Hz with {min_samples} samples: {found:?}"
        );
    }

    #[test]
    fn the_ends_of_what_can_be_generated_are_met() {
        for min_samples in [2, 3, 10, 50, 100, 341, 512, 513, 1000, 1024] {
            let highest = BS05.clock_hz / (33.0 * f64::from(min_samples));
            let lowest = BS05.clock_hz / (65_535.0 * 1024.0);
            // Where the search changes from ticks to sizes.
            let change = BS05.clock_hz / (512.0 * f64::from(min_samples));
            for frequency in [highest, lowest, change] {
                for factor in [0.5, 0.999, 1.0 - 1e-9, 1.0, 1.0 + 1e-9, 1.001, 2.0] {
                    assert_nearest(frequency * factor, min_samples);
                }
            }
        }
        for frequency in [f64::MIN_POSITIVE, 1e-300, 1e300, f64::MAX] {
            assert_nearest(frequency, 50);
        }
    }

    #[test]
    fn exact_solutions_are_found_with_the_most_samples() {
        // Each is 40 MHz x waves / (size x ticks) for whole numbers.
        for frequency in [0.8, 1.0, 50.0, 440.0, 1000.0, 1024.0, 10_000.0, 12_500.0] {
            assert_eq!(nearest(&BS05, frequency, 50).frequency_hz(BS05.clock_hz), frequency);
            assert_nearest(frequency, 50);
        }
    }

    proptest! {
        #[test]
        fn nothing_is_nearer(exponent in -0.4..6.1_f64, min_samples in prop_oneof![2_u16..100, 2_u16..=1024]) {
            assert_nearest(libm::pow(10.0, exponent), min_samples);
        }

        #[test]
        fn nothing_is_nearer_to_round_numbers(digits in 1_u32..10_000, power in -2..4_i32, min_samples in 10_u16..200) {
            assert_nearest(f64::from(digits) * libm::pow(10.0, power.into()), min_samples);
        }

        #[test]
        fn what_is_exact_is_found(
            size in 100_u16..=1024, waves in 1_u16..=20, ticks in 33_u16..=65_535, min_samples in 2_u16..=50,
        ) {
            prop_assume!(size >= waves * min_samples);
            let made = WaveTiming { size, waves, ticks };
            let frequency = made.frequency_hz(BS05.clock_hz);
            let found = nearest(&BS05, frequency, min_samples);
            prop_assert_eq!(found.frequency_hz(BS05.clock_hz), frequency);
            prop_assert!(found.ticks <= ticks);
        }

        #[test]
        fn no_fraction_lies_between_the_neighbours(
            a in 1_u32..=4000, b in 1_u32..=4000, most_numerator in 1_u16..40, most_denominator in 1_u16..40,
        ) {
            let [one, other] = neighbours(a, b, most_numerator, most_denominator);
            let value = |fraction: Fraction| f64::from(fraction.numerator) / f64::from(fraction.denominator);
            let (low, high) = (value(one).min(value(other)), value(one).max(value(other)));
            let wanted = f64::from(a) / f64::from(b);
            prop_assert!(low <= wanted && wanted <= high);
            for fraction in [one, other] {
                let cross = u64::from(a) * u64::from(fraction.denominator);
                let left_over = cross.abs_diff(u64::from(b) * u64::from(fraction.numerator));
                prop_assert_eq!(left_over, u64::from(fraction.left_over));
            }
            for numerator in 0..=most_numerator {
                for denominator in 1..=most_denominator {
                    let value = f64::from(numerator) / f64::from(denominator);
                    prop_assert!(value <= low || value >= high, "{numerator}/{denominator}");
                }
            }
        }
    }
}

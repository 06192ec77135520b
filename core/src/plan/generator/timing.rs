//! Finds the table length, the number of waves in it and the sample clock that come nearest to a frequency.
//!
//! A waveform of `waves` periods in `size` samples, one every `ticks` ticks, has the frequency
//! `clock x waves / (size x ticks)`. The period wanted is `T` ticks, so `size x ticks / waves` must come near
//! to `T`: three bounded whole numbers. Once one of them is chosen the other two are a fraction, and the
//! fractions nearest to a number from below and from above, among all with bounded numerator and denominator,
//! are the ends of the last interval of the Stern-Brocot tree that holds the number. They are its last
//! continued-fraction convergent within the bounds and the last semiconvergent on the other side, which takes
//! a handful of divisions. No fraction within the bounds lies between the two, and the frequency error grows
//! with the distance on either side, so that the nearest of all is among them.
//!
//! What is chosen is whatever leaves few choices:
//!
//! - Each number of `ticks`, where the samples a period asked for allow at most half a table of them: then
//!   `size / waves` must come near to `T / ticks`. A fraction with too few samples a period is dropped, and
//!   as `T / ticks` itself has enough, the one on the other side is then the nearest; one more number of
//!   ticks is tried with the fewest samples a period, the nearest of all that are too slow.
//! - Each `size` otherwise: then `ticks / waves` must come near to `T / size`. The samples a period asked for
//!   only bound the waves. Sizes up to half a table need no look, as twice their size and waves gives the
//!   same. Ticks below the least are a fraction that can be multiplied out, since that many waves take at
//!   most a quarter of those that fit where `ticks` reaches beyond half a table.
//!
//! Either way there are at most half a table of choices, 512, of one continued fraction each. `T` is cut to
//! 30 bits for them: two different fractions within the bounds are at least one part in 2^26 apart, so that
//! the cut can move `T` past the one fraction that is nearest in any case, and that one stays an end of the
//! interval. The remainder of the continued fraction shows which ends are too far off to be looked at; the
//! others are compared by their frequencies.

use crate::device::Model;

/// A waveform's place in the play buffer, and its sample clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
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

    /// Whether the frequencies are the same: the products of the waves with the other's length are.
    ///
    /// These have up to 35 bits, of which 32 are compared, and then the 27 of a product without the lowest eight
    /// bits of the lengths. That is off by less than the waves, and products that are alike in 32 bits are either the
    /// same or differ by 2^24 there. A microcontroller multiplies 32 bits in a cycle, 64 bits in hundreds.
    fn has_frequency_of(self, other: Self) -> bool {
        let (length, other_length) = (self.length_ticks(), other.length_ticks());
        let lowest = |waves: u16, length: u32| u32::from(waves).wrapping_mul(length);
        let highest = |waves: u16, length: u32| u32::from(waves).wrapping_mul(length >> 8);
        lowest(self.waves, other_length) == lowest(other.waves, length)
            && highest(self.waves, other_length).abs_diff(highest(other.waves, length)) < 1 << 16
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

/// The timing nearest to a frequency with at least `min_samples` samples a period; of several equally near
/// the one with the most samples a period. `frequency_hz` must be above 0 and finite, and `min_samples` at
/// least 2 and at most the table.
pub(super) fn nearest(model: &Model, frequency_hz: f64, min_samples: u16) -> WaveTiming {
    let limits = &model.generator;
    let (ticks_low, ticks_high) = limits.sample_ticks;
    let table = limits.table_samples;
    let shortest = f64::from(ticks_low) * f64::from(min_samples);
    let longest = f64::from(ticks_high) * f64::from(table);
    let period = (model.clock_hz / frequency_hz).max(shortest);
    if period >= longest {
        return WaveTiming { size: table, waves: 1, ticks: ticks_high };
    }
    let most_ticks = period / f64::from(min_samples);
    let mut search = Search {
        model,
        frequency_hz,
        period: ScaledPeriod::new(period),
        min_samples,
        best: WaveTiming { size: table, waves: 1, ticks: ticks_high },
        best_distance_hz: f64::INFINITY,
        most_left_over: None,
    };
    if most_ticks <= f64::from(table / 2) {
        search.try_ticks(ticks_low..=most_ticks as u16);
        let slower = libm::ceil(most_ticks) as u16;
        search.compare(WaveTiming { size: min_samples, waves: 1, ticks: slower });
    } else {
        search.try_sizes();
    }
    search.best.filling(table)
}

/// A period in ticks, cut to 30 bits: `mantissa / 2^shift`.
#[derive(Clone, Copy)]
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

struct Search<'m> {
    model: &'m Model,
    frequency_hz: f64,
    period: ScaledPeriod,
    min_samples: u16,
    best: WaveTiming,
    best_distance_hz: f64,
    /// Fractions that leave over more than this for each wave are further off than the best. None before that
    /// is sure.
    most_left_over: Option<u32>,
}

impl Search<'_> {
    fn try_ticks(&mut self, range: core::ops::RangeInclusive<u16>) {
        let table = u32::from(self.model.generator.table_samples);
        let min_samples = u32::from(self.min_samples);
        let bounds = Bounds { numerator: table, denominator: table / min_samples.max(1) };
        // From the longest on: where a period has many ticks, the shortest are all far off.
        for ticks in range.rev() {
            let unit = u32::from(ticks) << self.period.shift;
            for end in self.ends(unit, bounds) {
                let Fraction { numerator: size, denominator: waves, .. } = end;
                if size >= waves * min_samples {
                    self.consider(&end, size, waves, ticks.into());
                }
            }
        }
    }

    fn try_sizes(&mut self) {
        let limits = &self.model.generator;
        let (least_ticks, most_ticks) = (u32::from(limits.sample_ticks.0), u32::from(limits.sample_ticks.1));
        let table = u32::from(limits.table_samples);
        let min_samples = u32::from(self.min_samples).max(1);
        let mut most_waves = table / min_samples;
        // From the longest on, as the slowest waveforms come nearer the longer they are.
        for size in ((table / 2 + 1).max(min_samples)..=table).rev() {
            if most_waves * min_samples > size {
                most_waves -= 1;
            }
            let bounds = Bounds { numerator: most_ticks, denominator: most_waves };
            for end in self.ends(size << self.period.shift, bounds) {
                let Fraction { numerator: ticks, denominator: waves, .. } = end;
                if ticks >= least_ticks {
                    self.consider(&end, size, waves, ticks);
                } else if ticks > 0 {
                    let times = least_ticks.div_ceil(ticks);
                    if waves * times <= most_waves {
                        self.consider(&end, size, waves * times, ticks * times);
                    }
                }
            }
        }
    }

    /// The ends of the interval about the period as a fraction of `unit`: both, or only the last convergent
    /// if the other one cannot be the best.
    fn ends(&self, unit: u32, bounds: Bounds) -> impl Iterator<Item = Fraction> + use<> {
        let (before, last) = convergents(self.period.mantissa, unit, bounds);
        let hopeless = |most: u32| {
            // A fraction that leaves over less than half the unit, divided by its denominator, is a
            // convergent (Legendre); and those before the last but one leave over more.
            let waves = bounds.denominator;
            most.saturating_mul(waves * waves) < unit / 2 && before.left_over > most * before.denominator
        };
        let other = if self.most_left_over.is_some_and(hopeless) {
            None
        } else {
            semiconvergent(before, last, bounds)
        };
        [Some(last), other].into_iter().flatten().filter(|end| end.denominator > 0)
    }

    /// Compares a timing made of a fraction, or a multiple of it, unless the fraction is too far off.
    fn consider(&mut self, end: &Fraction, size: u32, waves: u32, ticks: u32) {
        if self.most_left_over.is_none_or(|most| end.left_over <= most * end.denominator) {
            let (Ok(size), Ok(waves), Ok(ticks)) = (size.try_into(), waves.try_into(), ticks.try_into())
            else {
                return;
            };
            self.compare(WaveTiming { size, waves, ticks });
        }
    }

    /// Takes a timing if it is nearer, or equally near with more samples a period.
    fn compare(&mut self, timing: WaveTiming) {
        if self.best_distance_hz.is_finite() && timing.has_frequency_of(self.best) {
            if timing.ticks < self.best.ticks {
                self.best = timing;
            }
            return;
        }
        let distance_hz = (timing.frequency_hz(self.model.clock_hz) - self.frequency_hz).abs();
        let as_near = distance_hz == self.best_distance_hz;
        if distance_hz < self.best_distance_hz || (as_near && timing.ticks < self.best.ticks) {
            self.best = timing;
            self.best_distance_hz = distance_hz;
            self.most_left_over = self.limit();
        }
    }

    /// See [`Self::most_left_over`].
    ///
    /// What is left over for each wave, as a part of the mantissa, is the error of the period. For errors of
    /// up to a 256th it is the error of the frequency to within a 255th of it, and is off by less than 1 from
    /// the cut of the period; a fiftieth and 2 more are allowed. The limit times the waves, at most half
    /// a table, must stay below 2^32.
    fn limit(&self) -> Option<u32> {
        let error = self.best_distance_hz / self.frequency_hz;
        let sure = error < 1.0 / 256.0;
        sure.then(|| (error * f64::from(self.period.mantissa) * 1.02) as u32 + 2)
    }
}

/// The most that the numerator and the denominator of a fraction may be; at most 65535.
#[derive(Clone, Copy)]
struct Bounds {
    numerator: u32,
    denominator: u32,
}

/// A fraction near to `a / b`, and how far `a x denominator` and `b x numerator` are apart.
#[derive(Clone, Copy)]
struct Fraction {
    numerator: u32,
    denominator: u32,
    left_over: u32,
}

/// The last two convergents of `a / b` within bounds, the nearest last. The first one of all is infinity,
/// with a denominator of 0.
fn convergents(a: u32, b: u32, bounds: Bounds) -> (Fraction, Fraction) {
    let mut before = Fraction { numerator: 0, denominator: 1, left_over: a };
    let mut last = Fraction { numerator: 1, denominator: 0, left_over: b };
    // The fractions grow at least as fast as the Fibonacci numbers: 16 bits last for 24 rounds.
    while last.left_over > 0 {
        let (quotient, rest) = (before.left_over / last.left_over, before.left_over % last.left_over);
        if quotient > u32::from(u16::MAX) {
            break;
        }
        // 65535 x 65535 + 65535 is below 2^32.
        let numerator = last.numerator * quotient + before.numerator;
        let denominator = last.denominator * quotient + before.denominator;
        if numerator > bounds.numerator || denominator > bounds.denominator {
            break;
        }
        (before, last) = (last, Fraction { numerator, denominator, left_over: rest });
    }
    (before, last)
}

/// The fraction within bounds that is nearest to `a / b` from the other side than the last convergent. None
/// if that one is `a / b` itself.
fn semiconvergent(before: Fraction, last: Fraction, bounds: Bounds) -> Option<Fraction> {
    if last.left_over == 0 {
        return None;
    }
    let room = |most: u32, start: u32, step: u32| most.saturating_sub(start).checked_div(step);
    let by_numerator = room(bounds.numerator, before.numerator, last.numerator);
    let by_denominator = room(bounds.denominator, before.denominator, last.denominator);
    let times = match (by_numerator, by_denominator) {
        (Some(one), Some(other)) => one.min(other),
        (one, other) => one.or(other)?,
    };
    Some(Fraction {
        numerator: last.numerator * times + before.numerator,
        denominator: last.denominator * times + before.denominator,
        left_over: before.left_over - last.left_over * times,
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

    /// The least distance over every size and number of waves, in hertz, and among those as near the fewest
    /// ticks.
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
    fn frequency_limits_are_reached() {
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
        fn nothing_is_nearer(
            exponent in -0.4..6.1_f64, min_samples in prop_oneof![2_u16..100, 2_u16..=1024],
        ) {
            assert_nearest(libm::pow(10.0, exponent), min_samples);
        }

        #[test]
        fn nothing_is_nearer_to_round_numbers(
            digits in 1_u32..10_000, power in -2..4_i32, min_samples in 10_u16..200,
        ) {
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
        fn no_fraction_lies_between_the_ends(
            a in 1_u32..=4000, b in 1_u32..=4000, most_numerator in 1_u32..40, most_denominator in 1_u32..40,
        ) {
            let bounds = Bounds { numerator: most_numerator, denominator: most_denominator };
            let (before, last) = convergents(a, b, bounds);
            let ends = [last, semiconvergent(before, last, bounds).unwrap_or(last)];
            let value = |fraction: Fraction| f64::from(fraction.numerator) / f64::from(fraction.denominator);
            let (low, high) = (value(ends[0]).min(value(ends[1])), value(ends[0]).max(value(ends[1])));
            let wanted = f64::from(a) / f64::from(b);
            prop_assert!(low <= wanted && wanted <= high);
            for Fraction { numerator, denominator, left_over } in ends {
                prop_assert!(numerator <= most_numerator && denominator <= most_denominator);
                prop_assert_eq!((a * denominator).abs_diff(b * numerator), left_over);
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

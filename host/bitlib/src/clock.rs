//! Sample rates: which ones a mode has, and which one is taken for a rate or a duration.
//!
//! The rate is a whole number of ticks of the device's clock, multiplied by a scale beyond the slowest ticks. Every rate that is
//! asked for gives one that is no lower, every duration one at which the buffer holds it.

use crate::quirks::Quirks;

/// Ticks a second.
pub(crate) const CLOCK_HZ: f64 = 40e6;
/// The most ticks of an analog sample; beyond them the clock is scaled.
const MAX_TICKS: f64 = 40.0;
/// The most that a scaled clock is scaled by.
const MAX_SCALE: f64 = 65_536.0;
/// The ticks on both sides of those that no mode of the device has.
const GAP: (f64, f64) = (5.0, 8.0);
/// Rates that were answered are asked for again: they must not be missed by the last bit of a double.
const ROUNDING: f64 = 1e-9;

/// Which clock is taken for one that there is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nearest {
    Faster,
    Slower,
}

impl Nearest {
    fn round(self, ticks: f64) -> f64 {
        match self {
            Self::Faster => ticks.floor(),
            Self::Slower => ticks.ceil(),
        }
    }
}

/// What clocks a mode has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Family {
    /// Analog samples: scaled beyond [`MAX_TICKS`].
    Scaled {
        /// The fewest ticks of a sample.
        min_ticks: f64,
        /// How many samples are taken in turn for one of each channel.
        interleaved: f64,
    },
    /// Logic samples: any number of ticks.
    Unscaled {
        /// The most ticks of a sample.
        max_ticks: f64,
    },
    /// A stream: one rate.
    Fixed {
        /// Its ticks.
        ticks: f64,
    },
}

/// A sample clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SampleClock {
    /// Ticks of a sample before scaling.
    pub(crate) ticks: f64,
    /// What they are multiplied by.
    pub(crate) scale: f64,
    /// How many samples are taken in turn for one of each channel.
    pub(crate) interleaved: f64,
}

impl SampleClock {
    /// Ticks from one sample of a channel to its next.
    pub(crate) fn period_ticks(self) -> f64 {
        self.ticks * self.scale * self.interleaved
    }

    /// Samples of a channel a second.
    pub(crate) fn rate_hz(self) -> f64 {
        CLOCK_HZ / self.period_ticks()
    }
}

impl Family {
    /// The fastest clock.
    pub(crate) fn fastest(self) -> SampleClock {
        match self {
            Self::Scaled { min_ticks, interleaved } => {
                SampleClock { ticks: min_ticks, scale: 1.0, interleaved }
            }
            Self::Unscaled { .. } => SampleClock { ticks: 1.0, scale: 1.0, interleaved: 1.0 },
            Self::Fixed { ticks } => SampleClock { ticks, scale: 1.0, interleaved: 1.0 },
        }
    }

    /// The clock for a rate: the slowest one that is no slower.
    pub(crate) fn for_rate(self, rate_hz: f64, quirks: Quirks) -> SampleClock {
        if rate_hz.is_nan() || rate_hz <= 0.0 {
            return self.fastest();
        }
        self.find(CLOCK_HZ / rate_hz * (1.0 + ROUNDING), Nearest::Faster, quirks)
    }

    /// The clock for so many ticks from one sample to the next: the fastest one that is no faster.
    pub(crate) fn for_period(self, ticks: f64, quirks: Quirks) -> SampleClock {
        self.find(ticks * (1.0 - ROUNDING), Nearest::Slower, quirks)
    }

    fn find(self, wanted: f64, nearest: Nearest, quirks: Quirks) -> SampleClock {
        match self {
            Self::Fixed { .. } => self.fastest(),
            Self::Unscaled { max_ticks } => SampleClock {
                ticks: nearest.round(wanted).clamp(1.0, max_ticks),
                scale: 1.0,
                interleaved: 1.0,
            },
            Self::Scaled { min_ticks, interleaved } => {
                let wanted = wanted / interleaved;
                let scale = (wanted / MAX_TICKS * (1.0 - 2.0 * ROUNDING)).ceil().clamp(1.0, MAX_SCALE);
                let mut ticks = nearest.round(wanted / scale).clamp(min_ticks, MAX_TICKS);
                // With two channels the vendor's library leaves the gap out as well.
                let answers_gap = quirks.gap_rates && min_ticks < 4.0;
                if GAP.0 < ticks && ticks < GAP.1 && !answers_gap {
                    ticks = if nearest == Nearest::Faster { GAP.0 } else { GAP.1 };
                }
                SampleClock { ticks, scale, interleaved }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Family = Family::Scaled { min_ticks: 2.0, interleaved: 1.0 };
    const DUAL: Family = Family::Scaled { min_ticks: 4.0, interleaved: 2.0 };
    const LOGIC: Family = Family::Unscaled { max_ticks: 16_384.0 };

    #[test]
    fn answered_rates_are_met_again() {
        for family in [FAST, DUAL, LOGIC] {
            for asked in 1..20_000_u32 {
                let clock = family.for_rate(f64::from(asked) * 997.0, Quirks::default());
                let again = family.for_rate(clock.rate_hz(), Quirks::default());
                // A scale that is rounded up, as the vendor's library does, may be smaller for the rate that results.
                assert!(
                    again == clock || (again.scale < clock.scale && again.ticks >= clock.ticks),
                    "{asked}"
                );
            }
        }
    }

    #[test]
    fn rates_are_no_lower_than_asked() {
        for (family, slowest, fastest) in [(FAST, 15.3, 20e6), (DUAL, 7.7, 5e6), (LOGIC, 2442.0, 40e6)] {
            let mut rate_hz = slowest;
            while rate_hz < fastest {
                let got = family.for_rate(rate_hz, Quirks::default()).rate_hz();
                // No two neighbouring clocks are further apart than 2.5 and 5 ticks, or 1 and 2.
                assert!(got >= rate_hz * (1.0 - 1e-8) && got <= rate_hz * 2.5, "{rate_hz} {got}");
                rate_hz *= 1.001;
            }
            assert_eq!(family.for_rate(1e-9, Quirks::default()).rate_hz().ceil(), slowest.ceil().min(2442.0));
            for beyond in [fastest * 2.0, f64::INFINITY, f64::NAN, 0.0, -2.0] {
                assert_eq!(family.for_rate(beyond, Quirks::default()).rate_hz(), fastest, "{beyond}");
            }
        }
    }

    #[test]
    fn gap_between_modes_is_left_out() {
        let rate = |rate_hz, gap_rates| {
            FAST.for_rate(rate_hz, Quirks { gap_rates, ..Quirks::default() }).period_ticks()
        };
        assert_eq!([rate(6.6e6, false), rate(5.6e6, false), rate(5e6, false)], [5.0, 5.0, 8.0]);
        assert_eq!([rate(6.6e6, true), rate(5.6e6, true), rate(5e6, true)], [6.0, 7.0, 8.0]);
        assert_eq!(FAST.for_period(6.0, Quirks::default()).period_ticks(), 8.0);
    }
}

//! At how many phases of its period a series was sampled, where these are few: of a period in a ratio of small whole numbers
//! to the sample period, all samples fall on the same ones again and again.

/// More phases than this show a wave as if it had been sampled anywhere.
const MOST: u32 = 23;

/// With fewer phases, the level between two of them may be any, unless a known shape fits.
const FEWEST_WITHOUT_SHAPE: u32 = 16;

/// How far the phases may drift over the series, as a part of the distance between two of them.
const DRIFT: f64 = 0.5;

/// How far they may drift, as a part of the period, for the samples of a phase to differ by noise alone. A full swing in a
/// quarter of the period then adds 0.1 % of it.
const STEADY: f64 = 0.001;

/// The few phases of its period at which a series was sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct FewPhases {
    phases: u32,
    is_steady: bool,
}

impl FewPhases {
    /// Of so many samples of a period; `None` if the phases are many.
    pub(super) fn of(samples: usize, period_samples: f64) -> Option<Self> {
        let drift = |phases: u32| {
            let turns = f64::from(phases) / period_samples;
            (turns - libm::rint(turns)).abs() * samples as f64
        };
        let phases = (2..=MOST).find(|&phases| phases as usize * 2 <= samples && drift(phases) < DRIFT)?;
        Some(Self { phases, is_steady: drift(phases) < STEADY * f64::from(phases) })
    }

    /// Whether the samples of a phase differ by noise alone.
    pub(super) const fn show_noise(self) -> bool {
        self.is_steady
    }

    /// Whether known shapes are distinguished by them.
    ///
    /// A shape is known by its harmonics. Of eight phases and more, the third lies apart from the fundamental and below
    /// half of the sample rate.
    pub(super) const fn show_shapes(self) -> bool {
        self.phases >= 8
    }

    /// Whether a sine is distinguished from other shapes.
    ///
    /// Three parameters of a sine fit any two or three levels. Of four and of six phases, all that a symmetrical wave
    /// leaves of a sine is a harmonic at half of the sample rate, which is 0 at every sample for some delay: a square
    /// or a triangle is then a sine exactly. Of five and of seven, the third harmonic lies elsewhere.
    pub(super) const fn show_sines(self) -> bool {
        self.show_shapes() || self.phases == 5 || self.phases == 7
    }

    /// Whether levels that the series dwells at are distinguished from those that a sine happens to be sampled at.
    pub(super) const fn show_squares(self) -> bool {
        self.phases >= 5
    }

    /// Whether they show the levels of a wave of unknown shape.
    pub(super) const fn show_levels(self) -> bool {
        self.phases >= FEWEST_WITHOUT_SHAPE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_of_small_numbers_have_few_phases() {
        for (period, phases) in [(2.2, 11), (2.5, 5), (4.0, 4), (10.0 / 3.0, 10), (10.0, 10), (23.0, 23)] {
            let found = FewPhases::of(1000, period).map(|found| (found.phases, found.show_noise()));
            assert_eq!(found, Some((phases, true)), "{period}");
        }
        for period in [2.237, 4.01, 10.03, 24.0, 100.0] {
            assert_eq!(FewPhases::of(1000, period), None, "{period}");
        }
        assert_eq!(FewPhases::of(7, 4.0), None);
        assert!(FewPhases::of(1000, 4.0005).is_some_and(|found| !found.show_noise()));
    }
}

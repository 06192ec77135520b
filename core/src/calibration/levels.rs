//! The two levels of a clock in a trace.

/// The levels of a two-level signal, as fractions of the range. One that is clipped, within 1 % of an end of
/// the range, is none.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SquareLevels {
    /// The lower level.
    pub low: Option<f64>,
    /// The upper level.
    pub high: Option<f64>,
}

/// How near to an end of the range a level counts as clipped: some steps of 8 bits, and more than the noise
/// reaches.
const CLIPPED: f64 = 0.01;
/// The least distance of the levels: some steps of 8 bits.
const MIN_SWING: f32 = 0.02;
/// The fewest samples that levels are found in.
const MIN_SAMPLES: u32 = 32;
/// How often the threshold between the levels is moved to their middle.
const ROUNDS: u8 = 4;
/// The part of the swing within which a sample belongs to a level: what lies between is an edge, what lies
/// beyond a spike.
const NEAR: f32 = 0.125;
/// Samples this near to a level belong to it however small the swing is: two steps of 8 bits.
const ALWAYS_NEAR: f32 = 2.0 / 256.0;
/// Each level must have at least one in so many samples: the clock has it for half of the time.
const MIN_SHARE: u32 = 4;

/// Samples on their way to a mean.
#[derive(Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: u32,
}

impl Mean {
    fn add(&mut self, sample: f32) {
        self.sum += f64::from(sample);
        self.count += 1;
    }

    fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }
}

impl SquareLevels {
    /// Levels at these fractions of the range, none where it is clipped.
    #[must_use]
    pub fn new(low: f64, high: f64) -> Self {
        let seen = |level: f64| (CLIPPED..=1.0 - CLIPPED).contains(&level).then_some(level);
        Self { low: seen(low), high: seen(high) }
    }

    /// The levels in samples that are fractions of the range, gone through several times. None if they do not
    /// have two levels.
    pub fn find<I: Iterator<Item = f32>>(samples: impl Fn() -> I) -> Option<Self> {
        let mut all = Mean::default();
        samples().for_each(|sample| all.add(sample));
        if all.count < MIN_SAMPLES {
            return None;
        }
        let mut threshold = all.value()? as f32;
        let (mut low, mut high) = (0.0, 0.0);
        for _ in 0..ROUNDS {
            let (mut below, mut above) = (Mean::default(), Mean::default());
            samples()
                .for_each(|sample| if sample < threshold { below.add(sample) } else { above.add(sample) });
            (low, high) = (below.value()? as f32, above.value()? as f32);
            threshold = f32::midpoint(low, high);
        }
        if high - low < MIN_SWING {
            return None;
        }
        let near = (NEAR * (high - low)).max(ALWAYS_NEAR);
        let level = |about: f32| {
            let mut mean = Mean::default();
            samples().filter(|sample| (sample - about).abs() <= near).for_each(|sample| mean.add(sample));
            mean.value().filter(|_| mean.count >= all.count / MIN_SHARE)
        };
        Some(Self::new(level(low)?, level(high)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn find(samples: &[f32]) -> Option<SquareLevels> {
        SquareLevels::find(|| samples.iter().copied())
    }

    fn clock(low: f32, high: f32) -> Vec<f32> {
        (0..400).map(|index| if index / 50 % 2 == 0 { low } else { high }).collect()
    }

    #[test]
    fn levels_are_found_beside_edges_and_spikes() {
        let mut samples = clock(0.25, 0.5);
        for edge in (50..400).step_by(50) {
            samples[edge] = 0.375;
        }
        samples[20] = 1.0;
        samples[120] = 0.0;
        assert_eq!(find(&samples), Some(SquareLevels { low: Some(0.25), high: Some(0.5) }));
    }

    #[test]
    fn levels_are_means_between_the_steps() {
        let samples: Vec<f32> = clock(64.0, 192.0)
            .iter()
            .enumerate()
            .map(|(index, level)| (level + f32::from(u8::from(index % 4 == 0))) / 256.0)
            .collect();
        let levels = find(&samples).unwrap();
        // Every fourth sample is a step higher; of the 50 of a level there are 12 or 13.
        assert!((levels.low.unwrap() - 64.25 / 256.0).abs() < 0.02 / 256.0, "{levels:?}");
        assert!((levels.high.unwrap() - 192.25 / 256.0).abs() < 0.02 / 256.0, "{levels:?}");
    }

    #[test]
    fn clipped_levels_are_none() {
        assert_eq!(find(&clock(0.0, 0.5)), Some(SquareLevels { low: None, high: Some(0.5) }));
        assert_eq!(find(&clock(0.25, 0.996)), Some(SquareLevels { low: Some(0.25), high: None }));
    }

    #[test]
    fn other_signals_have_no_levels() {
        assert_eq!(find(&clock(0.5, 0.5)), None);
        assert_eq!(find(&clock(0.5, 0.515)), None);
        assert_eq!(find(&clock(0.25, 0.5)[..20]), None);
        let mut spike = clock(0.25, 0.25);
        spike[7] = 0.75;
        assert_eq!(find(&spike), None);
        let ramp: Vec<f32> = (0..400_u16).map(|index| f32::from(index) / 400.0).collect();
        assert_eq!(find(&ramp), None);
        assert_eq!(find(&[f32::NAN; 100]), None);
    }
}

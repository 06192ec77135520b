//! A series laid over itself period by period: the averaged wave, and how far the samples lie from it.

/// The most parts into which a period is divided.
pub(super) const MAX_BINS: usize = 128;

/// The length of one period as it is counted: a 64-bit number wraps at each period by itself.
const PHASE_STEPS_PER_PERIOD: f64 = 18_446_744_073_709_551_616.0;

/// The phases of the samples of a series, in 2^64ths of a period, the first sample at 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct PhaseClock {
    phase: u64,
    turn_per_sample: u64,
}

impl PhaseClock {
    pub(super) fn new(period_samples: f64) -> Self {
        Self { phase: 0, turn_per_sample: (PHASE_STEPS_PER_PERIOD / period_samples) as u64 }
    }

    /// The phase of the next sample.
    pub(super) fn tick(&mut self) -> u64 {
        let phase = self.phase;
        self.phase = phase.wrapping_add(self.turn_per_sample);
        phase
    }
}

/// What fell into one part of the period.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bin {
    pub(super) samples: u32,
    sum: i64,
    squares: u64,
    /// Sum of the phases from the beginning of the part, in 2^32ths of the part.
    phase_excess: u64,
}

impl Bin {
    const EMPTY: Self = Self { samples: 0, sum: 0, squares: 0, phase_excess: 0 };

    pub(super) fn mean(&self) -> f64 {
        self.sum as f64 / f64::from(self.samples.max(1))
    }

    /// The sum of the squared distances of the samples from their mean.
    pub(super) fn spread(&self) -> f64 {
        (self.squares as f64 - self.sum as f64 * self.mean()).max(0.0)
    }
}

/// A series of whole steps folded over a period, in equal parts.
#[derive(Debug)]
pub(super) struct Fold {
    bins: [Bin; MAX_BINS],
    parts: usize,
}

impl Fold {
    /// Folds into so many parts, at most [`MAX_BINS`].
    pub(super) fn new(steps: &[i16], clock: PhaseClock, parts: usize) -> Self {
        let mut fold = Self { bins: [Bin::EMPTY; MAX_BINS], parts: parts.min(MAX_BINS) };
        fold.add(steps, clock);
        fold
    }

    #[inline(never)]
    fn add(&mut self, steps: &[i16], mut clock: PhaseClock) {
        for &step in steps {
            let (index, excess) = split(clock.tick(), self.parts);
            if let Some(bin) = self.bins.get_mut(index) {
                let size = u32::from(step.unsigned_abs());
                bin.samples += 1;
                bin.sum += i64::from(step);
                bin.squares += u64::from(size * size);
                bin.phase_excess += u64::from(excess);
            }
        }
    }

    pub(super) fn bins(&self) -> &[Bin] {
        self.bins.get(..self.parts).unwrap_or_default()
    }

    /// The mean phase of the samples of a part, in periods.
    pub(super) fn phase(&self, index: usize, bin: &Bin) -> f64 {
        let excess = bin.phase_excess as f64 / (4_294_967_296.0 * f64::from(bin.samples.max(1)));
        (index as f64 + excess) / self.parts as f64
    }

    /// The sum of the squared differences of neighbouring parts, around the period; parts without samples are passed
    /// over.
    pub(super) fn roughness(&self) -> f64 {
        let used = || self.bins().iter().filter(|bin| bin.samples > 0).map(Bin::mean);
        used().zip(used().cycle().skip(1)).map(|(here, next)| (next - here) * (next - here)).sum()
    }

    /// The mean squared distance of the samples from the averaged wave, unbiased; `None` if each part has at most one.
    pub(super) fn variance(&self) -> Option<f64> {
        self.variance_of(|_| true)
    }

    /// The same of some parts only.
    pub(super) fn variance_of(&self, is_counted: impl Fn(usize) -> bool) -> Option<f64> {
        let parts = self.bins().iter().enumerate().filter(|(part, bin)| bin.samples > 1 && is_counted(*part));
        let (spread, freedom) = parts
            .fold((0.0, 0), |(spread, freedom), (_, bin)| (spread + bin.spread(), freedom + bin.samples - 1));
        (freedom > 0).then(|| spread / f64::from(freedom))
    }
}

/// The part of the period in which a phase lies, and how far in, in 2^32ths of the part.
pub(super) fn split(phase: u64, parts: usize) -> (usize, u32) {
    let scaled = (phase >> 32) * parts as u64;
    ((scaled >> 32) as usize, scaled as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_fall_into_the_part_of_their_phase() {
        // Four samples a period, two parts, one and a half periods.
        let fold = Fold::new(&[1, 5, 9, 3, 5, 7], PhaseClock::new(4.0), 2);
        let [first, second] = fold.bins() else { panic!("two parts") };
        assert_eq!((first.samples, second.samples), (4, 2));
        assert_eq!((first.mean(), second.mean()), (4.5, 6.0));
        assert_eq!((fold.phase(0, first), fold.phase(1, second)), (0.125, 0.625));
        assert_eq!((first.spread(), second.spread()), (19.0, 18.0));
        // The spread over three and one degrees of freedom.
        assert_eq!(fold.variance(), Some(37.0 / 4.0));
        assert_eq!(Fold::new(&[1, 2], PhaseClock::new(2.0), 2).variance(), None);
    }

    #[test]
    fn phases_keep_time_over_a_long_series() {
        let mut clock = PhaseClock::new(61.44);
        let last = (0..=61_440 * 10).fold(0, |_, _| clock.tick());
        // 614400 samples are 10000 periods: less than a millionth of a period may be lost.
        assert!(
            (last as f64 / PHASE_STEPS_PER_PERIOD - 1.0).abs() < 1e-6
                || (last as f64 / PHASE_STEPS_PER_PERIOD) < 1e-6
        );
        assert_eq!(split(u64::MAX, 128), (127, u32::MAX - 127));
        assert_eq!(split(1 << 63, 3), (1, 1 << 31));
    }
}

//! Mean, RMS, extremes, top and base of a series.

use libm::sqrt;

use super::Series;
use super::histogram::{FLICKER_SAMPLES, Histogram, Modes};
use super::wave::{MIN_SAMPLES_WITH_EDGES, Wave};

/// Of so many samples one may be wild: a stale sample at the beginning, a bit that was changed on the way.
const SAMPLES_PER_OUTLIER: usize = 128;

/// No more samples than this are set aside.
const MAX_OUTLIERS: usize = 16;

/// In a shorter series every sample counts.
const MIN_SAMPLES_WITH_OUTLIERS: usize = 20;

/// How far beyond all others a sample is wild, as a fraction of their peak to peak.
const OUTLIER_DISTANCE: f64 = 0.25;

/// The part of the whole peak to peak below which the other samples count as one level, so that the few may be a pulse.
const ONE_LEVEL: f64 = 0.1;

/// A pulse has more samples than this; so few away from a constant are wild.
const MAX_WILD_BESIDE_CONSTANT: usize = 2;

/// The peak to peak of noise alone, in standard deviations: among 100,000 normal samples none is 5 away.
const NOISE_PEAK_TO_PEAK: f64 = 10.0;

/// The part of the samples of noise that lies in the middle half of its peak to peak: of normal noise nine tenths, of a
/// ramp a half, of a sine a third.
const NOISE_IN_MIDDLE: f64 = 0.7;

/// The fewest pulses that are distinguished from noise by how they come.
const MIN_FLICKERS: usize = 3;

/// How many standard deviations apart two steps of a converter are at most between which noise goes to and fro.
const NOISE_BETWEEN_STEPS: f64 = 4.0;

/// The fewest samples a period of a wave of any shape of which differences of neighbouring samples show noise.
const MIN_SAMPLES_WITH_NOISE: f64 = 16.0;

/// How many times as large as the deviation from the mean that of neighbouring samples is where a signal has few samples a
/// period: of noise they are equal.
const RESTLESS: f64 = 1.5;

/// How far beyond the only two levels of a series its extremes lie at most, as a fraction of their distance.
const MAX_BEYOND: f64 = 0.1;

/// Of so many samples one may lie on a slope between the only two levels.
const SAMPLES_PER_SLOPE: usize = 8;

/// How far from a whole number of steps a sample is off them, in steps, for what rounding makes of it.
const OFF_STEP: f64 = 0.001;

/// Of so many samples of whole steps, fewer than one are off them.
const SAMPLES_PER_OFF_STEP: usize = 20;

/// The levels of a series, in the unit of its samples: volts, or fractions of the range in a raw capture.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Levels {
    /// The sum of the samples over their number.
    pub mean: f64,
    /// The square root of the mean of the squared samples.
    pub rms: f64,
    /// The square root of the mean of the squared distances from the mean: the RMS without the DC part.
    pub ac_rms: f64,
    /// The lowest sample.
    pub min: f64,
    /// The highest sample.
    pub max: f64,
    /// `max` less `min`.
    pub peak_to_peak: f64,
    /// How far `max` exceeds `top`, as a fraction of `top - base`. `None` unless the series dwells at both levels, and
    /// where wild samples were set aside.
    pub overshoot: Option<f64>,
    /// How far `min` falls below `base`, as a fraction of `top - base`. `None` where `overshoot` is.
    pub undershoot: Option<f64>,
    /// How many wild samples were set aside for top, base and all that rests on them. Mean, RMS and extremes are those
    /// of all samples.
    pub outliers: usize,
    /// The lowest sample that is not wild.
    pub(super) low: f64,
    /// The highest sample that is not wild.
    pub(super) high: f64,
    /// The upper level, or what edges are found by where it is not known.
    pub(super) top: f64,
    /// The lower level, or what edges are found by where it is not known.
    pub(super) base: f64,
    /// The standard deviation of what changes from sample to sample.
    pub(super) noise: f64,
    /// Whether the series dwells at both levels.
    pub(super) dwells: bool,
    /// Whether it dwells at a third one between them.
    three: bool,
    /// The levels that a histogram shows, be it noise about one level or not.
    modes: Modes,
    /// Whether top and base are known.
    known: bool,
    /// The noise, if `noise` is that, and not what the signal itself changes.
    known_noise: Option<f64>,
}

impl Levels {
    /// The levels of a series; `None` if it is empty or holds a sample that is not a finite number.
    ///
    /// Up to one in 128 samples, at most 16, are set aside as wild if they lie farther from all others than a quarter
    /// of the others' peak to peak; where the others are constant or noise, only the first samples of the series, or up
    /// to two, as more are a pulse.
    ///
    /// Top and base are modes of a histogram, as in IEEE 181: the range is divided in its middle, and on each side the
    /// seven of 64 neighbouring intervals that hold most samples are looked for. If they hold more than half of that
    /// side's samples, the series dwells there, and the level is the mean of the samples about the shortest interval
    /// that holds half of them, which neither a short overshoot nor the slope towards the level moves. Otherwise (a
    /// sine, a ramp) the level is the extreme itself; [`analyse`](super::analyse) takes that of the sine, triangle or
    /// sawtooth which it finds, as noise moves extremes. Of a series that is noise about one level both are its mean.
    #[must_use]
    pub fn of(samples: &[f32]) -> Option<Self> {
        Self::of_values(&samples.iter().copied())
    }

    /// As [`of`](Self::of), of samples that are computed each time they are read, which are up to ten: no memory is needed
    /// for them.
    #[must_use]
    pub fn of_values(samples: &(impl Iterator<Item = f32> + Clone)) -> Option<Self> {
        Some(Self::beyond(&Moments::of(samples)?, samples))
    }

    /// As [`of`](Self::of), of a series that need not be in memory.
    #[must_use]
    pub fn of_series<S: Series + ?Sized>(samples: &S) -> Option<Self> {
        Self::of_values(&samples.all())
    }

    /// The levels of samples whose moments are known.
    pub(super) fn beyond(moments: &Moments, samples: &(impl Iterator<Item = f32> + Clone)) -> Self {
        let &Moments { count, min, max, mean, .. } = moments;
        let Extent { low, high, outliers } = Extent::of(samples, moments);
        let noise = noise(samples, count, high - low);
        let histogram = Histogram::new(samples, low, high);
        let modes = histogram.modes(samples);
        let mut levels = Self {
            mean,
            rms: moments.rms(),
            ac_rms: sqrt(moments.variance),
            min,
            max,
            peak_to_peak: max - min,
            overshoot: None,
            undershoot: None,
            outliers,
            low,
            high,
            top: modes.top,
            base: modes.base,
            noise,
            dwells: modes.dwells,
            three: modes.three,
            modes,
            known: true,
            known_noise: Some(noise),
        };
        if high - low < NOISE_PEAK_TO_PEAK * noise && histogram.middle_share() > NOISE_IN_MIDDLE {
            let inside = samples.clone().map(f64::from).filter(|sample| (low..=high).contains(sample));
            return levels.as_one(inside.sum::<f64>() / (count - outliers).max(1) as f64);
        }
        levels.measure_overshoot();
        levels
    }

    fn measure_overshoot(&mut self) {
        if self.dwells && self.outliers == 0 {
            let share = |excess: f64| Some(excess / (self.top - self.base));
            (self.overshoot, self.undershoot) = (share(self.max - self.top), share(self.base - self.min));
        }
    }

    /// Whether what looks like two levels is noise between two steps of a converter, with edges that come irregularly: the
    /// levels are not farther apart than noise reaches, or the rarer one is hardly ever kept for two samples.
    pub(super) fn flicker<S: Series + ?Sized>(&self, samples: &S, rising_edges: usize) -> bool {
        if !self.are_two() || rising_edges < MIN_FLICKERS {
            return false;
        }
        let middle = self.at(0.5);
        let above = samples.all().filter(|&sample| f64::from(sample) > middle).count();
        let rarer = above.min(samples.len() - above) as f64;
        let is_irregular = self.top - self.base < NOISE_BETWEEN_STEPS * self.noise
            || rarer < FLICKER_SAMPLES * rising_edges as f64;
        is_irregular && (!self.are_all() || self.are_steps(samples))
    }

    /// Whether nearly all samples are whole steps apart if base and top are one: two levels of a signal scatter.
    fn are_steps<S: Series + ?Sized>(&self, samples: &S) -> bool {
        let off_step = |sample: f32| {
            let steps = (f64::from(sample) - self.base) / (self.top - self.base);
            (steps - libm::rint(steps)).abs() > OFF_STEP
        };
        let off = samples.all().filter(|&sample| off_step(sample)).count();
        off < samples.len() / SAMPLES_PER_OFF_STEP
    }

    /// The same as noise about one level.
    pub(super) fn as_one(mut self, level: f64) -> Self {
        (self.base, self.top) = (level, level);
        self.seems_to_dwell();
        self
    }

    /// Whether a sample was set aside as wild.
    #[must_use]
    pub fn is_wild(&self, sample: f32) -> bool {
        self.outliers > 0 && !(self.low..=self.high).contains(&f64::from(sample))
    }

    /// Whether there are two levels, and not noise about one, or a constant.
    #[must_use]
    pub fn are_two(&self) -> bool {
        self.top > self.base
    }

    /// The upper level, by the histogram method: see [`Levels::of`]. Equal to the base if the series is noise about one
    /// level. `None` if a wave was sampled at fewer than 16 phases, which do not fit a known shape (see [`Shape`]) or that of a
    /// sawtooth, which jumps anywhere between two of them; and of a signal without a wave that changes from sample to sample,
    /// unless it dwells at two levels.
    ///
    /// [`Shape`]: super::Shape
    #[must_use]
    pub fn top(&self) -> Option<f64> {
        self.known.then_some(self.top)
    }

    /// The lower level; `None` where [`top`](Self::top) is.
    #[must_use]
    pub fn base(&self) -> Option<f64> {
        self.known.then_some(self.base)
    }

    /// Whether edges are to be counted anew.
    pub(super) fn differ(&self, before: &Self) -> bool {
        before.dwells != self.dwells || before.are_two() != self.are_two()
    }

    /// Whether top and base are known.
    pub(super) fn are_known(&self) -> bool {
        self.known
    }

    /// The standard deviation of the noise. It is what changes from sample to sample, by the lesser of the median second
    /// and fourth differences, which hold what the signal itself bends within five samples as well: of a sine with N
    /// samples a period 200 / N^4 of its amplitude. Of a wave that a sine fits, and of what is nearly always at one of two
    /// levels, it is at most what these leave, and of one that was sampled at fewer than 24 phases what the samples of a
    /// phase scatter. `None` of other waves with fewer than 16 samples a period, and of a signal without a wave that rises or
    /// falls as often.
    #[must_use]
    pub fn noise(&self) -> Option<f64> {
        self.known_noise
    }

    /// Whether the series dwells at a third level between base and top: of such a series duty, rise and fall time are
    /// unknown.
    #[must_use]
    pub fn has_three(&self) -> bool {
        self.three
    }

    /// Takes from a wave what it shows better than a histogram: base and top of a shape, if the series does not dwell at
    /// them (noise moves its extremes) or has so few phases that it only seems to; the noise.
    pub(super) fn refine(&mut self, wave: &Wave, samples_a_period: f64) {
        if !self.are_two() {
            let Modes { base, top, dwells, three } = self.modes;
            (self.base, self.top, self.dwells, self.three) = (base, top, dwells, three);
            self.measure_overshoot();
        }
        let by_shape = wave.base_and_top().filter(|_| !self.dwells || wave.has_few_phases());
        if let Some((base, top)) = by_shape {
            (self.base, self.top) = (base, top);
            self.seems_to_dwell();
        }
        self.known = wave.offset().is_some() || (self.are_all() && wave.has_squares());
        if !self.known {
            self.seems_to_dwell();
        }
        let is_slow = samples_a_period >= MIN_SAMPLES_WITH_NOISE;
        self.noise = wave.noise.map_or(self.noise, |noise| self.noise.min(noise));
        self.known_noise = (is_slow || wave.noise.is_some()).then_some(self.noise);
    }

    /// Whether what looks like noise about one level is a signal that changes from sample to sample.
    pub(super) fn is_restless(&self) -> bool {
        !self.are_two() && self.noise > RESTLESS * self.ac_rms
    }

    /// Takes the scatter of the samples about the only two levels for the noise, where that is less: edges of pulses are
    /// none.
    pub(super) fn scatter_about_both<S: Series + ?Sized>(&mut self, samples: &S) {
        let (mut squares, mut count) = (0.0, 0_usize);
        let reach = MAX_BEYOND * (self.top - self.base);
        for sample in samples.all().map(f64::from) {
            let distance = (sample - self.base).abs().min((sample - self.top).abs());
            if distance < reach {
                squares += distance * distance;
                count += 1;
            }
        }
        let scatter = sqrt(squares / count.max(1) as f64);
        if count >= samples.len() - samples.len() / SAMPLES_PER_SLOPE {
            self.noise = self.noise.min(scatter);
            self.known_noise = Some(self.noise);
        }
    }

    /// Doubts what few samples between one edge and the next of its direction do not show where no wave is found.
    pub(super) fn doubt(&mut self, samples_a_period: f64) {
        self.known = !self.is_restless() && (self.dwells || samples_a_period >= MIN_SAMPLES_WITH_EDGES);
        if self.is_restless() || samples_a_period < MIN_SAMPLES_WITH_NOISE {
            self.known_noise = None;
        }
    }

    fn seems_to_dwell(&mut self) {
        (self.dwells, self.three) = (false, false);
        (self.overshoot, self.undershoot) = (None, None);
    }

    /// Whether the series dwells at both levels and nowhere beyond them.
    pub(super) fn are_all(&self) -> bool {
        let beyond = (self.high - self.top).max(self.base - self.low);
        self.dwells && !self.three && beyond < MAX_BEYOND * (self.top - self.base)
    }

    /// The level at a fraction of the way from base to top.
    pub(super) fn at(&self, fraction: f64) -> f64 {
        self.base + fraction * (self.top - self.base)
    }

    /// The noise as a fraction of `top - base`.
    pub(super) fn relative_noise(&self) -> f64 {
        if self.are_two() { self.noise / (self.top - self.base) } else { 0.0 }
    }
}

/// What sums and comparisons of the samples show, in three passes over them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Moments {
    pub(super) count: usize,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) mean: f64,
    pub(super) variance: f64,
}

impl Moments {
    /// `None` if there is no sample, or one that is not a finite number.
    pub(super) fn of(samples: &(impl Iterator<Item = f32> + Clone)) -> Option<Self> {
        let mut bounds: Option<(f32, f32)> = None;
        let mut count = 0;
        for sample in samples.clone() {
            if !sample.is_finite() {
                return None;
            }
            bounds = Some(bounds.map_or((sample, sample), |(min, max)| (min.min(sample), max.max(sample))));
            count += 1;
        }
        let (min, max) = bounds?;
        let mean = samples.clone().map(f64::from).sum::<f64>() / count as f64;
        let squares: f64 = samples.clone().map(|sample| f64::from(sample) - mean).map(|off| off * off).sum();
        let (min, max) = (f64::from(min), f64::from(max));
        Some(Self { count, min, max, mean, variance: squares / count as f64 })
    }

    pub(super) fn rms(&self) -> f64 {
        sqrt(self.variance + self.mean * self.mean)
    }
}

/// The few greatest of a number of values, the greatest first.
#[derive(Default)]
struct Greatest {
    values: heapless::Vec<f64, { MAX_OUTLIERS + 1 }>,
}

impl Greatest {
    fn take(&mut self, value: f64, most: usize) {
        if self.values.len() >= most {
            if self.values.last().is_some_and(|least| value <= *least) {
                return;
            }
            self.values.pop();
        }
        let place = self.values.iter().position(|other| value > *other).unwrap_or(self.values.len());
        // There is room: `most` is no more than the capacity.
        let _ = self.values.insert(place, value);
    }
}

/// The range of the samples that are not wild.
struct Extent {
    low: f64,
    high: f64,
    outliers: usize,
}

impl Extent {
    fn of(samples: &(impl Iterator<Item = f32> + Clone), moments: &Moments) -> Self {
        let &Moments { count, min, max, .. } = moments;
        let whole = Self { low: min, high: max, outliers: 0 };
        if count < MIN_SAMPLES_WITH_OUTLIERS {
            return whole;
        }
        let allowed = (count / SAMPLES_PER_OUTLIER).clamp(1, MAX_OUTLIERS);
        let (mut lowest, mut highest) = (Greatest::default(), Greatest::default());
        for sample in samples.clone() {
            lowest.take(-f64::from(sample), allowed + 1);
            highest.take(f64::from(sample), allowed + 1);
        }
        let (Some(low), Some(high)) = (lowest.values.last().map(|low| -low), highest.values.last().copied())
        else {
            return whole;
        };
        let reach = OUTLIER_DISTANCE * (high - low);
        let is_wild = |sample: f64| sample > high + reach || sample < low - reach;
        let mut others = Self { low: high, high: low, outliers: 0 };
        // Behind the last wild sample of those with which the series begins.
        let mut first = None;
        for (index, sample) in samples.clone().map(f64::from).enumerate() {
            if is_wild(sample) {
                others.outliers += 1;
            } else {
                first = first.or(Some(index));
                (others.low, others.high) = (others.low.min(sample), others.high.max(sample));
            }
        }
        let is_constant = others.high - others.low <= ONE_LEVEL * (max - min);
        let is_pulse = is_constant
            && others.outliers > MAX_WILD_BESIDE_CONSTANT
            && first.is_none_or(|first| first < others.outliers);
        if others.outliers > allowed || is_pulse { whole } else { others }
    }
}

/// The standard deviation of what changes from sample to sample, by which a slope and the few samples at edges do not
/// count. Known to some 5 %.
fn noise(samples: &(impl Iterator<Item = f32> + Clone), count: usize, peak_to_peak: f64) -> f64 {
    // Both are of noise alone where the signal is slow. Where it bends, the fourth differences hold less of it; where it
    // has an edge each few samples, the second do.
    let (mut second, mut fourth) = (Differences::new(peak_to_peak), Differences::new(peak_to_peak));
    if peak_to_peak <= 0.0 {
        return 0.0;
    }
    // What was before: a sample, then its differences of the first order and up.
    let mut before = [0.0; 4];
    for (index, sample) in samples.clone().enumerate() {
        let mut value = f64::from(sample);
        for (order, before) in (1..).zip(&mut before) {
            let difference = value - core::mem::replace(before, value);
            value = difference;
            match order {
                2 if index >= 2 => second.add(value),
                4 if index >= 4 => fourth.add(value),
                _ => {}
            }
        }
    }
    // The sums of the squared weights: 1, 2, 1 and 1, 4, 6, 4, 1.
    let second = second.deviation(6.0);
    if count < 5 { second } else { second.min(fourth.deviation(70.0)) }
}

/// How large differences are: four intervals an octave, from 2^-14 to 4 times the peak to peak.
struct Differences {
    peak_to_peak: f64,
    per_peak_to_peak: f32,
    counts: [u32; 66],
}

impl Differences {
    const SHIFT: u32 = 21;
    const FIRST: u32 = (127 - 14) << 2;

    fn new(peak_to_peak: f64) -> Self {
        Self { peak_to_peak, per_peak_to_peak: (1.0 / peak_to_peak) as f32, counts: [0; 66] }
    }

    fn add(&mut self, difference: f64) {
        let bits = (difference as f32 * self.per_peak_to_peak).abs().to_bits() >> Self::SHIFT;
        let interval = (bits.saturating_sub(Self::FIRST - 1) as usize).min(self.counts.len() - 1);
        if let Some(count) = self.counts.get_mut(interval) {
            *count += 1;
        }
    }

    /// The standard deviation of the samples by the median size of their differences, whose weights have this sum of
    /// squares.
    fn deviation(&self, squares: f64) -> f64 {
        /// The median size of normal noise of standard deviation 1.
        const MEDIAN: f64 = 0.6745;
        let half = 0.5 * f64::from(self.counts.iter().sum::<u32>());
        let mut below = 0.0;
        for (interval, &count) in self.counts.iter().enumerate() {
            let count = f64::from(count);
            if below + count > half {
                let Some(interval) = interval.checked_sub(1) else { return 0.0 };
                let bound =
                    |interval: u32| f64::from(f32::from_bits((Self::FIRST + interval) << Self::SHIFT));
                let (from, to) = (bound(interval as u32), bound(interval as u32 + 1));
                let median = from + (to - from) * (half - below) / count;
                return median * self.peak_to_peak / (MEDIAN * sqrt(squares));
            }
            below += count;
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn assert_near(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() <= tolerance, "{value} is not {expected} within {tolerance}");
    }

    /// A clean sine has no noise to speak of, whatever it bends from sample to sample.
    #[test]
    fn bends_are_no_noise() {
        let sine = |period: f64| {
            let at = |index: u16| libm::sin(core::f64::consts::TAU * f64::from(index) / period) as f32;
            Levels::of(&(0..3000).map(at).collect::<Vec<f32>>()).unwrap().noise
        };
        assert!(sine(33.3) < 3e-4 && sine(100.7) < 1e-4, "{} {}", sine(33.3), sine(100.7));
    }

    #[test]
    fn few_samples_by_hand() {
        let levels = Levels::of(&[1.0, 2.0, 3.0, 6.0]).unwrap();
        assert_eq!((levels.min, levels.max, levels.peak_to_peak), (1.0, 6.0, 5.0));
        assert_eq!(levels.mean, 3.0);
        assert_near(levels.rms, 12.5_f64.sqrt(), 1e-15);
        assert_near(levels.ac_rms, 3.5_f64.sqrt(), 1e-15);
    }

    #[test]
    fn sine_has_its_rms_and_no_plateaus() {
        let sine: Vec<f32> =
            (0..1000).map(|i| (0.5 + (f64::from(i) * 0.02 * core::f64::consts::PI).sin()) as f32).collect();
        let levels = Levels::of(&sine).unwrap();
        assert_near(levels.mean, 0.5, 1e-7);
        assert_near(levels.ac_rms, 0.5_f64.sqrt(), 1e-7);
        assert_near(levels.rms, 0.75_f64.sqrt(), 1e-7);
        assert_eq!((levels.top, levels.base), (levels.max, levels.min));
        assert_eq!((levels.overshoot, levels.undershoot), (None, None));
    }

    #[test]
    fn top_and_base_are_where_the_series_dwells() {
        // 100 samples of 0 V and 100 of 2 V, with overshoots of 0.5 V and 0.25 V over 5 samples each.
        let mut samples = [0.0_f32; 200];
        samples[100..].fill(2.0);
        samples[100..105].fill(2.5);
        samples[..5].fill(-0.25);
        let levels = Levels::of(&samples).unwrap();
        assert_eq!((levels.top, levels.base), (2.0, 0.0));
        assert_eq!((levels.overshoot, levels.undershoot), (Some(0.25), Some(0.125)));
    }

    #[test]
    fn no_rounding_leaves_the_highest_samples_outside() {
        for number in 1_u8..=200 {
            let top = 0.1 * f32::from(number);
            let samples: Vec<f32> = (0..1000_u16)
                .map(|index| top * (f32::from(index % 100) / 20.0 - 1.0).clamp(0.0, 1.0))
                .collect();
            let levels = Levels::of(&samples).unwrap();
            assert_eq!((levels.base(), levels.top()), (Some(0.0), Some(f64::from(top))));
        }
    }

    #[test]
    fn mean_does_not_drift() {
        // 0.1 is not exact in binary: 12288 of them, added up in f32, are off by parts in 10^5.
        let levels = Levels::of(&std::vec![0.1; 12_288]).unwrap();
        assert_near(levels.mean, f64::from(0.1_f32), 1e-15);
        assert_near(levels.ac_rms, 0.0, 1e-15);
        assert_eq!((levels.top, levels.base), (f64::from(0.1_f32), f64::from(0.1_f32)));
        assert_eq!(levels.overshoot, None);
    }

    #[test]
    fn unsupported_series_have_none() {
        assert_eq!(Levels::of(&[]), None);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            assert_eq!(Levels::of(&[1.0, bad, 2.0]), None);
        }
        let widest = Levels::of(&[f32::MIN, f32::MAX]).unwrap();
        assert!(widest.rms.is_finite() && widest.peak_to_peak.is_finite());
    }
}

//! The levels at which a series dwells: modes of a histogram, as in IEEE 181.

/// Intervals of the histogram that top and base are read from, over the peak to peak.
const INTERVALS: usize = 64;

/// How many neighbouring intervals count as one level: a plateau with noise of 3 % RMS lies within them whole.
const PLATEAU_INTERVALS: usize = 7;

/// A level that lies in so much of the range about its middle may be a third one between two others.
const MIDDLE: core::ops::Range<usize> = INTERVALS / 4..INTERVALS - INTERVALS / 4;

/// Of so many samples one must lie at a third level: fewer are an overshoot, or noise that reaches the next step of a converter.
const SAMPLES_PER_LEVEL: u32 = 8;

/// So near to the extreme, in intervals, lies a level beyond the one in the middle: ringing has most of its samples far from it.
const AT_EXTREME: usize = INTERVALS / 10;

/// How long noise keeps the rarer of two steps, in samples: 1 / (1 - p) if p is its share.
pub(super) const FLICKER_SAMPLES: f64 = 1.5;

/// Base and top of a histogram.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Modes {
    pub(super) base: f64,
    pub(super) top: f64,
    pub(super) dwells: bool,
    pub(super) three: bool,
}

#[derive(Clone, Copy)]
enum Side {
    Lower,
    Upper,
}

/// A level at which a series dwells.
#[derive(Clone, Copy)]
struct Dwelling {
    mode: f64,
    /// Whether the series also dwells at one nearer to the middle.
    is_beyond_another: bool,
}

/// Where the neighbouring intervals begin that hold most samples, if they hold more than half.
fn plateau(counts: &[u32]) -> Option<usize> {
    let held = counts.windows(PLATEAU_INTERVALS).map(|window| window.iter().sum::<u32>());
    let (index, held) = held.enumerate().max_by_key(|&(_, held)| held)?;
    (held > counts.iter().sum::<u32>() / 2).then_some(index)
}

/// How many samples lie in each of equal intervals between two levels.
pub(super) struct Histogram {
    low: f64,
    high: f64,
    intervals_per_unit: f64,
    counts: [u32; INTERVALS],
}

impl Histogram {
    pub(super) fn new(samples: &(impl Iterator<Item = f32> + Clone), low: f64, high: f64) -> Self {
        let intervals_per_unit = if high > low { INTERVALS as f64 / (high - low) } else { 0.0 };
        let mut histogram = Self { low, high, intervals_per_unit, counts: [0; INTERVALS] };
        for sample in samples.clone().filter(|&sample| (low..=high).contains(&f64::from(sample))) {
            let interval = histogram.interval(sample);
            if let Some(count) = histogram.counts.get_mut(interval) {
                *count += 1;
            }
        }
        histogram
    }

    fn interval(&self, sample: f32) -> usize {
        (((f64::from(sample) - self.low) * self.intervals_per_unit) as usize).min(INTERVALS - 1)
    }

    /// Where an interval begins, or the last one ends: at the highest sample, which rounding must not leave outside.
    fn begin(&self, interval: usize) -> f64 {
        if interval >= INTERVALS {
            return self.high;
        }
        let width = if self.intervals_per_unit > 0.0 { 1.0 / self.intervals_per_unit } else { 0.0 };
        self.low + interval as f64 * width
    }

    /// The part of the samples that lies in the middle half.
    pub(super) fn middle_share(&self) -> f64 {
        let middle = self.counts.iter().skip(INTERVALS / 4).take(INTERVALS / 2);
        f64::from(middle.sum::<u32>()) / f64::from(self.counts.iter().sum::<u32>().max(1))
    }

    /// Where the series does not dwell, the extremes are its levels.
    pub(super) fn modes(&self, samples: &(impl Iterator<Item = f32> + Clone)) -> Modes {
        let [base, top] = [Side::Lower, Side::Upper].map(|side| self.level(samples, side));
        let three = [base, top].iter().flatten().any(|level| level.is_beyond_another);
        let dwells = base.is_some() && top.is_some();
        let [base, top] = [(base, self.low), (top, self.high)]
            .map(|(level, extreme)| level.map_or(extreme, |level| level.mode));
        let dwells = dwells && top > base;
        Modes { base, top, dwells, three: three || (dwells && self.dwells_between(base, top)) }
    }

    /// The level at which the series dwells on one side of the middle, if it does. Where that lies about the middle itself,
    /// with another one beyond, it is the latter.
    fn level(&self, samples: &(impl Iterator<Item = f32> + Clone), side: Side) -> Option<Dwelling> {
        let (lower, upper) = self.counts.split_at(INTERVALS / 2);
        let (counts, start) = match side {
            Side::Lower => (lower, 0),
            Side::Upper => (upper, INTERVALS / 2),
        };
        let nearest = plateau(counts)? + start;
        let beyond = match side {
            Side::Lower => self.counts.get(..nearest).map(|counts| (counts, 0)),
            Side::Upper => {
                let behind = nearest + PLATEAU_INTERVALS;
                self.counts.get(behind..).map(|counts| (counts, behind))
            }
        };
        let is_middle = MIDDLE.contains(&(nearest + PLATEAU_INTERVALS / 2));
        let beyond = beyond.filter(|(counts, _)| is_middle && self.are_many(counts));
        let at_extreme = |from: &usize| match side {
            Side::Lower => *from <= AT_EXTREME,
            Side::Upper => from + PLATEAU_INTERVALS + AT_EXTREME >= INTERVALS,
        };
        let farthest = beyond.and_then(|(counts, start)| Some(plateau(counts)? + start)).filter(at_extreme);
        let farthest = farthest.filter(|&from| self.is_kept(samples, from.midpoint(nearest), side));
        let from = farthest.unwrap_or(nearest);
        let mode =
            Self::new(samples, self.begin(from), self.begin(from + PLATEAU_INTERVALS)).mode(samples)?;
        Some(Dwelling { mode, is_beyond_another: farthest.is_some() })
    }

    /// Whether the samples of some intervals are more than those of an overshoot.
    fn are_many(&self, some: &[u32]) -> bool {
        let of = |counts: &[u32]| counts.iter().sum::<u32>();
        of(some) > of(&self.counts) / SAMPLES_PER_LEVEL
    }

    /// Whether samples beyond the middle of an interval come together, as at a level, and not one by one, as noise does.
    fn is_kept(&self, samples: &(impl Iterator<Item = f32> + Clone), interval: usize, side: Side) -> bool {
        let bound = self.begin(interval + PLATEAU_INTERVALS / 2);
        let is_beyond = |sample: f32| match side {
            Side::Lower => f64::from(sample) < bound,
            Side::Upper => f64::from(sample) > bound,
        };
        let (mut count, mut runs, mut before) = (0_u32, 0_u32, false);
        for now in samples.clone().map(is_beyond) {
            count += u32::from(now);
            runs += u32::from(now && !before);
            before = now;
        }
        f64::from(count) > FLICKER_SAMPLES * f64::from(runs)
    }

    /// Whether the series dwells at a level between two others as well.
    fn dwells_between(&self, base: f64, top: f64) -> bool {
        let interval = |level: f64| self.interval(level as f32);
        let between =
            interval(base) + PLATEAU_INTERVALS..(interval(top) + 1).saturating_sub(PLATEAU_INTERVALS);
        let windows = self.counts.get(between).unwrap_or_default().windows(PLATEAU_INTERVALS);
        windows.into_iter().any(|window| self.are_many(window))
    }

    /// The mean of the samples about the shortest run of intervals that holds half of them, to half of its length beyond
    /// it on both sides: of normal noise, those within two standard deviations.
    fn mode(&self, samples: &(impl Iterator<Item = f32> + Clone)) -> Option<f64> {
        let (from, to) = self.shortest_half()?;
        let beyond = 0.5 * (self.begin(to) - self.begin(from));
        let range = self.begin(from) - beyond..=self.begin(to) + beyond;
        let inside = samples.clone().map(f64::from).filter(|sample| range.contains(sample));
        let (sum, count) = inside.fold((0.0, 0_u32), |(sum, count), sample| (sum + sample, count + 1));
        (count > 0).then(|| sum / f64::from(count))
    }

    /// The shortest run of intervals that holds half of the samples, as its first interval and the one behind its last;
    /// of several the one that holds most.
    fn shortest_half(&self) -> Option<(usize, usize)> {
        let half = self.counts.iter().sum::<u32>().div_ceil(2);
        let (mut first, mut held) = (0, 0);
        let mut best: Option<(usize, usize, u32)> = None;
        for (last, count) in self.counts.iter().enumerate() {
            held += count;
            for leaving in self.counts.get(first..last).unwrap_or_default() {
                if held - leaving < half {
                    break;
                }
                held -= leaving;
                first += 1;
            }
            let length = last + 1 - first;
            let is_better = best
                .is_none_or(|(from, to, most)| length < to - from || (length == to - from && held > most));
            if held >= half && is_better {
                best = Some((first, last + 1, held));
            }
        }
        best.map(|(from, to, _)| (from, to))
    }
}

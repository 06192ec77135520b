//! Edges of analog channels and logic lines: where they are, how many, how often, and how long the level is high.

use super::{Levels, Series};
use crate::trace::SampleTimes;

/// How far beyond the middle, as a fraction of `top - base`, a sample must lie for the level to have changed: as far as
/// noise of three standard deviations, within these bounds.
const MIN_HYSTERESIS: f64 = 0.2;
const MAX_HYSTERESIS: f64 = 0.36;

/// Where a channel went from one level to the other.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Edge {
    /// The place in samples from the first, between two samples as a rule.
    pub position: f64,
    /// Whether it went up.
    pub rising: bool,
}

/// The edges of an analog channel, in their order.
///
/// The level becomes high when a sample lies above the middle between base and top by more than a fifth of their
/// distance (more where the [noise](Levels::noise) is above 7 % of it), and low when one lies as far below: noise
/// smaller than that makes no edges. The edge is where the straight line between two samples crosses the middle; if
/// noise makes it cross several times on the way, it is half way between the first and the last crossing. Wild samples are
/// passed over. A series of one level has none, constant or with noise.
pub fn analog_edges<'a>(samples: &'a [f32], levels: &Levels) -> impl Iterator<Item = Edge> + Clone + use<'a> {
    edges_of_values(samples.iter().copied(), levels)
}

/// As [`analog_edges`], of a series that need not be in memory.
pub fn series_edges<'a, S: Series + ?Sized>(
    samples: &'a S,
    levels: &Levels,
) -> impl Iterator<Item = Edge> + Clone + use<'a, S> {
    edges_of_values(samples.all(), levels)
}

/// How far noise reaches, as a fraction of `top - base`.
fn beyond_noise(levels: &Levels) -> f64 {
    3.0 * levels.relative_noise()
}

/// Whether what would be noise is the signal itself, sampled a few times a period.
fn is_signal(levels: &Levels) -> bool {
    beyond_noise(levels) > MAX_HYSTERESIS
}

/// Whether edges may lie between samples unseen: with few samples a period, none of them need be near an extreme, unless all
/// are near one of two levels.
pub(super) fn may_be_missed(levels: &Levels) -> bool {
    is_signal(levels) && !levels.are_all()
}

/// As [`analog_edges`], of samples that are computed as they are read.
pub(super) fn edges_of_values<I: Iterator<Item = f32> + Clone>(
    samples: I,
    levels: &Levels,
) -> impl Iterator<Item = Edge> + Clone + use<I> {
    let middle = levels.at(0.5);
    let hysteresis =
        if is_signal(levels) { MIN_HYSTERESIS } else { beyond_noise(levels).max(MIN_HYSTERESIS) };
    let (low, high) = (levels.at(0.5 - hysteresis), levels.at(0.5 + hysteresis));
    let mut state = AnalogLevel { middle, low, high, is_high: None, previous: None, crossings: None };
    let samples = samples.take(if levels.are_two() { usize::MAX } else { 0 });
    let levels = *levels;
    let sound = samples.enumerate().filter(move |&(_, sample)| !levels.is_wild(sample));
    sound.filter_map(move |(index, sample)| state.next(index as f64, f64::from(sample)))
}

#[derive(Clone)]
struct AnalogLevel {
    middle: f64,
    low: f64,
    high: f64,
    is_high: Option<bool>,
    /// Index and value of the sample before.
    previous: Option<(f64, f64)>,
    /// The first and the last crossing of the middle since the series was last beyond the hysteresis.
    crossings: Option<(f64, f64)>,
}

impl AnalogLevel {
    fn next(&mut self, index: f64, sample: f64) -> Option<Edge> {
        let (before, previous) = self.previous.replace((index, sample)).unwrap_or((index, sample));
        if (previous < self.middle) != (sample < self.middle) {
            let crossing = index - (index - before) * (sample - self.middle) / (sample - previous);
            self.crossings = Some((self.crossings.map_or(crossing, |(first, _)| first), crossing));
        }
        let now_high = if sample > self.high {
            true
        } else if sample < self.low {
            false
        } else {
            return None;
        };
        let was_high = self.is_high.replace(now_high);
        let crossings = self.crossings.take();
        let (first, last) =
            if was_high.is_some_and(|was| was != now_high) { crossings? } else { return None };
        Some(Edge { position: f64::midpoint(first, last), rising: now_high })
    }
}

/// The edges of a logic line, in their order: half way between two samples that differ.
pub fn logic_edges<I: Iterator<Item = bool>>(levels: I) -> LogicEdges<I> {
    LogicEdges { levels: levels.enumerate(), previous: None }
}

/// See [`logic_edges`].
#[must_use = "iterators do nothing unless they are consumed"]
#[derive(Debug, Clone)]
pub struct LogicEdges<I> {
    levels: core::iter::Enumerate<I>,
    previous: Option<bool>,
}

impl<I: Iterator<Item = bool>> Iterator for LogicEdges<I> {
    type Item = Edge;

    fn next(&mut self) -> Option<Edge> {
        let previous = &mut self.previous;
        self.levels.find_map(|(index, level)| {
            let changed = previous.replace(level).is_some_and(|previous| previous != level);
            changed.then_some(Edge { position: index as f64 - 0.5, rising: level })
        })
    }
}

/// Timing of a channel's edges.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct EdgeMeasurements {
    /// How many edges go up.
    pub rising: usize,
    /// How many edges go down.
    pub falling: usize,
    /// The frequency that fits the times of all edges best (least squares, rising and falling ones at a distance of
    /// their own), in hertz. `None` with fewer than two edges of a direction, or if they do not come regularly: the
    /// longest period may be a quarter and one sample longer than the shortest.
    pub frequency_hz: Option<f64>,
    /// The greatest error of `frequency_hz`, in hertz, for edges within one sample period: such an edge may lie
    /// anywhere between two samples. Edges that extend over several samples are known better. `None` where the
    /// frequency is, and if the error may be as great as the frequency.
    pub frequency_uncertainty_hz: Option<f64>,
    /// The part of the time that the level is high, 0 to 1, between the first and the last edge of the direction with
    /// more edges, rising if there are as many. `None` where the frequency is.
    pub duty: Option<f64>,
}

impl EdgeMeasurements {
    /// Counts and measures edges of a channel whose samples are `sample_period_s` seconds apart.
    #[must_use]
    pub fn of(edges: impl Iterator<Item = Edge>, sample_period_s: f64) -> Self {
        let mut meter = EdgeMeter::default();
        edges.for_each(|edge| meter.add(edge));
        meter.measurements(sample_period_s)
    }
}

/// Measures edges as they come, in memory that does not grow with them.
#[derive(Debug, Clone, Default)]
pub struct EdgeMeter {
    rising: Run,
    falling: Run,
    /// How long the level was high, in samples, and since when it is.
    high_samples: f64,
    rose_at: Option<f64>,
}

impl EdgeMeter {
    /// Takes the edge that follows.
    pub fn add(&mut self, Edge { position, rising }: Edge) {
        if rising {
            self.rose_at = Some(position);
            self.rising.add(position, self.high_samples);
        } else {
            self.high_samples += self.rose_at.take().map_or(0.0, |rose_at| position - rose_at);
            self.falling.add(position, self.high_samples);
        }
    }

    /// The edges so far, of a channel whose samples are `sample_period_s` seconds apart.
    #[must_use]
    pub fn measurements(&self, sample_period_s: f64) -> EdgeMeasurements {
        let Self { rising, falling, .. } = self;
        let (run, other) = if falling.edges > rising.edges { (falling, rising) } else { (rising, falling) };
        let period = run.is_regular().then(|| Run::common_period(run, other)).flatten();
        let hertz = |period: f64| {
            Some(1.0 / (period * sample_period_s)).filter(|hertz| hertz.is_finite() && *hertz > 0.0)
        };
        let frequency_hz = period.and_then(|(period, _)| hertz(period));
        let greatest_hz = period.and_then(|(period, error)| hertz(period - error));
        EdgeMeasurements {
            rising: rising.edges,
            falling: falling.edges,
            frequency_hz,
            frequency_uncertainty_hz: greatest_hz.zip(frequency_hz).map(|(greatest, hertz)| greatest - hertz),
            duty: period.and(run.duty()),
        }
    }
}

/// Edges of one direction.
#[derive(Debug, Clone, Default)]
struct Run {
    edges: usize,
    /// Position of the first edge, and how long the level had been high before it.
    first: (f64, f64),
    last: (f64, f64),
    shortest: f64,
    longest: f64,
    /// Sums of the positions from the first edge, and of their products with the number of the edge, from 0 on.
    positions: f64,
    products: f64,
}

impl Run {
    fn add(&mut self, position: f64, high_before: f64) {
        let period = position - self.last.0;
        match self.edges {
            0 => self.first = (position, high_before),
            1 => (self.shortest, self.longest) = (period, period),
            _ => (self.shortest, self.longest) = (self.shortest.min(period), self.longest.max(period)),
        }
        let since_first = position - self.first.0;
        self.positions += since_first;
        self.products += since_first * self.edges as f64;
        self.last = (position, high_before);
        self.edges += 1;
    }

    fn is_regular(&self) -> bool {
        self.edges >= 2 && self.longest <= 1.25 * self.shortest + 1.0
    }

    /// The slope of the line through positions over numbers, as a fraction: its numerator and denominator.
    fn slope(&self) -> (f64, f64) {
        let edges = self.edges as f64;
        let covariance = self.products - self.positions * 0.5 * (edges - 1.0);
        (covariance, edges * (edges * edges - 1.0) / 12.0)
    }

    /// How far the numerator of the slope is off at most if each edge is half a sample off.
    fn error(&self) -> f64 {
        let edges = self.edges as f64;
        0.5 * libm::floor(0.25 * edges * edges)
    }

    /// The period in samples with which both directions repeat, and its greatest error if each edge is half a sample
    /// off.
    fn common_period(one: &Self, other: &Self) -> Option<(f64, f64)> {
        let (mut covariance, mut variance) = one.slope();
        let mut error = one.error();
        if other.is_regular() {
            let (more_covariance, more_variance) = other.slope();
            covariance += more_covariance;
            variance += more_variance;
            error += other.error();
        }
        let period = covariance / variance;
        (period > 0.0 && period.is_finite()).then_some((period, error / variance))
    }

    fn duty(&self) -> Option<f64> {
        let span = self.last.0 - self.first.0;
        (span > 0.0).then(|| (self.last.1 - self.first.1) / span)
    }
}

/// How much later one channel is than another of the same frequency.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct ChannelDelay {
    /// The mean time from a rising edge of the first channel to the nearest one of the second, in seconds; positive if
    /// the second is later, at most half a period.
    pub delay_s: f64,
    /// The delay in degrees of the first channel's period, above -180 up to 180. Positive if the second lags.
    pub phase_degrees: f64,
}

/// Two series whose edges are compared: the edges, as from [`analog_edges`] or [`logic_edges`], and when the samples
/// were taken. The two channels of a pair are sampled half a pair period apart, which is taken into account.
#[derive(Debug, Clone, Copy)]
pub struct TimedEdges<I> {
    /// The edges.
    pub edges: I,
    /// When the samples were taken that the positions of the edges count.
    pub times: SampleTimes,
}

impl<I: Iterator<Item = Edge> + Clone> TimedEdges<I> {
    fn rising_times_s(&self) -> impl Iterator<Item = f64> {
        let SampleTimes { start_s, period_s } = self.times;
        self.edges.clone().filter(|edge| edge.rising).map(move |edge| start_s + edge.position * period_s)
    }

    fn frequency_hz(&self) -> Option<f64> {
        EdgeMeasurements::of(self.edges.clone(), self.times.period_s).frequency_hz
    }
}

impl ChannelDelay {
    /// A delay in seconds between channels of a frequency, brought to at most half a period.
    #[must_use]
    pub fn of(delay_s: f64, frequency_hz: f64) -> Self {
        let delay_s = wrapped(delay_s, 1.0 / frequency_hz);
        Self { delay_s, phase_degrees: 360.0 * delay_s * frequency_hz }
    }

    /// Whether two frequencies are near enough to each other for a delay between their channels: within 2 % of the
    /// first.
    #[must_use]
    pub fn is_common(first_hz: f64, second_hz: f64) -> bool {
        (second_hz - first_hz).abs() <= 0.02 * first_hz
    }

    /// Compares two channels. `None` if either has no frequency by its edges ([`EdgeMeasurements::frequency_hz`]), the
    /// two have no [common one](Self::is_common), or the delay wanders by more than a quarter of a period.
    pub fn between<I, J>(first: &TimedEdges<I>, second: &TimedEdges<J>) -> Option<Self>
    where
        I: Iterator<Item = Edge> + Clone,
        J: Iterator<Item = Edge> + Clone,
    {
        let frequency_hz = first.frequency_hz()?;
        if !Self::is_common(frequency_hz, second.frequency_hz()?) {
            return None;
        }
        let mut meter = DelayMeter::new(frequency_hz);
        let mut others = second.rising_times_s().peekable();
        let mut nearest_s = others.next()?;
        for edge_s in first.rising_times_s() {
            while let Some(next_s) =
                others.next_if(|next_s| (next_s - edge_s).abs() < (nearest_s - edge_s).abs())
            {
                nearest_s = next_s;
            }
            meter.add(nearest_s - edge_s);
        }
        meter.delay()
    }
}

/// Measures the delay between two channels of a frequency edge by edge, in memory that does not grow with them.
#[derive(Debug, Clone)]
pub struct DelayMeter {
    frequency_hz: f64,
    /// The first delay.
    reference_s: Option<f64>,
    /// What the delays are longer, together.
    excess_s: f64,
    count: u64,
    wanders: bool,
}

impl DelayMeter {
    /// Of channels with a [common](ChannelDelay::is_common) frequency in hertz, that of the first one.
    #[must_use]
    pub fn new(frequency_hz: f64) -> Self {
        Self { frequency_hz, reference_s: None, excess_s: 0.0, count: 0, wanders: false }
    }

    /// The longest delay that is measured, in seconds: before the other channel's first edge, and after its last, the
    /// nearest is no partner.
    #[must_use]
    pub fn max_delay_s(&self) -> f64 {
        0.75 / self.frequency_hz
    }

    /// Takes the time in seconds from a rising edge of the first channel to the nearest one of the second.
    pub fn add(&mut self, delay_s: f64) {
        if delay_s.abs() > self.max_delay_s() {
            return;
        }
        let period_s = 1.0 / self.frequency_hz;
        // Near half a period the nearest edge is now the earlier, now the later one: count from the first delay.
        let reference_s = *self.reference_s.get_or_insert(delay_s);
        let wander_s = wrapped(delay_s - reference_s, period_s);
        self.wanders |= wander_s.abs() > 0.25 * period_s;
        self.excess_s += wander_s;
        self.count += 1;
    }

    /// The delay. `None` if none was taken, or they wander by more than a quarter of a period.
    #[must_use]
    pub fn delay(&self) -> Option<ChannelDelay> {
        let reference_s = self.reference_s.filter(|_| !self.wanders)?;
        Some(ChannelDelay::of(reference_s + self.excess_s / self.count as f64, self.frequency_hz))
    }
}

/// A time brought into the half period on each side of zero.
fn wrapped(time_s: f64, period_s: f64) -> f64 {
    time_s - period_s * libm::ceil(time_s / period_s - 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn sine(periods: f64, samples: usize, turn: f64) -> Vec<f32> {
        let step = core::f64::consts::TAU * periods / samples as f64;
        (0..samples).map(|i| (step * i as f64 - core::f64::consts::TAU * turn).sin() as f32).collect()
    }

    fn measured(samples: &[f32], sample_period_s: f64) -> EdgeMeasurements {
        EdgeMeasurements::of(analog_edges(samples, &Levels::of(samples).unwrap()), sample_period_s)
    }

    #[test]
    fn edges_interpolate_the_mid_level() {
        let samples = [0.0, 0.0, 1.0, 4.0, 4.0, 4.0, 1.0, 0.0];
        let levels = Levels::of(&samples).unwrap();
        assert_eq!((levels.base, levels.top), (0.0, 4.0));
        let edges: Vec<Edge> = analog_edges(&samples, &levels).collect();
        let third = 1.0 / 3.0;
        assert_eq!(edges.len(), 2);
        assert!(edges[0].rising && (edges[0].position - (2.0 + third)).abs() < 1e-12);
        assert!(!edges[1].rising && (edges[1].position - (6.0 - third)).abs() < 1e-12);
    }

    #[test]
    fn hysteresis_rejects_noise() {
        let samples = [-1.0, -1.0, -0.1, 0.1, -0.1, 0.1, 1.0, 1.0];
        let levels = Levels::of(&samples).unwrap();
        let edges: Vec<Edge> = analog_edges(&samples, &levels).collect();
        assert_eq!(edges, [Edge { position: 3.5, rising: true }]);
    }

    #[test]
    fn frequency_and_duty_come_from_whole_periods() {
        // High for 3 of 10 samples, 1 ms a sample: 100 Hz.
        let samples: Vec<f32> = (0..95).map(|i| if (i + 4) % 10 < 3 { 3.3 } else { 0.0 }).collect();
        let edges = measured(&samples, 1e-3);
        assert_eq!((edges.rising, edges.falling), (9, 9));
        assert!((edges.frequency_hz.unwrap() - 100.0).abs() < 1e-9);
        assert!((edges.duty.unwrap() - 0.3).abs() < 1e-9);
        let logic = EdgeMeasurements::of(logic_edges(samples.iter().map(|&sample| sample > 1.0)), 1e-3);
        assert_eq!((logic.rising, logic.falling), (9, 9));
        assert!((logic.duty.unwrap() - 0.3).abs() < 1e-9);
    }

    #[test]
    fn the_uncertainty_is_that_of_edges_between_samples() {
        // All squares of a period of 39 to 45 samples, whatever their phase: the true period is within the bounds, and
        // for some of them near to one.
        let mut closest = f64::INFINITY;
        for tenths in 390..=450 {
            let period = f64::from(tenths) / 10.0;
            for turn in 0..50 {
                let phase = f64::from(turn) / 50.0;
                let levels = (0..100).map(|index| (f64::from(index) / period + phase) % 1.0 < 0.5);
                let edges = EdgeMeasurements::of(logic_edges(levels), 1.0);
                let (Some(found), Some(uncertainty)) = (edges.frequency_hz, edges.frequency_uncertainty_hz)
                else {
                    panic!("{edges:?}")
                };
                let left = uncertainty - (1.0 / period - found).abs();
                assert!(left >= -1e-9, "{period} {phase}: {edges:?}");
                closest = closest.min(left / uncertainty);
            }
        }
        assert!(closest < 0.2, "{closest}");
    }

    #[test]
    fn two_falling_edges_are_a_period() {
        let levels = [true, false, false, true, false];
        let edges = EdgeMeasurements::of(logic_edges(levels.into_iter()), 0.5);
        assert_eq!((edges.rising, edges.falling), (1, 2));
        assert_eq!((edges.frequency_hz, edges.duty), (Some(1.0 / 1.5), Some(1.0 / 3.0)));
    }

    #[test]
    fn irregular_or_few_edges_have_no_frequency() {
        let burst = [0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0].map(|level| level == 1);
        let edges = EdgeMeasurements::of(logic_edges(burst.into_iter()), 1.0);
        assert_eq!((edges.rising, edges.frequency_hz, edges.duty), (3, None, None));
        let step = EdgeMeasurements::of(logic_edges([false, true].into_iter()), 1.0);
        assert_eq!((step.rising, step.frequency_hz, step.frequency_uncertainty_hz), (1, None, None));
        assert_eq!(measured(&[1.0; 100], 1.0), EdgeMeasurements::default());
        for bad_period_s in [0.0, f64::NAN, f64::INFINITY] {
            assert_eq!(measured(&sine(4.0, 100, 0.1), bad_period_s).frequency_hz, None);
        }
    }

    #[test]
    fn clock_near_two_samples_a_period_is_regular() {
        // Five periods in eleven samples: periods of two and of three samples take turns.
        let line: Vec<bool> = (0..1101).map(|i| (i * 5) % 11 < 5).collect();
        let edges = EdgeMeasurements::of(logic_edges(line.into_iter()), 1e-6);
        assert!((edges.frequency_hz.unwrap() / (5e6 / 11.0) - 1.0).abs() < 2e-3);
    }

    fn delay(turn: f64, second_start_s: f64) -> Option<ChannelDelay> {
        let (a, b) = (sine(10.0, 1000, 0.0), sine(10.0, 1000, turn));
        let (levels_a, levels_b) = (Levels::of(&a).unwrap(), Levels::of(&b).unwrap());
        let times = SampleTimes { start_s: 0.0, period_s: 1e-3 };
        let first = TimedEdges { edges: analog_edges(&a, &levels_a), times };
        let times = SampleTimes { start_s: second_start_s, ..times };
        ChannelDelay::between(&first, &TimedEdges { edges: analog_edges(&b, &levels_b), times })
    }

    #[test]
    fn delays_are_signed() {
        // The period is 100 samples of 1 ms.
        for (turn, start_s, expected_s) in [
            (0.0, 0.0, 0.0),
            (0.25, 0.0, 0.025),
            (-0.25, 0.0, -0.025),
            (0.1, 0.5e-3, 0.0105),
            (0.9, 0.0, -0.01),
        ] {
            let delay = delay(turn, start_s).unwrap();
            assert!((delay.delay_s - expected_s).abs() < 2e-6, "{turn} of a turn: {delay:?}");
            assert!((delay.phase_degrees - 3600.0 * expected_s).abs() < 1e-2, "{delay:?}");
        }
        assert!((delay(0.5, 0.0).unwrap().phase_degrees.abs() - 180.0).abs() < 0.01);
    }

    #[test]
    fn quadrature_of_two_logic_lines_is_ninety_degrees() {
        let line = |late: usize| logic_edges((0..400).map(move |i| (i + 40 - late) % 40 < 20));
        let times = SampleTimes { start_s: 0.0, period_s: 1e-6 };
        let (first, second) = (TimedEdges { edges: line(5), times }, TimedEdges { edges: line(15), times });
        let delay = ChannelDelay::between(&first, &second).unwrap();
        assert!((delay.delay_s - 10e-6).abs() < 1e-15 && (delay.phase_degrees - 90.0).abs() < 1e-9);
        let back = ChannelDelay::between(&second, &first).unwrap();
        assert!((back.phase_degrees + 90.0).abs() < 1e-9);
    }

    #[test]
    fn channels_of_different_frequency_have_no_delay() {
        let times = SampleTimes { start_s: 0.0, period_s: 1e-6 };
        let line =
            |period: usize| TimedEdges { edges: logic_edges((0..400).map(move |i| i % period < 10)), times };
        assert_eq!(ChannelDelay::between(&line(20), &line(40)), None);
        assert_eq!(ChannelDelay::between(&line(20), &line(400)), None);
    }
}

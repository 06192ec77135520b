//! Which known shape the averaged wave has.
//!
//! Each shape is laid over the averaged wave with the phase, height and offset that leave the least error (least
//! squares), a sample a vote. A sampled jump is never sharp, so that the wave is not compared within one and a half
//! parts (of the up to 128 into which the period is divided) of the jump of a sawtooth, nor in the two parts on the
//! two sides of an edge of a square.

use core::fmt;

use super::fold::{Fold, MAX_BINS};
use super::phases::FewPhases;

/// The largest error that a shape may have, as a fraction of the averaged wave's peak to peak, beyond what noise
/// explains. A triangle is 0.035 away from the nearest sine (from its Fourier series: the RMS of all but the first
/// harmonic, over 2).
const MAX_ERROR: f64 = 0.025;

/// The same of a sine that was sampled at five or seven phases, from which a triangle is at least 0.026 away.
const MAX_ERROR_OF_FEW: f64 = 0.0125;

/// The fewest different phases that determine a shape.
const MIN_POINTS: usize = 8;

/// Phases tried all around the period before the best is refined.
const PHASES_TRIED: u32 = 8;

/// Halvings of the step of the phase while it is refined: to a 4096th of a period.
const HALVINGS: u32 = 9;

/// How many time constants an exponential is charged for. From 2.2 to 10 one of these is within 0.023 of it, the
/// largest distance being that of 10 from 8; one of 1.5 is as far from 3 as from a sine, 0.04, and has no shape.
const TIME_CONSTANTS: [f32; 3] = [3.0, 5.0, 8.0];

/// The shape of a periodic wave.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Shape {
    /// A sine.
    Sine,
    /// A triangle that rises as long as it falls.
    Triangle,
    /// A ramp and a jump back.
    Sawtooth {
        /// Whether the ramp goes up.
        rising: bool,
    },
    /// A capacitor's voltage: charged for half of the period and discharged for the other, for about two to ten time
    /// constants each.
    Exponential,
    /// Two levels, with edges that take less than some 3 % of the period.
    Square {
        /// The part of the period at the upper level, 0 to 1.
        duty: f64,
    },
    /// None of these.
    Unknown,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sine => f.write_str("sine"),
            Self::Triangle => f.write_str("triangle"),
            Self::Sawtooth { .. } => f.write_str("sawtooth"),
            Self::Exponential => f.write_str("exponential"),
            Self::Square { .. } => f.write_str("square"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// A shape laid over the averaged wave. Levels are in steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct ShapeMatch {
    pub(super) shape: Shape,
    /// Half the peak to peak of the shape.
    pub(super) amplitude: f64,
    /// The middle between its extremes.
    pub(super) offset: f64,
    /// The phase at which it rises through the offset, in periods, 0 to 1.
    pub(super) rise: f64,
    /// The RMS of the distances, as a fraction of the averaged wave's peak to peak; of the best shape if that is too
    /// far.
    pub(super) error: Option<f64>,
    /// The part of the square of `error` that noise explains.
    noise: f64,
}

impl ShapeMatch {
    fn excess(&self) -> f64 {
        self.error.map_or(f64::INFINITY, |error| libm::sqrt((error * error - self.noise).max(0.0)))
    }
}

/// The averaged wave at one phase.
#[derive(Debug, Clone, Copy, Default)]
struct Point {
    phase: f64,
    level: f64,
    /// How many samples were averaged.
    weight: f64,
    /// The sum of their squared distances from `level`.
    spread: f64,
}

/// The averaged wave, by phase.
struct AveragedWave {
    points: heapless::Vec<Point, MAX_BINS>,
    low: f64,
    high: f64,
}

/// The shape of the folded wave, whose samples fall on few phases or not. `None` if the wave is flat, or not known anywhere.
pub(super) fn matched(fold: &Fold, phases: Option<FewPhases>) -> Option<ShapeMatch> {
    let wave = AveragedWave::new(fold);
    let unknown = wave.unknown()?;
    if !phases.is_none_or(FewPhases::show_sines) || phases.is_none() && wave.points.len() < MIN_POINTS {
        return Some(unknown);
    }
    let sine = wave.smooth(&sine).map(|laid| ShapeMatch { shape: Shape::Sine, ..laid });
    if !phases.is_none_or(FewPhases::show_shapes) {
        return Some(sine.filter(|sine| sine.excess() <= MAX_ERROR_OF_FEW).unwrap_or(unknown));
    }
    let triangle = wave.smooth(&triangle).map(|laid| ShapeMatch { shape: Shape::Triangle, ..laid });
    let [sawtooth, square] = [wave.sawtooth(unknown.offset), wave.square(unknown.offset)];
    let shapes = [sine, triangle, wave.exponential(), sawtooth, square];
    let best = shapes
        .into_iter()
        .flatten()
        .reduce(|one, other| if other.excess() < one.excess() { other } else { one });
    Some(match best {
        Some(best) if best.excess() <= MAX_ERROR => best,
        Some(best) => ShapeMatch { error: best.error, ..unknown },
        None => unknown,
    })
}

/// The value of a shape, -1 to 1, at a phase, 0 to 1, that rises through 0 at phase 0.
type ShapeValue<'a> = &'a dyn Fn(f64) -> f64;

fn sine(phase: f64) -> f64 {
    f64::from(libm::sinf((phase * core::f64::consts::TAU) as f32))
}

fn triangle(phase: f64) -> f64 {
    let since_low = phase + 0.25;
    1.0 - (2.0 - 4.0 * (since_low - libm::floor(since_low))).abs()
}

fn ramp(phase: f64) -> f64 {
    if phase < 0.5 { 2.0 * phase } else { 2.0 * phase - 2.0 }
}

/// A capacitor that is charged for half a period and discharged for the other, for so many time constants each.
fn exponential(time_constants: f32) -> impl Fn(f64) -> f64 {
    let missing = libm::expf(-time_constants);
    let height = 2.0 / (1.0 - missing);
    // It is half charged after this part of the period.
    let half_charged = 0.5 * libm::logf(2.0 / (1.0 + missing)) / time_constants;
    move |phase| {
        let since_start = phase as f32 + half_charged;
        let turn = since_start - libm::floorf(since_start);
        let (part, sign) = if turn < 0.5 { (2.0 * turn, 1.0) } else { (2.0 * turn - 1.0, -1.0) };
        f64::from(sign * (height * (1.0 - libm::expf(-time_constants * part)) - 1.0))
    }
}

impl AveragedWave {
    fn new(fold: &Fold) -> Self {
        let used = fold.bins().iter().enumerate().filter(|(_, bin)| bin.samples > 0);
        let points = used.map(|(index, bin)| Point {
            phase: fold.phase(index, bin),
            level: bin.mean(),
            weight: f64::from(bin.samples),
            spread: bin.spread(),
        });
        let mut wave = Self { points: heapless::Vec::new(), low: f64::INFINITY, high: f64::NEG_INFINITY };
        for point in points {
            wave.low = wave.low.min(point.level);
            wave.high = wave.high.max(point.level);
            // There is room: a fold has no more parts.
            let _ = wave.points.push(point);
        }
        wave
    }

    /// The points in their order, each with the one after it, around the period.
    fn pairs(&self) -> impl Iterator<Item = (&Point, &Point)> + Clone {
        self.points.iter().zip(self.points.iter().cycle().skip(1))
    }

    /// What is known without a shape: half the peak to peak of the averaged wave, its middle, its first rise.
    fn unknown(&self) -> Option<ShapeMatch> {
        let (amplitude, offset) = (0.5 * (self.high - self.low), f64::midpoint(self.high, self.low));
        let rise = self.pairs().find_map(|(from, to)| rise_between(from, to, offset))?;
        Some(ShapeMatch { shape: Shape::Unknown, amplitude, offset, rise, error: None, noise: 0.0 })
    }

    /// Lays a shape without jumps over the wave with the best phase.
    fn smooth(&self, shape: ShapeValue<'_>) -> Option<ShapeMatch> {
        let laid = |rise: f64| self.laid(shape, 0.0, rise - libm::floor(rise));
        let better = |one: Laid, other: Laid| if other.found.error < one.found.error { other } else { one };
        let mut step = 1.0 / f64::from(PHASES_TRIED);
        let mut best = (0..PHASES_TRIED).filter_map(|index| laid(f64::from(index) * step)).reduce(better)?;
        for _ in 0..HALVINGS {
            step *= 0.5;
            let rise = best.found.rise;
            best = [laid(rise - step), laid(rise + step)].into_iter().flatten().fold(best, better);
        }
        Some(best.upright())
    }

    /// Lays exponentials over the wave, of few and of many time constants.
    fn exponential(&self) -> Option<ShapeMatch> {
        let laid = TIME_CONSTANTS.into_iter().filter_map(|constants| self.smooth(&exponential(constants)));
        let best = laid.reduce(|one, other| if other.error < one.error { other } else { one })?;
        Some(ShapeMatch { shape: Shape::Exponential, ..best })
    }

    /// Lays a ramp over the wave that jumps where the wave crosses its middle most steeply.
    fn sawtooth(&self, middle: f64) -> Option<ShapeMatch> {
        let height = |(from, to): &(&Point, &Point)| (to.level - from.level).abs();
        let across = self.pairs().filter(|(from, to)| (from.level < middle) != (to.level < middle));
        let (from, to) =
            across.reduce(|one, other| if height(&other) > height(&one) { other } else { one })?;
        let rise = crossing(from, to, middle) + 0.5;
        let laid = self.laid(&ramp, 1.5 / self.points.len() as f64, rise - libm::floor(rise))?;
        Some(ShapeMatch { shape: Shape::Sawtooth { rising: laid.height > 0.0 }, ..laid.upright() })
    }

    /// Lays a shape over the wave so that it rises through its middle at a phase, or falls if its height is negative.
    /// Points nearer than a margin to where it jumps are passed over.
    fn laid(&self, shape: ShapeValue<'_>, margin: f64, rise: f64) -> Option<Laid> {
        let middle = f64::midpoint(self.low, self.high);
        let mut residual = Residual::default();
        // Weighted sums of value, level, and their products.
        let [mut v, mut l, mut vv, mut vl, mut ll] = [0.0; 5];
        for point in &self.points {
            let phase = point.phase - rise;
            let phase = if phase < 0.0 { phase + 1.0 } else { phase };
            if (phase - 0.5).abs() < margin {
                continue;
            }
            let value = shape(phase);
            let level = point.level - middle;
            let (weighted_value, weighted_level) = (point.weight * value, point.weight * level);
            v += weighted_value;
            l += weighted_level;
            vv += weighted_value * value;
            vl += weighted_value * level;
            ll += weighted_level * level;
            residual.compare(point);
        }
        let (mean_value, mean_level) = (v / residual.weight, l / residual.weight);
        let covariance = vl - v * mean_level;
        let height = covariance / (vv - v * mean_value);
        residual.squares = (ll - l * mean_level - covariance * height).max(0.0);
        let found = self.match_of(&residual, 3.0, height.abs())?;
        let offset = middle + mean_level - height * mean_value;
        Some(Laid { found: ShapeMatch { offset, rise, ..found }, height })
    }

    /// A shape of an amplitude, by what it leaves of the wave with so many parameters fitted; `None` if it spans less
    /// than half of the wave: it then passes something by that it was not compared with, such as a needle taken for the
    /// jump of a sawtooth.
    fn match_of(&self, residual: &Residual, parameters: f64, amplitude: f64) -> Option<ShapeMatch> {
        let peak_to_peak = self.high - self.low;
        let scale = residual.weight * peak_to_peak * peak_to_peak;
        (4.0 * amplitude >= peak_to_peak && scale > 0.0).then(|| ShapeMatch {
            shape: Shape::Unknown,
            amplitude,
            offset: 0.0,
            rise: 0.0,
            error: Some(libm::sqrt(residual.squares / scale)),
            noise: residual.noise_squares(parameters) / scale,
        })
    }

    /// Lays two levels over the wave: what lies above the middle, and what lies below.
    fn square(&self, middle: f64) -> Option<ShapeMatch> {
        let (rise, fall) = self.pulse(middle)?;
        let is_high = |point: &Point| point.level >= middle;
        let before = self.points.iter().cycle().skip(self.points.len().saturating_sub(1));
        let flat = before.zip(self.pairs()).filter_map(|(before, (here, after))| {
            let neighbours_alike = is_high(before) == is_high(here) && is_high(here) == is_high(after);
            neighbours_alike.then_some(here)
        });
        // Of few points, a sine leaves nothing else where its slopes are passed over.
        if 2 * flat.clone().count() <= self.points.len() {
            return None;
        }
        let plateau = |high: bool| {
            let points = flat.clone().filter(|point| is_high(point) == high);
            let (sum, weight) = points.fold((0.0, 0.0), |(sum, weight), point| {
                (sum + point.weight * point.level, weight + point.weight)
            });
            (weight > 0.0).then(|| sum / weight)
        };
        let (top, base) = (plateau(true)?, plateau(false)?);
        let mut residual = Residual::default();
        for point in flat.clone() {
            let distance = point.level - if is_high(point) { top } else { base };
            residual.squares += point.weight * distance * distance;
            residual.compare(point);
        }
        let duty = fall - rise;
        let shape = Shape::Square { duty: duty - libm::floor(duty) };
        let found = self.match_of(&residual, 2.0, 0.5 * (top - base))?;
        Some(ShapeMatch { shape, offset: f64::midpoint(top, base), rise, ..found })
    }

    /// Where the wave rises and falls through a level, if it does so once a period.
    fn pulse(&self, level: f64) -> Option<(f64, f64)> {
        let mut rises = self.pairs().filter_map(|(from, to)| rise_between(from, to, level));
        let mut falls = self.pairs().filter_map(|(from, to)| fall_between(from, to, level));
        let pulse = (rises.next()?, falls.next()?);
        (rises.next().is_none() && falls.next().is_none()).then_some(pulse)
    }
}

/// A shape laid over the wave at some phase.
struct Laid {
    found: ShapeMatch,
    /// The amplitude; negative if the shape lies upside down.
    height: f64,
}

impl Laid {
    /// Upside down, each of the shapes rises half a period later: a ramp then where it jumps.
    fn upright(self) -> ShapeMatch {
        let rise = if self.height > 0.0 { self.found.rise } else { self.found.rise + 0.5 };
        ShapeMatch { rise: rise - libm::floor(rise), ..self.found }
    }
}

/// What a shape leaves of the wave.
#[derive(Default)]
struct Residual {
    /// The weighted sum of squared distances.
    squares: f64,
    /// The weight of the points that were compared, their own spread and number.
    weight: f64,
    spread: f64,
    count: f64,
}

impl Residual {
    fn compare(&mut self, point: &Point) {
        self.weight += point.weight;
        self.spread += point.spread;
        self.count += 1.0;
    }

    /// The squares that noise alone is expected to leave when so many parameters are fitted.
    fn noise_squares(&self, parameters: f64) -> f64 {
        let freedom = self.weight - self.count;
        let variance = if freedom > 0.0 { self.spread / freedom } else { 0.0 };
        variance * (self.count - parameters).max(0.0)
    }
}

/// The phase between two neighbouring points at which the wave rises through a level.
fn rise_between(from: &Point, to: &Point, level: f64) -> Option<f64> {
    (from.level < level && to.level >= level).then(|| crossing(from, to, level))
}

fn fall_between(from: &Point, to: &Point, level: f64) -> Option<f64> {
    (from.level >= level && to.level < level).then(|| crossing(from, to, level))
}

fn crossing(from: &Point, to: &Point, level: f64) -> f64 {
    let step = to.phase - from.phase;
    let step = if step < 0.0 { step + 1.0 } else { step };
    let phase = from.phase + step * (level - from.level) / (to.level - from.level);
    phase - libm::floor(phase)
}

#[cfg(test)]
mod tests {
    use super::super::fold::PhaseClock;
    use super::*;
    use std::vec::Vec;

    const PERIOD: f64 = 100.3;

    /// Twenty periods of a wave between -1 and 1.
    fn folded(wave: impl Fn(f64) -> f64) -> Fold {
        let phase = |index: u32| (f64::from(index) / PERIOD).fract();
        let steps: Vec<i16> = (0..2006).map(|index| libm::rint(8000.0 * wave(phase(index))) as i16).collect();
        Fold::new(&steps, PhaseClock::new(PERIOD), 128)
    }

    fn later(phase: f64, turn: f64) -> f64 {
        (phase - turn).rem_euclid(1.0)
    }

    #[test]
    fn each_shape_is_found_where_it_was_put() {
        let waves: [(Shape, ShapeValue<'_>, f64); 5] = [
            (Shape::Sine, &sine, 0.0),
            (Shape::Triangle, &triangle, 0.0),
            (Shape::Exponential, &exponential(5.0), 0.0),
            (Shape::Sawtooth { rising: true }, &ramp, 0.0),
            (Shape::Sawtooth { rising: false }, &|phase| -ramp(phase), 0.5),
        ];
        for (shape, wave, rise) in waves {
            for turn in [0.0, 0.13, 0.5, 0.77] {
                let found = matched(&folded(|phase| wave(later(phase, turn))), None).unwrap();
                assert_eq!(found.shape, shape);
                let off = later(found.rise, turn + rise + 0.5) - 0.5;
                assert!(off.abs() < 0.01, "{found:?} at {turn}");
                assert!(
                    (found.amplitude / 8000.0 - 1.0).abs() < 0.01 && found.offset.abs() < 160.0,
                    "{found:?}"
                );
                assert!(found.error.unwrap() < 0.005, "{found:?}");
            }
        }
    }

    #[test]
    fn square_duty_and_levels() {
        for (duty, turn) in [(0.5, 0.0), (0.05, 0.4), (0.93, 0.8)] {
            let found =
                matched(&folded(|phase| if later(phase, turn) < duty { 1.0 } else { -0.5 }), None).unwrap();
            let Shape::Square { duty: found_duty } = found.shape else { panic!("{found:?}") };
            assert!((found_duty - duty).abs() < 0.005, "{found:?}");
            assert!((later(found.rise, turn + 0.5) - 0.5).abs() < 0.005, "{found:?} at {turn}");
            assert!(
                (found.amplitude - 6000.0).abs() < 1.0 && (found.offset - 2000.0).abs() < 1.0,
                "{found:?}"
            );
        }
    }

    #[test]
    fn triangle_distance_is_its_harmonics() {
        let wave = AveragedWave::new(&folded(triangle));
        let error = wave.smooth(&sine).unwrap().error.unwrap();
        // Mean square 1/3, of which the first harmonic, of amplitude 8 / pi^2, has half its square.
        let first = 8.0 / core::f64::consts::PI.powi(2);
        let expected = (1.0 / 3.0 - 0.5 * first * first).sqrt() / 2.0;
        assert!((error - expected).abs() < 0.001, "{error} instead of {expected}");
        assert!(expected > MAX_ERROR);
    }

    #[test]
    fn capacitor_curve_is_exponential() {
        // From its definition: charged from -1 to 1 in the first half, discharged in the second.
        let capacitor = |constants: f64, phase: f64| {
            let charged = |part: f64| (1.0 - (-constants * part).exp()) / (1.0 - (-constants).exp());
            if phase < 0.5 {
                2.0 * charged(2.0 * phase) - 1.0
            } else {
                1.0 - 2.0 * charged(2.0 * phase - 1.0)
            }
        };
        for constants in [2.2, 2.5, 3.0, 3.9, 4.0, 5.0, 6.3, 8.0, 10.0] {
            let found = matched(&folded(|phase| capacitor(constants, later(phase, 0.3))), None).unwrap();
            assert_eq!(found.shape, Shape::Exponential, "{constants} time constants: {found:?}");
        }
        for constants in [1.5, 14.0] {
            let found = matched(&folded(|phase| capacitor(constants, phase)), None).unwrap();
            assert_eq!(found.shape, Shape::Unknown, "{constants} time constants: {found:?}");
        }
    }

    #[test]
    fn two_pulses_a_period_are_no_square() {
        let wave = folded(|phase| if (2.0 * phase).fract() < 0.2 + 0.2 * phase { 1.0 } else { -1.0 });
        assert_eq!(matched(&wave, None).unwrap().shape, Shape::Unknown);
        assert_eq!(matched(&folded(|_| 0.5), None), None);
    }
}

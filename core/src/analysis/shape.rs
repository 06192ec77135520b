//! Which known shape the averaged wave has.
//!
//! Each shape is laid over the averaged wave with the phase, height and offset that leave the least error (least
//! squares), a sample a vote. A sampled jump is never sharp, so that the wave is not compared within one and a half
//! parts (of the up to 128 into which the period is divided) of the jump of a sawtooth, nor in the two parts on the
//! two sides of an edge of a square.

use core::fmt;

use super::fold::{Fold, MOST_BINS};

/// The largest error that a shape may have, as a fraction of its peak to peak, beyond what noise explains. A triangle
/// is 0.035 away from the nearest sine, half an exponential charge of two time constants more than that from any
/// shape.
const LARGEST_ERROR: f64 = 0.025;

/// The fewest different phases that tell a shape.
const FEWEST_POINTS: usize = 8;

/// Phases tried all around the period before the best is refined.
const PHASES_TRIED: u32 = 16;

/// Halvings of the step of the phase while it is refined: to a 4096th of a period.
const HALVINGS: u32 = 8;

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
    /// Two levels.
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
    /// The RMS of the distances, as a fraction of the peak to peak, of the best shape if that is too far.
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
struct Points {
    points: heapless::Vec<Point, MOST_BINS>,
}

/// The shape of the folded wave. `None` if the wave is known at too few phases to tell anything of it.
pub(super) fn matched(fold: &Fold) -> Option<ShapeMatch> {
    let points = Points::new(fold);
    let unknown = points.unknown()?;
    if points.points.len() < FEWEST_POINTS {
        return Some(unknown);
    }
    let ramp = points.sloped(ramp).map(|(laid, height)| {
        let rising = height > 0.0;
        // A falling ramp rises where it jumps.
        let rise = if rising { laid.rise } else { laid.rise + 0.5 };
        ShapeMatch { shape: Shape::Sawtooth { rising }, rise: rise - libm::floor(rise), ..laid }
    });
    let sine = points.sloped(sine).map(|(laid, _)| ShapeMatch { shape: Shape::Sine, ..laid });
    let triangle = points.sloped(triangle).map(|(laid, _)| ShapeMatch { shape: Shape::Triangle, ..laid });
    let shapes = [sine, triangle, ramp, points.square(unknown.offset)];
    let best = shapes
        .into_iter()
        .flatten()
        .reduce(|one, other| if other.excess() < one.excess() { other } else { one });
    Some(match best {
        Some(best) if best.excess() <= LARGEST_ERROR => best,
        Some(best) => ShapeMatch { error: best.error, ..unknown },
        None => unknown,
    })
}

/// The value of a shape between -1 and 1 at a phase from 0 to 1, rising through 0 at phase 0; `None` near a jump, within
/// a margin (in periods).
type ShapeValue = fn(phase: f64, margin: f64) -> Option<f64>;

fn sine(phase: f64, _: f64) -> Option<f64> {
    Some(f64::from(libm::sinf((phase * core::f64::consts::TAU) as f32)))
}

fn triangle(phase: f64, _: f64) -> Option<f64> {
    Some(1.0 - (2.0 - (4.0 * phase + 1.0) % 4.0).abs())
}

fn ramp(phase: f64, margin: f64) -> Option<f64> {
    ((phase - 0.5).abs() >= margin).then(|| if phase < 0.5 { 2.0 * phase } else { 2.0 * phase - 2.0 })
}

impl Points {
    fn new(fold: &Fold) -> Self {
        let used = fold.bins().iter().enumerate().filter(|(_, bin)| bin.samples > 0);
        let points = used.map(|(index, bin)| Point {
            phase: fold.phase(index, bin),
            level: bin.mean(),
            weight: f64::from(bin.samples),
            spread: bin.spread(),
        });
        Self { points: points.collect() }
    }

    /// The points in their order, each with the one after it, around the period.
    fn pairs(&self) -> impl Iterator<Item = (&Point, &Point)> {
        self.points.iter().zip(self.points.iter().cycle().skip(1))
    }

    /// What is known without a shape: half the peak to peak of the averaged wave, its middle, its first rise.
    fn unknown(&self) -> Option<ShapeMatch> {
        let levels = || self.points.iter().map(|point| point.level);
        let (low, high) = (levels().reduce(f64::min)?, levels().reduce(f64::max)?);
        let (amplitude, offset) = (0.5 * (high - low), f64::midpoint(high, low));
        let rise = self.pairs().find_map(|(from, to)| rise_between(from, to, offset))?;
        Some(ShapeMatch { shape: Shape::Unknown, amplitude, offset, rise, error: None, noise: 0.0 })
    }

    /// Lays a shape over the wave with the best phase; gives the match and the height with its sign.
    fn sloped(&self, shape: ShapeValue) -> Option<(ShapeMatch, f64)> {
        let margin = 1.5 / self.points.len() as f64;
        let laid = |rise: f64| self.laid(shape, rise - libm::floor(rise), margin);
        let better = |one: (ShapeMatch, f64), other: (ShapeMatch, f64)| {
            if other.0.error < one.0.error { other } else { one }
        };
        let mut step = 1.0 / f64::from(PHASES_TRIED);
        let mut best = (0..PHASES_TRIED).filter_map(|index| laid(f64::from(index) * step)).reduce(better)?;
        for _ in 0..HALVINGS {
            step *= 0.5;
            let rise = best.0.rise;
            best = [laid(rise - step), laid(rise + step)].into_iter().flatten().fold(best, better);
        }
        Some(best)
    }

    /// Lays a shape over the wave so that it rises through its middle at a phase.
    fn laid(&self, shape: ShapeValue, rise: f64, margin: f64) -> Option<(ShapeMatch, f64)> {
        let compared = || {
            self.points.iter().filter_map(|point| {
                let phase = if point.phase < rise { point.phase - rise + 1.0 } else { point.phase - rise };
                shape(phase, margin).map(|value| (point, value))
            })
        };
        let [mut weight, mut value_sum, mut level_sum] = [0.0; 3];
        for (point, value) in compared() {
            weight += point.weight;
            value_sum += point.weight * value;
            level_sum += point.weight * point.level;
        }
        let (value_mean, level_mean) = (value_sum / weight, level_sum / weight);
        let [mut values, mut products, mut levels] = [0.0; 3];
        for (point, value) in compared() {
            let (value, level) = (value - value_mean, point.level - level_mean);
            values += point.weight * value * value;
            products += point.weight * value * level;
            levels += point.weight * level * level;
        }
        let height = products / values;
        let residual =
            Residual::of(compared().map(|(point, _)| point), (levels - products * height).max(0.0), 3.0);
        let amplitude = height.abs();
        let offset = level_mean - height * value_mean;
        let found = residual.matched(amplitude)?;
        Some((ShapeMatch { amplitude, offset, rise, ..found }, height))
    }

    /// Lays two levels over the wave: what lies above the middle, and what lies below.
    fn square(&self, middle: f64) -> Option<ShapeMatch> {
        let [mut rise, mut fall] = [None; 2];
        for (from, to) in self.pairs() {
            let crossing =
                [(rise_between(from, to, middle), &mut rise), (fall_between(from, to, middle), &mut fall)];
            for (found, place) in crossing {
                if found.is_some() && place.is_some() {
                    return None;
                }
                *place = place.or(found);
            }
        }
        let (rise, fall) = (rise?, fall?);
        let is_high = |point: &Point| point.level >= middle;
        let before = self.points.iter().cycle().skip(self.points.len() - 1);
        let kept = || {
            let neighbours = before.clone().zip(self.pairs());
            neighbours
                .filter(|(before, (here, after))| {
                    is_high(before) == is_high(here) && is_high(here) == is_high(after)
                })
                .map(|(_, (here, _))| here)
        };
        let plateau = |high: bool| {
            let points = kept().filter(|point| is_high(point) == high);
            let (sum, weight) = points.fold((0.0, 0.0), |(sum, weight), point| {
                (sum + point.weight * point.level, weight + point.weight)
            });
            (weight > 0.0).then(|| sum / weight)
        };
        let (top, base) = (plateau(true)?, plateau(false)?);
        let level = |point: &Point| if is_high(point) { top } else { base };
        let squares =
            kept().map(|point| point.weight * (point.level - level(point)) * (point.level - level(point)));
        let residual = Residual::of(kept(), squares.sum(), 2.0);
        let duty = fall - rise;
        let shape = Shape::Square { duty: duty - libm::floor(duty) };
        let amplitude = 0.5 * (top - base);
        Some(ShapeMatch {
            shape,
            amplitude,
            offset: f64::midpoint(top, base),
            rise,
            ..residual.matched(amplitude)?
        })
    }
}

/// What a shape leaves of the wave.
struct Residual {
    squares: f64,
    weight: f64,
    /// The squares that noise alone is expected to leave.
    noise_squares: f64,
}

impl Residual {
    /// Of the points that were compared, with so many parameters fitted.
    fn of<'a>(points: impl Iterator<Item = &'a Point>, squares: f64, parameters: f64) -> Self {
        let [mut weight, mut spread, mut count] = [0.0; 3];
        for point in points {
            weight += point.weight;
            spread += point.spread;
            count += 1.0;
        }
        let freedom = weight - count;
        let variance = if freedom > 0.0 { spread / freedom } else { 0.0 };
        Self { squares, weight, noise_squares: variance * (count - parameters).max(0.0) }
    }

    fn matched(&self, amplitude: f64) -> Option<ShapeMatch> {
        let scale = self.weight * 4.0 * amplitude * amplitude;
        (scale > 0.0).then(|| ShapeMatch {
            shape: Shape::Unknown,
            amplitude,
            offset: 0.0,
            rise: 0.0,
            error: Some(libm::sqrt(self.squares / scale)),
            noise: self.noise_squares / scale,
        })
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

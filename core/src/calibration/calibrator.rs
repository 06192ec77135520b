//! A calibration from point to point.

use libm::{fabs, rint, sqrt};

use super::fit::{Equation, NEUTRAL, Planes, Sums};
use super::{CalibrationError, SquareLevels};
use crate::device::{AnalogParameters, Attenuation, Model};
use crate::plan::{AnalogChannel, Channel, ChannelSet};

/// What to calibrate, and how finely.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct CalibrationRequest {
    /// The channels that see the clock; with one alone the A-B offset stays as it was.
    pub channels: ChannelSet,
    /// DAC settings a side of the grid, 8 to 64.
    pub grid: u16,
    /// The parameters as they were.
    pub before: AnalogParameters,
}

impl CalibrationRequest {
    /// The least grid: each of the eight passes has 8 settings.
    pub const MIN_GRID: u16 = 8;
    /// The largest grid.
    pub const MAX_GRID: u16 = 64;

    /// Both channels on a grid of 32 x 32.
    #[must_use]
    pub fn new(before: AnalogParameters) -> Self {
        // What is found is the probe's own attenuation.
        let before = AnalogParameters { attenuation: Attenuation::NONE, ..before };
        Self { channels: ChannelSet::EMPTY.with(Channel::A).with(Channel::B), grid: 32, before }
    }
}

/// A setting of the DACs to measure.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct GridPoint {
    /// The low DAC, a fraction, exactly as a register holds it.
    pub low_dac: f64,
    /// The high DAC, likewise.
    pub high_dac: f64,
    /// To be measured with 16 bits a sample; otherwise with 8, so that both kinds have their share in the
    /// fit.
    pub wide: bool,
}

impl GridPoint {
    /// The neutral point, where no current flows in the DACs.
    pub const NEUTRAL: Self = Self { low_dac: NEUTRAL.0, high_dac: NEUTRAL.1, wide: true };
}

/// What a calibration found.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub struct Calibration {
    /// The new parameters.
    pub parameters: AnalogParameters,
    /// How far the levels that were used were read off their true voltage, by the fit to those before them:
    /// rms, in volts.
    pub residual_volts: f64,
    /// The same as a part of the range that each was read with.
    pub residual_of_range: f64,
    /// Levels that were used: two a trace and channel, but for those that are clipped.
    pub used: u32,
    /// Levels that were too far off to be used.
    pub rejected: u32,
}

/// The ends of the grid: the low DAC from the first to the second, the high DAC likewise. Both
/// stop short of 0.5.
const LOW_DACS: (f64, f64) = (0.07, 0.5);
const HIGH_DACS: (f64, f64) = (0.88, 0.5);
/// The passes that the points are divided into, and how many of the first ones are pilots.
const PASSES: u16 = 8;
const PILOTS: u16 = 3;
/// The fewest levels that are fitted: twice the unknowns, and some.
const MIN_LEVELS: u32 = 16;
/// A level is too far off beyond so many times the rms residual: converter steps reach 1.7 times theirs.
const FAR_OFF: f64 = 3.0;
/// A level is near enough within this part of the span, times the width of its range.
const NEAR_ENOUGH: f64 = 0.01;

/// What a level is judged by.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Judge {
    planes: Planes,
    /// The largest residual, in volts divided by the width.
    limit: f64,
}

/// A calibration under way: it returns the point to measure next, takes the levels seen there, and gives the
/// parameters.
///
/// It has a fixed size whatever the grid.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Calibrator {
    clock_volts: f64,
    linear: (f64, f64),
    grid: u16,
    fixed_ab_offset: Option<f64>,
    stride: u16,
    index: u16,
    pass: u16,
    sums: Sums,
    judge: Option<Judge>,
    squares_volts: f64,
    squares_of_range: f64,
    used: u32,
    rejected: u32,
}

impl Calibrator {
    /// A calibration at its first point.
    ///
    /// # Errors
    /// [`CalibrationError::Grid`] and [`CalibrationError::NoChannel`].
    pub fn new(model: &Model, request: &CalibrationRequest) -> Result<Self, CalibrationError> {
        if !(CalibrationRequest::MIN_GRID..=CalibrationRequest::MAX_GRID).contains(&request.grid) {
            return Err(CalibrationError::Grid(request.grid));
        }
        if request.channels.analog_count() == 0 {
            return Err(CalibrationError::NoChannel);
        }
        let one_channel = request.channels.analog_count() == 1;
        let mut calibrator = Self {
            clock_volts: model.generator.full_scale_volts,
            linear: model.converter_linear,
            grid: request.grid,
            fixed_ab_offset: one_channel.then_some(request.before.ab_offset),
            stride: stride(request.grid),
            index: 0,
            pass: 0,
            sums: Sums::NONE,
            judge: None,
            squares_volts: 0.0,
            squares_of_range: 0.0,
            used: 0,
            rejected: 0,
        };
        calibrator.clear_sums();
        Ok(calibrator)
    }

    fn clear_sums(&mut self) {
        self.sums = Sums::NONE;
        if let Some(volts) = self.fixed_ab_offset {
            self.sums.fix_ab_offset(volts);
        }
    }

    fn points(&self) -> u16 {
        self.grid * self.grid
    }

    /// How many points are still to be measured, this one counted.
    #[must_use]
    pub fn points_left(&self) -> u16 {
        self.points() - self.index
    }

    /// The point to measure; none when all were.
    #[must_use]
    pub fn point(&self) -> Option<GridPoint> {
        if self.index >= self.points() {
            return None;
        }
        let grid = u32::from(self.grid);
        let place = (u32::from(self.index) * u32::from(self.stride)).checked_rem(grid * grid)?;
        let (row, column) = (place.checked_div(grid)?, place.checked_rem(grid)?);
        let along = |ends: (f64, f64), place: u32| {
            let dac = ends.0 + (ends.1 - ends.0) * f64::from(place) / f64::from(self.grid);
            rint(dac * 65536.0) / 65536.0
        };
        Some(GridPoint {
            low_dac: along(LOW_DACS, row),
            high_dac: along(HIGH_DACS, column),
            // In twos, since every other point is in an even column.
            wide: (self.index / 2).is_multiple_of(2),
        })
    }

    /// Takes the levels of the clock that a channel saw at the present point.
    pub fn measured(&mut self, channel: AnalogChannel, levels: SquareLevels) {
        let Some(point) = self.point() else { return };
        let side = match channel {
            AnalogChannel::A => 0.5,
            AnalogChannel::B => -0.5,
        };
        let dacs = (point.low_dac, point.high_dac);
        for (level, volts) in [(levels.low, 0.0), (levels.high, self.clock_volts)] {
            if let Some(fraction) = level {
                self.judged(dacs, &Equation::new(dacs, fraction, volts, side));
            }
        }
    }

    fn judged(&mut self, dacs: (f64, f64), equation: &Equation) {
        let kept = u32::from(self.pass >= PILOTS);
        if let Some(Judge { planes, limit }) = &self.judge {
            let volts = equation.residual(planes);
            if volts.is_nan() || fabs(volts) > limit * equation.width {
                self.rejected += kept;
                return;
            }
            if kept == 1 {
                let of_range = volts / planes.range_volts(dacs);
                self.squares_volts += volts * volts;
                self.squares_of_range += of_range * of_range;
            }
        }
        self.used += kept;
        self.sums.add(equation);
    }

    /// Goes on to the next point.
    ///
    /// # Errors
    /// [`CalibrationError::TooFewPoints`] when a pass has shown too little to judge the next by.
    pub fn advance(&mut self) -> Result<(), CalibrationError> {
        if self.index >= self.points() {
            return Ok(());
        }
        self.index += 1;
        if u32::from(self.index) * u32::from(PASSES) < u32::from(self.points()) * u32::from(self.pass + 1) {
            return Ok(());
        }
        // On a small grid a pilot may have too few levels by itself: it goes on in the next pass.
        let has_time = self.pass + 1 < PILOTS || self.pass < PILOTS && self.judge.is_some();
        if has_time && (MIN_LEVELS / 2..MIN_LEVELS).contains(&self.sums.equations) {
            self.pass += 1;
            return Ok(());
        }
        let planes = self.solve()?;
        let near_enough = NEAR_ENOUGH * fabs(planes.scale());
        let limit = (FAR_OFF * self.sums.residual(&planes)).max(near_enough);
        self.judge = Some(Judge { planes, limit });
        if self.pass < PILOTS {
            self.clear_sums();
        }
        self.pass += 1;
        Ok(())
    }

    fn solve(&self) -> Result<Planes, CalibrationError> {
        let used = self.sums.equations;
        if used < MIN_LEVELS {
            return Err(CalibrationError::TooFewPoints { used });
        }
        self.sums.solve().ok_or(CalibrationError::TooFewPoints { used })
    }

    /// The parameters, once all points were measured.
    ///
    /// # Errors
    /// [`CalibrationError::TooFewPoints`], [`CalibrationError::Unsteady`] if as many levels were too far off
    /// as were used, and [`CalibrationError::Impossible`].
    pub fn finish(self) -> Result<Calibration, CalibrationError> {
        let (used, rejected) = (self.used, self.rejected);
        let Some(Judge { planes, .. }) = self.judge.filter(|_| self.points_left() == 0) else {
            return Err(CalibrationError::TooFewPoints { used });
        };
        if rejected >= used {
            return Err(CalibrationError::Unsteady { used, rejected });
        }
        let parameters = planes.parameters(self.linear).ok_or(CalibrationError::Impossible)?;
        let levels = f64::from(used.max(1));
        Ok(Calibration {
            parameters,
            residual_volts: sqrt(self.squares_volts / levels),
            residual_of_range: sqrt(self.squares_of_range / levels),
            used,
            rejected,
        })
    }
}

/// How far apart in the grid the points lie that follow each other: by the golden section of the rows, and by
/// a column. Any stretch of points so covers the whole grid evenly; and as one more than a multiple of a side
/// has no divisor in common with it, every point has its turn.
fn stride(grid: u16) -> u16 {
    rint(f64::from(grid) * 0.618) as u16 * grid + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::BS05;
    use std::collections::BTreeSet;
    use std::vec::Vec;

    fn points(grid: u16) -> Vec<GridPoint> {
        let request = CalibrationRequest { grid, ..CalibrationRequest::new(BS05.analog) };
        let calibrator = Calibrator::new(&BS05, &request).unwrap();
        let at = |index| Calibrator { index, ..calibrator.clone() }.point();
        (0..=u16::MAX).map_while(at).collect()
    }

    #[test]
    fn every_point_has_its_turn_once() {
        for grid in CalibrationRequest::MIN_GRID..=CalibrationRequest::MAX_GRID {
            let points = points(grid);
            let register = |dac: f64| (dac * 65536.0) as u32;
            let distinct: BTreeSet<(u32, u32)> =
                points.iter().map(|point| (register(point.low_dac), register(point.high_dac))).collect();
            assert_eq!((points.len(), distinct.len()), (usize::from(grid).pow(2), usize::from(grid).pow(2)));
            let wide = points.iter().filter(|point| point.wide).count();
            assert!(wide.abs_diff(points.len() / 2) <= 2, "{wide} wide of {grid} x {grid}");
        }
    }

    #[test]
    fn grid_has_its_ends() {
        let points = points(32);
        let lows = || points.iter().map(|point| point.low_dac);
        let highs = || points.iter().map(|point| point.high_dac);
        let near = |value: f64, wanted: f64| (value - wanted).abs() < 1e-5;
        assert!(near(lows().fold(1.0, f64::min), 0.07) && near(highs().fold(0.0, f64::max), 0.88));
        assert!(near(lows().fold(0.0, f64::max), 0.5 - 0.43 / 32.0));
        assert!(near(highs().fold(1.0, f64::min), 0.5 + 0.38 / 32.0));
    }

    #[test]
    fn each_pass_covers_the_grid() {
        for grid in [8, 9, 16, 31, 32, 64] {
            let points = points(grid);
            for pass in points.chunks(points.len() / usize::from(PASSES)).take(usize::from(PASSES)) {
                for quarter in [(false, false), (false, true), (true, false), (true, true)] {
                    let within =
                        |point: &&GridPoint| (point.low_dac > 0.28, point.high_dac > 0.68) == quarter;
                    let count = pass.iter().filter(within).count();
                    // A quarter of the grid has a quarter of the pass, give or take a half.
                    let least = if grid < 16 { 1 } else { pass.len() / 8 };
                    assert!(count >= least, "{count} of {} in {quarter:?} of {grid}", pass.len());
                }
            }
        }
    }
}

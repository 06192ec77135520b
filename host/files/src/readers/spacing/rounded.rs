//! Times that were rounded when they were printed: each stands for all that are printed so.
//!
//! Evenly spaced times lie on a straight line over their indices. Which slopes a line may have that goes through what all
//! printed times stand for is exactly what they state of the period.

use std::ops::Range;

use super::precision::Precision;

/// Most steps of the search for the greatest or the least slope; some ten are usual.
const MAX_STEPS: usize = 100;

/// Printed times.
pub(super) struct Rounded<F> {
    time_s: F,
    first_s: f64,
    runs: Vec<Run>,
}

/// What even times may have become where they were printed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Allowed {
    /// Whether digits may have been cut off, towards 0, and not rounded: so the times from 2^-17 s up to 10 us of a Rigol
    /// oscilloscope's table.
    pub(super) may_be_cut: bool,
    /// How far each may have been from where it should be.
    pub(super) slack_s: f64,
}

/// Times that follow each other and are printed in the same steps.
struct Run {
    rows: Range<usize>,
    step_s: f64,
}

impl Run {
    /// How far what a time stands for reaches below and above it.
    fn reach_s(&self, time_s: f64, may_be_cut: bool) -> (f64, f64) {
        let half_s = 0.5 * self.step_s;
        let away_s = if may_be_cut { self.step_s } else { half_s };
        if time_s > 0.0 {
            (half_s, away_s)
        } else if time_s < 0.0 {
            (away_s, half_s)
        } else {
            (away_s, away_s)
        }
    }
}

/// Where all lines of a slope end at the first time: those that are above the beginnings of what times stand for, and
/// those that are below the ends.
struct Ends {
    low_s: f64,
    low_row: usize,
    high_s: f64,
    high_row: usize,
}

impl<F: Fn(usize) -> f64> Rounded<F> {
    /// So many times in seconds, as numbers of this precision were multiplied with `scale`.
    pub(super) fn of(count: usize, time_s: F, precision: Precision, scale: f64) -> Self {
        let mut runs: Vec<Run> = Vec::new();
        for row in 0..count {
            let step_s = scale * precision.step(time_s(row) / scale);
            match runs.last_mut() {
                Some(run) if run.step_s == step_s => run.rows.end = row + 1,
                _ => runs.push(Run { rows: row..row + 1, step_s }),
            }
        }
        let first_s = time_s(0);
        Self { time_s, first_s, runs }
    }

    /// The coarsest step that times are printed in.
    pub(super) fn coarsest_s(&self) -> f64 {
        self.runs.iter().map(|run| run.step_s).fold(0.0, f64::max)
    }

    /// Each row with its time and the step that it is printed in.
    pub(super) fn times(&self) -> impl Iterator<Item = (usize, f64, f64)> {
        self.runs.iter().flat_map(|run| run.rows.clone().map(|row| (row, (self.time_s)(row), run.step_s)))
    }

    /// Each row but the first, with what it is after the one before, and the step that its time is printed in.
    pub(super) fn steps(&self) -> impl Iterator<Item = (usize, f64, f64)> {
        self.times().skip(1).map(|(row, time_s, step_s)| (row, time_s - (self.time_s)(row - 1), step_s))
    }

    fn ends(&self, rows: &Range<usize>, period_s: f64, allowed: Allowed) -> Ends {
        let mut ends = Ends {
            low_s: f64::NEG_INFINITY,
            low_row: rows.start,
            high_s: f64::INFINITY,
            high_row: rows.start,
        };
        for run in &self.runs {
            let unsure_s = allowed.slack_s + self.arithmetic_s(run);
            for row in run.rows.start.max(rows.start)..run.rows.end.min(rows.end) {
                let time_s = (self.time_s)(row);
                let from_line_s = time_s - self.first_s - (row - rows.start) as f64 * period_s;
                let (below_s, above_s) = run.reach_s(time_s, allowed.may_be_cut);
                let low_s = from_line_s - below_s - unsure_s;
                if low_s > ends.low_s {
                    (ends.low_s, ends.low_row) = (low_s, row);
                }
                let high_s = from_line_s + above_s + unsure_s;
                if high_s < ends.high_s {
                    (ends.high_s, ends.high_row) = (high_s, row);
                }
            }
        }
        ends
    }

    /// How far arithmetic moves the times of a run.
    fn arithmetic_s(&self, run: &Run) -> f64 {
        let beyond_s = (self.time_s)(run.rows.start).abs().max((self.time_s)(run.rows.end - 1).abs());
        4.0 * f64::EPSILON * beyond_s.max(self.first_s.abs())
    }

    /// The least and the greatest period of evenly spaced times that are what the times of some rows, at least two, stand
    /// for. `None` if there are no such times.
    pub(super) fn periods_s(&self, rows: &Range<usize>, allowed: Allowed) -> Option<(f64, f64)> {
        let steps = rows.len().checked_sub(1).filter(|&steps| steps > 0)? as f64;
        let (first_s, last_s) = ((self.time_s)(rows.start), (self.time_s)(rows.end - 1));
        let step_s = self.coarsest_s() + 2.0 * allowed.slack_s;
        let greatest_s = self.search(rows, allowed, (last_s - first_s + 2.0 * step_s) / steps, true)?;
        let least_s = self.search(rows, allowed, (last_s - first_s - 2.0 * step_s) / steps, false)?;
        (least_s <= greatest_s).then_some((least_s, greatest_s))
    }

    /// The greatest period that is possible, from a greater one on downwards, or the least from below. How far the
    /// highest beginning lies above the lowest end is a convex function of the period, of straight pieces: Newton's
    /// method ends at its zero.
    fn search(&self, rows: &Range<usize>, allowed: Allowed, from_s: f64, is_downwards: bool) -> Option<f64> {
        let mut period_s = from_s;
        for _ in 0..MAX_STEPS {
            let ends = self.ends(rows, period_s, allowed);
            if ends.low_s <= ends.high_s {
                return Some(period_s);
            }
            if (ends.high_row > ends.low_row) != is_downwards {
                return None;
            }
            let apart = ends.high_row as f64 - ends.low_row as f64;
            let next_s = period_s + (ends.high_s - ends.low_s) / apart;
            if next_s == period_s {
                return Some(period_s);
            }
            period_s = next_s;
        }
        None
    }

    /// When evenly spaced times of this period begin that are what all printed ones stand for: as it is printed, if that may be.
    pub(super) fn start_s(&self, period_s: f64, allowed: Allowed) -> f64 {
        let count = self.runs.last().map_or(0, |run| run.rows.end);
        let Ends { low_s, high_s, .. } = self.ends(&(0..count), period_s, allowed);
        let is_as_printed = low_s <= 0.0 && high_s >= 0.0;
        if is_as_printed { self.first_s } else { self.first_s + 0.5 * (low_s + high_s) }
    }
}

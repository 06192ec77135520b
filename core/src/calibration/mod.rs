//! The mathematics of a calibration: which settings to measure, the two levels of a clock in each trace, and
//! the fit of a probe's parameters to them. Nothing here accesses a device: that is
//! [`crate::scope::Scope::calibrate`].
//!
//! # The front end as it is seen from outside
//!
//! The bottom and the top of the converter's range, in volts, each depend on both DACs
//! ([section 7 of the reference](crate::vm#7-voltages)). Solved for the range, the two planes of the reference are two
//! planes again: about the neutral point, the DACs at 1/3 and 2/3,
//!
//! ```text
//! bottom = c0 + c1 (L - 1/3) + c2 (H - 2/3)        top = d0 + d1 (L - 1/3) + d2 (H - 2/3)
//! ```
//!
//! A known voltage `E` at the input is seen as the fraction `s` of the range, so that for channel A, which
//! reads half of the A-B offset too much, and for B, which reads it too little,
//!
//! ```text
//! bottom (1 - s) + top s -+ ab / 2 = E
//! ```
//!
//! This is linear in the seven unknowns, and a clock of 0 V and 3.3 V gives two such equations for each trace
//! and channel. The nine parameters follow. They are two more than can be observed: span and offset can be
//! exchanged for a shift and a stretch of the planes. What settles them is that both planes pass through the
//! neutral points: with the DACs at 1/3 and 2/3, where no current flows in them, the range is from 1/3 to 2/3
//! of the span. So `scale = 3 (d0 - c0)` and `offset = 2 c0 - d0`, and the planes are the inverse of the
//! slopes. The constraint holds by construction, and what is left is a least-squares problem without any,
//! which is solved directly from its normal equations.
//!
//! Span and offset are taken from the fit of all traces and not from a trace at the neutral point alone. Such
//! a trace is the first to be made and shows whether the clock is there; but with 8 bits it knows each level
//! to half a step only, and the span to the 140th part in the worst case. Over hundreds of settings the steps
//! average out.
//!
//! # What is done about bad points
//!
//! - A level within 1 % of either end of the range counts as clipped and gives no equation; the other level
//!   of the trace does.
//! - A trace without two levels, each of them in a quarter of the samples or more, gives none. Levels are
//!   means, which the noise keeps from sticking to the converter's steps, over the samples near to them:
//!   edges, spikes and ringing are left out.
//! - Each equation is divided by the width of the range, since steps and errors of the converter grow with
//!   it.
//! - The points are visited in such an order that any stretch of them covers the whole grid. The first three
//!   eighths are pilots: the fit of each is only used to judge the next one. From the second eighth on an
//!   equation is left out if it is off by more than three times the rms residual of the fit before it, and by
//!   more than 1 % of the span's share. So the limit has closed in on the good points before any are used.
//!   Nothing is stored but sums.
//!
//! # No crate for it
//!
//! The only linear algebra is one symmetric system of seven equations, thirty lines. The well-kept crate
//! without std would be nalgebra, whose operations panic on shapes and indices that this project must show
//! cannot panic.
//!
//! ```
//! use scopething_core::calibration::{CalibrationRequest, Calibrator, SquareLevels};
//! use scopething_core::device::{AnalogParameters, BS05};
//! use scopething_core::plan::AnalogChannel;
//!
//! // A device that is exactly as it should be.
//! let device = AnalogParameters::NOMINAL_X1;
//! let mut calibrator = Calibrator::new(&BS05, &CalibrationRequest::new(device))?;
//! while let Some(point) = calibrator.point() {
//!     let (lo, hi) = device.range_of_converters(point.low_dac, point.high_dac);
//!     let seen = |volts| (device.span_fraction(volts) - lo) / (hi - lo);
//!     for channel in AnalogChannel::ALL {
//!         calibrator.measured(channel, SquareLevels::new(seen(0.0), seen(3.3)));
//!     }
//!     calibrator.advance()?;
//! }
//! let found = calibrator.finish()?;
//! assert!((found.parameters.scale - 18.333).abs() < 1e-6);
//! # Ok::<(), scopething_core::calibration::CalibrationError>(())
//! ```

mod calibrator;
mod fit;
mod levels;

use core::fmt;

pub use calibrator::{Calibration, CalibrationRequest, Calibrator, GridPoint};
pub use levels::SquareLevels;

use crate::plan::AnalogChannel;

/// A calibration that gives no parameters; the old ones stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum CalibrationError {
    /// So many settings a side are too few to fit, or more than needed.
    Grid(u16),
    /// No analog channel to calibrate.
    NoChannel,
    /// A channel does not see the clock.
    NoSignal(AnalogChannel),
    /// Too few traces show the levels of the clock within the range.
    TooFewPoints {
        /// How many levels could be used.
        used: u32,
    },
    /// The levels do not fit together.
    Unsteady {
        /// How many levels could be used.
        used: u32,
        /// How many were too far off.
        rejected: u32,
    },
    /// The levels fit to no front end.
    Impossible,
}

impl fmt::Display for CalibrationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grid(grid) => write!(
                f,
                "a grid of {grid} x {grid} cannot be measured: ask for {} to {} a side",
                CalibrationRequest::MIN_GRID,
                CalibrationRequest::MAX_GRID
            ),
            Self::NoChannel => f.write_str("no channel to calibrate: name A, B or both"),
            Self::NoSignal(channel) => write!(
                f,
                "channel {channel} does not see the clock: connect its probe to L5 and its ground to \
                 GND, then calibrate again"
            ),
            Self::TooFewPoints { used } => write!(
                f,
                "only {used} levels of the clock could be used: ask for a finer grid, and check that the \
                 probe is the kind that is calibrated"
            ),
            Self::Unsteady { used, rejected } => write!(
                f,
                "{rejected} levels of the clock do not fit to the other {used}: keep the probe still and \
                 shielded, then calibrate again"
            ),
            Self::Impossible => f.write_str(
                "the levels of the clock fit to no range of the converter: check the probe's \
                 connection to L5",
            ),
        }
    }
}

impl core::error::Error for CalibrationError {}

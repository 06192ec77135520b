//! Least squares of the two planes and the A-B offset, from sums.

use crate::device::{AnalogParameters, Attenuation};

/// The unknowns: three of the bottom's plane, three of the top's, and the A-B offset.
const UNKNOWNS: usize = 7;

/// The neutral point: DAC settings at which they are themselves the range, as fractions of the span.
pub(super) const NEUTRAL: (f64, f64) = (1.0 / 3.0, 2.0 / 3.0);

/// One equation: what the unknowns are multiplied by, what that must give, and the width it is divided by.
#[derive(Clone, Copy)]
pub(super) struct Equation {
    pub(super) coefficients: [f64; UNKNOWNS],
    /// Volts.
    pub(super) value: f64,
    /// Of the range, in parts of the DACs' range, for all that anybody knows before a fit.
    pub(super) width: f64,
}

impl Equation {
    /// A voltage that is seen as a fraction of the range that two DAC settings make. `side` is 1/2 for A and
    /// -1/2 for B, the part of the A-B offset that the channel reads too much.
    pub(super) fn new(dacs: (f64, f64), fraction: f64, volts: f64, side: f64) -> Self {
        let (low, high) = (dacs.0 - NEUTRAL.0, dacs.1 - NEUTRAL.1);
        let (bottom, top) = (1.0 - fraction, fraction);
        Self {
            coefficients: [bottom, bottom * low, bottom * high, top, top * low, top * high, -side],
            value: volts,
            // Equal DACs make a range of a twentieth of the span (reference.md#7-voltages: hi - lo is (H - L +
            // 0.05) / 1.15).
            width: (dacs.1 - dacs.0 + 0.05).max(0.05),
        }
    }

    /// By how many volts the planes miss it.
    pub(super) fn residual(&self, planes: &Planes) -> f64 {
        let products =
            self.coefficients.iter().zip(&planes.0).map(|(coefficient, unknown)| coefficient * unknown);
        products.sum::<f64>() - self.value
    }
}

/// The normal equations of all that was added.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Sums {
    matrix: [[f64; UNKNOWNS]; UNKNOWNS],
    right: [f64; UNKNOWNS],
    square: f64,
    pub(super) equations: u32,
}

impl Sums {
    pub(super) const NONE: Self =
        Self { matrix: [[0.0; UNKNOWNS]; UNKNOWNS], right: [0.0; UNKNOWNS], square: 0.0, equations: 0 };

    pub(super) fn add(&mut self, equation: &Equation) {
        let weight = 1.0 / (equation.width * equation.width);
        for ((row, right), one) in self.matrix.iter_mut().zip(&mut self.right).zip(equation.coefficients) {
            for (element, other) in row.iter_mut().zip(equation.coefficients) {
                *element += weight * one * other;
            }
            *right += weight * one * equation.value;
        }
        self.square += weight * equation.value * equation.value;
        self.equations += 1;
    }

    /// Makes the A-B offset known, in volts: it cannot be determined where only one channel is measured.
    pub(super) fn fix_ab_offset(&mut self, volts: f64) {
        let mut coefficients = [0.0; UNKNOWNS];
        if let Some(last) = coefficients.last_mut() {
            *last = 1.0;
        }
        self.add(&Equation { coefficients, value: volts, width: 1.0 });
        self.equations -= 1;
    }

    /// The planes with the least squares. None if the equations do not determine them.
    pub(super) fn solve(&self) -> Option<Planes> {
        let mut matrix = self.matrix;
        let mut right = self.right;
        for pivot in 0..UNKNOWNS {
            // The matrix is positive definite, so no rows need change places; a pivot of nothing but rounding
            // is none.
            let (pivot_row, pivot_right) = (matrix[pivot], right[pivot]);
            let element = pivot_row[pivot];
            if element.is_nan() || element <= self.matrix[pivot][pivot] * 1e-9 {
                return None;
            }
            for (row, right) in matrix.iter_mut().zip(&mut right).skip(pivot + 1) {
                let factor = row[pivot] / element;
                for (value, above) in row.iter_mut().zip(pivot_row) {
                    *value -= factor * above;
                }
                *right -= factor * pivot_right;
            }
        }
        for row in (0..UNKNOWNS).rev() {
            let known: f64 = (row + 1..UNKNOWNS).map(|column| matrix[row][column] * right[column]).sum();
            right[row] = (right[row] - known) / matrix[row][row];
        }
        Some(Planes(right))
    }

    /// The rms residual of the planes that solve it, in volts divided by the width.
    pub(super) fn residual(&self, solution: &Planes) -> f64 {
        let fitted: f64 = solution.0.iter().zip(&self.right).map(|(unknown, right)| unknown * right).sum();
        libm::sqrt((self.square - fitted).max(0.0) / f64::from(self.equations.max(1)))
    }
}

/// The planes of the bottom and the top of the range over the DACs, in volts, and the A-B offset.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(super) struct Planes([f64; UNKNOWNS]);

impl Planes {
    /// The span, in volts: the range at the neutral point is a third of it.
    pub(super) fn scale(&self) -> f64 {
        let [c0, _, _, d0, ..] = self.0;
        3.0 * (d0 - c0)
    }

    /// The width of the range that two DAC settings make, in volts.
    pub(super) fn range_volts(&self, dacs: (f64, f64)) -> f64 {
        let [c0, c1, c2, d0, d1, d2, _] = self.0;
        (d0 - c0) + (d1 - c1) * (dacs.0 - NEUTRAL.0) + (d2 - c2) * (dacs.1 - NEUTRAL.1)
    }

    /// The nine parameters and the A-B offset, with the safe range that DACs at the ends of where they are
    /// linear make. None if no front end is like this.
    pub(super) fn parameters(&self, linear: (f64, f64)) -> Option<AnalogParameters> {
        let [c0, c1, c2, d0, d1, d2, ab_offset] = self.0;
        let scale = self.scale();
        let determinant = (c1 * d2 - c2 * d1) / scale;
        let (la, lb) = (d2 / determinant, -c2 / determinant);
        let (ha, hb) = (c1 / determinant, -d1 / determinant);
        let mut parameters = AnalogParameters {
            la,
            lb,
            lc: NEUTRAL.0 - la * NEUTRAL.0 - lb * NEUTRAL.1,
            ha,
            hb,
            hc: NEUTRAL.1 - ha * NEUTRAL.1 - hb * NEUTRAL.0,
            scale,
            offset: 2.0 * c0 - d0,
            safe_low: 0.0,
            safe_high: 0.0,
            ab_offset,
            attenuation: Attenuation::NONE,
        };
        let (lo, hi) = parameters.range_of_converters(linear.0, linear.1);
        (parameters.safe_low, parameters.safe_high) = (parameters.span_volts(lo), parameters.span_volts(hi));
        let AnalogParameters { safe_low, safe_high, .. } = parameters;
        let sound = scale > 0.0 && determinant > 0.0 && safe_low < safe_high && safe_low.is_finite();
        (sound && safe_high.is_finite() && ab_offset.is_finite()).then_some(parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRUE: AnalogParameters = AnalogParameters {
        la: 1.13,
        lb: -0.06,
        lc: 0.01,
        ha: 1.08,
        hb: -0.04,
        hc: -0.03,
        scale: 19.0,
        offset: -7.0,
        safe_low: 0.0,
        safe_high: 0.0,
        ab_offset: 0.05,
        attenuation: Attenuation::NONE,
    };

    fn equations() -> impl Iterator<Item = Equation> {
        let settings =
            (0..36).map(|index| (0.1 + 0.06 * f64::from(index / 6), 0.85 - 0.06 * f64::from(index % 6)));
        settings.flat_map(|dacs| {
            let (lo, hi) = TRUE.range_of_converters(dacs.0, dacs.1);
            [(0.0, 0.5), (3.3, 0.5), (0.0, -0.5), (3.3, -0.5)].map(|(volts, side)| {
                let seen = TRUE.span_fraction(volts + side * TRUE.ab_offset);
                Equation::new(dacs, (seen - lo) / (hi - lo), volts, side)
            })
        })
    }

    fn sums(equations: impl Iterator<Item = Equation>) -> Sums {
        let mut sums = Sums::NONE;
        equations.for_each(|equation| sums.add(&equation));
        sums
    }

    #[test]
    fn exact_equations_are_solved_exactly() {
        let sums = sums(equations());
        let planes = sums.solve().unwrap();
        assert!(sums.residual(&planes) < 1e-6);
        for equation in equations() {
            assert!(equation.residual(&planes).abs() < 1e-9);
        }
        let found = planes.parameters((0.07, 0.88)).unwrap();
        assert!((found.ab_offset - TRUE.ab_offset).abs() < 1e-9);
        // The planes pass through the neutral points, whatever those of the device do.
        let neutral = found.converters(1.0 / 3.0, 2.0 / 3.0);
        assert!((neutral.0 - 1.0 / 3.0).abs() < 1e-12 && (neutral.1 - 2.0 / 3.0).abs() < 1e-12);
        // The volts of any setting are those of the device.
        for (low_dac, high_dac) in [(0.07, 0.88), (0.4, 0.6)] {
            let volts = |parameters: &AnalogParameters| {
                let (lo, hi) = parameters.range_of_converters(low_dac, high_dac);
                (parameters.span_volts(lo), parameters.span_volts(hi))
            };
            let (ours, theirs) = (volts(&found), volts(&TRUE));
            assert!((ours.0 - theirs.0).abs() < 1e-9 && (ours.1 - theirs.1).abs() < 1e-9);
            assert!((planes.range_volts((low_dac, high_dac)) - (theirs.1 - theirs.0)).abs() < 1e-9);
            if low_dac == 0.07 {
                assert!(
                    (found.safe_low - theirs.0).abs() < 1e-9 && (found.safe_high - theirs.1).abs() < 1e-9
                );
            }
        }
    }

    #[test]
    fn one_channel_leaves_the_offset_to_be_fixed() {
        let only_a = || equations().filter(|equation| equation.coefficients[6] < 0.0);
        let mut sums = sums(only_a());
        assert_eq!(sums.solve(), None);
        sums.fix_ab_offset(TRUE.ab_offset);
        let planes = sums.solve().unwrap();
        assert!(only_a().all(|equation| equation.residual(&planes).abs() < 1e-9));
        assert!((planes.parameters((0.07, 0.88)).unwrap().ab_offset - TRUE.ab_offset).abs() < 1e-9);
    }

    #[test]
    fn what_determines_nothing_is_not_solved() {
        assert_eq!(Sums::NONE.solve(), None);
        let one_setting = sums(equations().take(4));
        assert_eq!(one_setting.solve(), None);
        let broken = sums(core::iter::once(Equation::new((0.1, f64::NAN), 0.5, 0.0, 0.5)));
        assert_eq!(broken.solve(), None);
    }

    #[test]
    fn impossible_planes_have_no_parameters() {
        let level = Planes([0.0, 0.0, 0.0, 6.0, 0.0, 0.0, 0.0]);
        assert_eq!(level.parameters((0.07, 0.88)), None);
        let upside_down = Planes([6.0, 18.0, 0.0, 0.0, 0.0, 18.0, 0.0]);
        assert_eq!(upside_down.parameters((0.07, 0.88)), None);
    }
}

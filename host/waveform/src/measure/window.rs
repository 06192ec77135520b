//! Windows: what a series is multiplied with before its spectrum is taken.

use std::f64::consts::TAU;
use std::fmt;
use std::str::FromStr;

/// A window, a sum of cosines. It trades how well neighbouring frequencies are resolved (a narrow main lobe) for how
/// little a strong one covers weak ones far away (low side lobes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Window {
    /// None: the narrowest lobe. Only for whole numbers of periods, as side lobes are just 13 dB down.
    Rectangular,
    /// Hann: side lobes 31 dB down and falling fast. For most signals.
    #[default]
    Hann,
    /// Blackman-Harris with four terms: side lobes 92 dB down. For weak frequencies beside strong ones.
    BlackmanHarris,
    /// Flat-top with five terms: the height of a peak is right wherever between two bins its frequency lies.
    FlatTop,
}

impl Window {
    /// All windows, with their names on the command line.
    pub const ALL: [(Self, &'static str); 4] = [
        (Self::Rectangular, "rectangular"),
        (Self::Hann, "hann"),
        (Self::BlackmanHarris, "blackman-harris"),
        (Self::FlatTop, "flat-top"),
    ];

    /// The factors of the cosines of 0, 1, 2.. turns over the series, with alternating signs.
    const fn terms(self) -> &'static [f64] {
        match self {
            Self::Rectangular => &[1.0],
            Self::Hann => &[0.5, 0.5],
            // F. J. Harris, "On the use of windows for harmonic analysis with the discrete Fourier transform", 1978.
            Self::BlackmanHarris => &[0.358_75, 0.488_29, 0.141_28, 0.011_68],
            // G. D'Antona and A. Ferrero, "Digital Signal Processing for Measurement Systems", 2006: the one that
            // MATLAB and SciPy call flattopwin and flattop.
            Self::FlatTop => &[0.215_578_95, 0.416_631_58, 0.277_263_158, 0.083_578_947, 0.006_947_368],
        }
    }

    /// Bins from the middle of the main lobe to its first zero: as many as the window has terms.
    #[must_use]
    pub const fn lobe_bins(self) -> usize {
        self.terms().len()
    }

    /// How high a side lobe can be so many bins from the middle of the main lobe, as a part of the main lobe's height;
    /// 1 inside the main lobe.
    #[must_use]
    pub fn side_lobe(self, bins: f64) -> f64 {
        if bins.abs() < self.lobe_bins() as f64 {
            return 1.0;
        }
        // The transform is sin(pi d) / pi times this sum: each cosine adds two shifted copies of the rectangular
        // window's sin(pi d) / (pi d).
        let terms = self.terms().iter().zip(0_u8..);
        let sum: f64 = terms
            .map(|(term, turns)| {
                let sign = if turns % 2 == 0 { 1.0 } else { -1.0 };
                sign * term * bins / (bins * bins - f64::from(turns) * f64::from(turns))
            })
            .sum();
        let middle: f64 = self.terms().first().copied().unwrap_or(1.0);
        // On a zero of the main lobe a term has no limit, though the product has: that is no side lobe.
        Some((sum / (std::f64::consts::PI * middle)).abs()).filter(|height| *height < 1.0).unwrap_or(1.0)
    }

    /// The factors for a series of so many samples, periodic: the one after the last would be the first again.
    pub fn factors(self, samples: usize) -> impl Iterator<Item = f64> {
        (0..samples).map(move |index| {
            let turn = TAU * index as f64 / samples as f64;
            let terms = self.terms().iter().enumerate();
            terms
                .map(|(turns, term)| if turns % 2 == 0 { *term } else { -term } * (turns as f64 * turn).cos())
                .sum()
        })
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(window, _)| window == self).map_or("", |(_, name)| *name);
        f.write_str(name)
    }
}

/// A text that names no window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownWindow;

impl fmt::Display for UnknownWindow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a window: give rectangular, hann, blackman-harris or flat-top")
    }
}

impl std::error::Error for UnknownWindow {}

impl FromStr for Window {
    type Err = UnknownWindow;

    fn from_str(text: &str) -> Result<Self, UnknownWindow> {
        Self::ALL.iter().find(|(_, name)| *name == text).map(|(window, _)| *window).ok_or(UnknownWindow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn side_lobes_match_the_transform() {
        for (window, name) in Window::ALL {
            // From half way between two bins on, where a side lobe is near its height.
            for bins in [6.5, 20.5, 100.5] {
                let (mut real, mut imaginary, mut sum) = (0.0, 0.0, 0.0);
                for (index, factor) in window.factors(4096).enumerate() {
                    let angle = TAU * bins * index as f64 / 4096.0;
                    real += factor * angle.cos();
                    imaginary += factor * angle.sin();
                    sum += factor;
                }
                let height = real.hypot(imaginary) / sum;
                let calculated = window.side_lobe(bins);
                assert!(
                    (calculated - height).abs() < 0.02 * height + 1e-7,
                    "{name} at {bins}: {calculated}, not {height}"
                );
            }
        }
    }

    #[test]
    fn windows_peak_in_the_middle() {
        for (window, name) in Window::ALL {
            assert_eq!((window.to_string().as_str(), name.parse()), (name, Ok(window)));
            let factors: Vec<f64> = window.factors(64).collect();
            assert!((factors[32] - 1.0).abs() < 1e-6, "{window}: {}", factors[32]);
            let symmetric = (1..32).all(|index| (factors[index] - factors[64 - index]).abs() < 1e-12);
            assert!(symmetric, "{window}");
            if window != Window::Rectangular {
                assert!(factors[0].abs() < 1e-3, "{window}: {}", factors[0]);
            }
        }
        assert_eq!("hamming".parse::<Window>(), Err(UnknownWindow));
    }
}

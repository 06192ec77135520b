//! Which frequencies are in a series, and how distorted and noisy its strongest one is.
//!
//! The mean is taken off, the series multiplied with a [`Window`] and transformed whole. With `X` the transform, `w`
//! the window and `N` the number of samples, the power of bin `k` is `2 |X_k|^2 / (N sum w^2)` (half of that at 0 Hz
//! and at half the sample rate), so that all bins together are the mean square of the series, as far as the window lets
//! see it. A sine spreads over the bins of the window's main lobe; its power `P` is their sum, its amplitude
//! `sqrt(2 P)`, and its frequency their centre of gravity, which is right to a few hundredths of a bin.
//!
//! Distortion and noise do not rest on bins, over which a window spreads the fundamental: a sine is fitted to the
//! samples (IEEE 1057), then it and all its harmonics below half of the sample rate. What the sine leaves is noise and
//! distortion, what all leave is noise.

use realfft::RealFftPlanner;
use thiserror::Error;

use super::Window;
use super::harmonics::{Harmonics, count_below_nyquist, improved_frequency, is_at_nyquist};
use scopething_core::analysis::SineFit;

/// The fewest periods over which a sine and its harmonics are distinguished from what else is in the series: two, in which
/// what repeats is signal and what does not is noise, less what their number may be off.
const MIN_PERIODS: f64 = 1.9;

/// The fewest samples beyond the parameters of a fit, by which noise is known.
const MIN_FREEDOM: usize = 16;

/// The fewest samples with a spectrum.
const MIN_SAMPLES: usize = 32;

/// The most peaks that are reported.
const MAX_PEAKS: usize = 16;

/// A peak's highest bin has so many times the power of the median bin. Among thousands of bins of noise the highest has
/// some 13 times that: the power of a bin is distributed exponentially.
const MIN_ABOVE_MEDIAN: f64 = 40.0;

/// A peak's highest bin has so much of the power of the strongest: 120 dB below it lies what rounding to 32-bit floats
/// makes of a clean signal.
const MIN_OF_STRONGEST: f64 = 1e-12;

/// A peak's highest bin has so many times the power that the side lobes of stronger ones have there.
const MIN_ABOVE_LEAKAGE: f64 = 4.0;

/// The known wave is the fundamental if it has so much of the power of the strongest peak: of narrow pulses many harmonics are
/// as strong as the first.
const MIN_OF_WAVE: f64 = 0.5;

/// Why there is no spectrum.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpectrumError {
    /// There are too few samples.
    #[error("{samples} samples are too few for a spectrum: capture {needed} or more")]
    TooShort {
        /// How many there are.
        samples: usize,
        /// How many are needed.
        needed: usize,
    },
    /// A sample is not a finite number.
    #[error("a sample is not a number: a spectrum needs a series without gaps")]
    NotFinite,
    /// The transform refused the series.
    #[error("the Fourier transform failed: {0}")]
    Transform(String),
}

/// Why distortion or noise are unknown.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum DistortionUnknown {
    /// No sine stands out of the noise.
    #[error("no frequency stands out of the noise")]
    NoFundamental,
    /// The record has too few periods.
    #[error("the record has {periods:.1} periods: capture {needed} or more")]
    FewPeriods {
        /// How many there are.
        periods: f64,
        /// How many are needed.
        needed: f64,
    },
    /// No harmonic can be seen.
    #[error("the second harmonic lies above half of the sample rate: sample at least 4 times a period")]
    NoHarmonics,
    /// There are hardly more samples than harmonics.
    #[error("{samples} samples do not distinguish {harmonics} harmonics from noise: capture more periods")]
    FewSamples {
        /// How many samples there are.
        samples: usize,
        /// How many harmonics lie below half of the sample rate, the fundamental counted.
        harmonics: usize,
    },
}

/// A sine in the series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Its frequency in hertz.
    pub frequency_hz: f64,
    /// Half its peak to peak, in the unit of the samples.
    pub amplitude: f64,
    /// How many times the fundamental's frequency it has: 1 for the fundamental itself, `None` if it is no harmonic.
    pub harmonic: Option<u32>,
}

/// The spectrum of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// What the series was multiplied with.
    pub window: Window,
    /// The distance between two bins in hertz: one over the length of the series.
    pub resolution_hz: f64,
    /// The sines that stand out of the noise, at most 16, the strongest first: that is the fundamental. In the main lobe
    /// of 0 Hz there are none, as they cannot be distinguished from a drift, but for the known wave: if it lies there, and
    /// is stronger than all peaks, it is the fundamental, though no peak.
    pub peaks: Vec<Peak>,
    /// How many harmonics count as distortion, from the second on: all below half of the sample rate, of very many the
    /// first few hundred, of a series of millions of samples the first nine. 0 where the distortion is unknown.
    pub harmonics: usize,
    /// Total harmonic distortion: the RMS of the harmonics over that of the fundamental, less what noise adds to it.
    pub thd: Option<f64>,
    /// The fundamental's power over that of the noise, which is all but the fundamental, its harmonics and the mean, in
    /// decibels. `None` where the distortion is, or if nothing is left.
    pub snr_db: Option<f64>,
    /// The fundamental's power over that of all but the fundamental and the mean, in decibels.
    pub sinad_db: Option<f64>,
    /// Why `thd` and `snr_db` are unknown, and `sinad_db` if it is; `None` if they are known.
    pub unknown: Option<DistortionUnknown>,
}

impl Spectrum {
    /// The spectrum of evenly spaced samples, `period_s` seconds apart. `about_hz` is the frequency of the wave in them,
    /// if one is known: below the third bin or so there is no peak.
    ///
    /// # Errors
    ///
    /// [`SpectrumError`] if there are fewer than 32 samples, or one is not a finite number.
    pub fn of(
        samples: &[f32],
        period_s: f64,
        window: Window,
        about_hz: Option<f64>,
    ) -> Result<Self, SpectrumError> {
        let bins = Bins::of(samples, window)?;
        let resolution_hz = 1.0 / (period_s * samples.len() as f64);
        let lobes = bins.peaks();
        let wave = about_hz.map(|about_hz| about_hz / resolution_hz);
        let strongest = lobes.first();
        let fundamental = wave
            .filter(|&place| {
                // In the main lobe of 0 Hz there is no peak to compare with but harmonics of it.
                let share = if bins.hides(place) { 1.0 } else { MIN_OF_WAVE };
                let is_strongest = strongest.is_some_and(|lobe| (lobe.place - place).abs() < 1.0);
                !is_strongest && is_so_strong(samples, place, share, strongest)
            })
            .or(strongest.map(|lobe| lobe.place));
        let harmonic = |place: f64| {
            let number = (place / fundamental?).round();
            let off = (place - number * fundamental?).abs();
            (number >= 1.0 && off <= 1.0_f64.max(0.05 * number)).then_some(number as u32)
        };
        let peaks = lobes.iter().map(|lobe| Peak {
            frequency_hz: lobe.place * resolution_hz,
            amplitude: (2.0 * lobe.power).sqrt(),
            harmonic: harmonic(lobe.place),
        });
        let peaks = peaks.collect();
        let distortion = Distortion::of(samples, fundamental.or(wave));
        Ok(Self {
            window,
            resolution_hz,
            peaks,
            harmonics: distortion.harmonics,
            thd: distortion.thd,
            snr_db: distortion.snr_db,
            sinad_db: distortion.sinad_db,
            unknown: distortion.unknown,
        })
    }
}

/// The spectrum of a series as it is drawn: without what [`Spectrum`] finds out about distortion and noise, which takes
/// longer.
#[derive(Debug, Clone, PartialEq)]
pub struct AmplitudeSpectrum {
    /// The distance between two bins in hertz: one over the length of the series.
    pub resolution_hz: f64,
    /// What a sine in the middle of each bin would have to be, as RMS in the unit of the samples; from 0 Hz to half the
    /// sample rate.
    pub rms: Vec<f64>,
    /// The sines that stand out of the noise, at most 16, the strongest first: frequency in hertz and RMS.
    pub sines: Vec<(f64, f64)>,
}

impl AmplitudeSpectrum {
    /// The spectrum of evenly spaced samples, `period_s` seconds apart.
    ///
    /// # Errors
    ///
    /// [`SpectrumError`] if there are fewer than 32 samples, or one is not a finite number.
    pub fn of(samples: &[f32], period_s: f64, window: Window) -> Result<Self, SpectrumError> {
        let bins = Bins::of(samples, window)?;
        let resolution_hz = 1.0 / (period_s * samples.len() as f64);
        let sines = bins.peaks().into_iter().map(|lobe| (lobe.place * resolution_hz, lobe.power.sqrt()));
        Ok(Self {
            resolution_hz,
            sines: sines.collect(),
            rms: bins.powers.iter().map(|power| (power * bins.noise_bandwidth).sqrt()).collect(),
        })
    }
}

/// How far a series is from a sine.
#[derive(Default)]
struct Distortion {
    harmonics: usize,
    thd: Option<f64>,
    snr_db: Option<f64>,
    sinad_db: Option<f64>,
    unknown: Option<DistortionUnknown>,
}

/// Whether the sine of so many periods over the series has more than a share of the power of a peak.
fn is_so_strong(samples: &[f32], periods: f64, share: f64, peak: Option<&Lobe>) -> bool {
    let values = samples.iter().map(|&sample| f64::from(sample));
    let sine = SineFit::of(values, periods / samples.len() as f64);
    let power = sine.map_or(0.0, |sine| 0.5 * sine.amplitude * sine.amplitude);
    peak.is_none_or(|peak| power > share * peak.power)
}

/// The ratio of two powers in decibels, if both are more than nothing.
fn decibels(power: f64, rest: f64) -> Option<f64> {
    (power > 0.0 && rest > 0.0).then(|| 10.0 * (power / rest).log10())
}

impl Distortion {
    /// With a fundamental of so many periods over the series.
    fn of(samples: &[f32], periods: Option<f64>) -> Self {
        let unknown = |unknown| Self { unknown: Some(unknown), ..Self::default() };
        let count = samples.len();
        let length = count as f64;
        let Some(periods) = periods else { return unknown(DistortionUnknown::NoFundamental) };
        if periods < MIN_PERIODS {
            return unknown(DistortionUnknown::FewPeriods { periods, needed: MIN_PERIODS.ceil() });
        }
        let values = samples.iter().map(|&sample| f64::from(sample));
        let Some(sine) = SineFit::of(values, periods / length) else {
            return unknown(DistortionUnknown::NoFundamental);
        };
        // Per degree of freedom: four parameters are fitted.
        let rest = sine.residual_power * length / (length - 4.0);
        let sinad_db = decibels(0.5 * sine.amplitude * sine.amplitude, rest);
        let but_sinad = |unknown| Self { sinad_db, unknown: Some(unknown), ..Self::default() };
        let frequency =
            improved_frequency(samples, sine.frequency, count_below_nyquist(sine.frequency, count));
        let harmonics = count_below_nyquist(frequency, count);
        if harmonics < 2 {
            return but_sinad(DistortionUnknown::NoHarmonics);
        }
        let at_nyquist = is_at_nyquist(frequency * (harmonics + 1) as f64, count);
        let parameters = 3 + 2 * harmonics + usize::from(at_nyquist);
        let Some(freedom) = count.checked_sub(parameters).filter(|freedom| *freedom >= MIN_FREEDOM) else {
            return but_sinad(DistortionUnknown::FewSamples { samples: count, harmonics });
        };
        let fitted = Harmonics::of(samples, frequency, harmonics + usize::from(at_nyquist));
        let fundamental = fitted.harmonics.first().map_or(0.0, |fundamental| fundamental.power());
        let noise = fitted.residual_squares / freedom as f64;
        let below = fitted.harmonics.iter().take(harmonics).skip(1).map(|harmonic| harmonic.power());
        let highest = if at_nyquist { fitted.power_of_last(frequency, count) } else { 0.0 };
        let others = below.sum::<f64>() + highest;
        // Each of the two factors of a harmonic has the variance 2 noise / N.
        let of_noise = 2.0 * noise / length * (harmonics - 1) as f64;
        Self {
            harmonics: harmonics - 1 + usize::from(at_nyquist),
            thd: (fundamental > 0.0).then(|| ((others - of_noise).max(0.0) / fundamental).sqrt()),
            snr_db: decibels(fundamental, noise),
            sinad_db,
            unknown: None,
        }
    }
}

/// A sine as it is seen in the bins.
#[derive(Clone, Copy)]
struct Lobe {
    /// Its frequency in bins.
    place: f64,
    /// Its mean square.
    power: f64,
}

/// The power of each bin.
struct Bins {
    window: Window,
    powers: Vec<f64>,
    /// How many bins of noise have the power that a window lets through: its equivalent noise bandwidth.
    noise_bandwidth: f64,
}

impl Bins {
    fn of(samples: &[f32], window: Window) -> Result<Self, SpectrumError> {
        let count = samples.len();
        if count < MIN_SAMPLES {
            return Err(SpectrumError::TooShort { samples: count, needed: MIN_SAMPLES });
        }
        let mean = samples.iter().map(|&sample| f64::from(sample)).sum::<f64>() / count as f64;
        if !mean.is_finite() {
            return Err(SpectrumError::NotFinite);
        }
        let factors: Vec<f64> = window.factors(count).collect();
        let windowed =
            samples.iter().zip(&factors).map(|(&sample, factor)| (f64::from(sample) - mean) * factor);
        let mut windowed: Vec<f64> = windowed.collect();
        let transform = RealFftPlanner::new().plan_fft_forward(count);
        let mut transformed = transform.make_output_vec();
        transform
            .process(&mut windowed, &mut transformed)
            .map_err(|error| SpectrumError::Transform(error.to_string()))?;
        let sum: f64 = factors.iter().sum();
        let squares: f64 = factors.iter().map(|factor| factor * factor).sum();
        let scale = 2.0 / (count as f64 * squares);
        let mut powers: Vec<f64> = transformed.iter().map(|value| value.norm_sqr() * scale).collect();
        if let Some(zero) = powers.first_mut() {
            *zero *= 0.5;
        }
        if count.is_multiple_of(2)
            && let Some(last) = powers.last_mut()
        {
            *last *= 0.5;
        }
        Ok(Self { window, powers, noise_bandwidth: count as f64 * squares / (sum * sum) })
    }

    /// The first bin beyond the main lobe of 0 Hz.
    fn first(&self) -> usize {
        self.window.lobe_bins() + 1
    }

    /// Whether the main lobe of 0 Hz hides a sine at a place.
    fn hides(&self, place: f64) -> bool {
        place < self.first() as f64
    }

    /// The sine whose highest bin is at `middle`.
    fn lobe(&self, middle: usize) -> Lobe {
        let from = middle.saturating_sub(self.window.lobe_bins()).max(1);
        let bins = || {
            let inside = self.powers.iter().enumerate().skip(from);
            inside.take_while(move |(bin, _)| *bin <= middle + self.window.lobe_bins())
        };
        let power: f64 = bins().map(|(_, power)| power).sum();
        let moment: f64 = bins().map(|(bin, power)| bin as f64 * power).sum();
        Lobe { place: if power > 0.0 { moment / power } else { middle as f64 }, power }
    }

    /// The sines that stand out, the strongest first.
    fn peaks(&self) -> Vec<Lobe> {
        let at = |bin: usize| self.powers.get(bin).copied().unwrap_or(0.0);
        let mut sorted: Vec<f64> = self.powers.iter().skip(self.first()).copied().collect();
        sorted.sort_by(f64::total_cmp);
        let noise = sorted.get(sorted.len() / 2).copied().unwrap_or(0.0);
        let strongest = sorted.last().copied().unwrap_or(0.0);
        let least = (MIN_ABOVE_MEDIAN * noise).max(MIN_OF_STRONGEST * strongest);
        let is_highest = |bin: &usize| {
            let reach = bin.saturating_sub(self.window.lobe_bins())..=bin + self.window.lobe_bins();
            at(*bin) > least && reach.into_iter().all(|other| at(other) <= at(*bin))
        };
        let mut highest: Vec<usize> = (self.first()..self.powers.len()).filter(is_highest).collect();
        highest.sort_by(|one, other| at(*other).total_cmp(&at(*one)));
        let mut peaks: Vec<Lobe> = Vec::new();
        for bin in highest {
            let leaked: f64 = peaks.iter().map(|peak| self.leakage(*peak, bin)).sum();
            if at(bin) > MIN_ABOVE_LEAKAGE * leaked {
                peaks.push(self.lobe(bin));
            }
            if peaks.len() == MAX_PEAKS {
                break;
            }
        }
        peaks
    }

    /// The power that a sine's side lobes have at most in a bin.
    fn leakage(&self, sine: Lobe, bin: usize) -> f64 {
        let height = self.window.side_lobe(bin as f64 - sine.place);
        sine.power / self.noise_bandwidth * height * height
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::TAU;

    /// Sines of so many periods over the series and of an amplitude, on an offset.
    fn series(samples: usize, sines: &[(f64, f64)]) -> Vec<f32> {
        let value = |index: usize| {
            let turn = index as f64 / samples as f64;
            let sines =
                sines.iter().map(|(periods, amplitude)| amplitude * (TAU * (periods * turn + 0.2)).sin());
            (1.7 + sines.sum::<f64>()) as f32
        };
        (0..samples).map(value).collect()
    }

    fn assert_near(value: f64, expected: f64, tolerance: f64) {
        assert!((value - expected).abs() <= tolerance, "{value} is not {expected} within {tolerance}");
    }

    #[test]
    fn distortion_matches_the_added_harmonics() {
        // 3 % and 4 % are 5 % together.
        for (window, name) in Window::ALL {
            let periods = if window == Window::Rectangular { 51.0 } else { 51.3 };
            let sines = [(periods, 1.5), (2.0 * periods, 0.045), (3.0 * periods, 0.06)];
            let spectrum = Spectrum::of(&series(4096, &sines), 1e-6, window, None).unwrap();
            assert_near(spectrum.thd.unwrap(), 0.05, 2e-4);
            assert_eq!(spectrum.peaks.len(), 3, "{name}: {spectrum:?}");
            for (peak, (number, (periods, amplitude))) in
                spectrum.peaks.iter().zip([(1, sines[0]), (3, sines[2]), (2, sines[1])])
            {
                assert_eq!(peak.harmonic, Some(number), "{name}");
                assert_near(peak.frequency_hz * 4096e-6, periods, 0.05);
                assert_near(peak.amplitude, amplitude, 0.005 * amplitude);
            }
        }
    }

    #[test]
    fn a_bin_shows_the_sine_in_its_middle() {
        for (window, name) in Window::ALL {
            let drawn =
                AmplitudeSpectrum::of(&series(4096, &[(64.0, 1.5), (200.0, 0.02)]), 1e-6, window).unwrap();
            assert_eq!(drawn.rms.len(), 2049, "{name}");
            // Half a peak to peak of 1.5 is an RMS of 1.5 / sqrt(2).
            assert_near(drawn.rms[64], 1.5 / 2.0_f64.sqrt(), 1e-6);
            assert_near(drawn.rms[200], 0.02 / 2.0_f64.sqrt(), 1e-6);
            assert_eq!(drawn.sines.len(), 2, "{name}: {:?}", drawn.sines);
            let (frequency_hz, rms) = drawn.sines[1];
            assert_near(frequency_hz, 200.0 / 4096e-6, 0.01);
            assert_near(rms, 0.02 / 2.0_f64.sqrt(), 1e-4);
        }
    }

    /// The main lobe of 0 Hz is as wide as four bins: a wave of four periods is in it, and its harmonics are not.
    #[test]
    fn harmonic_of_few_periods_is_no_fundamental() {
        for periods in [2.6, 3.4, 4.4, 4.9] {
            let sines = [(periods, 1.0), (2.0 * periods, 0.01)];
            let about_hz = Some(periods * 1e3);
            let spectrum =
                Spectrum::of(&series(1000, &sines), 1e-6, Window::BlackmanHarris, about_hz).unwrap();
            // A hundredth is 40 dB below; over broken numbers of periods the two overlap.
            assert_near(spectrum.sinad_db.unwrap(), 40.0, 0.5);
            assert_near(spectrum.thd.unwrap(), 0.01, 1e-6);
            // What rounding to 32-bit floats leaves.
            assert!(spectrum.snr_db.unwrap() > 130.0, "{spectrum:?}");
            for peak in &spectrum.peaks {
                assert_eq!(peak.harmonic, Some((peak.frequency_hz / (periods * 1e3)).round() as u32));
            }
        }
    }

    #[test]
    fn square_has_the_harmonics_of_its_samples() {
        // 64 samples a period: by the sum of a geometric series, odd harmonic h is sin(pi / 64) / sin(pi h / 64)
        // of the first.
        let square: Vec<f32> = (0..6400).map(|i| if i % 64 < 32 { 3.0 } else { 0.0 }).collect();
        let spectrum = Spectrum::of(&square, 1e-5, Window::BlackmanHarris, None).unwrap();
        let share = |harmonic: f64| {
            let angle = std::f64::consts::PI / 64.0;
            angle.sin() / (angle * harmonic).sin()
        };
        // All odd ones below half of the sample rate, 32 times the fundamental; the even one there is none of this square's.
        let odd = (1..16).map(|half| share(2.0 * f64::from(half) + 1.0).powi(2));
        let expected = odd.sum::<f64>().sqrt();
        assert_eq!(spectrum.harmonics, 31);
        assert_near(spectrum.thd.unwrap(), expected, 1e-6);
        let numbers: Vec<_> = spectrum.peaks.iter().take(4).map(|peak| peak.harmonic).collect();
        assert_eq!(numbers, [Some(1), Some(3), Some(5), Some(7)]);
    }

    #[test]
    fn narrow_pulses_have_the_fundamental_of_their_wave() {
        // One of 100 samples: 49 harmonics are equally strong, and what lies at half of the sample rate has half of the power.
        let pulses: Vec<f32> = (0..10_000).map(|i| if i % 100 < 1 { 1.0 } else { 0.0 }).collect();
        let spectrum = Spectrum::of(&pulses, 1e-5, Window::Hann, Some(1000.0)).unwrap();
        assert_near(spectrum.thd.unwrap(), 48.5_f64.sqrt(), 1e-4);
        assert_eq!((spectrum.harmonics, spectrum.unknown), (49, None));
        for peak in &spectrum.peaks {
            assert_eq!(peak.harmonic, Some((peak.frequency_hz / 1000.0).round() as u32), "{spectrum:?}");
        }
        assert!(spectrum.snr_db.unwrap() > 40.0, "{spectrum:?}");
    }

    #[test]
    fn what_repeats_with_each_period_is_no_noise() {
        // 100 samples a period, of which 50 or 51 are high: 51 have a harmonic at half of the sample rate.
        for (high, offset) in [(50, 0.0), (51, 0.0), (50, 30.0)] {
            for phase in [0, 25, 50] {
                let is_high = |index: i32| f32::from(u8::from((index + phase) % 100 < high));
                let square: Vec<f32> = (0..10_000).map(|index| offset + is_high(index)).collect();
                let spectrum = Spectrum::of(&square, 1e-5, Window::Hann, Some(1000.0)).unwrap();
                assert!(spectrum.snr_db.unwrap() > 70.0, "{high}, {phase}: {spectrum:?}");
            }
        }
    }

    #[test]
    fn eight_bits_have_their_noise() {
        // Steps of s have a noise of s^2 / 12; 255 steps peak to peak a power of (127.5 s)^2 / 2.
        let exact = series(12_288, &[(311.37, 127.5)]);
        let steps: Vec<f32> = exact.iter().map(|sample| sample.round()).collect();
        let expected_db = 10.0 * (127.5_f64.powi(2) / 2.0 * 12.0).log10();
        for window in [Window::BlackmanHarris, Window::FlatTop] {
            let spectrum = Spectrum::of(&steps, 1e-6, window, None).unwrap();
            assert_near(spectrum.sinad_db.unwrap(), expected_db, 0.4);
            assert_near(spectrum.snr_db.unwrap(), expected_db, 0.4);
        }
    }

    #[test]
    fn clean_sine_has_no_noise_at_any_frequency() {
        // What rounding to 32-bit floats leaves: an offset of 1.7 is rounded to 2^-24, of standard deviation 3.4e-8.
        for periods in [10.0, 10.25, 10.5, 4.3] {
            let spectrum = Spectrum::of(&series(1000, &[(periods, 1.0)]), 1e-5, Window::Hann, None).unwrap();
            let [snr_db, sinad_db] = [spectrum.snr_db, spectrum.sinad_db].map(Option::unwrap);
            assert!(snr_db > 135.0 && sinad_db > 135.0, "{periods}: {spectrum:?}");
            assert!(spectrum.thd.unwrap() < 1e-6, "{spectrum:?}");
        }
    }

    /// Two periods are enough: what differs between them is noise, and what does not is distortion.
    #[test]
    fn few_periods_show_distortion_and_noise() {
        for periods in [2.0, 2.3, 3.6] {
            let mut samples = series(2000, &[(periods, 1.0), (2.0 * periods, 0.1), (3.0 * periods, 0.05)]);
            let mut state = 1_u32;
            for sample in &mut samples {
                // Even between -0.01 and 0.01: a power of 0.01^2 / 3.
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *sample += 0.02 * ((state >> 8) as f32 / 16_777_216.0 - 0.5);
            }
            let about_hz = Some(periods / 2e-3);
            let spectrum = Spectrum::of(&samples, 1e-6, Window::Hann, about_hz).unwrap();
            let expected_db = 10.0 * (0.5 / (0.01_f64.powi(2) / 3.0)).log10();
            assert_near(spectrum.snr_db.unwrap(), expected_db, 0.3);
            assert_near(spectrum.thd.unwrap(), 0.1_f64.hypot(0.05), 2e-3);
        }
    }

    #[test]
    fn sine_between_two_bins_is_one_peak() {
        for (window, name) in Window::ALL {
            for periods in [20.0, 20.25, 20.5, 333.4] {
                let spectrum = Spectrum::of(&series(2000, &[(periods, 0.5)]), 1e-3, window, None).unwrap();
                assert_eq!(spectrum.peaks.len(), 1, "{name}, {periods}: {spectrum:?}");
                assert!(
                    spectrum.thd.unwrap() < 0.02 || window == Window::Rectangular,
                    "{name}: {spectrum:?}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_supported_is_unknown_or_refused() {
        let constant = Spectrum::of(&[2.5; 100], 1e-6, Window::Hann, None).unwrap();
        assert_eq!(
            (constant.peaks.len(), constant.thd, constant.snr_db, constant.sinad_db),
            (0, None, None, None)
        );
        assert_eq!(constant.unknown, Some(DistortionUnknown::NoFundamental));
        // The second harmonic of 0.3 times the sample rate cannot be seen.
        let spectrum = Spectrum::of(&series(1000, &[(300.0, 1.0)]), 1e-6, Window::Hann, None).unwrap();
        assert_eq!((spectrum.peaks.len(), spectrum.thd, spectrum.snr_db), (1, None, None));
        assert!(spectrum.sinad_db.unwrap() > 120.0, "{spectrum:?}");
        assert_eq!(spectrum.unknown, Some(DistortionUnknown::NoHarmonics));
        // Less than two periods show nothing that repeats.
        let short = Spectrum::of(&series(1000, &[(1.6, 1.0)]), 1e-6, Window::Hann, Some(1600.0)).unwrap();
        assert_eq!((short.thd, short.snr_db, short.sinad_db), (None, None, None));
        let unknown = DistortionUnknown::FewPeriods { periods: 1.6, needed: 2.0 };
        assert_eq!(short.unknown, Some(unknown));
        let short = Spectrum::of(&[1.0; 31], 1e-6, Window::Hann, None);
        assert_eq!(short, Err(SpectrumError::TooShort { samples: 31, needed: 32 }));
        for bad in [f32::NAN, f32::INFINITY] {
            let samples: Vec<f32> = (0..40_u8).map(|i| if i == 7 { bad } else { f32::from(i) }).collect();
            assert_eq!(Spectrum::of(&samples, 1e-6, Window::Hann, None), Err(SpectrumError::NotFinite));
        }
    }

    #[test]
    fn noise_has_no_peaks() {
        let mut state = 1_u32;
        let noise: Vec<f32> = (0..12_288)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / 16_777_216.0
            })
            .collect();
        let spectrum = Spectrum::of(&noise, 1e-6, Window::Hann, None).unwrap();
        assert!(spectrum.peaks.is_empty(), "{spectrum:?}");
    }
}

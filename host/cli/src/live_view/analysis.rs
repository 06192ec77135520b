//! What is made of the traces on this screen alone: averages, math, spectrum, X-Y, persistence, references and a mask. None of
//! it changes what is captured, and other screens of the same instrument have their own.

use scopething_serve::client::{Ended, Knobs};
use scopething_waveform::measure::{AmplitudeSpectrum, Window};

use super::arithmetic::{Average, Operation};
use super::knobs::Side;
use super::mask::Mask;
use super::persistence::{Past, Persistence};
use super::picture::{Picture, Source};

/// References that are shown; of more the oldest gives way.
const MAX_REFERENCES: usize = 4;
/// The numbers of traces that a key has averaged.
const AVERAGES: [u32; 4] = [1, 4, 16, 64];
/// The most traces that can be averaged.
pub(super) const MAX_AVERAGES: u32 = 1024;

/// How far a trace may be from the one that a mask is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Margin {
    pub(super) source: Source,
    /// In divisions across.
    pub(super) across: f64,
    /// In divisions up and down.
    pub(super) up: f64,
    /// Whether a trace that leaves the mask stops the captures.
    pub(super) stops: bool,
}

impl Default for Margin {
    fn default() -> Self {
        Self { source: Source::A, across: 0.1, up: 0.3, stops: false }
    }
}

/// A mask, and what became of the traces that it was held against.
#[derive(Debug, Clone)]
pub(super) struct Test {
    pub(super) mask: Mask,
    pub(super) passed: u64,
    pub(super) failed: u64,
    /// Traces in which its channel was not captured.
    pub(super) untested: u64,
    /// The number of the last trace that was tested.
    tested: Option<u64>,
    /// Where the last trace left it: seconds from the trigger.
    pub(super) violations: Vec<f64>,
}

/// A trace that stays on the screen.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) picture: Picture,
}

#[derive(Debug)]
pub(super) struct Analysis {
    pub(super) average: Average,
    pub(super) math: Option<Operation>,
    pub(super) spectrum: Option<Source>,
    pub(super) window: Window,
    pub(super) xy: bool,
    pub(super) persistence: Persistence,
    pub(super) past: Past,
    pub(super) references: Vec<Reference>,
    pub(super) margin: Margin,
    pub(super) test: Option<Test>,
}

impl Default for Analysis {
    fn default() -> Self {
        Self {
            average: Average::new(1),
            math: None,
            spectrum: None,
            window: Window::default(),
            xy: false,
            persistence: Persistence::Off,
            past: Past::default(),
            references: Vec::new(),
            margin: Margin::default(),
            test: None,
        }
    }
}

impl Analysis {
    /// Whether every sample is needed, and not only the extremes of each column of what is on the screen.
    pub(super) fn needs_samples(&self) -> bool {
        self.average.most() > 1
            || self.math.is_some()
            || self.spectrum.is_some()
            || self.xy
            || self.test.is_some()
    }

    /// Makes of a trace what is to be shown. Whether it leaves a mask that stops the captures.
    pub(super) fn process(&mut self, picture: &mut Picture) -> bool {
        self.average.add(picture);
        self.derive(picture);
        let Some(test) = &mut self.test else { return false };
        // What rolls is shown again and again.
        if test.tested == Some(picture.about.seq) || picture.about.ended == Ended::Roll {
            return false;
        }
        test.tested = Some(picture.about.seq);
        let violations = test.mask.violations(picture);
        let count = match &violations {
            None => &mut test.untested,
            Some(outside) if outside.is_empty() => &mut test.passed,
            Some(_) => &mut test.failed,
        };
        *count += 1;
        test.violations = violations.unwrap_or_default();
        self.margin.stops && !test.violations.is_empty()
    }

    /// Adds what is calculated from the lines of one trace.
    pub(super) fn derive(&self, picture: &mut Picture) {
        let math = self.math.and_then(|operation| operation.of(picture));
        picture.lines.extend(math);
        picture.spectrum = self.spectrum.map(|source| self.spectrum_of(picture, source));
    }

    fn spectrum_of(&self, picture: &Picture, source: Source) -> Result<AmplitudeSpectrum, String> {
        // That of both is of their difference where nothing else is made of them.
        let difference = || (source == Source::Math).then(|| Operation::Difference.of(picture)).flatten();
        let line = picture.line(source).cloned().or_else(difference);
        let line = line.ok_or_else(|| format!("{} was not captured", source.name()))?;
        if !line.is_samples {
            return Err("waiting for all samples".to_owned());
        }
        let samples: Vec<f32> = line.middles().map(|value| value as f32).collect();
        AmplitudeSpectrum::of(&samples, line.pitch_s, self.window).map_err(|error| error.to_string())
    }

    /// Begins to count and to average anew.
    pub(super) fn restart(&mut self) {
        self.average.reset();
        self.past.clear();
        if let Some(test) = &mut self.test {
            (test.passed, test.failed, test.untested) = (0, 0, 0);
        }
    }

    pub(super) fn next_averages(&mut self) {
        self.average = Average::new(next(&AVERAGES, &self.average.most()));
    }

    pub(super) fn next_persistence(&mut self) {
        self.set_persistence(next(&Persistence::ALL, &self.persistence));
    }

    pub(super) fn set_persistence(&mut self, persistence: Persistence) {
        self.persistence = persistence;
        self.past.clear();
    }

    pub(super) fn next_math(&mut self) {
        self.math = next(
            &[None, Some(Operation::Sum), Some(Operation::Difference), Some(Operation::Product)],
            &self.math,
        );
    }

    pub(super) fn next_spectrum(&mut self) {
        self.spectrum = next(&[None, Some(Source::A), Some(Source::B), Some(Source::Math)], &self.spectrum);
    }

    pub(super) fn add_reference(&mut self, name: String, picture: &Picture) {
        if self.references.len() == MAX_REFERENCES {
            self.references.remove(0);
        }
        self.references.push(Reference { name, picture: picture.clone() });
    }

    /// Makes a mask from a trace.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn make_mask(&mut self, picture: &Picture, knobs: &Knobs) -> Result<(), String> {
        let Margin { source, across, up, .. } = self.margin;
        let scale = self.scale_of(source, knobs);
        self.test = None;
        let mask =
            Mask::around(picture, source, across * knobs.time_per_div, up * scale).ok_or_else(|| {
                let remedy = if source == Source::Math {
                    "press N"
                } else {
                    "turn it on, or choose another by :mask B"
                };
                format!("{} is not in the trace: {remedy}", source.name())
            })?;
        self.test = Some(Test {
            mask,
            passed: 0,
            failed: 0,
            untested: 0,
            tested: Some(picture.about.seq),
            violations: Vec::new(),
        });
        Ok(())
    }
}

impl Analysis {
    /// Volts a division of a line. Sums are on the scale of A, squares of volts on the square of it.
    pub(super) fn scale_of(&self, source: Source, knobs: &Knobs) -> f64 {
        let of_a = Side::A.of(knobs).volts_per_div;
        match source {
            Source::Channel(side) => side.of(knobs).volts_per_div,
            Source::Math if self.math == Some(Operation::Product) => of_a * of_a,
            Source::Math => of_a,
        }
    }
}

fn next<T: PartialEq + Clone>(all: &[T], now: &T) -> T {
    let place = all.iter().position(|one| one == now).map_or(0, |place| (place + 1) % all.len());
    all.get(place).unwrap_or(now).clone()
}

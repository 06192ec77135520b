//! Sampled waveforms as signals.
//!
//! Analog waveforms run straight from sample to sample, logic waveforms step. This crate opens no files: a signal that
//! plays one is given its samples by a [`ReadPlayback`].

use std::fmt;
use std::sync::Arc;

use super::super::time::SimTime;

/// Why a waveform cannot be played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaybackError {
    /// What was to be played: a path, perhaps `#` and the name of a channel.
    pub spec: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for PlaybackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot play \"{}\": {}", self.spec, self.reason)
    }
}

impl std::error::Error for PlaybackError {}

/// Reads the waveform that stands behind `file:` in a signal's text: a path, `#` and the name of a channel.
pub type ReadPlayback = fn(spec: &str) -> Result<Playback, PlaybackError>;

/// The [`ReadPlayback`] of programs that read no files.
///
/// # Errors
///
/// Always.
pub fn no_files(spec: &str) -> Result<Playback, PlaybackError> {
    Err(PlaybackError { spec: spec.to_owned(), reason: "this program reads no files of signals".to_owned() })
}

/// A recorded waveform, played over and over.
#[derive(Debug, Clone)]
pub struct Playback {
    spec: String,
    sample_period_ns: f64,
    volts: Arc<[f32]>,
    steps: bool,
    lowest: f64,
    highest: f64,
}

impl PartialEq for Playback {
    fn eq(&self, other: &Self) -> bool {
        self.spec == other.spec
            && self.sample_period_ns == other.sample_period_ns
            && self.steps == other.steps
            && self.volts == other.volts
    }
}

impl Playback {
    /// A waveform of samples in volts, `period_s` seconds apart, that holds each sample until the next if it `steps`.
    ///
    /// # Errors
    ///
    /// [`PlaybackError`] without samples, with samples that are not finite, or less than 1 ns apart.
    pub fn new(spec: &str, period_s: f64, volts: Vec<f32>, steps: bool) -> Result<Self, PlaybackError> {
        let refused = |reason: String| Err(PlaybackError { spec: spec.to_owned(), reason });
        if volts.is_empty() {
            return refused("it has no samples".to_owned());
        }
        if !(period_s.is_finite() && period_s >= 1e-9) {
            return refused(format!("its samples are {period_s} s apart"));
        }
        if !volts.iter().all(|volts| volts.is_finite()) {
            return refused("it has samples that are not numbers".to_owned());
        }
        let lowest = f64::from(volts.iter().copied().fold(f32::INFINITY, f32::min));
        let highest = f64::from(volts.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let volts = volts.into();
        Ok(Self { spec: spec.to_owned(), sample_period_ns: period_s * 1e9, volts, steps, lowest, highest })
    }

    /// What is played, as [`Playback::new`] was given it.
    #[must_use]
    pub fn spec(&self) -> &str {
        &self.spec
    }

    /// Volts of a sample and of the next; the last sample is held, as nothing follows it.
    fn pair(&self, index: usize) -> (f64, f64) {
        let here = self.volts.get(index).or(self.volts.last()).copied().unwrap_or(0.0);
        let next = if self.steps { here } else { self.volts.get(index + 1).copied().unwrap_or(here) };
        (f64::from(here), f64::from(next))
    }

    /// The sample that is played, and how much of it has passed, 0 to 1; a fraction of a nanosecond counts as
    /// none.
    fn position(&self, at: SimTime) -> (usize, f64) {
        let length = self.volts.len() as f64;
        let place = (at.0 as f64 / self.sample_period_ns).rem_euclid(length);
        let index = place.floor().min(length - 1.0);
        (index as usize, place - index)
    }

    pub(in super::super) fn volts(&self, at: SimTime) -> f64 {
        let (index, part) = self.position(at);
        let (here, next) = self.pair(index);
        here + part * (next - here)
    }

    /// See [`Signal::next_crossing`](super::Signal::next_crossing).
    pub(in super::super) fn next_crossing(&self, level: f64, after: SimTime) -> Option<SimTime> {
        if level <= self.lowest || level > self.highest {
            return None;
        }
        let side = self.volts(after) >= level;
        let (first, part) = self.position(after);
        // Twice round: the segment that the search starts in is looked at again as a whole.
        for ahead in 0..=2 * self.volts.len() {
            let (here, next) = self.pair((first + ahead) % self.volts.len());
            let here_differs = ahead > 0 && (here >= level) != side;
            if here_differs || (next >= level) != side {
                let crossing = if here_differs { 0.0 } else { (level - here) / (next - here) };
                let wait_ns = (ahead as f64 + crossing - part) * self.sample_period_ns;
                return Some(after + SimTime((wait_ns - 2.0).max(1.0) as u64));
            }
        }
        None
    }
}
